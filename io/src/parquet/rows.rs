//! Rows of a piece: all of them, or those that some bits keep.
//!
//! It refuses to know columns. Invariant: the bits are as many as the piece has rows, and there are none where all rows are kept.

use polars::prelude::{BooleanChunked, ChunkFilter, PlSmallStr};
use polars_arrow::bitmap::{Bitmap, BitmapBuilder};
use polars_parquet::read::Filter;

use super::deposit::deposited;
use super::recipe::Piece;

/// Rows that are at most this share of the row group are picked out while decoding: what is not kept is neither put into a column nor
/// filtered out of it afterwards.
const FEW_ROWS: f64 = 0.25;
/// The same holds for rows that lie in fewer runs than this share of the row group, which skips whole pages; else decoding everything and
/// filtering afterwards is faster.
const FEW_RUNS: f64 = 0.01;

/// Rows of a piece.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Where the piece starts in its row group.
    start: usize,
    /// Of the row group.
    total: usize,
    /// Of the piece.
    height: usize,
    kept: Option<Bitmap>,
    count: usize,
}

impl Rows {
    pub(super) fn all(piece: &Piece) -> Self {
        let height = (piece.end - piece.start) as usize;
        Self { start: piece.start as usize, total: piece.rows as usize, height, kept: None, count: height }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn are_all(&self) -> bool {
        self.kept.is_none()
    }

    /// Those of them whose bits are true, with a bit for each row of the piece.
    pub(super) fn and(&self, bits: Bitmap) -> Self {
        assert_eq!(bits.len(), self.height, "a bit for each row of the piece");
        match &self.kept {
            None => self.of(bits),
            Some(kept) => self.of(kept & &bits),
        }
    }

    /// The same, with a bit for each of these rows.
    pub(super) fn and_of_these(&self, bits: Bitmap) -> Self {
        assert_eq!(bits.len(), self.count, "a bit for each of these rows");
        let Some(kept) = &self.kept else { return self.of(bits) };
        self.of(deposited(&bits, kept))
    }

    /// The first ones.
    pub(super) fn first(&self, most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if self.count <= most {
            return self.clone();
        }
        let mut bits = BitmapBuilder::with_capacity(self.height);
        match &self.kept {
            None => bits.extend_constant(most, true),
            Some(kept) => bits.subslice_extend_from_bitmap(kept, 0, kept.true_idx_iter().nth(most).unwrap_or(self.height)),
        }
        bits.extend_constant(self.height - bits.len(), false);
        self.of(bits.freeze())
    }

    fn of(&self, bits: Bitmap) -> Self {
        let count = bits.set_bits();
        Self { kept: (count < self.height).then_some(bits), count, ..*self }
    }

    /// Which rows of the piece they are, if they are not all.
    pub(super) fn bits(&self) -> Option<Bitmap> {
        self.kept.clone()
    }

    /// Whether they are so few that work on the others costs more than leaving them out.
    pub(super) fn are_few(&self) -> bool {
        self.count < self.height.div_ceil(2) || self.count == 0
    }

    /// Whether decoding only them is worth it.
    pub(super) fn are_sparse(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| {
            self.count as f64 <= FEW_ROWS * self.total as f64 || kept.num_edges() as f64 <= FEW_RUNS * self.total as f64
        })
    }

    /// As a decoder is told.
    pub(super) fn filter(&self) -> Filter {
        match &self.kept {
            None => Filter::new_ranged(self.start, self.start + self.height),
            Some(kept) if self.height == self.total => Filter::new_masked(kept.clone()),
            Some(kept) => {
                // A decoder's mask covers the whole row group.
                let mut bits = BitmapBuilder::with_capacity(self.total);
                bits.extend_constant(self.start, false);
                bits.extend_from_bitmap(kept);
                bits.extend_constant(self.total - bits.len(), false);
                Filter::new_masked(bits.freeze())
            }
        }
    }

