//! Who may come in: it numbers newcomers, refuses what cannot work, and carries what links bring to the owner's inbox.
//!
//! It refuses to know the machine. Invariants: numbers are never used again; what clients and nannies say is decoded here, and so are large
//! messages of workers; large ones on a thread of their own, so that nobody waits for somebody else's bytes; what one peer said stays in its
//! order; a peer that sends garbage loses its link and nobody else's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use partita_core::protocol::{About, ClientId, WorkerId};
use partita_graph::{Code, Failure};
use tokio::sync::mpsc::UnboundedReceiver;

use super::diary::Diary;
use super::inbox::{FromClient, FromNanny, FromWorker, Inbox, Incoming, LinkChange};
use super::names::Names;
use super::roster::Roster;
use crate::address::is_loopback;
use crate::link::{Admit, Cut, Link, LinkEvent};
use crate::message::{ClientToScheduler, Hello, PROTOCOL, PeerAddress, PeerInfo, VERSION, Welcome};
use crate::security::Role;
use crate::wire;

/// Messages of clients up to this many bytes are decoded where the links are served, and those of workers where they are handled: in less
/// time than a thread takes to wake.
const SMALL: usize = 256 << 10;
/// Newcomers whose origin is remembered until their session stands.
const NEWCOMERS: usize = 4096;

/// A worker that joined.
pub(super) struct NewWorker {
    pub about: About,
    pub data: PeerAddress,
    pub pid: u32,
    pub incarnation: u128,
    pub nanny: Option<u128>,
    /// The process that had the name before and is gone.
    pub replaces: Option<WorkerId>,
    pub link: Link,
}

/// A client that connected.
pub(super) struct NewClient {
    pub name: String,
    pub link: Link,
}

/// A nanny that connected.
pub(super) struct NewNanny {
    pub host: String,
    pub worker_name: String,
    pub link: Link,
}

/// The door.
pub(super) struct Door {
    pub roster: Arc<Roster>,
    pub inbox: Arc<Inbox>,
    pub diary: Arc<Diary>,
    pub epoch: u64,
    pub cluster: String,
    pub closing: AtomicBool,
    next_worker: AtomicU32,
    next_client: AtomicU64,
    /// From where newcomers call, by the number that they were given.
    origins: Mutex<BTreeMap<u64, IpAddr>>,
}

impl Door {
    pub fn new(roster: Arc<Roster>, inbox: Arc<Inbox>, diary: Arc<Diary>, epoch: u64, cluster: String) -> Self {
        Self {
            roster,
            inbox,
            diary,
            epoch,
            cluster,
            closing: AtomicBool::new(false),
            next_worker: AtomicU32::new(1),
            next_client: AtomicU64::new(1),
            origins: Mutex::default(),
        }
    }

    fn remember(&self, id: u64, origin: IpAddr) {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was admitted and vanished before its session stood is forgotten at last.
        if origins.len() >= NEWCOMERS {
            origins.pop_first();
        }
        origins.insert(id, origin);
    }

