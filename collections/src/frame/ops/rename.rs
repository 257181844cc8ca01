//! `rename`: other names for columns.

use polars::prelude::{Expr, col};

use crate::frame::DFrame;
use crate::frame::expr::column_not_found;
use crate::frame::ops::select::Select;

impl DFrame {
    /// The frame with columns renamed, each pair old name and new name. All other columns stay.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("a" => [1], "b" => [2])?, 1);
    /// assert_eq!(frame.rename([("a", "x")]).columns()?, ["x", "b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an old name that is no column, two columns of one name.
    #[track_caller]
    pub fn rename<A: AsRef<str>, B: AsRef<str>>(&self, pairs: impl IntoIterator<Item = (A, B)>) -> DFrame {
        let pairs: Vec<(String, String)> = pairs.into_iter().map(|(a, b)| (a.as_ref().into(), b.as_ref().into())).collect();
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, ".rename(…)"),
        };
        if let Some((missing, _)) = pairs.iter().find(|(old, _)| !schema.contains(old)) {
            return DFrame::failed(column_not_found(missing, schema), ".rename(…)");
        }
        let exprs = schema.iter_names().map(|name| match pairs.iter().find(|(old, _)| old == name.as_str()) {
            Some((_, new)) => col(name.clone()).alias(new.as_str()),
            None => col(name.clone()),
        });
        let exprs: Vec<Expr> = exprs.collect();
        DFrame::then(Select { exprs }, vec![self.clone()], ".rename(…)")
    }
}
