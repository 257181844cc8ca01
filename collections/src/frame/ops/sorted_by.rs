//! `sorted_by`: rows that ascend already, and between which keys each partition lies.
//!
//! It refuses to guess: the column of keys is read once, and looked at. Invariant: the rows, their order and their partitions stay.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use partita_io::{ROWS, greatest, least, nulls};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::client::{Client, run};
use crate::frame::across::by_time::not_sorted;
use crate::frame::expr::{Names, column_not_found, columns_of, expr_op, polars_failure, show_one};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::filter::Filter;
use crate::frame::ops::partitions::{Inside, Pass};
use crate::frame::ops::scan::prune::without_rows;
use crate::frame::replan::Change;
use crate::frame::rewrite::in_order;
use crate::frame::size::Size;
use crate::frame::sort::order::By;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, Node, Step, ops};

const METHOD: &str = ".sorted_by(…)";

/// The least and the greatest key of a partition, as bytes that compare as the keys do; `None` without rows.
pub(crate) type KeyRange = Option<(Vec<u8>, Vec<u8>)>;

/// Between which keys of a column each partition of a frame lies, in ascending order.
pub(crate) struct Ranges {
    pub by: PlSmallStr,
    pub keys: Vec<KeyRange>,
    /// The same as whole numbers, of keys that are made of such.
    pub numbers: Vec<Option<(i64, i64)>>,
}

