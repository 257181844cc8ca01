//! `DArray`: a lazy n-dimensional array in blocks. An array is an expression: a step and the arrays that it reads.
//!
//! Nothing runs until `compute` or `persist`. Kind, shape and chunks are known at every step; a step that does not fit keeps its
//! failure, with the user's line, and every later call hands that failure on. It refuses to know frames, whose `to_darray` and
//! `from_darray` know arrays.

pub(crate) mod alike;
pub(crate) mod announced;
pub(crate) mod assemble;
pub(crate) mod block;
mod broadcast;
pub(crate) mod budget;
mod chunks;
mod class;
pub(crate) mod element;
pub(crate) mod fft;
pub(crate) mod files;
mod group;
pub(crate) mod lend;
pub(crate) mod linalg;
pub(crate) mod lower;
pub(crate) mod meta;
mod named;
pub(crate) mod ops;
pub(crate) mod pick;
pub(crate) mod random;
pub(crate) mod rechunk;
pub(crate) mod reductions;
mod scalar;
mod several;
pub(crate) mod sort;
mod storage;
mod tile;
mod wiring;
pub(crate) mod write;

use std::marker::PhantomData;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use partita_graph::Run;
use partita_graph::{Code, Failure, Origin, Registry};

pub(crate) use block::{Block, block_of};
pub use chunks::{Along, Chunks, Shape};
pub use class::{Bits, Element, Float, Inexact, Integer, Number, Ordered, Real};
pub use element::DType;
use element::Scalar;
pub(crate) use element::{Held, with_dtype};
pub use fft::{Fft, FftNorm};
pub use lend::ArrayBlock;
pub use linalg::{LeastSquares, MatrixNorm, einsum};
pub(crate) use lower::{Lowered, Lowering, lower_into};
pub(crate) use meta::{Cuts, Meta, unknown_sizes};
pub use ops::blockwise::{blockwise, blockwise_task, blockwise_with, blockwise_with_task};
pub use ops::broadcast_to::broadcast_arrays;
pub use ops::concatenate::{concatenate, dstack, from_blocks, hstack, stack, vstack};
use ops::elementwise::Elementwise;
pub use ops::elementwise::Operand;
pub use ops::gufunc::{
    GufuncOptions, apply_gufunc, apply_gufunc_several, apply_gufunc_several_task, apply_gufunc_task, apply_gufunc_with,
    apply_gufunc_with_task,
};
pub use ops::map_blocks::BlockInfo;
pub use ops::map_overlap::{Boundaries, Boundary, Depths};
pub use ops::meshgrid::meshgrid;
pub use ops::pad::Pad;
pub use ops::search::Side;
#[cfg(feature = "hdf5")]
pub use ops::to_hdf5::{to_hdf5, to_hdf5_on};
pub use ops::where_::{select, where_};
pub use random::Random;
pub use reductions::axes::Axes;
pub use reductions::histogram::Bins;
pub use reductions::histogramdd::{histogramdd, histogramdd_density, histogramdd_weighted};
pub use reductions::quantile::Between;
pub use reductions::samples::{Tested, f_oneway};
pub use reductions::statistics::Norm;
pub use several::{Arrays, NamedArrays, Results};
pub use write::WrittenArray;

/// Lets a registry decode what the tasks of arrays hand to each other.
pub(crate) fn register(registry: &mut Registry) {
    block::register(registry);
    reductions::register(registry);
}

/// A lazy array of any number of axes, in blocks.
///
/// Cloning is cheap: clones share the expression.
///
/// ```
/// use partita::prelude::*;
/// use partita::ndarray::array;
/// let x = DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1);
/// assert_eq!((x.shape()?, x.numblocks()?), (vec![2, 2], vec![2, 2]));
/// assert_eq!(x.compute()?, array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// Steps are written as on an array in memory, and nothing is made before it is asked for:
///
/// ```
/// use partita::prelude::*;
/// use partita::ndarray::s;
/// let x = DArray::<f64>::ones([1000, 1000], [100, 100]);
/// let y = &x + x.t();
/// let z = y.slice(s![..;2, 500..]).mean_axis(1);
/// assert_eq!((z.shape()?, z.chunksize()?), (vec![500], vec![100]));
/// assert!(z.compute()?.iter().all(|mean| *mean == 2.0));
/// # Ok::<(), partita::Error>(())
/// ```
pub struct DArray<T: Element> {
    array: AnyArray,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> Clone for DArray<T> {
    fn clone(&self) -> Self {
        Self::of(self.array.clone())
    }
}

/// An array the kind of whose elements is known only at run time.
///
/// ```
/// use partita::prelude::*;
/// let any = DArray::<f32>::ones([4], 2).to_any();
/// assert_eq!(any.dtype()?, DType::F32);
/// assert!(any.typed::<f64>().is_err());
/// assert_eq!(any.typed::<f32>()?.shape()?, [4]);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone)]
pub struct AnyArray {
    node: Arc<Node>,
}

/// A step, what it reads, and what is known of its result.
pub(crate) struct Node {
    pub step: Arc<dyn Step>,
    pub inputs: Vec<AnyArray>,
    pub meta: Result<Meta, Failure>,
    pub origin: Origin,
}

impl Node {
    /// What is known of the result, or why the step does not fit.
    pub fn known(&self) -> Result<&Meta, Failure> {
        self.meta.as_ref().map_err(Clone::clone)
    }
}

impl Drop for Node {
    /// One after the other: a long chain of steps must not use up the thread's stack.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.inputs);
        while let Some(array) = left.pop() {
            if let Some(mut node) = Arc::into_inner(array.node) {
                left.append(&mut node.inputs);
            }
        }
    }
}

