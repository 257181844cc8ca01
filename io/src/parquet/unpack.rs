//! Pages unpacked before they are decoded, as if they had been stored so.
//!
//! The decoder makes a context for each column of each row group, which asks the processor what it can do, and clears the memory that it
//! unpacks into. It refuses to judge: what it does not understand stays packed, and the decoder says what is wrong. Invariant: pages
//! without a wanted row are not unpacked, and their number of rows stays.

use std::cell::RefCell;
use std::io::Cursor;
use std::ops::Range;

use polars_buffer::Buffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::read::Filter;
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use zstd::bulk::Decompressor;

use super::layout::Leaf;

/// Headers are shorter than this without statistics, and no header is longer than the other.
const SHORT_HEADER: usize = 64;
const LONG_HEADER: usize = 1 << 20;

thread_local! {
    static CONTEXT: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// A page where it stands.
struct Page {
    header: PageHeader,
    body: Range<usize>,
    wanted: bool,
}

/// The pages of a leaf up to the last wanted row. `filter` says which rows of a flat column are wanted; without it all pages are.
pub(super) fn unpacked(bytes: &Buffer<u8>, leaf: &Leaf, filter: Option<&Filter>) -> Option<Buffer<u8>> {
    // Which pages a predicate looks at is seen when the list of values is there.
    if leaf.codec != Compression::Zstd || matches!(filter, Some(Filter::Predicate(_))) {
        return None;
    }
    let pages = pages(bytes, usize::try_from(leaf.values).ok()?, filter)?;
    let size = |page: &Page| SHORT_HEADER + if page.wanted { unpacked_size(&page.header).unwrap_or(0) } else { 0 };
    let mut out = Vec::new();
    out.try_reserve_exact(pages.iter().map(size).sum()).ok()?;
    CONTEXT.with_borrow_mut(|context| {
        let context = context.as_mut()?;
        pages.into_iter().try_for_each(|page| page.unpack(bytes, context, &mut out))
    })?;
    Some(Buffer::from_vec(out))
}

fn unpacked_size(header: &PageHeader) -> Option<usize> {
    usize::try_from(header.uncompressed_page_size).ok()
}

fn pages(bytes: &[u8], values: usize, filter: Option<&Filter>) -> Option<Vec<Page>> {
    let end = match filter {
        Some(Filter::Range(range)) => range.end.min(values),
        Some(Filter::Mask(mask)) => mask.len() - mask.trailing_zeros(),
        Some(Filter::Predicate(_)) | None => values,
    };
    let wants = |rows: Range<usize>| match filter {
        Some(Filter::Range(range)) => rows.start.max(range.start) < rows.end.min(range.end),
        Some(Filter::Mask(mask)) => mask.clone().sliced(rows.start, rows.len().min(mask.len() - rows.start)).set_bits() > 0,
        Some(Filter::Predicate(_)) | None => true,
    };
    let (mut pages, mut at, mut row) = (Vec::new(), 0, 0);
    while row < end {
        let mut rest = bytes.get(at..)?;
        let before = rest.len();
        let header = PageHeader::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut rest, LONG_HEADER)).ok()?;
        let start = at + before - rest.len();
        let body = start..start.checked_add(usize::try_from(header.compressed_page_size).ok()?)?;
        bytes.get(body.clone())?;
        let rows = match (&header.dictionary_page_header, &header.data_page_header, &header.data_page_header_v2) {
            (Some(_), None, None) if pages.is_empty() => None,
            (None, Some(page), None) => Some(page.num_values),
            (None, None, Some(page)) => Some(page.num_values),
            _ => return None,
        };
        let rows = rows.map(|rows| usize::try_from(rows).ok()).map_or(Some(None), |rows| rows.map(Some))?;
        let wanted = rows.is_none_or(|rows| wants(row..row + rows));
        row += rows.unwrap_or(0);
        at = body.end;
        pages.push(Page { header, body, wanted });
    }
    Some(pages)
}

