//! Locks, queues, topics and so on: clients ask the coordination machine, which stands beside the scheduler's.
//!
//! It refuses to know what is agreed on. Invariant: what a client holds is released when it is forgotten, as its runs are.

use partita_core::coordination::{Action, Ask, Event, HolderId, RequestId};
use partita_core::protocol::ClientId;

use super::owner::Owner;
use crate::message::{Answer, SchedulerToClient};

impl Owner {
    /// A client asks; the answer comes now or later.
    pub fn coordinate(&mut self, client: ClientId, query: u64, what: Ask) {
        self.agree(Event::Ask { holder: HolderId(client.0), request: RequestId(query), what });
    }

    /// A client does not wait for an answer any more.
    pub fn withdraw(&mut self, client: ClientId, query: u64) {
        self.agree(Event::Withdraw { holder: HolderId(client.0), request: RequestId(query) });
    }

    /// What a client held is free.
    pub fn release_agreed(&mut self, client: ClientId) {
        self.agree(Event::HolderGone(HolderId(client.0)));
    }

    /// Waits that are over, leases that have expired.
    pub fn look_at_deadlines(&mut self) {
        let now = self.machine_time();
        if self.coordination.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.agree(Event::Tick);
        }
    }

    fn agree(&mut self, event: Event) {
        let now = self.machine_time();
        let mut out = Vec::new();
        self.coordination.handle(now, event, &mut out);
        if self.fixed.options.check {
            self.coordination.check();
        }
        for action in out {
            match action {
                Action::Answer { holder, request, answer } => {
                    self.answer(ClientId(holder.0), request.0, answer.map(Answer::Coordinated));
                }
                Action::Deliver { holder, topic, message } => {
                    self.say(ClientId(holder.0), SchedulerToClient::Delivered { topic, message });
                }
                Action::Warn(text) => {
                    self.diary.write(&*text);
                    eprintln!("warning: {text}");
                }
            }
        }
    }
}
