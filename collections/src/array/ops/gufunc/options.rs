//! How users say where core axes are, and how long those are that no array has.

use std::collections::BTreeMap;

use partita_graph::{Code, Failure};

use super::signature::Signature;
use crate::array::meta::{axis_of, tuple};
use crate::array::{AnyArray, DArray, Element, with_dtype};

/// Where the core axes of [`apply_gufunc_with`](crate::apply_gufunc_with) are, if they are not the last ones, and how long those are that no
/// array has.
///
/// ```
/// use partita::ndarray::{arr0, array};
/// use partita::{GufuncOptions, apply_gufunc_with, prelude::*};
/// let x = DArray::from_array(array![[1.0, 2.0, 6.0], [3.0, 5.0, 7.0]], 1);
/// let sum_of = |options: GufuncOptions| apply_gufunc_with("(i)->()", &[&x], options, |cores| arr0(cores[0].sum()).into_dyn());
/// assert_eq!(sum_of(GufuncOptions::new().axis(0)).compute()?, array![4.0, 7.0, 13.0].into_dyn());
/// assert_eq!(sum_of(GufuncOptions::new().axis(1).keepdims()).compute()?, array![[9.0], [15.0]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct GufuncOptions {
    pub(super) sizes: BTreeMap<String, usize>,
    axes: Option<Vec<Vec<isize>>>,
    axis: Option<isize>,
    keepdims: bool,
}

impl GufuncOptions {
    /// Core axes are the last ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and how long core axes of the result are that no array has.
    pub(super) fn sized(sizes: &[(&str, usize)]) -> Self {
        Self { sizes: sizes.iter().map(|(name, len)| ((*name).to_string(), *len)).collect(), ..Self::default() }
    }

    /// How long a core axis of the result is that no array has.
    pub fn size(mut self, name: impl Into<String>, len: usize) -> Self {
        self.sizes.insert(name.into(), len);
        self
    }

    /// The core axes of each array, in the order in which the signature names them; behind those of the arrays, if they are given, those of the
    /// result, which else are its last. Negative ones count from the back.
    ///
    /// ```
    /// use partita::ndarray::{Axis, array};
    /// use partita::{GufuncOptions, apply_gufunc_with, prelude::*};
    /// let x = DArray::from_array(array![[[1, 2], [3, 4]], [[5, 6], [7, 8]]], 1);
    /// // Matrices along the first two axes, turned.
    /// let options = GufuncOptions::new().axes([vec![0, 1], vec![0, 1]]);
    /// let turned = apply_gufunc_with("(i,j)->(j,i)", &[&x], options, |cores| cores[0].view().reversed_axes().to_owned());
    /// assert_eq!(turned.compute()?, x.swap_axes(0, 1).compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    pub fn axes(mut self, axes: impl IntoIterator<Item = Vec<isize>>) -> Self {
        self.axes = Some(axes.into_iter().collect());
        self
    }

    /// The only core axis, which all arrays have, and that of the result if it has one.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = Some(axis);
        self
    }

    /// Core axes stay as axes of length 1, where they are in the first array, or where `axes` says of the result. All arrays have as many of
    /// them, and the result has none.
    pub fn keepdims(mut self) -> Self {
        self.keepdims = true;
        self
    }

    /// What a text says of so many arrays, where their core axes are, and the arrays with these at the end.
    #[track_caller]
    pub(super) fn prepare(
        &self,
        signature: &str,
        arrays: Vec<AnyArray>,
        results: Option<usize>,
    ) -> Result<(Signature, CorePlaces, Vec<AnyArray>), Failure> {
        let signature = Signature::parsed(signature, arrays.len(), results)?;
        let places = self.places(&signature)?;
        let arrays = places.at_end(arrays, &signature)?;
        Ok((signature, places, arrays))
    }

    /// For each array its core axes, where they are not the last; for each result those, and which new ones it gets.
    fn places(&self, signature: &Signature) -> Result<CorePlaces, Failure> {
        let refused = |why: &str| Failure::new(Code::InvalidOption, format!("\"{}\" {why}", signature.text));
        let (arrays, results) = (signature.cores.len(), signature.outs.len());
        let mut places = match (self.axis, &self.axes) {
            (None, None) => CorePlaces { arrays: vec![None; arrays], outs: vec![None; results], kept: None },
            (Some(_), Some(_)) => return Err(refused("is given the core axes twice").help("either .axis(…) or .axes(…)")),
            (Some(axis), None) => {
                let differs = |names: &Vec<String>| names.len() != 1 || *names != signature.cores[0];
                if signature.cores.iter().any(differs) || signature.outs.iter().any(|names| names.len() > 1) {
                    return Err(refused("has not one core axis that all share").help("those of each array: .axes([vec![0], vec![1]])"));
                }
                CorePlaces { arrays: vec![Some(vec![axis]); arrays], outs: vec![Some(vec![axis]); results], kept: None }
            }
            (None, Some(axes)) => {
                let (own, of_results) = axes.split_at_checked(arrays).ok_or_else(|| refused("needs the core axes of each array"))?;
                if !of_results.is_empty() && of_results.len() != results {
                    let given = axes.len();
                    return Err(refused(&format!("has {arrays} arrays and {results} results, and axes are given for {given}")));
                }
                let outs = (0..results).map(|at| of_results.get(at).cloned()).collect();
                CorePlaces { arrays: own.iter().cloned().map(Some).collect(), outs, kept: None }
            }
        };
        if self.keepdims {
            let count = signature.cores.first().map_or(0, Vec::len);
            if signature.outs.iter().any(|names| !names.is_empty()) || signature.cores.iter().any(|names| names.len() != count) {
                return Err(refused("cannot keep core axes: arrays have several numbers of them, or a result has some"));
            }
            let first = places.arrays.first().cloned().flatten().unwrap_or_else(|| (-(count as isize)..0).collect());
            let kept = places.outs.iter().map(|own| own.clone().unwrap_or_else(|| first.clone()));
            places.kept = Some(kept.collect());
        }
        places.outs.iter_mut().zip(&signature.outs).filter(|(_, names)| names.is_empty()).for_each(|(out, _)| *out = None);
        Ok(places)
    }
}

