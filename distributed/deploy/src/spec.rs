//! What a process is told that is started as a worker: one JSON object in one variable of its environment.
//!
//! It refuses to know who starts it. Invariant: rights (a join token, a secret) travel in the environment, which only the same
//! user can read, and never in arguments, which everybody can.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use partita_graph::{Code, Failure, Milli};
use partita_net::address::without_rights;
use partita_net::security::TlsFiles;
use partita_net::worker::Options;
use serde::{Deserialize, Serialize};

/// The variable that holds a [`WorkerSpec`].
pub const WORKER_VARIABLE: &str = "PARTITA_WORKER";

/// Shares of the memory limit at which a worker acts; `None` for never.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// Tasks start without spilling up to here. Default 0.60.
    pub target: Option<f64>,
    /// Above it chunks are spilled down to the target. Default 0.70.
    pub spill: Option<f64>,
    /// Above it, of resident memory, nothing is started. Default 0.80.
    pub pause: Option<f64>,
}

impl Default for Shares {
    fn default() -> Self {
        Self { target: Some(0.60), spill: Some(0.70), pause: Some(0.80) }
    }
}

/// A worker to be.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSpec {
    /// The scheduler, with the right to join.
    pub address: String,
    /// Its name, unique in the cluster; empty to have one made.
    pub name: String,
    /// The address that it serves chunks on. Default: loopback.
    pub host: String,
    /// The port of that address; 0, the default, for any that is free.
    pub data_port: u16,
    /// Tasks at a time.
    pub threads: usize,
    /// Bytes of memory; 0 for no limit.
    pub memory_limit: u64,
    /// At which shares of it something happens.
    pub shares: Shares,
    /// Bytes on disk above which nothing more is spilled; 0 for no limit.
    #[serde(default)]
    pub max_spill: u64,
    /// What it offers, in thousandths.
    pub resources: BTreeMap<String, Milli>,
    /// Where spilled chunks go. Below a nanny: a folder of this process's own, removed after it.
    pub folder: Option<PathBuf>,
    /// It ends after so long without its scheduler.
    pub death_timeout: Duration,
    /// It retires after so long.
    pub lifetime: Option<Duration>,
    /// How long leaving may take once it was asked for.
    pub stop_timeout: Duration,
    /// PEM files instead of joining by token: authority, certificate, key.
    pub tls: Option<(PathBuf, PathBuf, PathBuf)>,
    /// How stores are reached: for each place names and values of options, secrets among them.
    #[serde(default)]
    pub storage: Vec<(String, Vec<(String, String)>)>,
    /// The nanny's number as hexadecimal digits; below a nanny the process ends when its standard input does.
    pub nanny: Option<String>,
    /// This start's own number, as hexadecimal digits.
    pub incarnation: String,
    /// The file in which the worker leaves what a nanny needs to know after its death.
    pub recorder: Option<PathBuf>,
    /// The file that is made when the worker has joined.
    pub joined: Option<PathBuf>,
}

impl fmt::Debug for WorkerSpec {
    /// Without the right to join and without keys of stores: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut spec = f.debug_struct("WorkerSpec");
        spec.field("address", &without_rights(&self.address)).field("name", &self.name).field("host", &self.host);
        spec.field("data_port", &self.data_port).field("threads", &self.threads).field("memory_limit", &self.memory_limit);
        spec.field("resources", &self.resources).field("nanny", &self.nanny).field("incarnation", &self.incarnation);
        spec.finish_non_exhaustive()
    }
}

impl WorkerSpec {
    /// A worker of that scheduler with one thread and no memory limit, without a nanny.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            name: String::new(),
            host: "127.0.0.1".into(),
            data_port: 0,
            threads: 1,
            memory_limit: 0,
            shares: Shares::default(),
            max_spill: 0,
            resources: BTreeMap::new(),
            folder: None,
            death_timeout: Duration::from_secs(30),
            lifetime: None,
            stop_timeout: Duration::from_secs(10),
            tls: None,
            storage: Vec::new(),
            nanny: None,
            incarnation: format!("{:x}", random_id()),
            recorder: None,
            joined: None,
        }
    }

    /// What this process was told by whoever started it; `None` when it was not started as a worker.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when the variable holds something else: the starting and the started program differ.
    pub fn from_environment() -> Option<Result<Self, Failure>> {
        let text = std::env::var_os(WORKER_VARIABLE)?;
        let read = |text: std::ffi::OsString| serde_json::from_str(text.to_str()?).ok();
        Some(read(text).ok_or_else(|| {
            Failure::new(Code::InvalidOption, format!("{WORKER_VARIABLE} in the environment does not describe a worker")).help(format!(
                "unset {WORKER_VARIABLE}; it is set by nannies for the processes that they start, which must be of the same release"
            ))
        }))
    }

    /// The form for the environment.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a specification is plain data")
    }

    /// The same for [`partita_net::worker::Worker::start`].
    pub fn worker_options(&self) -> Options {
        let tls = self.tls.clone().map(|(ca, cert, key)| TlsFiles { ca, cert, key });
        Options {
            name: Some(self.name.clone()).filter(|name| !name.is_empty()),
            host: self.host.clone(),
            data_port: self.data_port,
            threads: self.threads,
            memory_limit: self.memory_limit,
            // A share that is switched off is never reached.
            target: self.shares.target.unwrap_or(1.0),
            spill: self.shares.spill.unwrap_or(f64::INFINITY),
            pause: self.shares.pause.unwrap_or(f64::INFINITY),
            max_spill: self.max_spill,
            resources: self.resources.clone(),
            local_directory: self.folder.clone(),
            death_timeout: self.death_timeout,
            lifetime: self.lifetime,
            nanny: self.nanny_number(),
            incarnation: self.incarnation_number(),
            recorder: self.recorder.clone(),
            tls,
            ..Options::default()
        }
    }

    /// This start's number.
    fn incarnation_number(&self) -> u128 {
        u128::from_str_radix(&self.incarnation, 16).unwrap_or_default()
    }

    /// The nanny's number.
    fn nanny_number(&self) -> Option<u128> {
        u128::from_str_radix(self.nanny.as_deref()?, 16).ok()
    }
}

/// A number that nobody else has.
pub fn random_id() -> u128 {
    let bytes = random_bytes();
    u128::from_le_bytes(bytes[..16].try_into().expect("sixteen of thirty-two"))
}

/// Bytes that nobody can guess, from the system's own source.
pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    let source = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    source.expect("the system has a source of random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_survives_the_environment() {
        let mut spec = WorkerSpec::new("tcp://127.0.0.1:1?secret=00");
        spec.resources.insert("GPU".into(), 1500);
        spec.nanny = Some(format!("{:x}", u128::MAX));
        spec.lifetime = Some(Duration::from_millis(1));
        spec.storage = vec![("s3://".into(), vec![("secret_access_key".into(), "hush".into())])];
        let back: WorkerSpec = serde_json::from_str(&spec.text()).expect("it was written here");
        assert_eq!(back, spec);
        assert_eq!(back.nanny_number(), Some(u128::MAX));
        let shown = format!("{spec:?}");
        assert!(shown.contains("tcp://127.0.0.1:1") && !shown.contains("secret") && !shown.contains("hush"), "{shown}");
        assert_ne!(spec.incarnation_number(), WorkerSpec::new("x").incarnation_number());
    }
}
