//! A block: the piece of an array that one task makes and others read. Elements in memory, and a shape with strides that says
//! which of them belong to the block, so that slices, transposes and constants cost no copy.
//!
//! It refuses to know whole arrays and their grids. The invariant: every element that shape, strides and offset name is there,
//! whoever sent the block; [`decoded`] checks it and the methods keep it.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, ShapeBuilder};
use partita_graph::{Buffer, Chunk, Encoded, Failure, Registry, Value};
use serde::{Deserialize, Serialize};

use super::element::{DType, Data, Held, Storage, with_dtype};
use super::lend::Kept;
use super::tile::{InOrder, collect};

/// The kind of value that blocks are.
const KIND: &str = "array";

/// A block that keeps more than this many times its own elements alive is copied.
const LOOSE: usize = 4;

/// A piece of an array.
#[derive(Clone)]
pub struct Block {
    data: Data,
    shape: Vec<usize>,
    /// In elements; zero for axes along which an element is repeated.
    strides: Vec<isize>,
    /// Of the first element, in elements.
    offset: usize,
}

/// The strides of elements in row-major order.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

impl Block {
    /// Elements in row-major order.
    ///
    /// # Panics
    ///
    /// When there are not as many as the shape says.
    pub fn from_vec<T: Held>(shape: Vec<usize>, values: Vec<T>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "a block has as many elements as its shape says");
        let strides = row_major(&shape);
        Self { data: T::data(Storage::Own(Arc::new(values))), shape, strides, offset: 0 }
    }

    /// Elements in row-major order as bytes of this machine's, used where they lie. Fails when there are not as many as the shape says, or
    /// when they are no elements.
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: Vec<u8>) -> Result<Self, Failure> {
        let buffer: Buffer = Arc::new(bytes);
        let data = with_dtype!(dtype, T => data::<T>(&buffer))?;
        if data.len() != shape.iter().product::<usize>() {
            return Err(Failure::internal(format!("{} elements for a block of shape {shape:?}", data.len())));
        }
        let strides = row_major(&shape);
        Ok(Self { data, shape, strides, offset: 0 })
    }

    /// One element, repeated. It takes the memory of one.
    pub fn full<T: Held>(shape: Vec<usize>, value: T) -> Self {
        let strides = vec![0; shape.len()];
        Self { data: T::data(Storage::Own(Arc::new(vec![value]))), shape, strides, offset: 0 }
    }

    /// The array's own memory, not copied, whatever its layout.
    pub fn from_array<T: Held>(array: ArrayD<T>) -> Self {
        let (shape, strides) = (array.shape().to_vec(), array.strides().to_vec());
        let (values, offset) = array.into_raw_vec_and_offset();
        // An array without elements has no first one.
        Self { data: T::data(Storage::Own(Arc::new(values))), shape, strides, offset: offset.unwrap_or(0) }
    }

    /// An array as it is; it has no gaps and no negative strides.
    pub fn keeping<T: Held>(array: Arc<dyn Kept<T>>) -> Self {
        let (shape, strides) = (array.lens().to_vec(), array.steps().to_vec());
        Self { data: T::data(Storage::Kept(array)), shape, strides, offset: 0 }
    }

    /// The array that it was made of, if it is the whole of it.
    pub fn kept<T: Held>(&self) -> Option<&dyn Kept<T>> {
        let Some(Storage::Kept(array)) = T::storage(&self.data) else { return None };
        let whole = self.offset == 0 && self.shape == array.lens() && self.strides == array.steps();
        whole.then_some(&**array)
    }

    /// The kind of its elements.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How far elements lie apart in memory, axis by axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Where the first element lies in memory.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where its elements lie in memory, from the first to behind the last.
    fn extent(&self) -> Range<usize> {
        if self.len() == 0 {
            return 0..0;
        }
        let (mut low, mut high) = (self.offset, self.offset);
        for (n, stride) in self.shape.iter().zip(&self.strides) {
            let reach = (n - 1) * stride.unsigned_abs();
            if *stride < 0 { low -= reach } else { high += reach }
        }
        low..high + 1
    }

    /// Bytes that it takes when nobody else uses its memory.
    fn own_bytes(&self) -> usize {
        self.len().min(self.extent().len()) * self.dtype().size()
    }

    /// All that lies in its memory, also what does not belong to it. Fails when the elements are of another kind, which is a fault
    /// of the lowering.
    pub fn memory<T: Held>(&self) -> Result<&[T], Failure> {
        let wrong = || Failure::internal(format!("a block of {} where {} was expected", self.dtype(), T::DTYPE));
        T::storage(&self.data).map(Storage::values).ok_or_else(wrong)
    }

    /// For reading with ndarray. Fails when the elements are of another kind.
    pub fn view<T: Held>(&self) -> Result<ArrayViewD<'_, T>, Failure> {
        let values = &self.memory::<T>()?[self.extent()];
        if values.is_empty() {
            let empty = ArrayViewD::from_shape(IxDyn(&self.shape), values);
            return empty.map_err(|e| Failure::internal(format!("an empty block: {e}")));
        }
        let strides: Vec<usize> = self.strides.iter().map(|stride| stride.unsigned_abs()).collect();
        let view = ArrayViewD::from_shape(IxDyn(&self.shape).strides(IxDyn(&strides)), values);
        let mut view = view.map_err(|e| Failure::internal(format!("a block that is not in its memory: {e}")))?;
        for (axis, _) in self.strides.iter().enumerate().filter(|(_, stride)| **stride < 0) {
            view.invert_axis(Axis(axis));
        }
        Ok(view)
    }

    /// Its elements in row-major order.
    pub fn to_vec<T: Held>(&self) -> Result<Vec<T>, Failure> {
        let view = self.view::<T>()?;
        Ok(match view.as_slice() {
            Some(values) => values.to_vec(),
            None => collect(self)?,
        })
    }

    /// A copy of its elements as an array in row-major order.
    pub fn to_array<T: Held>(&self) -> Result<ArrayD<T>, Failure> {
        let array = ArrayD::from_shape_vec(IxDyn(&self.shape), self.to_vec()?);
        array.map_err(|e| Failure::internal(format!("a block of another length than its shape: {e}")))
    }

    /// The part of it in these ranges, one for each axis, without a copy.
    pub fn cut(&self, ranges: &[Range<usize>]) -> Self {
        let mut block = self.clone();
        for (axis, range) in ranges.iter().enumerate() {
            block.shape[axis] = range.len();
            if !range.is_empty() {
                let start = range.start as isize * self.strides[axis];
                block.offset = block.offset.wrapping_add_signed(start);
            }
        }
        match block.len() {
            // Its offset may lie behind all elements.
            0 => Self { strides: row_major(&block.shape), offset: 0, ..block },
            _ => block,
        }
    }

    /// Its first element, as a block without axes. It must be there.
    pub fn first(&self) -> Self {
        Self { data: self.data.clone(), shape: Vec::new(), strides: Vec::new(), offset: self.offset }
    }

    /// The same elements with axes in another order, without a copy: axis `at` of the result is axis `order[at]`.
    pub fn permuted(&self, order: &[usize]) -> Self {
        let (shape, strides) = order.iter().map(|axis| (self.shape[*axis], self.strides[*axis])).unzip();
        Self { data: self.data.clone(), shape, strides, offset: self.offset }
    }

    /// The same elements without some axes, which have length 1, without a copy.
    pub fn without(&self, dropped: &[bool]) -> Self {
        let axes = self.shape.iter().zip(&self.strides).zip(dropped).filter(|(_, dropped)| !**dropped);
        let (shape, strides) = axes.map(|((len, stride), _)| (*len, *stride)).unzip();
        Self { data: self.data.clone(), shape, strides, offset: self.offset }
    }

    /// `len` elements along the diagonal of its last two axes, from one on, without a copy. They must be there.
    pub fn diagonal(&self, row: usize, column: usize, len: usize) -> Self {
        let ahead = self.shape.len() - 2;
        let (down, across) = (self.strides[ahead], self.strides[ahead + 1]);
        let shape = [&self.shape[..ahead], &[len]].concat();
        let strides = [&self.strides[..ahead], &[down + across]].concat();
        let block = Self { data: self.data.clone(), shape, strides, offset: self.offset };
        if block.len() == 0 {
            return Self { strides: row_major(&block.shape), offset: 0, ..block };
        }
        let start = row as isize * down + column as isize * across;
        Self { offset: block.offset.wrapping_add_signed(start), ..block }
    }

    /// Some elements along an axis, without a copy: `len` of them, from `start` on, `step` apart; 0 repeats one. They must be there.
    pub fn strided(&self, axis: usize, start: usize, step: isize, len: usize) -> Self {
        let mut block = self.clone();
        block.shape[axis] = len;
        if block.len() == 0 {
            return Self { strides: row_major(&block.shape), offset: 0, ..block };
        }
        block.offset = block.offset.wrapping_add_signed(start as isize * self.strides[axis]);
        block.strides[axis] = self.strides[axis] * step;
        block
    }

    /// The same elements with other axes, without a copy: axis `at` of the result is axis `order[at]`, or a new one of length 1. Axes
    /// that are left out have length 1.
    pub fn arranged(&self, order: &[Option<usize>]) -> Self {
        let (shape, strides) = order.iter().map(|axis| axis.map_or((1, 0), |axis| (self.shape[axis], self.strides[axis]))).unzip();
        Self { data: self.data.clone(), shape, strides, offset: self.offset }
    }

    /// The same elements with some axes in two: of length `n / factor` and `factor`, without a copy. Factors divide the lengths.
    pub fn unfolded(&self, factors: &[Option<usize>]) -> Self {
        let (mut shape, mut strides) = (Vec::with_capacity(self.shape.len()), Vec::with_capacity(self.shape.len()));
        for ((len, stride), factor) in self.shape.iter().zip(&self.strides).zip(factors) {
            match factor {
                None => {
                    shape.push(*len);
                    strides.push(*stride);
                }
                Some(factor) => {
                    shape.extend([len / factor.max(&1), *factor]);
                    strides.extend([stride * *factor as isize, *stride]);
                }
            }
        }
        Self { data: self.data.clone(), shape, strides, offset: self.offset }
    }

    /// All windows of `len` elements along an axis, without a copy: the axis says where a window begins, a new last one goes through it.
    /// The axis is at least as long.
    pub fn windows(&self, axis: usize, len: usize) -> Self {
        let mut block = self.clone();
        block.shape[axis] = (self.shape[axis] + 1).saturating_sub(len);
        block.shape.push(len);
        block.strides.push(self.strides[axis]);
        if block.len() == 0 { Self { strides: row_major(&block.shape), offset: 0, ..block } } else { block }
    }

    /// Repeated along axes of length 1, and along new axes in front, to a shape that it fits, without a copy.
    pub fn repeated(&self, shape: &[usize]) -> Self {
        let ahead = shape.len().saturating_sub(self.shape.len());
        let stride = |axis: usize| match axis.checked_sub(ahead) {
            Some(own) if self.shape[own] == shape[axis] => self.strides[own],
            _ => 0,
        };
        let strides = (0..shape.len()).map(stride).collect();
        Self { data: self.data.clone(), shape: shape.to_vec(), strides, offset: self.offset }
    }

    /// The same elements, in row-major order, in another shape; without a copy where they lie in that order.
    pub fn reshaped(&self, shape: &[usize]) -> Result<Self, Failure> {
        if shape.iter().product::<usize>() != self.len() {
            return Err(Failure::internal(format!("a block of shape {:?} cannot be one of shape {shape:?}", self.shape)));
        }
        let expected = row_major(&self.shape);
        let longer = || self.shape.iter().zip(&self.strides).zip(&expected).filter(|((len, _), _)| **len > 1);
        if longer().all(|((_, stride), expected)| stride == expected) || self.len() == 0 {
            return Ok(Self { shape: shape.to_vec(), strides: row_major(shape), ..self.clone() });
        }
        if longer().all(|((_, stride), _)| *stride == 0) {
            return Ok(Self { shape: shape.to_vec(), strides: vec![0; shape.len()], ..self.clone() });
        }
        self.packed()?.reshaped(shape)
    }

    /// The same elements in memory of their own and in row-major order.
    pub fn packed(&self) -> Result<Self, Failure> {
        with_dtype!(self.dtype(), T => Ok(Self::from_vec(self.shape.clone(), self.to_vec::<T>()?)))
    }

    /// The same elements in row-major order, copied only where they lie otherwise. For what sums up as memory lies.
    pub fn in_order(&self) -> Result<Self, Failure> {
        if !InOrder::of(self).is_plain() {
            return self.packed();
        }
        // Along axes of one element any stride is right, and some readers look at it.
        Ok(Self { data: self.data.clone(), strides: row_major(&self.shape), shape: self.shape.clone(), offset: self.offset })
    }

    /// Itself, copied if it keeps much more memory alive than it needs.
    pub fn compact(self) -> Result<Self, Failure> {
        if self.own_bytes() * LOOSE >= self.data.len() * self.dtype().size() {
            return Ok(self);
        }
        // What is repeated stays repeated.
        let is_repeated = |axis: usize| self.strides[axis] == 0 && self.shape[axis] > 0;
        let shape = (0..self.shape.len()).map(|axis| if is_repeated(axis) { 1 } else { self.shape[axis] }).collect();
        let once = Self { shape, ..self.clone() }.packed()?;
        let strides = (0..self.shape.len()).map(|axis| if is_repeated(axis) { 0 } else { once.strides[axis] }).collect();
        Ok(Self { shape: self.shape, strides, ..once })
    }
}

