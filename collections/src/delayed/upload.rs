//! Files for tasks, on every worker.
//!
//! It refuses to know what is in them. Invariants: a file that a task finds has the digest of the one that was uploaded; a worker's
//! copies go with its process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use partita_graph::{Code, Failure};
use sha2::{Digest, Sha256};

use crate::client::Client;

/// The files that this process has, by name.
static FILES: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// Where a worker keeps copies; set when it starts.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn files() -> MutexGuard<'static, BTreeMap<String, PathBuf>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker's copies go here, below a folder that is removed after its process.
#[cfg(feature = "cluster")]
pub(crate) fn keep_in(folder: &Path) {
    FOLDER.get_or_init(|| folder.join("uploads"));
}

impl Client {
    /// Brings a file to every worker that is connected now, where tasks find it with [`uploaded`]. Its digest (SHA-256) is checked on
    /// arrival. In process the file is used where it is. A worker that comes later, or starts again, does not have it: upload it
    /// again, or put it where all workers can read.
    ///
    /// ```
    /// use partita::Client;
    /// let folder = tempfile::tempdir().expect("a folder");
    /// let path = folder.path().join("words.txt");
    /// std::fs::write(&path, "some words").expect("it can be written");
    /// let client = Client::builder().threads(1).build()?;
    /// client.upload_file(&path)?;
    /// assert!(partita::uploaded("words.txt")?.exists());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read (E0101, E0104); a worker cannot keep it, with the worker's name.
    #[track_caller]
    pub fn upload_file(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| Failure::new(Code::IsDirectory, format!("{} names no file", path.display())))?;
        let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
        if self.is_local() {
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            files().insert(name, whole);
            return Ok(());
        }
        let digest = digest_of(&bytes);
        let bytes = self.scatter(bytes)?;
        for (worker, kept) in self.run_on_workers(keep_file, (&name, &digest, &bytes))? {
            kept.map_err(|failure| failure.detail("worker", worker))?;
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::NotFound { Code::NoSuchFile } else { Code::Unreadable };
    Failure::new(code, format!("{} cannot be read: {error}", path.display()))
}

fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Keeps a file on the worker that runs this.
#[partita::task(pure = false)]
fn keep_file(name: &str, digest: &str, bytes: &Vec<u8>) -> Result<(), Failure> {
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(Failure::new(Code::InvalidOption, format!("{name:?} is no name of a file")));
    }
    let found = digest_of(bytes);
    if found != digest {
        return Err(Failure::new(Code::Corrupt, format!("the file {name:?} arrived damaged: its digest is {found} and not {digest}")));
    }
    let folder = FOLDER.get_or_init(|| std::env::temp_dir().join(format!("partita-uploads-{}", std::process::id())));
    let failed = |e: std::io::Error| Failure::new(Code::Unreadable, format!("{} cannot be written: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    // Whoever has the old one open goes on reading it.
    let (new, path) = (folder.join(format!("{name}.{found}")), folder.join(name));
    fs::write(&new, bytes).map_err(failed)?;
    fs::rename(&new, &path).map_err(failed)?;
    files().insert(name.to_owned(), path);
    Ok(())
}

/// Where a file is that was brought here by [`Client::upload_file`].
///
/// # Errors
/// This process does not have it (E0101).
pub fn uploaded(name: &str) -> Result<PathBuf, Failure> {
    let files = files();
    files.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = files.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::new(Code::NoSuchFile, format!("no file called {name:?} was uploaded to this worker"))
            .detail("uploaded", known)
            .help("client.upload_file(path)? brings it to every worker that is connected at that moment")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_arrives_damaged_is_refused() {
        let digest = digest_of(b"abc");
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "as the standard says");
        let damaged = keep_file("damaged.txt", &digest, &b"abd".to_vec()).expect_err("another digest");
        assert_eq!(damaged.code, Code::Corrupt);
        assert!(damaged.what.contains("damaged.txt") && damaged.what.contains(&digest), "{damaged}");
        assert!(uploaded("damaged.txt").is_err(), "nothing is kept");
        for name in ["../escaped", ".hidden", "a/b"] {
            assert_eq!(keep_file(name, &digest, &b"abc".to_vec()).expect_err("no name").code, Code::InvalidOption);
        }
        keep_file("sound.txt", &digest, &b"abc".to_vec()).expect("it can be written");
        let path = uploaded("sound.txt").expect("it is here");
        assert_eq!(fs::read(&path).expect("it can be read"), b"abc");
        fs::remove_dir_all(path.parent().expect("a folder of this process")).expect("it is there");
    }
}
