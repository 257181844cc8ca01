//! Memory for what arrives: one allocation for all buffers of a chunk, each at a multiple of 64 bytes, so that Arrow readers
//! and array blocks use them where they lie.
//!
//! It refuses to know what the bytes mean. Invariant: the sum of all buffers was checked against the limit before anything
//! is allocated.

use std::ops::Range;
use std::sync::Arc;

use partita_graph::{Buffer, Code, Failure};

/// Buffers start at multiples of this.
pub const ALIGN: usize = 64;
/// The largest chunk that is accepted, in bytes.
pub const MAX_BODY: u64 = 1 << 36;

/// From this size on the system is asked first whether it has so much.
const PROBED: u64 = 256 << 20;

/// The place of a buffer and of the zeros that follow it.
pub const fn padded(len: u64) -> u64 {
    len.next_multiple_of(ALIGN as u64)
}

/// An allocation that is being filled.
pub struct Landing {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

/// A buffer in a shared allocation.
struct Slice {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
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
        if len == 0 {
            return Ok(Self { bytes: Vec::new(), start: 0, len: 0 });
        }
        if total > PROBED {
            // What the system would refuse ends the process below; here it is only asked.
            Vec::<u8>::new().try_reserve_exact(len + ALIGN).map_err(|_| too_large(total))?;
        }
        // Zeroed memory in large pieces comes from the system as it is and costs nothing until it is written.
        let bytes = vec![0; len + ALIGN - 1];
        let start = bytes.as_ptr().align_offset(ALIGN);
        // Alignment is a wish: without it readers copy.
        let start = if start < ALIGN { start } else { 0 };
        Ok(Self { bytes, start, len })
    }

    /// What is to be filled: all buffers with their padding.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }

    /// The buffers, of the lengths for which room was made.
    pub fn buffers(self, lens: impl Iterator<Item = u64>) -> Vec<Buffer> {
        let whole = Arc::new(self.bytes);
        let mut at = self.start;
        let slice = |len: u64| {
            let range = at..at + len as usize;
            at += padded(len) as usize;
            Arc::new(Slice { whole: whole.clone(), range }) as Buffer
        };
        lens.map(slice).collect()
    }
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
    fn claims_that_are_too_large_are_refused_before_memory_is_taken() {
        for lens in [vec![u64::MAX], vec![MAX_BODY, 1], vec![u64::MAX; 3], vec![1 << 35, (1 << 35) + 1]] {
            assert_eq!(Landing::new(lens.into_iter()).err().expect("too large").code, Code::TooLarge);
        }
    }
}
