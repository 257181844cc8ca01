//! The group-by as a step: its schema rule, and its layers.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, Wiring};
use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr, StringFunction};
use polars_plan::utils::expr_output_name;

use super::combine::{Combine, Exact, Finish};
use super::estimate;
use super::partial::Partial;
use super::states::{Decomposed, Kind, decompose};
use crate::frame::expr::{Names, as_column, check_columns, check_row_by_row, columns_of, columns_of_all, expr_op, schema_after, show};
use crate::frame::lower::{FAN_IN, Lowered, Lowering};
use crate::frame::shuffle::clustered::Clusters;
use crate::frame::shuffle::{named, spread};
use crate::frame::size::{Size, parts_for_unknown, size_of};
use crate::frame::{Admission, Node, Step, ops};

/// Groups that one combining task takes in; more are split over several tasks.
const GROUPS_PER_PART: u64 = 200_000;
/// More parts than this cost more in small pieces than they gain.
const MOST_PARTS: u64 = 256;

/// Keys and aggregates over an input. Without keys it reduces the whole frame to one row.
#[derive(Clone)]
pub(crate) struct GroupByStep {
    pub keys: Vec<Expr>,
    pub aggs: Vec<Expr>,
    pub split_out: Option<usize>,
    /// What the user should know of the aggregate.
    pub note: Option<String>,
}

