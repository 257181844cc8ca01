//! Transforms the lanes of one block along an axis. It refuses to know other blocks.
//!
//! The invariant: what a lane becomes depends on that lane alone, so that other axes may be cut anywhere.

use std::sync::{Arc, OnceLock};

use num_complex::Complex;
use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use rustfft::{Fft, FftNum, FftPlanner};
use serde::{Deserialize, Serialize};

use super::real::{mirror, mix, turns, unmix};
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::tile::Convert;

/// Elements that are transformed between two looks at whether the task was cancelled, about.
const BATCH: usize = 1 << 16;

/// What a lane becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Transform {
    /// Its frequencies.
    Forward,
    /// What has these frequencies.
    Inverse,
    /// The frequencies of real numbers that are not negative: the others are their conjugates.
    Real,
    /// The real numbers that have these.
    InverseReal,
}

impl Transform {
    /// As NumPy calls it.
    pub fn name(self) -> &'static str {
        match self {
            Transform::Forward => "fft",
            Transform::Inverse => "ifft",
            Transform::Real => "rfft",
            Transform::InverseReal => "irfft",
        }
    }

    /// Whether it leads to frequencies.
    pub fn is_forward(self) -> bool {
        matches!(self, Transform::Forward | Transform::Real)
    }

    /// The length of a lane of the result, of a transform over so many elements.
    pub fn made(self, count: usize) -> usize {
        if self == Transform::Real { count / 2 + 1 } else { count }
    }

    /// The kind of the result.
    pub fn dtype(self, dtype: DType) -> DType {
        if self == Transform::InverseReal { dtype.complex().part() } else { dtype.complex() }
    }
}

/// A block with its lanes along an axis transformed.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransformLanes {
    transform: Transform,
    axis: usize,
    /// Over how many elements.
    count: usize,
    /// What the result is multiplied by.
    factor: f64,
    /// Made by the first task that runs in a process.
    #[serde(skip)]
    single: OnceLock<Plan<f32>>,
    #[serde(skip)]
    double: OnceLock<Plan<f64>>,
}

/// Floats of one size, as transforms need them.
pub(super) trait Digits: FftNum + Held {
    /// The elements of a block in row-major order.
    fn numbers(block: &Block) -> Result<Vec<Complex<Self>>, Failure>;
    /// The same of a block of real numbers.
    fn reals(block: &Block) -> Result<Vec<Self>, Failure>;
}

macro_rules! digits {
    ($($F:ident)*) => {
        $(
            impl Digits for $F {
                fn numbers(block: &Block) -> Result<Vec<Complex<$F>>, Failure> {
                    with_dtype!(block.dtype(), T => {
                        Ok(block.to_vec::<T>()?.into_iter().map(Convert::<Complex<$F>>::convert).collect())
                    })
                }

                fn reals(block: &Block) -> Result<Vec<$F>, Failure> {
                    with_dtype!(block.dtype(), T => Ok(block.to_vec::<T>()?.into_iter().map(Convert::<$F>::convert).collect()))
                }
            }
        )*
    };
}

digits!(f32 f64);

/// How lanes of one length are transformed.
struct Plan<F: FftNum> {
    fft: Arc<dyn Fft<F>>,
    /// Where pairs of real numbers are transformed as one: see [`super::real`].
    turns: Option<Vec<Complex<F>>>,
}

impl<F: Digits> Plan<F> {
    fn new(transform: Transform, count: usize) -> Self {
        let mut planner = FftPlanner::new();
        let halved = matches!(transform, Transform::Real | Transform::InverseReal) && count.is_multiple_of(2);
        let len = if halved { count / 2 } else { count };
        let fft = if transform.is_forward() { planner.plan_fft_forward(len) } else { planner.plan_fft_inverse(len) };
        Self { fft, turns: halved.then(|| turns(count)) }
    }

    /// Transforms lanes that lie one behind the other.
    fn run(&self, ctx: &TaskContext<'_>, lanes: &mut [Complex<F>]) -> Result<(), Failure> {
        let len = self.fft.len();
        let mut scratch = vec![Complex::default(); self.fft.get_inplace_scratch_len()];
        for some in lanes.chunks_mut(len * (BATCH / len).max(1)) {
            ctx.check_cancelled()?;
            self.fft.process_with_scratch(some, &mut scratch);
        }
        Ok(())
    }
}

/// Lanes of another length: cut off, or followed by zeros.
fn filled<A: Copy + Default>(values: Vec<A>, lanes: usize, len: usize, wanted: usize) -> Vec<A> {
    if len == wanted {
        return values;
    }
    let kept = len.min(wanted);
    let mut filled = vec![A::default(); lanes * wanted];
    for (filled, given) in filled.chunks_exact_mut(wanted).zip(values.chunks_exact(len.max(1))) {
        filled[..kept].copy_from_slice(&given[..kept]);
    }
    filled
}

impl TransformLanes {
    pub(super) fn new(transform: Transform, axis: usize, count: usize, factor: f64) -> Self {
        Self { transform, axis, count, factor, single: OnceLock::new(), double: OnceLock::new() }
    }

