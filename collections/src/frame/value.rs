//! What a frame's tasks hand to each other: a partition, and a partition that is read while it is used.

use std::sync::Arc;

use partita_graph::{Buffer, Chunk, Code, Encoded, Failure, Plain, Registry, Value};
use partita_io::ipc::{self, Message};
use partita_io::{Coded, Test};
use polars::prelude::DataFrame;
use polars_buffer::Buffer as Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::expr::polars_failure;

/// The kind of value that partitions are.
const KIND: &str = "frame";

/// A partition of a frame: a polars `DataFrame`.
pub struct Partition(pub DataFrame);

impl Value for Partition {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn nbytes(&self) -> u64 {
        self.0.estimated_size() as u64
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        match ipc::encode(&self.0).map_err(|e| polars_failure(e, None))? {
            Some(messages) => Ok(encoded(messages)),
            None => Ok(Encoded::of(ipc::write(&self.0).map_err(|e| polars_failure(e, None))?)),
        }
    }
}

/// A piece of a message's body, shared with the frame that it comes from.
struct Piece(Bytes<u8>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The other way: a buffer that came from a peer or a disk, as polars keeps it.
struct Owner(Buffer);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Each Arrow message as the encoding's header says it: its flatbuffer, and how many of the buffers are its body. An
/// encoding without a header is an Arrow file.
type Heads = Vec<(Vec<u8>, u32)>;

/// One of them with its buffers.
type Head<'a> = (Vec<u8>, &'a [Buffer]);

/// An Arrow message as Flight sends it: the flatbuffer, and the body in pieces.
pub type ArrowMessage = (Vec<u8>, Vec<Buffer>);

fn encoded(messages: Vec<Message>) -> Encoded {
    let mut heads = Heads::with_capacity(messages.len());
    let mut buffers: Vec<Buffer> = Vec::new();
    for message in messages {
        heads.push((message.header, message.body.len() as u32));
        buffers.extend(message.body.into_iter().map(|piece| Arc::new(Piece(piece)) as Buffer));
    }
    Encoded { header: postcard::to_stdvec(&heads).expect("plain data"), buffers }
}

/// The Arrow messages of an encoded partition, each with the buffers of its body; `None` when it is an Arrow file.
fn heads(encoded: &Encoded) -> Result<Option<Vec<Head<'_>>>, Failure> {
    if encoded.header.is_empty() {
        return Ok(None);
    }
    let damaged = || Failure::internal("the header of a partition is damaged");
    let heads: Heads = postcard::from_bytes(&encoded.header).map_err(|_| damaged())?;
    let mut left = &encoded.buffers[..];
    let mut messages = Vec::with_capacity(heads.len());
    for (header, pieces) in heads {
        let (body, rest) = left.split_at_checked(pieces as usize).ok_or_else(damaged)?;
        messages.push((header, body));
        left = rest;
    }
    Ok(Some(messages))
}

/// The frame of an encoded partition.
pub fn decoded(encoded: &Encoded) -> Result<DataFrame, Failure> {
    let frame = match heads(encoded)? {
        Some(heads) => {
            let owned = |pieces: &[Buffer]| pieces.iter().map(|piece| Bytes::from_owner(Owner(piece.clone()))).collect();
            let messages: Vec<Message> = heads.into_iter().map(|(header, pieces)| Message { header, body: owned(pieces) }).collect();
            ipc::decode(&messages)
        }
        None => {
            let bytes = encoded.buffers.first().ok_or_else(|| Failure::internal("a frame without bytes"))?;
            ipc::read((**bytes).as_ref())
        }
    };
    frame.map_err(|e| polars_failure(e, None))
}

