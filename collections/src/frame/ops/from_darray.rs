//! `from_darray`: the columns of an array as those of a frame.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::{Column, DataFrame, DataType, PlSmallStr, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::array::{AnyArray, Block, DArray, DType, Element, Held, block_of, lower_into};
use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::chunk_of;
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The rows of an array of two axes as those of a frame, with a name for each column; an array of one axis becomes one column. Types are
    /// those of the array, and each chunk of rows becomes one partition. Columns come into one chunk first.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 10], [2, 20], [3, 30]], 2);
    /// let frame = DFrame::from_darray(&x, &["small", "large"]);
    /// assert_eq!(frame.npartitions()?, 2);
    /// assert_eq!(frame.compute()?, df!("small" => [1, 2, 3], "large" => [10, 20, 30])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an array of no or of more than two axes, columns whose number is not known, other than one name for each, a name twice,
    /// elements of a kind that no column has.
    #[doc(alias = "from_dask_array")]
    #[track_caller]
    pub fn from_darray<T: Element>(array: &DArray<T>, names: &[&str]) -> DFrame {
        match schema_of(array, names) {
            Ok(schema) => {
                let whole = if array.ndim().is_ok_and(|ndim| ndim == 2) { array.rechunk([(1, -1)]) } else { array.clone() };
                DFrame::then(FromArray { array: whole.to_any(), schema }, Vec::new(), "from_darray(…)")
            }
            Err(failure) => DFrame::failed(failure, "from_darray(…)"),
        }
    }
}

/// The schema of columns of these names, or why they do not fit.
fn schema_of<T: Element>(array: &DArray<T>, names: &[&str]) -> Result<SchemaRef, Failure> {
    let meta = array.untyped().meta()?;
    let columns = match &meta.cuts[..] {
        [_] => 1,
        [_, columns] => columns.len().ok_or_else(|| crate::array::unknown_sizes(1))?,
        _ => {
            let what = format!("an array of shape {} has no rows and columns", meta.show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what).help("bring it to two axes first: .reshape([-1, columns])"));
        }
    };
    if names.len() != columns {
        let what = format!("{} names for the {columns} columns of an array of shape {}", names.len(), meta.show_shape());
        return Err(Failure::new(Code::ShapeMismatch, what).help("one name for each column"));
    }
    let none = || Failure::new(Code::Unsupported, format!("no column has elements of {}", meta.dtype));
    let dtype = type_of(meta.dtype).ok_or_else(none)?;
    let mut schema = Schema::default();
    for name in names {
        if schema.insert((*name).into(), dtype.clone()).is_some() {
            return Err(Failure::new(Code::DuplicateColumn, format!("the name `{name}` is given to two columns")));
        }
    }
    Ok(Arc::new(schema))
}

macro_rules! kinds {
    ($($T:ident $Type:ident;)*) => {
        /// The type of columns with elements of a kind.
        fn type_of(dtype: DType) -> Option<DataType> {
            $(if dtype == <$T as Held>::DTYPE {
                return Some(DataType::$Type);
            })*
            None
        }

        /// The elements of a block as a column.
        fn column(block: &Block, name: &PlSmallStr) -> Result<Column, Failure> {
            $(if block.dtype() == <$T as Held>::DTYPE {
                return Ok(Column::new(name.clone(), block.to_vec::<$T>()?));
            })*
            Err(Failure::internal(format!("a column of {}", block.dtype())))
        }
    };
}

kinds! {
    bool Boolean;
    i8 Int8;
    i16 Int16;
    i32 Int32;
    i64 Int64;
    u8 UInt8;
    u16 UInt16;
    u32 UInt32;
    u64 UInt64;
    f32 Float32;
    f64 Float64;
}

struct FromArray {
    array: AnyArray,
    schema: SchemaRef,
}

impl Step for FromArray {
    fn line(&self) -> String {
        format!("from_darray {}", self.array.meta().map(crate::array::Meta::show_shape).unwrap_or_default())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        // An array that does not fit is a frame that does not.
        self.array.meta().map(|_| self.schema.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn rows(&self, _: &[Option<u64>]) -> Option<u64> {
        self.array.meta().ok()?.cuts.first()?.len().map(|rows| rows as u64)
    }

    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        let meta = self.array.meta().ok()?;
        Some(Size { rows: meta.cuts.first()?.len()? as u64, bytes: meta.nbytes()? })
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let blocks = lower_into(lowering.budget, &mut lowering.graph, &self.array)?;
        let op = OpRef::new(BlockToRows { schema: (*self.schema).clone() }, "from_darray");
        let layer = Layer::single("from_darray", self.array.meta()?.blocks()?, op, vec![blocks.edge(Wiring::Each)]);
        Ok(lowering.add(layer, node))
    }
}

/// The rows of a block as a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct BlockToRows {
    schema: Schema,
}

impl Operator for BlockToRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("from_darray: no block"))??;
        let [rows, ..] = *block.shape() else { return Err(Failure::internal("from_darray: a block without rows")) };
        let columns = block.shape().get(1).copied();
        if columns.unwrap_or(1) != self.schema.len() {
            return Err(Failure::new(
                Code::ShapeMismatch,
                format!("a chunk has {} columns, not {}", columns.unwrap_or(1), self.schema.len()),
            ));
        }
        let one = |at: usize| columns.map_or_else(|| block.clone(), |_| block.strided(1, at, 1, 1));
        let columns = self.schema.iter_names().enumerate().map(|(at, name)| column(&one(at), name)).collect::<Result<Vec<_>, Failure>>()?;
        DataFrame::new(rows, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for BlockToRows {
    const NAME: &'static str = "array_to_frame";
}
