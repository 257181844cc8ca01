//! The scheduler file: where a scheduler is and the right to join it, for whoever can read the file.
//!
//! It refuses to connect. Invariant: such a file is readable by its owner only, because it holds a right.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use partita_graph::{Code, Failure};
use serde::{Deserialize, Serialize};

use super::authority::write_private;
use crate::address::without_rights;
use crate::message::PROTOCOL;

/// What stands in a scheduler file, as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerFile {
    /// The whole address, with the right to join.
    pub address: String,
    /// The cluster's name.
    pub cluster: String,
    /// The scheduler's process.
    pub pid: u32,
    /// The protocol that it speaks.
    pub protocol: u32,
}

/// A scheduler file is small; more than this is none.
const LIMIT: u64 = 16 << 10;

impl fmt::Debug for SchedulerFile {
    /// Without the right to join: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut file = f.debug_struct("SchedulerFile");
        file.field("address", &without_rights(&self.address)).field("cluster", &self.cluster);
        file.field("pid", &self.pid).field("protocol", &self.protocol).finish()
    }
}

impl SchedulerFile {
    /// For this process.
    pub fn new(address: String, cluster: String) -> Self {
        Self { address, cluster, pid: std::process::id(), protocol: PROTOCOL }
    }

    /// Where a scheduler on this host leaves its file for processes of the same user.
    pub fn in_state_dir(state_dir: &Path, port: u16) -> PathBuf {
        state_dir.join("partita").join(format!("scheduler-{port}.json"))
    }

    /// Writes it with mode 0600; folders that are missing are made.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).expect("texts and numbers");
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.and_then(|()| write_private(path, &text)).map_err(|error| {
            Failure::new(Code::InvalidOption, format!("the scheduler file `{}` cannot be written: {error}", path.display()))
        })
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let fault = |what: String| {
            Failure::new(Code::Unreachable, format!("the scheduler file `{}` {what}", path.display()))
                .help("`partita scheduler --scheduler-file PATH` writes it; it must be on a disk that both hosts see")
        };
        let size = fs::metadata(path).map_err(|error| fault(format!("cannot be read: {error}")))?.len();
        if size > LIMIT {
            return Err(fault("is no scheduler file: it is too large".into()));
        }
        let text = fs::read(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(|failure| fault(failure.what.clone()))
    }

    /// From the bytes of a file.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(text).map_err(|error| Failure::new(Code::Unreachable, format!("is no scheduler file: {error}")))
    }

    /// Deletes it, if it is still this process's own.
    pub fn remove(&self, path: &Path) {
        if Self::read(path).is_ok_and(|file| file == *self) {
            // It is gone already, or will mislead nobody for long: whoever reads it finds no scheduler.
            let _ = fs::remove_file(path);
        }
    }
}

/// The user's directory for state: `$XDG_STATE_HOME` or `~/.local/state`.
pub fn state_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME").filter(|dir| dir.is_absolute()).or_else(|| set("HOME").map(|home| home.join(".local/state")))
}
