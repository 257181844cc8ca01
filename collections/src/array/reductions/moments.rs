//! Moments of lanes: how many elements there are, their mean, and the squares of their distances from it.
//!
//! It refuses to know which statistic they are for. The invariant: moments are taken from their own mean (Chan, Golub and LeVeque 1983), so that
//! numbers far from zero lose no digits.

use super::fold::{Folder, Names};
use super::numbers::{LANES, PLAIN, PLAIN_ROWS, add_row, pairs, plain_sum};
use crate::array::block::Block;
use crate::array::element::Held;
use crate::array::tile::Rows;
use crate::array::tile::wide::wide;

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
