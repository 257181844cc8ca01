//! The join as a step: its schema rule, what may pass below it, and its layers.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, OpRef, Table, Wiring};
use polars::prelude::{DataType, Expr, JoinValidation, Operator, PlSmallStr, Schema, SchemaRef};

use super::asked::asked;
use super::columns::{self, Out, Source};
use super::dealt::Dealt;
use super::marks::{MarkMet, PickMet};
use super::operator::{BuildTable, JoinParts, LookUp, Spec};
use super::small::{bytes, few_marks, is_small};
use super::{How, Join, Link, sorted};
use crate::frame::expr::{Names, as_column, columns_of, columns_of_all, expr_op, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{self, concat::Concat};
use crate::frame::selectivity;
use crate::frame::shuffle::Together;
use crate::frame::shuffle::keys::check_keys;
use crate::frame::shuffle::skew::{self, SkewSide};
use crate::frame::shuffle::split::Nulls;
use crate::frame::size::{Size, parts_for_rows, size_of, whole_of};
use crate::frame::{Admission, DFrame, Node, Step};

/// No semi or anti join is taken to keep less.
const LEAST_KEPT: f64 = 0.01;
/// More pairs of partitions than this are more tasks than anything gains by them.
const MOST_PAIRS: u64 = 100_000;

#[derive(Clone)]
pub(crate) struct JoinStep {
    how: How,
    left_on: Vec<Expr>,
    right_on: Vec<Expr>,
    /// Which keys are columns of one type on both sides.
    alike: Vec<bool>,
    /// Whether all are, of types whose equal values are the very same.
    exact: bool,
    /// The same also for types whose order is another one than that of their values in memory.
    identical: bool,
    columns: Vec<Out>,
    nulls_equal: bool,
    left_unique: bool,
    right_unique: bool,
    broadcast: Option<bool>,
    method: String,
}

/// How the rows of both sides meet.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Meeting {
    /// Both sides are one partition.
    Alone,
    /// All partitions of one side look up in a table of the other, the left one if true.
    Table { of_left: bool },
    /// All partitions of the right side look up in a table of the left one which of its rows they meet.
    Marks,
    /// Both are split by their keys into so many parts.
    Shuffle(u32),
    /// Each partition with each.
    Pairs,
}

impl JoinStep {
    pub fn new(left: &DFrame, right: &DFrame, join: Join, method: &str) -> Result<Self, Failure> {
        let (left_schema, right_schema) = (left.resolved()?, right.resolved()?);
        let right_on = join.right_on.unwrap_or_else(|| join.left_on.clone());
        let left_on = left.expanded(join.left_on)?;
        let right_on = right.expanded(right_on).map_err(|failure| failure.detail("looked for in", "the right frame of the join"))?;
        if left_on.len() != right_on.len() {
            let what = format!("{method} has {} keys on the left and {} on the right", left_on.len(), right_on.len());
            return Err(
                Failure::new(Code::InvalidOption, what).help("name them in pairs: Join::inner([\"a\", \"b\"]).right_on([\"c\", \"d\"])")
            );
        }
        if left_on.is_empty() && join.how != How::Cross {
            let what = format!("{method} needs at least one key");
            return Err(Failure::new(Code::InvalidOption, what).help("every row with every row: Join::cross()"));
        }
        if join.broadcast == Some(true) && join.how == How::Full {
            let what = "no side of a full join can be broadcast, because every partition would add the rows that only it has";
            return Err(Failure::new(Code::InvalidOption, what).help("leave out .broadcast(true)"));
        }
        let of_type = |key: &Expr, schema: &Schema| as_column(key).and_then(|name| schema.get(name).cloned());
        let alike = left_on.iter().zip(&right_on).map(|(left, right)| {
            let types = [of_type(left, left_schema), of_type(right, right_schema)];
            types[0].is_some() && types[0] == types[1]
        });
        let alike: Vec<bool> = alike.collect();
        let all = |holds: fn(&DataType) -> bool| {
            alike.iter().all(|alike| *alike) && left_on.iter().all(|key| of_type(key, left_schema).is_some_and(|dtype| holds(&dtype)))
        };
        let (exact, identical) = (all(is_exact), all(is_identical));
        let suffix = join.suffix.as_deref();
        let columns = columns::of_result(join.how, (left_schema, &left_on), (right_schema, &right_on), suffix)?;
        Ok(Self {
            how: join.how,
            left_on,
            right_on,
            alike,
            exact,
            identical,
            columns,
            nulls_equal: join.nulls_equal,
            left_unique: matches!(join.validate, JoinValidation::OneToOne | JoinValidation::OneToMany),
            right_unique: matches!(join.validate, JoinValidation::OneToOne | JoinValidation::ManyToOne),
            broadcast: join.broadcast,
            method: method.into(),
        })
    }

