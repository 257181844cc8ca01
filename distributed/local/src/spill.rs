//! Chunks as files: a private folder, one file for each chunk, read back by memory map.
//!
//! It refuses to know keys and tasks. Invariants: a file is written under another name and renamed into place when it is
//! complete, is never changed afterwards, and is removed with the last [`SpillFile`] that names it; every read checks the
//! length and the checksum of what it reads. A value made of parts has one section for each part, so that a reader of
//! one part touches that section only.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Mmap, MmapOptions};
use partita_graph::{Buffer, Chunk, Code, Encoded, Failure, Parts, Registry};
use tempfile::TempDir;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::packed::Packed;

/// Sections and buffers start at multiples of this: cache lines, and what Arrow readers ask for.
const ALIGN: u64 = 64;
const ZEROS: [u8; ALIGN as usize] = [0; ALIGN as usize];
const PREFIX: &str = "partita-";

/// The folder for spilled chunks of one executor, made when the first chunk is written.
pub(crate) struct SpillFolder {
    parent: PathBuf,
    opened: Mutex<Option<Arc<Opened>>>,
    next: AtomicU64,
}

/// The folder once it exists. Dropping it removes it with all that is in it.
struct Opened {
    folder: TempDir,
    /// Held locked while this process uses the folder: that is how others tell it from a dead process's folder.
    _lock: File,
}

/// One chunk on disk.
pub(crate) struct SpillFile {
    path: PathBuf,
    sections: Vec<Section>,
    /// Whether the value is made of parts, one for each section.
    pub parts: bool,
    /// Bytes of the file.
    pub disk: u64,
    _folder: Arc<Opened>,
}

struct Section {
    kind: &'static str,
    at: u64,
    len: u64,
    checksum: u64,
}

/// A buffer that lies in a memory map.
struct Slice {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

impl SpillFolder {
    /// A folder inside `parent`, not made yet. Folders that dead processes left there are removed.
    pub fn new(parent: PathBuf) -> Self {
        remove_stale(&parent);
        Self { parent, opened: Mutex::new(None), next: AtomicU64::new(0) }
    }

    /// Where the folder is made.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// Removes the folder with all that is in it, also when somebody still reads from it. Nothing is written afterwards.
    pub fn remove(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(opened) = opened {
            let _ = fs::remove_dir_all(opened.folder.path());
        }
    }

    fn open(&self) -> Result<Arc<Opened>, Failure> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = &*opened {
            return Ok(opened.clone());
        }
        let made = make_folder(&self.parent).map_err(|e| failed(&self.parent, "cannot be made", &e))?;
        Ok(opened.insert(Arc::new(made)).clone())
    }

    /// Writes the chunk into a file of its own.
    pub fn write(&self, chunk: &Chunk) -> Result<SpillFile, Failure> {
        let opened = self.open()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (growing, path) = (opened.folder.path().join(format!("{number}.new")), opened.folder.path().join(number.to_string()));
        let written = write_file(&growing, chunk).and_then(|sections| match fs::rename(&growing, &path) {
            Ok(()) => Ok(sections),
            Err(e) => Err(failed(&path, "cannot be written", &e)),
        });
        let sections = written.inspect_err(|_| drop(fs::remove_file(&growing)))?;
        let disk = sections.last().map_or(0, |section| section.at + section.len);
        Ok(SpillFile { path, sections, parts: chunk.0.parts().is_some(), disk, _folder: opened })
    }
}

fn make_folder(parent: &Path) -> std::io::Result<Opened> {
    fs::create_dir_all(parent)?;
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let folder = builder.tempdir_in(parent)?;
    // Locked under another name first: a file called `lock` that is not locked belongs to a dead process.
    let lock = File::create(folder.path().join("lock.new"))?;
    lock.lock()?;
    fs::rename(folder.path().join("lock.new"), folder.path().join("lock"))?;
    Ok(Opened { folder, _lock: lock })
}

/// Removes folders whose lock nobody holds. What cannot be looked at or removed is left alone: it may be another user's.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let Ok(lock) = File::options().write(true).open(entry.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn failed(path: &Path, what: &str, cause: &std::io::Error) -> Failure {
    Failure::new(Code::SpillFailed, format!("spilled data: {} {what}", path.display()))
        .detail("the system says", cause.to_string())
        .help("give a folder on a disk with room: `local_directory`")
}

fn damaged(path: &Path) -> Failure {
    Failure::new(Code::SpillFailed, format!("spilled data: {} is damaged", path.display()))
}

