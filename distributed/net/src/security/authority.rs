//! The cluster's own certificate authority: made in memory, or kept in a directory that only its owner can read.
//!
//! It refuses to decide who gets a certificate. Invariant: the private key never leaves this process and that directory.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use partita_graph::{Code, Failure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificate::{Lifetime, cluster_of, fingerprint, role_name};
use super::{Role, random};
use crate::address::hex;

/// The authority outlives its certificates.
const AUTHORITY_DAYS: u64 = 3650;

/// Makes certificates of one cluster.
pub struct Authority {
    certificate: CertificateDer<'static>,
    fingerprint: [u8; 32],
    issuer: Issuer<'static, KeyPair>,
}

fn broken(error: rcgen::Error) -> Failure {
    Failure::internal(format!("a certificate could not be made: {error}"))
}

/// The uncompressed point of a P-256 key.
struct PublicKey<'a>(&'a [u8]);

impl PublicKeyData for PublicKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Bytes of an uncompressed point on P-256.
pub const PUBLIC_KEY: usize = 65;

fn named(name: &str, lifetime: Lifetime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = lifetime.from.into();
    params.not_after = lifetime.until.into();
    params
}

fn authority_params() -> CertificateParams {
    let mut params = named("partita cluster authority", Lifetime::days(AUTHORITY_DAYS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

impl Authority {
    /// A new one.
    pub fn generate() -> Result<Self, Failure> {
        let key = KeyPair::generate().map_err(broken)?;
        let certificate = authority_params().self_signed(&key).map_err(broken)?;
        Ok(Self::with(certificate.der().clone(), key))
    }

    fn with(certificate: CertificateDer<'static>, key: KeyPair) -> Self {
        let fingerprint = fingerprint(&certificate);
        Self { certificate, fingerprint, issuer: Issuer::new(authority_params(), key) }
    }

    /// The one that is kept in a directory, made when there is none: `ca.pem` and `ca.key`.
    pub fn kept_in(dir: &Path) -> Result<Self, Failure> {
        let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
            Failure::new(Code::InvalidOption, format!("`{}` cannot be used as a directory of certificates: {error}", path.display()))
                .help("give a directory of your own, or delete ca.pem and ca.key in it to have a new authority made")
        };
        if certificate.exists() && key.exists() {
            let private = fs::metadata(&key).map(|meta| meta.permissions().mode() & 0o077 == 0).unwrap_or(false);
            if !private {
                return Err(unreadable(&key, &"others can read the key (its mode must be 0600)"));
            }
            let certificate = CertificateDer::from_pem_file(&certificate).map_err(|e| unreadable(&certificate, &e))?;
            let pem = fs::read_to_string(&key).map_err(|e| unreadable(&key, &e))?;
            return Ok(Self::with(certificate, KeyPair::from_pem(&pem).map_err(|e| unreadable(&key, &e))?));
        }
        if !dir.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| unreadable(dir, &e))?;
        }
        let pair = KeyPair::generate().map_err(broken)?;
        let made = authority_params().self_signed(&pair).map_err(broken)?;
        write_private(&key, pair.serialize_pem().as_bytes()).map_err(|e| unreadable(&key, &e))?;
        fs::write(&certificate, made.pem()).map_err(|e| unreadable(&certificate, &e))?;
        Ok(Self::with(made.der().clone(), pair))
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of its certificate.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// A certificate for somebody else's key.
    pub fn sign(&self, public_key: &[u8], role: Role, lifetime: Lifetime) -> Result<CertificateDer<'static>, Failure> {
        if public_key.len() != PUBLIC_KEY || public_key[0] != 4 {
            return Err(Failure::new(Code::NotTrusted, "the key to be certified is not one of the curve P-256"));
        }
        self.issue(&PublicKey(public_key), role, lifetime)
    }

    /// A new key and a certificate for it.
    pub fn issue_new(&self, role: Role, lifetime: Lifetime) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Failure> {
        let key = KeyPair::generate().map_err(broken)?;
        let certificate = self.issue(&key, role, lifetime)?;
        Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    fn issue(&self, key: &impl PublicKeyData, role: Role, lifetime: Lifetime) -> Result<CertificateDer<'static>, Failure> {
        let name = role_name(role, &cluster_of(&self.fingerprint));
        let mut params = named(&name, lifetime);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.as_str().try_into().map_err(broken)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if matches!(role, Role::Scheduler | Role::Worker) {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer).map_err(broken)?.der().clone())
    }
}

/// A key pair as a joining process makes it: the private key, and the public one as it is sent.
pub fn new_key() -> Result<(PrivateKeyDer<'static>, Vec<u8>), Failure> {
    let key = KeyPair::generate().map_err(broken)?;
    let public = key.public_key_raw().to_vec();
    Ok((PrivatePkcs8KeyDer::from(key.serialize_der()).into(), public))
}

/// Writes a file that only its owner can read, whatever was there before.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Under another name first, so that nobody ever reads half of it. The name is new, so that nobody else's file or link, left
    // there before, is written to.
    let unfinished = path.with_extension(format!("new-{}", hex(&random::<8>())));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes).and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
        // What could not be finished is of no use; the error says why.
        let _ = fs::remove_file(&unfinished);
    })
}