    /// The types in which keys are compared; none for a cross join.
    fn key_types(&self, left: &Schema, right: &Schema) -> Result<(Vec<DataType>, [Vec<DataType>; 2]), Failure> {
        if self.how == How::Cross {
            return Ok((Vec::new(), [Vec::new(), Vec::new()]));
        }
        let own = [check_keys(&self.left_on, left, &self.method)?, check_keys(&self.right_on, right, &self.method)?];
        let pairs: Vec<(&Expr, &Expr)> = self.left_on.iter().zip(&self.right_on).collect();
        let kept = self.nulls_equal || matches!(self.how, How::Right | How::Full);
        Ok((columns::common_types(&pairs, &own[0], &own[1], kept)?, own))
    }

    fn spec(&self, node: &Node) -> Result<Spec, Failure> {
        let (common, [left, right]) = self.key_types(node.inputs[0].resolved()?, node.inputs[1].resolved()?)?;
        Ok(Spec {
            how: self.how,
            left_on: columns::cast(&self.left_on, &left, &common),
            right_on: columns::cast(&self.right_on, &right, &common),
            key_names: show(&self.left_on),
            columns: self.columns.clone(),
            nulls_equal: self.nulls_equal,
            left_unique: self.left_unique,
            right_unique: self.right_unique,
        })
    }

    /// Splits both sides by their keys, unless they are spread so already, and joins parts of one number.
    fn shuffled(&self, spec: Spec, parts: u32, [left, right]: [Lowered; 2], node: &Node, lowering: &mut Lowering) -> Lowered {
        let is_spread = [lowering.is_spread_by(left, &spec.left_on), lowering.is_spread_by(right, &spec.right_on)];
        let parts = match is_spread {
            [true, _] => left.partitions,
            [false, true] => right.partitions,
            [false, false] => parts,
        };
        let [left_nulls, right_nulls] = self.nulls();
        let key = self.only_key(node);
        if is_spread == [false, false]
            && let Some(Dealt { of_left, copies }) = Dealt::of(&spec, key.as_ref(), parts, node, lowering)
        {
            let sides = [
                SkewSide { keys: &spec.left_on, nulls: left_nulls, input: left },
                SkewSide { keys: &spec.right_on, nulls: right_nulls, input: right },
            ];
            let [dealt, other] = if of_left { [0, 1] } else { [1, 0] };
            let split = skew::split(&sides[dealt], &sides[other], parts, node, lowering);
            let edges = vec![split[dealt].edge(Wiring::Part), split[other].edge(Wiring::Part)];
            let op = expr_op(JoinParts { spec, left_inputs: left.partitions, copies }, self.line(), ops::token());
            return lowering.add(Layer::single("join", parts, op, edges), node);
        }
        let left = Together::of(&spec.left_on, parts, left_nulls, left, node, lowering);
        let right = Together::of(&spec.right_on, parts, right_nulls, right, node, lowering);
        let kept = self.keys_of_result(&spec);
        let op = expr_op(JoinParts { spec, left_inputs: left.chunks, copies: None }, self.line(), ops::token());
        let joined = lowering.add(Layer::single("join", parts, op, vec![left.edge, right.edge]), node);
        if let Some(keys) = kept {
            lowering.note_spread(joined, &keys);
        }
        joined
    }

    /// Which partitions meet, if the rows of both sides are known to ascend in the key. Rows of the right side may be in several of them, so
    /// none of those may be in the result for itself, and it cannot be seen whether keys are unique.
    fn neighbours(&self, inputs: &[Lowered], node: &Node) -> Option<Table> {
        let kinds = matches!(self.how, How::Inner | How::Left | How::Semi | How::Anti);
        if !kinds || !self.exact || self.left_unique || self.right_unique {
            return None;
        }
        let side = |at: usize, on| (&node.inputs[at], on, inputs[at].partitions);
        sorted::neighbours([side(0, &self.left_on[..]), side(1, &self.right_on[..])])
    }

