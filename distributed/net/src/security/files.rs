//! Certificates of the user's own, as PEM files.
//!
//! It refuses to make any. Invariant: what was loaded is complete, or the failure names the file.

use std::path::{Path, PathBuf};

use partita_graph::{Code, Failure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Credentials;

/// Certificates of one's own, as PEM files, instead of joining by token.
///
/// Names in certificates decide about roles where they are of the form `<role>.<cluster>.partita`. An authority that knows no
/// such names is trusted for every role: whoever has a certificate of it may be scheduler, worker or client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority whose certificates are accepted.
    pub ca: PathBuf,
    /// This process's certificate, with the chain if there is one.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads the files.
    pub fn load(&self) -> Result<Credentials, Failure> {
        let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
            Failure::new(Code::NotTrusted, format!("`{}` cannot be used for TLS: {error}", path.display()))
                .help("--tls-ca-file, --tls-cert and --tls-key name PEM files")
        };
        let authority = CertificateDer::from_pem_file(&self.ca).map_err(|e| unreadable(&self.ca, &e))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.cert).map_err(|e| unreadable(&self.cert, &e))?.collect();
        let chain = chain.map_err(|e| unreadable(&self.cert, &e))?;
        if chain.is_empty() {
            return Err(unreadable(&self.cert, &"there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| unreadable(&self.key, &e))?;
        let roleless = super::certificate::is_roleless(&chain[0]);
        Credentials::new(authority, chain, key, roleless)
    }
}
