//! The factors of a matrix by Householder's reflections: columns that stand at right angles, kept as the reflections that make them, and an upper
//! triangle whose diagonal is not negative, so that the factors of a matrix of full rank are the only ones there are.
//!
//! A tall matrix is cut into pieces of rows that fit the cache; the triangles of pieces are put on top of each other and factored again. Within
//! a piece columns are taken in halves, so that nearly all is products (E. Elmroth, F. G. Gustavson, "Applying recursion to serial and parallel
//! QR factorization", 2000). faer's own factorization takes a column for a sum of others when less than 16 roundings for each of its rows are
//! left, which for a long column is a lot.

use std::borrow::Cow;
use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_transpose_on_the_left_in_place_scratch as reflect_scratch,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as reflect, make_householder_in_place,
};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::matmul::{dot::inner_prod, matmul};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::traits::Conjugate;
use faer::{Accum, ColMut, Conj, Mat, MatMut, MatRef, Par};

use super::{Entry, together};

/// Elements of a piece, about: with its columns it fits the second cache.
const PIECE: usize = 48 << 10;
/// So many columns are worked on one by one.
const NARROW: usize = 8;

/// The reflections of one matrix, or of the triangles of its pieces on top of each other.
pub struct Level<'a, E: Entry> {
    /// Rows of what was factored.
    pub rows: usize,
    /// For each piece a matrix by columns, as long and wide as the piece; below its diagonal stand the vectors, whose first elements are 1.
    pub vectors: Cow<'a, [E]>,
    /// For each piece a square matrix by columns, an upper triangle `t`, such that its reflections are together `1 - v t⁻¹ vᴴ`.
    pub common: Cow<'a, [E]>,
}

/// Columns at right angles, as what makes them: reflections, level by level, and for each column what it is multiplied with.
pub struct Columns<'a, E: Entry> {
    /// Of the matrix.
    pub columns: usize,
    /// The first are those of the matrix itself.
    pub levels: Vec<Level<'a, E>>,
    /// 1 or -1 for each column, or another number of size 1.
    pub signs: Cow<'a, [E]>,
}

/// Rows of pieces. Several have at least twice as many rows as columns.
fn pieces(rows: usize, columns: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = (rows / (PIECE / columns.max(1)).max(2 * columns).max(1)).max(1);
    (0..count).map(move |at| rows * at / count..rows * (at + 1) / count)
}

/// Elements of `common` for a matrix of this size.
fn common_len(rows: usize, columns: usize) -> usize {
    pieces(rows, columns).map(|piece| piece.len().min(columns).pow(2)).sum()
}

/// Columns at right angles, as many as the shorter side is long, and the upper triangle.
pub fn qr<E: Entry>(a: MatRef<'_, E>) -> (Columns<'static, E>, Mat<E>) {
    let columns = a.ncols();
    let (mut level, mut triangle) = factored(a);
    let mut levels = Vec::new();
    while pieces(level.rows, columns).len() > 1 {
        levels.push(level);
        (level, triangle) = factored(triangle.as_ref());
    }
    levels.push(level);
    let signs = straightened(triangle.as_mut());
    (Columns { columns, levels, signs: signs.into() }, triangle)
}

/// Turns the rows of a triangle so that its diagonal is not negative, and says by what the columns beside it are to be multiplied.
pub(super) fn straightened<E: Entry>(mut triangle: MatMut<'_, E>) -> Vec<E> {
    let side = triangle.nrows().min(triangle.ncols());
    let mut signs = vec![E::of(1.0); side];
    for (row, sign) in signs.iter_mut().enumerate() {
        let own = triangle[(row, row)];
        *sign = own.direction();
        if *sign != E::of(1.0) {
            triangle[(row, row)] = E::of(own.distance());
            let back = sign.mirrored();
            (row + 1..triangle.ncols()).for_each(|column| triangle[(row, column)] *= back);
        }
    }
    signs
}

