//! The only door to tokio: futures run on one private runtime, and callers wait on a plain channel.
//!
//! It refuses to know what the futures do. Invariant: waiting never enters a runtime, so it works on any thread, that of a user's
//! own runtime included.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

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

/// Runs a future in the calling thread to its end, within the private runtime: timers and sockets of tokio work in it. Unlike
/// [`start`] it takes futures that borrow.
///
/// ```
/// let text = String::from("borrowed");
/// assert_eq!(partita_io::blocking::drive(async { text.len() }), 8);
/// ```
pub fn drive<F: Future>(future: F) -> F::Output {
    let _entered = runtime().enter();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Wakes a thread that waits in [`drive`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_on_a_plain_thread() {
        assert_eq!(start(async { 1 + 1 }).wait(), 2);
    }

    #[test]
    fn drives_a_future_that_sleeps_on_any_thread() {
        let slept = || drive(async { tokio::time::sleep(std::time::Duration::from_millis(1)).await });
        slept();
        Builder::new_current_thread().build().unwrap().block_on(async { slept() });
    }

    #[test]
    fn answers_inside_another_runtime() {
        let other = Builder::new_current_thread().build().unwrap();
        assert_eq!(other.block_on(async { start(async { "inner" }).wait() }), "inner");
    }
}
