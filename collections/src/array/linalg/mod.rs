//! Linear algebra: products of arrays block by block, factors of tall matrices row block by row block, triangles tile by tile, equations panel by
//! panel, and what is left of square matrices in one task each, all in `f64` but products. What is done with the numbers of a block is done by faer,
//! with the widest instructions that the machine has: the last bits may differ between unlike machines, not between schedules.

pub(crate) mod cholesky;
pub(crate) mod contract;
mod dense;
mod einsum;
pub(crate) mod factor;
pub(crate) mod fold;
mod least;
pub(crate) mod lstsq;
mod matrix;
pub(crate) mod panels;
mod products;
pub(crate) mod solve;
mod tall;
pub(crate) mod tiles;

pub use einsum::einsum;
pub use least::LeastSquares;
