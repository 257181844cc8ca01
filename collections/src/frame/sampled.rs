//! Some rows of a frame that are at hand before anything runs: those that its reader looked at, under the names that they have there.
//!
//! It refuses to run tasks, and to be exact: what joins and filters do to the rows is followed as far as it can be read off their steps.

use polars::prelude::{DataFrame, Expr, IntoLazy};

use super::expr::{columns_of_all, on_polars_thread};
use super::{Admission, DFrame};

/// Some rows of a frame, and what keys over it are called there; `None` when there are none at hand.
pub(crate) fn sampled(frame: &DFrame, keys: Vec<Expr>) -> Option<(DataFrame, Vec<Expr>)> {
    below(frame, keys, Vec::new())
}

/// The same, of the rows that pass some predicates.
fn below(frame: &DFrame, keys: Vec<Expr>, mut tests: Vec<Expr>) -> Option<(DataFrame, Vec<Expr>)> {
    let node = frame.node();
    let step = &node.step;
    if let Some(persisted) = step.persisted() {
        // Partitions that exist have the rows of the frame that they were made of.
        return below(persisted.made_of()?, keys, tests);
    }
    match &node.inputs[..] {
        [] => {
            let rows = step.sampled_rows(&columns_of_all(keys.iter().chain(&tests)))?;
            let Some(test) = tests.into_iter().reduce(Expr::and) else { return Some((rows, keys)) };
            let passed = on_polars_thread(|| rows.lazy().filter(test).collect());
            Some((passed.ok()?, keys))
        }
        [input] if step.predicate().is_some() || step.is_row_by_row() => {
            let through = |expr: &Expr| match node.admit(expr) {
                Admission::Through(through) => Some(through),
                Admission::Stop | Admission::Below(_) | Admission::Absorb(_) => None,
            };
            let keys = keys.iter().map(through).collect::<Option<_>>()?;
            // What cannot be asked there is not asked at all.
            tests = tests.iter().filter_map(through).chain(step.predicate().cloned()).collect();
            below(input, keys, tests)
        }
        // Frames one below the other have rows of all of them.
        _ if step.is_row_by_row() => None,
        inputs => {
            let forms = |expr: &Expr| match node.admit(expr) {
                Admission::Below(forms) => Some(forms),
                Admission::Stop | Admission::Through(_) | Admission::Absorb(_) => None,
            };
            let forms_of_keys: Vec<Vec<Option<Expr>>> = keys.iter().map(forms).collect::<Option<_>>()?;
            let forms_of_tests: Vec<Vec<Option<Expr>>> = tests.iter().filter_map(forms).collect();
            // Of joined frames the one that the keys come from.
            inputs.iter().enumerate().find_map(|(at, input)| {
                let keys = forms_of_keys.iter().map(|forms| forms.get(at).cloned().flatten()).collect::<Option<_>>()?;
                let tests = forms_of_tests.iter().filter_map(|forms| forms.get(at).cloned().flatten()).collect();
                below(input, keys, tests)
            })
        }
    }
}
