//! Which order of joins is likely to be cheap.
//!
//! The rows of a join are estimated as the product of both sides, divided by how many values the key has, values of the smaller side being
//! contained in the larger (Selinger, Astrahan, Chamberlin, Lorie and Price, "Access path selection in a relational database management
//! system", SIGMOD 1979). The order is greedy: two frames first, then always the frame whose join with what is there is smallest; of the
//! orders with different beginnings the one whose intermediate results have the fewest rows together (Steinbrunn, Moerkotte and Kemper,
//! "Heuristic and randomized optimization for the join ordering problem", The VLDB Journal 6, 1997, find such left-deep heuristics near the
//! optimum for chains and stars). It is taken only if it has clearly fewer rows than the order as written.
//!
//! It refuses to be exact: a wrong estimate costs time and never changes a row.

use std::collections::BTreeMap;

use super::chain::Place;
use crate::frame::DFrame;
use crate::frame::size::{size_of, whole_of};

/// An order is better only if it has at most this share of the rows of the written one: estimates differ by more than that from the truth.
const CLEARLY: f64 = 0.8;

/// Chains of more frames begin with the two whose join is smallest; of shorter ones every beginning is tried.
const MOST_FOR_ALL_BEGINS: usize = 12;

/// How a chain is bracketed.
pub(super) enum Tree {
    Leaf(usize),
    Join(Box<Tree>, Box<Tree>),
}

/// One or several frames joined.
#[derive(Clone, Debug)]
struct Part {
    rows: f64,
    /// Without the filters below it, at least.
    whole: f64,
    keys: BTreeMap<usize, Key>,
}

/// A key column of a part.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// How many values it has at most, if anything is known of it.
    values: Option<f64>,
    /// Rows of the frame that it is of, before any filter: of frames of which no more is known the smaller one is taken to have each value
    /// once.
    whole: f64,
}

impl Key {
    fn with(self, other: Self) -> Self {
        let values = [self.values, other.values].into_iter().flatten().reduce(f64::min);
        Self { values, whole: self.whole.min(other.whole) }
    }

    /// How many values the larger side has.
    fn values_of_both(self, other: Self) -> f64 {
        let known = [self.values, other.values].into_iter().flatten().reduce(f64::max);
        let most = self.whole.min(other.whole);
        known.map_or(most, |known| known.min(most)).max(1.0)
    }
}

impl Part {
    /// Whether they have a key in common.
    fn meets(&self, other: &Self) -> bool {
        self.keys.keys().any(|class| other.keys.contains_key(class))
    }

    fn join(&self, other: &Self) -> Self {
        let common = || self.keys.iter().filter_map(|(class, key)| Some((*key, *other.keys.get(class)?)));
        let values: f64 = common().map(|(a, b)| a.values_of_both(b)).product();
        // Several columns together do not have more values than the smaller side has rows.
        let values = values.min(self.whole).min(other.whole).max(1.0);
        let rows = self.rows * other.rows / values;
        let mut keys = self.keys.clone();
        for (class, key) in &other.keys {
            keys.entry(*class).and_modify(|own| *own = own.with(*key)).or_insert(*key);
        }
        Self { rows, whole: rows.max(self.whole).max(other.whole), keys }
    }
}

/// What is known of the frames of a chain.
pub(super) struct Costs(Vec<Part>);

impl Costs {
    /// `None` when of some frame nothing is known.
    pub fn of(leaves: &[DFrame], classes: &BTreeMap<Place, usize>) -> Option<Self> {
        let part = |(at, leaf): (usize, &DFrame)| {
            let rows = size_of(leaf)?.rows as f64;
            let whole = (whole_of(leaf)? as f64).max(rows).max(1.0);
            let own = classes.iter().filter(|((of, _), _)| *of == at);
            let keys = own.map(|((_, name), class)| (*class, Key { values: leaf.different(name).map(|values| values as f64), whole }));
            Some(Part { rows: rows.max(1.0), whole, keys: keys.collect() })
        };
        leaves.iter().enumerate().map(part).collect::<Option<Vec<Part>>>().map(Self)
    }

    /// An order that is clearly better than the written one.
    pub fn better_than(&self, written: &Tree) -> Option<Vec<usize>> {
        let (order, cost) = self.greedy()?;
        let (_, of_written) = self.bracketed(written);
        (cost < CLEARLY * of_written).then_some(order)
    }

