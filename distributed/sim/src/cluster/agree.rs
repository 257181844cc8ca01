//! The shell of the coordination machine and the threads that ask it: links that keep the order, are held up and break for ever, jobs, and
//! a caretaker for those who would wait for something that nobody is left to do.
//!
//! It refuses to know what is right; [`Door`](crate::agree::Door) and [`Hands`](crate::agree::Hands) look at everything that passes.

use partita_core::coordination::{
    Action, Answer, Ask, Event, EventAsk, HolderId, LeaseId, LockAsk, Name, OwnerId, QueueAsk, RequestId, SemaphoreAsk, TopicAsk,
    VariableAsk,
};
use partita_core::protocol::{Attempt, ClientId, Tick, WorkerId};
use partita_graph::Key;

use super::Cluster;
use crate::agree::{Job, Purpose, Stage, Step, Thread, Told, holder_of, number_in, random_jobs, worker_of};
use crate::happening::Happening;

/// How late the shell looks at the machine's clock, at most.
const LATE_MICROS: Tick = 500;
/// How often the caretaker comes once the faults have stopped.
const CARE_MICROS: Tick = 20_000;
/// The caretaker, who never goes.
const CARETAKER: HolderId = HolderId(u64::MAX);

impl Cluster {
    fn soon(&mut self, delay: Tick, step: Step) {
        self.after(delay, Happening::Agrees(step));
    }

    /// A process with so many threads that ask for something.
    pub fn agrees(&mut self, holder: HolderId, threads: u32) {
        self.agreed.members.entry(holder).or_default();
        for _ in 0..threads {
            let jobs = random_jobs(&mut self.rng);
            let thread = self.new_thread(holder, Thread::new(jobs));
            let pause = self.up_to(10_000);
            self.soon(pause, Step::Begins(holder, thread));
        }
    }

    fn new_thread(&mut self, holder: HolderId, thread: Thread) -> u64 {
        self.agreed.threads += 1;
        let number = self.agreed.threads;
        self.agreed.members.entry(holder).or_default().threads.insert(number, thread);
        number
    }

    /// Whether the link from and to the process is held up.
    fn is_cut(&self, holder: HolderId) -> (bool, bool) {
        match worker_of(holder).map(|worker| self.nodes.get(&worker)) {
            Some(node) => node.map_or((true, true), |node| (node.link.cut_out, node.link.cut_in)),
            None => {
                let lost = self.clients.get(&ClientId(holder.0)).is_some_and(|client| client.lost);
                (lost, lost)
            }
        }
    }

    /// Messages at a link that is held up wait there.
    pub(super) fn agree_held_up(&mut self, step: Step) -> Option<Step> {
        let (out, inbound) = match &step {
            Step::ToDesk(holder, _) | Step::ToMember(holder, _) => self.is_cut(*holder),
            _ => return Some(step),
        };
        match step {
            Step::ToDesk(holder, event) if out && self.agreed.members.contains_key(&holder) => {
                self.agreed.members.get_mut(&holder)?.held_out.push(event);
                None
            }
            Step::ToMember(holder, told) if inbound => {
                self.agreed.members.get_mut(&holder)?.held_in.push(told);
                None
            }
            other => Some(other),
        }
    }

    /// The link is there again: what was held up flows, in order.
    pub(super) fn agree_mended(&mut self, holder: HolderId) -> Result<(), String> {
        let Some(member) = self.agreed.members.get_mut(&holder) else { return Ok(()) };
        let (out, inbound) = (std::mem::take(&mut member.held_out), std::mem::take(&mut member.held_in));
        out.into_iter().try_for_each(|event| self.happen(Happening::Agrees(Step::ToDesk(holder, event))))?;
        inbound.into_iter().try_for_each(|told| self.happen(Happening::Agrees(Step::ToMember(holder, told))))
    }

