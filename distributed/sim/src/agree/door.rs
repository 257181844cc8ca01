//! What goes through the door of the coordination machine, both ways, and what must be true of it.
//!
//! It refuses to know how the machine keeps its books. Invariants: each call has one answer, and who asked first is served first; what
//! can be given is given at once; a value that was put comes out once, those of one producer in its order, or its producer is told
//! that it is not in; a message reaches who is subscribed, once; whoever is gone has nothing and hears nothing.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::coordination::{
    Action, Answer, Ask, Bytes, Coordination, Event, EventAsk, HolderId, LeaseId, LockAsk, Name, QueueAsk, RequestId, SemaphoreAsk,
    TopicAsk, VariableAsk,
};
use partita_core::protocol::Tick;

use super::jobs::number_in;

type Caller = (HolderId, RequestId);

/// A call that has no answer yet.
struct Open {
    by: Caller,
    what: Ask,
    until: Option<Tick>,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    /// Its producer waits for room.
    Offered,
    In,
    Out,
    /// Its producer was told that it is not in, or is gone.
    Refused,
}

struct Given {
    name: Name,
    by: Caller,
    micros: Tick,
    until: Tick,
    used: bool,
}

#[derive(Default)]
pub(crate) struct Door {
    now: Tick,
    heard: u64,
    /// In the order in which they came.
    open: BTreeMap<u64, Open>,
    locks: BTreeMap<Name, Caller>,
    leases: BTreeMap<LeaseId, Given>,
    raised: BTreeSet<Name>,
    variables: BTreeMap<Name, Bytes>,
    queues: BTreeMap<Name, BTreeMap<u64, Whereabouts>>,
    /// Values that were put back into each queue: by so many it may hold too many.
    put_back: BTreeMap<Name, usize>,
    /// The last value of each producer that came out of each queue.
    last_out: BTreeMap<(Name, u64), u64>,
    topics: BTreeMap<Name, BTreeSet<HolderId>>,
    gone: BTreeSet<HolderId>,
    /// Of what is handled now: whether its lease had run out, and whom a message has reached.
    late: bool,
    reached: BTreeSet<HolderId>,
}

/// The number that a value or message is.
pub(crate) fn number(bytes: &Bytes) -> Result<u64, String> {
    bytes[..].try_into().map(u64::from_le_bytes).map_err(|_| format!("a value of {} bytes was never put", bytes.len()))
}

fn timeout_of(what: &Ask) -> Option<Tick> {
    match what {
        Ask::Lock(_, LockAsk::Acquire { timeout, .. }) | Ask::Semaphore(_, SemaphoreAsk::Acquire { timeout, .. }) => *timeout,
        Ask::Event(_, EventAsk::Wait { timeout }) | Ask::Variable(_, VariableAsk::Get { timeout }) => *timeout,
        Ask::Queue(_, QueueAsk::Put { timeout, .. } | QueueAsk::Get { timeout } | QueueAsk::GetBatch { timeout, .. }) => *timeout,
        _ => None,
    }
}

/// The kind of line in which a call waits, if it is one that may wait.
fn line_of(what: &Ask) -> Option<&'static str> {
    match what {
        Ask::Lock(_, LockAsk::Acquire { .. }) => Some("lock"),
        Ask::Semaphore(_, SemaphoreAsk::Acquire { .. }) => Some("lease"),
        Ask::Event(_, EventAsk::Wait { .. }) => Some("event"),
        Ask::Variable(_, VariableAsk::Get { .. }) => Some("variable"),
        Ask::Queue(_, QueueAsk::Put { .. }) => Some("put"),
        Ask::Queue(_, QueueAsk::Get { .. } | QueueAsk::GetBatch { .. }) => Some("get"),
        _ => None,
    }
}

