//! The connected workers, and in which order they are offered work.
//!
//! It refuses to know tasks beyond their number and cost. Beside the records stand indexes, so that whoever looks for a worker
//! never walks over all of them: a worker is in exactly the index that its record asks for ([`WorkerRecord::rank`]), which
//! `reindex` restores after a change.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Milli;

use super::given::Given;
use super::queue::Queue;
use super::record::{Bits, TaskId};
use crate::protocol::{About, Tick, WorkerId};

/// Work ahead of each thread that a worker may be given when its tasks are known to be short, in microseconds.
pub(super) const AHEAD_MICROS: u64 = 8_000;
/// The same in tasks.
pub(super) const AHEAD_TASKS: u64 = 4096;
/// What a worker is given of short tasks should keep a thread busy for so long, in microseconds: a message costs scheduler and
/// worker some twenty microseconds each, and a share that takes less than that is not worth being sent. With few workers it is also the
/// most by which one thread may end later than the others because its share was the last.
pub(super) const WORTH_MICROS: u64 = 500;
/// About how long a message to one worker and its answer keep the scheduler busy, in microseconds.
pub(super) const SERVING_MICROS: u64 = 20;
/// Results that a worker may be given ahead of their being needed, in bytes; at most a hundredth of its memory.
const AHEAD_BYTES: u64 = 16 << 20;
/// Numbers of workers index a vector; no cluster has had so many.
pub(super) const MOST_WORKERS: u32 = 1 << 24;

/// What is known of a connected worker.
pub(super) struct WorkerRecord {
    pub about: About,
    pub threads: u32,
    /// Tasks in state Assigned to it.
    pub tasks: Given,
    /// Sum of `micros` of those that do not wait inside.
    pub occupancy: u64,
    /// Sum of `bytes` of its tasks.
    pub ahead_bytes: u64,
    /// When it last gave a task back, said that one waits or goes on, or was given one while nothing ran there.
    pub answered: Tick,
    pub managed: u64,
    pub spilled: u64,
    pub rss: u64,
    /// Bytes of copies that it was asked to fetch.
    pub incoming: u64,
    pub paused: bool,
    pub retiring: bool,
    pub linked: bool,
    /// Ready tasks that are best run here, by priority, not sent yet, with what they are expected to take. Entries may be
    /// out of date.
    pub backlog: BTreeMap<(u64, TaskId), u32>,
    /// Sum over the backlog.
    pub backlog_micros: u64,
    /// Ready tasks without inputs that are kept together: neighbours of those that it has.
    pub claims: Queue,
    /// Resources that its tasks and its abandoned tries occupy.
    pub used: BTreeMap<String, Milli>,
    /// Peers that were named to it as holders.
    pub peers: Bits,
    /// It was given tasks of the common queue and has not answered for any since: it gets no more ahead, or a thousand workers that are
    /// only slow to be heard would be sent their shares in crumbs.
    pub fed: bool,
    /// Tasks that are to be stolen for it.
    pub expecting: u32,
    /// Whether it is listed as changed in this event.
    pub touched: bool,
    rank: Rank,
}

/// Where a worker stands in the indexes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Rank {
    place: Place,
    load: u64,
    laden: u32,
    claims: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Place {
    /// Nothing more is given to it now.
    #[default]
    Full,
    /// It may have one more of any task.
    Open,
    /// It may have more short tasks.
    Ahead,
    /// Its memory is full, but it has nothing to do.
    Drowsy,
}

impl WorkerRecord {
    pub fn new(about: About, now: Tick) -> Self {
        Self {
            threads: about.threads.max(1),
            about,
            tasks: Given::default(),
            occupancy: 0,
            ahead_bytes: 0,
            answered: now,
            managed: 0,
            spilled: 0,
            rss: 0,
            incoming: 0,
            paused: false,
            retiring: false,
            linked: true,
            backlog: BTreeMap::new(),
            backlog_micros: 0,
            claims: Queue::default(),
            used: BTreeMap::new(),
            peers: Bits::default(),
            fed: false,
            expecting: 0,
            touched: false,
            rank: Rank::default(),
        }
    }

