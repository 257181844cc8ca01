//! The calling side: opens a session, and opens connections for it again when they break.
//!
//! It refuses to know what a session holds. Invariant: at most one connection of a session is in use here at a time.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use partita_graph::{Code, Failure};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::frame::{self, Splitter};
use super::shared::{Outcome, Outgoing, Shared};
use super::{Limits, Link, LinkEvent, WINDOW, channel};
use crate::address::Address;
use crate::message::{Hello, Welcome};
use crate::rpc;
use crate::security::{Role, Security, explain, open, random};

/// The first pause between two tries, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a session that has ended reads on, so that what it said last arrives.
const FAREWELL: Duration = Duration::from_millis(500);

/// How to reach the scheduler.
struct Target {
    address: Address,
    security: Security,
    hello: Hello,
}

/// A connection on which hello and welcome were said.
struct Greeted {
    connection: u64,
    body: Incoming,
    splitter: Splitter,
    rest: Bytes,
    driver: Driver,
}

/// Ends the task that drives a connection when it is let go.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a session.
pub(super) async fn connect(
    address: &Address,
    security: &Security,
    mut hello: Hello,
    limits: Limits,
) -> Result<(Link, UnboundedReceiver<LinkEvent>, Welcome), Failure> {
    hello.session = u128::from_le_bytes(random());
    (hello.received, hello.resume) = (0, false);
    hello.secret = match security {
        Security::Plain { secret } => *secret,
        Security::Tls(_) => None,
    };
    let (events, received) = channel();
    let shared = Arc::new(Shared::new(hello.peer.clone(), limits, events));
    let target = Target { address: address.clone(), security: security.clone(), hello };
    let (greeted, welcome) = target.call(&shared).await?;
    tokio::spawn(target.keep(shared.clone(), greeted));
    Ok((Link(shared), received, welcome))
}

impl Target {
    /// One try.
    async fn call(&self, shared: &Arc<Shared>) -> Result<(Greeted, Welcome), Failure> {
        let connection = open(&self.address.host, self.address.port, &self.security, Role::Scheduler).await?;
        let fault = connection.fault();
        match timeout(shared.limits.handshake, self.greet(shared, connection)).await {
            Ok(Ok(greeted)) => Ok(greeted),
            // What the transport says is the cause of what lies above it.
            Ok(Err(Refusal::Broken(what))) => {
                let encrypted = matches!(self.security, Security::Tls(_));
                match fault.get() {
                    Some(trouble) => Err(explain(&self.address.host, self.address.port, trouble, encrypted).await),
                    None => Err(self.unlike(&what)),
                }
            }
            Ok(Err(Refusal::Said(failure))) => Err(failure),
            Err(_) => Err(self.unlike("it did not answer in time")),
        }
    }

    fn unlike(&self, what: &str) -> Failure {
        Failure::new(Code::WrongProtocol, format!("{} does not answer as a scheduler does: {what}", self.address.place()))
            .help("the scheduler's control port is 8786 by default; 8787 is for HTTP")
    }

    async fn greet(&self, shared: &Arc<Shared>, connection: crate::security::Connection) -> Result<(Greeted, Welcome), Refusal> {
        let broken = |error: hyper::Error| Refusal::Broken(error.to_string());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW).max_send_buf_size(2 << 20);
        builder.max_frame_size(1 << 20).max_header_list_size(16 << 10);
        let (mut sender, driver) = builder.handshake(TokioIo::new(connection)).await.map_err(broken)?;
        let driver = Driver(tokio::spawn(driver).abort_handle());
        let mut hello = self.hello.clone();
        hello.received = shared.received();
        let connection = shared.begin();
        let outgoing = Outgoing::new(shared.clone(), connection, frame::hello(&hello));
        let response = sender.send_request(rpc::request("/partita.Control/Session", outgoing)).await.map_err(broken)?;
        let mut body = response.into_body();
        let mut splitter = Splitter::default();
        let mut rest = Bytes::new();
        let answer = loop {
            if let Some(answer) = splitter.next(&mut rest)? {
                break answer;
            }
            match body.frame().await {
                Some(frame) => rest = frame.map_err(broken)?.into_data().unwrap_or_default(),
                None => return Err(Refusal::Broken("it ended without a welcome".into())),
            }
        };
        let welcome = frame::read_welcome(&answer)?;
        splitter.greeted();
        shared.attach(Some(connection), welcome.received)?;
        Ok((Greeted { connection, body, splitter, rest, driver }, welcome))
    }

    /// Keeps the session connected until it ends.
    async fn keep(mut self, shared: Arc<Shared>, mut greeted: Greeted) {
        self.hello.resume = true;
        loop {
            let Greeted { connection, mut body, splitter, rest, driver } = greeted;
            match shared.read(connection, &mut body, splitter, rest).await {
                Outcome::Ended => {
                    // The stream is read to its end, because letting go of it would take back what was said last.
                    let _ = timeout(FAREWELL, async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} }).await;
                    return;
                }
                Outcome::Replaced => return,
                Outcome::Broken(_) => {}
            }
            drop((body, driver));
            match self.reconnect(&shared).await {
                Some(next) => greeted = next,
                None => return,
            }
        }
    }

    async fn reconnect(&self, shared: &Arc<Shared>) -> Option<Greeted> {
        let grace = shared.limits.grace;
        let deadline = Instant::now() + grace;
        let mut pause = PAUSE;
        loop {
            // Not all at the same time, after a scheduler's network was away.
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let ended = async {
                while !shared.has_ended() {
                    sleep(PAUSE).await;
                }
            };
            let tried = tokio::select! {
                tried = self.call(shared) => tried,
                () = ended => return None,
                () = async { if grace.is_zero() { pending::<()>().await } else { sleep(deadline.saturating_duration_since(Instant::now())).await } } => {
                    Err(Failure::new(Code::Unreachable, "no answer in time"))
                }
            };
            match tried {
                Ok((greeted, _)) => return Some(greeted),
                // Another scheduler is there, or it does not let this process in any more: trying again changes nothing.
                Err(failure) if matches!(failure.code, Code::Disconnected | Code::NotTrusted | Code::VersionMismatch) => {
                    let gone = Failure::new(Code::Disconnected, format!("the scheduler at {} is gone", self.address.place()));
                    shared.end(gone.cause(failure));
                    return None;
                }
                Err(failure) if Instant::now() >= deadline => {
                    let what =
                        format!("the connection to the scheduler at {} broke and was not restored within {grace:?}", self.address.place());
                    shared.end(Failure::new(Code::Disconnected, what).cause(failure));
                    return None;
                }
                Err(_) => {}
            }
        }
    }
}

enum Refusal {
    Broken(String),
    Said(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Said(failure)
    }
}
