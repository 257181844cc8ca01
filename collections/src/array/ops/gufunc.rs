//! `apply_gufunc`: a function of the user's own on the last axes of several arrays, at every place of the other axes; as a closure in
//! process and as a task anywhere.

mod options;
pub(crate) mod places;
mod several;
pub(in crate::array) mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Chunk, Code, Failure, Layer, OpRef};

pub use options::GufuncOptions;
use places::{Inputs, Made, at_places, other_core, view_at};
pub use several::{apply_gufunc_several, apply_gufunc_several_task};
use signature::Signature;

use crate::array::alike::Alike;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, unknown_sizes};
use crate::array::rechunk::rechunk;
use crate::array::several::Arrays;
use crate::array::wiring::follow;
use crate::array::{AnyArray, DArray, DType, Element, Node, Step};
use crate::delayed::BlockValue;
use crate::delayed::call;
use crate::delayed::places::Places;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

/// What a function makes of the last axes of several arrays, which a signature names: `(i,j),(j)->(i)` is a function of a matrix and a vector
/// that gives a vector. These core axes come into one chunk each. All axes before them are gone through place by place, and fit together as
/// those of elementwise operations do. `sizes` says how long axes are that no array has.
///
/// A closure runs in this process only; on a cluster it is refused with the fix, [`apply_gufunc_task`], which also takes arrays of elements
/// of several kinds.
///
/// ```
/// use partita::{apply_gufunc, prelude::*};
/// use partita::ndarray::{arr0, array};
/// let x = DArray::from_array(array![[1.0, 2.0, 6.0], [3.0, 5.0, 7.0]], [1, 2]);
/// let weights = DArray::from_array(array![0.5, 0.25, 0.25], 2);
/// let means = apply_gufunc("(i),(i)->()", &[&x, &weights], &[], |cores| arr0((&cores[0] * &cores[1]).sum()).into_dyn());
/// assert_eq!(means.compute()?, array![2.5, 4.5].into_dyn());
/// // The least and the greatest of each row, side by side.
/// let ends = apply_gufunc("(i)->(ends)", &[&x], &[("ends", 2)], |cores| {
///     let fold = |better: fn(f64, f64) -> f64| cores[0].iter().copied().reduce(better).unwrap_or(f64::NAN);
///     array![fold(f64::min), fold(f64::max)].into_dyn()
/// });
/// assert_eq!(ends.compute()?, array![[1.0, 6.0], [3.0, 7.0]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// ```
/// use partita::{Random, apply_gufunc, prelude::*};
/// use partita::ndarray::array;
/// // Every series with mean 0 and deviation 1, and then what is left of both.
/// let series = Random::new(3).normal_with(5.0, 2.0, [20, 1000], [5, 300]);
/// let standard = apply_gufunc("(time)->(time)", &[&series], &[], |cores| {
///     let mean = cores[0].mean().unwrap_or(0.0);
///     (&cores[0] - mean) / cores[0].std(0.0)
/// });
/// let left = apply_gufunc("(time)->(both)", &[&standard], &[("both", 2)], |cores| array![cores[0].sum(), cores[0].std(0.0)].into_dyn());
/// assert_eq!(left.shape()?, [20, 2]);
/// assert!(left.compute()?.rows().into_iter().all(|row| row[0].abs() < 1e-9 && (row[1] - 1.0).abs() < 1e-12));
/// # Ok::<(), partita::Error>(())
/// ```
///
/// Core axes that are not the last ones are named with [`apply_gufunc_with`]; a function that gives several arrays is called with
/// [`apply_gufunc_several`].
///
/// # Errors
/// At `compute`: a signature that cannot be read or names other than the arrays at hand, arrays with fewer axes than it says, core axes of one
/// name of different lengths or of lengths that are not known, a core axis of the result whose length nothing says. While it runs: a function
/// that panics or gives another shape.
#[doc(alias = "gufunc")]
#[doc(alias = "vectorize")]
#[track_caller]
pub fn apply_gufunc<T: Element, U: Element, F>(signature: &str, arrays: &[&DArray<T>], sizes: &[(&str, usize)], function: F) -> DArray<U>
where
    F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let options = GufuncOptions::sized(sizes);
    let arrays = arrays.iter().map(|array| array.to_any()).collect();
    applied(signature, arrays, &options, "apply_gufunc(…)", |signature| {
        Gufunc::here::<T, U, F>(signature, options.sizes.clone(), function)
    })
}

