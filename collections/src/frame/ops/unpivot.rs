//! `unpivot`: columns below each other.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use polars_core::utils::try_get_supertype;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, column_not_found, columns_of, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of, joined};
use crate::frame::{Admission, DFrame, Node, Step};

impl DFrame {
    /// A row for each value of the columns `on`: the columns `index` as they are, the name of the column as `variable` and the value as
    /// `value`. All other columns are left out. Values of several types are cast to one that holds them all.
    ///
    /// Within each partition, all rows of the first column come first, then those of the second, and so on.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b"], "x" => [1, 2], "y" => [10, 20])?, 1);
    /// let long = frame.unpivot(["x", "y"], ["k"]).compute()?;
    /// let expected = df!("k" => ["a", "b", "a", "b"], "variable" => ["x", "x", "y", "y"], "value" => [1, 2, 10, 20])?;
    /// assert_eq!(long, expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a name that is no column, no column `on`, types that no one type holds, two columns of one name.
    #[doc(alias = "melt")]
    #[track_caller]
    pub fn unpivot<S: AsRef<str>, T: AsRef<str>>(&self, on: impl IntoIterator<Item = S>, index: impl IntoIterator<Item = T>) -> DFrame {
        let on = on.into_iter().map(|name| name.as_ref().to_string()).collect();
        let index = index.into_iter().map(|name| name.as_ref().to_string()).collect();
        DFrame::then(Unpivot { on, index }, vec![self.clone()], ".unpivot(…)")
    }

    /// [`DFrame::unpivot`], as Dask and pandas call it.
    #[track_caller]
    pub fn melt<S: AsRef<str>, T: AsRef<str>>(&self, on: impl IntoIterator<Item = S>, index: impl IntoIterator<Item = T>) -> DFrame {
        self.unpivot(on, index)
    }
}

const VARIABLE: &str = "variable";
const VALUE: &str = "value";

struct Unpivot {
    on: Vec<String>,
    index: Vec<String>,
}

impl Unpivot {
    fn value_type(&self, input: &Schema) -> Result<DataType, Failure> {
        let mut common: Option<DataType> = None;
        for name in &self.on {
            let dtype = input.get(name).ok_or_else(|| column_not_found(name, input))?;
            common = Some(match common {
                None => dtype.clone(),
                Some(common) => try_get_supertype(&common, dtype).map_err(|_| {
                    let what = format!("`{name}` is of type {dtype}, which does not go below {common}");
                    Failure::new(Code::TypeMismatch, what).help(format!("cast it before: .cast([({name:?}, DataType::…)])"))
                })?,
            });
        }
        common.ok_or_else(|| Failure::new(Code::InvalidOption, ".unpivot(…) needs at least one column to put below each other"))
    }
}

impl Step for Unpivot {
    fn line(&self) -> String {
        format!("unpivot {} beside {}", self.on.join(", "), self.index.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let value = self.value_type(&inputs[0])?;
        let mut schema = Schema::default();
        let twice = |name: &str| Failure::new(Code::DuplicateColumn, format!("the result of .unpivot(…) would have two columns `{name}`"));
        for name in &self.index {
            let dtype = inputs[0].get(name).ok_or_else(|| column_not_found(name, &inputs[0]))?;
            if schema.insert(name.as_str().into(), dtype.clone()).is_some() {
                return Err(twice(name));
            }
        }
        for (name, dtype) in [(VARIABLE, DataType::String), (VALUE, value)] {
            if schema.insert(name.into(), dtype).is_some() {
                return Err(twice(name).help(format!("rename the column before: .rename([({name:?}, \"…\")])")));
            }
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        self.on.iter().chain(&self.index).map(|name| name.as_str().into()).collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        let read = columns_of(predicate);
        let of_index = !read.is_empty() && read.iter().all(|name| self.index.iter().any(|column| column == name.as_str()));
        match of_index && !node.can_fail(predicate) {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(inputs[0]?.rows.saturating_mul(self.on.len() as u64), node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let value = self.value_type(node.inputs[0].resolved()?)?;
        let op = OpRef::new(UnpivotRows { on: self.on.clone(), index: self.index.clone(), value }, self.line());
        Ok(lowering.add(Layer::single("unpivot", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Puts columns of a partition below each other.
#[derive(Serialize, Deserialize)]
pub(crate) struct UnpivotRows {
    on: Vec<String>,
    index: Vec<String>,
    value: DataType,
}

impl UnpivotRows {
    fn of_column(&self, frame: &DataFrame, name: &str) -> PolarsResult<DataFrame> {
        let rows = frame.height();
        let mut columns = frame.select(&self.index)?.into_columns();
        columns.push(Column::new_scalar(VARIABLE.into(), Scalar::from(PlSmallStr::from_str(name)), rows));
        columns.push(frame.column(name)?.cast(&self.value)?.with_name(VALUE.into()));
        DataFrame::new(rows, columns)
    }
}

impl Operator for UnpivotRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let frames = self.on.iter().map(|name| self.of_column(&frame, name)).collect::<PolarsResult<Vec<_>>>();
        joined(frames.map_err(|e| polars_failure(e, None))?).map(chunk_of)
    }
}

impl NamedOperator for UnpivotRows {
    const NAME: &'static str = "unpivot_rows";
}
