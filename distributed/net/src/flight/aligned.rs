//! Memory for what arrives: one allocation for all buffers of a chunk, each at a multiple of 64 bytes, so that Arrow readers
//! and array blocks use them where they lie.
//!
//! It refuses to know what the bytes mean. Invariant: the sum of all buffers was checked against the limit before anything
//! is allocated, and large memory that the system does not have is an error, not the end of the process.
//!
//! Large chunks get memory of the system's own, and some of it is kept for the next chunk when one is dropped: to be handed
//! memory for the first time can take longer than to receive what goes into it. What is new is found ahead of what is filled.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};
use partita_graph::{Buffer, Code, Failure};

use super::ahead::{self, Ahead};

/// Buffers start at multiples of this.
pub const ALIGN: usize = 64;
/// The largest chunk that is accepted, in bytes.
pub const MAX_BODY: u64 = 1 << 36;

/// From this size on memory comes from the system itself.
const LARGE: usize = 4 << 20;
/// So many bytes are kept for the next chunks at most,
const KEPT: usize = 256 << 20;
/// and for so long.
const KEPT_FOR: Duration = Duration::from_secs(3);

/// Memory of the system's own, readable and writable. Besides its area only an [`Ahead`] has it, which reads and writes nothing.
type Map = Arc<MmapRaw>;

/// Memory that was given back, the newest last.
static SPARE: Mutex<Vec<(Map, Instant)>> = Mutex::new(Vec::new());

/// Gives memory that was kept for long enough back to the system. To be called now and then.
pub fn trim() {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, since)| since.elapsed() < KEPT_FOR);
}

/// The place of a buffer and of the zeros that follow it.
pub const fn padded(len: u64) -> u64 {
    len.next_multiple_of(ALIGN as u64)
}

/// Memory.
enum Area {
    Small(Vec<u8>),
    /// `None` only while it is dropped.
    Large(Option<Map>),
}

impl Area {
    fn bytes(&self) -> &[u8] {
        match self {
            Area::Small(bytes) => bytes,
            Area::Large(map) => {
                let map = map.as_ref().expect("it is not dropped");
                // SAFETY: The map is readable memory of this length for as long as it lives, and the area keeps it alive. Whoever writes does so through
                // `bytes_mut` of the one area that has this map, which is borrowed here; an `Ahead` that has the map too makes no reference
                // into it, it asks the system to find memory, which changes no byte.
                unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) }
            }
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Area::Small(bytes) => bytes,
            Area::Large(map) => {
                let map = map.as_ref().expect("it is not dropped");
                // SAFETY: As above, and writable: it was made as an anonymous map for reading and writing. No other area has it, and this
                // one is borrowed for writing, so there is no other reference into it.
                unsafe { std::slice::from_raw_parts_mut(map.as_mut_ptr(), map.len()) }
            }
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        let Area::Large(map) = self else { return };
        let Some(map) = map.take() else { return };
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = spare.iter().map(|(map, _)| map.len()).sum();
        if kept + map.len() <= KEPT {
            spare.push((map, Instant::now()));
        }
    }
}

/// An allocation that is being filled.
pub struct Landing {
    /// Where the memory is new and large.
    ahead: Option<Ahead>,
    area: Area,
    start: usize,
    len: usize,
    /// Whether the system has yet to find memory for it, and nobody does so ahead.
    fresh: bool,
}

/// A buffer in a shared allocation.
struct Slice {
    area: Arc<Area>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.area.bytes()[self.range.clone()]
    }
}

impl Landing {
    /// Room for buffers of these lengths. Fails with [`Code::TooLarge`].
    pub fn new(lens: impl Iterator<Item = u64>) -> Result<Self, Failure> {
        let too_large = |bytes: u64| Failure::new(Code::TooLarge, format!("a chunk of {bytes} bytes does not fit here"));
        let mut total = 0u64;
        for len in lens {
            let next = total.checked_add(len).and_then(|next| next.checked_next_multiple_of(ALIGN as u64));
            total = next.filter(|next| *next <= MAX_BODY).ok_or_else(|| too_large(len))?;
        }
        let len = total as usize;
        let (mut ahead, mut fresh) = (None, false);
        let area = match len {
            0..LARGE => Area::Small(vec![0; len + ALIGN]),
            _ => {
                let (map, new) = large(len).map_err(|_| too_large(total))?;
                if new && len >= ahead::LEAST {
                    ahead = Ahead::start(&map);
                }
                fresh = new && ahead.is_none();
                Area::Large(Some(map))
            }
        };
        let start = area.bytes().as_ptr().align_offset(ALIGN);
        // Alignment is a wish: without it readers copy.
        let start = if start < ALIGN { start } else { 0 };
        Ok(Self { ahead, area, start, len, fresh })
    }

