//! The order in which a block's index space is walked: in tiles of rows and columns, row by row, with the place of each operand's
//! first element in each tile.
//!
//! It refuses to know what operands are. The invariant: tiles come in row-major order of their first elements, and every index is in
//! exactly one tile.

use partita_graph::Failure;

/// One axis of the walk: its length, and how far each operand moves along it, in elements.
struct Walk {
    len: usize,
    strides: Vec<isize>,
}

/// The index space of a block, with as few axes as its operands allow.
pub struct Layout {
    outer: Vec<Walk>,
    rows: Walk,
    columns: Walk,
}

/// A piece of the index space.
pub struct Tile<'a> {
    /// Its rows and columns.
    pub rows: usize,
    /// See `rows`.
    pub columns: usize,
    /// Of a part of a larger tile the row of that at which it begins, and how many rows that has; else 0 and all.
    pub part: (usize, usize),
    /// Where it begins along the innermost axis of the walk,
    pub column: usize,
    /// and how long that axis is.
    pub width: usize,
    /// The place of each operand's first element.
    pub offsets: &'a [isize],
    /// How far each operand moves from row to row.
    pub row_strides: &'a [isize],
    /// And from column to column.
    pub column_strides: &'a [isize],
}

impl Tile<'_> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }
}

/// What decides the form of tiles.
#[derive(Clone, Copy)]
pub struct Wish {
    /// Elements of a tile, about.
    pub size: usize,
    /// The same where some operand is read across its lines; a row has no more than `size`.
    pub across: usize,
    /// How many of the first operands are read from memory.
    pub read: usize,
    /// The operand that stays where it is from row to row where rows are folded into each other.
    pub folded: Option<usize>,
}

/// Rows of a tile where some operand is read across its lines: of each line that is brought from memory so many elements are used at once.
pub const SIDE: usize = 64;
/// Rows that are folded together.
const FOLDED: usize = 16;

impl Layout {
    /// Of operands with these strides over a shape. Axes that all operands walk through in one go become one.
    /// `None` when there is nothing to walk over.
    pub fn new(shape: &[usize], operands: &[Vec<isize>]) -> Option<Self> {
        if shape.contains(&0) {
            return None;
        }
        // From the innermost axis to the outermost.
        let mut axes: Vec<Walk> = Vec::new();
        for axis in (0..shape.len()).rev().filter(|axis| shape[*axis] > 1) {
            let strides: Vec<isize> = operands.iter().map(|strides| strides[axis]).collect();
            match axes.last_mut() {
                Some(inner) if goes_on(&strides, inner) => inner.len *= shape[axis],
                _ => axes.push(Walk { len: shape[axis], strides }),
            }
        }
        let mut axes = axes.into_iter();
        let still = || Walk { len: 1, strides: vec![0; operands.len()] };
        let columns = axes.next().unwrap_or_else(still);
        let rows = axes.next().unwrap_or_else(still);
        let mut outer: Vec<Walk> = axes.collect();
        outer.reverse();
        Some(Self { outer, rows, columns })
    }

    /// Whether one of the operands that are read from memory is read across its lines.
    fn is_across(&self, read: usize) -> bool {
        let across = |at: usize| {
            let (row, column) = (self.rows.strides[at].unsigned_abs(), self.columns.strides[at].unsigned_abs());
            row != 0 && column > row
        };
        self.rows.len > 1 && (0..read).any(across)
    }

    /// Rows and columns of a tile.
    fn tile(&self, wish: Wish) -> (usize, usize) {
        let (rows, columns) = (self.rows.len, self.columns.len);
        let is_across = self.is_across(wish.read);
        let size = if is_across { wish.across } else { wish.size };
        let folded = |at: usize| self.rows.strides[at] == 0 && self.columns.strides[at] != 0;
        let tall = if rows == 1 {
            1
        } else if is_across {
            SIDE
        } else if wish.folded.is_some_and(folded) {
            FOLDED
        } else {
            1
        };
        let wide = (size / tall.min(rows)).min(wish.size).clamp(1, columns);
        // Where rows are short, a tile takes more of them; of what lies across whole lines of the cache.
        let more = size / wide;
        let more = if is_across { more - more % SIDE } else { more };
        (tall.max(more).clamp(1, rows), wide)
    }