/// The reflections of all pieces, and their triangles on top of each other.
fn factored<E: Entry>(a: MatRef<'_, E>) -> (Level<'static, E>, Mat<E>) {
    let (rows, columns) = a.shape();
    let mut vectors = vec![E::of(0.0); rows * columns];
    let mut common = vec![E::of(0.0); common_len(rows, columns)];
    let mut triangles = Mat::<E>::zeros(pieces(rows, columns).map(|piece| piece.len().min(columns)).sum(), columns);
    let side = rows.min(columns);
    let mut memory = MemBuffer::new(reflect_scratch::<E>(rows, side, columns));
    let stack = MemStack::new(&mut memory);
    let (mut left_vectors, mut left_common, mut row) = (&mut vectors[..], &mut common[..], 0);
    for piece in pieces(rows, columns) {
        let rank = piece.len().min(columns);
        let (own, rest) = std::mem::take(&mut left_vectors).split_at_mut(piece.len() * columns);
        let (own_common, rest_common) = std::mem::take(&mut left_common).split_at_mut(rank * rank);
        (left_vectors, left_common) = (rest, rest_common);
        let mut v = MatMut::from_column_major_slice_mut(own, piece.len(), columns);
        v.copy_from(a.get(piece, ..));
        if rank > 0 {
            factor(v.rb_mut(), MatMut::from_column_major_slice_mut(own_common, rank, rank), stack);
        }
        for column in 0..columns {
            for at in 0..rank.min(column + 1) {
                triangles[(row + at, column)] = v[(at, column)];
            }
        }
        row += rank;
    }
    (Level { rows, vectors: vectors.into(), common: common.into() }, triangles)
}

/// Brings a matrix into an upper triangle, and below its diagonal the vectors of the reflections that do it.
pub(super) fn factor<E: Entry>(a: MatMut<'_, E>, mut t: MatMut<'_, E>, stack: &mut MemStack) {
    let (rows, columns) = a.shape();
    if columns > rows {
        let (mut left, right) = a.split_at_col_mut(rows);
        factor(left.rb_mut(), t.rb_mut(), stack);
        return reflect(left.rb(), t.rb(), Conj::Yes, right, Par::Seq, stack);
    }
    if columns <= NARROW {
        return one_by_one(a, t, stack);
    }
    let half = columns / 2;
    let (mut left, mut right) = a.split_at_col_mut(half);
    let (mut first, mut cross, _, second) = t.split_at_mut(half, half);
    factor(left.rb_mut(), first.rb_mut(), stack);
    reflect(left.rb(), first.rb(), Conj::Yes, right.rb_mut(), Par::Seq, stack);
    let mut rest = right.split_at_row_mut(half).1;
    factor(rest.rb_mut(), second, stack);
    let (corner, below) = rest.rb().split_at_row(columns - half);
    let (beside, under) = left.rb().split_at_row(half).1.split_at_row(columns - half);
    let lower = BlockStructure::UnitTriangularLower;
    multiply_unit(cross.rb_mut(), beside.adjoint(), BlockStructure::Rectangular, corner, lower, (Accum::Replace, 1.0));
    matmul(cross, Accum::Add, under.adjoint(), below, E::of(1.0), Par::Seq);
}

/// A product of which one factor is a triangle with ones on its diagonal, whatever stands there.
fn multiply_unit<E: Entry, A: Conjugate<Canonical = E>>(
    out: MatMut<'_, E>,
    a: MatRef<'_, A>,
    a_form: BlockStructure,
    b: MatRef<'_, E>,
    b_form: BlockStructure,
    (accum, scale): (Accum, f64),
) {
    triangular::matmul(out, BlockStructure::Rectangular, accum, a, a_form, b, b_form, E::of(scale), Par::Seq);
}

/// The same for few columns.
fn one_by_one<E: Entry>(mut a: MatMut<'_, E>, mut t: MatMut<'_, E>, stack: &mut MemStack) {
    for at in 0..a.ncols() {
        let (mut done, rest) = a.rb_mut().split_at_row_mut(at).1.split_at_col_mut(at + 1);
        let Some((head, tail)) = together(done.rb_mut().col_mut(at)).split_first_mut() else { return };
        t[(at, at)] = E::of(make_householder_in_place(head, ColMut::from_slice_mut(tail)).tau);
        reflect(done.rb().get(.., at..at + 1), t.rb().get(at..at + 1, at..at + 1), Conj::Yes, rest, Par::Seq, stack);
        for other in 0..at {
            let (head, tail) = (a[(at, other)], at + 1..a.nrows());
            let (own, others) = (a.rb().col(at).get(tail.clone()), a.rb().col(other).get(tail));
            t[(other, at)] = head.mirrored() + inner_prod(others.transpose(), Conj::Yes, own, Conj::No);
        }
    }
}

impl<E: Entry> Level<'_, E> {
    /// For each piece its rows, the vectors of its reflections, and what they have in common. The level is as long as it says.
    fn pieces(&self, columns: usize) -> impl Iterator<Item = (Range<usize>, MatRef<'_, E>, MatRef<'_, E>)> {
        let mut common = &self.common[..];
        pieces(self.rows, columns).map(move |range| {
            let rank = range.len().min(columns);
            let own = &self.vectors[range.start * columns..range.end * columns];
            let (own_common, rest) = common.split_at(rank * rank);
            common = rest;
            let vectors = MatRef::from_column_major_slice(own, range.len(), columns);
            (range, vectors.get(.., ..rank), MatRef::from_column_major_slice(own_common, rank, rank))
        })
    }
}

