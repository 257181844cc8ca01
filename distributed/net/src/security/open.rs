//! Opening connections, and saying in the user's words why one cannot be opened.
//!
//! It refuses to know what is said over them. Invariant: a connection that it returns is encrypted and the other side proved its
//! role, unless it is plain by wish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use partita_graph::{Code, Failure};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::certificate::pinned_client;
use super::connection::Trouble;
use super::gulps::Gulps;
use super::probe::diagnose;
use super::{Connection, Role, Security};
use crate::address::place;

/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection to `host:port`, whose listener must have the role `expected`.
///
/// Fails with `Unreachable`, `WrongProtocol` or `NotTrusted`.
pub async fn open(host: &str, port: u16, security: &Security, expected: Role) -> Result<Connection, Failure> {
    match security {
        Security::Plain { .. } => Ok(Connection::plain(connect_tcp(host, port).await?)),
        Security::Tls(credentials) => encrypt(host, port, credentials.client(expected)).await,
    }
}

/// The same before there is a certificate: to a scheduler whose authority has this fingerprint.
pub(super) async fn open_pinned(host: &str, port: u16, authority: [u8; 32]) -> Result<Connection, Failure> {
    encrypt(host, port, pinned_client(authority)).await
}

async fn encrypt(host: &str, port: u16, config: Arc<ClientConfig>) -> Result<Connection, Failure> {
    let stream = connect_tcp(host, port).await?;
    // What is checked is the role in the certificate; this name only has to be one.
    let name = ServerName::try_from("cluster.partita").expect("it is a name");
    match timeout(PATIENCE, TlsConnector::from(config).connect(name, Gulps::new(stream))).await {
        Ok(Ok(stream)) => Ok(Connection::tls(stream)),
        Ok(Err(error)) => Err(explain(host, port, &Trouble::of(&error), true).await),
        Err(_) => {
            let what = format!("{} accepts connections but does not say anything", place(host, port));
            Err(diagnose(host, port, true).await.unwrap_or_else(|| Failure::new(Code::WrongProtocol, what)))
        }
    }
}

/// A connection without anything on it yet.
pub(crate) async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let at = place(host, port);
    let error = match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            // Without it small messages wait for acknowledgements of earlier ones. A socket that refuses is only slower.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
        Ok(Err(error)) => error,
        Err(_) => {
            let what = format!("{at} did not answer within {} s", PATIENCE.as_secs());
            return Err(Failure::new(Code::Unreachable, what).help("check the host's name, and that no firewall is in between"));
        }
    };
    Err(match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::new(Code::Unreachable, format!("nothing listens at {at}"))
            .help(format!("start a scheduler with `partita scheduler --port {port}`, or check host and port")),
        _ => Failure::new(Code::Unreachable, format!("{at} cannot be reached: {error}")).help("check host and port"),
    })
}

/// Why a connection failed before anything was agreed on. Where the bytes alone do not tell, it asks what listens there.
pub(crate) async fn explain(host: &str, port: u16, trouble: &Trouble, encrypted: bool) -> Failure {
    let at = place(host, port);
    let Trouble::Tls(error) = trouble else {
        let other = diagnose(host, port, encrypted).await;
        return other.unwrap_or_else(|| Failure::new(Code::WrongProtocol, format!("{at} closed the connection: it is no partita process")));
    };
    let untrusted = |what: String| Failure::new(Code::NotTrusted, what);
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            untrusted(format!("the certificate of {at} has expired")).help("give that process a new certificate and start it again")
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            untrusted(format!("the certificate of {at} is not valid yet")).help("compare the clocks of the two hosts")
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            untrusted(format!("the certificate of {at} is for another role or another cluster"))
                .help("clients and workers connect to the scheduler's control port; check the port")
        }
        rustls::Error::InvalidCertificate(_) => untrusted(format!(
            "{at} belongs to another cluster: its certificate comes from another authority"
        ))
        .help("use the link or scheduler file of the scheduler that runs now; it has a new one after each start unless --tls-dir is given"),
        rustls::Error::AlertReceived(alert) => refused_by_alert(&at, *alert),
        _ => diagnose(host, port, encrypted).await.unwrap_or_else(|| {
            Failure::new(Code::WrongProtocol, format!("{at} does not speak TLS 1.3 as partita does: {error}"))
                .help("the scheduler's control port is 8786 by default; 8787 is for HTTP")
        }),
    }
}

fn refused_by_alert(at: &str, alert: AlertDescription) -> Failure {
    let what = match alert {
        AlertDescription::CertificateExpired => "this process's certificate has expired",
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError => {
            "this process's certificate comes from another cluster"
        }
        AlertDescription::CertificateRequired => "it wants a certificate, and this process has none",
        AlertDescription::ProtocolVersion | AlertDescription::NoApplicationProtocol | AlertDescription::HandshakeFailure => {
            return Failure::new(Code::WrongProtocol, format!("{at} speaks TLS, but not as partita does ({alert:?})"));
        }
        _ => return Failure::new(Code::NotTrusted, format!("{at} refused the connection ({alert:?})")),
    };
    Failure::new(Code::NotTrusted, format!("{at} refused the connection: {what}"))
        .help("join again with the link that `partita scheduler` prints")
}
