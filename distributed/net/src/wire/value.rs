//! Encoded values in one piece: kind, header, buffers. For small results and for chunks in arguments.
//!
//! It refuses to know kinds. Invariant: a process that only passes a value on never decodes it; it holds an [`Opaque`].

use std::sync::Arc;

use partita_graph::{Buffer, Chunk, Code, Encoded, Failure, Registry, Value};

use super::{Reader, Writer};

/// A value that this process passes on without knowing what it is.
pub struct Opaque {
    kind: String,
    encoded: Encoded,
}

impl Opaque {
    /// The registered name of the value's decoder.
    pub fn of_kind(&self) -> &str {
        &self.kind
    }
}

impl Value for Opaque {
    fn kind(&self) -> &'static str {
        "opaque"
    }

    fn nbytes(&self) -> u64 {
        self.encoded.nbytes()
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(self.encoded.clone())
    }
}

/// A value as bytes. Fails with `NotEncodable` when it has no such form.
pub fn encode_value(chunk: &Chunk) -> Result<Vec<u8>, Failure> {
    let mut out = Writer::default();
    write_value(&mut out, chunk)?;
    Ok(out.into_vec())
}

/// And back.
pub fn decode_value(bytes: &[u8], registry: &Registry) -> Result<Chunk, Failure> {
    let mut reader = Reader::new(bytes);
    let value = read_value(&mut reader)?;
    reader.end()?;
    registry.decode_value(&value.kind, value.encoded)
}

pub(super) fn write_value(out: &mut Writer, chunk: &Chunk) -> Result<(), Failure> {
    let kind = chunk.get::<Opaque>().map_or(chunk.0.kind(), |opaque| &opaque.kind);
    let encoded = chunk.0.encode().map_err(|cause| {
        Failure::new(Code::NotEncodable, format!("a value of kind `{kind}` cannot be sent to another process"))
            .help("keep it inside one task, or give its type a codec")
            .cause(cause)
    })?;
    out.text(kind);
    out.bytes(&encoded.header);
    out.number(encoded.buffers.len() as u64);
    for buffer in &encoded.buffers {
        out.bytes((**buffer).as_ref());
    }
    Ok(())
}

pub(super) fn read_value(reader: &mut Reader<'_>) -> Result<Opaque, Failure> {
    let kind = reader.text()?.to_owned();
    let header = reader.bytes()?.to_vec();
    let count = reader.count(1)?;
    let mut buffers: Vec<Buffer> = Vec::with_capacity(reader.room(count));
    for _ in 0..count {
        buffers.push(Arc::new(reader.bytes()?.to_vec()));
    }
    Ok(Opaque { kind, encoded: Encoded { header, buffers } })
}

/// The value itself where this process knows its kind. One that it does not know stays opaque, so that only the task that reads it fails.
pub(super) fn open(value: Opaque, registry: Option<&Registry>) -> Chunk {
    let known = registry.filter(|registry| registry.decodes(&value.kind));
    match known.map(|registry| registry.decode_value(&value.kind, value.encoded.clone())) {
        Some(Ok(chunk)) => chunk,
        Some(Err(_)) | None => Chunk::new(value),
    }
}
