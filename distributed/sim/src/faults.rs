//! Which faults happen, and how often. Each seed enables a random subset, so that rare combinations occur alone as well as
//! together; this file only draws and holds numbers.

use fastrand::Rng;

/// Rates of faults. A rate is a chance for each occasion, from 0 to 1; times are virtual microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Mean time between deaths of workers; 0 for none.
    pub death_every: u64,
    /// A leaving worker goes on request instead of dying.
    pub retire: f64,
    /// Time until a replacement joins is drawn up to this.
    pub rejoin_within: u64,
    /// Mean time between new workers that replace nobody; 0 for none.
    pub join_every: u64,
    /// Messages take up to this long.
    pub delay: u64,
    /// A death is noticed within this time; until then old messages arrive.
    pub notice_within: u64,
    /// A message or an answer comes twice.
    pub doubled: f64,
    /// A fetch fails though the peer has the chunk.
    pub fetch_fails: f64,
    /// A worker is this many times slower, for each worker at random.
    pub slow: u64,
    /// A chunk cannot be written to disk.
    pub spill_fails: f64,
    /// A spilled chunk cannot be read back.
    pub load_fails: f64,
    /// Loaded chunks are mapped and cost no memory.
    pub maps: bool,
    /// The limit of memory as a multiple of the smallest under which every task can run without going above it; 0 for no
    /// limit.
    pub memory: f64,
    /// Measurements of memory show up to this multiple of what is tracked.
    pub overhead: f64,
}

impl Faults {
    /// A quiet cluster: short delays, no memory limit, nothing fails.
    pub fn none() -> Self {
        Self {
            death_every: 0,
            retire: 0.0,
            rejoin_within: 1_000,
            join_every: 0,
            delay: 50,
            notice_within: 1_000,
            doubled: 0.0,
            fetch_fails: 0.0,
            slow: 1,
            spill_fails: 0.0,
            load_fails: 0.0,
            maps: false,
            memory: 0.0,
            overhead: 1.0,
        }
    }

    /// A random subset of all faults.
    pub fn random(rng: &mut Rng) -> Self {
        let mut faults = Self::none();
        let mut on = |chance: f64| rng.f64() < chance;
        let (death, retire, join, delay, notice) = (on(0.5), on(0.3), on(0.3), on(0.6), on(0.5));
        let (doubled, fetch, slow) = (on(0.4), on(0.3), on(0.4));
        let (memory, spill, load, overhead) = (on(0.5), on(0.3), on(0.3), on(0.3));
        faults.maps = on(0.5);
        if death {
            faults.death_every = rng.u64(2_000..60_000);
            faults.retire = if retire { rng.f64() } else { 0.0 };
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
        faults
    }

    /// No fault takes a chunk or a worker away.
    pub(crate) fn lossless(&self) -> bool {
        self.death_every == 0 && self.fetch_fails == 0.0 && self.load_fails == 0.0
    }

    /// What remains when the faults stop: the cluster's shape, and nothing that goes wrong.
    pub fn stopped(&self) -> Self {
        Self { delay: self.delay.min(200), maps: self.maps, memory: self.memory, rejoin_within: 1_000, ..Self::none() }
    }
}