    /// The type in which the only key is compared.
    fn only_key(&self, node: &Node) -> Option<DataType> {
        let (types, _) = self.key_types(node.inputs[0].resolved().ok()?, node.inputs[1].resolved().ok()?).ok()?;
        <[DataType; 1]>::try_from(types).ok().map(|[one]| one)
    }

    /// A predicate on keys of the left side as one on those of the right: rows that fail it meet no row that passes. Only comparisons, whose
    /// outcome is the same for all values that are equal.
    fn of_right_keys(&self, predicate: &Expr) -> Option<Expr> {
        let partner = |name: &PlSmallStr| {
            let at = self.left_on.iter().position(|key| as_column(key) == Some(name)).filter(|at| self.alike[*at])?;
            as_column(&self.right_on[at]).cloned()
        };
        if !compares(predicate) || self.nulls_equal || !columns_of(predicate).iter().all(|name| partner(name).is_some()) {
            return None;
        }
        Some(predicate.clone().map_expr(|expr| {
            let partner = if let Expr::Column(name) = &expr { partner(name) } else { None };
            partner.map_or(expr, Expr::Column)
        }))
    }

    /// A predicate on keys of the result that hold the key of either side, as one on each side: rows that fail it meet no row that passes.
    fn of_either_keys(&self, predicate: &Expr) -> Option<[Expr; 2]> {
        let key = |name: &PlSmallStr| match self.columns.iter().find(|column| column.name == name.as_str())?.source {
            Source::Key(at) => Some(at as usize).filter(|at| self.alike[*at]),
            Source::Left(_) | Source::Right(_) => None,
        };
        if !compares(predicate) || !columns_of(predicate).iter().all(|name| key(name).is_some()) {
            return None;
        }
        let of = |on: &[Expr]| {
            predicate.clone().map_expr(|expr| match &expr {
                Expr::Column(name) => key(name).map_or_else(|| expr.clone(), |at| on[at].clone()),
                _ => expr,
            })
        };
        Some([of(&self.left_on), of(&self.right_on)])
    }

    /// What becomes of rows with null keys on both sides, when both are split: they meet nobody, unless nulls are equal, so they need
    /// not come together, and those that no result has need not travel.
    fn nulls(&self) -> [Nulls; 2] {
        match self.how {
            _ if self.nulls_equal => [Nulls::Together; 2],
            How::Inner | How::Semi => [Nulls::Out, Nulls::Out],
            How::Left | How::Anti => [Nulls::Apart, Nulls::Out],
            How::Right => [Nulls::Out, Nulls::Apart],
            How::Full => [Nulls::Apart, Nulls::Apart],
            How::Cross => [Nulls::Together; 2],
        }
    }

    /// The columns of the result by which it is spread, when all of them are there and rows with null keys are where their keys are.
    fn keys_of_result(&self, spec: &Spec) -> Option<Vec<Expr>> {
        let together = matches!(self.how, How::Inner | How::Semi) || (self.nulls_equal && matches!(self.how, How::Left | How::Anti));
        // A key that is compared in another type than its own may hash otherwise.
        if !together || spec.left_on != self.left_on {
            return None;
        }
        let of_result = |key: &Expr| {
            let name = as_column(key)?;
            let out = self.columns.iter().find(|out| matches!(&out.source, Source::Left(own) if own == name.as_str()))?;
            Some(Expr::Column(out.name.as_str().into()))
        };
        self.left_on.iter().map(of_result).collect()
    }

