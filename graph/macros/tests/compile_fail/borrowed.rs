//! Expected: at the types of parameters, "an argument owns all that it holds, …" (three times), "what a task borrows is there for the
//! call only; take `'static` away" and "an argument has one known type …; write that type in place of `dyn`"; at both results, "the
//! result of a task owns all that it holds, …".

use std::borrow::Cow;

use partita_macros::task;

#[task]
pub fn join(words: Vec<&str>) -> String {
    words.concat()
}

#[task]
pub fn join_slices(words: &[&str]) -> String {
    words.concat()
}

#[task]
pub fn trim(text: Cow<'_, str>) -> String {
    text.trim().to_string()
}

#[task]
pub fn keep(text: &'static str) -> String {
    text.to_string()
}

#[task]
pub fn print(value: &dyn std::fmt::Display) -> String {
    value.to_string()
}

#[task]
pub fn head(text: &str) -> &str {
    &text[..1]
}

#[task]
pub fn find(text: &str) -> Result<Option<&str>, String> {
    Ok(text.lines().next())
}

fn main() {}
