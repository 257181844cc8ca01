//! Tasks that are to be executed now, and the loops in the pool that execute them.
//!
//! It refuses to know machines and chunks: it counts loops and hands out assignments. Invariants: there are never more
//! loops than threads (a helping thread, which would otherwise sleep, comes on top); a queued task always has a loop that
//! will look at the queue again (`hungry`), or all loops are busy, or a watcher looks within [`NAP`].
//!
//! While tasks are tiny, one thread that does everything is faster than several that pass cache lines around. Then a
//! loop that makes tasks ready runs them itself, and one other thread naps and watches that none waits behind a slow one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partita_core::protocol::{Assignment, Attempt};
use partita_graph::Key;

/// Tasks shorter than this many nanoseconds are tiny: the machines take about as long for one.
const TINY_NANOS: u64 = 2_500;
/// How long a task may wait behind one that was expected to be tiny.
const NAP: Duration = Duration::from_micros(500);
/// How often a loop looks again while another thread is working on events that may bring it a task: a few microseconds.
const LOOKS: u32 = 100;

pub(crate) struct Slots {
    desk: Mutex<Desk>,
    bell: Condvar,
    queued: AtomicUsize,
    running: AtomicUsize,
    executed: AtomicUsize,
    /// One for each slot: the running operator looks at it.
    cancelled: Box<[AtomicBool]>,
    /// Nanoseconds that a task takes, a moving average.
    typical: AtomicU64,
    threads: usize,
}

struct Desk {
    queue: VecDeque<Arc<Assignment>>,
    /// Queued tries that nobody wants any more.
    interrupted: Vec<(Key, Attempt)>,
    /// For each slot what it runs.
    running: Box<[Option<(Key, Attempt)>]>,
    free: Vec<usize>,
    loops: usize,
    /// Loops that were started, or have ended a task, and will look at the queue.
    hungry: usize,
    watching: bool,
    helping: bool,
}

impl Desk {
    /// How many loops should be started for the queue.
    fn need(&self, threads: usize) -> usize {
        self.queue.len().saturating_sub(self.hungry).min(threads - self.loops)
    }

    fn start(&mut self, count: usize) -> usize {
        self.loops += count;
        self.hungry += count;
        count
    }
}

