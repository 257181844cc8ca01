//! The messages of Arrow Flight as far as they are spoken here, and their bytes.
//!
//! It refuses to know HTTP. Invariant: a body of a message is never copied: its buffers follow the bytes that announce them.
//! The numbers are those of Flight.proto, the public definition of the protocol.

use bytes::{BufMut, Bytes, BytesMut};
use partita_graph::Buffer;
use prost::Message;

use super::FlightMessage;

/// Which data is meant.
#[derive(Clone, PartialEq, Message)]
pub struct Descriptor {
    /// 1 for a path, 2 for a command.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The command.
    #[prost(bytes = "vec", tag = "2")]
    pub cmd: Vec<u8>,
    /// The path.
    #[prost(string, repeated, tag = "3")]
    pub path: Vec<String>,
}

/// A right to read one thing: here the text of a key, perhaps with a slash and a part.
#[derive(Clone, PartialEq, Message)]
pub struct Ticket {
    /// The text.
    #[prost(bytes = "vec", tag = "1")]
    pub ticket: Vec<u8>,
}

/// Where to read.
#[derive(Clone, PartialEq, Message)]
pub struct Endpoint {
    /// With what.
    #[prost(message, optional, tag = "1")]
    pub ticket: Option<Ticket>,
}

/// What can be read.
#[derive(Clone, PartialEq, Message)]
pub struct Info {
    /// The schema as an encapsulated IPC message; empty when it is not a frame.
    #[prost(bytes = "vec", tag = "1")]
    pub schema: Vec<u8>,
    /// Which data.
    #[prost(message, optional, tag = "2")]
    pub descriptor: Option<Descriptor>,
    /// Where.
    #[prost(message, repeated, tag = "3")]
    pub endpoint: Vec<Endpoint>,
    /// -1 for unknown.
    #[prost(int64, tag = "4")]
    pub total_records: i64,
    /// Bytes in memory, -1 for unknown.
    #[prost(int64, tag = "5")]
    pub total_bytes: i64,
}

/// A schema alone.
#[derive(Clone, PartialEq, Message)]
pub struct Schema {
    /// As an encapsulated IPC message.
    #[prost(bytes = "vec", tag = "1")]
    pub schema: Vec<u8>,
}

/// The bytes before a gRPC message.
pub const PREFIX: usize = 5;
/// The tag of `FlightData.data_header`, a field of bytes.
const DATA_HEADER: u64 = 2 << 3 | 2;
/// The tag of `FlightData.app_metadata`.
const APP_METADATA: u64 = 3 << 3 | 2;
/// The tag of `FlightData.data_body`.
const DATA_BODY: u64 = 1000 << 3 | 2;

struct Owned(Buffer);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// The message as gRPC sends it.
pub fn framed(message: &impl Message) -> Bytes {
    let len = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + len);
    bytes.put_u8(0);
    bytes.put_u32(len as u32);
    message.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

/// A `FlightData`, as pieces of which the large ones are the buffers themselves. `None` when it is larger than gRPC can say.
pub fn flight_data((header, body): FlightMessage, metadata: &[u8]) -> Option<Vec<Bytes>> {
    let len: usize = body.iter().map(|buffer| (**buffer).as_ref().len()).sum();
    let mut fields = BytesMut::with_capacity(header.len() + metadata.len() + 64);
    let mut field = |tag: u64, bytes: &[u8]| {
        prost::encoding::encode_varint(tag, &mut fields);
        prost::encoding::encode_varint(bytes.len() as u64, &mut fields);
        fields.put_slice(bytes);
    };
    field(DATA_HEADER, &header);
    if !metadata.is_empty() {
        field(APP_METADATA, metadata);
    }
    prost::encoding::encode_varint(DATA_BODY, &mut fields);
    prost::encoding::encode_varint(len as u64, &mut fields);
    let total = u32::try_from(fields.len() + len).ok()?;
    let mut prefix = BytesMut::with_capacity(PREFIX + fields.len());
    prefix.put_u8(0);
    prefix.put_u32(total);
    prefix.put_slice(&fields);
    let buffers = body.into_iter().filter(|buffer| !(**buffer).as_ref().is_empty());
    Some(std::iter::once(prefix.freeze()).chain(buffers.map(|buffer| Bytes::from_owner(Owned(buffer)))).collect())
}

/// A header of an IPC message as the schema of an [`Info`] or [`Schema`] carries it: with its marker, length and padding.
pub fn encapsulated(header: &[u8]) -> Vec<u8> {
    let len = header.len().next_multiple_of(8);
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend([0xff; 4]);
    bytes.extend((len as u32).to_le_bytes());
    bytes.extend(header);
    bytes.resize(len + 8, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, PartialEq, Message)]
    struct Data {
        #[prost(bytes = "vec", tag = "2")]
        header: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        metadata: Vec<u8>,
        #[prost(bytes = "vec", tag = "1000")]
        body: Vec<u8>,
    }

    #[test]
    fn data_in_pieces_is_the_message() {
        let large = vec![7u8; 70_000];
        let body: Vec<Buffer> = vec![Arc::new(large.clone()), Arc::new(Vec::new()), Arc::new(vec![1u8, 2])];
        let at = (*body[0]).as_ref().as_ptr();
        let pieces = flight_data((vec![5; 300], body), b"meta").expect("small");
        assert_eq!(pieces[1].as_ptr(), at, "the buffer itself goes out");
        let bytes = pieces.concat();
        assert_eq!(bytes[..PREFIX], [&[0][..], &((bytes.len() - PREFIX) as u32).to_be_bytes()].concat());
        let data = Data::decode(&bytes[PREFIX..]).expect("a message");
        assert_eq!(data, Data { header: vec![5; 300], metadata: b"meta".to_vec(), body: [large, vec![1, 2]].concat() });
    }

    #[test]
    fn a_schema_is_padded() {
        assert_eq!(encapsulated(&[1, 2, 3]), [255, 255, 255, 255, 8, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0]);
    }
}
