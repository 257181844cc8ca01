//! Some rows of a frame that are at hand before anything runs: those that its reader looked at, under the names that they have there.
//!
//! It refuses to run tasks, and to be exact: what joins and filters do to the rows is followed as far as it can be read off their steps.

use polars::prelude::{DataFrame, Expr};

use super::expr::columns_of_all;
use super::{Admission, DFrame};

/// Some rows of a frame, and what keys over it are called there; `None` when there are none at hand.
pub(crate) fn sampled(frame: &DFrame, keys: Vec<Expr>) -> Option<(DataFrame, Vec<Expr>)> {
    let node = frame.node();
    if let Some(persisted) = node.step.persisted() {
        // Partitions that exist have the rows of the frame that they were made of.
        return sampled(persisted.made_of()?, keys);
    }
    match &node.inputs[..] {
        [] => Some((node.step.sampled_rows(&columns_of_all(&keys))?, keys)),
        [input] if node.step.predicate().is_some() || node.step.is_row_by_row() => {
            let below = |key: &Expr| match node.step.admit(key) {
                Admission::Through(below) => Some(below),
                Admission::Stop | Admission::Below(_) | Admission::Absorb(_) => None,
            };
            let keys = keys.iter().map(below).collect::<Option<_>>()?;
            sampled(input, keys)
        }
        // Frames one below the other are alike in nothing.
        _ if node.step.is_row_by_row() => None,
        inputs => {
            // Of joined frames the one that the keys come from.
            let forms = |key: &Expr| match node.step.admit(key) {
                Admission::Below(forms) => Some(forms),
                Admission::Stop | Admission::Through(_) | Admission::Absorb(_) => None,
            };
            let forms: Vec<Vec<Option<Expr>>> = keys.iter().map(forms).collect::<Option<_>>()?;
            inputs.iter().enumerate().find_map(|(at, input)| {
                let keys = forms.iter().map(|forms| forms.get(at).cloned().flatten()).collect::<Option<_>>()?;
                sampled(input, keys)
            })
        }
    }
}
