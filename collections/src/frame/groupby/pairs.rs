//! `corr` and `cov` of groups: how two columns of numbers move together in each.
//!
//! A partition counts rows, means and sums of products of deviations of its groups; those of several partitions are added after Chan, Golub
//! and LeVeque (1979), in partition order. Sums of the products themselves would cancel.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;
use serde::{Deserialize, Serialize};

use super::GroupBy;
use crate::frame::compact::compact;
use crate::frame::expr::{
    Names, as_column, check_columns, check_row_by_row, columns_of, columns_of_all, expr_op, polars_failure, schema_after, show,
};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::cov::Moments;
use crate::frame::ops::{self, concat::stack};
use crate::frame::shuffle::{keys::check_keys, named, spread};
use crate::frame::size::{Size, parts_for_keys};
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, IntoExpr, Node, Step};

impl GroupBy {
    /// Pearson's correlation of two columns of numbers in each group, as column `corr`. Rows in which one of the two is null are left out;
    /// null where fewer than two rows are left, NaN where one of the two has one value only. Groups come as with [`GroupBy::agg`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "a", "a", "b"], "x" => [1, 2, 3, 4], "y" => [6, 4, 2, 1])?, 2);
    /// assert_eq!(frame.group_by(["k"]).corr("x", "y").compute()?, df!("k" => ["a", "b"], "corr" => [Some(-1.0), None])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist or is no number, an expression that looks at other rows, a key called `corr`.
    #[track_caller]
    pub fn corr(&self, x: impl IntoExpr, y: impl IntoExpr) -> DFrame {
        self.pairs([x.into_expr(), y.into_expr()], true, ".group_by(…).corr(…)")
    }

    /// The sample covariance (divided by rows − 1) of two columns of numbers in each group, as column `cov`. Rows in which one of the two is
    /// null are left out; null where fewer than two rows are left. Groups come as with [`GroupBy::agg`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "a", "a", "b"], "x" => [1, 2, 3, 4], "y" => [2, 4, 6, 8])?, 2);
    /// assert_eq!(frame.group_by(["k"]).cov("x", "y").compute()?, df!("k" => ["a", "b"], "cov" => [Some(2.0), None])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`GroupBy::corr`].
    #[track_caller]
    pub fn cov(&self, x: impl IntoExpr, y: impl IntoExpr) -> DFrame {
        self.pairs([x.into_expr(), y.into_expr()], false, ".group_by(…).cov(…)")
    }

