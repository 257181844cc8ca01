//! `dot`, `matmul`, `tensordot`, `outer`, `kron`, `trace`: products of arrays as methods.

use partita_graph::{Code, Failure, Origin};

use super::contract::Contract;
use crate::array::meta::axis_of;
use crate::array::{DArray, Number};

impl<T: Number> DArray<T> {
    /// The product of two matrices, of a matrix and a vector, or of two vectors. Further axes in front are gone through side by side, and fit
    /// together as those of elementwise operations do.
    ///
    /// Blocks are multiplied where they are; those that meet along the axis that is summed over are cut alike.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0], [3.0, 4.0]], 1);
    /// assert_eq!(x.matmul(&x).compute()?, array![[7.0, 10.0], [15.0, 22.0]].into_dyn());
    /// let line = DArray::from_array(array![1.0, 1.0], 2);
    /// assert_eq!(x.matmul(&line).compute()?, array![3.0, 7.0].into_dyn());
    /// assert_eq!(line.matmul(&line).compute_scalar()?, 2.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together, arrays without axes.
    #[track_caller]
    pub fn matmul(&self, other: &DArray<T>) -> DArray<T> {
        let (first, second) = match (self.untyped().meta(), other.untyped().meta()) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(failure), _) | (_, Err(failure)) => return DArray::failed(failure, ".matmul(…)"),
        };
        if first.ndim() == 0 || second.ndim() == 0 {
            let what = format!("a product of arrays of shapes {} and {}", first.show_shape(), second.show_shape());
            return DArray::failed(Failure::new(Code::ShapeMismatch, what).help("with a number: &x * 2.0"), ".matmul(…)");
        }
        let ahead = |ndim: usize| ndim.saturating_sub(2);
        let (a, b) = match together(self, other, ahead(first.ndim()), ahead(second.ndim())) {
            Ok(found) => found,
            Err(failure) => return DArray::failed(failure, ".matmul(…)"),
        };
        let batch: Vec<char> = letters(ahead(first.ndim()).max(ahead(second.ndim()))).collect();
        let of = |own: usize, ndim: usize, last: &[char]| {
            let lines = batch.iter().copied().filter(|_| own > 0);
            lines.chain(last.iter().copied().skip(2 - ndim.min(2))).collect::<Vec<char>>()
        };
        // A vector on the left is a row, one on the right is a column; neither leaves an axis in the result.
        let (left, right): (&[char], &[char]) = (&['m', 'k'], if second.ndim() == 1 { &['n', 'k'] } else { &['k', 'n'] });
        let names = [of(ahead(first.ndim()), first.ndim(), left), of(ahead(second.ndim()), second.ndim(), right)];
        let mut out = batch.clone();
        out.extend(['m', 'n'].into_iter().filter(|name| names.iter().any(|names| names.contains(name))));
        DArray::then(Contract { names, out, only_infinite: false }, vec![a.to_any(), b.to_any()], ".matmul(…)")
    }

    /// The sum of products over the last axis of this array and the second to last of another, or its only one: of matrices and vectors the
    /// same as [`DArray::matmul`].
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together.
    #[track_caller]
    pub fn dot(&self, other: &DArray<T>) -> DArray<T> {
        let axis = if other.ndim().is_ok_and(|ndim| ndim == 1) { 0 } else { -2 };
        self.contracted(other, &[-1], &[axis], ".dot(…)")
    }

    /// The sum of products over axes of this array and as many of another, in this order. The result has the other axes of both.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let (x, y) = (DArray::<f64>::ones([2, 3, 4], 2), DArray::<f64>::ones([4, 3, 5], 3));
    /// let product = x.tensordot(&y, &[1, 2], &[1, 0]);
    /// assert_eq!((product.shape()?, product.compute()?[[0, 0]]), (vec![2, 5], 12.0));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: axes that do not exist, are named twice or are of different lengths.
    #[track_caller]
    pub fn tensordot(&self, other: &DArray<T>, own: &[isize], others: &[isize]) -> DArray<T> {
        self.contracted(other, own, others, ".tensordot(…)")
    }

    #[track_caller]
    fn contracted(&self, other: &DArray<T>, own: &[isize], others: &[isize], method: &str) -> DArray<T> {
        let names = || -> Result<([Vec<char>; 2], Vec<char>), Failure> {
            let (a, b) = (self.ndim()?, other.ndim()?);
            if own.len() != others.len() {
                let what = format!("{} axes of one array and {} of the other", own.len(), others.len());
                return Err(Failure::new(Code::ShapeMismatch, what).help("as many of both"));
            }
            let mut letters = letters(a + b);
            let first: Vec<char> = letters.by_ref().take(a).collect();
            let mut second: Vec<char> = letters.collect();
            for (own, other) in own.iter().zip(others) {
                second[axis_of(*other, b)?] = first[axis_of(*own, a)?];
            }
            let out = first.iter().filter(|name| !second.contains(name)).chain(second.iter().filter(|name| !first.contains(name)));
            let out = out.copied().collect();
            Ok(([first, second], out))
        };
        match names() {
            Ok((names, out)) => DArray::then(Contract { names, out, only_infinite: false }, vec![self.to_any(), other.to_any()], method),
            Err(failure) => DArray::failed(failure.origin(Some(&Origin::here(method))), method),
        }
    }

    /// The product of each element of a vector with each of another: rows by columns. Arrays of several axes are taken as vectors.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (x, y) = (DArray::arange(1, 3, 1, 1), DArray::arange(1, 4, 1, 2));
    /// assert_eq!(x.outer(&y).compute()?, array![[1, 2, 3], [2, 4, 6]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn outer(&self, other: &DArray<T>) -> DArray<T> {
        self.ravel().expand_dims(1) * other.ravel().expand_dims(0)
    }

    /// The sum of products of the elements of two arrays of the same number of elements, as one element. Complex numbers of this array are
    /// conjugated first, as with NumPy.
    ///
    /// # Errors
    /// At `compute`: other numbers of elements, sizes of chunks that are not known.
    #[doc(alias = "inner")]
    #[track_caller]
    pub fn vdot(&self, other: &DArray<T>) -> DArray<T> {
        self.conj().ravel().matmul(&other.ravel())
    }

    /// The Kronecker product of two matrices: each element of the first is multiplied with all of the second.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (x, y) = (DArray::from_array(array![[1, 2]], 1), DArray::from_array(array![[1], [10]], 1));
    /// assert_eq!(x.kron(&y).compute()?, array![[1, 2], [10, 20]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: arrays of another number of axes than two, sizes of chunks that are not known.
    #[track_caller]
    pub fn kron(&self, other: &DArray<T>) -> DArray<T> {
        match (self.shape().as_deref(), other.shape().as_deref()) {
            (Ok([rows, columns]), Ok([below, beside])) => {
                let products = self.expand_dims([1, 3]) * other.expand_dims([0, 2]);
                products.reshape([(rows * below) as isize, (columns * beside) as isize])
            }
            (Err(failure), _) | (_, Err(failure)) => DArray::failed(failure.clone(), ".kron(…)"),
            _ => DArray::failed(Failure::new(Code::ShapeMismatch, "a Kronecker product of arrays that are no matrices"), ".kron(…)"),
        }
    }

    /// The sum of the elements on diagonal `k` of a matrix; see [`DArray::diag`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::<f64>::eye(4, 3).trace(0).compute_scalar()?, 4.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of axes than two.
    #[track_caller]
    pub fn trace(&self, k: isize) -> DArray<T::Sum> {
        if self.ndim().is_ok_and(|ndim| ndim != 2) {
            return DArray::failed(Failure::new(Code::ShapeMismatch, "the trace of an array that is no matrix"), ".trace(…)");
        }
        self.diag(k).sum()
    }
}

