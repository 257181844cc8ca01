//! Drops the layers that nothing wanted reads.
//!
//! It refuses to cut single tasks: executors run only the tasks that a wanted one needs, so nothing would be won.

use std::collections::BTreeSet;

use crate::Graph;

/// The graph without layers that no wanted key depends on. Whole layers only: a layer of which some tasks are needed
/// stays, and the scheduler leaves the others alone.
pub fn cull(graph: &Graph) -> Graph {
    let mut needed: BTreeSet<_> = graph.wanted.iter().map(|key| key.layer).collect();
    for layer in graph.layers.iter().rev() {
        if needed.contains(&layer.id) {
            needed.extend(layer.edges.iter().map(|edge| edge.layer));
        }
    }
    let layers = graph.layers.iter().filter(|layer| needed.contains(&layer.id)).cloned().collect();
    Graph::new(layers, graph.wanted.clone())
}
