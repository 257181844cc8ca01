//! What clients have of their runs: what is said of runs and of single keys, and results, which are read where they are.
//!
//! It refuses to believe what is said: of each key that ends by itself one end is said, again only where something can be lost, and
//! none of keys that nobody wants; a run is done when an end was said of all its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partita_core::protocol::{ClientId, Ending, RunId};
use partita_graph::{Chunk, Failure, Graph, Key};

use super::Cluster;
use crate::happening::Happening;
use crate::random_graph::decode;

/// A client that could not read what is there looks again after so many microseconds.
const LOOK_AGAIN: u64 = 10_000;

/// What the shell knows of a run.
pub(crate) struct RunState {
    pub client: ClientId,
    pub graph: Arc<Graph>,
    /// What of it went to the scheduler: the layers that it did not know yet, and names of others.
    pub sent: Arc<Graph>,
    pub ending: Ending,
    /// Where keys end one by one, the results are in `ends`.
    pub outcome: Option<Result<Vec<Chunk>, Failure>>,
    /// Nobody is interested any more.
    pub left: bool,
    /// The cluster was restarted under it.
    pub restarted: bool,
    /// The scheduler said that all is stored; its client may not have heard it yet.
    pub done: bool,
    pub notes: Vec<String>,
    /// Results that came with an answer.
    pub values: BTreeMap<Key, Chunk>,
    /// Where keys end one by one: those of which no end was said.
    unsaid: BTreeSet<Key>,
    /// Those whose end the client does not have: none was said, or the chunk was out of reach.
    open: BTreeSet<Key>,
    /// How they ended for the client, but for those that it forgot.
    pub ends: BTreeMap<Key, Result<Chunk, Failure>>,
    forgotten: BTreeSet<Key>,
}

impl RunState {
    pub fn new(client: ClientId, graph: Arc<Graph>, ending: Ending) -> Self {
        let each: BTreeSet<Key> = if ending == Ending::Each { graph.wanted.iter().copied().collect() } else { BTreeSet::new() };
        Self {
            client,
            sent: graph.clone(),
            graph,
            ending,
            outcome: None,
            left: false,
            restarted: false,
            done: false,
            notes: Vec::new(),
            values: BTreeMap::new(),
            unsaid: each.clone(),
            open: each,
            ends: BTreeMap::new(),
            forgotten: BTreeSet::new(),
        }
    }

    pub fn forget(&mut self, keys: &[Key]) {
        for key in keys {
            self.unsaid.remove(key);
            self.open.remove(key);
            self.ends.remove(key);
            self.values.remove(key);
        }
        self.forgotten.extend(keys);
    }

    /// Whether the client has an end of this key, or wants none.
    pub fn has_ended(&self, key: &Key) -> bool {
        !self.open.contains(key) || matches!(self.outcome, Some(Err(_)))
    }

    /// An end is said of this key. True when one was said before.
    fn said(&mut self, run: RunId, key: Key) -> Result<bool, String> {
        let why = match self.ends.get(&key) {
            _ if self.ending != Ending::Each => "whose keys end together",
            _ if self.left || matches!(self.outcome, Some(Err(_))) => "which is over",
            _ if self.forgotten.contains(&key) => "which has forgotten it",
            Some(Err(_)) => "for which it has failed",
            None if !self.open.contains(&key) => "which does not want it",
            _ => return Ok(!self.unsaid.remove(&key)),
        };
        Err(format!("an end of {key:?} is said for run {}, {why}", run.0))
    }

    /// Something is there that the client has not read.
    fn misses(&self) -> bool {
        let whole = self.ending == Ending::Together && self.done;
        !self.left && self.outcome.is_none() && (whole || self.open.iter().any(|key| !self.unsaid.contains(key)))
    }
}

impl Cluster {
    fn known_run(&mut self, run: RunId) -> Result<&mut RunState, String> {
        self.runs.get_mut(&run).ok_or_else(|| format!("something is said of run {}, which is not known", run.0))
    }

    fn is_lost(&self, run: RunId) -> bool {
        self.runs.get(&run).and_then(|state| self.clients.get(&state.client)).is_some_and(|client| client.lost)
    }

    pub(super) fn value(&mut self, run: RunId, key: Key, value: &[u8]) -> Result<(), String> {
        self.counts.values += 1;
        let state = self.known_run(run)?;
        if !state.graph.wanted.contains(&key) || state.forgotten.contains(&key) {
            return Err(format!("a value of {key:?} for run {}, which does not want it", run.0));
        }
        let chunk = decode(value).ok_or_else(|| format!("the value of {key:?} is damaged"))?;
        state.values.insert(key, chunk);
        Ok(())
    }