    /// Calls `visit` with each tile. `bases` are the places of the operands' first elements.
    pub fn walk(&self, bases: &[isize], wish: Wish, mut visit: impl FnMut(&Tile<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
        let (tall, wide) = self.tile(wish);
        let mut bases = bases.to_vec();
        let mut offsets = bases.clone();
        let mut position = vec![0; self.outer.len()];
        loop {
            for row in (0..self.rows.len).step_by(tall) {
                for column in (0..self.columns.len).step_by(wide) {
                    for (at, offset) in offsets.iter_mut().enumerate() {
                        *offset = bases[at] + row as isize * self.rows.strides[at] + column as isize * self.columns.strides[at];
                    }
                    let rows = tall.min(self.rows.len - row);
                    visit(&Tile {
                        rows,
                        part: (0, rows),
                        columns: wide.min(self.columns.len - column),
                        column,
                        width: self.columns.len,
                        offsets: &offsets,
                        row_strides: &self.rows.strides,
                        column_strides: &self.columns.strides,
                    })?;
                }
            }
            if !self.advance(&mut position, &mut bases) {
                return Ok(());
            }
        }
    }

    /// The next position of the outer axes; `false` behind the last.
    fn advance(&self, position: &mut [usize], bases: &mut [isize]) -> bool {
        for (at, walk) in position.iter_mut().zip(&self.outer).rev() {
            *at += 1;
            bases.iter_mut().zip(&walk.strides).for_each(|(base, stride)| *base += stride);
            if *at < walk.len {
                return true;
            }
            bases.iter_mut().zip(&walk.strides).for_each(|(base, stride)| *base -= stride * walk.len as isize);
            *at = 0;
        }
        false
    }
}

/// Whether walking along `inner` to its end is one step along an axis with these strides, for every operand.
fn goes_on(strides: &[isize], inner: &Walk) -> bool {
    strides.iter().zip(&inner.strides).all(|(stride, inner_stride)| *stride == inner_stride * inner.len as isize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::block::row_major;

    /// The places of the first operand's elements, tile by tile, and the form of the first tile.
    fn places(shape: &[usize], operands: &[Vec<isize>], wish: Wish) -> (Vec<isize>, Option<(usize, usize)>) {
        let (mut found, mut form) = (Vec::new(), None);
        if let Some(layout) = Layout::new(shape, operands) {
            let visit = |tile: &Tile<'_>| {
                form = form.or(Some((tile.rows, tile.columns)));
                let element = |r: usize, c: usize| tile.offsets[0] + r as isize * tile.row_strides[0] + c as isize * tile.column_strides[0];
                found.extend((0..tile.rows).flat_map(|r| (0..tile.columns).map(move |c| (r, c))).map(|(r, c)| element(r, c)));
                Ok(())
            };
            layout.walk(&vec![0; operands.len()], wish, visit).expect("nothing fails");
        }
        (found, form)
    }

    fn wish(size: usize) -> Wish {
        Wish { size, across: size, read: 1, folded: None }
    }

    #[test]
    fn what_lies_together_is_walked_in_one_go() {
        let (found, form) = places(&[4, 1, 5, 6], &[row_major(&[4, 1, 5, 6])], wish(1000));
        assert_eq!((found, form), ((0..120).collect(), Some((1, 120))));
        let (found, form) = places(&[4, 5], &[vec![0, 0]], wish(1000));
        assert_eq!((found.len(), form), (20, Some((1, 20))));
        let (_, form) = places(&[40, 50], &[vec![50, 1], vec![0, 1]], wish(1000));
        assert_eq!(form, Some((20, 50)), "the second operand begins anew with each row");
        assert_eq!(places(&[], &[vec![]], wish(10)), (vec![0], Some((1, 1))));
        assert_eq!(places(&[3, 0], &[vec![0, 1]], wish(10)), (Vec::new(), None));
    }

    #[test]
    fn tiles_are_tall_where_memory_is_read_across() {
        assert_eq!(places(&[100, 100], &[vec![1, 100]], wish(1024)).1, Some((64, 16)));
        assert_eq!(places(&[100, 100], &[vec![100, 1], vec![1, 100]], Wish { read: 1, ..wish(1024) }).1, Some((10, 100)));
        assert_eq!(places(&[8, 10_000], &[vec![10_000, 1], vec![1, 8]], Wish { read: 2, ..wish(1024) }).1, Some((8, 128)));
        // With room for it, all of a few rows: what lies along the rows is then read as memory likes it.
        let bands = Wish { across: 64 << 10, read: 2, ..wish(1024) };
        assert_eq!(places(&[100, 1000], &[vec![1000, 1], vec![1, 100]], bands).1, Some((64, 1000)));
        assert_eq!(places(&[100, 5000], &[vec![5000, 1], vec![1, 100]], bands).1, Some((64, 1024)));
        let folded = Wish { folded: Some(1), ..wish(1024) };
        assert_eq!(places(&[1000, 5000], &[vec![5000, 1], vec![0, 1]], folded).1, Some((16, 64)));
        assert_eq!(places(&[1000, 3], &[vec![3, 1], vec![0, 1]], folded).1, Some((341, 3)));
    }

    #[test]
    fn every_index_is_visited_once() {
        for shape in [vec![7, 5, 3], vec![65, 33], vec![2, 2, 2, 2], vec![1], vec![100]] {
            let count = shape.iter().product::<usize>() as isize;
            let order: Vec<isize> = (0..count).collect();
            let mut turned = shape.clone();
            turned.reverse();
            let mut across = row_major(&turned);
            across.reverse();
            for strides in [row_major(&shape), across] {
                for size in [1, 4, 32, 1024] {
                    let (mut found, _) =
                        places(&shape, &[strides.clone(), row_major(&shape)], Wish { read: 2, folded: Some(1), ..wish(size) });
                    found.sort_unstable();
                    assert_eq!(found, order, "{shape:?} {strides:?} in tiles of {size}");
                }
            }
        }
    }
}