    fn origin(&self, id: u64) -> Option<IpAddr> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    fn decide(&self, hello: &Hello, remote: SocketAddr) -> Result<u64, Failure> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(Failure::new(Code::Disconnected, "the scheduler is about to end"));
        }
        match &hello.peer {
            PeerInfo::Worker { about, operators, nanny, data_host, .. } => {
                can_be_read(about, data_host.as_deref(), remote)?;
                self.roster.check(about, operators, *nanny)?;
                let id = u64::from(self.next_worker.fetch_add(1, Ordering::Relaxed));
                self.remember(id, remote.ip().to_canonical());
                Ok(id)
            }
            PeerInfo::Client { .. } => Ok(self.next_client.fetch_add(1, Ordering::Relaxed)),
            PeerInfo::Nanny { .. } => Ok(0),
        }
    }

    fn worker_connected(&self, id: WorkerId, peer: PeerInfo, link: Link, events: UnboundedReceiver<LinkEvent>) {
        let PeerInfo::Worker { about, data_port, data_host, operators, pid, incarnation, nanny } = peer else { return };
        let host = data_host.or_else(|| self.origin(id.0.into()).map(|ip| ip.to_string())).unwrap_or_else(|| about.host.clone());
        let data = PeerAddress { host, port: data_port };
        // Two of one name may have been admitted at the same time.
        let replaces = match self.roster.sit(id, &about, operators, nanny) {
            Ok(replaces) => replaces,
            Err(failure) => {
                self.diary.write(format!("refused: {}", failure.what));
                link.close(&failure.what);
                return;
            }
        };
        let (name, roster, inbox) = (about.name.clone(), self.roster.clone(), self.inbox.clone());
        let new = NewWorker { about, data, pid, incarnation, nanny, replaces, link };
        self.inbox.post(Incoming::Worker(id, FromWorker::Joined(Box::new(new))));
        tokio::spawn(hear_worker(id, name, roster, inbox, events));
    }
}

/// A worker on another host that serves its chunks on loopback would join, work, and never be read by anybody.
fn can_be_read(about: &About, data_host: Option<&str>, remote: SocketAddr) -> Result<(), Failure> {
    match data_host {
        Some(host) if is_loopback(host) && !remote.ip().to_canonical().is_loopback() => {
            let what = format!(
                "worker `{}` calls from {} but serves its chunks on {host}, where nobody else can read them",
                about.name,
                remote.ip()
            );
            Err(Failure::new(Code::Unreachable, what)
                .help("start it with --host and an address of its host that the others reach, or 0.0.0.0"))
        }
        _ => Ok(()),
    }
}

impl Admit for Door {
    fn admit(&self, hello: &Hello, _role: Role, remote: SocketAddr) -> Result<Welcome, Failure> {
        let id = self.decide(hello, remote).inspect_err(|failure| self.diary.write(format!("refused {remote}: {}", failure.what)))?;
        Ok(Welcome { protocol: PROTOCOL, version: VERSION.into(), epoch: self.epoch, id, received: 0, cluster: self.cluster.clone() })
    }

    fn connected(&self, welcome: &Welcome, hello: Hello, link: Link, events: UnboundedReceiver<LinkEvent>) {
        let inbox = self.inbox.clone();
        match hello.peer {
            peer @ PeerInfo::Worker { .. } => self.worker_connected(WorkerId(welcome.id as u32), peer, link, events),
            PeerInfo::Client { name } => {
                let id = ClientId(welcome.id);
                inbox.post(Incoming::Client(id, FromClient::Joined(Box::new(NewClient { name, link: link.clone() }))));
                tokio::spawn(hear_client(id, link, inbox, events));
            }
            PeerInfo::Nanny { id, host, worker_name } => {
                inbox.post(Incoming::Nanny(id, FromNanny::Joined(Box::new(NewNanny { host, worker_name, link: link.clone() }))));
                tokio::spawn(hear_nanny(id, link, inbox, events));
            }
        }
    }

    fn refused(&self, remote: SocketAddr, failure: &Failure) {
        self.diary.write(format!("refused {remote}: {}", failure.what));
    }
}

/// Events that are not messages.
fn change(event: LinkEvent) -> LinkChange {
    match event {
        LinkEvent::Lost(cut) => LinkChange::Lost { closed_by_peer: cut == Cut::Closed },
        LinkEvent::Back => LinkChange::Back,
        LinkEvent::Closed(failure) => LinkChange::Closed(failure),
        LinkEvent::Message(_) => LinkChange::Closed(Failure::internal("a message is not a change of its link")),
    }
}

