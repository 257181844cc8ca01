//! Semaphores: a fixed number of leases, each valid until it is given back, its time is over, or its holder is gone.
//!
//! It refuses to believe that a lease which ran out is no longer used: its holder may only have been slow. Such a lease is remembered,
//! and when its holder speaks of it again it counts as taken, so that nobody else gets one until the numbers are right.
//! Invariants: never more live leases than there are; leases over the number only while all are live; nobody waits while one is free.

use std::collections::BTreeMap;

use partita_graph::{Code, Failure};

use super::book::{Book, Call, Due, Held, Line, Outcome, Place, Ticket};
use super::check::Found;
use super::limits::{MAX_EXPIRED, MAX_LEASES, check_objects};
use super::protocol::{Answer, HolderId, LeaseId, Name, SemaphoreAsk};
use super::snapshot::{LeaseState, LeaseView, SemaphoreView};
use crate::protocol::Tick;

#[derive(Default)]
pub(super) struct Semaphores(BTreeMap<Name, Semaphore>);

struct Semaphore {
    max: u32,
    live: BTreeMap<LeaseId, Lease>,
    /// They expired, went to others, and are used all the same.
    over: BTreeMap<LeaseId, Lease>,
    /// Nothing was heard of them since.
    expired: BTreeMap<LeaseId, Lease>,
    /// How long a lease each caller wants.
    line: Line<Tick>,
}

struct Lease {
    /// The call that brought it.
    by: Call,
    /// How long it is valid after each refresh, in microseconds.
    micros: Tick,
    until: Tick,
}

impl Semaphores {
    pub fn ask(&mut self, book: &mut Book, call: Call, name: Name, ask: SemaphoreAsk) -> Outcome {
        match ask {
            SemaphoreAsk::Acquire { max_leases, lease, timeout } => self.acquire(book, call, name, (max_leases, lease), timeout),
            SemaphoreAsk::Refresh(lease) => self.refresh(book, call.holder, &name, lease),
            SemaphoreAsk::Release(lease) => self.release(book, call.holder, &name, lease),
            SemaphoreAsk::Value => Ok(Some(Answer::Count(self.0.get(&name).map_or(0, |semaphore| semaphore.taken() as u64)))),
            SemaphoreAsk::Close => {
                self.close(book, &name);
                Ok(Some(Answer::Done))
            }
        }
    }

    fn acquire(&mut self, book: &mut Book, call: Call, name: Name, (max, micros): (u32, Tick), timeout: Option<Tick>) -> Outcome {
        if !(1..=MAX_LEASES).contains(&max) {
            let what = format!("semaphore `{name}` is asked for with max_leases {max}");
            return Err(Failure::new(Code::InvalidOption, what).help(format!("use a number from 1 to {MAX_LEASES}")));
        }
        if micros == 0 {
            let what = format!("a lease of semaphore `{name}` is asked for that ends at once");
            return Err(Failure::new(Code::InvalidOption, what).help("give the lease more than 0 microseconds"));
        }
        match self.0.get_mut(&name) {
            Some(semaphore) if semaphore.max != max => {
                let what = format!("semaphore `{name}` has max_leases {}, and {max} are asked for", semaphore.max);
                return Err(Failure::new(Code::OtherNumber, what).help("use one number for one name: whoever comes first fixes it"));
            }
            Some(semaphore) if !semaphore.has_room() => {
                return semaphore.line.join(book, call, Place::Semaphore(name), timeout, micros);
            }
            Some(_) => {}
            None => check_objects(self.0.len(), "semaphores")?,
        }
        book.check_holder(call.holder)?;
        let semaphore = self.0.entry(name.clone()).or_insert_with(|| Semaphore::new(max));
        Ok(Some(Answer::Lease(semaphore.grant(book, call, &name, micros))))
    }

