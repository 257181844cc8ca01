//! Passes over a graph: each takes a graph and gives a graph that computes the same wanted chunks.

mod cull;
pub use cull::cull;
