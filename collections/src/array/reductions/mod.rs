//! Reductions: what many elements become one by. Blocks are folded to states, states are brought together in a tree, and the last task
//! of each result makes it.

pub(crate) mod axes;
mod basic;
pub(crate) mod batch;
mod complex;
pub(crate) mod covariance;
pub(crate) mod custom;
mod fold;
pub(crate) mod histogram;
pub(crate) mod histogramdd;
#[cfg(test)]
mod layouts;
mod moments;
mod numbers;
mod order;
pub(crate) mod quantile;
pub(crate) mod quantile_sorted;
pub(crate) mod samples;
pub(crate) mod scan;
pub(super) mod state;
pub(crate) mod statistics;
pub(crate) mod step;
pub(crate) mod tails;
pub(crate) mod top;
pub(super) mod tree;
pub(crate) mod unique;
pub(crate) mod unique_ranges;

pub use state::register;
