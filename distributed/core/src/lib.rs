//! The two machines, scheduler and worker: `handle(now, event)` in, actions out.
//!
//! This crate knows no clock, no thread, no socket, no file and no chunk. Shells perform what the machines ask for:
//! threads (`partita-local`), a seed (`partita-sim`), sockets. Every fact has one owner, and `check()` derives it again
//! from its sources; the simulator calls it after each event.
//!
//! Beside the two stands a third that neither knows: [`coordination`], for the locks, queues and topics of user code.
#![warn(missing_docs)]

pub mod coordination;
pub mod protocol;
pub mod scheduler;
pub mod worker;
