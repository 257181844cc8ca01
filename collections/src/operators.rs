//! The table of built-in operators: everything that a worker of this program can run, one line each.

use partita_graph::{OperatorEntry, Registry};

use crate::array;
use crate::array::ops::{compress, diag, elementwise, make, sizes, transpose};
use crate::array::rechunk;
use crate::array::reductions::{covariance, histogram, quantile, scan, step, top};
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
    OperatorEntry::of::<make::Make>(),
    OperatorEntry::of::<elementwise::Map>(),
    OperatorEntry::of::<transpose::Turn>(),
    OperatorEntry::of::<diag::Diagonal>(),
    OperatorEntry::of::<diag::DiagonalBlock>(),
    OperatorEntry::of::<rechunk::Merge>(),
    OperatorEntry::of::<rechunk::Split>(),
    OperatorEntry::of::<compress::CompressBlock>(),
    OperatorEntry::of::<sizes::ShapeOf>(),
    OperatorEntry::of::<step::Reduce>(),
    OperatorEntry::of::<step::Combine>(),
    OperatorEntry::of::<step::End>(),
    OperatorEntry::of::<scan::Before>(),
    OperatorEntry::of::<scan::ScanBlock>(),
    OperatorEntry::of::<top::TopOfBlock>(),
    OperatorEntry::of::<top::TopOfStates>(),
    OperatorEntry::of::<histogram::CountBlock>(),
    OperatorEntry::of::<histogram::AddBlocks>(),
    OperatorEntry::of::<quantile::QuantilesOfBlock>(),
    OperatorEntry::of::<covariance::Together>(),
    OperatorEntry::of::<covariance::TogetherOfStates>(),
];

/// A registry of all built-in operators and values.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(OPERATORS);
    value::register(&mut registry);
    array::register(&mut registry);
    registry
}
