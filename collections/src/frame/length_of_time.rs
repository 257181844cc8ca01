//! Lengths of time that users write as text: "15m", "1d12h", "1mo".
//!
//! Polars reads them; it refuses what is none, but a number that is too large wraps around there, or panics. So sizes are looked at here first.
//! Invariant: twice a length that passes is still a number of nanoseconds.

use partita_graph::{Code, Failure};
use polars::prelude::*;
use polars_plan::dsl::{FunctionExpr, TemporalFunction};

/// The longest, in nanoseconds: 146 years, or about 140 in days and months, which are counted as long as they ever are.
const LONGEST: i64 = i64::MAX / 2;
const HOUR: u128 = 3600 * 1_000_000_000;
const MONTH: u128 = (31 * 24 + 1) * HOUR;
/// 100,000 years: the calendar has 262,000.
const MOST_MONTHS: u128 = 12 * 100_000;
const HELP: &str = "as \"15m\", \"1d12h\" or \"1mo\"; the longest are of 140 years";

/// The length of time that a text says, or how many values it says: "10i".
pub(crate) fn length_of_time(text: &str) -> Result<Duration, Failure> {
    let refused = |why: &str| Failure::new(Code::InvalidOption, format!("`{text}` is no length of time: {why}")).help(HELP);
    if text.trim_start_matches(['-', '+']).is_empty() {
        return Err(refused("it has no number and no unit"));
    }
    if written(text).is_some_and(|(months, nanoseconds)| months.saturating_mul(MONTH).saturating_add(nanoseconds) > LONGEST as u128) {
        return Err(refused("it is too long"));
    }
    Duration::try_parse(text).map_err(|error| refused(&error.to_string()))
}

/// How many nanoseconds, or values, a length takes at most: days and months are as long as they ever are. A failure for one that is too long.
pub(crate) fn at_most(length: &Duration) -> Result<i64, Failure> {
    let units = [(length.months(), "mo"), (length.weeks(), "w"), (length.days(), "d"), (length.nanoseconds(), "ns")];
    let nanoseconds = units.iter().fold(0u128, |all, (number, unit)| {
        // What wrapped around when it was read is negative.
        let number = u128::try_from(*number).unwrap_or(u128::MAX);
        all.saturating_add(number.saturating_mul(nanoseconds_of(unit).unwrap_or(1)))
    });
    match i64::try_from(nanoseconds) {
        Ok(nanoseconds) if nanoseconds <= LONGEST => Ok(nanoseconds),
        _ => Err(Failure::new(Code::InvalidOption, format!("a length of time of {length} is too long")).help(HELP)),
    }
}

/// Fails where a function of times is given a length that polars cannot count with: months it counts by the calendar, all else in nanoseconds.
pub(crate) fn check_lengths(exprs: &[Expr]) -> Result<(), Failure> {
    for part in exprs.iter().flat_map(|expr| expr.into_iter()) {
        let Expr::Function { input, function: FunctionExpr::TemporalExpr(function) } = part else { continue };
        let by_length = matches!(function, TemporalFunction::Truncate | TemporalFunction::OffsetBy | TemporalFunction::Round);
        let Some(Expr::Literal(length)) = input.get(1).filter(|_| by_length) else { continue };
        let Some(text) = length.extract_str() else { continue };
        if written(text).is_some_and(|(months, nanoseconds)| months > MOST_MONTHS || nanoseconds > i64::MAX as u128) {
            let what = format!("`{text}` is no length of time: it is too long");
            return Err(Failure::new(Code::InvalidOption, what).help("up to 280 years in days or less, up to 100000 in months or years"));
        }
    }
    Ok(())
}

/// How many months and how many nanoseconds a text says, if it has the form of a length: a sum that no number holds is the largest.
fn written(text: &str) -> Option<(u128, u128)> {
    let mut rest = text.trim_start_matches(['-', '+']);
    let (mut months, mut nanoseconds) = (0u128, 0u128);
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit())?;
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic())?;
        // Digits that are no number are too many of them.
        let number = number.parse::<u128>().unwrap_or(u128::MAX);
        match unit {
            "mo" => months = months.saturating_add(number),
            "q" => months = months.saturating_add(number.saturating_mul(3)),
            "y" => months = months.saturating_add(number.saturating_mul(12)),
            _ => nanoseconds = nanoseconds.saturating_add(number.saturating_mul(nanoseconds_of(unit)?)),
        }
        rest = after;
    }
    Some((months, nanoseconds))
}

/// The characters of a kind at the beginning, if there are any, and what comes after them.
fn split(text: &str, of_kind: fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c| !of_kind(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// How long a unit is at most: clocks are put back by an hour on some days.
fn nanoseconds_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" | "i" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => HOUR / 3600,
        "m" => HOUR / 60,
        "h" => HOUR,
        "d" => 25 * HOUR,
        "w" => (7 * 24 + 1) * HOUR,
        "mo" => MONTH,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_polars_reads_them() {
        for text in ["15m", "1d12h", "1mo", "-6h", "10i", "100y", "0000000000000000000000000000000000000000000000000001d", "0s", "1q1w"] {
            let found = length_of_time(text).unwrap_or_else(|failure| panic!("{text}: {failure}"));
            assert_eq!(found, Duration::parse(text), "{text}");
            let (months, nanoseconds) = written(text).expect("it has the form of a length");
            assert_eq!(u128::try_from(at_most(&found).unwrap()).unwrap(), months * MONTH + nanoseconds, "{text}");
        }
    }

    #[test]
    fn what_is_none_and_what_is_too_long_is_refused() {
        let too_long =
            ["99999999999999999999d", "9223372036854775807ns", "4611686018427387904ns", "9223372036854775807i", "150y", "-2000000h"];
        for text in too_long {
            let failure = length_of_time(text).unwrap_err();
            assert!(failure.code == Code::InvalidOption && failure.to_string().contains(&format!("`{text}`")), "{failure}");
            assert!(failure.to_string().contains("too long"), "{failure}");
        }
        let sum = "4611686018427387903ns".repeat(3);
        let digits = format!("{}d", "9".repeat(60));
        for text in [&sum[..], &digits, "", "1", "-", "1 hour", "1x", "h", "1µs", "--1d", "1d-1h", "１d", "1.5h", "1H"] {
            assert_eq!(length_of_time(text).unwrap_err().code, Code::InvalidOption, "{text}");
        }
    }

    #[test]
    fn what_wrapped_around_is_too_long() {
        for length in
            [Duration::new(i64::MAX), Duration::parse("150y"), Duration::parse("1000000w"), Duration::parse("9000000000000000000d")]
        {
            assert_eq!(at_most(&length).unwrap_err().code, Code::InvalidOption, "{length:?}");
        }
        assert_eq!(at_most(&Duration::parse("1d1h")).unwrap(), 26 * 3600 * 1_000_000_000);
    }
    #[test]
    fn functions_of_times_take_what_polars_can_count_with() {
        let t = || col("t").dt();
        for text in ["1d", "-300y", "250y", "100000d", "1 hour", "9000000000000000000ns"] {
            check_lengths(&[t().offset_by(lit(text)), t().truncate(lit(text))]).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        }
        for text in ["99999999999999999999d", "9223372036854775808ns", "9223372036854775807h", "-200000d", "1000000y"] {
            for expr in [t().offset_by(lit(text)), t().truncate(lit(text)).eq(lit(0)), t().round(lit(text))] {
                assert_eq!(check_lengths(&[expr]).unwrap_err().code, Code::InvalidOption, "{text}");
            }
        }
    }
}
