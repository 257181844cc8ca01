//! Sums, products and moments of lanes.
//!
//! The invariants: sums of floats are as exact as if they were made in twice the digits of `f64` from partial sums of a few dozen
//! elements; moments are taken from their own mean (Chan, Golub and LeVeque 1983), so that numbers far from zero lose no digits.

use super::fold::{Folder, Names};
use crate::array::block::Block;
use crate::array::element::Held;
use crate::array::tile::wide::wide;
use crate::array::tile::{Rows, ask_behind};

/// Elements of a run that are summed up plainly, in `LANES` sums.
const PLAIN: usize = 512;
const LANES: usize = 16;
/// Rows that are added up plainly.
const PLAIN_ROWS: usize = 16;
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
fn pairs(sums: [f64; LANES]) -> f64 {
    let half = |at: usize| sums[at] + sums[at + 8];
    let (a, b) = ((half(0) + half(4)) + (half(2) + half(6)), (half(1) + half(5)) + (half(3) + half(7)));
    a + b
}

/// The plain sum of what a function makes of elements, in several lanes.
#[inline(always)]
fn plain_sum<T: Held>(run: &[T], function: impl Fn(f64) -> f64) -> f64 {
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
    fn add_row<T: Held>(sums: &mut [f64], row: &[T]) {
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

/// Count, mean and squared distances of some elements, brought together with those of others.
#[inline(always)]
pub(super) fn combine(a: (&mut f64, &mut f64, &mut f64), b: (f64, f64, f64)) {
    let (count, mean, squares) = a;
    if b.0 == 0.0 {
        return;
    }
    if *count == 0.0 {
        (*count, *mean, *squares) = b;
        return;
    }
    let all = *count + b.0;
    let distance = b.1 - *mean;
    // From an infinity everything is infinitely far, and yet the mean of one and of numbers is that infinity.
    let apart = *mean * (*count / all) + b.1 * (b.0 / all);
    *mean = if distance.is_finite() { *mean + distance * (b.0 / all) } else { apart };
    *squares += b.2 + distance * distance * (*count * (b.0 / all));
    *count = all;
}

/// Sums of the distances of elements from a number, and of their squares.
#[inline(always)]
fn distances<T: Held>(run: &[T], from: f64) -> (f64, f64) {
    let (chunks, rest) = run.as_chunks::<LANES>();
    let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
    for chunk in chunks {
        for ((sum, square), element) in sums.iter_mut().zip(&mut squares).zip(chunk) {
            let distance = element.to_f64() - from;
            *sum += distance;
            *square += distance * distance;
        }
    }
    for ((sum, square), element) in sums.iter_mut().zip(&mut squares).zip(rest) {
        let distance = element.to_f64() - from;
        *sum += distance;
        *square += distance * distance;
    }
    (pairs(sums), pairs(squares))
}

/// Count, mean and squared distances of a run, in two passes.
#[inline(always)]
fn moments_in_two<T: Held>(run: &[T]) -> (f64, f64, f64) {
    let count = run.len() as f64;
    let mean = plain_sum(run, |element| element) / count;
    (count, mean, plain_sum(run, |element| (element - mean) * (element - mean)))
}

wide! {
    /// The same in one pass, with distances from the first element. It is one of them, so what the distance of the mean from it adds to
    /// the squares, and is taken away again, is at most as many times the result as the run has elements.
    fn moments_of_run<T: Held>(run: &[T]) -> (f64, f64, f64) {
        let Some(first) = run.first() else { return (0.0, 0.0, 0.0) };
        let (count, first) = (run.len() as f64, first.to_f64());
        let (sum, squares) = distances(run, first);
        let squares = squares - sum * (sum / count);
        // From an infinity, and over what no float holds, there is no distance.
        if squares.is_finite() { (count, first + sum / count, squares.max(0.0)) } else { moments_in_two(run) }
    }
}

wide! {
    /// The same without NaN.
    fn moments_without_nan<T: Held>(run: &[T]) -> (f64, f64, f64) {
        let count = plain_sum(run, |element| if element.is_nan() { 0.0 } else { 1.0 });
        let mean = plain_sum(run, |element| if element.is_nan() { 0.0 } else { element }) / count.max(1.0);
        let square = |element: f64| if element.is_nan() { 0.0 } else { (element - mean) * (element - mean) };
        (count, mean, plain_sum(run, square))
    }
}

wide! {
    /// Adds squared distances from means.
    fn add_squares<T: Held>(squares: &mut [f64], means: &[f64], row: &[T]) {
        for ((square, mean), element) in squares.iter_mut().zip(means).zip(row) {
            let distance = element.to_f64() - mean;
            *square += distance * distance;
        }
    }
}

/// Count, mean and sum of squared distances from the mean.
pub(super) struct Moments {
    counts: Vec<f64>,
    means: Vec<f64>,
    squares: Vec<f64>,
    skip_nan: bool,
    /// Of the rows at hand.
    row_means: Vec<f64>,
    row_squares: Vec<f64>,
}

impl Moments {
    pub fn new(lanes: usize, skip_nan: bool) -> Self {
        let zeros = || vec![0.0; lanes];
        Self { counts: zeros(), means: zeros(), squares: zeros(), skip_nan, row_means: Vec::new(), row_squares: Vec::new() }
    }

    fn add(&mut self, lane: usize, part: (f64, f64, f64)) {
        combine((&mut self.counts[lane], &mut self.means[lane], &mut self.squares[lane]), part);
    }

    /// Rows without gaps: their means, then the distances from them, then all lanes at once.
    fn whole_rows<T: Held>(&mut self, lane: usize, rows: &[&[T]], width: usize) {
        let count = rows.len() as f64;
        for buffer in [&mut self.row_means, &mut self.row_squares] {
            buffer.clear();
            buffer.resize(width, 0.0);
        }
        rows.iter().for_each(|row| add_row(&mut self.row_means, row));
        self.row_means.iter_mut().for_each(|mean| *mean /= count);
        rows.iter().for_each(|row| add_squares(&mut self.row_squares, &self.row_means, row));
        let parts = self.row_means.iter().zip(&self.row_squares);
        let states = self.counts[lane..].iter_mut().zip(&mut self.means[lane..]).zip(&mut self.squares[lane..]);
        for (((counts, means), squares), (mean, square)) in states.zip(parts) {
            combine((counts, means, squares), (count, *mean, *square));
        }
    }
}

impl<T: Held> Folder<T> for Moments {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        for part in run.chunks(PLAIN).filter(|part| !part.is_empty()) {
            let part = if self.skip_nan { moments_without_nan(part) } else { moments_of_run(part) };
            self.add(lane, part);
        }
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        if self.skip_nan {
            for row in rows.iter() {
                for (at, element) in row.iter().enumerate() {
                    let element = element.to_f64();
                    if !element.is_nan() {
                        // An infinity is at no distance from itself that could be counted.
                        self.add(lane + at, (1.0, element, if element.is_finite() { 0.0 } else { f64::NAN }));
                    }
                }
            }
            return;
        }
        let all: Vec<&[T]> = rows.iter().collect();
        all.chunks(PLAIN_ROWS).for_each(|some| self.whole_rows(lane, some, rows.width()));
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        [self.counts, self.means, self.squares].into_iter().map(|values| Block::from_vec(shape.to_vec(), values)).collect()
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
    fn moments_far_from_zero_lose_nothing() {
        let run: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 10)).collect();
        let mut moments = Moments::new(1, false);
        Folder::<f64>::run(&mut moments, 0, &run, Names::default());
        assert_eq!(moments.counts[0], 1000.0);
        assert!((moments.means[0] - (1e9 + 4.5)).abs() < 1e-6, "{}", moments.means[0]);
        assert!((moments.squares[0] / 1000.0 - 8.25).abs() < 1e-6, "{}", moments.squares[0]);
    }

    #[test]
    fn one_pass_gives_what_two_give() {
        let numbers = |near: f64| (0..PLAIN).map(move |at| near + (at as f64 * 0.7).sin());
        let first = |value: f64, near: f64| std::iter::once(value).chain(numbers(near).skip(1)).collect::<Vec<f64>>();
        let runs = [
            numbers(0.0).collect(),
            numbers(1e6).collect(),
            first(1e9, 0.0),
            first(-1e300, 1.0),
            first(0.0, 1e8),
            vec![0.1; 77],
            vec![3.0],
        ];
        for run in runs {
            let (found, expected) = (moments_of_run(&run), moments_in_two(&run));
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs() + 1e-30 || a == b;
            assert!(found.0 == expected.0 && near(found.1, expected.1) && near(found.2, expected.2), "{found:?} {expected:?}");
        }
        assert_eq!(moments_of_run(&[0.1; 77]), (77.0, 0.1, 0.0), "what does not differ has no distances");
        for bad in [f64::INFINITY, f64::NAN] {
            for at in [0, 5] {
                let mut run: Vec<f64> = numbers(0.0).collect();
                run[at] = bad;
                assert_eq!(format!("{:?}", moments_of_run(&run)), format!("{:?}", moments_in_two(&run)));
            }
        }
    }

    #[test]
    fn rows_are_added_by_fours() {
        let values: Vec<f64> = (0..23 * 40).map(|at| (at as f64).sin() * 1e3).collect();
        for count in [1, 3, 4, 5, 16, 17, 23] {
            let mut sum = FloatSum::new(40);
            sum.lanes(0, Rows::of(&values[..count * 40], 40), Names::default(), 0);
            for lane in 0..40 {
                let expected: f64 = values[..count * 40].iter().skip(lane).step_by(40).sum();
                let found = total(sum.high[lane], sum.low[lane]);
                assert!((found - expected).abs() <= 1e-10, "{count} rows, lane {lane}: {found} {expected}");
            }
        }
    }

    #[test]
    fn infinities_have_a_mean_however_they_come() {
        let mean_of = |runs: &[&[f64]]| {
            let mut moments = Moments::new(1, true);
            runs.iter().for_each(|run| Folder::<f64>::run(&mut moments, 0, run, Names::default()));
            moments.means[0]
        };
        let inf = f64::INFINITY;
        assert_eq!((mean_of(&[&[inf, 1.0]]), mean_of(&[&[inf], &[1.0]]), mean_of(&[&[1.0], &[2.0, -inf], &[3.0]])), (inf, inf, -inf));
        assert!(mean_of(&[&[inf], &[1.0], &[-inf]]).is_nan());
        assert_eq!(mean_of(&[&[f64::MAX], &[f64::MIN]]), 0.0);
    }

    #[test]
    fn nan_is_skipped_where_asked() {
        let run = [1.0, f64::NAN, 3.0, f64::NAN];
        assert_eq!(moments_without_nan(&run), (2.0, 2.0, 2.0));
        assert_eq!(moments_without_nan(&run[1..2]), (0.0, 0.0, 0.0));
        assert!(moments_of_run(&run).1.is_nan());
    }
}
