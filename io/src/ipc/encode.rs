//! A frame as Arrow messages whose bodies are the frame's own buffers. Nothing but bitmaps that start inside a byte, and text
//! whose buffers are mostly waste, is copied.

use std::io;

use polars::prelude::{CompatLevel, DataFrame, DataType, PolarsResult, SchemaExt};
use polars_arrow::io::ipc::write::{default_ipc_fields, schema_to_bytes};
use polars_arrow::io::ipc::write2::array::{IpcBatchSerializationContext, write_array};
use polars_arrow::io::ipc::write2::message::finish_encode_ipc_record_batch;
use polars_arrow::io::write_owned::WriteBytesOwned;
use polars_arrow::record_batch::RecordBatch;
use polars_buffer::Buffer;

/// Pieces smaller than this, in bytes, are put together: padding and bitmaps are not worth a piece of their own.
const SMALL: usize = 4096;

/// One Arrow message in the form that Arrow Flight sends: the flatbuffer, and the body in pieces.
#[derive(Clone, Default)]
pub struct Message {
    /// The flatbuffer `Message`, without the length before it.
    pub header: Vec<u8>,
    /// The body, in order. Each buffer of an array lies within one piece.
    pub body: Vec<Buffer<u8>>,
}

impl Message {
    /// Bytes of the body.
    pub fn body_len(&self) -> usize {
        self.body.iter().map(Buffer::len).sum()
    }
}

/// The frame as messages, the schema first. `None` when a column has a type that only files cover: see [`super::write`].
///
/// # Errors
/// A column that has no Arrow form.
pub fn encode(frame: &DataFrame) -> PolarsResult<Option<Vec<Message>>> {
    if frame.schema().iter_values().any(needs_dictionary) || frame.width() == 0 {
        return Ok(None);
    }
    let whole;
    let frame = match frame.should_rechunk() || frame.first_col_n_chunks() > 1 {
        true => {
            let mut one = frame.clone();
            one.rechunk_mut();
            whole = one;
            &whole
        }
        false => frame,
    };
    let schema = frame.schema().to_arrow(CompatLevel::newest());
    let header = schema_to_bytes(&schema, &default_ipc_fields(schema.iter_values()), None);
    let mut messages = vec![Message { header, body: Vec::new() }];
    for batch in frame.iter_chunks(CompatLevel::newest(), false) {
        messages.push(record_batch(&batch)?);
    }
    Ok(Some(messages))
}

/// The frame with categories as text: for readers of other languages, which need no more.
///
/// # Errors
/// Never for frames that polars made.
pub fn text_for_categories(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let mut frame = frame.clone();
    let named: Vec<_> = frame.schema().iter().filter(|(_, dtype)| needs_dictionary(dtype)).map(|(name, _)| name.clone()).collect();
    for name in named {
        let column = frame.column(&name)?.cast(&DataType::String)?;
        frame.with_column(column)?;
    }
    Ok(frame)
}

fn record_batch(batch: &RecordBatch) -> PolarsResult<Message> {
    let (mut header, mut body) = (Pieces::default(), Pieces::default());
    let mut context = IpcBatchSerializationContext::new(&mut header, &mut body, None);
    for array in batch.arrays() {
        write_array(&mut context, array.as_ref())?;
    }
    finish_encode_ipc_record_batch(&mut context, batch.len(), None)?;
    let header = header.done().iter().flat_map(|piece| piece.iter().copied()).collect();
    Ok(Message { header, body: body.done() })
}

fn needs_dictionary(dtype: &DataType) -> bool {
    match dtype {
        DataType::Categorical(..) | DataType::Enum(..) => true,
        DataType::List(inner) | DataType::Array(inner, _) => needs_dictionary(inner),
        DataType::Struct(fields) => fields.iter().any(|field| needs_dictionary(field.dtype())),
        _ => false,
    }
}

/// What is written, in pieces: large buffers as they are, small ones put together.
#[derive(Default)]
struct Pieces {
    done: Vec<Buffer<u8>>,
    small: Vec<u8>,
    len: usize,
}

impl Pieces {
    fn done(mut self) -> Vec<Buffer<u8>> {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if !self.small.is_empty() {
            self.done.push(std::mem::take(&mut self.small).into());
        }
    }
}

impl WriteBytesOwned for Pieces {
    fn write_all_owned(&mut self, bytes: &Buffer<u8>) -> io::Result<()> {
        if bytes.len() < SMALL {
            return self.write_all(bytes);
        }
        self.close();
        self.len += bytes.len();
        self.done.push(bytes.clone());
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len();
        self.small.extend_from_slice(bytes);
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }
}
