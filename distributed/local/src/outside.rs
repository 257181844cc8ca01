//! What lies outside of an engine that has only a worker's machine.
//!
//! It refuses to know sockets. Invariant: messages are said in the order in which the machine said them.

use std::sync::Arc;

use partita_core::protocol::{Assignment, Piece, ToScheduler, WorkerId};
use partita_graph::{Chunk, Failure};

/// The scheduler and the peers of a worker, as its engine sees them. `say`, `fetch` and `drop_peer` are called under the
/// engine's lock: they leave what they are given somewhere and return at once, and never call back.
pub trait Outside: Send + Sync + 'static {
    /// The worker says these to the scheduler, in order. Never empty.
    fn say(&self, messages: Vec<ToScheduler>);

    /// Fetch these from a peer, all in one request; what comes is handed to [`crate::Host::arrived`] and its siblings.
    fn fetch(&self, from: WorkerId, pieces: Vec<Piece>);

    /// A peer is gone: what was asked of it ends as failed.
    fn drop_peer(&self, peer: WorkerId);

    /// A remark for whoever looks after the worker. The same text may come often.
    fn warn(&self, text: &str);

    /// The bytes of a result that somebody waits for, when they are few enough to travel with the answer.
    fn inline(&self, chunk: &Chunk) -> Option<Arc<[u8]>>;

    /// The loop in this slot, from 0, begins a task. There are more slots than threads as far as tasks wait inside.
    fn began(&self, slot: usize, task: &Assignment) {
        let _ = (slot, task);
    }

    /// It has ended.
    fn ended(&self, slot: usize) {
        let _ = slot;
    }

    /// A fault of our own: the worker's machine will do nothing more.
    fn broken(&self, failure: Failure);
}
