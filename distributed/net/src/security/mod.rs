//! Who may talk to whom: certificates, roles, join tokens, and the connections that they protect.
//!
//! It refuses to know what is said over a connection. Invariant: whoever is let in has a certificate of the cluster's own
//! authority for the role that it claims, or the connection is plain by the user's explicit wish.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partita_graph::Failure;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::{Address, Secret};

/// What a process is in its cluster; part of its certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Accepts all others.
    Scheduler,
    /// Runs tasks.
    Worker,
    /// Submits graphs.
    Client,
    /// Watches a worker.
    Nanny,
}

/// Certificates of one's own, as PEM files, instead of joining by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority whose certificates are accepted.
    pub ca: PathBuf,
    /// This process's certificate, with the chain if there is one.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A certificate, its key, and the authority that it comes from.
pub struct Credentials {
    cluster: String,
}

/// How connections are opened: for links to the scheduler and for data.
#[derive(Clone)]
pub enum Security {
    /// Unencrypted, with a secret if the cluster has one.
    Plain {
        /// The secret.
        secret: Option<Secret>,
    },
    /// TLS 1.3 with this process's certificate.
    Tls(Arc<Credentials>),
}

/// How connections are accepted.
#[derive(Clone)]
pub struct ServerSecurity {
    secret: Option<Secret>,
}

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

fn soon() -> Failure {
    Failure::new(partita_graph::Code::Unsupported, "not connected yet")
}

impl Security {
    /// What is needed to talk to a scheduler at `address` as `role`; joins the cluster when a token is needed.
    pub async fn resolve(address: &Address, _role: Role, _files: Option<&TlsFiles>) -> Result<Security, Failure> {
        Ok(Security::Plain { secret: address.secret })
    }
}

impl ServerSecurity {
    /// A new cluster with its own authority, kept in a directory (made with mode 0700) or in memory only.
    pub fn new_cluster(_dir: Option<&Path>) -> Result<Self, Failure> {
        Err(soon())
    }

    /// Unencrypted. Without a secret everybody is let in who can reach the port; off loopback it is refused unless confirmed.
    pub fn plain(secret: Option<Secret>) -> Self {
        Self { secret }
    }

    /// The user's own certificates.
    pub fn files(_files: &TlsFiles) -> Result<Self, Failure> {
        Err(soon())
    }

    /// For the data port of a process that joined: it accepts whom its own cluster accepts.
    pub fn of(_security: &Security) -> Result<Self, Failure> {
        Err(soon())
    }

    /// That a plain port off loopback is meant.
    pub fn confirm_off_loopback(self) -> Self {
        self
    }

    /// The cluster's name: part of all its certificates; `plain` without encryption.
    pub fn cluster(&self) -> &str {
        "plain"
    }

    /// The whole address with the right to join, for people to paste.
    pub fn join_link(&self, host: &str, port: u16) -> Address {
        let mut address = Address::new(crate::address::Scheme::Plain, host, port);
        address.secret = self.secret;
        address
    }
}

impl fmt::Debug for Security {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Security::Plain { secret: None } => f.write_str("Plain"),
            Security::Plain { secret: Some(_) } => f.write_str("Plain with a secret"),
            Security::Tls(credentials) => write!(f, "Tls({})", credentials.cluster),
        }
    }
}

/// Opens a connection to `host:port`, whose listener must have the role `expected`.
pub async fn open(_host: &str, _port: u16, _security: &Security, _expected: Role) -> Result<Box<dyn Stream>, Failure> {
    Err(soon())
}
