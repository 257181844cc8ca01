//! A reader right below a join is asked only for rows that meet some row of the table: it decodes the keys first, and the other columns only of
//! rows whose keys are in the table. Known as sideways information passing: Shrinivas et al., "Materialization strategies in the Vertica analytic
//! database", ICDE 2013, and Beeri and Ramakrishnan, "On the power of magic", 1991.
//!
//! It refuses to change what is joined: the join looks the rows that are left up again. Invariant: no row that meets another is left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_graph::optimize::WIDE;
use partita_graph::{Chunk, Failure};
use partita_io::Test;
use polars::prelude::*;
use polars_arrow::bitmap::BitmapBuilder;

use super::How;
use super::operator::Spec;
use super::side::{Built, Side};
use crate::frame::Node;
use crate::frame::expr::{Names, as_column};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::{Size, size_of};

/// To take out fewer rows than three of four costs more than it saves, here as in the reader.
const MOST_KEPT: u64 = 4;
/// Fewer rows say little about the others: readers also ask of one null, and of the values that a file lists.
const TELLING: usize = 1024;

/// The input whose rows are looked up, as a reader that waits for the table where that is worth it. Below a layer that is not wide the reader
/// would stay a task of its own, and what waits would be sent to the join.
pub(super) fn asked(spec: &Spec, of_left: bool, join: &Node, input: Lowered, lowering: &mut Lowering) -> Lowered {
    let side = &join.inputs[usize::from(of_left)];
    let sizes: Vec<Option<Size>> = join.inputs.iter().map(size_of).collect();
    let few = || Some(join.step.size(&sizes, join)?.rows.saturating_mul(MOST_KEPT) <= size_of(side)?.rows);
    let below = side.node();
    let layer = keys(spec, of_left)
        .filter(|_| input.partitions >= WIDE && lowering.has_one_reader(side) && few().unwrap_or(false))
        .and_then(|keys| below.step.waiting_layer(&keys));
    match layer {
        Some(layer) if layer.len == input.partitions => lowering.add(layer, below),
        _ => input,
    }
}

/// The columns by which rows can be left out, if rows that meet nobody are nowhere in the result and need not be looked at.
fn keys(spec: &Spec, of_left: bool) -> Option<Names> {
    let (on, whole) = if of_left { (&spec.right_on, spec.right_unique) } else { (&spec.left_on, spec.left_unique) };
    if whole || !matches!(spec.how, How::Inner | How::Semi) {
        return None;
    }
    on.iter().map(|key| as_column(key).cloned()).collect()
}

/// What a reader asks of its rows: whether they meet some row of this table.
pub(super) fn wanted(spec: &Spec, of_left: bool, table: &Chunk) -> Option<Test> {
    let columns = keys(spec, of_left)?;
    let on = if of_left { spec.right_on.clone() } else { spec.left_on.clone() };
    let (table, all) = (table.clone(), AtomicBool::new(false));
    let keep = move |rows: &DataFrame| {
        let everything = || Some(BooleanChunked::full(PlSmallStr::EMPTY, true, rows.height()));
        if all.load(Ordering::Relaxed) {
            return everything();
        }
        // What is wrong with a key is told by the join.
        let Ok(Some(met)) = met(&table, rows, &on) else { return everything() };
        if rows.height() >= TELLING && met.num_trues() as u64 * MOST_KEPT > rows.height() as u64 {
            all.store(true, Ordering::Relaxed);
            return everything();
        }
        Some(met)
    };
    Some(Test { columns: columns.into_iter().collect(), keep: Arc::new(keep), spent: Vec::new() })
}

fn met(table: &Chunk, rows: &DataFrame, on: &[Expr]) -> Result<Option<BooleanChunked>, Failure> {
    let Some(built) = table.get::<Built>() else { return Ok(None) };
    let side = Side::of(rows, on, &[])?;
    let mut bits = BitmapBuilder::with_capacity(side.rows);
    built.table.meets(&built.side.index, &side.index, |_, meets| bits.push(meets));
    Ok(Some(BooleanChunked::from_bitmap(PlSmallStr::EMPTY, bits.freeze())))
}