/// [`apply_gufunc`] where core axes are not the last ones, or are to be kept; see [`GufuncOptions`].
///
/// A closure runs in this process only; on a cluster it is refused with the fix, [`apply_gufunc_with_task`].
///
/// ```
/// use partita::ndarray::array;
/// use partita::{GufuncOptions, apply_gufunc_with, prelude::*};
/// let x = DArray::from_array(array![[1, 4], [2, 8], [7, 9]], 1);
/// // The steps down each column, in the place of the column.
/// let options = GufuncOptions::new().axes([vec![0], vec![0]]).size("steps", 2);
/// let steps = apply_gufunc_with("(i)->(steps)", &[&x], options, |cores| {
///     array![cores[0][[1]] - cores[0][[0]], cores[0][[2]] - cores[0][[1]]].into_dyn()
/// });
/// assert_eq!(steps.compute()?, array![[1, 4], [5, 1]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc`]; at `compute`, axes that do not exist or that do not fit the signature.
#[track_caller]
pub fn apply_gufunc_with<T: Element, U: Element, F>(
    signature: &str,
    arrays: &[&DArray<T>],
    options: GufuncOptions,
    function: F,
) -> DArray<U>
where
    F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let arrays = arrays.iter().map(|array| array.to_any()).collect();
    let step = |signature| Gufunc::here::<T, U, F>(signature, options.sizes.clone(), function);
    applied(signature, arrays, &options, "apply_gufunc_with(…)", step)
}

/// [`apply_gufunc`] with a `#[task]`, which runs anywhere. It takes what lies at one place of each array, in their order, as an
/// `ArrayBlock<T>` or an ndarray, and gives the result for that place; all of them may be of elements of different kinds.
///
/// ```
/// use partita::ndarray::{Array0, Array1, arr0, array};
/// use partita::{ArrayBlock, apply_gufunc_task, prelude::*, task};
///
/// #[task]
/// fn weighted(row: &ArrayBlock<f64>, weights: &Array1<i64>) -> Array0<f64> {
///     let sum = row.view().iter().zip(weights).map(|(x, weight)| x * *weight as f64).sum::<f64>();
///     arr0(sum / weights.sum() as f64)
/// }
///
/// let x = DArray::from_array(array![[1.0, 2.0, 6.0], [3.0, 5.0, 7.0]], [1, 2]);
/// let weights = DArray::from_array(array![2, 1, 1], 2);
/// let means = apply_gufunc_task("(i),(i)->()", (&x, &weights), &[], weighted);
/// assert_eq!(means.compute()?, array![2.5, 4.5].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc`]; while it runs, the task's own failure.
#[track_caller]
pub fn apply_gufunc_task<U, F, I>(signature: &str, arrays: I, sizes: &[(&str, usize)], task: F) -> DArray<U>
where
    U: Element,
    I: Arrays,
    F: TaskOf<I::Arguments> + Task<Output: BlockValue<U>>,
{
    let options = GufuncOptions::sized(sizes);
    let step = |signature| Gufunc::anywhere::<F>(vec![U::DTYPE], signature, options.sizes.clone(), task);
    applied(signature, arrays.untyped(), &options, "apply_gufunc_task(…)", step)
}

