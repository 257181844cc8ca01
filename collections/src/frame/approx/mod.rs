//! Answers that are nearly right, from sketches of a few kilobytes a partition and one look at each row: how many different values there
//! are ([`hll`]), and where quantiles lie ([`digest`]).

pub(crate) mod digest;
pub(crate) mod hll;
pub(crate) mod operator;

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, OpRef, Wiring};
use polars::prelude::{DataType, Schema, SchemaRef};

use super::expr::{Names, column_not_found, narrowed};
use super::lower::{Lowered, Lowering};
use super::quantile::quantile_type;
use super::shuffle::{keys::check_keys, named};
use super::size::Size;
use super::{DFrame, Node, Step};
use operator::{Ask, Finish, Merge, Sketch};

impl DFrame {
    /// About how many different values each column has, as one row; null is a value. The standard error is 0.8 %, whatever the number;
    /// small numbers are nearly always exact. Exact in any case: [`DFrame::n_unique`], which moves the values.
    ///
    /// Each partition is sketched in 16 KiB a column (HyperLogLog: Flajolet, Fusy, Gandouet and Meunier, AofA 2007; the estimator is that of
    /// Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017). The same values give the same answer, however they
    /// are partitioned.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?, 3);
    /// assert_eq!(frame.n_unique_approx().compute()?, df!("k" => [2u32], "x" => [3u32])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns.
    #[doc(alias = "nunique_approx")]
    #[track_caller]
    pub fn n_unique_approx(&self) -> DFrame {
        match self.columns() {
            Ok(columns) => DFrame::then(Approximate { columns, ask: Ask::Different, note: None }, vec![self.clone()], ".n_unique_approx()"),
            Err(failure) => DFrame::failed(failure, ".n_unique_approx()"),
        }
    }

    /// About a quantile of each number column, as one row, between values as `QuantileMethod::Linear` has it; nulls are left out, NaN is the
    /// greatest number. The farther a quantile is from the median the more exact it is; few values give it exactly. Exact in any case, at
    /// the price of looking at the rows three times: [`DFrame::quantile`].
    ///
    /// Each partition is sketched in a few kilobytes a column (t-digest: Dunning and Ertl, "Computing extremely accurate quantiles using
    /// t-digests", 2019). The same partitions give the same answer.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 10])?, 3);
    /// assert_eq!(frame.quantile_approx(0.25).compute()?, df!("x" => [1.75])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a quantile that is not between 0 and 1, a frame without number columns.
    #[track_caller]
    pub fn quantile_approx(&self, quantile: f64) -> DFrame {
        self.sketched(quantile, ".quantile_approx(…)")
    }

    /// About the median of each number column, as [`DFrame::quantile_approx`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 10])?, 3);
    /// assert_eq!(frame.median_approx().compute()?, df!("x" => [2.5])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without number columns.
    #[doc(alias = "median_approximate")]
    #[track_caller]
    pub fn median_approx(&self) -> DFrame {
        self.sketched(0.5, ".median_approx()")
    }

    #[track_caller]
    fn sketched(&self, quantile: f64, method: &str) -> DFrame {
        if !(0.0..=1.0).contains(&quantile) {
            let failure = Failure::new(Code::InvalidOption, format!("a quantile is between 0 and 1, not {quantile}"));
            return DFrame::failed(failure, method);
        }
        match self.number_columns(method) {
            Ok((columns, note)) => DFrame::then(Approximate { columns, ask: Ask::Quantile(quantile), note }, vec![self.clone()], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

#[derive(Clone)]
struct Approximate {
    columns: Vec<String>,
    ask: Ask,
    note: Option<String>,
}

impl Step for Approximate {
    fn line(&self) -> String {
        let what = match self.ask {
            Ask::Different => "different values".to_string(),
            Ask::Quantile(quantile) => format!("quantile {quantile}"),
        };
        format!("about the {what} of {}", self.columns.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        if self.ask == Ask::Different {
            check_keys(&named(self.columns.iter().map(String::as_str)), &inputs[0], ".n_unique_approx()")?;
        }
        let mut schema = Schema::default();
        for name in &self.columns {
            let dtype = inputs[0].get(name).ok_or_else(|| column_not_found(name, &inputs[0]))?;
            let dtype = match self.ask {
                Ask::Different => DataType::IDX_DTYPE,
                Ask::Quantile(_) => quantile_type(name, dtype)?,
            };
            schema.insert(name.as_str().into(), dtype);
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
        Some(Size::of_rows(1, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        lowering.notes.extend(self.note.clone());
        let schema = node.schema.as_ref().map_err(Clone::clone)?;
        let columns: Vec<(String, DataType)> = schema.iter().map(|(name, dtype)| (name.to_string(), dtype.clone())).collect();
        let op = OpRef::new(Sketch { columns: self.columns.clone(), ask: self.ask }, "sketch");
        let sketches = lowering.add(Layer::single("sketch", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node);
        let level = lowering.gather("merge", &OpRef::new(Merge { ask: self.ask }, "merge sketches"), sketches, node);
        let op = OpRef::new(Finish { columns, ask: self.ask }, self.line());
        Ok(lowering.add(Layer::single("approximate", 1, op, vec![level.edge(Wiring::Every)]), node))
    }
}
