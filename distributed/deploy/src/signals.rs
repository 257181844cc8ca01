//! Ctrl-C and SIGTERM for programs that serve: the first asks to end, the second ends.
//!
//! It refuses to know what ends. Invariant: no work is done in a signal handler; a thread of its own does it.

use tokio::signal::unix::{SignalKind, signal};

/// Calls `stop` with 1 at the first SIGINT, SIGTERM or SIGHUP, with 2 at the second, and so on, from a thread of its own.
pub fn on_stop(mut stop: impl FnMut(u32) + Send + 'static) {
    let (ready, wait) = std::sync::mpsc::channel();
    let watch = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async move {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
            let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds else { return };
            let _ = ready.send(());
            for times in 1.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                stop(times);
            }
        });
    };
    if std::thread::Builder::new().name("partita-signals".into()).spawn(watch).is_ok() {
        // A signal that comes after this call is caught. When they cannot be, this ends at once: the sender is dropped.
        let _ = wait.recv();
    }
}
