//! The workers' side: links, what goes out to them, and the one path by which a worker is gone.
//!
//! It refuses to know tasks. Invariants: a worker is in the book exactly while the machine knows it; before a worker is named
//! as a holder to another, its address has been said.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use partita_core::protocol::{About, Assignment, Gone, SchedulerEvent, ToScheduler, ToWorker, WorkerId};
use partita_graph::{Failure, LayerId};

use super::door::NewWorker;
use super::inbox::{FromWorker, LinkChange};
use super::owner::Owner;
use crate::link::Link;
use crate::message::{PeerAddress, SchedulerToWorker, WorkerToScheduler};
use crate::wire::{self, MOST_TO_WORKER, WorkerEncoder};

/// How long a worker without a nanny may reconnect after its system closed the connection: a process that lives does so at
/// once, so it is dead.
const CLOSED_PATIENCE: Duration = Duration::from_secs(2);

/// About how many bytes of what is for a worker's machine are one message: arguments can be large, and there are many.
const PORTION: usize = 16 << 20;

/// So many items for one worker leave as soon as what it said is handled. Until then they have room that workers take turns to use.
const MUCH: usize = 128;
/// Room for so many items is kept; what one huge message needed is given back.
const KEPT: usize = 16 << 10;
/// How many such rooms are kept.
const SPARE: usize = 4;

/// One connected worker.
pub(super) struct Worker {
    pub about: About,
    pub data: PeerAddress,
    pub pid: u32,
    pub incarnation: u128,
    pub nanny: Option<u128>,
    pub link: Link,
    /// Since when nothing is heard of it, and whether its system closed the connection.
    pub lost: Option<(Instant, bool)>,
    /// It asked to go itself.
    pub wants_to_retire: bool,
    /// Bytes of chunks in memory and on disk, as it said last.
    pub stored: (u64, u64),
    /// Bytes that it ever wrote to disk for want of memory, as it said last.
    spilled_total: u64,
    encoder: WorkerEncoder,
    outbox: Vec<ToWorker>,
    /// Workers whose addresses it knows.
    introduced: Introduced,
    /// Layers that it was told.
    layers: BTreeSet<LayerId>,
}

/// A set of workers: numbers are dense, so a bit for each.
#[derive(Default)]
struct Introduced(Vec<u64>);

