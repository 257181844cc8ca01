//! Memory: what a plan may count on, and what was spilled for want of it.
//!
//! It refuses to know what plans do with it.

use std::sync::OnceLock;

use partita_graph::Executor;

use super::{Client, Engine, planned_threads};

/// The memory of this machine, looked up once.
static MACHINE: OnceLock<u64> = OnceLock::new();

/// Memory that a plan is made for, in bytes: the limit of the current client, or this machine's memory when there is none yet.
pub(crate) fn planned_memory() -> u64 {
    let limit = match Client::known().as_ref().map(|client| &client.inner.engine) {
        Some(Engine::Local { memory_limit, .. }) => *memory_limit,
        // Workers are asked for their limits over the network, and are like this machine more often than not.
        #[cfg(feature = "cluster")]
        Some(Engine::Cluster(_)) => 0,
        None => 0,
    };
    if limit > 0 { limit } else { *MACHINE.get_or_init(partita_local::memory_of_machine) }
}

/// Memory for each thread that a plan is made for, in bytes: of the worker of the current client that has the least, or of this machine when there
/// is none yet. `None` without a limit.
pub(crate) fn planned_memory_per_thread() -> Option<u64> {
    match Client::known() {
        Some(client) => client.memory_per_thread(),
        None => Some(planned_memory() / planned_threads().max(1) as u64),
    }
}

impl Client {
    /// Bytes that were ever written to disk for want of memory: by the engine of this process, or by all workers of the cluster, whoever
    /// they worked for. 0 when the scheduler does not answer.
    pub(crate) fn spilled_so_far(&self) -> u64 {
        match &self.inner.engine {
            Engine::Local { local, .. } => local.spilled_bytes_total(),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.spilled_bytes_total().unwrap_or(0),
        }
    }
}
