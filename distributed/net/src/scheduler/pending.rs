//! Questions whose answer takes others: paths that workers look up, workers that are to go, workers that are started again.
//!
//! It refuses to wait for ever: each has a time after which it is answered with what is known. A worker that goes counts as
//! having answered, whatever it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use partita_core::protocol::{ClientId, SchedulerEvent, WorkerId};
use partita_graph::{Code, Failure};

use super::owner::Owner;
use crate::message::{Answer, SchedulerToClient, SchedulerToNanny, SchedulerToWorker};

/// How long workers may look for paths.
const PATHS_PATIENCE: Duration = Duration::from_secs(5);
/// How long nannies may take to start workers again.
const RESTART_PATIENCE: Duration = Duration::from_secs(60);
/// The longest that workers may take to go: what is asked for beyond is as good as for ever, and time can be added up.
const LONGEST_RETIREMENT: Duration = Duration::from_secs(365 * 24 * 3600);
/// Paths in one question.
const MOST_PATHS: usize = 100_000;

/// A question that is not answered yet.
pub(super) enum Pending {
    Paths {
        client: ClientId,
        query: u64,
        /// The number that workers repeat.
        number: u64,
        waiting: BTreeSet<WorkerId>,
        answered: u32,
        missing: BTreeMap<String, Vec<String>>,
        until: Instant,
    },
    Retire {
        client: ClientId,
        query: u64,
        waiting: BTreeSet<WorkerId>,
        gone: Vec<String>,
        refused: Vec<(String, String)>,
        until: Instant,
    },
    Restart {
        client: ClientId,
        query: u64,
        /// Nannies whose workers are not back.
        waiting: BTreeSet<u128>,
        lost: Vec<String>,
        until: Instant,
    },
}

impl Pending {
    pub fn client(&self) -> ClientId {
        match self {
            Pending::Paths { client, .. } | Pending::Retire { client, .. } | Pending::Restart { client, .. } => *client,
        }
    }

    /// The answer, once nobody is waited for or the time is over.
    fn answer(&mut self, now: Instant) -> Option<(ClientId, u64, Result<Answer, Failure>)> {
        match self {
            Pending::Paths { client, query, waiting, answered, missing, until, .. } => {
                let over = waiting.is_empty() || now >= *until;
                let missing = over.then(|| std::mem::take(missing).into_iter().collect())?;
                Some((*client, *query, Ok(Answer::Missing { missing, asked: *answered })))
            }
            Pending::Retire { client, query, waiting, gone, refused, .. } if waiting.is_empty() => {
                let answer = match refused.split_first() {
                    None => Ok(Answer::Names(std::mem::take(gone))),
                    Some(((name, why), others)) => {
                        let failure = Failure::new(Code::NoWorkers, format!("worker `{name}` cannot be retired: {why}"));
                        let failure = failure.detail("retired", if gone.is_empty() { "none".into() } else { gone.join(", ") });
                        Err(others.iter().fold(failure, |failure, (name, why)| failure.detail("stays too", format!("`{name}`: {why}"))))
                    }
                };
                Some((*client, *query, answer))
            }
            Pending::Restart { client, query, waiting, lost, until } if waiting.is_empty() || now >= *until => {
                let missing = waiting.len() + lost.len();
                let answer = match missing {
                    0 => Ok(Answer::Done),
                    _ => Err(Failure::new(Code::WorkerStart, format!("{missing} workers did not come back after the restart"))
                        .detail("why", if lost.is_empty() { "they take longer than a minute".into() } else { lost.join("; ") })),
                };
                Some((*client, *query, answer))
            }
            Pending::Retire { .. } | Pending::Restart { .. } => None,
        }
    }
}

/// Somebody in this process who is told the answer to a question.
pub(super) type Told = Box<dyn FnOnce(Result<Answer, Failure>) + Send>;

/// Those in this process, as who asks.
const VISITORS: ClientId = ClientId(0);

impl Owner {
    pub fn answer(&mut self, client: ClientId, query: u64, answer: Result<Answer, Failure>) {
        if client != VISITORS {
            return self.say(client, SchedulerToClient::Answer { query, answer });
        }
        if let Some(told) = self.visitors.remove(&query) {
            told(answer);
        }
    }

    /// Somebody in this process wants a worker to go.
    pub fn visitor_retires(&mut self, name: String, within: Duration, told: Told) {
        let query = self.next_query;
        self.next_query += 1;
        self.visitors.insert(query, told);
        self.retire(VISITORS, query, vec![name], within);
    }

    /// Answers what can be answered.
    pub fn look_after_pending(&mut self) {
        let now = self.now();
        let mut ready = Vec::new();
        self.pending.retain_mut(|pending| match pending.answer(now) {
            Some(answer) => {
                ready.push(answer);
                false
            }
            None => true,
        });
        for (client, query, answer) in ready {
            self.answer(client, query, answer);
        }
    }

    /// Workers that take too long to go serve again, unless somebody else still waits for them to go, or they want to go themselves.
    /// Not from within an action: the machine is told.
    pub fn end_patience(&mut self) {
        let now = self.now();
        let (mut late, mut awaited) = (BTreeSet::new(), BTreeSet::new());
        for pending in &self.pending {
            if let Pending::Retire { waiting, until, .. } = pending {
                let list = if now >= *until { &mut late } else { &mut awaited };
                list.extend(waiting.iter().copied());
            }
        }
        for worker in late {
            let goes_on = awaited.contains(&worker) || self.workers.get(&worker).is_some_and(|worker| worker.wants_to_retire);
            if !goes_on {
                // The answer of the machine ends the wait.
                self.event(SchedulerEvent::Stay(worker));
                continue;
            }
            let why = format!("its time is over, and {}", self.machine.not_retired_for(worker));
            let name = self.names(&[worker]).pop().unwrap_or_default();
            for pending in &mut self.pending {
                if let Pending::Retire { waiting, refused, until, .. } = pending
                    && now >= *until
                    && waiting.remove(&worker)
                {
                    refused.push((name.clone(), why.clone()));
                }
            }
        }
    }

