//! Arrow messages back to a frame whose buffers are the bytes that came: nothing is copied unless it is misaligned, and
//! everything that memory safety rests on (bounds, offsets, UTF-8) is checked, because the bytes may come from a peer.

use std::collections::VecDeque;

use bytemuck::Pod;
use polars::prelude::{Column, DataFrame, PolarsError, PolarsResult, Series, polars_bail, polars_err};
use polars_arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, NullArray, PrimitiveArray, StructArray, View,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, PhysicalType};
use polars_arrow::io::ipc::format::ipc::planus::ReadAsRoot;
use polars_arrow::io::ipc::format::ipc::{BufferRef, FieldNodeRef, MessageHeaderRef, MessageRef, RecordBatchRef};
use polars_arrow::io::ipc::read::deserialize_schema;
use polars_arrow::offset::OffsetsBuffer;
use polars_arrow::types::PrimitiveType;
use polars_buffer::Buffer;

use super::Message;
use super::text::text;

/// How deeply types may be nested.
const DEEPEST: u32 = 64;

/// The frame of these messages, the schema first.
///
/// # Errors
/// Messages that are not what [`super::encode`] writes: cut off, inconsistent, invalid UTF-8, compressed, with dictionaries.
pub fn decode(messages: &[Message]) -> PolarsResult<DataFrame> {
    let [schema, batches @ ..] = messages else { polars_bail!(ComputeError: "a frame without a schema") };
    let (schema, _, _) = deserialize_schema(&schema.header)?;
    let mut whole: Option<DataFrame> = None;
    for message in batches {
        let batch = record_batch(&message.header)?;
        let mut body = Reader::new(&batch, &message.body)?;
        let mut columns = Vec::with_capacity(schema.len());
        for field in schema.iter_values() {
            let array = body.array(field.dtype(), DEEPEST)?;
            columns.push(Column::from(Series::try_from((field, vec![array]))?));
        }
        let frame = DataFrame::new(body.rows, columns)?;
        match &mut whole {
            None => whole = Some(frame),
            Some(whole) => drop(whole.vstack_mut(&frame)?),
        }
    }
    match whole {
        Some(frame) => Ok(frame),
        None => {
            let empty = |field: &polars_arrow::datatypes::Field| -> PolarsResult<Column> {
                let array = polars_arrow::array::new_empty_array(field.dtype().clone());
                Ok(Column::from(Series::try_from((field, vec![array]))?))
            };
            DataFrame::new(0, schema.iter_values().map(empty).collect::<PolarsResult<_>>()?)
        }
    }
}

fn record_batch(header: &[u8]) -> PolarsResult<RecordBatchRef<'_>> {
    let message = MessageRef::read_as_root(header).map_err(damaged)?;
    let batch = match message.header().map_err(damaged)? {
        Some(MessageHeaderRef::RecordBatch(batch)) => batch,
        _ => polars_bail!(ComputeError: "an Arrow message that is no record batch"),
    };
    if batch.compression().map_err(damaged)?.is_some() {
        polars_bail!(ComputeError: "a compressed record batch");
    }
    Ok(batch)
}

fn damaged(error: polars_arrow::io::ipc::format::ipc::planus::Error) -> PolarsError {
    polars_err!(ComputeError: "a damaged Arrow message: {error}")
}

fn count(number: i64) -> PolarsResult<usize> {
    usize::try_from(number).map_err(|_| polars_err!(ComputeError: "a negative length in an Arrow message"))
}

/// Hands out the buffers of a batch in the order of its schema.
struct Reader<'a> {
    rows: usize,
    nodes: VecDeque<FieldNodeRef<'a>>,
    buffers: VecDeque<BufferRef<'a>>,
    variadic: VecDeque<i64>,
    pieces: &'a [Buffer<u8>],
    /// Where each piece begins in the body.
    starts: Vec<usize>,
    end: usize,
}

