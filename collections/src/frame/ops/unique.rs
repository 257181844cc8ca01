//! `unique`: one row of each key.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::compact::compact;
use crate::frame::expr::{Names, column_not_found, columns_of, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::concat::stack;
use crate::frame::shuffle::keys::check_keys;
use crate::frame::shuffle::{named, spread};
use crate::frame::size::{parts_for_keys, parts_for_rows, size_of};
use crate::frame::value::chunk_of;
use crate::frame::{Admission, DFrame, Node, Step};

impl DFrame {
    /// The different rows, each once: the first of equal ones. Null equals null, and NaN equals NaN.
    ///
    /// Rows keep their order as long as the result is one partition; a result that is likely to be large comes in several, by hash, and
    /// keeps it within each.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 1])?, 3);
    /// assert_eq!(frame.unique().compute()?, df!("k" => ["a", "b"], "x" => [1, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn unique(&self) -> DFrame {
        match self.columns() {
            Ok(columns) => self.unique_by(columns, UniqueKeepStrategy::Any, ".unique()"),
            Err(failure) => DFrame::failed(failure, ".unique()"),
        }
    }

    /// One row for each combination of values in some columns: the first or the last of them in row order (`Any` is the first), or, with
    /// `UniqueKeepStrategy::None`, only the rows whose combination is there once. The order is that of [`DFrame::unique`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?, 3);
    /// let last = frame.unique_with(["k"], UniqueKeepStrategy::Last);
    /// assert_eq!(last.compute()?, df!("k" => ["b", "a"], "x" => [2, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a name that is no column, no name at all.
    #[doc(alias = "drop_duplicates")]
    #[track_caller]
    pub fn unique_with<S: AsRef<str>>(&self, subset: impl IntoIterator<Item = S>, keep: UniqueKeepStrategy) -> DFrame {
        let subset = subset.into_iter().map(|name| name.as_ref().to_string()).collect();
        self.unique_by(subset, keep, ".unique_with(…)")
    }

    /// [`DFrame::unique_with`], as Dask and pandas call it.
    #[track_caller]
    pub fn drop_duplicates<S: AsRef<str>>(&self, subset: impl IntoIterator<Item = S>, keep: UniqueKeepStrategy) -> DFrame {
        let subset = subset.into_iter().map(|name| name.as_ref().to_string()).collect();
        self.unique_by(subset, keep, ".drop_duplicates(…)")
    }

    #[track_caller]
    fn unique_by(&self, subset: Vec<String>, keep: UniqueKeepStrategy, method: &str) -> DFrame {
        DFrame::then(Unique { subset, keep, method: method.into() }, vec![self.clone()], method)
    }
}

struct Unique {
    subset: Vec<String>,
    keep: UniqueKeepStrategy,
    method: String,
}

impl Unique {
    fn keys(&self) -> Vec<Expr> {
        named(self.subset.iter().map(String::as_str))
    }
}

impl Step for Unique {
    fn line(&self) -> String {
        let keep = match self.keep {
            UniqueKeepStrategy::First | UniqueKeepStrategy::Any => "first",
            UniqueKeepStrategy::Last => "last",
            UniqueKeepStrategy::None => "none",
        };
        format!("unique by {}, keep {keep}", self.subset.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        // The names are columns and no patterns, so they are looked up as they are.
        if let Some(missing) = self.subset.iter().find(|name| !inputs[0].contains(name)) {
            return Err(column_not_found(missing, &inputs[0]));
        }
        check_keys(&self.keys(), &inputs[0], &self.method)?;
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.iter().cloned().chain(self.subset.iter().map(|name| name.as_str().into())).collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // Rows that are equal in the subset pass or fail together.
        let of_keys = columns_of(predicate).iter().all(|name| self.subset.iter().any(|key| key == name.as_str()));
        match of_keys && !node.can_fail(predicate) {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        Some(columns.to_vec())
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let keys = self.keys();
        let op = OpRef::new(Distinct { subset: self.subset.clone(), keep: self.keep }, self.line());
        let alone = self.keep == UniqueKeepStrategy::None;
        if inputs[0].partitions == 1 {
            return Ok(lowering.add(Layer::single("unique", 1, op, vec![inputs[0].edge(Wiring::Each)]), node));
        }
        // What is there once in a partition may be there again in another: only all rows together tell which are alone.
        let level = match alone {
            true => inputs[0],
            false => lowering.add(Layer::single("distinct", inputs[0].partitions, op.clone(), vec![inputs[0].edge(Wiring::Each)]), node),
        };
        let parts = match alone {
            true => parts_for_rows(level.partitions, size_of(&node.inputs[0])),
            false => parts_for_keys(&node.inputs[0], &keys, level.partitions),
        };
        if parts == 1 && !alone {
            let level = lowering.gather("distinct", &op, level, node);
            return Ok(lowering.add(Layer::single("unique", 1, op, vec![level.edge(Wiring::Every)]), node));
        }
        if lowering.is_together(inputs[0], &keys) {
            return Ok(lowering.add(Layer::single("unique", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node));
        }
        let split = spread(&keys, parts, level, node, lowering);
        let unique = lowering.add(Layer::single("unique", parts, op, vec![split.edge(Wiring::Part)]), node);
        lowering.note_spread(unique, &keys);
        Ok(unique)
    }
}

/// One row of each key among all its inputs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Distinct {
    subset: Vec<String>,
    keep: UniqueKeepStrategy,
}

impl Operator for Distinct {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?;
        if rows.height() == 0 {
            return Ok(chunk_of(rows));
        }
        // One decimal alone is no key for polars as it is built here; two of them are, so it stands beside itself.
        let beside = match &self.subset[..] {
            [one] if rows.column(one).is_ok_and(|column| column.dtype().is_decimal()) => Some([one.clone(), one.clone()]),
            _ => None,
        };
        let subset = beside.as_ref().map_or(&self.subset[..], |both| &both[..]);
        let distinct = rows.unique_stable(Some(subset), self.keep, None).map_err(|e| polars_failure(e, None))?;
        compact(distinct).map(chunk_of)
    }
}

impl NamedOperator for Distinct {
    const NAME: &'static str = "distinct";
}
