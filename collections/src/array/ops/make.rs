//! Arrays made of nothing but a rule: constants, ranges, diagonals and triangles of ones.

use std::collections::BTreeMap;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::Block;
use crate::array::element::{C128, DType, Held, Scalar, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, Place};
use crate::array::ops::elementwise::Given;
use crate::array::tile::{Convert, Op};
use crate::array::{AnyArray, Chunks, DArray, Element, Inexact, Node, Real, Shape, Step};

impl<T: Element> DArray<T> {
    /// An array whose elements are all `value`. Its blocks take no memory to speak of.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::full([2, 2], 7, 1);
    /// assert_eq!(x.compute()?.into_iter().collect::<Vec<_>>(), [7, 7, 7, 7]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::made("full(…)", chunks.into().of_new(&shape.into(), T::DTYPE), Pattern::Fill(Scalar::of(value)))
    }

    /// An array of zeros (of `false` for `bool`); see [`DArray::full`].
    #[doc(alias = "empty")]
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::full(shape, T::default(), chunks)
    }

    /// An array of ones (of `true` for `bool`); see [`DArray::full`].
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::full(shape, T::of_i64(1), chunks)
    }

    /// An array whose elements do not matter. Here they are zeros, which cost nothing.
    #[track_caller]
    pub fn empty(shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::zeros(shape, chunks)
    }

    /// An array of the same shape and chunks whose elements are all `value`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::zeros([4], 2);
    /// assert_eq!(x.full_like(2.5).compute()?.into_iter().collect::<Vec<_>>(), [2.5; 4]);
    /// assert_eq!(x.ones_like().chunks()?, x.chunks()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: the sizes of chunks are not known.
    #[track_caller]
    pub fn full_like(&self, value: T) -> DArray<T> {
        let meta = self.untyped().meta().and_then(|meta| meta.sizes().map(|_| meta.clone()));
        Self::made(".full_like(…)", meta, Pattern::Fill(Scalar::of(value)))
    }

    /// Zeros of the same shape and chunks.
    #[doc(alias = "empty_like")]
    #[track_caller]
    pub fn zeros_like(&self) -> DArray<T> {
        self.full_like(T::default())
    }

    /// Ones of the same shape and chunks.
    #[track_caller]
    pub fn ones_like(&self) -> DArray<T> {
        self.full_like(T::of_i64(1))
    }

    #[track_caller]
    fn made(method: &str, meta: Result<Meta, Failure>, pattern: Pattern) -> DArray<T> {
        match meta {
            Ok(meta) => DArray::then(MakeStep { meta, pattern }, Vec::new(), method),
            Err(failure) => DArray::failed(failure, method),
        }
    }
}

impl<T: Real> DArray<T> {
    /// `start`, `start + step`, … up to and without `stop`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::arange(0, 7, 2, 3).compute()?.into_iter().collect::<Vec<_>>(), [0, 2, 4, 6]);
    /// assert_eq!(DArray::arange(1.0, 0.0, -0.25, 3).shape()?, [4]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a step of zero, a bound that is no number, chunks that do not fit.
    #[track_caller]
    pub fn arange(start: T, stop: T, step: T, chunks: impl Into<Chunks>) -> DArray<T> {
        let meta = steps(start, stop, step).and_then(|len| chunks.into().of_new(&len.into(), T::DTYPE));
        Self::made("arange(…)", meta, Pattern::Steps { start: Scalar::of(start), step: Scalar::of(step) })
    }
}

impl<T: Element> DArray<T> {
    /// A square with ones on its main diagonal and zeros elsewhere.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::<u8>::eye(2, 1).compute()?.into_iter().collect::<Vec<_>>(), [1, 0, 0, 1]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit.
    #[doc(alias = "identity")]
    #[track_caller]
    pub fn eye(n: usize, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::eye_with(n, n, 0, chunks)
    }

    /// `rows` by `columns` with ones on diagonal `k`, counted from the main one: 1 is the next above it, -1 the next below.
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit.
    #[track_caller]
    pub fn eye_with(rows: usize, columns: usize, k: isize, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::made("eye(…)", chunks.into().of_new(&[rows, columns].into(), T::DTYPE), Pattern::Eye(k as i64))
    }