/// What an encoded block says of itself beside its elements.
#[derive(Serialize, Deserialize)]
struct Header {
    dtype: DType,
    shape: Vec<u64>,
    strides: Vec<i64>,
    offset: u64,
}

/// Some of a block's memory, shared with it.
struct Piece {
    data: Data,
    range: Range<usize>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.data.bytes(self.range.clone())
    }
}

impl Value for Block {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn nbytes(&self) -> u64 {
        self.own_bytes() as u64
    }

    /// Without a copy where its elements lie close together, in whatever order; else in row-major order.
    fn encode(&self) -> Result<Encoded, Failure> {
        let close = self.extent().len() <= self.len();
        let block = if close { self.clone() } else { self.packed()? };
        let range = block.extent();
        let header = Header {
            dtype: block.dtype(),
            shape: block.shape.iter().map(|n| *n as u64).collect(),
            strides: block.strides.iter().map(|stride| *stride as i64).collect(),
            offset: (block.offset - range.start.min(block.offset)) as u64,
        };
        let header = postcard::to_stdvec(&header).expect("plain data");
        Ok(Encoded { header, buffers: vec![Arc::new(Piece { data: block.data, range })] })
    }
}

fn damaged() -> Failure {
    Failure::internal("an encoded block of an array is damaged")
}

