//! Who may talk to whom: certificates, roles, join tokens, and the connections that they protect.
//!
//! It refuses to know what is said over a connection. Invariant: whoever is let in has a certificate of the cluster's own
//! authority for the role that it claims, or the connection is plain by the user's explicit wish.

mod authority;
mod certificate;
mod connection;
mod export;
mod files;
mod gulps;
pub mod join;
mod open;
mod probe;
mod scheduler_file;
mod server;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use partita_graph::{Code, Failure};
use serde::{Deserialize, Serialize};

pub use certificate::{Credentials, Lifetime};
pub use connection::Connection;
pub use export::{Exported, export};
pub use files::TlsFiles;
pub use open::open;
pub(crate) use open::{connect_tcp, explain};
pub(crate) use probe::{answer_http, diagnose};
pub use scheduler_file::{SchedulerFile, state_dir};
pub(crate) use server::random;
pub use server::{Peer, ServerSecurity};

use crate::address::{Address, Scheme, Secret};

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

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Scheduler, Role::Worker, Role::Client, Role::Nanny];

    /// As in certificates: lower case.
    pub fn name(self) -> &'static str {
        match self {
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
            Role::Client => "client",
            Role::Nanny => "nanny",
        }
    }
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

impl fmt::Debug for Security {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Security::Plain { secret: None } => f.write_str("Plain"),
            Security::Plain { secret: Some(_) } => f.write_str("Plain with a secret"),
            Security::Tls(credentials) => write!(f, "Tls({})", credentials.cluster()),
        }
    }
}

impl Security {
    /// What is needed to talk to a scheduler at `address` as `role`; joins the cluster when a token is needed. For `host:port`
    /// on loopback the token is looked up in the user's state directory.
    ///
    /// Fails with `Insecure` for a plain address off loopback that was not confirmed, with `NotTrusted` when there is no
    /// token, or the scheduler refuses it, and as [`open`] does.
    pub async fn resolve(address: &Address, role: Role, files: Option<&TlsFiles>) -> Result<Security, Failure> {
        Self::resolve_in(address, role, files, state_dir().as_deref()).await
    }

    /// The same with another state directory.
    pub async fn resolve_in(
        address: &Address,
        role: Role,
        files: Option<&TlsFiles>,
        state_dir: Option<&Path>,
    ) -> Result<Security, Failure> {
        match (address.scheme, files, &address.join) {
            (Scheme::Plain, _, _) => {
                check_plain(&address.host, address.insecure_off_loopback)?;
                Ok(Security::Plain { secret: address.secret })
            }
            (_, Some(files), _) => Ok(Security::Tls(Arc::new(files.load()?))),
            (_, None, Some(token)) => join::join(address, token, role).await,
            (_, None, None) => {
                let known = state_dir.filter(|_| address.is_loopback()).map(|dir| SchedulerFile::in_state_dir(dir, address.port));
                match known.as_deref().map(SchedulerFile::read) {
                    Some(Ok(file)) => Self::from_file(&file, address, role, known.as_deref()).await,
                    _ => Err(no_token(address).await),
                }
            }
        }
    }

    async fn from_file(file: &SchedulerFile, address: &Address, role: Role, path: Option<&Path>) -> Result<Security, Failure> {
        let found: Address = file.address.parse()?;
        match (found.scheme, &found.join) {
            (Scheme::Plain, _) => Ok(Security::Plain { secret: found.secret }),
            (_, Some(token)) => join::join(address, token, role).await.map_err(|failure| match path {
                // The file may be one of an earlier scheduler.
                Some(path) if failure.code == Code::NotTrusted => failure.detail("token from", path.display().to_string()),
                _ => failure,
            }),
            (_, None) => Err(no_token(address).await),
        }
    }
}

/// Plain connections are for loopback, unless the user said twice that they are meant.
pub(crate) fn check_plain(host: &str, confirmed: bool) -> Result<(), Failure> {
    if confirmed || crate::address::is_loopback(host) {
        return Ok(());
    }
    let what = format!("an unencrypted connection to or from `{host}` was refused: everybody in between could read and change it");
    Err(Failure::new(Code::Insecure, what)
        .help("leave `--insecure` (or `tcp://`) out to have it encrypted, or confirm with `--insecure-off-loopback`"))
}

/// There is no token. Whether anything is there at all is the better answer when nothing is.
async fn no_token(address: &Address) -> Failure {
    let reachable = connect_tcp(&address.host, address.port).await;
    match reachable {
        Err(failure) => failure,
        Ok(stream) => {
            drop(stream);
            let missing =
                Failure::new(Code::NotTrusted, format!("the scheduler at {} wants proof that this process may join", address.place()))
                    .help("paste the whole link that `partita scheduler` printed (tls://…?join=…), or give its scheduler file");
            match diagnose(&address.host, address.port, true).await {
                Some(other) => other,
                None => missing,
            }
        }
    }
}