/// Writes all sections, one value at a time, so that only one is encoded at any moment.
fn write_file(path: &Path, chunk: &Chunk) -> Result<Vec<Section>, Failure> {
    let mut file = File::create(path).map_err(|e| failed(path, "cannot be written", &e))?;
    let mut sections = Vec::new();
    let mut at = 0;
    for value in chunk.0.parts().unwrap_or(std::slice::from_ref(chunk)) {
        let encoded = value.0.encode()?;
        let (len, checksum) = write_section(&mut file, &encoded).map_err(|e| failed(path, "cannot be written", &e))?;
        sections.push(Section { kind: value.0.kind(), at, len, checksum });
        at += len;
    }
    Ok(sections)
}

/// A section: length of the header, number and lengths of the buffers, the header, the buffers; each aligned.
fn write_section(file: &mut File, encoded: &Encoded) -> std::io::Result<(u64, u64)> {
    let mut head = Vec::with_capacity(16 + 8 * encoded.buffers.len() + encoded.header.len() + ALIGN as usize);
    head.extend((encoded.header.len() as u64).to_le_bytes());
    head.extend((encoded.buffers.len() as u64).to_le_bytes());
    for buffer in &encoded.buffers {
        head.extend(((**buffer).as_ref().len() as u64).to_le_bytes());
    }
    head.extend(&encoded.header);
    head.resize((head.len() as u64).next_multiple_of(ALIGN) as usize, 0);
    let mut hash = Xxh3::new();
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        len += bytes.len() as u64;
        file.write_all(bytes)
    };
    put(&head)?;
    for buffer in &encoded.buffers {
        let bytes = (**buffer).as_ref();
        put(bytes)?;
        put(&ZEROS[..(bytes.len() as u64).next_multiple_of(ALIGN) as usize - bytes.len()])?;
    }
    Ok((len, hash.digest()))
}

impl SpillFile {
    /// The whole value.
    pub fn read(&self, registry: &Registry) -> Result<Chunk, Failure> {
        let file = self.open()?;
        if !self.parts {
            return self.read_section(&file, 0, registry);
        }
        let parts: Result<Vec<_>, _> = (0..self.sections.len()).map(|at| self.read_section(&file, at, registry)).collect();
        Ok(Chunk::new(Parts(parts?)))
    }

    /// One part of a value that is made of parts.
    pub fn read_part(&self, part: u32, registry: &Registry) -> Result<Chunk, Failure> {
        if !self.parts || part as usize >= self.sections.len() {
            return Err(Failure::internal(format!("a chunk has no part {part}")));
        }
        self.read_section(&self.open()?, part as usize, registry)
    }

