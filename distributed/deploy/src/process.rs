//! One worker process: its folder, its pipes, its memory, its last words.
//!
//! It refuses to decide anything. Invariants: the process is in a group of its own, so that a Ctrl-C in the terminal reaches
//! its nanny only; its folder is its own and is removed when it is dropped; the process is killed when this is dropped.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use partita_net::worker::recorder::{Executing, Record};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr};
use tokio::task::JoinHandle;

use crate::care::Exit;
use crate::spec::{WORKER_VARIABLE, WorkerSpec, random_id};

/// Makes the command that starts a worker: a program that calls [`crate::worker_main`] when [`WORKER_VARIABLE`] is set.
pub type WorkerCommand = Arc<dyn Fn() -> Command + Send + Sync>;

/// Bytes of the last words.
const LAST_WORDS: usize = 4 << 10;

/// A started process.
pub(crate) struct Worker {
    child: Child,
    /// Held open: the process ends when its standard input does, so it does not outlive this process.
    _stdin: Option<tokio::process::ChildStdin>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    reader: Option<JoinHandle<()>>,
    folder: TempDir,
    /// This start's number.
    pub incarnation: u128,
}

impl Worker {
    /// Starts one in a new folder below the one that the specification names.
    pub fn start(template: &WorkerSpec, nanny: u128, command: &WorkerCommand) -> Result<Self, String> {
        let parent = template.folder.clone().unwrap_or_else(std::env::temp_dir);
        let made = std::fs::create_dir_all(&parent).and_then(|()| tempfile::Builder::new().prefix("partita-worker-").tempdir_in(&parent));
        let folder = made.map_err(|error| format!("no folder can be made in {}: {error}", parent.display()))?;
        let incarnation = random_id();
        let mut spec = template.clone();
        spec.folder = Some(folder.path().to_path_buf());
        spec.recorder = Some(recorder(folder.path()));
        spec.joined = Some(joined(folder.path()));
        spec.incarnation = format!("{incarnation:x}");
        spec.nanny = Some(format!("{nanny:x}"));
        let mut command = command();
        let program = command.get_program().to_string_lossy().into_owned();
        command.env(WORKER_VARIABLE, spec.text()).stdin(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = tokio::process::Command::from(command).kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| format!("{program} cannot be started: {error}"))?;
        let tail = Arc::default();
        let reader = child.stderr.take().map(|stderr| tokio::spawn(pass_on(stderr, Arc::clone(&tail))));
        Ok(Self { _stdin: child.stdin.take(), child, tail, reader, folder, incarnation })
    }

    /// Its number in the system while it is not reaped.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end and reaps it.
    pub async fn wait(&mut self) -> Exit {
        match self.child.wait().await {
            Ok(status) => exit(status),
            // Somebody else reaped it: how it ended cannot be known.
            Err(_) => Exit::Code(-1),
        }
    }

    /// Its last words, once it has ended.
    pub async fn last_words(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            // A process that it started may hold the pipe open for as long as it likes.
            let _ = tokio::time::timeout(Duration::from_millis(300), reader).await;
        }
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_string()
    }

    /// Asks it to leave, or kills it.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // It is not reaped yet, so the number is still its own.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Whether it has joined.
    pub fn has_joined(&self) -> bool {
        joined(self.folder.path()).exists()
    }

    /// Resident bytes that the system cannot take back by dropping pages of files, and a number that grows while it lives.
    pub fn look(&self) -> (u64, Option<u64>) {
        let resident = self.pid().and_then(resident).unwrap_or(0);
        (resident, Record::read(&recorder(self.folder.path())).ok().map(|record| record.beats))
    }

    /// What it executes, or executed when it ended.
    pub fn executing(&self) -> Option<Vec<Executing>> {
        Some(Record::read(&recorder(self.folder.path())).ok()?.executing)
    }
}

fn recorder(folder: &Path) -> PathBuf {
    folder.join("recorder")
}

fn joined(folder: &Path) -> PathBuf {
    folder.join("joined")
}

fn exit(status: ExitStatus) -> Exit {
    match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.code().unwrap_or(-1)),
    }
}

/// Its standard error is ours too; the end of it is kept.
async fn pass_on(mut stderr: ChildStderr, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; LAST_WORDS];
    while let Ok(got @ 1..) = stderr.read(&mut buffer).await {
        let _ = std::io::stderr().write_all(&buffer[..got]);
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&buffer[..got]);
        let surplus = tail.len().saturating_sub(LAST_WORDS);
        tail.drain(..surplus);
    }
}

/// Memory-mapped spill files are left out: the system drops their pages when it needs them.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(rest.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    };
    match (bytes("RssAnon"), bytes("RssShmem")) {
        (Some(own), Some(shared)) => Some(own + shared),
        _ => bytes("VmRSS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_seen() {
        let before = resident(std::process::id()).expect("this process has memory");
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = resident(std::process::id()).expect("this process has memory");
        assert!(after >= before + (60 << 20), "{before} {after}");
        drop(block);
        assert_eq!(resident(0), None);
    }
}