    /// `rows` by `columns` with ones on and below diagonal `k` and zeros above it.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::<i32>::tri(2, 3, 1, -1).compute()?.into_iter().collect::<Vec<_>>(), [1, 1, 0, 1, 1, 1]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit.
    #[track_caller]
    pub fn tri(rows: usize, columns: usize, k: isize, chunks: impl Into<Chunks>) -> DArray<T> {
        Self::made("tri(…)", chunks.into().of_new(&[rows, columns].into(), T::DTYPE), Pattern::Tri(k as i64))
    }
}

impl<T: Inexact> DArray<T> {
    /// `n` numbers at equal distances from `start` to `stop`, both included. Complex numbers lie on the line between them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::linspace(0.0, 1.0, 5, 2).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit.
    #[track_caller]
    pub fn linspace(start: T, stop: T, n: usize, chunks: impl Into<Chunks>) -> DArray<T> {
        let (start, stop) = (Convert::<C128>::convert(start), Convert::<C128>::convert(stop));
        let meta = chunks.into().of_new(&n.into(), T::DTYPE);
        if !T::DTYPE.is_complex() {
            return Self::made("linspace(…)", meta, line(start.re, stop.re, n));
        }
        let part = <T::Part as Held>::DTYPE;
        let meta = meta.map(|meta| Meta { dtype: part, ..meta });
        let re = DArray::<T::Part>::made("linspace(…)", meta.clone(), line(start.re, stop.re, n));
        let im = DArray::<T::Part>::made("linspace(…)", meta, line(start.im, stop.im, n));
        DArray::elementwise(Op::Join, part, vec![Given::Array(re.to_any()), Given::Array(im.to_any())], "linspace(…)")
    }
}

/// Numbers at equal distances between two, both included.
fn line(start: f64, stop: f64, n: usize) -> Pattern {
    let step = if n > 1 { (stop - start) / (n - 1) as f64 } else { 0.0 };
    Pattern::Line { start, step, last: if n > 1 { stop } else { start }, n: n as u64 }
}

/// How many numbers there are from `start` on before `stop`.
fn steps<T: Real>(start: T, stop: T, step: T) -> Result<usize, Failure> {
    let count = if T::DTYPE.is_float() {
        ((stop.to_f64() - start.to_f64()) / step.to_f64()).ceil()
    } else {
        // Unsigned ones pass through `i64` as the same bits.
        let wide = |number: T| if T::DTYPE == DType::U64 { i128::from(number.to_i64() as u64) } else { i128::from(number.to_i64()) };
        let (distance, step) = (wide(stop) - wide(start), wide(step));
        if step == 0 { f64::NAN } else { (distance / step + i128::from(distance % step != 0 && (distance < 0) == (step < 0))) as f64 }
    };
    if !count.is_finite() || count > isize::MAX as f64 {
        let what = format!("arange from {start} to {stop} in steps of {step} does not end");
        return Err(Failure::new(Code::InvalidOption, what).help("a step that leads from the start to the stop"));
    }
    Ok(count.max(0.0) as usize)
}

/// The rule of an array.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Pattern {
    Fill(Scalar),
    Steps { start: Scalar, step: Scalar },
    Line { start: f64, step: f64, last: f64, n: u64 },
    Eye(i64),
    Tri(i64),
}

struct MakeStep {
    meta: Meta,
    pattern: Pattern,
}

impl Step for MakeStep {
    fn line(&self) -> String {
        let shape = self.meta.show_shape();
        match &self.pattern {
            Pattern::Fill(value) => format!("full {shape} of {value}"),
            Pattern::Steps { start, step } => format!("arange {shape} from {start} by {step}"),
            Pattern::Line { start, last, .. } => format!("linspace {shape} from {start} to {last}"),
            Pattern::Eye(k) => format!("eye {shape}, diagonal {k}"),
            Pattern::Tri(k) => format!("tri {shape}, diagonal {k}"),
        }
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn everywhere(&self, _: &[AnyArray]) -> Option<Scalar> {
        match &self.pattern {
            Pattern::Fill(value) => Some(*value),
            Pattern::Steps { .. } | Pattern::Line { .. } | Pattern::Eye(_) | Pattern::Tri(_) => None,
        }
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let places = self.meta.places()?;
        if let Pattern::Fill(value) = self.pattern {
            return Ok(lowering.add(filled(value, places.into_iter().map(|place| place.shape), None), node));
        }
        let op = OpRef::new(Make { pattern: self.pattern.clone(), dtype: self.meta.dtype, reader: None }, self.line());
        let args = places.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("make", op, args, Vec::new()), node))
    }
}