    /// Tasks that have one of its threads or will need one: those that wait inside are not among them.
    pub fn assigned(&self) -> u32 {
        self.tasks.len() - self.tasks.waiting()
    }

    pub fn has_idle_thread(&self) -> bool {
        self.assigned() + self.expecting < self.threads
    }

    /// It can be heard, has memory, and stays.
    pub fn is_usable(&self) -> bool {
        self.linked && !self.paused && !self.retiring
    }

    /// Its memory is full, and nothing runs there: a task that it is given starts nevertheless. (What waits inside may need it.)
    pub fn is_drowsy(&self) -> bool {
        self.linked && self.paused && !self.retiring && self.assigned() == 0
    }

    /// Tasks without inputs that it may have: as many as it runs, and a little ahead.
    pub fn room_for_roots(&self, saturation: f64) -> u32 {
        ((f64::from(self.threads) * saturation).ceil() as u32).max(1)
    }

    /// The same with tasks that have inputs: these are fetched while others run.
    pub fn room(&self, saturation: f64) -> u32 {
        self.room_for_roots(saturation).saturating_add(self.threads)
    }

    /// Short tasks that it may be given beyond its room: each takes so many microseconds, leaves so many bytes, and so many
    /// of its kind have ended.
    pub fn room_ahead(&self, micros: u64, bytes: u64, ended: u64) -> u64 {
        let threads = u64::from(self.threads);
        let limit = self.about.memory_limit;
        let most = if limit > 0 { AHEAD_BYTES.min(limit / 100) } else { AHEAD_BYTES };
        let by_time = (threads * AHEAD_MICROS).saturating_sub(self.occupancy) / micros.max(1);
        let by_bytes = most.saturating_sub(self.ahead_bytes).checked_div(bytes).unwrap_or(u64::MAX);
        let by_number = (threads * AHEAD_TASKS).min(ended).saturating_sub(u64::from(self.assigned()));
        by_time.min(by_bytes).min(by_number)
    }

    /// Whether the indexes offer it: for any task, or for a short one.
    pub fn may_have_more(&self, short: bool) -> bool {
        match self.rank.place {
            Place::Open => true,
            Place::Ahead => short,
            Place::Full | Place::Drowsy => false,
        }
    }

    /// Comparable across workers of different size.
    pub fn load(&self) -> u64 {
        (u64::from(self.assigned() + self.expecting) << 16) / u64::from(self.threads)
    }

    /// Microseconds until a task that it is given now would start.
    pub fn wait(&self) -> u64 {
        (self.occupancy + self.backlog_micros) / u64::from(self.threads)
    }

    /// Bytes held and to come, in thousandths of its memory; without a limit, in units of 256 MiB.
    pub fn fullness(&self) -> u64 {
        let bytes = self.managed + self.incoming;
        let limit = if self.about.memory_limit > 0 { self.about.memory_limit } else { 1 << 38 };
        (u128::from(bytes) * 1000 / u128::from(limit)) as u64
    }

    fn rank(&self, saturation: f64) -> Rank {
        let threads = u64::from(self.threads);
        let place = if self.is_usable() {
            if self.assigned() + self.expecting < self.room_for_roots(saturation) {
                Place::Open
            } else if !self.fed && self.occupancy < threads * AHEAD_MICROS / 2 && u64::from(self.assigned()) < threads * AHEAD_TASKS / 2 {
                Place::Ahead
            } else {
                Place::Full
            }
        } else if self.is_drowsy() {
            Place::Drowsy
        } else {
            Place::Full
        };
        let long = self.backlog.len() as u64 > threads;
        let laden = if long { 1 + self.backlog.len().ilog2() } else { 0 };
        let claims = if self.claims.is_empty() { 0 } else { 1 + self.claims.len().ilog2() };
        let load = if matches!(place, Place::Open | Place::Ahead) { self.load() } else { 0 };
        Rank { place, load, laden, claims }
    }
}

