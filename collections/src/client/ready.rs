//! The current client, ready to be given a graph, for who may not block.
//!
//! It refuses to plan. Invariant: whoever awaits it is not held up by an engine that starts, a scheduler that is met or workers that are told something.

use std::sync::Arc;

use partita_graph::{Executor, Failure};

use super::aside::aside;
use super::{Client, Engine};

/// The current client, started if there was none; on a cluster one whose workers know how stores are reached, so that submitting waits for nobody.
///
/// # Errors
/// As [`Client::current`]; the scheduler is gone.
pub(crate) async fn ready() -> Result<Arc<dyn Executor>, Failure> {
    let client = match Client::known().filter(Client::is_local) {
        Some(client) => client,
        None => aside(|| Client::current()?.informed()).await?,
    };
    Ok(Arc::new(client))
}

impl Client {
    /// This client, once its workers were told what they have to know before they get a task.
    fn informed(self) -> Result<Self, Failure> {
        match &self.inner.engine {
            Engine::Local { .. } => {}
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => {
                connection.informed()?;
            }
        }
        Ok(self)
    }
}