    fn refresh(&mut self, book: &mut Book, holder: HolderId, name: &Name, id: LeaseId) -> Outcome {
        let semaphore = self.with_lease(name, id, holder)?;
        if let Some(mut lease) = semaphore.expired.remove(&id) {
            lease.extend(book, id, name);
            let fits = semaphore.has_room();
            let group = if fits { &mut semaphore.live } else { &mut semaphore.over };
            group.insert(id, lease);
            let (taken, max) = (semaphore.taken(), semaphore.max);
            book.warn(format!(
                "semaphore `{name}`: holder {} refreshes lease {} after it expired, {taken} of {max} are in use now",
                holder.0, id.0
            ));
            return Ok(Some(if fits { Answer::Expired } else { semaphore.oversubscribed() }));
        }
        if let Some(lease) = semaphore.over.get_mut(&id) {
            lease.extend(book, id, name);
            return Ok(Some(semaphore.oversubscribed()));
        }
        semaphore.live.get_mut(&id).expect("a lease is live, over or expired").extend(book, id, name);
        Ok(Some(Answer::Done))
    }

    fn release(&mut self, book: &mut Book, holder: HolderId, name: &Name, id: LeaseId) -> Outcome {
        let late = self.with_lease(name, id, holder)?.expired.contains_key(&id);
        if late {
            book.warn(format!(
                "semaphore `{name}`: holder {} gives back lease {} after it expired, others may have worked beside it",
                holder.0, id.0
            ));
        }
        self.end(book, name, id);
        Ok(Some(if late { Answer::Expired } else { Answer::Done }))
    }

    /// The semaphore, if the holder has this lease of it.
    fn with_lease(&mut self, name: &Name, id: LeaseId, holder: HolderId) -> Result<&mut Semaphore, Failure> {
        let lease = self.0.get(name).and_then(|semaphore| semaphore.lease(id));
        let who = match lease.map(|lease| lease.by.holder) {
            Some(found) if found == holder => return Ok(self.0.get_mut(name).expect("it has the lease")),
            Some(found) => format!("held by another (holder {})", found.0),
            None => "not known; it was given back before, or the semaphore was closed".into(),
        };
        let what = format!("lease {} of semaphore `{name}` is {who}", id.0);
        Err(Failure::new(Code::NotHeld, what).help("give a lease back once, by who acquired it; a guard does that by itself"))
    }

    /// The lease ends, whatever its state, and the next one is given.
    pub fn end(&mut self, book: &mut Book, name: &Name, id: LeaseId) {
        let semaphore = self.0.get_mut(name).expect("whatever is held exists");
        let live = semaphore.live.remove(&id).or_else(|| semaphore.over.remove(&id));
        let lease = live.or_else(|| semaphore.expired.remove(&id)).expect("a lease is live, over or expired");
        lease.forget(book, id, name);
        semaphore.settle(book, name);
        if semaphore.live.is_empty() && semaphore.expired.is_empty() {
            self.0.remove(name);
        }
    }

    /// The lease's time is over.
    pub fn expire(&mut self, book: &mut Book, name: &Name, id: LeaseId) {
        let semaphore = self.0.get_mut(name).expect("a deadline is that of a lease");
        let lease = semaphore.live.remove(&id).or_else(|| semaphore.over.remove(&id)).expect("only a lease in use has a deadline");
        semaphore.expired.insert(id, lease);
        if semaphore.expired.len() > MAX_EXPIRED
            && let Some((oldest, lease)) = semaphore.expired.pop_first()
        {
            lease.forget(book, oldest, name);
        }
        semaphore.settle(book, name);
    }

    fn close(&mut self, book: &mut Book, name: &Name) {
        let Some(semaphore) = self.0.remove(name) else { return };
        let taken = semaphore.taken();
        let Semaphore { max, live, over, expired, mut line } = semaphore;
        if taken > 0 {
            book.warn(format!("semaphore `{name}` is closed while {taken} of {max} leases are in use"));
        }
        live.into_iter().chain(over).chain(expired).for_each(|(id, lease)| lease.forget(book, id, name));
        while let Some(waiter) = line.serve(book) {
            let what = format!("semaphore `{name}` was closed while this call waited for a lease");
            let failure = Failure::new(Code::SemaphoreClosed, what).help("close it when nobody needs it any more, or acquire again");
            book.answer(waiter.call, Err(failure));
        }
    }

    /// A call that waited gives up.
    pub fn leave(&mut self, book: &mut Book, name: &Name, ticket: Ticket) {
        self.0.get_mut(name).expect("one waits for what exists").line.leave(book, ticket);
    }

