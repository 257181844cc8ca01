//! What user tasks take and give: any value with a serde form, as the type that it is where that is known and as bytes elsewhere.
//!
//! It refuses to know tasks. Invariants: a value is encoded at most once and decoded at most once in a process, however many
//! tasks read it; a frame is a frame's partition, so that user tasks and frames hand chunks to each other without a copy.

use std::any::{Any, type_name};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use partita_graph::{Chunk, Code, Encoded, Failure, Registry, Value};
use polars::prelude::DataFrame;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::array::block::Block;
use crate::array::lend::{kept, read};
use crate::frame::value::{Partition, chunk_of, frame_of};

/// The kind of value that user tasks make, unless it is a frame.
const KIND: &str = "datum";

/// The kind of a value that has no form as bytes: it stays in its process, and nobody tries to spill it.
const STAYS: &str = "datum that stays";

/// What a task may take and give: anything that can be cloned, sent to another thread, and written and read by serde.
///
/// Numbers, text, lists, maps, your own types with `#[derive(Clone, Serialize, Deserialize)]`, ndarray's arrays, polars'
/// `DataFrame`. It is implemented for all of them.
pub trait TaskValue: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> TaskValue for T {}

type Shared = Arc<dyn Any + Send + Sync>;

/// Writes a value of a type that was known when this was chosen.
type Encode = fn(&Shared) -> Result<Vec<u8>, Failure>;

/// A value of a type that only its readers know.
struct Datum {
    /// As its type, once somebody who knows it was here.
    typed: OnceLock<Shared>,
    /// As bytes, once it was sent or came so.
    bytes: OnceLock<Arc<Vec<u8>>>,
    /// How to make bytes of the typed form.
    encode: Option<Encode>,
    nbytes: u64,
    stays: bool,
}

impl Datum {
    fn of<T: TaskValue>(value: T) -> Self {
        let written = postcard::experimental::serialized_size(&value);
        let nbytes = written.as_ref().map_or(0, |size| *size).max(size_of::<T>()) as u64;
        let typed = OnceLock::from(Arc::new(value) as Shared);
        Self { typed, bytes: OnceLock::new(), encode: Some(encode::<T>), nbytes, stays: written.is_err() }
    }

    fn of_bytes(bytes: Vec<u8>) -> Self {
        let nbytes = bytes.len() as u64;
        Self { typed: OnceLock::new(), bytes: OnceLock::from(Arc::new(bytes)), encode: None, nbytes, stays: false }
    }

    fn get<T: TaskValue>(&self) -> Result<Arc<T>, Failure> {
        let other = || {
            let what = format!("a value of another type came where {} was expected", type_name::<T>());
            Failure::new(Code::TypeMismatch, what)
        };
        if let Some(typed) = self.typed.get() {
            return typed.clone().downcast::<T>().map_err(|_| other());
        }
        let bytes = self.bytes.get().ok_or_else(|| Failure::internal("a value that is neither typed nor encoded"))?;
        let value = postcard::from_bytes::<T>(bytes).map_err(|e| other().detail("decoding it says", e.to_string()))?;
        // Another reader may have been faster; then its value is used and this one dropped.
        let typed = self.typed.get_or_init(|| Arc::new(value) as Shared);
        typed.clone().downcast::<T>().map_err(|_| other())
    }
}

fn encode<T: TaskValue>(value: &Shared) -> Result<Vec<u8>, Failure> {
    let value = value.downcast_ref::<T>().ok_or_else(|| Failure::internal("a value changed its type"))?;
    postcard::to_stdvec(value).map_err(|e| not_encodable::<T>(&e))
}

pub(crate) fn not_encodable<T>(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::NotEncodable, format!("a value of type {} cannot be written as bytes: {error}", type_name::<T>()))
}

/// Bytes that a chunk keeps, lent to whoever sends or spills them.
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Value for Datum {
    fn kind(&self) -> &'static str {
        if self.stays { STAYS } else { KIND }
    }

    fn nbytes(&self) -> u64 {
        self.nbytes
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        let bytes = match (self.bytes.get(), self.typed.get(), self.encode) {
            (Some(bytes), ..) => bytes.clone(),
            // Not kept: a large value would be in memory twice from then on.
            (None, Some(typed), Some(encode)) => Arc::new(encode(typed)?),
            _ => return Err(Failure::internal("a value that is neither typed nor encoded")),
        };
        Ok(Encoded { header: Vec::new(), buffers: vec![Arc::new(Bytes(bytes))] })
    }
}

/// A value as a chunk.
pub fn chunk_from<T: TaskValue>(value: T) -> Chunk {
    let mut value = Some(value);
    if let Some(frame) = (&mut value as &mut dyn Any).downcast_mut::<Option<DataFrame>>().and_then(Option::take) {
        return chunk_of(frame);
    }
    if let Some(block) = kept(&mut value) {
        return Chunk::new(block);
    }
    Chunk::new(Datum::of(value.expect("it is taken for frames and arrays only")))
}

