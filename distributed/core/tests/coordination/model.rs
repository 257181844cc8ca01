//! What must be true of the coordination machine, said as simply as possible: who has what, in which order calls came, and nothing
//! else. It looks at every event before the machine does and at every answer after it.
//!
//! It knows nothing of how the machine keeps its books. Numbers of requests grow over all holders, so they are the order of calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use partita_core::coordination::{
    Action, Answer, Ask, Bytes, Coordination, Event, EventAsk, HolderId, LeaseId, LeaseState, LockAsk, Name, OwnerId, QueueAsk, RequestId,
    SemaphoreAsk, TopicAsk, VariableAsk,
};
use partita_graph::{Code, Failure};

/// A call without an answer.
pub struct Open {
    pub holder: HolderId,
    until: Option<u64>,
    what: Ask,
}

/// A lease that was given.
pub struct Lease {
    pub by: (HolderId, RequestId),
    pub name: Name,
    micros: u64,
    until: u64,
    /// It is valid, or its holder said that it works on.
    used: bool,
    /// It was so before the event that is handled.
    was: bool,
}

/// A queue with what waits for room: whatever waits stands behind what is in it.
#[derive(Default)]
struct Pipe {
    items: VecDeque<(Bytes, Option<RequestId>)>,
    /// Values that were put back; by so many it may be too long.
    back: usize,
}

#[derive(Default)]
pub struct Model {
    now: u64,
    pub open: BTreeMap<RequestId, Open>,
    pub locks: BTreeMap<Name, (HolderId, RequestId, OwnerId)>,
    pub leases: BTreeMap<LeaseId, Lease>,
    raised: BTreeSet<Name>,
    values: BTreeMap<Name, Bytes>,
    pipes: BTreeMap<Name, Pipe>,
    topics: BTreeMap<Name, BTreeSet<HolderId>>,
    /// Of the event that is handled: the call, whether it is right to ask for that, whether its lease had expired, what was withdrawn
    /// or closed, and whom a message has reached.
    asking: Option<RequestId>,
    allowed: bool,
    late: bool,
    withdrawn: Option<RequestId>,
    closed: Option<Name>,
    heard: BTreeSet<HolderId>,
}

/// The number of leases of a semaphore is written in its name, and so is the size of a queue.
pub fn number_in(name: &Name) -> u32 {
    name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number ends the name")
}

fn timeout_of(what: &Ask) -> Option<u64> {
    match what {
        Ask::Lock(_, LockAsk::Acquire { timeout, .. })
        | Ask::Semaphore(_, SemaphoreAsk::Acquire { timeout, .. })
        | Ask::Event(_, EventAsk::Wait { timeout })
        | Ask::Variable(_, VariableAsk::Get { timeout })
        | Ask::Queue(_, QueueAsk::Put { timeout, .. } | QueueAsk::Get { timeout } | QueueAsk::GetBatch { timeout, .. }) => *timeout,
        _ => None,
    }
}

fn is_acquire_of_lock(what: &Ask) -> bool {
    matches!(what, Ask::Lock(_, LockAsk::Acquire { .. }))
}

fn is_acquire_of_lease(what: &Ask) -> bool {
    matches!(what, Ask::Semaphore(_, SemaphoreAsk::Acquire { .. }))
}

fn is_get(what: &Ask) -> bool {
    matches!(what, Ask::Queue(_, QueueAsk::Get { .. } | QueueAsk::GetBatch { .. }))
}

fn is_put(what: &Ask) -> bool {
    matches!(what, Ask::Queue(_, QueueAsk::Put { .. }))
}

