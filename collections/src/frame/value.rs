//! What a frame's tasks hand to each other: a partition, and a partition that is read while it is used.

use partita_graph::{Chunk, Encoded, Failure, Registry, Value};
use partita_io::csv::DecodedColumn;
use partita_io::ipc;
use polars::prelude::DataFrame;

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

/// Rows straight from a reader, some text columns of which are codes into their distinct values.
pub struct Coded {
    /// Rows.
    pub rows: usize,
    /// In schema order.
    pub columns: Vec<DecodedColumn>,
}

impl Coded {
    /// The frame, with text made from the codes.
    pub fn into_frame(self) -> Result<DataFrame, Failure> {
        let columns = self.columns.into_iter().map(DecodedColumn::into_column).collect();
        DataFrame::new(self.rows, columns).map_err(|e| polars_failure(e, None))
    }
}

/// Takes the rows of a stream, batch after batch.
pub type Sink<'a> = &'a mut dyn FnMut(Coded) -> Result<(), Failure>;

/// Something that gives its rows in batches small enough for the cache.
pub trait Batches: Send + Sync {
    /// Calls `sink` with about `bytes` decoded bytes at a time, in row order.
    fn each(&self, bytes: usize, cancelled: &dyn Fn() -> bool, sink: Sink<'_>) -> Result<(), Failure>;
}

/// A partition that is read while it is used. It lives between two steps of one kernel, so that a group-by never has more
/// rows in memory than fit the cache; whoever wants the whole frame pays for it then: [`frame_of`].
pub struct Stream(pub Box<dyn Batches>);

impl Stream {
    fn frame(&self) -> Result<DataFrame, Failure> {
        let mut frames = Vec::new();
        self.0.each(usize::MAX, &|| false, &mut |batch| {
            frames.push(batch.into_frame()?);
            Ok(())
        })?;
        joined(frames)
    }
}

impl Value for Stream {
    fn kind(&self) -> &'static str {
        "frame"
    }

    fn nbytes(&self) -> u64 {
        0
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Partition(self.frame()?).encode()
    }
}

/// Frames one below the other, in one piece of memory.
pub fn joined(frames: Vec<DataFrame>) -> Result<DataFrame, Failure> {
    let mut frames = frames.into_iter();
    let mut all = frames.next().ok_or_else(|| Failure::internal("no frame to join"))?;
    for frame in frames {
        all.vstack_mut(&frame).map_err(|e| polars_failure(e, None))?;
    }
    all.rechunk_mut();
    Ok(all)
}

/// The frame in a chunk.
pub fn frame_of(chunk: &Chunk) -> Result<DataFrame, Failure> {
    if let Some(partition) = chunk.get::<Partition>() {
        return Ok(partition.0.clone());
    }
    match chunk.get::<Stream>() {
        Some(stream) => stream.frame(),
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
