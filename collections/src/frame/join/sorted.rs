//! Joins of frames whose rows are known to ascend in the key: partitions meet whose keys overlap, and no row travels by its hash.
//!
//! It refuses to know how rows are joined. Invariant: every pair of rows with equal keys is in one pair of partitions that meet, and each
//! partition of the left side is joined once.

use partita_graph::Table;
use polars::prelude::{Expr, PlSmallStr};

use crate::frame::DFrame;
use crate::frame::expr::as_column;
use crate::frame::ops::sorted_by::{KeyRange, ranges_of};

/// If ranges overlap so much that partitions are read more often than this on average, splitting by hash moves less.
const MOST_TIMES: usize = 4;

/// For each partition of the left side those of the right side that it meets; `None` where keys are not known to ascend.
pub(super) fn neighbours(sides: [(&DFrame, &[Expr], u32); 2]) -> Option<Table> {
    let ranges = sides.map(|(frame, on, partitions)| {
        let [key] = on else { return None };
        let name: &PlSmallStr = as_column(key)?;
        ranges_of(frame, name).map(|ranges| ranges.keys).filter(|keys| keys.len() == partitions as usize)
    });
    let [Some(left), Some(right)] = ranges else { return None };
    meeting(&left, &right)
}

fn meeting(left: &[KeyRange], right: &[KeyRange]) -> Option<Table> {
    let (mut offsets, mut indices) = (vec![0u32], Vec::new());
    let mut from = 0;
    for range in left {
        let before = indices.len();
        if let Some((least, greatest)) = range {
            // Those that end before this one end before all that follow.
            while from < right.len() && right[from].as_ref().is_none_or(|(_, end)| end < least) {
                from += 1;
            }
            let near =
                right[from..].iter().zip(from as u32..).take_while(|(range, _)| range.as_ref().is_none_or(|(start, _)| start <= greatest));
            indices.extend(near.filter(|(range, _)| range.is_some()).map(|(_, at)| at));
        }
        if indices.len() == before {
            // One that it does not meet, for the columns.
            indices.push(from.min(right.len().checked_sub(1)?) as u32);
        }
        offsets.push(indices.len() as u32);
    }
    (indices.len() <= MOST_TIMES * (left.len() + right.len())).then(|| Table { offsets: offsets.into(), indices: indices.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_meet_where_they_overlap() {
        let of = |ranges: &[(u8, u8)]| -> Vec<KeyRange> {
            // 0 stands for a partition without rows.
            ranges.iter().map(|(least, greatest)| (*greatest > 0).then(|| (vec![*least], vec![*greatest]))).collect()
        };
        let met = |left: &[(u8, u8)], right: &[(u8, u8)]| {
            let table = meeting(&of(left), &of(right)).expect("they overlap little");
            let pairs = table.offsets.windows(2).map(|pair| table.indices[pair[0] as usize..pair[1] as usize].to_vec());
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(met(&[(1, 3), (4, 9)], &[(1, 4), (5, 6), (7, 20)]), [vec![0], vec![0, 1, 2]]);
        assert_eq!(met(&[(1, 3), (3, 3), (3, 5)], &[(0, 0), (3, 3), (3, 4)]), [vec![1, 2], vec![1, 2], vec![1, 2]]);
        assert_eq!(met(&[(1, 1), (0, 0), (9, 9)], &[(3, 4), (5, 6)]), [vec![0], vec![0], vec![1]]);
        assert!(meeting(&of(&[(1, 1)]), &[]).is_none());
        // Each meets each: that would read all rows of the right side again and again.
        assert!(meeting(&of(&[(1, 1); 20]), &of(&[(1, 1); 20])).is_none());
    }
}
