//! Sums and products of lanes.
//!
//! It refuses to know what else is made of sums; see [`super::moments`]. The invariant: sums of floats are as exact as if they were made in twice
//! the digits of `f64` from partial sums of a few dozen elements.

use super::fold::{Folder, Names};
use crate::array::block::Block;
use crate::array::element::Held;
use crate::array::tile::wide::wide;
use crate::array::tile::{Rows, ask_behind};

/// Elements of a run that are summed up plainly, in `LANES` sums.
pub(super) const PLAIN: usize = 512;
pub(super) const LANES: usize = 16;
/// Rows that are added up plainly.
pub(super) const PLAIN_ROWS: usize = 16;
/// Elements of a row for which memory is asked at a time.
const PIECE: usize = 128;

/// A float added to a sum of two parts: what the addition rounds away goes into the lower one.
#[inline(always)]
pub(super) fn add(high: &mut f64, low: &mut f64, value: f64) {
    let sum = *high + value;
    let rounded = sum - *high;
    *low += (*high - (sum - rounded)) + (value - rounded);
    *high = sum;
}

/// The value of such a sum. Where the upper part overflowed, or is NaN, the lower one says nothing.
#[inline(always)]
pub(super) fn total(high: f64, low: f64) -> f64 {
    if high.is_finite() { high + low } else { high }
}

/// The sum of a few plain sums, pair by pair.
#[inline(always)]
pub(super) fn pairs(sums: [f64; LANES]) -> f64 {
    let half = |at: usize| sums[at] + sums[at + 8];
    let (a, b) = ((half(0) + half(4)) + (half(2) + half(6)), (half(1) + half(5)) + (half(3) + half(7)));
    a + b
}

/// The plain sum of what a function makes of elements, in several lanes.
#[inline(always)]
pub(super) fn plain_sum<T: Held>(run: &[T], function: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = run.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, element) in sums.iter_mut().zip(chunk) {
            *sum += function(element.to_f64());
        }
    }
    for (sum, element) in sums.iter_mut().zip(rest) {
        *sum += function(element.to_f64());
    }
    pairs(sums)
}

wide! {
    /// Adds a run to a sum of two parts.
    fn add_run<T: Held>(run: &[T], high: &mut f64, low: &mut f64) {
        for part in run.chunks(PLAIN) {
            add(high, low, plain_sum(part, |element| element));
        }
    }
}

wide! {
    /// Adds a row to plain sums.
    pub(super) fn add_row<T: Held>(sums: &mut [f64], row: &[T]) {
        for (sum, element) in sums.iter_mut().zip(row) {
            *sum += element.to_f64();
        }
    }
}

wide! {
    /// Adds four rows to plain sums, which are read and written once for all of them. The next four lie so many bytes on; they are asked for a
    /// piece at a time, because rows are too short for the machine to find out.
    fn add_rows<T: Held>(sums: &mut [f64], rows: [&[T]; 4], next: usize) {
        for (at, sums) in sums.chunks_mut(PIECE).enumerate() {
            let [a, b, c, d] = rows.map(|row| &row[at * PIECE..][..sums.len()]);
            [a, b, c, d].into_iter().for_each(|piece| ask_behind(piece, next));
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                // One after the other: two of them may be beyond floats where the sum so far makes up for it.
                *sum = *sum + a.to_f64() + b.to_f64() + c.to_f64() + d.to_f64();
            }
        }
    }
}

wide! {
    /// Adds plain sums to sums of two parts.
    fn add_sums<>(high: &mut [f64], low: &mut [f64], sums: &[f64]) {
        for ((high, low), sum) in high.iter_mut().zip(low).zip(sums) {
            add(high, low, *sum);
        }
    }
}

/// Sums of floats.
pub(super) struct FloatSum {
    high: Vec<f64>,
    low: Vec<f64>,
    sums: Vec<f64>,
}

impl FloatSum {
    pub fn new(lanes: usize) -> Self {
        Self { high: vec![0.0; lanes], low: vec![0.0; lanes], sums: Vec::new() }
    }
}

impl<T: Held> Folder<T> for FloatSum {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        add_run(run, &mut self.high[lane], &mut self.low[lane]);
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        let next = 4 * rows.apart() * size_of::<T>();
        let (mut rows, width) = (rows.iter().peekable(), rows.width());
        while rows.peek().is_some() {
            self.sums.clear();
            self.sums.resize(width, 0.0);
            let mut some = rows.by_ref().take(PLAIN_ROWS);
            while let Some(a) = some.next() {
                match (some.next(), some.next(), some.next()) {
                    (Some(b), Some(c), Some(d)) => add_rows(&mut self.sums, [a, b, c, d], next),
                    (b, c, d) => [Some(a), b, c, d].into_iter().flatten().for_each(|row| add_row(&mut self.sums, row)),
                }
            }
            add_sums(&mut self.high[lane..][..width], &mut self.low[lane..][..width], &self.sums);
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.high), Block::from_vec(shape.to_vec(), self.low)]
    }
}

