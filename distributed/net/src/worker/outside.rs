//! The scheduler and the peers as the worker's engine sees them.
//!
//! It refuses to wait: the engine calls it under its lock, so messages are encoded and left to the link, and fetches to tasks
//! of the runtime. Invariant: messages leave in the order in which the machine said them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use partita_core::protocol::{Assignment, Piece, ToScheduler, WorkerId};
use partita_graph::{Chunk, Failure};
use partita_local::Outside;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::recorder::Recorder;
use super::talk::Office;
use super::{Exit, fetching};
use crate::flight::Peers;
use crate::link::Link;
use crate::message::{PeerAddress, WorkerToScheduler};
use crate::wire::{encode_said, encode_value};

/// Results up to this many bytes travel with the answer.
pub(super) const INLINE: usize = 4 << 10;
/// Items of one message at most: with a result in each, half of what the scheduler accepts of a worker.
const PORTION: usize = 8 << 10;
/// Different warnings that are printed.
const WARNINGS: usize = 100;

/// What goes out.
pub(super) struct Voice {
    link: Link,
    pub peers: Peers,
    pub recorder: Option<Recorder>,
    /// Where workers are found.
    known: Mutex<BTreeMap<WorkerId, Peer>>,
    warned: Mutex<BTreeSet<String>>,
    runtime: Handle,
    office: OnceLock<Weak<Office>>,
    /// The machine broke.
    useless: AtomicBool,
}

/// Another worker.
#[derive(Clone)]
pub(super) struct Peer {
    pub address: PeerAddress,
    /// True once it is gone.
    pub gone: watch::Receiver<bool>,
    end: watch::Sender<bool>,
}

impl Voice {
    /// Must be called within the runtime.
    pub fn new(link: Link, peers: Peers, recorder: Option<Recorder>) -> Self {
        let runtime = Handle::current();
        let (known, warned, office) = (Mutex::default(), Mutex::default(), OnceLock::new());
        Self { link, peers, recorder, known, warned, runtime, office, useless: AtomicBool::new(false) }
    }

    /// From now on fetches have somewhere to go.
    pub fn begin(&self, office: &Arc<Office>) {
        let set = self.office.set(Arc::downgrade(office));
        debug_assert!(set.is_ok(), "a worker begins once");
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker is found there.
    pub fn meet(&self, worker: WorkerId, address: PeerAddress) {
        let (end, gone) = watch::channel(false);
        self.known().insert(worker, Peer { address, gone, end });
    }

    /// Where a worker is found.
    pub fn peer(&self, worker: WorkerId) -> Option<Peer> {
        self.known().get(&worker).cloned()
    }

    /// Says something that is not the machine's.
    pub fn tell(&self, message: &WorkerToScheduler) {
        self.link.send(encode_said(message));
    }

    /// Where tasks are noted, as long as that makes sense.
    fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref().filter(|_| !self.useless.load(Ordering::Relaxed))
    }

    fn office(&self) -> Option<Arc<Office>> {
        self.office.get()?.upgrade()
    }
}

impl Outside for Voice {
    fn say(&self, mut messages: Vec<ToScheduler>) {
        while messages.len() > PORTION {
            let rest = messages.split_off(PORTION);
            self.tell(&WorkerToScheduler::Machine(std::mem::replace(&mut messages, rest)));
        }
        self.tell(&WorkerToScheduler::Machine(messages));
    }

    fn fetch(&self, from: WorkerId, pieces: Vec<Piece>) {
        if let Some(office) = self.office() {
            self.runtime.spawn(fetching::fetch(office, from, pieces));
        }
    }

    fn drop_peer(&self, peer: WorkerId) {
        let gone = self.known().remove(&peer);
        if let Some(gone) = gone {
            self.peers.forget(&gone.address);
            gone.end.send_replace(true);
        }
    }

    fn warn(&self, text: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNINGS && warned.insert(text.to_owned()) {
            eprintln!("warning: {text}");
        }
    }

    fn inline(&self, chunk: &Chunk) -> Option<Arc<[u8]>> {
        if chunk.nbytes() > INLINE as u64 || chunk.0.parts().is_some() {
            return None;
        }
        // What cannot be encoded is told to whoever comes for it.
        encode_value(chunk).ok().filter(|bytes| bytes.len() <= INLINE).map(Arc::from)
    }

    fn began(&self, slot: usize, task: &Assignment) {
        if let Some(recorder) = self.recorder() {
            recorder.begin(slot, task.key, task.attempt, &task.layer.name);
        }
    }

    fn ended(&self, slot: usize) {
        if let Some(recorder) = self.recorder() {
            recorder.end(slot);
        }
    }

    fn broken(&self, failure: Failure) {
        if let Some(office) = self.office() {
            // What was executing stays in the recorder: the nanny is to know it when it reports the death.
            self.useless.store(true, Ordering::Relaxed);
            office.outcome.set(Exit::Broken(failure));
        }
    }
}
