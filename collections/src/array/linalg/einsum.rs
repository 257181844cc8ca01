//! `einsum`: products and sums of arrays by the names of their axes.

use partita_graph::{Code, Failure};

use super::terms::{Named, multiplied, summed};
use crate::array::named::{DOTS, shown};
use crate::array::{DArray, Number};

/// The sum of products that Einstein's notation says: axes have names, one letter each, and an axis that the result does not have is summed
/// over. Without `->` the result has the axes that are named once, in the order of the alphabet. Three dots stand for all axes without a letter,
/// which are gone through side by side, and repeated where they are of length 1; without `->` they come first in the result.
///
/// Several arrays are multiplied two by two, from the left. Axes that only one of two arrays has, and that nobody needs any more, are summed over before
/// these are multiplied; zeros, infinities and NaN nevertheless meet as if every product was made.
///
/// ```
/// use partita::{einsum, prelude::*, stack};
/// use partita::ndarray::array;
/// let x = DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1);
/// assert_eq!(einsum("ij,jk->ik", &[&x, &x]).compute()?, x.matmul(&x).compute()?);
/// assert_eq!(einsum("ij->j", &[&x]).compute()?, array![4.0, 6.0].into_dyn());
/// assert_eq!(einsum("ij->ji", &[&x]).compute()?, x.t().compute()?);
/// assert_eq!(einsum("ii", &[&x]).compute_scalar()?, 5.0);
/// assert_eq!(einsum("...ij,...jk", &[&stack(&[x.clone(), x.clone()], 0), &x]).shape()?, [2, 2, 2]);
/// assert_eq!(einsum("bii->b", &[&x.expand_dims(0)]).compute()?, array![5.0].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: names that do not fit the arrays, axes of one name of different lengths.
#[track_caller]
pub fn einsum<T: Number>(notation: &str, arrays: &[&DArray<T>]) -> DArray<T> {
    let ndims = arrays.iter().map(|array| array.ndim()).collect::<Result<Vec<usize>, Failure>>();
    let found = ndims.and_then(|ndims| parsed(notation, &ndims)).and_then(|(mut names, out)| {
        let arrays = without_ones(arrays, &mut names)?;
        Ok((arrays, names, out))
    });
    let (arrays, names, out) = match found {
        Ok(found) => found,
        Err(failure) => return DArray::failed(failure, "einsum(…)"),
    };
    let mut left: Option<Named<T>> = None;
    for at in 0..arrays.len() {
        let named = match without_pairs(&arrays[at], &names[at]) {
            Ok(found) => found,
            Err(failure) => return DArray::failed(failure, "einsum(…)"),
        };
        // A name that nobody needs any more is summed over as soon as it can be.
        let needed = |name: &char| out.contains(name) || names[at + 1..].iter().any(|names| names.contains(name));
        left = Some(match left {
            None if arrays.len() == 1 => summed(&named, needed),
            None => named,
            Some(known) => multiplied(&known, &named, needed),
        });
    }
    let Some((array, names)) = left else {
        return DArray::failed(Failure::new(Code::InvalidOption, "einsum of no arrays"), "einsum(…)");
    };
    let order: Vec<isize> = out.iter().filter_map(|name| names.iter().position(|own| own == name)).map(|axis| axis as isize).collect();
    if order.len() != out.len() {
        let what = format!("the result of \"{notation}\" has axes that no array has");
        return DArray::failed(Failure::new(Code::InvalidOption, what), "einsum(…)");
    }
    if order.iter().copied().eq(0..order.len() as isize) { array } else { array.transpose(order) }
}

