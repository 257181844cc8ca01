//! Shows snapshots and stories over HTTP.
#![warn(missing_docs)]
