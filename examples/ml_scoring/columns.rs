//! The model for columns: a frame has them, and so has every matrix between the layers.
//!
//! It refuses to know which model it is: it asks tract to exchange the axes, and brings a Softmax for the way they lie then.
//! Invariants: every number of a row is computed in the same order, whichever way the matrices lie; a model that is still fed with rows is refused.

use std::collections::HashSet;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{AxisChange, AxisOp, EvalContext, EvalOp, InOut, Op, StaticName, TypedOp, tract_linalg};
use tract_onnx::tract_core::internal::{as_op, op_as_typed_op, op_out_of_plan};
use tract_onnx::tract_core::ops::{einsum::EinSum, nn::Softmax, source::TypedSource};
use tract_onnx::tract_core::optim::change_axes::change_axes;

/// The same model, fed with columns instead of rows, with columns between its layers, and with a column for each class at its end.
///
/// tract copies what goes into a layer into the order in which the matrix product reads it: 24 rows of the data for each unit.
/// From columns it copies vectors; from rows it would copy number by number, a tenth of the time.
///
/// tract leaves axes alone that an operation does not let it exchange. Where those of the input or of the output are, that is an error: what is meant
/// as columns would be read as rows.
pub fn turned(mut model: TypedModel) -> TractResult<TypedModel> {
    let (before, mut exchanged) = (ends(&model)?, [false; 2]);
    let makes_matrix = |node: &TypedNode| (node.op_is::<TypedSource>() || node.op_is::<EinSum>()) && node.outputs[0].fact.rank() == 2;
    for turn in 0.. {
        let Some(id) = model.eval_order()?.into_iter().filter(|id| makes_matrix(model.node(*id))).nth(turn) else { break };
        let change = AxisChange { outlet: id.into(), op: AxisOp::Move(0, 1) };
        if let Some((patch, sides)) = change_axes(&model, &change, &[], &[], &mut HashSet::new())? {
            for (side, _) in sides.iter().filter(|(_, op)| *op == change.op) {
                match side {
                    InOut::In(0) => exchanged[0] ^= true,
                    InOut::Out(0) => exchanged[1] ^= true,
                    InOut::In(_) | InOut::Out(_) => {}
                }
            }
            patch.apply(&mut model)?;
            model.compact()?;
        }
    }
    for node in &mut model.nodes {
        if node.op_as::<Softmax>().is_some_and(|softmax| softmax.axes.as_slice() == [0]) {
            node.op = Box::new(SoftmaxOfColumns);
        }
    }
    let after = ends(&model)?;
    for (at, what) in ["input", "output"].into_iter().enumerate() {
        check(what, &before[at], &after[at], exchanged[at])?;
    }
    Ok(model)
}

/// The shapes of what goes in and of what comes out.
fn ends(model: &TypedModel) -> TractResult<[Vec<usize>; 2]> {
    let known = |fact: &TypedFact| {
        let lens = fact.shape.as_concrete().map(<[usize]>::to_vec);
        lens.ok_or_else(|| TractError::msg(format!("a model for batches of any size cannot be turned: {:?}", fact.shape)))
    };
    Ok([known(model.input_fact(0)?)?, known(model.output_fact(0)?)?])
}

/// Fails unless a matrix lies the other way round now. The shape of a square does not show it, and the numbers of a single row lie in the same order
/// either way.
fn check(what: &str, before: &[usize], after: &[usize], exchanged: bool) -> TractResult<()> {
    let wanted: Vec<usize> = before.iter().rev().copied().collect();
    let is_turned = match before {
        [1, _] | [_, 1] => after == wanted || after == before,
        [rows, columns] if rows == columns => exchanged && after == wanted,
        [_, _] => after == wanted,
        _ => false,
    };
    if is_turned {
        return Ok(());
    }
    let found = format!("the {what} of the model is of shape {before:?}, and its axes could not be exchanged");
    Err(TractError::msg(format!("{found}: score it by rows, without `columns::turned`")))
}

/// Softmax over the first axis of a matrix.
///
/// tract's own goes number by number there, and takes three passes of padded vectors for four numbers beside each other.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SoftmaxOfColumns;

impl Op for SoftmaxOfColumns {
    fn name(&self) -> StaticName {
        "SoftmaxOfColumns".into()
    }

    op_as_typed_op!();
}

