//! `apply_gufunc`: a function of the user's own on the last axes of several arrays, at every place of the other axes, in process.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};
use partita_graph::{Chunk, Code, Failure, Layer, OpRef};

use crate::array::alike::Alike;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, tuple, unknown_sizes};
use crate::array::rechunk::rechunk;
use crate::array::wiring::follow;
use crate::array::{DArray, Element, Node, Step};
use crate::frame::ops::token;

type Function<T, U> = Arc<dyn Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync>;

/// What a function makes of the last axes of several arrays, which a signature names: `(i,j),(j)->(i)` is a function of a matrix and a vector
/// that gives a vector. These core axes come into one chunk each. All axes before them are gone through place by place, and fit together as
/// those of elementwise operations do. `sizes` says how long axes are that no array has.
///
/// A closure runs in this process only; on a cluster it is refused with the fix.
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
/// A function gives one array. Several results can be given side by side along a core axis and taken apart with
/// [`DArray::index_axis`].
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
    let (cores, out) = match parsed(signature, arrays.len()) {
        Ok(found) => found,
        Err(failure) => return DArray::failed(failure, "apply_gufunc(…)"),
    };
    let sizes = sizes.iter().map(|(name, len)| ((*name).to_string(), *len)).collect();
    let step = Gufunc::<T, U> { signature: signature.to_string(), cores, out, sizes, function: Arc::new(function), token: token() };
    DArray::then(step, arrays.iter().map(|array| array.to_any()).collect(), "apply_gufunc(…)")
}

/// The names of core axes, array by array.
type Cores = Vec<Vec<String>>;

/// The names in a signature: of the core axes of each array, and of the result.
fn parsed(signature: &str, arrays: usize) -> Result<(Cores, Vec<String>), Failure> {
    let unreadable = |why: &str| {
        let what = format!("the signature \"{signature}\" {why}");
        Failure::new(Code::InvalidOption, what).help("the core axes of each array and of the result: \"(i,j),(j)->(i)\"")
    };
    let (inputs, out) = signature.split_once("->").ok_or_else(|| unreadable("has no ->"))?;
    let (inputs, out) = (groups(inputs), groups(out));
    let (Some(inputs), Some(mut out)) = (inputs, out) else { return Err(unreadable("cannot be read")) };
    if inputs.len() != arrays {
        return Err(unreadable(&format!("is for {} arrays, and {arrays} are given", inputs.len())));
    }
    match (out.pop(), out.is_empty()) {
        (Some(one), true) => Ok((inputs, one)),
        _ => Err(unreadable("is for several results, where a function gives one")),
    }
}

/// `(i,j),(j)` as names.
fn groups(text: &str) -> Option<Cores> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        let (inside, behind) = rest.strip_prefix('(')?.split_once(')')?;
        let names: Vec<String> = inside.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| !name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            return None;
        }
        found.push(names);
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

struct Gufunc<T, U> {
    signature: String,
    cores: Cores,
    out: Vec<String>,
    sizes: BTreeMap<String, usize>,
    function: Function<T, U>,
    token: u64,
}

impl<T: Element, U: Element> Gufunc<T, U> {
    /// The cuts of the axes that are gone through, and the lengths of the core axes of the result.
    fn layout(&self, inputs: &[&Meta]) -> Result<(Vec<Cuts>, Vec<usize>), Failure> {
        let mut lens = self.sizes.clone();
        let mut loops = Vec::with_capacity(inputs.len());
        for (meta, core) in inputs.iter().zip(&self.cores) {
            let Some(ahead) = meta.ndim().checked_sub(core.len()) else {
                let what = format!("\"{}\" on an array of shape {}", self.signature, meta.show_shape());
                return Err(Failure::new(Code::ShapeMismatch, what).help("as many axes as the signature names, or more in front"));
            };
            for (name, axis) in core.iter().zip(ahead..) {
                let len = meta.cuts[axis].len().ok_or_else(|| unknown_sizes(axis))?;
                let known = *lens.entry(name.clone()).or_insert(len);
                if known != len {
                    let what = format!("core axes `{name}` of \"{}\" are of different lengths: {known} and {len}", self.signature);
                    return Err(Failure::new(Code::ShapeMismatch, what));
                }
            }
            loops.push(Meta { dtype: meta.dtype, cuts: meta.cuts[..ahead].to_vec() });
        }
        let core = self.out.iter().map(|name| {
            let none = || Failure::new(Code::InvalidOption, format!("nothing says how long the core axis `{name}` of the result is"));
            lens.get(name).copied().ok_or_else(|| none().help(format!("say it: &[(\"{name}\", 3)]")))
        });
        let core = core.collect::<Result<Vec<usize>, Failure>>()?;
        Ok((broadcast(&loops.iter().collect::<Vec<_>>())?, core))
    }
}

