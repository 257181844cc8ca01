//! Aggregations of the user's own, taken apart by the user: what a partition computes of its rows, how that is combined, and what the
//! result is made of.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, Wiring};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;

use super::GroupBy;
use super::combine::Exact;
use crate::frame::expr::{
    Names, as_column, check_columns, check_row_by_row, columns_of, columns_of_all, expr_op, not_found_among, schema_after, show,
};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{self, select::Select};
use crate::frame::shuffle::{keys::check_keys, named, spread};
use crate::frame::size::{Size, parts_for_keys};
use crate::frame::{Admission, DFrame, IntoExprs, Node, Step};

/// An aggregation in three parts, so that groups of any size are aggregated where their rows are: `chunk` gives states out of the rows of
/// a partition, `combine` the same states out of those of several partitions, `finish` the result out of the last ones.
///
/// ```
/// use partita::{Aggregation, prelude::*};
/// let mean_square = Aggregation::new("mean_square")
///     .chunk([(col("x") * col("x")).sum().alias("squares"), col("x").count().alias("n")])
///     .combine([col("squares").sum(), col("n").sum()])
///     .finish(col("squares") / col("n"));
/// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [3.0, 2.0, 4.0])?, 3);
/// let found = frame.group_by(["k"]).aggregate([mean_square]).compute()?;
/// assert_eq!(found, df!("k" => ["a", "b"], "mean_square" => [12.5, 4.0])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Aggregation {
    name: String,
    chunk: Vec<Expr>,
    combine: Vec<Expr>,
    finish: Option<Expr>,
}

impl Aggregation {
    /// An aggregation whose result is called so.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), chunk: Vec::new(), combine: Vec::new(), finish: None }
    }

    /// Aggregates over the rows of a group in one partition; each is a state of its name.
    pub fn chunk(mut self, states: impl IntoExprs) -> Self {
        self.chunk = states.into_exprs();
        self
    }

    /// Aggregates over the states of a group in several partitions, in their order: one for each state, under its name and of its type.
    pub fn combine(mut self, states: impl IntoExprs) -> Self {
        self.combine = states.into_exprs();
        self
    }

    /// The result, out of the states of a group. Default: the only state.
    pub fn finish(mut self, result: Expr) -> Self {
        self.finish = Some(result);
        self
    }

    /// Its expressions with states under names that no other aggregation has.
    fn numbered(&self, at: usize) -> Result<Numbered, Failure> {
        let wrong = |what: String| Failure::new(Code::InvalidOption, format!("the aggregation `{}` {what}", self.name));
        let name_of = |expr: &Expr| expr_output_name(expr).map(|name| name.to_string()).unwrap_or_default();
        let states: Vec<String> = self.chunk.iter().map(name_of).collect();
        let combined: Vec<String> = self.combine.iter().map(name_of).collect();
        if states.is_empty() || states.iter().any(|state| !combined.contains(state)) || combined.len() != states.len() {
            let what = format!("has the states {} and combines {}", states.join(", "), combined.join(", "));
            return Err(
                wrong(what).help("combine each state under its name: .chunk([col(\"x\").sum().alias(\"s\")]).combine([col(\"s\").sum()])")
            );
        }
        let finish = match (&self.finish, &states[..]) {
            (Some(finish), _) => finish.clone(),
            (None, [only]) => col(only.as_str()),
            (None, _) => return Err(wrong("has several states and no result".into()).help("say what it is made of: .finish(…)")),
        };
        let number = |name: &str| format!("\u{1}u{at}:{name}");
        let over_states = |expr: &Expr| -> Result<Expr, Failure> {
            let known: Vec<&str> = states.iter().map(String::as_str).collect();
            match columns_of(expr).into_iter().find(|name| !known.contains(&name.as_str())) {
                Some(unknown) => Err(not_found_among(&unknown, &known).detail("looked for in", format!("the states of `{}`", self.name))),
                None => Ok(expr.clone().map_expr(|expr| match expr {
                    Expr::Column(name) => Expr::Column(number(&name).into()),
                    other => other,
                })),
            }
        };
        let chunk = self.chunk.iter().zip(&states).map(|(expr, state)| expr.clone().alias(number(state))).collect();
        let combine = self.combine.iter().zip(&combined).map(|(expr, state)| Ok(over_states(expr)?.alias(number(state))));
        Ok(Numbered { chunk, combine: combine.collect::<Result<_, Failure>>()?, finish: over_states(&finish)?.alias(self.name.as_str()) })
    }
}

struct Numbered {
    chunk: Vec<Expr>,
    combine: Vec<Expr>,
    finish: Expr,
}

