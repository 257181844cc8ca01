//! Finds the separators and newlines of CSV bytes, 64 at a time, and keeps those at the wanted columns. It refuses to know types.
//!
//! The invariant: as long as [`Scan::odd`] is false, every `width`th of the separators and newlines outside quoted fields is a
//! newline and no other is, and the marks are those of them that the pattern keeps, in order, whichever instruction set looked.
//! `odd` says that a record has another width, or that a quote stood where no field starts, so that the parity of quotes means
//! nothing; [`super::records`] then walks the bytes one field at a time instead.

/// What a scan saw besides the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Newlines outside quoted fields.
    pub newlines: usize,
    /// Whether there was any quote.
    pub quoted: bool,
    /// Whether a quote opened in the middle of a field, or a record is too wide or narrow: the marks are then worthless.
    pub odd: bool,
}

/// Which of the `width` ends of fields in a record are kept, and that the last of them is a newline: as repeating bits, from
/// each place in a record on.
pub(super) struct Pattern {
    kept: Vec<u64>,
    newlines: Vec<u64>,
    /// The place in a record after a number of ends.
    after: Vec<usize>,
}

impl Pattern {
    /// `kept` has one entry for each field.
    pub fn new(kept: &[bool]) -> Self {
        let width = kept.len();
        let bits = |place: usize, keep: &dyn Fn(usize) -> bool| {
            (0..64).filter(|bit| keep((place + bit) % width)).fold(0, |bits, bit| bits | 1 << bit)
        };
        Self {
            kept: (0..width).map(|place| bits(place, &|end| kept[end])).collect(),
            newlines: (0..width).map(|place| bits(place, &|end| end + 1 == width)).collect(),
            after: (0..width + 65).map(|ends| ends % width).collect(),
        }
    }
}

/// The instruction set that looks for structure, chosen once per decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eyes {
    /// Plain words of 8 bytes; on every machine.
    Portable,
    /// AVX2 and carry-less multiplication.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Eyes {
    /// The fastest that this machine has.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
        {
            return Eyes::Avx2;
        }
        Eyes::Portable
    }

    /// Appends to `marks` the places after the kept separators and newlines. `bytes` starts at a record and is shorter than 4 GiB.
    pub fn scan(self, bytes: &[u8], (separator, quote): (u8, Option<u8>), pattern: &Pattern, marks: &mut Vec<u32>) -> Scan {
        assert!(bytes.len() < u32::MAX as usize - 64, "a window of a CSV file is cut below 4 GiB");
        match self {
            // SAFETY: the portable lanes need no processor feature.
            Eyes::Portable => unsafe { scan_with::<Portable>(bytes, separator, quote, pattern, marks) },
            // SAFETY: `best` hands out `Avx2` only after it saw all of these features.
            #[cfg(target_arch = "x86_64")]
            Eyes::Avx2 => unsafe { scan_avx2(bytes, separator, quote, pattern, marks) },
        }
    }
}

/// The questions of a scan, so that each instruction set answers them in its own words.
trait Lanes {
    /// One bit for each byte of the block that equals `byte`.
    ///
    /// # Safety
    /// The processor has the features of these lanes.
    unsafe fn equal(block: &[u8; 64], byte: u8) -> u64;
    /// Each bit becomes the parity of all bits up to and with it.
    ///
    /// # Safety
    /// The processor has the features of these lanes.
    unsafe fn parity(bits: u64) -> u64;
    /// The set bits of `mask` whose rank among them is set in `ranks`.
    ///
    /// # Safety
    /// The processor has the features of these lanes.
    unsafe fn deposit(ranks: u64, mask: u64) -> u64;
    /// Appends `base` plus the place of each set bit.
    ///
    /// # Safety
    /// The processor has the features of these lanes.
    unsafe fn append(bits: u64, base: u32, marks: &mut Vec<u32>);
}

/// # Safety
/// The processor has the features of `L`.
#[inline(always)]
unsafe fn scan_with<L: Lanes>(bytes: &[u8], separator: u8, quote: Option<u8>, pattern: &Pattern, marks: &mut Vec<u32>) -> Scan {
    let mut scan = Scan::default();
    let mut state = State { inside: 0, before: 1, place: 0 };
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut base = 1;
    for block in blocks {
        // SAFETY: passed on from the caller.
        unsafe { look::<L>(block, u64::MAX, base, separator, quote, pattern, &mut state, &mut scan, marks) };
        base += 64;
    }
    if !rest.is_empty() {
        let mut block = [0; 64];
        block[..rest.len()].copy_from_slice(rest);
        // SAFETY: passed on from the caller.
        unsafe { look::<L>(&block, (1 << rest.len()) - 1, base, separator, quote, pattern, &mut state, &mut scan, marks) };
    }
    scan
}

