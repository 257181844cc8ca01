//! `check`: is everything about this frame that can be known now, right?

use partita_graph::Failure;

use crate::frame::DFrame;

impl DFrame {
    /// Fails with what `compute` would refuse before sending any task: a column that does not exist, an expression that does not
    /// fit its types, an option that cannot be used. The failure names the line of the step.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("dep_delay" => [1, 2])?, 1);
    /// let failure = frame.filter(col("dep_dely").gt(lit(0))).check().unwrap_err();
    /// assert!(failure.to_string().contains("did you mean: `dep_delay`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn check(&self) -> Result<&Self, Failure> {
        self.resolved()?;
        Ok(self)
    }
}
