//! How much memory the process uses, as the system sees it.
//!
//! It refuses to know what the memory is used for. Invariant: asked at most once every [`PAUSE_MICROS`], because the
//! answer costs a few microseconds of system time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Between two measurements, in microseconds.
const PAUSE_MICROS: u64 = 20_000;

/// When the process was measured last.
#[derive(Default)]
pub(crate) struct Gauge {
    next: AtomicU64,
}

impl Gauge {
    /// Resident bytes, if it is time to measure again and the system tells.
    pub fn measure(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Relaxed);
        if now < next || self.next.compare_exchange(next, now + PAUSE_MICROS, Relaxed, Relaxed).is_err() {
            return None;
        }
        resident()
    }
}

/// The memory of this machine, or of the container when that is less, in bytes.
pub fn memory_of_machine() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = system.total_memory();
    system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine))
}

/// Resident bytes of this process without mapped files: their pages are clean, and the system takes them back when it
/// needs them. `None` where the system does not tell; then the limit for chunks alone holds.
#[cfg(target_os = "linux")]
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, mapped) = (pages.next()?.ok()?, pages.next()?.ok()?);
    // The file counts in pages of 4 KiB on the machines where it is read; larger pages would make the figure too small,
    // and the limit for chunks still holds.
    Some(resident.saturating_sub(mapped) * 4096)
}

/// Resident bytes of this process: not known here, so the limit for chunks alone holds.
#[cfg(not(target_os = "linux"))]
pub fn resident() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_used_is_seen() {
        let before = resident().expect("Linux tells");
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = resident().expect("Linux tells");
        assert!(after >= before + (60 << 20), "{before} {after}");
        drop(block);
    }

    #[test]
    fn it_is_not_asked_too_often() {
        let gauge = Gauge::default();
        let first = gauge.measure(1);
        assert_eq!(first.is_some(), cfg!(target_os = "linux"));
        assert_eq!(gauge.measure(100), None);
        assert_eq!(gauge.measure(PAUSE_MICROS + 2).is_some(), cfg!(target_os = "linux"));
    }
}