/// [`apply_gufunc_with`] with a `#[task]`, which runs anywhere; see [`apply_gufunc_task`].
///
/// ```
/// use partita::ndarray::{Array0, Array1, arr0, array};
/// use partita::{GufuncOptions, apply_gufunc_with_task, prelude::*, task};
///
/// #[task]
/// fn distance(a: &Array1<f64>, b: &Array1<f64>) -> Array0<f64> {
///     arr0(a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt())
/// }
///
/// let x = DArray::from_array(array![[0.0, 3.0], [4.0, 0.0]], 1);
/// let found = apply_gufunc_with_task("(i),(i)->()", (&x, &(&x * 2.0)), GufuncOptions::new().axis(0), distance);
/// assert_eq!(found.compute()?, array![4.0, 3.0].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc_with`]; while it runs, the task's own failure.
#[track_caller]
pub fn apply_gufunc_with_task<U, F, I>(signature: &str, arrays: I, options: GufuncOptions, task: F) -> DArray<U>
where
    U: Element,
    I: Arrays,
    F: TaskOf<I::Arguments> + Task<Output: BlockValue<U>>,
{
    let step = |signature| Gufunc::anywhere::<F>(vec![U::DTYPE], signature, options.sizes.clone(), task);
    applied(signature, arrays.untyped(), &options, "apply_gufunc_with_task(…)", step)
}

/// The array that a step gives, whose arrays have their core axes where the options say, and which then has its own there.
#[track_caller]
fn applied<U: Element>(
    signature: &str,
    arrays: Vec<AnyArray>,
    options: &GufuncOptions,
    method: &str,
    step: impl FnOnce(Signature) -> Gufunc,
) -> DArray<U> {
    let (signature, places, arrays) = match options.prepare(signature, arrays, Some(1)) {
        Ok(prepared) => prepared,
        Err(failure) => return DArray::failed(failure, method),
    };
    let made: DArray<U> = DArray::then(step(signature.clone()), arrays, method);
    match places.in_place(made, 0, &signature) {
        Ok(array) => array,
        Err(failure) => DArray::failed(failure, method),
    }
}

/// The operator, given what it gets and what it makes at each place.
type MakeOperator = Box<dyn Fn(Inputs, Vec<Made>) -> OpRef + Send + Sync>;

pub(super) struct Gufunc {
    /// The kinds of the results' elements.
    dtypes: Vec<DType>,
    signature: Signature,
    /// Of axes by name; those of the arrays come to it.
    sizes: BTreeMap<String, usize>,
    op: MakeOperator,
}

impl Gufunc {
    fn here<T: Element, U: Element, F>(signature: Signature, sizes: BTreeMap<String, usize>, function: F) -> Self
    where
        F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
    {
        let (function, token) = (Arc::new(function), token());
        let op: MakeOperator = Box::new(move |inputs, results| {
            let function = function.clone();
            let core = results.into_iter().next().map(|made| made.core).unwrap_or_default();
            OpRef::closure("apply_gufunc", token, move |_, chunks| {
                let blocks = chunks.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
                let views = blocks.iter().map(|block| block.view::<T>()).collect::<Result<Vec<_>, Failure>>()?;
                let made = at_places::<U>(&inputs.loops(&blocks)?, &core, |place, mut target| {
                    let made = function(&views_at(&views, inputs.cores(), place));
                    if made.shape() != core {
                        return Err(other_core(made.shape(), &core));
                    }
                    target.assign(&made);
                    Ok(())
                });
                Ok(Chunk::new(Block::from_array(made?)))
            })
        });
        Self { dtypes: vec![U::DTYPE], signature, sizes, op }
    }

    pub(super) fn anywhere<F: Task>(dtypes: Vec<DType>, signature: Signature, sizes: BTreeMap<String, usize>, task: F) -> Self {
        // It has no fields: its type says which function it is.
        let _ = task;
        let token = call::token_of::<F>();
        let op: MakeOperator = Box::new(move |inputs, results| call::at_places::<F>(Places { inputs, results }, token));
        Self { dtypes, signature, sizes, op }
    }

