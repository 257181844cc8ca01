//! `drop`: the frame without some columns.

use polars::prelude::{Expr, col};

use crate::frame::DFrame;
use crate::frame::expr::column_not_found;
use crate::frame::ops::select::Select;

impl DFrame {
    /// The frame without these columns.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("a" => [1], "b" => [2], "c" => [3])?, 1);
    /// assert_eq!(frame.drop(["a", "c"]).columns()?, ["b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a name that is no column.
    #[track_caller]
    pub fn drop<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> DFrame {
        let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_string()).collect();
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, ".drop(…)"),
        };
        if let Some(missing) = names.iter().find(|name| !schema.contains(name)) {
            return DFrame::failed(column_not_found(missing, schema), ".drop(…)");
        }
        let kept = schema.iter_names().filter(|name| !names.iter().any(|dropped| dropped == name.as_str()));
        let exprs: Vec<Expr> = kept.map(|name| col(name.clone())).collect();
        DFrame::then(Select { exprs }, vec![self.clone()], ".drop(…)")
    }
}
