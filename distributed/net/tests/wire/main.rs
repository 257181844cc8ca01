//! Messages as bytes and back: nothing is lost, nothing is larger than it must be, and no bytes make a decoder panic or
//! allocate without bound.
//!
//! It refuses to open sockets.

mod bounds;
mod corpus;
#[path = "../../fuzz/decoders.rs"]
mod decoders;
mod graphs;
mod messages;
