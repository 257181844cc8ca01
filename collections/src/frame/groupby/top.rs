//! `top_k` and `bottom_k` of groups: the rows of each group that a sort would put first.
//!
//! It refuses to sort: each partition keeps the first rows of its groups, and the first of those are the first of all. So at most `k` rows of
//! a group leave a partition.

use std::cmp::Ordering;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::number::{Numbering, number};
use super::partial::beside_itself;
use super::{GroupBy, plain_names};
use crate::frame::compact::compact;
use crate::frame::expr::{Names, columns_of, columns_of_all, expr_op, polars_failure, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{self, concat::stack};
use crate::frame::shuffle::{keys::check_keys, named, spread};
use crate::frame::size::{Size, parts_for_keys};
use crate::frame::sort::order::{By, Order};
use crate::frame::value::chunk_of;
use crate::frame::{Admission, DFrame, IntoExprs, Node, Step};

impl GroupBy {
    /// The `k` rows of each group with the greatest keys, greatest first; of equal ones those that come first. Nulls come last. The columns
    /// are all columns, or the grouping columns and those of [`GroupBy::select`].
    ///
    /// Groups come in order of first appearance as long as the result is one partition, otherwise in partitions by the hash of the
    /// grouping columns.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a", "a"], "x" => [1, 2, 3, 2])?, 3);
    /// let two = frame.group_by(["k"]).top_k(2, ["x"]).compute()?;
    /// assert_eq!(two, df!("k" => ["a", "a", "b"], "x" => [3, 2, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: grouping by something that is no column, a column that does not exist, a key that looks at other rows, no key.
    #[track_caller]
    pub fn top_k(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_of_groups(k, by.into_exprs(), true, ".top_k(…)")
    }

    /// The `k` rows of each group with the least keys, least first, otherwise as [`GroupBy::top_k`]. Nulls come last.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a", "a"], "x" => [1, 2, 3, 2])?, 3);
    /// assert_eq!(frame.group_by(["k"]).bottom_k(1, ["x"]).compute()?, df!("k" => ["a", "b"], "x" => [1, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`GroupBy::top_k`].
    #[track_caller]
    pub fn bottom_k(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_of_groups(k, by.into_exprs(), false, ".bottom_k(…)")
    }

    /// [`GroupBy::top_k`], as Dask and pandas call it.
    #[track_caller]
    pub fn nlargest(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_of_groups(k, by.into_exprs(), true, ".nlargest(…)")
    }

    /// [`GroupBy::bottom_k`], as Dask and pandas call it.
    #[track_caller]
    pub fn nsmallest(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_of_groups(k, by.into_exprs(), false, ".nsmallest(…)")
    }

    #[track_caller]
    fn first_of_groups(&self, k: usize, by: Vec<Expr>, descending: bool, method: &str) -> DFrame {
        let method = format!(".group_by(…){method}");
        match self.top_step(k, by, descending, &method) {
            Ok((step, None)) => DFrame::then(step, vec![self.frame.clone()], &method),
            Ok((step, Some(columns))) => DFrame::then(step, vec![self.frame.clone()], &method).select(columns),
            Err(failure) => DFrame::failed(failure, &method),
        }
    }

    /// The step, and the columns that are wanted of it when it is not all.
    fn top_step(&self, k: usize, by: Vec<Expr>, descending: bool, method: &str) -> Result<(FirstOfGroups, Option<Vec<Expr>>), Failure> {
        let keys = self.frame.expanded(self.keys.clone()).and_then(|keys| plain_names(&keys))?;
        let by = By::all(self.frame.expanded(by)?, descending, true);
        let wanted = match &self.selected {
            None => None,
            Some(columns) => {
                let chosen = plain_names(&self.frame.expanded(columns.clone())?)?;
                let others = chosen.into_iter().filter(|name| !keys.contains(name));
                Some(named(keys.iter().cloned().chain(others)))
            }
        };
        let step = FirstOfGroups { keys: named(keys), by, k: k as u64, parts: self.split_out, method: method.into() };
        Ok((step, wanted))
    }
}

struct FirstOfGroups {
    keys: Vec<Expr>,
    by: By,
    k: u64,
    parts: Option<usize>,
    method: String,
}

impl Step for FirstOfGroups {
    fn line(&self) -> String {
        format!("group_by {} first {} by {}", show(&self.keys), self.k, self.by.show())
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&self.keys, &inputs[0], &self.method)?;
        self.by.check(&inputs[0], &self.method)?;
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&columns_of_all(self.keys.iter().chain(&self.by.keys))).cloned().collect()
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        // Rows of one group pass or fail together.
        let of_keys = columns_of(predicate);
        match !of_keys.is_empty() && of_keys.is_subset(&columns_of_all(&self.keys)) {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        Some(columns.to_vec())
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let size = inputs[0]?;
        let groups = super::estimate::groups(&node.inputs[0], &self.keys).unwrap_or(size.rows);
        Some(size.with_rows(size.rows.min(groups.saturating_mul(self.k))))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let op = expr_op(TopOfGroups { keys: self.keys.clone(), by: self.by.clone(), k: self.k }, self.line(), ops::token());
        let first = lowering.add(Layer::single("top", input.partitions, op.clone(), vec![input.edge(Wiring::Each)]), node);
        let parts = match self.parts {
            Some(parts) => parts.max(1) as u32,
            None if lowering.is_together(input, &self.keys) => return Ok(first),
            None => parts_for_keys(&node.inputs[0], &self.keys, input.partitions),
        };
        if first.partitions == 1 && parts == 1 {
            return Ok(first);
        }
        if parts == 1 {
            let level = lowering.gather("top", &op, first, node);
            return Ok(lowering.add(Layer::single("top", 1, op, vec![level.edge(Wiring::Every)]), node));
        }
        let split = spread(&self.keys, parts, first, node, lowering);
        let top = lowering.add(Layer::single("top", parts, op, vec![split.edge(Wiring::Part)]), node);
        lowering.note_spread(top, &self.keys);
        Ok(top)
    }
}

