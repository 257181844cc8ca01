//! The only door to tokio: futures run on one private runtime, and callers wait on a plain channel.
//!
//! It refuses to know what the futures do. Invariant: waiting never enters a runtime, so it works on any thread, that of a user's
//! own runtime included.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, sync_channel};

use tokio::runtime::{Builder, Runtime};

/// Two threads suffice: they only move bytes between sockets and buffers.
const THREADS: usize = 2;

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("partita-io").enable_all();
        builder.build().expect("the operating system refused threads for input and output")
    })
}

/// A future that runs; dropping this does not stop it.
pub(crate) struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Blocks the calling thread until the future has ended. Panics if the future panicked.
    pub(crate) fn wait(self) -> T {
        self.0.recv().expect("a future of the storage panicked")
    }
}

/// Starts a future on the private runtime.
pub(crate) fn start<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Pending<T> {
    let (sender, receiver) = sync_channel(1);
    runtime().spawn(async move {
        // The receiver is gone when a reader jumped elsewhere: nobody wants the answer then.
        let _ = sender.send(future.await);
    });
    Pending(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_on_a_plain_thread() {
        assert_eq!(start(async { 1 + 1 }).wait(), 2);
    }

    #[test]
    fn answers_inside_another_runtime() {
        let other = Builder::new_current_thread().build().unwrap();
        assert_eq!(other.block_on(async { start(async { "inner" }).wait() }), "inner");
    }
}
