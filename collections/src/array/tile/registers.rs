//! Room for what lies between the steps of a program that are run one by one.
//!
//! It refuses to know blocks and tiles. The invariant: a step never writes into what it reads, and a result keeps its register until its last
//! reader has run.

use super::program::{Program, Source};
use crate::array::element::{Column, DType, Held, Scalar, with_dtype};

/// For each step the register of its result, and the registers.
pub(super) fn registers(program: &Program, size: usize) -> (Vec<usize>, Vec<Column>) {
    let mut last_use = vec![usize::MAX; program.steps.len()];
    for (at, step) in program.steps.iter().enumerate() {
        for source in &step.args {
            if let Source::Step(read) = source {
                last_use[*read as usize] = at;
            }
        }
    }
    if let Source::Step(result) = program.result {
        last_use[result as usize] = usize::MAX;
    }
    let mut kinds: Vec<DType> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut homes: Vec<usize> = Vec::with_capacity(program.steps.len());
    for (at, step) in program.steps.iter().enumerate() {
        let dtype = step.op.result(step.dtype);
        let spare = free.iter().position(|home| kinds[*home] == dtype);
        homes.push(spare.map_or_else(
            || {
                kinds.push(dtype);
                kinds.len() - 1
            },
            |spare| free.swap_remove(spare),
        ));
        // Only now: a step must not write into what it reads.
        free.extend(last_use[..at].iter().zip(&homes).filter(|(last, _)| **last == at).map(|(_, home)| *home));
    }
    (homes, kinds.into_iter().map(|dtype| Column::new(dtype, size)).collect())
}

/// A buffer for each scalar of a program.
pub(super) fn constants(program: &Program, size: usize) -> Vec<(Scalar, Column)> {
    let mut found: Vec<(Scalar, Column)> = Vec::new();
    for source in program.steps.iter().flat_map(|step| &step.args) {
        if let Source::Scalar(scalar) = source
            && found.iter().all(|(known, _)| known != scalar)
        {
            let column = with_dtype!(scalar.dtype, T => T::column(vec![scalar.get::<T>().unwrap_or_default(); size]));
            found.push((*scalar, column));
        }
    }
    found
}
