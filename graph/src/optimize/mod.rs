//! Passes over a graph: each takes a graph and gives a graph that computes the same wanted chunks, bit by bit.
//!
//! A pass knows layers, steps and wiring. It refuses to know what an operator does: rewrites that need to know (a filter
//! moved into a reader) are made on expressions, before there is a graph. The wanted keys keep their order and their
//! indices; only the layers that they name may be others. Running a pass twice changes nothing more.

mod cull;
mod fuse;
mod order;

use std::collections::BTreeMap;

pub use cull::cull;
pub use fuse::{WIDE, fuse};
pub use order::order;

use crate::{Graph, LayerId};

/// One line of the table of passes.
pub struct Pass {
    /// For people and tests.
    pub name: &'static str,
    /// The pass.
    pub run: fn(&Graph) -> Graph,
}

/// All passes, in the order in which they run.
pub const PASSES: &[Pass] = &[Pass { name: "cull", run: cull }, Pass { name: "fuse", run: fuse }, Pass { name: "order", run: order }];

/// Runs all passes.
///
/// A graph that [`Graph::validate`] would refuse comes back as a graph that it refuses too, never as a panic.
///
/// ```
/// use partita_graph::{Chunk, Edge, Graph, Layer, OpRef, Plain, Wiring, optimize};
///
/// let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
/// let same = OpRef::closure("same", 2, |_, inputs| Ok(inputs[0].clone()));
/// let mut graph = Graph::default();
/// let numbers = graph.add(Layer::single("numbers", 4, number, vec![]));
/// let copies = graph.add(Layer::single("copies", 4, same, vec![Edge { layer: numbers, wiring: Wiring::Each }]));
/// graph.want_all(copies);
/// let fused = optimize::optimize(&graph);
/// assert_eq!(fused.layers.len(), 1);
/// assert_eq!(&*fused.layers[0].name, "numbers+copies");
/// ```
pub fn optimize(graph: &Graph) -> Graph {
    PASSES.iter().fold(graph.clone(), |graph, pass| (pass.run)(&graph))
}

/// For each layer the positions of the layers that it reads, one for each edge. `None` when an edge names a layer that
/// does not come before, or when two layers have one id: a pass then leaves the graph as it is.
fn producers(graph: &Graph) -> Option<Vec<Vec<usize>>> {
    let mut positions: BTreeMap<LayerId, usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(graph.layers.len());
    for (position, layer) in graph.layers.iter().enumerate() {
        let found: Option<Vec<usize>> = layer.edges.iter().map(|edge| positions.get(&edge.layer).copied()).collect();
        all.push(found?);
        if positions.insert(layer.id, position).is_some() {
            return None;
        }
    }
    Some(all)
}
