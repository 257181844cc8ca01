//! `concat`: frames one below the other; and the operator that joins partitions so.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use polars::prelude::{DataFrame, Expr, NULL, Schema, SchemaRef, lit};
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, column_not_found, narrowed};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::select::Select;
use crate::frame::shuffle::named;
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of, joined};
use crate::frame::{Admission, DFrame, Node, Step};

/// Frames that one layer reads; more are concatenated in groups.
const MOST: usize = 1000;

impl DFrame {
    /// Frames one below the other: all partitions of the first, then those of the second, and so on. All must have the same columns of
    /// the same types; their order is that of the first.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let (a, b) = (DFrame::from_polars(df!("x" => [1, 2])?, 2), DFrame::from_polars(df!("x" => [10])?, 1));
    /// let all = DFrame::concat([a, b]);
    /// assert_eq!((all.compute()?, all.npartitions()?), (df!("x" => [1, 2, 10])?, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no frame, frames whose columns differ; to fill up what some have not: [`DFrame::concat_diagonal`].
    #[track_caller]
    pub fn concat(frames: impl IntoIterator<Item = DFrame>) -> DFrame {
        let frames: Vec<DFrame> = frames.into_iter().collect();
        if frames.len() > MOST {
            // Not in a closure, which would not know the caller's line.
            let mut groups = Vec::with_capacity(frames.len().div_ceil(MOST));
            for group in frames.chunks(MOST) {
                groups.push(DFrame::concat(group.iter().cloned()));
            }
            return DFrame::concat(groups);
        }
        match same_columns(&frames) {
            Ok(columns) => DFrame::then(ConcatFrames { columns, frames: frames.len() }, frames, "concat(…)"),
            Err(failure) => DFrame::failed(failure, "concat(…)"),
        }
    }

    /// The same for frames of which some have columns that others have not: these are null there. The columns are those of the first frame,
    /// then what the second has besides, and so on; those of one name are of one type.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let (a, b) = (DFrame::from_polars(df!("x" => [1, 2])?, 2), DFrame::from_polars(df!("y" => ["new"], "x" => [10])?, 1));
    /// let all = DFrame::concat_diagonal([a, b]).compute()?;
    /// assert_eq!(all, df!("x" => [1, 2, 10], "y" => [None, None, Some("new")])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no frame, columns of one name and of several types.
    #[doc(alias = "outer")]
    #[track_caller]
    pub fn concat_diagonal(frames: impl IntoIterator<Item = DFrame>) -> DFrame {
        let mut frames: Vec<DFrame> = frames.into_iter().collect();
        let mut all = Schema::default();
        for frame in &frames {
            match frame.resolved() {
                Ok(schema) => add_missing(&mut all, schema),
                Err(failure) => return DFrame::failed(failure, "concat_diagonal(…)"),
            }
        }
        // Not in a closure, which would not know the caller's line.
        for frame in &mut frames {
            let Ok(schema) = frame.resolved() else { continue };
            let missing = all.iter().filter(|(name, _)| !schema.contains(name));
            let missing: Vec<Expr> = missing.map(|(name, dtype)| lit(NULL).cast(dtype.clone()).alias(name.clone())).collect();
            if !missing.is_empty() {
                *frame = frame.with_columns(missing);
            }
        }
        DFrame::concat(frames)
    }
}

/// Adds the columns that a schema has not.
fn add_missing(all: &mut Schema, other: &Schema) {
    for (name, dtype) in other.iter() {
        if !all.contains(name) {
            all.insert(name.clone(), dtype.clone());
        }
    }
}

/// The columns of the first frame, if all others have the same and no more.
fn same_columns(frames: &[DFrame]) -> Result<Vec<String>, Failure> {
    let Some(first) = frames.first() else {
        return Err(Failure::new(Code::InvalidOption, "concat of no frames has no columns").help("give it at least one frame"));
    };
    let columns = first.columns()?;
    for (at, frame) in frames.iter().enumerate() {
        let schema = frame.resolved()?;
        if let Some(more) = schema.iter_names().find(|name| !columns.iter().any(|column| column == name.as_str())) {
            let what = format!("frame {} of the concat has a column `{more}`, which the first has not", at + 1);
            return Err(Failure::new(Code::SchemaMismatch, what).help(format!("leave it out: .drop([{:?}])", more.as_str())));
        }
    }
    Ok(columns)
}

struct ConcatFrames {
    columns: Vec<String>,
    frames: usize,
}

impl Step for ConcatFrames {
    fn line(&self) -> String {
        "concat".into()
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let mut all = Schema::default();
        for (at, input) in inputs.iter().enumerate() {
            for name in &self.columns {
                let dtype =
                    input.get(name).ok_or_else(|| column_not_found(name, input).detail("in", format!("frame {} of the concat", at + 1)))?;
                match all.get(name) {
                    None => drop(all.insert(name.as_str().into(), dtype.clone())),
                    Some(first) if first == dtype => {}
                    Some(first) => {
                        let what = format!("`{name}` is of type {first} in the first frame of the concat and {dtype} in frame {}", at + 1);
                        let help = format!("cast one of them before: .cast([({name:?}, DataType::…)])");
                        return Err(Failure::new(Code::SchemaMismatch, what).help(help));
                    }
                }
            }
        }
        Ok(Arc::new(all))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        self.columns.iter().map(|name| name.as_str().into()).collect()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        narrowed(&self.columns, wanted).map(|columns| Arc::new(Self { columns, frames: self.frames }) as Arc<dyn Step>)
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        Admission::Below(vec![Some(predicate.clone()); self.frames])
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn is_row_by_row(&self) -> bool {
        true
    }

    fn size(&self, inputs: &[Option<Size>], _: &Node) -> Option<Size> {
        inputs.iter().try_fold(Size { rows: 0, bytes: 0 }, |all, size| Some(all.and((*size)?)))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let all: u32 = inputs.iter().map(|input| input.partitions).sum();
        let mut before = 0;
        let edges = inputs.iter().map(|input| {
            // Each task reads one partition of one frame, and of the others nothing.
            let offsets = (0..=all).map(|task| task.saturating_sub(before).min(input.partitions)).collect();
            before += input.partitions;
            Edge { layer: input.layer, wiring: Wiring::Table(Table { offsets, indices: (0..input.partitions).collect() }) }
        });
        let edges = edges.collect();
        // Frames may have come with their columns in another order, or with more than are wanted of them.
        let pick = Select { exprs: named(self.columns.iter().map(String::as_str)) };
        Ok(lowering.add(Layer::single("concat", all, OpRef::new(pick, self.line()), edges), node))
    }
}

/// All inputs as one partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct Concat;

impl Operator for Concat {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        stack(inputs).map(chunk_of)
    }
}

impl NamedOperator for Concat {
    const NAME: &'static str = "concat";
}

/// The frames of several chunks, one below the other, in one piece of memory.
pub(crate) fn stack(chunks: &[Chunk]) -> Result<DataFrame, Failure> {
    joined(chunks.iter().map(frame_of).collect::<Result<_, _>>()?)
}
