//! Linear algebra: products of arrays block by block, factors of tall matrices row block by row block, triangles tile by tile, factors of square
//! ones and equations panel by panel, and eigenvalues in one task; all but products in numbers of eight bytes, and complex ones of two. What is done with the numbers of a block is done by faer,
//! with the widest instructions that the machine has: the last bits may differ between unlike machines, not between schedules.

pub(crate) mod cholesky;
pub(crate) mod columns;
pub(crate) mod contract;
mod dense;
pub(crate) mod eigh;
mod einsum;
pub(crate) mod factor;
pub(crate) mod fold;
pub(crate) mod householder;
mod least;
pub(crate) mod lstsq;
pub(crate) mod lu;
mod matrix;
mod norms;
pub(crate) mod panels;
mod products;
mod rank;
pub(crate) mod solve;
mod tall;
mod terms;
pub(crate) mod tiles;

pub use einsum::einsum;
pub use least::LeastSquares;
pub use norms::MatrixNorm;
