//! Who submitted which runs. A client that cannot be heard keeps its runs for a grace period; one that is gone has none.
//!
//! It refuses to know connections: the shell says when a client is lost, back or gone. Number 0 is the process itself and
//! never goes.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Code, Failure};

use super::Scheduler;
use crate::protocol::{ClientId, RunId, SchedulerAction, Tick};

/// Of so many clients that are gone it is remembered that they are.
const REMEMBERED: usize = 65_536;

#[derive(Default)]
pub(super) struct Clients {
    known: BTreeMap<ClientId, Client>,
    gone: BTreeSet<ClientId>,
    /// Those of `known` that cannot be heard.
    lost: BTreeSet<ClientId>,
}

#[derive(Default)]
struct Client {
    runs: BTreeSet<RunId>,
    lost_since: Option<Tick>,
}

impl Clients {
    /// A run has ended for its client.
    pub fn leave(&mut self, client: ClientId, run: RunId) {
        if let Some(record) = self.known.get_mut(&client) {
            record.runs.remove(&run);
            if record.runs.is_empty() && record.lost_since.is_none() {
                self.known.remove(&client);
            }
        }
    }

    /// Asserts that runs and clients agree.
    pub fn check(&self, runs: &BTreeMap<RunId, ClientId>) {
        let found: BTreeMap<RunId, ClientId> =
            self.known.iter().flat_map(|(client, record)| record.runs.iter().map(|run| (*run, *client))).collect();
        assert_eq!(&found, runs, "runs by client");
        let lost: BTreeSet<ClientId> = self.known.iter().filter(|(_, r)| r.lost_since.is_some()).map(|(id, _)| *id).collect();
        assert_eq!(lost, self.lost, "clients that cannot be heard");
        assert!(self.known.keys().all(|client| !self.gone.contains(client)), "a client that is gone has nothing");
    }
}

impl Scheduler {
    /// Writes down whose run it is. False, and the run has failed, when its client is gone.
    pub(super) fn admit_run(&mut self, client: ClientId, run: RunId) -> bool {
        if self.clients.gone.contains(&client) {
            let failure = Failure::new(Code::Cancelled, "the client that submitted this is gone");
            self.out.push(SchedulerAction::RunFailed(run, failure));
            return false;
        }
        self.clients.known.entry(client).or_default().runs.insert(run);
        true
    }

    pub(super) fn client_lost(&mut self, client: ClientId) {
        if client != ClientId::default() && !self.clients.gone.contains(&client) {
            let record = self.clients.known.entry(client).or_default();
            record.lost_since.get_or_insert(self.now);
            self.clients.lost.insert(client);
        }
    }

    pub(super) fn client_back(&mut self, client: ClientId) {
        if self.clients.lost.remove(&client) {
            let record = self.clients.known.get_mut(&client).expect("a lost client is known");
            record.lost_since = None;
            if record.runs.is_empty() {
                self.clients.known.remove(&client);
            }
        }
    }

    pub(super) fn client_gone(&mut self, client: ClientId) {
        if client == ClientId::default() {
            return;
        }
        self.clients.lost.remove(&client);
        let runs = self.clients.known.remove(&client).map(|record| record.runs).unwrap_or_default();
        self.clients.gone.insert(client);
        if self.clients.gone.len() > REMEMBERED {
            self.clients.gone.pop_first();
        }
        runs.into_iter().for_each(|run| self.release(run));
    }

    /// Lets go of clients that were out of reach for too long.
    pub(super) fn forget_clients(&mut self) {
        let (now, grace) = (self.now, self.config.client_grace);
        let over = |client: &&ClientId| self.clients.known[*client].lost_since.is_some_and(|since| now >= since + grace);
        for client in self.clients.lost.iter().filter(over).copied().collect::<Vec<_>>() {
            self.client_gone(client);
            self.out.push(SchedulerAction::ClientForgotten(client));
        }
    }

    /// Everything ends as cancelled. Tasks are stopped and chunks dropped because nobody wants them any more.
    pub(super) fn restart(&mut self) {
        for run in self.runs.keys().copied().collect::<Vec<_>>() {
            if self.runs[&run].cause().is_none() {
                let failure = Failure::new(Code::Cancelled, "the cluster was restarted").help("submit it again");
                self.out.push(SchedulerAction::RunFailed(run, failure));
            }
            self.release(run);
        }
    }
}
