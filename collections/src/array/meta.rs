//! What is known of an array without running it: the kind of its elements, and how each axis is cut into chunks.
//!
//! It refuses to know steps and tasks. The invariant: an array has at least one block, also when it has no elements, so that
//! there is always a task that says what it is of.

use std::ops::Range;
use std::sync::Arc;

use partita_graph::{Code, Failure};
use serde::{Deserialize, Serialize};

use super::element::DType;

/// How an axis is cut.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Cuts {
    /// The length of each chunk.
    Known(Arc<[usize]>),
    /// Only how many there are: their lengths are known after they were made.
    Unknown(u32),
}

impl Cuts {
    /// An axis in one piece.
    pub fn whole(len: usize) -> Self {
        Cuts::Known(Arc::new([len]))
    }

    /// Chunks of `size`, the last as long as is left.
    pub fn even(len: usize, size: usize) -> Self {
        let size = size.clamp(1, len.max(1));
        let mut sizes = vec![size; len / size];
        if !len.is_multiple_of(size) || len == 0 {
            sizes.push(len % size);
        }
        Cuts::Known(sizes.into())
    }

    /// The number of chunks.
    pub fn count(&self) -> usize {
        match self {
            Cuts::Known(sizes) => sizes.len(),
            Cuts::Unknown(count) => *count as usize,
        }
    }

    /// The lengths, if they are known.
    pub fn sizes(&self) -> Option<&Arc<[usize]>> {
        match self {
            Cuts::Known(sizes) => Some(sizes),
            Cuts::Unknown(_) => None,
        }
    }

    /// The length of the axis, if it is known.
    pub fn len(&self) -> Option<usize> {
        self.sizes().map(|sizes| sizes.iter().sum())
    }

    /// The length of the longest chunk, for people: `1000`, or `?`.
    pub fn show(&self) -> String {
        self.sizes().and_then(|sizes| sizes.iter().max()).map_or_else(|| "?".into(), usize::to_string)
    }
}

/// Where chunks of these lengths begin, and where the last ends.
pub fn bounds(sizes: &[usize]) -> Vec<usize> {
    let ends = sizes.iter().scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

/// A piece of one chunk along one axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// Which chunk.
    pub chunk: usize,
    /// Counted from the chunk's beginning.
    pub range: Range<usize>,
}

/// The pieces of chunks that lie in a range of an axis, in order. An empty range has one empty piece.
pub fn parts(bounds: &[usize], range: Range<usize>) -> Vec<Part> {
    let last = bounds.len().saturating_sub(2);
    let first = bounds.partition_point(|bound| *bound <= range.start).saturating_sub(1).min(last);
    let chunks = (first..=last).take_while(|chunk| bounds[*chunk] < range.end);
    let piece = |chunk: usize| {
        let (low, high) = (bounds[chunk], bounds[chunk + 1]);
        Part { chunk, range: range.start.max(low) - low..range.end.min(high).max(low) - low }
    };
    let mut found: Vec<Part> = chunks.map(piece).filter(|part| !part.range.is_empty()).collect();
    if found.is_empty() {
        found.push(Part { chunk: first, range: 0..0 });
    }
    found
}

/// The next position in a grid, row by row; `false` behind the last.
pub fn advance(position: &mut [usize], grid: &[usize]) -> bool {
    for (at, blocks) in position.iter_mut().zip(grid).rev() {
        *at += 1;
        if *at < *blocks {
            return true;
        }
        *at = 0;
    }
    false
}

/// Where a block lies in its array.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its first element.
    pub start: Vec<usize>,
    /// Its elements along each axis.
    pub shape: Vec<usize>,
}

impl Place {
    /// Its elements along each axis of the array.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        self.start.iter().zip(&self.shape).map(|(start, len)| *start..start + len).collect()
    }
}

/// What is known of an array.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Meta {
    /// The kind of its elements.
    pub dtype: DType,
    /// How each axis is cut.
    pub cuts: Vec<Cuts>,
}