/// The value in a chunk.
pub(crate) fn value_in<T: TaskValue>(chunk: &Chunk) -> Result<T, Failure> {
    lent::<T>(chunk).map(|value| match value {
        // What was made of a block for this reader alone is not copied once more.
        Lent::Shared(value) => Arc::unwrap_or_clone(value),
        Lent::Chunk(chunk, look) => look(&chunk).clone(),
    })
}

/// The value in a chunk, by reference.
pub(crate) fn lent<T: TaskValue>(chunk: &Chunk) -> Result<Lent<T>, Failure> {
    if let Some(datum) = chunk.get::<Datum>() {
        return datum.get::<T>().map(Lent::Shared);
    }
    if (&None::<T> as &dyn Any).is::<Option<DataFrame>>() {
        if chunk.get::<Partition>().is_some() {
            return Ok(Lent::Chunk(chunk.clone(), |chunk| {
                let partition = chunk.get::<Partition>().expect("looked at before");
                (&partition.0 as &dyn Any).downcast_ref().expect("T is DataFrame")
            }));
        }
        // What is read while it is used becomes a frame here.
        let frame = Arc::new(frame_of(chunk)?) as Shared;
        return frame.downcast::<T>().map(Lent::Shared).map_err(|_| Failure::internal("a frame changed its type"));
    }
    if let Some(block) = chunk.get::<Block>() {
        if block.lent::<T>().is_some() {
            return Ok(Lent::Chunk(chunk.clone(), |chunk| chunk.get::<Block>().and_then(Block::lent).expect("looked at before")));
        }
        if let Some(array) = read::<T>(block) {
            return array.map(Lent::Shared).map_err(|failure| failure.detail("a task expects", type_name::<T>()));
        }
    }
    let what = format!("a task expects {}, and a {} came", type_name::<T>(), chunk.0.kind());
    Err(Failure::new(Code::TypeMismatch, what).help("partitions of frames are polars DataFrames: take a &DataFrame"))
}

/// A value that a task reads without owning it.
pub enum Lent<T> {
    /// Shared with the chunk that holds it.
    Shared(Arc<T>),
    /// Inside the chunk itself.
    Chunk(Chunk, fn(&Chunk) -> &T),
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Lent::Shared(value) => value,
            Lent::Chunk(chunk, look) => look(chunk),
        }
    }
}

/// Lets a registry decode values of user tasks.
pub(crate) fn register(registry: &mut Registry) {
    registry.add_value(KIND, |encoded| match encoded.buffers.first() {
        Some(bytes) => Ok(Chunk::new(Datum::of_bytes((**bytes).as_ref().to_vec()))),
        None => Err(Failure::internal("a value without bytes")),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    fn through_bytes(chunk: &Chunk) -> Chunk {
        let mut registry = Registry::default();
        register(&mut registry);
        crate::frame::value::register(&mut registry);
        registry.decode_value(chunk.0.kind(), chunk.0.encode().expect("it has a form")).expect("it is one")
    }

    fn check<T: TaskValue + PartialEq + std::fmt::Debug>(value: T) {
        let here = chunk_from(value.clone());
        for chunk in [here.clone(), through_bytes(&here), through_bytes(&through_bytes(&here))] {
            assert_eq!(value_in::<T>(&chunk).expect("its type"), value);
            assert_eq!(*lent::<T>(&chunk).expect("its type"), value);
        }
    }

    #[test]
    fn values_come_back() {
        check(7i64);
        check(());
        check(String::from("ü"));
        check(vec![Some(1.5f64), None]);
        check((1u8, vec![("a".to_owned(), true)]));
        check(df!("x" => [1, 2]).expect("columns"));
    }

    #[test]
    fn a_frame_is_lent_without_a_copy() {
        let frame = df!("x" => [1i64, 2]).expect("columns");
        let place = frame
            .column("x")
            .expect("it is there")
            .as_materialized_series()
            .i64()
            .expect("numbers")
            .cont_slice()
            .expect("one piece")
            .as_ptr();
        let chunk = chunk_from(frame);
        let lent = lent::<DataFrame>(&chunk).expect("a frame");
        let column =
            lent.column("x").expect("it is there").as_materialized_series().i64().expect("numbers").cont_slice().expect("one piece");
        assert_eq!(column.as_ptr(), place);
    }

    #[test]
    fn another_type_is_refused_with_its_name() {
        let refused = value_in::<i64>(&chunk_from(String::from("x"))).expect_err("text");
        assert_eq!(refused.code, Code::TypeMismatch);
        assert!(refused.what.contains("i64"), "{refused}");
        assert!(value_in::<i64>(&chunk_from(df!("x" => [1]).expect("columns"))).is_err());
        assert!(value_in::<DataFrame>(&chunk_from(1i64)).is_err());
    }
}
