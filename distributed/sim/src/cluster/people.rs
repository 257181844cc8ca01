//! Clients: they submit, lose interest in runs and in single keys, get lost and come back.
//!
//! It refuses to know what they have of their runs; that is in `results`.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_core::coordination::HolderId;
use partita_core::protocol::{ClientId, Ending, RunId, SchedulerEvent};
use partita_graph::{Graph, Key, Layer, LayerId};

use super::{Cluster, RunState};
use crate::happening::Happening;
use crate::random_graph::{Fate, needed};

#[derive(Default)]
pub(crate) struct ClientState {
    pub lost: bool,
    pub gone: bool,
    /// It could not read something, and looks again soon.
    pub looks: bool,
}

impl Cluster {
    pub fn submit(&mut self, run: RunId, client: ClientId, graph: Arc<Graph>, ending: Ending) -> Result<(), String> {
        let who = self.clients.entry(client).or_default();
        if who.lost && !who.gone {
            self.after(1_000, Happening::Submit(run, client, graph, ending));
            return Ok(());
        }
        let gone = who.gone;
        let sent = if gone || self.rng.bool() { graph.clone() } else { Arc::new(self.thinned(client, &graph)) };
        let mut state = RunState::new(client, graph.clone(), ending);
        (state.left, state.sent) = (gone, sent.clone());
        self.runs.insert(run, state);
        if gone {
            return Ok(());
        }
        let endless = self.endless(&graph);
        if !endless.is_empty() {
            let patience = self.up_to(50_000);
            let only_these = ending == Ending::Each && self.rng.bool();
            self.after(patience, if only_these { Happening::Forget(run, endless) } else { Happening::Leave(run, true) });
        }
        self.tell_scheduler(SchedulerEvent::Submit { run, client, graph: sent, ending })
    }

    /// The graph as a client sends it that holds futures of the same layers: what it has sent already is only named. A run that ends
    /// as a whole may have ended before its client knows, so nothing is named for its sake.
    fn thinned(&mut self, client: ClientId, graph: &Graph) -> Graph {
        let held = |state: &&RunState| state.client == client && state.ending == Ending::Each && !state.left && !state.restarted;
        let known: BTreeSet<LayerId> =
            self.runs.values().filter(held).flat_map(|state| state.sent.layers.iter().map(|layer| layer.id)).collect();
        let layers: Vec<Arc<Layer>> = graph.layers.iter().map(|layer| self.named_only(&known, layer)).collect();
        let mut read: BTreeSet<LayerId> = graph.wanted.iter().map(|key| key.layer).collect();
        for layer in layers.iter().rev() {
            if read.contains(&layer.id) {
                read.extend(layer.edges.iter().map(|edge| edge.layer));
            }
        }
        Graph::new(layers.into_iter().filter(|layer| read.contains(&layer.id)).collect(), graph.wanted.clone())
    }

    fn named_only(&mut self, known: &BTreeSet<LayerId>, layer: &Arc<Layer>) -> Arc<Layer> {
        match known.contains(&layer.id) && self.rng.f64() < 0.7 {
            true => {
                self.counts.named_layers += 1;
                Arc::new(layer.stand_in())
            }
            false => layer.clone(),
        }
    }

    /// The results that somebody must lose interest in, because they need a task that ends only when it is told to.
    fn endless(&self, graph: &Graph) -> Vec<Key> {
        let limited = |key: &Key| graph.get(key.layer).and_then(|layer| layer.annotations.as_ref()).is_some_and(|a| a.timeout.is_some());
        let endless: BTreeSet<Key> =
            self.fates.iter().filter(|(key, fate)| **fate == Fate::Endless && !limited(key)).map(|(key, _)| *key).collect();
        if endless.is_disjoint(&needed(graph)) {
            return Vec::new();
        }
        let needs_one = |key: &Key| !endless.is_disjoint(&needed(&Graph::new(graph.layers.clone(), vec![*key])));
        graph.wanted.iter().copied().filter(needs_one).collect()
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

    /// The user has no use for these keys of a run any more.
    pub fn forget(&mut self, run: RunId, keys: Vec<Key>) -> Result<(), String> {
        let Some(state) = self.runs.get_mut(&run).filter(|state| !state.left) else { return Ok(()) };
        if self.clients.get(&state.client).is_some_and(|client| client.lost) {
            self.after(1_000, Happening::Forget(run, keys));
            return Ok(());
        }
        self.counts.forgotten_keys += keys.len() as u64;
        state.forget(&keys);
        self.tell_scheduler(SchedulerEvent::Forget { run, keys })?;
        self.may_be_over(run);
        Ok(())
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
        self.client_left(client)?;
        self.tell_scheduler(SchedulerEvent::ClientGone(client))
    }

    /// Within the grace period it has missed nothing; after it, it is somebody new.
    pub fn client_back(&mut self, client: ClientId) -> Result<(), String> {
        let Some(state) = self.clients.get_mut(&client).filter(|state| state.lost && !state.gone) else { return Ok(()) };
        state.lost = false;
        self.tell_scheduler(SchedulerEvent::ClientBack(client))?;
        self.look(client);
        self.agree_mended(HolderId(client.0))
    }

    pub(super) fn client_left(&mut self, client: ClientId) -> Result<(), String> {
        let state = self.clients.entry(client).or_default();
        (state.lost, state.gone) = (false, true);
        self.runs.values_mut().filter(|state| state.client == client).for_each(|state| state.left = true);
        self.agree_gone(HolderId(client.0))
    }

    /// All runs end as cancelled, and only the workers stay.
    pub fn restart(&mut self) -> Result<(), String> {
        self.counts.restarts += 1;
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
