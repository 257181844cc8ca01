//! Several small blocks in one task: where the way of a task through the engine takes longer than its block, a task folds as many blocks as
//! states are brought together at a time, and brings theirs together.
//!
//! It refuses to know what is folded. The invariant: states come together in the groups and in the order of the tree, so that results are
//! bit by bit those of a task for each block.

use std::collections::BTreeMap;

use partita_graph::{Arg, Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::state::State;
use super::step::Reduce;
use super::tree::groups_of;
use crate::array::block::{Block, block_of};
use crate::array::element::{Scalar, with_dtype};
use crate::array::lower::{Lowering, repeated_axes};
use crate::array::meta::Meta;
use crate::array::{AnyArray, Node};

/// Elements of a block that is small.
const SMALL: usize = 4096;
/// So many blocks, or more, are folded by fewer tasks; of few the engine makes no matter, and every processor should get some.
const MANY: usize = 1024;

/// The shape of each block of a task.
type Shapes = Vec<Vec<usize>>;

/// How small blocks are folded together.
pub(super) struct Batches {
    /// Of each input that has blocks: those of the task's groups, one for each block that is folded.
    edges: Vec<Edge>,
    inputs: Vec<Option<Same>>,
    args: Vec<Arg>,
    /// Results, and the groups of each: the grid of the states that are made, whose second axis is reduced.
    pub grid: [usize; 2],
}

impl Batches {
    /// Of the blocks of an array, of which a program makes what is folded. `None` where they are large or few, or of unknown sizes; and where
    /// the tasks that make an input become part of the tasks that fold it, so that its blocks need not be kept.
    pub fn of(lowering: &mut Lowering, arrays: &[AnyArray], meta: &Meta, reduced: &[bool], node: &Node) -> Result<Option<Self>, Failure> {
        let (Some(largest), blocks) = (meta.largest_block(), meta.blocks()?) else { return Ok(None) };
        if largest > (SMALL * meta.dtype.size()) as u64 || (blocks as usize) < MANY {
            return Ok(None);
        }
        let Some((groups, grid)) = groups_of(&meta.grid(), reduced) else { return Ok(None) };
        let (mut edges, mut inputs) = (Vec::new(), Vec::with_capacity(arrays.len()));
        let members = members(&groups, blocks);
        for array in arrays {
            if let Some(value) = array.everywhere() {
                inputs.push(Some(Same { value, repeated: repeated_axes(&array.meta()?.cuts, &meta.cuts) }));
                continue;
            }
            let edge = lowering.beside(array, &meta.cuts, node)?;
            let Some(layer) = lowering.graph.get(edge.layer) else { return Ok(None) };
            if edge.wiring == Wiring::Each && !layer.fixed {
                return Ok(None);
            }
            let only = |block: &u32| {
                let read = edge.wiring.inputs(*block, layer.len);
                if read.len() == 1 { read.iter().next() } else { None }
            };
            let indices: Option<Vec<u32>> = members.indices.iter().map(only).collect();
            let indices = indices.ok_or_else(|| Failure::internal("a block that is reduced is made of several blocks of an input"))?;
            let wiring = Wiring::Table(Table { offsets: members.offsets.clone(), indices: indices.into() });
            edges.push(Edge { layer: edge.layer, wiring });
            inputs.push(None);
        }
        let places = meta.places()?;
        let mut known: BTreeMap<Shapes, Arg> = BTreeMap::new();
        let args = members.offsets.windows(2).map(|ends| {
            let blocks = &members.indices[ends[0] as usize..ends[1] as usize];
            let shapes = blocks.iter().map(|block| places[*block as usize].shape.clone()).collect();
            known.entry(shapes).or_insert_with_key(Arg::encode).clone()
        });
        let args = args.collect();
        Ok(Some(Self { edges, inputs, args, grid }))
    }

    /// The layer whose tasks fold them.
    pub fn layer(self, reduce: Reduce, label: String) -> Layer {
        let op = OpRef::new(ReduceSome { reduce, inputs: self.inputs }, format!("{label}, several blocks at a time"));
        Layer::with_args("reduce", op, self.args, self.edges)
    }
}

/// The blocks of each group, written out.
fn members(groups: &Wiring, blocks: u32) -> Table {
    if let Wiring::Table(table) = groups {
        return table.clone();
    }
    let (mut offsets, mut indices) = (vec![0], Vec::with_capacity(blocks as usize));
    while (indices.len() as u32) < blocks {
        let group = groups.inputs(offsets.len() as u32 - 1, blocks);
        if group.is_empty() {
            break;
        }
        indices.extend(group.iter());
        offsets.push(indices.len() as u32);
    }
    Table { offsets: offsets.into(), indices: indices.into() }
}

/// What an input is everywhere: tasks make its blocks themselves.
#[derive(Serialize, Deserialize)]
struct Same {
    value: Scalar,
    /// The axes along which a block has one element, which is repeated.
    repeated: Vec<bool>,
}

impl Same {
    /// Its block beside one of this shape.
    fn block(&self, shape: &[usize]) -> Result<Block, Failure> {
        let ahead = shape.len().checked_sub(self.repeated.len());
        let ahead = ahead.ok_or_else(|| Failure::internal("a block of fewer axes than what is repeated along it"))?;
        let own = shape[ahead..].iter().zip(&self.repeated).map(|(len, repeated)| if *repeated { 1 } else { *len }).collect();
        with_dtype!(self.value.dtype, T => {
            let value = self.value.get::<T>().ok_or_else(|| Failure::internal("a number of another kind than it says"))?;
            Ok(Block::full(own, value))
        })
    }
}

/// Folds several blocks to states and brings these together.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReduceSome {
    reduce: Reduce,
    /// For each input of the program what it is everywhere; of others there are blocks.
    inputs: Vec<Option<Same>>,
}

impl Operator for ReduceSome {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let shapes: Shapes = ctx.arg()?.decode()?;
        if inputs.len() != shapes.len() * self.inputs.iter().filter(|same| same.is_none()).count() {
            return Err(Failure::internal("reduce: not one block of each input for each block that is folded"));
        }
        let mut made: Vec<Option<Block>> = Vec::new();
        let mut states = Vec::with_capacity(shapes.len());
        for (at, shape) in shapes.iter().enumerate() {
            // Nearly all blocks have the shape of the one before.
            if at == 0 || *shape != shapes[at - 1] {
                let own = self.inputs.iter().map(|same| same.as_ref().map(|same| same.block(shape)).transpose());
                made = own.collect::<Result<_, Failure>>()?;
            }
            let mut chunks = inputs.iter().skip(at).step_by(shapes.len());
            let mut blocks: Vec<&Block> = Vec::with_capacity(made.len());
            for block in &made {
                match block {
                    Some(block) => blocks.push(block),
                    None => blocks.extend(chunks.next().map(block_of).transpose()?),
                }
            }
            states.push(self.reduce.state(&blocks, None, ctx.cancelled)?);
        }
        Ok(Chunk::new(self.reduce.joined(&states.iter().collect::<Vec<&State>>())?))
    }
}

impl NamedOperator for ReduceSome {
    const NAME: &'static str = "array_reduce_some";
}
