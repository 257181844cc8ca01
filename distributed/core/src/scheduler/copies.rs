//! Copies of chunks that were asked for: what each is for, where it goes, and how many are wanted.
//!
//! It refuses to choose where to: that is `replicas`. One copy of a chunk is on its way at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::record::TaskId;
use super::workers::Workers;
use crate::protocol::WorkerId;

/// What a copy is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// The only holders retire.
    Retire,
    /// More copies are wanted.
    Wish,
    /// This holder has too much; it drops the chunk when the copy is there.
    Balance(WorkerId),
}

/// A copy on its way.
pub(super) struct Copy {
    pub to: WorkerId,
    pub nbytes: u64,
    pub purpose: Purpose,
}

#[derive(Default)]
pub(super) struct Copies {
    pub moving: BTreeMap<TaskId, Copy>,
    /// How many copies are wanted of a chunk, while somebody wants it at all.
    pub wishes: BTreeMap<TaskId, u32>,
    /// Wishes that may not be fulfilled.
    pub short: BTreeSet<TaskId>,
    /// Chunks to be moved from a full worker to an empty one.
    pub balance: VecDeque<(TaskId, WorkerId, WorkerId)>,
    /// Where the search for surplus copies goes on.
    pub cursor: Option<TaskId>,
}

impl Copies {
    /// The copy on its way, if it is, counted at its recipient no longer.
    pub fn end(&mut self, task: TaskId, workers: &mut Workers) -> Option<Copy> {
        let copy = self.moving.remove(&task)?;
        if let Some(record) = workers.get_mut(copy.to) {
            record.incoming -= copy.nbytes;
        }
        Some(copy)
    }

    /// Nobody wants the chunk any more.
    pub fn forget(&mut self, task: TaskId, workers: &mut Workers) {
        if !self.moving.is_empty() {
            self.end(task, workers);
        }
        if !self.wishes.is_empty() {
            self.wishes.remove(&task);
            self.short.remove(&task);
        }
    }

    /// The chunk is stored, or has a holder less.
    pub fn stored(&mut self, task: TaskId) {
        if self.wishes.contains_key(&task) {
            self.short.insert(task);
        }
    }
}
