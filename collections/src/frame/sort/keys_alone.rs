//! Keys read alone, where all rows would not fit: borders are found in the key columns, and the rows are read when they are split.
//!
//! Otherwise every partition waits, in memory or on disk, until the samples of all are there. Invariant: the keys come in the same
//! partitions and rows as the frame, because the same reader is cut in the same places.

use partita_graph::Failure;

use super::order::By;
use crate::frame::DFrame;
use crate::frame::expr::columns_of_all;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::rewrite::rewrite;
use crate::frame::shuffle::named;
use crate::frame::size::size_of;

/// The key columns of a frame in layers of their own; `None` where the frame fits into memory or is dear to make twice.
pub(super) fn keys_alone(frame: &DFrame, by: &By, partitions: u32, lowering: &mut Lowering) -> Result<Option<Lowered>, Failure> {
    let fits = size_of(frame).is_none_or(|size| size.bytes < crate::client::planned_memory() / 2);
    if fits || !is_read_cheaply(frame) {
        return Ok(None);
    }
    let keys = rewrite(&frame.select(named(columns_of_all(&by.keys))))?;
    let lowered = lowering.frame_of_ours(keys)?;
    Ok(Some(lowered).filter(|keys| keys.partitions == partitions))
}

/// Whether a frame is files, or rows in memory, and what a filter or expressions make of each row.
fn is_read_cheaply(frame: &DFrame) -> bool {
    let step = &frame.node().step;
    match &frame.node().inputs[..] {
        [] => step.persisted().is_none(),
        [input] => (step.is_row_by_row() || step.predicate().is_some()) && is_read_cheaply(input),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Executor, Serial};
    use polars::df;
    use polars::prelude::{SortMultipleOptions, col, lit};

    #[test]
    fn frames_that_are_files_and_rows_are_read_twice() {
        let rows = DFrame::from_polars(df!("k" => [3i64, 1, 2], "x" => [1i64, 2, 3]).expect("columns"), 3);
        assert!(is_read_cheaply(&rows.filter(col("x").gt(lit(1i64))).with_columns([(col("k") + lit(1i64)).alias("y")])));
        assert!(!is_read_cheaply(&rows.sort(["k"])) && !is_read_cheaply(&DFrame::concat([rows.clone(), rows.clone()])));
        let executor: &dyn Executor = &Serial::new(crate::operator_registry());
        assert!(!is_read_cheaply(&rows.persist_on(executor).expect("rows in memory")));
    }

    #[test]
    fn what_fits_is_made_once() {
        let rows = DFrame::from_polars(df!("k" => [3i64, 1, 2]).expect("a column"), 3);
        let by = By::new(vec![col("k")], &SortMultipleOptions::default()).expect("one key");
        let mut lowering = Lowering::default();
        assert!(keys_alone(&rows, &by, 3, &mut lowering).expect("a small frame").is_none() && lowering.graph.layers.is_empty());
    }
}
