//! Names of files and answers of stores as they may be printed: a signed link lets whoever reads it do what it signs.
//!
//! It refuses to know stores and settings. Invariant: in a text that holds a URL no password stands before its host, and no value of a
//! parameter that signs, names a key or is as long as a key; all else stays, so that files can still be told apart. What was shown can be
//! shown again and stays the same.

use std::borrow::Cow;

const HIDDEN: &str = "***";
/// A parameter whose name contains one of these, in small letters, is a secret or points to one.
const SECRET: [&str; 12] = ["sig", "token", "key", "secret", "pass", "pwd", "credential", "auth", "policy", "session", "jwt", "hmac"];
/// What is as long as this is no page and no format.
const LONG: usize = 40;

/// A name, or a text in which names stand, without the secrets of its URLs. Text without a URL comes back as it is.
///
/// ```
/// use partita_io::shown;
/// assert_eq!(shown("https://host/a.csv?versionId=7&X-Amz-Signature=0c1d"), "https://host/a.csv?versionId=7&X-Amz-Signature=***");
/// assert_eq!(shown("https://me:hush@host/a.csv"), "https://me:***@host/a.csv");
/// assert_eq!(shown("data/a.csv"), "data/a.csv");
/// ```
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let hosts = without_passwords(text);
    Cow::Owned(without_values(&hosts))
}

/// `user:password@` before a host; of the web a name alone is a secret too, elsewhere it is the name of a container.
fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out.push_str(before);
        let host = &after[..after.find(|c: char| ends_value(c) || "/?".contains(c)).unwrap_or(after.len())];
        rest = after;
        let Some(user) = host.rfind('@').map(|at| &host[..at]) else { continue };
        match user.split_once(':') {
            Some((name, _)) => out.extend([name, ":", HIDDEN]),
            None if before.ends_with("http://") || before.ends_with("https://") => out.push_str(HIDDEN),
            None => out.push_str(user),
        }
        rest = &after[user.len()..];
    }
    out.push_str(rest);
    out
}

/// Parameters stand behind `?` and `&`. Where a URL ends is not asked: names of files may hold spaces, and nothing is lost by looking on.
fn without_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '&']) {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let name = &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.%$".contains(c))).unwrap_or(rest.len())];
        let Some(after) = rest[name.len()..].strip_prefix('=') else { continue };
        let value = &after[..after.find(|c: char| ends_value(c) || c == '&').unwrap_or(after.len())];
        // Sentences put URLs into brackets and quotes, and go on behind them.
        let value = value.trim_end_matches([')', '\'', '`', ',', '.', ':']);
        out.extend([name, "=", if is_secret(name, value) { HIDDEN } else { value }]);
        rest = &after[value.len()..];
    }
    out.push_str(rest);
    out
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || "#\"<>".contains(c)
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !value.is_empty() && (value.len() >= LONG || name == "code" || SECRET.iter().any(|secret| name.contains(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind, Place};

    #[test]
    fn links_of_the_large_stores() {
        let long = "a".repeat(64);
        let cases = [
            (
                format!(
                    "https://b.s3.amazonaws.com/k/a.csv?X-Amz-Algorithm=AWS4&X-Amz-Credential=AKIA%2Fus&X-Amz-Expires=60&X-Amz-Signature={long}"
                ),
                "https://b.s3.amazonaws.com/k/a.csv?X-Amz-Algorithm=AWS4&X-Amz-Credential=***&X-Amz-Expires=60&X-Amz-Signature=***",
            ),
            (
                "https://me.blob.core.windows.net/c/a b.csv?sv=2024-11-04&se=2026-12-01T00%3A00Z&sig=q%2Fz%3D".to_owned(),
                "https://me.blob.core.windows.net/c/a b.csv?sv=2024-11-04&se=2026-12-01T00%3A00Z&sig=***",
            ),
            ("https://host/a.csv?page=3&download=true".to_owned(), "https://host/a.csv?page=3&download=true"),
            (format!("https://host/a.csv?x={long}#part"), "https://host/a.csv?x=***#part"),
            ("https://host/a.csv?TOKEN=a/b+c==&page=3".to_owned(), "https://host/a.csv?TOKEN=***&page=3"),
        ];
        for (name, expected) in cases {
            assert_eq!(shown(&name), expected);
            assert_eq!(shown(expected), expected, "shown twice");
        }
    }

    #[test]
    fn who_asks() {
        assert_eq!(shown("http://me:a@b@host:80/x?y"), "http://me:***@host:80/x?y");
        assert_eq!(shown("https://ghp_hush@host/x"), "https://***@host/x");
        assert_eq!(shown("abfss://container@me.dfs.core.windows.net/x"), "abfss://container@me.dfs.core.windows.net/x");
        assert_eq!(shown("s3://bucket/mail@host/x"), "s3://bucket/mail@host/x");
    }

    #[test]
    fn several_in_a_sentence() {
        let text = "error for url (https://a:b@h/x?sig=hush), then `https://h/y?token=hush`: timed out; https://h/z?sig=hush";
        let expected = "error for url (https://a:***@h/x?sig=***), then `https://h/y?token=***`: timed out; https://h/z?sig=***";
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn what_is_no_url_stays() {
        for name in ["data/what?token=1&key=2.csv", "a@b:c", "s3://bucket/part-?/key=3/*.csv", "memory://x/a?b/*.csv", ""] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn no_error_holds_one() {
        let link = "https://me:hush@host/a.csv?sig=hush";
        let text = link.to_owned();
        let kinds = [
            ErrorKind::Unreadable { answer: text.clone() },
            ErrorKind::Unwritable { answer: text.clone() },
            ErrorKind::Corrupt { answer: text.clone() },
            ErrorKind::InvalidOption { accepted: text.clone() },
            ErrorKind::SchemaMismatch { first: text.clone(), difference: String::new() },
            ErrorKind::Damaged { what: text.clone() },
            ErrorKind::OutputExists { example: text.clone() },
            ErrorKind::NoSuchFile { similar: Some(text.clone()) },
            ErrorKind::PartsMissing { missing: vec![text.clone()] },
            ErrorKind::NoMatch,
        ];
        for kind in kinds {
            for error in [Error::new(kind.clone(), link), Error::at(kind, Place { file: text.clone(), ..Place::default() })] {
                assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
                assert!(error.place().file.starts_with("https://me:***@host/a.csv"), "{error:?}");
            }
        }
    }
}
