//! The files by which others find a running scheduler.
//!
//! It refuses to know how they are written; see [`crate::security::SchedulerFile`]. Invariant: a file is there while its
//! scheduler is, and goes with it, unless another scheduler has written it meanwhile.

use std::path::{Path, PathBuf};

use partita_graph::Failure;

use crate::security::{SchedulerFile, state_dir};

/// Where a scheduler on this port of this host leaves its address and join token for other programs of the same user.
/// `None` when the user has no home.
pub fn state_file(port: u16) -> Option<PathBuf> {
    Some(SchedulerFile::in_state_dir(&state_dir()?, port))
}

/// The address and the right to join that a scheduler file holds, as text that [`crate::address::Address`] reads.
///
/// # Errors
/// The file cannot be read, or is no scheduler file (E0211).
pub fn read_file(path: &Path) -> Result<String, Failure> {
    Ok(SchedulerFile::read(path)?.address)
}

/// A file that is removed when this is dropped.
pub(super) struct Signpost {
    path: PathBuf,
    file: SchedulerFile,
}

impl Signpost {
    /// Writes the file, folders above it included.
    pub fn write(path: &Path, address: &str, cluster: &str) -> Result<Self, Failure> {
        let file = SchedulerFile::new(address.to_owned(), cluster.to_owned());
        file.write(path)?;
        Ok(Self { path: path.to_path_buf(), file })
    }
}

impl Drop for Signpost {
    fn drop(&mut self) {
        self.file.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_signpost_is_private_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("scheduler.json");
        let post = Signpost::write(&path, "tls://h:1?join=ab.cd", "a \"cluster\"").expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(read_file(&path).expect("a scheduler file"), "tls://h:1?join=ab.cd");
        drop(post);
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("there").count(), 0);
        assert!(read_file(&path).is_err());
    }

    #[test]
    fn what_another_wrote_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("scheduler.json");
        let first = Signpost::write(&path, "first:1", "one").expect("written");
        let second = Signpost::write(&path, "second:2", "two").expect("written over");
        drop(first);
        assert_eq!(read_file(&path).expect("still there"), "second:2");
        drop(second);
        assert!(!path.exists());
    }
}
