//! What writing does to a folder: whole files that appear at once, moves, and removals, on disks and in stores.
//!
//! It refuses to know parts and manifests. Invariant: a file of a name is never seen half: on a disk it is written under another name,
//! brought to the disk, and renamed; in a store an upload is seen when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::try_join_all;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode};

use crate::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::storage::without_secrets;
use crate::store::{Address, Remote, store_error};

/// Uploads larger than this go in parts. Tests have small ones.
const SINGLE: usize = if cfg!(test) { 4096 } else { 32 << 20 };
const UPLOAD_PART: usize = if cfg!(test) { 1000 } else { 8 << 20 };
/// Parts under way at a time.
const UPLOADS: usize = 4;

/// The storage refused to write.
pub(crate) fn unwritable(name: &str, answer: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unwritable { answer: without_secrets(answer.to_string()) }, name)
}

/// A file under construction. Dropping it unfinished leaves nothing.
pub(super) struct Output<'a> {
    folder: &'a Folder,
    below: String,
    sink: Sink,
    bytes: u64,
}

enum Sink {
    /// Written beside its place, under a name that no other attempt has.
    Disk {
        file: BufWriter<File>,
        written: PathBuf,
        place: PathBuf,
    },
    Store {
        content: Vec<u8>,
        object: Remote,
    },
    Finished,
}

impl<'a> Output<'a> {
    pub(super) fn create(folder: &'a Folder, below: &str) -> Result<Self> {
        let sink = match &folder.address {
            Address::Local(path) => {
                let place = path.join(below);
                let written = beside(&place);
                let made = place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&written));
                let file = made.map_err(|error| unwritable(&folder.name_of(below), error))?;
                Sink::Disk { file: BufWriter::with_capacity(1 << 20, file), written, place }
            }
            Address::Remote(remote) => Sink::Store { content: Vec::new(), object: Folder::object(remote, below) },
        };
        Ok(Self { folder, below: below.to_owned(), sink, bytes: 0 })
    }

    /// The file is there, with all that was written. Returns its size.
    pub(super) fn finish(mut self) -> Result<u64> {
        let name = self.folder.name_of(&self.below);
        match std::mem::replace(&mut self.sink, Sink::Finished) {
            Sink::Disk { file, written, place } => {
                let done = file.into_inner().map_err(io::IntoInnerError::into_error);
                let done = done.and_then(|file| file.sync_all()).and_then(|()| fs::rename(&written, &place));
                if done.is_err() {
                    // What could not be completed is not left behind; that it cannot be removed either changes nothing.
                    let _ = fs::remove_file(&written);
                }
                done.map_err(|error| unwritable(&name, error))?;
            }
            Sink::Store { content, object } => upload(&object, content).map_err(|error| unwritable(&name, error))?,
            Sink::Finished => {}
        }
        Ok(self.bytes)
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sink {
            Sink::Disk { file, .. } => file.write(bytes)?,
            Sink::Store { content, .. } => content.write(bytes)?,
            Sink::Finished => 0,
        };
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Disk { file, .. } => file.flush(),
            Sink::Store { .. } | Sink::Finished => Ok(()),
        }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if let Sink::Disk { written, .. } = &self.sink {
            let _ = fs::remove_file(written);
        }
    }
}