    pub fn check_paths(&mut self, client: ClientId, query: u64, paths: Vec<String>) {
        if paths.len() > MOST_PATHS {
            let failure = Failure::new(Code::TooLarge, format!("{} paths were asked for, at most {MOST_PATHS}", paths.len()));
            return self.answer(client, query, Err(failure));
        }
        let number = self.next_query;
        self.next_query += 1;
        let mut waiting = BTreeSet::new();
        for (id, worker) in self.workers.iter_mut().filter(|(_, worker)| worker.lost.is_none()) {
            worker.say(&SchedulerToWorker::CheckPaths { query: number, paths: paths.clone() });
            waiting.insert(*id);
        }
        let until = self.now() + PATHS_PATIENCE;
        self.pending.push(Pending::Paths { client, query, number, waiting, answered: 0, missing: BTreeMap::new(), until });
        self.look_after_pending();
    }

    pub fn paths_checked(&mut self, worker: WorkerId, query: u64, paths: Vec<String>) {
        let name = self.workers.get(&worker).map(|worker| worker.about.name.clone()).unwrap_or_default();
        for pending in &mut self.pending {
            if let Pending::Paths { number, waiting, answered, missing, .. } = pending
                && *number == query
                && waiting.remove(&worker)
            {
                *answered += 1;
                for path in &paths {
                    missing.entry(path.clone()).or_default().push(name.clone());
                }
            }
        }
        self.look_after_pending();
    }

    pub fn paths_of_gone(&mut self, worker: WorkerId) {
        for pending in &mut self.pending {
            if let Pending::Paths { waiting, .. } = pending {
                waiting.remove(&worker);
            }
        }
    }

    pub fn retire(&mut self, client: ClientId, query: u64, names: Vec<String>, within: Duration) {
        let mut waiting = BTreeSet::new();
        for name in &names {
            let named = |worker: &super::workers::Worker| {
                worker.about.name == *name || crate::address::place(&worker.data.host, worker.data.port) == *name
            };
            match self.workers.iter().find(|(_, worker)| named(worker)) {
                Some((id, _)) => drop(waiting.insert(*id)),
                None => {
                    let known: Vec<&str> = self.workers.values().map(|worker| worker.about.name.as_str()).collect();
                    let failure =
                        Failure::new(Code::InvalidOption, format!("no worker is called `{name}`")).detail("connected", known.join(", "));
                    return self.answer(client, query, Err(failure));
                }
            }
        }
        let asked: Vec<WorkerId> = waiting.iter().copied().collect();
        let until = self.now() + within.min(LONGEST_RETIREMENT);
        self.pending.push(Pending::Retire { client, query, waiting, gone: Vec::new(), refused: Vec::new(), until });
        for worker in asked {
            self.event(SchedulerEvent::Retire(worker));
        }
        self.look_after_pending();
    }

    /// A worker has gone, or cannot.
    pub fn retire_ended(&mut self, worker: WorkerId, name: &str, refusal: Option<String>) {
        for pending in &mut self.pending {
            if let Pending::Retire { waiting, gone, refused, .. } = pending
                && waiting.remove(&worker)
            {
                match &refusal {
                    None => gone.push(name.to_owned()),
                    Some(why) => refused.push((name.to_owned(), why.clone())),
                }
            }
        }
        self.look_after_pending();
    }

    /// Everything is forgotten but the workers; those with a nanny get a new process.
    pub fn restart(&mut self, client: ClientId, query: u64) {
        self.diary.write("restart: all runs are cancelled");
        self.event(SchedulerEvent::Restart);
        let runs: Vec<_> = self.runs.keys().copied().collect();
        for run in runs {
            let book = self.runs.get(&run).expect("just listed");
            if let Some(owner) = self.clients.get_mut(&book.client) {
                owner.runs.remove(&book.number);
            }
            self.close_run(run);
        }
        self.datasets.clear();
        let mut waiting = BTreeSet::new();
        for worker in self.workers.values() {
            let nanny = worker.nanny.and_then(|id| Some((id, self.nannies.get(&id).filter(|nanny| !nanny.lost)?)));
            if let Some((id, nanny)) = nanny {
                nanny.say(&SchedulerToNanny::Restart { incarnation: worker.incarnation });
                waiting.insert(id);
            }
        }
        let until = self.now() + RESTART_PATIENCE;
        self.pending.push(Pending::Restart { client, query, waiting, lost: Vec::new(), until });
        self.look_after_pending();
    }

    /// A worker joined; perhaps it is one that was to be started again.
    pub fn worker_is_back(&mut self, nanny: Option<u128>) {
        let Some(nanny) = nanny else { return };
        for pending in &mut self.pending {
            if let Pending::Restart { waiting, .. } = pending {
                waiting.remove(&nanny);
            }
        }
        self.look_after_pending();
    }

    pub fn worker_will_not_come(&mut self, nanny: u128, why: &str) {
        for pending in &mut self.pending {
            if let Pending::Restart { waiting, lost, .. } = pending
                && waiting.remove(&nanny)
            {
                lost.push(why.to_owned());
            }
        }
        self.look_after_pending();
    }
}
