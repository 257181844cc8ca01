//! `blockwise`: a function of the user's own on blocks of several arrays that belong together by the names of their axes; as a closure in
//! process and as a task anywhere.

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Arg, Chunk, Code, Edge, Failure, Layer, OpRef, Wiring};

use crate::array::alike::{Alike, CheckAlike};
use crate::array::announced::{Given, announced};
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance};
use crate::array::named::{cuts_by_name, named_cuts};
use crate::array::rechunk::rechunk;
use crate::array::several::NamedArrays;
use crate::array::wiring::follow;
use crate::array::{DArray, DType, Element, Node, Step};
use crate::delayed::BlockValue;
use crate::delayed::arrays::WholeArray;
use crate::delayed::call::{Slot, given};
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

/// From the length of a chunk of the arrays to that of the result.
type Adjust = fn(usize) -> usize;

/// What a function makes of the blocks of several arrays. Axes have names, one letter each: blocks along axes of one name belong together,
/// and the result has the axes of `out`. Along an axis that the result does not have, blocks are put together before they are handed over.
///
/// A closure runs in this process only; on a cluster it is refused with the fix, [`blockwise_task`], which also takes arrays of elements of
/// several kinds.
///
/// ```
/// use partita::{blockwise, prelude::*};
/// use partita::ndarray::{Ix2, array};
/// let (x, y) = (DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1), DArray::<f64>::eye(2, 1));
/// let product = blockwise("ik", &[(&x, "ij"), (&y, "jk")], |blocks| {
///     let two = |at: usize| blocks[at].view().into_dimensionality::<Ix2>().expect("blocks of two axes");
///     two(0).dot(&two(1)).into_dyn()
/// });
/// assert_eq!(product.compute()?, x.compute()?);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: names that do not fit the arrays, axes of one name of different lengths. While it runs: a function that panics or gives
/// another shape than that of its axes; blocks of different lengths along an axis whose sizes were not known before.
#[doc(alias = "atop")]
#[track_caller]
pub fn blockwise<T: Element, U: Element, F>(out: &str, inputs: &[(&DArray<T>, &str)], function: F) -> DArray<U>
where
    F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    blockwise_with(out, inputs, &[], &[], function)
}

/// [`blockwise`] for functions that give other lengths: `new_axes` are axes of the result that no array has, each in one chunk of this
/// length; `adjust_chunks` says how long a chunk of the result is along an axis where it is so long in the arrays.
///
/// ```
/// use partita::{blockwise_with, prelude::*};
/// use partita::ndarray::{Axis, array, concatenate, stack};
/// let x = DArray::from_array(array![1.0, 2.0, 3.0], 2);
/// // Each element with its square, along a new axis.
/// let powers = blockwise_with("iz", &[(&x, "i")], &[('z', 2)], &[], |blocks| {
///     stack(Axis(1), &[blocks[0].view(), (&blocks[0] * &blocks[0]).view()]).expect("of the same shape")
/// });
/// assert_eq!(powers.compute()?, array![[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]].into_dyn());
/// // Every block twice.
/// let twice = blockwise_with("i", &[(&x, "i")], &[], &[('i', |len| 2 * len)], |blocks| {
///     concatenate(Axis(0), &[blocks[0].view(), blocks[0].view()]).expect("of the same shape")
/// });
/// assert_eq!(twice.compute()?, array![1.0, 2.0, 1.0, 2.0, 3.0, 3.0].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`blockwise`]; a new axis that an array has, an axis that is adjusted and that the result does not have.
#[track_caller]
pub fn blockwise_with<T: Element, U: Element, F>(
    out: &str,
    inputs: &[(&DArray<T>, &str)],
    new_axes: &[(char, usize)],
    adjust_chunks: &[(char, Adjust)],
    function: F,
) -> DArray<U>
where
    F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let op = OpRef::closure("blockwise", token(), move |_, inputs| {
        let views = inputs.iter().map(|input| block_of(input)?.view::<T>()).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Chunk::new(Block::from_array(function(&views))))
    });
    let step = Blockwise {
        dtype: U::DTYPE,
        out: out.chars().collect(),
        names: inputs.iter().map(|(_, names)| names.chars().collect()).collect(),
        new_axes: new_axes.to_vec(),
        adjust_chunks: adjust_chunks.to_vec(),
        op,
        instead: "say how long blocks become: blockwise_with(…)",
    };
    DArray::then(step, inputs.iter().map(|(array, _)| array.to_any()).collect(), "blockwise(…)")
}

