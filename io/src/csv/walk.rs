//! Walks over bytes in order and knows where each record ends.
//!
//! It refuses to know fields' values. Invariant: the state after any split of the same bytes is the same, and records end where they
//! end for the decoder.

use std::ops::ControlFlow;

use super::{Dialect, FileInfo};
use crate::error::{Error, ErrorKind, Result};
use crate::read::Window;
use crate::source::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line, of whose comment mark so many bytes were seen.
    LineStart(usize),
    Comment,
    /// Outside quotes.
    Plain,
    /// Inside quotes.
    Quoted,
    /// After a quote inside quotes: doubled, or the end?
    Closing,
}

/// Where a walk stands.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    separator: u8,
    quote: Option<u8>,
    comment: Vec<u8>,
    state: State,
    /// The byte before.
    previous: u8,
    was_comment: bool,
}

impl Walker {
    /// Stands at the start of a record.
    pub(super) fn new(dialect: &Dialect) -> Self {
        let comment = dialect.comment.clone().unwrap_or_default().into_bytes();
        Self {
            separator: dialect.separator,
            quote: dialect.quote,
            comment,
            state: State::LineStart(0),
            previous: b'\n',
            was_comment: false,
        }
    }

    /// Stands after a newline inside a quoted field.
    pub(super) fn inside(dialect: &Dialect) -> Self {
        Self { state: State::Quoted, ..Self::new(dialect) }
    }

    /// Whether a record (or comment, or blank line) starts here.
    pub(super) fn at_line_start(&self) -> bool {
        self.state == State::LineStart(0)
    }

    /// Goes on from `at`; gives the place after the next newline that ends a record, comment or blank line. `None`: all bytes were
    /// walked, and the walk goes on in the bytes that follow.
    pub(super) fn next_line(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        while at < bytes.len() {
            at = match self.state {
                State::LineStart(seen) if self.comment.get(seen) == Some(&bytes[at]) => {
                    self.state = if seen + 1 == self.comment.len() { State::Comment } else { State::LineStart(seen + 1) };
                    at + 1
                }
                State::LineStart(_) => {
                    self.state = State::Plain;
                    at
                }
                State::Comment => return self.line_end(bytes, at + memchr::memchr(b'\n', &bytes[at..])?),
                State::Plain => {
                    let found = match self.quote {
                        Some(quote) => memchr::memchr2(quote, b'\n', &bytes[at..]),
                        None => memchr::memchr(b'\n', &bytes[at..]),
                    };
                    match found.map(|length| at + length) {
                        None => bytes.len(),
                        Some(end) if bytes[end] == b'\n' => return self.line_end(bytes, end),
                        Some(quote) => self.meet_quote(bytes, quote),
                    }
                }
                State::Quoted => self.leave_quotes(bytes, at),
                State::Closing => self.after_closing(bytes, at),
            };
            self.remember(bytes, at);
        }
        None
    }

    /// Whether the line that ended last was a comment.
    pub(super) fn was_comment(&self) -> bool {
        self.was_comment
    }

    fn remember(&mut self, bytes: &[u8], at: usize) {
        // At 0 nothing of these bytes was walked, and the byte before is still the one of the bytes before.
        if at > 0 {
            self.previous = bytes[at - 1];
        }
    }

    fn line_end(&mut self, bytes: &[u8], newline: usize) -> Option<usize> {
        self.was_comment = self.state == State::Comment;
        self.state = State::LineStart(0);
        self.previous = bytes[newline];
        Some(newline + 1)
    }

    /// Goes on from `at` to `to` without stopping at lines; much faster than lines where quotes are rare. Only without comments.
    pub(super) fn skip(&mut self, bytes: &[u8], mut at: usize, to: usize) {
        debug_assert!(self.comment.is_empty(), "comments are found line by line");
        let bytes = &bytes[..to];
        if at >= to {
            return;
        }
        while at < to {
            at = match self.state {
                State::LineStart(_) | State::Plain | State::Comment => {
                    self.state = State::Plain;
                    match self.quote.and_then(|quote| memchr::memchr(quote, &bytes[at..])) {
                        None => to,
                        Some(length) => self.meet_quote(bytes, at + length),
                    }
                }
                State::Quoted => self.leave_quotes(bytes, at),
                State::Closing => self.after_closing(bytes, at),
            };
            self.remember(bytes, at);
        }
        if self.state == State::Plain && self.previous == b'\n' {
            self.state = State::LineStart(0);
        }
    }

    /// A quote outside quotes opens a field only where a field starts.
    fn meet_quote(&mut self, bytes: &[u8], at: usize) -> usize {
        let before = if at > 0 { bytes[at - 1] } else { self.previous };
        if before == self.separator || before == b'\n' {
            self.state = State::Quoted;
        }
        at + 1
    }

    fn leave_quotes(&mut self, bytes: &[u8], at: usize) -> usize {
        match self.quote.and_then(|quote| memchr::memchr(quote, &bytes[at..])) {
            None => bytes.len(),
            Some(length) => {
                self.state = State::Closing;
                at + length + 1
            }
        }
    }

