//! The cuttings by way of which an array is cut anew.
//!
//! Cutting anew costs an edge for each piece that an old and a new block have in common, so cutting thin rows into thin columns directly would cost the
//! product of both numbers. Fewer are needed by way of larger blocks: rows are first brought together, or columns last cut from wider ones, or
//! both; where that does not do, a cutting half-way comes between two.
//!
//! It refuses to know tasks. The invariants: no block of a cutting between is larger than the budget allows a block to be; and no cutting comes between
//! where there are few edges anyway, because each costs a pass over all elements.

use std::sync::Arc;

use crate::array::budget::Budget;
use crate::array::meta::{Cuts, bounds, evenly};

/// More pieces than this are made by way of other cuttings, if that makes fewer.
const MANY: usize = 100_000;
/// Pieces that a pass over all elements must save.
const PASS: usize = MANY / 10;
/// Cuttings half-way come between cuttings half-way so many times at most.
const DEEPEST: usize = 6;

/// The cuttings from the first to the last, without the first, of elements of so many bytes.
pub(super) fn steps(from: &[Cuts], to: &[Cuts], element: usize, budget: Budget) -> Vec<Vec<Cuts>> {
    if are_few(from, to) {
        return vec![to.to_vec()];
    }
    let most = (budget.block() / element.max(1) as u64).max(1) as f64;
    let (first, last) = (merged(from, to, most), merged(to, from, most));
    let ways = [(None, None), (Some(&first), None), (None, Some(&last)), (Some(&first), Some(&last))];
    let mut best: Option<(usize, Vec<Vec<Cuts>>)> = None;
    for (first, last) in ways {
        let (mut found, mut now) = (Vec::new(), from.to_vec());
        for next in first.into_iter().chain(last).map(Vec::as_slice).chain([to]) {
            if next != now {
                found.extend(by_half(&now, next, most, DEEPEST));
                now = next.to_vec();
            }
        }
        let cost = cost(from, &found);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, found));
        }
    }
    best.map_or_else(|| vec![to.to_vec()], |(_, found)| found)
}

/// What a way costs, in pieces.
fn cost(from: &[Cuts], steps: &[Vec<Cuts>]) -> usize {
    let all = std::iter::once(from).chain(steps.iter().map(Vec::as_slice));
    let pieces = all.zip(steps).map(|(from, to)| pieces(from, to)).fold(0, usize::saturating_add);
    pieces.saturating_add(steps.len() * PASS)
}

/// Pieces that blocks of two cuttings have in common; those that are made of nothing have one.
pub(super) fn pieces(from: &[Cuts], to: &[Cuts]) -> usize {
    let along = |(from, to): (&Cuts, &Cuts)| match (from.sizes(), to.sizes()) {
        (Some(from), Some(to)) => common(from, to),
        _ => to.count(),
    };
    from.iter().zip(to).map(along).fold(1, usize::saturating_mul)
}

/// Pieces that chunks of an axis have in common, and one for each of the second that is empty.
fn common(from: &[usize], to: &[usize]) -> usize {
    let ends = |sizes: &[usize]| bounds(sizes).into_iter().filter(|end| *end > 0).collect::<Vec<usize>>();
    // Wherever one of both is cut a piece ends.
    let mut all = [ends(from), ends(to)].concat();
    all.sort_unstable();
    all.dedup();
    all.len() + to.iter().filter(|size| **size == 0).count()
}

fn are_few(from: &[Cuts], to: &[Cuts]) -> bool {
    let blocks = |cuts: &[Cuts]| cuts.iter().map(Cuts::count).fold(1, usize::saturating_mul);
    pieces(from, to) <= MANY.max(blocks(from).saturating_add(blocks(to)).saturating_mul(8))
}

/// The longest chunks along each axis; 1 where they are not known.
pub(super) fn longest(cuts: &[Cuts]) -> impl Iterator<Item = usize> {
    cuts.iter().map(|cuts| cuts.sizes().and_then(|sizes| sizes.iter().max().copied()).unwrap_or(1))
}

