//! The table of built-in operators: everything that a worker of this program can run, one line each. Functions with `#[task]` come
//! to it at link time.

use partita_graph::{OperatorEntry, Registry};

use crate::array;
use crate::array::alike;
use crate::array::announced;
use crate::array::fft::lanes as fft_lanes;
use crate::array::files as array_files;
use crate::array::linalg::{cholesky, columns, contract, eigh, factor, fold, householder, lstsq, lu, panels, solve, tiles};
use crate::array::ops::{
    assign, axes, broadcast_to, compress, concatenate, diag, diagonal, diff, elementwise, gather, make, map_overlap as overlap_blocks,
    nonzero, points, push,
};
use crate::array::ops::{reshape, search, sizes, tile, transpose, windows};
use crate::array::pick;
use crate::array::random;
use crate::array::rechunk;
use crate::array::reductions::{
    batch, covariance, custom, histogram, histogramdd, quantile, quantile_sorted, scan as scans, step, tails, top,
    unique as unique_elements,
};
use crate::array::sort::{lanes, spread};
use crate::array::write as array_write;
use crate::delayed::{self, actor, arrays, frames};
use crate::frame::across::{borders, by_time, nearby, running, window};
use crate::frame::approx::operator as approx;
use crate::frame::groupby::{combine, pairs as pairs_of_groups, partial, top as top_of_groups};
use crate::frame::join;
use crate::frame::ops::{
    analyze, concat, cov, describe, explode, filter, from_darray, from_polars, map_overlap, n_unique, partitions, read_csv, repartition,
    repartition_bytes, row_index, sample, scan, select,
};
use crate::frame::ops::{slice, sorted_by, to_darray, unique, unpivot, with_columns, write};
use crate::frame::quantile::operator as quantiles;
use crate::frame::shuffle::{clustered, skew, split};
use crate::frame::sort::{range, rows};
use crate::frame::value;

