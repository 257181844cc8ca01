//! The factors of a tall matrix by Householder's reflections: columns that stand at right angles, and an upper triangle.
//!
//! A tall matrix is cut into pieces of rows that fit the cache; the triangles of pieces are put on top of each other and factored again. The
//! signs are such that the diagonal of the triangle is not negative, so that the factors of a matrix of full rank are the only ones there are.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, concatenate, s};

/// Elements of a piece, about: with its columns it fits the second cache.
const PIECE: usize = 48 << 10;

/// Columns at right angles (`rows` by `min(rows, columns)`) and the upper triangle.
pub fn qr(a: &ArrayView2<'_, f64>) -> (Array2<f64>, Array2<f64>) {
    let (rows, columns) = a.dim();
    let piece = (PIECE / columns.max(1)).max(2 * columns).max(1);
    if rows <= piece + piece / 2 {
        return small(a);
    }
    let pieces: Vec<(Array2<f64>, Array2<f64>)> = a.axis_chunks_iter(Axis(0), piece).map(|piece| small(&piece)).collect();
    let triangles: Vec<ArrayView2<'_, f64>> = pieces.iter().map(|(_, triangle)| triangle.view()).collect();
    // Triangles have the same number of columns, so they stand on top of each other.
    let stacked = concatenate(Axis(0), &triangles).unwrap_or_else(|_| Array2::zeros((0, columns)));
    let (top, triangle) = qr(&stacked.view());
    let mut q = Array2::zeros((rows, top.ncols()));
    let (mut row, mut line) = (0, 0);
    for (own, triangle) in &pieces {
        let above = top.slice(s![line..line + triangle.nrows(), ..]);
        general_mat_mul(1.0, own, &above, 0.0, &mut q.slice_mut(s![row..row + own.nrows(), ..]));
        (row, line) = (row + own.nrows(), line + triangle.nrows());
    }
    (q, triangle)
}

/// The factors of a matrix that fits the cache. It is worked on with rows and columns exchanged, so that columns lie together.
fn small(a: &ArrayView2<'_, f64>) -> (Array2<f64>, Array2<f64>) {
    let (rows, columns) = a.dim();
    let rank = rows.min(columns);
    let mut turned: Array2<f64> = a.t().as_standard_layout().into_owned();
    let mut scales = Vec::with_capacity(rank);
    for at in 0..rank {
        let scale = reflector(&mut turned, at);
        let (own, mut rest) = turned.view_mut().split_at(Axis(0), at + 1);
        let own = own.slice(s![at, at..]);
        reflect(own.as_slice().unwrap_or_default(), scale, &mut rest, at);
        scales.push(scale);
    }
    let triangle = Array2::from_shape_fn((rank, columns), |(row, column)| if row <= column { turned[[column, row]] } else { 0.0 });
    // The reflections, last first, turn the first columns of a unit matrix to those that are looked for.
    let mut q = Array2::zeros((rank, rows));
    for at in (0..rank).rev() {
        q[[at, at]] = 1.0;
        let own: Vec<f64> = std::iter::once(1.0).chain(turned.slice(s![at, at + 1..]).iter().copied()).collect();
        reflect(&own, scales[at], &mut q.slice_mut(s![at.., ..]), at);
    }
    positive(q, triangle)
}

/// Makes a column zero below its diagonal. In their places stands the vector by which it was reflected, without its first element, which is 1;
/// given back is its scale.
fn reflector(turned: &mut Array2<f64>, at: usize) -> f64 {
    let mut column = turned.slice_mut(s![at, at..]);
    let first = column[0];
    let below = column.iter().skip(1).map(|x| x * x).sum::<f64>();
    if below == 0.0 {
        return 0.0;
    }
    let norm = first.hypot(below.sqrt());
    let value = if first >= 0.0 { -norm } else { norm };
    let scale = (value - first) / value;
    let factor = 1.0 / (first - value);
    column.iter_mut().skip(1).for_each(|x| *x *= factor);
    column[0] = value;
    scale
}

/// Reflects rows from element `at` on. The first element of the vector counts as 1.
fn reflect(vector: &[f64], scale: f64, rows: &mut ArrayViewMut2<'_, f64>, at: usize) {
    let Some((_, below)) = vector.split_first().filter(|_| scale != 0.0) else { return };
    for mut row in rows.rows_mut() {
        let Some((first, rest)) = row.as_slice_mut().and_then(|row| row.get_mut(at..)).and_then(|row| row.split_first_mut()) else {
            continue;
        };
        let product = *first + dot(below, rest);
        let factor = scale * product;
        *first -= factor;
        rest.iter_mut().zip(below).for_each(|(x, v)| *x -= factor * v);
    }
}

/// The sum of products, in several sums at a time.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_parts, a_rest) = a.as_chunks::<8>();
    let (b_parts, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_parts.iter().zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// The factors with a diagonal that is not negative, given the first with rows and columns exchanged.
fn positive(mut q: Array2<f64>, mut triangle: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    for at in 0..triangle.nrows() {
        if triangle[[at, at]] < 0.0 {
            triangle.row_mut(at).mapv_inplace(|x| -x);
            q.row_mut(at).mapv_inplace(|x| -x);
        }
    }
    (q.reversed_axes(), triangle)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, matrix};
    use super::*;

    #[test]
    fn factors_multiply_to_the_matrix() {
        let sizes = [(1, 1), (5, 3), (3, 5), (40, 40), (1000, 7), (20_000, 13), (5000, 60), (0, 3), (3, 0)];
        for (rows, columns) in sizes {
            let given = matrix(rows, columns);
            let (q, triangle) = qr(&given.view());
            let rank = rows.min(columns);
            assert_eq!((q.dim(), triangle.dim()), ((rows, rank), (rank, columns)));
            assert_close(&q.dot(&triangle), &given, 1e-11);
            assert_close(&q.t().dot(&q), &Array2::eye(rank), 1e-12);
            assert!(triangle.indexed_iter().all(|((row, column), value)| if row > column {
                *value == 0.0
            } else {
                row < column || *value >= 0.0
            }));
        }
    }

    #[test]
    fn columns_that_depend_on_each_other_do_no_harm() {
        let mut given = matrix(50, 4);
        let first = given.column(0).to_owned();
        given.column_mut(2).assign(&(first * 2.0));
        given.column_mut(3).fill(0.0);
        let (q, triangle) = qr(&given.view());
        assert_close(&q.dot(&triangle), &given, 1e-13);
        assert_close(&q.t().dot(&q), &Array2::eye(4), 1e-13);
    }
}
