//! How the first tasks of a large layer go to many workers: few of them are given some, and the others when it is known how long these
//! take, or after a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partita_core::protocol::{
    About, Assignment, ClientId, Ending, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, ToWorker, WorkerId,
};
use partita_core::scheduler::{Config, Scheduler};
use partita_graph::{Annotations, Chunk, Graph, Layer, OpRef, Plain};

const WORKERS: u32 = 256;

struct Driven {
    scheduler: Scheduler,
    now: Tick,
    /// What workers were given and have not answered.
    given: BTreeMap<WorkerId, Vec<Assignment>>,
    /// Tasks that were given in the last event.
    last: usize,
    done: bool,
}

impl Driven {
    fn new(config: Config) -> Self {
        let mut driven = Self { scheduler: Scheduler::new(config), now: 0, given: BTreeMap::new(), last: 0, done: false };
        for number in 1..=WORKERS {
            driven.hear(SchedulerEvent::Joined { worker: WorkerId(number), about: About::plain(&format!("w{number}"), 1) });
        }
        driven
    }

    fn hear(&mut self, event: SchedulerEvent) {
        let mut said = Vec::new();
        self.scheduler.handle(self.now, event, &mut said);
        self.last = 0;
        for action in said {
            match action {
                SchedulerAction::Send(worker, ToWorker::Assign(task)) => {
                    self.last += 1;
                    self.given.entry(worker).or_default().push(task);
                }
                SchedulerAction::Send(..) => {}
                SchedulerAction::RunDone(_) => self.done = true,
                other => panic!("{other:?}"),
            }
        }
    }

    fn submit(&mut self, tasks: u32) {
        self.submit_with(RunId(1), tasks, 0);
    }

    fn submit_with(&mut self, run: RunId, tasks: u32, priority: i32) {
        let mut graph = Graph::default();
        let op = OpRef::closure("nothing", run.0, |_, _| Ok(Chunk::new(Plain(0i64))));
        let annotations = Annotations { priority, ..Annotations::default() };
        let id = graph.add(Layer { annotations: Some(Arc::new(annotations)), ..Layer::single("tasks", tasks, op, vec![]) });
        graph.want_all(id);
        let (client, graph, ending) = (ClientId(0), Arc::new(graph), Ending::Together);
        self.hear(SchedulerEvent::Submit { run, client, graph, ending });
    }

    fn answer(&mut self, worker: WorkerId, task: &Assignment, micros: u64) {
        let done = ToScheduler::Finished { key: task.key, attempt: 1, nbytes: 8, micros, notes: Vec::new(), value: None };
        self.hear(SchedulerEvent::Said(worker, done));
    }

    fn wake_if_due(&mut self) -> bool {
        let due = self.scheduler.wakes().is_some_and(|at| at <= self.now);
        if due {
            self.hear(SchedulerEvent::Wake);
        }
        due
    }
}

#[test]
fn few_workers_learn_and_nobody_waits_for_long() {
    let mut driven = Driven::new(Config::default());
    driven.submit(20_000);
    driven.scheduler.check();
    assert!(driven.given.len() <= 4 && driven.last <= 8, "{} tasks for {} workers", driven.last, driven.given.len());
    // However long it took to accept the graph, from now on it is counted.
    driven.now = 50_000;
    assert!(driven.wake_if_due() && driven.last == 0);
    let until = driven.scheduler.wakes().expect("tasks are held back");
    assert!((51_000..=52_000).contains(&until), "until {until}");
    driven.now = until - 1;
    driven.hear(SchedulerEvent::LinkBack(WorkerId(1)));
    assert_eq!(driven.last, 0);
    driven.now = until;
    assert!(driven.wake_if_due());
    driven.scheduler.check();
    assert_eq!(driven.given.len(), WORKERS as usize, "everybody has something to do");
    // It is not done twice for one layer: whoever ends a task is given the next.
    let given = std::mem::take(&mut driven.given);
    for (worker, tasks) in given {
        driven.now += 100_000;
        driven.answer(worker, &tasks[0], 100_000);
        assert_eq!((driven.last, driven.scheduler.wakes()), (1, None));
    }
    driven.scheduler.check();
}