    /// About how many pairs of rows have equal keys: all pairs, divided by how many values the key has, those of the side with fewer being
    /// among the others. Where they are not known, the keys of the frame with fewer rows are taken to be there once each, before filters.
    fn pairs(&self, left: u64, right: u64, node: &Node) -> u64 {
        let whole = |side: usize, rows: u64| whole_of(&node.inputs[side]).unwrap_or(rows).max(rows);
        let most = whole(0, left).min(whole(1, right));
        let different = |(a, b): (&Expr, &Expr)| {
            let of = |side: usize, key: &Expr| as_column(key).and_then(|name| node.inputs[side].different(name));
            of(0, a).max(of(1, b))
        };
        let known = self.left_on.iter().zip(&self.right_on).map(different).try_fold(1u64, |all, one| Some(all.saturating_mul(one?)));
        let values = known.unwrap_or(most).min(most).max(1);
        (left as f64 * right as f64 / values as f64) as u64
    }

    /// Which share of the left rows a semi or anti join keeps: of those that would meet rows if nothing were filtered on the right, each is
    /// met with the chance that not all of its rows were filtered away.
    fn share_kept(&self, right: u64, node: &Node) -> f64 {
        let wholes = whole_of(&node.inputs[0]).zip(whole_of(&node.inputs[1]));
        let (left_whole, right_whole) = wholes.map_or((1.0, right as f64), |(left, right)| (left.max(1) as f64, right as f64));
        let each = (right_whole / left_whole).max(1.0);
        let met = 1.0 - (1.0 - (right as f64 / right_whole.max(1.0)).min(1.0)).powf(each);
        match self.how {
            How::Anti => (1.0 - met).max(LEAST_KEPT),
            _ => met.max(LEAST_KEPT),
        }
    }

    fn meeting(&self, inputs: &[Lowered], node: &Node) -> Meeting {
        let sizes = [size_of(&node.inputs[0]), size_of(&node.inputs[1])];
        let partitions = [inputs[0].partitions, inputs[1].partitions];
        if partitions == [1, 1] {
            return Meeting::Alone;
        }
        // A row of the side in the table may meet rows of several partitions, so it cannot be known there that it met none, and the keys of
        // the other side are never seen all together.
        let left_kinds = matches!(self.how, How::Inner | How::Right);
        let right_kinds = matches!(self.how, How::Inner | How::Left | How::Semi | How::Anti | How::Cross);
        let may = [left_kinds && (!self.right_unique || partitions[1] == 1), right_kinds && (!self.left_unique || partitions[0] == 1)];
        // Which rows of the left side are met by some partition of the right one can be known, whatever the right side's size; whether a key is
        // in several of its partitions cannot.
        let marked = matches!(self.how, How::Semi | How::Anti) && !self.right_unique;
        let small = |side: usize| match self.broadcast {
            Some(forced) => forced,
            None => is_small(sizes[side], partitions[side], sizes[1 - side]),
        };
        // A table of the right side keeps the order of the left one, so it is the first choice, unless nobody looked at the sizes.
        let order = if self.broadcast == Some(true) && bytes(sizes[0]) < bytes(sizes[1]) { [0, 1] } else { [1, 0] };
        match order.into_iter().find(|side| may[*side] && small(*side)) {
            Some(side) => Meeting::Table { of_left: side == 0 },
            None if marked && small(0) && (self.broadcast == Some(true) || few_marks(sizes[0], partitions[1])) => Meeting::Marks,
            None if self.how == How::Cross => {
                let pairs = u64::from(partitions[0]) * u64::from(partitions[1]);
                if pairs > MOST_PAIRS { Meeting::Table { of_left: false } } else { Meeting::Pairs }
            }
            None => {
                let size = sizes[0].zip(sizes[1]).map(|(left, right)| Size { rows: 0, bytes: left.bytes.saturating_add(right.bytes) });
                Meeting::Shuffle(parts_for_rows(partitions[0].max(partitions[1]), size))
            }
        }
    }
}

/// Whether a predicate only compares, so that its outcome is the same for all values that are equal.
fn compares(predicate: &Expr) -> bool {
    predicate.into_iter().all(|expr| match expr {
        Expr::Column(_) | Expr::Literal(_) => true,
        Expr::BinaryExpr { op, .. } => op.is_comparison() || matches!(op, Operator::And | Operator::Or),
        _ => false,
    })
}

/// Types without values that are equal and differ, as both zeros are.
fn is_exact(dtype: &DataType) -> bool {
    dtype.is_integer()
        || matches!(dtype, DataType::Boolean | DataType::String | DataType::Date | DataType::Datetime(..) | DataType::Duration(_))
}