impl Meta {
    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.cuts.len()
    }

    /// Chunks along each axis.
    pub fn grid(&self) -> Vec<usize> {
        self.cuts.iter().map(Cuts::count).collect()
    }

    /// The number of blocks. Fails when there are more than a graph can hold.
    pub fn blocks(&self) -> Result<u32, Failure> {
        let blocks = self.cuts.iter().try_fold(1u32, |product, cuts| product.checked_mul(u32::try_from(cuts.count()).ok()?));
        blocks.ok_or_else(|| {
            let what = format!("an array in {} chunks has more blocks than the 4,294,967,295 that can be numbered", tuple(self.grid()));
            Failure::new(Code::InvalidOption, what).help("larger chunks: .rechunk(\"auto\")")
        })
    }

    /// Elements along each axis, `None` where it is not known.
    pub fn lens(&self) -> Vec<Option<usize>> {
        self.cuts.iter().map(Cuts::len).collect()
    }

    /// Elements along each axis. Fails when some are not known.
    pub fn shape(&self) -> Result<Vec<usize>, Failure> {
        self.lens().into_iter().enumerate().map(|(axis, len)| len.ok_or_else(|| unknown_sizes(axis))).collect()
    }

    /// The lengths of the chunks along each axis. Fails when some are not known.
    pub fn sizes(&self) -> Result<Vec<Arc<[usize]>>, Failure> {
        let sizes = |(axis, cuts): (usize, &Cuts)| cuts.sizes().cloned().ok_or_else(|| unknown_sizes(axis));
        self.cuts.iter().enumerate().map(sizes).collect()
    }

    /// Where all blocks lie, in row-major order of the grid. Fails when some sizes are not known.
    pub fn places(&self) -> Result<Vec<Place>, Failure> {
        let sizes = self.sizes()?;
        let starts: Vec<Vec<usize>> = sizes.iter().map(|sizes| bounds(sizes)).collect();
        let grid = self.grid();
        let mut position = vec![0; grid.len()];
        let mut places = Vec::with_capacity(self.blocks()? as usize);
        loop {
            let start = position.iter().zip(&starts).map(|(at, starts)| starts[*at]).collect();
            let shape = position.iter().zip(&sizes).map(|(at, sizes)| sizes[*at]).collect();
            places.push(Place { start, shape });
            if !advance(&mut position, &grid) {
                return Ok(places);
            }
        }
    }

    /// Bytes of all elements, if the sizes are known.
    pub fn nbytes(&self) -> Option<u64> {
        let elements = self.lens().into_iter().try_fold(1u64, |product, len| Some(product.saturating_mul(len? as u64)));
        elements.map(|elements| elements.saturating_mul(self.dtype.size() as u64))
    }

    /// Bytes of the largest block, if the sizes are known.
    pub fn largest_block(&self) -> Option<u64> {
        let longest = self.cuts.iter().map(|cuts| cuts.sizes().map(|sizes| sizes.iter().max().copied().unwrap_or(0) as u64));
        let elements = longest.collect::<Option<Vec<u64>>>()?.into_iter().fold(1, u64::saturating_mul);
        Some(elements.saturating_mul(self.dtype.size() as u64))
    }

    /// The shape for people: `(1000, ?)`.
    pub fn show_shape(&self) -> String {
        tuple(self.lens().into_iter().map(|len| len.map_or_else(|| "?".into(), |len| len.to_string())))
    }

    /// The longest chunks for people: `(100, ?)`.
    pub fn show_chunks(&self) -> String {
        show_chunks(&self.cuts)
    }
}

/// The longest chunks for people: `(100, ?)`.
pub fn show_chunks(cuts: &[Cuts]) -> String {
    tuple(cuts.iter().map(Cuts::show))
}

/// Numbers as a tuple: `(1, 2)`, `(1,)`, `()`.
pub fn tuple(numbers: impl IntoIterator<Item = impl ToString>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    match &numbers[..] {
        [one] => format!("({one},)"),
        several => format!("({})", several.join(", ")),
    }
}

/// What is given once for all axes, or once for each. `what` is its name, in the plural; `help` shows how it is written.
pub fn for_each_axis<V: Clone>(given: &[V], ndim: usize, what: &str, help: &str) -> Result<Vec<V>, Failure> {
    match given {
        [all] => Ok(vec![all.clone(); ndim]),
        each if each.len() == ndim => Ok(each.to_vec()),
        each => {
            let what = format!("{what} are given for {} axes, and the array has {ndim}", each.len());
            Err(Failure::new(Code::ShapeMismatch, what).help(help))
        }
    }
}

/// A length in as few pieces of at most `most` as it takes, which are as even as can be; nothing is one piece of nothing.
pub fn evenly(len: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = len.div_ceil(most).max(1);
    (0..count).map(move |at| len * (at + 1) / count - len * at / count)
}

/// The failure for an axis whose sizes are needed before they are known.
pub fn unknown_sizes(axis: usize) -> Failure {
    Failure::new(Code::UnknownSizes, format!("the lengths of the chunks along axis {axis} are not known before the array was made"))
        .help("let them be found: .compute_chunk_sizes()?")
}

