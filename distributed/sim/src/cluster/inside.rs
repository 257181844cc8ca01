//! Operators that wait inside: for a while, or for a run that they submit themselves.
//!
//! It refuses to know threads: that an operator which waits has none is the worker's machine's business, and that the machine
//! keeps to it is looked at where tasks are executed. Invariants: an operator that waits goes on when what it waits for is over or it
//! is told to stop, whichever is first; the run of an operator that goes on, or goes down with its worker, is released.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use partita_core::coordination::Name;
use partita_core::protocol::{Attempt, ClientId, Ending, RunId, WorkerEvent, WorkerId};
use partita_graph::{Graph, Key, Outcome};

use super::Cluster;
use crate::happening::Happening;

/// Runs that operators submit have numbers from here on.
pub(crate) const FIRST_INSIDE: RunId = RunId(1 << 32);

/// What an operator waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    /// So many microseconds.
    For(u64),
    /// Its turn with this lock, which it has while it works after that.
    Lock(Name),
    /// The end of a run of this graph.
    Run(Arc<Graph>),
}

type Try = (WorkerId, Key, Attempt);

/// The operators that wait.
#[derive(Default)]
pub(crate) struct Inside {
    /// What the operators of these tasks wait for, one after the other.
    pub waits: BTreeMap<Key, Vec<Wait>>,
    running: BTreeMap<Try, Stage>,
    /// Runs that have not ended, and who waits for each.
    open: BTreeMap<RunId, Try>,
    submitted: u64,
}

/// How far an operator is.
struct Stage {
    left: VecDeque<Wait>,
    /// The run that it submitted last and has not let go.
    run: Option<RunId>,
    /// The number under which it asked for a lock last and has not let it go.
    lock: Option<u64>,
    /// It works for so long before, between and after its waits.
    part: u64,
    micros: u64,
    outcome: Outcome,
}

impl Inside {
    /// Whether no operator waits or is going to.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.open.is_empty()
    }
}

impl Cluster {
    /// An operator works for so long in all, and ends like this.
    pub(super) fn works(&mut self, worker: WorkerId, key: Key, attempt: Attempt, outcome: Outcome, micros: u64) {
        let Some(waits) = self.inside.waits.get(&key) else {
            return self.after(micros, Happening::Ended(worker, key, attempt, Box::new(outcome), micros));
        };
        let (left, part) = (waits.iter().cloned().collect(), micros / (waits.len() as u64 + 1));
        self.inside.running.insert((worker, key, attempt), Stage { left, run: None, lock: None, part, micros, outcome });
        self.after(part, Happening::Halts(worker, key, attempt));
    }

    /// The operator has come to the place where it waits next, or to its end. Who was told to stop waits no more.
    pub(super) fn halts(&mut self, worker: WorkerId, key: Key, attempt: Attempt) -> Result<(), String> {
        if let Some(lock) = self.inside.running.get_mut(&(worker, key, attempt)).and_then(|stage| stage.lock.take()) {
            self.lets_lock_go(worker, lock)?;
        }
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let (flag, _) = node.running.get(&(key, attempt)).ok_or_else(|| format!("{key:?} halts but does not run"))?;
        let stage = self.inside.running.get_mut(&(worker, key, attempt)).ok_or_else(|| format!("{key:?} was not to halt"))?;
        let next = if flag.load(Ordering::Relaxed) { None } else { stage.left.pop_front() };
        let Some(next) = next else {
            let Stage { outcome, micros, .. } = self.inside.running.remove(&(worker, key, attempt)).expect("just seen");
            return self.ended(worker, key, attempt, outcome, micros);
        };
        node.waiting.insert((key, attempt));
        self.counts.waits += 1;
        if let Wait::Run(graph) = &next {
            self.submits(worker, key, attempt, graph.clone())?;
        }
        self.answer(worker, WorkerEvent::Waits(key, attempt))?;
        // Only now: however often it was said that it waits, it is said before it goes on.
        match next {
            Wait::For(micros) => self.after(micros, Happening::Resumes(worker, key, attempt)),
            Wait::Lock(name) => {
                let lock = self.waits_for_lock(worker, key, attempt, name);
                if let Some(stage) = self.inside.running.get_mut(&(worker, key, attempt)) {
                    stage.lock = Some(lock);
                }
            }
            Wait::Run(_) => {}
        }
        Ok(())
    }

    fn submits(&mut self, worker: WorkerId, key: Key, attempt: Attempt, graph: Arc<Graph>) -> Result<(), String> {
        let run = RunId(FIRST_INSIDE.0 + self.inside.submitted);
        self.inside.submitted += 1;
        self.inside.open.insert(run, (worker, key, attempt));
        if let Some(stage) = self.inside.running.get_mut(&(worker, key, attempt)) {
            stage.run = Some(run);
        }
        self.submit(run, ClientId::default(), graph, Ending::Together)
    }

    /// Whoever waits for a run that has ended, however it did, goes on soon.
    pub(super) fn runs_inside_end(&mut self) {
        let over = |run: &RunId| self.runs.get(run).is_none_or(|state| state.left || state.outcome.is_some());
        let ended: Vec<RunId> = self.inside.open.keys().filter(|run| over(run)).copied().collect();
        for run in ended {
            let (worker, key, attempt) = self.inside.open.remove(&run).expect("just seen");
            let delay = self.up_to(self.faults.delay);
            self.after(delay, Happening::Resumes(worker, key, attempt));
        }
    }

    /// The operator goes on, unless it has already.
    pub(super) fn resumes(&mut self, worker: WorkerId, key: Key, attempt: Attempt) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        if !node.waiting.remove(&(key, attempt)) {
            return Ok(());
        }
        node.resumed.insert((key, attempt));
        let stage = self.inside.running.get_mut(&(worker, key, attempt)).ok_or_else(|| format!("{key:?} was not to wait"))?;
        let (part, run) = (stage.part, stage.run.take());
        self.answer(worker, WorkerEvent::Resumes(key, attempt))?;
        self.after(part, Happening::Halts(worker, key, attempt));
        match run {
            Some(run) => self.leave(run, false),
            None => Ok(()),
        }
    }

    /// An operator that waits is told to stop: it looks up within so many microseconds, and loses interest in its run.
    pub(super) fn wakes(&mut self, worker: WorkerId, key: Key, attempt: Attempt, looks: u64) -> Result<(), String> {
        let run = self.inside.running.get(&(worker, key, attempt)).and_then(|stage| stage.run);
        self.after(looks, Happening::Resumes(worker, key, attempt));
        match run {
            Some(run) => self.leave(run, true),
            None => Ok(()),
        }
    }

    /// The process is gone, and with it its operators.
    pub(super) fn forget_inside(&mut self, victim: WorkerId) {
        let mut runs = Vec::new();
        self.inside.running.retain(|(at, ..), stage| {
            let stays = *at != victim;
            if !stays {
                runs.extend(stage.run);
            }
            stays
        });
        for run in runs {
            self.inside.open.remove(&run);
            self.after(0, Happening::Leave(run, true));
        }
    }
}
