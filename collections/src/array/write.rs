//! Arrays into files: the step that writes each block, and the one that makes all of them visible at once.
//!
//! It refuses to know formats. Invariant: what a task writes is not seen before all tasks have written; what runs twice writes twice
//! under names of its own, and one of them counts.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Executor, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext, Wiring};
use partita_io::npy;
use partita_io::write::{Destination, Part, Published};
use partita_io::zarr::ZarrTarget;
use serde::{Deserialize, Serialize};

use super::block::{Block, block_of};
use super::element::{DType, Held, with_dtype};
use super::files::{array_failure, kind_of};
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Meta, Place};
use super::{AnyArray, DArray, Node, Step};

/// What writing an array came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenArray {
    /// Elements in all files.
    pub elements: u64,
    /// Files, those that describe the others included.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Where an array is written to, and as what.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum ArrayTarget {
    /// One file of NumPy of this shape: blocks follow each other.
    Npy(Destination, Vec<usize>),
    /// A file of NumPy for each block.
    Stack(Destination),
    /// A Zarr array, or a region of one.
    Zarr(ZarrTarget),
}

impl ArrayTarget {
    fn destination(&self) -> &Destination {
        match self {
            ArrayTarget::Npy(to, _) | ArrayTarget::Stack(to) => to,
            ArrayTarget::Zarr(target) => target.destination(),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            ArrayTarget::Npy(..) => "to_npy",
            ArrayTarget::Stack(_) => "to_npy_stack",
            ArrayTarget::Zarr(_) => "to_zarr",
        }
    }

    fn failure(&self, error: partita_io::Error) -> Failure {
        array_failure(error, self.method())
    }

    fn write(&self, block: &Block, place: &Place, ctx: &TaskContext<'_>) -> Result<Vec<Part>, Failure> {
        let (index, count) = (ctx.key.index, block.len() as u64);
        let kind = kind_of(block.dtype(), self.method())?;
        let block = block.in_order()?;
        let elements = with_dtype!(block.dtype(), T => bytes_of::<T>(&block))?;
        let written = match self {
            ArrayTarget::Npy(to, shape) => {
                let header = if index == 0 { npy::header(kind, shape) } else { Vec::new() };
                to.write(&format!("part-{index}"), count, &[&header, &kind.little(elements)], ctx.attempt).map(|part| vec![part])
            }
            ArrayTarget::Stack(to) => {
                let header = npy::header(kind, &place.shape);
                to.write(&format!("{index}.npy"), count, &[&header, &kind.little(elements)], ctx.attempt).map(|part| vec![part])
            }
            ArrayTarget::Zarr(target) => target.write(&place.start, &place.shape, elements, ctx.attempt),
        };
        written.map_err(|error| self.failure(error))
    }

    fn publish(&self, parts: &[Part]) -> Result<Published, Failure> {
        self.destination().publish(parts).map_err(|error| self.failure(error))
    }
}

/// The elements of a block that lie in row-major order, as they lie in memory.
pub(crate) fn bytes_of<T: Held>(block: &Block) -> Result<&[u8], Failure> {
    let elements: &[T] = match block.len() {
        0 => &[],
        len => &block.memory::<T>()?[block.offset()..block.offset() + len],
    };
    Ok(T::bytes(elements))
}

/// Writes an array whose blocks are cut as the target needs them.
pub(crate) fn write(array: &AnyArray, executor: &dyn Executor, target: ArrayTarget, origin: &Origin) -> Result<WrittenArray, Failure> {
    let located = |failure: Failure| failure.origin(Some(origin));
    let mark = target.destination().mark().map_err(|error| located(target.failure(error)))?;
    crate::client::found_on_workers(&[&mark]).map_err(located)?;
    let parts = AnyArray::build(Arc::new(Writing { target: target.clone() }), vec![array.clone()], origin.clone());
    let published = AnyArray::build(Arc::new(Publishing { target: target.clone() }), vec![parts], origin.clone());
    let numbers = DArray::<u64>::of(published).compute_on(executor).inspect_err(|failure| {
        if failure.code == Code::OutputExists {
            // Another write came first, and the run is over. What cannot be removed is hidden and does no harm.
            let _ = target.destination().withdraw();
        }
    })?;
    match numbers.as_slice() {
        Some([elements, files, bytes]) => Ok(WrittenArray { elements: *elements, files: *files, bytes: *bytes }),
        _ => Err(Failure::internal("a write without numbers")),
    }
}

/// Writes each block; what it gives are the parts that were written, as bytes.
struct Writing {
    target: ArrayTarget,
}

impl Step for Writing {
    fn line(&self) -> String {
        format!("{} {}", self.target.method(), self.target.destination().place())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::U8, cuts: vec![Cuts::Unknown(inputs[0].blocks()?)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let args = node.inputs[0].meta()?.places()?.iter().map(Arg::encode).collect();
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let op = OpRef::new(WriteBlock { target: self.target.clone() }, self.line());
        Ok(lowering.add(Layer::with_args(self.target.method(), op, args, edges), node))
    }
}

/// Writes one block under the name of an attempt.
#[derive(Serialize, Deserialize)]
pub(crate) struct WriteBlock {
    target: ArrayTarget,
}

impl Operator for WriteBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("a write without a block"))??;
        ctx.check_cancelled()?;
        let parts = self.target.write(block, &ctx.arg()?.decode()?, ctx)?;
        let bytes = postcard::to_stdvec(&parts).expect("plain data");
        Ok(Chunk::new(Block::from_vec(vec![bytes.len()], bytes)))
    }
}

impl NamedOperator for WriteBlock {
    const NAME: &'static str = "write_array_block";
}

/// Makes all parts visible; three numbers.
struct Publishing {
    target: ArrayTarget,
}

impl Step for Publishing {
    fn line(&self) -> String {
        format!("publish {}", self.target.destination().place())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::U64, cuts: vec![Cuts::whole(3)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Every)];
        let op = OpRef::new(PublishArray { target: self.target.clone() }, self.line());
        Ok(lowering.add(Layer::single("publish", 1, op, edges), node))
    }
}

/// Makes what was written visible.
#[derive(Serialize, Deserialize)]
pub(crate) struct PublishArray {
    target: ArrayTarget,
}

impl Operator for PublishArray {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut parts: Vec<Part> = Vec::new();
        for input in inputs {
            let bytes = block_of(input)?.to_vec::<u8>()?;
            let some: Vec<Part> = postcard::from_bytes(&bytes).map_err(|_| Failure::internal("a list of written parts is damaged"))?;
            parts.extend(some);
        }
        let published = self.target.publish(&parts)?;
        Ok(Chunk::new(Block::from_vec(vec![3], vec![published.rows, published.files, published.bytes])))
    }
}

impl NamedOperator for PublishArray {
    const NAME: &'static str = "publish_array";
}
