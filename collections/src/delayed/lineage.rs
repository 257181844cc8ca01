//! What earlier calls of a client were made of, so that each can be made again from nothing, here or on another executor.
//!
//! It refuses to know results. Invariant: a layer is written down by the call that brought it, and by no call that reads it, so that a
//! chain of calls costs in proportion to its length.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_graph::{Graph, Layer, LayerId};

/// The layers of one submission, and the submissions whose results they read.
pub(crate) struct Lineage {
    /// As the executor knows them: they stay as they are when later graphs are optimized.
    layers: Vec<Arc<Layer>>,
    parents: Vec<Arc<Lineage>>,
}

impl Lineage {
    /// Of a graph that was submitted. The layers that it only names are those of the parents.
    pub fn of(graph: &Graph, parents: Vec<Arc<Lineage>>) -> Arc<Self> {
        let own = graph.layers.iter().filter(|layer| !layer.known);
        let fixed = |layer: &Arc<Layer>| match layer.fixed {
            true => layer.clone(),
            false => Arc::new(Layer { fixed: true, ..(**layer).clone() }),
        };
        Arc::new(Self { layers: own.map(fixed).collect(), parents })
    }

    /// One of its own layers.
    pub fn get(&self, id: LayerId) -> Option<&Arc<Layer>> {
        self.layers.iter().find(|layer| layer.id == id)
    }

    /// Adds all that it takes to make its results from nothing.
    pub fn add_to(&self, graph: &mut Graph) {
        let mut seen: BTreeSet<*const Lineage> = BTreeSet::new();
        // By hand, for a chain of a hundred thousand calls. Whatever is read comes before what reads it.
        let mut stack = vec![(self, false)];
        while let Some((lineage, parents_are_there)) = stack.pop() {
            if parents_are_there {
                lineage.layers.iter().for_each(|layer| graph.add_shared(layer.clone()));
            } else if seen.insert(std::ptr::from_ref(lineage)) {
                stack.push((lineage, true));
                stack.extend(lineage.parents.iter().map(|parent| (&**parent, false)));
            }
        }
    }

    /// The whole graph, in which nothing is wanted yet.
    pub fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        self.add_to(&mut graph);
        graph
    }
}

impl Drop for Lineage {
    /// Link by link, because dropping a long chain by recursion would end the stack.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.parents);
        while let Some(parent) = left.pop() {
            if let Some(mut parent) = Arc::into_inner(parent) {
                left.append(&mut parent.parents);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Chunk, Edge, OpRef, Plain, Wiring};

    fn layer(number: u64, reads: &[LayerId]) -> Layer {
        let op = OpRef::closure("number", number, |_, _| Ok(Chunk::new(Plain(1i64))));
        Layer::single("number", 1, op, reads.iter().map(|&layer| Edge { layer, wiring: Wiring::Each }).collect())
    }

    /// A call that reads these, submitted by itself.
    fn call(number: u64, reads: &[(LayerId, Arc<Lineage>)]) -> (LayerId, Arc<Lineage>) {
        let mut graph = Graph::default();
        for (id, lineage) in reads {
            graph.add(lineage.get(*id).expect("its own").stand_in());
        }
        let id = graph.add(layer(number, &reads.iter().map(|(id, _)| *id).collect::<Vec<_>>()));
        graph.want_all(id);
        graph.validate().expect("sound");
        (id, Lineage::of(&graph, reads.iter().map(|(_, lineage)| lineage.clone()).collect()))
    }

    #[test]
    fn producers_come_first_and_each_layer_once() {
        let first = call(1, &[]);
        let second = call(2, std::slice::from_ref(&first));
        let third = call(3, &[first.clone(), second.clone()]);
        let fourth = call(4, &[second, third, first]);
        let graph = fourth.1.graph();
        graph.validate().expect("sound");
        assert_eq!(graph.layers.len(), 4);
        assert!(graph.layers.iter().all(|layer| layer.fixed && !layer.known));
    }

    #[test]
    fn a_long_chain_is_walked_and_dropped_without_a_long_stack() {
        let last = (1..100_000).fold(call(0, &[]), |before, number| call(number, &[before]));
        assert_eq!(last.1.graph().layers.len(), 100_000);
    }
}
