//! Graphs for a scheduler in another process.
//!
//! A [`Remote`] is an executor as the local engine is one: graphs go to the scheduler, results come back with the answer when
//! they are small and are read from the workers otherwise. It refuses to know what the graphs compute.
//!
//! Invariants: every call may be made from any thread, inside an asynchronous runtime or not, because all that is asynchronous
//! happens on threads of its own; a connection that breaks and comes back is not seen, one that stays away ends every run with
//! [`partita_graph::Code::Disconnected`].

mod each;
mod fetch;
mod questions;
mod remote;
mod room;
mod run;

use std::time::Duration;

pub use questions::{Holdings, Missing, RETIRE_TIMEOUT};
pub use remote::Remote;

use crate::security::TlsFiles;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the cluster calls this client. Default: the program's name.
    pub name: String,
    /// Certificates of one's own, instead of joining by token. Default: none.
    pub tls_files: Option<TlsFiles>,
    /// How long to try to connect. Default 30 s.
    pub timeout: Duration,
    /// How long to try to come back when the connection breaks. Default 30 s.
    pub grace: Duration,
    /// How long to try to read a result that a worker should have. Default 60 s.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let program = std::env::args_os().next().map(std::path::PathBuf::from);
        let name = program.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        Self {
            name: name.unwrap_or_else(|| "client".into()),
            tls_files: None,
            timeout: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            patience: Duration::from_secs(60),
        }
    }
}
