//! Chunks of other processes: connections that are kept open, and requests for many pieces at once.
//!
//! It refuses to decide whom to ask and whether to ask again. Invariants: to one address there are at most [`LANES`]
//! connections; a connection that nobody uses is closed after [`IDLE`], before the other side does it; each piece that is asked
//! for is answered exactly once, also when the connection breaks half-way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use partita_core::protocol::Piece;
use partita_graph::{Chunk, Code, Failure, Registry};
use partita_local::Packed;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::frames::{self, Head};
use crate::message::PeerAddress;
use crate::security::{Connection, Role, Security, open};

/// Connections to one address at a time.
pub const LANES: usize = 2;
/// A connection that was not used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// When nothing more arrives for so long, the peer counts as gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Pieces of one request; more are asked for one request after the other.
const REQUEST: usize = 16_384;

/// Why a piece did not come.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchError {
    /// The peer serves too many others: ask again a little later.
    Busy,
    /// The peer does not have it.
    Missing,
    /// The peer cannot be reached, or its connection broke.
    Gone(Failure),
    /// The peer has it, and it cannot be sent.
    NotEncodable(Failure),
    /// It came, and this program cannot decode it.
    Decode(Failure),
}

/// Connections to the data ports of other processes. A cheap clone; all clones share them.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    security: Security,
    idle: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    lanes: HashMap<PeerAddress, Arc<Lanes>>,
    /// Closes what nobody uses, as long as there is something.
    sweeper: Option<JoinHandle<()>>,
}

struct Lanes {
    permits: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Peers {
    /// No connections yet.
    pub fn new(security: Security) -> Self {
        Self::with_idle(security, IDLE)
    }

    fn with_idle(security: Security, idle: Duration) -> Self {
        Self(Arc::new(Inner { security, idle, known: Mutex::default() }))
    }

    /// Fetches pieces from one address and decodes them; answers come in the order in which they were asked for.
    pub async fn fetch(&self, address: &PeerAddress, pieces: &[Piece], registry: &Registry) -> Vec<(Piece, Result<Chunk, FetchError>)> {
        let mut answers = Vec::with_capacity(pieces.len());
        self.fetch_each(address, pieces, &mut |piece, packed| {
            let chunk = packed.and_then(|packed| packed.open(registry).map_err(FetchError::Decode));
            answers.push((piece, chunk));
        })
        .await;
        answers
    }

    /// Fetches pieces from one address and hands each over as soon as it is there, as bytes, in order.
    pub async fn fetch_each(
        &self,
        address: &PeerAddress,
        pieces: &[Piece],
        each: &mut (impl FnMut(Piece, Result<Packed, FetchError>) + Send),
    ) {
        let lanes = self.lanes(address);
        let _permit = lanes.permits.acquire().await.expect("it is never closed");
        for pieces in pieces.chunks(REQUEST) {
            let mut answered = 0;
            let mut reused = true;
            let ended = loop {
                let mut connection = match lanes.take(self.0.idle) {
                    Some(connection) => connection,
                    None => match self.open(address).await {
                        Ok(connection) => {
                            reused = false;
                            connection
                        }
                        Err(failure) => break Err(failure),
                    },
                };
                match exchange(&mut connection, pieces, &mut answered, each).await {
                    Ok(()) => {
                        lanes.give_back(connection);
                        break Ok(());
                    }
                    // A connection that was kept may have been closed by the other side meanwhile.
                    Err(_) if reused && answered == 0 => {}
                    Err(failure) => break Err(failure),
                }
            };
            let rest = &pieces[answered..];
            let why = match ended {
                Ok(()) => FetchError::Busy,
                Err(failure) => FetchError::Gone(failure),
            };
            rest.iter().for_each(|piece| each(*piece, Err(why.clone())));
        }
    }

    /// Forgets the connections to an address whose process is gone.
    pub fn forget(&self, address: &PeerAddress) {
        self.0.known().lanes.remove(address);
    }

    /// Must be called within a runtime.
    fn lanes(&self, address: &PeerAddress) -> Arc<Lanes> {
        let mut known = self.0.known();
        // One whose runtime has ended is finished too.
        if known.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            known.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(&self.0), self.0.idle)));
        }
        let new = || Arc::new(Lanes { permits: Semaphore::new(LANES), idle: Mutex::default() });
        known.lanes.entry(address.clone()).or_insert_with(new).clone()
    }

    async fn open(&self, address: &PeerAddress) -> Result<Connection, Failure> {
        let mut connection = open(&address.host, address.port, &self.0.security, Role::Worker).await?;
        let secret = match &self.0.security {
            Security::Plain { secret } => secret.as_ref(),
            Security::Tls(_) => None,
        };
        frames::greet(&mut connection, secret).await?;
        let place = || crate::address::place(&address.host, address.port);
        match timeout(SILENCE, connection.read_u8()).await {
            Ok(Ok(frames::WELCOME)) => Ok(connection),
            Ok(Ok(_)) => Err(Failure::new(Code::NotTrusted, format!("{} refused the cluster's secret", place()))),
            Ok(Err(_)) => Err(Failure::new(Code::WrongProtocol, format!("{} is no data port of a partita worker", place()))),
            Err(_) => Err(silent()),
        }
    }
}

