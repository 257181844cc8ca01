//! What may be asked of a cluster.
//!
//! It refuses to interpret answers. Invariant: every call returns, with the answer, with the scheduler's refusal, or with the
//! end of the connection.

use std::time::{Duration, Instant};

use partita_core::coordination;
use partita_graph::{Code, Failure, Graph, Key, LayerId, Run, RunEach};

use super::Remote;
use super::remote::Inner;
use crate::message::{Answer, ClusterInfo, Question, Sealed};
use crate::wire;

/// Between two looks at who has joined.
const LOOK: Duration = Duration::from_millis(20);

/// How long workers may take to go, unless it is said.
pub const RETIRE_TIMEOUT: Duration = Duration::from_secs(600);

/// For each path that is missing somewhere the workers that do not have it, and how many workers were asked.
pub type Missing = (Vec<(String, Vec<String>)>, usize);

/// For each worker's name what it holds, with bytes.
pub type Holdings = Vec<(String, Vec<(Key, u64)>)>;

fn unexpected(answer: &Answer) -> Failure {
    Failure::internal(format!("the scheduler answered something else than was asked: {answer:?}"))
}

impl Inner {
    /// How much of how much is done of a task that runs, if it says so.
    pub(super) fn told(&self, key: Key) -> Result<Option<(u64, u64)>, Failure> {
        match self.ask(Question::Told(key))? {
            Answer::Told(told) => Ok(told),
            other => Err(unexpected(&other)),
        }
    }
}

impl Remote {
    fn done(&self, what: Question) -> Result<(), Failure> {
        match self.ask(what)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn names(&self, what: Question) -> Result<Vec<String>, Failure> {
        match self.ask(what)? {
            Answer::Names(names) => Ok(names),
            other => Err(unexpected(&other)),
        }
    }

    fn text(&self, what: Question) -> Result<Vec<String>, Failure> {
        match self.ask(what)? {
            Answer::Text(lines) => Ok(lines),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks the coordination machine; `told` is called once with its answer, on another thread, and must not block. The number is for
    /// [`Remote::withdraw`].
    pub fn coordinate(&self, what: coordination::Ask, told: impl FnOnce(Result<coordination::Answer, Failure>) + Send + 'static) -> u64 {
        let then = |answered: Result<Answer, Failure>| {
            told(match answered {
                Ok(Answer::Coordinated(answer)) => Ok(answer),
                Ok(other) => Err(unexpected(&other)),
                Err(failure) => Err(failure),
            });
        };
        self.ask_then(Question::Coordinate(what), Box::new(then))
    }

    /// The answer to this question of [`Remote::coordinate`] is not waited for any more. It comes all the same, and says that the call was
    /// withdrawn when nothing had been given for it; a lock or a lease that had is taken back.
    pub fn withdraw(&self, number: u64) {
        self.ask_then(Question::Withdraw { query: number }, Box::new(drop));
    }

    /// Scheduler, workers and clients at this moment.
    ///
    /// # Errors
    /// The scheduler is gone (E0221), as for everything below.
    pub fn info(&self) -> Result<ClusterInfo, Failure> {
        let answered = self.ask(Question::Info);
        self.inner().hear_room(&answered);
        match answered? {
            Answer::Info(info) => Ok(info),
            other => Err(unexpected(&other)),
        }
    }

    /// For each key the names of the workers that hold its chunk.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn who_has(&self, keys: &[Key]) -> Result<Vec<(Key, Vec<String>)>, Failure> {
        match self.ask(Question::WhoHas(keys.to_vec()))? {
            Answer::WhoHas(holders) => Ok(holders),
            other => Err(unexpected(&other)),
        }
    }

    /// What each worker holds, or the one of this name: keys and bytes.
    ///
    /// # Errors
    /// No worker has this name (E0108).
    pub fn has_what(&self, worker: Option<&str>) -> Result<Holdings, Failure> {
        match self.ask(Question::HasWhat(worker.map(str::to_owned)))? {
            Answer::HasWhat(held) => Ok(held),
            other => Err(unexpected(&other)),
        }
    }

    /// Bytes that are stored, by layer, copies counted once.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn nbytes(&self) -> Result<Vec<(LayerId, String, u64)>, Failure> {
        match self.ask(Question::Nbytes)? {
            Answer::Nbytes(layers) => Ok(layers),
            other => Err(unexpected(&other)),
        }
    }

    /// Shares something with all workers, those that join later too: they know it before they are given a task that is submitted after this.
    /// What was shared under the name before is replaced, whoever shared it. It is shown nowhere.
    ///
    /// # Errors
    /// Too much is shared (E0217): one thing has at most [`crate::message::MOST_SHARED`] bytes.
    pub fn share(&self, name: &str, body: Vec<u8>) -> Result<(), Failure> {
        self.done(Question::Share { name: name.into(), body: Sealed(body) })
    }

    /// Bytes that workers ever wrote to disk for want of memory, since the scheduler started; those that are gone are counted too. What was
    /// written before a result was there is counted when the result is known.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn spilled_bytes_total(&self) -> Result<u64, Failure> {
        match self.ask(Question::SpilledTotal)? {
            Answer::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until so many workers are connected.
    ///
    /// # Errors
    /// Not so many came in time (E0205); the message says how many there are.
    pub fn wait_for_workers(&self, count: usize, timeout: Duration) -> Result<(), Failure> {
        let until = Instant::now() + timeout;
        loop {
            let here = self.info()?.workers.iter().filter(|worker| worker.connected).count();
            if here >= count {
                return Ok(());
            }
            if Instant::now() >= until {
                let what = format!("{here} of {count} workers are connected after {timeout:?}");
                return Err(Failure::new(Code::NoWorkers, what).help("start more with `partita worker ADDRESS`, or wait longer"));
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// What happened to a task lately, a line each.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn story(&self, key: Key) -> Result<Vec<String>, Failure> {
        self.text(Question::Story(key))
    }

    /// Why a task does not run, a line each.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn explain_wait(&self, key: Key) -> Result<Vec<String>, Failure> {
        self.text(Question::ExplainWait(key))
    }

    /// Lets workers go, by name or by the address of their data port; what only they hold is moved first, and what they run may end.
    /// Returns those that went. They may take [`RETIRE_TIMEOUT`]; [`Remote::retire_workers_within`] takes another time.
    ///
    /// # Errors
    /// No worker is called so (E0108); what one holds fits nowhere else, or it takes too long (E0205): then it serves again.
    pub fn retire_workers(&self, names: &[&str]) -> Result<Vec<String>, Failure> {
        self.retire_workers_within(names, RETIRE_TIMEOUT)
    }

    /// The same with a time of one's own. Workers that take longer stay and serve again.
    ///
    /// # Errors
    /// As [`Remote::retire_workers`]; the message says what each worker that stays still runs and holds.
    pub fn retire_workers_within(&self, names: &[&str], timeout: Duration) -> Result<Vec<String>, Failure> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.names(Question::Retire { names, within: u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX) })
    }

    /// Cancels all runs of all clients, forgets all results, and starts workers that have a nanny again.
    ///
    /// # Errors
    /// A worker did not come back within a minute (E0223).
    pub fn restart(&self) -> Result<(), Failure> {
        self.done(Question::Restart)
    }

    /// Begins to move chunks from full workers to empty ones.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn rebalance(&self) -> Result<(), Failure> {
        self.done(Question::Rebalance)
    }

