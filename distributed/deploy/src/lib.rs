//! Starts workers and watches over them.
#![warn(missing_docs)]
