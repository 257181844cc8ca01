//! Many blocks into one array, each at its place.

use ndarray::{ArrayD, IxDyn, Slice};
use partita_graph::{Code, Failure};

use super::block::Block;
use super::element::Held;
use super::meta::{advance, bounds, tuple};

/// An array that is being put together.
pub(super) struct Assembly<T> {
    array: ArrayD<T>,
    /// Where pieces begin along each axis.
    bounds: Vec<Vec<usize>>,
}

impl<T: Held> Assembly<T> {
    /// Of pieces of these lengths along each axis.
    pub fn new<S: AsRef<[usize]>>(sizes: &[S]) -> Self {
        let bounds: Vec<Vec<usize>> = sizes.iter().map(|sizes| bounds(sizes.as_ref())).collect();
        let shape: Vec<usize> = bounds.iter().map(|bounds| bounds.last().copied().unwrap_or(0)).collect();
        Self { array: ArrayD::from_elem(IxDyn(&shape), T::default()), bounds }
    }

    /// Puts a piece to its place in the grid. Fails when it is not as large as was said.
    pub fn put(&mut self, position: &[usize], block: &Block) -> Result<(), Failure> {
        let range = |axis: usize| self.bounds[axis][position[axis]]..self.bounds[axis][position[axis] + 1];
        let expected: Vec<usize> = (0..position.len()).map(|axis| range(axis).len()).collect();
        if expected != block.shape() {
            let what = format!("a block of shape {} was made where {} was announced", tuple(block.shape()), tuple(&expected));
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        let ranges: Vec<_> = (0..position.len()).map(range).collect();
        let view = block.view::<T>()?;
        self.array.slice_each_axis_mut(|axis| Slice::from(ranges[axis.axis.0].clone())).assign(&view);
        Ok(())
    }

    /// The array, when all pieces were put.
    pub fn finish(self) -> ArrayD<T> {
        self.array
    }
}

/// The pieces of a grid, in row-major order, as one array. Their sizes are their own.
pub(crate) fn joined<T: Held>(grid: &[usize], blocks: &[Block]) -> Result<ArrayD<T>, Failure> {
    let misfit = || Failure::internal(format!("{} pieces for a grid of {}", blocks.len(), tuple(grid)));
    if blocks.len() != grid.iter().product::<usize>() {
        return Err(misfit());
    }
    let mut sizes: Vec<Vec<usize>> = Vec::with_capacity(grid.len());
    for (axis, count) in grid.iter().enumerate() {
        let step: usize = grid[axis + 1..].iter().product();
        let along = (0..*count).map(|at| blocks.get(at * step).and_then(|block| block.shape().get(axis).copied()));
        sizes.push(along.collect::<Option<_>>().ok_or_else(misfit)?);
    }
    let mut assembly = Assembly::new(&sizes);
    let mut position = vec![0; grid.len()];
    for block in blocks {
        assembly.put(&position, block)?;
        advance(&mut position, grid);
    }
    Ok(assembly.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn pieces_come_to_their_places() {
        let piece = |rows: usize, columns: usize, value: i32| Block::full(vec![rows, columns], value);
        let pieces = [piece(1, 2, 1), piece(1, 1, 2), piece(2, 2, 3), piece(2, 1, 4)];
        let expected = array![[1, 1, 2], [3, 3, 4], [3, 3, 4]].into_dyn();
        assert_eq!(joined::<i32>(&[2, 2], &pieces).expect("they fit"), expected);
        assert_eq!(joined::<i32>(&[], &[Block::full(vec![], 7)]).expect("it fits"), ndarray::arr0(7).into_dyn());
        assert_eq!(joined::<i32>(&[2, 2], &pieces[..3]).err().map(|failure| failure.code), Some(Code::Internal));
        let strange = [piece(1, 2, 1), piece(1, 1, 2), piece(2, 3, 3), piece(2, 1, 4)];
        assert_eq!(joined::<i32>(&[2, 2], &strange).err().map(|failure| failure.code), Some(Code::ShapeMismatch));
    }
}
