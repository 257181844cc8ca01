//! How the wanted keys of one run have ended: who waits for them, and who is called back.
//!
//! It refuses to know machines and chunks. Invariants: the end of a key is told to each callback once, and never under a lock; a
//! failure or a cancellation is final, a good end may be taken back when the chunk turns out to be lost and is not told again; a task
//! that waits gives its slot up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partita_graph::{Code, Failure, Key, KeyStatus, OnKeyEnd};

use crate::brief::look_briefly;
use crate::waiting;

type Callback = Arc<dyn Fn(usize, Result<(), Failure>) + Send + Sync>;

/// The ends of the wanted keys of a run, which are named by their places; a key that is wanted twice has two.
pub struct Ends {
    wanted: Vec<Key>,
    /// The wanted keys in order of keys, each with its place.
    places: Vec<(Key, u32)>,
    watched: Arc<Watched>,
}

/// What waiting threads look at.
struct Watched {
    state: Mutex<State>,
    /// Grows when keys have ended: who looks again and again need not lock for it.
    changes: AtomicU64,
    bell: Condvar,
}

struct State {
    keys: Vec<End>,
    /// How many keys have no end at the moment.
    open: usize,
    callbacks: Vec<Callback>,
}

#[derive(Clone)]
enum End {
    Open,
    /// It was done, and is made once more.
    Again,
    Done,
    Failed(Failure),
    Cancelled,
}

/// Ends that came just now, to be told.
type News = Vec<(usize, Result<(), Failure>)>;

/// The failure of a key that nobody wants any more.
fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the result is not wanted any more")
}

fn no_result(index: usize) -> Failure {
    Failure::internal(format!("there is no result {index}"))
}

impl End {
    fn is_open(&self) -> bool {
        matches!(self, End::Open | End::Again)
    }

    fn outcome(&self) -> Option<Result<(), Failure>> {
        match self {
            End::Open | End::Again => None,
            End::Done => Some(Ok(())),
            End::Failed(failure) => Some(Err(failure.clone())),
            End::Cancelled => Some(Err(cancelled())),
        }
    }
}

impl State {
    /// The key at this place has this end now, unless it has a final one. What is to be told of it goes to `news`.
    fn set(&mut self, at: usize, end: End, news: &mut News) {
        let known = &mut self.keys[at];
        if matches!(known, End::Failed(_) | End::Cancelled) {
            return;
        }
        self.open -= usize::from(known.is_open());
        let first = matches!(known, End::Open);
        *known = end;
        if first && !self.callbacks.is_empty() {
            news.extend(known.outcome().map(|outcome| (at, outcome)));
        }
    }

    fn outcome(&self, index: usize) -> Option<Result<(), Failure>> {
        self.keys.get(index).map_or_else(|| Some(Err(no_result(index))), End::outcome)
    }

    fn any_of(&self, among: &[usize]) -> Option<usize> {
        among.iter().copied().find(|at| self.keys.get(*at).is_some_and(|end| !end.is_open()))
    }
}

