//! `from_polars`: a frame that is in memory already.

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::sort::range::positions;
use crate::frame::value::{chunk_of, joined};
use crate::frame::{DFrame, Node, Step, ops};

/// Rows that are looked at to judge all of them.
const SAMPLE: usize = 10_000;

impl DFrame {
    /// A polars frame in `npartitions` partitions of about equal numbers of rows (at least one; never more than rows).
    ///
    /// Nothing is copied. On a cluster the partitions travel to the workers once.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 2);
    /// assert_eq!(frame.npartitions()?, 2);
    /// assert_eq!(frame.compute()?, df!("x" => [1, 2, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn from_polars(frame: DataFrame, npartitions: usize) -> DFrame {
        let rows = frame.height();
        let n = npartitions.clamp(1, rows.max(1));
        let cut = |i: usize| rows * i / n;
        let parts = (0..n).map(|i| (ops::token(), frame.slice(cut(i) as i64, cut(i + 1) - cut(i)))).collect();
        DFrame::then(FromPolars { schema: frame.schema().clone(), parts }, Vec::new(), "from_polars(…)")
    }
}

/// Partitions that the user handed over, each with a token that stands for its content.
#[derive(Clone)]
struct FromPolars {
    schema: SchemaRef,
    parts: Vec<(u64, DataFrame)>,
}

impl Step for FromPolars {
    fn line(&self) -> String {
        format!("from_polars {} rows", self.parts.iter().map(|(_, part)| part.height()).sum::<usize>())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn sample(&self, columns: &Names) -> Option<(DataFrame, u64)> {
        let rows = self.parts.iter().map(|(_, part)| part.height() as u64).sum();
        let each = (SAMPLE / self.parts.len()).max(1);
        let pick = |part: &DataFrame| {
            part.select(columns.iter().cloned())
                .and_then(|part| part.take(&IdxCa::from_slice("rows".into(), &positions(part.height(), each))))
        };
        let picked = self.parts.iter().map(|(_, part)| pick(part)).collect::<PolarsResult<Vec<_>>>().ok()?;
        Some((joined(picked).ok()?, rows))
    }

    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        let rows = self.parts.iter().map(|(_, part)| part.height() as u64).sum();
        Some(Size { rows, bytes: self.parts.iter().map(|(_, part)| part.estimated_size() as u64).sum() })
    }

    fn sampled_rows(&self, columns: &Names) -> Option<DataFrame> {
        self.sample(columns).map(|(sample, _)| sample)
    }

    fn different(&self, column: &PlSmallStr) -> Option<u64> {
        if !self.schema.get(column)?.is_integer() {
            return None;
        }
        let columns = self.parts.iter().map(|(_, part)| part.column(column).ok()?.cast(&DataType::Int64).ok());
        let columns = columns.collect::<Option<Vec<Column>>>()?;
        let values = || columns.iter().map(Column::as_materialized_series);
        let (low, high) = (values().filter_map(|v| v.min::<i64>().ok()?).min()?, values().filter_map(|v| v.max::<i64>().ok()?).max()?);
        u64::try_from(i128::from(high) - i128::from(low) + 1).ok()
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        Ok(lowering.add(layer(&self.parts), node))
    }
}

/// A layer whose chunks are these frames.
pub(crate) fn layer(parts: &[(u64, DataFrame)]) -> Layer {
    let args = parts.iter().map(|(token, part)| Arg::Chunk { token: *token, chunk: chunk_of(part.clone()) });
    Layer::with_args("from_polars", OpRef::new(Given, "from_polars"), args.collect(), Vec::new())
}

/// Hands out the chunk that is its argument.
#[derive(Serialize, Deserialize)]
pub(crate) struct Given;

impl Operator for Given {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        match ctx.arg()? {
            Arg::Chunk { chunk, .. } => Ok(chunk.clone()),
            Arg::Bytes(_) => Err(Failure::internal("from_polars: bytes where a chunk was expected")),
        }
    }
}

impl NamedOperator for Given {
    const NAME: &'static str = "given";
}