/// The failure for an axis that does not exist.
pub fn no_axis(axis: isize, ndim: usize) -> Failure {
    let axes = match ndim {
        0 => "the array has no axes".to_string(),
        1 => "the array has one axis, 0 or -1".to_string(),
        _ => format!("the array has {ndim} axes, 0 to {} or -{ndim} to -1", ndim - 1),
    };
    Failure::new(Code::AxisOutOfRange, format!("there is no axis {axis}: {axes}"))
}

/// The number of an axis, counted from the front; negative ones count from the back.
pub fn axis_of(axis: isize, ndim: usize) -> Result<usize, Failure> {
    let found = if axis < 0 { axis + ndim as isize } else { axis };
    usize::try_from(found).ok().filter(|axis| *axis < ndim).ok_or_else(|| no_axis(axis, ndim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_cut_evenly_and_never_into_nothing() {
        let sizes = |len, size| Cuts::even(len, size).sizes().expect("known").to_vec();
        assert_eq!(sizes(10, 4), [4, 4, 2]);
        assert_eq!(sizes(8, 4), [4, 4]);
        assert_eq!(sizes(3, 100), [3]);
        assert_eq!(sizes(0, 100), [0]);
        assert_eq!(sizes(2, 0), [1, 1]);
        assert_eq!((Cuts::whole(0).count(), Cuts::Unknown(3).count(), Cuts::Unknown(3).len()), (1, 3, None));
    }

    #[test]
    fn a_range_is_found_in_the_chunks_that_hold_it() {
        let check = |sizes: &[usize], range: Range<usize>, expected: &[(usize, Range<usize>)]| {
            let expected: Vec<Part> = expected.iter().map(|(chunk, range)| Part { chunk: *chunk, range: range.clone() }).collect();
            assert_eq!(parts(&bounds(sizes), range), expected);
        };
        check(&[4, 4, 2], 0..10, &[(0, 0..4), (1, 0..4), (2, 0..2)]);
        check(&[4, 4, 2], 3..5, &[(0, 3..4), (1, 0..1)]);
        check(&[4, 4, 2], 4..8, &[(1, 0..4)]);
        check(&[4, 4, 2], 9..10, &[(2, 1..2)]);
        check(&[0, 3, 0, 2], 0..5, &[(1, 0..3), (3, 0..2)]);
        check(&[4, 4], 4..4, &[(1, 0..0)]);
        check(&[4, 4], 8..8, &[(1, 0..0)]);
        check(&[0], 0..0, &[(0, 0..0)]);
    }

    #[test]
    fn places_go_row_by_row() {
        let meta = Meta { dtype: DType::F64, cuts: vec![Cuts::even(3, 2), Cuts::even(5, 3)] };
        let places = meta.places().expect("known");
        let starts: Vec<&[usize]> = places.iter().map(|place| &place.start[..]).collect();
        assert_eq!(starts, [[0, 0], [0, 3], [2, 0], [2, 3]]);
        assert_eq!(places[3].shape, [1, 2]);
        let scalar = Meta { dtype: DType::F64, cuts: Vec::new() };
        assert_eq!(scalar.places().expect("known"), [Place { start: vec![], shape: vec![] }]);
        assert_eq!((meta.nbytes(), scalar.nbytes(), meta.blocks().expect("few")), (Some(120), Some(8), 4));
        assert_eq!((meta.largest_block(), scalar.largest_block()), (Some(48), Some(8)));
    }

    #[test]
    fn what_is_not_known_or_not_there_is_said() {
        let meta = Meta { dtype: DType::I8, cuts: vec![Cuts::whole(2), Cuts::Unknown(3)] };
        assert_eq!((meta.show_shape(), meta.show_chunks()), ("(2, ?)".into(), "(2, ?)".into()));
        assert_eq!(meta.shape().expect_err("unknown").code, Code::UnknownSizes);
        let many = Meta { dtype: DType::I8, cuts: vec![Cuts::Unknown(1 << 16), Cuts::Unknown(1 << 16)] };
        assert_eq!(many.blocks().expect_err("too many").code, Code::InvalidOption);
        assert_eq!((axis_of(-1, 2).ok(), axis_of(1, 2).ok()), (Some(1), Some(1)));
        assert!(axis_of(2, 2).is_err() && axis_of(-3, 2).is_err() && axis_of(0, 0).is_err());
        assert_eq!((tuple([1]), tuple([1, 2]), tuple(Vec::<usize>::new())), ("(1,)".into(), "(1, 2)".into(), "()".into()));
    }
}
