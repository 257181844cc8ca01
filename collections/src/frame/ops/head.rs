//! `head`: the first rows, now.

use partita_graph::Failure;
use polars::prelude::DataFrame;

use crate::client::{Client, run};
use crate::frame::DFrame;
use crate::frame::ops::slice::FirstOfEach;

impl DFrame {
    /// The first `n` rows. Computes the first partition, and more only when it has too few rows. Readers stop when they have so many rows
    /// of a partition, and of a sorted frame only the first rows are looked for.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 4);
    /// assert_eq!(frame.head(2)?, df!("x" => [1, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    #[track_caller]
    pub fn head(&self, n: usize) -> Result<DataFrame, Failure> {
        let client = Client::current()?;
        let mut begin = DFrame::then(FirstOfEach { rows: n as u64 }, vec![self.clone()], ".head(…)");
        let mut all = begin.npartitions()?;
        let mut first: Option<DataFrame> = None;
        let (mut from, mut take) = (0, 1);
        while from < all {
            let until = (from + take).min(all);
            let (rows, advice) = run::compute_advised(&client, &begin.partitions_after(from..until, true))?;
            if !advice.is_empty() {
                // A reader guessed wrong: the partitions before these are others now, or their types are.
                begin = begin.advised(&advice);
                (first, from, take, all) = (None, 0, until, begin.npartitions()?);
                continue;
            }
            first = Some(match first {
                None => rows,
                Some(above) => above.vstack(&rows).map_err(|e| crate::frame::expr::polars_failure(e, None))?,
            });
            if first.as_ref().is_some_and(|rows| rows.height() >= n) {
                break;
            }
            (from, take) = (until, take * 4);
        }
        match first {
            Some(rows) => Ok(rows.head(Some(n))),
            None => Ok(DataFrame::empty_with_schema(self.resolved()?)),
        }
    }
}
