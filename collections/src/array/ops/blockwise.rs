//! `blockwise`: a function of the user's own on blocks of several arrays that belong together by the names of their axes, in process.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, OpRef};

use crate::array::assemble::joined;
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, tuple};
use crate::array::named::{cuts_by_name, named_cuts};
use crate::array::rechunk::rechunk;
use crate::array::wiring::follow;
use crate::array::{DArray, Element, Node, Step};
use crate::frame::ops::token;

/// From the length of a chunk of the arrays to that of the result.
type Adjust = fn(usize) -> usize;
type Function<T, U> = Arc<dyn Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync>;

/// What a function makes of the blocks of several arrays. Axes have names, one letter each: blocks along axes of one name belong together,
/// and the result has the axes of `out`. Along an axis that the result does not have, blocks are put together before they are handed over.
///
/// A closure runs in this process only; on a cluster it is refused with the fix.
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
/// another shape than that of its axes.
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
    let names = inputs.iter().map(|(_, names)| names.chars().collect()).collect();
    let step = Blockwise {
        out: out.chars().collect(),
        names,
        new_axes: new_axes.to_vec(),
        adjust_chunks: adjust_chunks.to_vec(),
        function: Arc::new(function) as Function<T, U>,
        token: token(),
    };
    DArray::then(step, inputs.iter().map(|(array, _)| array.to_any()).collect(), "blockwise(…)")
}

struct Blockwise<T, U> {
    out: Vec<char>,
    names: Vec<Vec<char>>,
    new_axes: Vec<(char, usize)>,
    adjust_chunks: Vec<(char, Adjust)>,
    function: Function<T, U>,
    token: u64,
}

impl<T, U> Blockwise<T, U> {
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

impl<T: Element, U: Element> Step for Blockwise<T, U> {
    fn line(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|names| names.iter().collect()).collect();
        format!("blockwise {} to {}", names.join(", "), self.out.iter().collect::<String>())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: U::DTYPE, cuts: self.cuts(inputs)? })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let (named, meta) = (named_cuts(&self.names, &metas)?, node.known()?);
        let grid = meta.grid();
        let mut edges = Vec::with_capacity(metas.len());
        // For each array the grid of its blocks that a task reads.
        let mut read: Vec<Vec<usize>> = Vec::with_capacity(metas.len());
        for ((array, from), names) in node.inputs.iter().zip(&metas).zip(&self.names) {
            let cuts = cuts_by_name(names, &named)?;
            let input = lowering.of(array);
            let input = rechunk(lowering, input, &from.cuts, &cuts, node);
            let own: Vec<usize> = cuts.iter().map(Cuts::count).collect();
            let axes: Vec<Option<usize>> = names.iter().map(|name| self.out.iter().position(|out| out == name)).collect();
            edges.push(input.edge(follow(&own, &grid, &axes)));
            read.push(axes.iter().zip(&own).map(|(axis, count)| if axis.is_some() { 1 } else { *count }).collect());
        }
        let args = match meta.places() {
            Ok(places) => places.into_iter().map(|place| Arg::encode(&Some(place.shape))).collect(),
            Err(_) => vec![Arg::encode(&None::<Vec<usize>>); meta.blocks()? as usize],
        };
        let function = self.function.clone();
        let op = OpRef::closure("blockwise", self.token, move |ctx, inputs| {
            let expected: Option<Vec<usize>> = ctx.arg()?.decode()?;
            let blocks = together::<T>(&read, inputs)?;
            let views = blocks.iter().map(Block::view::<T>).collect::<Result<Vec<_>, Failure>>()?;
            let result = function(&views);
            if expected.as_ref().is_some_and(|expected| expected != result.shape()) {
                let what = format!("the function of blockwise gave shape {}", tuple(result.shape()));
                let expected = tuple(expected.unwrap_or_default());
                return Err(Failure::new(Code::UserFunction, what).detail("announced", expected));
            }
            Ok(Chunk::new(Block::from_array(result)))
        });
        Ok(lowering.add(Layer::with_args("blockwise", op, args, edges), node))
    }
}

/// One block for each array, of those that came: for each array a grid of them, one array after the other.
fn together<T: Element>(grids: &[Vec<usize>], inputs: &[Chunk]) -> Result<Vec<Block>, Failure> {
    let mut rest = inputs;
    let mut blocks = Vec::with_capacity(grids.len());
    for grid in grids {
        let count = grid.iter().product();
        let (own, others) = rest.split_at_checked(count).ok_or_else(|| Failure::internal("blockwise: too few blocks"))?;
        let pieces = own.iter().map(|chunk| Ok(block_of(chunk)?.clone())).collect::<Result<Vec<Block>, Failure>>()?;
        blocks.push(match &pieces[..] {
            [one] => one.clone(),
            _ => Block::from_array(joined::<T>(grid, &pieces)?),
        });
        rest = others;
    }
    Ok(blocks)
}