/// A hidden name in the same folder that nobody else uses.
pub(crate) fn beside(place: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = place.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    place.with_file_name(format!(".{name}.{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn upload(object: &Remote, content: Vec<u8>) -> object_store::Result<()> {
    let (store, path, content) = (object.store.clone(), object.path(), Bytes::from(content));
    let uploading = async move {
        if content.len() <= SINGLE {
            return store.put(&path, content.into()).await.map(drop);
        }
        let mut upload = store.put_multipart(&path).await?;
        let done = match parts(&mut *upload, &content).await {
            Ok(()) => upload.complete().await.map(drop),
            failed @ Err(_) => failed,
        };
        if done.is_err() {
            // The first error is the one that counts. Parts that nobody removes are paid for.
            let _ = upload.abort().await;
        }
        done
    };
    blocking::start(uploading).wait()
}

async fn parts(upload: &mut dyn MultipartUpload, content: &Bytes) -> object_store::Result<()> {
    let starts: Vec<usize> = (0..content.len()).step_by(UPLOAD_PART).collect();
    for group in starts.chunks(UPLOADS) {
        let part = |start: &usize| upload.put_part(content.slice(*start..(*start + UPLOAD_PART).min(content.len())).into());
        let under_way: Vec<_> = group.iter().map(part).collect();
        try_join_all(under_way).await?;
    }
    Ok(())
}

impl Folder {
    /// Writes a small file unless there is one of its name; says whether it did. On a disk it is written into the folder `staging` first,
    /// and nothing is done when that is gone.
    pub(super) fn put_new(&self, below: &str, content: Vec<u8>, staging: &str) -> Result<bool> {
        let name = self.name_of(below);
        match &self.address {
            Address::Local(path) => {
                link_new(&path.join(below), &content, &path.join(staging).join("new")).map_err(|error| unwritable(&name, error))
            }
            Address::Remote(remote) => {
                let object = Self::object(remote, below);
                let (store, path) = (object.store.clone(), object.path());
                let put = blocking::start(async move { store.put_opts(&path, content.into(), PutMode::Create.into()).await });
                match put.wait() {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    Err(error) => Err(unwritable(&name, error)),
                }
            }
        }
    }

    /// The size of a file, if it is there.
    pub(crate) fn size_of(&self, below: &str) -> Result<Option<u64>> {
        let name = self.name_of(below);
        match &self.address {
            Address::Local(path) => match fs::metadata(path.join(below)) {
                Ok(meta) => Ok(meta.is_file().then_some(meta.len())),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(unwritable(&name, error)),
            },
            Address::Remote(remote) => match Self::object(remote, below).facts() {
                Ok(facts) => Ok(Some(facts.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(store_error(&name, error)),
            },
        }
    }

    /// How long ago a file was written, if it is there. By a clock that is ahead of this one's it was written just now.
    pub(super) fn age_of(&self, below: &str) -> Result<Option<Duration>> {
        let written = match &self.address {
            Address::Local(path) => match fs::metadata(path.join(below)).and_then(|meta| meta.modified()) {
                Ok(written) => written,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(unwritable(&self.name_of(below), error)),
            },
            Address::Remote(remote) => match Self::object(remote, below).written() {
                Ok(written) => written,
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(store_error(&self.name_of(below), error)),
            },
        };
        Ok(Some(SystemTime::now().duration_since(written).unwrap_or_default()))
    }

    /// Moves a file into the place of another; says whether it was there to be moved.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<bool> {
        let name = self.name_of(to);
        match &self.address {
            Address::Local(path) => {
                let (from, to) = (path.join(from), path.join(to));
                let made = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(&from, &to));
                match made {
                    Ok(()) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(unwritable(&name, error)),
                }
            }
            Address::Remote(remote) => {
                let (from, to) = (Self::object(remote, from), Self::object(remote, to));
                let (store, from, to) = (remote.store.clone(), from.path(), to.path());
                let moved = blocking::start(async move {
                    store.copy(&from, &to).await?;
                    gone_is_removed(store.delete(&from).await)
                });
                match moved.wait() {
                    Ok(()) => Ok(true),
                    Err(object_store::Error::NotFound { .. }) => Ok(false),
                    Err(error) => Err(unwritable(&name, error)),
                }
            }
        }
    }

    /// Removes a file; one that is not there is removed.
    pub(super) fn remove(&self, below: &str) -> Result<()> {
        let name = self.name_of(below);
        match &self.address {
            Address::Local(path) => match fs::remove_file(path.join(below)) {
                // A folder of that name is of newer files.
                Err(error) if !is_absent(&error) && error.kind() != io::ErrorKind::IsADirectory => Err(unwritable(&name, error)),
                _ => Ok(()),
            },
            Address::Remote(remote) => {
                let object = Self::object(remote, below);
                let (store, path) = (object.store.clone(), object.path());
                let removed = blocking::start(async move { gone_is_removed(store.delete(&path).await) });
                removed.wait().map_err(|error| unwritable(&name, error))
            }
        }
    }

    /// What lies in the hidden folders of writes whose names are `ours`: on a disk the folders, in a store their objects.
    pub(super) fn staged(&self, ours: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        match &self.address {
            Address::Local(path) => {
                let entries = match fs::read_dir(path) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(error) => return Err(unwritable(&self.name, error)),
                };
                let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
                Ok(names.filter(|name| ours(name)).collect())
            }
            Address::Remote(_) => {
                let hidden = |below: &str| below.split_once('/').is_some_and(|(folder, _)| ours(folder));
                Ok(self.list()?.into_iter().map(|(below, _)| below).filter(|below| hidden(below)).collect())
            }
        }
    }

    /// Removes something that was staged.
    pub(super) fn remove_staged(&self, staged: &str) -> Result<()> {
        let Address::Local(path) = &self.address else { return self.remove(staged) };
        match fs::remove_dir_all(path.join(staged)) {
            // The same step done at the same time may write into it; what is left is hidden, and the next write removes it.
            Err(error) if !is_absent(&error) && error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(unwritable(&self.name_of(staged), error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the folders that a file stood in, as far as they are empty.
    pub(super) fn remove_empty(&self, file: &str) {
        let Address::Local(path) = &self.address else { return };
        let mut below = file;
        while let Some((folder, _)) = below.rsplit_once('/') {
            // A folder that is not empty stays, and so do those above it.
            if fs::remove_dir(path.join(folder)).is_err() {
                return;
            }
            below = folder;
        }
    }

    /// Brings the names in the folders of these files to the disk.
    pub(super) fn sync<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let Address::Local(path) = &self.address else { return Ok(()) };
        let mut folders: Vec<&str> = files.into_iter().map(|file| file.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            sync_folder(&path.join(folder)).map_err(|error| unwritable(&self.name_of(folder), error))?;
        }
        Ok(())
    }
}

/// Whether nothing has this name; where a folder of the name is a file by now, nothing has either.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn gone_is_removed(result: object_store::Result<()>) -> object_store::Result<()> {
    match result {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// A file appears with all its content, and only where there is none and while the folder of `elsewhere` is there: a link fails where a
/// name is taken, and where what it leads to was removed.
fn link_new(place: &Path, content: &[u8], elsewhere: &Path) -> io::Result<bool> {
    let written = beside(elsewhere);
    let made = File::create(&written).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    let linked = made.and_then(|()| match fs::hard_link(&written, place) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Err(error),
        // Some file systems have no links: there the content follows the name.
        Err(_) => create_new(place, content),
    });
    // Nobody looks at hidden names; that it cannot be removed changes nothing.
    let _ = fs::remove_file(&written);
    match linked {
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Ok(false),
        other => other,
    }
}

fn create_new(place: &Path, content: &[u8]) -> io::Result<bool> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(place)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(true)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        // Where a file lies by now, or nothing, there are no names.
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
