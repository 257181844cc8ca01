//! The files by which others find a running scheduler. They hold the join token, so nobody else may read them.
//!
//! It refuses to know what is in them. Invariants: a file appears whole or not at all, readable by its owner only, and is
//! gone when the scheduler is, unless another scheduler has written it meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use partita_graph::{Code, Failure};

/// A file that is removed when this is dropped.
pub(super) struct Signpost {
    path: PathBuf,
    text: String,
}

impl Signpost {
    /// Writes the file, folders above it included.
    pub fn write(path: &Path, text: &str) -> Result<Self, Failure> {
        put(path, text).map_err(|e| {
            Failure::new(Code::Unreadable, format!("{} could not be written: {e}", path.display()))
                .help("choose another place with --scheduler-file, or make the folder writable")
        })?;
        Ok(Self { path: path.to_path_buf(), text: text.to_owned() })
    }
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Beside the file, because a rename is atomic only within one file system.
    let name = path.file_name().map_or_else(|| "scheduler".into(), |name| name.to_string_lossy().into_owned());
    let draft = folder.join(format!(".{name}.{}.{:08x}", std::process::id(), fastrand::u32(..)));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        // The mode above is weakened by the umask but never widened; a umask that takes even the owner's rights is undone.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&draft, path)).inspect_err(|_| drop(fs::remove_file(&draft)))
}

impl Drop for Signpost {
    fn drop(&mut self) {
        // A scheduler that was started later on the same port has put its own there.
        if fs::read_to_string(&self.path).is_ok_and(|now| now == self.text) {
            // When it cannot be removed, readers find a scheduler that does not answer and say so.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signpost_is_private_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("scheduler.json");
        let post = Signpost::write(&path, "secret").expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).expect("there"), "secret");
        drop(post);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("there").count(), 0);
    }

    #[test]
    fn what_another_wrote_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("scheduler.json");
        let first = Signpost::write(&path, "first").expect("written");
        let second = Signpost::write(&path, "second").expect("written over");
        drop(first);
        assert_eq!(fs::read_to_string(&path).expect("still there"), "second");
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        let failure = Signpost::write(&file.join("below"), "x").err().expect("a file is no folder");
        assert_eq!(failure.code, Code::Unreadable);
    }
}