impl Slots {
    pub fn new(threads: usize) -> Self {
        let slots = threads + 1;
        let desk = Desk {
            queue: VecDeque::new(),
            interrupted: Vec::new(),
            running: vec![None; slots].into(),
            free: (0..slots).rev().collect(),
            loops: 0,
            hungry: 0,
            watching: false,
            helping: false,
        };
        Self {
            desk: Mutex::new(desk),
            bell: Condvar::new(),
            queued: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            executed: AtomicUsize::new(0),
            cancelled: (0..slots).map(|_| AtomicBool::new(false)).collect(),
            // Until something is known, tasks are taken to be worth a thread.
            typical: AtomicU64::new(100 * TINY_NANOS),
            threads,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tiny(&self) -> bool {
        self.typical.load(Relaxed) < TINY_NANOS
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Whether there is work for all cores without nested parallelism.
    pub fn crowded(&self) -> bool {
        self.running.load(Relaxed) + self.queued.load(Relaxed) >= self.threads
    }

    /// The flag that the operator in this slot looks at.
    pub fn cancelled(&self, slot: usize) -> &AtomicBool {
        &self.cancelled[slot]
    }

    /// Queues tasks; says how many loops the caller must start. `by_loop` says that the caller is a loop and takes next.
    pub fn push(&self, tasks: &mut Vec<Arc<Assignment>>, by_loop: bool) -> usize {
        if tasks.is_empty() {
            return 0;
        }
        let mut desk = self.desk();
        desk.queue.extend(tasks.drain(..));
        self.queued.store(desk.queue.len(), Relaxed);
        if by_loop && self.tiny() {
            let watched = desk.watching || desk.hungry > 1 || desk.loops >= self.threads || desk.queue.len() < 2;
            return if watched { 0 } else { desk.start(1) };
        }
        let mut need = desk.need(self.threads);
        if desk.watching && desk.queue.len() > desk.hungry {
            self.bell.notify_one();
            need = need.min(desk.queue.len() - desk.hungry - 1);
        }
        desk.start(need)
    }

    /// Tells the operator of this try that nobody wants its result; its slot, if it runs already.
    pub fn interrupt(&self, key: Key, attempt: Attempt) -> Option<usize> {
        let mut desk = self.desk();
        let slot = desk.running.iter().position(|running| *running == Some((key, attempt)));
        match slot {
            Some(slot) => self.cancelled[slot].store(true, Relaxed),
            None if desk.queue.iter().any(|task| task.key == key && task.attempt == attempt) => desk.interrupted.push((key, attempt)),
            None => {}
        }
        slot
    }

    /// What runs at this moment.
    pub fn executing(&self) -> Vec<(Key, Attempt)> {
        self.desk().running.iter().flatten().copied().collect()
    }

    /// Tells all running operators that nobody wants their results.
    pub fn interrupt_all(&self) {
        let desk = self.desk();
        let running = desk.running.iter().zip(&self.cancelled).filter(|(running, _)| running.is_some());
        running.for_each(|(_, cancelled)| cancelled.store(true, Relaxed));
    }

    /// A started loop begins: its slot.
    pub fn enter(&self) -> usize {
        self.desk().free.pop().expect("there is a slot for each loop")
    }

    /// A thread that would otherwise sleep offers to run a loop: a slot, unless another helps already.
    pub fn enlist(&self) -> Option<usize> {
        let mut desk = self.desk();
        if desk.helping || desk.queue.is_empty() {
            return None;
        }
        desk.helping = true;
        desk.hungry += 1;
        desk.free.pop()
    }

    /// A loop ends, although it may have been needed; says how many must be started for it.
    pub fn leave(&self, slot: usize, helper: bool) -> usize {
        let mut desk = self.desk();
        self.end(&mut desk, slot, helper);
        let need = desk.need(self.threads);
        desk.start(need)
    }

    fn end(&self, desk: &mut Desk, slot: usize, helper: bool) {
        desk.hungry -= 1;
        desk.free.push(slot);
        if helper {
            desk.helping = false;
        } else {
            desk.loops -= 1;
        }
    }

    /// The next task for the loop in this slot. `None` ends the loop: nothing is to be executed. The number is that of
    /// further loops that the caller must start.
    pub fn take(&self, slot: usize, helper: bool, busy: &AtomicBool) -> Option<(Arc<Assignment>, usize)> {
        let (mut looks, mut idle_naps) = (0, 0);
        let mut woken = false;
        loop {
            if self.queued.load(Relaxed) == 0 && looks < LOOKS && busy.load(Relaxed) {
                looks += 1;
                std::hint::spin_loop();
                continue;
            }
            let mut desk = self.desk();
            if let Some(task) = desk.queue.pop_front() {
                self.queued.store(desk.queue.len(), Relaxed);
                self.begin(&mut desk, slot, &task);
                let need = if woken { desk.need(self.threads) } else { 0 };
                return Some((task, desk.start(need)));
            }
            let others = desk.loops > 1;
            if helper || !others || desk.watching || !self.tiny() || idle_naps == 2 {
                self.end(&mut desk, slot, helper);
                return None;
            }
            let executed = self.executed.load(Relaxed);
            desk.watching = true;
            desk.hungry -= 1;
            let (mut desk, _) = self.bell.wait_timeout(desk, NAP).unwrap_or_else(PoisonError::into_inner);
            desk.watching = false;
            desk.hungry += 1;
            woken = true;
            idle_naps = if executed == self.executed.load(Relaxed) { idle_naps + 1 } else { 0 };
        }
    }

    fn begin(&self, desk: &mut Desk, slot: usize, task: &Assignment) {
        let key = (task.key, task.attempt);
        desk.hungry -= 1;
        desk.running[slot] = Some(key);
        self.running.fetch_add(1, Relaxed);
        let mut unwanted = false;
        if !desk.interrupted.is_empty() {
            unwanted = desk.interrupted.contains(&key);
            desk.interrupted.retain(|other| *other != key);
        }
        self.cancelled[slot].store(unwanted, Relaxed);
    }

    /// The task of this slot has ended; its loop will look at the queue again.
    pub fn done(&self, slot: usize, nanos: u64) {
        // One long task counts as much as it must to change the mind, and is forgotten after a few dozen tiny ones.
        let typical = self.typical.load(Relaxed);
        self.typical.store((7 * typical + nanos.min(100 * TINY_NANOS)) / 8, Relaxed);
        self.executed.fetch_add(1, Relaxed);
        self.running.fetch_sub(1, Relaxed);
        let mut desk = self.desk();
        desk.running[slot] = None;
        desk.hungry += 1;
    }
}
