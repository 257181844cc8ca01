//! Graphs of one layer, and operators that do not end by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use partita_graph::{Graph, Layer, OpRef};

/// A graph of one layer, all of it wanted.
pub fn one_layer(len: u32, op: OpRef) -> Graph {
    let mut graph = Graph::default();
    let id = graph.add(Layer::single("layer", len, op, vec![]));
    graph.want_all(id);
    graph
}

/// Operators of this kind run until somebody cancels them.
pub fn endless(started: Arc<AtomicU32>) -> OpRef {
    OpRef::closure("endless", 1, move |ctx, _| {
        started.fetch_add(1, SeqCst);
        loop {
            ctx.check_cancelled()?;
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}
