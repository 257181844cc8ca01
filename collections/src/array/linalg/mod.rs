//! Linear algebra: products of arrays block by block, factors of tall matrices row block by row block, and factors of square matrices in one
//! task each, all in `f64` but products.

pub(crate) mod contract;
mod dense;
mod einsum;
pub(crate) mod factor;
mod least;
mod products;
pub(crate) mod solve;
pub(crate) mod tall;

pub use einsum::einsum;
pub use least::LeastSquares;
