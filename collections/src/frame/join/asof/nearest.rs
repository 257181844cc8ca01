//! The nearest of sorted values: which one, in a direction, within a distance.
//!
//! It refuses to know columns. Invariant: of equal values backward finds the last and forward the first; of two equally near ones backward
//! wins.

use serde::{Deserialize, Serialize};

use super::Direction;

/// A number that has an order and a distance.
pub(super) trait Distant: Copy + PartialOrd {
    /// Never negative; orders as distances do.
    type Distance: PartialOrd;

    fn distance(self, other: Self) -> Self::Distance;
    /// Whether `other` is within the tolerance.
    fn is_within(self, other: Self, tolerance: Within) -> bool;
}

/// How far apart at most: in units of a column of whole numbers, dates or times, or of a column of floats.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Within {
    Whole(u64),
    Float(f64),
}

impl Distant for i64 {
    type Distance = u64;

    fn distance(self, other: Self) -> u64 {
        self.abs_diff(other)
    }

    fn is_within(self, other: Self, tolerance: Within) -> bool {
        match tolerance {
            Within::Whole(most) => self.abs_diff(other) <= most,
            Within::Float(most) => self.abs_diff(other) as f64 <= most,
        }
    }
}

impl Distant for f64 {
    type Distance = f64;

    fn distance(self, other: Self) -> f64 {
        (self - other).abs()
    }

    fn is_within(self, other: Self, tolerance: Within) -> bool {
        match tolerance {
            Within::Whole(most) => (self - other).abs() <= most as f64,
            Within::Float(most) => (self - other).abs() <= most,
        }
    }
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Near {
    pub direction: Direction,
    pub exact: bool,
    pub within: Option<Within>,
}

impl Near {
    /// The place among ascending values of the one that is looked for.
    pub(super) fn find<T: Distant>(self, sorted: &[T], value: T) -> Option<usize> {
        let (before, through) = (sorted.partition_point(|other| *other < value), sorted.partition_point(|other| *other <= value));
        let backward = if self.exact { through } else { before }.checked_sub(1);
        let forward = Some(if self.exact { before } else { through }).filter(|at| *at < sorted.len());
        let found = match self.direction {
            Direction::Backward => backward,
            Direction::Forward => forward,
            // The same time is nearer than any other, and there the last row counts, as it does backward.
            Direction::Nearest if self.exact && before < through => backward,
            Direction::Nearest => match (backward, forward) {
                (Some(back), Some(ahead)) if sorted[ahead].distance(value) < sorted[back].distance(value) => Some(ahead),
                (back, ahead) => back.or(ahead),
            },
        };
        found.filter(|at| self.within.is_none_or(|within| value.is_within(sorted[*at], within)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_ties_and_distances() {
        let sorted = [1i64, 4, 4, 4, 8];
        let near = |direction, exact, within| Near { direction, exact, within };
        let cases = [
            (Direction::Backward, true, None, [None, Some(0), Some(0), Some(3), Some(3), Some(4)]),
            (Direction::Backward, false, None, [None, None, Some(0), Some(0), Some(3), Some(4)]),
            (Direction::Forward, true, None, [Some(0), Some(0), Some(1), Some(1), Some(4), None]),
            (Direction::Forward, false, None, [Some(0), Some(1), Some(1), Some(4), Some(4), None]),
            (Direction::Nearest, true, None, [Some(0), Some(0), Some(1), Some(3), Some(3), Some(4)]),
            (Direction::Nearest, false, None, [Some(0), Some(1), Some(1), Some(0), Some(3), Some(4)]),
            (Direction::Backward, true, Some(Within::Whole(1)), [None, Some(0), None, Some(3), None, Some(4)]),
            (Direction::Nearest, true, Some(Within::Whole(0)), [None, Some(0), None, Some(3), None, None]),
        ];
        for (direction, exact, within, expected) in cases {
            let found = [0, 1, 3, 4, 6, 9].map(|value| near(direction, exact, within).find(&sorted, value));
            assert_eq!(found, expected, "{direction:?}, exact {exact}, within {within:?}");
            let floats = sorted.map(|value| value as f64);
            let found = [0.0, 1.0, 3.0, 4.0, 6.0, 9.0].map(|value| near(direction, exact, within).find(&floats, value));
            assert_eq!(found, expected, "floats: {direction:?}, exact {exact}, within {within:?}");
        }
        assert_eq!(near(Direction::Nearest, true, None).find(&[] as &[i64], 1), None);
        assert_eq!(near(Direction::Nearest, true, None).find(&[i64::MIN, i64::MAX], 0), Some(1));
    }
}
