//! The table of built-in operators: everything that a worker of this program can run, one line each. Functions with `#[task]` come
//! to it at link time.

use partita_graph::{OperatorEntry, Registry};

use crate::delayed::{self, actor, frames};
use crate::frame::groupby::{combine, partial, split};
use crate::frame::ops::{concat, filter, from_polars, partitions, read_csv, repartition, select, with_columns};
use crate::frame::value;

/// All built-in operators.
pub const OPERATORS: &[OperatorEntry] = &[
    OperatorEntry::of::<read_csv::CsvBlock>(),
    OperatorEntry::of::<from_polars::Given>(),
    OperatorEntry::of::<select::Select>(),
    OperatorEntry::of::<with_columns::WithColumns>(),
    OperatorEntry::of::<filter::Filter>(),
    OperatorEntry::of::<concat::Concat>(),
    OperatorEntry::of::<partitions::Pass>(),
    OperatorEntry::of::<repartition::SlicePiece>(),
    OperatorEntry::of::<partial::Partial>(),
    OperatorEntry::of::<combine::Combine>(),
    OperatorEntry::of::<combine::Finish>(),
    OperatorEntry::of::<combine::Exact>(),
    OperatorEntry::of::<split::Split>(),
    OperatorEntry::of::<frames::Announced>(),
    OperatorEntry::of::<actor::Whereabouts>(),
];

/// A registry of all built-in operators and values.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(OPERATORS);
    value::register(&mut registry);
    let tasks: Vec<OperatorEntry> = delayed::call::entries().collect();
    registry.add_operators(&tasks);
    delayed::value::register(&mut registry);
    registry
}
