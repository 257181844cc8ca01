//! Who may run again: how often each task ran, and how often there was a reason to run it once more. A reason is that its
//! chunk was lost or freed, or that a try failed, was stopped, or went down with its worker. That a task was moved from one
//! worker's queue to another's is none.

use std::collections::BTreeMap;

use partita_graph::Key;

#[derive(Default)]
pub(crate) struct Excuses {
    ran: BTreeMap<Key, u32>,
    excused: BTreeMap<Key, u32>,
}

impl Excuses {
    /// There is a reason to run these once more.
    pub fn excuse(&mut self, keys: impl IntoIterator<Item = Key>) {
        keys.into_iter().for_each(|key| *self.excused.entry(key).or_default() += 1);
    }

    /// A task runs; is there a reason?
    pub fn runs(&mut self, key: Key) -> Result<(), String> {
        let ran = self.ran.entry(key).or_default();
        *ran += 1;
        let most = 1 + self.excused.get(&key).copied().unwrap_or(0);
        if *ran > most { Err(format!("{key:?} runs {ran} times, but there was reason for {most} only")) } else { Ok(()) }
    }

    /// Everything was forgotten: all of it may run once more.
    pub fn excuse_all(&mut self) {
        let ran: Vec<Key> = self.ran.keys().copied().collect();
        self.excuse(ran);
    }
}
