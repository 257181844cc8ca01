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
    if let Some(array) = in_lines(grid, &sizes, blocks)? {
        return Ok(array);
    }
    let mut assembly = Assembly::new(&sizes);
    let mut position = vec![0; grid.len()];
    for block in blocks {
        assembly.put(&position, block)?;
        advance(&mut position, grid);
    }
    Ok(assembly.finish())
}

/// Shorter lines cost more to find than to copy.
const LINE: usize = 16;

/// The same line by line, where all pieces have lines: each element is written once, while an [`Assembly`] is cleared first. `None`
/// where pieces lie otherwise or their sizes do not fit.
fn in_lines<T: Held>(grid: &[usize], sizes: &[Vec<usize>], blocks: &[Block]) -> Result<Option<ArrayD<T>>, Failure> {
    let Some((last, outer)) = sizes.split_last() else { return Ok(None) };
    let width: usize = last.iter().sum();
    if width < LINE * last.len() {
        return Ok(None);
    }
    let mut position = vec![0; grid.len()];
    for block in blocks {
        let expected = position.iter().zip(sizes).map(|(at, sizes): (&usize, &Vec<usize>)| sizes[*at]);
        if block.strides().last() != Some(&1) || !expected.eq(block.shape().iter().copied()) {
            return Ok(None);
        }
        advance(&mut position, grid);
    }
    let shape: Vec<usize> = sizes.iter().map(|sizes| sizes.iter().sum()).collect();
    let memory: Vec<&[T]> = blocks.iter().map(Block::memory).collect::<Result<_, _>>()?;
    let mut values = Vec::with_capacity(shape.iter().product());
    // For each axis but the last: the piece along it, and the place within the piece.
    let mut position = vec![(0, 0); outer.len()];
    let lines = shape[..outer.len()].iter().product();
    for _ in 0..lines {
        // An empty piece has no line.
        for ((piece, _), sizes) in position.iter_mut().zip(outer) {
            *piece += sizes[*piece..].iter().take_while(|size| **size == 0).count();
        }
        let first = position.iter().zip(grid).fold(0, |first, ((piece, _), pieces)| first * pieces + piece) * last.len();
        for (at, len) in (first..).zip(last).filter(|(_, len)| **len > 0) {
            let places = position.iter().zip(blocks[at].strides());
            let start = places.fold(blocks[at].offset() as isize, |start, ((_, place), stride)| start + *place as isize * stride);
            values.extend_from_slice(&memory[at][start as usize..][..*len]);
        }
        for ((piece, place), sizes) in position.iter_mut().zip(outer).rev() {
            *place += 1;
            if *place == sizes[*piece] {
                (*piece, *place) = (*piece + 1, 0);
            }
            if sizes[*piece..].iter().any(|size| *size > 0) {
                break;
            }
            (*piece, *place) = (0, 0);
        }
    }
    ArrayD::from_shape_vec(IxDyn(&shape), values).map(Some).map_err(|error| Failure::internal(format!("joined lines: {error}")))
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

    /// Pieces of these sizes along two axes, of three, whose elements are their numbers in the whole; the second axis is one piece.
    fn numbered(rows: &[usize], columns: &[usize], turned: bool) -> (Vec<Block>, ArrayD<i64>) {
        let (height, width) = (rows.iter().sum::<usize>(), columns.iter().sum::<usize>());
        let whole = ArrayD::from_shape_vec(IxDyn(&[height, 2, width]), (0..(height * 2 * width) as i64).collect()).expect("it fits");
        let (rows, columns) = (bounds(rows), bounds(columns));
        let mut blocks = Vec::new();
        for row in rows.windows(2) {
            for column in columns.windows(2) {
                let piece = whole.slice(ndarray::s![row[0]..row[1], .., column[0]..column[1]]).into_dyn();
                // Pieces of a larger block share its memory; turned ones have no lines.
                blocks.push(match turned {
                    true => Block::from_array(piece.t().as_standard_layout().into_owned()).arranged(&[Some(2), Some(1), Some(0)]),
                    false => Block::from_array(whole.clone()).cut(&[row[0]..row[1], 0..2, column[0]..column[1]]),
                });
            }
        }
        (blocks, whole)
    }

    #[test]
    fn lines_come_to_their_places() {
        for (rows, columns) in
            [(&[2, 0, 3][..], &[40, 1, 0, 30][..]), (&[0, 0, 1], &[16]), (&[4], &[20, 20]), (&[0], &[50]), (&[1, 2, 0], &[3, 90])]
        {
            for turned in [false, true] {
                let (blocks, whole) = numbered(rows, columns, turned);
                assert_eq!(
                    joined::<i64>(&[rows.len(), 1, columns.len()], &blocks).expect("they fit"),
                    whole,
                    "{rows:?} {columns:?} {turned}"
                );
                let sizes = [rows.to_vec(), vec![2], columns.to_vec()];
                let lines = in_lines::<i64>(&[rows.len(), 1, columns.len()], &sizes, &blocks).expect("of one kind");
                // Of one column any order is a line.
                assert!(lines.is_some() || turned, "{rows:?} {columns:?}");
            }
        }
    }
}
