//! What happened to tasks lately: the last few thousand happenings, for people and for failing tests. Nothing in the
//! machine reads them.

use std::collections::VecDeque;
use std::fmt;

use partita_graph::Key;

use super::Scheduler;
use crate::protocol::{Attempt, Tick, WorkerId};

/// How many happenings are remembered, over all tasks.
const REMEMBERED: usize = 8192;

/// One happening in the life of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryEvent {
    /// When, in the shell's microseconds.
    pub at: Tick,
    /// What.
    pub what: Happening,
}

/// What can happen to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was given to a worker.
    Assigned {
        /// To whom.
        worker: WorkerId,
        /// Which try.
        attempt: Attempt,
    },
    /// Its chunk is stored.
    Finished {
        /// Where.
        worker: WorkerId,
        /// Size in bytes.
        nbytes: u64,
    },
    /// It was taken from a worker that is gone or that could not get an input.
    GivenBack {
        /// From whom.
        worker: WorkerId,
    },
    /// It was stopped because nobody wants its chunk any more.
    Abandoned {
        /// Who had it.
        worker: WorkerId,
    },
    /// The last copy of its chunk is gone while it is wanted.
    Lost,
    /// Its chunk was dropped because nobody wants it any more.
    Freed,
    /// It failed.
    Failed,
}

impl fmt::Display for StoryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us: ", self.at)?;
        match &self.what {
            Happening::Assigned { worker, attempt } => write!(f, "given to worker {} (try {attempt})", worker.0),
            Happening::Finished { worker, nbytes } => write!(f, "stored at worker {} ({nbytes} B)", worker.0),
            Happening::GivenBack { worker } => write!(f, "given back by worker {}", worker.0),
            Happening::Abandoned { worker } => write!(f, "stopped at worker {}, nobody wants it", worker.0),
            Happening::Lost => f.write_str("its last copy was lost"),
            Happening::Freed => f.write_str("dropped, nobody wants it"),
            Happening::Failed => f.write_str("failed"),
        }
    }
}

/// A ring of happenings.
#[derive(Default)]
pub(super) struct Stories {
    ring: VecDeque<(Key, StoryEvent)>,
}

impl Stories {
    pub fn tell(&mut self, at: Tick, key: Key, what: Happening) {
        if self.ring.len() == REMEMBERED {
            self.ring.pop_front();
        }
        self.ring.push_back((key, StoryEvent { at, what }));
    }
}

impl Scheduler {
    /// What happened to this task lately, the oldest first. Only the last 8,192 happenings of all tasks are remembered.
    pub fn story(&self, key: Key) -> Vec<StoryEvent> {
        self.stories.ring.iter().filter(|(of, _)| *of == key).map(|(_, event)| event.clone()).collect()
    }
}
