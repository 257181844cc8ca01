//! Tasks that are to be executed now, and the loops in the pool that execute them.
//!
//! It refuses to know machines and chunks: it counts loops and hands out assignments. Invariants: no loop is started when there are
//! as many as threads, those not counted whose task waits inside (one that goes on counts again, so for a while there may be more); a
//! queued task always has a loop that will look at the queue again (`hungry`), or all loops are busy, or a watcher looks within
//! [`NAP`].
//!
//! While tasks are tiny, one thread that does everything is faster than several that pass cache lines around. Then a
//! loop that makes tasks ready runs them itself, and one other thread naps and watches that none waits behind a slow one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partita_core::protocol::{Assignment, Attempt};
use partita_graph::Key;

use crate::signal::Signal;

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
    /// Tasks that run and do not wait inside.
    running: AtomicUsize,
    /// Tasks that wait inside.
    waiting: AtomicUsize,
    executed: AtomicUsize,
    /// Nanoseconds that a task takes, a moving average.
    typical: AtomicU64,
    threads: usize,
    most_waiting: usize,
}

/// A task as its slot knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Task {
    pub key: Key,
    pub attempt: Attempt,
    /// The wish of its layer.
    pub priority: i32,
}

impl Task {
    fn is(&self, key: Key, attempt: Attempt) -> bool {
        self.key == key && self.attempt == attempt
    }
}

#[derive(Default)]
struct Slot {
    /// What runs in it.
    task: Option<Task>,
    /// Its operator looks at this.
    signal: Arc<Signal>,
}

struct Desk {
    queue: VecDeque<Arc<Assignment>>,
    /// Queued tries that nobody wants any more.
    interrupted: Vec<(Key, Attempt)>,
    /// As many as were ever in use at a time.
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Loops whose task does not wait inside.
    loops: usize,
    /// Loops that were started, or have ended a task, and will look at the queue.
    hungry: usize,
    watching: bool,
}

impl Desk {
    /// How many loops should be started for the queue.
    fn need(&self, threads: usize) -> usize {
        self.queue.len().saturating_sub(self.hungry).min(threads.saturating_sub(self.loops))
    }

    fn start(&mut self, count: usize) -> usize {
        self.loops += count;
        self.hungry += count;
        count
    }

    /// The loop in this slot ends.
    fn end(&mut self, slot: usize) {
        self.hungry -= 1;
        self.loops -= 1;
        self.free.push(slot);
    }
}

impl Slot {
    fn interrupt(&self) -> Arc<Signal> {
        self.signal.share();
        self.signal.set();
        self.signal.clone()
    }
}

