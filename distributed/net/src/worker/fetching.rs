//! One request to a peer: what comes goes into the store, and what does not is told to the machine.
//!
//! It refuses to ask again. Invariant: each piece is answered exactly once, also when the peer goes away meanwhile or a decoder
//! panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use partita_core::protocol::{Piece, WorkerId};
use partita_graph::{Chunk, Code, Failure, Registry};
use partita_local::Packed;

use super::talk::Office;
use crate::flight::FetchError;

/// Larger pieces are decoded beside what else the thread has to do.
const LARGE: u64 = 256 << 10;

/// Fetches pieces from a peer.
pub(super) async fn fetch(office: Arc<Office>, from: WorkerId, pieces: Vec<Piece>) {
    let Some(mut peer) = office.voice.peer(from) else { return office.host.failed(from, pieces) };
    let (mut answered, mut failed, mut busy) = (0, Vec::new(), Vec::new());
    let mut each = |piece: Piece, answer: Result<Packed, FetchError>| {
        answered += 1;
        match answer {
            Ok(packed) => arrived(&office, piece, packed),
            Err(FetchError::Busy) => busy.push(piece),
            Err(FetchError::Missing | FetchError::Gone(_)) => failed.push(piece),
            Err(FetchError::NotEncodable(failure) | FetchError::Decode(failure)) => office.host.refused(piece, failure),
        }
    };
    tokio::select! {
        () = office.voice.peers.fetch_each(&peer.address, &pieces, &mut each) => {}
        // An error means that the peer was met again at another address: nothing more comes from this one.
        _ = peer.gone.wait_for(|gone| *gone) => {}
    }
    failed.extend(&pieces[answered..]);
    if !busy.is_empty() {
        office.host.busy(from, busy);
    }
    if !failed.is_empty() {
        office.host.failed(from, failed);
    }
}

fn arrived(office: &Office, piece: Piece, packed: Packed) {
    let large = packed.nbytes() >= LARGE;
    let decode = || match decoded(packed, &office.registry) {
        Ok(chunk) => office.host.arrived(piece, chunk),
        Err(failure) => office.host.refused(piece, failure),
    };
    if large { tokio::task::block_in_place(decode) } else { decode() }
}

/// The chunk. Decoders may be the user's own, so a panic of one is an answer like any other.
fn decoded(packed: Packed, registry: &Registry) -> Result<Chunk, Failure> {
    let kind = packed.sections.first().map(|(kind, _)| kind.clone()).unwrap_or_default();
    catch_unwind(AssertUnwindSafe(|| packed.open(registry))).unwrap_or_else(|_| {
        let what = format!("the decoder of values of kind `{kind}` panicked");
        Err(Failure::new(Code::Panicked, what).help("the worker has printed the panic: look at its output"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Encoded;

    #[test]
    fn a_decoder_that_panics_is_an_answer() {
        let mut registry = Registry::default();
        registry.add_value("test.trap", |_| panic!("this value cannot be decoded"));
        let encoded = Encoded { header: Vec::new(), buffers: Vec::new() };
        let packed = Packed { parts: false, sections: vec![("test.trap".into(), encoded)] };
        let failure = decoded(packed, &registry).map(drop).expect_err("it panics");
        assert_eq!(failure.code, Code::Panicked);
        assert!(failure.what.contains("test.trap"), "{failure}");
    }
}
