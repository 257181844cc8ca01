//! Actors as clients make them: a state that one process has and nobody else can have, and calls that change it. Each call is a task that
//! would like to run where the state is, and reads the state and the call before it.
//!
//! It refuses to know what a state is. Invariants: calls change the state in the order in which they were made, and each at most once; a
//! call that ends well has changed it, and one that has not says so, for a reason that is looked at: its process is gone, everything was
//! restarted, or its result was lost after it had changed the state. As long as the scheduler knows the process, calls run there only,
//! whether it can be heard or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_core::protocol::{ClientId, Ending, RunId, WorkerId};
use partita_graph::{Annotations, Chunk, Code, Edge, Failure, Graph, Key, Layer, OpRef, Plain, Wiring};

use super::Cluster;
use crate::happening::Happening;

/// Runs of actors have numbers from here on.
pub(crate) const FIRST_ACTOR: RunId = RunId(1 << 40);
/// What a call gives that has not changed the state.
const NOT_MADE: i64 = -1;
/// So long a client waits until it looks again whether the actor is there.
const LOOK_AGAIN: u64 = 1_000;

/// One of them.
pub(crate) struct Actor {
    client: ClientId,
    /// The layers of the state and of all calls.
    layers: Vec<Arc<Layer>>,
    runs: Vec<RunId>,
    /// The process that has the state, and its name.
    home: Option<(WorkerId, String)>,
    /// Calls that are still to be made.
    left: u32,
    /// Calls that have changed the state, in order.
    made: Vec<Key>,
    /// Those of them that were asked for once more, because their results were lost.
    again: BTreeSet<Key>,
}

impl Actor {
    fn call(&self, number: usize) -> Key {
        Key::new(self.layers[number].id, 0)
    }

    /// Whether it is the state, which cannot leave its process.
    pub fn is_state(&self, key: Key) -> bool {
        self.call(0) == key
    }
}

impl Cluster {
    /// A client makes an actor at some moment, and then so many calls.
    pub fn acts(&mut self, client: ClientId, calls: u32, at: u64) {
        let number = self.actors.len();
        let state = OpRef::closure("state", number as u64, |_, _| Ok(Chunk::new(Plain(0i64))));
        let layers = vec![Arc::new(Layer::single(format!("actor{number}"), 1, state, vec![]))];
        self.actors.push(Actor { client, layers, runs: Vec::new(), home: None, left: calls, made: Vec::new(), again: BTreeSet::new() });
        self.after(at, Happening::Acts(number));
    }

    /// Whether all calls were made that will be.
    pub fn all_called(&self) -> bool {
        self.actors.iter().all(|actor| actor.left == 0)
    }

    /// The client makes the actor, or the next call, if the one is there by now.
    pub(super) fn act(&mut self, number: usize) -> Result<(), String> {
        let actor = &self.actors[number];
        let (client, is_new) = (actor.client, actor.runs.is_empty());
        let who = self.clients.entry(client).or_default();
        let (lost, gone) = (who.lost, who.gone);
        if gone || self.state_failed(number) {
            self.actors[number].left = 0;
            return Ok(());
        }
        if !is_new && self.actors[number].home.is_none() && self.is_there(number) {
            let home = self.home_of(number);
            if home.is_none() {
                // Its worker went while it was made, and the client says so.
                self.actors[number].left = 0;
                return Ok(());
            }
            self.actors[number].home = home;
        }
        let actor = &mut self.actors[number];
        if lost || (actor.home.is_none() && !is_new) {
            self.after(LOOK_AGAIN, Happening::Acts(number));
            return Ok(());
        }
        if let Some((_, name)) = &actor.home {
            let layer = call(number, actor, name);
            actor.layers.push(Arc::new(layer));
            actor.left -= 1;
        }
        let layers = actor.layers.clone();
        let wanted = Key::new(layers[layers.len() - 1].id, 0);
        self.actor_runs += 1;
        let run = RunId(FIRST_ACTOR.0 + self.actor_runs);
        self.actors[number].runs.push(run);
        if self.actors[number].left > 0 {
            let pause = self.up_to(6_000);
            self.after(pause, Happening::Acts(number));
        }
        self.submit(run, client, Arc::new(Graph::new(layers, vec![wanted])), Ending::Each)
    }

    /// The actor could not be made.
    fn state_failed(&self, number: usize) -> bool {
        let first = self.actors[number].runs.first().and_then(|run| self.runs.get(run));
        first.is_some_and(|state| state.left || state.ends.values().any(Result::is_err) || matches!(state.outcome, Some(Err(_))))
    }

    /// Whether the client knows that the actor was made.
    fn is_there(&self, number: usize) -> bool {
        let first = self.actors[number].runs.first().and_then(|run| self.runs.get(run));
        first.is_some_and(|state| state.ends.values().any(Result::is_ok))
    }

