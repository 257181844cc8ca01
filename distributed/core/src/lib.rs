//! The two machines, scheduler and worker.
#![warn(missing_docs)]

pub mod protocol;
