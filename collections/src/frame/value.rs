//! What a frame's tasks hand to each other: a partition, and a partition whose text keys are still codes.

use partita_graph::{Chunk, Encoded, Failure, Registry, Value};
use partita_io::csv::Codes;
use partita_io::ipc;
use polars::prelude::{Column, DataFrame};

use super::expr::polars_failure;

/// A partition of a frame: a polars `DataFrame`.
pub struct Partition(pub DataFrame);

impl Value for Partition {
    fn kind(&self) -> &'static str {
        "frame"
    }

    fn nbytes(&self) -> u64 {
        self.0.estimated_size() as u64
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        let bytes = ipc::write(&self.0).map_err(|e| polars_failure(e, None))?;
        Ok(Encoded::of(bytes))
    }
}

/// A partition straight from a reader, some text columns of which are codes into their distinct values.
///
/// It lives between two steps of one kernel. Whoever wants the frame pays for the text then: [`frame_of`].
pub struct Coded {
    /// Rows.
    pub rows: usize,
    /// In schema order.
    pub columns: Vec<CodedColumn>,
}

/// A column of a [`Coded`] partition.
pub enum CodedColumn {
    /// As polars has it.
    Plain(Column),
    /// Codes and distinct values.
    Codes(Codes),
}

impl Coded {
    /// The frame, with text made from the codes.
    pub fn to_frame(&self) -> Result<DataFrame, Failure> {
        let columns = self.columns.iter().map(|column| match column {
            CodedColumn::Plain(column) => column.clone(),
            CodedColumn::Codes(codes) => codes.clone().into_column(),
        });
        DataFrame::new(self.rows, columns.collect()).map_err(|e| polars_failure(e, None))
    }
}

impl Value for Coded {
    fn kind(&self) -> &'static str {
        "frame"
    }

    fn nbytes(&self) -> u64 {
        let column = |column: &CodedColumn| match column {
            CodedColumn::Plain(column) => column.as_materialized_series().estimated_size() as u64,
            CodedColumn::Codes(codes) => codes.codes.len() as u64 * 4,
        };
        self.columns.iter().map(column).sum()
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Partition(self.to_frame()?).encode()
    }
}

/// The frame in a chunk.
pub fn frame_of(chunk: &Chunk) -> Result<DataFrame, Failure> {
    if let Some(partition) = chunk.get::<Partition>() {
        return Ok(partition.0.clone());
    }
    match chunk.get::<Coded>() {
        Some(coded) => coded.to_frame(),
        None => Err(Failure::internal(format!("a frame was expected, and {chunk:?} came"))),
    }
}

/// A chunk of a frame.
pub fn chunk_of(frame: DataFrame) -> Chunk {
    Chunk::new(Partition(frame))
}

/// Lets a registry decode partitions.
pub fn register(registry: &mut Registry) {
    registry.add_value("frame", |encoded| {
        let bytes = encoded.buffers.first().ok_or_else(|| Failure::internal("a frame without bytes"))?;
        let frame = ipc::read((**bytes).as_ref()).map_err(|e| polars_failure(e, None))?;
        Ok(chunk_of(frame))
    });
}
