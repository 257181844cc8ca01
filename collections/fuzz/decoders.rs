//! What the fuzz targets of values do with their bytes; an ordinary test does the same with the committed corpus.
//!
//! It refuses to know where the bytes come from. Invariant: whatever comes, nothing panics, neither decoding nor what is done with what was decoded.

use std::sync::OnceLock;

use partita::Partition;
use partita::graph::Registry;
use partita_net::wire::{decode_value, encode_value};

/// Decodes a value as a worker does that has all operators and values: partitions as Arrow messages and as Arrow files, blocks of
/// arrays. Whether there was one.
pub fn decode(bytes: &[u8]) -> bool {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let Ok(chunk) = decode_value(bytes, REGISTRY.get_or_init(partita::operator_registry)) else { return false };
    if let Some(Partition(frame)) = chunk.get::<Partition>() {
        assert!(frame.columns().iter().all(|column| column.len() == frame.height()), "columns of one length");
        assert!(!frame.to_string().is_empty());
    }
    // A type that comes from elsewhere may have no form of its own here; that is a failure and no panic.
    let _ = encode_value(&chunk);
    true
}
