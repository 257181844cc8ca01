//! What is known of a run. A program may submit a hundred thousand of them with one task each, so what few runs have takes no room in
//! the others.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::few::{Few, Row};
use super::record::{Bits, TaskId};
use crate::protocol::{ClientId, Ending};

/// What is known of a run.
pub(super) struct RunRecord {
    pub client: ClientId,
    /// Slots of its layers, in the graph's order.
    pub layers: Row<u32>,
    /// Its wanted keys, by slot. Those that failed by themselves or were forgotten are not among them any more.
    pub results: Few<u32, Bits>,
    /// The tasks that it needed when it was submitted, by slot.
    pub needed: Few<u32, Bits>,
    /// Wanted keys that are not stored.
    pub unstored: u64,
    pub ending: Ending,
    pub done: bool,
    rare: Option<Box<Rare>>,
}

/// What most runs do not have.
#[derive(Default)]
pub(super) struct Rare {
    /// What its user was told.
    pub notes: BTreeSet<String>,
    /// Why it waits, as it was told.
    pub told: BTreeSet<String>,
    /// The failed key, once the run has failed.
    pub cause: Option<Key>,
    /// Wanted keys that failed by themselves, each with the key whose task failed.
    pub failed: BTreeMap<TaskId, Key>,
}

impl RunRecord {
    pub fn new(client: ClientId, ending: Ending, layers: Vec<u32>, results: Few<u32, Bits>, needed: Few<u32, Bits>) -> Self {
        let layers = layers.into_iter().collect();
        Self { client, layers, results, needed, unstored: 0, ending, done: false, rare: None }
    }

    /// Whether this task makes one of its results.
    pub fn wants(&self, task: TaskId) -> bool {
        self.results.get(task.slot).is_some_and(|bits| bits.contains(task.index))
    }

    pub fn cause(&self) -> Option<Key> {
        self.rare.as_ref()?.cause
    }

    /// Wanted keys that failed by themselves, each with the key whose task failed.
    pub fn failed(&self) -> impl Iterator<Item = (TaskId, Key)> {
        self.rare.iter().flat_map(|rare| rare.failed.iter().map(|(task, cause)| (*task, *cause)))
    }

    /// What most runs do not have, if this one has any of it.
    pub fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}