impl Model {
    /// The event is about to be handled.
    pub fn before(&mut self, now: u64, event: &Event) {
        self.now = now;
        self.leases.values_mut().for_each(|lease| (lease.was, lease.used) = (lease.used, lease.used && lease.until > now));
        (self.asking, self.allowed, self.late, self.withdrawn, self.closed) = (None, true, false, None, None);
        self.heard.clear();
        match event {
            Event::Ask { holder, request, what } => {
                let until = timeout_of(what).map(|timeout| now + timeout);
                self.open.insert(*request, Open { holder: *holder, until, what: what.clone() });
                self.asking = Some(*request);
                self.ask(*holder, *request, what);
            }
            Event::Withdraw { request, .. } if self.open.contains_key(request) => self.withdrawn = Some(*request),
            Event::Withdraw { request, .. } => {
                self.locks.retain(|_, (_, by, _)| *by != *request);
                self.leases.retain(|_, lease| lease.by.1 != *request);
            }
            Event::HolderGone(holder) => self.gone(*holder),
            Event::Tick => {}
        }
    }

    /// What a call changes at once, whoever is served by it.
    fn ask(&mut self, holder: HolderId, request: RequestId, what: &Ask) {
        match what {
            Ask::Lock(name, LockAsk::Release { owner }) => {
                self.allowed = self.locks.get(name).is_some_and(|(has, _, by)| (has, by) == (&holder, owner));
                if self.allowed {
                    self.locks.remove(name);
                }
            }
            Ask::Semaphore(name, SemaphoreAsk::Refresh(id)) => {
                let now = self.now;
                let lease = self.leases.get_mut(id).filter(|lease| lease.by.0 == holder && lease.name == *name);
                self.allowed = lease.is_some();
                if let Some(lease) = lease {
                    (self.late, lease.used, lease.until) = (!lease.used, true, now + lease.micros);
                }
            }
            Ask::Semaphore(name, SemaphoreAsk::Release(id)) => {
                self.allowed = self.leases.get(id).is_some_and(|lease| lease.by.0 == holder && lease.name == *name);
                if self.allowed {
                    self.late = self.leases.remove(id).is_some_and(|lease| !lease.used);
                }
            }
            Ask::Semaphore(name, SemaphoreAsk::Close) => {
                self.leases.retain(|_, lease| lease.name != *name);
                self.closed = Some(name.clone());
            }
            Ask::Event(name, EventAsk::Set) => _ = self.raised.insert(name.clone()),
            Ask::Event(name, EventAsk::Clear) => _ = self.raised.remove(name),
            Ask::Variable(name, VariableAsk::Set(value)) => _ = self.values.insert(name.clone(), value.clone()),
            Ask::Variable(name, VariableAsk::Delete) => _ = self.values.remove(name),
            Ask::Queue(name, QueueAsk::Put { value, .. }) => {
                self.pipes.entry(name.clone()).or_default().items.push_back((value.clone(), Some(request)));
            }
            Ask::Queue(name, QueueAsk::PutBack { values, .. }) => {
                let pipe = self.pipes.entry(name.clone()).or_default();
                pipe.back += values.len();
                values.iter().rev().for_each(|value| pipe.items.push_front((value.clone(), None)));
            }
            Ask::Topic(name, TopicAsk::Subscribe) => _ = self.topics.entry(name.clone()).or_default().insert(holder),
            Ask::Topic(name, TopicAsk::Unsubscribe) => _ = self.topics.entry(name.clone()).or_default().remove(&holder),
            _ => {}
        }
    }

    fn gone(&mut self, holder: HolderId) {
        let waiting: Vec<_> = self.open.iter().filter(|(_, open)| open.holder == holder).map(|(request, _)| *request).collect();
        for request in waiting {
            self.open.remove(&request);
            self.take_out(request);
        }
        self.locks.retain(|_, (has, _, _)| *has != holder);
        self.leases.retain(|_, lease| lease.by.0 != holder);
        self.topics.values_mut().for_each(|subscribers| _ = subscribers.remove(&holder));
    }

    /// A value no longer waits for room.
    fn take_out(&mut self, request: RequestId) {
        self.pipes.values_mut().for_each(|pipe| pipe.items.retain(|(_, waits)| *waits != Some(request)));
    }

