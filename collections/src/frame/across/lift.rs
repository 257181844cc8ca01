//! Takes the parts of expressions that look at other rows out, each as a column of its own that a step makes.
//!
//! It refuses to run anything. Invariant: what is left of an expression reads the new columns, keeps its name, and looks at one row at a
//! time; what cannot be taken out stays, and is refused where the expression is used.

use std::sync::Arc;

use partita_graph::{Failure, Origin};
use polars::prelude::*;
use polars_core::series::ops::NullBehavior;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};

use super::borders::Reach;
use super::by_time::InTime;
use super::nearby::Nearby;
use super::running::{Kind, Running, WithRunning};
use super::window::Window;
use super::{PREFIX, name_of};
use crate::frame::DFrame;
use crate::frame::expr::{as_column, columns_of, is_row_by_row};

/// A frame with the new columns, and the expressions over it.
pub(crate) struct Lifted {
    pub frame: DFrame,
    pub exprs: Vec<Expr>,
    /// Whether there are new columns.
    pub changed: bool,
}

/// Makes expressions over a frame look at one row at a time.
///
/// # Errors
/// A part that does not fit its types.
#[track_caller]
pub(crate) fn lift(frame: &DFrame, exprs: Vec<Expr>, method: &str) -> Result<Lifted, Failure> {
    let schema = frame.resolved()?;
    if exprs.iter().all(|expr| is_row_by_row(expr, schema)) {
        return Ok(Lifted { frame: frame.clone(), exprs, changed: false });
    }
    let mut lifting = Lifting { frame: frame.clone(), origin: Origin::here(method), method, pending: Vec::new(), made: 0 };
    let exprs = exprs.iter().map(|expr| lifting.whole(expr)).collect::<Result<Vec<_>, _>>()?;
    lifting.make();
    Ok(Lifted { changed: lifting.made > 0, frame: lifting.frame, exprs })
}

/// By what kind of step a column is made.
enum How {
    Nearby(Reach),
    InTime(PlSmallStr, Duration),
    /// What runs, whether backwards, and over what.
    Running(Kind, bool, Expr),
    Window(Vec<Expr>),
}

/// A column that is to be made.
struct Pending {
    name: PlSmallStr,
    expr: Expr,
    how: How,
}

struct Lifting<'a> {
    frame: DFrame,
    origin: Origin,
    method: &'a str,
    pending: Vec<Pending>,
    /// Columns that were named so far.
    made: usize,
}

impl Lifting<'_> {
    /// An expression, under its own name.
    fn whole(&mut self, expr: &Expr) -> Result<Expr, Failure> {
        let lifted = self.part(expr)?;
        Ok(if lifted == *expr { lifted } else { lifted.alias(name_of(expr)) })
    }

    fn part(&mut self, expr: &Expr) -> Result<Expr, Failure> {
        if is_row_by_row(expr, self.frame.resolved()?) {
            return Ok(expr.clone());
        }
        Ok(match expr {
            // As many values as there are rows, unless lists are to be laid out in another order.
            Expr::Over { partition_by, mapping, .. } if *mapping != WindowMapping::Explode => {
                self.column(expr.clone(), How::Window(partition_by.clone()))?
            }
            Expr::Function { input, function } => self.function(input, function)?,
            Expr::Alias(inner, name) => Expr::Alias(Arc::new(self.part(inner)?), name.clone()),
            Expr::Cast { expr, dtype, options } => Expr::Cast { expr: Arc::new(self.part(expr)?), dtype: dtype.clone(), options: *options },
            Expr::BinaryExpr { left, op, right } => {
                Expr::BinaryExpr { left: Arc::new(self.part(left)?), op: *op, right: Arc::new(self.part(right)?) }
            }
            Expr::Ternary { predicate, truthy, falsy } => Expr::Ternary {
                predicate: Arc::new(self.part(predicate)?),
                truthy: Arc::new(self.part(truthy)?),
                falsy: Arc::new(self.part(falsy)?),
            },
            other => other.clone(),
        })
    }

    /// A function: one that looks at other rows becomes a column, of others the arguments may.
    fn function(&mut self, input: &[Expr], function: &FunctionExpr) -> Result<Expr, Failure> {
        let Some(looks) = Looks::of(function, input) else {
            let input = input.iter().map(|expr| self.part(expr)).collect::<Result<_, _>>()?;
            return Ok(Expr::Function { input, function: function.clone() });
        };
        let whole = Expr::Function { input: input.to_vec(), function: function.clone() };
        let input = input.iter().map(|expr| self.part(expr)).collect::<Result<Vec<_>, _>>()?;
        let expr = Expr::Function { input: input.clone(), function: function.clone() };
        if columns_of(&input[0]).is_empty() {
            // A constant has no rows of its own.
            return Ok(expr);
        }
        self.make_what_is_read_by(&expr);
        let schema = self.frame.resolved()?;
        if !input.iter().all(|expr| is_row_by_row(expr, schema)) {
            // What it looks at would be found in one partition and its neighbours only: refused where the expression is used.
            return Ok(whole);
        }
        let how = match looks {
            Looks::Nearby(reach) => How::Nearby(reach),
            Looks::InTime(on, window) => How::InTime(on, window),
            Looks::Running(kind, backwards) => How::Running(kind, backwards, input[0].clone()),
            Looks::Counting(backwards) => How::Running(Kind::Sum, backwards, input[0].clone().is_not_null()),
            Looks::Equal => How::Window(vec![input[0].clone()]),
        };
        self.column(expr, how)
    }

    /// The column that an expression becomes.
    fn column(&mut self, expr: Expr, how: How) -> Result<Expr, Failure> {
        if let Some(known) = self.pending.iter().find(|pending| pending.expr == expr) {
            return Ok(Expr::Column(known.name.clone()));
        }
        self.make_what_is_read_by(&expr);
        let schema = self.frame.resolved()?;
        let name = loop {
            let name: PlSmallStr = format!("{PREFIX}{}", self.made).into();
            self.made += 1;
            if !schema.contains(&name) {
                break name;
            }
        };
        self.pending.push(Pending { name: name.clone(), expr, how });
        Ok(Expr::Column(name))
    }

    fn make_what_is_read_by(&mut self, expr: &Expr) {
        let read = columns_of(expr);
        if self.pending.iter().any(|pending| read.contains(&pending.name)) {
            self.make();
        }
    }

    /// Adds the steps for all columns that are to be made, one for each kind.
    fn make(&mut self) {
        let mut reach = Reach::default();
        let (mut nearby, mut columns) = (Vec::new(), Vec::new());
        let mut in_time: Vec<InTime> = Vec::new();
        let mut windows: Vec<Window> = Vec::new();
        for Pending { name, expr, how } in std::mem::take(&mut self.pending) {
            let named = expr.clone().alias(name.clone());
            match how {
                How::Nearby(its) => {
                    reach = reach.or(its);
                    nearby.push(named);
                }
                How::InTime(on, window) => match in_time.iter_mut().find(|step| step.on == on && step.window == window) {
                    Some(step) => step.exprs.push(named),
                    None => in_time.push(InTime { exprs: vec![named], on, window }),
                },
                How::Running(kind, backwards, input) => columns.push(Running { name, kind, backwards, input, expr }),
                How::Window(keys) => match windows.iter_mut().find(|step| step.keys == keys) {
                    Some(step) => step.exprs.push(named),
                    None => windows.push(Window { keys, exprs: vec![named], method: self.method.to_string() }),
                },
            }
        }
        if !nearby.is_empty() {
            self.then(Arc::new(Nearby { exprs: nearby, reach }));
        }
        if !columns.is_empty() {
            self.then(Arc::new(WithRunning { columns }));
        }
        in_time.into_iter().for_each(|step| self.then(Arc::new(step)));
        windows.into_iter().for_each(|step| self.then(Arc::new(step)));
    }

    fn then(&mut self, step: Arc<dyn crate::frame::Step>) {
        self.frame = DFrame::build(step, vec![self.frame.clone()], self.origin.clone());
    }
}

