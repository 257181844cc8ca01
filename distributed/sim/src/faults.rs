//! Which faults happen, and how often. Each seed enables a random subset, so that rare combinations occur alone as well as
//! together; this file only draws and holds numbers.

use fastrand::Rng;

/// Rates of faults. A rate is a chance for each occasion, from 0 to 1; times are virtual microseconds, and a time of 0 after
/// `_every` means never.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Mean time between deaths of workers.
    pub death_every: u64,
    /// A death was seen: what was executing is known.
    pub seen: f64,
    /// A worker goes without a word, and not because it died: nobody is to blame.
    pub vanish: f64,
    /// Time until a replacement of the same name joins is drawn up to this; 0 for no replacement.
    pub rejoin_within: u64,
    /// Mean time between new workers that replace nobody.
    pub join_every: u64,
    /// Mean time between wishes that a worker retires.
    pub retire_every: u64,
    /// Messages take up to this long.
    pub delay: u64,
    /// A death is noticed within this time; until then old messages arrive.
    pub notice_within: u64,
    /// A message or an answer comes twice.
    pub doubled: f64,
    /// Mean time between links that break.
    pub cut_every: u64,
    /// A broken link is restored within this time.
    pub cut_for: u64,
    /// A link breaks in one direction only, and the other goes on until somebody notices.
    pub half_open: f64,
    /// A break is over before anybody noticed it.
    pub unnoticed: f64,
    /// After so long without its link a worker is given up, though it lives.
    pub ttl: u64,
    /// Mean time between workers that are stopped, as by a signal, and do nothing until they are let go on.
    pub stop_every: u64,
    /// A stop lasts up to this long.
    pub stop_for: u64,
    /// A fetch fails though the peer has the chunk.
    pub fetch_fails: f64,
    /// A peer says that it is busy.
    pub busy: f64,
    /// Requests that a peer serves at a time, and says to others that it is busy; 0 for any number.
    pub serves: usize,
    /// A request to a dead peer is answered by nobody for up to this long, unless the peer is dropped.
    pub hang: u64,
    /// A worker is this many times slower, for each worker at random.
    pub slow: u64,
    /// A chunk cannot be written to disk.
    pub spill_fails: f64,
    /// Each disk is full after so many bytes; 0 is a disk that cannot be written.
    pub disk: Option<u64>,
    /// A spilled chunk cannot be read back.
    pub load_fails: f64,
    /// Loaded chunks are mapped and cost no memory.
    pub maps: bool,
    /// The limit of memory as a multiple of the smallest under which every task can run without going above it; 0 for no
    /// limit.
    pub memory: f64,
    /// Whether workers say their limit when they join.
    pub limit_told: bool,
    /// Measurements of memory show up to this multiple of what is tracked.
    pub overhead: f64,
    /// A measurement shows as much as the limit, whatever is tracked.
    pub spikes: f64,
    /// Mean time between clients that are lost or say goodbye.
    pub client_every: u64,
    /// A lost client is waited for so long.
    pub grace: u64,
    /// Mean time between restarts of the whole cluster.
    pub restart_every: u64,
    /// Mean time between wishes for copies of chunks, or for moving them to where memory is free.
    pub copies_every: u64,
    /// Time between ticks.
    pub tick_every: u64,
    /// Values of at most so many bytes travel with the answer.
    pub inline: u64,
    /// The machine's settings: tasks without inputs that a worker is given, as a multiple of its threads.
    pub saturation: f64,
    /// Deaths under a task that are forgiven.
    pub allowed_failures: u32,
    /// Workers from which on few of them are given the first tasks of a layer.
    pub probe_from: u32,
    /// Bytes of one request to a peer, requests at a time, and requests to one peer at a time.
    pub fetch: (u64, u32, u32),
    /// Bytes on disk above which a worker spills nothing more; 0 for no limit.
    pub max_spill: u64,
}

impl Faults {
    /// A quiet cluster: short delays, no memory limit, nothing fails.
    pub fn none() -> Self {
        Self {
            death_every: 0,
            seen: 0.0,
            vanish: 0.0,
            rejoin_within: 1_000,
            join_every: 0,
            retire_every: 0,
            delay: 50,
            notice_within: 1_000,
            doubled: 0.0,
            cut_every: 0,
            cut_for: 1,
            half_open: 0.0,
            unnoticed: 0.0,
            ttl: 30_000_000,
            stop_every: 0,
            stop_for: 1,
            fetch_fails: 0.0,
            busy: 0.0,
            serves: 0,
            hang: 0,
            slow: 1,
            spill_fails: 0.0,
            disk: None,
            load_fails: 0.0,
            maps: false,
            memory: 0.0,
            limit_told: true,
            overhead: 1.0,
            spikes: 0.0,
            client_every: 0,
            grace: 30_000_000,
            restart_every: 0,
            copies_every: 0,
            tick_every: 100_000,
            inline: 0,
            saturation: 1.1,
            allowed_failures: 3,
            probe_from: 128,
            fetch: (64 << 20, 50, 2),
            max_spill: 0,
        }
    }

