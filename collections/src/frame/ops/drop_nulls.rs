//! `drop_nulls`: the rows without nulls.

use polars::prelude::Expr;

use crate::frame::DFrame;
use crate::frame::expr::column_not_found;
use crate::frame::ops::filter::Filter;

impl DFrame {
    /// The rows without a null in any column.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [Some(1), None, Some(3)], "t" => [None, Some("b"), Some("c")])?, 2);
    /// assert_eq!(frame.drop_nulls().compute()?, df!("x" => [3], "t" => ["c"])?);
    /// assert_eq!(frame.drop_nulls_in(["x"]).len()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "dropna")]
    #[track_caller]
    pub fn drop_nulls(&self) -> DFrame {
        match self.columns() {
            Ok(names) => self.without_nulls(&names, ".drop_nulls()"),
            Err(failure) => DFrame::failed(failure, ".drop_nulls()"),
        }
    }

    /// The rows without a null in some columns.
    ///
    /// # Errors
    /// At `compute`: a name that is no column.
    #[track_caller]
    pub fn drop_nulls_in<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> DFrame {
        let names: Vec<String> = columns.into_iter().map(|name| name.as_ref().to_string()).collect();
        self.without_nulls(&names, ".drop_nulls_in(…)")
    }

    #[track_caller]
    fn without_nulls(&self, names: &[String], method: &str) -> DFrame {
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, method),
        };
        if let Some(missing) = names.iter().find(|name| !schema.contains(name)) {
            return DFrame::failed(column_not_found(missing, schema), method);
        }
        let there = names.iter().map(|name| Expr::Column(name.as_str().into()).is_not_null());
        match there.reduce(Expr::and) {
            Some(predicate) => DFrame::then(Filter { predicate }, vec![self.clone()], method),
            None => self.clone(),
        }
    }
}
