//! Joining: a token is exchanged for a certificate, the only thing that a process without one may ask for.
//!
//! It refuses to know tokens and authorities; `ServerSecurity` decides. Invariant: a request is at most 4 KiB, and the token is
//! sent only to a scheduler that has proved to be of the token's cluster.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use partita_graph::{Code, Failure};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::authority::{PUBLIC_KEY, new_key};
use super::open::open_pinned;
use super::{Credentials, Role, Security, ServerSecurity};
use crate::address::{Address, JoinToken, Secret};
use crate::message::{PROTOCOL, VERSION};
use crate::rpc;
use crate::wire::{Reader, Writer, read_failure, write_failure};

/// Largest request.
pub const LIMIT: usize = 4 << 10;
/// Largest answer: two certificates.
const ANSWER_LIMIT: usize = 64 << 10;

/// Asks for a certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`PROTOCOL`] of the caller.
    pub protocol: u32,
    /// [`VERSION`] of the caller.
    pub version: String,
    /// The right to join.
    pub token: Secret,
    /// What the caller wants to be.
    pub role: Role,
    /// Its key: a point on the curve P-256, uncompressed.
    pub public_key: Vec<u8>,
}

impl fmt::Debug for Request {
    /// Without the token: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut request = f.debug_struct("Request");
        request.field("protocol", &self.protocol).field("version", &self.version).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Request {
    /// From bytes; `WrongProtocol` for what is none, `TooLarge` for more than 4 KiB.
    pub fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.len() > LIMIT {
            return Err(Failure::new(Code::TooLarge, format!("a request to join has at most {LIMIT} bytes")));
        }
        let request: Self = postcard::from_bytes(bytes).map_err(|_| Failure::new(Code::WrongProtocol, "no request to join"))?;
        match request.public_key.len() {
            PUBLIC_KEY => Ok(request),
            _ => Err(Failure::new(Code::WrongProtocol, "a request to join with a key of another kind")),
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data")
    }
}

/// The scheduler's answer to a request: certificates, or why not.
pub(crate) fn answer(security: &ServerSecurity, request: &[u8]) -> (Bytes, Option<Failure>) {
    let mut out = Writer::default();
    let given = Request::decode(request).and_then(|request| {
        if request.protocol != PROTOCOL {
            let (version, protocol) = (&request.version, request.protocol);
            let what = format!(
                "the caller is partita {version} with protocol {protocol}, the scheduler is partita {VERSION} with protocol {PROTOCOL}"
            );
            return Err(Failure::new(Code::VersionMismatch, what).help("start scheduler, workers and clients from the same release"));
        }
        security.certify(&request.token, request.role, &request.public_key)
    });
    match given {
        Ok([certificate, authority]) => {
            out.byte(1);
            out.bytes(&certificate);
            out.bytes(&authority);
            (out.finish(), None)
        }
        Err(failure) => {
            out.byte(0);
            write_failure(&mut out, &failure);
            (out.finish(), Some(failure))
        }
    }
}

/// Reads such an answer.
pub fn read_answer(bytes: &[u8]) -> Result<[Vec<u8>; 2], Failure> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        1 => Ok([reader.bytes()?.to_vec(), reader.bytes()?.to_vec()]),
        _ => Err(read_failure(&mut reader)?),
    }
}

/// Joins the cluster at `address`.
pub(super) async fn join(address: &Address, token: &JoinToken, role: Role) -> Result<Security, Failure> {
    let (key, public_key) = new_key()?;
    let connection = open_pinned(&address.host, address.port, token.authority).await?;
    let request = Request { protocol: PROTOCOL, version: VERSION.into(), token: token.token, role, public_key };
    let answer = rpc::unary(connection, "/partita.Control/Join", request.encode().into(), ANSWER_LIMIT).await?;
    let [certificate, authority] = read_answer(&answer)?;
    let (certificate, authority) = (CertificateDer::from(certificate), CertificateDer::from(authority));
    if super::certificate::fingerprint(&authority) != token.authority {
        return Err(Failure::new(Code::NotTrusted, "the scheduler answered with the certificate of another authority"));
    }
    Ok(Security::Tls(Arc::new(Credentials::new(authority, vec![certificate], key, false)?)))
}
