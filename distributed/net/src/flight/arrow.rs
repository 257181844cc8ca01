//! Arrow Flight: any Flight client reads a chunk by the text of its key, `<layer>#<index>` or `<layer>#<index>/<part>`.
//!
//! It refuses to know frames: what can be said of a value as Arrow messages, the [`super::FrameDoor`] says; other values are
//! one opaque body whose `app_metadata` names kind, header and lengths. Invariant: reading only; whatever would write or call
//! is answered with the status `Unimplemented`. An answer keeps its turn until it was sent, and one that nobody reads ends its
//! connection.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use partita_core::protocol::Piece;
use partita_graph::{Code, Failure, Key, LayerId};
use partita_local::Packed;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::FlightMessage;
use super::frames::STRETCH;
use super::messages::{Descriptor, Endpoint, Info, Schema, Ticket, encapsulated, flight_data, framed};
use super::port::{Patience, Refusal, Shared};
use crate::address::unhex;
use crate::rpc::{SECRET_HEADER, collect, unframe};

const SERVICE: &str = "/arrow.flight.protocol.FlightService/";
/// Largest request in bytes.
const MAX_REQUEST: usize = 64 << 10;
/// Chunks that one listing names.
const LISTED: usize = 10_000;
const WINDOW: u32 = 16 << 20;

/// A status of gRPC.
#[derive(Debug)]
struct Status(tonic::Code, String);

/// A connection as far as its patience with the caller goes.
struct Line {
    begun: Instant,
    /// Whether the caller has shown that it may be here.
    accepted: AtomicBool,
    /// The answers that are being sent, and when something of each went out last.
    moved: Mutex<BTreeMap<u64, Instant>>,
}

impl Line {
    fn moved(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails when there is nothing to wait for any more.
    fn check(&self, patience: &Patience) -> Result<(), Failure> {
        if !self.accepted.load(Ordering::Acquire) && self.begun.elapsed() > patience.greeting {
            return Err(Failure::new(Code::NotTrusted, "a caller did not say the cluster's secret"));
        }
        // Twice as long as for peers: other programs may look at one batch before they read the next.
        match self.moved().values().any(|moved| moved.elapsed() > 2 * patience.silence) {
            true => Err(Failure::new(Code::Unreachable, "a caller does not read what it asked for")),
            false => Ok(()),
        }
    }
}

/// An answer that is being sent, and its right to be, until it is dropped.
struct Turn {
    _permit: OwnedSemaphorePermit,
    line: Arc<Line>,
    number: u64,
}

impl Turn {
    fn begin(permit: OwnedSemaphorePermit, line: &Arc<Line>) -> Self {
        let mut moved = line.moved();
        let number = moved.last_key_value().map_or(0, |(last, _)| last + 1);
        moved.insert(number, Instant::now());
        drop(moved);
        Self { _permit: permit, line: line.clone(), number }
    }

