//! The least and the greatest of lanes, their places, and whether any or all of them are true.
//!
//! The invariant: where several elements are the least, the one with the smallest name is it, in whatever order they come; NaN is less
//! and greater than every number, unless it is skipped.

use super::fold::{Folder, Names};
use crate::array::block::Block;
use crate::array::tile::wide::wide;
use crate::array::tile::{Arith, Rank, Rows};

const LANES: usize = 16;

/// Which of two elements is wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub greatest: bool,
    pub skip_nan: bool,
}

impl Wanted {
    /// Where nothing was folded yet.
    pub fn none<T: Rank>(self) -> T {
        if self.skip_nan { T::nothing(self.greatest) } else { T::worst(self.greatest) }
    }

    /// Whether an element takes the place of another.
    #[inline(always)]
    pub fn better<T: Rank>(self, new: T, old: T) -> bool {
        let before = if self.greatest { new > old } else { new < old };
        let nan = if self.skip_nan { old.is_missing() && !new.is_missing() } else { new.is_missing() && !old.is_missing() };
        before || nan
    }
}

/// The better of two, for a choice that the compiler knows.
#[inline(always)]
fn pick<T: Rank, const GREATEST: bool, const SKIP: bool>(old: T, new: T) -> T {
    let before = if GREATEST { new > old } else { new < old };
    let nan = if SKIP { old.is_missing() } else { new.is_missing() };
    if before || nan { new } else { old }
}

#[inline(always)]
fn best_of<T: Rank, const GREATEST: bool, const SKIP: bool>(run: &[T], none: T) -> T {
    let (chunks, rest) = run.as_chunks::<LANES>();
    let mut best = [none; LANES];
    for chunk in chunks {
        for (best, element) in best.iter_mut().zip(chunk) {
            *best = pick::<T, GREATEST, SKIP>(*best, *element);
        }
    }
    for (best, element) in best.iter_mut().zip(rest) {
        *best = pick::<T, GREATEST, SKIP>(*best, *element);
    }
    best.into_iter().fold(none, pick::<T, GREATEST, SKIP>)
}

wide! {
    /// The best of a run.
    fn best<T: Rank>(run: &[T], wanted: Wanted) -> T {
        let none = wanted.none();
        match (wanted.greatest, wanted.skip_nan) {
            (false, false) => best_of::<T, false, false>(run, none),
            (false, true) => best_of::<T, false, true>(run, none),
            (true, false) => best_of::<T, true, false>(run, none),
            (true, true) => best_of::<T, true, true>(run, none),
        }
    }
}

#[inline(always)]
fn better_row<T: Rank, const GREATEST: bool, const SKIP: bool>(best: &mut [T], row: &[T]) {
    for (best, element) in best.iter_mut().zip(row) {
        *best = pick::<T, GREATEST, SKIP>(*best, *element);
    }
}

wide! {
    /// The better of each lane and each element of a row.
    pub(super) fn better_of_rows<T: Rank>(best: &mut [T], row: &[T], wanted: Wanted) {
        match (wanted.greatest, wanted.skip_nan) {
            (false, false) => better_row::<T, false, false>(best, row),
            (false, true) => better_row::<T, false, true>(best, row),
            (true, false) => better_row::<T, true, false>(best, row),
            (true, true) => better_row::<T, true, true>(best, row),
        }
    }
}

/// The least or the greatest.
pub(super) struct Extreme<T> {
    best: Vec<T>,
    wanted: Wanted,
}

impl<T: Rank> Extreme<T> {
    pub fn new(lanes: usize, greatest: bool, skip_nan: bool) -> Self {
        let wanted = Wanted { greatest, skip_nan };
        Self { best: vec![wanted.none(); lanes], wanted }
    }
}

impl<T: Rank> Folder<T> for Extreme<T> {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        better_of_rows(&mut self.best[lane..=lane], &[best(run, self.wanted)], self.wanted);
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        let width = rows.width();
        rows.iter().for_each(|row| better_of_rows(&mut self.best[lane..][..width], row, self.wanted));
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.best)]
    }
}

/// The name of a lane into which nothing was folded.
pub(super) const NOWHERE: i64 = -1;

/// Takes an element and its name into a lane.
#[inline(always)]
pub(super) fn take<T: Rank>(best: &mut T, name: &mut i64, (new, new_name): (T, i64), wanted: Wanted) {
    if wanted.skip_nan && new.is_missing() {
        return;
    }
    let same = new == *best || (new.is_missing() && best.is_missing());
    if *name == NOWHERE || wanted.better(new, *best) || (same && new_name < *name) {
        (*best, *name) = (new, new_name);
    }
}