/// The cutting with chunks brought together along those axes whose chunks become longer, as far as blocks stay of `most` elements: itself where they
/// are larger already.
fn merged(cuts: &[Cuts], toward: &[Cuts], most: f64) -> Vec<Cuts> {
    let own: Vec<f64> = longest(cuts).map(|len| len.max(1) as f64).collect();
    let grow: Vec<f64> = longest(toward).zip(&own).map(|(len, own)| (len as f64 / own).max(1.0)).collect();
    let (room, wanted) = (most / own.iter().product::<f64>(), grow.iter().product::<f64>());
    if room < 1.0 || wanted <= 1.0 {
        return cuts.to_vec();
    }
    // Where there is room for it they become as they are wanted in the end; else all grow by the same share of what they are to.
    let share = if wanted <= room { 1.0 } else { room.ln() / wanted.ln() };
    let along = |at: usize| match cuts[at].sizes() {
        Some(_) if grow[at] > 1.0 && share == 1.0 => toward[at].clone(),
        Some(sizes) if grow[at] > 1.0 => pieced(sizes, (own[at] * grow[at].powf(share)) as usize),
        _ => cuts[at].clone(),
    };
    (0..cuts.len()).map(along).collect()
}

/// The cuttings between two, and the second; where there are many pieces by way of one half-way, and that again.
fn by_half(from: &[Cuts], to: &[Cuts], most: f64, depth: usize) -> Vec<Vec<Cuts>> {
    let direct = vec![to.to_vec()];
    if depth == 0 || are_few(from, to) {
        return direct;
    }
    let between = half_way(from, to, most);
    if between == from || between == to {
        return direct;
    }
    let found = [by_half(from, &between, most, depth - 1), by_half(&between, to, most, depth - 1)].concat();
    if cost(from, &found) < cost(from, &direct) { found } else { direct }
}

/// A cutting between two, of blocks of at most `most` elements: along each axis of the geometric mean of both lengths, cut where the finer one is cut
/// if its chunks are not longer.
fn half_way(from: &[Cuts], to: &[Cuts], most: f64) -> Vec<Cuts> {
    let mut lens: Vec<usize> = longest(from).zip(longest(to)).map(|(a, b)| ((a as f64 * b as f64).sqrt() as usize).max(1)).collect();
    while lens.iter().map(|len| *len as f64).product::<f64>() > most
        && let Some(longest) = lens.iter_mut().max().filter(|len| **len > 1)
    {
        *longest = longest.div_ceil(2);
    }
    let along = |((from, to), len): ((&Cuts, &Cuts), usize)| match (from.sizes(), to.sizes()) {
        (Some(old), Some(new)) => pieced(if old.len() >= new.len() { old } else { new }, len),
        _ => from.clone(),
    };
    from.iter().zip(to).zip(lens).map(along).collect()
}