/// The first rows of each group among all its inputs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TopOfGroups {
    keys: Vec<Expr>,
    by: By,
    k: u64,
}

impl Operator for TopOfGroups {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?;
        if rows.height() == 0 || self.k == 0 {
            return Ok(chunk_of(rows.clear()));
        }
        let most = usize::try_from(self.k).unwrap_or(usize::MAX);
        let names = plain_names(&self.keys)?;
        let keys = names.iter().map(|name| rows.column(name).map(Column::rechunk)).collect::<PolarsResult<Vec<Column>>>();
        let numbering = number(&keys.map_err(|e| polars_failure(e, None))?);
        ctx.check_cancelled()?;
        let ranks = Ranks::of(&rows, &self.by)?;
        let first = match numbering {
            Some(numbering) => ranks.first_of_numbered(&numbering, most),
            None => {
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                let grouped = rows.group_by_stable(beside_itself(&rows, &names)).map_err(|e| polars_failure(e, None))?;
                ranks.first_of_lists(grouped.get_groups(), most)
            }
        };
        let first = rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, first)).map_err(|e| polars_failure(e, None))?;
        compact(first).map(chunk_of)
    }
}

impl NamedOperator for TopOfGroups {
    const NAME: &'static str = "group_by_top";
}

/// Up to this many rows of each group are kept while all rows are walked through once.
const FEW: usize = 32;

/// What the rows of a partition are compared by.
enum Ranks {
    /// One number says it all: less is first.
    Numbers(Vec<u64>),
    Order(Order),
}

impl Ranks {
    fn of(rows: &DataFrame, by: &By) -> Result<Self, Failure> {
        match by.one_column().and_then(|(name, descending)| numbers(rows.column(name).ok()?, descending)) {
            Some(numbers) => Ok(Self::Numbers(numbers)),
            None => by.order(rows).map(Self::Order),
        }
    }

    /// Which of two rows is first; never equal.
    fn compare(&self, a: IdxSize, b: IdxSize) -> Ordering {
        let keys = match self {
            Self::Numbers(numbers) => numbers[a as usize].cmp(&numbers[b as usize]),
            Self::Order(order) => order.compare_rows(a as usize, b as usize),
        };
        keys.then(a.cmp(&b))
    }

    /// The first rows of each group, group by group.
    fn first_of_lists(&self, groups: &GroupsType, most: usize) -> Vec<IdxSize> {
        let mut first = Vec::with_capacity(groups.len());
        match groups {
            GroupsType::Idx(groups) => groups.all().iter().for_each(|group| self.first(group.iter().copied(), most, &mut first)),
            GroupsType::Slice { groups, .. } => {
                groups.iter().for_each(|[start, len]| self.first(*start..*start + *len, most, &mut first));
            }
        }
        first
    }

    /// The same of rows that are numbered: row by row where few of a group are wanted, so that no list of its rows is needed.
    fn first_of_numbered(&self, numbering: &Numbering, most: usize) -> Vec<IdxSize> {
        let count = numbering.first.len();
        if let Self::Numbers(numbers) = self
            && most <= FEW
            && count * most <= numbers.len() * 2
        {
            return first_of_numbers(numbers, numbering, most);
        }
        if most > FEW {
            let (starts, rows) = numbering.lists();
            let mut first = Vec::with_capacity(rows.len());
            starts.windows(2).for_each(|ends| self.first(rows[ends[0]..ends[1]].iter().copied(), most, &mut first));
            return first;
        }
        // Where the rows of each group begin: as many as are wanted, or as there are.
        let mut starts = vec![0; count + 1];
        numbering.of_row.iter().for_each(|group| starts[*group as usize + 1] += 1);
        (1..starts.len()).for_each(|at| starts[at] = starts[at - 1] + most.min(starts[at]));
        let mut all: Vec<IdxSize> = vec![0; starts[count]];
        let mut lens = vec![0u8; count];
        for (row, group) in numbering.of_row.iter().enumerate() {
            let (row, group) = (row as IdxSize, *group as usize);
            let (best, len) = (&mut all[starts[group]..starts[group + 1]], &mut lens[group]);
            let mut at = usize::from(*len);
            if at == best.len() {
                if self.compare(row, best[at - 1]) == Ordering::Greater {
                    continue;
                }
                at -= 1;
            } else {
                *len += 1;
            }
            while at > 0 && self.compare(row, best[at - 1]) == Ordering::Less {
                best[at] = best[at - 1];
                at -= 1;
            }
            best[at] = row;
        }
        all
    }

