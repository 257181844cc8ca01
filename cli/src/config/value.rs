//! What a setting accepts: one text form for flags, environment and files, and the value that it stands for.
//!
//! It refuses to know keys and places. Invariant: what [`Kind::parse`] refuses is described by [`Kind::accepts`].

use std::collections::BTreeMap;
use std::time::Duration;

/// What a setting accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text, which is never shown.
    Secret,
    /// A file or folder.
    Path,
    /// Yes or no.
    Flag,
    /// A port.
    Port,
    /// A number from 0.
    Count,
    /// A number of threads, or `auto`.
    Threads,
    /// A span of time.
    Span,
    /// An amount of memory.
    Memory,
    /// A number of bytes, or `none`.
    Size,
    /// A share between 0 and 1, or `none`.
    Share,
    /// A number above 0.
    Factor,
    /// Names with amounts.
    Resources,
}

/// What a text stands for.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Switched off on purpose.
    None,
    /// Chosen by the program.
    Auto,
    /// A text or a path.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A port or a number.
    Count(u64),
    /// A share or a factor.
    Number(f64),
    /// A span of time.
    Span(Duration),
    /// An amount of memory in bytes.
    Bytes(u64),
    /// Names with thousandths.
    Resources(BTreeMap<String, u64>),
}

impl Kind {
    /// For people: what may be written.
    pub fn accepts(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "any text",
            Self::Path => "the path of a file or folder",
            Self::Flag => "true or false",
            Self::Port => "a number from 0 to 65535",
            Self::Count => "a whole number from 0",
            Self::Threads => "a whole number from 1, or auto",
            Self::Span => "a time such as 500ms, 30s, 5min or 2h, a number of seconds, or none",
            Self::Memory => "a size such as 4GiB or 500MB, a share of the machine's memory such as 0.5, auto, or none",
            Self::Size => "a size such as 4GiB or 500MB, or none",
            Self::Share => "a number above 0 and up to 1, or none",
            Self::Factor => "a number above 0",
            Self::Resources => "names with amounts, such as GPU=2 LICENSE=0.5",
        }
    }

    /// Its short name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Path => "path",
            Self::Flag => "flag",
            Self::Port => "port",
            Self::Count | Self::Threads => "count",
            Self::Span => "time",
            Self::Memory => "memory",
            Self::Size => "size",
            Self::Share => "share",
            Self::Factor => "number",
            Self::Resources => "resources",
        }
    }

    /// The value of a text; `None` when it is not accepted.
    pub fn parse(self, text: &str) -> Option<Value> {
        let text = text.trim();
        let off = matches!(text, "none" | "off" | "");
        match self {
            Self::Text | Self::Secret | Self::Path => Some(if text.is_empty() { Value::None } else { Value::Text(text.into()) }),
            Self::Flag => match text {
                "true" | "yes" | "on" | "1" => Some(Value::Flag(true)),
                "false" | "no" | "off" | "0" => Some(Value::Flag(false)),
                _ => None,
            },
            Self::Port => Some(Value::Count(text.parse::<u16>().ok()?.into())),
            Self::Count => Some(Value::Count(text.parse().ok()?)),
            Self::Threads if text == "auto" => Some(Value::Auto),
            Self::Threads => text.parse().ok().filter(|count| (1..=4096).contains(count)).map(Value::Count),
            Self::Span if off => Some(Value::None),
            Self::Span => span(text).map(Value::Span),
            Self::Memory if off || text == "0" => Some(Value::None),
            Self::Memory => memory(text),
            Self::Size if off || text == "0" => Some(Value::None),
            Self::Size => size(text),
            Self::Share if off => Some(Value::None),
            Self::Share => number(text).filter(|share| *share <= 1.0).map(Value::Number),
            Self::Factor => number(text).map(Value::Number),
            Self::Resources => resources(text).map(Value::Resources),
        }
    }
}

/// A finite number above 0.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// A number and its unit; without a unit, seconds.
fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let amount: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "ms" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(amount * unit).ok().filter(|span| span.as_secs() < 10 * 365 * 86400)
}

/// A share is told from bytes by its point.
fn memory(text: &str) -> Option<Value> {
    if text == "auto" {
        return Some(Value::Auto);
    }
    if let Some(share) = number(text).filter(|share| *share <= 1.0 && text.contains('.')) {
        return Some(Value::Number(share));
    }
    size(text)
}

fn size(text: &str) -> Option<Value> {
    text.parse::<bytesize::ByteSize>().ok().map(|size| Value::Bytes(size.as_u64())).filter(|value| *value != Value::Bytes(0))
}

/// `GPU=2 LICENSE=0.5`, separated by blanks or commas, in thousandths.
fn resources(text: &str) -> Option<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for pair in text.split([' ', ',']).filter(|pair| !pair.is_empty()) {
        let (name, amount) = pair.split_once('=')?;
        let amount: f64 = amount.parse().ok().filter(|amount| (0.0..=1e12).contains(amount))?;
        let fresh = !name.is_empty() && found.insert(name.to_string(), (amount * 1000.0).round() as u64).is_none();
        fresh.then_some(())?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values() {
        let seconds = |number: f64| Value::Span(Duration::from_secs_f64(number));
        let gpu = |milli: u64| Value::Resources(BTreeMap::from([("GPU".to_string(), milli)]));
        for (kind, text, value) in [
            (Kind::Port, "8786", Value::Count(8786)),
            (Kind::Flag, "yes", Value::Flag(true)),
            (Kind::Threads, "auto", Value::Auto),
            (Kind::Span, "1.5", seconds(1.5)),
            (Kind::Span, "250ms", seconds(0.25)),
            (Kind::Span, "5 minutes", seconds(300.0)),
            (Kind::Span, "none", Value::None),
            (Kind::Memory, "4GiB", Value::Bytes(4 << 30)),
            (Kind::Memory, "0.5", Value::Number(0.5)),
            (Kind::Memory, "1.0", Value::Number(1.0)),
            (Kind::Memory, "0", Value::None),
            (Kind::Size, "100GB", Value::Bytes(100_000_000_000)),
            (Kind::Size, "none", Value::None),
            (Kind::Size, "0", Value::None),
            (Kind::Share, "0.8", Value::Number(0.8)),
            (Kind::Share, "off", Value::None),
            (Kind::Resources, "GPU=2", gpu(2000)),
            (Kind::Resources, "GPU=0.5,", gpu(500)),
        ] {
            assert_eq!(kind.parse(text), Some(value), "{kind:?} {text:?}");
        }
    }

    #[test]
    fn what_fits_nothing_is_refused() {
        for (kind, text) in [
            (Kind::Port, "65536"),
            (Kind::Port, "-1"),
            (Kind::Flag, "maybe"),
            (Kind::Count, "3.5"),
            (Kind::Threads, "0"),
            (Kind::Span, "5 fortnights"),
            (Kind::Span, "-3s"),
            (Kind::Span, "1e400"),
            (Kind::Span, "99999999999999999999d"),
            (Kind::Memory, "lots"),
            (Kind::Size, "auto"),
            (Kind::Share, "1.5"),
            (Kind::Share, "NaN"),
            (Kind::Factor, "inf"),
            (Kind::Resources, "GPU"),
            (Kind::Resources, "GPU=1 GPU=2"),
            (Kind::Resources, "=2"),
        ] {
            assert_eq!(kind.parse(text), None, "{kind:?} {text:?}");
        }
    }
}