impl<T: Element, U: Element> Step for Gufunc<T, U> {
    fn line(&self) -> String {
        format!("apply_gufunc {}", self.signature)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (mut cuts, core) = self.layout(inputs)?;
        cuts.extend(core.into_iter().map(Cuts::whole));
        Ok(Meta { dtype: U::DTYPE, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let ((loops, core), meta) = (self.layout(&metas)?, node.known()?);
        let grid = meta.grid();
        let mut edges = Vec::with_capacity(metas.len());
        for ((array, from), names) in node.inputs.iter().zip(&metas).zip(&self.cores) {
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
            let input = rechunk(lowering, input, &from.cuts, &cuts, node);
            let own_grid: Vec<usize> = cuts.iter().map(Cuts::count).collect();
            let axes: Vec<Option<usize>> = (0..from.ndim()).map(|axis| (axis < own).then_some(ahead + axis)).collect();
            edges.push(input.edge(follow(&own_grid, &grid, &axes)));
        }
        let gone = |(meta, core): (&&Meta, &Vec<String>)| Meta { dtype: meta.dtype, cuts: meta.cuts[..meta.ndim() - core.len()].to_vec() };
        let gone: Vec<Meta> = metas.iter().zip(&self.cores).map(gone).collect();
        let alike = Alike::of(&gone.iter().collect::<Vec<_>>(), &loops);
        let (function, cores) = (self.function.clone(), self.cores.iter().map(Vec::len).collect::<Vec<usize>>());
        let op = OpRef::closure("apply_gufunc", self.token, move |_, inputs| {
            let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
            alike.check(&blocks)?;
            let views = blocks.iter().map(|block| block.view::<T>()).collect::<Result<Vec<_>, Failure>>()?;
            Ok(Chunk::new(Block::from_array(applied(&*function, &views, &cores, &core)?)))
        });
        Ok(lowering.add(Layer::single("apply_gufunc", meta.blocks()?, op, edges), node))
    }
}

/// Calls a function at each place of the axes before the core axes, of which each view has so many.
fn applied<T: Element, U: Element>(
    function: &dyn Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U>,
    views: &[ArrayViewD<'_, T>],
    cores: &[usize],
    core: &[usize],
) -> Result<ArrayD<U>, Failure> {
    let ahead: Vec<usize> = views.iter().zip(cores).map(|(view, core)| view.ndim().saturating_sub(*core)).collect();
    let mut loops = vec![1; ahead.iter().max().copied().unwrap_or(0)];
    for (view, own) in views.iter().zip(&ahead) {
        let first = loops.len() - own;
        let longer = view.shape()[..*own].iter().zip(&mut loops[first..]).filter(|(len, _)| **len != 1);
        longer.for_each(|(len, known)| *known = *len);
    }
    let mut result = ArrayD::from_elem(IxDyn(&[&loops[..], core].concat()), U::default());
    if loops.contains(&0) {
        return Ok(result);
    }
    let mut position = vec![0; loops.len()];
    loop {
        let found: Vec<ArrayViewD<'_, T>> =
            views.iter().zip(&ahead).map(|(view, own)| core_at(view, &position[loops.len() - own..])).collect();
        let made = function(&found);
        if made.shape() != core {
            let what = format!("the function of apply_gufunc gave shape {}", tuple(made.shape()));
            return Err(Failure::new(Code::UserFunction, what).detail("announced", tuple(core)));
        }
        let mut target = position.iter().fold(result.view_mut(), |target, place| target.index_axis_move(Axis(0), *place));
        target.assign(&made);
        if !advance(&mut position, &loops) {
            return Ok(result);
        }
    }
}

/// The core of a view at a place of its first axes; along those of length 1 it is repeated.
fn core_at<'a, T: Element>(view: &ArrayViewD<'a, T>, places: &[usize]) -> ArrayViewD<'a, T> {
    places.iter().fold(view.clone(), |view, place| {
        let place = if view.shape()[0] == 1 { 0 } else { *place };
        view.index_axis_move(Axis(0), place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read() {
        let names = |text: &str| groups(text).map(|groups| groups.iter().map(|names| names.join(" ")).collect::<Vec<_>>());
        assert_eq!(names("(i,j),(j)"), Some(vec!["i j".to_string(), "j".to_string()]));
        assert_eq!(names(" ( m_1 , 3 ) , () "), Some(vec!["m_1 3".to_string(), String::new()]));
        for text in ["", "i", "(i", "(i)(j)", "(i),", "(i;j)"] {
            assert_eq!(names(text), None, "{text}");
        }
        assert!(parsed("(i)->()", 1).is_ok());
        for (text, arrays) in [("(i)", 1), ("(i)->()", 2), ("(i)->(),()", 1), ("(i)->", 1)] {
            assert_eq!(parsed(text, arrays).map(|_| ()).expect_err(text).code, Code::InvalidOption);
        }
    }
}
