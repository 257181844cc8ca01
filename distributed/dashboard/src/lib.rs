//! Shows snapshots and stories over HTTP: a page for people, JSON for programs, metrics for Prometheus.
//!
//! It knows no machine and no cluster: what is shown comes from a [`Source`] as plain data, and nothing can be changed
//! through it. Whatever is sent to its port, nobody but the sender notices.
//!
//! ```
//! use std::sync::Arc;
//! use partita_dashboard::{Dashboard, Options, Source};
//!
//! struct Nothing;
//! impl Source for Nothing {
//!     fn view(&self) -> serde_json::Value {
//!         serde_json::json!({ "workers": [] })
//!     }
//!     fn story(&self, _key: &str) -> Option<serde_json::Value> {
//!         None
//!     }
//!     fn explain(&self, _key: &str) -> Option<serde_json::Value> {
//!         None
//!     }
//!     fn metrics(&self) -> String {
//!         String::new()
//!     }
//! }
//! let dashboard = Dashboard::start(Options { port: 0, ..Options::default() }, Arc::new(Nothing))?;
//! assert!(dashboard.address().ip().is_loopback());
//! # Ok::<(), partita_graph::Failure>(())
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod door;
mod routes;
mod serve;

use serde_json::Value;

pub use serve::{Dashboard, Options};

/// Where everything that is shown comes from. Called from threads of the dashboard; an answer should take milliseconds.
pub trait Source: Send + Sync + 'static {
    /// The cluster at this moment: an object. The page makes a table of each list of objects in it (`workers` has bars for
    /// memory when its objects carry `managed`, `spilled`, `rss` and `memory_limit` in bytes), a list of each object, and a
    /// line of everything else.
    fn view(&self) -> Value;

    /// What happened to a task; `None` when the key is not known.
    fn story(&self, key: &str) -> Option<Value>;

    /// Why a task does not run; `None` when the key is not known.
    fn explain(&self, key: &str) -> Option<Value>;

    /// Everything that can be counted, in Prometheus' text format.
    fn metrics(&self) -> String;
}
