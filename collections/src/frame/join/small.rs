//! Which sides of a join are small enough to be in one place.

use crate::frame::size::Size;

/// A side of up to so many bytes is handed to all partitions of the other, whatever their number.
const SMALL: u64 = 4 << 20;
/// A side of up to so many bytes is, when the other has [`MANY_TIMES`] as many: its table stays in memory while all tasks run.
const BROADCAST: u64 = 64 << 20;
const MANY_TIMES: u64 = 2;
/// Bytes that each partition of a frame of unknown size is taken to have: as many as one task of a shuffle takes in.
const UNKNOWN: u64 = 64 << 20;
/// Bytes that a row takes that is met.
const MARK: u64 = 5;

/// Bytes of a side; of one that nobody knows, as many as there can be.
pub(super) fn bytes(size: Option<Size>) -> u64 {
    size.map_or(u64::MAX, |size| size.bytes)
}

/// Whether the rows of the left side that are met fit into the memory of one task, if each partition of the right side meets all of them.
pub(super) fn few_marks(left: Option<Size>, partitions: u32) -> bool {
    let most = crate::client::planned_memory() / 8;
    left.is_some_and(|left| left.rows.saturating_mul(MARK).saturating_mul(u64::from(partitions)) <= most)
}

/// Whether a side may be in the memory of all tasks. What nobody knows the size of is small only beside what is larger by all that is known.
pub(in crate::frame) fn is_small(size: Option<Size>, partitions: u32, other: Option<Size>) -> bool {
    // The table stays in memory beside all that the tasks need.
    let broadcast = BROADCAST.min(crate::client::planned_memory() / 8);
    let own = size.map_or_else(|| UNKNOWN.saturating_mul(u64::from(partitions)), |size| size.bytes);
    own <= SMALL || (own <= broadcast && own.saturating_mul(MANY_TIMES) <= bytes(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_not_partitions() {
        let size = |bytes: u64| Some(Size { rows: 1, bytes });
        assert!(is_small(size(SMALL), 1000, size(0)) && !is_small(size(1 << 40), 1, None));
        // Of unknown size: small beside much more, or beside what is unknown too, and not beside what is known to be less.
        assert!(is_small(None, 1, size(1 << 40)) && is_small(None, 1, None));
        assert!(!is_small(None, 1, size(1 << 20)) && !is_small(None, 2, None));
    }

    #[test]
    fn marks_of_all_partitions_fit_into_one_task() {
        let rows = |rows: u64| Some(Size { rows, bytes: rows.saturating_mul(8) });
        assert!(few_marks(rows(1000), 100) && !few_marks(rows(1 << 40), 1 << 10) && !few_marks(rows(u64::MAX), 2) && !few_marks(None, 2));
    }
}
