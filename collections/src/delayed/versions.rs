//! What runs where: the program, its version and its machine, of the client and of every worker.

use std::collections::BTreeMap;

use partita_graph::Failure;
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// A process and its machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Partita's version.
    pub version: String,
    /// The program.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// The operating system and the processor's architecture.
    pub system: String,
    /// Whether it was built with optimization.
    pub optimized: bool,
    /// Cores that it may use.
    pub cores: usize,
    /// Bytes of memory of the machine or container.
    pub memory: u64,
    /// The functions with `#[task]` that it contains, in order.
    pub tasks: Vec<String>,
}

/// See [`Client::versions`].
#[derive(Clone, Debug)]
pub struct Versions {
    /// This process.
    pub client: Environment,
    /// Each worker's, or why it did not say, by the worker's name.
    pub workers: BTreeMap<String, Result<Environment, Failure>>,
}

impl Versions {
    /// What does not fit together, a sentence each; empty when all is well.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, worker) in &self.workers {
            let worker = match worker {
                Ok(worker) => worker,
                Err(failure) => {
                    found.push(format!("worker {name} did not answer: {}", failure.what));
                    continue;
                }
            };
            if worker.version != self.client.version {
                found.push(format!("worker {name} runs partita {}, this program {}", worker.version, self.client.version));
            }
            if worker.optimized != self.client.optimized {
                found.push(format!("worker {name} was built {} optimization", if worker.optimized { "with" } else { "without" }));
            }
            let lacking: Vec<&str> = self.client.tasks.iter().filter(|task| !worker.tasks.contains(task)).map(String::as_str).collect();
            if !lacking.is_empty() {
                found.push(format!("worker {name} does not contain {}", lacking.join(", ")));
            }
        }
        found
    }
}

impl Client {
    /// Asks every worker what it is: versions, program, machine, functions.
    ///
    /// ```
    /// use partita::Client;
    /// let client = Client::builder().threads(1).build()?;
    /// let versions = client.versions()?;
    /// assert!(versions.differences().is_empty());
    /// assert_eq!(versions.workers.len(), 1);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::run_on_workers`].
    #[doc(alias = "get_versions")]
    pub fn versions(&self) -> Result<Versions, Failure> {
        Ok(Versions { client: environment(), workers: self.run_on_workers(environment, ())? })
    }
}

/// Of the process that runs this.
#[partita::task(pure = false)]
fn environment() -> Environment {
    let program = std::env::current_exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Environment {
        version: env!("CARGO_PKG_VERSION").into(),
        program,
        pid: std::process::id(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        optimized: !cfg!(debug_assertions),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory: partita_local::memory_of_machine(),
        tasks: {
            let mut names: Vec<String> = super::call::entries().map(|entry| entry.name.to_owned()).collect();
            names.sort_unstable();
            names
        },
    }
}
