//! Whether expressions look at one row at a time, so that each partition may evaluate them by itself.
//!
//! Polars says of each of its functions whether it works element by element. Where that is not the whole truth, this file says the rest:
//! functions whose second argument is taken as a whole when it is no list, codes of categories, random numbers without a seed. It refuses
//! to rewrite anything. Invariant: an expression that passes gives each row the same value however rows are cut into partitions, and
//! whichever process evaluates it.

use std::ops::Range;

use partita_graph::{Code, Failure};
use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, CategoricalFunction, DataTypeExpr, FunctionExpr, ListFunction, StringFunction};
use polars_plan::plans::{
    AExpr, ArenaExprIter, ExprToIRContext, IRBooleanFunction, IRBusinessFunction, IRFunctionExpr, IRListFunction, IRStringFunction,
    ToFieldContext, is_elementwise, is_scalar_ae, to_expr_ir,
};
use polars_plan::prelude::{Arena, Node};

use super::expr::show_one;

/// Fails unless every expression gives one value for each row, looking at that row alone.
///
/// Anything else (a sum, a shift, a window) would give another result for each way of partitioning.
pub(crate) fn check_row_by_row(exprs: &[Expr], schema: &Schema, method: &str) -> Result<(), Failure> {
    match exprs.iter().find(|expr| !is_row_by_row(expr, schema)) {
        None => Ok(()),
        Some(expr) => {
            let what = format!("`{expr}` looks at more than one row, which {method} does not do across partitions");
            Err(Failure::new(Code::Unsupported, what).help(help(expr)))
        }
    }
}

/// What to write instead of an expression that looks at more than one row.
fn help(expr: &Expr) -> &'static str {
    let instead = |function: &FunctionExpr| match function {
        FunctionExpr::StringExpr(StringFunction::Strptime(_, options)) if options.format.is_none() => Some(
            "the format would be guessed from the first row of each partition: say it, StrptimeOptions { format: Some(\"%Y-%m-%d\".into()), .. }",
        ),
        FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) => {
            Some("rows whose keys another frame has: .is_in(&other, [\"k\"]); values that are known: col(\"k\").is_in(lit(Series), false)")
        }
        FunctionExpr::Rank { .. } => {
            Some("sort and number: .sort([\"x\"]).with_row_index(\"rank\"); within groups of rows: .rank(…).over([\"k\"])")
        }
        _ => None,
    };
    let found = expr.into_iter().find_map(|part| match part {
        Expr::Function { function, .. } => instead(function),
        _ => None,
    });
    found.unwrap_or(
        "aggregate with .group_by([…]).agg([…]) or .agg([…]); within groups of rows use .over([…]); inside one partition .map_partitions(…)",
    )
}

/// Whether an expression gives one value for each row, looking at that row alone.
pub(crate) fn is_row_by_row(expr: &Expr, schema: &Schema) -> bool {
    let mut arena = Arena::new();
    let mut context = ExprToIRContext::new(&mut arena, schema);
    match to_expr_ir(expr.clone(), &mut context) {
        Ok(ir) => is_each(ir.node(), &arena, schema),
        // What polars cannot convert is refused by the schema rule with polars' own reason.
        Err(_) => true,
    }
}

fn is_each(root: Node, arena: &Arena<AExpr>, schema: &Schema) -> bool {
    let mut todo = vec![root];
    let mut inputs = Default::default();
    while let Some(node) = todo.pop() {
        let expr = arena.get(node);
        if !is_elementwise(&mut inputs, expr, arena) {
            // An aggregate of values that are known is one value, and the same in all partitions.
            if is_constant(node, arena) && is_scalar_ae(node, arena) {
                continue;
            }
            return false;
        }
        match expr {
            AExpr::Function { input, function, .. } => {
                let whole = taken_whole(function);
                for (at, argument) in input.iter().enumerate() {
                    let argument = argument.node();
                    match whole.contains(&at) {
                        // The same in all partitions, however many values it has.
                        true if is_constant(argument, arena) => (),
                        true if !is_list_of_its_row(function, input[0].node(), argument, arena, schema) => return false,
                        _ => todo.push(argument),
                    }
                }
            }
            _ => todo.extend(inputs.iter().copied()),
        }
        inputs.clear();
    }
    true
}

/// Whether an expression reads no row and draws nothing.
fn is_constant(node: Node, arena: &Arena<AExpr>) -> bool {
    arena.iter(node).all(|(_, expr)| match expr {
        AExpr::Literal(_) | AExpr::Cast { .. } | AExpr::Agg(_) | AExpr::BinaryExpr { .. } => true,
        AExpr::Function { function, .. } => !matches!(function, IRFunctionExpr::Random { .. }),
        _ => false,
    })
}

