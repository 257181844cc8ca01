//! Clients: they submit, lose interest, get lost and come back; and what they have of their runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_core::protocol::{ClientId, RunId, SchedulerEvent};
use partita_graph::{Chunk, Failure, Graph, Key};

use super::Cluster;
use crate::happening::Happening;
use crate::random_graph::{Fate, decode, needed};

/// What the shell knows of a run.
pub(crate) struct RunState {
    pub client: ClientId,
    pub graph: Arc<Graph>,
    pub outcome: Option<Result<Vec<Chunk>, Failure>>,
    /// Nobody is interested any more.
    pub left: bool,
    /// The cluster was restarted under it.
    pub restarted: bool,
    /// The scheduler said that all is stored; its client may not have heard it yet.
    pub done: bool,
    pub notes: Vec<String>,
    /// Results that came with an answer.
    pub values: std::collections::BTreeMap<Key, Chunk>,
}

impl RunState {
    pub fn new(client: ClientId, graph: Arc<Graph>) -> Self {
        let values = Default::default();
        Self { client, graph, outcome: None, left: false, restarted: false, done: false, notes: Vec::new(), values }
    }
}

#[derive(Default)]
pub(crate) struct ClientState {
    pub lost: bool,
    pub gone: bool,
}

impl Cluster {
    pub fn submit(&mut self, run: RunId, client: ClientId, graph: Arc<Graph>) -> Result<(), String> {
        let who = self.clients.entry(client).or_default();
        if who.lost && !who.gone {
            self.after(1_000, Happening::Submit(run, client, graph));
            return Ok(());
        }
        let gone = who.gone;
        let state = RunState { left: gone, ..RunState::new(client, graph.clone()) };
        self.runs.insert(run, state);
        if gone {
            return Ok(());
        }
        if self.never_ends(&graph) {
            let patience = self.up_to(50_000);
            self.after(patience, Happening::Leave(run, true));
        }
        self.tell_scheduler(SchedulerEvent::Submit { run, client, graph })
    }

    /// Whether somebody must cancel the graph, because a task of it ends only when it is told to.
    fn never_ends(&self, graph: &Graph) -> bool {
        let limited = |key: &Key| graph.get(key.layer).and_then(|layer| layer.annotations.as_ref()).is_some_and(|a| a.timeout.is_some());
        let endless: Vec<&Key> =
            self.fates.iter().filter(|(key, fate)| **fate == Fate::Endless && !limited(key)).map(|(key, _)| key).collect();
        !endless.is_empty() && {
            let needed: BTreeSet<Key> = needed(graph);
            endless.iter().any(|key| needed.contains(key))
        }
    }

    pub fn leave(&mut self, run: RunId, cancel: bool) -> Result<(), String> {
        let Some(state) = self.runs.get_mut(&run).filter(|state| !state.left) else { return Ok(()) };
        if self.clients.get(&state.client).is_some_and(|client| client.lost) {
            self.after(1_000, Happening::Leave(run, cancel));
            return Ok(());
        }
        state.left = true;
        self.tell_scheduler(if cancel { SchedulerEvent::Cancel(run) } else { SchedulerEvent::Release(run) })
    }

    pub(super) fn value(&mut self, run: RunId, key: Key, value: &[u8]) -> Result<(), String> {
        self.counts.values += 1;
        let state = self.runs.get_mut(&run).ok_or_else(|| format!("a value for run {}, which is not known", run.0))?;
        if !state.graph.wanted.contains(&key) {
            return Err(format!("a value of {key:?} for run {}, which does not want it", run.0));
        }
        let chunk = decode(value).ok_or_else(|| format!("the value of {key:?} is damaged"))?;
        state.values.insert(key, chunk);
        Ok(())
    }

    pub(super) fn run_done(&mut self, run: RunId) -> Result<(), String> {
        let state = self.runs.get_mut(&run).ok_or_else(|| format!("run {} is done but not known", run.0))?;
        state.done = true;
        if !self.clients.get(&state.client).is_some_and(|client| client.lost) {
            self.collect(run);
        }
        Ok(())
    }

    /// Reads the results of a run where they are. When one is out of reach the worker has died or lost it, and the
    /// scheduler will find out, make it again, and say so.
    fn collect(&mut self, run: RunId) {
        let Some(state) = self.runs.get(&run) else { return };
        let fetch = |key: &Key| self.scheduler.holders(*key).iter().find_map(|holder| self.nodes.get(holder)?.get(*key, None));
        let find = |key: &Key| state.values.get(key).cloned().or_else(|| fetch(key));
        let chunks: Option<Vec<Chunk>> = state.graph.wanted.iter().map(find).collect();
        if let (Some(chunks), Some(state)) = (chunks, self.runs.get_mut(&run)) {
            state.outcome = Some(Ok(chunks));
        }
    }

    /// A client, any but the process that the scheduler is in, is lost or says goodbye.
    pub(super) fn client_trouble(&mut self) -> Result<(), String> {
        let present = self.clients.iter().filter(|(id, state)| id.0 > 0 && !state.lost && !state.gone);
        let ids: Vec<ClientId> = present.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let client = ids[self.rng.usize(0..ids.len())];
        if self.rng.f64() < 0.2 {
            return self.client_goodbye(client);
        }
        let back = self.up_to(2 * self.faults.grace);
        self.after(back, Happening::ClientBack(client));
        self.client_lost(client)
    }

    pub fn client_lost(&mut self, client: ClientId) -> Result<(), String> {
        self.clients.entry(client).or_default().lost = true;
        self.tell_scheduler(SchedulerEvent::ClientLost(client))
    }

    pub fn client_goodbye(&mut self, client: ClientId) -> Result<(), String> {
        self.client_left(client);
        self.tell_scheduler(SchedulerEvent::ClientGone(client))
    }

    /// Within the grace period it has missed nothing; after it, it is somebody new.
    pub fn client_back(&mut self, client: ClientId) -> Result<(), String> {
        let Some(state) = self.clients.get_mut(&client).filter(|state| state.lost && !state.gone) else { return Ok(()) };
        state.lost = false;
        self.tell_scheduler(SchedulerEvent::ClientBack(client))?;
        let of = |state: &RunState| state.client == client && state.done && !state.left && state.outcome.is_none();
        let done: Vec<RunId> = self.runs.iter().filter(|(_, state)| of(state)).map(|(run, _)| *run).collect();
        done.into_iter().for_each(|run| self.collect(run));
        Ok(())
    }

    pub(super) fn client_left(&mut self, client: ClientId) {
        let state = self.clients.entry(client).or_default();
        (state.lost, state.gone) = (false, true);
        self.runs.values_mut().filter(|state| state.client == client).for_each(|state| state.left = true);
    }

    /// All runs end as cancelled, and only the workers stay.
    pub fn restart(&mut self) -> Result<(), String> {
        self.excuses.excuse_all();
        self.runs.values_mut().for_each(|state| state.restarted = true);
        self.tell_scheduler(SchedulerEvent::Restart)
    }

    /// Copies of results, or chunks moved to where memory is free.
    pub(super) fn copies(&mut self) -> Result<(), String> {
        let wanted: Vec<Key> = self.runs.values().filter(|state| !state.left).flat_map(|state| state.graph.wanted.clone()).collect();
        if wanted.is_empty() || self.rng.bool() {
            return self.tell_scheduler(SchedulerEvent::Rebalance);
        }
        let share = self.rng.f64();
        let keys = wanted.into_iter().filter(|_| self.rng.f64() < share).collect();
        let copies = self.rng.u32(1..4);
        self.tell_scheduler(SchedulerEvent::Replicate { keys, copies })
    }
}
