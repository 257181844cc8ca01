//! gRPC as far as this crate speaks it by hand: one question and one answer; and what other services on a port are told.
//!
//! It refuses to know what those services do. Invariant: a request that reaches such a service carries a [`Caller`], so no
//! service has to ask whether the caller may be here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use partita_graph::{Code, Failure};
use tokio::time::timeout;

use crate::link::frame::PREFIX;
use crate::security::{Connection, Role};

/// A gRPC service: `tower::util::BoxCloneSyncService::new(routes)`, with `tonic::service::Routes` or any generated server.
pub type Service = tower::util::BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// Who calls a service; found in the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller {
    /// From the certificate. `None` on plain connections, where only a secret may have been asked for.
    pub role: Option<Role>,
    /// From where.
    pub remote: SocketAddr,
}

/// The header in which requests to a plain data port carry the cluster's secret, as hexadecimal digits.
pub const SECRET_HEADER: &str = "partita-secret";

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A whole message, and the trailers that gRPC ends with.
pub(crate) struct Whole {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Whole {
    /// These bytes (with their prefix), then the end.
    pub fn framed(message: Bytes) -> Self {
        Self { message: Some(message), trailers: Some(status(tonic::Code::Ok, "")) }
    }

    /// One gRPC message, then the end.
    pub fn message(message: &[u8]) -> Self {
        let mut framed = BytesMut::with_capacity(PREFIX + message.len());
        framed.put_u8(0);
        framed.put_u32(message.len() as u32);
        framed.put_slice(message);
        Self::framed(framed.freeze())
    }
}

fn status(code: tonic::Code, what: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from(code as i32));
    if !what.is_empty() {
        let shown: String = what.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        headers.insert("grpc-message", HeaderValue::from_str(&shown).expect("graphic characters"));
    }
    headers
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.message.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}

/// A response that only says why there is none.
pub(crate) fn refusal<B: Default>(code: tonic::Code, what: &str) -> Response<B> {
    let mut response = Response::new(B::default());
    response.headers_mut().extend(status(code, what));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A request to a method of a cluster's port.
pub(crate) fn request<B>(path: &'static str, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("http://cluster.partita");
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static(path));
    *request.uri_mut() = http::Uri::from_parts(parts).expect("a scheme, a host and a path");
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    request
}

/// All of a body, if it is at most `limit` bytes.
pub(crate) async fn collect<B: Body<Data = Bytes> + Unpin>(mut body: B, limit: usize) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::new(Code::Disconnected, "the connection broke within a message"))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(Failure::new(Code::TooLarge, format!("a message is larger than {limit} bytes, the most that is accepted here")));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The message in a body of one gRPC message.
pub(crate) fn unframe(mut body: Bytes) -> Result<Bytes, Failure> {
    let fits =
        body.len() >= PREFIX && body[0] == 0 && body.len() - PREFIX == u32::from_be_bytes([body[1], body[2], body[3], body[4]]) as usize;
    match fits {
        true => Ok(body.split_off(PREFIX)),
        false => Err(Failure::new(Code::WrongProtocol, "no single gRPC message")),
    }
}

/// Asks one question over a connection of its own.
pub(crate) async fn unary(connection: Connection, path: &'static str, message: Bytes, limit: usize) -> Result<Bytes, Failure> {
    let broken = |why: &str| Failure::new(Code::WrongProtocol, format!("the other side does not answer as a scheduler does: {why}"));
    let question = async {
        let io = TokioIo::new(connection);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (mut sender, connection) = handshake.map_err(|e| broken(&e.to_string()))?;
        let driver = tokio::spawn(connection);
        let answer = async {
            let response = sender.send_request(request(path, Whole::message(&message))).await.map_err(|e| broken(&e.to_string()))?;
            if let Some(said) = response.headers().get("grpc-message") {
                return Err(broken(&String::from_utf8_lossy(said.as_bytes())));
            }
            unframe(collect(response.into_body(), limit).await?)
        };
        let answer = answer.await;
        driver.abort();
        answer
    };
    timeout(PATIENCE, question).await.unwrap_or_else(|_| Err(broken("it says nothing")))
}
