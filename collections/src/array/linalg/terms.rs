//! Products of two arrays of which axes are left over that only one of them has: these are summed before anything is multiplied, which takes
//! as many steps less as they are long. Where a factor is infinite or NaN that would give another result than the sum of all products: zero
//! times an infinity is met one by one, or not at all.
//!
//! The invariant: what comes out is infinite or NaN exactly where the sum of all products is, up to sums that are too large for a float. Of
//! the elements that are summed the greatest, the least and a zero, if there is one, stand for all of them: a product that is NaN, ∞ or -∞ is
//! there among all products if and only if it is there among those of these three.

use crate::array::linalg::contract::Contract;
use crate::array::{DArray, Number, stack, where_};

/// An array with the names of its axes.
pub(super) type Named<T> = (DArray<T>, Vec<char>);

/// Axes along which elements stand that stand for others: names that are no letters, which nobody can write, and which plans show.
const STANDING: [char; 2] = ['*', '+'];

/// The product of two arrays, summed over all axes that are not needed.
#[track_caller]
pub(super) fn multiplied<T: Number>(first: &Named<T>, second: &Named<T>, needed: impl Fn(&char) -> bool) -> Named<T> {
    let mut out: Vec<char> = first.1.iter().chain(second.1.iter().filter(|name| !first.1.contains(name))).copied().collect();
    let all = out.clone();
    out.retain(&needed);
    let a = summed(first, |name| needed(name) || second.1.contains(name));
    let b = summed(second, |name| needed(name) || first.1.contains(name));
    let is_rounded = T::DTYPE.is_float() || T::DTYPE.is_complex();
    if !is_rounded || (a.1.len() == first.1.len() && b.1.len() == second.1.len()) {
        return (product(&a, &b, &out), out);
    }
    match [lens_without(first, &a.1), lens_without(second, &b.1)].concat() {
        // How many products there are is not known: none at all have the sum zero.
        lens if lens.contains(&None) => {
            let all: Vec<char> =
                all.into_iter().filter(|name| needed(name) || !(first.1.contains(name) && second.1.contains(name))).collect();
            let products = product(first, second, &all);
            summed(&(products, all), needed)
        }
        lens if lens.contains(&Some(0)) => (product(&zeros(&a), &zeros(&b), &out), out),
        _ => {
            let found = product(&a, &b, &out);
            (guarded(&found, [(first, &a.1), (second, &b.1)], &out), out)
        }
    }
}

/// The array summed over all axes but some.
#[track_caller]
pub(super) fn summed<T: Number>((array, names): &Named<T>, needed: impl Fn(&char) -> bool) -> Named<T> {
    let axes: Vec<isize> = (0..names.len()).filter(|axis| !needed(&names[*axis])).map(|axis| axis as isize).collect();
    if axes.is_empty() {
        return (array.clone(), names.clone());
    }
    (array.sum_axis(axes).cast::<T>(), names.iter().copied().filter(&needed).collect())
}

#[track_caller]
fn product<T: Number>(a: &Named<T>, b: &Named<T>, out: &[char]) -> DArray<T> {
    let step = Contract { names: [a.1.clone(), b.1.clone()], out: out.to_vec(), only_infinite: false };
    DArray::then(step, vec![a.0.to_any(), b.0.to_any()], "einsum(…)")
}

/// The lengths of the axes that are not among these names.
fn lens_without<T: Number>((array, names): &Named<T>, kept: &[char]) -> Vec<Option<usize>> {
    let Ok(meta) = array.untyped().meta() else { return Vec::new() };
    names.iter().zip(meta.lens()).filter(|(name, _)| !kept.contains(name)).map(|(_, len)| len).collect()
}

/// Zeros of the same shape, also where its sizes are not known.
#[track_caller]
fn zeros<T: Number>((array, names): &Named<T>) -> Named<T> {
    (where_(&array.is_nonzero(), T::default(), T::default()), names.clone())
}