    fn transformed<F: Digits>(&self, ctx: &TaskContext<'_>, block: &Block, plan: &OnceLock<Plan<F>>) -> Result<Block, Failure>
    where
        Complex<F>: Held,
    {
        let ndim = block.shape().len();
        // Lanes side by side: the axis comes last.
        let order: Vec<usize> = (0..ndim).filter(|axis| *axis != self.axis).chain([self.axis]).collect();
        let mut inverse = vec![0; ndim];
        order.iter().enumerate().for_each(|(at, axis)| inverse[*axis] = at);
        let turned = block.permuted(&order);
        let mut shape = turned.shape().to_vec();
        shape[ndim - 1] = self.transform.made(self.count);
        let plan = plan.get_or_init(|| Plan::new(self.transform, self.count));
        let made = match self.transform {
            Transform::InverseReal => Block::from_vec(shape, self.to_real(ctx, &turned, plan)?),
            Transform::Real => Block::from_vec(shape, self.of_real(ctx, &turned, plan)?),
            Transform::Forward | Transform::Inverse => {
                let (lanes, len) = lanes_of(&turned);
                let mut values = filled(F::numbers(&turned)?, lanes, len, self.count);
                plan.run(ctx, &mut values)?;
                self.scale(&mut values);
                Block::from_vec(shape, values)
            }
        };
        Ok(made.permuted(&inverse))
    }

    /// The frequencies of real lanes that are not negative.
    fn of_real<F: Digits>(&self, ctx: &TaskContext<'_>, block: &Block, plan: &Plan<F>) -> Result<Vec<Complex<F>>, Failure> {
        let ((lanes, len), kept) = (lanes_of(block), self.transform.made(self.count));
        let mut found = Vec::with_capacity(lanes * kept);
        let reals = filled(F::reals(block)?, lanes, len, self.count);
        let (pairs, _) = reals.as_chunks::<2>();
        match &plan.turns {
            Some(turns) => {
                let mut mixed: Vec<Complex<F>> = pairs.iter().map(|[re, im]| Complex::new(*re, *im)).collect();
                drop(reals);
                plan.run(ctx, &mut mixed)?;
                mixed.chunks_exact(self.count / 2).for_each(|mixed| unmix(mixed, turns, &mut found));
            }
            None => {
                let mut all: Vec<Complex<F>> = reals.into_iter().map(|re| Complex::new(re, F::default())).collect();
                plan.run(ctx, &mut all)?;
                all.chunks_exact(self.count).for_each(|lane| found.extend_from_slice(&lane[..kept]));
            }
        }
        self.scale(&mut found);
        Ok(found)
    }

    /// The real lanes that have these frequencies, of which the negative ones are not given.
    fn to_real<F: Digits>(&self, ctx: &TaskContext<'_>, block: &Block, plan: &Plan<F>) -> Result<Vec<F>, Failure> {
        let ((lanes, len), half) = (lanes_of(block), self.count / 2);
        let given = filled(F::numbers(block)?, lanes, len, half + 1);
        let given = given.chunks_exact(half + 1);
        let factor = F::of_f64(self.factor);
        Ok(match &plan.turns {
            Some(turns) => {
                let mut mixed = vec![Complex::default(); lanes * half];
                given.zip(mixed.chunks_exact_mut(half)).for_each(|(given, mixed)| mix(given, turns, mixed));
                plan.run(ctx, &mut mixed)?;
                mixed.into_iter().flat_map(|pair| [pair.re * factor, pair.im * factor]).collect()
            }
            None => {
                let mut all = vec![Complex::default(); lanes * self.count];
                given.zip(all.chunks_exact_mut(self.count)).for_each(|(given, all)| mirror(given, all));
                plan.run(ctx, &mut all)?;
                all.into_iter().map(|value| value.re * factor).collect()
            }
        })
    }

    fn scale<F: Digits>(&self, values: &mut [Complex<F>]) {
        if self.factor != 1.0 {
            let factor = F::of_f64(self.factor);
            values.iter_mut().for_each(|value| *value = value.scale(factor));
        }
    }
}

/// How many lanes a block has along its last axis, and how long they are.
fn lanes_of(block: &Block) -> (usize, usize) {
    block.shape().split_last().map_or((1, 1), |(len, others)| (others.iter().product(), *len))
}

impl Operator for TransformLanes {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("fft: no block"))??;
        if self.axis >= block.shape().len() || self.count == 0 {
            return Err(Failure::internal("fft: a block of fewer axes, or a transform over no elements"));
        }
        let made = match block.dtype() {
            DType::F32 | DType::Complex64 => self.transformed(ctx, block, &self.single)?,
            _ => self.transformed(ctx, block, &self.double)?,
        };
        Ok(Chunk::new(made))
    }
}

impl NamedOperator for TransformLanes {
    const NAME: &'static str = "array_fft";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_cut_off_or_filled_with_zeros() {
        let values = || vec![1, 2, 3, 4, 5, 6];
        assert_eq!(filled(values(), 2, 3, 3), values());
        assert_eq!(filled(values(), 2, 3, 2), [1, 2, 4, 5]);
        assert_eq!(filled(values(), 2, 3, 4), [1, 2, 3, 0, 4, 5, 6, 0]);
        assert_eq!(filled(Vec::<i32>::new(), 2, 0, 2), [0; 4]);
        assert_eq!(filled(Vec::<i32>::new(), 0, 3, 2), [0; 0]);
    }

    #[test]
    fn lengths_and_kinds_follow_from_the_transform() {
        assert_eq!((Transform::Real.made(6), Transform::Real.made(7), Transform::Inverse.made(7)), (4, 4, 7));
        assert_eq!((Transform::Forward.dtype(DType::F32), Transform::Inverse.dtype(DType::U8)), (DType::Complex64, DType::Complex128));
        assert_eq!((Transform::InverseReal.dtype(DType::Complex64), Transform::InverseReal.dtype(DType::I8)), (DType::F32, DType::F64));
    }
}
