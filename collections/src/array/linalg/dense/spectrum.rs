//! Singular values and eigenvalues, with the vectors that belong to them. Elements so large or so small that their squares are none are brought
//! near 1 first, by a power of two.

use std::cmp::Ordering;

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd as svd_of, svd_scratch};
use faer::{Mat, MatRef, Par};

use super::{Entry, together};

/// Elements between these are left as they are.
const PLAIN: std::ops::Range<f64> = 1e-120..1e120;

/// `u`, singular values in descending order, and `v`, of a matrix with at least as many rows as columns; `None` when elements are infinite or no
/// numbers. Of a pair of vectors and the pair that points the other way it is the one whose elements of `v` have a sum that is not negative.
pub fn svd<E: Entry>(a: MatRef<'_, E>) -> Option<(Mat<E>, Vec<f64>, Mat<E>)> {
    let (a, scale) = scaled(a)?;
    let (rows, columns) = a.shape();
    let (mut u, mut v) = (Mat::<E>::zeros(rows, columns), Mat::<E>::zeros(columns, columns));
    let values = singular(&a, scale, Some((&mut u, &mut v)))?;
    for column in 0..columns {
        if sum(&v, column) < 0.0 {
            for vectors in [&mut u, &mut v] {
                together(vectors.col_mut(column)).iter_mut().for_each(|element| *element = -*element);
            }
        }
    }
    Some((u, values, v))
}

/// The real part of the sum of a column.
fn sum<E: Entry>(of: &Mat<E>, column: usize) -> f64 {
    (0..of.nrows()).map(|row| of[(row, column)].part()).sum()
}

/// Singular values alone, in descending order.
pub fn singular_values<E: Entry>(a: MatRef<'_, E>) -> Option<Vec<f64>> {
    let (a, scale) = scaled(a)?;
    singular(&a, scale, None)
}

