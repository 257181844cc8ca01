//! What a program does that was started as a worker.
//!
//! It refuses to know operators and pools: the program starts the worker itself, with all that it has. Invariants: the process
//! ends when its nanny does, whatever runs; how it ends is told by the exit code that `care` reads.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use partita_graph::{Code, Failure};
use partita_net::worker::{Exit, Worker};

use crate::care::code;
use crate::signals::on_stop;
use crate::spec::WorkerSpec;

/// Starts the worker of this process with `start`, and serves until it is told to end, has lost its scheduler, or its nanny is
/// gone. The first Ctrl-C or SIGTERM lets it leave in peace, the second ends it.
///
/// A failure to start is printed to standard error, where a nanny reads it.
pub fn worker_main(spec: &WorkerSpec, start: impl FnOnce(&WorkerSpec) -> Result<Worker, Failure>) -> ExitCode {
    ExitCode::from(u8::try_from(serve(spec, start)).unwrap_or(1))
}

/// The same with the exit code as a number, for programs that end the process themselves.
pub fn serve(spec: &WorkerSpec, start: impl FnOnce(&WorkerSpec) -> Result<Worker, Failure>) -> i32 {
    if spec.nanny.is_some() {
        end_with_nanny(spec);
    }
    let worker = match start(spec) {
        Ok(worker) => Arc::new(worker),
        Err(failure) => {
            eprintln!("{failure}");
            return refusal(&failure);
        }
    };
    if let Some(joined) = &spec.joined {
        // A folder that cannot be written is found by whoever needs it for more than this.
        let _ = std::fs::write(joined, "");
    }
    leave_on_signals(&worker, spec.stop_timeout);
    match worker.wait() {
        Exit::Left | Exit::Closed { restart: false, .. } => code::LEFT,
        Exit::LifetimeOver | Exit::Closed { restart: true, .. } => code::AGAIN,
        Exit::Broken(failure) => {
            eprintln!("{failure}");
            code::BROKEN
        }
        Exit::SchedulerLost(failure) => {
            eprintln!("{failure}");
            code::LONELY
        }
    }
}

/// Which code tells a nanny whether it is worth trying again.
fn refusal(failure: &Failure) -> i32 {
    match failure.code {
        Code::NotTrusted | Code::VersionMismatch | Code::WrongProtocol | Code::Insecure | Code::InvalidOption | Code::DuplicateName => {
            code::REFUSED
        }
        Code::Unreachable | Code::Disconnected => code::LONELY,
        _ => 1,
    }
}

/// The nanny holds the other end of standard input and never writes: its end is the nanny's.
fn end_with_nanny(spec: &WorkerSpec) {
    let folder = spec.folder.clone();
    let watch = move || {
        let mut byte = [0];
        while let Ok(1..) = std::io::stdin().lock().read(&mut byte) {}
        // Nobody else is left to remove it.
        if let Some(folder) = folder {
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(code::LONELY);
    };
    // Without a thread the process would only outlive its nanny.
    let _ = std::thread::Builder::new().name("partita-nanny-watch".into()).spawn(watch);
}

fn leave_on_signals(worker: &Arc<Worker>, patience: Duration) {
    let worker = Arc::downgrade(worker);
    on_stop(move |times| {
        if times > 1 {
            std::process::exit(130);
        }
        // One that the scheduler has let go is about to end, and takes down what its tasks kept.
        if let Some(worker) = worker.upgrade() {
            worker.retire();
        }
        std::thread::spawn(move || {
            std::thread::sleep(patience);
            std::process::exit(130);
        });
    });
}