    /// A random subset of all faults.
    pub fn random(rng: &mut Rng) -> Self {
        let mut faults = Self::none();
        let mut on = |chance: f64| rng.f64() < chance;
        let (death, vanish, join, delay, notice) = (on(0.5), on(0.3), on(0.3), on(0.6), on(0.5));
        let (doubled, fetch, slow) = (on(0.4), on(0.3), on(0.4));
        let (memory, spill, load, overhead) = (on(0.5), on(0.3), on(0.3), on(0.3));
        faults.maps = on(0.5);
        if death {
            faults.death_every = rng.u64(2_000..60_000);
            faults.vanish = if vanish { rng.f64() } else { 0.0 };
            faults.rejoin_within = rng.u64(1..40_000);
        }
        faults.join_every = if join { rng.u64(2_000..50_000) } else { 0 };
        faults.delay = if delay { rng.u64(1..5_000) } else { 50 };
        faults.notice_within = if notice { rng.u64(1..20_000) } else { 1 };
        faults.doubled = if doubled { rng.f64() * 0.5 } else { 0.0 };
        faults.fetch_fails = if fetch { rng.f64() * 0.4 } else { 0.0 };
        faults.slow = if slow { rng.u64(2..30) } else { 1 };
        // Below 1 even single tasks may not fit: much is spilled, and nothing may come to a halt.
        let (tight, memory_share) = (rng.f64() < 0.6, rng.f64());
        faults.memory = match (memory, tight) {
            (false, _) => 0.0,
            (true, true) => 0.05 + memory_share * 0.6,
            (true, false) => 1.0 + memory_share * 2.0,
        };
        faults.spill_fails = if spill { rng.f64() * 0.6 } else { 0.0 };
        faults.load_fails = if load { rng.f64() * 0.3 } else { 0.0 };
        faults.overhead = if overhead { 1.0 + rng.f64() } else { 1.0 };
        faults.of_a_network(rng);
        faults
    }

    /// What only happens where workers are processes of their own.
    fn of_a_network(&mut self, rng: &mut Rng) {
        let mut on = |chance: f64| rng.f64() < chance;
        let (cut, half, stop, busy, hang) = (on(0.35), on(0.5), on(0.25), on(0.3), on(0.5));
        let (retire, client, restart, copies) = (on(0.25), on(0.25), on(0.08), on(0.25));
        let (disk, spikes, inline, told) = (on(0.15), on(0.15), on(0.5), on(0.5));
        self.seen = if on(0.5) { rng.f64() } else { 0.0 };
        if cut {
            self.cut_every = rng.u64(2_000..40_000);
            self.cut_for = rng.u64(1..30_000);
            self.half_open = if half { rng.f64() } else { 0.0 };
            self.unnoticed = rng.f64();
        }
        if stop {
            self.stop_every = rng.u64(5_000..60_000);
            self.stop_for = rng.u64(1..40_000);
        }
        self.ttl = if rng.bool() { rng.u64(1_000..60_000) } else { 30_000_000 };
        self.busy = if busy { rng.f64() * 0.7 } else { 0.0 };
        self.hang = if hang { rng.u64(1..2_000_000) } else { 0 };
        self.retire_every = if retire { rng.u64(5_000..60_000) } else { 0 };
        self.client_every = if client { rng.u64(2_000..40_000) } else { 0 };
        self.grace = rng.u64(1..60_000);
        self.restart_every = if restart { rng.u64(20_000..120_000) } else { 0 };
        self.copies_every = if copies { rng.u64(2_000..40_000) } else { 0 };
        self.disk = disk.then(|| if rng.bool() { 0 } else { rng.u64(0..4_000) });
        self.spikes = if spikes { rng.f64() * 0.3 } else { 0.0 };
        self.inline = if inline { rng.u64(8..500) } else { 0 };
        self.limit_told = told;
        self.tick_every = rng.u64(500..100_000);
        if rng.bool() {
            self.saturation = [0.1, 1.0, 2.5, 100.0][rng.usize(0..4)];
            self.allowed_failures = rng.u32(0..6);
        }
        if rng.bool() {
            self.fetch = (rng.u64(1..2_000), rng.u32(1..6), rng.u32(1..4));
        }
        self.max_spill = if rng.f64() < 0.15 { rng.u64(1..2_000) } else { 0 };
        // Not drawn: all else in a seed's story is as it was before there was this.
        self.probe_from = if self.tick_every.is_multiple_of(3) { 2 } else { 128 };
    }

    /// No fault takes a chunk or a worker away.
    pub(crate) fn lossless(&self) -> bool {
        let away = [self.death_every, self.cut_every, self.stop_every, self.retire_every, self.restart_every, self.copies_every];
        away == [0; 6] && self.fetch_fails == 0.0 && self.load_fails == 0.0
    }

    /// What remains when the faults stop: the cluster's shape, and nothing that goes wrong.
    pub fn stopped(&self) -> Self {
        Self {
            delay: self.delay.min(200),
            maps: self.maps,
            memory: self.memory,
            limit_told: self.limit_told,
            inline: self.inline,
            grace: self.grace,
            saturation: self.saturation,
            allowed_failures: self.allowed_failures,
            probe_from: self.probe_from,
            fetch: self.fetch,
            max_spill: self.max_spill,
            ..Self::none()
        }
    }
}
