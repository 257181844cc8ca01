//! What may be set about a worker. Plain data: it refuses to judge the values, and each is explained where it is used.

/// Settings of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tasks that run at a time.
    pub threads: u32,
    /// Bytes of memory that chunks and tasks may take; 0 for no limit.
    pub memory_limit: u64,
    /// Share of the limit up to which tasks are started without spilling. Default 0.60; 0 to spill for the process's sake only.
    pub target: f64,
    /// Share of the limit above which chunks are spilled down to the target, for chunks and for resident memory. Default 0.70;
    /// 0 for the target alone.
    pub spill: f64,
    /// Share of the limit of resident memory above which nothing is started while something runs, nothing is fetched, and what
    /// has not begun is handed back. Default 0.80; 0 for never.
    pub pause: f64,
    /// Bytes on disk above which nothing more is spilled; 0 for no limit, the default.
    pub max_spill: u64,
    /// Bytes that one request to a peer asks for, unless one piece alone is larger. Default 64 MiB.
    pub fetch_bytes: u64,
    /// Requests to peers under way at a time. Default 50.
    pub fetches: u32,
    /// Requests to one peer under way at a time. Default 2: the second is on its way while the first is answered.
    pub fetches_per_peer: u32,
    /// Share of the limit that may be on its way from peers; one request always may. Default 0.10.
    pub receive_share: f64,
}

impl Config {
    /// The default shares of the limit.
    pub fn new(threads: u32, memory_limit: u64) -> Self {
        let (target, spill, pause, max_spill) = (0.60, 0.70, 0.80, 0);
        let (fetch_bytes, fetches, fetches_per_peer, receive_share) = (64 << 20, 50, 2, 0.10);
        Self { threads, memory_limit, target, spill, pause, max_spill, fetch_bytes, fetches, fetches_per_peer, receive_share }
    }

    /// A share of the limit in bytes, if there is a limit and the share is set.
    pub(super) fn mark(&self, share: f64) -> Option<u64> {
        (self.memory_limit > 0 && share > 0.0).then_some((self.memory_limit as f64 * share) as u64)
    }

    /// How far down chunks are spilled.
    pub(super) fn low_mark(&self) -> Option<u64> {
        self.mark(self.target).or_else(|| self.mark(self.spill))
    }

    /// Above how many bytes of chunks they are spilled.
    pub(super) fn high_mark(&self) -> Option<u64> {
        self.mark(self.spill).or_else(|| self.mark(self.target))
    }
}