    /// Adds the first rows of a group, in order, to `out`.
    fn first(&self, group: impl Iterator<Item = IdxSize>, most: usize, out: &mut Vec<IdxSize>) {
        let start = out.len();
        out.extend(group);
        if out.len() - start > most {
            out[start..].select_nth_unstable_by(most, |a, b| self.compare(*a, *b));
            out.truncate(start + most);
        }
        out[start..].sort_unstable_by(|a, b| self.compare(*a, *b));
    }
}

/// Marks a place that no row has taken.
const NONE: IdxSize = IdxSize::MAX;

/// The rows of each group with the least numbers, the first of equal ones first, group by group. Each group has `most` places for the
/// numbers themselves, so that nearly every row is compared with one number and left.
fn first_of_numbers(numbers: &[u64], numbering: &Numbering, most: usize) -> Vec<IdxSize> {
    let places = numbering.first.len() * most;
    let (mut best, mut rows) = (vec![u64::MAX; places], vec![NONE; places]);
    for (row, (group, number)) in numbering.of_row.iter().zip(numbers).enumerate() {
        let (start, number) = (*group as usize * most, *number);
        let mut at = start + most - 1;
        if number > best[at] || (number == best[at] && rows[at] != NONE) {
            continue;
        }
        // Equal ones that are there already came first; a place that nobody took gives way to anyone.
        while at > start && (best[at - 1] > number || rows[at - 1] == NONE) {
            (best[at], rows[at]) = (best[at - 1], rows[at - 1]);
            at -= 1;
        }
        (best[at], rows[at]) = (number, row as IdxSize);
    }
    rows.retain(|row| *row != NONE);
    rows
}

const SIGN: u64 = 1 << 63;

/// The values of a column of floats or integers without nulls as numbers in the wanted order. NaN is greatest, and zeros are equal.
fn numbers(column: &Column, descending: bool) -> Option<Vec<u64>> {
    let series = column.as_materialized_series();
    if series.null_count() > 0 {
        return None;
    }
    let float = |value: f64| {
        let bits = if value.is_nan() { f64::NAN.to_bits() & !SIGN } else { (value + 0.0).to_bits() };
        if bits & SIGN == 0 { bits | SIGN } else { !bits }
    };
    let turned = |number: u64| if descending { !number } else { number };
    match series.dtype() {
        DataType::Float64 => Some(series.f64().ok()?.into_no_null_iter().map(|value| turned(float(value))).collect()),
        DataType::Int64 => Some(series.i64().ok()?.into_no_null_iter().map(|value| turned(value as u64 ^ SIGN)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_keys_do() {
        let frame = df!(
            "f" => [f64::NAN, 1.0, -0.0, 0.0, f64::NEG_INFINITY, -1.5, f64::INFINITY, -f64::NAN],
            "n" => [0, -1, i64::MIN, i64::MAX, 5, -7, 5, 2],
        );
        let frame = frame.expect("columns of one length");
        for (name, descending) in [("f", false), ("f", true), ("n", false), ("n", true)] {
            let by = By::all(vec![col(name)], descending, true);
            let (short, long) = (Ranks::of(&frame, &by).expect("a column"), Ranks::Order(by.order(&frame).expect("a column")));
            assert!(matches!(short, Ranks::Numbers(_)));
            for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (a, b))) {
                assert_eq!(short.compare(a, b), long.compare(a, b), "{name} {descending}: {a} {b}");
            }
        }
        let nulls = df!("x" => [Some(1), None]).expect("one column");
        assert!(matches!(Ranks::of(&nulls, &By::all(vec![col("x")], true, true)), Ok(Ranks::Order(_))));
    }

    /// Numbers with ties, among them the greatest there is, in groups of one row and of many.
    #[test]
    fn places_for_numbers_like_lists_of_rows() {
        let rows = 4_000u64;
        let number = |row: u64| [row * row % 97, u64::MAX, u64::MAX - row % 3][(row * 31 % 7 % 3) as usize];
        let group = |row: u64| if row < 3_000 { (row * row % 50) as u32 } else { row as u32 - 2_950 };
        let of_row: Vec<u32> = (0..rows).map(group).collect();
        let numbers: Vec<u64> = (0..rows).map(number).collect();
        let numbering = Numbering { of_row, first: vec![0; 1_050] };
        let (starts, lists) = numbering.lists();
        for most in [1, 2, 5] {
            let mut expected = Vec::new();
            for ends in starts.windows(2) {
                Ranks::Numbers(numbers.clone()).first(lists[ends[0]..ends[1]].iter().copied(), most, &mut expected);
            }
            assert_eq!(first_of_numbers(&numbers, &numbering, most), expected, "{most}");
        }
    }
}
