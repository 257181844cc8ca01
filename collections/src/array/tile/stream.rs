//! Results on their way to memory, past the caches: a large block is out of them before anybody reads it, and what is written into a cache
//! is read from memory first.
//!
//! It refuses to know what is written. The invariant: nobody sees an element before [`Stream::finish`], which makes them visible to every
//! thread.

use std::marker::PhantomData;

use crate::array::element::Held;

/// Blocks of so many bytes do not stay in the caches of one processor.
pub const LARGE: usize = 4 << 20;

/// A line of the cache, in bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Elements that are being written one behind the other.
pub struct Stream<T> {
    /// Empty until all are there, with room for them.
    values: Vec<T>,
    written: usize,
    /// What one thread wrote another cannot settle.
    here: PhantomData<*mut ()>,
}

impl<T: Held> Stream<T> {
    /// With room for so many elements.
    pub fn new(room: usize) -> Self {
        Self { values: Vec::with_capacity(room), written: 0, here: PhantomData }
    }

    /// Puts elements behind those that are there. Fewer than some lines of the cache at a time come slower this way than into a vector.
    ///
    /// # Panics
    /// There is no room for them.
    pub fn extend(&mut self, from: &[T]) {
        let room = &mut self.values.spare_capacity_mut()[self.written..][..from.len()];
        let to = room.as_mut_ptr().cast::<u8>();
        // SAFETY: `room` has as many elements as `from`, whose bytes are copied; it was borrowed just now, and nobody else reaches it.
        unsafe { past_caches(T::bytes(from), to) };
        self.written += from.len();
    }

    /// All that were put there.
    pub fn finish(mut self) -> Vec<T> {
        settle();
        // SAFETY: so many elements were written from the beginning on, all their bytes each, and they are in memory for everybody now.
        unsafe { self.values.set_len(self.written) };
        std::mem::take(&mut self.values)
    }
}

impl<T> Drop for Stream<T> {
    /// Memory that is given back may be another thread's at once.
    fn drop(&mut self) {
        settle();
    }
}

/// What was written past the caches comes before all that this thread writes from now on.
fn settle() {
    // SAFETY: all machines of this architecture have SSE, and nothing more is asked for.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Copies bytes; whole lines of the cache past it.
///
/// # Safety
/// `to` is valid for writes of `from.len()` bytes, and they do not overlap. Nothing else reaches these until [`settle`] was called.
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn past_caches(from: &[u8], to: *mut u8) {
    let head = to.align_offset(LINE).min(from.len());
    let (first, rest) = from.split_at(head);
    let (lines, last) = rest.as_chunks::<LINE>();
    // SAFETY: `head`, the lines and what remains are all of `from`, one behind the other, and the same places of `to` are valid. The places
    // of lines are aligned to a line. All machines of this architecture have SSE2, and whether this one has AVX was asked.
    unsafe {
        std::ptr::copy_nonoverlapping(first.as_ptr(), to, head);
        let place = to.add(head);
        if is_x86_feature_detected!("avx") {
            lines_by_halves(lines, place)
        } else {
            lines_by_quarters(lines, place)
        }
        std::ptr::copy_nonoverlapping(last.as_ptr(), place.add(lines.len() * LINE), last.len());
    }
}

/// Larger stores take a tenth of the time of the whole off.
///
/// # Safety
/// `to` is valid for writes of the lines, which do not overlap it, and aligned to a line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx")]
unsafe fn lines_by_halves(lines: &[[u8; LINE]], to: *mut u8) {
    use std::arch::x86_64::{_mm256_loadu_si256, _mm256_stream_si256};
    for (at, line) in lines.iter().enumerate() {
        // SAFETY: both halves lie in the line, and in its place, which is aligned.
        unsafe {
            let place = to.add(at * LINE);
            _mm256_stream_si256(place.cast(), _mm256_loadu_si256(line.as_ptr().cast()));
            _mm256_stream_si256(place.add(LINE / 2).cast(), _mm256_loadu_si256(line.as_ptr().add(LINE / 2).cast()));
        }
    }
}

/// The same for every machine of the architecture.
///
/// # Safety
/// See [`lines_by_halves`].
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn lines_by_quarters(lines: &[[u8; LINE]], to: *mut u8) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    for (at, line) in lines.iter().enumerate() {
        for quarter in (0..LINE).step_by(size_of::<__m128i>()) {
            // SAFETY: all quarters lie in the line, and in its place, which is aligned.
            unsafe { _mm_stream_si128(to.add(at * LINE + quarter).cast(), _mm_loadu_si128(line.as_ptr().add(quarter).cast())) };
        }
    }
}

/// The same through the caches, for other machines and for Miri.
///
/// # Safety
/// `to` is valid for writes of `from.len()` bytes, and they do not overlap.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
unsafe fn past_caches(from: &[u8], to: *mut u8) {
    // SAFETY: as the caller says.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::C128;

    fn same_as_extended<T: Held>(made: impl Fn(usize) -> T) {
        let from: Vec<T> = (0..700).map(made).collect();
        // Every place in a line, and every length around one.
        for there in 0..70 {
            for len in (0..70).chain([127, 128, 129, 500, 600]) {
                let mut stream = Stream::new(there + len);
                stream.extend(&from[..there]);
                stream.extend(&from[there..][..len]);
                assert_eq!(stream.finish(), from[..there + len], "{there} {len}");
            }
        }
    }

    #[test]
    fn all_elements_come_to_their_places() {
        same_as_extended(|at| at % 3 == 0);
        same_as_extended(|at| at as u8);
        same_as_extended(|at| at as i16);
        same_as_extended(|at| at as f32);
        same_as_extended(|at| at as u64);
        same_as_extended(|at| C128::new(at as f64, -1.0));
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    fn lines_are_copied_by_quarters_where_there_is_no_avx() {
        #[repr(align(64))]
        struct Lines([u8; 5 * LINE]);
        let from: [[u8; LINE]; 5] = std::array::from_fn(|line| std::array::from_fn(|at| (line * 50 + at) as u8));
        let mut to = Lines([0; 5 * LINE]);
        // SAFETY: `to` has room for five lines, is aligned to them, and is read after the fence.
        unsafe { lines_by_quarters(&from, to.0.as_mut_ptr()) };
        settle();
        assert_eq!(to.0, *from.as_flattened());
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn there_must_be_room() {
        let mut stream = Stream::new(3);
        stream.extend(&[1u64; 4096]);
    }
}