/// All built-in operators.
pub const OPERATORS: &[OperatorEntry] = &[
    OperatorEntry::of::<read_csv::CsvBlock>(),
    OperatorEntry::of::<scan::ReadFiles>(),
    OperatorEntry::of::<from_polars::Given>(),
    OperatorEntry::of::<from_darray::BlockToRows>(),
    OperatorEntry::of::<to_darray::RowsToBlock>(),
    OperatorEntry::of::<analyze::Watched>(),
    OperatorEntry::of::<select::Select>(),
    OperatorEntry::of::<with_columns::WithColumns>(),
    OperatorEntry::of::<filter::Filter>(),
    OperatorEntry::of::<concat::Concat>(),
    OperatorEntry::of::<partitions::Pass>(),
    OperatorEntry::of::<repartition::SlicePiece>(),
    OperatorEntry::of::<repartition_bytes::MeasureRows>(),
    OperatorEntry::of::<repartition_bytes::TakeStretches>(),
    OperatorEntry::of::<sorted_by::LookAtKeys>(),
    OperatorEntry::of::<partial::Partial>(),
    OperatorEntry::of::<combine::Combine>(),
    OperatorEntry::of::<combine::Finish>(),
    OperatorEntry::of::<combine::Exact>(),
    OperatorEntry::of::<top_of_groups::TopOfGroups>(),
    OperatorEntry::of::<pairs_of_groups::MomentsOfGroups>(),
    OperatorEntry::of::<pairs_of_groups::AddOfGroups>(),
    OperatorEntry::of::<split::Split>(),
    OperatorEntry::of::<clustered::SplitAt>(),
    OperatorEntry::of::<skew::DealOut>(),
    OperatorEntry::of::<skew::FrequentKeys>(),
    OperatorEntry::of::<skew::SendToAll>(),
    OperatorEntry::of::<write::WriteParts>(),
    OperatorEntry::of::<write::Publish>(),
    OperatorEntry::of::<frames::Announced>(),
    OperatorEntry::of::<arrays::AnnouncedBlock>(),
    OperatorEntry::of::<arrays::WholeArray>(),
    OperatorEntry::of::<actor::Whereabouts>(),
    OperatorEntry::of::<unique::Distinct>(),
    OperatorEntry::of::<n_unique::DifferentValues>(),
    OperatorEntry::of::<n_unique::CountValues>(),
    OperatorEntry::of::<n_unique::AddCounts>(),
    OperatorEntry::of::<join::operator::JoinParts>(),
    OperatorEntry::of::<join::operator::BuildTable>(),
    OperatorEntry::of::<join::operator::LookUp>(),
    OperatorEntry::of::<join::marks::MarkMet>(),
    OperatorEntry::of::<join::marks::PickMet>(),
    OperatorEntry::of::<join::asof::operator::JoinNearest>(),
    OperatorEntry::of::<join::asof::operator::RangeEnds>(),
    OperatorEntry::of::<rows::SortRows>(),
    OperatorEntry::of::<range::SampleKeys>(),
    OperatorEntry::of::<range::FindBorders>(),
    OperatorEntry::of::<range::RangeSplit>(),
    OperatorEntry::of::<borders::EdgeRows>(),
    OperatorEntry::of::<borders::BorderRows>(),
    OperatorEntry::of::<nearby::NearbyRows>(),
    OperatorEntry::of::<by_time::TimeEdges>(),
    OperatorEntry::of::<by_time::TimeBorders>(),
    OperatorEntry::of::<by_time::TimeNear>(),
    OperatorEntry::of::<by_time::TimeRows>(),
    OperatorEntry::of::<running::Totals>(),
    OperatorEntry::of::<running::RunOn>(),
    OperatorEntry::of::<running::GoOn>(),
    OperatorEntry::of::<window::WindowSplit>(),
    OperatorEntry::of::<window::WindowParts>(),
    OperatorEntry::of::<window::WindowBack>(),
    OperatorEntry::of::<slice::CountRows>(),
    OperatorEntry::of::<slice::Heights>(),
    OperatorEntry::of::<slice::SliceRows>(),
    OperatorEntry::of::<slice::HeadRows>(),
    OperatorEntry::of::<row_index::NumberRows>(),
    OperatorEntry::of::<map_overlap::TrimRows>(),
    OperatorEntry::of::<explode::ExplodeLists>(),
    OperatorEntry::of::<unpivot::UnpivotRows>(),
    OperatorEntry::of::<sample::SampleRows>(),
    OperatorEntry::of::<describe::Describe>(),
    OperatorEntry::of::<cov::PairMoments>(),
    OperatorEntry::of::<cov::AddMoments>(),
    OperatorEntry::of::<cov::FinishPairs>(),
    OperatorEntry::of::<quantiles::SampleValues>(),
    OperatorEntry::of::<quantiles::FindCuts>(),
    OperatorEntry::of::<quantiles::CountBuckets>(),
    OperatorEntry::of::<quantiles::ChooseBuckets>(),
    OperatorEntry::of::<quantiles::GatherBuckets>(),
    OperatorEntry::of::<quantiles::FinishQuantiles>(),
    OperatorEntry::of::<quantiles::SortedQuantiles>(),
    OperatorEntry::of::<make::Make>(),
    OperatorEntry::of::<announced::CheckBlock>(),
    OperatorEntry::of::<alike::CheckAlike>(),
    OperatorEntry::of::<elementwise::Map>(),
    OperatorEntry::of::<transpose::Turn>(),
    OperatorEntry::of::<diag::Diagonal>(),
    OperatorEntry::of::<diag::DiagonalBlock>(),
    OperatorEntry::of::<rechunk::Merge>(),
    OperatorEntry::of::<rechunk::Split>(),
    OperatorEntry::of::<compress::CompressBlock>(),
    OperatorEntry::of::<sizes::ShapeOf>(),
    OperatorEntry::of::<step::Reduce>(),
    OperatorEntry::of::<batch::ReduceSome>(),
    OperatorEntry::of::<step::Combine>(),
    OperatorEntry::of::<step::End>(),
    OperatorEntry::of::<custom::LineUp>(),
    OperatorEntry::of::<custom::CheckReduced>(),
    OperatorEntry::of::<scans::Before>(),
    OperatorEntry::of::<scans::ScanBlock>(),
    OperatorEntry::of::<top::TopOfBlock>(),
    OperatorEntry::of::<top::TopOfStates>(),
    OperatorEntry::of::<histogram::CountBlock>(),
    OperatorEntry::of::<histogram::AddBlocks>(),
    OperatorEntry::of::<histogramdd::CountPoints>(),
    OperatorEntry::of::<quantile::QuantilesOfBlock>(),
    OperatorEntry::of::<quantile_sorted::BlockAsLine>(),
    OperatorEntry::of::<quantile_sorted::RanksOfCount>(),
    OperatorEntry::of::<tails::TailsOfBlock>(),
    OperatorEntry::of::<covariance::Together>(),
    OperatorEntry::of::<covariance::TogetherOfStates>(),
    OperatorEntry::of::<approx::Sketch>(),
    OperatorEntry::of::<approx::Merge>(),
    OperatorEntry::of::<approx::Finish>(),
    OperatorEntry::of::<pick::Pick>(),
    OperatorEntry::of::<axes::Arrange>(),
    OperatorEntry::of::<broadcast_to::Repeat>(),
    OperatorEntry::of::<concatenate::PassBlock>(),
    OperatorEntry::of::<concatenate::PassAlike>(),
    OperatorEntry::of::<reshape::ReshapeBlock>(),
    OperatorEntry::of::<tile::RepeatElements>(),
    OperatorEntry::of::<windows::WindowsOfBlock>(),
    OperatorEntry::of::<windows::UnfoldBlock>(),
    OperatorEntry::of::<overlap_blocks::TrimBlock>(),
    OperatorEntry::of::<points::Gather>(),
    OperatorEntry::of::<gather::TakePlaces>(),
    OperatorEntry::of::<gather::FlattenPlaces>(),
    OperatorEntry::of::<gather::asked::AskForPlaces>(),
    OperatorEntry::of::<gather::asked::AnswerPlaces>(),
    OperatorEntry::of::<gather::asked::PutAnswers>(),
    OperatorEntry::of::<gather::pairs::TakeSome>(),
    OperatorEntry::of::<gather::pairs::PutSome>(),
    OperatorEntry::of::<diagonal::DiagonalOfPlanes>(),
    OperatorEntry::of::<push::EndOfBlock>(),
    OperatorEntry::of::<push::PushBlock>(),
    OperatorEntry::of::<nonzero::NonZeroOfBlock>(),
    OperatorEntry::of::<nonzero::PlacesWithin>(),
    OperatorEntry::of::<assign::Overwrite>(),
    OperatorEntry::of::<diff::Interp>(),
    OperatorEntry::of::<search::SearchBlock>(),
    OperatorEntry::of::<search::IsInBlock>(),
    OperatorEntry::of::<search::FoundTogether>(),
    OperatorEntry::of::<unique_elements::UniqueOfBlock>(),
    OperatorEntry::of::<unique_elements::UniqueOfStates>(),
    OperatorEntry::of::<array::reductions::unique_ranges::SampleOfUnique>(),
    OperatorEntry::of::<array::reductions::unique_ranges::BordersOfUnique>(),
    OperatorEntry::of::<array::reductions::unique_ranges::SplitUnique>(),
    OperatorEntry::of::<random::operator::RandomBlock>(),
    OperatorEntry::of::<random::rows::RandomRows>(),
    OperatorEntry::of::<fft_lanes::TransformLanes>(),
    OperatorEntry::of::<contract::Multiply>(),
    OperatorEntry::of::<contract::AddProducts>(),
    OperatorEntry::of::<eigh::FactorMatrix>(),
    OperatorEntry::of::<factor::TakePart>(),
    OperatorEntry::of::<tiles::SubtractProducts>(),
    OperatorEntry::of::<tiles::CollectTile>(),
    OperatorEntry::of::<cholesky::FactorTile>(),
    OperatorEntry::of::<cholesky::SolveTile>(),
    OperatorEntry::of::<panels::FactorPanel>(),
    OperatorEntry::of::<panels::ApplyPanel>(),
    OperatorEntry::of::<panels::BackPanel>(),
    OperatorEntry::of::<columns::TakeUpper>(),
    OperatorEntry::of::<lu::JoinSwaps>(),
    OperatorEntry::of::<lu::RowOrder>(),
    OperatorEntry::of::<lu::TakeLower>(),
    OperatorEntry::of::<lu::TakePivots>(),
    OperatorEntry::of::<lu::MultiplyPivots>(),
    OperatorEntry::of::<solve::SolveBlock>(),
    OperatorEntry::of::<lstsq::TurnSides>(),
    OperatorEntry::of::<lstsq::SolveLeast>(),
    OperatorEntry::of::<fold::FactorRows>(),
    OperatorEntry::of::<fold::FactorTriangles>(),
    OperatorEntry::of::<fold::JoinRows>(),
    OperatorEntry::of::<householder::ReflectPanel>(),
    OperatorEntry::of::<householder::ReflectColumns>(),
    OperatorEntry::of::<householder::ReflectBack>(),
    OperatorEntry::of::<lanes::SortLanes>(),
    OperatorEntry::of::<spread::SampleOfBlock>(),
    OperatorEntry::of::<spread::Borders>(),
    OperatorEntry::of::<spread::SplitAtBorders>(),
    OperatorEntry::of::<spread::SortParts>(),
    OperatorEntry::of::<spread::LengthOfPart>(),
    OperatorEntry::of::<spread::Starts>(),
    OperatorEntry::of::<spread::CutAtChunks>(),
    OperatorEntry::of::<spread::JoinPieces>(),
    OperatorEntry::of::<array_files::ReadBlock>(),
    #[cfg(feature = "hdf5")]
    OperatorEntry::of::<array::ops::read_hdf5::ReadHdf5Block>(),
    OperatorEntry::of::<array_write::WriteBlock>(),
    OperatorEntry::of::<array_write::PublishArray>(),
];

/// A registry of all built-in operators and values.
pub(crate) fn registry() -> Registry {
    // Workers make no frames; they have this.
    partita_io::quiet_casts();
    let mut registry = Registry::default();
    registry.add_operators(OPERATORS);
    value::register(&mut registry);
    let tasks: Vec<OperatorEntry> = delayed::call::entries().collect();
    registry.add_operators(&tasks);
    delayed::value::register(&mut registry);
    array::register(&mut registry);
    join::side::register(&mut registry);
    registry
}