/// Types of which any of several equal values can stand for all. Floats are none: both zeros are equal, and so are all NaNs.
fn is_identical(dtype: &DataType) -> bool {
    is_exact(dtype) || dtype.is_decimal() || matches!(dtype, DataType::Time | DataType::Categorical(..) | DataType::Enum(..))
}

impl Step for JoinStep {
    fn line(&self) -> String {
        let how = format!("{:?}", self.how).to_lowercase();
        match self.how {
            How::Cross => format!("join {how}"),
            _ if self.left_on == self.right_on => format!("join {how} on {}", show(&self.left_on)),
            _ => format!("join {how} on {} = {}", show(&self.left_on), show(&self.right_on)),
        }
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let (left, right) = (&inputs[0], &inputs[1]);
        let (keys, _) = self.key_types(left, right)?;
        columns::schema(&self.columns, left, right, &keys)
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        self.needs_of(0, wanted, input)
    }

    fn needs_of(&self, at: usize, _: &Names, _: &Schema) -> Names {
        let mut needed = columns::taken(&self.columns, at);
        needed.extend(columns_of_all(if at == 0 { &self.left_on } else { &self.right_on }));
        needed
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let columns = columns::narrowed(&self.columns, wanted)?;
        Some(Arc::new(Self { columns, ..self.clone() }))
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        let names = columns_of(predicate);
        // A key that can fail must see the rows that it would see without the predicate; a predicate that can fail, only those of the result.
        let keys_can_fail = |at: usize, keys: &[Expr]| keys.iter().any(|key| node.inputs[at].node().can_fail(key));
        if names.is_empty() || keys_can_fail(0, &self.left_on) || keys_can_fail(1, &self.right_on) || node.can_fail(predicate) {
            return Admission::Stop;
        }
        // Keys that must be unique must be so among all rows.
        if self.left_unique || self.right_unique {
            return Admission::Stop;
        }
        let source = |name: &str| self.columns.iter().find(|column| column.name == name).map(|column| &column.source);
        let all = |fits: fn(&Source) -> bool| names.iter().all(|name| source(name).is_some_and(fits));
        let left = matches!(self.how, How::Inner | How::Left | How::Semi | How::Anti | How::Cross);
        if left && all(|source| matches!(source, Source::Left(_))) {
            let own = predicate.clone().map_expr(|expr| {
                let own = match &expr {
                    Expr::Column(name) => source(name),
                    _ => None,
                };
                match own {
                    Some(Source::Left(own)) => Expr::Column(own.as_str().into()),
                    _ => expr,
                }
            });
            let right = self.of_right_keys(&own);
            return Admission::Below(vec![Some(own), right]);
        }
        let right = matches!(self.how, How::Inner | How::Right | How::Cross);
        if right && all(|source| matches!(source, Source::Right(_))) {
            // Under the name that the column has there.
            let own = predicate.clone().map_expr(|expr| {
                let own = match &expr {
                    Expr::Column(name) => source(name),
                    _ => None,
                };
                match own {
                    Some(Source::Right(own)) => Expr::Column(own.as_str().into()),
                    _ => expr,
                }
            });
            return Admission::Below(vec![None, Some(own)]);
        }
        match self.of_either_keys(predicate) {
            Some(of_sides) => Admission::Below(of_sides.map(Some).to_vec()),
            None => Admission::Stop,
        }
    }

    fn minds_order(&self, at: usize, wanted: bool) -> bool {
        wanted && !(at == 1 && matches!(self.how, How::Semi | How::Anti))
    }

    fn link(&self) -> Option<Link> {
        let free = self.how == How::Inner && self.identical && !self.nulls_equal && !self.left_unique && !self.right_unique;
        if !free || self.broadcast.is_some() {
            return None;
        }
        let pair = |(left, right): (&Expr, &Expr)| Some((as_column(left)?.clone(), as_column(right)?.clone()));
        let column = |out: &Out| match &out.source {
            Source::Left(name) => Some((out.name.as_str().into(), true, name.as_str().into())),
            Source::Right(name) => Some((out.name.as_str().into(), false, name.as_str().into())),
            Source::Key(_) => None,
        };
        let on = self.left_on.iter().zip(&self.right_on).map(pair).collect::<Option<_>>()?;
        Some(Link { on, columns: self.columns.iter().map(column).collect::<Option<_>>()? })
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let (left, right) = (inputs[0]?.rows, inputs[1]?.rows);
        let rows = match self.how {
            How::Cross => left.saturating_mul(right),
            How::Semi | How::Anti => selectivity::kept(left, self.share_kept(right, node)),
            How::Inner => self.pairs(left, right, node),
            How::Left => left.max(self.pairs(left, right, node)),
            How::Right => right.max(self.pairs(left, right, node)),
            How::Full => left.saturating_add(right),
        };
        Some(Size::of_rows(rows, node.schema.as_ref().ok()?))
    }