/// The arguments of which polars takes all values, as of one list, when they are columns.
fn taken_whole(function: &IRFunctionExpr) -> Range<usize> {
    match function {
        IRFunctionExpr::Boolean(IRBooleanFunction::IsIn { .. })
        | IRFunctionExpr::ListExpr(IRListFunction::Gather(_))
        | IRFunctionExpr::Business(IRBusinessFunction::IsBusinessDay { .. })
        | IRFunctionExpr::StringExpr(
            IRStringFunction::ContainsAny { .. } | IRStringFunction::FindMany { .. } | IRStringFunction::ExtractMany { .. },
        ) => 1..2,
        IRFunctionExpr::Business(_) => 2..3,
        IRFunctionExpr::StringExpr(IRStringFunction::ReplaceMany { .. })
        | IRFunctionExpr::Replace
        | IRFunctionExpr::ReplaceStrict { .. } => 1..3,
        _ => 0..0,
    }
}

/// Whether an argument that may be taken as a whole has a list for each row, which is that row's alone.
fn is_list_of_its_row(function: &IRFunctionExpr, first: Node, argument: Node, arena: &Arena<AExpr>, schema: &Schema) -> bool {
    let dtype = |node: Node| arena.get(node).to_dtype(&ToFieldContext::new(arena, schema));
    let (Ok(first), Ok(argument)) = (dtype(first), dtype(argument)) else {
        // What has no type is refused by the schema rule with polars' own reason.
        return true;
    };
    match function {
        IRFunctionExpr::Boolean(_) => first.nesting_level() != argument.nesting_level(),
        // One list for all rows is all that polars takes.
        IRFunctionExpr::Replace
        | IRFunctionExpr::ReplaceStrict { .. }
        | IRFunctionExpr::StringExpr(IRStringFunction::ContainsAny { .. } | IRStringFunction::ReplaceMany { .. }) => false,
        _ => argument.is_list(),
    }
}

/// Fails when an expression gives what is different each time or in each process: random numbers without a seed, codes of categories.
pub(crate) fn check_repeatable(exprs: &[Expr], schema: &Schema) -> Result<(), Failure> {
    for part in exprs.iter().flat_map(|expr| expr.into_iter()) {
        if is_unseeded(part) {
            let what = format!("`{}` would be different each time that a task runs", show_one(part));
            return Err(Failure::new(Code::Unsupported, what).help("give it a seed: Some(1)"));
        }
        if shows_codes(part, schema) {
            let what = format!("`{}` shows codes or hashes of categories, which are different in each process", show_one(part));
            return Err(Failure::new(Code::Unsupported, what)
                .help("make them text: .cast(DataType::String), or an Enum, whose codes are the same everywhere"));
        }
    }
    Ok(())
}

fn is_unseeded(expr: &Expr) -> bool {
    match expr {
        Expr::Function { function, .. } => match function {
            FunctionExpr::Random { seed, .. } | FunctionExpr::ListExpr(ListFunction::Sample { seed, .. }) => seed.is_none(),
            FunctionExpr::Rank { options, seed } => seed.is_none() && options.method == RankMethod::Random,
            _ => false,
        },
        _ => false,
    }
}

fn shows_codes(expr: &Expr, schema: &Schema) -> bool {
    let codes = |expr: &Expr| expr.to_field(schema).is_ok_and(|field| has_codes(&field.dtype));
    match expr {
        // The hashes of categories, too, begin with a random number in each process.
        Expr::Function {
            input,
            function: FunctionExpr::ToPhysical | FunctionExpr::Categorical(CategoricalFunction::Physical) | FunctionExpr::Hash(..),
        } => input.first().is_some_and(codes),
        Expr::Cast { expr, dtype: DataTypeExpr::Literal(dtype), .. } => match dtype.is_primitive_numeric() {
            true => codes(expr),
            false => has_codes(dtype) && expr.to_field(schema).is_ok_and(|field| field.dtype.is_primitive_numeric()),
        },
        _ => false,
    }
}

/// Whether values of this type are kept as codes that each process numbers by itself.
fn has_codes(dtype: &DataType) -> bool {
    match dtype {
        DataType::Categorical(..) => true,
        DataType::List(inner) | DataType::Array(inner, _) => has_codes(inner),
        DataType::Struct(fields) => fields.iter().any(|field| has_codes(&field.dtype)),
        _ => false,
    }
}
