//! Asking memory for what is read soon, while the processor still calculates.
//!
//! It refuses to know what the elements are for. The invariant: it changes when elements come, never which.

/// How far ahead, in bytes. What is nearer comes too late; what is further leaves the second cache again when neighbours use it.
const AHEAD: usize = 12 << 10;
/// A line of the cache, in bytes.
const LINE: usize = 64;

/// Asks for what lies behind these elements: as many, some kilobytes on.
#[inline(always)]
pub(super) fn ask_ahead<T>(elements: &[T]) {
    ask_behind(elements, AHEAD);
}

/// Asks for as many elements as these are, so many bytes behind them. They come to the second cache: the first is full with what is
/// calculated, and a processor that is asked to bring them there waits for the room.
#[inline(always)]
pub fn ask_behind<T>(elements: &[T], bytes: usize) {
    let first = elements.as_ptr().cast::<i8>().wrapping_add(bytes);
    for at in (0..std::mem::size_of_val(elements)).step_by(LINE) {
        ask(first.wrapping_add(at));
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn ask(place: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    // SAFETY: the instruction is a hint. It reads nothing that the program sees and does not fail, also where there is no memory.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(place) };
}

/// Other machines find out by themselves.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn ask(_: *const i8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_behind_the_end_of_all_memory_does_no_harm() {
        ask_ahead::<f64>(&[]);
        let few = [1.0f32; 33];
        ask_ahead(&few);
        for place in [0, 1, usize::MAX, usize::MAX / 2 + 1, isize::MAX as usize] {
            ask(std::ptr::without_provenance(place));
        }
        assert_eq!(few, [1.0; 33]);
    }
}