impl Ends {
    /// Of these keys, none of which has an end.
    pub fn new(wanted: Vec<Key>) -> Self {
        let mut places: Vec<(Key, u32)> = wanted.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let state = State { keys: vec![End::Open; wanted.len()], open: wanted.len(), callbacks: Vec::new() };
        Self { wanted, places, watched: Arc::new(Watched { state: Mutex::new(state), changes: AtomicU64::new(0), bell: Condvar::new() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.watched.state()
    }

    fn places_of(&self, key: Key) -> impl Iterator<Item = usize> {
        let from = self.places.partition_point(|(known, _)| *known < key);
        self.places[from..].iter().take_while(move |(known, _)| *known == key).map(|(_, at)| *at as usize)
    }

    /// The wanted keys, by place.
    pub fn wanted(&self) -> &[Key] {
        &self.wanted
    }

    /// The key at this place. Fails when there is none.
    pub fn key(&self, index: usize) -> Result<Key, Failure> {
        self.wanted.get(index).copied().ok_or_else(|| no_result(index))
    }

    /// Changes ends under the lock, then tells of them.
    fn change<T>(&self, change: impl FnOnce(&mut State, &mut News) -> T) -> T {
        let (mut news, mut guard) = (News::new(), self.state());
        let state: &mut State = &mut guard;
        let answer = change(state, &mut news);
        self.watched.changes.fetch_add(1, Ordering::Release);
        let callbacks = if news.is_empty() { Vec::new() } else { guard.callbacks.clone() };
        drop(guard);
        self.watched.bell.notify_all();
        for (at, outcome) in news {
            for callback in &callbacks {
                callback(at, outcome.clone());
            }
        }
        answer
    }

    /// These keys have ended. Those that nobody wants here are no fault.
    pub fn end(&self, ended: impl IntoIterator<Item = (Key, Result<(), Failure>)>) {
        self.change(|state, news| {
            for (key, outcome) in ended {
                for at in self.places_of(key) {
                    let end = match &outcome {
                        Ok(()) => End::Done,
                        Err(failure) => End::Failed(failure.clone()),
                    };
                    state.set(at, end, news);
                }
            }
        });
    }

    /// All keys that have no end fail with this.
    pub fn fail_rest(&self, failure: &Failure) {
        self.end_rest(|| End::Failed(failure.clone()));
    }

    /// Ends what is open, and returns these places.
    fn end_rest(&self, end: impl Fn() -> End) -> Vec<usize> {
        self.change(|state, news| {
            let open: Vec<usize> = (0..state.keys.len()).filter(|at| state.keys[*at].is_open()).collect();
            open.iter().for_each(|at| state.set(*at, end(), news));
            open
        })
    }

    /// Nobody wants these any more. The keys of which no place is wanted now.
    pub fn forget(&self, indices: &[usize]) -> Vec<Key> {
        self.change(|state, news| {
            let mut unwanted = Vec::new();
            for &at in indices.iter().filter(|at| **at < self.wanted.len()) {
                if matches!(state.keys[at], End::Cancelled) {
                    continue;
                }
                state.set(at, End::Cancelled, news);
                // A failure is final for those who wait, but who forgets it has no use for it.
                state.keys[at] = End::Cancelled;
                let key = self.wanted[at];
                if self.places_of(key).all(|at| matches!(state.keys[at], End::Cancelled)) {
                    unwanted.push(key);
                }
            }
            unwanted
        })
    }

    /// Nobody wants those that have no end. The keys of which no place is wanted now.
    pub fn cancel(&self) -> Vec<Key> {
        let open = self.end_rest(|| End::Cancelled);
        let state = self.state();
        let unwanted = |key: &Key| self.places_of(*key).all(|at| matches!(state.keys[at], End::Cancelled));
        open.into_iter().map(|at| self.wanted[at]).filter(unwanted).collect()
    }

    /// Whether somebody wants the key at some place.
    pub fn wants(&self, key: Key) -> bool {
        let state = self.state();
        self.places_of(key).any(|at| !matches!(state.keys[at], End::Cancelled))
    }

    /// The places of these keys that have no end.
    pub fn open_among(&self, keys: &[Key]) -> Vec<usize> {
        let state = self.state();
        keys.iter().flat_map(|key| self.places_of(*key)).filter(|at| state.keys[*at].is_open()).collect()
    }

    /// Those of these keys that have failed.
    pub fn failed_among(&self, keys: &[Key]) -> Vec<Key> {
        let state = self.state();
        let failed = |key: &Key| self.places_of(*key).any(|at| matches!(state.keys[at], End::Failed(_)));
        keys.iter().copied().filter(failed).collect()
    }

    /// The keys that have failed with just this.
    pub fn failed_with(&self, failure: &Failure) -> Vec<Key> {
        let state = self.state();
        let failed = |at: &usize| matches!(&state.keys[*at], End::Failed(other) if other == failure);
        (0..state.keys.len()).filter(failed).map(|at| self.wanted[at]).collect()
    }

    /// A good end is taken back: the key is made again.
    pub fn reopen(&self, key: Key) {
        let mut state = self.state();
        for at in self.places_of(key) {
            if matches!(state.keys[at], End::Done) {
                state.keys[at] = End::Again;
                state.open += 1;
            }
        }
    }

    /// Calls back once for each key that has ended or ends; see [`partita_graph::RunningEach::on_key_end`].
    pub fn on_key_end(&self, callback: OnKeyEnd) {
        let callback: Callback = Arc::from(callback);
        let mut state = self.state();
        // Whatever ends from here on is told by whoever ends it. What is made again was told already, to others.
        let told = |end: &End| if matches!(end, End::Again) { Some(Ok(())) } else { end.outcome() };
        let ended: News = state.keys.iter().enumerate().filter_map(|(at, end)| Some((at, told(end)?))).collect();
        state.callbacks.push(callback.clone());
        drop(state);
        for (at, outcome) in ended {
            callback(at, outcome);
        }
    }

    /// How a key stands; cancelled when there is no such place.
    pub fn status(&self, index: usize) -> KeyStatus {
        match self.state().keys.get(index) {
            Some(End::Open | End::Again) => KeyStatus::Pending,
            Some(End::Done) => KeyStatus::Done,
            Some(End::Failed(failure)) => KeyStatus::Failed(failure.clone()),
            Some(End::Cancelled) | None => KeyStatus::Cancelled,
        }
    }

    /// How a key ended, if it has. Where there is no key it has failed.
    pub fn outcome(&self, index: usize) -> Option<Result<(), Failure>> {
        self.state().outcome(index)
    }

    /// Whether some key has no end.
    pub fn is_open(&self) -> bool {
        self.state().open > 0
    }

    /// The first of these that has ended, if one has.
    pub fn any_of(&self, among: &[usize]) -> Option<usize> {
        self.state().any_of(among)
    }

    /// Waits until there is something to see. Fails only inside a task: as [`waiting::wait_inside`].
    fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> Result<T, Failure> {
        let changes = || self.watched.changes.load(Ordering::Acquire);
        let look_now = || look(&self.state());
        let mut known = changes();
        let look_again = || {
            let before = std::mem::replace(&mut known, changes());
            if before == known { None } else { look_now() }
        };
        if let Some(seen) = look_now().or_else(|| look_briefly(look_again)) {
            return Ok(seen);
        }
        let rung = self.watched.clone();
        let wait = |given_up: &dyn Fn() -> bool| {
            let mut state = self.state();
            loop {
                match look(&state) {
                    None if given_up() => return None,
                    None => state = self.watched.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
                    seen => return seen,
                }
            }
        };
        waiting::wait_inside(move || rung.ring(), wait)
    }

    /// Waits until the key has an end. Inside a task that nobody wants any more it fails as cancelled.
    pub fn wait_for(&self, index: usize) -> Result<(), Failure> {
        self.wait(|state| state.outcome(index))?
    }

    /// Waits until one of these has ended: the first of them. There must be one. Fails only inside a task that may not wait or that
    /// nobody wants any more.
    pub fn wait_for_any(&self, among: &[usize]) -> Result<usize, Failure> {
        self.wait(|state| state.any_of(among))
    }

    /// Waits until every key has an end. Fails as [`Ends::wait_for_any`].
    pub fn wait_for_all(&self) -> Result<(), Failure> {
        self.wait(|state| (state.open == 0).then_some(()))
    }

    /// Waits a moment for an end.
    pub fn pause(&self, moment: Duration) {
        let state = self.state();
        if state.open > 0 {
            drop(self.watched.bell.wait_timeout(state, moment));
        }
    }
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings for whoever waits and is to look at something else than the keys.
    fn ring(&self) {
        // Who looked before and sleeps now is woken; who looks later sees it.
        drop(self.state());
        self.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::LayerId;

    fn key(index: u32) -> Key {
        Key::new(LayerId(1), index)
    }

    fn failed() -> Failure {
        Failure::new(Code::UserFunction, "no")
    }

    /// What a callback that is set now is told, in order.
    fn listen(ends: &Ends) -> Arc<Mutex<Vec<(usize, bool)>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        ends.on_key_end(Box::new(move |at, outcome| told.lock().unwrap().push((at, outcome.is_ok()))));
        seen
    }

    #[test]
    fn each_callback_is_told_once_whenever_it_came() {
        let ends = Ends::new(vec![key(3), key(1), key(3), key(2)]);
        let early = listen(&ends);
        ends.end([(key(3), Ok(())), (key(9), Ok(()))]);
        let late = listen(&ends);
        ends.end([(key(3), Ok(())), (key(2), Err(failed()))]);
        ends.reopen(key(3));
        assert_eq!((ends.status(0), ends.is_open()), (KeyStatus::Pending, true));
        ends.end([(key(3), Ok(())), (key(1), Ok(()))]);
        for seen in [early, late, listen(&ends)] {
            let mut seen = seen.lock().unwrap().clone();
            seen.sort_unstable();
            assert_eq!(seen, [(0, true), (1, true), (2, true), (3, false)]);
        }
        ends.wait_for_all().unwrap();
        assert_eq!((ends.wait_for_any(&[7, 3, 1]).unwrap(), ends.wait_for(3).unwrap_err().code), (3, Code::UserFunction));
        assert_eq!(ends.wait_for(4).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn what_is_final_stays_and_a_good_end_may_turn() {
        let ends = Ends::new((0..5).map(key).collect());
        let seen = listen(&ends);
        ends.end([(key(0), Ok(())), (key(1), Err(failed()))]);
        ends.end([(key(0), Err(failed())), (key(1), Ok(()))]);
        assert_eq!([ends.status(0), ends.status(1)], [KeyStatus::Failed(failed()), KeyStatus::Failed(failed())]);
        assert_eq!(ends.forget(&[1, 2, 2, 8]), [key(1), key(2)]);
        ends.end([(key(2), Ok(()))]);
        assert_eq!([ends.status(1), ends.status(2), ends.status(8)], [KeyStatus::Cancelled, KeyStatus::Cancelled, KeyStatus::Cancelled]);
        assert_eq!(ends.cancel(), [key(3), key(4)]);
        ends.fail_rest(&failed());
        assert_eq!(*seen.lock().unwrap(), [(0, true), (1, false), (2, false), (3, false), (4, false)]);
        assert_eq!(ends.wait_for(3).unwrap_err().code, Code::Cancelled);
    }

    #[test]
    fn a_key_that_is_wanted_twice_is_wanted_until_both_are_forgotten() {
        let ends = Ends::new(vec![key(1), key(1)]);
        assert!(ends.forget(&[1]).is_empty());
        assert_eq!((ends.any_of(&[0, 1]), ends.cancel()), (Some(1), vec![key(1)]));
    }

    #[test]
    fn many_threads_end_and_listen() {
        let ends = Ends::new((0..1000).map(key).collect());
        let heard = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for part in 0..4 {
                let ends = &ends;
                scope.spawn(move || (part * 250..(part + 1) * 250).for_each(|at| ends.end([(key(at), Ok(()))])));
            }
            for _ in 0..8 {
                scope.spawn(|| heard.lock().unwrap().push(listen(&ends)));
            }
            scope.spawn(|| ends.wait_for_all().unwrap());
        });
        for seen in heard.into_inner().unwrap() {
            let mut seen: Vec<usize> = seen.lock().unwrap().iter().map(|(at, _)| *at).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        }
    }
}
