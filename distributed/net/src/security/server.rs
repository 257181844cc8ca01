//! How connections are accepted: encrypted with whom we trust, or plain by wish; and who gets certificates.
//!
//! It refuses to know what is said on them. Invariant: a peer without a certificate gets no further than asking for one.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use partita_graph::{Code, Failure};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use subtle::ConstantTimeEq;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::certificate::{Credentials, Lifetime, fingerprint, is_roleless, provider, role_of, unusable};
use super::connection::Trouble;
use super::gulps::Gulps;
use super::{Connection, Role, Security, TlsFiles, answer_http, check_plain};
use crate::address::{Address, JoinToken, Scheme, Secret};

/// Certificates that are given to joining processes are valid for so many days.
const CERTIFICATE_DAYS: u64 = 365;

/// Who is at the other end of an accepted connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// From its certificate. `None` on plain connections, and for processes that have yet to join.
    pub role: Option<Role>,
    /// SHA-256 of its certificate.
    pub certificate: Option<[u8; 32]>,
    /// Whether it has a certificate of an authority that knows no roles: it may be anything.
    pub any_role: bool,
}

/// How connections are accepted. A cheap clone.
#[derive(Clone)]
pub struct ServerSecurity(Arc<Inner>);

struct Inner {
    kind: Kind,
    off_loopback: bool,
}

#[derive(Clone)]
enum Kind {
    Plain { secret: Option<Secret> },
    Tls(Arc<Tls>),
}

struct Tls {
    credentials: Arc<Credentials>,
    config: Arc<ServerConfig>,
    /// Gone for those who joined or brought certificates: they give none.
    authority: Option<Authority>,
    tokens: Mutex<Vec<Token>>,
}

struct Token {
    token: Secret,
    /// How many may still join with it; `None` for as many as want to.
    left: Option<u32>,
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).expect("the system has random numbers");
    bytes
}

