//! `to_darray`: the columns of a frame as an array of two axes.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::{DataFrame, DataType};
use serde::{Deserialize, Serialize};

use crate::array::{self, Block, Cuts, DArray, DType, Meta};
use crate::frame::expr::polars_failure;
use crate::frame::rewrite::rewrite;
use crate::frame::value::frame_of;
use crate::frame::{DFrame, lower};

impl DFrame {
    /// The columns, all of which are of numbers or truths, as an array of two axes: a row for each row and a column for each column, in the
    /// order of the schema. Missing values become NaN, true becomes 1. Each partition becomes one chunk of rows, whose length is known only
    /// after it was made; see [`DArray::compute_chunk_sizes`].
    ///
    /// Types that a reader guessed wrong are not mended on this way: [`DFrame::persist`] a frame from files with doubtful columns first.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let frame = DFrame::from_polars(df!("x" => [1.5, 2.5, 3.5], "n" => [1i64, 2, 3])?, 2);
    /// let x = frame.to_darray();
    /// assert_eq!(x.compute()?, array![[1.5, 1.0], [2.5, 2.0], [3.5, 3.0]].into_dyn());
    /// assert_eq!(x.mean_axis(0).compute()?, array![2.5, 2.0].into_dyn());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column of another type.
    #[doc(alias = "to_dask_array")]
    #[doc(alias = "values")]
    #[track_caller]
    pub fn to_darray(&self) -> DArray<f64> {
        let partitions = self.npartitions().map(|partitions| partitions as u32);
        DArray::then(FromFrame { frame: self.clone(), partitions }, Vec::new(), ".to_darray()")
    }
}

impl DArray<f64> {
    /// The columns of a frame as an array of two axes; see [`DFrame::to_darray`].
    ///
    /// # Errors
    /// At `compute`: a column that is not of numbers or truths.
    #[track_caller]
    pub fn from_dframe(frame: &DFrame) -> DArray<f64> {
        frame.to_darray()
    }
}

struct FromFrame {
    frame: DFrame,
    partitions: Result<u32, Failure>,
}

impl array::Step for FromFrame {
    fn line(&self) -> String {
        "columns of a frame".into()
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        let schema = self.frame.resolved()?;
        if let Some((name, dtype)) = schema.iter().find(|(_, dtype)| !dtype.is_primitive_numeric() && !dtype.is_bool()) {
            let what = format!("column `{name}` is of type {dtype}, and an array is made of numbers");
            return Err(Failure::new(Code::TypeMismatch, what).help("choose columns of numbers first: .select([col(\"x\"), col(\"y\")])"));
        }
        Ok(Meta { dtype: DType::F64, cuts: vec![Cuts::Unknown(self.partitions.clone()?), Cuts::whole(schema.len())] })
    }

    fn lower(&self, node: &array::Node, lowering: &mut array::Lowering) -> Result<array::Lowered, Failure> {
        // It outlives the lowering, which knows frames by address.
        let rewritten = rewrite(&self.frame)?;
        let mut frames = lower::Lowering::within(Some(lowering.budget));
        frames.graph = std::mem::take(&mut lowering.graph);
        let lowered = frames.frame(&rewritten);
        lowering.graph = frames.graph;
        let lowered = lowered?;
        if self.partitions.as_ref().ok() != Some(&lowered.partitions) {
            return Err(Failure::internal("a frame of another number of partitions than was announced"));
        }
        let op = OpRef::new(RowsToBlock, "columns of a frame");
        Ok(lowering.add(Layer::single("to_darray", lowered.partitions, op, vec![lowered.edge(Wiring::Each)]), node))
    }
}

/// The rows of a partition as a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct RowsToBlock;

impl Operator for RowsToBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = inputs.first().map(frame_of).ok_or_else(|| Failure::internal("to_darray: no partition"))??;
        Ok(Chunk::new(block(&frame)?))
    }
}

impl NamedOperator for RowsToBlock {
    const NAME: &'static str = "frame_to_array";
}

fn block(frame: &DataFrame) -> Result<Block, Failure> {
    let (rows, columns) = (frame.height(), frame.width());
    let mut values = vec![f64::NAN; rows * columns];
    for (at, column) in frame.columns().iter().enumerate() {
        let numbers = column.cast(&DataType::Float64).map_err(|e| polars_failure(e, None))?;
        let numbers = numbers.f64().map_err(|e| polars_failure(e, None))?;
        for (value, number) in values.iter_mut().skip(at).step_by(columns).zip(numbers.iter()) {
            *value = number.unwrap_or(f64::NAN);
        }
    }
    Ok(Block::from_vec(vec![rows, columns], values))
}
