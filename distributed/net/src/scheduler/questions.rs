//! What clients ask, and what is answered at once.
//!
//! It refuses to change the machine for a question that only looks. Invariant: every question is answered once, with an
//! answer or with a failure.

use std::collections::BTreeMap;
use std::time::Duration;

use partita_core::protocol::{ClientId, RunId, SchedulerEvent, WorkerId};
use partita_graph::{Code, Failure, Key};

use super::owner::Owner;
use super::workers::Worker;
use crate::message::{Answer, Located, PeerAddress, Question};

/// Keys in one question or answer.
const MOST_KEYS: usize = 10_000_000;

impl Owner {
    pub fn asked(&mut self, client: ClientId, query: u64, what: Question) {
        let answer = match what {
            Question::CheckPaths(paths) => return self.check_paths(client, query, paths),
            Question::Retire { names, within } => return self.retire(client, query, names, Duration::from_micros(within)),
            Question::Restart => return self.restart(client, query),
            Question::Coordinate(what) => return self.coordinate(client, query, what),
            Question::Withdraw { query: asked } => {
                self.withdraw(client, asked);
                Ok(Answer::Done)
            }
            Question::Shutdown => {
                self.end("a client asked for it".into());
                Ok(Answer::Done)
            }
            Question::Locate { run } => self.run_of(client, run).map(|run| Answer::Located(self.locate(self.runs[&run].keys()))),
            Question::WhoHas(keys) | Question::LocateKeys(keys) if keys.len() > MOST_KEYS => {
                Err(Failure::new(Code::TooLarge, format!("{} keys were asked for, at most {MOST_KEYS}", keys.len())))
            }
            Question::WhoHas(keys) => {
                Ok(Answer::WhoHas(keys.into_iter().map(|key| (key, self.names(&self.machine.holders(key)))).collect()))
            }
            Question::LocateKeys(keys) => Ok(Answer::Located(self.locate(keys.into_iter()))),
            Question::HasWhat(name) => self.has_what(name.as_deref()),
            Question::Nbytes => Ok(self.nbytes()),
            Question::Share { name, body } => self.share(name, body),
            Question::SpilledTotal => Ok(Answer::Bytes(self.spilled_total)),
            Question::Info => Ok(Answer::Info(self.info())),
            Question::Story(key) => Ok(Answer::Text(self.story(key))),
            Question::ExplainWait(key) => Ok(Answer::Text(self.explain_wait(key))),
            Question::Told(key) => Ok(Answer::Told(self.machine.told(key))),
            Question::Rebalance => {
                self.event(SchedulerEvent::Rebalance);
                Ok(Answer::Done)
            }
            Question::Replicate { run, copies } => self.run_of(client, run).map(|run| self.replicate(run, copies)),
            Question::Publish { name, run, meta } => self.run_of(client, run).and_then(|run| self.publish(name, run, meta)),
            Question::Unpublish(name) => self.unpublish(&name),
            Question::Datasets => Ok(Answer::Names(self.datasets.keys().cloned().collect())),
            Question::Dataset(name) => self.dataset(&name),
        };
        self.answer(client, query, answer);
    }

    fn run_of(&self, client: ClientId, number: u64) -> Result<RunId, Failure> {
        let run = self.clients.get(&client).and_then(|client| client.runs.get(&number)).copied();
        run.ok_or_else(|| {
            Failure::new(Code::Cancelled, "the results are not kept on the cluster any more").help("compute or persist them once more")
        })
    }

    pub fn names(&self, workers: &[WorkerId]) -> Vec<String> {
        workers.iter().filter_map(|id| Some(self.workers.get(id)?.about.name.clone())).collect()
    }

    /// Where these chunks are, and where those workers serve them.
    pub fn locate(&self, keys: impl Iterator<Item = Key>) -> Located {
        let mut peers: BTreeMap<WorkerId, PeerAddress> = BTreeMap::new();
        let mut chunks = Vec::new();
        for key in keys {
            // Those that cannot be heard are named last: they may be reached all the same.
            let mut holders = self.machine.holders(key);
            holders.sort_by_key(|id| self.workers.get(id).is_none_or(|worker| worker.lost.is_some()));
            holders.retain(|id| self.workers.contains_key(id));
            for holder in &holders {
                peers.entry(*holder).or_insert_with(|| self.workers[holder].data.clone());
            }
            chunks.push((key, self.machine.nbytes(key).unwrap_or(0), holders));
        }
        Located { chunks, peers: peers.into_iter().collect() }
    }

    fn has_what(&self, name: Option<&str>) -> Result<Answer, Failure> {
        let asked = |(_, worker): &(&WorkerId, &Worker)| name.is_none_or(|name| worker.about.name == name);
        let held: Vec<(String, Vec<(Key, u64)>)> =
            self.workers.iter().filter(asked).map(|(id, worker)| (worker.about.name.clone(), self.machine.holdings(*id))).collect();
        match name {
            Some(name) if held.is_empty() => Err(self.no_worker(name)),
            _ => Ok(Answer::HasWhat(held)),
        }
    }

    /// The failure for a name that no connected worker has.
    pub fn no_worker(&self, name: &str) -> Failure {
        let known: Vec<&str> = self.workers.values().map(|worker| worker.about.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::new(Code::InvalidOption, format!("no worker is called `{name}`")).detail("connected", known)
    }

    fn nbytes(&self) -> Answer {
        let sizes = self.layers.iter().map(|(id, shared)| {
            let of = |index| self.machine.nbytes(Key::new(*id, index)).unwrap_or(0);
            (*id, shared.layer.name.to_string(), (0..shared.layer.len).map(of).sum())
        });
        Answer::Nbytes(sizes.filter(|(_, _, nbytes)| *nbytes > 0).collect())
    }

    pub fn story(&self, key: Key) -> Vec<String> {
        self.machine.story(key).iter().map(|event| self.with_names(&event.to_string())).collect()
    }

    /// The machine knows workers by number; people know them by name.
    fn with_names(&self, line: &str) -> String {
        let mut named = line.to_owned();
        if let Some(at) = line.find("worker ") {
            let digits: String = line[at + 7..].chars().take_while(char::is_ascii_digit).collect();
            let worker = digits.parse().ok().and_then(|number| self.workers.get(&WorkerId(number)));
            if let Some(worker) = worker {
                named.replace_range(at + 7..at + 7 + digits.len(), &worker.about.name);
            }
        }
        named
    }

    pub fn explain_wait(&self, key: Key) -> Vec<String> {
        let text = self.machine.explain(key).to_string();
        let mut lines: Vec<String> = text.lines().map(|line| self.with_names(line)).collect();
        for worker in self.workers.values().filter(|worker| worker.lost.is_some()) {
            lines.push(format!("worker {} cannot be heard at the moment, so nothing new is given to it", worker.about.name));
        }
        lines
    }

    fn replicate(&mut self, run: RunId, copies: u32) -> Answer {
        let keys = self.runs[&run].keys().collect();
        self.event(SchedulerEvent::Replicate { keys, copies });
        Answer::Done
    }
}
