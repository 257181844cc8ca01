//! Frames as bytes: what spilled and sent partitions look like; and Arrow files as a table ([`open`]).
//!
//! Usually a spilled or sent frame is two Arrow messages, schema and record batch, whose bodies are the frame's own buffers: nothing is
//! copied in either direction ([`encode`], [`decode`]), and any reader of Arrow Flight understands them. Frames with
//! categories go through an Arrow file ([`write`], [`read`]), which copies. Neither knows where the bytes go. Every bit is
//! kept: a frame that comes back equals the one that went.

mod decode;
mod encode;
mod file;
mod table;
mod text;

pub use decode::decode;
pub use encode::{Message, encode, text_for_categories};
pub use file::{read, write};
pub use table::open;
pub(crate) use table::{ENDINGS, Piece, Recipe, width};

#[cfg(test)]
mod tests;