/// Letters for so many axes, those of the alphabet as far as they go. Some are left for rows and columns.
fn letters(count: usize) -> impl Iterator<Item = char> {
    ('a'..='z').filter(|letter| !['k', 'm', 'n'].contains(letter)).chain('\u{100}'..).take(count)
}

/// Two arrays whose first axes, which are gone through side by side, are of the same lengths.
#[track_caller]
fn together<T: Number>(a: &DArray<T>, b: &DArray<T>, a_ahead: usize, b_ahead: usize) -> Result<(DArray<T>, DArray<T>), Failure> {
    if a_ahead == 0 || b_ahead == 0 {
        return Ok((a.clone(), b.clone()));
    }
    let (own, other) = (a.shape()?, b.shape()?);
    let ahead = a_ahead.max(b_ahead);
    let mut shape = Vec::with_capacity(ahead);
    for at in 0..ahead {
        let len = |lens: &[usize], own: usize| (at + own).checked_sub(ahead).map_or(1, |axis| lens[axis]);
        let (first, second) = (len(&own, a_ahead), len(&other, b_ahead));
        if first != second && first != 1 && second != 1 {
            let what = format!("matrices in arrays of shapes {own:?} and {other:?} do not belong together");
            return Err(Failure::new(Code::ShapeMismatch, what).help("axes before the last two fit when they are equal or 1"));
        }
        shape.push(if first == 1 { second } else { first });
    }
    let wide = |lens: &[usize], ahead: usize| [&shape[..], &lens[ahead..]].concat();
    Ok((a.broadcast_to(wide(&own, a_ahead)), b.broadcast_to(wide(&other, b_ahead))))
}
