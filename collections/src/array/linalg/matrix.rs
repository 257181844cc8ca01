//! Blocks of two axes as matrices of faer, and back. A block whose rows or columns lie together is read where it lies.
//!
//! It refuses to know what matrices are good for. The invariant: a block that was sent, or was on disk, is read in the same order as before,
//! so that results do not depend on where a block was made.

use std::borrow::Cow;

use faer::{Mat, MatMut, MatRef};
use ndarray::{Array2, ShapeBuilder};
use partita_graph::Failure;

use super::dense::Entry;
use crate::array::block::Block;
use crate::array::element::{C128, Held};

/// Elements of blocks that are factored: `f64`, or complex numbers of two.
pub(super) trait Exact: Entry + Held {}

impl Exact for f64 {}
impl Exact for C128 {}

/// Evaluates an expression with the type of which blocks that are factored are. Of others the function around it fails.
macro_rules! with_exact {
    ($dtype:expr, $E:ident => $body:expr) => {
        $crate::array::element::with_kinds!($dtype, $E => $body, [F64 f64, Complex128 $crate::array::element::C128,]
            other => return Err(partita_graph::Failure::internal(format!("linalg: factors of {other}"))))
    };
}
pub(super) use with_exact;

/// A block, ready to be read as a matrix.
pub(super) struct Matrix<'a, T: Held> {
    memory: Cow<'a, [T]>,
    rows: usize,
    columns: usize,
    /// Elements from the beginning of a row to that of the next, or of columns.
    step: usize,
    by_rows: bool,
}

impl<'a, T: Held> Matrix<'a, T> {
    /// Without a copy where rows lie together, or columns without anything between them.
    pub(super) fn of(block: &'a Block) -> Result<Self, Failure> {
        let ([rows, columns], [down, along]) = (block.shape(), block.strides()) else {
            return Err(Failure::internal("linalg: a block that is no matrix"));
        };
        let (rows, columns, down, along) = (*rows, *columns, *down, *along);
        let memory = block.memory::<T>()?;
        let from = |len: usize| Cow::Borrowed(&memory[block.offset()..block.offset() + len]);
        if rows == 0 || columns == 0 {
            return Ok(Self { memory: Cow::Borrowed(&[]), rows, columns, step: columns, by_rows: true });
        }
        // A single row or column may have any stride across.
        let is_row = rows == 1 && (along == 1 || columns == 1);
        let is_column = columns == 1 && down == 1;
        if is_row || is_column {
            return Ok(Self { memory: from(rows * columns), rows, columns, step: columns, by_rows: true });
        }
        if rows > 1 && columns > 1 && along == 1 && down >= columns as isize {
            let step = down as usize;
            return Ok(Self { memory: from((rows - 1) * step + columns), rows, columns, step, by_rows: true });
        }
        // With something between columns it would be sent in row-major order, and is read so here too.
        if rows > 1 && columns > 1 && down == 1 && along == rows as isize {
            return Ok(Self { memory: from(rows * columns), rows, columns, step: rows, by_rows: false });
        }
        Ok(Self { memory: Cow::Owned(block.to_vec()?), rows, columns, step: columns, by_rows: true })
    }

    /// For reading with faer.
    pub(super) fn view(&self) -> MatRef<'_, T> {
        if self.by_rows {
            MatRef::from_row_major_slice_with_stride(&self.memory, self.rows, self.columns, self.step)
        } else {
            MatRef::from_column_major_slice_with_stride(&self.memory, self.rows, self.columns, self.step)
        }
    }
}

/// A copy of a matrix, column after column, which can be changed in place and become a block without another copy.
pub(super) struct Copied<T: Held> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
}

impl<T: Held> Copied<T> {
    pub(super) fn of(matrix: MatRef<'_, T>) -> Self {
        let (rows, columns) = matrix.shape();
        let mut values = Vec::with_capacity(rows * columns);
        matrix.col_iter().for_each(|column| values.extend(column.iter().copied()));
        Self { values, rows, columns }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::from_column_major_slice_mut(&mut self.values, self.rows, self.columns)
    }

    pub(super) fn block(self) -> Result<Block, Failure> {
        let array = Array2::from_shape_vec((self.rows, self.columns).f(), self.values);
        array.map(|array| Block::from_array(array.into_dyn())).map_err(|e| Failure::internal(format!("linalg: {e}")))
    }
}

/// A block with a copy of a matrix, column after column.
pub(super) fn block_of_matrix<T: Held>(matrix: MatRef<'_, T>) -> Result<Block, Failure> {
    Copied::of(matrix).block()
}

/// Matrices of the same width on top of each other.
pub(super) fn stacked<E: Exact>(matrices: &[Matrix<'_, E>]) -> Result<Mat<E>, Failure> {
    let columns = matrices.first().map_or(0, |first| first.columns);
    if matrices.iter().any(|matrix| matrix.columns != columns) {
        return Err(Failure::internal("linalg: matrices of different widths"));
    }
    let mut all = Mat::<E>::zeros(matrices.iter().map(|matrix| matrix.rows).sum(), columns);
    let mut row = 0;
    for matrix in matrices {
        all.get_mut(row..row + matrix.rows, ..).copy_from(matrix.view());
        row += matrix.rows;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_is_read_as_it_is_meant() {
        let whole = Block::from_vec(vec![4, 6], (0..24).map(f64::from).collect());
        let cases: [(&str, Block, bool); 9] = [
            ("whole", whole.clone(), true),
            ("turned", whole.permuted(&[1, 0]), true),
            ("some columns", whole.cut(&[0..4, 1..3]), true),
            ("some columns, turned", whole.cut(&[0..4, 1..3]).permuted(&[1, 0]), false),
            ("a row", whole.cut(&[2..3, 0..6]), true),
            ("a column", whole.cut(&[0..4, 2..3]), false),
            ("every other column", whole.strided(1, 0, 2, 3), false),
            ("from behind", whole.strided(0, 3, -1, 4), false),
            ("one number", Block::full(vec![2, 3], 1.5), false),
        ];
        for (name, block, in_place) in cases {
            let matrix = Matrix::<f64>::of(&block).expect("a matrix");
            let expected = block.view::<f64>().expect("f64");
            let view = matrix.view();
            assert_eq!([view.nrows(), view.ncols()], expected.shape(), "{name}");
            assert!(expected.indexed_iter().all(|(at, value)| view[(at[0], at[1])] == *value), "{name}");
            assert_eq!(matches!(matrix.memory, Cow::Borrowed(_)), in_place, "{name}");
            let back = block_of_matrix(view).expect("as many elements");
            assert_eq!(back.view::<f64>().expect("f64"), expected, "{name}");
        }
        assert!(Matrix::<f64>::of(&Block::from_vec(vec![2], vec![1.0, 2.0])).is_err());
        let empty = Block::from_vec(vec![3, 0], Vec::<f64>::new());
        assert_eq!(Matrix::<f64>::of(&empty).expect("a matrix").view().shape(), (3, 0));
    }
}