/// All connected workers.
#[derive(Default)]
pub(super) struct Workers {
    records: Vec<Option<Box<WorkerRecord>>>,
    live: BTreeSet<WorkerId>,
    open: BTreeSet<(u64, WorkerId)>,
    ahead: BTreeSet<(u64, WorkerId)>,
    drowsy: BTreeSet<WorkerId>,
    /// Workers whose backlog is longer than a round, by the logarithm of its length.
    laden: BTreeSet<(u32, WorkerId)>,
    /// Workers with claims, by the logarithm of their number.
    claimers: BTreeSet<(u32, WorkerId)>,
    usable: u32,
    /// Threads of usable workers.
    threads: u64,
    /// How many workers have each memory limit.
    limits: BTreeMap<u64, u32>,
}

impl Workers {
    pub fn get(&self, worker: WorkerId) -> Option<&WorkerRecord> {
        self.records.get(worker.0 as usize)?.as_deref()
    }

    pub fn get_mut(&mut self, worker: WorkerId) -> Option<&mut WorkerRecord> {
        self.records.get_mut(worker.0 as usize)?.as_deref_mut()
    }

    /// A worker that must be connected.
    pub fn known(&mut self, worker: WorkerId) -> &mut WorkerRecord {
        self.get_mut(worker).expect("a connected worker")
    }

    pub fn contains(&self, worker: WorkerId) -> bool {
        self.get(worker).is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// In the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (WorkerId, &WorkerRecord)> {
        self.live.iter().map(|id| (*id, self.get(*id).expect("live")))
    }

    pub fn ids(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.live.iter().copied()
    }

    pub fn only(&self) -> Option<WorkerId> {
        self.live.first().copied().filter(|_| self.live.len() == 1)
    }

    pub fn usable(&self) -> u32 {
        self.usable
    }

    pub fn usable_threads(&self) -> u64 {
        self.threads
    }

    /// How many of the short tasks that are left, of so many microseconds each, should go to a worker at a time: half of what would be its
    /// part, so that those who are quicker do more of the rest. Its whole part, while that is done sooner than all workers are served: a part of
    /// what others were given of these tasks, too, or the last to be served would get crumbs. And as many as are `worth` a message, also
    /// where that leaves nothing for others.
    pub fn fair_share(&self, record: &WorkerRecord, rest: u64, given: u64, micros: u64, worth: u64) -> u64 {
        let (threads, micros) = (u64::from(record.threads), micros.max(1));
        let part_of = |tasks: u64| tasks * threads / self.threads.max(1);
        let meanwhile = threads * u64::from(self.usable) * SERVING_MICROS / micros;
        (part_of(rest) / 2).max(part_of(rest + given).min(meanwhile)).max(worth)
    }

    pub fn insert(&mut self, worker: WorkerId, record: WorkerRecord, saturation: f64) {
        let at = worker.0 as usize;
        if self.records.len() <= at {
            self.records.resize_with(at + 1, || None);
        }
        self.usable += 1;
        self.threads += u64::from(record.threads);
        *self.limits.entry(record.about.memory_limit).or_default() += 1;
        self.records[at] = Some(Box::new(record));
        self.live.insert(worker);
        self.reindex(worker, saturation);
    }

    pub fn remove(&mut self, worker: WorkerId) -> Option<Box<WorkerRecord>> {
        let record = self.records.get_mut(worker.0 as usize)?.take()?;
        self.live.remove(&worker);
        self.unrank(worker, record.rank);
        let same = self.limits.get_mut(&record.about.memory_limit).expect("counted when it came");
        *same -= 1;
        self.limits.retain(|_, workers| *workers > 0);
        if record.is_usable() {
            self.usable -= 1;
            self.threads -= u64::from(record.threads);
        }
        Some(record)
    }

