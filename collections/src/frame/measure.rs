//! What a run measures of the partitions that it makes: their rows and bytes, so that plans over them need not guess.
//!
//! It refuses to run anything. Invariant: the wanted chunks are made as before, under the same keys, and one more comes after them.

use std::sync::Arc;

use partita_graph::{Annotations, Edge, Graph, Key, Layer, OpRef, Run, Table, Wiring};

use super::ops::concat::Concat;
use super::ops::repartition_bytes::{MeasureRows, heights_and_bytes};
use super::size::Size;
use super::value::frame_of;

/// The graph that also wants, after the partitions of a frame, what is measured of all of them.
pub(crate) fn measuring(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let Some(partitions) = graph.wanted.first().map(|key| key.layer) else { return graph };
    let indices: Vec<u32> = graph.wanted.iter().map(|key| key.index).collect();
    let tasks = indices.len() as u32;
    let is_whole = graph.get(partitions).is_some_and(|layer| indices.iter().copied().eq(0..layer.len));
    let wiring = match is_whole {
        true => Wiring::Each,
        false => Wiring::Table(Table { offsets: (0..=tasks).collect(), indices: indices.into() }),
    };
    // Before more partitions are made, while the rows are still in memory.
    let soon = Annotations { priority: 1, ..Annotations::default() };
    let op = OpRef::new(MeasureRows, "rows and bytes of each partition");
    let each = Layer::single("measure", tasks, op, vec![Edge { layer: partitions, wiring }]);
    let each = graph.add(Layer { annotations: Some(Arc::new(soon)), ..each });
    let op = OpRef::new(Concat, "rows and bytes of all partitions");
    let all = graph.add(Layer::single("measured", 1, op, vec![Edge { layer: each, wiring: Wiring::Every }]));
    graph.wanted.push(Key::new(all, 0));
    graph
}

/// What such a run measured of so many partitions; `None` when that was lost.
pub(crate) fn measured(run: &Run, partitions: usize) -> Option<Size> {
    let told = frame_of(&run.result(partitions).ok()?).ok()?;
    Some(Size::of_parts(&heights_and_bytes(&told).ok()?))
}
