//! Wishes for how tasks are run: where, in what order, how often, for how long. They are no part of a layer's identity,
//! because they change nothing about what is computed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Thousandths of one unit of a resource: `1000` is one GPU, `500` half of one.
pub type Milli = u64;

/// Wishes for the tasks of a layer. The default wishes nothing.
///
/// ```
/// use partita_graph::Annotations;
/// let wishes = Annotations { retries: 2, ..Annotations::default() };
/// assert!(!wishes.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// Higher runs first, before the order in which graphs were submitted. Default 0.
    pub priority: i32,
    /// How often a task that failed is tried again. Default 0.
    pub retries: u32,
    /// Names or hosts of workers that may run it. Empty, the default, for all.
    pub workers: Vec<String>,
    /// Whether other workers may run it when none of `workers` is connected.
    pub allow_other_workers: bool,
    /// What one task occupies while it runs, by name. A worker offers resources when it is started.
    pub resources: BTreeMap<String, Milli>,
    /// A task that runs longer is stopped and fails, in microseconds. `None`, the default, for no limit.
    pub timeout: Option<u64>,
}

impl Annotations {
    /// Whether nothing is wished for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