    /// Begins to copy a run's results until there are so many copies in all.
    ///
    /// # Errors
    /// The run is not of this cluster (E0108).
    pub fn replicate(&self, run: &Run, copies: u32) -> Result<(), Failure> {
        self.done(Question::Replicate { run: self.number(run)?, copies })
    }

    /// The same of a run whose keys end one by one.
    ///
    /// # Errors
    /// The run is not of this cluster (E0108).
    pub fn replicate_each(&self, run: &RunEach, copies: u32) -> Result<(), Failure> {
        self.done(Question::Replicate { run: self.number_each(run)?, copies })
    }

    /// Gives a run's results a name, under which all clients find them until [`Remote::unpublish`]. `meta` is for whoever uses
    /// them.
    ///
    /// # Errors
    /// The name is taken (E0215); the run is not of this cluster (E0108).
    pub fn publish(&self, name: &str, run: &Run, meta: Vec<u8>) -> Result<(), Failure> {
        self.done(Question::Publish { name: name.into(), run: self.number(run)?, meta })
    }

    /// Takes a name back.
    ///
    /// # Errors
    /// Nothing has this name (E0108).
    pub fn unpublish(&self, name: &str) -> Result<(), Failure> {
        self.done(Question::Unpublish(name.into()))
    }

    /// All published names.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn datasets(&self) -> Result<Vec<String>, Failure> {
        self.names(Question::Datasets)
    }

    /// What was published under a name: what the publisher attached, and the graph, whose submission gives the results.
    ///
    /// # Errors
    /// Nothing has this name (E0108).
    pub fn dataset(&self, name: &str) -> Result<(Vec<u8>, Graph), Failure> {
        match self.ask(Question::Dataset(name.into()))? {
            Answer::Dataset { meta, graph, .. } => Ok((meta, wire::decode_graph(&graph)?)),
            other => Err(unexpected(&other)),
        }
    }

    /// Which of these absolute paths are missing on which workers, and how many workers were asked. A worker that does not
    /// answer within five seconds is not counted.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn check_paths(&self, paths: Vec<String>) -> Result<Missing, Failure> {
        match self.ask(Question::CheckPaths(paths))? {
            Answer::Missing { missing, asked } => Ok((missing, asked as usize)),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the scheduler and its workers.
    ///
    /// # Errors
    /// The scheduler is gone already.
    pub fn shutdown(&self) -> Result<(), Failure> {
        self.done(Question::Shutdown)
    }
}