    /// The cuts of the axes that are gone through, and what is made at each place of them.
    fn layout(&self, inputs: &[&Meta]) -> Result<(Vec<Cuts>, Vec<Made>), Failure> {
        let mut lens = self.sizes.clone();
        let mut loops = Vec::with_capacity(inputs.len());
        for (meta, core) in inputs.iter().zip(&self.signature.cores) {
            let Some(ahead) = meta.ndim().checked_sub(core.len()) else {
                let what = format!("\"{}\" on an array of shape {}", self.signature.text, meta.show_shape());
                return Err(Failure::new(Code::ShapeMismatch, what).help("as many axes as the signature names, or more in front"));
            };
            for (name, axis) in core.iter().zip(ahead..) {
                let len = meta.cuts[axis].len().ok_or_else(|| unknown_sizes(axis))?;
                let known = *lens.entry(name.clone()).or_insert(len);
                if known != len {
                    let what = format!("core axes `{name}` of \"{}\" are of different lengths: {known} and {len}", self.signature.text);
                    return Err(Failure::new(Code::ShapeMismatch, what));
                }
            }
            loops.push(Meta { dtype: meta.dtype, cuts: meta.cuts[..ahead].to_vec() });
        }
        let mut results = Vec::with_capacity(self.dtypes.len());
        for (names, dtype) in self.signature.outs.iter().zip(&self.dtypes) {
            let core = names.iter().map(|name| {
                let none = || Failure::new(Code::InvalidOption, format!("nothing says how long the core axis `{name}` of the result is"));
                lens.get(name).copied().ok_or_else(|| none().help(format!("say it: &[(\"{name}\", 3)]")))
            });
            results.push(Made { dtype: *dtype, core: core.collect::<Result<Vec<usize>, Failure>>()? });
        }
        Ok((broadcast(&loops.iter().collect::<Vec<_>>())?, results))
    }
}

/// What of each view lies at a place.
fn views_at<'a, T>(views: &[ArrayViewD<'a, T>], cores: &[usize], place: &[usize]) -> Vec<ArrayViewD<'a, T>> {
    views.iter().zip(cores).map(|(view, core)| view_at(view, *core, place)).collect()
}

impl Step for Gufunc {
    fn line(&self) -> String {
        format!("apply_gufunc {}", self.signature.text)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (mut cuts, results) = self.layout(inputs)?;
        // Several results come in one chunk, which is no block: there are as many chunks as there are blocks.
        if let [Made { core, .. }] = &results[..] {
            cuts.extend(core.iter().copied().map(Cuts::whole));
        }
        Ok(Meta { dtype: results[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let ((loops, results), meta) = (self.layout(&metas)?, node.known()?);
        let grid = meta.grid();
        let mut edges = Vec::with_capacity(metas.len());
        for ((array, from), names) in node.inputs.iter().zip(&metas).zip(&self.signature.cores) {
            let own = from.ndim() - names.len();
            let ahead = loops.len() - own;
            let mut cuts = from.cuts.clone();
            for (axis, cuts) in cuts.iter_mut().enumerate() {
                // What is repeated has one chunk, which all tasks read; core axes have one anyway.
                *cuts = match loops.get(ahead + axis).filter(|_| axis < own) {
                    Some(whole) if cuts.len() != Some(1) || whole.len() == Some(1) => whole.clone(),
                    Some(_) => Cuts::whole(1),
                    None => Cuts::whole(cuts.len().ok_or_else(|| unknown_sizes(axis))?),
                };
            }
            let input = lowering.of(array);
            let input = rechunk(lowering, input, from, &cuts, node);
            let own_grid: Vec<usize> = cuts.iter().map(Cuts::count).collect();
            let axes: Vec<Option<usize>> = (0..from.ndim()).map(|axis| (axis < own).then_some(ahead + axis)).collect();
            edges.push(input.edge(follow(&own_grid, &grid, &axes)));
        }
        let gone = |(meta, core): (&&Meta, &Vec<String>)| Meta { dtype: meta.dtype, cuts: meta.cuts[..meta.ndim() - core.len()].to_vec() };
        let gone: Vec<Meta> = metas.iter().zip(&self.signature.cores).map(gone).collect();
        let cores = self.signature.cores.iter().map(Vec::len).collect();
        let inputs = Inputs::new(cores, Alike::of(&gone.iter().collect::<Vec<_>>(), &loops));
        let op = (self.op)(inputs, results);
        Ok(lowering.add(Layer::single("apply_gufunc", meta.blocks()?, op, edges), node))
    }
}
