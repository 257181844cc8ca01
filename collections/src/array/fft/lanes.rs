//! Transforms the lanes of one block along an axis. It refuses to know other blocks.
//!
//! The invariant: what a lane becomes depends on that lane alone, so that other axes may be cut anywhere.

use std::sync::{Arc, OnceLock};

use num_complex::Complex;
use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use rustfft::{Fft, FftNum, FftPlanner};
use serde::{Deserialize, Serialize};

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

/// A plan, made by the first task of a layer that runs in a process.
type Plan<F> = OnceLock<Arc<dyn Fft<F>>>;

/// A block with its lanes along an axis transformed.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransformLanes {
    transform: Transform,
    axis: usize,
    /// Over how many elements.
    count: usize,
    /// What the result is multiplied by.
    factor: f64,
    #[serde(skip)]
    single: Plan<f32>,
    #[serde(skip)]
    double: Plan<f64>,
}

/// Floats of one size, as transforms need them.
trait Digits: FftNum + Held {
    /// The elements of a block in row-major order.
    fn numbers(block: &Block) -> Result<Vec<Complex<Self>>, Failure>;
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
            }
        )*
    };
}

digits!(f32 f64);

impl TransformLanes {
    pub(super) fn new(transform: Transform, axis: usize, count: usize, factor: f64) -> Self {
        Self { transform, axis, count, factor, single: Plan::new(), double: Plan::new() }
    }

    /// Lanes of as many elements as the transform goes over: cut off, or followed by zeros; what only has one half gets the other.
    fn filled<F: Digits>(&self, values: Vec<Complex<F>>, len: usize) -> Vec<Complex<F>> {
        let (count, half) = (self.count, self.count / 2);
        let halved = self.transform == Transform::InverseReal;
        if !halved && len == count {
            return values;
        }
        let zero = Complex::new(F::default(), F::default());
        let kept = len.min(if halved { half + 1 } else { count });
        let lanes = values.len().checked_div(len).unwrap_or(0);
        let mut filled = vec![zero; lanes * count];
        for (filled, given) in filled.chunks_exact_mut(count).zip(values.chunks_exact(len.max(1))) {
            filled[..kept.min(count)].copy_from_slice(&given[..kept.min(count)]);
            if halved {
                // These two are their own conjugates.
                filled[0].im = F::default();
                if count.is_multiple_of(2) {
                    filled[half].im = F::default();
                }
                for at in 1..count.div_ceil(2) {
                    filled[count - at] = filled[at].conj();
                }
            }
        }
        filled
    }

    fn transformed<F: Digits>(&self, ctx: &TaskContext<'_>, block: &Block, plan: &Plan<F>) -> Result<Block, Failure>
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
        let lanes = shape[..ndim - 1].iter().product::<usize>();
        shape[ndim - 1] = self.transform.made(self.count);
        let mut values = self.filled(F::numbers(&turned)?, block.shape()[self.axis]);
        // An axis without elements has no lanes to be filled.
        values.resize(lanes * self.count, Complex::new(F::default(), F::default()));
        let plan = plan.get_or_init(|| {
            let mut planner = FftPlanner::new();
            if self.transform.is_forward() { planner.plan_fft_forward(self.count) } else { planner.plan_fft_inverse(self.count) }
        });
        let mut scratch = vec![Complex::new(F::default(), F::default()); plan.get_inplace_scratch_len()];
        for some in values.chunks_mut(self.count * (BATCH / self.count).max(1)) {
            ctx.check_cancelled()?;
            plan.process_with_scratch(some, &mut scratch);
        }
        if self.factor != 1.0 {
            let factor = F::of_f64(self.factor);
            values.iter_mut().for_each(|value| *value = value.scale(factor));
        }
        let made = match self.transform {
            Transform::Forward | Transform::Inverse => Block::from_vec(shape, values),
            Transform::Real => {
                let kept = self.transform.made(self.count);
                Block::from_vec(shape, values.chunks_exact(self.count).flat_map(|lane| &lane[..kept]).copied().collect())
            }
            Transform::InverseReal => Block::from_vec(shape, values.into_iter().map(|value| value.re).collect::<Vec<F>>()),
        };
        Ok(made.permuted(&inverse))
    }
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
    fn lanes_are_cut_filled_and_mirrored() {
        let numbers = |values: &[f64]| values.iter().map(|re| Complex::new(*re, 1.0)).collect::<Vec<Complex<f64>>>();
        let filled = |transform, count, len: usize| {
            TransformLanes::new(transform, 0, count, 1.0).filled(numbers(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), len)
        };
        let parts = |values: Vec<Complex<f64>>| values.into_iter().map(|value| (value.re, value.im)).collect::<Vec<_>>();
        assert_eq!(parts(filled(Transform::Forward, 2, 3)), [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (5.0, 1.0)]);
        assert_eq!(parts(filled(Transform::Real, 4, 3))[3..5], [(0.0, 0.0), (4.0, 1.0)]);
        assert_eq!(parts(filled(Transform::InverseReal, 4, 3))[..4], [(1.0, 0.0), (2.0, 1.0), (3.0, 0.0), (2.0, -1.0)]);
        assert_eq!(parts(filled(Transform::InverseReal, 5, 3))[..5], [(1.0, 0.0), (2.0, 1.0), (3.0, 1.0), (3.0, -1.0), (2.0, -1.0)]);
        assert_eq!(parts(filled(Transform::InverseReal, 1, 6)), [(1.0, 0.0)]);
        assert_eq!(parts(filled(Transform::InverseReal, 2, 6)), [(1.0, 0.0), (2.0, 0.0)]);
    }
}
