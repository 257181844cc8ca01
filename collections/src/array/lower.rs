//! From the expression to layers. Lowering is a pure function of the expression and of what a task may hold: the same array gives the same graph.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Edge, Executor, Failure, Graph, Layer, LayerId, Wiring, optimize};
use xxhash_rust::xxh3::xxh3_64;

use super::budget::Budget;
use super::group::Groups;
use super::meta::{Cuts, Meta};
use super::ops::make::filled;
use super::rechunk::rechunk;
use super::wiring::follow;
use super::{AnyArray, Node};

/// A lowered array: the layer whose chunks are its blocks, in row-major order of the grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lowered {
    pub layer: LayerId,
}

impl Lowered {
    pub fn edge(self, wiring: Wiring) -> Edge {
        Edge { layer: self.layer, wiring }
    }
}

/// The graph under construction.
pub(crate) struct Lowering {
    pub graph: Graph,
    /// Which steps are made inside others.
    pub groups: Groups,
    /// What a task may hold.
    pub budget: Budget,
    done: BTreeMap<usize, Lowered>,
}

impl Lowering {
    /// Adds a layer that belongs to `node`.
    pub fn add(&mut self, layer: Layer, node: &Node) -> Lowered {
        let layer = self.graph.add(layer.origin(Some(node.origin.clone())));
        Lowered { layer }
    }

    /// An array that was lowered: what a step reads, unless it takes programs in.
    pub fn of(&self, array: &AnyArray) -> Lowered {
        self.done[&array.address()]
    }

    /// Edges by which each block of an array with these cuts reads the blocks of others that belong to it elementwise. Others are cut
    /// anew where their chunks differ. Blocks that are the same everywhere are made by each reader for itself, which costs less than to
    /// keep them.
    pub fn aligned(&mut self, others: &[AnyArray], cuts: &[Cuts], node: &Node) -> Result<Vec<Edge>, Failure> {
        let mut edges = Vec::with_capacity(others.len());
        let reader = self.reader(others, node);
        for other in others {
            let meta: &Meta = other.meta()?;
            let ahead = cuts.len() - meta.ndim();
            let places = || Meta { dtype: meta.dtype, cuts: cuts.to_vec() }.places();
            if let Some(value) = other.everywhere()
                && let Ok(places) = places()
            {
                let fixed = repeated_axes(&meta.cuts, cuts);
                let own = |len: &usize, fixed: &bool| if *fixed { 1 } else { *len };
                let shapes =
                    places.iter().map(|place| place.shape[ahead..].iter().zip(&fixed).map(|(len, fixed)| own(len, fixed)).collect());
                edges.push(self.add(filled(value, shapes, Some(reader)), node).edge(Wiring::Each));
                continue;
            }
            edges.push(self.beside(other, cuts, node)?);
        }
        Ok(edges)
    }

    /// The edge by which each block of an array with these cuts reads the block of another that belongs to it elementwise. The other is cut
    /// anew where its chunks differ.
    pub fn beside(&mut self, other: &AnyArray, cuts: &[Cuts], node: &Node) -> Result<Edge, Failure> {
        let meta = other.meta()?;
        let ahead = cuts.len() - meta.ndim();
        let wanted = |(whole, repeated): (&Cuts, bool)| if repeated { Cuts::whole(1) } else { whole.clone() };
        let wanted: Vec<Cuts> = cuts[ahead..].iter().zip(repeated_axes(&meta.cuts, cuts)).map(wanted).collect();
        let input = rechunk(self, self.of(other), meta, &wanted, node);
        let blocks: Vec<usize> = wanted.iter().map(Cuts::count).collect();
        let grid: Vec<usize> = cuts.iter().map(Cuts::count).collect();
        let axes: Vec<Option<usize>> = (ahead..cuts.len()).map(Some).collect();
        Ok(input.edge(follow(&blocks, &grid, &axes)))
    }

    /// A name of what a step makes of others, and of what is made inside it. The same work has the same one, wherever and however often it is
    /// written, so that constants do not keep it from being done once.
    fn reader(&self, others: &[AnyArray], node: &Node) -> u64 {
        let mut text = node.step.line();
        let (mut seen, mut left) = (BTreeSet::new(), node.inputs.iter().rev().collect::<Vec<_>>());
        while let Some(input) = left.pop() {
            if self.groups.is_inlined(input) && seen.insert(input.address()) {
                text = format!("{text}\n{}", input.node().step.line());
                left.extend(input.node().inputs.iter().rev());
            }
        }
        let others = others.iter().map(|other| self.of(other).layer.0);
        xxh3_64(others.fold(text, |text, layer| format!("{text}\n{layer}")).as_bytes())
    }