impl Door {
    /// The machine is about to hear this.
    pub fn hears(&mut self, now: Tick, event: &Event) -> Result<(), String> {
        self.now = self.now.max(now);
        let now = self.now;
        self.leases.values_mut().filter(|lease| lease.until <= now).for_each(|lease| lease.used = false);
        self.late = false;
        self.reached.clear();
        match event {
            Event::Ask { holder, .. } | Event::Withdraw { holder, .. } if self.gone.contains(holder) => {}
            Event::Ask { holder, request, what } => {
                let by = (*holder, *request);
                let until = timeout_of(what).map(|timeout| now + timeout);
                self.heard += 1;
                self.open.insert(self.heard, Open { by, what: what.clone(), until });
                self.asks(by, what)?;
            }
            Event::Withdraw { holder, request } => {
                let by = (*holder, *request);
                if !self.open.values().any(|open| open.by == by) {
                    self.locks.retain(|_, has| *has != by);
                    self.leases.retain(|_, lease| lease.by != by);
                }
            }
            Event::HolderGone(holder) => self.goes(*holder)?,
            Event::Tick => {}
        }
        Ok(())
    }

    fn asks(&mut self, by: Caller, what: &Ask) -> Result<(), String> {
        match what {
            Ask::Lock(name, LockAsk::Release { .. }) => drop(self.locks.remove(name)),
            Ask::Semaphore(_, SemaphoreAsk::Refresh(id)) => {
                let now = self.now;
                let lease = self.leases.get_mut(id).ok_or("a lease is refreshed that is not known")?;
                self.late = !lease.used;
                (lease.used, lease.until) = (true, now + lease.micros);
            }
            Ask::Semaphore(_, SemaphoreAsk::Release(id)) => self.late = self.leases.remove(id).is_some_and(|lease| !lease.used),
            Ask::Event(name, EventAsk::Set) => drop(self.raised.insert(name.clone())),
            Ask::Event(name, EventAsk::Clear) => drop(self.raised.remove(name)),
            Ask::Variable(name, VariableAsk::Set(value)) => drop(self.variables.insert(name.clone(), value.clone())),
            Ask::Variable(name, VariableAsk::Delete) => drop(self.variables.remove(name)),
            Ask::Queue(name, QueueAsk::Put { value, .. }) => {
                self.queues.entry(name.clone()).or_default().insert(number(value)?, Whereabouts::Offered);
            }
            Ask::Queue(name, QueueAsk::PutBack { values, .. }) => {
                *self.put_back.entry(name.clone()).or_default() += values.len();
                for value in values {
                    let value = number(value)?;
                    self.moves(name, value, &[Whereabouts::Out], Whereabouts::In)?;
                    let last = self.last_out.entry((name.clone(), value >> 32)).or_default();
                    *last = (*last).min(value - 1);
                }
            }
            Ask::Topic(name, TopicAsk::Subscribe) => drop(self.topics.entry(name.clone()).or_default().insert(by.0)),
            Ask::Topic(name, TopicAsk::Unsubscribe) => drop(self.topics.entry(name.clone()).or_default().remove(&by.0)),
            _ => {}
        }
        Ok(())
    }

    fn goes(&mut self, holder: HolderId) -> Result<(), String> {
        self.gone.insert(holder);
        let waits: Vec<u64> = self.open.iter().filter(|(_, open)| open.by.0 == holder).map(|(at, _)| *at).collect();
        for at in waits {
            let open = self.open.remove(&at).expect("just seen");
            self.not_in(&open.what)?;
        }
        self.locks.retain(|_, has| has.0 != holder);
        self.leases.retain(|_, lease| lease.by.0 != holder);
        self.topics.values_mut().for_each(|subscribers| _ = subscribers.remove(&holder));
        Ok(())
    }

    fn moves(&mut self, queue: &Name, value: u64, from: &[Whereabouts], to: Whereabouts) -> Result<(), String> {
        let known = self.queues.entry(queue.clone()).or_default().get_mut(&value);
        let before = known.ok_or_else(|| format!("value {value:x} of {queue} was never put"))?;
        if !from.contains(before) {
            return Err(format!("value {value:x} of {queue} is {before:?} and becomes {to:?}"));
        }
        *before = to;
        Ok(())
    }

