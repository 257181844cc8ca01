//! `einsum`: products and sums of arrays by the names of their axes.

use partita_graph::{Code, Failure};

use super::contract::Contract;
use crate::array::{DArray, Number};

/// The sum of products that Einstein's notation says: axes have names, one letter each, and an axis that the result does not have is summed
/// over. Without `->` the result has the axes that are named once, in the order of the alphabet.
///
/// Several arrays are multiplied two by two, from the left.
///
/// ```
/// use partita::{einsum, prelude::*};
/// use partita::ndarray::array;
/// let x = DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1);
/// assert_eq!(einsum("ij,jk->ik", &[&x, &x]).compute()?, x.matmul(&x).compute()?);
/// assert_eq!(einsum("ij->j", &[&x]).compute()?, array![4.0, 6.0].into_dyn());
/// assert_eq!(einsum("ij->ji", &[&x]).compute()?, x.t().compute()?);
/// assert_eq!(einsum("ii", &[&x]).compute_scalar()?, 5.0);
/// assert_eq!(einsum("bii->b", &[&x.expand_dims(0)]).compute()?, array![5.0].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: names that do not fit the arrays, axes of one name of different lengths.
#[track_caller]
pub fn einsum<T: Number>(notation: &str, arrays: &[&DArray<T>]) -> DArray<T> {
    let (names, out) = match parsed(notation, arrays.len()) {
        Ok(found) => found,
        Err(failure) => return DArray::failed(failure, "einsum(…)"),
    };
    let mut left: Option<(DArray<T>, Vec<char>)> = None;
    for at in 0..arrays.len() {
        let (array, own) = match without_pairs(arrays[at], &names[at]) {
            Ok(found) => found,
            Err(failure) => return DArray::failed(failure, "einsum(…)"),
        };
        // A name that nobody needs any more is summed over as soon as it can be.
        let needed = |name: &char| out.contains(name) || names[at + 1..].iter().any(|names| names.contains(name));
        left = Some(match left {
            None => summed(&array, &own, needed),
            Some((known, known_names)) => {
                let (array, own) = summed(&array, &own, |name| needed(name) || known_names.contains(name));
                let mut all: Vec<char> = known_names.iter().chain(own.iter().filter(|name| !known_names.contains(name))).copied().collect();
                let (known, known_names) = summed(&known, &known_names, |name| needed(name) || own.contains(name));
                all.retain(needed);
                let inputs = vec![known.to_any(), array.to_any()];
                (DArray::then(Contract { names: [known_names, own], out: all.clone() }, inputs, "einsum(…)"), all)
            }
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

/// The names of each array's axes, and of the result's.
fn parsed(notation: &str, count: usize) -> Result<(Vec<Vec<char>>, Vec<char>), Failure> {
    let (inputs, out) = notation.split_once("->").map_or((notation, None), |(inputs, out)| (inputs, Some(out)));
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<char>>();
    let names: Vec<Vec<char>> = inputs.split(',').map(letters).collect();
    let all: Vec<char> = names.concat();
    let out = out.map(letters).unwrap_or_else(|| {
        let mut once: Vec<char> = all.iter().copied().filter(|name| all.iter().filter(|other| *other == name).count() == 1).collect();
        once.sort_unstable();
        once
    });
    let twice = out.iter().enumerate().any(|(at, name)| out[..at].contains(name));
    if names.len() != count || twice || all.iter().chain(&out).any(|name| !name.is_alphabetic()) {
        let what = format!("\"{notation}\" for {count} arrays");
        let help = "one letter for each axis, a comma between arrays, and after -> each axis of the result once: \"ij,jk->ik\"";
        return Err(Failure::new(Code::InvalidOption, what).help(help));
    }
    Ok((names, out))
}

/// The array with the names of its axes, where a name that occurs several times stands for the diagonal of all of them.
#[track_caller]
fn without_pairs<T: Number>(array: &DArray<T>, names: &[char]) -> Result<(DArray<T>, Vec<char>), Failure> {
    if array.ndim()? != names.len() {
        let text: String = names.iter().collect();
        let what = format!("the names \"{text}\" for an array of {} axes", array.ndim()?);
        return Err(Failure::new(Code::ShapeMismatch, what).help("one letter for each axis"));
    }
    let (mut array, mut names) = (array.clone(), names.to_vec());
    while let Some((first, second)) = pair(&names) {
        let (name, shape) = (names.remove(second), array.shape()?);
        if shape[first] != shape[second] {
            let what = format!("axes `{name}` are of different lengths: {} and {}", shape[first], shape[second]);
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

/// The array summed over all axes but some.
#[track_caller]
fn summed<T: Number>(array: &DArray<T>, names: &[char], needed: impl Fn(&char) -> bool) -> (DArray<T>, Vec<char>) {
    let axes: Vec<isize> = (0..names.len()).filter(|axis| !needed(&names[*axis])).map(|axis| axis as isize).collect();
    if axes.is_empty() {
        return (array.clone(), names.to_vec());
    }
    (array.sum_axis(axes).cast::<T>(), names.iter().copied().filter(&needed).collect())
}