#[test]
fn an_answer_that_they_are_long_frees_the_rest() {
    let mut driven = Driven::new(Config::default());
    driven.submit(20_000);
    let (worker, task) = driven.given.iter().map(|(worker, tasks)| (*worker, tasks[0].clone())).next().expect("somebody has some");
    driven.now = 500;
    driven.answer(worker, &task, 5_000);
    assert_eq!((driven.given.len(), driven.scheduler.wakes()), (WORKERS as usize, None));
    driven.scheduler.check();
}

/// Runs so many tasks that take these times in turn: how many messages workers got.
fn messages(tasks: u32, micros: [u64; 2]) -> usize {
    let mut driven = Driven::new(Config::default());
    driven.submit(tasks);
    let (mut messages, mut ran) = (0, BTreeSet::new());
    while !driven.done {
        // What workers have is one message to each, and so are their answers.
        let given = std::mem::take(&mut driven.given);
        messages += given.len();
        driven.now += 1;
        for (worker, list) in given {
            for task in list {
                assert!(ran.insert(task.key), "{} runs twice", task.key);
                driven.answer(worker, &task, micros[task.key.index as usize % 2]);
                // A share is at most 4,000 tasks, and another is begun as long as it is fewer.
                assert!(driven.last <= 8_192, "{} tasks in one event", driven.last);
            }
        }
        assert!(driven.wake_if_due() || !driven.given.is_empty() || driven.done, "everybody waits");
    }
    driven.scheduler.check();
    assert_eq!(ran.len(), tasks as usize);
    messages
}

#[test]
fn short_tasks_are_about_one_message_for_each_worker() {
    let messages = messages(200_000, [1, 1]);
    assert!(messages < WORKERS as usize * 5 / 4, "{messages} messages");
}

#[test]
fn tasks_that_take_next_to_nothing_are_not_for_all() {
    let (half, nothing) = (messages(100_000, [0, 1]), messages(100_000, [0, 0]));
    // Of half a microsecond a thousand are worth a message, and all that can be of those that take less than can be told.
    assert!((90..180).contains(&half) && (25..100).contains(&nothing), "{half} and {nothing} messages");
}

#[test]
fn a_few_workers_are_all_given_tasks_at_once() {
    let mut driven = Driven::new(Config { probe_from: WORKERS + 1, ..Config::default() });
    driven.submit(20_000);
    assert_eq!((driven.given.len(), driven.scheduler.wakes()), (WORKERS as usize, None));
}

/// A worker that keeps its claims waiting for more urgent tasks, and is given none of them, begins what it claims when these are gone.
#[test]
fn claims_go_on_when_what_was_held_back_is_gone() {
    for cancelled in [false, true] {
        let mut driven = Driven::new(Config::default());
        driven.submit(20_000);
        driven.now = 50_000;
        driven.wake_if_due();
        driven.now = driven.scheduler.wakes().expect("tasks are held back");
        driven.wake_if_due();
        driven.submit_with(RunId(2), if cancelled { 100_000 } else { 2_000 }, 10);
        let first = std::mem::take(&mut driven.given);
        let own = |task: &Assignment| first.values().flatten().any(|old| old.key.layer == task.key.layer);
        for (worker, tasks) in &first {
            for task in tasks {
                driven.answer(*worker, task, 100_000);
            }
        }
        driven.scheduler.check();
        if cancelled {
            driven.hear(SchedulerEvent::Cancel(RunId(2)));
        }
        // The urgent ones take next to nothing, so that few workers get all of them.
        for _ in 0..50 {
            let urgent: Vec<(WorkerId, Assignment)> = driven
                .given
                .iter()
                .flat_map(|(worker, tasks)| tasks.iter().filter(|task| !own(task)).map(|task| (*worker, task.clone())))
                .collect();
            driven.given.values_mut().for_each(|tasks| tasks.retain(own));
            for (worker, task) in urgent {
                driven.answer(worker, &task, 0);
            }
            driven.now += 1_000;
            driven.wake_if_due();
            driven.scheduler.check();
        }
        let busy = driven.given.values().filter(|tasks| !tasks.is_empty()).count();
        assert_eq!(busy, WORKERS as usize, "cancelled: {cancelled}");
    }
}
