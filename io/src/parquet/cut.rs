//! Where a table is cut into pieces, and which pieces make a partition.
//!
//! It refuses to know columns: a partition is the same whatever is read of it, because steps above count partitions. Invariant: the
//! pieces cover all rows of all row groups once, in order.

use std::ops::Range;

use crate::csv::default_blocksize;
use crate::options::Room;
use crate::table::merge;

/// Columns in memory take about so many times their stored bytes.
const UNPACKED: u64 = 4;

/// Rows of one row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) file: u32,
    pub(super) group: u32,
    /// From here on, and up to here, counted in the row group.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A row group as the cutting sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) file: u32,
    pub(super) number: u32,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Pieces, and for each partition its pieces. Row groups without rows give none.
pub(super) fn cut(groups: &[Group], blocksize: Option<u64>, room: Room, remote: bool) -> (Vec<Cut>, Vec<Range<u32>>) {
    let total: u64 = groups.iter().map(|group| group.bytes).sum();
    let target = blocksize.unwrap_or_else(|| default_blocksize(total, room.threads, room.memory / UNPACKED));
    let filled = groups.iter().filter(|group| group.rows > 0).count();
    let pieces = |group: &Group| match blocksize {
        Some(target) => group.bytes.div_ceil(target),
        // Each piece reads the whole columns again: that is worth it where a thread would be idle, and the bytes are near.
        None if filled < room.threads && !remote => group.bytes.div_ceil(target).min(room.threads as u64),
        None => 1,
    };
    let (mut cuts, mut sizes) = (Vec::new(), Vec::new());
    for group in groups.iter().filter(|group| group.rows > 0) {
        let count = pieces(group).clamp(1, group.rows);
        let at = |piece: u64| (u128::from(group.rows) * u128::from(piece) / u128::from(count)) as u64;
        for piece in 0..count {
            cuts.push(Cut { file: group.file, group: group.number, start: at(piece), end: at(piece + 1) });
            sizes.push(group.bytes.div_ceil(count));
        }
    }
    let partitions = merge(sizes, target);
    (cuts, partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { threads: 4, memory: 8 << 30 };

    fn groups(rows_and_bytes: &[(u64, u64)]) -> Vec<Group> {
        let group = |(number, (rows, bytes)): (u32, &(u64, u64))| Group { file: 0, number, rows: *rows, bytes: *bytes };
        (0u32..).zip(rows_and_bytes).map(group).collect()
    }

    /// For each partition the rows of its pieces: group, start, end.
    fn check(groups: &[Group], blocksize: Option<u64>, remote: bool, expected: &[&[(u32, u64, u64)]]) {
        let (cuts, partitions) = cut(groups, blocksize, ROOM, remote);
        let rows = |range: &Range<u32>| {
            cuts[range.start as usize..range.end as usize].iter().map(|cut| (cut.group, cut.start, cut.end)).collect::<Vec<_>>()
        };
        assert_eq!(partitions.iter().map(rows).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn row_groups_are_joined_and_cut() {
        let small = groups(&[(10, 100), (10, 100), (10, 100), (0, 0), (10, 400)]);
        check(&small, Some(250), false, &[&[(0, 0, 10), (1, 0, 10)], &[(2, 0, 10)], &[(4, 0, 5)], &[(4, 5, 10)]]);
        check(&small, Some(250), true, &[&[(0, 0, 10), (1, 0, 10)], &[(2, 0, 10)], &[(4, 0, 5)], &[(4, 5, 10)]]);
        check(&small, None, false, &[&[(0, 0, 10), (1, 0, 10), (2, 0, 10), (4, 0, 10)]]);
        check(&groups(&[(2, 101)]), Some(100), false, &[&[(0, 0, 1)], &[(0, 1, 2)]]);
        check(&groups(&[(2, 1000)]), Some(1), false, &[&[(0, 0, 1)], &[(0, 1, 2)]]);
        check(&groups(&[]), None, false, &[]);
    }

    #[test]
    fn a_large_row_group_alone_is_cut_where_threads_would_be_idle() {
        let one = groups(&[(10, 3 << 20)]);
        check(&one, None, false, &[&[(0, 0, 3)], &[(0, 3, 6)], &[(0, 6, 10)]]);
        check(&one, None, true, &[&[(0, 0, 10)]]);
    }
}