/// The block in an encoding. Whatever it says, no element outside the buffer is named and nothing is allocated beyond its size.
pub fn decoded(encoded: &Encoded) -> Result<Block, Failure> {
    let header: Header = postcard::from_bytes(&encoded.header).map_err(|_| damaged())?;
    let [buffer] = &encoded.buffers[..] else { return Err(damaged()) };
    let data = with_dtype!(header.dtype, T => data::<T>(buffer))?;
    placed(&header, data).ok_or_else(damaged)
}

/// Elements where they lie, or copied where they are not aligned.
fn data<T: Held>(buffer: &Buffer) -> Result<Data, Failure> {
    let bytes = (**buffer).as_ref();
    match T::lent(bytes) {
        Some(_) => Ok(T::data(Storage::Lent(buffer.clone()))),
        None => Ok(T::data(Storage::Own(Arc::new(T::copied(bytes).ok_or_else(damaged)?)))),
    }
}

/// A block of these elements, if all that the header names are there.
fn placed(header: &Header, data: Data) -> Option<Block> {
    let shape = header.shape.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<Vec<usize>>>()?;
    let strides = header.strides.iter().map(|stride| isize::try_from(*stride).ok()).collect::<Option<Vec<isize>>>()?;
    let elements = shape.iter().filter(|n| **n != 0).try_fold(1usize, |product, n| product.checked_mul(*n))?;
    if shape.len() != strides.len() || elements > isize::MAX as usize {
        return None;
    }
    if shape.contains(&0) {
        let strides = row_major(&shape);
        return Some(Block { data, shape, strides, offset: 0 });
    }
    let (mut low, mut high) = (i128::from(header.offset), i128::from(header.offset));
    for (n, stride) in shape.iter().zip(&strides) {
        let reach = (*n as i128 - 1) * *stride as i128;
        low = low.checked_add(reach.min(0))?;
        high = high.checked_add(reach.max(0))?;
    }
    let there = low >= 0 && high < data.len() as i128;
    there.then(|| Block { data, shape, strides, offset: header.offset as usize })
}

/// The block in a chunk.
pub fn block_of(chunk: &Chunk) -> Result<&Block, Failure> {
    chunk.get::<Block>().ok_or_else(|| Failure::internal(format!("a block of an array was expected, and {chunk:?} came")))
}

/// Lets a registry decode blocks.
pub fn register(registry: &mut Registry) {
    registry.add_value(KIND, |encoded| Ok(Chunk::new(decoded(&encoded)?)));
}

#[cfg(test)]
mod tests;