    /// The machine wants this done.
    pub fn after(&mut self, action: Action) {
        match action {
            Action::Answer { holder, request, answer } => {
                let open = self.open.remove(&request).unwrap_or_else(|| panic!("{request:?} has an answer and was not asked: {answer:?}"));
                assert_eq!(open.holder, holder, "{request:?} is answered to another");
                match answer {
                    Ok(Answer::TimedOut) => self.timed_out(request, &open),
                    Ok(Answer::Withdrawn) => {
                        assert_eq!(self.withdrawn, Some(request));
                        self.take_out(request);
                    }
                    Ok(answer) => self.served(request, &open, answer),
                    Err(failure) => self.refused(request, &open, &failure),
                }
            }
            Action::Deliver { holder, topic, message } => {
                let what = self.asking.and_then(|request| self.open.get(&request)).map(|open| open.what.clone());
                assert_eq!(what, Some(Ask::Topic(topic.clone(), TopicAsk::Publish(message))));
                assert!(self.topics[&topic].contains(&holder), "{holder:?} is not subscribed");
                assert!(self.heard.insert(holder), "{holder:?} hears a message twice");
            }
            Action::Warn(text) => assert!(self.late || self.closed.is_some(), "{text}"),
        }
    }

    fn timed_out(&mut self, request: RequestId, open: &Open) {
        let until = open.until.filter(|until| *until <= self.now).unwrap_or_else(|| panic!("{request:?} may wait longer"));
        assert!(self.must_wait(open, until), "{request:?} timed out and could have been served");
        self.take_out(request);
    }

    fn refused(&mut self, request: RequestId, open: &Open, failure: &Failure) {
        let right = match (&open.what, failure.code) {
            (Ask::Lock(name, LockAsk::Acquire { owner, .. }), Code::AlreadyHeld) => {
                self.locks.get(name).is_some_and(|(has, _, by)| (*has, *by) == (open.holder, *owner))
            }
            (Ask::Lock(_, LockAsk::Release { .. }), Code::NotHeld) => !self.allowed && self.asking == Some(request),
            (Ask::Semaphore(_, SemaphoreAsk::Refresh(_) | SemaphoreAsk::Release(_)), Code::NotHeld) => !self.allowed,
            (Ask::Semaphore(name, SemaphoreAsk::Acquire { .. }), Code::SemaphoreClosed) => self.closed.as_ref() == Some(name),
            _ => false,
        };
        assert!(right, "{request:?}: {failure}");
    }

    fn served(&mut self, request: RequestId, open: &Open, answer: Answer) {
        match (&open.what, answer) {
            (Ask::Lock(name, LockAsk::Acquire { owner, .. }), Answer::Done) => {
                self.assert_first(request, name, is_acquire_of_lock);
                let before = self.locks.insert(name.clone(), (open.holder, request, *owner));
                assert_eq!(before, None, "a second holder of {name}");
            }
            (Ask::Lock(name, LockAsk::IsHeld), Answer::Truth(truth)) => assert_eq!(truth, self.locks.contains_key(name)),
            (Ask::Semaphore(name, SemaphoreAsk::Acquire { lease: micros, .. }), Answer::Lease(id)) => {
                self.assert_first(request, name, is_acquire_of_lease);
                assert!(self.taken(name) < number_in(name), "a lease too many of {name}");
                let (by, until) = ((open.holder, request), self.now + micros);
                let lease = Lease { by, name: name.clone(), micros: *micros, until, used: true, was: true };
                assert!(self.leases.insert(id, lease).is_none(), "{id:?} was given twice");
            }
            (Ask::Semaphore(name, SemaphoreAsk::Refresh(_)), answer) => self.refreshed(name, &answer),
            (Ask::Semaphore(_, SemaphoreAsk::Value), Answer::Count(count)) => assert_eq!(count, u64::from(self.taken(open.what.name()))),
            (Ask::Event(name, EventAsk::IsSet), Answer::Truth(truth)) => assert_eq!(truth, self.raised.contains(name)),
            (Ask::Event(name, EventAsk::Wait { .. }), Answer::Done) => assert!(self.raised.contains(name)),
            (Ask::Variable(name, VariableAsk::Get { .. }), Answer::Value(value)) => assert_eq!(Some(&value), self.values.get(name)),
            (Ask::Queue(name, QueueAsk::Put { .. }), Answer::Done) => self.put(request, name),
            (Ask::Queue(name, QueueAsk::Get { .. }), Answer::Value(value)) => self.got(request, name, vec![value]),
            (Ask::Queue(name, QueueAsk::GetBatch { count, .. }), Answer::Values(values)) => {
                assert!(!values.is_empty() && count.is_none_or(|count| values.len() <= count as usize), "{} values", values.len());
                self.got(request, name, values);
            }
            (Ask::Queue(name, QueueAsk::Size), Answer::Count(count)) => assert_eq!(count, self.size(name) as u64),
            (Ask::Topic(name, TopicAsk::Publish(_)), Answer::Count(count)) => {
                assert_eq!(self.heard, self.topics.get(name).cloned().unwrap_or_default());
                assert_eq!(count, self.heard.len() as u64);
            }
            (Ask::Semaphore(_, SemaphoreAsk::Release(_)), answer) => {
                assert!(self.allowed);
                assert_eq!(answer, if self.late { Answer::Expired } else { Answer::Done });
            }
            (Ask::Lock(_, LockAsk::Release { .. }), Answer::Done) => assert!(self.allowed),
            (Ask::Semaphore(_, SemaphoreAsk::Close), Answer::Done)
            | (Ask::Event(_, EventAsk::Set | EventAsk::Clear), Answer::Done)
            | (Ask::Variable(_, VariableAsk::Set(_) | VariableAsk::Delete), Answer::Done)
            | (Ask::Queue(_, QueueAsk::PutBack { .. }), Answer::Done)
            | (Ask::Topic(_, TopicAsk::Subscribe | TopicAsk::Unsubscribe), Answer::Done) => {}
            (what, answer) => panic!("{what:?} is answered with {answer:?}"),
        }
    }