impl Page {
    fn unpack(self, bytes: &[u8], context: &mut Decompressor<'_>, out: &mut Vec<u8>) -> Option<()> {
        let Self { mut header, body, wanted } = self;
        let size = if wanted { unpacked_size(&header)? } else { 0 };
        header.compressed_page_size = i32::try_from(size).ok()?;
        header.crc = None;
        // Levels of the second version stand before what is packed.
        let (mut levels, mut packed) = (0, true);
        if let Some(page) = &mut header.data_page_header_v2 {
            let [repeated, defined] = [page.repetition_levels_byte_length, page.definition_levels_byte_length].map(usize::try_from);
            levels = repeated.ok()?.checked_add(defined.ok()?)?;
            packed = page.is_compressed.replace(false).unwrap_or(true);
        }
        header.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut *out)).ok()?;
        if !wanted {
            return Some(());
        }
        let (levels, values) = bytes.get(body)?.split_at_checked(levels)?;
        out.extend_from_slice(levels);
        let left = size.checked_sub(levels.len())?;
        let end = out.len() + left;
        out.try_reserve(left).ok()?;
        match packed && !values.is_empty() {
            true => {
                let mut free = Cursor::new(&mut *out);
                free.set_position((end - left) as u64);
                context.decompress_to_buffer(values, &mut free).ok()?;
            }
            false => out.extend_from_slice(values),
        }
        (out.len() == end).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use polars_arrow::bitmap::Bitmap;
    use polars_parquet_format::{DataPageHeader, DataPageHeaderV2, DictionaryPageHeader, Encoding, PageType};

    use super::*;

    const PLAIN: Encoding = Encoding(0);

    fn page(header: &PageHeader, body: &[u8], out: &mut Vec<u8>) {
        header.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut *out)).unwrap();
        out.extend_from_slice(body);
    }

    fn header(kind: i32, size: usize, packed: usize) -> PageHeader {
        PageHeader {
            type_: PageType(kind),
            uncompressed_page_size: size as i32,
            compressed_page_size: packed as i32,
            crc: Some(7),
            data_page_header: None,
            index_page_header: None,
            dictionary_page_header: None,
            data_page_header_v2: None,
        }
    }

    /// A list of values, a page of the first version with ten rows, one of the second with twenty.
    fn leaf() -> (Vec<u8>, [Vec<u8>; 3], Leaf) {
        let texts = [b"listed values".to_vec(), b"rows of the first page ".repeat(9), b"rows of the second page ".repeat(99)];
        let pack = |text: &[u8]| zstd::bulk::compress(text, 3).unwrap();
        let mut bytes = Vec::new();
        let packed = pack(&texts[0]);
        let list = DictionaryPageHeader { num_values: 3, encoding: PLAIN, is_sorted: None };
        page(&PageHeader { dictionary_page_header: Some(list), ..header(2, texts[0].len(), packed.len()) }, &packed, &mut bytes);
        let packed = pack(&texts[1]);
        let first = DataPageHeader {
            num_values: 10,
            encoding: PLAIN,
            definition_level_encoding: PLAIN,
            repetition_level_encoding: PLAIN,
            statistics: None,
        };
        page(&PageHeader { data_page_header: Some(first), ..header(0, texts[1].len(), packed.len()) }, &packed, &mut bytes);
        let packed = [&texts[2][..4], &pack(&texts[2][4..])].concat();
        let second = DataPageHeaderV2 {
            num_values: 20,
            num_nulls: 0,
            num_rows: 20,
            encoding: PLAIN,
            definition_levels_byte_length: 3,
            repetition_levels_byte_length: 1,
            is_compressed: None,
            statistics: None,
        };
        page(&PageHeader { data_page_header_v2: Some(second), ..header(3, texts[2].len(), packed.len()) }, &packed, &mut bytes);
        let length = bytes.len() as u64;
        (bytes, texts, Leaf { codec: Compression::Zstd, values: 30, start: 4, length, lists_values: true })
    }

    /// The bodies of pages that are not packed.
    fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut rest, mut found) = (bytes, Vec::new());
        while !rest.is_empty() {
            let header = PageHeader::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut rest, LONG_HEADER)).unwrap();
            assert!(header.data_page_header_v2.is_none_or(|page| page.is_compressed == Some(false)));
            let body;
            (body, rest) = rest.split_at(header.compressed_page_size as usize);
            found.push(body.to_vec());
        }
        found
    }

    #[test]
    fn pages_with_wanted_rows_are_unpacked() {
        let (bytes, [list, first, second], leaf) = leaf();
        let none = Vec::new();
        let mask = |rows: Range<usize>| Filter::new_masked((0..30).map(|row| rows.contains(&row)).collect::<Bitmap>());
        let cases = [
            (None, vec![&list, &first, &second]),
            (Some(Filter::new_ranged(0, 30)), vec![&list, &first, &second]),
            (Some(Filter::new_ranged(3, 10)), vec![&list, &first]),
            (Some(Filter::new_ranged(10, 12)), vec![&list, &none, &second]),
            (Some(mask(9..11)), vec![&list, &first, &second]),
            (Some(mask(0..10)), vec![&list, &first]),
            (Some(mask(29..30)), vec![&list, &none, &second]),
        ];
        for (at, (filter, expected)) in cases.into_iter().enumerate() {
            let found = unpacked(&Buffer::from_vec(bytes.clone()), &leaf, filter.as_ref()).unwrap();
            assert_eq!(bodies(&found).iter().collect::<Vec<_>>(), expected, "case {at}");
        }
    }

    #[test]
    fn what_is_damaged_or_packed_otherwise_stays_as_it_is() {
        let (bytes, _, leaf) = leaf();
        let stays = |bytes: &[u8], leaf: &Leaf| unpacked(&Buffer::from_vec(bytes.to_vec()), leaf, None).is_none();
        assert!(stays(&bytes, &Leaf { codec: Compression::Snappy, ..leaf.clone() }));
        assert!(stays(&bytes, &Leaf { values: 31, ..leaf.clone() }));
        for end in 0..bytes.len() {
            assert!(stays(&bytes[..end], &leaf), "cut at {end}");
        }
        for at in 0..bytes.len() {
            // Whatever a wrong byte says, nothing panics.
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x55;
            let _ = unpacked(&Buffer::from_vec(wrong), &leaf, None);
        }
    }
}