/// Passes on what a worker's link brings. What it says is decoded where it is handled, while it is in the cache, unless it is so much that
/// everybody else would wait for that; what the worker says after it waits here.
async fn hear_worker(id: WorkerId, name: String, roster: Arc<Roster>, inbox: Arc<Inbox>, mut events: UnboundedReceiver<LinkEvent>) {
    while let Some(event) = events.recv().await {
        let what = match event {
            LinkEvent::Message(bytes) if bytes.len() <= SMALL => FromWorker::Said(bytes),
            LinkEvent::Message(bytes) => {
                let decoded = tokio::task::spawn_blocking(move || wire::decode_said(&bytes)).await;
                FromWorker::Decoded(decoded.unwrap_or_else(|_| Err(Failure::internal("a decoder panicked"))))
            }
            other => {
                match &other {
                    LinkEvent::Lost(_) => roster.set_lost(&name, id, true),
                    LinkEvent::Back => roster.set_lost(&name, id, false),
                    LinkEvent::Closed(_) | LinkEvent::Message(_) => {}
                }
                FromWorker::Link(change(other))
            }
        };
        if !inbox.post(Incoming::Worker(id, what)) {
            return;
        }
    }
}

/// What a client's message says.
async fn asked(bytes: bytes::Bytes, names: &mut Names) -> FromClient {
    fn decode(bytes: &[u8]) -> FromClient {
        match wire::decode_asked(bytes) {
            Ok(said) => FromClient::Said(said),
            Err(failure) => match wire::submitted_run(bytes) {
                Some(run) => FromClient::Unsound { run, failure },
                None => FromClient::Garbage(failure),
            },
        }
    }
    if bytes.len() <= SMALL {
        let mut said = decode(&bytes);
        if let FromClient::Said(ClientToScheduler::Submit { graph, .. }) = &mut said {
            names.share(graph);
        }
        return said;
    }
    let decoded = tokio::task::spawn_blocking(move || decode(&bytes)).await;
    decoded.unwrap_or_else(|_| FromClient::Garbage(Failure::internal("a decoder panicked")))
}

async fn hear_client(id: ClientId, link: Link, inbox: Arc<Inbox>, mut events: UnboundedReceiver<LinkEvent>) {
    let mut names = Names::default();
    while let Some(event) = events.recv().await {
        let what = match event {
            LinkEvent::Message(bytes) => match asked(bytes, &mut names).await {
                FromClient::Garbage(failure) => {
                    link.close(&failure.what);
                    inbox.post(Incoming::Client(id, FromClient::Garbage(failure)));
                    return;
                }
                asked => asked,
            },
            other => FromClient::Link(change(other)),
        };
        if !inbox.post(Incoming::Client(id, what)) {
            return;
        }
    }
}

async fn hear_nanny(id: u128, link: Link, inbox: Arc<Inbox>, mut events: UnboundedReceiver<LinkEvent>) {
    while let Some(event) = events.recv().await {
        let what = match event {
            LinkEvent::Message(bytes) => match wire::decode_nanny(&bytes) {
                Ok(said) => FromNanny::Said(said),
                Err(failure) => {
                    link.close(&failure.what);
                    inbox.post(Incoming::Nanny(id, FromNanny::Garbage(failure)));
                    return;
                }
            },
            other => FromNanny::Link(change(other)),
        };
        if !inbox.post(Incoming::Nanny(id, what)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_on_loopback_are_for_this_host_only() {
        let about = About::plain("w", 1);
        let far: SocketAddr = "10.1.2.3:4000".parse().expect("an address");
        let near: SocketAddr = "[::ffff:127.0.0.1]:4000".parse().expect("an address");
        let refused = can_be_read(&about, Some("127.0.0.1"), far).expect_err("nobody could read it");
        assert_eq!(refused.code, Code::Unreachable);
        assert!(refused.to_string().contains("--host"), "{refused}");
        for (host, remote) in [(Some("127.0.0.1"), near), (Some("10.1.2.3"), far), (None, far)] {
            can_be_read(&about, host, remote).expect("it can be read");
        }
    }
}
