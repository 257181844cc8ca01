//! A semaphore by name, with leases that expire with their holder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use partita_core::coordination::{Answer, Ask, LEASE_MICROS, LeaseId, Name, SemaphoreAsk};
use partita_graph::{Code, Failure};

use super::{micros, unexpected};
use crate::client::Client;

/// So many may go on at a time, on whatever hosts: connections to a database, requests to a service.
///
/// A lease is refreshed as long as its process lives, and expires when the process hangs or loses the scheduler for longer than the
/// lease lasts (30 s unless told otherwise).
///
/// ```
/// use partita::Semaphore;
/// let connections = Semaphore::new("database", 2)?;
/// let one = connections.acquire()?;
/// let _two = connections.acquire()?;
/// assert_eq!(connections.leases()?, 2);
/// drop(one);
/// assert_eq!(connections.leases()?, 1);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone)]
pub struct Semaphore {
    client: Client,
    name: Name,
    max_leases: u32,
    lease: Duration,
}

/// A lease that is had. Dropping it gives it back.
#[must_use = "the lease is given back when this is dropped"]
pub struct Lease {
    client: Client,
    name: Name,
    id: LeaseId,
    alive: Arc<Alive>,
}

/// What the thread that refreshes leases knows of one.
struct Alive {
    client: Client,
    name: Name,
    id: LeaseId,
    /// How long it is valid after each refresh.
    lease: Duration,
    /// When it was certainly valid: the time at which the last refresh that was confirmed had been sent.
    confirmed: Mutex<Instant>,
    expired: AtomicBool,
}

impl Semaphore {
    /// The semaphore of this name, of the current client, for so many holders at a time. Whoever comes first decides how many.
    ///
    /// # Errors
    /// As [`Client::current`].
    pub fn new(name: &str, max_leases: u32) -> Result<Self, Failure> {
        Ok(Self::of(&Client::current()?, name, max_leases))
    }

    /// The same of another client.
    pub fn of(client: &Client, name: &str, max_leases: u32) -> Self {
        Self { client: client.clone(), name: name.into(), max_leases, lease: Duration::from_micros(LEASE_MICROS) }
    }

    /// How long a lease lasts without being refreshed; it is refreshed three times as often. Default 30 s.
    pub fn lease_timeout(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    fn ask(&self, what: SemaphoreAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Semaphore(self.name.clone(), what))
    }

    /// Waits for a lease.
    ///
    /// # Errors
    /// Somebody uses the name for another number of holders; it was closed; the scheduler is gone; the lease was lost again before this process heard
    /// of it (E0231).
    pub fn acquire(&self) -> Result<Lease, Failure> {
        self.within(None)?.ok_or_else(|| unexpected(Answer::TimedOut))
    }