/// [`blockwise`] with a `#[task]`, which runs anywhere. It takes a block of each array, in their order, as an `ArrayBlock<T>` or an ndarray,
/// and gives the block of the result; all of them may be of elements of different kinds.
///
/// ```
/// use partita::ndarray::{Array2, array};
/// use partita::{blockwise_task, prelude::*, task};
///
/// #[task]
/// fn product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
///     a.dot(b)
/// }
///
/// let (x, y) = (DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1), DArray::<f64>::eye(2, 1));
/// assert_eq!(blockwise_task("ik", ((&x, "ij"), (&y, "jk")), product).compute()?, x.compute()?);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// A task captures nothing: what a closure would capture is given as an array without axes, whose only element all calls read.
///
/// ```
/// use partita::ndarray::{Array0, Array1, array};
/// use partita::{blockwise_task, prelude::*, task};
///
/// #[task]
/// fn above(x: &Array1<f64>, least: &Array0<f64>) -> Array1<bool> {
///     x.mapv(|x| x > least[()])
/// }
///
/// let (x, least) = (DArray::arange(0.0, 4.0, 1.0, 3), DArray::full((), 1.5, -1));
/// assert_eq!(blockwise_task("i", ((&x, "i"), (&least, "")), above).compute()?, array![false, false, true, true].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`blockwise`]; while it runs, the task's own failure.
#[track_caller]
pub fn blockwise_task<U, F, I>(out: &str, inputs: I, task: F) -> DArray<U>
where
    U: Element,
    I: NamedArrays,
    F: TaskOf<I::Arguments> + Task<Output: BlockValue<U>>,
{
    blockwise_with_task(out, inputs, &[], &[], task)
}

/// [`blockwise_task`] for tasks that give other lengths, see [`blockwise_with`].
///
/// ```
/// use partita::ndarray::{Array1, Array2, Axis, array, stack};
/// use partita::{blockwise_with_task, prelude::*, task};
///
/// #[task]
/// fn powers(x: &Array1<f64>) -> Array2<f64> {
///     stack(Axis(1), &[x.view(), (x * x).view()]).expect("of the same shape")
/// }
///
/// let x = DArray::from_array(array![1.0, 2.0, 3.0], 2);
/// let found = blockwise_with_task("iz", ((&x, "i"),), &[('z', 2)], &[], powers);
/// assert_eq!(found.compute()?, array![[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`blockwise_with`]; while it runs, the task's own failure.
#[track_caller]
pub fn blockwise_with_task<U, F, I>(
    out: &str,
    inputs: I,
    new_axes: &[(char, usize)],
    adjust_chunks: &[(char, Adjust)],
    task: F,
) -> DArray<U>
where
    U: Element,
    I: NamedArrays,
    F: TaskOf<I::Arguments> + Task<Output: BlockValue<U>>,
{
    // It has no fields: its type says which function it is.
    let _ = task;
    let (arrays, names) = (inputs.untyped(), inputs.names());
    let step = Blockwise {
        dtype: U::DTYPE,
        out: out.chars().collect(),
        op: given::<F>(vec![Slot::Input; names.len()]),
        names,
        new_axes: new_axes.to_vec(),
        adjust_chunks: adjust_chunks.to_vec(),
        instead: "say how long blocks become: blockwise_with_task(…)",
    };
    DArray::then(step, arrays, "blockwise_task(…)")
}

struct Blockwise {
    /// The kind of the result's elements.
    dtype: DType,
    out: Vec<char>,
    names: Vec<Vec<char>>,
    new_axes: Vec<(char, usize)>,
    adjust_chunks: Vec<(char, Adjust)>,
    /// Takes a block of each array.
    op: OpRef,
    /// What to write instead when a block is of another shape.
    instead: &'static str,
}

