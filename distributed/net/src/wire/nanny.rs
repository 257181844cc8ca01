//! What nannies and the scheduler say to each other, as bytes. Rare, so in the plainest form.
//!
//! It refuses to know what a nanny does. Invariant: bytes that are left over are a fault.

use ::bytes::Bytes;
use partita_graph::Failure;

use super::{Reader, Writer};
use crate::message::{NannyToScheduler, SchedulerToNanny};

/// A nanny's message as bytes.
pub fn encode_nanny(message: &NannyToScheduler) -> Bytes {
    let mut out = Writer::default();
    out.plain(message);
    out.finish()
}

/// And back.
pub fn decode_nanny(bytes: &[u8]) -> Result<NannyToScheduler, Failure> {
    let mut reader = Reader::new(bytes);
    let message = reader.plain()?;
    reader.end().map(|()| message)
}

/// A message to a nanny as bytes.
pub fn encode_to_nanny(message: &SchedulerToNanny) -> Bytes {
    let mut out = Writer::default();
    out.plain(message);
    out.finish()
}

/// And back.
pub fn decode_to_nanny(bytes: &[u8]) -> Result<SchedulerToNanny, Failure> {
    let mut reader = Reader::new(bytes);
    let message = reader.plain()?;
    reader.end().map(|()| message)
}