    /// How many bytes are to be filled: the buffers with their padding.
    pub fn total(&self) -> usize {
        self.len
    }

    /// The part of them that is filled next, from the beginning on. It may hold what was there before.
    pub fn stretch(&mut self, range: Range<usize>) -> &mut [u8] {
        let (from, to) = (self.start + range.start, self.start + range.end);
        if let Some(ahead) = &self.ahead {
            ahead.filled(from);
        } else if let (true, Area::Large(Some(map))) = (self.fresh, &self.area) {
            // What the system has just cleared is in the processor's cache when it is written.
            ahead::find(map, from, range.len());
        }
        &mut self.area.bytes_mut()[from..to]
    }

    /// The buffers, of the lengths for which room was made.
    pub fn buffers(self, lens: impl Iterator<Item = u64>) -> Vec<Buffer> {
        let area = Arc::new(self.area);
        let mut at = self.start;
        let slice = |len: u64| {
            let range = at..at + len as usize;
            at += padded(len) as usize;
            Arc::new(Slice { area: area.clone(), range }) as Buffer
        };
        lens.map(slice).collect()
    }
}

/// Memory that no other area has: spare memory that is not much too large, or new memory; true for new.
fn large(len: usize) -> std::io::Result<(Map, bool)> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = spare.iter().rposition(|(map, _)| (len..=len + len / 4).contains(&map.len())) {
        return Ok((spare.swap_remove(at).0, false));
    }
    drop(spare);
    Ok((Arc::new(MmapOptions::new().len(len).map_anon()?.into()), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_as_long_as_asked() {
        let lens = [0u64, 1, 64, 65, 1000, 0];
        let mut landing = Landing::new(lens.into_iter()).expect("small");
        assert_eq!(landing.total(), 64 + 64 + 128 + 1024);
        landing.stretch(0..64 + 64 + 128 + 1024).iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
        let buffers = landing.buffers(lens.into_iter());
        assert_eq!(buffers.iter().map(|buffer| (**buffer).as_ref().len() as u64).collect::<Vec<_>>(), lens);
        assert!(buffers.iter().all(|buffer| (**buffer).as_ref().as_ptr().align_offset(ALIGN) == 0 || (**buffer).as_ref().is_empty()));
        assert_eq!((*buffers[3]).as_ref()[64], 192);
    }

    /// Filled in stretches, with memory found ahead, in place, or as it comes: the bytes are those that were written.
    #[test]
    fn large_chunks_are_aligned_too_and_hold_what_was_written() {
        for middle in [9u64 << 20, (ahead::LEAST as u64) + 4097] {
            let lens = [3u64, middle, 100];
            let mut landing = Landing::new(lens.into_iter()).expect("it fits");
            let (total, mut at) = (landing.total(), 0);
            while at < total {
                let end = total.min(at + (1 << 20) - 64);
                landing.stretch(at..end).iter_mut().zip(at..).for_each(|(byte, place)| *byte = (place % 251) as u8);
                at = end;
            }
            let buffers = landing.buffers(lens.into_iter());
            assert!(buffers.iter().all(|buffer| (**buffer).as_ref().as_ptr().align_offset(64) == 0));
            let mut start = 0;
            for (buffer, len) in buffers.iter().zip(lens) {
                let bytes = (**buffer).as_ref();
                assert_eq!(bytes.len() as u64, len);
                let wrong = bytes.iter().zip(start..).position(|(byte, place)| *byte != (place % 251usize) as u8);
                assert_eq!(wrong, None, "{middle}");
                start += padded(len) as usize;
            }
        }
    }

    #[test]
    fn memory_is_used_again_and_given_back_in_the_end() {
        let len = 23 << 20;
        let at = |landing: &mut Landing| landing.stretch(0..64).as_ptr();
        let mut first = Landing::new([len].into_iter()).expect("it fits");
        let place = at(&mut first);
        drop(first.buffers([len].into_iter()));
        let mut second = Landing::new([len].into_iter()).expect("it fits");
        assert_eq!(at(&mut second), place);
        let mut third = Landing::new([len].into_iter()).expect("it fits");
        assert_ne!(at(&mut third), place, "nobody else has it");
        drop((second, third));
        std::thread::sleep(KEPT_FOR);
        trim();
        assert!(SPARE.lock().expect("sound").iter().all(|(map, _)| map.len() as u64 != len));
    }

    #[test]
    fn claims_that_are_too_large_are_refused_before_memory_is_taken() {
        for lens in [vec![u64::MAX], vec![MAX_BODY, 1], vec![u64::MAX; 3], vec![1 << 35, (1 << 35) + 1]] {
            assert_eq!(Landing::new(lens.into_iter()).err().expect("too large").code, Code::TooLarge);
        }
    }
}
