//! Elementwise work, tile by tile: a straight-line program is run on a piece of all inputs that fits the cache, then on the next, so
//! that a chain of operations passes over memory once.

mod across;
mod ahead;
mod arith;
mod chain;
mod collect;
mod complex;
mod convert;
mod evaluate;
mod in_order;
mod layout;
mod program;
#[cfg(test)]
mod reference;
mod registers;
mod special;
mod stream;
pub mod wide;

pub use ahead::ask_behind;
pub use arith::{Arith, Rank};
pub use collect::{collect, mapped};
pub use convert::Convert;
pub use evaluate::{Evaluator, Rows, Sink};
pub use in_order::InOrder;
pub use layout::Tile;
pub use program::{Binary, Compare, Component, Instruction, Op, Program, Source, Test, Unary};
