//! What all factors have in common: the numbers that they are made of, what a task may hold, and parts of what a task gave.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::Block;
use crate::array::element::{C64, C128, DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::reductions::state::state_of;
use crate::array::{AnyArray, DArray, Element, Held, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// The same numbers as they are factored: of eight bytes each, or complex ones of two of these.
    #[track_caller]
    pub(super) fn exact(&self) -> AnyArray {
        if T::DTYPE.is_complex() { self.cast::<C128>().to_any() } else { self.cast::<f64>().to_any() }
    }
}

/// A step whose chunks are no blocks. It is no array: only parts of it are.
#[track_caller]
pub(super) fn made(step: impl Step + 'static, inputs: Vec<AnyArray>, method: &str) -> AnyArray {
    AnyArray::build(Arc::new(step), inputs, Origin::here(method))
}

/// One of the arrays that a task gave, as an array of so many axes, as long along each as the matrix has rows.
#[track_caller]
pub(super) fn part<T: Element>(factors: &AnyArray, at: usize, ndim: usize, method: &str) -> DArray<T> {
    DArray::then(PartOf { at, ndim, dtype: T::DTYPE }, vec![factors.clone()], method)
}

/// Bytes that a task may hold of a matrix, its factors and what it needs beside them.
const TASK_BYTES: u64 = 32 << 30;

/// Fails for a matrix of which no task should be given so many rows and columns. `name` says of what, `help` what to do then.
pub(super) fn fits_a_task(name: &str, (rows, columns): (usize, usize), dtype: DType, help: &str) -> Result<(), Failure> {
    let bytes = (rows as u64).saturating_mul(columns as u64).saturating_mul(3 * dtype.size() as u64);
    if bytes <= TASK_BYTES {
        return Ok(());
    }
    let what = format!("{name} of {rows} rows and {columns} columns are made in one task, which would hold {} GiB", bytes >> 30);
    Err(Failure::new(Code::Unsupported, what).help(help))
}

/// The length of a square matrix. Fails for other arrays.
pub(super) fn square(meta: &Meta) -> Result<usize, Failure> {
    match meta.shape()?[..] {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {} is no square matrix", meta.show_shape()))),
    }
}

/// The failure for a matrix that a factoring does not exist for.
pub(super) fn singular(what: &str) -> Failure {
    Failure::new(Code::SingularMatrix, what).help("the nearest solution of equations, and the shortest of these: a.pinv().matmul(&b)")
}

struct PartOf {
    at: usize,
    ndim: usize,
    dtype: DType,
}

impl Step for PartOf {
    fn line(&self) -> String {
        format!("part {}", self.at)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.dtype, cuts: vec![inputs[0].cuts[0].clone(); self.ndim] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(TakePart { at: self.at, dtype: self.dtype }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("part", 1, op, edges), node))
    }
}

/// One of several arrays that a task gave.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakePart {
    pub(in crate::array) at: usize,
    pub(in crate::array) dtype: DType,
}

impl Operator for TakePart {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let state = inputs.first().map(state_of).ok_or_else(|| Failure::internal("part: nothing to take it of"))??;
        let block = state.numbers.get(self.at).ok_or_else(|| Failure::internal("part: fewer than there should be"))?;
        in_kind(block, self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for TakePart {
    const NAME: &'static str = "array_part";
}

/// A block that was factored, or a part of one, as one of the kind that was asked for: of the same numbers, in four bytes or in eight, and real
/// ones also as complex ones.
pub(super) fn in_kind(block: &Block, dtype: DType) -> Result<Block, Failure> {
    if block.dtype() == dtype {
        return Ok(block.clone());
    }
    if block.dtype() == DType::Complex128 {
        return Ok(Block::from_array(block.view::<C128>()?.mapv(|x| C64::new(x.re as f32, x.im as f32))));
    }
    with_dtype!(dtype, T => Ok(Block::from_array(block.view::<f64>()?.mapv(T::of_f64))))
}
