//! Chunks between processes. One port speaks two ways: Arrow Flight over HTTP/2 for anybody's tools, and for peers and clients
//! of this crate a plain framing that reads and writes large buffers where they lie.
//!
//! It refuses to know where chunks come from ([`Shelf`]) and what frames look like inside ([`FrameDoor`]). Invariant: nothing
//! is served to whoever has neither a certificate of the cluster nor its secret, where it has one.

mod ahead;
mod aligned;
mod arrow;
pub mod fetch;
mod frames;
mod messages;
mod port;

pub use aligned::trim;
pub use arrow::parse_ticket;
pub use fetch::{FetchError, Peers};
pub use frames::read_said;
pub use port::{Bound, Ports, Refusal, Shelf};

use partita_graph::{Buffer, Encoded, Failure};

/// One Arrow Flight message: the header of the record batch (or schema), and the buffers of its body.
pub type FlightMessage = (Vec<u8>, Vec<Buffer>);

/// What knows frames: implemented above this crate, where the format is known.
pub trait FrameDoor: Send + Sync + 'static {
    /// An encoded frame as Arrow Flight messages, the schema first; `None` for values of other kinds. Fails when the bytes are not
    /// those of a frame.
    fn messages(&self, kind: &str, encoded: &Encoded) -> Result<Option<Vec<FlightMessage>>, Failure>;
}
