//! In which order groups come, and whether categories without a row have one: what is done with the result of a group-by.
//!
//! It refuses to know how groups are aggregated. Invariant: groups that have rows keep their values; a group without rows has those that
//! the aggregates have of no rows.

use partita_graph::{Code, Failure};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;

use super::GroupBy;
use crate::frame::DFrame;
use crate::frame::expr::{on_polars_thread, polars_failure};
use crate::frame::join::Join;
use crate::frame::shuffle::named;

/// Marks the groups that have rows. Users cannot have such a name by accident.
const THERE: &str = "\u{1}there";
/// More groups without rows than these are a mistake.
const MOST: usize = 1 << 24;

impl GroupBy {
    /// Whether groups come sorted by their keys, nulls first. Default: no; see [`GroupBy`] for the order then. Of [`GroupBy::agg`],
    /// [`GroupBy::aggregate`] and the shortcuts.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["b", "a", "b"], "x" => [1, 2, 3])?, 3);
    /// assert_eq!(frame.group_by(["k"]).sort(true).sum().compute()?, df!("k" => ["a", "b"], "x" => [2, 4])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sort(mut self, sort: bool) -> Self {
        self.sorted = sort;
        self
    }

    /// Whether only groups that have rows come, which is the default. If not, each category of a key has a group, with each combination of the
    /// other keys that is there, and groups come sorted. An enumeration (`FrozenCategories`) has the categories that it was declared with;
    /// of other categories, which nobody knows before rows are read, those that some row of the frame has as this key. Of [`GroupBy::agg`],
    /// [`GroupBy::aggregate`] and the shortcuts.
    ///
    /// ```
    /// use partita::{polars::prelude::FrozenCategories, prelude::*};
    /// let sizes = DataType::from_frozen_categories(FrozenCategories::new(["small", "middle", "large"])?);
    /// let frame = DFrame::from_polars(df!("size" => ["large", "small", "large"], "x" => [1, 2, 3])?, 3);
    /// let counts = frame.cast([("size", sizes)]).group_by(["size"]).observed(false).len().cast([("size", DataType::String)]);
    /// assert_eq!(counts.compute()?, df!("size" => ["small", "middle", "large"], "len" => [1u32, 0, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: enumerations that have more than 16 million combinations of categories.
    pub fn observed(mut self, observed: bool) -> Self {
        self.unobserved = !observed;
        self
    }

    /// The result in the order and with the groups that were asked for. `of_none` aggregates rows of which there are none.
    #[track_caller]
    pub(super) fn laid_out(
        &self,
        result: DFrame,
        keys: &[Expr],
        of_none: impl FnOnce(LazyFrame) -> LazyFrame + Send,
        method: &str,
    ) -> DFrame {
        let names: Vec<PlSmallStr> = keys.iter().map(|key| expr_output_name(key).unwrap_or_default()).collect();
        if names.is_empty() || !(self.sorted || self.unobserved) || result.resolved().is_err() {
            return result;
        }
        let all = match self.unobserved {
            false => Ok(result),
            true => self.with_unobserved(&result, &names, of_none),
        };
        match all {
            Ok(all) => all.sort(named(names)),
            Err(failure) => DFrame::failed(failure, &format!(".group_by(…){method}")),
        }
    }

    #[track_caller]
    fn with_unobserved(
        &self,
        result: &DFrame,
        names: &[PlSmallStr],
        of_none: impl FnOnce(LazyFrame) -> LazyFrame + Send,
    ) -> Result<DFrame, Failure> {
        let schema = result.resolved()?;
        let is_enumeration = |name: &&PlSmallStr| matches!(schema.get(name.as_str()), Some(DataType::Enum(..)));
        let is_open = |name: &&PlSmallStr| matches!(schema.get(name.as_str()), Some(DataType::Categorical(..)));
        let (enumerations, others): (Vec<&PlSmallStr>, Vec<&PlSmallStr>) = names.iter().partition(is_enumeration);
        let (open, others): (Vec<&PlSmallStr>, Vec<&PlSmallStr>) = others.into_iter().partition(is_open);
        if enumerations.is_empty() && (open.is_empty() || names.len() == 1) {
            return Ok(result.clone());
        }
        let mut sides = Vec::new();
        if !others.is_empty() {
            sides.push(result.select(named(others.into_iter().cloned())).unique());
        }
        // Each category that a row has is the key of a group. Not in a closure, which would not know the caller's line.
        for name in open {
            sides.push(result.select(named([name.clone()])).drop_nulls().unique());
        }
        if !enumerations.is_empty() {
            sides.push(DFrame::from_polars(combinations(&enumerations, schema)?, 1));
        }
        let mut sides = sides.into_iter();
        let mut every = sides.next().ok_or_else(|| Failure::internal("a group-by without keys has no categories"))?;
        for side in sides {
            every = every.join(&side, Join::cross());
        }
        let keys = || named(names.iter().cloned());
        let there = result.with_columns([lit(true).alias(THERE)]);
        let both = every.select(keys()).join(&there, Join::full(keys()).nulls_equal(true));
        let none = DataFrame::empty_with_schema(self.frame.resolved()?).lazy();
        let none = on_polars_thread(|| of_none(none).collect()).map_err(|e| polars_failure(e, None))?;
        let columns = schema.iter_names().map(|name| match none.column(name).ok().filter(|column| column.len() == 1) {
            Some(value) if !names.contains(name) => {
                let scalar = Scalar::new(value.dtype().clone(), value.get(0).unwrap_or(AnyValue::Null).into_static());
                when(col(THERE).is_null()).then(lit(scalar)).otherwise(Expr::Column(name.clone())).alias(name.clone())
            }
            _ => Expr::Column(name.clone()),
        });
        Ok(both.select(columns.collect::<Vec<_>>()))
    }
}

/// All combinations of the categories of some columns.
fn combinations(enumerations: &[&PlSmallStr], schema: &Schema) -> Result<DataFrame, Failure> {
    let categories = |name: &&PlSmallStr| match schema.get(name.as_str()) {
        Some(DataType::Enum(categories, _)) => categories.categories().values_iter().map(str::to_string).collect(),
        _ => Vec::new(),
    };
    let categories: Vec<Vec<String>> = enumerations.iter().map(categories).collect();
    let rows = categories.iter().try_fold(1usize, |rows, each| rows.checked_mul(each.len()).filter(|rows| *rows <= MOST));
    let Some(rows) = rows else {
        let what = format!("the keys have more than {MOST} combinations of categories");
        return Err(Failure::new(Code::InvalidOption, what).help("only the groups that have rows: .observed(true)"));
    };
    // The last one runs fastest.
    let mut repeated = rows;
    let mut columns = Vec::with_capacity(categories.len());
    for (name, each) in enumerations.iter().zip(&categories) {
        repeated /= each.len().max(1);
        let texts: StringChunked = (0..rows).map(|row| Some(each[row / repeated % each.len()].as_str())).collect();
        let dtype = schema.get(name.as_str()).cloned().unwrap_or(DataType::String);
        columns.push(texts.with_name((*name).clone()).into_column().cast(&dtype).map_err(|e| polars_failure(e, None))?);
    }
    DataFrame::new(rows, columns).map_err(|e| polars_failure(e, None))
}