/// Closes what was not used for so long, until nothing is left to close.
async fn sweep(inner: Weak<Inner>, idle: Duration) {
    loop {
        tokio::time::sleep(idle / 4).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut known = inner.known();
        // Lanes that somebody holds are in use. Nobody takes hold of others while all of them are locked.
        known.lanes.retain(|_, lanes| lanes.close_idle(idle) > 0 || Arc::strong_count(lanes) > 1);
        if known.lanes.is_empty() {
            known.sweeper = None;
            return;
        }
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes connections that were not used for so long; returns how many are left.
    fn close_idle(&self, limit: Duration) -> usize {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < limit);
        idle.len()
    }

    fn take(&self, limit: Duration) -> Option<Connection> {
        self.close_idle(limit);
        self.idle().pop().map(|(connection, _)| connection)
    }

    fn give_back(&self, connection: Connection) {
        self.idle().push((connection, Instant::now()));
    }
}

fn silent() -> Failure {
    Failure::new(Code::Unreachable, format!("a peer stayed silent for {} s", SILENCE.as_secs()))
}

/// One request on one connection. `answered` counts the pieces that were handed over. Ends well when all were, or when the
/// peer is busy.
async fn exchange(
    connection: &mut Connection,
    pieces: &[Piece],
    answered: &mut usize,
    each: &mut (impl FnMut(Piece, Result<Packed, FetchError>) + Send),
) -> Result<(), Failure> {
    timeout(SILENCE, frames::ask(connection, pieces)).await.map_err(|_| silent())??;
    while let Some(piece) = pieces.get(*answered) {
        let answer = match timeout(SILENCE, frames::head(connection)).await.map_err(|_| silent())?? {
            Head::Here { parts, sections } => Ok(frames::body(connection, parts, sections, SILENCE).await?),
            Head::Missing => Err(FetchError::Missing),
            Head::Failed(failure) => Err(FetchError::NotEncodable(failure)),
            Head::Busy => return Ok(()),
        };
        *answered += 1;
        each(*piece, answer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::{Ports, Refusal, Shelf};
    use crate::security::ServerSecurity;
    use partita_graph::{Key, LayerId};

    struct Empty;

    impl Shelf for Empty {
        fn pack(&self, _: Piece) -> Result<Packed, Refusal> {
            Err(Refusal::Missing)
        }

        fn nbytes(&self, _: Piece) -> u64 {
            0
        }

        fn list(&self, _: usize) -> Vec<(Key, u64)> {
            Vec::new()
        }
    }

    #[test]
    fn connections_that_nobody_uses_are_closed() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let security = ServerSecurity::plain(None);
            let bound = Ports::bind("127.0.0.1", 0, &security).await.expect("a port");
            let port = Ports::serve(bound, security, Arc::new(Empty), None, 4);
            let address = PeerAddress { host: "127.0.0.1".into(), port: port.address().port() };
            let peers = Peers::with_idle(Security::Plain { secret: None }, Duration::from_millis(400));
            let wanted = [(Key::new(LayerId(1), 0), None)];
            for _ in 0..2 {
                let got = peers.fetch(&address, &wanted, &Registry::default()).await;
                assert_eq!(got[0].1.as_ref().err(), Some(&FetchError::Missing));
                assert_eq!(peers.0.known().lanes[&address].idle().len(), 1, "it is kept for a while");
                tokio::time::sleep(Duration::from_millis(900)).await;
                assert!(peers.0.known().lanes.is_empty());
                assert!(peers.0.known().sweeper.is_none());
            }
        });
    }
}