    pub(super) fn run_done(&mut self, run: RunId) -> Result<(), String> {
        let lossless = self.lossless;
        let state = self.known_run(run)?;
        if let Some(key) = state.unsaid.first() {
            return Err(format!("run {} is done, but no end was said of {key:?}", run.0));
        }
        if lossless && state.done {
            return Err(format!("run {} is done twice, though nothing was lost", run.0));
        }
        state.done = true;
        if state.ending == Ending::Each {
            self.may_be_over(run);
        } else if !self.is_lost(run) {
            self.collect(run);
        }
        Ok(())
    }

    pub(super) fn key_done(&mut self, run: RunId, key: Key) -> Result<(), String> {
        self.counts.done_keys += 1;
        let lossless = self.lossless;
        if self.known_run(run)?.said(run, key)? && lossless {
            return Err(format!("{key:?} is done twice for run {}, though nothing was lost", run.0));
        }
        if !self.is_lost(run) {
            self.collect_key(run, key);
        }
        Ok(())
    }

    pub(super) fn keys_failed(&mut self, run: RunId, keys: &[Key], failure: &Failure) -> Result<(), String> {
        self.counts.failed_keys += keys.len() as u64;
        let lossless = self.lossless;
        for key in keys {
            let state = self.known_run(run)?;
            if state.said(run, *key)? && lossless {
                return Err(format!("{key:?} has failed after it was done for run {}, though nothing was lost", run.0));
            }
            state.open.remove(key);
            // What the client has read it keeps.
            state.ends.entry(*key).or_insert_with(|| Err(failure.clone()));
        }
        self.may_be_over(run);
        Ok(())
    }

    /// A run whose keys end one by one has ended when it was said to be done and its client has an end of each.
    pub(super) fn may_be_over(&mut self, run: RunId) {
        if let Some(state) = self.runs.get_mut(&run)
            && state.ending == Ending::Each
            && state.done
            && state.open.is_empty()
            && state.outcome.is_none()
        {
            state.outcome = Some(Ok(Vec::new()));
        }
    }

    /// A result, from the answer or from a worker that has it.
    fn read_result(&self, state: &RunState, key: &Key) -> Option<Chunk> {
        let fetch = || self.scheduler.holders(*key).iter().find_map(|holder| self.nodes.get(holder)?.get(*key, None));
        state.values.get(key).cloned().or_else(fetch)
    }

    /// Reads one result. When it is out of reach its worker has died or lost it, and the scheduler will find out. It makes the chunk
    /// again and says so, unless it hears of another copy before it finds out: then nothing was lost, nothing is said, and only
    /// who looks again reads that copy.
    fn collect_key(&mut self, run: RunId, key: Key) {
        let Some(state) = self.runs.get(&run).filter(|state| state.open.contains(&key)) else { return };
        let client = state.client;
        let Some(chunk) = self.read_result(state, &key) else { return self.look_later(client) };
        let state = self.runs.get_mut(&run).expect("looked up above");
        state.open.remove(&key);
        state.ends.insert(key, Ok(chunk));
        self.may_be_over(run);
    }

    /// Reads all results of a run whose keys end together. The same holds for what is out of reach.
    fn collect(&mut self, run: RunId) {
        let Some(state) = self.runs.get(&run) else { return };
        let client = state.client;
        let chunks: Option<Vec<Chunk>> = state.graph.wanted.iter().map(|key| self.read_result(state, key)).collect();
        let Some(chunks) = chunks else { return self.look_later(client) };
        self.runs.get_mut(&run).expect("looked up above").outcome = Some(Ok(chunks));
    }

    /// The client could not read something: once more in a while, whatever it hears until then.
    fn look_later(&mut self, client: ClientId) {
        if !std::mem::replace(&mut self.clients.entry(client).or_default().looks, true) {
            self.after(LOOK_AGAIN, Happening::Look(client));
        }
    }

    pub(super) fn look_again(&mut self, client: ClientId) {
        self.clients.entry(client).or_default().looks = false;
        self.look(client);
    }

    /// A client reads what it has not: what came to be there while it was away, or was out of reach.
    pub(super) fn look(&mut self, client: ClientId) {
        if self.clients.get(&client).is_none_or(|state| state.lost || state.gone) {
            return;
        }
        let misses = |state: &RunState| state.client == client && state.misses();
        let runs: Vec<RunId> = self.runs.iter().filter(|(_, state)| misses(state)).map(|(run, _)| *run).collect();
        for run in runs {
            let state = &self.runs[&run];
            match state.ending {
                Ending::Together => self.collect(run),
                Ending::Each => {
                    let keys: Vec<Key> = state.open.difference(&state.unsaid).copied().collect();
                    keys.into_iter().for_each(|key| self.collect_key(run, key));
                }
            }
        }
    }
}
