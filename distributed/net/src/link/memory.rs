//! Two ends of a link within one process, for tests of what talks over links.
//!
//! It refuses to lose anything. Invariant: the same events as over a network that never breaks.

use std::sync::{Mutex, PoisonError};

use partita_graph::Code;

use super::*;

struct MemoryEnd {
    peer: PeerInfo,
    mine: Mutex<Option<UnboundedSender<LinkEvent>>>,
    theirs: Mutex<Option<UnboundedSender<LinkEvent>>>,
}

impl End for MemoryEnd {
    fn send(&self, message: Bytes) {
        if let Some(events) = &*self.theirs.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody listens any more: as on a closed link, nothing happens.
            let _ = events.send(LinkEvent::Message(message));
        }
    }

    fn close(&self, reason: &str) {
        for (events, who) in [(&self.theirs, "the other side"), (&self.mine, "this side")] {
            let events = events.lock().unwrap_or_else(PoisonError::into_inner).take();
            let failure = Failure::new(Code::Disconnected, format!("{who} closed the link: {reason}"));
            events.map(|events| events.send(LinkEvent::Closed(failure)));
        }
    }

    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    fn pending_bytes(&self) -> u64 {
        0
    }

    fn is_listening(&self) -> bool {
        true
    }

    fn drained(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Two connected ends; both name `peer` as the caller.
pub fn pair(peer: PeerInfo) -> (Link, UnboundedReceiver<LinkEvent>, Link, UnboundedReceiver<LinkEvent>) {
    let ((to_a, at_a), (to_b, at_b)) = (channel(), channel());
    let end = |mine: &UnboundedSender<LinkEvent>, theirs: &UnboundedSender<LinkEvent>| {
        let (mine, theirs) = (Mutex::new(Some(mine.clone())), Mutex::new(Some(theirs.clone())));
        Link(Arc::new(MemoryEnd { peer: peer.clone(), mine, theirs }))
    };
    (end(&to_a, &to_b), at_a, end(&to_b, &to_a), at_b)
}