impl EvalOp for SoftmaxOfColumns {
    fn eval(&self, _: &EvalContext, mut inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut matrix = inputs.remove(0).into_tensor();
        let rows = matrix.shape()[1];
        let mut plain = matrix.try_as_plain_ram_mut()?;
        let cells = plain.as_slice_mut::<f32>()?;
        let mut greatest = vec![f32::NEG_INFINITY; rows];
        for column in cells.chunks_exact(rows) {
            greatest.iter_mut().zip(column).for_each(|(greatest, cell)| *greatest = if cell > greatest { *cell } else { *greatest });
        }
        for column in cells.chunks_exact_mut(rows) {
            column.iter_mut().zip(&greatest).for_each(|(cell, greatest)| *cell -= greatest);
        }
        tract_linalg::routines::Func::Exp.ew_f32()?.run(cells)?;
        let mut sums = vec![0.0; rows];
        for column in cells.chunks_exact(rows) {
            sums.iter_mut().zip(column).for_each(|(sum, cell)| *sum += cell);
        }
        for column in cells.chunks_exact_mut(rows) {
            column.iter_mut().zip(&sums).for_each(|(cell, sum)| *cell /= sum);
        }
        Ok(tvec!(matrix.into_tvalue()))
    }

    op_out_of_plan!();
}

impl TypedOp for SoftmaxOfColumns {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{COLUMNS, SEED, feature};
    use crate::model::{CLASSES, FILE, Plan, typed};

    /// What a model makes of numbers that lie in this shape.
    fn run(model: TypedModel, shape: [usize; 2], numbers: &[f32]) -> Vec<f32> {
        let input = Tensor::from_shape(&shape, numbers).expect("as many numbers");
        let plan: Plan = model.into_optimized().and_then(|model| model.into_runnable()).expect("it can be run");
        let made = plan.run(tvec!(input.into_tvalue())).expect("it runs");
        let view = made[0].try_as_plain_ram().expect("in memory");
        view.as_slice::<f32>().expect("probabilities").to_vec()
    }

    /// Also where a batch has as many rows as there are columns or classes, so that shapes show nothing.
    #[test]
    fn columns_are_scored_as_rows_are() {
        let width = COLUMNS as usize;
        for batch in [CLASSES, 7, width] {
            let rows: Vec<f32> = (0..batch * width).map(|at| feature(SEED, (at / width) as u64, (at % width) as u32)).collect();
            let columns: Vec<f32> = (0..batch * width).map(|at| rows[at % batch * width + at / batch]).collect();
            let by_rows = run(typed(FILE, batch).expect("the model"), [batch, width], &rows);
            let by_columns = run(typed(FILE, batch).and_then(turned).expect("it is turned"), [width, batch], &columns);
            assert_eq!((by_rows.len(), by_columns.len()), (batch * CLASSES, batch * CLASSES));
            for (at, one) in by_rows.iter().enumerate() {
                let other = by_columns[at % CLASSES * batch + at / CLASSES];
                assert!((one - other).abs() < 1e-5, "number {at} of batches of {batch}: {one} by rows and {other} by columns");
            }
        }
    }

    #[test]
    fn what_cannot_be_turned_is_refused() {
        for shape in [[3usize, 5], [4, 4]] {
            let mut model = TypedModel::default();
            let rows = model.add_source("rows", f32::fact(shape)).expect("a source");
            // It says nothing of other axes, so tract must not exchange them.
            let made = model.wire_node("made", SoftmaxOfColumns, &[rows]).expect("one input");
            model.select_output_outlets(&made).expect("it is there");
            let failure = turned(model).map(drop).expect_err("nothing was exchanged").to_string();
            assert!(failure.contains(&format!("the input of the model is of shape {shape:?}")), "{failure}");
        }
    }

    #[test]
    fn shapes_tell_what_lies_the_other_way_round() {
        let is_turned = |before: &[usize], after: &[usize], exchanged| check("input", before, after, exchanged).is_ok();
        assert!(is_turned(&[3, 5], &[5, 3], true) && !is_turned(&[3, 5], &[3, 5], false));
        assert!(is_turned(&[4, 4], &[4, 4], true) && !is_turned(&[4, 4], &[4, 4], false));
        assert!(is_turned(&[1, 5], &[5, 1], true) && is_turned(&[1, 5], &[1, 5], false));
        assert!(!is_turned(&[2, 3, 4], &[4, 3, 2], true), "no matrix");
    }
}
