//! Numbers out of ASCII text. It refuses to know columns, nulls and quotes.
//!
//! The invariant: a number that a quick way answers is the one that `str::parse` would give, bit for bit; where a quick way is
//! not sure it answers `None`, and the thorough way decides. Both take leading and trailing spaces off; nothing else is forgiven.

/// A number type of a column.
pub(super) trait Number: Copy + Default {
    /// Parses `bytes[start..start + length]` if that is the common form: few digits, no spaces. It may look at (not use) the
    /// bytes after it, which makes it quick.
    fn quick(bytes: &[u8], start: usize, length: usize) -> Option<Self>;

    /// Parses any accepted form; spaces around it are ignored.
    fn thorough(text: &[u8]) -> Option<Self>;
}

/// Eight bytes from `start`; the first is the lowest.
#[inline(always)]
fn word(bytes: &[u8], start: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(start..)?.first_chunk::<8>()?))
}

/// The value of the first `length` (1 to 8) bytes of a word, if all are digits.
#[inline(always)]
fn digits(word: u64, length: usize) -> Option<u64> {
    // What stands left of the digits after the shift is zero, like leading zeros.
    let values = (word ^ 0x3030_3030_3030_3030) << (64 - 8 * length);
    let not_digits = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    // Bytes that are no digits may overflow on the way; their sum is thrown away below.
    // Neighbours join: 8 digits, 4 pairs, 2 fours, one number.
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    let value = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
    (not_digits == 0).then_some(value)
}

/// A minus sign's length (0 or 1) before a number.
#[inline(always)]
fn minus(bytes: &[u8], start: usize) -> usize {
    usize::from(bytes.get(start) == Some(&b'-'))
}

/// Up to 16 digits without a sign.
#[inline(always)]
fn quick_unsigned(bytes: &[u8], start: usize, length: usize) -> Option<u64> {
    match length {
        1..=8 => digits(word(bytes, start)?, length),
        9..=16 => {
            let high = digits(word(bytes, start)?, 8)?;
            let low = digits(word(bytes, start + 8)?, length - 8)?;
            Some(high * POWERS[length - 8] + low)
        }
        _ => None,
    }
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Digits, or digits with a point among the first 8 bytes and 1 to 8 digits after it: the digits as one whole number (less than
/// 10^15, so every float type's division below rounds once), and how many of them stand after the point.
#[inline(always)]
fn quick_decimal(bytes: &[u8], start: usize, length: usize) -> Option<(u64, usize)> {
    let first = word(bytes, start)?;
    let differing = first ^ 0x2E2E_2E2E_2E2E_2E2E;
    let points = differing.wrapping_sub(0x0101_0101_0101_0101) & !differing & 0x8080_8080_8080_8080;
    let point = points.trailing_zeros() as usize / 8;
    if point >= length {
        return if length <= 8 && length > 0 { Some((digits(first, length)?, 0)) } else { None };
    }
    let places = length - point - 1;
    if point == 0 || point > 7 || places == 0 || places > 8 {
        return None;
    }
    if length <= 9 {
        // Up to 8 digits: those before the point from here, those after it from one byte on, are one word.
        let below = (1 << (8 * point)) - 1;
        let joined = (first & below) | (word(bytes, start + 1)? & !below);
        return Some((digits(joined, length - 1)?, places));
    }
    let whole = digits(first, point)?;
    let fraction = digits(word(bytes, start + point + 1)?, places)?;
    Some((whole * POWERS[places] + fraction, places))
}

/// ASCII spaces off both ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let Some(first) = text.iter().position(|&byte| byte != b' ') else { return &[] };
    let last = text.iter().rposition(|&byte| byte != b' ').unwrap_or(first);
    &text[first..=last]
}

macro_rules! integers {
    ($minus:expr; $($type:ty)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn quick(bytes: &[u8], start: usize, length: usize) -> Option<Self> {
                let minus = if $minus { minus(bytes, start) } else { 0 };
                let magnitude = quick_unsigned(bytes, start + minus, length.wrapping_sub(minus))? as i64;
                Self::try_from(if minus == 1 { -magnitude } else { magnitude }).ok()
            }

            #[cold]
            fn thorough(text: &[u8]) -> Option<Self> {
                std::str::from_utf8(trim(text)).ok()?.parse().ok()
            }
        }
    )*};
}

