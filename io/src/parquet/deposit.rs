//! Bits for some rows as bits for all rows: the first bit goes to the first row that is kept, and so on; rows that are not kept get none.
//!
//! It refuses to know what a bit means. Invariant: both ways give the same words, whatever the machine has.

use polars_arrow::bitmap::Bitmap;

/// A bit for each of `kept`; of `bits` there is one for each that is true there.
pub(super) fn deposited(bits: &Bitmap, kept: &Bitmap) -> Bitmap {
    assert_eq!(bits.len(), kept.set_bits(), "a bit for each row that is kept");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the function asks for nothing but these two, and the machine has just said that it has them.
        return unsafe { with_bmi2(bits, kept) };
    }
    each_word(bits, kept, deposit)
}

/// # Safety
/// The processor has the features that are named here.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2,popcnt")]
unsafe fn with_bmi2(bits: &Bitmap, kept: &Bitmap) -> Bitmap {
    each_word(bits, kept, |bits, mask| std::arch::x86_64::_pdep_u64(bits, mask))
}

#[inline(always)]
fn each_word(bits: &Bitmap, kept: &Bitmap, deposit: impl Fn(u64, u64) -> u64) -> Bitmap {
    let (bytes, offset, _) = bits.as_slice();
    let mut next = offset;
    let mut all = Vec::with_capacity(kept.len().div_ceil(64) * 8);
    let masks = kept.chunks::<u64>();
    let past_the_end = u64::MAX.checked_shl(masks.remainder_len() as u32).unwrap_or(0);
    let last = masks.remainder() & !past_the_end;
    let last = (masks.remainder_len() > 0).then_some(last);
    for mask in masks.chain(last) {
        all.extend(deposit(from(bytes, next), mask).to_le_bytes());
        next += mask.count_ones() as usize;
    }
    Bitmap::from_u8_vec(all, kept.len())
}

/// 64 bits from this one on, as far as there are so many.
#[inline(always)]
fn from(bytes: &[u8], bit: usize) -> u64 {
    let (byte, shift) = (bit / 8, bit % 8);
    let rest = bytes.get(byte..).unwrap_or_default();
    let low = rest
        .first_chunk()
        .map_or_else(|| rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), |word| u64::from_le_bytes(*word));
    let high = rest.get(8).map_or(0, |byte| u64::from(*byte));
    // A shift by 64 would be too far.
    low >> shift | high << 1 << (63 - shift)
}

/// The lowest bits at the places where the mask has ones.
#[inline(always)]
fn deposit(mut bits: u64, mut mask: u64) -> u64 {
    let mut placed = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        placed |= lowest & 0u64.wrapping_sub(bits & 1);
        mask ^= lowest;
        bits >>= 1;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the documentation says, bit by bit.
    fn plainly(bits: &Bitmap, kept: &Bitmap) -> Vec<bool> {
        let mut bits = bits.iter();
        kept.iter().map(|kept| kept && bits.next() == Some(true)).collect()
    }

    #[test]
    fn both_ways_deposit_each_bit_where_it_belongs() {
        let random = |seed: u64| {
            move |at: u64| (seed + at).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
        };
        for rows in [0, 1, 7, 63, 64, 65, 128, 1000] {
            for share in [0, 1, 3, 5, 8] {
                for skipped in [0, 3, 8, 13] {
                    let random = random(rows * 1000 + share * 100 + skipped);
                    let kept: Bitmap = (0..rows + skipped).map(|row| random(row) % 8 < share).collect();
                    let kept = kept.sliced(skipped as usize, rows as usize);
                    let bits: Bitmap = (0..kept.set_bits() as u64 + skipped).map(|at| random(at + 5000) % 2 == 0).collect();
                    let bits = bits.sliced(skipped as usize, kept.set_bits());
                    let expected = plainly(&bits, &kept);
                    assert_eq!(deposited(&bits, &kept).iter().collect::<Vec<_>>(), expected, "{rows} rows, {share} of 8, from {skipped}");
                    assert_eq!(
                        each_word(&bits, &kept, deposit).iter().collect::<Vec<_>>(),
                        expected,
                        "{rows} rows, {share} of 8, from {skipped}"
                    );
                }
            }
        }
    }
}
