//! The listening side: connections, and the requests on them.
//!
//! It refuses to know what sessions hold and what other services do. Invariant: a caller that has not proved who it is costs a
//! bounded number of connections for a bounded time, and no state.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use partita_graph::{Code, Failure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::frame::{self, HELLO_LIMIT, Splitter};
use super::shared::{Outcome, Outgoing, Shared, forgotten};
use super::{Admit, End, Limits, Link, WINDOW, channel};
use crate::address::{place, unhex};
use crate::message::{Hello, PeerInfo};
use crate::rpc::{self, Whole};
use crate::security::{Peer, Role, ServerSecurity, join};

/// Connections whose handshake is under way, or that only may ask for a certificate.
const STRANGERS: usize = 256;

/// How often it is looked whether a stranger still is one.
const GLANCE: Duration = Duration::from_millis(20);

/// A connection to a host that is gone is noticed after this time twice. Links notice earlier; this frees the socket.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What a response consists of.
pub(super) type ReplyBody = http_body_util::Either<http_body_util::Either<Outgoing, Whole>, tonic::body::Body>;

/// What all connections of a port share.
pub(super) struct Port {
    security: ServerSecurity,
    limits: Limits,
    admit: Option<Arc<dyn Admit>>,
    extra: Option<rpc::Service>,
    sessions: Mutex<HashMap<u128, Session>>,
    strangers: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

/// A session and whose it is.
#[derive(Clone)]
struct Session {
    owner: Peer,
    shared: Arc<Shared>,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Caller {
    peer: Peer,
    remote: SocketAddr,
    /// Set once it has shown that it may be here.
    welcome: Arc<AtomicBool>,
}

/// Binds the port.
pub(super) async fn bind(host: &str, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let at = place(host, port);
        let help = "choose another port with `--port`, or 0 for any that is free";
        match error.kind() {
            std::io::ErrorKind::AddrInUse => Failure::new(Code::PortTaken, format!("{at} is taken by another program")).help(help),
            _ => Failure::new(Code::PortTaken, format!("cannot listen on {at}: {error}")).help(help),
        }
    })
}

impl Port {
    pub fn new(
        security: ServerSecurity,
        limits: Limits,
        admit: Option<Arc<dyn Admit>>,
        extra: Option<rpc::Service>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        Self { security, limits, admit, extra, sessions: Mutex::default(), strangers, closing }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<u128, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, remote: SocketAddr, failure: &Failure) {
        if let Some(admit) = &self.admit {
            admit.refused(remote, failure);
        }
    }

