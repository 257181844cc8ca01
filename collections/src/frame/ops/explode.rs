//! `explode`: a row for each item of a list.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, column_not_found, columns_of, on_polars_thread, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::sampled::sampled;
use crate::frame::shuffle::keys::key_columns;
use crate::frame::size::{ITEMS, Size};
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, Node, Step};

impl DFrame {
    /// A row for each item of the lists, or arrays of fixed length, in some columns; the other columns are repeated. Several columns must have lists of equal lengths
    /// in each row. An empty list or a null gives one row with null.
    ///
    /// ```
    /// use partita::{polars::prelude::IntoLazy, prelude::*};
    /// let lists = df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?.lazy().group_by_stable([col("k")]).agg([col("x")]).collect()?;
    /// let frame = DFrame::from_polars(lists, 2).explode(["x"]);
    /// assert_eq!(frame.compute()?, df!("k" => ["a", "a", "b"], "x" => [1, 3, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a name that is no column or no column of lists, no name at all; while it runs: lists of unequal lengths in one row.
    #[track_caller]
    pub fn explode<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> DFrame {
        let columns = columns.into_iter().map(|name| name.as_ref().to_string()).collect();
        DFrame::then(ExplodeLists { columns }, vec![self.clone()], ".explode(…)")
    }
}

/// Lays lists out as rows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ExplodeLists {
    columns: Vec<String>,
}

impl ExplodeLists {
    fn is_exploded(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// About how many rows become of one.
    fn items(&self, input: &DFrame) -> Option<f64> {
        let name = PlSmallStr::from(self.columns.first()?.as_str());
        if let DataType::Array(_, width) = input.resolved().ok()?.get(&name)? {
            return Some((*width).max(1) as f64);
        }
        Some(items_of_sample(input, name).unwrap_or(ITEMS as f64))
    }
}

/// How many items the lists of a column have on the average of some rows, if any are at hand.
fn items_of_sample(input: &DFrame, name: PlSmallStr) -> Option<f64> {
    let (sample, column) = sampled(input, vec![Expr::Column(name)])?;
    let lists = on_polars_thread(|| key_columns(&sample, &column)).ok()?.pop()?;
    let lists = lists.list().ok()?;
    // An empty list is a row, and so is a null.
    let items: usize = lists.series_iter().map(|list| list.map_or(1, |list| list.len().max(1))).sum();
    (!lists.is_empty()).then(|| items as f64 / lists.len() as f64)
}

impl Step for ExplodeLists {
    fn line(&self) -> String {
        format!("explode {}", self.columns.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        if self.columns.is_empty() {
            return Err(Failure::new(Code::InvalidOption, ".explode(…) needs at least one column").help("name it: .explode([\"x\"])"));
        }
        if let Some(missing) = self.columns.iter().find(|name| !inputs[0].contains(name)) {
            return Err(column_not_found(missing, &inputs[0]));
        }
        let mut schema = Schema::default();
        for (name, dtype) in inputs[0].iter() {
            let dtype = match dtype {
                DataType::List(inner) | DataType::Array(inner, _) if self.is_exploded(name) => (**inner).clone(),
                other if self.is_exploded(name) => {
                    return Err(Failure::new(Code::TypeMismatch, format!("`{name}` is of type {other} and holds no lists")));
                }
                other => other.clone(),
            };
            schema.insert(name.clone(), dtype);
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.iter().cloned().chain(self.columns.iter().map(|name| name.as_str().into())).collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // Rows that are repeated pass or fail together.
        let read = columns_of(predicate);
        match read.is_empty() || node.can_fail(predicate) || read.iter().any(|name| self.is_exploded(name)) {
            true => Admission::Stop,
            false => Admission::Through(predicate.clone()),
        }
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let rows = inputs[0]?.rows as f64 * self.items(node.inputs.first()?)?;
        Some(Size::of_rows(rows as u64, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(self.clone(), self.line());
        Ok(lowering.add(Layer::single("explode", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

impl Operator for ExplodeLists {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
        frame_of(&inputs[0])?.explode(&self.columns, options).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for ExplodeLists {
    const NAME: &'static str = "explode_lists";
}
