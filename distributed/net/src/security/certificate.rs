//! Certificates as this cluster reads them: a name `<role>.<cluster>.partita`, signed by the cluster's authority.
//!
//! It refuses to make certificates. Invariant: a role is believed only when the chain was verified and the name says so.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use partita_graph::{Code, Failure};
use ring::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Role;
use crate::address::hex;

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// From then.
    pub from: SystemTime,
    /// Until then.
    pub until: SystemTime,
}

impl Lifetime {
    /// From yesterday, because clocks differ, for so many days.
    pub fn days(days: u64) -> Self {
        let (now, day) = (SystemTime::now(), Duration::from_secs(86_400));
        Self { from: now - day, until: now + day * days as u32 }
    }
}

/// SHA-256 of a certificate: by it join tokens know their cluster, and sessions their owner.
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// A cluster is named after its authority.
pub fn cluster_of(authority: &[u8; 32]) -> String {
    hex(&authority[..8])
}

/// The name in the certificate of a process with this role.
pub fn role_name(role: Role, cluster: &str) -> String {
    format!("{}.{cluster}.partita", role.name())
}

/// The role that a verified certificate gives. `roleless` certificates, of an authority of the user's own that knows no roles,
/// have none and may be anything.
pub fn role_of(certificate: &CertificateDer<'_>, cluster: &str) -> Option<Role> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    Role::ALL.into_iter().find(|role| names(&certificate, *role, cluster))
}

fn names(certificate: &webpki::EndEntityCert<'_>, role: Role, cluster: &str) -> bool {
    let name = ServerName::try_from(role_name(role, cluster)).expect("a role and hexadecimal digits are a name");
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

/// Whether a certificate names no role of any cluster.
pub fn is_roleless(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|cert| !cert.valid_dns_names().any(|name| name.ends_with(".partita")))
}

/// The cryptography that all connections use. Of what TLS 1.3 offers first the suite that every implementation must have (RFC 8446, 9.1): it
/// takes less work than the others for each byte, which large chunks notice.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// A certificate, its key, and the authority that it comes from.
pub struct Credentials {
    pub(super) cluster: String,
    pub(super) authority: CertificateDer<'static>,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Certificates without a role are accepted: the authority is the user's own.
    pub(super) roleless: bool,
    scheduler: Arc<ClientConfig>,
    worker: Arc<ClientConfig>,
}

impl Credentials {
    /// From a certificate (with its chain), its key and the authority's certificate.
    pub(super) fn new(
        authority: CertificateDer<'static>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        roleless: bool,
    ) -> Result<Self, Failure> {
        let cluster = cluster_of(&fingerprint(&authority));
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).map_err(|e| unusable("the authority's certificate", &e))?;
        let roots = Arc::new(roots);
        let config = |role| {
            let expected = Expected::Roots { roots: roots.clone(), roleless };
            client_config(expected, role, &cluster)
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map(configured)
                .map_err(|e| unusable("this process's certificate", &e))
        };
        let (scheduler, worker) = (config(Role::Scheduler)?, config(Role::Worker)?);
        Ok(Self { cluster, authority, roots, chain, key, roleless, scheduler, worker })
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The certificate and what follows it, for programs in other languages that connect to data ports.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// How to connect to a process with this role.
    pub(super) fn client(&self, expected: Role) -> Arc<ClientConfig> {
        match expected {
            Role::Scheduler => self.scheduler.clone(),
            // Nothing else listens than schedulers and workers.
            Role::Worker | Role::Client | Role::Nanny => self.worker.clone(),
        }
    }
}

pub(super) fn unusable(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::NotTrusted, format!("{what} cannot be used: {error}"))
}

/// How to connect before there is a certificate: to the scheduler whose authority has this fingerprint.
pub(super) fn pinned_client(authority: [u8; 32]) -> Arc<ClientConfig> {
    let cluster = cluster_of(&authority);
    configured(client_config(Expected::Pinned(authority), Role::Scheduler, &cluster).with_no_client_auth())
}

fn client_config(expected: Expected, role: Role, cluster: &str) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let verifier = Verifier { expected, role, cluster: cluster.into(), provider: provider() };
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
}

fn configured(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

#[derive(Debug)]
enum Expected {
    Roots { roots: Arc<RootCertStore>, roleless: bool },
    Pinned([u8; 32]),
}

/// The chain is webpki's; only the name is ours: a role in a cluster instead of a host.
#[derive(Debug)]
struct Verifier {
    expected: Expected,
    role: Role,
    cluster: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned;
        let (roots, roleless) = match &self.expected {
            Expected::Roots { roots, roleless } => (&**roots, *roleless),
            Expected::Pinned(authority) => {
                let found = intermediates.iter().find(|certificate| fingerprint(certificate) == *authority);
                let found = found.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
                let mut roots = RootCertStore::empty();
                roots.add(found.clone().into_owned())?;
                pinned = roots;
                (&pinned, false)
            }
        };
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&ParsedCertificate::try_from(end_entity)?, roots, intermediates, now, algorithms)?;
        let fits = role_of(end_entity, &self.cluster) == Some(self.role) || (roleless && is_roleless(end_entity));
        match fits {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
