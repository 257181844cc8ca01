//! Rows that were picked out of a frame let go of the text of the others.
//!
//! polars shares the bytes of text between a column and what is picked from it, so a few rows can keep a whole partition in memory that
//! everybody takes to be gone. Whatever hands out few of many rows goes through here. It changes no value.

use partita_graph::Failure;
use polars::prelude::*;

use super::expr::polars_failure;

/// Text of so many bytes is not worth a copy.
const SMALL: usize = 16 << 10;

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
            wasteful.then(|| StringChunked::from_chunk_iter(name, text.downcast_iter().map(|array| array.clone().gc())).into_column())
        }
        DataType::Binary => {
            let bytes = column.binary().ok()?;
            let wasteful = bytes.downcast_iter().any(|array| mostly_others(array.total_buffer_len(), array.total_bytes_len()));
            wasteful.then(|| BinaryChunked::from_chunk_iter(name, bytes.downcast_iter().map(|array| array.clone().gc())).into_column())
        }
        _ => None,
    }
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
}