fn singular<E: Entry>(a: &Mat<E>, scale: f64, vectors: Option<(&mut Mat<E>, &mut Mat<E>)>) -> Option<Vec<f64>> {
    let (rows, columns) = a.shape();
    if columns == 0 {
        return Some(Vec::new());
    }
    let wanted = if vectors.is_some() { ComputeSvdVectors::Thin } else { ComputeSvdVectors::No };
    let mut memory = MemBuffer::new(svd_scratch::<E>(rows, columns, wanted, wanted, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    let mut values = Diag::<E>::zeros(columns);
    let (u, v) = vectors.map_or((None, None), |(u, v)| (Some(u.as_mut()), Some(v.as_mut())));
    svd_of(a.as_ref(), values.as_mut(), u, v, Par::Seq, stack, Default::default()).ok()?;
    Some(values.column_vector().iter().map(|value| value.part() / scale).collect())
}

/// Eigenvalues in ascending order, and the vectors that belong to them as columns, of a symmetric or Hermitian matrix, of which the lower triangle
/// is looked at; `None` when elements of it are infinite or no numbers.
pub fn eigh<E: Entry>(a: MatRef<'_, E>) -> Option<(Vec<f64>, Mat<E>)> {
    let mut vectors = Mat::<E>::zeros(a.nrows(), a.nrows());
    Some((eigen(a, Some(&mut vectors))?, vectors))
}

/// Eigenvalues alone, in ascending order.
pub fn eigenvalues<E: Entry>(a: MatRef<'_, E>) -> Option<Vec<f64>> {
    eigen(a, None)
}

fn eigen<E: Entry>(a: MatRef<'_, E>, vectors: Option<&mut Mat<E>>) -> Option<Vec<f64>> {
    let n = a.nrows();
    let both = |row: usize, column: usize| match row.cmp(&column) {
        Ordering::Greater => a[(row, column)],
        Ordering::Equal => E::of(a[(row, row)].part()),
        Ordering::Less => a[(column, row)].mirrored(),
    };
    let (a, scale) = scaled(Mat::from_fn(n, n, both).as_ref())?;
    if n == 0 {
        return Some(Vec::new());
    }
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<E>(n, wanted, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    let mut values = Diag::<E>::zeros(n);
    let vectors = vectors.map(|vectors| vectors.as_mut());
    self_adjoint_evd(a.as_ref(), values.as_mut(), vectors, Par::Seq, stack, Default::default()).ok()?;
    Some(values.column_vector().iter().map(|value| value.part() / scale).collect())
}

/// A copy by columns, multiplied by a power of two, and that power.
fn scaled<E: Entry>(a: MatRef<'_, E>) -> Option<(Mat<E>, f64)> {
    let mut greatest = 0.0f64;
    for value in a.col_iter().flat_map(|column| column.iter()) {
        if !value.is_number() {
            return None;
        }
        greatest = greatest.max(value.size());
    }
    let mut copy = a.to_owned();
    if greatest == 0.0 || PLAIN.contains(&greatest) {
        return Some((copy, 1.0));
    }
    let scale = (-greatest.log2().floor()).clamp(-1000.0, 1000.0).exp2();
    (0..copy.ncols()).for_each(|column| copy.col_as_slice_mut(column).iter_mut().for_each(|value| *value *= E::of(scale)));
    Some((copy, scale))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, complex, matrix, unit};
    use super::*;
    use faer::{Scale, c64, mat};

    /// `u · diag(values) · vᴴ` is the matrix, columns stand at right angles, and values are in order.
    fn check_svd<E: Entry>(given: &Mat<E>, tolerance: f64) -> Vec<f64> {
        let (u, values, v) = svd(given.as_ref()).expect("finite");
        let n = values.len();
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]) && values.iter().all(|value| *value >= 0.0));
        let scaled = Mat::from_fn(given.nrows(), n, |row, column| u[(row, column)] * E::of(values[column]));
        assert_close::<E>(&scaled * v.adjoint(), given, tolerance * values.first().unwrap_or(&0.0));
        assert_close::<E>(u.adjoint() * &u, unit::<E>(n), 1e-13 * (n + 1) as f64);
        assert_close::<E>(v.adjoint() * &v, unit::<E>(n), 1e-13 * (n + 1) as f64);
        assert!((0..n).all(|column| sum(&v, column) >= 0.0), "vectors that point the other way");
        let alone = singular_values(given.as_ref()).expect("finite");
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * values[0];
        assert!(alone.len() == n && alone.iter().zip(&values).all(near));
        values
    }

    fn check_eigh<E: Entry>(given: &Mat<E>, tolerance: f64) -> Vec<f64> {
        let (values, vectors) = eigh(given.as_ref()).expect("finite");
        let n = values.len();
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        let scaled = Mat::from_fn(n, n, |row, column| vectors[(row, column)] * E::of(values[column]));
        assert_close::<E>(given * &vectors, scaled, tolerance);
        assert_close::<E>(vectors.adjoint() * &vectors, unit::<E>(n), 1e-13 * (n + 1) as f64);
        let alone = eigenvalues(given.as_ref()).expect("finite");
        assert!(alone.len() == n && alone.iter().zip(&values).all(|(a, b)| (a - b).abs() <= tolerance));
        values
    }

    #[test]
    fn singular_values_and_vectors() {
        for n in SIDES {
            check_svd(&matrix(n, n), 1e-14 * (n + 1) as f64);
            check_svd(&complex(n, n), 1e-14 * (n + 1) as f64);
        }
        check_svd(&matrix(30, 7), 1e-13);
        assert!(check_svd(&matrix(3, 0), 0.0).is_empty());
    }

    #[test]
    fn matrices_of_lower_rank_and_odd_forms() {
        for n in [5, 40, 150] {
            let low: Mat<f64> = matrix(n, 2) * matrix(2, n);
            let values = check_svd(&low, 1e-14 * n as f64);
            assert!(values[1] > 1e-3 && values[2] < 1e-13);
            assert!(check_svd(&Mat::<f64>::zeros(n, n), 1.0).iter().all(|value| *value == 0.0));
            assert!(check_svd(&unit::<f64>(n), 1e-14).iter().all(|value| (value - 1.0).abs() < 1e-14));
            check_svd(&Mat::full(n, n, 1.0), 1e-13);
            // From 1 to 1e-60: the greatest set the scale of what is lost.
            let plain = matrix(n, n);
            check_svd(&Mat::from_fn(n, n, |row, column| plain[(row, column)] * 10.0f64.powi(-(column as i32 % 60))), 1e-13);
        }
    }

    #[test]
    fn eigenvalues_and_vectors() {
        for n in SIDES {
            let root = matrix(n, n);
            check_eigh::<f64>(&(&root + root.transpose()), 1e-13 * (n + 1) as f64);
            let root = complex(n, n);
            check_eigh::<c64>(&(&root + root.adjoint()), 1e-13 * (n + 1) as f64);
        }
        let values = check_eigh(&mat![[2.0, 0.0], [0.0, 1.0]], 1e-15);
        assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 2.0).abs() < 1e-15);
        assert!(check_eigh(&unit::<f64>(70), 1e-14).iter().all(|value| (value - 1.0).abs() < 1e-14));
        assert!(check_eigh(&Mat::<f64>::zeros(40, 40), 0.0).iter().all(|value| *value == 0.0));
        check_eigh(&Mat::full(150, 150, 1.0), 1e-12);
    }

    #[test]
    fn huge_and_tiny_matrices_are_no_others() {
        let plain = matrix(20, 20);
        let values = check_svd(&plain, 1e-13);
        for scale in [1e300, 1e-300] {
            let found = singular_values((&plain * Scale(scale)).as_ref()).expect("finite");
            assert!(found.iter().zip(&values).all(|(found, value)| (found / scale - value).abs() < 1e-13));
            let sum: Mat<f64> = &plain + plain.transpose();
            let (expected, found) = (eigh(sum.as_ref()).expect("finite").0, eigh((&sum * Scale(scale)).as_ref()).expect("finite").0);
            assert!(found.iter().zip(&expected).all(|(found, value)| (found / scale - value).abs() < 1e-13));
        }
        for wrong in [f64::NAN, f64::INFINITY] {
            let mut given = plain.clone();
            given[(3, 4)] = wrong;
            assert!(svd(given.as_ref()).is_none() && singular_values(given.as_ref()).is_none());
            assert!(eigh(given.as_ref()).is_some(), "the upper half is not looked at");
            assert!(eigh(given.transpose()).is_none());
        }
    }
}