    fn refreshed(&self, name: &Name, answer: &Answer) {
        assert!(self.allowed);
        let (taken, max) = (self.taken(name), number_in(name));
        match answer {
            Answer::Done => assert!(!self.late),
            Answer::Expired => assert!(self.late && taken <= max),
            Answer::Oversubscribed { taken: said, max_leases } => {
                assert!(taken > max && (*said, *max_leases) == (taken, max), "{said} of {max_leases} are not {taken} of {max}");
            }
            _ => panic!("a refresh is answered with {answer:?}"),
        }
    }

    /// A value is in the queue, or was handed over and is gone already.
    fn put(&mut self, request: RequestId, name: &Name) {
        let pipe = self.pipes.get_mut(name).expect("something was put");
        if let Some(at) = pipe.items.iter().position(|(_, waits)| *waits == Some(request)) {
            assert!(pipe.items.range(..at).all(|(_, waits)| waits.is_none()), "{request:?} overtakes another value");
            pipe.items[at].1 = None;
        } else {
            assert_eq!(self.asking, Some(request), "the value of {request:?} has vanished");
        }
    }

    fn got(&mut self, request: RequestId, name: &Name, values: Vec<Bytes>) {
        self.assert_first(request, name, is_get);
        let asking = self.asking;
        let pipe = self.pipes.get_mut(name).expect("something was put");
        for value in values {
            let (first, waits) = pipe.items.pop_front().expect("as many values as were put");
            assert_eq!(first, value, "values come in order");
            assert!(waits.is_none() || waits == asking, "{waits:?} waits for room and its value was taken");
        }
    }

    /// Nobody who waits for the same came earlier.
    fn assert_first(&self, request: RequestId, name: &Name, same: fn(&Ask) -> bool) {
        let earlier = self.waiting(name, same).into_iter().find(|(other, _)| *other < request);
        assert_eq!(earlier, None, "{request:?} is served before it");
    }

    /// Who waits, in the order of asking.
    fn waiting(&self, name: &Name, same: fn(&Ask) -> bool) -> Vec<(RequestId, HolderId)> {
        let waits = |(_, open): &(&RequestId, &Open)| open.what.name() == name && same(&open.what);
        self.open.iter().filter(waits).map(|(request, open)| (*request, open.holder)).collect()
    }

