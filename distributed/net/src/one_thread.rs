//! A runtime on a thread of its own: where links live.
//!
//! A message for a runtime of several threads wakes one to look at the socket and another to help it, and on an idle machine
//! each of them takes longer to wake than all that is done with the message. It refuses to be a place for bulk: what is read
//! and written at gigabytes a second has threads of its own.
//!
//! Invariant: when the value is dropped, the thread ends by itself.

use std::thread::JoinHandle;
use std::time::Duration;

use partita_graph::Failure;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A running runtime.
pub(crate) struct OneThread {
    handle: Handle,
    end: oneshot::Sender<Duration>,
    thread: JoinHandle<()>,
}

impl OneThread {
    /// Starts the thread.
    pub fn start(name: &str) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::internal(format!("no thread for the connection: {e}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let serve = move || {
            // Whoever drops the handle waits for nothing.
            let grace = runtime.block_on(ended).unwrap_or_default();
            runtime.shutdown_timeout(grace);
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(serve).map_err(failed)?;
        Ok(Self { handle, end, thread })
    }

    /// Where to spawn.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether the caller is on it: then nothing may be waited for that happens on it.
    pub fn is_here(&self) -> bool {
        self.thread.thread().id() == std::thread::current().id()
    }

    /// Ends it; blocking work may take so long to come back.
    pub fn end(self, grace: Duration) {
        if self.end.send(grace).is_ok() {
            // A thread that panicked has ended too.
            let _ = self.thread.join();
        }
    }
}
