//! The nannies' side: who watches which worker, and what they report.
//!
//! It refuses to know processes. Invariant: a death that a nanny saw is told to the machine once, about the process that died
//! and no other.

use partita_core::protocol::{Gone, WorkerId};

use super::door::NewNanny;
use super::inbox::{FromNanny, LinkChange};
use super::owner::Owner;
use crate::link::Link;
use crate::message::{NannyToScheduler, SchedulerToNanny};
use crate::wire;

/// One connected nanny.
pub(super) struct Nanny {
    pub host: String,
    pub worker_name: String,
    pub link: Link,
    /// Nothing is heard of it at the moment.
    pub lost: bool,
}

impl Nanny {
    pub fn say(&self, message: &SchedulerToNanny) {
        self.link.send(wire::encode_to_nanny(message));
    }
}

impl Owner {
    pub fn on_nanny(&mut self, id: u128, what: FromNanny) {
        match what {
            FromNanny::Joined(new) => {
                let NewNanny { host, worker_name, link } = *new;
                self.nannies.insert(id, Nanny { host, worker_name, link, lost: false });
            }
            FromNanny::Said(NannyToScheduler::Died { incarnation, why, executing }) => {
                let found = self.workers.iter().find(|(_, worker)| worker.incarnation == incarnation).map(|(worker, _)| *worker);
                match found {
                    Some(worker) => self.nanny_saw_death(worker, why, executing),
                    None => self.diary.write(format!("a worker of the nanny on {} ended: {why}", self.host_of(id))),
                }
            }
            FromNanny::Said(NannyToScheduler::GivenUp { why }) => {
                let name = self.nannies.get(&id).map(|nanny| nanny.worker_name.clone()).unwrap_or_default();
                self.diary.write(format!("the nanny on {} does not start worker {name} again: {why}", self.host_of(id)));
                self.worker_will_not_come(id, &why);
            }
            FromNanny::Link(LinkChange::Lost { .. }) => self.set_nanny_lost(id, true),
            FromNanny::Link(LinkChange::Back) => self.set_nanny_lost(id, false),
            FromNanny::Link(LinkChange::Closed(failure)) | FromNanny::Garbage(failure) => {
                self.nannies.remove(&id);
                self.worker_will_not_come(id, &failure.what);
            }
        }
    }

    fn host_of(&self, nanny: u128) -> &str {
        self.nannies.get(&nanny).map_or("an unknown host", |nanny| &nanny.host)
    }

    fn set_nanny_lost(&mut self, id: u128, lost: bool) {
        if let Some(nanny) = self.nannies.get_mut(&id) {
            nanny.lost = lost;
        }
    }

    fn nanny_saw_death(&mut self, worker: WorkerId, why: String, executing: Option<Vec<(partita_graph::Key, u32)>>) {
        let words = format!("its process ended: {why}");
        self.worker_gone(worker, Gone::Died { executing, why }, &words);
    }

    /// A nanny whose work is done ends too.
    pub fn dismiss_nanny(&mut self, nanny: Option<u128>, reason: &str) {
        if let Some(nanny) = nanny.and_then(|id| self.nannies.get(&id)) {
            nanny.say(&SchedulerToNanny::Close { reason: reason.to_owned() });
        }
    }
}
