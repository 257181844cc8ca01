//! `corr` and `cov` of groups: how two columns of numbers move together in each.
//!
//! A partition counts rows, means and sums of products of deviations of its groups; those of several partitions are added after Chan, Golub
//! and LeVeque (1979), in partition order. Sums of the products themselves would cancel.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use polars_arrow::array::PrimitiveArray;
use polars_arrow::bitmap::Bitmap;
use polars_buffer::Buffer;
use polars_plan::utils::expr_output_name;
use serde::{Deserialize, Serialize};

use super::GroupBy;
use super::hashed::evaluated;
use super::number::{Numbering, number};
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
        let numbers = schema_after(&inputs[0], |frame| frame.select(of_pair(&self.pair)))?;
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

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
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
fn of_pair(pair: &[Expr]) -> Vec<Expr> {
    pair.iter().zip(&MOMENTS[1..]).map(|(value, name)| value.clone().alias(*name)).collect()
}

/// The key columns, a row for each group in order of first appearance, and the group of each row.
fn by_group(keys: &[Column]) -> Result<(Vec<Column>, Numbering), Failure> {
    if keys.first().is_none_or(Column::is_empty) {
        return Ok((keys.to_vec(), Numbering { of_row: Vec::new(), first: Vec::new() }));
    }
    let numbering = match number(keys) {
        Some(numbering) => numbering,
        None => numbered_by_polars(keys).map_err(|e| polars_failure(e, None))?,
    };
    let first = IdxCa::from_vec(PlSmallStr::EMPTY, numbering.first.clone());
    let keys = keys.iter().map(|key| key.take(&first)).collect::<PolarsResult<Vec<Column>>>().map_err(|e| polars_failure(e, None))?;
    Ok((keys, numbering))
}

/// For types of keys that our own numbering is not made for.
fn numbered_by_polars(keys: &[Column]) -> PolarsResult<Numbering> {
    let frame = DataFrame::new(keys.first().map_or(0, Column::len), keys.to_vec())?;
    let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
    let grouped = frame.group_by_stable(super::partial::beside_itself(&frame, &names))?;
    let (mut of_row, mut first) = (vec![0; frame.height()], Vec::new());
    let mut note = |group: usize, rows: &mut dyn Iterator<Item = IdxSize>| {
        let mut rows = rows.peekable();
        first.extend(rows.peek());
        rows.for_each(|row| of_row[row as usize] = group as u32);
    };
    match &**grouped.get_groups() {
        GroupsType::Idx(groups) => groups.all().iter().enumerate().for_each(|(group, rows)| note(group, &mut rows.iter().copied())),
        GroupsType::Slice { groups, .. } => {
            groups.iter().enumerate().for_each(|(group, [start, len])| note(group, &mut (*start..*start + *len)));
        }
    }
    Ok(Numbering { of_row, first })
}

/// The moments of the pairs of each group, in two passes over the rows: the means, then the products of deviations from them, because sums
/// of products of the values themselves cancel.
fn moments_of(pair: [&Series; 2], groups: &Numbering) -> PolarsResult<Vec<Moments>> {
    let pair = [Floats::of(pair[0])?, Floats::of(pair[1])?];
    let mut moments = vec![Moments::default(); groups.first.len()];
    each_pair(&pair, &groups.of_row, |group, x, y| {
        let of_group = &mut moments[group];
        (of_group.rows, of_group.x, of_group.y) = (of_group.rows + 1.0, of_group.x + x, of_group.y + y);
    });
    for of_group in moments.iter_mut().filter(|of_group| of_group.rows > 0.0) {
        (of_group.x, of_group.y) = (of_group.x / of_group.rows, of_group.y / of_group.rows);
    }
    each_pair(&pair, &groups.of_row, |group, x, y| {
        let of_group = &mut moments[group];
        let (x, y) = (x - of_group.x, y - of_group.y);
        of_group.xx += x * x;
        of_group.yy += y * y;
        of_group.xy += x * y;
    });
    Ok(moments)
}

/// Values of a column that are made floats when they are used, which takes less time than a column of floats takes to be written.
struct Floats {
    values: Values,
    valid: Option<Bitmap>,
}

enum Values {
    Whole(Buffer<i64>),
    Floats(Buffer<f64>),
}

impl Floats {
    fn of(series: &Series) -> PolarsResult<Self> {
        let series = series.rechunk();
        let of = |values, valid: Option<&Bitmap>| Self { values, valid: valid.filter(|valid| valid.unset_bits() > 0).cloned() };
        if let Ok(whole) = series.i64()
            && let Some(array) = whole.downcast_iter().next()
        {
            return Ok(of(Values::Whole(array.values().clone()), array.validity()));
        }
        let array = in_one_piece(&series)?;
        Ok(of(Values::Floats(array.values().clone()), array.validity()))
    }

    fn block(&self, from: usize, out: &mut [f64]) {
        match &self.values {
            Values::Whole(values) => out.iter_mut().zip(&values[from..]).for_each(|(out, x)| *out = *x as f64),
            Values::Floats(values) => out.copy_from_slice(&values[from..][..out.len()]),
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid.get_bit(row))
    }
}

fn in_one_piece(series: &Series) -> PolarsResult<PrimitiveArray<f64>> {
    let floats = series.cast(&DataType::Float64)?.rechunk();
    let array = floats.f64()?.downcast_iter().next().cloned();
    array.ok_or_else(|| polars_err!(NoData: "a column without a chunk"))
}