/// What was found where all products are finite, and elsewhere what they add up to. With each array come the names of the axes that it was
/// not summed over.
#[track_caller]
fn guarded<T: Number>(found: &DArray<T>, [first, second]: [(&Named<T>, &Vec<char>); 2], out: &[char]) -> DArray<T> {
    let (a_re, b_re) = (standing(&first.0.0.re().cast(), first), standing(&second.0.0.re().cast(), second));
    if !T::DTYPE.is_complex() {
        let sums = infinite_sums(&a_re, &b_re, out);
        return found.where_(&sums.is_finite(), sums.cast::<T>());
    }
    // Each part of a product is a sum of two products of parts.
    let (a_im, b_im) = (standing(&first.0.0.im().cast(), first), standing(&second.0.0.im().cast(), second));
    let re = infinite_sums(&a_re, &b_re, out) - infinite_sums(&a_im, &b_im, out);
    let im = infinite_sums(&a_re, &b_im, out) + infinite_sums(&a_im, &b_re, out);
    let are_finite = re.is_finite() & im.is_finite();
    found.where_(&are_finite, re.to_complex(im).cast::<T>())
}

/// The elements that stand for all along the axes that an array was summed over, along a new last axis. Of finite ones no more than the sign
/// is kept, so that no sum of them is too large.
#[track_caller]
fn standing<T: Number>(part: &DArray<f64>, ((_, names), kept): (&Named<T>, &Vec<char>)) -> Named<f64> {
    let axes: Vec<isize> = (0..names.len()).filter(|axis| !kept.contains(&names[*axis])).map(|axis| axis as isize).collect();
    let some = if axes.is_empty() {
        vec![part.clone()]
    } else {
        let (greatest, nearest) = (part.max_axis(axes.clone()), part.abs().min_axis(axes.clone()));
        // Without a zero the greatest stands there once more: what stands for others must be one of them.
        let zero = greatest.where_(&nearest.neq(0.0), 0.0);
        vec![greatest, part.min_axis(axes), zero]
    };
    let mut standing = Vec::with_capacity(some.len());
    for elements in &some {
        standing.push(elements.sign().where_(&elements.is_finite(), elements));
    }
    (stack(&standing, -1).rechunk([(-1, -1)]), kept.clone())
}

/// Sums of products of all that stand for others: infinite or NaN where they are, and of no meaning elsewhere.
#[track_caller]
fn infinite_sums(a: &Named<f64>, b: &Named<f64>, out: &[char]) -> DArray<f64> {
    let [own, other] = STANDING;
    let names = [[&a.1[..], &[own]].concat(), [&b.1[..], &[other]].concat()];
    let step = Contract { names, out: out.to_vec(), only_infinite: true };
    DArray::then(step, vec![a.0.to_any(), b.0.to_any()], "einsum(…)")
}

#[cfg(test)]
mod tests {
    use partita_graph::Serial;

    use super::*;
    use crate::client::operator_registry;

    /// Every pair of rows of one and of the other, with numbers of every class, against the sum of all products.
    #[test]
    fn three_elements_stand_for_all() {
        let numbers = [0.0, -0.0, 1.5, -2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let rows: Vec<[f64; 2]> = numbers.iter().flat_map(|a| numbers.iter().map(move |b| [*a, *b])).collect();
        let table = |chunk: usize| {
            let rows = rows.clone();
            DArray::from_fn([rows.len(), 2], chunk, move |at| rows[at[0]][at[1]])
        };
        let (a, b) = ((table(20), vec!['i', 'j']), (table(33), vec!['k', 'l']));
        let (found, names) = multiplied(&a, &b, |name| ['i', 'k'].contains(name));
        assert_eq!(names, ['i', 'k']);
        let found = found.compute_on(&Serial::new(operator_registry())).expect("it runs");
        for ((at, a), (to, b)) in rows.iter().enumerate().flat_map(|a| rows.iter().enumerate().map(move |b| (a, b))) {
            let expected: f64 = a.iter().flat_map(|a| b.iter().map(move |b| a * b)).sum();
            let found = found[[at, to]];
            assert!(found == expected || (found.is_nan() && expected.is_nan()), "{a:?} by {b:?}: {found}, not {expected}");
        }
    }
}
