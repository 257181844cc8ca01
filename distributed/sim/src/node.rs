//! A simulated host: a worker machine, and the store, disk and threads that its shell would have. It checks that the machine
//! asks only for what can be done: it never runs a task whose inputs are not in memory, nor drops what is being written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use partita_core::protocol::{Assignment, Attempt, Input, Tick, ToScheduler, ToWorker};
use partita_core::worker::{self, Worker};
use partita_graph::{Chunk, Key};

use crate::happening::Happening;

/// The link between a worker and the scheduler: reliable and in order, but now and then held up.
#[derive(Default)]
pub(crate) struct Link {
    /// When the last message to the worker and from it arrives: links keep the order.
    pub inbound: Tick,
    pub outbound: Tick,
    /// Whether messages to the worker and from it are held up, and what is held.
    pub cut_in: bool,
    pub cut_out: bool,
    pub held_in: Vec<ToWorker>,
    pub held_out: Vec<ToScheduler>,
    /// The scheduler was told that the link is lost.
    pub lost: bool,
    /// Counts breaks, so that what was planned for an earlier one is not taken for a later one.
    pub breaks: u32,
}

pub(crate) struct Node {
    pub link: Link,
    /// The process is stopped: what happens to it waits.
    pub stopped: bool,
    pub frozen: Vec<Happening>,
    /// The scheduler has given it up, and nobody listens to it any more.
    pub doomed: bool,
    /// Its disk takes nothing more.
    pub disk_full: bool,
    /// What each measurement shows, whatever is tracked.
    pub pressed: Option<u64>,
    pub worker: Worker,
    /// Chunks in memory.
    pub memory: BTreeMap<Key, Chunk>,
    /// Chunks on disk; what was read back stays there too.
    pub disk: BTreeMap<Key, Chunk>,
    /// Chunks in memory that are mapped from disk and cost nothing.
    pub mapped: BTreeSet<Key>,
    pub parts: BTreeMap<(Key, u32), Chunk>,
    /// Running operators: the flag that stops each, and the chunks that it reads.
    pub running: BTreeMap<(Key, Attempt), (Arc<AtomicBool>, Vec<Key>)>,
    /// Those of them that wait inside.
    pub waiting: BTreeSet<(Key, Attempt)>,
    /// Running tries that have waited inside and went on.
    pub resumed: BTreeSet<(Key, Attempt)>,
    /// Chunks that are being written or read.
    pub busy: BTreeSet<Key>,
    /// Chunks that peers do not get, as if they had been dropped without a word.
    pub hidden: BTreeSet<Key>,
    /// Running tasks whose value is asked for.
    pub inline: BTreeSet<Key>,
    /// How many times slower than others.
    pub slow: u64,
}

impl Node {
    pub fn new(worker: Worker, slow: u64) -> Self {
        Self {
            link: Link::default(),
            stopped: false,
            frozen: Vec::new(),
            doomed: false,
            disk_full: false,
            pressed: None,
            worker,
            memory: BTreeMap::new(),
            disk: BTreeMap::new(),
            mapped: BTreeSet::new(),
            parts: BTreeMap::new(),
            running: BTreeMap::new(),
            waiting: BTreeSet::new(),
            resumed: BTreeSet::new(),
            busy: BTreeSet::new(),
            hidden: BTreeSet::new(),
            inline: BTreeSet::new(),
            slow,
        }
    }

    /// A chunk for a peer, for a result: from memory or from disk.
    pub fn get(&self, key: Key, part: Option<u32>) -> Option<Chunk> {
        let chunk = self.memory.get(&key).or_else(|| self.disk.get(&key)).filter(|_| !self.hidden.contains(&key))?;
        match part {
            None => Some(chunk.clone()),
            Some(part) => chunk.part(part),
        }
    }

    /// The inputs of a task, all in memory, or which is not.
    pub fn inputs(&self, assignment: &Assignment) -> Result<Vec<Vec<Chunk>>, String> {
        let one = |input: &Input| {
            if let Some(chunk) = input.part.and_then(|part| self.parts.get(&(input.key, part))) {
                return Ok(chunk.clone());
            }
            let chunk =
                self.memory.get(&input.key).ok_or_else(|| format!("{:?} starts without its input {:?}", assignment.key, input.key))?;
            match input.part {
                None => Ok(chunk.clone()),
                Some(part) => chunk.part(part).ok_or_else(|| format!("{:?} has no part {part}", input.key)),
            }
        };
        assignment.inputs.iter().map(|list| list.iter().map(one).collect()).collect()
    }

    /// A task has just started: everything promised fits below the target, unless the task is alone.
    pub fn memory_was_granted(&self, limit: u64) -> Result<(), String> {
        let seen = self.worker.snapshot();
        let most = (limit as f64 * worker::Config::new(1, limit).target) as u64;
        let fits = limit == 0 || seen.managed + seen.reserved <= most || seen.running + seen.fetching <= 1;
        if fits { Ok(()) } else { Err(format!("a task starts above the target of {most} bytes: {seen:?}")) }
    }

    /// Something was just asked for: what is on its way fits in the share of memory that is for it, unless it is one request.
    pub fn receives_within(&self, limit: u64) -> Result<(), String> {
        let seen = self.worker.snapshot();
        let most = (limit as f64 * worker::Config::new(1, limit).receive_share) as u64;
        let fits = limit == 0 || seen.receiving <= most || seen.requests <= 1;
        if fits { Ok(()) } else { Err(format!("more than {most} bytes are asked for at a time: {seen:?}")) }
    }

    /// The whole chunks of this node that a task reads, or reads parts of.
    pub fn read_by(&self, assignment: &Assignment) -> Vec<Key> {
        let fetched = |input: &&Input| input.part.is_some_and(|part| self.parts.contains_key(&(input.key, part)));
        assignment.inputs.iter().flatten().filter(|input| !fetched(input)).map(|input| input.key).collect()
    }

    pub fn is_read(&self, key: Key) -> bool {
        self.running.values().any(|(_, reads)| reads.contains(&key))
    }

    pub fn drop_chunk(&mut self, key: Key) -> Result<(), String> {
        if self.busy.contains(&key) {
            return Err(format!("{key:?} is dropped while it is written or read"));
        }
        self.memory.remove(&key);
        self.disk.remove(&key);
        self.mapped.remove(&key);
        Ok(())
    }

    /// Bytes that chunks and parts take in memory.
    pub fn bytes(&self) -> u64 {
        let whole = self.memory.iter().filter(|(key, _)| !self.mapped.contains(key)).map(|(_, chunk)| chunk.nbytes());
        whole.chain(self.parts.values().map(Chunk::nbytes)).sum()
    }

    /// Bytes of chunks on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.disk.values().map(Chunk::nbytes).sum()
    }

    /// Everything that is lost when the process ends.
    pub fn has(&self) -> Vec<Key> {
        let running = self.running.keys().map(|(key, _)| *key);
        let all: BTreeSet<Key> = self.memory.keys().chain(self.disk.keys()).copied().chain(running).collect();
        all.into_iter().collect()
    }

    /// What is left, if anything is.
    pub fn leftovers(&self) -> Option<String> {
        let seen = self.worker.snapshot();
        let mut names: Vec<String> = self.memory.keys().chain(self.disk.keys()).map(|key| format!("{key:?}")).collect();
        names.extend(self.parts.keys().map(|(key, part)| format!("{key:?}/{part}")));
        (!seen.is_empty() || !names.is_empty()).then(|| format!("{}; {seen:?}", names.join(", ")))
    }
}