impl Introduced {
    /// True when the worker was not in the set.
    fn insert(&mut self, worker: WorkerId) -> bool {
        let (word, bit) = (worker.0 as usize / 64, 1u64 << (worker.0 % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }
}

impl Worker {
    fn new(new: NewWorker) -> Self {
        Self {
            about: new.about,
            data: new.data,
            pid: new.pid,
            incarnation: new.incarnation,
            nanny: new.nanny,
            link: new.link,
            lost: None,
            wants_to_retire: false,
            stored: (0, 0),
            spilled_total: 0,
            encoder: WorkerEncoder::default(),
            outbox: Vec::new(),
            introduced: Introduced::default(),
            layers: BTreeSet::new(),
        }
    }

    /// Says something that is not for its machine, after what is.
    pub fn say(&mut self, message: &SchedulerToWorker) {
        // Only arguments of tasks can fail to be encoded, and there are none in these.
        if let Ok(bytes) = self.encoder.encode(message) {
            self.link.send(bytes);
        }
    }

    /// Holders that the outbox names and that this worker does not know yet.
    fn strangers(&mut self) -> Vec<WorkerId> {
        let mut strangers = Vec::new();
        for message in &self.outbox {
            let known = &mut self.introduced;
            let mut meet = |holders: &[WorkerId]| strangers.extend(holders.iter().filter(|holder| known.insert(**holder)));
            match message {
                ToWorker::Assign(assignment) => assignment.inputs.iter().flatten().for_each(|input| meet(&input.holders)),
                ToWorker::Acquire { holders, .. } | ToWorker::Holders { holders, .. } => meet(holders),
                ToWorker::Free(_) | ToWorker::Abandon(..) | ToWorker::Retract(..) | ToWorker::PeerGone(_) => {}
            }
        }
        strangers
    }

    fn note_layers(&mut self) {
        let mut last = None;
        for message in &self.outbox {
            if let ToWorker::Assign(Assignment { layer, .. }) = message
                && last != Some(layer.id)
            {
                last = Some(layer.id);
                self.layers.insert(layer.id);
            }
        }
    }
}

impl Owner {
    pub fn on_worker(&mut self, id: WorkerId, what: FromWorker) {
        if let FromWorker::Joined(new) = what {
            return self.worker_joined(id, *new);
        }
        // What still comes from a worker that is gone is stale.
        if !self.workers.contains_key(&id) {
            return;
        }
        match what {
            FromWorker::Joined(_) => {}
            FromWorker::Said(bytes) => {
                let said = wire::decode_said_into(&bytes, std::mem::take(&mut self.heard));
                self.worker_said(id, said);
            }
            FromWorker::Decoded(said) => self.worker_said(id, said),
            FromWorker::Link(change) => self.worker_link(id, change),
        }
    }

    fn worker_said(&mut self, id: WorkerId, said: Result<WorkerToScheduler, Failure>) {
        match said {
            Ok(WorkerToScheduler::Machine(list)) => self.machine_hears(id, list),
            Ok(WorkerToScheduler::Paths { query, missing }) => self.paths_checked(id, query, missing),
            Ok(WorkerToScheduler::Retire) => {
                self.worker_mut(id).wants_to_retire = true;
                self.event(SchedulerEvent::Retire(id));
            }
            Ok(WorkerToScheduler::Left) => self.worker_gone(id, Gone::Retired, "it left"),
            Err(failure) => {
                self.worker_mut(id).link.close(&failure.what);
                self.worker_gone(id, Gone::Unreachable, &format!("it sent garbage: {}", failure.what));
            }
        }
    }

    /// Much that the machine answers with leaves at once: what is for all workers of a round together does not fit the cache.
    fn machine_hears(&mut self, id: WorkerId, mut list: Vec<ToScheduler>) {
        for message in list.drain(..) {
            // What it said before may have been the end of it.
            let Some(worker) = self.workers.get_mut(&id) else { break };
            if let ToScheduler::Memory { managed, spilled, spilled_total, .. } = message {
                worker.stored = (managed, spilled);
                let more = spilled_total.saturating_sub(std::mem::replace(&mut worker.spilled_total, spilled_total));
                self.spilled_total = self.spilled_total.saturating_add(more);
            }
            self.event(SchedulerEvent::Said(id, message));
        }
        list.shrink_to(KEPT);
        self.heard = list;
        if self.workers.get(&id).is_some_and(|worker| worker.outbox.len() >= MUCH) {
            self.flush_worker(id);
        }
    }

    fn worker_mut(&mut self, id: WorkerId) -> &mut Worker {
        self.workers.get_mut(&id).expect("looked up before")
    }

    fn worker_joined(&mut self, id: WorkerId, new: NewWorker) {
        if let Some(old) = new.replaces.filter(|old| self.workers.contains_key(old)) {
            self.worker_gone(old, Gone::died(), "its process was started again");
        }
        let (about, nanny) = (new.about.clone(), new.nanny);
        self.diary
            .write(format!("worker {} joined from {}, data port {}, {} threads", about.name, new.data.host, new.data.port, about.threads));
        let mut worker = Worker::new(new);
        self.tell_shared(&mut worker);
        self.workers.insert(id, worker);
        self.event(SchedulerEvent::Joined { worker: id, about });
        self.worker_is_back(nanny);
    }

    fn worker_link(&mut self, id: WorkerId, change: LinkChange) {
        let now = self.now();
        match change {
            LinkChange::Lost { closed_by_peer } => {
                self.worker_mut(id).lost = Some((now, closed_by_peer));
                self.event(SchedulerEvent::LinkLost(id));
            }
            LinkChange::Back => {
                self.worker_mut(id).lost = None;
                self.event(SchedulerEvent::LinkBack(id));
            }
            LinkChange::Closed(failure) => self.worker_gone(id, Gone::Unreachable, &failure.what),
        }
    }

    /// Workers that were not heard for too long.
    pub fn look_after_workers(&mut self) {
        let now = self.now();
        let ttl = self.fixed.options.worker_ttl;
        let mut gone = Vec::new();
        for (&id, worker) in &self.workers {
            let Some((since, closed)) = worker.lost else { continue };
            let silent = now.duration_since(since);
            // A nanny that can be heard knows better than the connection whether its worker lives.
            let watched = worker.nanny.is_some_and(|nanny| self.nannies.get(&nanny).is_some_and(|nanny| !nanny.lost));
            if closed && !watched && silent >= CLOSED_PATIENCE {
                gone.push((id, Gone::died(), "its process closed the connection and did not come back"));
            } else if silent >= ttl {
                gone.push((id, Gone::Unreachable, "nothing was heard of it for too long"));
            }
        }
        for (id, reason, why) in gone {
            self.worker_gone(id, reason, why);
        }
    }

    /// The one path by which a worker goes, whatever the reason.
    pub fn worker_gone(&mut self, id: WorkerId, reason: Gone, why: &str) {
        if self.remove_worker(id, why) {
            self.event(SchedulerEvent::WorkerGone { worker: id, reason });
        }
    }

    /// Everything but telling the machine. False when it was gone already.
    fn remove_worker(&mut self, id: WorkerId, why: &str) -> bool {
        let Some(worker) = self.workers.remove(&id) else { return false };
        self.diary.write(format!("worker {} is gone: {why}", worker.about.name));
        self.roster.leave(&worker.about.name, id);
        // If it lives after all, it learns that it is not counted on any more.
        worker.link.close(why);
        self.paths_of_gone(id);
        self.retire_ended(id, &worker.about.name, None);
        true
    }

    /// The machine does not want to hear of it any more.
    pub fn disconnect(&mut self, id: WorkerId, why: &str) {
        if self.remove_worker(id, &format!("it broke the protocol: {why}")) {
            self.event_later(SchedulerEvent::WorkerGone { worker: id, reason: Gone::Unreachable });
        }
    }

    pub fn retired(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.say(&SchedulerToWorker::Close { reason: "it was retired".into(), restart: false });
        // A worker that wanted to go itself told its nanny how to go on.
        let nanny = worker.nanny.filter(|_| !worker.wants_to_retire);
        if self.remove_worker(id, "it was retired") {
            self.event_later(SchedulerEvent::WorkerGone { worker: id, reason: Gone::Retired });
        }
        self.dismiss_nanny(nanny, "its worker was retired");
    }

    pub fn cannot_retire(&mut self, id: WorkerId, why: String) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.wants_to_retire = false;
        let name = worker.about.name.clone();
        self.diary.write(format!("worker {name} cannot be retired: {why}"));
        self.retire_ended(id, &name, Some(why));
    }

    pub fn outbox(&mut self, id: WorkerId, message: ToWorker) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.outbox.is_empty() {
            self.dirty.push(id);
            if worker.outbox.capacity() == 0 {
                worker.outbox = self.spare.pop().unwrap_or_default();
            }
        }
        worker.outbox.push(message);
    }

