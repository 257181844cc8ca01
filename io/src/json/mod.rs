//! JSON lines: one object a line, its keys the columns. Types are guessed from samples, and reading checks them.

mod cells;
mod infer;
mod lines;
mod options;
mod recipe;
mod table;
mod write;
pub use options::JsonOptions;
pub(crate) use recipe::{Piece, Recipe};
pub(crate) use table::ENDINGS;
pub use table::open;
pub(crate) use write::{check, write};
