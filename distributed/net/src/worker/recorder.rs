//! What a worker did when it died: a small file that its nanny reads afterwards.
//!
//! The file is mapped to memory, so that an entry costs no call of the system and is there although the process was killed. It
//! refuses to decide what a death means. Invariant: an entry that was half written when the process died is recognised by its
//! checksum and counts as none.
//!
//! ```text
//! 0   magic[8]  slots:u32  pid:u32  beats:u64  rss:u64  peak:u64
//! 64  slots of 104 bytes: checksum:u64  layer:u64  index:u32  attempt:u32  name_len:u64  name[64]  zeros[8]
//! ```

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;
use partita_core::protocol::Attempt;
use partita_graph::{Code, Failure, Key, LayerId};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"partrec1";
const HEAD: usize = 64;
const SLOT: usize = 104;
const NAME: usize = 64;
/// Files with more slots are not ours.
const MAX_SLOTS: usize = 4096;
/// Places in the head.
const PID: usize = 12;
const BEATS: usize = 16;
const RSS: usize = 24;
const PEAK: usize = 32;

/// Writes.
pub struct Recorder {
    map: Mutex<MmapMut>,
}

/// A task that was executing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executing {
    /// Which.
    pub key: Key,
    /// Which try.
    pub attempt: Attempt,
    /// The name of its layer, cut to 64 bytes.
    pub name: String,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The process that wrote it.
    pub pid: u32,
    /// A number that grows ten times a second while the process lives.
    pub beats: u64,
    /// Resident bytes at the last beat.
    pub rss: u64,
    /// The most resident bytes at any beat.
    pub peak: u64,
    /// What was executing.
    pub executing: Vec<Executing>,
}

fn failed(path: &Path, what: &str, cause: impl std::fmt::Display) -> Failure {
    Failure::new(Code::WorkerStart, format!("the recorder {} {what}: {cause}", path.display()))
}

impl Recorder {
    /// A new file for tasks in so many slots. Fails with [`Code::WorkerStart`] when it cannot be written.
    pub fn create(path: &Path, slots: usize) -> Result<Self, Failure> {
        let slots = slots.min(MAX_SLOTS);
        let made = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let file = made
            .and_then(|file| file.set_len((HEAD + slots * SLOT) as u64).map(|()| file))
            .map_err(|e| failed(path, "cannot be made", e))?;
        // SAFETY: a map is sound while nobody shortens the file below it and nobody else writes where this process reads. The
        // file lies in a folder of this user, was made for this process alone, is as long as the map from now on, and whoever
        // else opens it only reads copies of it (`Record::read`); this process never takes a value from it on trust.
        let map = unsafe { MmapMut::map_mut(&file) };
        let mut map = map.map_err(|e| failed(path, "cannot be mapped", e))?;
        map[..8].copy_from_slice(&MAGIC);
        map[8..12].copy_from_slice(&(slots as u32).to_le_bytes());
        map[PID..PID + 4].copy_from_slice(&std::process::id().to_le_bytes());
        Ok(Self { map: Mutex::new(map) })
    }

    fn write(&self, act: impl FnOnce(&mut [u8])) {
        act(&mut self.map.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The process lives and uses so many bytes of memory.
    pub fn beat(&self, rss: u64) {
        self.write(|map| {
            put(map, BEATS, number(map, BEATS).wrapping_add(1));
            put(map, RSS, rss);
            put(map, PEAK, rss.max(number(map, PEAK)));
        });
    }

    /// A task begins in this slot.
    pub fn begin(&self, slot: usize, key: Key, attempt: Attempt, name: &str) {
        let mut cut = name.len().min(NAME);
        while !name.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut entry = [0; SLOT];
        put(&mut entry, 8, key.layer.0);
        put(&mut entry, 16, u64::from(key.index) | u64::from(attempt) << 32);
        put(&mut entry, 24, cut as u64);
        entry[32..32 + cut].copy_from_slice(&name.as_bytes()[..cut]);
        let checksum = xxh3_64(&entry[8..]);
        put(&mut entry, 0, checksum);
        self.write(|map| {
            if let Some(place) = map[HEAD..].chunks_exact_mut(SLOT).nth(slot) {
                place.copy_from_slice(&entry);
            }
        });
    }

    /// It has ended.
    pub fn end(&self, slot: usize) {
        self.write(|map| {
            if let Some(place) = map[HEAD..].chunks_exact_mut(SLOT).nth(slot) {
                // Without its checksum the rest is nothing.
                put(place, 0, 0);
            }
        });
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

impl Record {
    /// What the file says, while its process lives or afterwards. Fails with [`Code::WorkerStart`] when it cannot be read or is
    /// no recorder's.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|e| failed(path, "cannot be read", e))?;
        if bytes.len() < HEAD || bytes[..8] != MAGIC {
            return Err(failed(path, "cannot be read", "it is no recorder's file"));
        }
        let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let executing = bytes[HEAD..].chunks_exact(SLOT).filter_map(entry).collect();
        Ok(Self { pid: half(PID), beats: number(&bytes, BEATS), rss: number(&bytes, RSS), peak: number(&bytes, PEAK), executing })
    }
}

fn entry(slot: &[u8]) -> Option<Executing> {
    let (key, len) = (number(slot, 16), number(slot, 24) as usize);
    if number(slot, 0) != xxh3_64(&slot[8..]) || len > NAME {
        return None;
    }
    let name = String::from_utf8_lossy(&slot[32..32 + len]).into_owned();
    Some(Executing { key: Key::new(LayerId(number(slot, 8)), key as u32), attempt: (key >> 32) as u32, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_executing_can_be_read_while_and_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recorder");
        let recorder = Recorder::create(&path, 3).expect("made");
        let key = |index| Key::new(LayerId(0xabcd_ef01_2345_6789), index);
        recorder.begin(0, key(7), 1, "read_csv");
        recorder.begin(2, key(8), 3, &"\u{e9}".repeat(40));
        recorder.begin(1, key(9), 1, "gone");
        recorder.end(1);
        recorder.begin(9, key(1), 1, "a slot that is not there");
        recorder.beat(500);
        recorder.beat(300);
        let record = Record::read(&path).expect("read");
        assert_eq!((record.beats, record.rss, record.peak, record.pid), (2, 300, 500, std::process::id()));
        let first = Executing { key: key(7), attempt: 1, name: "read_csv".into() };
        assert_eq!(record.executing, [first.clone(), Executing { key: key(8), attempt: 3, name: "\u{e9}".repeat(32) }]);
        drop(recorder);
        assert_eq!(Record::read(&path).expect("read").executing[0], first);
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recorder");
        Recorder::create(&path, 1).expect("made").begin(0, Key::new(LayerId(1), 2), 1, "task");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[HEAD + 33] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        assert!(Record::read(&path).expect("the head is sound").executing.is_empty());
        std::fs::write(&path, b"something else").expect("written");
        assert!(Record::read(&path).is_err());
        assert!(Record::read(&folder.path().join("none")).is_err());
    }
}
