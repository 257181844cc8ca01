//! Parquet: what files say of themselves in their footers, and the reading of row groups, column by column.

mod cut;
mod deposit;
mod footer;
mod layout;
mod listed;
mod recipe;
mod rows;
mod selection;
mod statistics;
mod stored;
mod table;
mod unpack;
pub(crate) use footer::polars_schema;
pub(crate) use recipe::{Piece, Recipe};
pub(crate) use table::ENDINGS;
pub use table::open;
