//! Chunks of other processes: connections that are kept open, and requests for many pieces at once.
//!
//! It refuses to decide whom to ask and whether to ask again. Invariants: to one address there are at most [`LANES`]
//! connections; each piece that is asked for is answered exactly once, also when the connection breaks half-way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use partita_core::protocol::Piece;
use partita_graph::{Chunk, Code, Failure, Registry};
use partita_local::Packed;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::frames::{self, Head};
use crate::message::PeerAddress;
use crate::security::{Connection, Role, Security, open};

/// Connections to one address at a time.
pub const LANES: usize = 2;
/// A connection that was not used for so long is not used again.
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
    lanes: Mutex<HashMap<PeerAddress, Arc<Lanes>>>,
}

struct Lanes {
    permits: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Peers {
    /// No connections yet.
    pub fn new(security: Security) -> Self {
        Self(Arc::new(Inner { security, lanes: Mutex::default() }))
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
                let mut connection = match lanes.idle() {
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
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    fn lanes(&self, address: &PeerAddress) -> Arc<Lanes> {
        let mut all = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Lanes { permits: Semaphore::new(LANES), idle: Mutex::default() });
        all.entry(address.clone()).or_insert_with(new).clone()
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

impl Lanes {
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
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