impl GroupBy {
    /// Aggregations of your own; see [`Aggregation`]. Groups come as with [`GroupBy::agg`].
    ///
    /// # Errors
    /// At `compute`: an aggregation whose parts do not fit each other or the columns.
    #[track_caller]
    pub fn aggregate(&self, aggregations: impl IntoIterator<Item = Aggregation>) -> DFrame {
        let method = ".group_by(…).aggregate(…)";
        match self.own_step(aggregations.into_iter().collect(), method) {
            Ok(step) => {
                let (keys, chunk, finish) = (step.keys.clone(), step.chunk.clone(), step.finish.clone());
                let result = DFrame::then(step, vec![self.frame.clone()], method);
                self.laid_out(result, &keys, |none| none.select(chunk).select(finish), ".aggregate(…)")
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    fn own_step(&self, aggregations: Vec<Aggregation>, method: &str) -> Result<OwnAggregates, Failure> {
        let keys = self.frame.expanded(self.keys.clone())?;
        let mut step =
            OwnAggregates { keys, chunk: vec![], combine: vec![], finish: vec![], parts: self.split_out, method: method.to_string() };
        for (at, aggregation) in aggregations.iter().enumerate() {
            let Numbered { chunk, combine, finish } = aggregation.numbered(at)?;
            step.chunk.extend(self.frame.expanded(chunk)?);
            step.combine.extend(combine);
            step.finish.push(finish);
        }
        Ok(step)
    }
}

/// All aggregations of one group-by.
struct OwnAggregates {
    keys: Vec<Expr>,
    chunk: Vec<Expr>,
    combine: Vec<Expr>,
    finish: Vec<Expr>,
    parts: Option<usize>,
    method: String,
}

impl OwnAggregates {
    /// The keys, once they are columns.
    fn key_columns(&self) -> Vec<Expr> {
        named(self.keys.iter().map(|key| expr_output_name(key).unwrap_or_default()))
    }

    fn results(&self) -> Vec<Expr> {
        self.key_columns().into_iter().chain(self.finish.iter().cloned()).collect()
    }
}

impl Step for OwnAggregates {
    fn line(&self) -> String {
        format!("group_by {} aggregate {}", show(&self.keys), show(&self.finish))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&self.keys, &inputs[0], &self.method)?;
        check_columns(&self.chunk, &inputs[0])?;
        let states = schema_after(&inputs[0], |frame| frame.group_by(self.keys.clone()).agg(self.chunk.clone()))?;
        let combined = schema_after(&states, |frame| frame.group_by(self.key_columns()).agg(self.combine.clone()))?;
        if let Some((name, dtype)) = states.iter().find(|(name, dtype)| combined.get(name) != Some(*dtype)) {
            let other = combined.get(name).map_or_else(|| "nothing".into(), |dtype| dtype.to_string());
            let state = name.split_once(':').map_or(name.as_str(), |(_, state)| state);
            let what = format!("the state `{state}` is of type {dtype}, and combining makes it {other}");
            return Err(Failure::new(Code::TypeMismatch, what).help("cast it in .combine(…): col(\"n\").sum().cast(DataType::…)"));
        }
        check_row_by_row(&self.finish, &states, &self.method)?;
        schema_after(&states, |frame| frame.select(self.results()))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        columns_of_all(self.keys.iter().chain(&self.chunk))
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        let keys: Names = self.keys.iter().filter_map(as_column).cloned().collect();
        match columns_of(predicate).is_subset(&keys) && !columns_of(predicate).is_empty() {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(inputs[0]?.rows, node.schema.as_ref().ok()?))
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let kept = |expr: &&Expr| expr_output_name(expr).is_ok_and(|name| wanted.contains(&name));
        let finish: Vec<Expr> = self.finish.iter().filter(kept).cloned().collect();
        if finish.len() == self.finish.len() {
            return None;
        }
        let read = columns_of_all(&finish);
        // A state may be combined out of others; then all stay.
        let alone =
            self.combine.iter().all(|expr| expr_output_name(expr).is_ok_and(|name| columns_of(expr).iter().all(|read| *read == name)));
        let of = |exprs: &[Expr]| -> Vec<Expr> {
            let needed = |expr: &&Expr| !alone || expr_output_name(expr).is_ok_and(|name| read.contains(&name));
            exprs.iter().filter(needed).cloned().collect()
        };
        Some(Arc::new(Self {
            keys: self.keys.clone(),
            chunk: of(&self.chunk),
            combine: of(&self.combine),
            finish,
            parts: self.parts,
            method: self.method.clone(),
        }))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let chunk = Exact { keys: self.keys.clone(), aggs: self.chunk.clone() };
        let op = expr_op(chunk, format!("states by {}", show(&self.keys)), ops::token());
        let level = lowering.add(Layer::single("states", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
        let combine = Exact { keys: self.key_columns(), aggs: self.combine.clone() };
        let combine = expr_op(combine, "combine states".into(), ops::token());
        let parts = match self.parts {
            Some(parts) => parts.max(1) as u32,
            None => parts_for_keys(&node.inputs[0], &self.keys, input.partitions),
        };
        let level = match (parts, level.partitions) {
            (1, 1) => level,
            (1, _) => {
                let level = lowering.gather("combine", &combine, level, node);
                lowering.add(Layer::single("combine", 1, combine, vec![level.edge(Wiring::Every)]), node)
            }
            _ => {
                let split = spread(&self.key_columns(), parts, level, node, lowering);
                lowering.add(Layer::single("combine", parts, combine, vec![split.edge(Wiring::Part)]), node)
            }
        };
        let op = expr_op(Select { exprs: self.results() }, self.line(), ops::token());
        Ok(lowering.add(Layer::single("finish", level.partitions, op, vec![level.edge(Wiring::Each)]), node))
    }
}