    /// Sends what the batch has made: one message for each worker, unless there is much to say.
    pub fn flush(&mut self) {
        while let Some(id) = self.dirty.pop() {
            self.flush_worker(id);
        }
        let forget = std::mem::take(&mut self.forget);
        // A layer may have come back within the batch.
        let forget: Vec<LayerId> = forget.into_iter().filter(|layer| !self.layers.contains_key(layer)).collect();
        if forget.is_empty() {
            return;
        }
        for worker in self.workers.values_mut() {
            let told: Vec<LayerId> = forget.iter().copied().filter(|layer| worker.layers.remove(layer)).collect();
            if !told.is_empty() {
                worker.say(&SchedulerToWorker::ForgetLayers(told));
            }
        }
    }

    fn flush_worker(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let strangers = worker.strangers();
        if !strangers.is_empty() {
            let address = |stranger: &WorkerId| Some((*stranger, self.workers.get(stranger)?.data.clone()));
            let peers: Vec<_> = strangers.iter().filter_map(address).collect();
            self.worker_mut(id).say(&SchedulerToWorker::Peers(peers));
        }
        let worker = self.worker_mut(id);
        worker.note_layers();
        let mut list = std::mem::take(&mut worker.outbox);
        let mut sent = 0;
        while sent < list.len() {
            match worker.encoder.encode_some(&list[sent..], PORTION, MOST_TO_WORKER) {
                Ok((bytes, count)) => {
                    worker.link.send(bytes);
                    sent += count;
                }
                Err(_) => return self.send_one_by_one(id, list.split_off(sent)),
            }
        }
        list.clear();
        list.shrink_to(KEPT);
        if list.capacity() < MUCH {
            worker.outbox = list;
        } else if self.spare.len() < SPARE {
            self.spare.push(list);
        }
    }

    /// Something in a batch cannot be sent: only that task fails.
    fn send_one_by_one(&mut self, id: WorkerId, list: Vec<ToWorker>) {
        for message in list {
            let task = match &message {
                ToWorker::Assign(assignment) => Some((assignment.key, assignment.attempt)),
                _ => None,
            };
            let Some(worker) = self.workers.get_mut(&id) else { return };
            match (worker.encoder.encode_some(&[message], PORTION, MOST_TO_WORKER), task) {
                (Ok((bytes, _)), _) => worker.link.send(bytes),
                (Err(failure), Some((key, attempt))) => {
                    self.event(SchedulerEvent::Said(id, ToScheduler::Failed { key, attempt, failure }));
                }
                (Err(failure), None) => self.diary.write(format!("a message was not sent: {}", failure.what)),
            }
        }
    }
}
