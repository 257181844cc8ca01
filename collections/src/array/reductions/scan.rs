//! `cumsum` and `cumprod`: sums and products of all elements up to each, along one axis.
//!
//! Every block is folded to its total first; one task for each line of blocks adds totals up; then every block is gone through once more,
//! beginning with what stands before it. So all blocks but the totals are worked on at the same time.

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::fold::Fold;
use super::numbers::{add, total};
use super::state::{State, joined, state_of};
use super::step::Reduce;
use crate::array::block::{Block, block_of};
use crate::array::element::{C128, DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, advance, axis_of};
use crate::array::tile::{Convert, Program};
use crate::array::wiring::follow;
use crate::array::{DArray, Element, Inexact, Node, Step};

impl<T: Element> DArray<T> {
    /// The sums of all elements up to each, along an axis. Sums of integers are of eight bytes and wrap.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1i64, 2, 3], [4, 5, 6]], 1);
    /// assert_eq!(x.cumsum(1).compute()?, array![[1, 3, 6], [4, 9, 15]].into_dyn());
    /// assert_eq!(x.cumprod(0).compute()?, array![[1, 2, 3], [4, 10, 18]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> DArray<T::Sum> {
        DArray::then(Scan { axis, product: false, out: <T::Sum as Held>::DTYPE }, vec![self.to_any()], ".cumsum(…)")
    }

    /// The products of all elements up to each, along an axis; see [`DArray::cumsum`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> DArray<T::Sum> {
        DArray::then(Scan { axis, product: true, out: <T::Sum as Held>::DTYPE }, vec![self.to_any()], ".cumprod(…)")
    }
}

impl<T: Inexact> DArray<T> {
    /// [`DArray::cumsum`] with NaN as zero; a complex number is NaN where one of its parts is.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn nancumsum(&self, axis: isize) -> DArray<T::Sum> {
        self.where_(&!self.is_nan(), T::default()).cumsum(axis)
    }

    /// [`DArray::cumprod`] with NaN as one.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn nancumprod(&self, axis: isize) -> DArray<T::Sum> {
        self.where_(&!self.is_nan(), T::of_i64(1)).cumprod(axis)
    }
}

struct Scan {
    axis: isize,
    product: bool,
    out: DType,
}

