//! What happened to tasks lately: the last few thousand happenings, for people and for failing tests. Nothing in the
//! machine reads them.

use std::collections::VecDeque;
use std::fmt;

use partita_graph::Key;
use serde::{Deserialize, Serialize};

use super::Scheduler;
use crate::protocol::{Attempt, RunId, Tick, WorkerId};

/// How many happenings are remembered, over all tasks.
const REMEMBERED: usize = 8192;

/// One happening in the life of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryEvent {
    /// When, in the shell's microseconds.
    pub at: Tick,
    /// What.
    pub what: Happening,
}

/// What can happen to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// It was given to a worker.
    Assigned {
        /// To whom.
        worker: WorkerId,
        /// Which try.
        attempt: Attempt,
    },
    /// Its operator waits inside for other tasks.
    Waits {
        /// Where.
        worker: WorkerId,
    },
    /// Its operator goes on.
    Resumes {
        /// Where.
        worker: WorkerId,
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
    /// Its worker was asked to give it back, because another is idle.
    StealAsked {
        /// Who has it.
        from: WorkerId,
        /// Who would run it.
        to: WorkerId,
    },
    /// It was given back unstarted.
    Retracted {
        /// By whom.
        worker: WorkerId,
    },
    /// It failed and is tried again.
    Retried {
        /// Who tried it last.
        worker: WorkerId,
    },
    /// A copy of its chunk was asked for.
    CopyAsked {
        /// Who fetches it.
        worker: WorkerId,
    },
    /// The copy is there.
    Copied {
        /// Where.
        worker: WorkerId,
    },
    /// A copy was dropped because there are enough.
    Dropped {
        /// Where.
        worker: WorkerId,
    },
    /// The last copy of its chunk is gone while it is wanted.
    Lost,
    /// Its chunk was dropped because nobody wants it any more.
    Freed,
    /// It failed.
    Failed,
    /// Its chunk was a result of a run and cannot be made, because another task failed.
    Doomed {
        /// The key of that task.
        cause: Key,
    },
    /// Its chunk was a result of a run, and is none any more.
    Forgotten {
        /// Of which run.
        run: RunId,
    },
}

impl fmt::Display for StoryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us: ", self.at)?;
        match &self.what {
            Happening::Assigned { worker, attempt } => write!(f, "given to worker {} (try {attempt})", worker.0),
            Happening::Waits { worker } => write!(f, "waits inside for other tasks at worker {}", worker.0),
            Happening::Resumes { worker } => write!(f, "goes on at worker {}", worker.0),
            Happening::Finished { worker, nbytes } => write!(f, "stored at worker {} ({nbytes} B)", worker.0),
            Happening::GivenBack { worker } => write!(f, "given back by worker {}", worker.0),
            Happening::Abandoned { worker } => write!(f, "stopped at worker {}, nobody wants it", worker.0),
            Happening::StealAsked { from, to } => write!(f, "asked back from worker {} for worker {}", from.0, to.0),
            Happening::Retracted { worker } => write!(f, "given back unstarted by worker {}", worker.0),
            Happening::Retried { worker } => write!(f, "failed at worker {}, tried again", worker.0),
            Happening::CopyAsked { worker } => write!(f, "worker {} was asked to fetch a copy", worker.0),
            Happening::Copied { worker } => write!(f, "worker {} has a copy", worker.0),
            Happening::Dropped { worker } => write!(f, "the copy at worker {} is one too many and was dropped", worker.0),
            Happening::Lost => f.write_str("its last copy was lost"),
            Happening::Freed => f.write_str("dropped, nobody wants it"),
            Happening::Failed => f.write_str("failed"),
            Happening::Doomed { cause } => write!(f, "cannot be made, because {cause} failed"),
            Happening::Forgotten { run } => write!(f, "run {} does not want it any more", run.0),
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