    fn whole_of(&self, inputs: &[Option<u64>]) -> Option<u64> {
        match self.how {
            How::Semi | How::Anti => inputs[0],
            How::Cross => None,
            How::Inner | How::Left | How::Right | How::Full => Some(inputs[0]?.max(inputs[1]?)),
        }
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let spec = self.spec(node)?;
        let meeting = self.meeting(inputs, node);
        let (left, right) = (inputs[0], inputs[1]);
        let parts = |spec: Spec, left_inputs: u32| expr_op(JoinParts { spec, left_inputs, copies: None }, self.line(), ops::token());
        let layer = match meeting {
            Meeting::Alone => Layer::single("join", 1, parts(spec, 1), vec![left.edge(Wiring::Each), right.edge(Wiring::Each)]),
            Meeting::Shuffle(n) => match self.neighbours(inputs, node) {
                Some(near) => {
                    let edges = vec![left.edge(Wiring::Each), right.edge(Wiring::Table(near))];
                    Layer::single("join_sorted", left.partitions, parts(spec, 1), edges)
                }
                None => return Ok(self.shuffled(spec, n, [left, right], node, lowering)),
            },
            Meeting::Table { .. } if self.how == How::Cross => {
                let op = OpRef::new(Concat, "all rows of the right frame");
                let all = lowering.add(Layer::single("concat", 1, op, vec![right.edge(Wiring::Every)]), node);
                Layer::single("join", left.partitions, parts(spec, 1), vec![left.edge(Wiring::Each), all.edge(Wiring::Every)])
            }
            Meeting::Table { of_left } => {
                let (rows, built, on) = if of_left { (right, left, &self.left_on) } else { (left, right, &self.right_on) };
                let rows = asked(&spec, of_left, node, rows, lowering);
                let op = expr_op(BuildTable { spec: spec.clone(), left: of_left }, format!("table of {}", show(on)), ops::token());
                let table = lowering.add(Layer::single("table", 1, op, vec![built.edge(Wiring::Every)]), node);
                let op = expr_op(LookUp { spec, in_left: of_left }, self.line(), ops::token());
                Layer::single("join", rows.partitions, op, vec![rows.edge(Wiring::Each), table.edge(Wiring::Every)])
            }
            Meeting::Marks => {
                let op = expr_op(BuildTable { spec: spec.clone(), left: true }, format!("table of {}", show(&self.left_on)), ops::token());
                let table = lowering.add(Layer::single("table", 1, op, vec![left.edge(Wiring::Every)]), node);
                let op = expr_op(MarkMet { spec: spec.clone() }, format!("rows met by {}", show(&self.right_on)), ops::token());
                let edges = vec![right.edge(Wiring::Each), table.edge(Wiring::Every)];
                let marks = lowering.add(Layer::single("marks", right.partitions, op, edges), node);
                let op = expr_op(PickMet { spec }, self.line(), ops::token());
                Layer::single("join", 1, op, vec![table.edge(Wiring::Every), marks.edge(Wiring::Every)])
            }
            Meeting::Pairs => {
                let n = left.partitions * right.partitions;
                let listed = |input: Lowered, index: &dyn Fn(u32) -> u32| {
                    input.edge(Wiring::Table(Table { offsets: (0..=n).collect(), indices: (0..n).map(index).collect() }))
                };
                let edges = vec![listed(left, &|task| task / right.partitions), listed(right, &|task| task % right.partitions)];
                Layer::single("join", n, parts(spec, 1), edges)
            }
        };
        Ok(lowering.add(layer, node))
    }
}
