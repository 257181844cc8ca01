//! Exact cuts: every byte is looked at once, in parallel, to know which newlines end records.
//!
//! It refuses to decode. Invariant: a segment starts after a newline, where a walk is in one of two states only (a record starts, or a
//! quoted field goes on); each segment is walked for both, and the answers are chained from the file's start.

use std::ops::{ControlFlow, Range};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cut::{append, check, nominal};
use super::walk::{Walker, lines};
use super::{Block, Dialect, FileInfo, Table};
use crate::error::Result;
use crate::read::Window;
use crate::source::Source;

/// Bytes of a segment: enough to make starting one cheap, few enough to share a file among threads.
const SEGMENT: u64 = 16 << 20;

/// Cuts like [`super::blocks`], at true record boundaries. Reads all files once.
///
/// # Errors
/// `InvalidOption` for a `blocksize` of 0; what reading gives.
pub fn exact_blocks(table: &Table, blocksize: u64, threads: usize) -> Result<Vec<Block>> {
    let mut blocks = exact_blocks_in_place(table, blocksize, threads)?;
    blocks.retain(|block| block.start < block.end);
    Ok(blocks)
}

/// The same, block by block: as many as [`super::blocks`] gives without a look, each with the records that start in it, which may be none.
/// So blocks that were cut right on trust keep their numbers and their rows.
///
/// # Errors
/// As [`exact_blocks`].
pub fn exact_blocks_in_place(table: &Table, blocksize: u64, threads: usize) -> Result<Vec<Block>> {
    check(blocksize)?;
    exact_blocks_by(table, blocksize, threads, SEGMENT)
}

fn exact_blocks_by(table: &Table, blocksize: u64, threads: usize, segment: u64) -> Result<Vec<Block>> {
    let cuts: Vec<Vec<u64>> = table.files.iter().map(|file| nominal(file, blocksize)).collect();
    let mut jobs = Vec::new();
    for (index, file) in table.files.iter().enumerate().filter(|(index, _)| !cuts[*index].is_empty()) {
        // Comments are found line by line only, so such a file is one segment.
        let step = if table.dialect.comment.is_some() { file.size } else { segment };
        let mut start = file.data_start;
        while start < file.size {
            jobs.push((index, start..(start + step).min(file.size)));
            start += step;
        }
    }
    let walked = in_parallel(jobs.len(), threads, |job| {
        let (index, range) = &jobs[job];
        let (file, cuts) = (&table.files[*index], &cuts[*index]);
        if table.dialect.comment.is_some() {
            return walk_file(file, &table.dialect, cuts).map(Some);
        }
        walk_segment(file, &table.dialect, range.clone(), cuts)
    })?;
    let mut blocks = Vec::new();
    for (index, file) in table.files.iter().enumerate() {
        let own = jobs.iter().zip(&walked).filter(|((owner, _), _)| *owner == index);
        let ends = chain(own.filter_map(|(_, segment)| segment.as_ref()), cuts[index].len(), file.size);
        append(&mut blocks, index, file, &ends, true);
    }
    Ok(blocks)
}

