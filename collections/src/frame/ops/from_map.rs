//! `from_map`: a frame whose partitions a function makes, each from an argument of its own.

use partita_graph::{Arg, Code, Failure, Layer, NamedOperator, OpRef, Wiring};
use polars::prelude::*;
use serde::Serialize;

use crate::delayed::frames::{Announced, check_announced};
use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::chunk_of;
use crate::frame::{DFrame, Node, Step, ops};

impl DFrame {
    /// A frame of this schema with a partition for each argument: what the function gives for it. For sources that no reader knows.
    ///
    /// The function runs in this process only; on a cluster it is refused with the fix. There, make frames in functions with `#[task]`
    /// and hand those to [`DFrame::from_delayed`], or write an operator: [`DFrame::from_operator`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let schema = df!("x" => [0i64])?.schema().clone();
    /// let squares = DFrame::from_map(schema, [1i64, 2, 3], |n| Ok(df!("x" => [n * n])?));
    /// assert_eq!(squares.sum().compute()?, df!("x" => [14i64])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: the function fails, or gives a frame of another schema.
    #[track_caller]
    pub fn from_map<A, F>(schema: SchemaRef, arguments: impl IntoIterator<Item = A>, function: F) -> DFrame
    where
        A: Send + Sync + 'static,
        F: Fn(&A) -> PolarsResult<DataFrame> + Send + Sync + 'static,
    {
        let arguments: Vec<A> = arguments.into_iter().collect();
        let partitions = arguments.len() as u32;
        let expected = schema.clone();
        let op = OpRef::closure("from_map", ops::token(), move |ctx, _| {
            let argument = arguments.get(ctx.key.index as usize);
            let argument = argument.ok_or_else(|| Failure::internal("from_map: a task without an argument"))?;
            let frame = function(argument);
            let frame = frame.map_err(|e| Failure::new(Code::UserFunction, format!("the function of from_map failed: {e}")))?;
            check_announced(&frame, &expected, "the function of from_map gave another schema than was announced")?;
            Ok(chunk_of(frame))
        });
        DFrame::then(FromMap { schema, op, args: Args::Inside(partitions) }, Vec::new(), "from_map(…)")
    }

    /// The same with an operator, which can be sent: each task finds its argument in its context (`ctx.arg()?.decode()?`) and returns a
    /// [`crate::Partition`]. Workers must have the operator, too.
    ///
    /// ```
    /// use partita::graph::{Chunk, NamedOperator, Operator, TaskContext};
    /// use partita::{Error, Partition, prelude::*};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Squares;
    ///
    /// impl Operator for Squares {
    ///     fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Error> {
    ///         let n: i64 = ctx.arg()?.decode()?;
    ///         Ok(Chunk::new(Partition(df!("x" => [n * n]).expect("one column is a frame"))))
    ///     }
    /// }
    ///
    /// impl NamedOperator for Squares {
    ///     const NAME: &'static str = "squares";
    /// }
    ///
    /// let schema = df!("x" => [0i64])?.schema().clone();
    /// let squares = DFrame::from_operator(schema, [1i64, 2, 3], Squares);
    /// assert_eq!(squares.sum().compute()?, df!("x" => [14i64])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: the operator fails, or gives a frame of another schema; on a cluster, a worker does not have it.
    #[track_caller]
    pub fn from_operator<O: NamedOperator, A: Serialize>(schema: SchemaRef, arguments: impl IntoIterator<Item = A>, operator: O) -> DFrame {
        let args = Args::Own(arguments.into_iter().map(|argument| Arg::encode(&argument)).collect());
        DFrame::then(FromMap { schema, op: OpRef::new(operator, O::NAME), args }, Vec::new(), "from_operator(…)")
    }
}

struct FromMap {
    schema: SchemaRef,
    op: OpRef,
    args: Args,
}

enum Args {
    /// The operator knows the arguments of so many tasks.
    Inside(u32),
    /// Each task gets its own.
    Own(Vec<Arg>),
}

impl Step for FromMap {
    fn line(&self) -> String {
        let partitions = match &self.args {
            Args::Inside(partitions) => *partitions as usize,
            Args::Own(args) => args.len(),
        };
        format!("{} {partitions} partitions", self.op.payload.name)
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let layer = match &self.args {
            Args::Inside(0) => return Ok(lowering.add(empty(&self.schema), node)),
            Args::Inside(partitions) => Layer::single("from_map", *partitions, self.op.clone(), Vec::new()),
            Args::Own(args) if args.is_empty() => return Ok(lowering.add(empty(&self.schema), node)),
            Args::Own(args) => {
                // What a foreign operator gives is looked at before anything stands on it.
                let made = Layer::with_args(self.op.payload.name.clone(), self.op.clone(), args.clone(), Vec::new());
                let made = lowering.add(made, node);
                let check = OpRef::new(Announced { schema: (*self.schema).clone() }, "check_schema");
                Layer::single("check_schema", made.partitions, check, vec![made.edge(Wiring::Each)])
            }
        };
        Ok(lowering.add(layer, node))
    }
}

fn empty(schema: &Schema) -> Layer {
    ops::from_polars::layer(&[(ops::token(), DataFrame::empty_with_schema(schema))])
}