    /// The process that has the state.
    fn home_of(&self, number: usize) -> Option<(WorkerId, String)> {
        let holder = self.scheduler.holders(self.actors[number].call(0)).first().copied()?;
        Some((holder, self.names.get(&holder)?.clone()))
    }

    /// What a task gives that is a call of an actor, here. A process remembers which calls it has made: one whose result is lost is asked
    /// for again.
    pub(super) fn called(&mut self, worker: WorkerId, key: Key) -> Result<Option<Chunk>, String> {
        let is_call = |actor: &&mut Actor| actor.layers[1..].iter().any(|layer| layer.id == key.layer);
        let Some(actor) = self.actors.iter_mut().find(is_call) else { return Ok(None) };
        let home = actor.home.as_ref().map(|(home, _)| *home);
        let not_made = Ok(Some(Chunk::new(Plain(NOT_MADE))));
        if home != Some(worker) {
            return match home.filter(|home| self.names.contains_key(home)) {
                Some(home) => Err(format!("{key:?} runs on worker {}, but its actor is on worker {}, which is not gone", worker.0, home.0)),
                None => not_made,
            };
        }
        if actor.made.contains(&key) {
            actor.again.insert(key);
            return not_made;
        }
        actor.made.push(key);
        self.counts.calls += 1;
        let number = actor.layers.iter().position(|layer| layer.id == key.layer).expect("just found");
        Ok(Some(Chunk::new(Plain(number as i64))))
    }

    /// Every call has ended: it was made in its turn, or its client was told.
    pub fn compare_actors(&self) -> Result<(), String> {
        self.actors.iter().enumerate().try_for_each(|(number, actor)| {
            let order: Vec<usize> =
                actor.made.iter().filter_map(|key| actor.layers.iter().position(|layer| layer.id == key.layer)).collect();
            if !order.is_sorted_by(|one, next| one < next) {
                return Err(format!("the calls of actor {number} were made in the order {order:?}"));
            }
            (1..actor.layers.len())
                .try_for_each(|call| self.compare_call(actor, call).map_err(|why| format!("call {call} of actor {number} {why}")))
        })
    }

    fn compare_call(&self, actor: &Actor, number: usize) -> Result<(), String> {
        let key = actor.call(number);
        let Some(state) = self.runs.get(&actor.runs[number]).filter(|state| !state.left) else { return Ok(()) };
        let whole = state.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
        match state.ends.get(&key).map(|end| end.as_ref()).or(whole.map(Err)) {
            Some(Ok(chunk)) => match chunk.get::<Plain<i64>>().map(|value| value.0) {
                Some(NOT_MADE) if self.lossless => Err("was not made, though nothing was lost".into()),
                Some(NOT_MADE) if self.is_gone(actor) || actor.again.contains(&key) => Ok(()),
                Some(NOT_MADE) => Err("says that it was not made, though its actor lives and it was asked for once".into()),
                Some(made) if made == number as i64 && actor.made.contains(&key) => Ok(()),
                found => Err(format!("gives {found:?}")),
            },
            Some(Err(failure)) if self.may_fail(actor, state.restarted, failure) => Ok(()),
            found => Err(format!("ended like this: {found:?}")),
        }
    }

    /// Whether its process is gone, as the scheduler sees it, or all that was kept for clients since it was made.
    fn is_gone(&self, actor: &Actor) -> bool {
        let unknown = actor.home.as_ref().is_none_or(|(home, _)| !self.names.contains_key(home));
        unknown || actor.runs.first().and_then(|run| self.runs.get(run)).is_none_or(|state| state.restarted)
    }

    /// A state cannot be sent to where its calls go because it was made again elsewhere; workers died too often under a call; the
    /// cluster was restarted, or had no memory for it.
    fn may_fail(&self, actor: &Actor, restarted: bool, failure: &Failure) -> bool {
        match failure.code {
            Code::NotEncodable => self.is_gone(actor),
            Code::KilledWorker => self.counts.deaths > u64::from(self.faults.allowed_failures),
            Code::Cancelled => restarted,
            Code::MemoryTooSmall => self.memory_limit > 0 && self.faults.limit_told,
            _ => false,
        }
    }
}

/// The next call: where the state is, if that can be, and after the call before.
fn call(number: usize, actor: &Actor, home: &str) -> Layer {
    let token = (number as u64) << 32 | actor.layers.len() as u64;
    let call = OpRef::closure("call", token, |_, _| Ok(Chunk::new(Plain(NOT_MADE))));
    let reads = |layer: &Arc<Layer>| Edge { layer: layer.id, wiring: Wiring::Each };
    let mut edges = vec![reads(&actor.layers[0])];
    edges.extend(actor.layers[1..].last().map(reads));
    let mut layer = Layer::single(format!("actor{number}call{}", actor.layers.len()), 1, call, edges);
    let wishes = Annotations { workers: vec![home.to_string()], allow_other_workers: true, ..Annotations::default() };
    layer.annotations = Some(Arc::new(wishes));
    layer
}