fn server_config(credentials: &Credentials, joining: bool) -> Result<Arc<ServerConfig>, Failure> {
    let verifier = WebPkiClientVerifier::builder_with_provider(credentials.roots.clone(), provider());
    let verifier = if joining { verifier.allow_unauthenticated() } else { verifier };
    let verifier = verifier.build().map_err(|e| unusable("the authority's certificate", &e))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(credentials.chain.clone(), credentials.key.clone_key())
        .map_err(|e| unusable("this process's certificate", &e))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Links live long; what makes the next handshake cheaper would only be sent in vain.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

impl ServerSecurity {
    fn with(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, off_loopback: false }))
    }

    /// A new cluster with its own authority, kept in a directory (made with mode 0700) or in memory only, and one join token.
    pub fn new_cluster(dir: Option<&Path>) -> Result<Self, Failure> {
        let authority = dir.map_or_else(Authority::generate, Authority::kept_in)?;
        Self::with_authority(authority, Lifetime::days(CERTIFICATE_DAYS))
    }

    /// A new cluster whose scheduler's certificate is valid for so long: for tests of what happens then.
    pub fn new_cluster_for(lifetime: Lifetime) -> Result<Self, Failure> {
        Self::with_authority(Authority::generate()?, lifetime)
    }

    fn with_authority(authority: Authority, lifetime: Lifetime) -> Result<Self, Failure> {
        let (certificate, key) = authority.issue_new(Role::Scheduler, lifetime)?;
        // The authority's certificate goes along: by it those who join recognise the cluster.
        let chain = vec![certificate, authority.certificate().clone()];
        let credentials = Arc::new(Credentials::new(authority.certificate().clone(), chain, key, false)?);
        let config = server_config(&credentials, true)?;
        let tokens = Mutex::new(vec![Token { token: random(), left: None }]);
        Ok(Self::with(Kind::Tls(Arc::new(Tls { credentials, config, authority: Some(authority), tokens }))))
    }

    /// Unencrypted. Without a secret everybody is let in who can reach the port; off loopback it is refused unless confirmed.
    pub fn plain(secret: Option<Secret>) -> Self {
        Self::with(Kind::Plain { secret })
    }

    /// Unencrypted, with a new random secret.
    pub fn plain_with_secret() -> Self {
        Self::plain(Some(random()))
    }

    /// The user's own certificates.
    pub fn files(files: &TlsFiles) -> Result<Self, Failure> {
        Self::of(&Security::Tls(Arc::new(files.load()?)))
    }

    /// For the data port of a process that joined: it accepts whom its own cluster accepts.
    pub fn of(security: &Security) -> Result<Self, Failure> {
        match security {
            Security::Plain { secret } => Ok(Self::plain(*secret)),
            Security::Tls(credentials) => {
                let config = server_config(credentials, false)?;
                let tls = Tls { credentials: credentials.clone(), config, authority: None, tokens: Mutex::default() };
                Ok(Self::with(Kind::Tls(Arc::new(tls))))
            }
        }
    }

    /// That a plain port off loopback is meant.
    pub fn confirm_off_loopback(self) -> Self {
        Self(Arc::new(Inner { kind: self.0.kind.clone(), off_loopback: true }))
    }

    /// The cluster's name: part of all its certificates; `plain` without encryption.
    pub fn cluster(&self) -> &str {
        match &self.0.kind {
            Kind::Plain { .. } => "plain",
            Kind::Tls(tls) => tls.credentials.cluster(),
        }
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.0.kind, Kind::Tls(_))
    }

    /// The whole address with the right to join, for people to paste. A cluster with certificates of the user's own has no
    /// such right to give.
    pub fn join_link(&self, host: &str, port: u16) -> Address {
        match &self.0.kind {
            Kind::Plain { secret } => {
                let mut address = Address::new(Scheme::Plain, host, port);
                address.secret = *secret;
                address.insecure_off_loopback = self.0.off_loopback && !address.is_loopback();
                address
            }
            Kind::Tls(tls) => {
                let mut address = Address::new(Scheme::Tls, host, port);
                let tokens = tls.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                address.join = tls
                    .authority
                    .as_ref()
                    .zip(tokens.first())
                    .map(|(authority, token)| JoinToken { token: token.token, authority: *authority.fingerprint() });
                address
            }
        }
    }

    /// A further token, with which so many processes may join. `None` where there is no authority.
    pub fn new_token(&self, uses: u32) -> Option<JoinToken> {
        let Kind::Tls(tls) = &self.0.kind else { return None };
        let authority = *tls.authority.as_ref()?.fingerprint();
        let token = random();
        tls.tokens.lock().unwrap_or_else(PoisonError::into_inner).push(Token { token, left: Some(uses) });
        Some(JoinToken { token, authority })
    }

    /// What a process of this role needs, without joining: for processes that the scheduler's own starts, and for tests.
    pub fn issue(&self, role: Role) -> Result<Security, Failure> {
        self.issue_for(role, Lifetime::days(CERTIFICATE_DAYS))
    }

    /// The same, valid for so long.
    pub fn issue_for(&self, role: Role, lifetime: Lifetime) -> Result<Security, Failure> {
        match &self.0.kind {
            Kind::Plain { secret } => Ok(Security::Plain { secret: *secret }),
            Kind::Tls(tls) => {
                let Some(authority) = &tls.authority else { return Ok(Security::Tls(tls.credentials.clone())) };
                let (certificate, key) = authority.issue_new(role, lifetime)?;
                let credentials = Credentials::new(authority.certificate().clone(), vec![certificate], key, false)?;
                Ok(Security::Tls(Arc::new(credentials)))
            }
        }
    }

    /// A certificate for whoever has a token, and the authority's own.
    pub(crate) fn certify(&self, token: &Secret, role: Role, public_key: &[u8]) -> Result<[CertificateDer<'static>; 2], Failure> {
        let wrong = |what: &str| {
            Failure::new(Code::NotTrusted, format!("the scheduler refused the join token: {what}"))
                .help("use the link that `partita scheduler` printed when it was started last, or its scheduler file")
        };
        let Kind::Tls(tls) = &self.0.kind else { return Err(wrong("it does not encrypt, so it gives no certificates")) };
        let Some(authority) = &tls.authority else { return Err(wrong("it was started with certificates of its own")) };
        if role == Role::Scheduler {
            return Err(wrong("nobody joins as a scheduler"));
        }
        let mut tokens = tls.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for known in tokens.iter_mut() {
            // All are compared, each in constant time.
            if bool::from(known.token.ct_eq(token)) {
                found = Some(known);
            }
        }
        match found {
            None => return Err(wrong("it is not one of this scheduler's")),
            Some(Token { left: Some(0), .. }) => return Err(wrong("it was used as often as it may be")),
            Some(Token { left, .. }) => *left = left.map(|left| left - 1),
        }
        drop(tokens);
        let certificate = authority.sign(public_key, role, Lifetime::days(CERTIFICATE_DAYS))?;
        Ok([certificate, authority.certificate().clone()])
    }

    /// Whether a caller's secret is the right one; also true where none is needed.
    pub(crate) fn accepts_secret(&self, said: Option<&Secret>) -> bool {
        match &self.0.kind {
            Kind::Plain { secret: Some(secret) } => said.is_some_and(|said| bool::from(secret.ct_eq(said))),
            Kind::Plain { secret: None } | Kind::Tls(_) => true,
        }
    }

    /// Whether it may listen on this host.
    pub(crate) fn check_host(&self, host: &str) -> Result<(), Failure> {
        match self.0.kind {
            Kind::Plain { .. } => check_plain(host, self.0.off_loopback),
            Kind::Tls(_) => Ok(()),
        }
    }

    /// Makes what was accepted a connection. Fails when the other side says something else than it should, or nothing.
    pub(crate) async fn accept(&self, stream: TcpStream, patience: Duration) -> Result<(Connection, Peer), Failure> {
        // Without it small messages wait for acknowledgements of earlier ones. A socket that refuses is only slower.
        let _ = stream.set_nodelay(true);
        let late = || Failure::new(Code::WrongProtocol, format!("it said too little within {patience:?}"));
        timeout(patience, self.greet(stream)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn greet(&self, mut stream: TcpStream) -> Result<(Connection, Peer), Failure> {
        let wrong = |what: &str| Failure::new(Code::WrongProtocol, what);
        let first = first_bytes(&stream).await?;
        let is_tls = first[0] == 0x16;
        if !is_tls && first != *b"PRI " && first != *b"part" {
            if first.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') {
                answer_http(&mut stream, self.is_encrypted()).await;
                return Err(wrong("it sent a request of HTTP/1; the port for people is another, 8787 by default"));
            }
            return Err(wrong("it sent neither TLS nor HTTP/2"));
        }
        match &self.0.kind {
            Kind::Plain { .. } if is_tls => Err(wrong("it wants to encrypt, and this port is plain")),
            Kind::Plain { .. } => Ok((Connection::plain(stream), Peer { role: None, certificate: None, any_role: false })),
            Kind::Tls(_) if !is_tls => Err(wrong("it does not encrypt, and this port does")),
            Kind::Tls(tls) => {
                let stream =
                    TlsAcceptor::from(tls.config.clone()).accept(Gulps::new(stream)).await.map_err(|error| match Trouble::of(&error) {
                        Trouble::Tls(error) => Failure::new(Code::NotTrusted, format!("its handshake failed: {error}")),
                        Trouble::Closed | Trouble::Io => wrong("it broke off the handshake"),
                    })?;
                let connection = Connection::tls(stream);
                let peer = tls.peer(&connection)?;
                Ok((connection, peer))
            }
        }
    }
}

impl Tls {
    fn peer(&self, connection: &Connection) -> Result<Peer, Failure> {
        let Some(certificate) = connection.peer_certificates().first() else {
            return Ok(Peer { role: None, certificate: None, any_role: false });
        };
        let role = role_of(certificate, self.credentials.cluster());
        let any_role = role.is_none() && self.credentials.roleless && is_roleless(certificate);
        if role.is_none() && !any_role {
            return Err(Failure::new(Code::NotTrusted, "its certificate is for no role of this cluster"));
        }
        Ok(Peer { role, certificate: Some(fingerprint(certificate)), any_role })
    }
}

/// The first four bytes, which stay to be read; fewer when the first one tells enough.
async fn first_bytes(stream: &TcpStream) -> Result<[u8; 4], Failure> {
    let mut first = [0; 4];
    loop {
        let n = stream.peek(&mut first).await.unwrap_or(0);
        if n == 0 {
            return Err(Failure::new(Code::WrongProtocol, "it said nothing and closed the connection"));
        }
        if n == first.len() || first[0] == 0x16 {
            return Ok(first);
        }
        // There is something to peek at, so waiting for readiness would not wait.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