/// The least or the greatest, and where it is.
pub(super) struct Place<T> {
    best: Vec<T>,
    names: Vec<i64>,
    wanted: Wanted,
}

impl<T: Rank> Place<T> {
    pub fn new(lanes: usize, greatest: bool, skip_nan: bool) -> Self {
        let wanted = Wanted { greatest, skip_nan };
        Self { best: vec![wanted.none(); lanes], names: vec![NOWHERE; lanes], wanted }
    }
}

impl<T: Rank> Folder<T> for Place<T> {
    /// The best is found first, which is fast; its place is looked for only if it is better than what is known.
    fn run(&mut self, lane: usize, run: &[T], names: Names) {
        let found = best(run, self.wanted);
        let at = if found.is_missing() {
            run.iter().position(|element| element.is_missing())
        } else {
            run.iter().position(|element| *element == found)
        };
        if let Some(at) = at {
            let named = (found, names.first + at as i64 * names.column);
            take(&mut self.best[lane], &mut self.names[lane], named, self.wanted);
        }
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, names: Names, row: i64) {
        for (at, elements) in rows.iter().enumerate() {
            let first = names.first + at as i64 * row;
            let lanes = self.best[lane..].iter_mut().zip(&mut self.names[lane..]);
            for (column, ((best, name), element)) in lanes.zip(elements).enumerate() {
                take(best, name, (*element, first + column as i64 * names.column), self.wanted);
            }
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.best), Block::from_vec(shape.to_vec(), self.names)]
    }
}

/// Whether any is true, or all are.
pub(super) struct Truth {
    truths: Vec<bool>,
    all: bool,
}

impl Truth {
    pub fn new(lanes: usize, all: bool) -> Self {
        Self { truths: vec![all; lanes], all }
    }
}

impl<T: Arith> Folder<T> for Truth {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        let zero = T::default();
        let truth = &mut self.truths[lane];
        // One element decides, so the rest is not looked at.
        *truth = if self.all {
            *truth && run.iter().all(|element| *element != zero)
        } else {
            *truth || run.iter().any(|element| *element != zero)
        };
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        let zero = T::default();
        for row in rows.iter() {
            for (truth, element) in self.truths[lane..].iter_mut().zip(row) {
                let holds = *element != zero;
                *truth = if self.all { *truth & holds } else { *truth | holds };
            }
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.truths)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(run: &[f64], greatest: bool, skip_nan: bool, expected: (&str, i64)) {
        let wanted = Wanted { greatest, skip_nan };
        assert_eq!(format!("{:?}", best(run, wanted)), expected.0, "{run:?}");
        // In pieces and in both orders: the names decide, not the order.
        for reversed in [false, true] {
            let mut place = Place::new(1, greatest, skip_nan);
            let mut pieces: Vec<(usize, &[f64])> = run.chunks(3).enumerate().map(|(at, piece)| (at * 3, piece)).collect();
            if reversed {
                pieces.reverse();
            }
            for (first, piece) in pieces {
                place.run(0, piece, Names { first: first as i64, column: 1 });
            }
            assert_eq!(place.names[0], expected.1, "{run:?}");
        }
    }

    #[test]
    fn the_first_of_the_best_is_found() {
        check(&[3.0, 1.0, 2.0, 1.0, 5.0, 5.0], false, false, ("1.0", 1));
        check(&[3.0, 1.0, 2.0, 1.0, 5.0, 5.0], true, false, ("5.0", 4));
        check(&[3.0, f64::NAN, 2.0, f64::NAN], false, false, ("NaN", 1));
        check(&[3.0, f64::NAN, 2.0, f64::NAN], true, true, ("3.0", 0));
        check(&[f64::NAN; 4], false, true, ("NaN", NOWHERE));
        check(&[f64::INFINITY, f64::INFINITY], false, false, ("inf", 0));
        let long: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 101)).collect();
        check(&long, false, false, ("0.0", 0));
    }

    #[test]
    fn integers_and_truths_have_bounds_too() {
        let best_of = |run: &[i8], greatest: bool| best(run, Wanted { greatest, skip_nan: false });
        assert_eq!((best_of(&[i8::MAX], false), best_of(&[i8::MIN], true), best_of(&[-3, 4], true)), (i8::MAX, i8::MIN, 4));
        assert!(!best(&[true, false], Wanted { greatest: false, skip_nan: true }));
        assert!(best(&[true, false], Wanted { greatest: true, skip_nan: false }));
    }
}