/// Neighbouring chunks brought together as long as they are not longer than `most`, and longer ones cut evenly.
fn pieced(sizes: &[usize], most: usize) -> Cuts {
    let most = most.max(1);
    let mut found: Vec<usize> = Vec::new();
    for size in sizes {
        match found.last_mut() {
            Some(last) if *last + size <= most => *last += size,
            _ => found.extend(evenly(*size, most)),
        }
    }
    Cuts::Known(Arc::from(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sizes: &[usize]) -> Cuts {
        Cuts::Known(sizes.into())
    }

    #[test]
    fn half_way_is_cut_where_the_finer_one_is() {
        let half = |from: Cuts, to: Cuts| half_way(&[from], &[to], 1e9).remove(0);
        assert_eq!(half(Cuts::even(100, 1), Cuts::whole(100)), Cuts::even(100, 10));
        assert_eq!(half(Cuts::whole(6), known(&[1, 2, 1, 2])), known(&[3, 3]));
        assert_eq!(half(known(&[2, 4]), known(&[2, 4])), known(&[2, 4]));
        assert_eq!(half(Cuts::Unknown(3), Cuts::Unknown(3)), Cuts::Unknown(3));
        // Blocks that would be too large are cut further.
        assert_eq!(half_way(&[Cuts::whole(100)], &[Cuts::even(100, 64)], 30.0), [known(&[16, 16, 16, 16, 18, 18])]);
    }

    #[test]
    fn chunks_are_brought_together_and_cut() {
        assert_eq!(pieced(&[3, 3, 3, 1], 6), known(&[6, 4]));
        assert_eq!(pieced(&[0, 3, 0, 10], 4), known(&[3, 3, 3, 4]));
        assert_eq!((pieced(&[0], 4), pieced(&[5], 0)), (known(&[0]), Cuts::even(5, 1)));
        assert_eq!((common(&[2, 2], &[1, 3]), common(&[4], &[1, 3]), common(&[0], &[0]), common(&[0, 4], &[4, 0])), (3, 2, 1, 2));
    }

    #[test]
    fn few_pieces_are_made_directly() {
        let (rows, columns) = ([Cuts::even(20_000, 1000), Cuts::whole(20_000)], [Cuts::whole(20_000), Cuts::even(20_000, 1000)]);
        assert_eq!(steps(&rows, &columns, 8, Budget::within(Some(512 << 20))), [columns.to_vec()]);
    }

    /// Thin rows to thin columns: 3.2 GB, whose pieces would be 400 million.
    #[test]
    fn thin_rows_become_columns_by_way_of_large_blocks() {
        let (rows, columns) = ([Cuts::even(20_000, 1), Cuts::whole(20_000)], [Cuts::whole(20_000), Cuts::even(20_000, 1)]);
        let found = steps(&rows, &columns, 8, Budget::within(Some(512 << 20)));
        let edges: usize = cost(&rows, &found) - found.len() * PASS;
        // Blocks of 128 MiB: 24 of each, or so.
        assert!(found.len() == 3 && edges < 42_000, "{edges} edges in {} steps", found.len());
        // With little memory there are more blocks between, and still few edges for each.
        let narrow = steps(&rows, &columns, 8, Budget::within(Some(16 << 20)));
        assert!(cost(&rows, &narrow) < 150_000, "{}", cost(&rows, &narrow));
    }

    /// Numbers in no order, the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % bound
        }

        /// From 1 on, small ones as often as large ones.
        fn length(&mut self, most: usize) -> usize {
            (most as f64).powf(self.below(1000) as f64 / 1000.0) as usize
        }

        /// Sizes that add up to a length: one, even ones, or any.
        fn cuts(&mut self, len: usize) -> Cuts {
            let scale = self.length(len);
            match self.below(4) {
                0 => Cuts::whole(len),
                1 => Cuts::even(len, scale),
                _ => {
                    let (mut sizes, mut left) = (Vec::new(), len);
                    while left > 0 {
                        sizes.push(self.below(scale + 1).min(left));
                        left -= sizes[sizes.len() - 1];
                    }
                    Cuts::Known(sizes.into())
                }
            }
        }
    }

    #[test]
    fn whatever_is_cut_no_block_between_passes_the_budget_and_no_way_is_dearer_than_the_direct_one() {
        let (mut numbers, mut longer) = (Numbers(6), 0);
        for _ in 0..600 {
            let lens: Vec<usize> = (0..=numbers.below(3)).map(|_| numbers.length(20_000)).collect();
            let (from, to): (Vec<Cuts>, Vec<Cuts>) = lens.iter().map(|len| (numbers.cuts(*len), numbers.cuts(*len))).unzip();
            let element = [1, 8, 16][numbers.below(3)];
            let budget = Budget::within(Some(1 << (21 + numbers.below(9))));
            let found = steps(&from, &to, element, budget);
            assert_eq!(found.last(), Some(&to), "{from:?}");
            longer += usize::from(found.len() > 1);
            for between in &found[..found.len() - 1] {
                let bytes = longest(between).map(|len| len as u64).product::<u64>() * element as u64;
                assert!(bytes <= budget.block(), "{bytes} bytes between {from:?} and {to:?} of {budget:?}");
                assert!(between.iter().zip(&lens).all(|(cuts, len)| cuts.len() == Some(*len)));
            }
            assert!(cost(&from, &found) <= cost(&from, std::slice::from_ref(&to)));
            assert_eq!(found, steps(&from, &to, element, budget), "the same again");
        }
        assert!(longer > 20, "only {longer} ways by other cuttings were seen");
    }

    #[test]
    fn pieces_are_counted_as_they_are_made() {
        let mut numbers = Numbers(7);
        for _ in 0..300 {
            let len = 1 + numbers.below(60);
            let (from, to) = (numbers.cuts(len), numbers.cuts(len));
            let made: usize = super::super::overlaps(&from, &to).iter().map(Vec::len).sum();
            assert_eq!(pieces(std::slice::from_ref(&from), std::slice::from_ref(&to)), made, "{from:?} {to:?}");
        }
    }
}
