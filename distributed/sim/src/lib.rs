//! A seed for a shell: the two machines in one thread and virtual time, under faults, with real chunks.
//!
//! [`run_seed`] derives everything from one number: a graph, a cluster, and which faults happen ([`Faults`]). The results must
//! be those of [`partita_graph::Serial`], bit by bit; when the faults stop every run must end; when everything is released
//! nothing may be left. [`SimExecutor`] runs a given graph the same way, so that tests of collections have a faulty cluster
//! for an executor. In half of the seeds clients and workers also ask the coordination machine beside the scheduler, under the same
//! faults, and in a quarter clients make actors. [`play`] tells a story that somebody wrote down, event by event.
//!
//! It knows no real clock and no thread, and it never looks into a machine except through what shells may use.
//!
//! ```
//! let report = partita_sim::run_seed(1).unwrap();
//! assert!(report.events > 0);
//! ```
#![warn(missing_docs)]

mod agree;
mod cluster;
mod excuses;
mod executor;
mod faults;
mod happening;
mod node;
mod oracle;
mod random_graph;
mod scenario;
mod script;

pub use executor::SimExecutor;
pub use faults::Faults;
pub use scenario::{Report, SimFailure, run_seed};
pub use script::play;
