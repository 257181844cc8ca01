//! The model for columns: a frame has them, and so has every matrix between the layers.
//!
//! It refuses to know which model it is: it asks tract to exchange the axes, and brings a Softmax for the way they lie then.
//! Invariant: every number of a row is computed in the same order, whichever way the matrices lie.

use std::collections::HashSet;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{AxisChange, AxisOp, EvalContext, EvalOp, Op, StaticName, TypedOp, tract_linalg};
use tract_onnx::tract_core::internal::{as_op, op_as_typed_op, op_out_of_plan};
use tract_onnx::tract_core::ops::{einsum::EinSum, nn::Softmax, source::TypedSource};
use tract_onnx::tract_core::optim::change_axes::change_axes;

/// The same model, fed with columns instead of rows, with columns between its layers, and with a column for each class at its end.
///
/// tract copies what goes into a layer into the order in which the matrix product reads it: 24 rows of the data for each unit.
/// From columns it copies vectors; from rows it would copy number by number, a tenth of the time.
pub fn turned(mut model: TypedModel) -> TractResult<TypedModel> {
    let makes_matrix = |node: &TypedNode| (node.op_is::<TypedSource>() || node.op_is::<EinSum>()) && node.outputs[0].fact.rank() == 2;
    for turn in 0.. {
        let Some(id) = model.eval_order()?.into_iter().filter(|id| makes_matrix(model.node(*id))).nth(turn) else { break };
        let change = AxisChange { outlet: id.into(), op: AxisOp::Move(0, 1) };
        if let Some((patch, _)) = change_axes(&model, &change, &[], &[], &mut HashSet::new())? {
            patch.apply(&mut model)?;
            model.compact()?;
        }
    }
    for node in &mut model.nodes {
        if node.op_as::<Softmax>().is_some_and(|softmax| softmax.axes.as_slice() == [0]) {
            node.op = Box::new(SoftmaxOfColumns);
        }
    }
    Ok(model)
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