    fn moved(&self) {
        self.line.moved().insert(self.number, Instant::now());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.line.moved().remove(&self.number);
    }
}

/// What a method answers.
struct Reply {
    pieces: VecDeque<Bytes>,
    turn: Option<Turn>,
}

impl From<VecDeque<Bytes>> for Reply {
    fn from(pieces: VecDeque<Bytes>) -> Self {
        Self { pieces, turn: None }
    }
}

/// Messages that are all there, then the status.
struct Messages {
    pieces: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    turn: Option<Turn>,
}

impl Messages {
    /// The next bytes, not too many at once: more are asked for when these have gone out, so it is seen whether they do.
    fn next(&mut self) -> Option<Bytes> {
        let piece = self.pieces.front_mut()?;
        match piece.len() > STRETCH {
            true => Some(piece.split_to(STRETCH)),
            false => self.pieces.pop_front(),
        }
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(turn) = &self.turn {
            turn.moved();
        }
        let next = self.next().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    /// Headers that say it all end the stream themselves; gRPC clients take an empty piece after them for a fault.
    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }
}

/// Serves one HTTP/2 connection until it ends.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) -> Result<(), Failure> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20)).max_header_list_size(16 << 10);
    builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW).max_frame_size(1 << 20);
    builder.max_send_buf_size(4 << 20).max_concurrent_streams(64);
    let patience = shared.patience;
    // Where no secret is asked for, whoever came so far may be here.
    let accepted = AtomicBool::new(shared.security.accepts_secret(None));
    let line = Arc::new(Line { begun: Instant::now(), accepted, moved: Mutex::default() });
    let calling = line.clone();
    let service = service_fn(move |request| {
        let (shared, line) = (shared.clone(), calling.clone());
        async move { Ok::<_, Infallible>(answer(request, &shared, &line).await) }
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            ended = &mut served => {
                return ended.map_err(|e| Failure::new(Code::WrongProtocol, format!("an HTTP/2 connection ended: {e}")));
            }
            () = tokio::time::sleep(patience.greeting / 5) => line.check(&patience)?,
        }
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared, line: &Arc<Line>) -> Response<Messages> {
    let (status, Reply { pieces, turn }) = match method(request, shared, line).await {
        Ok(reply) => (Status(tonic::Code::Ok, String::new()), reply),
        Err(status) => (status, VecDeque::new().into()),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status.0 as i32));
    if !status.1.is_empty() {
        let shown: String = status.1.chars().map(|c| if (c.is_ascii_graphic() && c != '%') || c == ' ' { c } else { '?' }).collect();
        trailers.insert("grpc-message", HeaderValue::from_str(&shown).expect("graphic characters"));
    }
    let mut response = match pieces.is_empty() && status.0 != tonic::Code::Ok {
        // A status alone stands in the headers.
        true => {
            let mut response = Response::new(Messages { pieces, trailers: None, turn });
            response.headers_mut().extend(trailers);
            response
        }
        false => Response::new(Messages { pieces, trailers: Some(trailers), turn }),
    };
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// The secret, where the cluster has one: as gRPC clients send tokens, or in a header of our own.
fn check_secret(headers: &HeaderMap, shared: &Shared) -> Result<(), Status> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
    let said = bearer.or_else(|| text(SECRET_HEADER)).and_then(unhex);
    match shared.security.accepts_secret(said.as_ref()) {
        true => Ok(()),
        false => Err(Status(tonic::Code::Unauthenticated, "send the cluster's secret as `authorization: Bearer <hex>`".into())),
    }
}

/// Waits for a turn, for longer than a caller that does not read may have one.
async fn turn(shared: &Shared) -> Result<OwnedSemaphorePermit, Status> {
    let permit = timeout(4 * shared.patience.silence, shared.flights.clone().acquire_owned()).await;
    let permit = permit.map_err(|_| Status(tonic::Code::Unavailable, "too many requests are served here: try again".into()))?;
    Ok(permit.expect("it is never closed"))
}

async fn method(request: Request<Incoming>, shared: &Shared, line: &Arc<Line>) -> Result<Reply, Status> {
    check_secret(request.headers(), shared)?;
    line.accepted.store(true, Ordering::Release);
    let path = request.uri().path();
    let name = path.strip_prefix(SERVICE).unwrap_or_default().to_owned();
    if !matches!(name.as_str(), "DoGet" | "GetFlightInfo" | "GetSchema" | "ListFlights" | "ListActions") {
        let what = format!("{path} is not served here: chunks are read with DoGet, GetFlightInfo, GetSchema and ListFlights");
        return Err(Status(tonic::Code::Unimplemented, what));
    }
    let message = collect(request.into_body(), MAX_REQUEST).await.and_then(unframe);
    let message = message.map_err(|failure| Status(tonic::Code::InvalidArgument, failure.what.clone()))?;
    match name.as_str() {
        "DoGet" => {
            let ticket: Ticket = decode(&message)?;
            let piece = piece_of(&ticket.ticket)?;
            let permit = turn(shared).await?;
            let pieces = data(piece, shared)?;
            Ok(Reply { pieces, turn: Some(Turn::begin(permit, line)) })
        }
        "GetFlightInfo" => {
            let piece = described(&decode(&message)?)?;
            let _turn = turn(shared).await?;
            let messages = open(piece, shared)?;
            Ok(VecDeque::from([framed(&info(piece, shared.shelf.nbytes(piece), schema(&messages)))]).into())
        }
        "GetSchema" => {
            let piece = described(&decode(&message)?)?;
            let _turn = turn(shared).await?;
            Ok(VecDeque::from([framed(&Schema { schema: schema(&open(piece, shared)?) })]).into())
        }
        "ListFlights" => {
            let listed = shared.shelf.list(LISTED).into_iter();
            Ok(listed.map(|(key, nbytes)| framed(&info((key, None), nbytes, Vec::new()))).collect::<VecDeque<_>>().into())
        }
        // There are none.
        _ => Ok(VecDeque::new().into()),
    }
}

fn decode<M: Message + Default>(message: &[u8]) -> Result<M, Status> {
    M::decode(message).map_err(|e| Status(tonic::Code::InvalidArgument, format!("the request does not decode: {e}")))
}