    /// Changes something by which a worker is usable or not.
    pub fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut WorkerRecord), saturation: f64) {
        let record = self.known(worker);
        let before = record.is_usable();
        change(record);
        let (after, threads) = (record.is_usable(), u64::from(record.threads));
        match (before, after) {
            (true, false) => (self.usable, self.threads) = (self.usable - 1, self.threads - threads),
            (false, true) => (self.usable, self.threads) = (self.usable + 1, self.threads + threads),
            _ => {}
        }
        self.reindex(worker, saturation);
    }

    /// The largest memory of any worker, when all have a limit.
    pub fn largest_limit(&self) -> Option<u64> {
        let unlimited = self.limits.contains_key(&0);
        self.limits.keys().last().copied().filter(|_| !unlimited)
    }

    fn unrank(&mut self, worker: WorkerId, rank: Rank) {
        match rank.place {
            Place::Full => {}
            Place::Open => drop(self.open.remove(&(rank.load, worker))),
            Place::Ahead => drop(self.ahead.remove(&(rank.load, worker))),
            Place::Drowsy => drop(self.drowsy.remove(&worker)),
        }
        if rank.laden > 0 {
            self.laden.remove(&(rank.laden, worker));
        }
        if rank.claims > 0 {
            self.claimers.remove(&(rank.claims, worker));
        }
    }

    /// Puts the worker where it belongs now.
    pub fn reindex(&mut self, worker: WorkerId, saturation: f64) {
        let record = self.known(worker);
        let rank = record.rank(saturation);
        let before = std::mem::replace(&mut record.rank, rank);
        if before == rank {
            return;
        }
        self.unrank(worker, before);
        match rank.place {
            Place::Full => {}
            Place::Open => drop(self.open.insert((rank.load, worker))),
            Place::Ahead => drop(self.ahead.insert((rank.load, worker))),
            Place::Drowsy => drop(self.drowsy.insert(worker)),
        }
        if rank.laden > 0 {
            self.laden.insert((rank.laden, worker));
        }
        if rank.claims > 0 {
            self.claimers.insert((rank.claims, worker));
        }
    }

    /// Who gets the next task of the common queue: the least loaded with room; for a short task also who has room ahead; when
    /// nobody is awake, an idle one whose memory is full.
    pub fn next(&self, short: bool) -> Option<WorkerId> {
        let open = self.open.first().map(|(_, worker)| *worker);
        let ahead = || self.ahead.first().filter(|_| short).map(|(_, worker)| *worker);
        open.or_else(ahead).or_else(|| self.drowsy())
    }

    /// Somebody idle whose memory is full, when nobody is awake.
    pub fn drowsy(&self) -> Option<WorkerId> {
        self.drowsy.first().copied().filter(|_| self.usable == 0)
    }

    /// The least loaded with room.
    pub fn open(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.open.iter().map(|(_, worker)| *worker)
    }

    /// The least loaded with room for short tasks only.
    pub fn ahead(&self) -> Option<WorkerId> {
        self.ahead.first().map(|(_, worker)| *worker)
    }

    pub fn most_laden(&self) -> Option<WorkerId> {
        self.laden.last().map(|(_, worker)| *worker)
    }

    pub fn largest_claimer(&self) -> Option<WorkerId> {
        self.claimers.last().map(|(_, worker)| *worker)
    }

    /// Asserts that each worker stands where its record says.
    pub fn check(&self, saturation: f64) {
        let (mut usable, mut threads, mut places) = (0, 0, [0usize; 5]);
        for (id, record) in self.iter() {
            assert_eq!(record.rank, record.rank(saturation), "where worker {} stands", id.0);
            usable += u32::from(record.is_usable());
            threads += if record.is_usable() { u64::from(record.threads) } else { 0 };
            places[record.rank.place as usize] += 1;
            places[4] += usize::from(record.rank.laden > 0);
        }
        assert_eq!((self.usable, self.threads), (usable, threads), "usable workers");
        let found = [self.open.len(), self.ahead.len(), self.drowsy.len(), self.laden.len()];
        assert_eq!(found, places[1..], "workers by what they may be given");
    }
}