/// Runs `job` for 0..count on some threads; the first error by number wins.
pub(crate) fn in_parallel<T: Send>(count: usize, threads: usize, job: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let threads = threads.clamp(1, count.max(1));
    if threads == 1 {
        return (0..count).map(job).collect();
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = job(number);
                    done.lock().expect("no job panics while it holds the list").push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no job panics while it holds the list");
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What a segment says: once for a record start at its start, once for the inside of a quoted field.
struct Segment {
    /// Which cuts lie in it.
    cuts: Range<usize>,
    ways: [Way; 2],
}

/// A walk over a segment.
struct Way {
    /// The first record boundary after the segment's start.
    first: Option<u64>,
    /// For each cut the first record boundary at or after it, where the segment has one.
    ends: Vec<Option<u64>>,
    /// Whether the segment ends inside a quoted field.
    inside: bool,
}

/// A walk that stops only where boundaries are asked for.
struct Seeker<'a> {
    walker: Walker,
    first_after: u64,
    cuts: &'a [u64],
    way: Way,
}

impl<'a> Seeker<'a> {
    fn new(walker: Walker, start: u64, cuts: &'a [u64]) -> Self {
        Self { walker, first_after: start + 1, cuts, way: Way { first: None, ends: Vec::new(), inside: false } }
    }

    /// The next place whose boundary is not known.
    fn wanted(&self) -> Option<u64> {
        if self.way.first.is_none() { Some(self.first_after) } else { self.cuts.get(self.way.ends.len()).copied() }
    }

    fn feed(&mut self, bytes: &[u8], offset: u64) {
        let mut at = 0;
        while at < bytes.len() {
            // A boundary may be the cut itself, so its newline may be the byte before.
            let from = self.wanted().map_or(u64::MAX, |cut| (cut - 1).saturating_sub(offset));
            let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
            if from > at {
                self.walker.skip(bytes, at, from);
                at = from;
                continue;
            }
            let Some(end) = self.walker.next_line(bytes, at) else { return };
            at = end;
            self.found(offset + end as u64);
        }
    }

    fn found(&mut self, boundary: u64) {
        self.way.first.get_or_insert(boundary);
        while self.cuts.get(self.way.ends.len()).is_some_and(|cut| *cut <= boundary) {
            self.way.ends.push(Some(boundary));
        }
    }

    fn finish(mut self, cuts: usize) -> Way {
        self.way.ends.resize(cuts, None);
        self.way.inside = !self.walker.at_line_start();
        self.way
    }
}

/// The byte after the first newline at or after `from - 1`, read through `window`; the window then starts there.
fn after_newline(window: &mut Window, source: &mut Source, from: u64) -> Result<()> {
    loop {
        window.fill(source, from)?;
        if let Some(newline) = memchr::memchr(b'\n', window.bytes()) {
            window.consume(newline + 1);
            return Ok(());
        }
        window.clear();
        if window.ended() {
            return Ok(());
        }
    }
}

/// `None`: the segment has no newline where it could start; the one before goes on through it.
fn walk_segment(file: &FileInfo, dialect: &Dialect, range: Range<u64>, cuts: &[u64]) -> Result<Option<Segment>> {
    let first = range.start == file.data_start;
    let mut source = Source::open(&file.path, file.size, file.compression, range.start.saturating_sub(1)..range.end)?;
    let mut window = Window::at(if first { range.start } else { range.start - 1 });
    if !first {
        after_newline(&mut window, &mut source, range.start)?;
    }
    let start = window.offset();
    if start >= range.end && !first {
        return Ok(None);
    }
    let from = cuts.partition_point(|cut| *cut <= start);
    // Where the next segment starts; a segment at the end of the file has no next one.
    let mut end = None;
    let mut seekers = [Seeker::new(Walker::new(dialect), start, &cuts[from..]), Seeker::new(Walker::inside(dialect), start, &cuts[from..])];
    while end.is_none() {
        window.fill(&mut source, range.end)?;
        let (bytes, offset) = (window.bytes(), window.offset());
        let search = usize::try_from((range.end - 1).saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let newline = memchr::memchr(b'\n', &bytes[search..]).map(|at| search + at + 1);
        let to = newline.unwrap_or(bytes.len());
        seekers.iter_mut().for_each(|seeker| seeker.feed(&bytes[..to], offset));
        if newline.is_some() || window.ended() {
            end = Some(offset + to as u64);
        }
        window.clear();
    }
    let until = cuts.partition_point(|cut| end.is_some_and(|end| *cut <= end)).max(from);
    Ok(Some(Segment { cuts: from..until, ways: seekers.map(|seeker| seeker.finish(until - from)) }))
}

fn walk_file(file: &FileInfo, dialect: &Dialect, cuts: &[u64]) -> Result<Segment> {
    let mut ends: Vec<Option<u64>> = Vec::new();
    lines(file, dialect, file.data_start, &mut |_, end, _| {
        while cuts.get(ends.len()).is_some_and(|cut| *cut <= end) {
            ends.push(Some(end));
        }
        if ends.len() == cuts.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    ends.resize(cuts.len(), None);
    let way = || Way { first: None, ends: ends.clone(), inside: false };
    Ok(Segment { cuts: 0..cuts.len(), ways: [way(), way()] })
}

/// Follows the segments of a file from its start. A cut without a boundary after it moves to the file's end.
fn chain<'a>(segments: impl Iterator<Item = &'a Segment>, cuts: usize, size: u64) -> Vec<u64> {
    let mut found = vec![size; cuts];
    let (mut inside, mut open) = (false, Vec::new());
    for segment in segments {
        let way = &segment.ways[usize::from(inside)];
        if let Some(first) = way.first {
            open.drain(..).for_each(|cut: usize| found[cut] = first);
        }
        for (cut, end) in segment.cuts.clone().zip(&way.ends) {
            match end {
                Some(end) => found[cut] = *end,
                None => open.push(cut),
            }
        }
        inside = way.inside;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::cut;
    use proptest::prelude::*;

    /// The slow way: one walk over everything.
    fn expected(bytes: &[u8], dialect: &Dialect, cuts: &[u64]) -> Vec<u64> {
        let (mut walker, mut ends, mut at) = (Walker::new(dialect), Vec::new(), 0);
        while let Some(end) = walker.next_line(bytes, at) {
            ends.push(end as u64);
            at = end;
        }
        cuts.iter().map(|cut| ends.iter().copied().find(|end| end >= cut).unwrap_or(bytes.len() as u64)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn segments_and_threads_change_nothing(
            bytes in prop::collection::vec(prop::sample::select(b"ab,#\n\n\"\"".to_vec()), 1..120),
            blocksize in 1u64..40, segment in 1u64..40, threads in 1usize..4, comments: bool,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.csv").to_string_lossy().into_owned();
            std::fs::write(&path, &bytes).unwrap();
            let dialect = Dialect { comment: comments.then(|| "#".to_owned()), ..Dialect::default() };
            let file = FileInfo { path, size: bytes.len() as u64, compression: Default::default(), version: String::new(), text_start: 0, data_start: 0 };
            let cuts = expected(&bytes, &dialect, &cut::nominal(&file, blocksize));
            let mut blocks = Vec::new();
            cut::append(&mut blocks, 0, &file, &cuts, true);
            let table = Table::of(vec![file], dialect);
            prop_assert_eq!(exact_blocks_by(&table, blocksize, threads, segment).unwrap(), blocks);
        }
    }
}