/// Where core axes are; `None` for the last ones.
pub(super) struct CorePlaces {
    arrays: Vec<Option<Vec<isize>>>,
    outs: Vec<Option<Vec<isize>>>,
    /// New axes of the results.
    kept: Option<Vec<Vec<isize>>>,
}

impl CorePlaces {
    /// The arrays with their core axes at the end.
    #[track_caller]
    fn at_end(&self, arrays: Vec<AnyArray>, signature: &Signature) -> Result<Vec<AnyArray>, Failure> {
        let mut moved = Vec::with_capacity(arrays.len());
        for ((array, axes), names) in arrays.into_iter().zip(&self.arrays).zip(&signature.cores) {
            let Some(axes) = axes else {
                moved.push(array);
                continue;
            };
            let meta = array.meta()?;
            let cores = numbered(axes, meta.ndim(), names.len())?;
            let order = (0..meta.ndim()).filter(|axis| !cores.contains(axis)).chain(cores.iter().copied()).map(|axis| axis as isize);
            let order: Vec<isize> = order.collect();
            moved.push(with_dtype!(meta.dtype, T => array.typed::<T>()?.transpose(order).to_any()));
        }
        Ok(moved)
    }

    /// A result with its core axes where they are to be, given with them at its end.
    #[track_caller]
    pub fn in_place<U: Element>(&self, made: DArray<U>, at: usize, signature: &Signature) -> Result<DArray<U>, Failure> {
        if let Some(kept) = &self.kept {
            return Ok(made.expand_dims(kept[at].clone()));
        }
        let Some(out) = &self.outs[at] else { return Ok(made) };
        let ndim = made.ndim()?;
        let cores = numbered(out, ndim, signature.outs[at].len())?;
        let mut loops = 0..ndim - cores.len();
        let mut order = Vec::with_capacity(ndim);
        for axis in 0..ndim {
            let core = cores.iter().position(|core| *core == axis).map(|at| ndim - cores.len() + at);
            order.extend(core.or_else(|| loops.next()).map(|axis| axis as isize));
        }
        Ok(made.transpose(order))
    }
}

/// So many axes by their numbers.
fn numbered(axes: &[isize], ndim: usize, count: usize) -> Result<Vec<usize>, Failure> {
    let found = axes.iter().map(|axis| axis_of(*axis, ndim)).collect::<Result<Vec<usize>, Failure>>()?;
    let twice = found.iter().enumerate().any(|(at, axis)| found[..at].contains(axis));
    if twice || found.len() != count {
        let what = format!("core axes {} are given where the signature names {count}", tuple(axes));
        return Err(Failure::new(Code::InvalidOption, what).help("each core axis once, in the order of the signature"));
    }
    Ok(found)
}