    #[track_caller]
    fn pairs(&self, pair: [Expr; 2], scaled: bool, method: &str) -> DFrame {
        match self.frame.expanded(self.keys.clone()) {
            Ok(keys) => {
                let step = PairsByGroup { keys, pair: pair.to_vec(), scaled, parts: self.split_out, method: method.into() };
                DFrame::then(step, vec![self.frame.clone()], method)
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

struct PairsByGroup {
    keys: Vec<Expr>,
    pair: Vec<Expr>,
    scaled: bool,
    parts: Option<usize>,
    method: String,
}

impl PairsByGroup {
    fn name(&self) -> &'static str {
        if self.scaled { "corr" } else { "cov" }
    }

    fn key_names(&self) -> Vec<String> {
        self.keys.iter().map(|key| expr_output_name(key).unwrap_or_default().to_string()).collect()
    }
}

impl Step for PairsByGroup {
    fn line(&self) -> String {
        format!("group_by {} {} of {}", show(&self.keys), self.name(), show(&self.pair))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&self.keys, &inputs[0], &self.method)?;
        check_columns(&self.pair, &inputs[0])?;
        check_row_by_row(&self.pair, &inputs[0], &self.method)?;
        let numbers = schema_after(&inputs[0], |frame| frame.select(of_pair(&self.pair, |value| value)))?;
        if let Some((dtype, value)) = numbers.iter_values().zip(&self.pair).find(|(dtype, _)| !super::is_number(dtype)) {
            let what = format!("`{}` is of type {dtype}, which is no number", show(std::slice::from_ref(value)));
            return Err(Failure::new(Code::TypeMismatch, what).help("cast it: col(\"x\").cast(DataType::Float64)"));
        }
        let mut schema = (*schema_after(&inputs[0], |frame| frame.select(self.keys.clone()))?).clone();
        if schema.insert(self.name().into(), DataType::Float64).is_some() {
            let what = format!("the key `{}` would stand beside the result of the same name", self.name());
            return Err(Failure::new(Code::DuplicateColumn, what).help("rename it: col(\"…\").alias(\"key\")"));
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        columns_of_all(self.keys.iter().chain(&self.pair))
    }

    fn admit(&self, predicate: &Expr) -> Admission {
        let keys: Names = self.keys.iter().filter_map(as_column).cloned().collect();
        match !columns_of(predicate).is_empty() && columns_of(predicate).is_subset(&keys) {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let rows = inputs[0]?.rows;
        let groups = super::estimate::groups(&node.inputs[0], &self.keys).unwrap_or(rows);
        Some(Size::of_rows(groups.min(rows), node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let (of_rows, keys) = (MomentsOfGroups { keys: self.keys.clone(), pair: self.pair.clone() }, self.key_names());
        let op = expr_op(of_rows, format!("moments of {} by {}", show(&self.pair), show(&self.keys)), ops::token());
        let level = lowering.add(Layer::single("moments", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
        let add = AddOfGroups { keys: keys.clone(), result: None };
        let finish = AddOfGroups { keys: keys.clone(), result: Some(self.scaled) };
        let finish = expr_op(finish, self.line(), ops::token());
        if self.parts.is_none() && lowering.is_together(input, &self.keys) {
            return Ok(lowering.add(Layer::single("finish", level.partitions, finish, vec![level.edge(Wiring::Each)]), node));
        }
        let parts = match self.parts {
            Some(parts) => parts.max(1) as u32,
            None => parts_for_keys(&node.inputs[0], &self.keys, input.partitions),
        };
        if parts == 1 {
            let level = lowering.gather("combine", &expr_op(add, "combine moments".into(), ops::token()), level, node);
            return Ok(lowering.add(Layer::single("finish", 1, finish, vec![level.edge(Wiring::Every)]), node));
        }
        let keys = named(keys);
        let split = spread(&keys, parts, level, node, lowering);
        let finished = lowering.add(Layer::single("finish", parts, finish, vec![split.edge(Wiring::Part)]), node);
        lowering.note_spread(finished, &keys);
        Ok(finished)
    }
}

/// The columns of moments. Users cannot have such names by accident.
const MOMENTS: [&str; 6] = ["\u{1}n", "\u{1}x", "\u{1}y", "\u{1}xx", "\u{1}yy", "\u{1}xy"];

/// Both values under names of their own, so that they may be one column.
fn of_pair(pair: &[Expr], change: impl Fn(Expr) -> Expr) -> Vec<Expr> {
    pair.iter().zip(&MOMENTS[1..]).map(|(value, name)| change(value.clone()).alias(*name)).collect()
}

fn floats(frame: &DataFrame, name: &str) -> Result<Vec<Option<f64>>, Failure> {
    let column = frame.column(name).and_then(|column| column.cast(&DataType::Float64));
    let values = column.and_then(|column| Ok(column.f64()?.iter().collect()));
    values.map_err(|e| polars_failure(e, None))
}

/// The key columns, a row for each group in order of first appearance, and what is made of the rows of each.
fn by_group<T>(frame: &DataFrame, keys: &[String], of: impl Fn(&[IdxSize]) -> T) -> Result<(Vec<Column>, Vec<T>), Failure> {
    if frame.height() == 0 {
        let keys = frame.select(keys.iter().map(String::as_str)).map_err(|e| polars_failure(e, None))?;
        return Ok((keys.into_columns(), Vec::new()));
    }
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let grouped = frame.group_by_stable(super::partial::beside_itself(frame, &names)).map_err(|e| polars_failure(e, None))?;
    let found = match &**grouped.get_groups() {
        GroupsType::Idx(groups) => groups.all().iter().map(|rows| of(rows)).collect(),
        GroupsType::Slice { groups, .. } => groups.iter().map(|[start, len]| of(&(*start..*start + *len).collect::<Vec<_>>())).collect(),
    };
    let mut columns = grouped.keys();
    columns.truncate(keys.len());
    Ok((columns, found))
}

fn as_columns(moments: &[Moments]) -> Vec<Column> {
    let parts: [fn(&Moments) -> f64; 6] = [|m| m.rows, |m| m.x, |m| m.y, |m| m.xx, |m| m.yy, |m| m.xy];
    let column = |name: &str, part: fn(&Moments) -> f64| Column::new(name.into(), moments.iter().map(part).collect::<Vec<_>>());
    MOMENTS.iter().zip(parts).map(|(name, part)| column(name, part)).collect()
}

/// Moments of two columns over the rows of each group of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct MomentsOfGroups {
    keys: Vec<Expr>,
    pair: Vec<Expr>,
}

impl Operator for MomentsOfGroups {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let wanted = self.keys.iter().cloned().chain(of_pair(&self.pair, |value| value.cast(DataType::Float64)));
        let rows = frame_of(&inputs[0])?.lazy().select(wanted.collect::<Vec<_>>()).collect().map_err(|e| polars_failure(e, None))?;
        let (x, y) = (floats(&rows, MOMENTS[1])?, floats(&rows, MOMENTS[2])?);
        let keys: Vec<String> = rows.get_column_names().iter().take(self.keys.len()).map(|name| name.to_string()).collect();
        let of = |group: &[IdxSize]| Moments::of(group.iter().filter_map(|row| x[*row as usize].zip(y[*row as usize])));
        let (mut columns, moments) = by_group(&rows, &keys, of)?;
        columns.extend(as_columns(&moments));
        compact(DataFrame::new(moments.len(), columns).map_err(|e| polars_failure(e, None))?).map(chunk_of)
    }
}

impl NamedOperator for MomentsOfGroups {
    const NAME: &'static str = "group_by_moments";
}

/// Moments of several partitions to those of all their rows, or to the result: a correlation if true.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddOfGroups {
    keys: Vec<String>,
    result: Option<bool>,
}

impl Operator for AddOfGroups {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = stack(inputs)?;
        let columns = MOMENTS.iter().map(|name| floats(&states, name)).collect::<Result<Vec<_>, Failure>>()?;
        let part = |at: usize, row: usize| columns[at][row].unwrap_or(0.0);
        let moments = |row: usize| Moments {
            rows: part(0, row),
            x: part(1, row),
            y: part(2, row),
            xx: part(3, row),
            yy: part(4, row),
            xy: part(5, row),
        };
        let of = |group: &[IdxSize]| group.iter().map(|row| moments(*row as usize)).fold(Moments::default(), Moments::plus);
        let (mut columns, found) = by_group(&states, &self.keys, of)?;
        match self.result {
            None => columns.extend(as_columns(&found)),
            Some(true) => columns.push(Column::new("corr".into(), found.iter().map(|m| m.correlation()).collect::<Vec<_>>())),
            Some(false) => columns.push(Column::new("cov".into(), found.iter().map(|m| m.covariance()).collect::<Vec<_>>())),
        }
        compact(DataFrame::new(found.len(), columns).map_err(|e| polars_failure(e, None))?).map(chunk_of)
    }
}

impl NamedOperator for AddOfGroups {
    const NAME: &'static str = "group_by_add_moments";
}
