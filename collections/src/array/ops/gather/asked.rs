//! Places of a long array of one axis: every block of places asks each block of elements for what it wants of
//! that, gets it, and puts it in order. A task holds one block of each and what was asked for, however long both arrays are.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::Node;
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::ops::slice::{known_bounds, place_of};

/// The layers that ask, answer and put in order, where asking is worth it.
pub(super) fn lower(
    from: &Meta,
    places: &Meta,
    inputs: [Lowered; 2],
    node: &Node,
    lowering: &mut Lowering,
) -> Result<Option<Lowered>, Failure> {
    let [elements, wanted] = inputs;
    let (blocks, askers) = (from.blocks()?, places.blocks()?);
    // A single block of places may read a short array whole.
    let is_short = from.nbytes().is_none_or(|bytes| bytes <= lowering.budget.short());
    if from.ndim() != 1 || from.cuts[0].sizes().is_none() || blocks == 1 || (askers == 1 && is_short) {
        return Ok(None);
    }
    let ends = known_bounds(from, 0)?;
    let ask = OpRef::new(AskForPlaces { ends: ends.clone() }, "ask for places");
    let asked = lowering.add(Layer::single("ask", askers, ask, vec![wanted.edge(Wiring::Each)]), node);
    let answer = OpRef::new(AnswerPlaces, "answer");
    let edges = vec![elements.edge(Wiring::Each), asked.edge(Wiring::Part)];
    let answers = lowering.add(Layer::single("answer", blocks, answer, edges), node);
    let put = OpRef::new(PutAnswers { ends, dtype: from.dtype }, "take at places of an array");
    let edges = vec![wanted.edge(Wiring::Each), answers.edge(Wiring::Part)];
    Ok(Some(lowering.add(Layer::single("take_array", askers, put, edges), node)))
}

/// For each place the block that has it, and its place in there.
fn found(places: &Block, ends: &[usize]) -> Result<Vec<(usize, usize)>, Failure> {
    let len = ends.last().copied().unwrap_or(0);
    let found = |place: i64| {
        let place = place_of(place as isize, len, 0)?;
        let block = ends.partition_point(|end| *end <= place).saturating_sub(1);
        Ok((block, place - ends[block]))
    };
    places.to_vec::<i64>()?.into_iter().map(found).collect()
}

/// What a block of places wants of each block of elements: a part for each.
#[derive(Serialize, Deserialize)]
pub(crate) struct AskForPlaces {
    ends: Vec<usize>,
}

impl Operator for AskForPlaces {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let places = inputs.first().map(block_of).ok_or_else(|| Failure::internal("take_array: no places"))??;
        let mut asked: Vec<Vec<i64>> = vec![Vec::new(); self.ends.len().saturating_sub(1)];
        for (block, place) in found(places, &self.ends)? {
            asked[block].push(place as i64);
        }
        let parts = asked.into_iter().map(|asked| Chunk::new(Block::from_vec(vec![asked.len()], asked)));
        Ok(Chunk::new(Parts(parts.collect())))
    }
}

impl NamedOperator for AskForPlaces {
    const NAME: &'static str = "array_ask_for_places";
}

/// The elements of a block that each block of places asked for: a part for each.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnswerPlaces;

impl Operator for AnswerPlaces {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (block, asked) = inputs.split_first().ok_or_else(|| Failure::internal("take_array: no block"))?;
        let block = block_of(block)?;
        with_dtype!(block.dtype(), T => {
            let values = block.to_vec::<T>()?;
            let mut answers = Vec::with_capacity(asked.len());
            for asked in asked {
                ctx.check_cancelled()?;
                answers.push(Chunk::new(answer(&values, block_of(asked)?)?));
            }
            Ok(Chunk::new(Parts(answers)))
        })
    }
}

impl NamedOperator for AnswerPlaces {
    const NAME: &'static str = "array_answer_places";
}

fn answer<T: Held>(values: &[T], asked: &Block) -> Result<Block, Failure> {
    let value = |place: i64| usize::try_from(place).ok().and_then(|place| values.get(place).copied());
    let answers = asked.to_vec::<i64>()?.into_iter().map(value).collect::<Option<Vec<T>>>();
    let answers = answers.ok_or_else(|| Failure::internal("take_array: a block is shorter than was announced"))?;
    Ok(Block::from_vec(vec![answers.len()], answers))
}

/// What a block of places asked for, in the order of the places.
#[derive(Serialize, Deserialize)]
pub(crate) struct PutAnswers {
    ends: Vec<usize>,
    dtype: DType,
}

impl Operator for PutAnswers {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (places, answers) = inputs.split_first().ok_or_else(|| Failure::internal("take_array: no places"))?;
        let found = found(block_of(places)?, &self.ends)?;
        with_dtype!(self.dtype, T => {
            let answers = answers.iter().map(|answer| block_of(answer)?.to_vec::<T>()).collect::<Result<Vec<_>, Failure>>()?;
            // They come in the order in which they were asked for.
            let mut left: Vec<_> = answers.iter().map(|answers| answers.iter()).collect();
            let next = |(block, _): (usize, usize)| left.get_mut(block).and_then(|left| left.next().copied());
            let values = found.into_iter().map(next).collect::<Option<Vec<T>>>();
            let values = values.ok_or_else(|| Failure::internal("take_array: fewer answers than were asked for"))?;
            Ok(Chunk::new(Block::from_vec(vec![values.len()], values)))
        })
    }
}

impl NamedOperator for PutAnswers {
    const NAME: &'static str = "array_put_answers";
}
