//! Rows that were picked out of a frame let go of the text of the others.
//!
//! polars shares the bytes of text between a column and what is picked from it, so a few rows can keep a whole partition in memory that
//! everybody takes to be gone. Whatever hands out few of many rows goes through here. It changes no value.

use partita_graph::Failure;
use polars::prelude::*;
use polars_arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use polars_buffer::Buffer;

use super::expr::polars_failure;

/// Text of so many bytes is not worth a copy.
const SMALL: usize = 16 << 10;
/// Texts of so many bytes are long: to look at their characters once more costs little beside copying them.
const LONG: usize = 128;

/// The frame with text of its own where most of the text that it holds on to belongs to other rows. Text inside lists and structs is
/// left as it is.
pub(crate) fn compact(frame: DataFrame) -> Result<DataFrame, Failure> {
    if !frame.columns().iter().any(|column| matches!(column.dtype(), DataType::String | DataType::Binary)) {
        return Ok(frame);
    }
    let columns = frame.columns().iter().map(|column| compacted(column).unwrap_or_else(|| column.clone())).collect();
    DataFrame::new(frame.height(), columns).map_err(|e| polars_failure(e, None))
}

/// The column with bytes of its own, where that saves at least half of them; `None` where it does not.
pub(crate) fn compacted(column: &Column) -> Option<Column> {
    let name = column.name().clone();
    match column.dtype() {
        DataType::String => {
            let text = column.str().ok()?;
            let wasteful = text.downcast_iter().any(|array| mostly_others(array.total_buffer_len(), array.total_bytes_len()));
            wasteful.then(|| StringChunked::from_chunk_iter(name, text.downcast_iter().map(alone)).into_column())
        }
        DataType::Binary => {
            let bytes = column.binary().ok()?;
            let wasteful = bytes.downcast_iter().any(|array| mostly_others(array.total_buffer_len(), array.total_bytes_len()));
            wasteful.then(|| BinaryChunked::from_chunk_iter(name, bytes.downcast_iter().map(alone)).into_column())
        }
        _ => None,
    }
}

/// The values with bytes of their own. Polars copies them into pieces of which each is twice as large as the one before, and up to half of that
/// is room that nobody counts; long ones are copied into one piece of their size.
fn alone<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> BinaryViewArrayGeneric<T> {
    let used = array.total_bytes_len();
    let in_one_piece = u32::try_from(used).is_ok() && used / LONG >= array.len();
    if !in_one_piece {
        return array.clone().gc();
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(used);
    let own = |value: Option<&T>| {
        let Some(value) = value.map(T::to_bytes) else { return View::default() };
        let view = View::new_from_bytes(value, 0, bytes.len() as u32);
        if !view.is_inline() {
            bytes.extend_from_slice(value);
        }
        view
    };
    let views: Vec<View> = array.iter().map(own).collect();
    let piece: Buffer<u8> = bytes.into();
    let copied = BinaryViewArrayGeneric::try_new(array.dtype().clone(), views.into(), Buffer::from(vec![piece]), array.validity().cloned());
    copied.unwrap_or_else(|_| array.clone().gc())
}

fn mostly_others(held: usize, used: usize) -> bool {
    held > SMALL && held / 2 > used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(frame: &DataFrame) -> usize {
        let text = frame.column("t").and_then(|column| column.str()).expect("a column of text");
        text.downcast_iter().map(|array| array.total_buffer_len()).sum()
    }

    #[test]
    fn few_rows_do_not_keep_the_text_of_all() {
        let texts: Vec<String> = (0..10_000).map(|i| format!("a text that is longer than a view holds: {i}")).collect();
        let whole = df!("t" => texts, "x" => (0..10_000).collect::<Vec<i32>>()).expect("columns of one length");
        let few = whole.slice(17, 3);
        assert!(held(&few) > 100_000, "polars shares: {}", held(&few));
        let compacted = compact(few.clone()).expect("text can be copied");
        assert!(held(&compacted) < 1000, "{}", held(&compacted));
        assert_eq!(compacted, few);
        let all = compact(whole.clone()).expect("nothing to do");
        assert_eq!((held(&all), &all), (held(&whole), &whole));
    }
    #[test]
    fn long_texts_are_held_in_one_piece_of_their_size() {
        let texts: Vec<Option<String>> = (0..600usize).map(|i| (i % 7 != 3).then(|| format!("ä{i}").repeat(i % 5 * 100))).collect();
        let binary: Vec<Option<&[u8]>> = texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect();
        let columns = vec![Column::new("t".into(), &texts), Column::new("b".into(), binary)];
        let whole = DataFrame::new(600, columns).expect("columns of one length");
        let few = whole.slice(100, 60);
        let compacted = compact(few.clone()).expect("text can be copied");
        assert!(compacted.equals_missing(&few), "{compacted}\n{few}");
        let text = compacted.column("t").and_then(|column| column.str()).expect("a column of text");
        let pieces: Vec<usize> = text.downcast_iter().flat_map(|array| array.data_buffers().iter().map(|piece| piece.len())).collect();
        // Texts of up to 12 bytes stand in the views.
        let used: usize = texts[100..160].iter().flatten().map(String::len).filter(|length| *length > 12).sum();
        assert_eq!(pieces, [used]);
        let bytes = compacted.column("b").and_then(|column| column.binary()).expect("a column of bytes");
        assert_eq!(bytes.downcast_iter().map(|array| array.data_buffers().len()).sum::<usize>(), 1);
    }
}
