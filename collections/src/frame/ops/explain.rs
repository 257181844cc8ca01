//! `explain` and `visualize`: what will run.

use std::fmt::Write;
use std::path::Path;

use partita_graph::Failure;

use crate::frame::DFrame;
use crate::frame::lower::{plan, plan_with_sizes};
use crate::frame::size::shown_size;

impl DFrame {
    /// The plan as text: the steps as written and after rewriting, each with the rows and bytes that it is likely to give where those can
    /// be guessed (`about`; `perhaps` where a function such as that of [`DFrame::map_partitions`] may have made any number of rows of as many as
    /// are shown; what was persisted was counted), and the layers of tasks, the last of what each step became with the same guess. A step that does not fit gives its failure as text. What ran in fact and how long it took:
    /// [`DFrame::explain_analyze`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a"], "x" => [1])?, 1).group_by(["k"]).sum();
    /// assert!(frame.explain().contains("group_by k agg x.sum()"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self) -> String {
        match plan_with_sizes(self) {
            Ok(plan) => {
                let (written, rewritten) = (self.steps(), plan.rewritten.steps());
                let rewritten = if written == rewritten { String::new() } else { format!("rewritten\n{rewritten}\n") };
                format!("steps\n{written}\n{rewritten}layers\n{}", plan.graph.explain())
            }
            Err(failure) => failure.to_string(),
        }
    }

    /// Draws the layers of tasks into a file: `.svg`, `.html`, `.dot` or `.mmd`, by its extension. Needs no other program.
    ///
    /// # Errors
    /// A step that does not fit, another extension, a file that cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        plan(self)?.graph.visualize(path)
    }

    /// The steps, last first.
    pub(crate) fn steps(&self) -> String {
        let mut text = String::new();
        self.write_steps(1, &mut text);
        text
    }

    fn write_steps(&self, depth: usize, text: &mut String) {
        let size = shown_size(self).map(|size| format!("  {size}"));
        let line = self.node().step.line();
        writeln!(text, "{:width$}{line}{}", "", size.unwrap_or_default(), width = depth * 2).expect("text takes everything");
        for input in &self.node().inputs {
            input.write_steps(depth + 1, text);
        }
    }
}
