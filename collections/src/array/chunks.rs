//! How users say shapes and chunks: `[1000, 1000]`, `"auto"`, `"64MiB"`, and what that means for an array of some shape.
//!
//! It refuses to know arrays. The invariant: what comes out of [`Chunks::cut`] has the lengths of the shape, and a wish that cannot be
//! fulfilled is a failure in the user's words.

use partita_graph::{Code, Failure};

use super::budget::Budget;
use super::element::DType;
use super::meta::{Cuts, Meta, axis_of, tuple, unknown_sizes};

/// The shape of an array: `10`, `[10, 20]`, a `Vec`, a slice, or `()` for a single number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub(crate) Vec<usize>);

impl From<usize> for Shape {
    fn from(len: usize) -> Self {
        Self(vec![len])
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(shape: [usize; N]) -> Self {
        Self(shape.to_vec())
    }
}

impl From<&[usize]> for Shape {
    fn from(shape: &[usize]) -> Self {
        Self(shape.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(shape: Vec<usize>) -> Self {
        Self(shape)
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Self {
        Self(Vec::new())
    }
}

/// How an array is cut into chunks.
///
/// | written | meaning |
/// | --- | --- |
/// | `1000` | chunks of 1000 along every axis |
/// | `[1000, -1]` | chunks of 1000 along the first axis, the second in one piece |
/// | `vec![vec![2, 3], vec![5]]` | every length, axis by axis |
/// | `[(1, 100)]` | chunks of 100 along axis 1; the others as they are (`rechunk`) or by themselves (new arrays) |
/// | `(-1, "auto")` | up to four axes, each in its own way; see [`Along`] |
/// | `[(0, Along::Whole), (1, Along::Auto)]` | the same of some axes |
/// | `"64MiB"` | blocks of about this size, about as long along every axis |
/// | `"auto"` | blocks of 16 to 128 MiB: larger ones for larger arrays |
///
/// ```
/// use partita::prelude::*;
/// let x = DArray::<f64>::zeros([100, 100], [30, -1]);
/// assert_eq!(x.chunks()?, [vec![30, 30, 30, 10], vec![100]]);
/// // Axis 0 in one piece, and axis 1 so that blocks come to 8 KB.
/// let columns = x.rechunk((-1, "8KB"));
/// assert_eq!(columns.chunks()?, [vec![100], vec![10; 10]]);
/// assert_eq!(x.rechunk([(0, Along::Whole), (1, Along::Bytes(8000))]).chunks()?, columns.chunks()?);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chunks(Wish);

#[derive(Clone, Debug)]
enum Wish {
    /// The same along every axis.
    All(Along),
    /// One for each axis.
    Each(Vec<Along>),
    /// For some axes.
    Some(Vec<(isize, Along)>),
}

/// Chunks along one axis. Where [`Chunks`] are given axis by axis, each may be a number (`-1` for the whole axis), a list of lengths, or a text:
/// `(100, -1, "auto")`.
///
/// ```
/// use partita::prelude::*;
/// let x = DArray::<f64>::zeros([6, 1000, 1000], [2, 100, 100]);
/// // As Dask's `rechunk({0: -1, 1: "auto"})`: axis 2 stays as it is.
/// let y = x.rechunk([(0, Along::Whole), (1, Along::Auto)]);
/// assert_eq!(y.chunksize()?, [6, 1000, 100]);
/// assert_eq!(x.rechunk((vec![1, 5], -1, Along::Keep)).chunks()?[..2], [vec![1, 5], vec![1000]]);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Along {
    /// Chunks of this length, the last as long as is left.
    Size(usize),
    /// Chunks of these lengths.
    Sizes(Vec<usize>),
    /// The axis in one piece.
    Whole,
    /// As it is; of new arrays as [`Along::Auto`].
    Keep,
    /// So that blocks become of 16 to 128 MiB.
    Auto,
    /// So that blocks become of about so many bytes.
    Bytes(u64),
    /// As text: `"auto"`, or about how large blocks become: `"64MiB"`.
    Text(String),
}

impl Along {
    /// What a text says, and anything else as it is.
    fn read(&self) -> Result<Along, Failure> {
        match self {
            Along::Text(text) if text == "auto" => Ok(Along::Auto),
            Along::Text(text) => text.parse::<bytesize::ByteSize>().map(|size| Along::Bytes(size.as_u64())).map_err(|_| {
                Failure::new(Code::InvalidOption, format!("chunks: {text:?} is no size"))
                    .help("write \"auto\", \"64MiB\", a length, or a length for each axis: [1000, 1000]")
            }),
            known => Ok(known.clone()),
        }
    }
}

/// Numbers as users write them: negative for the whole axis.
macro_rules! numbers {
    ($($T:ident)*) => {
        $(
            impl From<$T> for Along {
                fn from(size: $T) -> Self {
                    usize::try_from(size).map_or(Along::Whole, Along::Size)
                }
            }
        )*
    };
}

numbers!(i32 i64 isize);

impl From<usize> for Along {
    fn from(size: usize) -> Self {
        Along::Size(size)
    }
}

impl From<&str> for Along {
    fn from(text: &str) -> Self {
        Along::Text(text.to_string())
    }
}

impl From<Vec<usize>> for Along {
    fn from(sizes: Vec<usize>) -> Self {
        Along::Sizes(sizes)
    }
}

impl From<usize> for Chunks {
    fn from(size: usize) -> Self {
        Self(Wish::All(Along::Size(size)))
    }
}

impl From<i32> for Chunks {
    fn from(size: i32) -> Self {
        Along::from(size).into()
    }
}

impl<const N: usize> From<[usize; N]> for Chunks {
    fn from(sizes: [usize; N]) -> Self {
        Self(Wish::Each(sizes.into_iter().map(Along::Size).collect()))
    }
}

impl<const N: usize> From<[i32; N]> for Chunks {
    fn from(sizes: [i32; N]) -> Self {
        Self(Wish::Each(sizes.into_iter().map(Along::from).collect()))
    }
}

impl From<&[usize]> for Chunks {
    fn from(sizes: &[usize]) -> Self {
        Self(Wish::Each(sizes.iter().copied().map(Along::Size).collect()))
    }
}

impl From<Vec<usize>> for Chunks {
    fn from(sizes: Vec<usize>) -> Self {
        sizes.as_slice().into()
    }
}

impl From<Vec<Vec<usize>>> for Chunks {
    fn from(sizes: Vec<Vec<usize>>) -> Self {
        Self(Wish::Each(sizes.into_iter().map(Along::Sizes).collect()))
    }
}

impl<const N: usize> From<[(isize, i64); N]> for Chunks {
    fn from(axes: [(isize, i64); N]) -> Self {
        Self(Wish::Some(axes.into_iter().map(|(axis, size)| (axis, size.into())).collect()))
    }
}

impl From<&str> for Chunks {
    fn from(text: &str) -> Self {
        Along::from(text).into()
    }
}

impl From<String> for Chunks {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Along> for Chunks {
    fn from(along: Along) -> Self {
        Self(Wish::All(along))
    }
}

impl<const N: usize> From<[Along; N]> for Chunks {
    fn from(each: [Along; N]) -> Self {
        Self(Wish::Each(each.into()))
    }
}

impl From<Vec<Along>> for Chunks {
    fn from(each: Vec<Along>) -> Self {
        Self(Wish::Each(each))
    }
}

impl<const N: usize> From<[(isize, Along); N]> for Chunks {
    fn from(some: [(isize, Along); N]) -> Self {
        Self(Wish::Some(some.into()))
    }
}

impl From<Vec<(isize, Along)>> for Chunks {
    fn from(some: Vec<(isize, Along)>) -> Self {
        Self(Wish::Some(some))
    }
}

/// One for each axis, each in its own way.
macro_rules! tuples {
    ($($($T:ident $axis:ident),*;)*) => {
        $(
            impl<$($T: Into<Along>),*> From<($($T),*)> for Chunks {
                fn from(($($axis),*): ($($T),*)) -> Self {
                    Self(Wish::Each(vec![$($axis.into()),*]))
                }
            }
        )*
    };
}

tuples! {
    A a, B b;
    A a, B b, C c;
    A a, B b, C c, D d;
}

impl Chunks {
    /// The cuts of an array of this shape. `old` are its cuts so far, if it exists already.
    pub(crate) fn cut(&self, lens: &[Option<usize>], dtype: DType, old: Option<&[Cuts]>) -> Result<Vec<Cuts>, Failure> {
        let along = self.along(lens.len(), old.is_some())?;
        let mut cuts = Vec::with_capacity(lens.len());
        let mut open = Vec::new();
        for (axis, (along, len)) in along.iter().zip(lens).enumerate() {
            if matches!((along, len), (Along::Auto | Along::Bytes(_), Some(_))) {
                open.push(axis);
            }
            cuts.push(cut_axis(axis, along, *len, old.map(|old| &old[axis]))?);
        }
        let mut wishes = along.iter().filter_map(|along| if let Along::Bytes(bytes) = along { Some(*bytes) } else { None });
        let wish = wishes.next();
        if let Some(other) = wishes.find(|bytes| Some(*bytes) != wish) {
            let what = format!("chunks: blocks are to be of {} bytes by one axis and of {other} by another", wish.unwrap_or_default());
            return Err(Failure::new(Code::InvalidOption, what).help("one size, and \"auto\" for the other axes"));
        }
        fill_open_axes(&mut cuts, open, dtype, wish);
        Ok(cuts)
    }

    /// Some axes in one piece.
    pub(crate) fn whole_along(axes: &[bool], others: &Along) -> Self {
        Self(Wish::Each(axes.iter().map(|whole| if *whole { Along::Whole } else { others.clone() }).collect()))
    }

    /// The cuts of an array some axes of which are in one piece, for tasks that hold a block of it and one that is as large. Where they may not, the other
    /// axes are cut as those of new arrays are, or finer.
    pub(crate) fn held(whole: Meta, axes: &[bool], budget: Budget) -> Result<Vec<Cuts>, Failure> {
        if whole.largest_block().is_none_or(|bytes| bytes <= budget.block()) {
            return Ok(whole.cuts);
        }
        let most = block_bytes(whole.nbytes().unwrap_or(0)).min(budget.block());
        Self::whole_along(axes, &Along::Bytes(most)).cut(&whole.lens(), whole.dtype, Some(&whole.cuts))
    }

    /// Some axes cut as those of new arrays are; the others as they are.
    pub(crate) fn auto_along(axes: &[bool]) -> Self {
        Self(Wish::Each(axes.iter().map(|new| if *new { Along::Auto } else { Along::Keep }).collect()))
    }

    /// What is known of a new array of this shape and kind.
    pub(crate) fn of_new(&self, shape: &Shape, dtype: DType) -> Result<Meta, Failure> {
        let lens: Vec<Option<usize>> = shape.0.iter().copied().map(Some).collect();
        Ok(Meta { dtype, cuts: self.cut(&lens, dtype, None)? })
    }

    /// The same with one more axis, of this length, last and in one chunk.
    pub(crate) fn of_new_rows(&self, shape: &Shape, len: usize, dtype: DType) -> Result<Meta, Failure> {
        let mut along = self.along(shape.0.len(), false)?;
        along.push(Along::Whole);
        Self(Wish::Each(along)).of_new(&Shape([&shape.0[..], &[len]].concat()), dtype)
    }

    /// What is wished along each axis, without texts.
    fn along(&self, ndim: usize, exists: bool) -> Result<Vec<Along>, Failure> {
        let read = |along: &Along| -> Result<Along, Failure> {
            let along = along.read()?;
            Ok(if along == Along::Keep && !exists { Along::Auto } else { along })
        };
        match &self.0 {
            Wish::All(along) => Ok(vec![read(along)?; ndim]),
            Wish::Each(each) if each.len() == ndim => each.iter().map(read).collect(),
            Wish::Each(each) => {
                let what = format!("chunks are given for {} axes, and the array has {ndim}", each.len());
                Err(Failure::new(Code::ShapeMismatch, what).help("one size for each axis; -1 for an axis in one piece"))
            }
            Wish::Some(some) => {
                let mut along = vec![read(&Along::Keep)?; ndim];
                for (axis, wish) in some {
                    along[axis_of(*axis, ndim)?] = read(wish)?;
                }
                Ok(along)
            }
        }
    }
}

/// The cuts of one axis, or the axis in one piece where its chunks depend on the others.
fn cut_axis(axis: usize, along: &Along, len: Option<usize>, old: Option<&Cuts>) -> Result<Cuts, Failure> {
    let Some(len) = len else {
        // Nothing is known of its length, so it can only stay as it is.
        return match (along, old) {
            (Along::Keep, Some(old)) => Ok(old.clone()),
            (Along::Whole, Some(old)) if old.count() == 1 => Ok(old.clone()),
            _ => Err(unknown_sizes(axis)),
        };
    };
    match along {
        Along::Size(0) if len > 0 => {
            Err(Failure::new(Code::InvalidOption, format!("chunks of length 0 along axis {axis}, which has {len} elements")))
        }
        Along::Size(size) => Ok(Cuts::even(len, *size)),
        Along::Sizes(sizes) if sizes.iter().sum::<usize>() == len && !sizes.is_empty() => Ok(Cuts::Known(sizes.as_slice().into())),
        Along::Sizes(sizes) => {
            let sum: usize = sizes.iter().sum();
            let what = format!("chunks {} along axis {axis} are {sum} elements together, and the axis has {len}", tuple(sizes));
            Err(Failure::new(Code::ShapeMismatch, what))
        }
        Along::Keep => Ok(old.cloned().unwrap_or_else(|| Cuts::whole(len))),
        Along::Whole | Along::Auto | Along::Bytes(_) | Along::Text(_) => Ok(Cuts::whole(len)),
    }
}

/// Blocks of new arrays are not smaller,
const SMALLEST: u64 = 16 << 20;
/// nor larger than this, in bytes,
const LARGEST: u64 = 128 << 20;
/// and between the two there are so many.
const BLOCKS: u64 = 1024;

/// Bytes of a block of a new array that has so many.
pub(crate) fn block_bytes(total: u64) -> u64 {
    (total / BLOCKS).clamp(SMALLEST, LARGEST)
}

/// Cuts the axes whose chunks may be chosen, so that blocks come near the wished number of bytes and are about as long along each.
fn fill_open_axes(cuts: &mut [Cuts], mut open: Vec<usize>, dtype: DType, wish: Option<u64>) {
    let length = |cuts: &Cuts| cuts.len().unwrap_or(1).max(1) as u64;
    let longest = |cuts: &Cuts| cuts.sizes().and_then(|sizes| sizes.iter().max().copied()).unwrap_or(1).max(1) as u64;
    let total = cuts.iter().fold(dtype.size() as u64, |product, cuts| product.saturating_mul(length(cuts)));
    let bytes = wish.unwrap_or_else(|| block_bytes(total));
    let fixed = (0..cuts.len()).filter(|axis| !open.contains(axis)).map(|axis| longest(&cuts[axis]));
    let mut left = (bytes / dtype.size() as u64 / fixed.fold(1u64, u64::saturating_mul).max(1)).max(1) as f64;
    // Axes that are short anyway stay whole, which leaves more for the others.
    loop {
        let side = left.powf(1.0 / open.len().max(1) as f64).max(1.0);
        let Some(at) = open.iter().position(|axis| length(&cuts[*axis]) as f64 <= side) else { break };
        left /= length(&cuts[open.swap_remove(at)]) as f64;
    }
    let side = left.powf(1.0 / open.len().max(1) as f64).max(1.0);
    for axis in open {
        let len = length(&cuts[axis]);
        let count = (len as f64 / side).ceil().max(1.0) as u64;
        cuts[axis] = Cuts::even(len as usize, len.div_ceil(count) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(chunks: impl Into<Chunks>, shape: &[usize]) -> Result<Vec<Vec<usize>>, Code> {
        let lens: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
        let cuts = chunks.into().cut(&lens, DType::F64, None).map_err(|failure| failure.code)?;
        Ok(cuts.iter().map(|cuts| cuts.sizes().expect("known").to_vec()).collect())
    }

    #[test]
    fn wishes_are_understood() {
        assert_eq!(sizes(4, &[10]), Ok(vec![vec![4, 4, 2]]));
        assert_eq!(sizes(-1, &[10, 3]), Ok(vec![vec![10], vec![3]]));
        assert_eq!(sizes(4usize, &[10, 3]), Ok(vec![vec![4, 4, 2], vec![3]]));
        assert_eq!(sizes([4, -1], &[10, 3]), Ok(vec![vec![4, 4, 2], vec![3]]));
        assert_eq!(sizes(vec![vec![1, 9], vec![3]], &[10, 3]), Ok(vec![vec![1, 9], vec![3]]));
        assert_eq!(sizes([(-1, 2)], &[10, 3]), Ok(vec![vec![10], vec![2, 1]]));
        assert_eq!(sizes("auto", &[10, 0]), Ok(vec![vec![10], vec![0]]));
        assert_eq!(sizes(5, &[]), Ok(vec![]));
        assert_eq!(sizes(0, &[0]), Ok(vec![vec![0]]));
    }

    #[test]
    fn each_axis_may_have_a_wish_of_its_own() {
        let even = |len: usize, size: usize| Cuts::even(len, size).sizes().expect("known").to_vec();
        assert_eq!(sizes((-1, "8KB"), &[10, 1000]), Ok(vec![vec![10], even(1000, 100)]));
        assert_eq!(sizes(("8KB", "auto"), &[1000, 1000]), Ok(vec![even(1000, 32), even(1000, 32)]));
        assert_eq!(sizes((vec![3, 7], 4usize, "auto"), &[10, 4, 9]), Ok(vec![vec![3, 7], vec![4], vec![9]]));
        assert_eq!(sizes((5i64, -1isize, Along::Keep, Along::Auto), &[10, 4, 2, 2]), Ok(vec![vec![5, 5], vec![4], vec![2], vec![2]]));
        assert_eq!(sizes([Along::Whole, Along::Size(2)], &[3, 4]), Ok(vec![vec![3], vec![2, 2]]));
        assert_eq!(sizes(vec![(-1, Along::Sizes(vec![1, 3]))], &[3, 4]), Ok(vec![vec![3], vec![1, 3]]));
        let kept = [Cuts::even(6, 4), Cuts::even(1000, 10)];
        let recut = |chunks: Chunks| chunks.cut(&[Some(6), Some(1000)], DType::F64, Some(&kept)).map_err(|failure| failure.code);
        assert_eq!(recut(Chunks::from([(1, Along::Auto)])), Ok(vec![Cuts::even(6, 4), Cuts::whole(1000)]));
        assert_eq!(recut(Chunks::from((Along::Keep, "4KB"))), Ok(vec![Cuts::even(6, 4), Cuts::even(1000, 125)]));
        assert_eq!(recut(Chunks::from(("1KB", "4KB"))), Err(Code::InvalidOption));
        assert_eq!(recut(Chunks::from((1, "a lot"))), Err(Code::InvalidOption));
        assert_eq!(recut(Chunks::from((1, 2, 3))), Err(Code::ShapeMismatch));
    }

    #[test]
    fn wishes_that_cannot_be_fulfilled_are_refused() {
        assert_eq!(sizes(0, &[10]), Err(Code::InvalidOption));
        assert_eq!(sizes([4], &[10, 3]), Err(Code::ShapeMismatch));
        assert_eq!(sizes(vec![vec![1, 8]], &[10]), Err(Code::ShapeMismatch));
        assert_eq!(sizes("a lot", &[10]), Err(Code::InvalidOption));
        assert_eq!(sizes([(2, 5)], &[10, 3]), Err(Code::AxisOutOfRange));
        let unknown = |chunks: Chunks| chunks.cut(&[None], DType::F64, Some(&[Cuts::Unknown(2)])).map_err(|failure| failure.code);
        assert_eq!(unknown(Chunks::from(4usize)), Err(Code::UnknownSizes));
        assert_eq!(unknown(Chunks::from([(0, -1)])), Err(Code::UnknownSizes));
        assert_eq!(unknown(Chunks(Wish::Some(Vec::new()))), Ok(vec![Cuts::Unknown(2)]));
    }

    #[test]
    fn blocks_come_near_the_wished_size() {
        for (shape, wish) in
            [(vec![10_000, 10_000], "8MB"), (vec![100, 1_000_000], "1MB"), (vec![1_000_000_000], "64MiB"), (vec![300, 300, 300], "auto")]
        {
            let cuts = sizes(wish, &shape).expect("a size");
            let block: usize = cuts.iter().map(|sizes| sizes[0]).product::<usize>() * 8;
            let bytes = match Along::from(wish).read().expect("a size") {
                Along::Bytes(bytes) => bytes as usize,
                Along::Auto => SMALLEST as usize,
                other => panic!("{other:?}"),
            };
            assert!(block <= bytes && block * 3 >= bytes, "{shape:?} by {wish}: {cuts:?}");
        }
        assert_eq!(sizes("1GiB", &[1000, 1000]), Ok(vec![vec![1000], vec![1000]]));
        assert_eq!(sizes("8MB", &[10_000, 10_000]).map(|cuts| cuts[0][0]), Ok(1000));
    }
}
