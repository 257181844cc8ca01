//! Files for tasks, on every worker.
//!
//! It refuses to know what is in them. Invariants: a file that a task finds has the digest of the one that was uploaded; a worker's
//! copies go with its process, and the one that takes its place knows the files before it is given a task.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use partita_graph::{Code, Failure};
use sha2::{Digest, Sha256};

use crate::client::Client;

/// A file of this process.
enum Kept {
    /// Where it is.
    There(PathBuf),
    /// As the scheduler told it: it is written when somebody asks for it, since whoever hears the scheduler must not wait for a disk.
    #[cfg(feature = "cluster")]
    Told { digest: String, bytes: Vec<u8> },
}

/// The files that this process has, by name.
static FILES: Mutex<BTreeMap<String, Kept>> = Mutex::new(BTreeMap::new());

/// How what is shared about files begins; their names follow.
#[cfg(feature = "cluster")]
const SHARED: &str = "file ";
/// Characters of a digest.
#[cfg(feature = "cluster")]
const DIGEST: usize = 64;

/// Where a worker keeps copies; set when it starts.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn files() -> MutexGuard<'static, BTreeMap<String, Kept>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a worker does with files that clients share.
#[cfg(feature = "cluster")]
pub(crate) fn heed(name: &str, body: &[u8]) {
    let Some(name) = name.strip_prefix(SHARED) else { return };
    let Some((digest, bytes)) = body.split_at_checked(DIGEST) else {
        files().remove(name);
        return;
    };
    let digest = String::from_utf8_lossy(digest).into_owned();
    files().insert(name.to_owned(), Kept::Told { digest, bytes: bytes.to_vec() });
}

/// A worker's copies go here, below a folder that is removed after its process.
#[cfg(feature = "cluster")]
pub(crate) fn keep_in(folder: &Path) {
    FOLDER.get_or_init(|| folder.join("uploads"));
}

impl Client {
    /// Brings a file to every worker, where tasks find it with [`uploaded`]. Its digest (SHA-256) is checked on arrival. In process the file is
    /// used where it is.
    ///
    /// A worker that comes later, or starts again, has it before it is given a task: the scheduler keeps what was uploaded for as long as it
    /// runs, files of up to 16 MiB and 128 MiB in all. A larger one comes to the workers that are connected now, and has to be uploaded again for
    /// others; or put it where all workers can read.
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
    /// The file cannot be read (E0101, E0104); a worker cannot keep it, with the worker's name; there is no room for more (E0217).
    #[track_caller]
    pub fn upload_file(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| Failure::new(Code::IsDirectory, format!("{} names no file", path.display())))?;
        let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
        if self.is_local() {
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            files().insert(name, Kept::There(whole));
            return Ok(());
        }
        check_name(&name)?;
        let digest = digest_of(&bytes);
        let outcomes = match self.share_file(&name, &digest, &bytes)? {
            true => self.run_on_workers(keep_shared, (&name, &digest))?,
            false => {
                let bytes = self.scatter(bytes)?;
                self.run_on_workers(keep_file, (&name, &digest, &bytes))?
            }
        };
        for (worker, kept) in outcomes {
            kept.map_err(|failure| failure.detail("worker", worker))?;
        }
        Ok(())
    }

    /// Has the scheduler tell all workers the file, those that come later too; false when it is too large for that.
    fn share_file(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<bool, Failure> {
        #[cfg(feature = "cluster")]
        {
            let fits = DIGEST + bytes.len() <= partita_net::message::MOST_SHARED;
            // An older file of this name must not come to anybody any more.
            let body = if fits { [digest.as_bytes(), bytes].concat() } else { Vec::new() };
            self.remote()?.share(&format!("{SHARED}{name}"), body)?;
            Ok(fits)
        }
        #[cfg(not(feature = "cluster"))]
        {
            let _ = (name, digest, bytes);
            Ok(false)
        }
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

fn check_name(name: &str) -> Result<(), Failure> {
    match name.contains(['/', '\\']) || name.starts_with('.') {
        true => Err(Failure::new(Code::InvalidOption, format!("{name:?} is no name of a file"))),
        false => Ok(()),
    }
}

/// Writes a file into the folder of this process, unless it is not the one that was uploaded.
fn write(name: &str, digest: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    check_name(name)?;
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
    Ok(path)
}

/// Keeps a file on the worker that runs this.
#[partita::task(pure = false)]
fn keep_file(name: &str, digest: &str, bytes: &Vec<u8>) -> Result<(), Failure> {
    let path = write(name, digest, bytes)?;
    files().insert(name.to_owned(), Kept::There(path));
    Ok(())
}

/// Keeps a file that the scheduler told the worker that runs this, which it did before it gave it this task.
#[partita::task(pure = false)]
fn keep_shared(name: &str, digest: &str) -> Result<(), Failure> {
    let path = uploaded(name)?;
    let found = digest_of(&fs::read(&path).map_err(|e| unreadable(&path, &e))?);
    match found == digest {
        true => Ok(()),
        false => Err(Failure::new(Code::Corrupt, format!("another client uploads a file called {name:?} at the same time"))),
    }
}

/// Where a file is that was brought here by [`Client::upload_file`].
///
/// # Errors
/// This process does not have it (E0101); it cannot be written here (E0104), or arrived damaged (E0115).
pub fn uploaded(name: &str) -> Result<PathBuf, Failure> {
    #[cfg_attr(not(feature = "cluster"), expect(unused_mut, reason = "only a scheduler tells of files"))]
    let mut files = files();
    match files.get(name) {
        Some(Kept::There(path)) => Ok(path.clone()),
        #[cfg(feature = "cluster")]
        Some(Kept::Told { digest, bytes }) => {
            let path = write(name, digest, bytes)?;
            files.insert(name.to_owned(), Kept::There(path.clone()));
            Ok(path)
        }
        None => {
            let known: Vec<&str> = files.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Failure::new(Code::NoSuchFile, format!("no file called {name:?} was uploaded to this worker"))
                .detail("uploaded", known)
                .help("client.upload_file(path)? brings it to every worker"))
        }
    }
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
        #[cfg(feature = "cluster")]
        {
            heed("another thing", b"");
            heed("file told.txt", &[digest.as_bytes(), &b"abd"[..]].concat());
            assert_eq!(uploaded("told.txt").expect_err("another digest").code, Code::Corrupt);
            heed("file told.txt", &[digest.as_bytes(), &b"abc"[..]].concat());
            assert_eq!(fs::read(uploaded("told.txt").expect("it is here")).expect("it can be read"), b"abc");
            keep_shared("told.txt", &digest).expect("it is the one");
            assert_eq!(keep_shared("told.txt", "another").expect_err("it is not").code, Code::Corrupt);
            heed("file told.txt", b"");
            assert_eq!(uploaded("told.txt").expect_err("a larger one has its name").code, Code::NoSuchFile);
        }
        keep_file("sound.txt", &digest, &b"abc".to_vec()).expect("it can be written");
        let path = uploaded("sound.txt").expect("it is here");
        assert_eq!(fs::read(&path).expect("it can be read"), b"abc");
        fs::remove_dir_all(path.parent().expect("a folder of this process")).expect("it is there");
    }
}
