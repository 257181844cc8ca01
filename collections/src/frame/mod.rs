//! `DFrame`: a lazy table in partitions. A frame is an expression: a step and the frames that it reads.
//!
//! Nothing runs until `compute`, `persist`, `head` or `len`. The schema is known at every step; a step that does not fit
//! keeps its failure, with the user's line, and every later call hands that failure on.

pub(crate) mod across;
pub(crate) mod approx;
pub(crate) mod can_fail;
pub(crate) mod compact;
pub(crate) mod constant;
pub(crate) mod expr;
pub(crate) mod files;
pub(crate) mod groupby;
pub(crate) mod join;
pub(crate) mod length_of_time;
pub(crate) mod lower;
pub(crate) mod measure;
pub(crate) mod ops;
pub(crate) mod passing;
pub(crate) mod quantile;
pub(crate) mod replan;
pub(crate) mod rewrite;
pub(crate) mod row_by_row;
pub(crate) mod sampled;
pub(crate) mod schema;
pub(crate) mod selectivity;
pub(crate) mod short_lists;
pub(crate) mod shuffle;
pub(crate) mod size;
pub(crate) mod sort;
pub(crate) mod value;

use std::sync::{Arc, OnceLock};

use partita_graph::{Failure, Layer, Origin};
use polars::prelude::{DataFrame, Expr, PlSmallStr, Schema, SchemaRef};

use expr::{Names, located};
use lower::{Lowered, Lowering};
use replan::Change;
use size::Size;

pub use expr::{IntoExpr, IntoExprs};
pub use groupby::GroupBy;
pub use groupby::aggregation::Aggregation;
pub use join::Join;
pub use join::asof::{AsOf, Tolerance};

/// A lazy data frame in partitions, each a polars `DataFrame`.
///
/// Cloning is cheap: clones share the expression.
///
/// ```
/// use partita::prelude::*;
///
/// let table = df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 3.0])?;
/// let means = DFrame::from_polars(table, 2).groupby(["k"]).mean().compute()?;
/// assert_eq!(means, df!("k" => ["a", "b"], "x" => [2.0, 2.0])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DFrame {
    node: Arc<Node>,
}

pub(crate) struct Node {
    pub step: Arc<dyn Step>,
    pub inputs: Vec<DFrame>,
    pub schema: Result<SchemaRef, Failure>,
    pub origin: Origin,
    /// How large the frame is likely to be, once somebody has asked, and whether that is [`Step::gives_any_rows`]'s guess.
    pub size: OnceLock<(Option<Size>, bool)>,
}

impl Node {
    /// Whether an expression over the result can fail on some value.
    pub(crate) fn can_fail(&self, expr: &Expr) -> bool {
        self.schema.as_ref().map_or(true, |schema| can_fail::can_fail(expr, schema))
    }

    /// What becomes of a predicate that stands above the step.
    pub(crate) fn admit(&self, predicate: &Expr) -> Admission {
        self.step.admit(predicate, self)
    }
}

