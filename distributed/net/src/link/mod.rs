//! Links: reliable, ordered channels of messages between two processes, over connections that may break.
//!
//! A link is a session: messages are numbered, acknowledged, kept until then and sent again after a reconnect. So a cut is a
//! delay: nothing is lost, doubled or reordered. It refuses to know what messages mean.
//!
//! Invariant: after `Closed` nothing comes any more; until then every message of the peer comes exactly once and in order.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use partita_graph::Failure;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::address::Address;
use crate::message::{Hello, PeerInfo, Welcome};
use crate::rpc;
use crate::security::{Role, Security, ServerSecurity};

mod accept;
mod dial;
pub mod frame;
mod memory;
pub mod session;
mod shared;

pub use memory::pair;

/// What comes out of a link.
#[derive(Clone, PartialEq, Debug)]
pub enum LinkEvent {
    /// A message of the peer.
    Message(Bytes),
    /// The connection broke; the link tries to restore it, and nothing is lost yet.
    Lost(Cut),
    /// It was restored.
    Back,
    /// The link has ended, the last event. Code `Disconnected` when the peer closed it or stayed away too long.
    Closed(Failure),
}

/// How a connection broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// The other side's system closed it: its process probably ended.
    Closed,
    /// Nothing was heard for too long: the network or a frozen process.
    Silent,
}

/// One end of a link: a cheap clone; sending never blocks.
#[derive(Clone)]
pub struct Link(Arc<dyn End>);

/// What stands behind a [`Link`].
trait End: Send + Sync {
    fn send(&self, message: Bytes);
    fn close(&self, reason: &str);
    fn peer(&self) -> &PeerInfo;
    fn pending_bytes(&self) -> u64;
    fn is_listening(&self) -> bool;
    fn drained(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Link {
    /// Sends a message, now or after a reconnect. After the end of the link it does nothing.
    pub fn send(&self, message: Bytes) {
        self.0.send(message);
    }

    /// Ends the link after what was sent before; the peer gets `Closed` with the reason. The own side gets `Closed` too.
    pub fn close(&self, reason: &str) {
        self.0.close(reason);
    }

    /// Who called: on the listener's side the caller; on the caller's side itself, as it introduced itself.
    pub fn peer(&self) -> &PeerInfo {
        self.0.peer()
    }

    /// Bytes that are held for messages that the peer has not acknowledged yet, 64 for each message included.
    pub fn pending_bytes(&self) -> u64 {
        self.0.pending_bytes()
    }

    /// Whether there is a connection at the moment on which the peer can hear what is held for it.
    pub fn is_listening(&self) -> bool {
        self.0.is_listening()
    }

    /// Waits until the peer has acknowledged everything that was sent, or the link has ended. A process that ends calls it after
    /// `close`, with a timeout of its own.
    pub async fn drained(&self) {
        self.0.drained().await;
    }
}

/// Limits and times of links.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest message that is accepted, in bytes. Default 64 MiB.
    pub message: usize,
    /// The same for a listener's clients, whose graphs may be large. Default 1 GiB.
    pub client_message: usize,
    /// Unacknowledged bytes, 64 for each message included, after which one more message ends the link. Default 1 GiB; a single
    /// message may be larger.
    pub pending: u64,
    /// Silence after which a connection counts as broken. Default 10 s.
    pub silence: Duration,
    /// How long a link stays without a connection before it is closed. Default 30 s.
    pub grace: Duration,
    /// How long a connection may take until hello and welcome are said. Default 5 s.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 << 20,
            client_message: 1 << 30,
            pending: 1 << 30,
            silence: Duration::from_secs(10),
            grace: Duration::from_secs(30),
            handshake: Duration::from_secs(5),
        }
    }
}

/// Opens a link to a scheduler, with the default limits.
pub async fn connect(
    address: &Address,
    security: &Security,
    hello: Hello,
) -> Result<(Link, UnboundedReceiver<LinkEvent>, Welcome), Failure> {
    connect_with(address, security, hello, Limits::default()).await
}

/// Opens a link to a scheduler.
///
/// Fails with `Unreachable`, `WrongProtocol`, `VersionMismatch`, `NotTrusted`, or as the scheduler refused.
pub async fn connect_with(
    address: &Address,
    security: &Security,
    hello: Hello,
    limits: Limits,
) -> Result<(Link, UnboundedReceiver<LinkEvent>, Welcome), Failure> {
    dial::connect(address, security, hello, limits).await
}

/// Decides on new sessions; a session that goes on never gets here.
pub trait Admit: Send + Sync + 'static {
    /// The welcome, or why not. The hello's protocol, secret and role were checked. Must not block.
    fn admit(&self, hello: &Hello, role: Role, remote: SocketAddr) -> Result<Welcome, Failure>;

    /// The session stands; called right after `admit` gave the welcome. Must not block.
    fn connected(&self, welcome: &Welcome, hello: Hello, link: Link, events: UnboundedReceiver<LinkEvent>);

    /// Somebody was turned away before `admit`: garbage, a wrong protocol, a wrong certificate. For the event log; by default
    /// ignored.
    fn refused(&self, remote: SocketAddr, failure: &Failure) {
        let _ = (remote, failure);
    }
}

/// How much of a stream may be under way.
const WINDOW: u32 = 8 << 20;

/// A port on which links (and other gRPC services) are accepted.
pub struct Listener {
    address: SocketAddr,
    port: Arc<accept::Port>,
    closing: watch::Sender<bool>,
}

impl Listener {
    /// Listens on `host:port` (0 for any free port). `admit` takes sessions; without it there are none (a worker's data port).
    /// `extra` serves all other gRPC methods.
    ///
    /// Fails with `PortTaken`, and with `Insecure` for a plain port off loopback that was not confirmed.
    pub async fn bind(
        host: &str,
        port: u16,
        security: ServerSecurity,
        limits: Limits,
        admit: Option<Arc<dyn Admit>>,
        extra: Option<rpc::Service>,
    ) -> Result<Listener, Failure> {
        security.check_host(host)?;
        let listener = accept::bind(host, port).await?;
        let address = listener.local_addr().map_err(|e| Failure::internal(format!("a port without an address: {e}")))?;
        let (closing, closed) = watch::channel(false);
        let port = Arc::new(accept::Port::new(security, limits, admit, extra, closed));
        tokio::spawn(port.clone().accept(listener));
        Ok(Self { address, port, closing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more and closes all links, giving them up to a second to say so.
    pub async fn close(self) {
        self.port.end_sessions().await;
        // Those that serve connections hear of it, if there still are some.
        let _ = self.closing.send(true);
    }
}

fn channel() -> (UnboundedSender<LinkEvent>, UnboundedReceiver<LinkEvent>) {
    unbounded_channel()
}