/// Rows that are made floats at a time, so that these stay in the first cache.
const BLOCK: usize = 1024;

/// Calls `add` with the group and the values of each row that has both, in row order.
fn each_pair(pair: &[Floats; 2], of_row: &[u32], mut add: impl FnMut(usize, f64, f64)) {
    let (mut x, mut y) = ([0.0; BLOCK], [0.0; BLOCK]);
    let whole = pair.iter().all(|floats| floats.valid.is_none());
    for (at, groups) in of_row.chunks(BLOCK).enumerate() {
        let (from, rows) = (at * BLOCK, groups.len());
        pair[0].block(from, &mut x[..rows]);
        pair[1].block(from, &mut y[..rows]);
        for (at, ((group, x), y)) in groups.iter().zip(&x).zip(&y).enumerate() {
            if whole || (pair[0].is_valid(from + at) && pair[1].is_valid(from + at)) {
                add(*group as usize, *x, *y);
            }
        }
    }
}

fn as_columns(moments: &[Moments]) -> Vec<Column> {
    let parts: [fn(&Moments) -> f64; 6] = [|m| m.rows, |m| m.x, |m| m.y, |m| m.xx, |m| m.yy, |m| m.xy];
    let column = |name: &str, part: fn(&Moments) -> f64| Column::new(name.into(), moments.iter().map(part).collect::<Vec<_>>());
    MOMENTS.iter().zip(parts).map(|(name, part)| column(name, part)).collect()
}

/// The columns of moments, which have no nulls.
fn parts_of(states: &DataFrame) -> PolarsResult<Vec<Buffer<f64>>> {
    MOMENTS.iter().map(|name| Ok(in_one_piece(states.column(name)?.as_materialized_series())?.values().clone())).collect()
}

/// Moments of two columns over the rows of each group of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct MomentsOfGroups {
    keys: Vec<Expr>,
    pair: Vec<Expr>,
}

impl Operator for MomentsOfGroups {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = frame_of(&inputs[0])?;
        let columns = evaluated(&rows, self.keys.iter().chain(&self.pair)).map_err(|e| polars_failure(e, None))?;
        let (keys, pair) = columns.split_at(self.keys.len());
        let (mut columns, groups) = by_group(keys)?;
        // A literal has one value, whatever the rows.
        let of_rows = |value: &Column| if value.len() == rows.height() { value.clone() } else { value.new_from_index(0, rows.height()) };
        let pair = [of_rows(&pair[0]), of_rows(&pair[1])];
        let moments = moments_of([pair[0].as_materialized_series(), pair[1].as_materialized_series()], &groups)
            .map_err(|e| polars_failure(e, None))?;
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
        let keys = self.keys.iter().map(|name| states.column(name).map(Column::rechunk)).collect::<PolarsResult<Vec<Column>>>();
        let (mut columns, groups) = by_group(&keys.map_err(|e| polars_failure(e, None))?)?;
        let mut found = vec![Moments::default(); groups.first.len()];
        let parts = parts_of(&states).map_err(|e| polars_failure(e, None))?;
        for (row, group) in groups.of_row.iter().enumerate() {
            let [rows, x, y, xx, yy, xy] = [0, 1, 2, 3, 4, 5].map(|at| parts[at][row]);
            let known = &mut found[*group as usize];
            *known = known.plus(Moments { rows, x, y, xx, yy, xy });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each group's moments against those of its rows alone, with nulls in one, the other or both.
    #[test]
    fn moments_are_those_of_each_group_alone() {
        let rows = 5_000usize;
        let group = |row: usize| (row * 7919 % 61) as u32;
        let x = |row: usize| (row % 17 != 3).then_some((row * row % 1009) as i64 - 300);
        let y = |row: usize| (row % 23 != 5).then_some((row * 31 % 257) as f64 / 8.0 + 1e6);
        let z = |row: usize| Some((row % 100) as f32 / 4.0);
        let series = [
            Series::new("x".into(), (0..rows).map(x).collect::<Vec<_>>()),
            Series::new("y".into(), (0..rows).map(y).collect::<Vec<_>>()),
            Series::new("z".into(), (0..rows).map(z).collect::<Vec<_>>()),
        ];
        let value = |column: usize, row: usize| match column {
            0 => x(row).map(|x| x as f64),
            1 => y(row),
            _ => z(row).map(f64::from),
        };
        // Some groups have no rows.
        let groups = Numbering { of_row: (0..rows).map(group).collect(), first: vec![0; 70] };
        for (a, b) in [(0, 1), (1, 0), (2, 2), (0, 2), (2, 1)] {
            let found = moments_of([&series[a], &series[b]], &groups).expect("numbers");
            for (at, found) in found.iter().enumerate() {
                let of_group = (0..rows).filter(|row| group(*row) as usize == at);
                assert_eq!(*found, Moments::of(of_group.filter_map(|row| value(a, row).zip(value(b, row)))), "{a} {b} group {at}");
            }
        }
    }

    #[test]
    fn polars_numbers_what_we_do_not() {
        let keys = [Column::new("k".into(), [3, 1, 3, 2, 1]), Column::new("l".into(), ["a", "b", "a", "a", "b"])];
        for keys in [&keys[..], &keys[..1]] {
            let (ours, theirs) = (number(keys).expect("numbers and text"), numbered_by_polars(keys).expect("keys"));
            assert_eq!((ours.of_row, ours.first), (theirs.of_row, theirs.first));
        }
    }
}