/// A layer of blocks of these shapes that are the same everywhere. For the one reader that it says: layers for different readers are
/// different ones, so that each becomes part of its reader's tasks.
pub(crate) fn filled(value: Scalar, shapes: impl Iterator<Item = Vec<usize>>, reader: Option<u64>) -> Layer {
    let op = OpRef::new(Make { pattern: Pattern::Fill(value), dtype: value.dtype, reader }, format!("full of {value}"));
    // Where a block lies does not matter, so blocks of one shape share their argument.
    let mut known: BTreeMap<Vec<usize>, Arg> = BTreeMap::new();
    let args = shapes.map(|shape| {
        let arg = |shape: &Vec<usize>| Arg::encode(&Place { start: vec![0; shape.len()], shape: shape.clone() });
        known.entry(shape).or_insert_with_key(arg).clone()
    });
    let args = args.collect();
    Layer::with_args("make", op, args, Vec::new())
}

/// Makes the block at a place.
#[derive(Serialize, Deserialize)]
pub(crate) struct Make {
    pattern: Pattern,
    dtype: DType,
    /// For which reader alone; it changes nothing but the name.
    reader: Option<u64>,
}

impl Operator for Make {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let place: Place = ctx.arg()?.decode()?;
        with_dtype!(self.dtype, T => block::<T>(&self.pattern, place).map(Chunk::new))
    }
}

impl NamedOperator for Make {
    const NAME: &'static str = "array_make";
}

fn block<T: Held>(pattern: &Pattern, place: Place) -> Result<Block, Failure> {
    let line = |value: &dyn Fn(usize) -> T| {
        let (start, len) = (place.start[0], place.shape[0]);
        Block::from_vec(vec![len], (start..start + len).map(value).collect())
    };
    let of_kind =
        |scalar: &Scalar| scalar.get::<T>().ok_or_else(|| Failure::internal(format!("a {} in an array of {}", scalar.dtype, T::DTYPE)));
    Ok(match pattern {
        Pattern::Fill(value) => Block::full(place.shape, of_kind(value)?),
        Pattern::Steps { start, step } => {
            let (start, step) = (of_kind(start)?, of_kind(step)?);
            match T::DTYPE.is_float() {
                true => line(&|i| T::of_f64(start.to_f64() + i as f64 * step.to_f64())),
                false => line(&|i| T::of_i64(start.to_i64().wrapping_add((i as i64).wrapping_mul(step.to_i64())))),
            }
        }
        Pattern::Line { start, step, last, n } => line(&|i| T::of_f64(if i as u64 + 1 == *n { *last } else { start + i as f64 * step })),
        Pattern::Eye(k) => ones_in_rows::<T>(place, |row| row.saturating_add(*k)..row.saturating_add(*k).saturating_add(1)),
        Pattern::Tri(k) => ones_in_rows::<T>(place, |row| i64::MIN..row.saturating_add(*k).saturating_add(1)),
    })
}

/// Zeros, with ones where the rule says for each row; rows and columns are counted in the whole array.
fn ones_in_rows<T: Held>(place: Place, ones: impl Fn(i64) -> std::ops::Range<i64>) -> Block {
    let (rows, columns) = (place.shape[0], place.shape[1]);
    let within = |column: i64| column.saturating_sub(place.start[1] as i64).clamp(0, columns as i64) as usize;
    let ranges = (0..rows).map(|row| ones((place.start[0] + row) as i64)).map(|ones| within(ones.start)..within(ones.end));
    let ranges: Vec<_> = ranges.collect();
    if ranges.iter().all(std::ops::Range::is_empty) {
        return Block::full(place.shape, T::default());
    }
    let mut values = vec![T::default(); rows * columns];
    for (row, ones) in ranges.into_iter().enumerate() {
        values[row * columns..][ones].fill(T::of_i64(1));
    }
    Block::from_vec(place.shape, values)
}
