//! Quantiles of a whole frame, exactly, without bringing its rows together.
//!
//! Samples give cuts, each partition counts its values between them, the counts tell between which two cuts a quantile lies, and only the
//! values there are gathered: of a column of any length about one in five hundred ([`operator`], [`pick`]).

pub(crate) mod operator;
mod pick;

use std::sync::Arc;

use partita_graph::{Code, Edge, Failure, Layer, OpRef, Wiring};
use polars::prelude::{DataType, QuantileMethod, Schema, SchemaRef};

use super::expr::{Names, column_not_found, narrowed};
use super::lower::{Lowered, Lowering};
use super::size::Size;
use super::{DFrame, Node, Step};
use operator::{Asked, ChooseBuckets, CountBuckets, FindCuts, FinishQuantiles, GatherBuckets, SampleValues, SortedQuantiles};

/// Values of each column that are looked at in all partitions together, and at least in each.
const SAMPLES: u32 = 65_536;
const FEWEST: u32 = 64;
const MOST: u32 = 1024;

impl DFrame {
    /// A quantile of each number column, as one row, exactly; nulls are left out, NaN is the greatest number. `method` says what it is
    /// between two values.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 10])?, 3);
    /// assert_eq!(frame.quantile(0.25, QuantileMethod::Linear).compute()?, df!("x" => [1.75])?);
    /// assert_eq!(frame.quantile(0.25, QuantileMethod::Nearest).compute()?, df!("x" => [2.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a quantile that is not between 0 and 1, a frame without number columns.
    #[track_caller]
    pub fn quantile(&self, quantile: f64, method: QuantileMethod) -> DFrame {
        self.quantiles(vec![quantile], method, ".quantile(…)")
    }

    /// The median of each number column, as one row, exactly; nulls are left out.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 10], "t" => ["a", "b", "c", "d"])?, 3);
    /// assert_eq!(frame.median().compute()?, df!("x" => [2.5])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without number columns.
    #[track_caller]
    pub fn median(&self) -> DFrame {
        self.quantiles(vec![0.5], QuantileMethod::Linear, ".median()")
    }

    /// Several quantiles of each number column, a row for each.
    #[track_caller]
    pub(crate) fn quantiles(&self, quantiles: Vec<f64>, method: QuantileMethod, name: &str) -> DFrame {
        if let Some(wrong) = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile)) {
            let failure = Failure::new(Code::InvalidOption, format!("a quantile is between 0 and 1, not {wrong}"));
            return DFrame::failed(failure, name);
        }
        match self.number_columns(name) {
            Ok((columns, note)) => DFrame::then(Quantiles { columns, quantiles, method, note }, vec![self.clone()], name),
            Err(failure) => DFrame::failed(failure, name),
        }
    }

    /// The columns that numbers are computed of, and what is to be said of the others.
    pub(crate) fn number_columns(&self, method: &str) -> Result<(Vec<String>, Option<String>), Failure> {
        let (taken, left): (Vec<_>, Vec<_>) = self.resolved()?.iter().partition(|(_, dtype)| dtype.is_primitive_numeric());
        let left: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        if taken.is_empty() {
            let what = format!("{method} has no column to work on: no column holds numbers");
            return Err(Failure::new(Code::TypeMismatch, what).detail("left out", left.join(", ")));
        }
        let note = (!left.is_empty()).then(|| format!("{method} leaves out columns that it is not defined for: {}", left.join(", ")));
        Ok((taken.into_iter().map(|(name, _)| name.to_string()).collect(), note))
    }
}

/// The type of a column's quantiles. A column that was a number when it was planned may be none now that types were widened.
pub(crate) fn quantile_type(name: &str, dtype: &DataType) -> Result<DataType, Failure> {
    match dtype {
        DataType::Float32 => Ok(DataType::Float32),
        dtype if dtype.is_primitive_numeric() => Ok(DataType::Float64),
        dtype => Err(Failure::new(Code::TypeMismatch, format!("`{name}` is of type {dtype}, which has no quantiles"))),
    }
}

#[derive(Clone)]
struct Quantiles {
    columns: Vec<String>,
    quantiles: Vec<f64>,
    method: QuantileMethod,
    note: Option<String>,
}

impl Step for Quantiles {
    fn line(&self) -> String {
        let quantiles: Vec<String> = self.quantiles.iter().map(f64::to_string).collect();
        format!("quantile {} of {}", quantiles.join(", "), self.columns.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let mut schema = Schema::default();
        for name in &self.columns {
            let dtype = inputs[0].get(name).ok_or_else(|| column_not_found(name, &inputs[0]))?;
            schema.insert(name.as_str().into(), quantile_type(name, dtype)?);
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        self.columns.iter().map(|name| name.as_str().into()).collect()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        narrowed(&self.columns, wanted).map(|columns| Arc::new(Self { columns, ..self.clone() }) as Arc<dyn Step>)
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(self.quantiles.len() as u64, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        lowering.notes.extend(self.note.clone());
        let schema = node.schema.as_ref().map_err(Clone::clone)?;
        let columns: Vec<(String, DataType)> = schema.iter().map(|(name, dtype)| (name.to_string(), dtype.clone())).collect();
        let asked = || Asked { columns: columns.clone(), quantiles: self.quantiles.clone(), method: self.method };
        let input = inputs[0];
        if input.partitions == 1 {
            let op = OpRef::new(SortedQuantiles { asked: asked() }, self.line());
            return Ok(lowering.add(Layer::single("quantile", 1, op, vec![input.edge(Wiring::Each)]), node));
        }
        let most = (SAMPLES / input.partitions).clamp(FEWEST, MOST);
        let mut add = |name: &str, tasks: u32, op: OpRef, edges: Vec<Edge>| lowering.add(Layer::single(name, tasks, op, edges), node);
        let op = OpRef::new(SampleValues { asked: asked(), most }, "sample values");
        let samples = add("sample", input.partitions, op, vec![input.edge(Wiring::Each)]);
        let cuts = add("cuts", 1, OpRef::new(FindCuts, "cuts between buckets"), vec![samples.edge(Wiring::Every)]);
        let op = OpRef::new(CountBuckets { asked: asked() }, "count values in buckets");
        let counts = add("count", input.partitions, op, vec![input.edge(Wiring::Each), cuts.edge(Wiring::Every)]);
        let op = OpRef::new(ChooseBuckets { asked: asked() }, "buckets with quantiles");
        let choice = add("choose", 1, op, vec![cuts.edge(Wiring::Every), counts.edge(Wiring::Every)]);
        let op = OpRef::new(GatherBuckets { asked: asked() }, "values of these buckets");
        let edges = vec![input.edge(Wiring::Each), cuts.edge(Wiring::Every), choice.edge(Wiring::Every)];
        let values = add("gather", input.partitions, op, edges);
        let op = OpRef::new(FinishQuantiles { asked: asked() }, self.line());
        Ok(add("quantile", 1, op, vec![choice.edge(Wiring::Every), values.edge(Wiring::Every)]))
    }
}