/// One kind of step: what an operation's file implements. Everything that the planner knows of an operation is here.
pub(crate) trait Step: Send + Sync {
    /// One line for plans.
    fn line(&self) -> String;
    /// The schema of the result, or why the step does not fit.
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure>;
    /// The columns of the input without which the wanted columns of the result cannot be made.
    fn needs(&self, wanted: &Names, input: &Schema) -> Names;
    /// The same for input `at` of a step that has several.
    fn needs_of(&self, _at: usize, wanted: &Names, input: &Schema) -> Names {
        self.needs(wanted, input)
    }
    /// The same step doing less, when only these columns of the result are wanted.
    fn narrow(&self, _wanted: &Names) -> Option<Arc<dyn Step>> {
        None
    }
    /// The predicate, if the step is a filter.
    fn predicate(&self) -> Option<&Expr> {
        None
    }
    /// What becomes of a predicate that stands above this step; `node` is the step with its inputs.
    fn admit(&self, _predicate: &Expr, _node: &Node) -> Admission {
        Admission::Stop
    }
    /// How many rows the result has, where that is known without running anything; `inputs` says it of the inputs.
    fn rows(&self, _inputs: &[Option<u64>]) -> Option<u64> {
        None
    }
    /// How large the result is likely to be, from what is known of the inputs. Without more knowledge: as many rows as the first input has.
    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        size::like_first(inputs, node)
    }
    /// Whether a function of the user's makes the rows, which may be any number of them, so that the size is a guess that plans call one;
    /// `below` says it of the inputs.
    fn gives_any_rows(&self, below: bool) -> bool {
        below
    }
    /// How many rows a reader would give without its predicate.
    fn whole(&self) -> Option<u64> {
        None
    }
    /// How many rows a join would have without the filters below it.
    fn whole_of(&self, _inputs: &[Option<u64>]) -> Option<u64> {
        None
    }
    /// At most how many different values a column of the result has, if something is known of it.
    fn different(&self, _column: &PlSmallStr) -> Option<u64> {
        None
    }
    /// Between which whole numbers the values of a reader's column lie in each of its partitions, if that is known of all and none has nulls.
    fn key_bounds(&self, _column: &PlSmallStr) -> Option<Vec<(i64, i64)>> {
        None
    }
    /// Some of a reader's rows with at least these columns, if they are at hand or cost next to nothing.
    fn sampled_rows(&self, _columns: &Names) -> Option<DataFrame> {
        None
    }
    /// Whether the result depends on the order in which the rows of input `at` come; `wanted` says whether the order of its own rows counts.
    fn minds_order(&self, _at: usize, _wanted: bool) -> bool {
        true
    }
    /// Whether the step does nothing: it says something to the rewrites, and is taken out when it was heard.
    fn is_promise(&self) -> bool {
        false
    }
    /// The new and the old names of the columns of a step that only picks and renames.
    fn picked(&self) -> Option<Vec<(PlSmallStr, PlSmallStr)>> {
        None
    }
    /// The step as a link of a chain of joins that may be joined in any order.
    fn link(&self) -> Option<join::Link> {
        None
    }
    /// Whether each row of the result is made of one row of an input, in the same order, partition by partition.
    fn is_row_by_row(&self) -> bool {
        false
    }
    /// How many rows of the input, from the first on, the result depends on, if it is not all of them.
    fn first_rows(&self) -> Option<u64> {
        None
    }
    /// Whether these are the first rows of all partitions together, and not of each.
    fn first_of_all(&self) -> bool {
        false
    }
    /// The step that gives the first rows of what this one would sort, without sorting the others.
    fn first_sorted(&self, _rows: u64) -> Option<Arc<dyn Step>> {
        None
    }
    /// A reader without what cannot hold one of the first rows in an order.
    fn first_by(&self, _by: &sort::order::First, _rows: u64) -> Option<Arc<dyn Step>> {
        None
    }
    /// The reader with less to read, as far as this step needs it.
    fn of_reader(&self, _reader: &dyn Step) -> Option<Arc<dyn Step>> {
        None
    }
    /// A reader that gives no more than so many rows of each partition; or of all, as far as it knows how many rows partitions have.
    fn limited(&self, _rows: u64, _of_all: bool) -> Option<Arc<dyn Step>> {
        None
    }
    /// The step as it does the same work below a step that works row by row, where it has less to do.
    fn below(&self, _other: &Node) -> Option<Arc<dyn Step>> {
        None
    }
    /// How rows are spread that came spread by the hash of these columns: under which names the columns are still there, if each partition
    /// of the result has rows of one partition of the input.
    fn keeps_spread(&self, _columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        None
    }
    /// The step planned otherwise after a run found that a guess of its was wrong.
    fn replan(&self, _source: u64, _change: &Change) -> Option<Arc<dyn Step>> {
        None
    }
    /// Layers for the graph.
    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure>;
    /// The partitions that this step stands for, if they exist already.
    fn persisted(&self) -> Option<&ops::persist::Persisted> {
        None
    }
    /// Some of its rows in these columns, and how many rows they stand for, if it has rows at hand.
    fn sample(&self, _columns: &Names) -> Option<(DataFrame, u64)> {
        None
    }
    /// The column in which the rows are known to ascend through all partitions, and between which of its keys each partition lies.
    fn ranges(&self) -> Option<ops::sorted_by::Ranges> {
        None
    }
    /// The layer of this reader with these text columns as codes, if it can have them so; its chunks are read while they are used, again by
    /// each who uses them. `alone`: nobody else is known to read the same.
    fn coded_layer(&self, _keys: &Names, _alone: bool) -> Option<Layer> {
        None
    }
    /// The layer of this reader that reads a partition while it is used, and can then be asked by these columns which rows it need not read.
    fn waiting_layer(&self, _keys: &Names) -> Option<Layer> {
        None
    }
    /// The reader that this step is, if it is one: a group-by asks it for a sample.
    fn reader(&self) -> Option<&ops::read_csv::ReadCsv> {
        None
    }
}

/// A step's answer to a predicate that would like to pass below it.
pub(crate) enum Admission {
    /// It must stay above.
    Stop,
    /// It may pass, in this form.
    Through(Expr),
    /// It may pass into the inputs for which there is a form of it.
    Below(Vec<Option<Expr>>),
    /// The step takes it in: this is the step with it.
    Absorb(Arc<dyn Step>),
}

impl DFrame {
    /// A step over inputs, at the caller's line.
    #[track_caller]
    pub(crate) fn then(step: impl Step + 'static, inputs: Vec<DFrame>, method: &str) -> DFrame {
        Self::build(Arc::new(step), inputs, Origin::here(method))
    }

    /// A step over inputs; the schema rule runs here.
    pub(crate) fn build(step: Arc<dyn Step>, inputs: Vec<DFrame>, origin: Origin) -> DFrame {
        partita_io::quiet_casts();
        let schemas: Result<Vec<SchemaRef>, Failure> = inputs.iter().map(|input| input.node.schema.clone()).collect();
        let schema = schemas.and_then(|schemas| located(step.schema(&schemas), &origin));
        DFrame { node: Arc::new(Node { step, inputs, schema, origin, size: OnceLock::new() }) }
    }

    /// The same step over other inputs.
    pub(crate) fn rebuilt(&self, step: Arc<dyn Step>, inputs: Vec<DFrame>) -> DFrame {
        Self::build(step, inputs, self.node.origin.clone())
    }

    /// A frame that only carries a failure.
    #[track_caller]
    pub(crate) fn failed(failure: Failure, method: &str) -> DFrame {
        Self::then(Broken(failure), Vec::new(), method)
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.node) as usize
    }

    /// The schema, or the failure of the first step that does not fit.
    pub(crate) fn resolved(&self) -> Result<&SchemaRef, Failure> {
        self.node.schema.as_ref().map_err(Clone::clone)
    }
}

/// A step that could not be made, for example an option that cannot be used. It exists so that chains stay chains.
struct Broken(Failure);

impl Step for Broken {
    fn line(&self) -> String {
        "broken".into()
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Err(self.0.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn lower(&self, _: &[Lowered], _: &Node, _: &mut Lowering) -> Result<Lowered, Failure> {
        Err(self.0.clone())
    }
}
