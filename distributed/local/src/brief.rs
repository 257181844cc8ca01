//! Looking again for a moment before a thread goes to sleep.
//!
//! A processor with nothing to do is put to rest, and takes longer to come back than a scheduler and a worker take for a short task. The
//! thread that waits keeps one awake: what happens meanwhile happens on it or beside it, without that delay. Whoever else wants the
//! processor gets it before each look.
//!
//! It refuses to know what is waited for. Invariants: in a process one thread at a time looks; never longer than [`MOMENT`]; a thread that
//! looked in vain goes to sleep at once the next times, and the more of them the oftener that happens.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::place::Place;

/// A call that does nothing comes back from another process of the same host within half of it.
const MOMENT: Duration = Duration::from_micros(400);
/// So many waits at most pass before it is tried again.
const MOST_PASSED: u32 = 255;

/// Whether somebody looks.
static LOOKING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How many waits pass until the next look, and after a look in vain.
    static PATIENCE: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
}

/// The only one that looks, until this is dropped.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(looking: &'a AtomicBool) -> Option<Self> {
        (!looking.swap(true, Ordering::Acquire)).then_some(Self(looking))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Looks until there is something to see or a moment has passed. Inside a task it does not look: there its slot is another's.
pub fn look_briefly<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    look_in_turn(&LOOKING, look)
}

fn look_in_turn<T>(looking: &AtomicBool, look: impl FnMut() -> Option<T>) -> Option<T> {
    let (passed, after) = PATIENCE.get();
    if passed > 0 {
        PATIENCE.set((passed - 1, after));
        return None;
    }
    if Place::in_loop() {
        return None;
    }
    let turn = Turn::take(looking)?;
    let seen = look_for(MOMENT, look);
    drop(turn);
    let after = if seen.is_some() { 0 } else { (2 * after + 1).min(MOST_PASSED) };
    PATIENCE.set((after, after));
    seen
}

fn look_for<T>(moment: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        match look() {
            None if begun.elapsed() < moment => std::thread::yield_now(),
            seen => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a thread of its own, whose patience is new.
    fn apart(act: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(act).join().unwrap());
    }

    /// How often it looked.
    fn looks(looking: &AtomicBool, seen: Option<u8>) -> u32 {
        let mut looks = 0;
        assert_eq!(look_in_turn(looking, || (looks += 1, seen).1), seen.filter(|_| looks > 0));
        looks
    }

    #[test]
    fn what_is_not_seen_in_a_moment_is_looked_for_less_and_less_often() {
        apart(|| {
            let looking = AtomicBool::new(false);
            let tries: Vec<usize> = (0..1200).filter(|_| looks(&looking, None) > 0).collect();
            assert_eq!(tries, [0, 2, 6, 14, 30, 62, 126, 254, 510, 766, 1022]);
            // What is seen once is looked for as at first.
            while looks(&looking, Some(7)) == 0 {}
            assert_eq!((looks(&looking, Some(7)), looks(&looking, Some(7))), (1, 1));
        });
    }

    #[test]
    fn one_looks_at_a_time_and_who_panics_leaves_the_turn_to_others() {
        apart(|| {
            let looking = AtomicBool::new(false);
            let inside = look_in_turn(&looking, || Some(looks(&looking, Some(7))));
            assert_eq!((inside, looks(&looking, Some(7))), (Some(0), 1));
            let panicked = std::panic::catch_unwind(|| look_in_turn(&looking, || -> Option<()> { panic!("on purpose") }));
            assert!(panicked.is_err() && looks(&looking, Some(7)) == 1);
        });
    }

    #[test]
    fn a_moment_ends() {
        let begun = Instant::now();
        assert_eq!(look_for(Duration::from_millis(2), || None::<()>), None);
        assert!(begun.elapsed() >= Duration::from_millis(2));
        let mut left = 3;
        assert_eq!(look_for(Duration::from_secs(3600), || (left -= 1, (left == 0).then_some("there")).1), Some("there"));
    }
}