impl<E: Entry> Columns<'_, E> {
    /// Whether it is as long as it says everywhere.
    pub fn is_whole(&self) -> bool {
        let mut expected = self.levels.first().map_or(0, |level| level.rows);
        for level in &self.levels {
            let whole = level.rows == expected && level.vectors.len() == level.rows * self.columns;
            if !whole || level.common.len() != common_len(level.rows, self.columns) {
                return false;
            }
            expected = pieces(level.rows, self.columns).map(|piece| piece.len().min(self.columns)).sum();
        }
        !self.levels.is_empty() && self.signs.len() == expected
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.levels.first().map_or(0, |level| level.rows)
    }

    /// The product of their conjugate transpose with a matrix that has as many rows as they are long.
    pub fn turn(&self, other: MatRef<'_, E>) -> Mat<E> {
        let mut turned: Option<Mat<E>> = None;
        for level in &self.levels {
            let from = turned.as_ref().map_or(other, |turned| turned.as_ref());
            let height: usize = pieces(level.rows, self.columns).map(|piece| piece.len().min(self.columns)).sum();
            let mut made = Mat::<E>::zeros(height, other.ncols());
            let mut row = 0;
            for (range, v, t) in level.pieces(self.columns) {
                let rank = t.ncols();
                if rank > 0 && other.ncols() > 0 {
                    turned_back(v, t, from.get(range, ..), made.get_mut(row..row + rank, ..));
                }
                row += rank;
            }
            turned = Some(made);
        }
        let mut turned = turned.unwrap_or_else(|| Mat::<E>::zeros(0, other.ncols()));
        for (row, sign) in self.signs.iter().enumerate().filter(|(_, sign)| **sign != E::of(1.0)) {
            (0..turned.ncols()).for_each(|column| turned[(row, column)] *= sign.mirrored());
        }
        turned
    }

    /// Their product with a matrix that has a row for each of them, row after row.
    pub fn times(&self, other: MatRef<'_, E>) -> Vec<E> {
        let width = other.ncols();
        let mut known: Vec<E> =
            self.signs.iter().enumerate().flat_map(|(row, sign)| (0..width).map(move |column| *sign * other[(row, column)])).collect();
        let mut height = self.signs.len();
        for level in self.levels.iter().rev() {
            let mut product = vec![E::of(0.0); level.rows * width];
            let mut row = 0;
            for (range, v, t) in level.pieces(self.columns) {
                let (rank, len) = (t.ncols(), range.len());
                let part = MatRef::from_row_major_slice(&known, height, width).get(row..row + rank, ..);
                let out = &mut product[range.start * width..range.end * width];
                if rank > 0 && width > 0 {
                    reflected(v, t, part, MatMut::from_row_major_slice_mut(out, len, width));
                }
                row += rank;
            }
            (known, height) = (product, level.rows);
        }
        known
    }
}

/// What reflections make of a matrix that has zeros below its rows: `(1 - v t⁻¹ vᴴ) · [a; 0]`.
fn reflected<E: Entry>(v: MatRef<'_, E>, t: MatRef<'_, E>, a: MatRef<'_, E>, out: MatMut<'_, E>) {
    let rank = v.ncols();
    let (corner, below) = v.split_at_row(rank);
    let mut share = Mat::<E>::zeros(rank, a.ncols());
    let (upper, lower) = (BlockStructure::UnitTriangularUpper, BlockStructure::UnitTriangularLower);
    multiply_unit(share.as_mut(), corner.adjoint(), upper, a, BlockStructure::Rectangular, (Accum::Replace, 1.0));
    solve_upper_triangular_in_place(t, share.as_mut(), Par::Seq);
    let (mut top, rest) = out.split_at_row_mut(rank);
    top.copy_from(a);
    multiply_unit(top, corner, lower, share.as_ref(), BlockStructure::Rectangular, (Accum::Add, -1.0));
    matmul(rest, Accum::Replace, below, share.as_ref(), E::of(-1.0), Par::Seq);
}

