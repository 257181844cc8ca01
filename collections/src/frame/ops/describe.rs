//! `describe`: what a person wants to know first of number columns.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{DFrame, Node, Step};

/// The statistics before the quantiles, and those after.
const FIRST: [&str; 5] = ["count", "null_count", "mean", "std", "min"];
const QUANTILES: [(&str, f64); 3] = [("25%", 0.25), ("50%", 0.5), ("75%", 0.75)];
const LAST: [&str; 1] = ["max"];

impl DFrame {
    /// Statistics of each number column: how many values there are and how many are null, mean, standard deviation, least value,
    /// quartiles and greatest value, all exact. One row for each, named in the column `statistic`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let described = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 3).describe().compute()?;
    /// let expected = df!(
    ///     "statistic" => ["count", "null_count", "mean", "std", "min", "25%", "50%", "75%", "max"],
    ///     "x" => [4.0, 0.0, 2.5, (5.0f64 / 3.0).sqrt(), 1.0, 1.75, 2.5, 3.25, 4.0]
    /// )?;
    /// assert_eq!(described, expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without number columns.
    #[track_caller]
    pub fn describe(&self) -> DFrame {
        let method = ".describe()";
        let columns = match self.number_columns(method) {
            Ok((columns, _)) => columns,
            Err(failure) => return DFrame::failed(failure, method),
        };
        let statistics = columns.iter().flat_map(|name| {
            let of = |statistic: &str| {
                let x = col(name.as_str());
                let value = match statistic {
                    "count" => x.count(),
                    "null_count" => x.null_count(),
                    "mean" => x.mean(),
                    "std" => x.std(1),
                    "min" => x.min(),
                    _ => x.max(),
                };
                value.cast(DataType::Float64).alias(part(name, statistic))
            };
            FIRST.iter().chain(&LAST).map(|statistic| of(statistic)).collect::<Vec<_>>()
        });
        let statistics = self.agg(statistics.collect::<Vec<Expr>>());
        let quantiles = self.quantiles(QUANTILES.iter().map(|(_, quantile)| *quantile).collect(), QuantileMethod::Linear, method);
        DFrame::then(Describe { columns }, vec![statistics, quantiles], method)
    }
}

/// The name of a statistic of a column on the way.
fn part(column: &str, statistic: &str) -> String {
    format!("{statistic} of {column}")
}

/// Puts statistics below each other. Its inputs are one row of statistics, and quantiles.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Describe {
    columns: Vec<String>,
}

impl Step for Describe {
    fn line(&self) -> String {
        format!("describe {}", self.columns.join(", "))
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let mut schema = Schema::default();
        schema.insert("statistic".into(), DataType::String);
        for name in &self.columns {
            if schema.insert(name.as_str().into(), DataType::Float64).is_some() {
                let what = "the column `statistic` of the frame would stand beside that of its description";
                return Err(Failure::new(partita_graph::Code::DuplicateColumn, what).help("rename it: .rename([(\"statistic\", \"s\")])"));
            }
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        let rows = FIRST.len() + QUANTILES.len() + LAST.len();
        Some(Size::of_rows(rows as u64, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = inputs.iter().map(|input| input.edge(Wiring::Every)).collect();
        Ok(lowering.add(Layer::single("describe", 1, OpRef::new(self.clone(), self.line()), edges), node))
    }
}

impl Describe {
    fn described(&self, statistics: &DataFrame, quantiles: &DataFrame) -> PolarsResult<DataFrame> {
        let names = FIRST.iter().chain(QUANTILES.iter().map(|(name, _)| name)).chain(&LAST).copied();
        let mut columns = vec![Column::new("statistic".into(), names.collect::<Vec<_>>())];
        for name in &self.columns {
            let one = |statistic: &&str| -> PolarsResult<Option<f64>> { Ok(statistics.column(&part(name, statistic))?.f64()?.get(0)) };
            let mut values = FIRST.iter().map(one).collect::<PolarsResult<Vec<_>>>()?;
            values.extend(quantiles.column(name)?.cast(&DataType::Float64)?.f64()?.iter());
            values.extend(LAST.iter().map(one).collect::<PolarsResult<Vec<_>>>()?);
            columns.push(Column::new(name.as_str().into(), values));
        }
        DataFrame::new(columns[0].len(), columns)
    }
}

impl Operator for Describe {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [statistics, quantiles] = inputs else {
            return Err(Failure::internal("a description is made of two frames"));
        };
        let described = self.described(&frame_of(statistics)?, &frame_of(quantiles)?);
        described.map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Describe {
    const NAME: &'static str = "describe";
}
