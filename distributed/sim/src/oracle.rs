//! What must be true of every story, told by a seed or by a script: results are the oracle's, memory is kept, and in the end
//! nothing is left. It looks at machines only through what they show to everybody.

use partita_core::protocol::{Ending, RunId};
use partita_graph::{Chunk, Graph, Key};

use crate::cluster::Cluster;
use crate::random_graph::digest;

/// No story needs nearly as many.
pub(crate) const MOST_EVENTS: u64 = 400_000;
/// Virtual time for which nothing but clocks may ring before a cluster counts as empty: longer than anything waits for a clock.
const CALM_MICROS: u64 = 5_000_000;

/// True bytes in memory stay below the limit wherever chunks are small enough for that.
pub(crate) fn memory_is_kept(cluster: &Cluster, bounded: bool) -> Result<(), String> {
    let limit = cluster.memory_limit;
    match cluster.nodes.iter().find(|(_, node)| bounded && node.bytes() > limit) {
        Some((id, node)) => Err(format!("worker {} has {} bytes in memory, its limit is {limit}", id.0, node.bytes())),
        None => Ok(()),
    }
}

/// Which results are missing, and why.
pub(crate) fn stuck(cluster: &Cluster) -> String {
    let mut text = String::from("the faults have stopped but these results do not come:");
    for (run, state) in cluster.runs.iter().filter(|(_, state)| !state.left && state.outcome.is_none()) {
        let waits = |key: &&Key| state.ending == Ending::Together || !state.has_ended(key);
        let wanted: Vec<&Key> = state.graph.wanted.iter().filter(waits).collect();
        let missing: Vec<&&Key> = wanted.iter().filter(|key| cluster.scheduler.holders(***key).is_empty()).take(3).collect();
        for key in &missing {
            text += &format!("\n  run {}: {}", run.0, cluster.scheduler.explain(***key));
        }
        if missing.is_empty() {
            let has = |key: &Key| {
                cluster.scheduler.holders(*key).iter().any(|holder| cluster.nodes.get(holder).is_some_and(|n| n.get(*key, None).is_some()))
            };
            let vain: Vec<&&Key> = wanted.iter().filter(|key| !has(key)).take(3).collect();
            text += &format!("\n  run {}: all are stored, but nobody said so, or they are not where they should be: {vain:?}", run.0);
        }
    }
    text += &format!("\n  {}", cluster.agreed.stuck());
    for (id, node) in &cluster.nodes {
        text += &format!("\n  worker {}: {:?}", id.0, node.worker.snapshot());
    }
    text + &format!("\n  {:?}", cluster.scheduler.snapshot())
}

/// Everybody loses interest; then everything ends that still goes on.
pub(crate) fn release_all(cluster: &mut Cluster) -> Result<(), String> {
    let runs: Vec<RunId> = cluster.runs.keys().copied().collect();
    for run in runs {
        let cancel = cluster.rng.bool();
        cluster.leave(run, cancel)?;
    }
    let from = cluster.counts.events;
    let mut calm_since = cluster.now;
    loop {
        if !cluster.idle() {
            calm_since = cluster.now;
        }
        if cluster.now - calm_since > CALM_MICROS {
            cluster.ticking = false;
        }
        if !cluster.step()? {
            return Ok(());
        }
        if cluster.counts.events > from + MOST_EVENTS {
            return Err("everything is released, but events go on and on".into());
        }
    }
}

/// Nobody wants anything: no machine and no shell has anything.
pub(crate) fn nothing_left(cluster: &Cluster) -> Result<(), String> {
    let seen = cluster.scheduler.snapshot();
    let busy = seen.workers.iter().any(|worker| worker.assigned > 0 || worker.resources.values().any(|(_, taken)| *taken > 0));
    if !seen.layers.is_empty() || !seen.runs.is_empty() || busy {
        return Err(format!("everything is released, but the scheduler has {seen:?}"));
    }
    for (id, node) in &cluster.nodes {
        if let Some(left) = node.leftovers() {
            return Err(format!("everything is released, but worker {} has {left}", id.0));
        }
    }
    if !cluster.inside.is_empty() {
        return Err("everything is released, but an operator still waits inside".into());
    }
    if !cluster.requests.is_empty() {
        return Err("everything is released, but somebody still waits for a peer".into());
    }
    Ok(())
}

/// The results of a run are those of the oracle, bit by bit.
pub(crate) fn same(run: u64, graph: &Graph, found: &[Chunk], expected: &[Chunk]) -> Result<(), String> {
    let different = found.iter().zip(expected).position(|(found, expected)| digest(found) != digest(expected));
    match different {
        Some(at) => Err(format!("run {run}: result {:?} is not the oracle's", graph.wanted[at])),
        None if found.len() != expected.len() => Err(format!("run {run}: {} results instead of {}", found.len(), expected.len())),
        None => Ok(()),
    }
}
