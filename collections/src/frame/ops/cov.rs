//! `cov` and `corr`: how number columns move together, pair by pair.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, column_not_found, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, fact_chunk, fact_of, frame_of};
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The sample covariance (divided by rows − 1) of each pair of number columns: a row and a column for each, the rows named in
    /// `column`. Rows in which one of the two is null are left out for that pair; null where fewer than two rows are left.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 3.0], "y" => [2.0, 4.0, 6.0])?, 2);
    /// assert_eq!(frame.cov().compute()?, df!("column" => ["x", "y"], "x" => [1.0, 2.0], "y" => [2.0, 4.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without number columns, or with one called `column`.
    #[track_caller]
    pub fn cov(&self) -> DFrame {
        self.together(false, ".cov()")
    }

    /// Pearson's correlation of each pair of number columns, laid out as with [`DFrame::cov`]. NaN where a column has one value only.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 3.0], "y" => [6.0, 4.0, 2.0])?, 2);
    /// assert_eq!(frame.corr().compute()?, df!("column" => ["x", "y"], "x" => [1.0, -1.0], "y" => [-1.0, 1.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::cov`].
    #[track_caller]
    pub fn corr(&self) -> DFrame {
        self.together(true, ".corr()")
    }

    #[track_caller]
    fn together(&self, scaled: bool, method: &str) -> DFrame {
        match self.number_columns(method) {
            Ok((columns, note)) => DFrame::then(Together { columns, scaled, note }, vec![self.clone()], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

struct Together {
    columns: Vec<String>,
    scaled: bool,
    note: Option<String>,
}

impl Step for Together {
    fn line(&self) -> String {
        format!("{} of {}", if self.scaled { "corr" } else { "cov" }, self.columns.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let mut schema = Schema::default();
        schema.insert("column".into(), DataType::String);
        for name in &self.columns {
            let dtype = inputs[0].get(name).ok_or_else(|| column_not_found(name, &inputs[0]))?;
            if !dtype.is_primitive_numeric() {
                return Err(Failure::new(partita_graph::Code::TypeMismatch, format!("`{name}` is of type {dtype}, which is no number")));
            }
            if schema.insert(name.as_str().into(), DataType::Float64).is_some() {
                let what = "the column `column` of the frame would stand beside the names of the columns";
                return Err(Failure::new(partita_graph::Code::DuplicateColumn, what).help("rename it: .rename([(\"column\", \"c\")])"));
            }
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        self.columns.iter().map(|name| name.as_str().into()).collect()
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(self.columns.len() as u64, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        lowering.notes.extend(self.note.clone());
        let op = OpRef::new(PairMoments { columns: self.columns.clone() }, "moments of pairs");
        let moments = lowering.add(Layer::single("moments", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node);
        let moments = lowering.gather("combine", &OpRef::new(AddMoments, "combine moments"), moments, node);
        let op = OpRef::new(FinishPairs { columns: self.columns.clone(), scaled: self.scaled }, self.line());
        Ok(lowering.add(Layer::single("pairs", 1, op, vec![moments.edge(Wiring::Every)]), node))
    }
}

/// Of the rows in which both columns of a pair have a value: how many, the means, and the sums of products of deviations from them.
#[derive(Clone, Copy, Default, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Moments {
    pub rows: f64,
    pub x: f64,
    pub y: f64,
    pub xx: f64,
    pub yy: f64,
    pub xy: f64,
}

impl Moments {
    pub fn of(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let (mut rows, mut x, mut y) = (0.0, 0.0, 0.0);
        pairs.clone().for_each(|(a, b)| (rows, x, y) = (rows + 1.0, x + a, y + b));
        if rows == 0.0 {
            return Self::default();
        }
        let mut moments = Self { rows, x: x / rows, y: y / rows, ..Self::default() };
        // In a second pass, because sums of products of the values themselves cancel.
        for (a, b) in pairs {
            let (a, b) = (a - moments.x, b - moments.y);
            moments.xx += a * a;
            moments.yy += b * b;
            moments.xy += a * b;
        }
        moments
    }

    /// After Chan, Golub and LeVeque (1979), as for the variance of a group.
    pub fn plus(self, other: Self) -> Self {
        if self.rows == 0.0 || other.rows == 0.0 {
            return if self.rows == 0.0 { other } else { self };
        }
        let rows = self.rows + other.rows;
        let (dx, dy) = (other.x - self.x, other.y - self.y);
        let weight = self.rows * other.rows / rows;
        Self {
            rows,
            x: self.x + dx * other.rows / rows,
            y: self.y + dy * other.rows / rows,
            xx: self.xx + other.xx + dx * dx * weight,
            yy: self.yy + other.yy + dy * dy * weight,
            xy: self.xy + other.xy + dx * dy * weight,
        }
    }

    pub fn covariance(self) -> Option<f64> {
        (self.rows > 1.0).then(|| self.xy / (self.rows - 1.0))
    }

    pub fn correlation(self) -> Option<f64> {
        let both = self.xx * self.yy;
        // One root is more exact than two, as long as the product is a number that a float can hold.
        let deviations = if both.is_normal() { both.sqrt() } else { self.xx.sqrt() * self.yy.sqrt() };
        (self.rows > 1.0).then(|| self.xy / deviations)
    }
}

/// The moments of each pair of columns of a partition: those of the first with itself and all after it, then of the second, and so on.
#[derive(Serialize, Deserialize)]
pub(crate) struct PairMoments {
    columns: Vec<String>,
}

impl Operator for PairMoments {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let numbers =
            |name: &String| -> PolarsResult<Vec<Option<f64>>> { Ok(frame.column(name)?.cast(&DataType::Float64)?.f64()?.iter().collect()) };
        let columns = self.columns.iter().map(numbers).collect::<PolarsResult<Vec<_>>>().map_err(|e| polars_failure(e, None))?;
        let mut all = Vec::new();
        for (at, x) in columns.iter().enumerate() {
            for y in &columns[at..] {
                all.push(Moments::of(x.iter().zip(y).filter_map(|(x, y)| x.zip(*y))));
            }
        }
        Ok(fact_chunk(&all))
    }
}

impl NamedOperator for PairMoments {
    const NAME: &'static str = "pair_moments";
}

fn added(inputs: &[Chunk]) -> Result<Vec<Moments>, Failure> {
    let mut all: Vec<Moments> = Vec::new();
    for chunk in inputs {
        let these: Vec<Moments> = fact_of(chunk)?;
        all.resize(these.len(), Moments::default());
        all.iter_mut().zip(these).for_each(|(sum, moments)| *sum = sum.plus(moments));
    }
    Ok(all)
}

/// Moments of several partitions to those of all their rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddMoments;

impl Operator for AddMoments {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        added(inputs).map(|moments| fact_chunk(&moments))
    }
}

impl NamedOperator for AddMoments {
    const NAME: &'static str = "add_moments";
}

/// Moments to the matrix.
#[derive(Serialize, Deserialize)]
pub(crate) struct FinishPairs {
    columns: Vec<String>,
    scaled: bool,
}

impl Operator for FinishPairs {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let moments = added(inputs)?;
        let n = self.columns.len();
        // Where the pair stands among those that were counted, each once.
        let place = |a: usize, b: usize| {
            let (low, high) = (a.min(b), a.max(b));
            low * n - low * low.saturating_sub(1) / 2 + (high - low)
        };
        let value = |a: usize, b: usize| {
            let pair = moments.get(place(a, b)).copied().unwrap_or_default();
            if self.scaled { pair.correlation() } else { pair.covariance() }
        };
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let mut columns = vec![Column::new("column".into(), names)];
        for (at, name) in self.columns.iter().enumerate() {
            columns.push(Column::new(name.as_str().into(), (0..n).map(|row| value(row, at)).collect::<Vec<_>>()));
        }
        DataFrame::new(n, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for FinishPairs {
    const NAME: &'static str = "finish_pairs";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        // Far from zero, where sums of products would cancel; a mean of a million is still exact to a ten-thousand-millionth.
        let pairs: Vec<(f64, f64)> = (0..50).map(|i| (1e6 + f64::from(i * 7 % 11), f64::from(i * i % 13))).collect();
        let whole = Moments::of(pairs.iter().copied());
        for cut in [0, 1, 20, 50] {
            let (left, right) = pairs.split_at(cut);
            let parts = Moments::of(left.iter().copied()).plus(Moments::of(right.iter().copied()));
            for (found, expected) in [(parts.covariance(), whole.covariance()), (parts.correlation(), whole.correlation())] {
                let (found, expected) = (found.expect("fifty rows"), expected.expect("fifty rows"));
                assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{cut}: {found}, not {expected}");
            }
        }
        assert_eq!((Moments::default().covariance(), Moments::of([(1.0, 2.0)].into_iter()).correlation()), (None, None));
    }
}
