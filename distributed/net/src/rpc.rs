//! What stands beside the control stream on a listener's port: gRPC services of other modules, and who calls them.
//!
//! It refuses to know what those services do. Invariant: a request that reaches such a service carries a [`Caller`], so no
//! service has to ask whether the caller may be here.

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::security::Role;

/// A gRPC service: `tower::util::BoxCloneSyncService::new(routes)`, with `tonic::service::Routes` or any generated server.
pub type Service = tower::util::BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, Infallible>;

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
