//! The files of the checkout, and Rust source seen as code without its comments and texts.
//!
//! It refuses to know rules. The invariant: [`code_of`] keeps every line and column in place, so that numbers of lines mean the same.

use std::fs;
use std::path::{Path, PathBuf};

/// One file: its path from the root of the checkout with `/`, its text, and (for Rust) its code.
pub struct Source {
    pub path: String,
    pub text: String,
    /// The text with comments and the insides of literals replaced by spaces.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), code: code_of(text) }
    }

    /// The number of lines before the unit tests that end the file, or of all lines.
    pub fn lines_without_tests(&self) -> usize {
        let lines: Vec<_> = self.code.lines().collect();
        let starts = |at: usize| {
            lines[at] == "#[cfg(test)]" && lines[at + 1..].iter().find(|l| !l.starts_with("#[")).is_some_and(|l| l.starts_with("mod "))
        };
        (0..lines.len()).find(|at| starts(*at)).unwrap_or(lines.len())
    }

    /// The code before the unit tests, line by line, numbered from 1.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().take(self.lines_without_tests()).enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether the file belongs to tests, benches or examples rather than to the product.
    pub fn is_trial(&self) -> bool {
        self.path.split('/').any(|part| ["tests", "benches", "examples"].contains(&part))
    }
}

/// The root of the checkout: the folder of the workspace's Cargo.toml.
pub fn root() -> PathBuf {
    let start = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = |folder: &&Path| fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"));
    start.ancestors().find(is_root).expect("the test runs inside the checkout").to_path_buf()
}

/// A text of the checkout; empty when the file is missing, which the rules then complain about.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The names in a folder, sorted, without what is hidden, built or generated. Empty for a folder that does not exist.
pub fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.') && name != "target" && name != "__pycache__");
    names.sort();
    names
}

/// All files below a folder whose names end with `ending`.
pub fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names_in(folder) {
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if root().join(&path).is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// All Rust files of the checkout.
pub fn sources() -> Vec<Source> {
    files_below("", ".rs").iter().map(|path| Source::new(path, &read(path))).collect()
}

/// Source text with comments and the insides of text literals replaced by spaces; newlines stay.
pub fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_blank(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn end_of_blank(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next == '/' => (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len()),
        '/' if next == '*' => end_of_block_comment(chars, at),
        '"' => end_of_quoted(chars, at, '"'),
        'b' if next == '"' && !in_word => end_of_quoted(chars, at + 1, '"'),
        'b' if next == '\'' && !in_word => end_of_quoted(chars, at + 1, '\''),
        'b' if next == 'r' && !in_word => end_of_raw(chars, at + 1).unwrap_or(at),
        'r' if !in_word => end_of_raw(chars, at).unwrap_or(at),
        // A character and not a lifetime: an escape, or a quote after exactly one character.
        '\'' if next == '\\' || chars.get(at + 2) == Some(&'\'') => end_of_quoted(chars, at, '\''),
        _ => at,
    }
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_quoted(chars: &[char], open: usize, quote: char) -> usize {
    let mut at = open + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of `r"…"` or `r#"…"#`, when one starts at `r`.
fn end_of_raw(chars: &[char], r: usize) -> Option<usize> {
    let hashes = chars[r + 1..].iter().take_while(|c| **c == '#').count();
    let open = r + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |i: &usize| chars[*i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes))
}

/// Whether `word` stands in `line` by itself.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}
