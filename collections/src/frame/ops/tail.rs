//! `tail`: the last rows, now.

use partita_graph::Failure;
use polars::prelude::DataFrame;

use crate::client::{Client, run};
use crate::frame::DFrame;
use crate::frame::expr::polars_failure;

impl DFrame {
    /// The last `n` rows. Computes the last partition, and more only when it has too few rows; how it is known where it begins in a CSV file
    /// says [`DFrame::partitions`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 4);
    /// assert_eq!(frame.tail(2)?, df!("x" => [3, 4])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn tail(&self, n: usize) -> Result<DataFrame, Failure> {
        let client = Client::current()?;
        let (mut frame, mut last): (DFrame, Option<DataFrame>) = (self.clone(), None);
        let (mut until, mut take) = (frame.npartitions()?, 1);
        while until > 0 {
            let from = until.saturating_sub(take);
            let (mut rows, advice) = run::compute_advised(&client, &frame.partitions(from..until))?;
            if !advice.is_empty() {
                // A reader guessed wrong: the partitions after these are others now, or their types are.
                frame = frame.advised(&advice);
                (last, until) = (None, frame.npartitions()?);
                continue;
            }
            if let Some(below) = &last {
                rows.vstack_mut(below).map_err(|e| polars_failure(e, None))?;
            }
            let enough = rows.height() >= n;
            last = Some(rows);
            if enough {
                break;
            }
            (until, take) = (from, take * 4);
        }
        match last {
            Some(rows) => Ok(rows.tail(Some(n))),
            None => Ok(DataFrame::empty_with_schema(self.resolved()?)),
        }
    }
}