integers! { true; i8 i16 i32 i64 }
integers! { false; u8 u16 u32 u64 }

macro_rules! floats {
    ($($type:ty, $exact:expr;)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn quick(bytes: &[u8], start: usize, length: usize) -> Option<Self> {
                let minus = minus(bytes, start);
                let (magnitude, places) = quick_decimal(bytes, start + minus, length.wrapping_sub(minus))?;
                if magnitude >= $exact {
                    return None;
                }
                // Both are exact as floats, so the division is the only rounding: the nearest float to the decimal.
                // As i64, because processors convert only signed integers in one step.
                const EXACT: [$type; 9] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
                let value = magnitude as i64 as $type / EXACT[places];
                Some(if minus == 1 { -value } else { value })
            }

            #[cold]
            fn thorough(text: &[u8]) -> Option<Self> {
                fast_float2::parse(trim(text)).ok()
            }
        }
    )*};
}

floats! { f64, 1 << 53; f32, 1 << 24; }

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::str::FromStr;

    fn agrees<T: Number + FromStr + PartialEq + std::fmt::Debug>(text: &str) -> Result<(), TestCaseError> {
        let expected = text.trim_matches(' ').parse::<T>().ok();
        let same = |value: T| format!("{value:?}");
        prop_assert_eq!(T::thorough(text.as_bytes()).map(same), expected.map(same), "{:?}", text);
        for tail in ["", "\n", ",9999999999999999999"] {
            let window = format!("7{text}{tail}");
            if let Some(quick) = T::quick(window.as_bytes(), 1, text.len()) {
                prop_assert_eq!(Some(same(quick)), expected.map(same), "{:?}", text);
            }
        }
        Ok(())
    }

    fn all(text: &str) -> Result<(), TestCaseError> {
        agrees::<i8>(text)?;
        agrees::<i16>(text)?;
        agrees::<i32>(text)?;
        agrees::<i64>(text)?;
        agrees::<u8>(text)?;
        agrees::<u16>(text)?;
        agrees::<u32>(text)?;
        agrees::<u64>(text)?;
        agrees::<f32>(text)?;
        agrees::<f64>(text)
    }

    proptest! {
        #[test]
        fn like_std(text in "[ ]{0,2}[-+]{0,2}[0-9]{0,20}[.]{0,2}[0-9]{0,20}(e[-+]?[0-9]{1,3})?[ ]{0,2}") { all(&text)?; }

        #[test]
        fn short_ones(text in "-?[0-9]{1,8}([.][0-9]{1,9})?") { all(&text)?; }

        #[test]
        fn nonsense(text in "[-+0-9.:/eE,\"ainfNA é]{0,18}") { all(&text)?; }
    }

    #[test]
    fn the_common_form_is_quick() {
        assert_eq!(f64::quick(b"26.075972\n12345678", 0, 9), Some(26.075972));
        assert_eq!(f64::quick(b"-0.5\n123456789", 0, 4), Some(-0.5));
        assert_eq!(i64::quick(b"-1234567890123,56789", 0, 14), Some(-1_234_567_890_123));
        assert_eq!(i8::quick(b"128,56789012345", 0, 3), None);
    }

    #[test]
    fn edges() {
        for text in ["", "-", "+", ".", "-.", "inf", "-inf", "NaN", "nan", "Infinity", "9223372036854775807", "9223372036854775808"] {
            all(text).unwrap();
        }
        for text in ["-9223372036854775808", "18446744073709551615", "+5", "-0", "1e3", "1e400", "5.", ".5", "0x10", "1_000", "٣"] {
            all(text).unwrap();
        }
    }
}