    /// If the call was to put a value, it is not in the queue.
    fn not_in(&mut self, what: &Ask) -> Result<(), String> {
        match what {
            Ask::Queue(name, QueueAsk::Put { value, .. }) => {
                self.moves(name, number(value)?, &[Whereabouts::Offered], Whereabouts::Refused)
            }
            _ => Ok(()),
        }
    }

    /// The machine wants this done.
    pub fn says(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Answer { holder, request, answer } => {
                let by = (*holder, *request);
                let at = self.open.iter().find(|(_, open)| open.by == by).map(|(at, _)| *at);
                let at = at.ok_or_else(|| format!("call {} of holder {} is answered without a reason: {answer:?}", request.0, holder.0))?;
                let open = self.open.remove(&at).expect("just found");
                let answer = answer.as_ref().map_err(|failure| format!("{:?} of holder {} is refused: {failure}", open.what, holder.0))?;
                match answer {
                    Answer::TimedOut if open.until.is_none_or(|until| until > self.now) => Err(format!("{:?} has time left", open.what)),
                    Answer::TimedOut | Answer::Withdrawn => self.not_in(&open.what),
                    answer => self.serves(at, &open, answer),
                }
            }
            Action::Deliver { holder, topic, .. } => {
                let subscribed = self.topics.get(topic).is_some_and(|subscribers| subscribers.contains(holder));
                let once = self.reached.insert(*holder);
                if subscribed && once { Ok(()) } else { Err(format!("holder {} hears {topic} against its will", holder.0)) }
            }
            Action::Warn(_) => Ok(()),
        }
    }

    fn serves(&mut self, at: u64, open: &Open, answer: &Answer) -> Result<(), String> {
        let ahead = |other: &Open| line_of(&other.what) == line_of(&open.what) && other.what.name() == open.what.name();
        if let Some((_, other)) = self.open.range(..at).find(|(_, other)| ahead(other)) {
            return Err(format!("{:?} of holder {} is served before {:?}", open.what, open.by.0.0, other.what));
        }
        match (&open.what, answer) {
            (Ask::Lock(name, LockAsk::Acquire { .. }), Answer::Done) => match self.locks.insert(name.clone(), open.by) {
                Some(other) => Err(format!("{name} is given to holder {} while holder {} has it", open.by.0.0, other.0.0)),
                None => Ok(()),
            },
            (Ask::Semaphore(name, SemaphoreAsk::Acquire { lease: micros, .. }), Answer::Lease(id)) => {
                if self.taken(name) >= number_in(name) {
                    return Err(format!("a lease too many of {name} is given"));
                }
                let (by, until) = (open.by, self.now + micros);
                self.leases.insert(*id, Given { name: name.clone(), by, micros: *micros, until, used: true });
                Ok(())
            }
            (Ask::Semaphore(name, SemaphoreAsk::Refresh(_)), answer) => {
                let (taken, most) = (self.taken(name), number_in(name));
                let right = match answer {
                    Answer::Done => !self.late,
                    Answer::Expired => self.late && taken <= most,
                    answer => taken > most && *answer == (Answer::Oversubscribed { taken, max_leases: most }),
                };
                if right { Ok(()) } else { Err(format!("{taken} of {most} leases of {name} are used, and a refresh hears {answer:?}")) }
            }
            (Ask::Event(name, EventAsk::Wait { .. }), Answer::Done) if !self.raised.contains(name) => Err(format!("{name} is not set")),
            (Ask::Variable(name, VariableAsk::Get { .. }), Answer::Value(value)) if self.variables.get(name) != Some(value) => {
                Err(format!("{name} has another value"))
            }
            (Ask::Queue(name, QueueAsk::Put { value, .. }), Answer::Done) => {
                let value = number(value)?;
                match self.queues[name].get(&value) {
                    // It was handed over at once.
                    Some(Whereabouts::Out) => Ok(()),
                    _ => self.moves(name, value, &[Whereabouts::Offered], Whereabouts::In),
                }
            }
            (Ask::Queue(name, QueueAsk::Get { .. }), Answer::Value(value)) => self.comes_out(name, value),
            (Ask::Queue(name, QueueAsk::GetBatch { count, .. }), Answer::Values(values)) => {
                if values.is_empty() || count.is_some_and(|count| values.len() > count as usize) {
                    return Err(format!("{} values come out of {name}, {count:?} were asked for", values.len()));
                }
                values.iter().try_for_each(|value| self.comes_out(name, value))
            }
            (Ask::Topic(name, TopicAsk::Publish(_)), Answer::Count(count)) => {
                let due = self.topics.get(name).cloned().unwrap_or_default();
                let right = self.reached == due && *count == due.len() as u64;
                if right { Ok(()) } else { Err(format!("a message for {due:?} reaches {:?}, and {count} are told", self.reached)) }
            }
            _ => Ok(()),
        }
    }

    fn comes_out(&mut self, queue: &Name, value: &Bytes) -> Result<(), String> {
        let value = number(value)?;
        // It may pass from hand to hand, when somebody waits who is before all values.
        self.moves(queue, value, &[Whereabouts::In, Whereabouts::Offered], Whereabouts::Out)?;
        match self.last_out.insert((queue.clone(), value >> 32), value) {
            Some(last) if last >= value => Err(format!("value {value:x} of {queue} comes out after {last:x} of its producer")),
            _ => Ok(()),
        }
    }

    fn taken(&self, name: &Name) -> u32 {
        self.leases.values().filter(|lease| lease.used && lease.name == *name).count() as u32
    }

    fn is_too_full(&self, name: &Name) -> bool {
        let most = number_in(name) as usize;
        most > 0 && self.size(name) > most + self.put_back.get(name).copied().unwrap_or(0)
    }

    fn size(&self, name: &Name) -> usize {
        self.queues.get(name).map_or(0, |values| values.values().filter(|place| **place == Whereabouts::In).count())
    }

    /// The event is handled to its end: nobody waits for what is there.
    pub fn settled(&self, machine: &Coordination) -> Result<(), String> {
        if let Some(name) = self.queues.keys().find(|name| self.is_too_full(name)) {
            return Err(format!("{name} holds {} values", self.size(name)));
        }
        if machine.next_deadline().is_some_and(|due| due <= self.now) {
            return Err("something is due and did not happen".into());
        }
        for open in self.open.values() {
            let name = open.what.name();
            let waits = match &open.what {
                Ask::Lock(..) => self.locks.contains_key(name),
                Ask::Semaphore(..) => self.taken(name) >= number_in(name),
                Ask::Event(..) => !self.raised.contains(name),
                Ask::Variable(..) => !self.variables.contains_key(name),
                Ask::Queue(_, QueueAsk::Put { maxsize, .. }) => *maxsize > 0 && self.size(name) >= *maxsize as usize,
                Ask::Queue(..) => self.size(name) == 0,
                Ask::Topic(..) => false,
            };
            if !waits || open.until.is_some_and(|until| until <= self.now) {
                return Err(format!("{:?} of holder {} waits for nothing", open.what, open.by.0.0));
            }
        }
        Ok(())
    }

    /// Everybody is gone and the queues are empty: no value is left that went in.
    pub fn nothing_lost(&self) -> Result<(), String> {
        let left = self.queues.iter().flat_map(|(name, values)| values.iter().map(move |(value, place)| (name, value, place)));
        let lost = left.into_iter().find(|(.., place)| matches!(place, Whereabouts::In | Whereabouts::Offered));
        match lost {
            Some((name, value, _)) => Err(format!("value {value:x} of {name} was put and never came out")),
            None => Ok(()),
        }
    }
}
