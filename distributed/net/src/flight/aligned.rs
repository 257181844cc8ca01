//! Memory for what arrives: one allocation for all buffers of a chunk, each at a multiple of 64 bytes, so that Arrow readers
//! and array blocks use them where they lie.
//!
//! It refuses to know what the bytes mean. Invariant: the sum of all buffers was checked against the limit before anything
//! is allocated, and large memory that the system does not have is an error, not the end of the process.
//!
//! Large chunks get memory of the system's own, and some of it is kept for the next chunk when one is dropped: to be handed
//! memory for the first time can take longer than to receive what goes into it.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use memmap2::{MmapMut, MmapOptions};
use partita_graph::{Buffer, Code, Failure};

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

/// Memory that was given back, the newest last.
static SPARE: Mutex<Vec<(MmapMut, Instant)>> = Mutex::new(Vec::new());

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
    Large(Option<MmapMut>),
}

impl Area {
    fn bytes(&self) -> &[u8] {
        match self {
            Area::Small(bytes) => bytes,
            Area::Large(map) => map.as_ref().expect("it is not dropped"),
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
    area: Area,
    start: usize,
    len: usize,
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
        let area = match len {
            0..LARGE => Area::Small(vec![0; len + ALIGN]),
            _ => Area::Large(Some(large(len).map_err(|_| too_large(total))?)),
        };
        let start = area.bytes().as_ptr().align_offset(ALIGN);
        // Alignment is a wish: without it readers copy.
        let start = if start < ALIGN { start } else { 0 };
        Ok(Self { area, start, len })
    }

    /// What is to be filled, all of it: the buffers with their padding. It may hold what was there before.
    pub fn bytes(&mut self) -> &mut [u8] {
        let range = self.start..self.start + self.len;
        match &mut self.area {
            Area::Small(bytes) => &mut bytes[range],
            Area::Large(map) => &mut map.as_mut().expect("it is not dropped")[range],
        }
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

/// Memory that nobody else has: spare memory that is not much too large, or new memory.
fn large(len: usize) -> std::io::Result<MmapMut> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = spare.iter().rposition(|(map, _)| (len..=len + len / 4).contains(&map.len())) {
        return Ok(spare.swap_remove(at).0);
    }
    drop(spare);
    MmapOptions::new().len(len).map_anon()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_as_long_as_asked() {
        let lens = [0u64, 1, 64, 65, 1000, 0];
        let mut landing = Landing::new(lens.into_iter()).expect("small");
        assert_eq!(landing.bytes().len(), 64 + 64 + 128 + 1024);
        landing.bytes().iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
        let buffers = landing.buffers(lens.into_iter());
        assert_eq!(buffers.iter().map(|buffer| (**buffer).as_ref().len() as u64).collect::<Vec<_>>(), lens);
        assert!(buffers.iter().all(|buffer| (**buffer).as_ref().as_ptr().align_offset(ALIGN) == 0 || (**buffer).as_ref().is_empty()));
        assert_eq!((*buffers[3]).as_ref()[64], 192);
    }

    #[test]
    fn large_chunks_are_aligned_too() {
        let lens = [3u64, 9 << 20, 100];
        let mut landing = Landing::new(lens.into_iter()).expect("it fits");
        let at = landing.bytes().len() - 128;
        landing.bytes()[at..].fill(7);
        let buffers = landing.buffers(lens.into_iter());
        assert!(buffers.iter().all(|buffer| (**buffer).as_ref().as_ptr().align_offset(ALIGN) == 0));
        assert_eq!((*buffers[2]).as_ref(), [7; 100]);
        assert_eq!((*buffers[1]).as_ref().len(), 9 << 20);
    }

    #[test]
    fn memory_is_used_again_and_given_back_in_the_end() {
        let len = 23 << 20;
        let at = |landing: &mut Landing| landing.bytes().as_ptr();
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