/// An encoded partition as the messages of an Arrow Flight stream. Categories become text, which every reader understands.
/// `None` for values that are no frames.
///
/// # Errors
/// A partition that cannot be decoded.
pub fn arrow_messages(kind: &str, value: &Encoded) -> Result<Option<Vec<ArrowMessage>>, Failure> {
    if kind != KIND {
        return Ok(None);
    }
    if let Some(heads) = heads(value)? {
        return Ok(Some(heads.into_iter().map(|(header, body)| (header, body.to_vec())).collect()));
    }
    let text = ipc::text_for_categories(&decoded(value)?).map_err(|e| polars_failure(e, None))?;
    let messages = ipc::encode(&text).map_err(|e| polars_failure(e, None))?;
    let messages = messages.ok_or_else(|| Failure::new(Code::Unsupported, "a frame without columns has no Arrow messages"))?;
    let value = encoded(messages);
    Ok(heads(&value)?.map(|heads| heads.into_iter().map(|(header, body)| (header, body.to_vec())).collect()))
}

/// The frame of rows straight from a reader, with text made from codes.
pub fn uncoded(rows: Coded) -> Result<DataFrame, Failure> {
    rows.into_frame().map_err(|e| polars_failure(e, None))
}

/// Takes the rows of a stream, batch after batch.
pub type Sink<'a> = &'a mut dyn FnMut(Coded) -> Result<(), Failure>;

/// Something that gives its rows in batches small enough for the cache.
pub trait Batches: Send + Sync {
    /// Calls `sink` with about `bytes` decoded bytes at a time, in row order.
    fn each(&self, bytes: usize, cancelled: &dyn Fn() -> bool, sink: Sink<'_>) -> Result<(), Failure>;

    /// All rows that pass a test, by one who can read them without reading all of the others; `None` by one who cannot.
    fn passing(&self, _test: Test, _cancelled: &dyn Fn() -> bool) -> Option<Result<DataFrame, Failure>> {
        None
    }
}

/// A partition that is read while it is used. It lives between two steps of one kernel, so that a group-by never has more
/// rows in memory than fit the cache; whoever wants the whole frame pays for it then: [`frame_of`].
pub struct Stream(pub Box<dyn Batches>);

impl Stream {
    /// All rows in one frame, perhaps without some that would not pass the test.
    pub fn passing(&self, test: Option<Test>, cancelled: &dyn Fn() -> bool) -> Result<DataFrame, Failure> {
        test.and_then(|test| self.0.passing(test, cancelled)).unwrap_or_else(|| self.frame(cancelled))
    }

    fn frame(&self, cancelled: &dyn Fn() -> bool) -> Result<DataFrame, Failure> {
        let mut frames = Vec::new();
        self.0.each(usize::MAX, cancelled, &mut |batch| {
            frames.push(uncoded(batch)?);
            Ok(())
        })?;
        joined(frames)
    }
}

impl Value for Stream {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn nbytes(&self) -> u64 {
        0
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Partition(self.frame(&|| false)?).encode()
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
        Some(stream) => stream.frame(&|| false),
        None => Err(Failure::internal(format!("a frame was expected, and {chunk:?} came"))),
    }
}

/// A chunk of a frame.
pub fn chunk_of(frame: DataFrame) -> Chunk {
    Chunk::new(Partition(frame))
}

/// A chunk of plain data that operators of one step hand to each other: samples, borders, counts.
pub fn fact_chunk(fact: &impl Serialize) -> Chunk {
    Chunk::new(Plain(postcard::to_stdvec(fact).expect("plain data")))
}

/// The plain data in a chunk.
pub fn fact_of<T: DeserializeOwned>(chunk: &Chunk) -> Result<T, Failure> {
    let bytes = chunk.get::<Plain<Vec<u8>>>().ok_or_else(|| Failure::internal(format!("plain data was expected, and {chunk:?} came")))?;
    postcard::from_bytes(&bytes.0).map_err(|e| Failure::internal(format!("plain data of another form: {e}")))
}

/// Lets a registry decode partitions.
pub fn register(registry: &mut Registry) {
    registry.add_value(KIND, |encoded| Ok(chunk_of(decoded(&encoded)?)));
}
