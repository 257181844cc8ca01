//! CSV: what a file looks like, where it is cut, and how its bytes become columns.

mod spec;
pub use spec::{Dialect, Encoding, Field, ReadSpec};
