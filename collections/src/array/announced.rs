//! What a function of the user's own gave for a block, handed on when it is what was announced: another shape would make every step after
//! it wrong.
//!
//! It refuses to know the function, which is a closure or a task.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::block::block_of;
use super::lower::{Lowered, Lowering};
use super::meta::{advance, tuple};
use super::{DType, Node};

/// Whose function it was, and what is said where it gave something else.
pub(super) struct Given<'a> {
    /// The method that calls it.
    pub method: &'a str,
    /// What to do about it.
    pub help: &'a str,
    /// What it was called with, where blocks of unknown sizes are to be as long as those.
    pub like: Option<Lowered>,
}

/// The blocks of a step, given what its function gave for each.
pub(super) fn announced(called: Lowered, given: &Given<'_>, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
    let meta = node.known()?;
    let places = meta.places().ok();
    let (grid, blocks) = (meta.grid(), meta.blocks()? as usize);
    let mut args = Vec::with_capacity(blocks);
    let mut position = vec![0; grid.len()];
    for block in 0..blocks {
        let shape = places.as_ref().map(|places| &places[block].shape);
        args.push(Arg::encode(&(&position, shape)));
        advance(&mut position, &grid);
    }
    let check = CheckBlock { dtype: meta.dtype, method: given.method.into(), help: given.help.into() };
    let like = given.like.filter(|_| places.is_none());
    let edges = std::iter::once(called).chain(like).map(|input| input.edge(Wiring::Each)).collect();
    let op = OpRef::new(check, format!("check what {} gave", given.method));
    Ok(lowering.add(Layer::with_args("announced", op, args, edges), node))
}

/// Hands on a block that is as it was announced.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckBlock {
    dtype: DType,
    method: String,
    help: String,
}

impl Operator for CheckBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (position, shape): (Vec<usize>, Option<Vec<usize>>) = ctx.arg()?.decode()?;
        let chunk = inputs.first().ok_or_else(|| Failure::internal(format!("{}: no block", self.method)))?;
        let found = block_of(chunk)?;
        let like = inputs.get(1).map(|input| block_of(input).map(|block| block.shape().to_vec())).transpose()?;
        let fits = match shape.as_ref().or(like.as_ref()) {
            Some(expected) => found.shape() == expected,
            None => found.shape().len() == position.len(),
        };
        if fits && found.dtype() == self.dtype {
            return Ok(chunk.clone());
        }
        let expected = match shape.or(like) {
            Some(shape) => tuple(shape),
            None => format!("one with {} axes", position.len()),
        };
        let what = format!(
            "the function of {} gave shape {} for block {}, where {expected} was announced",
            self.method,
            tuple(found.shape()),
            tuple(&position)
        );
        Err(Failure::new(Code::UserFunction, what).help(self.help.as_str()))
    }
}

impl NamedOperator for CheckBlock {
    const NAME: &'static str = "array_announced";
}
