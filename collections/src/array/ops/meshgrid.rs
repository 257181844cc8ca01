//! `meshgrid` and `indices`: the coordinates of the points of a grid, one array for each axis. They are views of lines and take no memory.

use partita_graph::{Code, Failure};

use crate::array::ops::concatenate::stack;
use crate::array::{Chunks, DArray, Element, Shape};

/// The coordinates of the points of a grid, given those along each of its axes: one array of the grid's shape for each axis.
///
/// Axes come in the order of the arrays (`indexing="ij"` of NumPy); swap the first two for the order of pictures.
///
/// ```
/// use partita::{meshgrid, prelude::*};
/// use partita::ndarray::array;
/// let grid = meshgrid(&[DArray::arange(0, 2, 1, 1), DArray::arange(5, 8, 1, 2)])?;
/// assert_eq!(grid[0].compute()?, array![[0, 0, 0], [1, 1, 1]].into_dyn());
/// assert_eq!(grid[1].compute()?, array![[5, 6, 7], [5, 6, 7]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// An array that does not have one axis, or whose sizes are not known.
#[track_caller]
pub fn meshgrid<T: Element>(lines: &[DArray<T>]) -> Result<Vec<DArray<T>>, Failure> {
    let mut shape = Vec::with_capacity(lines.len());
    for line in lines {
        match line.shape()?[..] {
            [len] => shape.push(len),
            ref other => {
                let what = format!("the coordinates along an axis of a grid have {} axes instead of one", other.len());
                return Err(Failure::new(Code::ShapeMismatch, what).help("all elements in a line: .ravel()"));
            }
        }
    }
    let mut grid = Vec::with_capacity(lines.len());
    for (axis, line) in lines.iter().enumerate() {
        let long = (0..lines.len()).map(|at| if at == axis { -1 } else { 1 });
        grid.push(line.reshape(long).broadcast_to(shape.clone()));
    }
    Ok(grid)
}

impl DArray<i64> {
    /// The places of an array's elements: one array for each axis, stacked along a new first one.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let places = DArray::indices([2, 2], 1);
    /// assert_eq!(places.compute()?, array![[[0, 0], [1, 1]], [[0, 1], [0, 1]]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape.
    #[track_caller]
    pub fn indices(shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<i64> {
        let shape = shape.into();
        let mut lines = Vec::with_capacity(shape.0.len());
        for len in &shape.0 {
            lines.push(DArray::arange(0, *len as i64, 1, -1));
        }
        let chunks = chunks.into();
        let mut grid = match meshgrid(&lines) {
            Ok(grid) if !grid.is_empty() => grid,
            Ok(_) => return DArray::zeros([0], -1),
            Err(failure) => return DArray::failed(failure, "indices(…)"),
        };
        for places in &mut grid {
            *places = places.rechunk(chunks.clone());
        }
        stack(&grid, 0)
    }
}