wide! {
    /// The sum of integers, wrapping.
    fn whole_sum<T: Held>(run: &[T]) -> i64 {
        run.iter().fold(0i64, |sum, element| sum.wrapping_add(element.to_i64()))
    }
}

wide! {
    /// Adds a row to sums of integers.
    fn whole_row<T: Held>(sums: &mut [i64], row: &[T]) {
        for (sum, element) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(element.to_i64());
        }
    }
}

/// Sums of integers and of truths, wrapping. Signed and unsigned ones have the same bits.
pub(super) struct WholeSum {
    sums: Vec<i64>,
}

impl WholeSum {
    pub fn new(lanes: usize) -> Self {
        Self { sums: vec![0; lanes] }
    }
}

impl<T: Held> Folder<T> for WholeSum {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        self.sums[lane] = self.sums[lane].wrapping_add(whole_sum(run));
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        let width = rows.width();
        rows.iter().for_each(|row| whole_row(&mut self.sums[lane..][..width], row));
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.sums)]
    }
}

wide! {
    /// The product of floats, in several lanes.
    fn float_product<T: Held>(run: &[T]) -> f64 {
        let (chunks, rest) = run.as_chunks::<LANES>();
        let mut products = [1.0; LANES];
        for chunk in chunks {
            for (product, element) in products.iter_mut().zip(chunk) {
                *product *= element.to_f64();
            }
        }
        for (product, element) in products.iter_mut().zip(rest) {
            *product *= element.to_f64();
        }
        products.iter().product()
    }
}

/// Products of floats.
pub(super) struct FloatProduct {
    products: Vec<f64>,
}

impl FloatProduct {
    pub fn new(lanes: usize) -> Self {
        Self { products: vec![1.0; lanes] }
    }
}

impl<T: Held> Folder<T> for FloatProduct {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        self.products[lane] *= float_product(run);
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        for row in rows.iter() {
            self.products[lane..].iter_mut().zip(row).for_each(|(product, element)| *product *= element.to_f64());
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.products)]
    }
}

/// Products of integers and of truths, wrapping.
pub(super) struct WholeProduct {
    products: Vec<i64>,
}

impl WholeProduct {
    pub fn new(lanes: usize) -> Self {
        Self { products: vec![1; lanes] }
    }
}

impl<T: Held> Folder<T> for WholeProduct {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        let product = run.iter().fold(1i64, |product, element| product.wrapping_mul(element.to_i64()));
        self.products[lane] = self.products[lane].wrapping_mul(product);
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        for row in rows.iter() {
            let lanes = self.products[lane..].iter_mut().zip(row);
            lanes.for_each(|(product, element)| *product = product.wrapping_mul(element.to_i64()));
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.products)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_takes_away_is_kept() {
        let (mut high, mut low) = (0.0, 0.0);
        for value in [1.0, 1e100, 1.0, -1e100] {
            add(&mut high, &mut low, value);
        }
        assert_eq!(total(high, low), 2.0);
        add(&mut high, &mut low, f64::INFINITY);
        assert_eq!(total(high, low), f64::INFINITY);
    }

    #[test]
    fn rows_are_added_one_after_the_other() {
        let mut sums = FloatSum::new(1);
        let column = [0.0, 0.0, 0.0, -1e308, 1e308, 1e308, -1e308, 0.0];
        Folder::<f64>::lanes(&mut sums, 0, Rows::of(&column, 1), Names::default(), 0);
        assert_eq!(total(sums.high[0], sums.low[0]), 0.0);
    }

    #[test]
    fn rows_are_added_by_fours() {
        for (count, width) in [1, 3, 4, 5, 16, 17, 23].into_iter().flat_map(|count| [40, PIECE, 2 * PIECE + 7].map(|width| (count, width)))
        {
            let values: Vec<f64> = (0..count * width).map(|at| (at as f64).sin() * 1e3).collect();
            let mut sum = FloatSum::new(width);
            sum.lanes(0, Rows::of(&values, width), Names::default(), 0);
            for lane in 0..width {
                let expected: f64 = values.iter().skip(lane).step_by(width).sum();
                let found = total(sum.high[lane], sum.low[lane]);
                assert!((found - expected).abs() <= 1e-10, "{count} rows of {width}, lane {lane}: {found} {expected}");
            }
        }
    }
}