    /// The process has ended; nobody knows yet.
    pub(super) fn agree_process_ends(&mut self, holder: HolderId) {
        self.agreed.members.remove(&holder);
        self.agreed.hands.forget(holder);
    }

    /// The scheduler's shell knows that the process is gone, or thinks so.
    pub(super) fn agree_gone(&mut self, holder: HolderId) -> Result<(), String> {
        self.agree_process_ends(holder);
        let before = self.agreed.machine.snapshot();
        let had = before.locks.iter().filter(|lock| lock.holder == holder).count();
        let leases = before.semaphores.iter().flat_map(|semaphore| &semaphore.leases).filter(|lease| lease.holder == holder).count();
        self.counts.freed += (had + leases) as u64;
        self.tell_desk(Event::HolderGone(holder))
    }

    pub(super) fn agree(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::ToDesk(_, event) => self.tell_desk(event),
            Step::ToMember(holder, told) => self.member_hears(holder, told),
            Step::Begins(holder, thread) => {
                self.begins(holder, thread);
                Ok(())
            }
            Step::GivesUp(holder, thread, request) => self.gives_up(holder, thread, Some(request)),
            Step::LetsGo(holder, thread) => {
                self.lets_go(holder, thread);
                Ok(())
            }
            Step::Refreshes(holder, thread, lease) => {
                self.refreshes(holder, thread, lease);
                Ok(())
            }
            Step::Due => self.desk_clock(),
            Step::Caretaker => self.caretaker(),
        }
    }

    fn tell_desk(&mut self, event: Event) -> Result<(), String> {
        // What fell due happens before the event. By itself, so that the door can tell the one from the other.
        if event != Event::Tick && self.agreed.machine.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.tell_desk(Event::Tick)?;
        }
        self.agreed.door.hears(self.now, &event)?;
        let mut out = Vec::new();
        self.agreed.machine.handle(self.now, event, &mut out);
        if self.checked {
            self.agreed.machine.check();
        }
        for action in out {
            self.agreed.door.says(&action)?;
            match action {
                Action::Answer { holder, request, answer } => self.send_to_member(holder, Told::Answer(request, answer)),
                Action::Deliver { holder, message, .. } => self.send_to_member(holder, Told::Message(message)),
                Action::Warn(_) => {}
            }
        }
        self.agreed.door.settled(&self.agreed.machine)?;
        if let Some(deadline) = self.agreed.machine.next_deadline()
            && self.agreed.due.is_none_or(|due| due > deadline)
        {
            self.agreed.due = Some(deadline);
            let late = self.up_to(LATE_MICROS);
            self.soon(deadline - self.now + late, Step::Due);
        }
        Ok(())
    }

    fn desk_clock(&mut self) -> Result<(), String> {
        self.agreed.due = None;
        match self.agreed.machine.next_deadline() {
            Some(_) => self.tell_desk(Event::Tick),
            None => Ok(()),
        }
    }

    fn send_to_member(&mut self, holder: HolderId, told: Told) {
        let delay = self.up_to(self.faults.delay);
        let Some(member) = self.agreed.members.get_mut(&holder) else { return };
        member.inbound = member.inbound.max(self.now + delay);
        let delay = member.inbound - self.now;
        self.soon(delay, Step::ToMember(holder, told));
    }

    fn send_to_desk(&mut self, holder: HolderId, event: Event) {
        let delay = self.up_to(self.faults.delay);
        let Some(member) = self.agreed.members.get_mut(&holder) else { return };
        member.outbound = member.outbound.max(self.now + delay);
        let delay = member.outbound - self.now;
        self.soon(delay, Step::ToDesk(holder, event));
    }

    fn ask(&mut self, holder: HolderId, purpose: Purpose, what: Ask) -> Option<RequestId> {
        let request = self.agreed.members.get_mut(&holder)?.next_request(purpose);
        self.send_to_desk(holder, Event::Ask { holder, request, what });
        Some(request)
    }

    fn thread_mut(&mut self, holder: HolderId, thread: u64) -> Option<&mut Thread> {
        self.agreed.members.get_mut(&holder)?.threads.get_mut(&thread)
    }

    /// The thread asks for what its next job needs.
    fn begins(&mut self, holder: HolderId, thread: u64) {
        let value = self.agreed.new_value(thread);
        let Some(found) = self.thread_mut(holder, thread).filter(|found| found.stage == Stage::Resting) else { return };
        let Some(mut job) = found.jobs.pop_front() else { return };
        match &mut job.what {
            Ask::Lock(_, LockAsk::Acquire { owner, .. }) => *owner = OwnerId(thread),
            Ask::Queue(_, QueueAsk::Put { value: put, .. }) => *put = value,
            Ask::Variable(_, VariableAsk::Set(set)) => *set = value,
            Ask::Topic(_, TopicAsk::Publish(message)) => *message = value,
            _ => {}
        }
        let (what, patience) = (job.what.clone(), job.patience);
        let Some(request) = self.ask(holder, Purpose::Awaited { thread, sent: self.now }, what) else { return };
        self.thread_mut(holder, thread).expect("just found").stage = Stage::Asked { request, job };
        if let Some(patience) = patience {
            self.soon(patience, Step::GivesUp(holder, thread, request));
        }
    }

    /// The thread waits for this call no longer, or for whatever it waits for.
    fn gives_up(&mut self, holder: HolderId, thread: u64, only: Option<RequestId>) -> Result<(), String> {
        let Some(found) = self.thread_mut(holder, thread) else { return Ok(()) };
        let Stage::Asked { request, job } = &found.stage else { return Ok(()) };
        if only.is_some_and(|only| only != *request) {
            return Ok(());
        }
        let request = *request;
        let queue = match &job.what {
            Ask::Queue(name, QueueAsk::Get { .. } | QueueAsk::GetBatch { .. }) => Some(name.clone()),
            _ => None,
        };
        found.stage = Stage::Resting;
        self.counts.given_up_calls += 1;
        let member = self.agreed.members.get_mut(&holder).expect("it has the thread");
        member.calls.insert(request, Purpose::GivenUp { queue });
        self.send_to_desk(holder, Event::Withdraw { holder, request });
        self.rests(holder, thread);
        Ok(())
    }

    /// The thread pauses before its next job.
    fn rests(&mut self, holder: HolderId, thread: u64) {
        let pause = self.up_to(4_000);
        self.soon(pause, Step::Begins(holder, thread));
    }

    fn member_hears(&mut self, holder: HolderId, told: Told) -> Result<(), String> {
        let Some(member) = self.agreed.members.get_mut(&holder) else { return Ok(()) };
        let (request, answer) = match told {
            Told::Message(message) => {
                self.counts.messages += 1;
                return self.agreed.hands.hears(holder, &message);
            }
            Told::Answer(request, answer) => (request, answer),
        };
        self.counts.agreed += 1;
        let purpose = member.calls.remove(&request).ok_or_else(|| format!("holder {} hears twice of call {}", holder.0, request.0))?;
        let answer = answer.map_err(|failure| format!("holder {} is refused: {failure}", holder.0))?;
        match purpose {
            Purpose::Awaited { thread, sent } => self.gets(holder, thread, sent, answer),
            Purpose::Refresh { thread, sent } => self.refreshed(holder, thread, sent, &answer),
            Purpose::GivenUp { queue } => {
                self.gives_values_back(holder, queue, answer);
                Ok(())
            }
            Purpose::Nothing => Ok(()),
        }
    }

    /// Values that come when nobody waits for them any more go back.
    fn gives_values_back(&mut self, holder: HolderId, queue: Option<Name>, answer: Answer) {
        let values = match answer {
            Answer::Value(value) => vec![value],
            Answer::Values(values) => values,
            _ => return,
        };
        if let Some(name) = queue {
            self.counts.put_back += values.len() as u64;
            let maxsize = number_in(&name);
            self.ask(holder, Purpose::Nothing, Ask::Queue(name, QueueAsk::PutBack { values, maxsize }));
        }
    }

    /// The thread has what it asked for, or was told that it does not get it.
    fn gets(&mut self, holder: HolderId, thread: u64, sent: Tick, answer: Answer) -> Result<(), String> {
        let now = self.now;
        let Some(found) = self.thread_mut(holder, thread) else { return Ok(()) };
        let Stage::Asked { job, .. } = std::mem::replace(&mut found.stage, Stage::Resting) else {
            return Err(format!("thread {thread} of holder {} gets what it did not ask for", holder.0));
        };
        let Job { what, keeps, refreshes, .. } = job;
        match (what, answer) {
            (Ask::Lock(name, LockAsk::Acquire { owner, .. }), Answer::Done) => {
                found.stage = Stage::HasLock { name: name.clone(), owner };
                let inside = found.inside;
                self.agreed.hands.take_lock(&name, holder)?;
                match inside {
                    Some((worker, key, attempt)) => self.after(0, Happening::Resumes(worker, key, attempt)),
                    None => self.soon(keeps, Step::LetsGo(holder, thread)),
                }
            }
            (Ask::Semaphore(name, SemaphoreAsk::Acquire { lease: micros, .. }), Answer::Lease(lease)) => {
                found.stage = Stage::HasLease { name: name.clone(), lease, micros, refreshes };
                // It was given after it was asked for, perhaps just then.
                self.agreed.hands.is_sure(now, &name, holder, lease, sent + micros)?;
                self.soon(keeps, Step::LetsGo(holder, thread));
                if refreshes {
                    let due = (sent + micros / 3).saturating_sub(now);
                    self.soon(due, Step::Refreshes(holder, thread, lease));
                }
            }
            _ => self.rests(holder, thread),
        }
        Ok(())
    }

    fn refreshes(&mut self, holder: HolderId, thread: u64, of: LeaseId) {
        let sent = self.now;
        let Some(Stage::HasLease { name, lease, micros, .. }) = self.thread_mut(holder, thread).map(|found| found.stage.clone()) else {
            return;
        };
        if lease == of {
            self.ask(holder, Purpose::Refresh { thread, sent }, Ask::Semaphore(name, SemaphoreAsk::Refresh(lease)));
            self.soon(1 + micros / 3, Step::Refreshes(holder, thread, lease));
        }
    }

    /// The lease is valid from when the refresh was sent; or another has it, and the thread stops.
    fn refreshed(&mut self, holder: HolderId, thread: u64, sent: Tick, answer: &Answer) -> Result<(), String> {
        let now = self.now;
        let Some(Stage::HasLease { name, lease, micros, .. }) = self.thread_mut(holder, thread).map(|found| found.stage.clone()) else {
            return Ok(());
        };
        match answer {
            Answer::Oversubscribed { .. } => {
                self.counts.oversubscribed += 1;
                self.lets_go(holder, thread);
                Ok(())
            }
            _ => self.agreed.hands.is_sure(now, &name, holder, lease, sent + micros),
        }
    }

    /// What the thread has it gives back.
    fn lets_go(&mut self, holder: HolderId, thread: u64) {
        let Some(found) = self.thread_mut(holder, thread) else { return };
        let what = match std::mem::replace(&mut found.stage, Stage::Resting) {
            Stage::HasLock { name, owner } => {
                self.agreed.hands.let_lock_go(&name);
                Ask::Lock(name, LockAsk::Release { owner })
            }
            Stage::HasLease { name, lease, .. } => {
                self.agreed.hands.let_lease_go(lease);
                Ask::Semaphore(name, SemaphoreAsk::Release(lease))
            }
            other => {
                found.stage = other;
                return;
            }
        };
        self.ask(holder, Purpose::Nothing, what);
        self.rests(holder, thread);
    }

    /// An operator waits for a lock; the number is for [`Cluster::lets_lock_go`].
    pub(super) fn waits_for_lock(&mut self, worker: WorkerId, key: Key, attempt: Attempt, name: Name) -> u64 {
        let holder = holder_of(worker);
        let thread = self.new_thread(holder, Thread::inside(name, (worker, key, attempt)));
        self.begins(holder, thread);
        thread
    }

    /// An operator has no use for its lock any more, whether it has it or not.
    pub(super) fn lets_lock_go(&mut self, worker: WorkerId, thread: u64) -> Result<(), String> {
        let holder = holder_of(worker);
        self.gives_up(holder, thread, None)?;
        self.lets_go(holder, thread);
        Ok(())
    }

    /// Everybody has to come to an end: events happen, variables are set, queues are filled where somebody takes and emptied where somebody
    /// puts.
    pub(super) fn caretaker(&mut self) -> Result<(), String> {
        if !self.agreed.is_done() {
            self.soon(CARE_MICROS, Step::Caretaker);
        }
        let seen = self.agreed.machine.snapshot();
        let mut asks = Vec::new();
        asks.extend(seen.events.iter().filter(|event| !event.set).map(|event| Ask::Event(event.name.clone(), EventAsk::Set)));
        for variable in seen.variables.iter().filter(|variable| variable.nbytes.is_none()) {
            asks.push(Ask::Variable(variable.name.clone(), VariableAsk::Set(self.agreed.new_value(0))));
        }
        for queue in &seen.queues {
            let what = match (queue.getting.is_empty(), queue.putting.is_empty()) {
                (false, _) => QueueAsk::Put { value: self.agreed.new_value(0), maxsize: number_in(&queue.name), timeout: Some(0) },
                (_, false) => QueueAsk::Get { timeout: Some(0) },
                _ => continue,
            };
            asks.push(Ask::Queue(queue.name.clone(), what));
        }
        asks.into_iter().try_for_each(|what| self.cares(what))
    }

    fn cares(&mut self, what: Ask) -> Result<(), String> {
        self.agreed.values += 1;
        self.tell_desk(Event::Ask { holder: CARETAKER, request: RequestId(self.agreed.values), what })
    }

    /// Everybody goes home; then the caretaker takes what may be left, and nothing is.
    pub fn agree_ends(&mut self) -> Result<(), String> {
        let members: Vec<HolderId> = self.agreed.members.keys().copied().collect();
        members.into_iter().try_for_each(|holder| self.agree_gone(holder))?;
        let left = self.agreed.machine.snapshot();
        let awaited = left.events.iter().any(|event| !event.set) || left.variables.iter().any(|variable| variable.nbytes.is_none());
        let awaited = awaited || left.queues.iter().any(|queue| queue.items == 0 || !queue.putting.is_empty());
        if !left.locks.is_empty() || !left.semaphores.is_empty() || !left.topics.is_empty() || awaited {
            return Err(format!("everybody is gone, but there are {left:?}"));
        }
        let events = left.events.into_iter().map(|event| Ask::Event(event.name, EventAsk::Clear));
        let variables = left.variables.into_iter().map(|variable| Ask::Variable(variable.name, VariableAsk::Delete));
        let queues = left.queues.into_iter().map(|queue| Ask::Queue(queue.name, QueueAsk::GetBatch { count: None, timeout: Some(0) }));
        events.chain(variables).chain(queues).try_for_each(|what| self.cares(what))?;
        self.agreed.door.nothing_lost()?;
        let left = self.agreed.machine.snapshot();
        let is_empty = left == partita_core::coordination::Snapshot::default() && self.agreed.machine.next_deadline().is_none();
        if is_empty { Ok(()) } else { Err(format!("the caretaker has taken everything, but there are {left:?}")) }
    }
}