    /// The result of a bracketed chain, and the rows of its intermediate results.
    fn bracketed(&self, tree: &Tree) -> (Part, f64) {
        match tree {
            Tree::Leaf(at) => (self.0[*at].clone(), 0.0),
            Tree::Join(left, right) => {
                let sides = [left, right].map(|side| {
                    let (part, cost) = self.bracketed(side);
                    let own = if matches!(**side, Tree::Leaf(_)) { 0.0 } else { part.rows };
                    (part, cost + own)
                });
                (sides[0].0.join(&sides[1].0), sides[0].1 + sides[1].1)
            }
        }
    }

    /// The cheapest of the orders that begin with two frames and go on with whichever makes the fewest rows.
    fn greedy(&self) -> Option<(Vec<usize>, f64)> {
        let parts = &self.0;
        let pairs = (0..parts.len()).flat_map(|a| (a + 1..parts.len()).map(move |b| (a, b)));
        let mut begins: Vec<(f64, (usize, usize))> =
            pairs.filter(|(a, b)| parts[*a].meets(&parts[*b])).map(|(a, b)| (parts[a].join(&parts[b]).rows, (a, b))).collect();
        if parts.len() > MOST_FOR_ALL_BEGINS {
            // Of equal ones the first as written.
            begins = begins.into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a }).into_iter().collect();
        }
        let orders = begins.into_iter().filter_map(|(_, begin)| self.from(begin));
        orders.reduce(|a, b| if b.1 < a.1 { b } else { a })
    }

    fn from(&self, (a, b): (usize, usize)) -> Option<(Vec<usize>, f64)> {
        let parts = &self.0;
        let (mut order, mut there, mut cost) = (vec![a, b], parts[a].join(&parts[b]), 0.0);
        while order.len() < parts.len() {
            cost += there.rows;
            let left = (0..parts.len()).filter(|at| !order.contains(at) && there.meets(&parts[*at]));
            let next = left.map(|at| (at, there.join(&parts[at]))).reduce(|a, b| if b.1.rows < a.1.rows { b } else { a })?;
            order.push(next.0);
            there = next.1;
        }
        Some((order, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(rows: f64, keys: &[(usize, Option<f64>, f64)]) -> Part {
        let key = |(class, values, whole): &(usize, Option<f64>, f64)| (*class, Key { values: *values, whole: *whole });
        let whole = keys.iter().map(|key| key.2).fold(rows, f64::max);
        Part { rows, whole, keys: keys.iter().map(key).collect() }
    }

    fn written(order: &[usize]) -> Tree {
        order.iter().map(|at| Tree::Leaf(*at)).reduce(|left, leaf| Tree::Join(Box::new(left), Box::new(leaf))).expect("leaves")
    }

    #[test]
    fn the_smallest_intermediate_result_comes_first() {
        // Many sales; shops of which all are wanted; days of which one in a hundred is.
        let sales = part(1e6, &[(0, None, 1e6), (1, None, 1e6)]);
        let (shops, days) = (part(100.0, &[(0, None, 100.0)]), part(10.0, &[(1, None, 1000.0)]));
        let costs = Costs(vec![sales, shops, days]);
        assert_eq!(costs.better_than(&written(&[0, 1, 2])), Some(vec![0, 2, 1]));
        assert_eq!(costs.better_than(&written(&[0, 2, 1])), None);
        assert_eq!(costs.better_than(&written(&[2, 0, 1])), None);
    }

    #[test]
    fn a_key_of_few_values_makes_many_pairs() {
        // Customers and suppliers of one nation: 25 values, so that their join is larger than both.
        let customers = part(15_000.0, &[(0, Some(25.0), 15_000.0), (1, None, 15_000.0)]);
        let suppliers = part(1000.0, &[(0, Some(25.0), 1000.0), (2, None, 1000.0)]);
        let orders = part(1500.0, &[(1, None, 150_000.0), (2, None, 150_000.0)]);
        assert_eq!(customers.join(&suppliers).rows, 15_000.0 * 1000.0 / 25.0);
        let costs = Costs(vec![customers, suppliers, orders]);
        assert_eq!(costs.better_than(&written(&[0, 1, 2])), Some(vec![0, 2, 1]));
    }

    #[test]
    fn two_keys_of_one_frame_are_one() {
        let lines = part(6e6, &[(0, Some(2e5), 6e6), (1, Some(1e4), 6e6)]);
        let offers = part(8e5, &[(0, Some(2e5), 8e5), (1, Some(1e4), 8e5)]);
        assert_eq!(lines.join(&offers).rows, 6e6);
    }
}
