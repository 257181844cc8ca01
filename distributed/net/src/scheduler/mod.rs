//! The scheduler as a process: the machine, its links, its clients.
//!
//! One thread serves the links, decodes what comes in, and owns the machine ([`owner`](self)): a hop between threads costs more
//! than all that is done with a message. It refuses to decode an operator or a chunk.
//!
//! Invariants: numbers of workers, clients and runs are never used again; whatever a peer says, only that peer is answered
//! with a failure; a worker is gone by one path, whatever the reason.

mod agree;
mod clients;
mod datasets;
mod diary;
mod door;
mod files;
mod inbox;
mod names;
mod nannies;
mod outbox;
mod owner;
mod pending;
mod questions;
mod roster;
mod server;
mod shared;
mod view;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

pub use diary::Entry;
pub use files::{read_file, state_file};
pub use server::Server;
pub use view::ClusterView;

use crate::address::DEFAULT_PORT;
use crate::security::ServerSecurity;

/// How to run a scheduler.
#[derive(Clone)]
pub struct Options {
    /// Name or address to listen on. Default `127.0.0.1`.
    pub host: String,
    /// Port to listen on; 0 for any that is free. Default 8786.
    pub port: u16,
    /// Who is let in.
    pub security: ServerSecurity,
    /// Settings of the machine.
    pub machine: partita_core::scheduler::Config,
    /// How long nothing may be heard of a worker before it counts as gone. Default 30 s.
    pub worker_ttl: Duration,
    /// How long a client may be away before what it wanted is released. Default 30 s.
    pub client_grace: Duration,
    /// Ends the scheduler when there was neither a client nor a run for so long. Default: never.
    pub idle_timeout: Option<Duration>,
    /// Where to write the address and the right to join, for others to read. Default: nowhere.
    pub scheduler_file: Option<PathBuf>,
    /// Whether to leave the address in the user's state folder, so that programs of the same user on this host need no token.
    /// Default: no, because a cluster inside a program is that program's own.
    pub state_file: bool,
    /// What the cluster is called. Default: made by [`ServerSecurity`].
    pub name: Option<String>,
    /// Let the machine check all its facts after each event. For tests: it costs time in proportion to the graph.
    pub check: bool,
}

impl Options {
    /// The defaults, with this security.
    pub fn new(security: ServerSecurity) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: DEFAULT_PORT,
            security,
            machine: partita_core::scheduler::Config::default(),
            worker_ttl: Duration::from_secs(30),
            client_grace: Duration::from_secs(30),
            idle_timeout: None,
            scheduler_file: None,
            state_file: false,
            name: None,
            check: false,
        }
    }
}