impl Step for GroupByStep {
    fn line(&self) -> String {
        match self.keys.is_empty() {
            true => format!("agg {}", show(&self.aggs)),
            false => format!("group_by {} agg {}", show(&self.keys), show(&self.aggs)),
        }
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_columns(&self.keys, &inputs[0])?;
        check_columns(&self.aggs, &inputs[0])?;
        check_row_by_row(&self.keys, &inputs[0], ".group_by(…)")?;
        if self.keys.iter().any(|key| columns_of(key).is_empty()) {
            return Err(Failure::new(Code::Unsupported, "a key that reads no column has no groups").help("over all rows: .agg([…])"));
        }
        check_numbers(&self.aggs, &inputs[0])?;
        match self.keys.is_empty() {
            true => schema_after(&inputs[0], |frame| frame.select(self.aggs.clone())),
            false => schema_after(&inputs[0], |frame| frame.group_by(self.keys.clone()).agg(self.aggs.clone())),
        }
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        columns_of_all(self.keys.iter().chain(&self.aggs))
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let kept: Vec<Expr> = self.aggs.iter().filter(|e| expr_output_name(e).is_ok_and(|name| wanted.contains(&name))).cloned().collect();
        let fewer = kept.len() < self.aggs.len() && !(kept.is_empty() && self.keys.is_empty());
        fewer.then(|| Arc::new(Self { aggs: kept, ..self.clone() }) as Arc<dyn Step>)
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        let keys: Names = self.keys.iter().filter_map(as_column).cloned().collect();
        match !keys.is_empty() && columns_of(predicate).is_subset(&keys) && !columns_of(predicate).is_empty() {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn minds_order(&self, _: usize, _: bool) -> bool {
        !self.aggs.iter().all(ignores_order)
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        // Groups that lie within partitions stay where they are; where they are spread anew that is noted.
        let keys: Option<Vec<PlSmallStr>> = self.keys.iter().map(|key| as_column(key).cloned()).collect();
        keys.filter(|keys| columns.iter().all(|name| keys.contains(name))).map(|_| columns.to_vec())
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let schema = node.schema.as_ref().ok()?;
        if self.keys.is_empty() {
            return Some(Size::of_rows(1, schema));
        }
        let rows = inputs.first().copied().flatten().map(|size| size.rows);
        let groups = estimate::groups(&node.inputs[0], &self.keys).or(rows)?;
        Some(Size::of_rows(groups.min(rows.unwrap_or(u64::MAX)), schema))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        lowering.notes.extend(self.note.clone());
        let input_schema = node.inputs[0].resolved()?;
        let parts = self.parts(node, inputs[0].partitions);
        match decompose(&self.aggs, input_schema, !self.keys.is_empty()) {
            Some(decomposed) => {
                let parts = self.parts_of(&decomposed, parts, inputs[0]);
                self.lower_states(decomposed, parts, inputs[0], node, lowering)
            }
            None => Ok(self.lower_exact(parts, inputs[0], node, lowering)),
        }
    }
}

/// Whether an aggregate gives the same in whatever order rows come, but for the last bits of sums of floats.
fn ignores_order(agg: &Expr) -> bool {
    let one_by_one = |expr: &Expr| match expr {
        Expr::Function { function, .. } => is_one_by_one(function),
        Expr::Agg(agg) => matches!(
            agg,
            AggExpr::Min { .. }
                | AggExpr::Max { .. }
                | AggExpr::Sum(_)
                | AggExpr::Mean(_)
                | AggExpr::Median(_)
                | AggExpr::NUnique(_)
                | AggExpr::Count { .. }
                | AggExpr::Std(..)
                | AggExpr::Var(..)
        ),
        Expr::Column(_)
        | Expr::Literal(_)
        | Expr::Alias(..)
        | Expr::BinaryExpr { .. }
        | Expr::Cast { .. }
        | Expr::Ternary { .. }
        | Expr::Len => true,
        _ => false,
    };
    agg.into_iter().all(one_by_one)
}

/// Functions that are known to look at one row at a time.
fn is_one_by_one(function: &FunctionExpr) -> bool {
    match function {
        FunctionExpr::Boolean(function) => matches!(
            function,
            BooleanFunction::IsNull
                | BooleanFunction::IsNotNull
                | BooleanFunction::Not
                | BooleanFunction::IsIn { .. }
                | BooleanFunction::IsBetween { .. }
        ),
        FunctionExpr::StringExpr(function) => {
            matches!(function, StringFunction::StartsWith | StringFunction::EndsWith | StringFunction::Contains { .. })
        }
        FunctionExpr::TemporalExpr(_) => true,
        _ => false,
    }
}

/// Refuses means and moments of text, which polars would answer with null, and products of decimals, whose digits have no room.
fn check_numbers(aggs: &[Expr], schema: &Schema) -> Result<(), Failure> {
    for expr in aggs.iter().flat_map(|agg| agg.into_iter()) {
        if let Expr::Function { input, function: FunctionExpr::Product } = expr
            && input.iter().any(|input| input.to_field(schema).is_ok_and(|field| field.dtype().is_decimal()))
        {
            let what = format!("`{}` is not defined for decimals: each factor would add digits", show(std::slice::from_ref(expr)));
            return Err(Failure::new(Code::TypeMismatch, what).help("as a float: col(\"x\").cast(DataType::Float64).product()"));
        }
        let Expr::Agg(AggExpr::Mean(input) | AggExpr::Median(input) | AggExpr::Var(input, _) | AggExpr::Std(input, _)) = expr else {
            continue;
        };
        let text = input.to_field(schema).is_ok_and(|field| matches!(field.dtype(), DataType::String | DataType::Binary));
        if text {
            let what = format!("`{}` is not defined for text", show(std::slice::from_ref(expr)));
            return Err(Failure::new(Code::TypeMismatch, what)
                .help("cast the column: .cast([(\"x\", DataType::Float64)]); or let its odd text stand for null: .null_values([…])"));
        }
    }
    Ok(())
}

impl GroupByStep {
    fn key_names(&self) -> Vec<String> {
        self.keys.iter().map(|key| expr_output_name(key).unwrap_or_default().to_string()).collect()
    }

    /// How many partitions the result comes in.
    fn parts(&self, node: &Node, partitions: u32) -> u32 {
        let parts = match self.split_out {
            Some(parts) => return parts.max(1) as u32,
            None if self.keys.is_empty() || partitions == 1 => 1,
            None => match estimate::groups(&node.inputs[0], &self.keys) {
                Some(groups) => groups.div_ceil(GROUPS_PER_PART).min(u64::from(partitions)),
                None => parts_for_unknown(self.most_groups(node), partitions),
            },
        };
        parts.clamp(1, MOST_PARTS) as u32
    }

    /// The result, if each row were a group.
    fn most_groups(&self, node: &Node) -> Option<Size> {
        Some(Size::of_rows(size_of(&node.inputs[0])?.rows, node.schema.as_ref().ok()?))
    }

    /// Lists of values are large however few the groups are, so several tasks take them in.
    fn parts_of(&self, decomposed: &Decomposed, parts: u32, input: Lowered) -> u32 {
        let large = decomposed.states.iter().any(|state| state.kind == Kind::Gathered);
        if large && self.split_out.is_none() { parts.max(input.partitions.min(FAN_IN)) } else { parts }
    }

    fn lower_states(
        &self,
        decomposed: Decomposed,
        parts: u32,
        input: Lowered,
        node: &Node,
        lowering: &mut Lowering,
    ) -> Result<Lowered, Failure> {
        let Decomposed { states, finish } = decomposed;
        let shown = states.iter().map(|state| state.show()).collect::<Vec<_>>().join(", ");
        let by = if self.keys.is_empty() { String::new() } else { format!(" by {}", show(&self.keys)) };
        let schema = node.schema.as_ref().map_err(Clone::clone)?;
        let results = finish.into_iter().zip(&self.aggs).map(|(expr, agg)| {
            let name = expr_output_name(agg).unwrap_or_default();
            let dtype = schema.get(&name).cloned().unwrap_or(DataType::Null);
            expr.cast(dtype).alias(name)
        });
        let results: Vec<Expr> = results.collect();

        let partial = Partial { keys: self.keys.clone(), states: states.clone() };
        let op = expr_op(partial, format!("partial {shown}{by}"), ops::token());
        let source = self.coded_input(input, node, lowering);
        let level = lowering.add(Layer::single("partial", source.partitions, op, vec![source.edge(Wiring::Each)]), node);

        let combine = Combine { keys: self.key_names(), states };
        let finish = expr_op(Finish { combine: combine.clone(), results }, format!("finish {}{by}", show(&self.aggs)), ops::token());
        if parts > 1 && lowering.is_together(input, &self.keys) && self.split_out.is_none_or(|parts| parts == input.partitions as usize) {
            // No group is in two partitions: each is finished where it is.
            return Ok(lowering.add(Layer::single("finish", level.partitions, finish, vec![level.edge(Wiring::Each)]), node));
        }
        let clusters = if parts > 1 && self.split_out.is_none() { Clusters::of(&node.inputs[0], &self.keys, parts) } else { None };
        if let Some(clusters) = clusters {
            let parts = clusters.parts();
            let level = clusters.split(level, node, lowering);
            return Ok(lowering.add(Layer::single("finish", parts, finish, vec![level.edge(Wiring::Part)]), node));
        }
        if parts > 1 {
            let keys = named(self.key_names());
            let level = spread(&keys, parts, level, node, lowering);
            let finished = lowering.add(Layer::single("finish", parts, finish, vec![level.edge(Wiring::Part)]), node);
            lowering.note_spread(finished, &keys);
            return Ok(finished);
        }
        let combine = expr_op(combine, format!("combine {shown}{by}"), ops::token());
        let level = lowering.gather("combine", &combine, level, node);
        Ok(lowering.add(Layer::single("finish", 1, finish, vec![level.edge(Wiring::Every)]), node))
    }

    /// The reader directly below hands its key columns out as codes.
    fn coded_input(&self, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
        let keys: Names = self.keys.iter().filter_map(as_column).cloned().collect();
        let below = node.inputs[0].node();
        let alone = lowering.has_one_reader(&node.inputs[0]);
        let coded = if keys.is_empty() || keys.len() < self.keys.len() { None } else { below.step.coded_layer(&keys, alone) };
        match coded {
            Some(layer) if layer.len == input.partitions => lowering.add(layer, below),
            _ => input,
        }
    }

    /// Brings all rows of a group together first.
    fn lower_exact(&self, parts: u32, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
        let exact = Exact { keys: self.keys.clone(), aggs: self.aggs.clone() };
        let op = expr_op(exact, self.line(), ops::token());
        let parts = match (self.keys.is_empty(), self.split_out) {
            (true, _) => 1,
            (false, Some(_)) => parts,
            (false, None) => parts.max(input.partitions.min(FAN_IN)),
        };
        if parts == 1 {
            return lowering.add(Layer::single("exact", 1, op, vec![input.edge(Wiring::Every)]), node);
        }
        if self.split_out.is_none_or(|parts| parts == input.partitions as usize) && lowering.is_together(input, &self.keys) {
            return lowering.add(Layer::single("exact", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
        }
        let split = spread(&self.keys, parts, input, node, lowering);
        let exact = lowering.add(Layer::single("exact", parts, op, vec![split.edge(Wiring::Part)]), node);
        lowering.note_spread(exact, &self.keys);
        exact
    }
}