impl Step for Scan {
    fn line(&self) -> String {
        format!("{} along axis {}", if self.product { "cumprod" } else { "cumsum" }, self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        axis_of(self.axis, inputs[0].ndim())?;
        Ok(Meta { dtype: self.out, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let axis = axis_of(self.axis, meta.ndim())?;
        let (grid, blocks, input) = (meta.grid(), meta.blocks()?, lowering.of(&node.inputs[0]));
        let op = OpRef::new(ScanBlock { axis, product: self.product, dtype: meta.dtype, out: self.out }, self.line());
        if grid[axis] == 1 {
            return Ok(lowering.add(Layer::single("scan", blocks, op, vec![input.edge(Wiring::Each)]), node));
        }
        let fold = if self.product { Fold::Product } else { Fold::Sum };
        let reduced: Vec<bool> = (0..grid.len()).map(|at| at == axis).collect();
        let totals = OpRef::new(Reduce::plain(Program::identity(meta.dtype), fold, reduced), "totals");
        let totals = lowering.add(Layer::single("totals", blocks, totals, vec![input.edge(Wiring::Each)]), node);
        // One chunk for each line of blocks: what stands before each block of the line.
        let mut lines = grid.clone();
        lines[axis] = 1;
        let along: Vec<Option<usize>> = (0..grid.len()).map(|at| (at != axis).then_some(at)).collect();
        let before = OpRef::new(Before { fold, dtype: meta.dtype }, "what stands before each block");
        let count = lines.iter().product::<usize>() as u32;
        let before = lowering.add(Layer::single("before", count, before, vec![totals.edge(follow(&grid, &lines, &along))]), node);
        let mut position = vec![0; grid.len()];
        let mut args = Vec::with_capacity(blocks as usize);
        loop {
            args.push(Arg::encode(&(position[axis] as u64)));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let every: Vec<Option<usize>> = (0..grid.len()).map(Some).collect();
        let edges = vec![input.edge(Wiring::Each), before.edge(follow(&lines, &grid, &every))];
        Ok(lowering.add(Layer::with_args("scan", op, args, edges), node))
    }
}

/// Of the states of a line of blocks, what stands before each of them: one row for each, one column for each lane.
#[derive(Serialize, Deserialize)]
pub(crate) struct Before {
    fold: Fold,
    dtype: DType,
}

impl Operator for Before {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = inputs.iter().map(state_of).collect::<Result<Vec<&State>, Failure>>()?;
        let lanes = states.first().map_or(0, |state| state.shape().iter().product::<usize>());
        let shape = vec![states.len(), lanes];
        if self.dtype.is_float() {
            let mut rows: Vec<f64> = vec![if self.fold == Fold::Product { 1.0 } else { 0.0 }; lanes];
            self.each_total(&states, |all| {
                let (high, low) = (all.numbers[0].to_vec::<f64>()?, all.numbers.get(1).map(|low| low.to_vec::<f64>()).transpose()?);
                match low {
                    Some(low) => rows.extend(high.into_iter().zip(low).map(|(high, low)| total(high, low))),
                    None => rows.extend(high),
                }
                Ok(())
            })?;
            return Ok(Chunk::new(Block::from_vec(shape, rows)));
        }
        if self.dtype.is_complex() {
            let mut rows: Vec<C128> = vec![C128::of_i64(i64::from(self.fold == Fold::Product)); lanes];
            self.each_total(&states, |all| {
                rows.extend(complex_totals(all, self.fold)?);
                Ok(())
            })?;
            return Ok(Chunk::new(Block::from_vec(shape, rows)));
        }
        let mut rows: Vec<i64> = vec![i64::from(self.fold == Fold::Product); lanes];
        self.each_total(&states, |all| {
            rows.extend(all.numbers[0].to_vec::<i64>()?);
            Ok(())
        })?;
        Ok(Chunk::new(Block::from_vec(shape, rows)))
    }
}

/// What a state of complex numbers has come to, lane by lane.
fn complex_totals(state: &State, fold: Fold) -> Result<Vec<C128>, Failure> {
    let number = |at: usize| state.numbers.get(at).ok_or_else(|| Failure::internal("scan: a state without one of its numbers"));
    if fold == Fold::Product {
        return number(0)?.to_vec();
    }
    let part = |at: usize| -> Result<Vec<f64>, Failure> {
        let sums = number(at)?.to_vec::<f64>()?.into_iter().zip(number(at + 1)?.to_vec::<f64>()?);
        Ok(sums.map(|(high, low)| total(high, low)).collect())
    };
    Ok(part(0)?.into_iter().zip(part(2)?).map(|(re, im)| C128::new(re, im)).collect())
}

impl Before {
    /// Calls `visit` with the total of all states up to each but the last.
    fn each_total(&self, states: &[&State], mut visit: impl FnMut(&State) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut all: Option<State> = None;
        for state in &states[..states.len().saturating_sub(1)] {
            let together = match &all {
                None => joined(self.fold, self.dtype, &[*state])?,
                Some(before) => joined(self.fold, self.dtype, &[before, *state])?,
            };
            visit(&together)?;
            all = Some(together);
        }
        Ok(())
    }
}

impl NamedOperator for Before {
    const NAME: &'static str = "array_scan_before";
}

/// Goes through one block.
#[derive(Serialize, Deserialize)]
pub(crate) struct ScanBlock {
    axis: usize,
    product: bool,
    dtype: DType,
    out: DType,
}

impl Operator for ScanBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("scan: no block"))??;
        let shape = block.shape().to_vec();
        if self.axis >= shape.len() {
            return Err(Failure::internal("scan: a block of fewer axes"));
        }
        let form = Form::of(&shape, self.axis);
        let before = match inputs.get(1) {
            Some(before) => Some((block_of(before)?, ctx.arg()?.decode::<u64>()? as usize)),
            None => None,
        };
        with_dtype!(self.dtype, T => {
            let values = block.to_vec::<T>()?;
            if T::DTYPE.is_float() {
                let start = start::<f64>(before, &form, if self.product { 1.0 } else { 0.0 })?;
                let scanned = if self.product { products(&values, &form, start, |value| value.to_f64()) } else { sums(&values, &form, start) };
                return with_dtype!(self.out, U => Ok(chunk(shape, scanned.into_iter().map(U::of_f64).collect::<Vec<U>>())));
            }
            if T::DTYPE.is_complex() {
                let start = start::<C128>(before, &form, C128::of_i64(i64::from(self.product)))?;
                let values: Vec<C128> = values.into_iter().map(Convert::<C128>::convert).collect();
                let scanned = if self.product { products(&values, &form, start, |value| *value) } else { sums_of_parts(&values, &form, &start) };
                return with_dtype!(self.out, U => Ok(chunk(shape, scanned.into_iter().map(Convert::<U>::convert).collect::<Vec<U>>())));
            }
            let start = start::<i64>(before, &form, i64::from(self.product))?;
            let scanned = whole(&values, &form, start, if self.product { i64::wrapping_mul } else { i64::wrapping_add });
            with_dtype!(self.out, U => Ok(chunk(shape, scanned.into_iter().map(U::of_i64).collect::<Vec<U>>())))
        })
    }
}

impl NamedOperator for ScanBlock {
    const NAME: &'static str = "array_scan";
}

fn chunk<U: Held>(shape: Vec<usize>, values: Vec<U>) -> Chunk {
    Chunk::new(Block::from_vec(shape, values))
}

/// A block around one axis: elements lie in `outer` groups of `len` rows of `inner`.
pub(in crate::array) struct Form {
    pub outer: usize,
    pub len: usize,
    pub inner: usize,
}

impl Form {
    pub fn of(shape: &[usize], axis: usize) -> Self {
        Self { outer: shape[..axis].iter().product(), len: shape[axis], inner: shape[axis + 1..].iter().product() }
    }

    /// The number of lanes along the axis.
    pub fn lanes(&self) -> usize {
        self.outer * self.inner
    }

