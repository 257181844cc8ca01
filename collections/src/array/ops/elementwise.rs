//! One elementwise operation as a step, and the operator that runs the program that chains of them become.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::alike::Alike;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::element::{DType, Scalar};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::tile::{Instruction, Op, Program, Source, mapped};
use crate::array::{AnyArray, DArray, Element, Node, Step};

/// An operand of an elementwise operation.
pub enum Given {
    /// An array.
    Array(AnyArray),
    /// The same for every element.
    Scalar(Scalar),
}

/// What may stand beside an array of `T`: another one, or a single element.
///
/// ```
/// use partita::prelude::*;
/// let x = DArray::arange(0i64, 4, 1, 2);
/// assert_eq!(x.maximum(2).compute()?.into_iter().collect::<Vec<_>>(), [2, 2, 2, 3]);
/// assert_eq!(x.maximum(&(3 - &x)).compute()?.into_iter().collect::<Vec<_>>(), [3, 2, 2, 3]);
/// # Ok::<(), partita::Error>(())
/// ```
pub trait Operand<T: Element> {
    /// The operand.
    fn into_given(self) -> Given;
}

impl<T: Element> Operand<T> for T {
    fn into_given(self) -> Given {
        Given::Scalar(Scalar::of(self))
    }
}

impl<T: Element> Operand<T> for &DArray<T> {
    fn into_given(self) -> Given {
        Given::Array(self.to_any())
    }
}

impl<T: Element> Operand<T> for DArray<T> {
    fn into_given(self) -> Given {
        Given::Array(self.to_any())
    }
}

/// An operation on elements of a kind.
pub(crate) struct Elementwise {
    pub op: Op,
    pub dtype: DType,
    /// Inputs of the step, and scalars.
    pub args: Vec<Source>,
}

impl<T: Element> DArray<T> {
    /// An operation on elements of `dtype`, which gives elements of `T`.
    #[track_caller]
    pub(crate) fn elementwise(op: Op, dtype: DType, operands: Vec<Given>, method: &str) -> Self {
        let origin = Origin::here(method);
        let mut inputs: Vec<AnyArray> = Vec::new();
        let args = operands.into_iter().map(|operand| match operand {
            Given::Scalar(scalar) => Source::Scalar(scalar),
            Given::Array(array) => {
                inputs.push(array);
                Source::Input(inputs.len() as u16 - 1)
            }
        });
        let args = args.collect();
        Self::of(AnyArray::build(Arc::new(Elementwise { op, dtype, args }), inputs, origin))
    }
}

impl Step for Elementwise {
    fn line(&self) -> String {
        let step = Instruction { op: self.op, dtype: self.dtype, args: self.args.clone() };
        Program { inputs: Vec::new(), steps: vec![step], result: Source::Step(0) }.show()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.op.result(self.dtype), cuts: broadcast(inputs)? })
    }

    fn elementwise(&self) -> Option<&Elementwise> {
        Some(self)
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (program, inputs) = lowering.groups.program(node, self)?;
        let meta = node.known()?;
        let edges = lowering.aligned(&inputs, &meta.cuts, node)?;
        let label = format!("map {}", program.show());
        let op = OpRef::new(Map { program, alike: Alike::of_arrays(&inputs, &meta.cuts)? }, label);
        Ok(lowering.add(Layer::single("map", meta.blocks()?, op, edges), node))
    }
}

/// Runs a program on a block of each input.
#[derive(Serialize, Deserialize)]
pub(crate) struct Map {
    program: Program,
    alike: Alike,
}

impl Operator for Map {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        self.alike.check(&blocks)?;
        Ok(Chunk::new(mapped(&self.program, &blocks, ctx.cancelled)?))
    }
}

impl NamedOperator for Map {
    const NAME: &'static str = "array_map";
}
