//! A panel of a larger matrix, some columns in all their length, brought into a triangle by Householder's reflections, and what the same
//! reflections do to other columns.
//!
//! It refuses to know how many panels there are. The invariant: the diagonal of the triangle is not negative, so that the factors of a matrix of
//! full rank do not depend on how it is cut.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_on_the_left_in_place_scratch as back_scratch,
    apply_block_householder_on_the_left_in_place_with_conj as reflect_back,
    apply_block_householder_transpose_on_the_left_in_place_scratch as scratch,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as reflect,
};
use faer::prelude::ReborrowMut;
use faer::{Conj, Mat, MatMut, MatRef, Par};

use super::Entry;
use super::qr::{factor, straightened};

/// The reflections of a panel, from a row of it on.
pub struct Reflections<'a, E: Entry> {
    /// Rows of the matrix above the first that they change.
    pub start: usize,
    /// The panel: the triangle, and what stands above it, and below the diagonal the vectors, whose first elements are 1.
    pub panel: MatRef<'a, E>,
    /// An upper triangle `t`, such that all of them are together `1 - v t⁻¹ vᴴ`.
    pub common: MatRef<'a, E>,
    /// What each column at right angles is multiplied with, 1 or of size 1.
    pub signs: &'a [E],
}

/// A panel with its triangle and its vectors, what its reflections have in common, and what columns at right angles are multiplied with. There are
/// as many of them as columns, or as rows from `start` on if these are fewer.
pub fn reflected<E: Entry>(columns: MatRef<'_, E>, start: usize) -> (Mat<E>, Mat<E>, Vec<E>) {
    let mut panel = columns.to_owned();
    let mut own = panel.as_mut().split_at_row_mut(start).1;
    let rank = own.nrows().min(own.ncols());
    let mut common = Mat::<E>::zeros(rank, rank);
    if rank == 0 {
        return (panel, common, Vec::new());
    }
    let mut memory = MemBuffer::new(scratch::<E>(own.nrows(), rank, own.ncols()));
    factor(own.rb_mut(), common.as_mut(), MemStack::new(&mut memory));
    let signs = straightened(own.split_at_row_mut(rank).0);
    (panel, common, signs)
}

impl<'a, E: Entry> Reflections<'a, E> {
    /// Whether its parts belong together.
    pub fn is_whole(&self) -> bool {
        let rank = self.panel.nrows().saturating_sub(self.start).min(self.panel.ncols());
        self.start <= self.panel.nrows() && self.common.shape() == (rank, rank) && self.signs.len() == rank
    }

    fn vectors(&self) -> MatRef<'a, E> {
        self.panel.split_at_row(self.start).1.get(.., ..self.signs.len())
    }

    /// Does to other columns of the matrix what made the triangle of this panel.
    pub fn forward(&self, columns: MatMut<'_, E>) {
        let mut own = columns.split_at_row_mut(self.start).1;
        if self.signs.is_empty() || own.ncols() == 0 {
            return;
        }
        let mut memory = MemBuffer::new(scratch::<E>(own.nrows(), self.signs.len(), own.ncols()));
        reflect(self.vectors(), self.common, Conj::Yes, own.rb_mut(), Par::Seq, MemStack::new(&mut memory));
        for (row, sign) in self.signs.iter().enumerate().filter(|(_, sign)| **sign != E::of(1.0)) {
            (0..own.ncols()).for_each(|column| own[(row, column)] *= sign.mirrored());
        }
    }

    /// Does to columns at right angles of later panels what is left to do for this one.
    pub fn back(&self, columns: MatMut<'_, E>) {
        let own = columns.split_at_row_mut(self.start).1;
        if self.signs.is_empty() || own.ncols() == 0 {
            return;
        }
        let mut memory = MemBuffer::new(back_scratch::<E>(own.nrows(), self.signs.len(), own.ncols()));
        reflect_back(self.vectors(), self.common, Conj::No, own, Par::Seq, MemStack::new(&mut memory));
    }

    /// Its own columns at right angles, as far as its own reflections make them.
    pub fn columns(&self) -> Mat<E> {
        let mut columns = Mat::<E>::zeros(self.panel.nrows(), self.signs.len());
        self.signs.iter().enumerate().for_each(|(at, sign)| columns[(self.start + at, at)] = *sign);
        self.back(columns.as_mut());
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::super::qr::qr;
    use super::super::tests::{SIDES, assert_close, complex, matrix, unit};
    use super::*;

    /// Both factors, panel by panel.
    fn factors<E: Entry>(given: &Mat<E>, width: usize) -> (Mat<E>, Mat<E>) {
        let (rows, width_all) = given.shape();
        let rank = rows.min(width_all);
        let mut cuts: Vec<usize> = (0..rank).step_by(width).collect();
        cuts.push(rank);
        let mut triangle = given.clone();
        let mut panels = Vec::new();
        for pair in cuts.windows(2) {
            let (own, rest) = triangle.as_mut().split_at_col_mut(pair[1]);
            let (panel, common, signs) = reflected(own.as_ref().get(.., pair[0]..), pair[0]);
            let all = Reflections { start: pair[0], panel: panel.as_ref(), common: common.as_ref(), signs: &signs };
            assert!(all.is_whole());
            all.forward(rest);
            panels.push((pair[0], panel, common, signs));
        }
        let mut q = Mat::<E>::zeros(rows, rank);
        for (at, (start, panel, common, signs)) in panels.iter().enumerate() {
            triangle.get_mut(.., *start..cuts[at + 1]).copy_from(panel);
            let all = Reflections { start: *start, panel: panel.as_ref(), common: common.as_ref(), signs };
            let mut own = all.columns();
            for (start, panel, common, signs) in panels[..at].iter().rev() {
                let before = Reflections { start: *start, panel: panel.as_ref(), common: common.as_ref(), signs };
                before.back(own.as_mut());
            }
            q.get_mut(.., *start..cuts[at + 1]).copy_from(own);
        }
        let upper = Mat::from_fn(rank, width_all, |row, column| if row <= column { triangle[(row, column)] } else { E::of(0.0) });
        (q, upper)
    }

    fn check<E: Entry>(given: &Mat<E>) {
        for width in [1, 7, 32, 300] {
            let (q, upper) = factors(given, width);
            assert_close::<E>(&q * &upper, given, 1e-12);
            assert_close::<E>(q.adjoint() * &q, unit::<E>(q.ncols()), 1e-12);
            let expected = qr(given.as_ref()).1;
            assert_close::<E>(upper, expected, 1e-8);
        }
    }

    #[test]
    fn panels_make_the_same_factors_however_wide_they_are() {
        for n in SIDES {
            check(&matrix(n, n));
            check(&complex(n, n));
        }
        for (rows, columns) in [(90, 30), (30, 90), (5, 0), (0, 5)] {
            check(&matrix(rows, columns));
            check(&complex(rows, columns));
        }
    }
}