fn described(descriptor: &Descriptor) -> Result<Piece, Status> {
    match descriptor.path.first() {
        Some(text) => piece_of(text.as_bytes()),
        None => piece_of(&descriptor.cmd),
    }
}

/// The piece that a ticket names: the text of a key; `/` and a part may follow.
pub fn parse_ticket(text: &[u8]) -> Option<Piece> {
    let text = std::str::from_utf8(text).ok()?;
    let (key, part) = text.split_once('/').map_or((text, None), |(key, part)| (key, Some(part)));
    let (layer, index) = key.split_once('#')?;
    let digits = layer.len() == 16 && layer.bytes().all(|byte| byte.is_ascii_hexdigit());
    let layer = u64::from_str_radix(layer, 16).ok().filter(|_| digits)?;
    let part = part.map(str::parse).transpose().ok()?;
    Some((Key::new(LayerId(layer), index.parse().ok()?), part))
}

fn piece_of(text: &[u8]) -> Result<Piece, Status> {
    let what = "a ticket is the text of a key, 16 hexadecimal digits, `#` and a number; `/` and a part may follow";
    parse_ticket(text).ok_or_else(|| Status(tonic::Code::InvalidArgument, what.into()))
}

fn packed(piece: Piece, shared: &Shared) -> Result<Packed, Status> {
    shared.pack(piece).map_err(|refusal| match refusal {
        Refusal::Missing => Status(tonic::Code::NotFound, format!("chunk {} is not held here", piece.0)),
        Refusal::Failed(failure) => Status(tonic::Code::FailedPrecondition, failure.what.clone()),
    })
}

/// The Arrow messages of a frame; `Ok(None)` for values of other kinds.
fn open(piece: Piece, shared: &Shared) -> Result<Option<Vec<FlightMessage>>, Status> {
    messages_of(&packed(piece, shared)?, shared)
}

fn messages_of(packed: &Packed, shared: &Shared) -> Result<Option<Vec<FlightMessage>>, Status> {
    match (packed.sections.first().filter(|_| !packed.parts), &shared.door) {
        (Some((kind, encoded)), Some(door)) => {
            door.messages(kind, encoded).map_err(|failure| Status(tonic::Code::Internal, failure.what.clone()))
        }
        _ => Ok(None),
    }
}

fn schema(messages: &Option<Vec<FlightMessage>>) -> Vec<u8> {
    messages.as_ref().and_then(|messages| messages.first()).map_or_else(Vec::new, |(header, _)| encapsulated(header))
}

fn info(piece: Piece, nbytes: u64, schema: Vec<u8>) -> Info {
    let text = piece.1.map_or_else(|| piece.0.to_string(), |part| format!("{}/{part}", piece.0));
    let ticket = Some(Ticket { ticket: text.clone().into_bytes() });
    let descriptor = Some(Descriptor { kind: 1, cmd: Vec::new(), path: vec![text] });
    Info { schema, descriptor, endpoint: vec![Endpoint { ticket }], total_records: -1, total_bytes: nbytes as i64 }
}

fn data(piece: Piece, shared: &Shared) -> Result<VecDeque<Bytes>, Status> {
    let packed = packed(piece, shared)?;
    if packed.parts {
        let what = format!("chunk {} is made of {} parts: name one, `{}/0`", piece.0, packed.sections.len(), piece.0);
        return Err(Status(tonic::Code::InvalidArgument, what));
    }
    let too_large = || Status(tonic::Code::ResourceExhausted, "a message of more than 4 GiB cannot be sent by gRPC".into());
    let mut pieces = VecDeque::new();
    match messages_of(&packed, shared)? {
        Some(messages) => {
            for message in messages {
                pieces.extend(flight_data(message, &[]).ok_or_else(too_large)?);
            }
        }
        None => {
            for (kind, encoded) in packed.sections {
                let lens: Vec<u64> = encoded.buffers.iter().map(|buffer| (**buffer).as_ref().len() as u64).collect();
                let metadata = postcard::to_stdvec(&(kind, encoded.header, lens)).expect("plain data");
                pieces.extend(flight_data((Vec::new(), encoded.buffers), &metadata).ok_or_else(too_large)?);
            }
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_texts_of_keys() {
        let key = Key::new(LayerId(0xabc), 7);
        assert_eq!(piece_of(key.to_string().as_bytes()).ok(), Some((key, None)));
        assert_eq!(piece_of(format!("{key}/3").as_bytes()).ok(), Some((key, Some(3))));
        for bad in ["", "7", "abc#7", "0000000000000abc#", "0000000000000abc#x", "+000000000000abc#7", "0000000000000abc#7/", "\u{e9}#7"] {
            assert!(piece_of(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