/// The names of each array's axes, and of the result's. Axes that dots stand for have names of their own, counted from the last of them.
fn parsed(notation: &str, ndims: &[usize]) -> Result<(Vec<Vec<char>>, Vec<char>), Failure> {
    let wrong = || {
        let what = format!("\"{notation}\" for {} arrays", ndims.len());
        let help =
            "one letter for each axis, or ... for some, a comma between arrays, and after -> each axis of the result once: \"ij,jk->ik\"";
        Failure::new(Code::InvalidOption, what).help(help)
    };
    let plain: String = notation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, out) = plain.split_once("->").map_or((&plain[..], None), |(inputs, out)| (inputs, Some(out)));
    let inputs: Vec<&str> = inputs.split(',').collect();
    let letters = |text: &str| text.chars().filter(|c| *c != '.').collect::<Vec<char>>();
    let once = |names: &[char], name: &char| names.iter().filter(|other| *other == name).count() == 1;
    let all: Vec<char> = inputs.iter().copied().flat_map(letters).collect();
    if inputs.len() != ndims.len() || all.iter().chain(&out.map(letters).unwrap_or_default()).any(|name| !name.is_alphabetic()) {
        return Err(wrong());
    }
    // The lengths of what dots stand for.
    let hidden =
        inputs.iter().zip(ndims).map(|(text, ndim)| if text.contains("...") { ndim.saturating_sub(letters(text).len()) } else { 0 });
    let hidden: Vec<usize> = hidden.collect();
    let most = hidden.iter().max().copied().unwrap_or(0);
    let named = |text: &str, count: usize| {
        let (before, behind) = text.split_once("...").unwrap_or((text, ""));
        let is_plain = !before.contains('.') && !behind.contains('.');
        let names = before.chars().chain(DOTS.skip(most - count).take(count)).chain(behind.chars());
        is_plain.then(|| names.collect::<Vec<char>>()).ok_or_else(wrong)
    };
    let names = inputs.iter().zip(&hidden).map(|(text, count)| named(text, *count)).collect::<Result<Vec<_>, Failure>>()?;
    let out = match out {
        // What dots stand for is never summed over without a word.
        Some(text) if most > 0 && !text.contains("...") => return Err(wrong()),
        Some(text) => named(text, if text.contains("...") { most } else { 0 })?,
        None => {
            let mut single: Vec<char> = all.iter().copied().filter(|name| once(&all, name)).collect();
            single.sort_unstable();
            DOTS.take(most).chain(single).collect()
        }
    };
    if out.iter().any(|name| !once(&out, name)) { Err(wrong()) } else { Ok((names, out)) }
}

/// Arrays without the axes of length 1 that dots stand for in one and longer ones in another: these are repeated, which an axis that is not there is
/// as well.
#[track_caller]
fn without_ones<T: Number>(arrays: &[&DArray<T>], names: &mut [Vec<char>]) -> Result<Vec<DArray<T>>, Failure> {
    let shapes = arrays.iter().map(|array| array.shape()).collect::<Result<Vec<_>, Failure>>();
    let Ok(shapes) = shapes else { return Ok(arrays.iter().copied().cloned().collect()) };
    let mut longer = std::collections::BTreeSet::new();
    for (names, shape) in names.iter().zip(&shapes) {
        longer.extend(names.iter().zip(shape).filter(|(name, len)| DOTS.contains(*name) && **len != 1).map(|(name, _)| *name));
    }
    let mut found = Vec::with_capacity(arrays.len());
    for ((array, names), shape) in arrays.iter().zip(names).zip(&shapes) {
        let is_one = |axis: usize| shape.get(axis) == Some(&1) && longer.contains(&names[axis]);
        let ones: Vec<isize> = (0..names.len()).filter(|axis| is_one(*axis)).map(|axis| axis as isize).collect();
        let kept: Vec<char> = (0..names.len()).filter(|axis| !is_one(*axis)).map(|axis| names[axis]).collect();
        found.push(if ones.is_empty() { (*array).clone() } else { array.squeeze(ones) });
        *names = kept;
    }
    Ok(found)
}

/// The array with the names of its axes, where a name that occurs several times stands for the diagonal of all of them.
#[track_caller]
fn without_pairs<T: Number>(array: &DArray<T>, names: &[char]) -> Result<Named<T>, Failure> {
    if array.ndim()? != names.len() {
        let what = format!("the names \"{}\" for an array of {} axes", shown(names), array.ndim()?);
        return Err(Failure::new(Code::ShapeMismatch, what).help("one letter for each axis"));
    }
    let (mut array, mut names) = (array.clone(), names.to_vec());
    while let Some((first, second)) = pair(&names) {
        let (name, shape) = (names.remove(second), array.shape()?);
        if shape[first] != shape[second] {
            let what = format!("axes `{}` are of different lengths: {} and {}", shown(&[name]), shape[first], shape[second]);
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        names.remove(first);
        names.push(name);
        array = array.diagonal(0, first as isize, second as isize);
    }
    Ok((array, names))
}

/// Two axes of one name, if there are any.
fn pair(names: &[char]) -> Option<(usize, usize)> {
    let (second, first) =
        names.iter().enumerate().find_map(|(at, name)| Some((at, names[..at].iter().position(|other| other == name)?)))?;
    Some((first, second))
}