    /// Reads everything once, without keeping it, and compares the checksums.
    pub fn verify(&self) -> Result<(), Failure> {
        let mut file = BufReader::with_capacity(1 << 20, self.open()?);
        let mut buffer = vec![0; 1 << 18];
        for section in &self.sections {
            let mut hash = Xxh3::new();
            let mut left = section.len as usize;
            while left > 0 {
                let step = left.min(buffer.len());
                file.read_exact(&mut buffer[..step]).map_err(|e| failed(&self.path, "cannot be read", &e))?;
                hash.update(&buffer[..step]);
                left -= step;
            }
            if hash.digest() != section.checksum {
                return Err(damaged(&self.path));
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<File, Failure> {
        let opened = File::open(&self.path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|e| failed(&self.path, "cannot be read", &e))?;
        if len == self.disk { Ok(file) } else { Err(damaged(&self.path)) }
    }

    /// The whole value, or one part of it, as bytes that lie in a memory map.
    pub fn pack(&self, part: Option<u32>) -> Result<Packed, Failure> {
        let file = self.open()?;
        let range = match part {
            Some(part) if self.parts && (part as usize) < self.sections.len() => part as usize..part as usize + 1,
            Some(part) => return Err(Failure::internal(format!("a chunk has no part {part}"))),
            None => 0..self.sections.len(),
        };
        let packed = |at: usize| Ok((self.sections[at].kind.to_owned(), self.map_section(&file, at)?));
        Ok(Packed { parts: self.parts && part.is_none(), sections: range.map(packed).collect::<Result<_, Failure>>()? })
    }

    fn read_section(&self, file: &File, at: usize, registry: &Registry) -> Result<Chunk, Failure> {
        registry.decode_value(self.sections[at].kind, self.map_section(file, at)?)
    }

    #[allow(unsafe_code)]
    fn map_section(&self, file: &File, at: usize) -> Result<Encoded, Failure> {
        let section = &self.sections[at];
        // SAFETY: a map is sound while nobody changes or shortens the file. This file lies in a folder that only this
        // user can enter and that a held lock marks as in use, was complete before it was renamed into place (its length
        // was compared just now), is never opened for writing again, and removing its name leaves the mapped bytes alone.
        let mapped = unsafe { MmapOptions::new().offset(section.at).len(section.len as usize).map(file) };
        let map = mapped.map_err(|e| failed(&self.path, "cannot be read", &e))?;
        if xxh3_64(&map) != section.checksum {
            return Err(damaged(&self.path));
        }
        split_section(Arc::new(map)).ok_or_else(|| damaged(&self.path))
    }
}

fn split_section(map: Arc<Mmap>) -> Option<Encoded> {
    let number = |at: usize| Some(u64::from_le_bytes(map.get(at..at + 8)?.try_into().ok()?) as usize);
    let (header_len, count) = (number(0)?, number(8)?);
    let header_at = 16 + 8 * count;
    let header = map.get(header_at..header_at + header_len)?.to_vec();
    let mut at = (header_at + header_len).next_multiple_of(ALIGN as usize);
    let mut buffers: Vec<Buffer> = Vec::with_capacity(count);
    for index in 0..count {
        let range = at..at + number(16 + 8 * index)?;
        map.get(range.clone())?;
        at = range.end.next_multiple_of(ALIGN as usize);
        buffers.push(Arc::new(Slice { map: map.clone(), range }));
    }
    Some(Encoded { header, buffers })
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // What cannot be removed now goes with the folder.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Plain;

    fn bytes(chunk: &Chunk) -> &[u8] {
        &chunk.get::<Plain<Vec<u8>>>().expect("bytes").0
    }

    fn folder() -> (TempDir, SpillFolder) {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = SpillFolder::new(parent.path().into());
        (parent, folder)
    }

    #[test]
    fn a_value_comes_back_equal_and_its_file_goes_with_it() {
        let (parent, folder) = folder();
        let content: Vec<u8> = (0..100_000u32).map(|i| (i * 7) as u8).collect();
        let file = folder.write(&Chunk::new(Plain(content.clone()))).expect("written");
        assert_eq!(bytes(&file.read(&Registry::default()).expect("read")), content);
        let path = file.path.clone();
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
        drop(folder);
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn parts_are_read_one_by_one() {
        let (_parent, folder) = folder();
        let parts = (0..5u8).map(|i| Chunk::new(Plain(vec![i; 1000 * usize::from(i)]))).collect();
        let file = folder.write(&Chunk::new(Parts(parts))).expect("written");
        file.verify().expect("whole");
        for part in 0..5u8 {
            assert_eq!(bytes(&file.read_part(part.into(), &Registry::default()).expect("read")), vec![part; 1000 * usize::from(part)]);
        }
        assert_eq!(file.read(&Registry::default()).expect("read").0.parts().map(<[_]>::len), Some(5));
        assert!(file.read_part(5, &Registry::default()).is_err());
    }

    #[test]
    fn a_file_is_packed_as_its_value_would_be() {
        let (_parent, folder) = folder();
        let parts: Vec<Chunk> = (1..4u8).map(|i| Chunk::new(Plain(vec![i; 70]))).collect();
        let chunk = Chunk::new(Parts(parts));
        let file = folder.write(&chunk).expect("written");
        let all = |packed: Packed| -> Vec<(String, Vec<u8>)> {
            let flat = |encoded: &Encoded| encoded.buffers.iter().flat_map(|b| (**b).as_ref().to_vec()).collect();
            packed.sections.iter().map(|(kind, encoded)| (kind.clone(), flat(encoded))).collect()
        };
        assert_eq!(all(file.pack(None).expect("read")), all(Packed::of(&chunk).expect("plain")));
        assert_eq!(all(file.pack(Some(1)).expect("read")), [("bytes".to_owned(), vec![2u8; 70])]);
        assert!(file.pack(Some(3)).is_err());
    }

    #[test]
    fn damage_is_found() {
        let (_parent, folder) = folder();
        let file = folder.write(&Chunk::new(Plain(vec![1u8; 5000]))).expect("written");
        let mut content = fs::read(&file.path).expect("read");
        content[3000] ^= 1;
        fs::write(&file.path, &content).expect("written");
        assert_eq!(file.read(&Registry::default()).expect_err("damaged").code, Code::SpillFailed);
        assert!(file.verify().is_err());
        fs::write(&file.path, &content[..1000]).expect("written");
        assert!(file.read(&Registry::default()).is_err());
        fs::remove_file(&file.path).expect("removed");
        assert!(file.read(&Registry::default()).is_err());
    }

    #[test]
    fn folders_of_dead_processes_are_removed_and_others_are_not() {
        let (parent, folder) = folder();
        let live = folder.write(&Chunk::new(Plain(1))).expect("written");
        let dead = parent.path().join("partita-1-dead");
        fs::create_dir(&dead).expect("made");
        fs::write(dead.join("lock"), "").expect("written");
        let foreign = parent.path().join("partita-notes");
        fs::create_dir(&foreign).expect("made");
        drop(SpillFolder::new(parent.path().into()));
        assert!(!dead.exists());
        assert!(foreign.exists());
        assert!(live.path.exists());
    }
}
