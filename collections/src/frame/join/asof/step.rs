//! The as-of join as a step: its schema rule and its layers.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, OpRef, Wiring};
use polars::prelude::{DataType, Expr, Schema, SchemaRef, TimeUnit};

use super::nearest::{Near, Within};
use super::operator::{JoinNearest, RangeEnds};
use super::{AsOf, Direction, Tolerance};
use crate::frame::expr::{Names, as_column, columns_of, columns_of_all, expr_op, show, show_one};
use crate::frame::join::How;
use crate::frame::join::columns::{self, Out, Source};
use crate::frame::join::operator::Spec;
use crate::frame::join::small::is_small;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{self, concat::Concat};
use crate::frame::shuffle::hash::is_integral;
use crate::frame::shuffle::keys::check_keys;
use crate::frame::shuffle::spread;
use crate::frame::size::{Size, parts_for_rows, size_of};
use crate::frame::sort::order::By;
use crate::frame::sort::range;
use crate::frame::sort::rows::SortRows;
use crate::frame::{Admission, DFrame, Node, Step};

const METHOD: &str = ".join_asof(…)";

#[derive(Clone)]
pub(super) struct AsOfStep {
    /// One expression each.
    on: [Expr; 2],
    by: [Vec<Expr>; 2],
    columns: Vec<Out>,
    direction: Direction,
    exact: bool,
    tolerance: Option<Tolerance>,
}

/// What both sides are compared in.
struct Compared {
    on: DataType,
    /// For each side its `on` and its keys, in types that can be compared.
    sides: [(Expr, Vec<Expr>); 2],
}

impl AsOfStep {
    pub fn new(left: &DFrame, right: &DFrame, asof: AsOf) -> Result<Self, Failure> {
        let in_right = |failure: Failure| failure.detail("looked for in", "the right frame of the join");
        let right_on = right.expanded(vec![asof.right_on.unwrap_or_else(|| asof.on.clone())]).map_err(in_right)?;
        let right_by = right.expanded(asof.right_by.unwrap_or_else(|| asof.by.clone())).map_err(in_right)?;
        let (left_on, left_by) = (left.expanded(vec![asof.on])?, left.expanded(asof.by)?);
        let ([left_on], [right_on]) = (&left_on[..], &right_on[..]) else {
            return Err(Failure::new(Code::InvalidOption, format!("{METHOD} looks at one column of each side, and several are named")));
        };
        if left_by.len() != right_by.len() {
            let what = format!("{METHOD} has {} keys on the left and {} on the right", left_by.len(), right_by.len());
            return Err(Failure::new(Code::InvalidOption, what).help("name them in pairs: .by([\"a\"]).right_by([\"b\"])"));
        }
        // A column of the same name would stand there twice; one of another name tells how near the row is.
        let same = as_column(left_on).is_some() && as_column(left_on) == as_column(right_on);
        let keys = |by: &[Expr], on: &Expr| -> Vec<Expr> { by.iter().chain(same.then_some(on)).cloned().collect() };
        let (left_keys, right_keys) = (keys(&left_by, left_on), keys(&right_by, right_on));
        let (left, right) = ((&**left.resolved()?, &left_keys[..]), (&**right.resolved()?, &right_keys[..]));
        let columns = columns::of_result(How::Left, left, right, asof.suffix.as_deref())?;
        Ok(Self {
            on: [left_on.clone(), right_on.clone()],
            by: [left_by, right_by],
            columns,
            direction: asof.direction,
            exact: asof.exact,
            tolerance: asof.tolerance,
        })
    }

    fn compared(&self, left: &Schema, right: &Schema) -> Result<Compared, Failure> {
        let types = |keys: &[Expr], schema: &Schema| if keys.is_empty() { Ok(Vec::new()) } else { check_keys(keys, schema, METHOD) };
        let on = [types(&self.on[..1], left)?, types(&self.on[1..], right)?];
        let by = [types(&self.by[0], left)?, types(&self.by[1], right)?];
        let common_on = columns::common_types(&[(&self.on[0], &self.on[1])], &on[0], &on[1], true)?;
        let pairs: Vec<(&Expr, &Expr)> = self.by[0].iter().zip(&self.by[1]).collect();
        let common_by = columns::common_types(&pairs, &by[0], &by[1], false)?;
        let dtype = common_on[0].clone();
        if !(is_integral(&dtype) || matches!(dtype, DataType::UInt64 | DataType::Float32 | DataType::Float64)) {
            let what = format!("`{}` is of type {dtype}, whose values have no distance", show_one(&self.on[0]));
            return Err(Failure::new(Code::TypeMismatch, what).help("cast it to a number, a date or a time: .cast([(\"t\", DataType::…)])"));
        }
        let side = |at: usize| {
            let own = columns::cast(&self.on[at..=at], &on[at], &common_on);
            (own[0].clone(), columns::cast(&self.by[at], &by[at], &common_by))
        };
        Ok(Compared { sides: [side(0), side(1)], on: dtype })
    }

    fn near(&self, dtype: &DataType) -> Result<Near, Failure> {
        let within = self.tolerance.map(|tolerance| within(tolerance, dtype)).transpose()?;
        Ok(Near { direction: self.direction, exact: self.exact, within })
    }