    fn after_closing(&mut self, bytes: &[u8], at: usize) -> usize {
        if Some(bytes[at]) == self.quote {
            self.state = State::Quoted;
            return at + 1;
        }
        self.state = State::Plain;
        at
    }
}

/// Walks over a file from `from`, where a record starts, and hands each line's start and end to `line`, and whether it is a record (not
/// blank, no comment). The last line may lack its newline.
pub(super) fn lines(file: &FileInfo, dialect: &Dialect, from: u64, line: &mut dyn FnMut(u64, u64, bool) -> ControlFlow<()>) -> Result<()> {
    let mut source = Source::open(&file.path, file.size, file.compression, from..file.size)?;
    let (mut window, mut walker, mut start) = (Window::at(from), Walker::new(dialect), from);
    // The byte before a newline, when the newline is a window's first byte.
    let mut carry = b'\n';
    while !window.ended() {
        window.fill(&mut source, u64::MAX)?;
        let (bytes, offset) = (window.bytes(), window.offset());
        let mut at = 0;
        while let Some(end) = walker.next_line(bytes, at) {
            let before = if end >= 2 { bytes[end - 2] } else { carry };
            let absolute = offset + end as u64;
            let blank = absolute - start == 1 || (absolute - start == 2 && before == b'\r');
            if line(start, absolute, !blank && !walker.was_comment()).is_break() {
                return Ok(());
            }
            (start, at) = (absolute, end);
        }
        carry = bytes.last().copied().unwrap_or(carry);
        window.clear();
    }
    if window.offset() > start {
        let _ = line(start, window.offset(), walker.state != State::Comment);
    }
    Ok(())
}

/// The row of the byte at `byte`, from 1 and with the header counted; blank lines and comments are no rows. Reads the file up to there:
/// meant for the way to an error message.
///
/// # Errors
/// What reading the file gives.
pub fn locate_row(file: &FileInfo, dialect: &Dialect, byte: u64) -> Result<u64> {
    let mut before = 0;
    lines(file, dialect, file.text_start, &mut |_, end, is_record| {
        if end > byte {
            return ControlFlow::Break(());
        }
        before += u64::from(is_record);
        ControlFlow::Continue(())
    })?;
    Ok(before + 1)
}

/// Whether a record starts at `at`, found out from the start of the data. Reads up to there.
pub(super) fn is_record_start(file: &FileInfo, dialect: &Dialect, at: u64) -> Result<bool> {
    if dialect.comment.is_some() {
        let mut found = at == file.data_start;
        lines(file, dialect, file.data_start, &mut |_, end, _| {
            found |= end == at;
            if end >= at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        return Ok(found);
    }
    let mut source = Source::open(&file.path, file.size, file.compression, file.data_start..at)?;
    let (mut window, mut walker) = (Window::at(file.data_start), Walker::new(dialect));
    while window.offset() < at && !window.ended() {
        window.fill(&mut source, at)?;
        let to = window.bytes().len().min(usize::try_from(at - window.offset()).unwrap_or(usize::MAX));
        walker.skip(window.bytes(), 0, to);
        window.consume(to);
    }
    if window.offset() != at {
        return Err(Error::new(ErrorKind::Unreadable { answer: "it became shorter while it was read".to_owned() }, &file.path));
    }
    Ok(walker.at_line_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ends(dialect: &Dialect, pieces: &[&[u8]]) -> Vec<usize> {
        let (mut walker, mut ends, mut offset) = (Walker::new(dialect), Vec::new(), 0);
        for piece in pieces {
            let mut at = 0;
            while let Some(end) = walker.next_line(piece, at) {
                ends.push(offset + end);
                at = end;
            }
            offset += piece.len();
        }
        ends
    }

    fn commented() -> Dialect {
        Dialect { comment: Some("##".to_owned()), ..Dialect::default() }
    }

    #[test]
    fn ends_of_lines() {
        assert_eq!(ends(&commented(), &[b"a,\"\n\"\n##\"\n\n#\n"]), [6, 10, 11, 13]);
        assert_eq!(ends(&commented(), &[b"5\" a\n\"x\"\"\n\"\n"]), [5, 12]);
        assert_eq!(ends(&Dialect { quote: None, ..Dialect::default() }, &[b"\"\n\n"]), [2, 3]);
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(bytes in prop::collection::vec(prop::sample::select(b"a,#\n\"\r".to_vec()), 0..60), cut in 0usize..60) {
            let cut = cut.min(bytes.len());
            let whole = ends(&commented(), &[&bytes]);
            prop_assert_eq!(ends(&commented(), &[&bytes[..cut], &bytes[cut..]]), whole);
        }

        #[test]
        fn skipping_is_walking(bytes in prop::collection::vec(prop::sample::select(b"a,\n\"\r".to_vec()), 0..60), cut in 0usize..60) {
            let cut = cut.min(bytes.len());
            let dialect = Dialect::default();
            let mut walker = Walker::new(&dialect);
            walker.skip(&bytes, 0, cut);
            walker.skip(&bytes, cut, bytes.len());
            let line_start = ends(&dialect, &[&bytes]).last().copied().unwrap_or(0) == bytes.len();
            prop_assert_eq!(walker.at_line_start(), line_start);
        }
    }
}