/// The first rows of what the same reflections, the other way round, make of a matrix: of `(1 - v t⁻ᴴ vᴴ) · a`.
fn turned_back<E: Entry>(v: MatRef<'_, E>, t: MatRef<'_, E>, a: MatRef<'_, E>, mut out: MatMut<'_, E>) {
    let rank = v.ncols();
    let (corner, below) = v.split_at_row(rank);
    let (top, rest) = a.split_at_row(rank);
    let mut share = Mat::<E>::zeros(rank, a.ncols());
    let (upper, lower) = (BlockStructure::UnitTriangularUpper, BlockStructure::UnitTriangularLower);
    multiply_unit(share.as_mut(), corner.adjoint(), upper, top, BlockStructure::Rectangular, (Accum::Replace, 1.0));
    matmul(share.as_mut(), Accum::Add, below.adjoint(), rest, E::of(1.0), Par::Seq);
    solve_lower_triangular_in_place(t.adjoint(), share.as_mut(), Par::Seq);
    out.copy_from(top);
    multiply_unit(out, corner, lower, share.as_ref(), BlockStructure::Rectangular, (Accum::Add, -1.0));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, complex, matrix, only, unit};
    use super::*;

    /// The columns at right angles themselves.
    fn q<E: Entry>(found: &Columns<'_, E>) -> Mat<E> {
        let (rows, rank) = (found.rows(), found.signs.len());
        MatRef::from_row_major_slice(&found.times(unit::<E>(rank).as_ref()), rows, rank).to_owned()
    }

    fn check<E: Entry>(given: &Mat<E>, tolerance: f64) -> Mat<E> {
        let (rows, columns) = given.shape();
        let (found, triangle) = qr(given.as_ref());
        assert!(found.is_whole());
        let (q, rank) = (q(&found), rows.min(columns));
        assert_eq!((q.shape(), triangle.shape()), ((rows, rank), (rank, columns)));
        let sides = given.get(.., ..columns.min(3));
        assert_close::<E>(found.turn(sides), q.adjoint() * sides, 1e-13 * (10 + rank) as f64);
        assert_close::<E>(&q * &triangle, given, tolerance);
        assert_close::<E>(q.adjoint() * &q, unit::<E>(rank), 1e-13 * (10 + rank) as f64);
        assert_close(only(&triangle, |row, column| row <= column), &triangle, 0.0);
        assert!((0..rank).all(|at| triangle[(at, at)].part() >= 0.0 && triangle[(at, at)] == E::of(triangle[(at, at)].part())));
        triangle
    }

    #[test]
    fn factors_multiply_to_the_matrix() {
        for n in SIDES {
            check(&matrix(n, n), 1e-12);
            check(&complex(n, n), 1e-12);
        }
        for (rows, columns) in [(5, 3), (3, 5), (40, 90), (1000, 7), (20_000, 13), (3000, 40), (0, 3), (3, 0), (300_000, 1)] {
            check(&matrix(rows, columns), 1e-12);
            check(&complex(rows, columns), 1e-12);
        }
    }

    #[test]
    fn columns_that_depend_on_each_other_do_no_harm() {
        for (rows, columns) in [(50, 4), (2500, 20), (9, 9)] {
            let mut given = matrix(rows, columns);
            let double: Vec<f64> = given.col_as_slice(0).iter().map(|value| value * 2.0).collect();
            given.col_as_slice_mut(2).copy_from_slice(&double);
            given.col_as_slice_mut(3).fill(0.0);
            check(&given, 1e-13);
        }
        let low: Mat<f64> = matrix(400, 2) * matrix(2, 30);
        check(&low, 1e-12);
        assert_close(check(&Mat::<f64>::zeros(60, 20), 0.0), Mat::<f64>::zeros(20, 20), 0.0);
        check(&Mat::full(40, 40, 1.0), 1e-13);
    }

    #[test]
    fn what_is_small_beside_its_column_is_not_left_out() {
        // A second column that differs from the first by 1e-11 of it.
        let plain = matrix(5000, 2);
        let given = Mat::from_fn(5000, 2, |row, column| plain[(row, 0)] + if column == 1 { 1e-11 * plain[(row, 1)] } else { 0.0 });
        let triangle = check(&given, 1e-14);
        let expected = check(&plain, 1e-12);
        assert!((triangle[(1, 1)] / expected[(1, 1)] - 1e-11).abs() < 1e-15);
    }

    #[test]
    fn sizes_from_tiny_to_huge_do_no_harm() {
        let plain = matrix(100, 30);
        let scale = |column: usize| 10.0f64.powi(column as i32 * 16 - 240);
        let given = Mat::from_fn(100, 30, |row, column| plain[(row, column)] * scale(column));
        let (found, triangle) = qr(given.as_ref());
        let scaled = Mat::from_fn(30, 30, |row, column| triangle[(row, column)] / scale(column));
        assert_close(q(&found) * scaled, plain, 1e-13);
    }

    #[test]
    fn what_is_too_short_is_noticed() {
        let (mut found, _) = qr(matrix(30, 4).as_ref());
        found.columns = 5;
        assert!(!found.is_whole());
    }
}
