//! What a person asks about afterwards: who came, who went and why, who was refused.
//!
//! It refuses to know why: others write the words. Invariant: it never holds more than [`REMEMBERED`] entries, so that a
//! cluster that runs for a year remembers as much as one that runs for a day.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How many entries are kept.
const REMEMBERED: usize = 1000;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub unix_millis: u64,
    /// What, in one sentence.
    pub what: String,
}

/// The entries, the oldest first.
#[derive(Default)]
pub(super) struct Diary(Mutex<VecDeque<Entry>>);

impl Diary {
    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry.
    pub fn write(&self, what: impl Into<String>) {
        let unix_millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let mut entries = self.entries();
        if entries.len() == REMEMBERED {
            entries.pop_front();
        }
        entries.push_back(Entry { unix_millis, what: what.into() });
    }

    /// A copy of all that is remembered.
    pub fn read(&self) -> Vec<Entry> {
        self.entries().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let diary = Diary::default();
        (0..REMEMBERED + 3).for_each(|n| diary.write(n.to_string()));
        let entries = diary.read();
        assert_eq!((entries.len(), entries[0].what.as_str()), (REMEMBERED, "3"));
    }
}
