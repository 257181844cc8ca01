//! One after the other: who looks whether a file is still as it was, and then puts another one in its place, does both alone.
//!
//! It refuses to lock the file itself, which readers lock. Invariant: of all who hold it for one place, in this process and in others, one
//! does at a time; who dies holds nothing. On file systems that know no locks nobody is kept waiting, and what two appenders write at the
//! very same moment can be that of one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file system that gives a file another identity each time it is asked is no place for locks.
const TRIES: u32 = 10_000;

/// Held until it is dropped.
pub(super) struct Alone {
    /// Closing it gives the lock back.
    _locked: File,
    path: PathBuf,
}

impl Alone {
    /// Waits for the others, who only rename a file.
    pub(super) fn at(place: &Path) -> io::Result<Self> {
        let name = place.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let path = place.with_file_name(format!(".{name}.lock"));
        let mut tries = 0;
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            // Not every file system has locks.
            let _ = file.lock();
            tries += 1;
            // Whoever had it before has removed its name: then somebody else may hold a lock of the same name by now.
            if is_still(&file, &path) || tries == TRIES {
                return Ok(Self { _locked: file, path });
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // While it is locked, so that nobody who finds the name afterwards waits for this one. Elsewhere the name of an open file stays.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().map(identity).ok() == fs::metadata(path).map(identity).ok()
}

#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("x.h5");
        let (inside, rounds) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let alone = Alone::at(&place).expect("a lock");
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is in");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        rounds.fetch_add(1, Ordering::SeqCst);
                        drop(alone);
                    }
                });
            }
        });
        assert_eq!(rounds.into_inner(), 400);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
