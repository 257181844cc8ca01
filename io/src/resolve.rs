//! Names and patterns become files that exist.
//!
//! It refuses to open them. Invariant: the result names each file once, in a stable order: literal names where they were written,
//! a pattern's matches sorted with numbers by value (`part.2` before `part.10`).

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::Path;

use glob::{MatchOptions, Pattern};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Address, Facts, Remote, address, store_error, unreadable};

/// A file that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// As the user would write it.
    pub(crate) name: String,
    pub(crate) facts: Facts,
}

/// `*` stays inside one folder; `**` crosses them.
const MATCHING: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Lists what the patterns name, without duplicates.
pub(crate) fn find(patterns: &[String]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for pattern in patterns {
        match address(pattern)? {
            Address::Local(path) => find_local(pattern, &path, &mut found)?,
            Address::Remote(remote) => find_remote(pattern, &remote, &mut found)?,
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|file| seen.insert(identity(&file.name)));
    Ok(found)
}

/// `./a.csv` and `a.csv` are the same file.
pub(crate) fn identity(name: &str) -> String {
    match address(name) {
        Ok(Address::Local(path)) => path.canonicalize().map_or_else(|_| name.to_owned(), |real| real.to_string_lossy().into_owned()),
        _ => name.to_owned(),
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn find_local(name: &str, path: &Path, found: &mut Vec<Found>) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(Error::new(ErrorKind::IsDirectory, name)),
        // A file whose name holds a bracket is that file.
        Ok(meta) => {
            found.push(Found { name: name.to_owned(), facts: local_facts(&meta) });
            Ok(())
        }
        Err(_) if is_pattern(name) => find_local_pattern(name, path, found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::NoSuchFile { similar: similar_local(name, path) }, name))
        }
        Err(error) => Err(unreadable(name, error)),
    }
}

fn find_local_pattern(name: &str, path: &Path, found: &mut Vec<Found>) -> Result<()> {
    let invalid = |error: glob::PatternError| Error::new(ErrorKind::InvalidOption { accepted: format!("a pattern ({})", error.msg) }, name);
    let mut matches = Vec::new();
    for entry in glob::glob_with(&path.to_string_lossy(), MATCHING).map_err(invalid)? {
        let path = entry.map_err(|error| unreadable(name, error))?;
        let meta = std::fs::metadata(&path).map_err(|error| unreadable(&path.to_string_lossy(), error))?;
        if meta.is_file() {
            matches.push(Found { name: path.to_string_lossy().into_owned(), facts: local_facts(&meta) });
        }
    }
    keep_matches(name, matches, found)
}

fn keep_matches(pattern: &str, mut matches: Vec<Found>, found: &mut Vec<Found>) -> Result<()> {
    if matches.is_empty() {
        return Err(Error::new(ErrorKind::NoMatch, pattern));
    }
    matches.sort_by(|a, b| natural(&a.name, &b.name));
    found.append(&mut matches);
    Ok(())
}

pub(crate) fn local_facts(meta: &std::fs::Metadata) -> Facts {
    let since = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Facts { size: meta.len(), version: format!("{}-{}", since.map_or(0, |time| time.as_nanos()), meta.len()) }
}

fn find_remote(name: &str, remote: &Remote, found: &mut Vec<Found>) -> Result<()> {
    if remote.lists && is_pattern(&remote.key) {
        return find_remote_pattern(name, remote, found);
    }
    match remote.facts() {
        Ok(facts) => {
            found.push(Found { name: name.to_owned(), facts });
            Ok(())
        }
        Err(object_store::Error::NotFound { .. }) if remote.lists => Err(missing_remote(name, remote)),
        Err(error) => Err(store_error(name, error)),
    }
}

fn find_remote_pattern(name: &str, remote: &Remote, found: &mut Vec<Found>) -> Result<()> {
    let invalid = |error: glob::PatternError| Error::new(ErrorKind::InvalidOption { accepted: format!("a pattern ({})", error.msg) }, name);
    let pattern = Pattern::new(&remote.key).map_err(invalid)?;
    let literal = remote.key.find(['*', '?', '[']).unwrap_or(remote.key.len());
    let folder = remote.key[..literal].rsplit_once('/').map_or("", |(folder, _)| folder);
    let listed = remote.list(folder).map_err(|error| store_error(name, error))?;
    let matches = listed
        .into_iter()
        .filter(|(key, _)| pattern.matches_with(key, MATCHING))
        .map(|(key, facts)| Found { name: format!("{}{key}", remote.base), facts })
        .collect();
    keep_matches(name, matches, found)
}

/// Only on the way to an error, so that a refused listing just means fewer hints.
fn missing_remote(name: &str, remote: &Remote) -> Error {
    let key = remote.key.trim_end_matches('/');
    if remote.list_shallow(key).is_ok_and(|below| !below.is_empty()) {
        return Error::new(ErrorKind::IsDirectory, name);
    }
    let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
    let names = remote.list_shallow(folder).unwrap_or_default();
    let similar = nearest(key, names.iter().map(String::as_str)).map(|near| format!("{}{near}", remote.base));
    Error::new(ErrorKind::NoSuchFile { similar }, name)
}

fn similar_local(name: &str, path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = folder.read_dir().ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let near = nearest(&wanted, names.iter().map(String::as_str))?;
    Some(format!("{}{near}", name.strip_suffix(wanted.as_str()).unwrap_or("")))
}

/// The nearest name, if it is near at all: at most a third of the letters differ.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wanted.chars().count() / 3).max(1);
    names.map(|name| (distance(wanted, name), name)).filter(|(far, _)| *far <= allowed).min().map(|(_, name)| name)
}

/// Letters to insert, delete or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Alphabetical, with runs of digits compared as numbers.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (left.first(), right.first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (first, rest) = digits(left);
            let (second, others) = digits(right);
            // Without leading zeros the longer number is the greater one.
            let order = first.len().cmp(&second.len()).then_with(|| first.cmp(second));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (rest, others);
        } else if x != y {
            return x.cmp(&y);
        } else {
            (left, right) = (&left[1..], &right[1..]);
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().position(|&byte| byte != b'0').unwrap_or(end);
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_value() {
        let mut names = ["p.10", "p.9", "p.009", "p", "q.1", "p.9b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["p", "p.009", "p.9", "p.9b", "p.10", "q.1"]);
    }

    #[test]
    fn near_names() {
        assert_eq!(nearest("sales.csv", ["sale.csv", "sails.txt", "other"].into_iter()), Some("sale.csv"));
        assert_eq!(nearest("sales.csv", ["entirely-different"].into_iter()), None);
        assert_eq!((distance("", "ab"), distance("kitten", "sitting"), distance("same", "same")), (2, 3, 0));
    }
}