/// At which other rows a function looks, besides the row itself.
enum Looks {
    Nearby(Reach),
    InTime(PlSmallStr, Duration),
    Running(Kind, bool),
    Counting(bool),
    /// At rows with an equal value.
    Equal,
}

impl Looks {
    fn of(function: &FunctionExpr, input: &[Expr]) -> Option<Self> {
        Some(match function {
            FunctionExpr::Shift | FunctionExpr::ShiftAndFill | FunctionExpr::Diff(NullBehavior::Ignore) | FunctionExpr::PctChange => {
                // What is filled in must be the same in all partitions.
                let (Expr::Literal(rows), None | Some(Expr::Literal(_))) = (input.get(1)?, input.get(2)) else { return None };
                let rows = rows.extract_i64().ok()?;
                let far = rows.unsigned_abs();
                Looks::Nearby(if rows > 0 { Reach { before: far, after: 0 } } else { Reach { before: 0, after: far } })
            }
            FunctionExpr::RollingExpr { options, .. } => {
                let rows = options.window_size as u64;
                let (before, after) = if options.center { (rows, rows) } else { (rows.saturating_sub(1), 0) };
                Looks::Nearby(Reach { before, after })
            }
            FunctionExpr::RollingExprBy { options, .. } => Looks::InTime(as_column(input.get(1)?)?.clone(), options.window_size),
            FunctionExpr::FillNullWithStrategy(FillNullStrategy::Forward(limit)) => match limit {
                Some(rows) => Looks::Nearby(Reach { before: u64::from(*rows), after: 0 }),
                None => Looks::Running(Kind::Fill, false),
            },
            FunctionExpr::FillNullWithStrategy(FillNullStrategy::Backward(limit)) => match limit {
                Some(rows) => Looks::Nearby(Reach { before: 0, after: u64::from(*rows) }),
                None => Looks::Running(Kind::Fill, true),
            },
            FunctionExpr::PeakMin | FunctionExpr::PeakMax => Looks::Nearby(Reach { before: 1, after: 1 }),
            FunctionExpr::Boolean(
                BooleanFunction::IsUnique
                | BooleanFunction::IsDuplicated
                | BooleanFunction::IsFirstDistinct
                | BooleanFunction::IsLastDistinct,
            ) => Looks::Equal,
            FunctionExpr::CumSum { reverse } => Looks::Running(Kind::Sum, *reverse),
            FunctionExpr::CumProd { reverse } => Looks::Running(Kind::Product, *reverse),
            FunctionExpr::CumMin { reverse } => Looks::Running(Kind::Min, *reverse),
            FunctionExpr::CumMax { reverse } => Looks::Running(Kind::Max, *reverse),
            FunctionExpr::CumCount { reverse } => Looks::Counting(*reverse),
            _ => return None,
        })
    }
}
