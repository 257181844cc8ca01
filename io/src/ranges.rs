//! Ranges of one file, fetched together: near ones in one request, several requests at a time.
//!
//! It refuses to know what the bytes mean. Invariant: each range comes back whole and in the order in which it was asked for, or the
//! file is named in an error.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use polars_buffer::Buffer;

use crate::blocking::{self, Pending};
use crate::compress::Compression;
use crate::damage::damaged;
use crate::error::Result;
use crate::source::Source;
use crate::store::{Address, Remote, address, get, store_error, unreadable};

/// Ranges nearer than this are read as one: on a disk because a read costs about as much as so many bytes.
const DISK_GAP: u64 = 64 << 10;
/// From a store because a round trip costs as much.
const STORE_GAP: u64 = 1 << 20;
/// Joined ranges are not larger than this, so that large ones stay requests of their own.
const JOINED: u64 = 16 << 20;
/// Requests under way at a time for one call.
const REQUESTS: usize = 8;

/// The bytes of each range of a file of `size` bytes.
///
/// # Errors
/// `Damaged` for a range that does not lie in the file; what the storage gives.
pub(crate) fn fetch(name: &str, size: u64, ranges: &[Range<u64>]) -> Result<Vec<Buffer<u8>>> {
    if let Some(wrong) = ranges.iter().find(|range| range.start > range.end || range.end > size) {
        let what = format!("bytes {} to {} should hold data, and the file has {size} bytes", wrong.start, wrong.end);
        return Err(damaged(name, Some(wrong.start), what));
    }
    let (spans, bytes) = match address(name)? {
        Address::Local(_) => {
            let spans = join(ranges, DISK_GAP);
            let mut source = Source::open(name, size, Compression::None, 0..0)?;
            let bytes = spans.iter().map(|span| source.copy(span.clone()).map(Buffer::from_vec)).collect::<Result<Vec<_>>>()?;
            (spans, bytes)
        }
        Address::Remote(remote) => {
            let spans = join(ranges, STORE_GAP);
            let bytes = from_store(name, &remote, &spans)?;
            (spans, bytes)
        }
    };
    let piece = |range: &Range<u64>| {
        if range.is_empty() {
            return Buffer::default();
        }
        let span = spans.partition_point(|span| span.start <= range.start) - 1;
        let start = (range.start - spans[span].start) as usize;
        bytes[span].clone().sliced(start..start + (range.end - range.start) as usize)
    };
    Ok(ranges.iter().map(piece).collect())
}

/// Spans in ascending order, without overlap, that cover all ranges; each range lies in the last span that starts at or before it.
fn join(ranges: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match spans.last_mut() {
            // What overlaps must be joined, whatever the size.
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            Some(last) if range.start - last.end <= gap && range.end - last.start <= JOINED => last.end = range.end,
            _ => spans.push(range),
        }
    }
    spans
}

fn from_store(name: &str, remote: &Remote, spans: &[Range<u64>]) -> Result<Vec<Buffer<u8>>> {
    let mut asked: VecDeque<Pending<object_store::Result<Bytes>>> = VecDeque::new();
    let mut next = spans.iter();
    let mut fetched = Vec::with_capacity(spans.len());
    for span in spans {
        while asked.len() < REQUESTS {
            let Some(ahead) = next.next() else { break };
            asked.push_back(blocking::start(get(remote.store.clone(), remote.path(), ahead.clone())));
        }
        let pending = asked.pop_front().expect("each span is asked for before it is waited for");
        let bytes = pending.wait().map_err(|error| store_error(name, error))?;
        if bytes.len() as u64 != span.end - span.start {
            return Err(unreadable(name, "it became shorter while it was read"));
        }
        fetched.push(Buffer::from_owner(bytes));
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn near_ranges_are_joined_and_far_ones_are_not() {
        let joined = |ranges: &[Range<u64>]| join(ranges, 10);
        assert_eq!(joined(&[0..5, 10..20, 40..50]), [0..20, 40..50]);
        assert_eq!(joined(&[40..50, 0..5, 5..5, 4..12]), [0..12, 40..50]);
        assert_eq!(join(&[0..JOINED, JOINED..JOINED + 1], 10), [0..JOINED, JOINED..JOINED + 1]);
        assert!(joined(&[]).is_empty());
    }

    #[test]
    fn ranges_of_files_and_objects_in_the_order_asked_for() {
        let content: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes").to_string_lossy().into_owned();
        for name in [path.as_str(), "memory://ranges/bytes"] {
            crate::put(name, content.clone()).unwrap();
            let ranges = [150_000..150_010, 3..7, 5..5, 0..100_000, 199_999..200_000];
            let found = fetch(name, content.len() as u64, &ranges).unwrap();
            for (range, found) in ranges.iter().zip(found) {
                assert_eq!(&*found, &content[range.start as usize..range.end as usize], "{name} {range:?}");
            }
            let beyond = fetch(name, content.len() as u64, std::slice::from_ref(&(199_000..200_001))).unwrap_err();
            assert!(matches!(beyond.kind(), ErrorKind::Damaged { .. }), "{beyond:?}");
            assert!(fetch(name, content.len() as u64 + 10, std::slice::from_ref(&(199_000..200_001))).is_err(), "{name}");
        }
    }
}