impl DFrame {
    /// The same rows, which are known to ascend in a column through all partitions, as those of files of one day after the other do. What
    /// [`DFrame::sort`] gives ascends, too.
    ///
    /// The column is read now: it is checked, and the least and greatest key of each partition are kept. Then filters on the column read only
    /// the partitions in which rows can pass, joins of two such frames on it bring together the partitions whose keys overlap, instead
    /// of splitting all rows by their hash, and rolling windows of it ask only the partitions within reach.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let table = df!("t" => (0..1000i64).collect::<Vec<_>>(), "x" => (0..1000i64).map(|t| t % 7).collect::<Vec<_>>())?;
    /// let days = DFrame::from_polars(table, 10).sorted_by("t")?;
    /// let few = days.filter(col("t").gt_eq(lit(250)).and(col("t").lt(lit(350))));
    /// assert_eq!((few.npartitions()?, few.len()?), (2, 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A column that does not exist, keys that do not ascend or are null (E0117), as [`DFrame::compute`].
    #[doc(alias = "set_index")]
    #[track_caller]
    pub fn sorted_by(&self, column: &str) -> Result<DFrame, Failure> {
        self.sorted_by_on(&Client::current()?, column)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::sorted_by`].
    #[track_caller]
    pub fn sorted_by_on(&self, executor: &dyn Executor, column: &str) -> Result<DFrame, Failure> {
        let origin = partita_graph::Origin::here(METHOD);
        let located = |failure: Failure| failure.origin(Some(&origin));
        let by: PlSmallStr = column.into();
        let mut frame = self.clone();
        if !frame.resolved()?.contains(column) {
            return Err(located(column_not_found(column, frame.resolved()?)));
        }
        loop {
            let (planned, partitions) = frame.planned()?;
            let (inputs, inside) = Inside::of(planned.clone());
            // What is laid out by bytes would be other partitions with fewer columns.
            let look = Look { by: by.clone(), whole: inputs.is_empty() };
            let (told, advice) = run::compute_advised(executor, &DFrame::build(Arc::new(look), vec![planned], origin.clone()))?;
            if !advice.is_empty() {
                frame = frame.advised(&advice);
                continue;
            }
            let known = Known::of(&told, &by).map_err(located)?;
            let kept = (0..partitions).collect();
            let stays = inputs.iter().all(|planned| stays(planned, &by));
            let step = SortedBy { by, known: Arc::new(known), kept, partitions, predicate: None, stays, inside };
            return Ok(DFrame::build(Arc::new(step), inputs, origin));
        }
    }
}

/// A row for each partition: what its keys are.
struct Look {
    by: PlSmallStr,
    whole: bool,
}

impl Step for Look {
    fn line(&self) -> String {
        format!("keys of each partition, {}", self.by)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        By::all(vec![Expr::Column(self.by.clone())], false, true).check(&inputs[0], METHOD)?;
        let dtype = inputs[0].get(&self.by).cloned().unwrap_or(DataType::Null);
        let fields = [("least", dtype.clone()), ("greatest", dtype), ("first", DataType::Binary), ("last", DataType::Binary)];
        let fields = fields.into_iter().chain([("rows", DataType::UInt64), ("ascending", DataType::Boolean)]);
        Ok(Arc::new(fields.map(|(name, dtype)| (PlSmallStr::from(name), dtype)).collect()))
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        if self.whole { input.iter_names().cloned().collect() } else { [self.by.clone()].into() }
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(LookAtKeys { by: self.by.clone() }, self.line());
        Ok(lowering.add(Layer::single("keys", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Looks at the keys of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct LookAtKeys {
    by: PlSmallStr,
}

impl Operator for LookAtKeys {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let keys = frame_of(&inputs[0])?.select([self.by.clone()]).map_err(|e| polars_failure(e, None))?;
        let order = By::all(vec![Expr::Column(self.by.clone())], false, true).order(&keys)?;
        let rows = keys.height();
        let ascending = keys.columns()[0].null_count() == 0 && (1..rows).all(|row| order.row(row - 1) <= order.row(row));
        let end = |row: Option<usize>| Series::new(PlSmallStr::EMPTY, [row.map(|row| order.row(row))]);
        let value = |row: Option<usize>| match row {
            Some(row) => keys.columns()[0].slice(row as i64, 1),
            None => Column::full_null(PlSmallStr::EMPTY, 1, keys.columns()[0].dtype()),
        };
        let (first, last) = ((rows > 0).then_some(0), rows.checked_sub(1));
        let columns = vec![
            value(first).with_name("least".into()),
            value(last).with_name("greatest".into()),
            end(first).into_column().with_name("first".into()),
            end(last).into_column().with_name("last".into()),
            Column::new("rows".into(), [rows as u64]),
            Column::new("ascending".into(), [ascending]),
        ];
        DataFrame::new(1, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for LookAtKeys {
    const NAME: &'static str = "look_at_keys";
}

/// What is known of the keys.
struct Known {
    /// A row for each partition: bounds, nulls and rows, as readers tell them.
    statistics: DataFrame,
    ranges: Vec<KeyRange>,
    numbers: Vec<Option<(i64, i64)>>,
    rows: Vec<u64>,
}

impl Known {
    fn of(told: &DataFrame, by: &str) -> Result<Self, Failure> {
        let polars = |e: PolarsError| polars_failure(e, None);
        let bytes = |name: &str| -> Result<Vec<Option<Vec<u8>>>, Failure> {
            let column = told.column(name).and_then(|column| column.binary().cloned()).map_err(polars)?;
            Ok(column.iter().map(|key| key.map(<[u8]>::to_vec)).collect())
        };
        let ranges: Vec<KeyRange> = bytes("first")?.into_iter().zip(bytes("last")?).map(|(first, last)| first.zip(last)).collect();
        let ascending = told.column("ascending").and_then(|column| column.bool().cloned()).map_err(polars)?;
        let ends: Vec<&(Vec<u8>, Vec<u8>)> = ranges.iter().flatten().collect();
        if ascending.iter().any(|ascending| ascending != Some(true)) || ends.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(not_sorted(by));
        }
        let rows: Vec<u64> = told.column("rows").and_then(|column| column.u64().cloned()).map_err(polars)?.iter().flatten().collect();
        let bound = |name: &str, called: String| told.column(name).map(|column| column.clone().with_name(called.into())).map_err(polars);
        let numbers = |name: &str| -> Result<Vec<Option<i64>>, Failure> {
            let bounds = told.column(name).map_err(polars)?;
            match bounds.dtype().is_integer() || bounds.dtype().is_temporal() {
                true => {
                    Ok(bounds.to_physical_repr().cast(&DataType::Int64).and_then(|bounds| Ok(bounds.i64()?.to_vec())).map_err(polars)?)
                }
                false => Ok(vec![None; bounds.len()]),
            }
        };
        let numbers = numbers("least")?.into_iter().zip(numbers("greatest")?).map(|(least, greatest)| least.zip(greatest)).collect();
        let columns = vec![
            bound("least", least(by))?,
            bound("greatest", greatest(by))?,
            Column::new(nulls(by).into(), vec![0u64; rows.len()]),
            Column::new(ROWS.into(), rows.clone()),
        ];
        Ok(Self { statistics: DataFrame::new(rows.len(), columns).map_err(polars)?, ranges, numbers, rows })
    }
}

#[derive(Clone)]
struct SortedBy {
    by: PlSmallStr,
    known: Arc<Known>,
    /// The partitions in which rows can pass the predicate.
    kept: Arc<[u32]>,
    /// Of the frame when it was looked at.
    partitions: u32,
    predicate: Option<Expr>,
    /// Whether the partitions of the input stay whatever filter goes into it.
    stays: bool,
    inside: Inside,
}

impl SortedBy {
    fn rows_kept(&self) -> u64 {
        self.kept.iter().filter_map(|at| self.known.rows.get(*at as usize)).sum()
    }

    /// Those of the partitions that are left in which a row can pass a predicate.
    fn pruned(&self, predicate: &Expr, schema: &Schema) -> Arc<[u32]> {
        match without_rows(predicate, schema, &self.known.statistics) {
            Some(skip) => self.kept.iter().copied().filter(|at| skip.get(*at as usize) != Some(true)).collect(),
            None => self.kept.clone(),
        }
    }
}

impl Step for SortedBy {
    fn line(&self) -> String {
        let kept = match self.kept.len() as u32 == self.partitions {
            true => String::new(),
            false => format!(", {} of {} partitions", self.kept.len(), self.partitions),
        };
        let filter = self.predicate.as_ref().map_or(String::new(), |predicate| format!(", where {}", show_one(predicate)));
        format!("sorted by {}{kept}{filter}", self.by)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.inside.schema(inputs)
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&self.predicate.as_ref().map(columns_of).unwrap_or_default()).cloned().collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        if self.predicate.is_some() && node.can_fail(predicate) {
            return Admission::Stop;
        }
        let dtype = self.known.statistics.column(&least(&self.by)).map(|column| column.dtype().clone());
        let kept = match (dtype, columns_of(predicate).iter().eq([&self.by])) {
            (Ok(dtype), true) => self.pruned(predicate, &Schema::from_iter([(self.by.clone(), dtype)])),
            _ => self.kept.clone(),
        };
        // What leaves no partition out is better off in a reader.
        if kept.len() == self.kept.len() {
            return if self.inside.is_none() && self.stays { Admission::Through(predicate.clone()) } else { Admission::Stop };
        }
        let both = match &self.predicate {
            Some(first) => first.clone().and(predicate.clone()),
            None => predicate.clone(),
        };
        Admission::Absorb(Arc::new(Self { kept, predicate: Some(both), ..self.clone() }))
    }

    fn rows(&self, inputs: &[Option<u64>]) -> Option<u64> {
        // A filter below leaves fewer.
        let untouched = self.inside.is_none() && inputs.first().copied().flatten() == Some(self.known.rows.iter().sum());
        (untouched && self.predicate.is_none()).then(|| self.rows_kept())
    }

    fn size(&self, inputs: &[Option<Size>], _: &Node) -> Option<Size> {
        let all = self.known.rows.iter().sum::<u64>().max(1);
        inputs
            .first()
            .copied()
            .flatten()
            .map(|size| size.with_rows((u128::from(size.rows) * u128::from(self.rows_kept()) / u128::from(all)) as u64))
    }

    fn replan(&self, source: u64, change: &Change) -> Option<Arc<dyn Step>> {
        let inside = self.inside.replan(source, change)?;
        Some(Arc::new(Self { inside, ..self.clone() }))
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        Some(columns.to_vec())
    }

    fn ranges(&self) -> Option<Ranges> {
        let key = |at: &u32| self.known.ranges.get(*at as usize).cloned().flatten();
        let number = |at: &u32| self.known.numbers.get(*at as usize).copied().flatten();
        Some(Ranges { by: self.by.clone(), keys: self.kept.iter().map(key).collect(), numbers: self.kept.iter().map(number).collect() })
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = self.inside.lowered(inputs, lowering)?;
        if input.partitions != self.partitions {
            let what =
                format!("{METHOD} looked at {} partitions, and the files were cut again, into {}", self.partitions, input.partitions);
            return Err(Failure::new(Code::InvalidOption, what).help("keep the partitions as they are: .persist() before it"));
        }
        if self.kept.is_empty() {
            let none = (ops::token(), DataFrame::empty_with_schema(node.schema.clone()?.as_ref()));
            return Ok(lowering.add(ops::from_polars::layer(&[none]), node));
        }
        let wiring = match self.kept.len() as u32 == self.partitions {
            // A layer of its own also where nothing is left out: what has the layer of its input passes for the same frame.
            true => Wiring::Each,
            false => Wiring::Table(Table { offsets: (0..=self.kept.len() as u32).collect(), indices: self.kept.clone() }),
        };
        let op = match &self.predicate {
            Some(predicate) => expr_op(Filter { predicate: predicate.clone() }, self.line(), ops::token()),
            None => OpRef::new(Pass, self.line()),
        };
        let edges = vec![Edge { layer: input.layer, wiring }];
        Ok(lowering.add(Layer::single("partitions", self.kept.len() as u32, op, edges), node))
    }
}

/// Whether no reader below leaves partitions out by what it knows of their values: then they would have other numbers.
fn stays(planned: &DFrame, by: &PlSmallStr) -> bool {
    let absorbs = |node: &Node| matches!(node.admit(&Expr::Column(by.clone()).is_not_null()), Admission::Absorb(_));
    let all = in_order(planned);
    let mut leaves = all.iter().map(DFrame::node).filter(|node| node.inputs.is_empty());
    leaves.all(|node| node.step.reader().is_some() || !absorbs(node))
}

/// Between which keys of a column each partition of a frame lies, in ascending order, if that is known.
pub(crate) fn ranges_of(frame: &DFrame, column: &PlSmallStr) -> Option<Ranges> {
    let node = frame.node();
    if let Some(ranges) = node.step.ranges() {
        return (ranges.by == *column).then_some(ranges);
    }
    match &node.inputs[..] {
        [input] if node.step.predicate().is_some() || node.step.is_row_by_row() => match node.admit(&Expr::Column(column.clone())) {
            Admission::Through(Expr::Column(name)) => ranges_of(input, &name),
            _ => None,
        },
        _ => None,
    }
}