    /// Waits for a lease, but not longer than this; `None` when there was none.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Lease>, Failure> {
        self.within(Some(timeout))
    }

    fn within(&self, timeout: Option<Duration>) -> Result<Option<Lease>, Failure> {
        let lease = micros(Some(self.lease)).unwrap_or(LEASE_MICROS);
        let asked = Instant::now();
        match self.ask(SemaphoreAsk::Acquire { max_leases: self.max_leases, lease, timeout: micros(timeout) })? {
            Answer::Lease(id) => Lease::new(self, id, asked).map(Some),
            Answer::TimedOut => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// How many leases are taken.
    ///
    /// # Errors
    /// The scheduler is gone.
    #[doc(alias = "get_value")]
    pub fn leases(&self) -> Result<u64, Failure> {
        match self.ask(SemaphoreAsk::Value)? {
            Answer::Count(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }

    /// Ends all leases, and refuses whoever waits.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn close(&self) -> Result<(), Failure> {
        super::done(self.ask(SemaphoreAsk::Close)?).map(drop)
    }
}

impl Lease {
    /// A lease that was asked for at this time. It was given some time after that, perhaps long before the answer was heard: only from
    /// when it was asked for is it sure. So one that was long waited for is confirmed first, and refused when it is lost already.
    fn new(semaphore: &Semaphore, id: LeaseId, asked: Instant) -> Result<Self, Failure> {
        let (client, name) = (semaphore.client.clone(), semaphore.name.clone());
        let (lease, confirmed) = (semaphore.lease, Mutex::new(asked));
        let alive = Arc::new(Alive { client: client.clone(), name: name.clone(), id, lease, confirmed, expired: AtomicBool::new(false) });
        refresher().add(&alive);
        let had = Self { client, name, id, alive };
        if asked.elapsed() >= had.alive.every() {
            let sent = Instant::now();
            let answer = had.client.coordinate(had.alive.question())?;
            had.alive.hear(sent, &Ok(answer));
            had.check()?;
        }
        Ok(had)
    }

    /// Whether it is still had: a process that hung or lost its scheduler for too long may have lost it to another.
    ///
    /// # Errors
    /// It expired, or was not confirmed for as long as it lasts: others may work beside this one (E0231).
    pub fn check(&self) -> Result<(), Failure> {
        // Whether the scheduler said so or has not been heard for that long, which is as bad: it gives the lease to the next.
        let unconfirmed = self.alive.confirmed().elapsed();
        if self.alive.expired.load(Ordering::Relaxed) || unconfirmed >= self.alive.lease {
            let what = format!("a lease of the semaphore {:?} expired, and another may have it now", &*self.name);
            return Err(Failure::new(Code::NotHeld, what)
                .detail("last confirmed", format!("{:.1} s ago", unconfirmed.as_secs_f64()))
                .help("stop what the lease protects and acquire again; a longer .lease_timeout(…) bears longer interruptions"));
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Not waited for: what is asked next is answered after it.
        self.client.desk_ask(Ask::Semaphore(self.name.clone(), SemaphoreAsk::Release(self.id)), Box::new(drop));
    }
}

impl Alive {
    fn confirmed(&self) -> MutexGuard<'_, Instant> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn question(&self) -> Ask {
        Ask::Semaphore(self.name.clone(), SemaphoreAsk::Refresh(self.id))
    }

    /// What became of a refresh that was sent at this time.
    fn hear(&self, sent: Instant, answer: &Result<Answer, Failure>) {
        match answer {
            Ok(Answer::Oversubscribed { .. }) | Err(_) => self.expired.store(true, Ordering::Relaxed),
            // An expired lease that is valid again was not given to anybody meanwhile.
            Ok(_) => *self.confirmed() = sent,
        }
    }

    /// Between two refreshes.
    fn every(&self) -> Duration {
        self.lease / 3
    }
}

/// The thread that refreshes all leases of this process.
struct Refresher {
    leases: Mutex<Vec<(Instant, Weak<Alive>)>>,
    bell: Condvar,
}

fn refresher() -> &'static Refresher {
    static REFRESHER: OnceLock<&'static Refresher> = OnceLock::new();
    REFRESHER.get_or_init(|| {
        let refresher: &'static Refresher = Box::leak(Box::new(Refresher { leases: Mutex::default(), bell: Condvar::new() }));
        std::thread::Builder::new()
            .name("partita-leases".into())
            .spawn(|| refresher.work())
            .expect("the operating system refused a thread for leases");
        refresher
    })
}

impl Refresher {
    fn add(&self, alive: &Arc<Alive>) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.push((Instant::now() + alive.every(), Arc::downgrade(alive)));
        self.bell.notify_one();
    }

    fn work(&self) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            leases.retain(|(_, alive)| alive.strong_count() > 0);
            let now = Instant::now();
            for (due, alive) in leases.iter_mut().filter(|(due, _)| *due <= now) {
                if let Some(alive) = alive.upgrade() {
                    *due = now + alive.every();
                    refresh(alive);
                }
            }
            let next = leases.iter().map(|(due, _)| *due).min();
            let pause = next.map_or(Duration::from_secs(3600), |next| next.saturating_duration_since(Instant::now()));
            leases = self.bell.wait_timeout(leases, pause.max(Duration::from_millis(1))).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn refresh(alive: Arc<Alive>) {
    let (client, ask, sent) = (alive.client.clone(), alive.question(), Instant::now());
    client.desk_ask(ask, Box::new(move |answer| alive.hear(sent, &answer)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_is_lost_before_it_is_heard_of_is_refused() {
        let client = Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
        let short = Semaphore::of(&client, "lost at once", 1).lease_timeout(Duration::from_millis(50));
        let asked = Instant::now();
        let given = short.ask(SemaphoreAsk::Acquire { max_leases: 1, lease: 50_000, timeout: None }).expect("it is free");
        let Answer::Lease(id) = given else { panic!("{given:?}") };
        // Nobody refreshes it, so that the next one gets it when its time is over.
        let long = Semaphore::of(&client, "lost at once", 1).lease_timeout(Duration::from_secs(600));
        let next = long.acquire().expect("the first one expired");
        let failure = Lease::new(&short, id, asked).map(drop).expect_err("the next one has it");
        assert_eq!(failure.code, Code::NotHeld, "{failure}");
        next.check().expect("it is had");
        drop(next);
        assert_eq!(long.leases().expect("answered"), 0, "what was refused was given back");
    }
}