impl<'a> Reader<'a> {
    fn new(batch: &RecordBatchRef<'a>, pieces: &'a [Buffer<u8>]) -> PolarsResult<Self> {
        let mut end = 0;
        let mut starts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            starts.push(end);
            end += piece.len();
        }
        Ok(Self {
            rows: count(batch.length().map_err(damaged)?)?,
            nodes: batch.nodes().map_err(damaged)?.into_iter().flatten().collect(),
            buffers: batch.buffers().map_err(damaged)?.into_iter().flatten().collect(),
            variadic: batch.variadic_buffer_counts().map_err(damaged)?.into_iter().flatten().collect(),
            pieces,
            starts,
            end,
        })
    }

    /// The next buffer: a view of the piece that it lies in.
    fn bytes(&mut self) -> PolarsResult<Buffer<u8>> {
        let buffer = self.buffers.pop_front().ok_or_else(|| polars_err!(ComputeError: "a buffer is missing in an Arrow message"))?;
        let (offset, len) = (count(buffer.offset())?, count(buffer.length())?);
        let end = offset.checked_add(len).filter(|end| *end <= self.end);
        let end = end.ok_or_else(|| polars_err!(ComputeError: "a buffer ends behind the body of its Arrow message"))?;
        if len == 0 {
            return Ok(Buffer::default());
        }
        let at = self.starts.partition_point(|start| *start <= offset) - 1;
        let begin = offset - self.starts[at];
        if begin + len <= self.pieces[at].len() {
            return Ok(self.pieces[at].clone().sliced(begin..begin + len));
        }
        let mut joined = Vec::with_capacity(len);
        for (piece, start) in self.pieces.iter().zip(&self.starts).skip(at) {
            if *start >= end {
                break;
            }
            joined.extend_from_slice(&piece[offset.saturating_sub(*start)..piece.len().min(end - start)]);
        }
        Ok(joined.into())
    }

    fn typed<T: Pod>(&mut self, len: usize) -> PolarsResult<Buffer<T>> {
        let bytes = self.bytes()?;
        let need = len.checked_mul(size_of::<T>()).filter(|need| *need <= bytes.len());
        let need = need.ok_or_else(|| polars_err!(ComputeError: "a buffer of an Arrow message is too short"))?;
        let bytes = bytes.sliced(..need);
        // Asked here first: a buffer that starts in the middle of another may pass for aligned below.
        if need == 0 || !bytes.as_ptr().cast::<T>().is_aligned() {
            return Ok(bytemuck::pod_collect_to_vec::<u8, T>(&bytes).into());
        }
        match bytes.try_transmute() {
            Ok(typed) => Ok(typed),
            Err(bytes) => Ok(bytemuck::pod_collect_to_vec::<u8, T>(&bytes).into()),
        }
    }

    fn bits(&mut self, len: usize) -> PolarsResult<Bitmap> {
        let bytes = self.bytes()?;
        if bytes.len() < len.div_ceil(8) {
            polars_bail!(ComputeError: "a bitmap of an Arrow message is too short");
        }
        Bitmap::try_new(bytes[..len.div_ceil(8)].to_vec(), len)
    }

    fn validity(&mut self, len: usize, nulls: usize) -> PolarsResult<Option<Bitmap>> {
        match nulls {
            0 => self.bytes().map(|_| None),
            _ => self.bits(len).map(Some),
        }
    }

    fn array(&mut self, dtype: &ArrowDataType, depth: u32) -> PolarsResult<Box<dyn Array>> {
        let node = self.nodes.pop_front().ok_or_else(|| polars_err!(ComputeError: "a column is missing in an Arrow message"))?;
        let (len, nulls) = (count(node.length())?, count(node.null_count())?);
        if depth == 0 {
            polars_bail!(ComputeError: "an Arrow message nests more than {DEEPEST} types");
        }
        let owned = dtype.clone();
        Ok(match dtype.to_physical_type() {
            PhysicalType::Null => NullArray::try_new(owned, len)?.boxed(),
            PhysicalType::Boolean => {
                let validity = self.validity(len, nulls)?;
                BooleanArray::try_new(owned, self.bits(len)?, validity)?.boxed()
            }
            PhysicalType::Primitive(primitive) => self.primitive(owned, primitive, len, nulls)?,
            PhysicalType::Utf8View | PhysicalType::BinaryView => self.views(owned, len, nulls)?,
            PhysicalType::LargeList => self.list(owned, len, nulls, depth)?,
            PhysicalType::FixedSizeList => {
                let validity = self.validity(len, nulls)?;
                let ArrowDataType::FixedSizeList(child, _) = dtype.to_storage() else {
                    polars_bail!(ComputeError: "a list without a size")
                };
                let values = self.array(child.dtype(), depth - 1)?;
                FixedSizeListArray::try_new(owned, len, values, validity)?.boxed()
            }
            PhysicalType::Struct => {
                let validity = self.validity(len, nulls)?;
                let ArrowDataType::Struct(fields) = dtype.to_storage() else { polars_bail!(ComputeError: "a struct without fields") };
                let values = fields.iter().map(|field| self.array(field.dtype(), depth - 1)).collect::<PolarsResult<_>>()?;
                StructArray::try_new(owned, len, values, validity)?.boxed()
            }
            other => polars_bail!(ComputeError: "columns of Arrow type {other:?} are not sent in messages"),
        })
    }

    fn primitive(&mut self, dtype: ArrowDataType, of: PrimitiveType, len: usize, nulls: usize) -> PolarsResult<Box<dyn Array>> {
        let validity = self.validity(len, nulls)?;
        Ok(match of {
            PrimitiveType::Int8 => PrimitiveArray::<i8>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Int16 => PrimitiveArray::<i16>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Int32 => PrimitiveArray::<i32>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Int64 => PrimitiveArray::<i64>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Int128 => PrimitiveArray::<i128>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::UInt8 => PrimitiveArray::<u8>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::UInt16 => PrimitiveArray::<u16>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::UInt32 => PrimitiveArray::<u32>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::UInt64 => PrimitiveArray::<u64>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::UInt128 => PrimitiveArray::<u128>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Float32 => PrimitiveArray::<f32>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            PrimitiveType::Float64 => PrimitiveArray::<f64>::try_new(dtype, self.typed(len)?, validity)?.boxed(),
            other => polars_bail!(ComputeError: "columns of Arrow type {other:?} are not sent in messages"),
        })
    }

    fn views(&mut self, dtype: ArrowDataType, len: usize, nulls: usize) -> PolarsResult<Box<dyn Array>> {
        let validity = self.validity(len, nulls)?;
        let views = self.typed::<View>(len)?;
        let buffers = self.variadic.pop_front().ok_or_else(|| polars_err!(ComputeError: "text without a count of its buffers"))?;
        if count(buffers)? > self.buffers.len() {
            polars_bail!(ComputeError: "a text buffer is missing in an Arrow message");
        }
        let buffers: Vec<Buffer<u8>> = (0..buffers).map(|_| self.bytes()).collect::<PolarsResult<_>>()?;
        Ok(match dtype.to_physical_type() {
            PhysicalType::Utf8View => text(views, buffers, validity)?.boxed(),
            _ => BinaryViewArray::try_new(dtype, views, buffers.into(), validity)?.boxed(),
        })
    }

    fn list(&mut self, dtype: ArrowDataType, len: usize, nulls: usize, depth: u32) -> PolarsResult<Box<dyn Array>> {
        let validity = self.validity(len, nulls)?;
        let entries = len.checked_add(1).ok_or_else(|| polars_err!(ComputeError: "a list of impossible length"))?;
        let offsets = OffsetsBuffer::<i64>::try_from(self.typed::<i64>(entries)?)?;
        let child = ListArray::<i64>::try_get_child(&dtype)?.dtype().clone();
        let values = self.array(&child, depth - 1)?;
        Ok(ListArray::<i64>::try_new(dtype, offsets, values, validity)?.boxed())
    }
}
