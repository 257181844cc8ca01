//! What a worker holds, as its port serves it.
//!
//! It refuses to know callers. Invariant: a chunk whose file turns out to be damaged is reported as lost.

use partita_core::protocol::Piece;
use partita_graph::{Code, Key};
use partita_local::{Host, Packed};

use crate::flight::{Refusal, Shelf};

/// The chunks of this worker.
pub(super) struct Held(pub Host);

impl Shelf for Held {
    fn pack(&self, piece: Piece) -> Result<Packed, Refusal> {
        let held = self.0.held(piece).ok_or(Refusal::Missing)?;
        held.pack().map_err(|failure| {
            if failure.code != Code::SpillFailed {
                return Refusal::Failed(failure);
            }
            self.0.unreadable(piece.0);
            Refusal::Missing
        })
    }

    fn nbytes(&self, piece: Piece) -> u64 {
        self.0.held(piece).map_or(0, |held| held.nbytes())
    }

    fn list(&self, limit: usize) -> Vec<(Key, u64)> {
        self.0.keys(limit)
    }
}
