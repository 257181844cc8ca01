//! From the expression to layers. Lowering is a pure function of the expression: the same array gives the same graph.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Edge, Failure, Graph, Layer, LayerId, Wiring, optimize};

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
#[derive(Default)]
pub(crate) struct Lowering {
    pub graph: Graph,
    done: BTreeMap<usize, Lowered>,
}

impl Lowering {
    /// Adds a layer that belongs to `node`.
    pub fn add(&mut self, layer: Layer, node: &Node) -> Lowered {
        let layer = self.graph.add(layer.origin(Some(node.origin.clone())));
        Lowered { layer }
    }

    /// Lowers arrays and all that they read, each once.
    fn arrays(&mut self, ordered: &[AnyArray]) -> Result<(), Failure> {
        for array in ordered {
            let node = array.node();
            let inputs: Vec<Lowered> = node.inputs.iter().map(|input| self.done[&input.address()]).collect();
            let lowered = node.step.lower(node, &inputs, self).map_err(|failure| failure.origin(Some(&node.origin)))?;
            self.done.insert(array.address(), lowered);
        }
        Ok(())
    }
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

/// The optimized graph of an array; all its blocks are wanted.
pub(crate) fn plan(array: &AnyArray) -> Result<Graph, Failure> {
    array.meta()?;
    let mut lowering = Lowering::default();
    // They outlive the lowering, which knows arrays by address.
    let arrays = ordered(array);
    lowering.arrays(&arrays)?;
    lowering.graph.want_all(lowering.done[&array.address()].layer);
    Ok(optimize::optimize(&lowering.graph))
}