    /// Splits both sides into the same ranges.
    fn ranges(&self, compared: &Compared, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> (u32, [Lowered; 2], Lowered) {
        let by = |at: usize| By::all(vec![compared.sides[at].0.clone()], false, false);
        let parts = parts_for_rows(inputs[0].partitions.max(inputs[1].partitions), size_of(&node.inputs[0]));
        let borders = range::find_borders(&by(0), parts, inputs[0], node, lowering);
        let left = range::split(&by(0), parts, false, (inputs[0], borders), node, lowering);
        let right = range::split(&by(1), parts, false, (inputs[1], borders), node, lowering);
        let sort = expr_op(SortRows { by: by(1), limit: None }, format!("sort by {}", by(1).show()), ops::token());
        let right = lowering.add(Layer::single("sort", parts, sort, vec![right.edge(Wiring::Part)]), node);
        let ends = OpRef::new(RangeEnds, "first and last rows");
        let ends = lowering.add(Layer::single("ends", parts, ends, vec![right.edge(Wiring::Each)]), node);
        (parts, [left, right], ends)
    }
}

/// A tolerance in the unit of the column.
fn within(tolerance: Tolerance, dtype: &DataType) -> Result<Within, Failure> {
    let nanoseconds = |time: std::time::Duration, unit: u128| Within::Whole(u64::try_from(time.as_nanos() / unit).unwrap_or(u64::MAX));
    let unit = match dtype {
        DataType::Datetime(unit, _) | DataType::Duration(unit) => Some(match unit {
            TimeUnit::Nanoseconds => 1,
            TimeUnit::Microseconds => 1_000,
            TimeUnit::Milliseconds => 1_000_000,
        }),
        DataType::Date => Some(86_400 * 1_000_000_000),
        DataType::Time => Some(1),
        _ => None,
    };
    let float = matches!(dtype, DataType::Float32 | DataType::Float64);
    match (tolerance, unit) {
        (Tolerance::Time(time), Some(unit)) => Ok(nanoseconds(time, unit)),
        (Tolerance::Whole(number), None) if number >= 0 => Ok(Within::Whole(number.unsigned_abs())),
        (Tolerance::Float(number), None) if float && number >= 0.0 => Ok(Within::Float(number)),
        _ => {
            let what = format!("a tolerance of {tolerance:?} is none for a column of type {dtype}");
            Err(Failure::new(Code::InvalidOption, what)
                .help("for numbers .tolerance(5) or .tolerance(0.5), for times .tolerance(Duration::from_secs(60)); never below zero"))
        }
    }
}

impl Step for AsOfStep {
    fn line(&self) -> String {
        let direction = format!("{:?}", self.direction).to_lowercase();
        let by = if self.by[0].is_empty() { String::new() } else { format!(" by {}", show(&self.by[0])) };
        format!("join as of {} {direction}{by}", show_one(&self.on[0]))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let compared = self.compared(&inputs[0], &inputs[1])?;
        self.near(&compared.on)?;
        columns::schema(&self.columns, &inputs[0], &inputs[1], &[])
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        self.needs_of(0, wanted, input)
    }

    fn needs_of(&self, at: usize, _: &Names, _: &Schema) -> Names {
        let mut needed = columns::taken(&self.columns, at);
        needed.extend(columns_of_all(self.by[at].iter().chain([&self.on[at]])));
        needed
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let columns = columns::narrowed(&self.columns, wanted)?;
        Some(Arc::new(Self { columns, ..self.clone() }))
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // Each row of the left frame finds its row without regard to the others.
        let of_left = |name: &str| self.columns.iter().any(|column| column.name == name && matches!(column.source, Source::Left(_)));
        let names = columns_of(predicate);
        let can_fail = |at: usize| self.by[at].iter().chain([&self.on[at]]).any(|key| node.inputs[at].node().can_fail(key));
        match !names.is_empty() && names.iter().all(|name| of_left(name)) && !node.can_fail(predicate) && !can_fail(0) && !can_fail(1) {
            true => Admission::Below(vec![Some(predicate.clone()), None]),
            false => Admission::Stop,
        }
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(inputs[0]?.rows, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let compared = self.compared(node.inputs[0].resolved()?, node.inputs[1].resolved()?)?;
        let near = self.near(&compared.on)?;
        let [(left_on, left_by), (right_on, right_by)] = compared.sides.clone();
        let spec = Spec::plain(How::Left, left_by, right_by, self.columns.clone());
        let nearest = |spec: Spec, left_inputs: u32, ends: bool| {
            let operator = JoinNearest { spec, left_on: left_on.clone(), right_on: right_on.clone(), near, left_inputs, ends };
            expr_op(operator, self.line(), ops::token())
        };
        let (left, right) = (inputs[0], inputs[1]);
        let sizes = [size_of(&node.inputs[0]), size_of(&node.inputs[1])];
        let layer = if is_small(sizes[1], right.partitions, sizes[0]) || [left.partitions, right.partitions] == [1, 1] {
            let op = OpRef::new(Concat, "all rows of the right frame");
            let all = lowering.add(Layer::single("concat", 1, op, vec![right.edge(Wiring::Every)]), node);
            let edges = vec![left.edge(Wiring::Each), all.edge(Wiring::Every)];
            Layer::single("join", left.partitions, nearest(spec, 1, false), edges)
        } else if self.by[0].is_empty() {
            let (parts, [left_parts, right], ends) = self.ranges(&compared, inputs, node, lowering);
            let edges = vec![left_parts.edge(Wiring::Part), right.edge(Wiring::Each), ends.edge(Wiring::Every)];
            Layer::single("join", parts, nearest(spec, left.partitions, true), edges)
        } else {
            let parts = parts_for_rows(left.partitions.max(right.partitions), sizes[0]);
            let left_parts = spread(&spec.left_on, parts, left, node, lowering);
            let right_parts = spread(&spec.right_on, parts, right, node, lowering);
            let edges = vec![left_parts.edge(Wiring::Part), right_parts.edge(Wiring::Part)];
            Layer::single("join", parts, nearest(spec, left.partitions, false), edges)
        };
        Ok(lowering.add(layer, node))
    }
}