    /// Accepts until the port is closed.
    pub async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut closing = self.closing.clone();
        loop {
            let stranger = self.strangers.clone().acquire_owned().await.expect("it is never closed");
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closed(&mut closing) => return,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let port = self.clone();
                    tokio::spawn(async move { port.serve(stream, remote, stranger).await });
                }
                // Too many open files, most often: what is served now goes on, and gives some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, stranger: tokio::sync::OwnedSemaphorePermit) {
        let (connection, peer) = match self.security.accept(stream, self.limits.handshake).await {
            Ok(accepted) => accepted,
            Err(failure) => return self.refused(remote, &failure),
        };
        let proved = peer.certificate.is_some();
        let caller = Caller { peer, remote, welcome: Arc::new(AtomicBool::new(proved)) };
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_header_list_size(16 << 10).max_send_buf_size(2 << 20);
        builder.keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE).max_frame_size(1 << 20);
        // Who can only ask for a certificate needs no room for more.
        let (window, streams) = if proved || !self.security.is_encrypted() { (WINDOW, 256) } else { (64 << 10, 4) };
        builder.initial_stream_window_size(window).initial_connection_window_size(2 * window).max_concurrent_streams(streams);
        let (port, calling) = (self.clone(), caller.clone());
        let service = service_fn(move |request| {
            let (port, caller) = (port.clone(), calling.clone());
            async move { Ok::<_, Infallible>(port.answer(request, caller).await) }
        });
        let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), service));
        let mut closing = self.closing.clone();
        let deadline = Instant::now() + self.limits.handshake;
        while !caller.welcome.load(Ordering::Acquire) {
            let refuse = |what: String| self.refused(remote, &Failure::new(Code::WrongProtocol, what));
            let broke = tokio::select! {
                done = &mut serving => Some(done),
                () = tokio::time::sleep(GLANCE) => None,
            };
            match broke {
                Some(Ok(())) => return,
                Some(Err(_)) if caller.welcome.load(Ordering::Acquire) => return,
                Some(Err(error)) => return refuse(format!("it does not speak HTTP/2 as it should: {error}")),
                None if Instant::now() > deadline => return refuse(format!("it did not say who it is within {:?}", self.limits.handshake)),
                None => {}
            }
        }
        drop(stranger);
        tokio::select! {
            // A connection that breaks is noticed by what is served on it.
            _ = &mut serving => {}
            () = closed(&mut closing) => {
                serving.as_mut().graceful_shutdown();
                let _ = timeout(Duration::from_secs(1), serving).await;
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, caller: Caller) -> Response<ReplyBody> {
        let own = |body| Response::new(ReplyBody::Left(body));
        let mut response = match request.uri().path() {
            "/partita.Control/Session" if self.admit.is_some() => {
                let opened = timeout(self.limits.handshake, self.clone().open(request.into_body(), &caller)).await;
                let late = || Failure::new(Code::WrongProtocol, format!("no hello came within {:?}", self.limits.handshake));
                match opened.unwrap_or_else(|_| Err(late())) {
                    Ok(outgoing) => own(http_body_util::Either::Left(outgoing)),
                    Err(failure) => {
                        self.refused(caller.remote, &failure);
                        own(http_body_util::Either::Right(Whole::framed(frame::refused(&failure))))
                    }
                }
            }
            "/partita.Control/Join" if self.admit.is_some() && self.security.is_encrypted() => {
                let message = rpc::collect(request.into_body(), join::LIMIT + frame::PREFIX).await;
                let (answer, failure) = match message.and_then(rpc::unframe) {
                    Ok(message) => join::answer(&self.security, &message),
                    Err(failure) => (Bytes::new(), Some(failure)),
                };
                if let Some(failure) = &failure {
                    self.refused(caller.remote, failure);
                }
                match answer.is_empty() {
                    false => own(http_body_util::Either::Right(Whole::message(&answer))),
                    true => rpc::refusal(tonic::Code::InvalidArgument, failure.as_ref().map_or("", |failure| &failure.what)).map(none),
                }
            }
            _ => self.extra(request, caller).await,
        };
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    }

    /// Any other service, for callers that may be here.
    async fn extra(&self, request: Request<Incoming>, caller: Caller) -> Response<ReplyBody> {
        let Some(extra) = &self.extra else {
            return rpc::refusal(tonic::Code::Unimplemented, "there is no such service here").map(none);
        };
        let said = request.headers().get(rpc::SECRET_HEADER).and_then(|value| unhex(value.to_str().ok()?));
        let proved = caller.peer.certificate.is_some() || !self.security.is_encrypted();
        if !proved || !self.security.accepts_secret(said.as_ref()) {
            self.refused(caller.remote, &Failure::new(Code::NotTrusted, "it called a service without proof that it may"));
            return rpc::refusal(tonic::Code::Unauthenticated, "a certificate of this cluster, or its secret, is needed").map(none);
        }
        caller.welcome.store(true, Ordering::Release);
        let mut request = request.map(tonic::body::Body::new);
        request.extensions_mut().insert(rpc::Caller { role: caller.peer.role, remote: caller.remote });
        match tower::ServiceExt::oneshot(extra.clone(), request).await {
            Ok(response) => response.map(ReplyBody::Right),
            Err(never) => match never {},
        }
    }

    /// A stream begins: hello, then a new session or one that goes on.
    async fn open(self: Arc<Self>, mut body: Incoming, caller: &Caller) -> Result<Outgoing, Failure> {
        let mut splitter = Splitter::default();
        let mut rest = Bytes::new();
        let first = loop {
            if let Some(first) = splitter.next(&mut rest)? {
                break first;
            }
            match body.frame().await {
                Some(Ok(frame)) => rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) | None => return Err(Failure::new(Code::WrongProtocol, "it broke off before its hello")),
            }
        };
        debug_assert!(first.len() <= HELLO_LIMIT);
        let hello = frame::read_hello(&first)?;
        splitter.greeted();
        let role = self.check(&hello, caller)?;
        caller.welcome.store(true, Ordering::Release);
        let name = hello.session;
        let (shared, connection, welcome) = match hello.resume {
            true => self.resume(&hello, caller)?,
            false => self.begin(hello, role, caller)?,
        };
        let outgoing = Outgoing::new(shared.clone(), connection, welcome);
        tokio::spawn(async move {
            match shared.read(connection, body, splitter, rest).await {
                Outcome::Replaced => {}
                Outcome::Ended => drop(self.sessions().remove(&name)),
                Outcome::Broken(_) => {
                    shared.outlive(shared.limits.grace).await;
                    if shared.has_ended() {
                        self.sessions().remove(&name);
                    }
                }
            }
        });
        Ok(outgoing)
    }

    /// Whether the caller may be what it says that it is.
    fn check(&self, hello: &Hello, caller: &Caller) -> Result<Role, Failure> {
        let claimed = match hello.peer {
            PeerInfo::Worker { .. } => Role::Worker,
            PeerInfo::Client { .. } => Role::Client,
            PeerInfo::Nanny { .. } => Role::Nanny,
        };
        let untrusted = |what: String| Err(Failure::new(Code::NotTrusted, what));
        if !self.security.is_encrypted() {
            return match self.security.accepts_secret(hello.secret.as_ref()) {
                true => Ok(claimed),
                false => untrusted("the scheduler wants a secret, and this is not it".into()),
            };
        }
        match caller.peer.role {
            Some(role) if role == claimed => Ok(claimed),
            Some(role) => untrusted(format!("a certificate for a {} was used to call as a {}", role.name(), claimed.name())),
            None if caller.peer.any_role => Ok(claimed),
            None => untrusted("the scheduler wants a certificate, and this process has none".into()),
        }
    }

    fn resume(&self, hello: &Hello, caller: &Caller) -> Result<(Arc<Shared>, u64, Bytes), Failure> {
        let session = self.sessions().get(&hello.session).cloned().ok_or_else(forgotten)?;
        if session.owner != caller.peer {
            return Err(Failure::new(Code::NotTrusted, "the session belongs to somebody else"));
        }
        let (connection, received) = session.shared.attach(None, hello.received)?;
        let mut welcome = session.shared.welcome().ok_or_else(forgotten)?;
        welcome.received = received;
        Ok((session.shared, connection, frame::welcome(&welcome)))
    }

    fn begin(&self, hello: Hello, role: Role, caller: &Caller) -> Result<(Arc<Shared>, u64, Bytes), Failure> {
        let admit = self.admit.as_ref().expect("without it there are no sessions");
        let mut limits = self.limits.clone();
        limits.message = match role {
            Role::Client => limits.message.max(limits.client_message),
            Role::Worker | Role::Nanny | Role::Scheduler => limits.message,
        };
        let (events, received) = channel();
        let shared = Arc::new(Shared::new(hello.peer.clone(), limits, events));
        let mut sessions = self.sessions();
        if sessions.contains_key(&hello.session) {
            return Err(Failure::new(Code::WrongProtocol, "a session of this name exists"));
        }
        let mut welcome = admit.admit(&hello, role, caller.remote)?;
        welcome.received = 0;
        shared.set_welcome(welcome.clone());
        let (connection, _) = shared.attach(None, 0)?;
        sessions.insert(hello.session, Session { owner: caller.peer.clone(), shared: shared.clone() });
        drop(sessions);
        admit.connected(&welcome, hello, Link(shared.clone()), received);
        Ok((shared, connection, frame::welcome(&welcome)))
    }

    /// Ends all sessions, and waits until their ends were heard of, or a second.
    pub async fn end_sessions(&self) {
        let sessions: Vec<_> = self.sessions().values().map(|session| session.shared.clone()).collect();
        for shared in &sessions {
            shared.close("the listener was closed");
        }
        let _ = timeout(Duration::from_secs(1), async {
            for shared in &sessions {
                shared.drained().await;
            }
        })
        .await;
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error says that the listener is gone, which is the same.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn none(_: ()) -> ReplyBody {
    ReplyBody::Right(tonic::body::Body::empty())
}
