//! Sockets for a shell: the machines in separate processes.
//!
//! Read in this order: `message` (what is said), `wire` (as bytes), `address` and `security` (who may talk to whom), `link`
//! (how nothing is lost, doubled or reordered), then the shells: `scheduler`, `worker` with `flight`, `client`.
//!
//! This crate refuses to know data formats and operators. Invariant: every decoder checks counts against the bytes that are
//! there before it allocates, so no peer can make a process run out of memory.
#![warn(missing_docs)]

pub mod address;
pub mod message;

pub mod wire;

pub mod security;

pub mod link;
mod one_thread;
pub mod rpc;

pub mod scheduler;

pub mod client;
pub mod flight;
pub mod worker;