    /// The elements of a lane, where those of a block lie in row-major order.
    pub fn lane<'a, T: Copy>(&self, values: &'a [T], lane: usize) -> impl Iterator<Item = T> + use<'a, T> {
        let (group, at) = (lane / self.inner, lane % self.inner);
        values[group * self.len * self.inner..][..self.len * self.inner].iter().skip(at).step_by(self.inner).copied()
    }
}

/// What stands before a block, lane by lane.
fn start<A: Held>(before: Option<(&Block, usize)>, form: &Form, none: A) -> Result<Vec<A>, Failure> {
    let Some((block, row)) = before else { return Ok(vec![none; form.lanes()]) };
    let rows = block.to_vec::<A>()?;
    let found = rows.chunks_exact(form.lanes().max(1)).nth(row).map(<[A]>::to_vec);
    if form.lanes() == 0 { Ok(Vec::new()) } else { found.ok_or_else(|| Failure::internal("scan: nothing is known of what stands before")) }
}

/// Elements that are summed up plainly before the sum is brought to twice the digits.
const PLAIN: usize = 64;

fn sums<T: Held>(values: &[T], form: &Form, start: Vec<f64>) -> Vec<f64> {
    let mut out = Vec::with_capacity(values.len());
    let group = form.len * form.inner;
    for (values, start) in values.chunks_exact(group.max(1)).zip(start.chunks_exact(form.inner.max(1))) {
        let (mut high, mut low) = (start.to_vec(), vec![0.0; form.inner]);
        for rows in values.chunks(PLAIN * form.inner) {
            let base: Vec<f64> = high.iter().zip(&low).map(|(high, low)| total(*high, *low)).collect();
            let mut running = vec![0.0; form.inner];
            for row in rows.chunks_exact(form.inner) {
                for ((running, base), value) in running.iter_mut().zip(&base).zip(row) {
                    *running += value.to_f64();
                    out.push(base + *running);
                }
            }
            high.iter_mut().zip(&mut low).zip(running).for_each(|((high, low), running)| add(high, low, running));
        }
    }
    out
}

fn products<T, P: Copy + std::ops::MulAssign>(values: &[T], form: &Form, start: Vec<P>, factor: impl Fn(&T) -> P) -> Vec<P> {
    let mut out = Vec::with_capacity(values.len());
    let group = form.len * form.inner;
    for (values, start) in values.chunks_exact(group.max(1)).zip(start.chunks_exact(form.inner.max(1))) {
        let mut running = start.to_vec();
        for row in values.chunks_exact(form.inner) {
            for (running, value) in running.iter_mut().zip(row) {
                *running *= factor(value);
                out.push(*running);
            }
        }
    }
    out
}

/// Sums of complex numbers: those of both parts.
fn sums_of_parts(values: &[C128], form: &Form, start: &[C128]) -> Vec<C128> {
    let part = |part: fn(&C128) -> f64| sums(&values.iter().map(part).collect::<Vec<f64>>(), form, start.iter().map(part).collect());
    part(|value| value.re).into_iter().zip(part(|value| value.im)).map(|(re, im)| C128::new(re, im)).collect()
}

fn whole<T: Held>(values: &[T], form: &Form, start: Vec<i64>, together: fn(i64, i64) -> i64) -> Vec<i64> {
    let mut out = Vec::with_capacity(values.len());
    let group = form.len * form.inner;
    for (values, start) in values.chunks_exact(group.max(1)).zip(start.chunks_exact(form.inner.max(1))) {
        let mut running = start.to_vec();
        for row in values.chunks_exact(form.inner) {
            for (running, value) in running.iter_mut().zip(row) {
                *running = together(*running, value.to_i64());
                out.push(*running);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_gone_through_one_by_one() {
        let form = Form::of(&[2, 3, 2], 1);
        let values: Vec<i32> = (0..12).collect();
        assert_eq!(whole(&values, &form, vec![0, 0, 100, 100], i64::wrapping_add), [0, 1, 2, 4, 6, 9, 106, 107, 114, 116, 124, 127]);
        assert_eq!(sums(&values, &form, vec![0.0, 0.5, 0.0, 0.0])[..6], [0.0, 1.5, 2.0, 4.5, 6.0, 9.5]);
        assert_eq!(products(&values[..6], &Form::of(&[3, 2], 0), vec![1.0, 2.0], |value| value.to_f64()), [0.0, 2.0, 0.0, 6.0, 0.0, 30.0]);
        assert_eq!(form.lane(&values, 3).collect::<Vec<_>>(), [7, 9, 11]);
        assert!(sums::<f64>(&[], &Form::of(&[0, 3], 0), vec![0.0; 3]).is_empty());
        assert!(whole::<i8>(&[], &Form::of(&[3, 0], 0), Vec::new(), i64::wrapping_add).is_empty());
    }

    #[test]
    fn long_sums_lose_no_digits() {
        let values = vec![0.1; 100_000];
        let found = sums(&values, &Form::of(&[values.len()], 0), vec![0.0]);
        assert!((found[99_999] - 10_000.0).abs() < 1e-9, "{}", found[99_999]);
    }
}