    /// Lowers arrays and all that they read, each once.
    fn arrays(&mut self, ordered: &[AnyArray]) -> Result<(), Failure> {
        for array in ordered.iter().filter(|array| !self.groups.is_inlined(array)).collect::<Vec<_>>() {
            let node = array.node();
            let lowered = node.step.lower(node, self).map_err(|failure| failure.origin(Some(&node.origin)))?;
            self.done.insert(array.address(), lowered);
        }
        Ok(())
    }
}

/// For each of an array's own axes whether it is repeated along one of another with these cuts: it has one chunk there, which all blocks read.
pub(super) fn repeated_axes(own: &[Cuts], cuts: &[Cuts]) -> Vec<bool> {
    let ahead = cuts.len() - own.len();
    own.iter().zip(&cuts[ahead..]).map(|(own, whole)| own.len() == Some(1) && whole.len() != Some(1)).collect()
}

/// An array and all that it reads, each once and after what it reads. It goes without recursion, because chains may be long.
pub(crate) fn ordered(root: &AnyArray) -> Vec<AnyArray> {
    let mut seen = BTreeSet::from([root.address()]);
    let mut stack = vec![(root.clone(), 0)];
    let mut order = Vec::new();
    while let Some((array, next)) = stack.pop() {
        let input = array.node().inputs.get(next).cloned();
        match input {
            Some(input) => {
                stack.push((array, next + 1));
                if seen.insert(input.address()) {
                    stack.push((input, 0));
                }
            }
            None => order.push(array),
        }
    }
    order
}

/// Adds the layers of an array to a graph, by tasks that hold no more than this; without it, than they may on the current client.
pub(crate) fn lower_into(budget: Option<Budget>, graph: &mut Graph, array: &AnyArray) -> Result<Lowered, Failure> {
    lower_within(budget.unwrap_or_else(Budget::planned), graph, array)
}

fn lower_within(budget: Budget, graph: &mut Graph, array: &AnyArray) -> Result<Lowered, Failure> {
    array.meta()?;
    // They outlive the lowering, which knows arrays by address.
    let arrays = ordered(array);
    let mut lowering = Lowering { graph: std::mem::take(graph), groups: Groups::of(&arrays), budget, done: BTreeMap::new() };
    let lowered = lowering.arrays(&arrays).map(|()| lowering.of(array));
    *graph = lowering.graph;
    lowered
}

/// The optimized graph of an array, as the current client runs it; all its blocks are wanted.
pub(crate) fn plan(array: &AnyArray) -> Result<Graph, Failure> {
    plan_within(Budget::planned(), array)
}

/// The same as this executor runs it.
pub(crate) fn plan_for(executor: &dyn Executor, array: &AnyArray) -> Result<Graph, Failure> {
    plan_within(Budget::of(executor), array)
}

/// The same by tasks that hold no more.
pub(crate) fn plan_within(budget: Budget, array: &AnyArray) -> Result<Graph, Failure> {
    let mut graph = Graph::default();
    let lowered = lower_within(budget, &mut graph, array)?;
    graph.want_all(lowered.layer);
    Ok(optimize::optimize(&graph))
}

/// The layers of an array and of all that it reads, as [`lower_into`] adds them, and which of them makes its blocks.
pub(crate) fn layers(budget: Option<Budget>, array: &AnyArray) -> Result<(Graph, LayerId), Failure> {
    let mut graph = Graph::default();
    let lowered = lower_into(budget, &mut graph, array)?;
    Ok((graph, lowered.layer))
}

#[cfg(test)]
mod tests {
    use crate::array::DArray;

    /// The names of an array's layers.
    fn names(array: &DArray<f64>) -> Vec<String> {
        let graph = super::plan(&array.to_any()).expect("it can be planned");
        graph.layers.iter().map(|layer| layer.name.to_string()).collect()
    }

    #[test]
    fn what_reads_constants_and_is_written_twice_is_made_once() {
        let (x, c) = (DArray::<f64>::arange(0.0, 40.0, 1.0, 10), DArray::<f64>::full([40], 2.0, 10));
        let sum = || (&x * &c).sum();
        let reduced = names(&(sum() + sum())).iter().filter(|name| name.contains("reduce")).count();
        assert_eq!(reduced, 1);
    }

    #[test]
    fn constants_are_made_by_those_who_read_them() {
        let x = DArray::<f64>::ones([40, 40], 10);
        let found = names(&(&x + x.t() - x.mean_axis(0)).sum());
        assert_eq!(found, ["make+reduce", "finish", "make+reduce", "finish"]);
        assert_eq!(names(&x), ["make"]);
        assert_eq!(names(&(&x * DArray::arange(0.0, 40.0, 1.0, 20))), ["make", "rechunk", "make+map"], "a range is made once");
    }
}