    /// Which rows of a column are these, that has others besides; `None` when it has just these.
    pub(super) fn among(&self, others: &Self) -> Option<BooleanChunked> {
        let kept = self.kept.as_ref().filter(|_| self.count < others.count)?;
        let mask = |bits: &Bitmap| BooleanChunked::from_bitmap(PlSmallStr::EMPTY, bits.clone());
        Some(match &others.kept {
            None => mask(kept),
            Some(others) => mask(kept).filter(&mask(others)).expect("both have a bit for each row of the piece"),
        })
    }
}

/// The rows for which a mask is true, as bits.
pub(super) fn bits(mask: &BooleanChunked) -> Bitmap {
    let of = |values: &Bitmap, valid: Option<&Bitmap>| valid.map_or_else(|| values.clone(), |valid| values & valid);
    let mut arrays = mask.downcast_iter();
    if let (Some(only), None) = (arrays.next(), arrays.next()) {
        return of(only.values(), only.validity());
    }
    let mut bits = BitmapBuilder::with_capacity(mask.len());
    mask.downcast_iter().for_each(|array| bits.extend_from_bitmap(&of(array.values(), array.validity())));
    bits.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: u64, end: u64, rows: u64) -> Piece {
        Piece { file: 0, start, end, rows, leaves: Vec::new() }
    }

    fn bitmap(bits: &[u8]) -> Bitmap {
        bits.iter().map(|bit| *bit == 1).collect()
    }

    fn mask(rows: &Rows) -> Vec<bool> {
        match rows.filter() {
            Filter::Mask(mask) => mask.iter().collect(),
            Filter::Range(range) => (0..rows.total).map(|row| range.contains(&row)).collect(),
            Filter::Predicate(_) => unreachable!("rows are no predicate"),
        }
    }

    #[test]
    fn bits_of_all_rows_and_of_those_that_are_left() {
        let all = Rows::all(&piece(1, 7, 9));
        let some = all.and(bitmap(&[1, 0, 1, 1, 0, 1]));
        assert_eq!((some.count(), mask(&some)), (4, [0, 1, 0, 1, 1, 0, 1, 0, 0].map(|bit| bit == 1).to_vec()));
        let fewer = some.and_of_these(bitmap(&[0, 1, 1, 1]));
        assert_eq!((fewer.count(), mask(&fewer)), (3, [0, 0, 0, 1, 1, 0, 1, 0, 0].map(|bit| bit == 1).to_vec()));
        let same = some.and(bitmap(&[0, 1, 1, 1, 1, 1]));
        assert_eq!(mask(&same), mask(&fewer));
        assert_eq!((fewer.first(2).count(), mask(&fewer.first(2))), (2, [0, 0, 0, 1, 1, 0, 0, 0, 0].map(|bit| bit == 1).to_vec()));
        assert_eq!((all.first(1).count(), all.first(0).count(), all.first(6).are_all()), (1, 0, true));
        assert!(all.and(bitmap(&[1; 6])).are_all() && all.and_of_these(bitmap(&[1; 6])).are_all());
        let among =
            |rows: &Rows, others: &Rows| rows.among(others).map(|mask| mask.iter().map(|keep| keep == Some(true)).collect::<Vec<_>>());
        assert_eq!(among(&fewer, &some), Some(vec![false, true, true, true]));
        assert_eq!(among(&fewer, &all), Some(vec![false, false, true, true, false, true]));
        assert_eq!((among(&fewer, &same), among(&all, &all)), (None, None));
    }

    #[test]
    fn few_rows_and_few_runs_are_sparse() {
        let all = Rows::all(&piece(0, 1000, 1000));
        let sparse = |keep: fn(usize) -> bool| all.and((0..1000).map(keep).collect()).are_sparse();
        assert!(sparse(|row| row % 4 == 0) && sparse(|row| row < 900) && !sparse(|row| row % 3 == 0) && !all.are_sparse());
    }

    #[test]
    fn null_is_not_kept() {
        let mut mask: BooleanChunked = [Some(true), None, Some(false)].into_iter().collect();
        assert_eq!(bits(&mask), bitmap(&[1, 0, 0]));
        mask.append(&[Some(true), Some(false)].into_iter().collect()).unwrap();
        assert_eq!(bits(&mask), bitmap(&[1, 0, 0, 1, 0]));
        assert_eq!(bits(&BooleanChunked::from_iter([None::<bool>; 0])).len(), 0);
    }
}