/// What one block leaves to the next.
struct State {
    /// All ones while a quoted field is open.
    inside: u64,
    /// 1 when the byte before was a structural byte or a quote: a quote may follow.
    before: u64,
    /// Ends of fields since the record's start.
    place: usize,
}

/// # Safety
/// The processor has the features of `L`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the loop's registers, named; a struct of them would be taken apart again")]
unsafe fn look<L: Lanes>(
    block: &[u8; 64],
    live: u64,
    base: u32,
    separator: u8,
    quote: Option<u8>,
    pattern: &Pattern,
    state: &mut State,
    scan: &mut Scan,
    marks: &mut Vec<u32>,
) {
    // SAFETY: passed on from the caller, for all calls below.
    unsafe {
        let mut newlines = L::equal(block, b'\n') & live;
        let mut structure = (L::equal(block, separator) & live) | newlines;
        let quotes = quote.map_or(0, |quote| L::equal(block, quote) & live);
        if quotes | state.inside != 0 {
            let inside = L::parity(quotes) ^ state.inside;
            newlines &= !inside;
            structure &= !inside;
            // A quote may open a field at its start, or go on after a quote that seemed to close it (a doubled one).
            let welcome = ((structure | quotes) << 1) | state.before;
            scan.quoted = true;
            scan.odd |= quotes & inside & !welcome != 0;
            state.inside = ((inside as i64) >> 63) as u64;
        }
        state.before = (structure | quotes) >> 63;
        scan.newlines += newlines.count_ones() as usize;
        scan.odd |= L::deposit(pattern.newlines[state.place], structure) != newlines;
        L::append(L::deposit(pattern.kept[state.place], structure), base, marks);
        state.place = pattern.after[state.place + structure.count_ones() as usize];
    }
}

struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    unsafe fn equal(block: &[u8; 64], byte: u8) -> u64 {
        const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let pattern = u64::from_ne_bytes([byte; 8]);
        let (words, _) = block.as_chunks::<8>();
        words.iter().enumerate().fold(0, |bits, (index, word)| {
            let differing = u64::from_le_bytes(*word) ^ pattern;
            // The high bit of each byte that is zero, exactly: no carry crosses a byte.
            let zero = !(((differing & LOW) + LOW) | differing | LOW);
            bits | (((zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index))
        })
    }

    #[inline(always)]
    unsafe fn parity(bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ (bits << shift))
    }

    #[inline(always)]
    unsafe fn deposit(mut ranks: u64, mut mask: u64) -> u64 {
        let mut kept = 0;
        while mask != 0 {
            let lowest = mask & mask.wrapping_neg();
            kept |= if ranks & 1 == 1 { lowest } else { 0 };
            mask ^= lowest;
            ranks >>= 1;
        }
        kept
    }

    #[inline(always)]
    unsafe fn append(mut bits: u64, base: u32, marks: &mut Vec<u32>) {
        while bits != 0 {
            marks.push(base + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }
}

/// # Safety
/// The processor has all the features that are named here.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt")]
unsafe fn scan_avx2(bytes: &[u8], separator: u8, quote: Option<u8>, pattern: &Pattern, marks: &mut Vec<u32>) -> Scan {
    // SAFETY: the features are this function's own condition.
    unsafe { scan_with::<wide::Avx2>(bytes, separator, quote, pattern, marks) }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_movemask_epi8, _mm256_set1_epi8, _pdep_u64,
    };

    pub(super) struct Avx2;

    impl super::Lanes for Avx2 {
        #[inline(always)]
        unsafe fn equal(block: &[u8; 64], byte: u8) -> u64 {
            // SAFETY: both loads are unaligned ones inside the 64 bytes; AVX2 is the trait's condition.
            unsafe {
                let pattern = _mm256_set1_epi8(byte as i8);
                let low = _mm256_loadu_si256(block.as_ptr().cast::<__m256i>());
                let high = _mm256_loadu_si256(block.as_ptr().add(32).cast::<__m256i>());
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, pattern)) as u32;
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, pattern)) as u32;
                u64::from(low) | (u64::from(high) << 32)
            }
        }

        #[inline(always)]
        unsafe fn parity(bits: u64) -> u64 {
            // SAFETY: PCLMULQDQ is the trait's condition.
            unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1))) as u64 }
        }

        #[inline(always)]
        unsafe fn deposit(ranks: u64, mask: u64) -> u64 {
            // SAFETY: BMI2 is the trait's condition.
            unsafe { _pdep_u64(ranks, mask) }
        }

        #[inline(always)]
        unsafe fn append(mut bits: u64, base: u32, marks: &mut Vec<u32>) {
            marks.reserve(64);
            let count = bits.count_ones() as usize;
            let length = marks.len();
            let mut written = 0;
            // Eight at a time without asking: most blocks then take one or two turns, and the branch is foreseen.
            while written < count {
                for step in 0..8 {
                    // SAFETY: `written + step < count rounded up to 8 <= 64`, which were reserved. What is written beyond
                    // `count` stays outside the length.
                    unsafe { marks.as_mut_ptr().add(length + written + step).write(base.wrapping_add(bits.trailing_zeros())) };
                    bits &= bits.wrapping_sub(1);
                }
                written += 8;
            }
            // SAFETY: the first `count` were written above, within the capacity.
            unsafe { marks.set_len(length + count) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, one byte at a time.
    fn slowly(bytes: &[u8], separator: u8, quote: Option<u8>, kept: &[bool]) -> (Scan, Vec<u32>) {
        let (mut scan, mut marks, mut inside, mut welcome, mut place) = (Scan::default(), Vec::new(), false, true, 0);
        for (index, &byte) in bytes.iter().enumerate() {
            let is_quote = Some(byte) == quote;
            if is_quote {
                inside = !inside;
                scan.quoted = true;
                scan.odd |= inside && !welcome;
            }
            let structural = !inside && !is_quote && (byte == separator || byte == b'\n');
            if structural {
                if kept[place] {
                    marks.push(index as u32 + 1);
                }
                place = (place + 1) % kept.len();
                scan.newlines += usize::from(byte == b'\n');
                scan.odd |= (byte == b'\n') != (place == 0);
            }
            welcome = structural || is_quote;
        }
        (scan, marks)
    }

    fn compare(bytes: &[u8], separator: u8, quote: Option<u8>, kept: &[bool]) -> Result<(), TestCaseError> {
        let (expected, places) = slowly(bytes, separator, quote, kept);
        for eyes in [Eyes::Portable, Eyes::best()] {
            let mut marks = Vec::new();
            let scan = eyes.scan(bytes, (separator, quote), &Pattern::new(kept), &mut marks);
            prop_assert_eq!(scan, expected, "{:?} on {:?}", eyes, bytes);
            prop_assert_eq!(&marks, &places, "{:?} on {:?}", eyes, bytes);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn all_eyes_see_the_same(
            bytes in prop::collection::vec(prop::sample::select(b"ab,;\n\n,\"\r\0\x80\xff".to_vec()), 0..300),
            semicolon: bool,
            quoting: bool,
            kept in prop::collection::vec(any::<bool>(), 1..80),
        ) {
            compare(&bytes, if semicolon { b';' } else { b',' }, quoting.then_some(b'"'), &kept)?;
        }

        #[test]
        fn all_eyes_see_the_same_records(
            cells in prop::collection::vec("[a-z]{0,9}|\"[a,\n]{0,9}(\"\")?\"", 0..100),
            kept in prop::collection::vec(any::<bool>(), 1..12),
        ) {
            let records: Vec<_> = cells.chunks(kept.len()).map(|record| record.join(",")).collect();
            compare(records.join("\n").as_bytes(), b',', Some(b'"'), &kept)?;
        }
    }

    #[test]
    fn borders_of_blocks() {
        for length in [0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 192] {
            for place in 0..length {
                for pair in [",", "\n", "\"", "\",", "\"\"", ",\n"] {
                    let mut bytes = vec![b'x'; length];
                    let end = (place + pair.len()).min(length);
                    bytes[place..end].copy_from_slice(&pair.as_bytes()[..end - place]);
                    compare(&bytes, b',', Some(b'"'), &[true]).unwrap();
                    compare(&bytes, b',', Some(b'"'), &[false, true]).unwrap();
                }
            }
        }
    }
}