    pub fn check(&self, found: &mut Found) {
        for (name, semaphore) in &self.0 {
            let (live, over) = (semaphore.live.len(), semaphore.over.len());
            assert!(live <= semaphore.max as usize, "live leases of semaphore {name}");
            assert!(over == 0 || live == semaphore.max as usize, "semaphore {name} is oversubscribed while a lease is free");
            assert!(semaphore.line.is_empty() || !semaphore.has_room(), "somebody waits for semaphore {name} while a lease is free");
            assert!(live + semaphore.expired.len() > 0, "semaphore {name} has no lease");
            assert!(semaphore.expired.len() <= MAX_EXPIRED, "expired leases of semaphore {name}");
            for (id, lease) in semaphore.live.iter().chain(&semaphore.over) {
                found.due(lease.until, Due::Lease(*id, name.clone()));
            }
            for (id, lease) in semaphore.live.iter().chain(&semaphore.over).chain(&semaphore.expired) {
                found.holding(lease.by, Held::Lease(*id, name.clone()));
            }
            found.waiting(&semaphore.line, &Place::Semaphore(name.clone()));
        }
    }

    pub fn view(&self) -> Vec<SemaphoreView> {
        let view = |(name, semaphore): (&Name, &Semaphore)| {
            let groups =
                [(LeaseState::Live, &semaphore.live), (LeaseState::Over, &semaphore.over), (LeaseState::Expired, &semaphore.expired)];
            let leases = groups.into_iter().flat_map(|(state, leases)| {
                leases.iter().map(move |(id, lease)| LeaseView { id: *id, holder: lease.by.holder, state, until: lease.until })
            });
            SemaphoreView { name: name.clone(), max_leases: semaphore.max, leases: leases.collect(), waiting: semaphore.line.holders() }
        };
        self.0.iter().map(view).collect()
    }
}

impl Semaphore {
    fn new(max: u32) -> Self {
        Self { max, live: BTreeMap::new(), over: BTreeMap::new(), expired: BTreeMap::new(), line: Line::default() }
    }

    fn lease(&self, id: LeaseId) -> Option<&Lease> {
        self.live.get(&id).or_else(|| self.over.get(&id)).or_else(|| self.expired.get(&id))
    }

    /// Leases in use.
    fn taken(&self) -> usize {
        self.live.len() + self.over.len()
    }

    fn has_room(&self) -> bool {
        self.taken() < self.max as usize
    }

    fn oversubscribed(&self) -> Answer {
        Answer::Oversubscribed { taken: self.taken() as u32, max_leases: self.max }
    }

    fn grant(&mut self, book: &mut Book, by: Call, name: &Name, micros: Tick) -> LeaseId {
        let id = book.next_lease();
        let mut lease = Lease { by, micros, until: 0 };
        lease.extend(book, id, name);
        book.change(by.holder, |holder| {
            holder.holds.insert(by.request, Held::Lease(id, name.clone()));
        });
        self.live.insert(id, lease);
        id
    }

    /// Something may be free: first for those that are used beyond the number, then for those who wait.
    fn settle(&mut self, book: &mut Book, name: &Name) {
        while self.live.len() < self.max as usize
            && let Some((id, lease)) = self.over.pop_first()
        {
            self.live.insert(id, lease);
        }
        while self.has_room()
            && let Some(waiter) = self.line.serve(book)
        {
            let lease = self.grant(book, waiter.call, name, waiter.wants);
            book.answer(waiter.call, Ok(Answer::Lease(lease)));
        }
    }
}

impl Lease {
    /// Valid from now for its whole time.
    fn extend(&mut self, book: &mut Book, id: LeaseId, name: &Name) {
        book.deadlines.remove(&(self.until, Due::Lease(id, name.clone())));
        self.until = book.now.saturating_add(self.micros);
        book.deadlines.insert((self.until, Due::Lease(id, name.clone())));
    }

    fn forget(self, book: &mut Book, id: LeaseId, name: &Name) {
        book.deadlines.remove(&(self.until, Due::Lease(id, name.clone())));
        book.change(self.by.holder, |holder| {
            holder.holds.remove(&self.by.request);
        });
    }
}
