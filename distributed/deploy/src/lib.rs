//! Starts workers and watches over them: nannies, clusters on this host, and what a program does that was started as a worker.
//!
//! It refuses to know tasks and data: a worker is a process that joined or did not, lives or died, and has memory. Invariants:
//! no process outlives whoever started it, none stays a zombie, no folder stays behind, and a worker that died is reported to
//! the scheduler with the reason before another one takes its place.
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod care;
mod cluster;
mod crew;
mod nanny;
mod process;
mod serve;
mod signals;
mod spec;

pub use care::{Ask, End, Rules};
pub use cluster::{LocalCluster, LocalOptions};
pub use crew::{Crew, Member, Status};
pub use nanny::{NannyOptions, Voice};
pub use process::WorkerCommand;
pub use serve::{serve, worker_main};
pub use signals::on_stop;
pub use spec::{Shares, WORKER_VARIABLE, WorkerSpec, random_id};