/// One kind of step: what an operation's file implements. Everything that the planner knows of an operation is here.
pub(crate) trait Step: Send + Sync {
    /// One line for plans.
    fn line(&self) -> String;
    /// Kind, shape and chunks of the result, or why the step does not fit.
    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure>;
    /// The operation, if the step is one on each element.
    fn elementwise(&self) -> Option<&Elementwise> {
        None
    }
    /// Whether the step takes the program of its first input in, instead of reading its blocks.
    fn absorbs(&self) -> bool {
        false
    }
    /// The element that the array has everywhere, if it is known to be the same. Readers then make their blocks of it themselves.
    fn everywhere(&self, _inputs: &[AnyArray]) -> Option<Scalar> {
        None
    }
    /// The run that keeps its blocks, if they exist already.
    #[cfg(feature = "cluster")]
    fn kept(&self) -> Option<&Run> {
        None
    }
    /// Layers for the graph; the last of them has one task for each block, in row-major order.
    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure>;
}

impl AnyArray {
    /// A step over inputs; the shape rule runs here.
    pub(crate) fn build(step: Arc<dyn Step>, inputs: Vec<AnyArray>, origin: Origin) -> Self {
        let metas: Result<Vec<&Meta>, Failure> = inputs.iter().map(AnyArray::meta).collect();
        let meta = metas.and_then(|metas| step.meta(&metas)).and_then(|meta| meta.blocks().map(|_| meta));
        let meta = meta.map_err(|failure| failure.origin(Some(&origin)));
        Self { node: Arc::new(Node { step, inputs, meta, origin }) }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The element that it has everywhere, if it is known to be the same.
    pub(crate) fn everywhere(&self) -> Option<Scalar> {
        self.node.step.everywhere(&self.node.inputs)
    }

    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.node) as usize
    }

    /// What is known of it, or the failure of the first step that does not fit.
    pub(crate) fn meta(&self) -> Result<&Meta, Failure> {
        self.node.known()
    }

    /// The kind of its elements.
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn dtype(&self) -> Result<DType, Failure> {
        Ok(self.meta()?.dtype)
    }

    /// The array, when it is of this kind.
    ///
    /// # Errors
    /// Another kind; the failure of the first step that does not fit.
    #[track_caller]
    pub fn typed<T: Element>(&self) -> Result<DArray<T>, Failure> {
        let dtype = self.dtype()?;
        if dtype == T::DTYPE {
            return Ok(DArray::of(self.clone()));
        }
        let what = format!("the array is of {dtype}, and {} was asked for", T::DTYPE);
        Err(Failure::new(Code::TypeMismatch, what).help(format!(".typed::<{dtype}>()?")).origin(Some(&Origin::here(".typed()"))))
    }
}

impl<T: Element> DArray<T> {
    /// An array whose step gives elements of this kind.
    pub(crate) fn of(array: AnyArray) -> Self {
        debug_assert!(!array.meta().is_ok_and(|meta| meta.dtype != T::DTYPE), "{} gives another kind", array.node().step.line());
        Self { array, element: PhantomData }
    }

    /// A step over inputs, at the caller's line.
    #[track_caller]
    pub(crate) fn then(step: impl Step + 'static, inputs: Vec<AnyArray>, method: &str) -> Self {
        Self::of(AnyArray::build(Arc::new(step), inputs, Origin::here(method)))
    }

    /// An array that only carries a failure.
    #[track_caller]
    pub(crate) fn failed(failure: Failure, method: &str) -> Self {
        Self::then(Broken(failure), Vec::new(), method)
    }

    pub(crate) fn untyped(&self) -> &AnyArray {
        &self.array
    }

    /// The array without its kind in the type.
    pub fn to_any(&self) -> AnyArray {
        self.array.clone()
    }
}

/// A step that could not be made, for example an option that cannot be used. It exists so that chains stay chains.
struct Broken(Failure);

impl Step for Broken {
    fn line(&self) -> String {
        "broken".into()
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Err(self.0.clone())
    }

    fn lower(&self, _: &Node, _: &mut Lowering) -> Result<Lowered, Failure> {
        Err(self.0.clone())
    }
}