    fn waiters(&self, name: &Name, same: fn(&Ask) -> bool) -> Vec<HolderId> {
        self.waiting(name, same).into_iter().map(|(_, holder)| holder).collect()
    }

    /// Leases that are in use.
    fn taken(&self, name: &Name) -> u32 {
        self.leases.values().filter(|lease| lease.used && lease.name == *name).count() as u32
    }

    /// Values in a queue, without those that wait for room.
    fn size(&self, name: &Name) -> usize {
        self.pipes.get(name).map_or(0, |pipe| pipe.items.iter().filter(|(_, waits)| waits.is_none()).count())
    }

    /// Whether the call could not be served at a moment that was not long ago: only leases may have ended since.
    fn must_wait(&self, open: &Open, moment: u64) -> bool {
        match &open.what {
            Ask::Lock(name, LockAsk::Acquire { .. }) => self.locks.contains_key(name),
            Ask::Semaphore(name, SemaphoreAsk::Acquire { .. }) => {
                let taken = |lease: &&Lease| (lease.used || lease.was) && lease.until > moment && lease.name == *name;
                self.leases.values().filter(taken).count() as u32 >= number_in(name)
            }
            Ask::Event(name, EventAsk::Wait { .. }) => !self.raised.contains(name),
            Ask::Variable(name, VariableAsk::Get { .. }) => !self.values.contains_key(name),
            Ask::Queue(name, QueueAsk::Get { .. } | QueueAsk::GetBatch { .. }) => self.size(name) == 0,
            Ask::Queue(name, QueueAsk::Put { maxsize, .. }) => *maxsize > 0 && self.size(name) >= *maxsize as usize,
            _ => false,
        }
    }

    /// The event was handled to its end.
    pub fn settled(&self, machine: &Coordination) {
        for (request, open) in &self.open {
            assert!(self.must_wait(open, self.now), "{request:?} waits for nothing");
            assert!(open.until.is_none_or(|until| until > self.now), "{request:?} should have timed out");
        }
        for (name, pipe) in &self.pipes {
            let (size, max) = (self.size(name), number_in(name) as usize);
            assert!(max == 0 || size <= max + pipe.back, "{size} values in {name}");
        }
        let waits = self.open.values().filter_map(|open| open.until);
        let ends = self.leases.values().filter(|lease| lease.used).map(|lease| lease.until);
        assert_eq!(machine.next_deadline(), waits.chain(ends).min());
        self.agrees_with_the_snapshot(machine);
    }

    fn agrees_with_the_snapshot(&self, machine: &Coordination) {
        let shown = machine.snapshot();
        assert_eq!(shown.locks.len(), self.locks.len());
        for lock in &shown.locks {
            let (has, _, owner) = self.locks[&lock.name];
            assert_eq!((lock.holder, lock.owner), (has, owner));
            assert_eq!(lock.waiting, self.waiters(&lock.name, is_acquire_of_lock));
        }
        assert_eq!(shown.semaphores.iter().map(|semaphore| semaphore.leases.len()).sum::<usize>(), self.leases.len());
        for semaphore in &shown.semaphores {
            let count = |state: LeaseState| semaphore.leases.iter().filter(|lease| lease.state == state).count() as u32;
            assert!(count(LeaseState::Live) <= number_in(&semaphore.name), "live leases of {}", semaphore.name);
            assert_eq!(count(LeaseState::Live) + count(LeaseState::Over), self.taken(&semaphore.name));
            assert_eq!(semaphore.waiting, self.waiters(&semaphore.name, is_acquire_of_lease));
        }
        for queue in &shown.queues {
            assert_eq!(queue.items, self.size(&queue.name) as u64);
            assert_eq!(queue.getting, self.waiters(&queue.name, is_get));
            assert_eq!(queue.putting, self.waiters(&queue.name, is_put));
        }
        let raised: BTreeSet<Name> = shown.events.iter().filter(|event| event.set).map(|event| event.name.clone()).collect();
        assert_eq!(raised, self.raised);
        for topic in &shown.topics {
            assert_eq!(topic.subscribers, self.topics[&topic.name].iter().copied().collect::<Vec<_>>());
        }
    }
}
