//! Rules about one file at a time: its size, its functions, its head, its name, its words, its `unsafe`.
//!
//! It refuses to read the disk, so that every rule can be shown a file that breaks it. A complaint says file, rule, reason and fix.

use crate::tree::{Source, has_word};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;

/// What may not be written, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run protects nothing; assert today's behaviour and say why, or delete the test"),
    ("todo!", "unfinished work does not reach this branch; finish it, or return `Code::Unsupported` in the user's words"),
    ("unimplemented!", "unfinished work does not reach this branch; finish it, or return `Code::Unsupported` in the user's words"),
    ("dbg!", "it prints into the user's terminal; take it out"),
    ("allow(dead_code)", "code without a user misleads its reader; delete it"),
    ("allow(unused", "code without a user misleads its reader; delete it"),
];

pub fn size(source: &Source) -> Vec<String> {
    let lines = source.lines_without_tests();
    let in_tests = source.path.starts_with("tests/") || source.path.contains("/tests/");
    if in_tests || lines <= FILE_LINES {
        return Vec::new();
    }
    let path = &source.path;
    vec![format!(
        "{path}: {lines} lines without tests, at most {FILE_LINES}: nobody reads more at a time; split it by what happens, not by kind of item"
    )]
}

pub fn functions(source: &Source) -> Vec<String> {
    if source.path.starts_with("tests/") || source.path.contains("/tests/") {
        return Vec::new();
    }
    let product: String = source.product_lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut complaints = Vec::new();
    for (name, line, lines) in function_lengths(&product) {
        if lines > FUNCTION_LINES {
            let path = &source.path;
            complaints.push(format!(
                "{path}:{line}: `{name}` has {lines} lines, at most {FUNCTION_LINES}: a function is read in one look; give its steps names"
            ));
        }
    }
    complaints
}

/// Name, first line and number of lines of every function with a body.
fn function_lengths(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let (mut depth, mut in_body) = (0i32, false);
        for (offset, c) in code[at..].char_indices() {
            match c {
                ';' if depth == 0 => break,
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '{' => (depth, in_body) = (depth + 1, in_body || depth == 0),
                '}' => depth -= 1,
                _ => {}
            }
            if c == '}' && depth == 0 && in_body {
                let first = code[..at].matches('\n').count() + 1;
                found.push((name, first, code[at..at + offset].matches('\n').count() + 1));
                break;
            }
        }
    }
    found
}

pub fn head(source: &Source) -> Vec<String> {
    if source.text.trim_start().starts_with("//!") {
        return Vec::new();
    }
    vec![format!(
        "{}: no module head: a reader decides by it whether to read on; begin with `//!`, one sentence of what the file is",
        source.path
    )]
}

pub fn name(path: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let vague = |word: &&str| matches!(*word, "util" | "utils" | "helper" | "helpers" | "misc" | "common");
    match stem.split(['/', '_', '-']).find(vague) {
        Some(word) => {
            vec![format!("{path}: `{word}` names no thing: everything ends up there; name what it holds, or put it beside its user")]
        }
        None => Vec::new(),
    }
}

pub fn words(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in source.code.lines().enumerate() {
        for (word, reason) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
            complaints.push(format!("{}:{}: `{word}`: {reason}", source.path, at + 1));
        }
    }
    complaints
}

/// An error that is only a text cannot be told from others by a program.
pub fn error_variants(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut in_error = false;
    for (line, code) in source.product_lines() {
        let code = code.trim();
        if let Some((_, rest)) = code.split_once("enum ") {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            in_error = name.ends_with("Error") || name.ends_with("ErrorKind") || name.ends_with("Failure");
        } else if code == "}" {
            in_error = false;
        } else if in_error && (code.contains("(String)") || code.contains("(&'static str)")) {
            let path = &source.path;
            complaints
                .push(format!("{path}:{line}: an error variant of one bare text: programs cannot tell such errors apart; name its fields"));
        }
    }
    complaints
}

/// Each `unsafe` says right above why it is sound. A trait's unsafe function says it once, at the trait.
pub fn safety_comments(source: &Source) -> Vec<String> {
    let text: Vec<_> = source.text.lines().collect();
    let code: Vec<_> = source.code.lines().collect();
    let mut complaints = Vec::new();
    for (at, line) in code.iter().enumerate().filter(|(_, line)| has_unsafe(line)) {
        let item = code[..at].iter().rev().find(|l| !l.trim().is_empty() && !l.starts_with(' ')).unwrap_or(&"");
        if line.contains("unsafe fn") && item.contains("impl") && item.contains(" for ") {
            continue;
        }
        let above = if line.contains("unsafe fn") { 15 } else { 6 };
        let said = text[at.saturating_sub(above)..=at].iter().any(|l| l.contains("SAFETY:") || l.contains("# Safety"));
        if !said {
            let path = &source.path;
            complaints.push(format!(
                "{path}:{}: `unsafe` without `// SAFETY:`: the next editor must know what to keep true; say it above",
                at + 1
            ));
        }
    }
    complaints
}

/// Whether a line of code holds an unsafe block, function or impl (not `deny(unsafe_code)` and its like).
pub fn has_unsafe(line: &str) -> bool {
    has_word(line, "unsafe") && !line.trim_start().starts_with("#")
}