impl Slots {
    /// For so many tasks at a time, and so many more that wait inside.
    pub fn new(threads: usize, most_waiting: usize) -> Self {
        let desk = Desk {
            queue: VecDeque::new(),
            interrupted: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            loops: 0,
            hungry: 0,
            watching: false,
        };
        Self {
            desk: Mutex::new(desk),
            bell: Condvar::new(),
            queued: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            executed: AtomicUsize::new(0),
            // Until something is known, tasks are taken to be worth a thread.
            typical: AtomicU64::new(100 * TINY_NANOS),
            threads,
            most_waiting,
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

    /// How many tasks wait inside.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// How many may.
    pub fn most_waiting(&self) -> usize {
        self.most_waiting
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

    /// Tells the operator of this try that nobody wants its result. If it runs already, whoever listens must be told next.
    pub fn interrupt(&self, key: Key, attempt: Attempt) -> Option<Arc<Signal>> {
        let mut desk = self.desk();
        if let Some(slot) = desk.slots.iter().find(|slot| slot.task.is_some_and(|task| task.is(key, attempt))) {
            return Some(slot.interrupt());
        }
        if desk.queue.iter().any(|task| task.key == key && task.attempt == attempt) {
            desk.interrupted.push((key, attempt));
        }
        None
    }

    /// What runs at this moment, or waits inside.
    pub fn executing(&self) -> Vec<(Key, Attempt)> {
        self.desk().slots.iter().filter_map(|slot| slot.task).map(|task| (task.key, task.attempt)).collect()
    }

    /// How far the running task of this key says that it is.
    pub fn told(&self, key: Key) -> Option<(u64, u64)> {
        let desk = self.desk();
        let slot = desk.slots.iter().find(|slot| slot.task.is_some_and(|task| task.key == key))?;
        slot.signal.progress().told()
    }

    /// What running tasks have said of how far they are since this was called last.
    pub fn take_told(&self) -> Vec<(Key, Attempt, (u64, u64))> {
        let desk = self.desk();
        let running = desk.slots.iter().filter_map(|slot| Some((slot.task?, slot.signal.progress().take()?)));
        running.map(|(task, told)| (task.key, task.attempt, told)).collect()
    }

    /// What runs in this slot.
    pub fn task(&self, slot: usize) -> Option<Task> {
        self.desk().slots[slot].task
    }

    /// Tells all running operators that nobody wants their results. Whoever listens must be told next.
    pub fn interrupt_all(&self) -> Vec<Arc<Signal>> {
        self.desk().slots.iter().filter(|slot| slot.task.is_some()).map(Slot::interrupt).collect()
    }

    /// A started loop begins: its slot, and the signal of its tries.
    pub fn enter(&self) -> (usize, Arc<Signal>) {
        let mut desk = self.desk();
        let slot = desk.free.pop().unwrap_or_else(|| {
            desk.slots.push(Slot::default());
            desk.slots.len() - 1
        });
        (slot, desk.slots[slot].signal.clone())
    }

    /// A loop ends, although it may have been needed; says how many must be started for it.
    pub fn leave(&self, slot: usize) -> usize {
        let mut desk = self.desk();
        desk.end(slot);
        let need = desk.need(self.threads);
        desk.start(need)
    }

    /// The next task for the loop in this slot. `None` ends the loop: nothing is to be executed. The number is that of
    /// further loops that the caller must start.
    pub fn take(&self, slot: usize, busy: &AtomicBool) -> Option<(Arc<Assignment>, usize)> {
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
            if !others || desk.watching || !self.tiny() || idle_naps == 2 {
                desk.end(slot);
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
        let priority = task.layer.annotations.as_ref().map_or(0, |wishes| wishes.priority);
        desk.hungry -= 1;
        self.running.fetch_add(1, Relaxed);
        let mut unwanted = false;
        if !desk.interrupted.is_empty() {
            unwanted = desk.interrupted.contains(&key);
            desk.interrupted.retain(|other| *other != key);
        }
        let slot = &mut desk.slots[slot];
        slot.task = Some(Task { key: task.key, attempt: task.attempt, priority });
        slot.signal.begin(unwanted);
    }

    /// The task in this slot waits inside: it counts no more, and a loop takes the place of its own, which the caller starts when the
    /// machine knows. Which task it is; nothing when as many wait as may.
    pub fn pause(&self, slot: usize) -> Option<Task> {
        let mut desk = self.desk();
        let task = desk.slots[slot].task.filter(|_| self.waiting() < self.most_waiting)?;
        self.waiting.fetch_add(1, Relaxed);
        self.running.fetch_sub(1, Relaxed);
        desk.hungry += 1;
        Some(task)
    }

    /// No loop could be started in its place.
    pub fn no_successor(&self) {
        let mut desk = self.desk();
        desk.hungry -= 1;
        desk.loops -= 1;
    }

    /// The task goes on, and its loop counts again.
    pub fn resume(&self) {
        let mut desk = self.desk();
        desk.loops += 1;
        self.waiting.fetch_sub(1, Relaxed);
        self.running.fetch_add(1, Relaxed);
    }

    /// The task of this slot has ended; its loop will look at the queue again. Where somebody may still look at the task's signal,
    /// the slot has another from now on.
    pub fn done(&self, slot: usize, nanos: u64) -> Option<Arc<Signal>> {
        // One long task counts as much as it must to change the mind, and is forgotten after a few dozen tiny ones.
        let typical = self.typical.load(Relaxed);
        self.typical.store((7 * typical + nanos.min(100 * TINY_NANOS)) / 8, Relaxed);
        self.executed.fetch_add(1, Relaxed);
        self.running.fetch_sub(1, Relaxed);
        let mut desk = self.desk();
        desk.hungry += 1;
        let slot = &mut desk.slots[slot];
        slot.task = None;
        if !slot.signal.is_shared() {
            return None;
        }
        slot.signal = Arc::default();
        Some(slot.signal.clone())
    }
}
