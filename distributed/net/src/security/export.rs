//! A certificate of the cluster as PEM files, for programs in other languages that read chunks from data ports.
//!
//! It refuses to give any other role than a client's. Invariant: files are written for their owner alone, each at once and as a whole.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use partita_graph::{Code, Failure};
use pem::{EncodeConfig, LineEnding, Pem};

use super::authority::write_private;
use super::certificate::role_name;
use super::{Credentials, Role, Security, TlsFiles};
use crate::address::Address;

/// What a program needs to read from the data ports of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The files: authority, certificate, key.
    pub files: TlsFiles,
    /// The name in the certificates of data ports. A program that looks for the name of a host there must be told to look for this one.
    pub server_name: String,
}

/// Joins the cluster at `address`, which holds the right to do so or is on this host, and writes `ca.pem`, `cert.pem` and `key.pem` into
/// a folder. The folder is made with mode 0700 when it is missing, the files have mode 0600, and files of an earlier time are replaced.
///
/// ```no_run
/// let address = "tls://node1:8786?join=abcd".parse().unwrap();
/// let exported = partita_net::security::export(&address, "certificate".as_ref()).unwrap();
/// assert!(exported.server_name.starts_with("worker."));
/// ```
///
/// # Errors
/// [`Code::InvalidOption`] when the cluster does not encrypt or the files cannot be written; otherwise as [`Security::resolve`].
pub fn export(address: &Address, folder: &Path) -> Result<Exported, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::internal(format!("no runtime for the connection: {error}")))?;
    match runtime.block_on(Security::resolve(address, Role::Client, None))? {
        Security::Tls(credentials) => credentials.write(folder),
        Security::Plain { .. } => {
            let what = format!("the cluster at {} does not encrypt, so it has no certificates", address.place());
            Err(Failure::new(Code::InvalidOption, what).help(
                "its data ports are read without; where its address has a `secret=`, send that in the header `authorization: Bearer`",
            ))
        }
    }
}

impl Credentials {
    /// Writes them as `ca.pem`, `cert.pem` and `key.pem` into a folder, which is made with mode 0700 when it is missing; files with mode
    /// 0600, in the place of what was there.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Exported, Failure> {
        let unwritable = |path: &Path, error: &std::io::Error| {
            Failure::new(Code::InvalidOption, format!("`{}` cannot be written: {error}", path.display()))
        };
        if !folder.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let files = TlsFiles { ca: folder.join("ca.pem"), cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        let chain: String = self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        let texts = [
            (&files.ca, pem("CERTIFICATE", &self.authority)),
            (&files.cert, chain),
            // Joining makes keys of this form.
            (&files.key, pem("PRIVATE KEY", self.key.secret_der())),
        ];
        for (path, text) in texts {
            write_private(path, text.as_bytes()).map_err(|error| unwritable(path, &error))?;
        }
        Ok(Exported { files, server_name: role_name(Role::Worker, &self.cluster) })
    }
}

/// The text form of such bytes.
fn pem(label: &str, bytes: &[u8]) -> String {
    pem::encode_config(&Pem::new(label, bytes), EncodeConfig::new().set_line_ending(LineEnding::LF))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::security::ServerSecurity;

    #[test]
    fn bytes_as_text() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy"), (b"\xff\xfe", "//4=")]
        {
            let file = pem("BYTES", bytes);
            let inside = file.strip_prefix("-----BEGIN BYTES-----\n").and_then(|rest| rest.strip_suffix("-----END BYTES-----\n"));
            assert_eq!(inside.map(str::trim_end), Some(text));
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_only_by_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new");
        let security = ServerSecurity::new_cluster(None).expect("an authority");
        let Security::Tls(credentials) = security.issue(Role::Client).expect("a certificate") else { panic!("it encrypts") };
        // The second time replaces what the first has written.
        for _ in 0..2 {
            let exported = credentials.write(&folder).expect("written");
            assert_eq!(exported.server_name, format!("worker.{}.partita", security.cluster()));
            for file in [&exported.files.ca, &exported.files.cert, &exported.files.key] {
                assert_eq!(fs::metadata(file).expect("it is there").permissions().mode() & 0o777, 0o600);
            }
            let read = exported.files.load().expect("what was written");
            assert_eq!((read.chain(), read.cluster(), read.roleless), (credentials.chain(), credentials.cluster(), false));
            assert_eq!(read.key.secret_der(), credentials.key.secret_der());
        }
        assert_eq!(fs::metadata(&folder).expect("it is there").permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 3);
    }
}
