//! Random graphs of delayed calls give what calling the functions directly gives.

use partita::{Delayed, compute, delayed};

use crate::Case;
use crate::everywhere::{check, clients};
use crate::functions::*;

pub const CASES: &[Case] = &[("random_graphs_equal_direct_evaluation", random_graphs_equal_direct_evaluation)];

/// A small generator of its own, so that a case is named by a number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}

/// Calls, and what they give.
fn random(seed: u64) -> Vec<(Delayed<i64>, i64)> {
    let mut dice = Dice(seed);
    let mut made: Vec<(Delayed<i64>, i64)> = vec![(delayed(add)(seed as i64, 0), seed as i64)];
    for _ in 0..5 + dice.roll(40) {
        let (a, b) = (dice.roll(made.len()), dice.roll(made.len()));
        made.push(match dice.roll(4) {
            0 => (delayed(double)(&made[a].0), made[a].1.wrapping_mul(2)),
            1 => (delayed(add)(&made[a].0, b as i64), made[a].1.wrapping_add(b as i64)),
            2 => (delayed(add)(&made[a].0, &made[b].0), made[a].1.wrapping_add(made[b].1)),
            _ => {
                let chosen: Vec<usize> = (0..dice.roll(6)).map(|_| dice.roll(made.len())).collect();
                let parts: Vec<Delayed<i64>> = chosen.iter().map(|at| made[*at].0.clone()).collect();
                (delayed(total)(parts), chosen.iter().map(|at| made[*at].1).sum())
            }
        });
        // Doubling forty times over stays far from the ends of the numbers only by chance.
        if made.last().is_some_and(|(_, value)| value.abs() > 1 << 40) {
            break;
        }
    }
    made
}

fn random_graphs_equal_direct_evaluation() {
    for seed in 0..60 {
        let made = random(seed);
        let (last, expected) = made.last().expect("there is one");
        if seed < 12 {
            check(last, expected);
        }
        let client = &clients()[seed as usize % 3].1;
        client.set_as_current();
        let (calls, expected): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        assert_eq!(compute(&calls).expect("sound"), expected, "seed {seed}");
    }
}
