//! How likely values are at least as far out as these: the tails of the chi-square distribution, of Student's t and of Fisher's F, element by
//! element. All are shares of the incomplete gamma and beta functions.
//!
//! It refuses to know tests. The invariant: a tail is between 0 and 1, and NaN where what it is asked of is.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::alike::Alike;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::{DArray, Node, Step};

/// A tail of a distribution.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Tail {
    /// Sums of so many squares of normal numbers that are greater.
    ChiSquare { freedom: f64 },
    /// Quotients of two means of so many squares each that are greater.
    Fisher { above: f64, below: f64 },
    /// Of Student's t on both sides; the second array says how many degrees of freedom.
    Student,
    /// Of normal numbers on both sides.
    Normal,
}

/// The tail beyond each element.
#[track_caller]
pub(super) fn tail(tail: Tail, arrays: &[&DArray<f64>], method: &str) -> DArray<f64> {
    DArray::then(Tails { tail }, arrays.iter().map(|array| array.to_any()).collect(), method)
}

struct Tails {
    tail: Tail,
}

impl Step for Tails {
    fn line(&self) -> String {
        format!("tail of {:?}", self.tail)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::F64, cuts: broadcast(inputs)? })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.known()?;
        let edges = lowering.aligned(&node.inputs, &meta.cuts, node)?;
        let alike = Alike::of_arrays(&node.inputs, &meta.cuts)?;
        let op = OpRef::new(TailsOfBlock { tail: self.tail, alike }, self.line());
        Ok(lowering.add(Layer::single("tail", meta.blocks()?, op, edges), node))
    }
}

/// The tails beyond the elements of a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct TailsOfBlock {
    tail: Tail,
    alike: Alike,
}

impl Operator for TailsOfBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        self.alike.check(&blocks)?;
        let ndim = blocks.iter().map(|block| block.shape().len()).max().ok_or_else(|| Failure::internal("tail: no blocks"))?;
        let mut shape = vec![1; ndim];
        for block in &blocks {
            let ahead = ndim - block.shape().len();
            block.shape().iter().zip(&mut shape[ahead..]).filter(|(len, _)| **len != 1).for_each(|(len, known)| *known = *len);
        }
        let numbers = |block: &Block| block.repeated(&shape).to_vec::<f64>();
        let first = numbers(blocks[0])?;
        let found: Vec<f64> = match (self.tail, &blocks[1..]) {
            (Tail::ChiSquare { freedom }, []) => first.into_iter().map(|x| gamma_above(freedom / 2.0, x / 2.0)).collect(),
            (Tail::Normal, []) => first.into_iter().map(|x| gamma_above(0.5, x * x / 2.0)).collect(),
            (Tail::Fisher { above, below }, []) => {
                first.into_iter().map(|x| beta_below(below / 2.0, above / 2.0, below / (below + above * x))).collect()
            }
            (Tail::Student, [freedom]) => {
                first.into_iter().zip(numbers(freedom)?).map(|(x, n)| beta_below(n / 2.0, 0.5, n / (n + x * x))).collect()
            }
            _ => return Err(Failure::internal("tail: another number of arrays")),
        };
        Ok(Chunk::new(Block::from_vec(shape, found)))
    }
}

impl NamedOperator for TailsOfBlock {
    const NAME: &'static str = "array_tails";
}

/// The logarithm of the gamma function of a positive number, by Stirling's series; small ones are brought to where it is exact.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 15.0 {
        below += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let series = terms.iter().rev().fold(0.0, |sum, term| sum / square + term) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below
}

/// More terms than are ever needed where a sum or a fraction comes to an end.
const MOST: usize = 10_000;

/// A continued fraction `1 / (1 + a1 / (1 + a2 / (…)))` by Lentz's way, of which `term` says each numerator and what is added to it.
fn fraction(first: f64, term: impl Fn(f64) -> (f64, f64)) -> f64 {
    // A zero would be divided by.
    let sure = |x: f64| if x.abs() < 1e-300 { 1e-300 } else { x };
    let (mut c, mut d) = (1e300, 1.0 / sure(first));
    let mut value = d;
    for at in 1..MOST {
        let (numerator, next) = term(at as f64);
        d = 1.0 / sure(next + numerator * d);
        c = sure(next + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

/// The share of the gamma function that lies above `x`.
fn gamma_above(a: f64, x: f64) -> f64 {
    if x.is_nan() || a.is_nan() || a <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    let size = (a * x.ln() - x - log_gamma(a)).exp();
    if x < a + 1.0 {
        // The sum of x^k / (a (a + 1) … (a + k)).
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for at in 1..MOST {
            term *= x / (a + at as f64);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (1.0 - size * sum).clamp(0.0, 1.0);
    }
    (size * fraction(x + 1.0 - a, |at| (at * (a - at), x + 2.0 * at + 1.0 - a))).clamp(0.0, 1.0)
}

/// The share of the beta function that lies below `x`.
fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x.is_nan() || !(a > 0.0 && b > 0.0) {
        return f64::NAN;
    }
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // Where the fraction does not come to an end soon, that of the other side does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below_near(b, a, 1.0 - x);
    }
    beta_below_near(a, b, x)
}

fn beta_below_near(a: f64, b: f64, x: f64) -> f64 {
    let size = (a * x.ln() + b * (-x).ln_1p() + log_gamma(a + b) - log_gamma(a) - log_gamma(b)).exp() / a;
    let term = |at: f64| {
        let half = (at / 2.0).floor();
        let numerator = if at % 2.0 == 0.0 {
            half * (b - half) * x / ((a + 2.0 * half - 1.0) * (a + 2.0 * half))
        } else {
            -(a + half) * (a + b + half) * x / ((a + 2.0 * half) * (a + 2.0 * half + 1.0))
        };
        (numerator, 1.0)
    };
    (size * fraction(1.0, term)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-13 * expected.abs(), "{found} instead of {expected}");
    }

    #[test]
    fn what_is_known_without_tables() {
        let mut log = 0.0;
        for n in 1..60 {
            near(log_gamma(f64::from(n) + 1.0) + 1.0, log + f64::from(n).ln() + 1.0);
            log += f64::from(n).ln();
        }
        near(log_gamma(0.5), 0.5 * std::f64::consts::PI.ln());
        for x in [1e-3, 0.3, 1.0, 2.5, 9.0, 40.0] {
            near(gamma_above(1.0, x), (-x).exp());
            near(gamma_above(2.0, x), (1.0 + x) * (-x).exp());
        }
        for x in [0.01, 0.3, 0.5, 0.77, 0.999] {
            near(beta_below(1.0, 1.0, x), x);
            near(beta_below(3.0, 1.0, x), x * x * x);
            near(beta_below(2.0, 2.0, x), x * x * (3.0 - 2.0 * x));
            near(beta_below(0.5, 0.5, x), 2.0 / std::f64::consts::PI * x.sqrt().asin());
        }
    }

    #[test]
    fn ends_and_what_is_no_number() {
        assert_eq!((gamma_above(0.5, 0.0), gamma_above(0.5, f64::INFINITY), gamma_above(3.0, 1e4)), (1.0, 0.0, 0.0));
        assert_eq!((beta_below(2.0, 3.0, 0.0), beta_below(2.0, 3.0, 1.0)), (0.0, 1.0));
        assert!(gamma_above(0.5, f64::NAN).is_nan() && beta_below(1.0, 1.0, f64::NAN).is_nan() && beta_below(0.0, 1.0, 0.5).is_nan());
    }
}