impl Blockwise {
    /// The cuts of the result.
    fn cuts(&self, inputs: &[&Meta]) -> Result<Vec<Cuts>, Failure> {
        if let Some(name) = self.out.iter().enumerate().find_map(|(at, name)| self.out[..at].contains(name).then_some(name)) {
            let what = format!("the result is to have the axis `{name}` twice");
            return Err(Failure::new(Code::InvalidOption, what).help("another letter for each axis of the result"));
        }
        let mut named = named_cuts(&self.names, inputs)?;
        for (name, len) in &self.new_axes {
            if named.insert(*name, Cuts::whole(*len)).is_some() {
                let what = format!("`{name}` is to be a new axis, and an array has it already");
                return Err(Failure::new(Code::InvalidOption, what).help("another letter for the new axis"));
            }
        }
        let mut cuts = cuts_by_name(&self.out, &named)?;
        for (name, adjust) in &self.adjust_chunks {
            let Some(at) = self.out.iter().position(|out| out == name) else {
                let what = format!("chunks along `{name}` are to be adjusted, which the result does not have");
                return Err(Failure::new(Code::InvalidOption, what));
            };
            if let Cuts::Known(sizes) = &cuts[at] {
                cuts[at] = Cuts::Known(sizes.iter().map(|size| adjust(*size)).collect());
            }
        }
        Ok(cuts)
    }
}

impl Step for Blockwise {
    fn line(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|names| names.iter().collect()).collect();
        format!("blockwise {} to {}", names.join(", "), self.out.iter().collect::<String>())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.dtype, cuts: self.cuts(inputs)? })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let (named, meta) = (named_cuts(&self.names, &metas)?, node.known()?);
        let grid = meta.grid();
        let mut edges = Vec::with_capacity(metas.len());
        for ((array, from), names) in node.inputs.iter().zip(&metas).zip(&self.names) {
            let cuts = cuts_by_name(names, &named)?;
            let input = lowering.of(array);
            let input = rechunk(lowering, input, from, &cuts, node);
            let own: Vec<usize> = cuts.iter().map(Cuts::count).collect();
            let axes: Vec<Option<usize>> = names.iter().map(|name| self.out.iter().position(|out| out == name)).collect();
            let edge = input.edge(follow(&own, &grid, &axes));
            let read: Vec<usize> = axes.iter().zip(&own).map(|(axis, count)| if axis.is_some() { 1 } else { *count }).collect();
            edges.push(together(edge, from.dtype, read, meta.blocks()?, node, lowering));
        }
        alike(Alike::of_names(&self.names, &metas), &mut edges, &grid, node, lowering);
        let called = lowering.add(Layer::single("blockwise", meta.blocks()?, self.op.clone(), edges), node);
        announced(called, &Given { method: "blockwise", help: self.instead, like: None }, node, lowering)
    }
}

/// Lets the first of several arrays pass through tasks that look whether blocks along axes of unknown sizes are as long as each other.
fn alike(alike: Alike, edges: &mut [Edge], grid: &[usize], node: &Node, lowering: &mut Lowering) {
    if alike.is_empty() {
        return;
    }
    let mut args = Vec::with_capacity(grid.iter().product());
    let mut position = vec![0; grid.len()];
    loop {
        args.push(Arg::encode(&position));
        if !advance(&mut position, grid) {
            break;
        }
    }
    let op = OpRef::new(CheckAlike { alike }, "blocks as long as each other");
    edges[0] = lowering.add(Layer::with_args("alike", op, args, edges.to_vec()), node).edge(Wiring::Each);
}

/// The edge by which each task reads one block of an array, where `edge` reads a grid of them.
fn together(edge: Edge, dtype: DType, grid: Vec<usize>, tasks: u32, node: &Node, lowering: &mut Lowering) -> Edge {
    if grid.iter().all(|blocks| *blocks == 1) {
        return edge;
    }
    let op = OpRef::new(WholeArray { dtype, grid }, "blocks along axes that the result does not have");
    lowering.add(Layer::single("together", tasks, op, vec![edge]), node).edge(Wiring::Each)
}
