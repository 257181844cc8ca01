//! Memory that is found while what goes before it arrives: a thread walks ahead of whoever fills a large allocation, and has the system find
//! memory for what comes next.
//!
//! It refuses to read or write a byte. Invariant: never more than [`LEAD`] bytes are found that nobody has filled yet, so that a
//! peer that promises much and sends nothing costs little.
//!
//! `benches/transfer.rs` on two processors, 1 GiB as one chunk that is kept, beside a raw copy into one small buffer in the same run: 43 % of it when
//! each page comes as it is written, 57 % when memory is found in place before it is filled, 63 % ahead; with TLS 29, 32 and 41 %.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::Thread;
use std::time::Duration;

use memmap2::MmapRaw;

/// Smaller allocations are filled before a thread would have begun.
pub(super) const LEAST: usize = 32 << 20;
/// How far it goes ahead.
const LEAD: usize = 16 << 20;
/// So much is found in one go.
const STEP: usize = 1 << 20;
/// How long it rests at most before it looks whether it is needed still.
const REST: Duration = Duration::from_millis(100);

/// A thread that walks ahead; it ends when this is dropped.
pub(super) struct Ahead {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    filled: AtomicUsize,
    over: AtomicBool,
}

impl Ahead {
    /// Ahead of whoever fills this map from its beginning. `None` where there is no second processor for it, or no thread.
    pub fn start(map: &Arc<MmapRaw>) -> Option<Self> {
        if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
            return None;
        }
        let (map, state) = (map.clone(), Arc::<State>::default());
        let shared = state.clone();
        let thread = std::thread::Builder::new().name("partita-ahead".into()).spawn(move || walk(&map, &shared)).ok()?;
        Some(Self { state, thread: thread.thread().clone() })
    }

    /// So much is filled.
    pub fn filled(&self, bytes: usize) {
        self.state.filled.store(bytes, Relaxed);
        self.thread.unpark();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.state.over.store(true, Relaxed);
        self.thread.unpark();
    }
}

fn walk(map: &MmapRaw, state: &State) {
    let mut at = 0;
    while at < map.len() && !state.over.load(Relaxed) {
        let filled = state.filled.load(Relaxed);
        // Whoever fills may be faster.
        at = at.max(filled - filled % STEP);
        if at >= filled + LEAD {
            std::thread::park_timeout(REST);
            continue;
        }
        let step = STEP.min(map.len() - at);
        if !find(map, at, step) {
            return;
        }
        at += step;
    }
}

/// Has the system find memory for a part of the map, all of it in one go: to be interrupted at every page of it costs as much
/// again. False where the system cannot do so; then each page comes when it is first written.
#[cfg(target_os = "linux")]
pub(super) fn find(map: &MmapRaw, at: usize, len: usize) -> bool {
    map.advise_range(memmap2::Advice::PopulateWrite, at, len).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn find(_: &MmapRaw, _: usize, _: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use memmap2::MmapOptions;

    /// Bytes of the map that the system has found memory for: the highest bit of a page's entry says so.
    #[cfg(target_os = "linux")]
    fn found(map: &MmapRaw) -> usize {
        use std::os::unix::fs::FileExt;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("the system shows its maps");
        let size = maps.lines().find_map(|line| line.strip_prefix("KernelPageSize:")?.split_whitespace().next()?.parse::<usize>().ok());
        let page = size.expect("pages have a size") << 10;
        let mut entries = vec![0; map.len() / page * 8];
        let pages = std::fs::File::open("/proc/self/pagemap").expect("the system shows its pages");
        pages.read_exact_at(&mut entries, (map.as_ptr() as usize / page * 8) as u64).expect("there is an entry for each page");
        entries.chunks_exact(8).filter(|entry| entry[7] & 0x80 != 0).count() * page
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_goes_ahead_so_far_and_no_further() {
        let map = Arc::new(MmapRaw::from(MmapOptions::new().len(64 << 20).map_anon().expect("there is memory")));
        let Some(ahead) = Ahead::start(&map) else { return };
        // Where the system has large pages it may find a little more.
        let most = |filled: usize| LEAD + filled + 4 * STEP;
        let soon = |least: usize| {
            let end = std::time::Instant::now() + Duration::from_secs(10);
            while found(&map) < least {
                assert!(std::time::Instant::now() < end, "{} of {least} bytes are found", found(&map));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        soon(LEAD);
        std::thread::sleep(2 * REST);
        assert!(found(&map) <= most(0), "{}", found(&map));
        ahead.filled(10 << 20);
        soon(LEAD + (10 << 20));
        drop(ahead);
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&map) > 1 {
            assert!(std::time::Instant::now() < end, "the thread does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(found(&map) <= most(10 << 20), "{}", found(&map));
    }
}
