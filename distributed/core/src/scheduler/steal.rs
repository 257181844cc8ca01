//! Work that a worker has and has not started is taken back when another worker could do it sooner. Only the worker knows what
//! it has started, so each is a question: it gives the try back, or keeps it.
//!
//! It refuses to move what costs more to move than to wait for, what will be done in a moment anyhow, and what is known to have
//! started because it waits inside for other tasks. One question a task at a time; whatever ends the try ends the question.

use partita_graph::Key;

use super::Scheduler;
use super::place::ASKING_MICROS;
use super::record::TaskId;
use super::story::Happening;
use super::workers::WorkerRecord;
use crate::protocol::{Attempt, SchedulerAction, ToWorker, WorkerId};

/// Waiting so long is not worth a question, in microseconds.
const WORTH_MICROS: u64 = 20_000;
/// So long without an answer, a worker's tasks take longer than expected.
const STALLED_MICROS: u64 = 50_000;
/// Workers that are asked at one time.
const VICTIMS: usize = 32;
/// Tasks of one worker that are looked at.
const LOOKED_AT: usize = 64;

/// A question to a worker about one of its tasks.
pub(super) struct Steal {
    pub victim: WorkerId,
    /// For whom; nobody when the worker is to be emptied.
    pub thief: Option<WorkerId>,
}

impl Scheduler {
    /// Looks for idle threads and for tasks that wait for one.
    pub(super) fn steal(&mut self) {
        let mut thieves: Vec<(WorkerId, u32)> = self
            .workers
            .open()
            .filter_map(|id| {
                let record = self.workers.get(id)?;
                let idle = record.threads.saturating_sub(record.assigned() + record.expecting);
                (idle > 0 && record.backlog.is_empty() && record.claims.is_empty()).then_some((id, idle))
            })
            .take(VICTIMS)
            .collect();
        if thieves.is_empty() {
            return;
        }
        let waits = |(id, record): (WorkerId, &WorkerRecord)| {
            if !record.linked || record.assigned() <= record.threads {
                return None;
            }
            let stalled = self.now.saturating_sub(record.answered);
            let stalled = if stalled >= STALLED_MICROS { stalled } else { 0 };
            let wait = (self.work_of(record) / u64::from(record.threads)).max(stalled);
            (wait >= WORTH_MICROS).then_some((wait, id))
        };
        let mut victims: Vec<(u64, WorkerId)> = self.workers.iter().filter_map(waits).collect();
        victims.sort_unstable_by(|a, b| b.cmp(a));
        for (wait, victim) in victims.into_iter().take(VICTIMS) {
            self.steal_from(victim, wait, &mut thieves);
        }
    }

    /// How long what the worker has will run, by what is known of its layers now: a share of tasks that were short when they were given may
    /// have turned out long.
    fn work_of(&self, record: &WorkerRecord) -> u64 {
        let shares = record.tasks.shares().map(|(slot, tasks)| self.slot(slot).micros().saturating_mul(u64::from(tasks)));
        let inside: u64 = record.tasks.inside().map(|task| self.slot(task.slot).micros()).fold(0, u64::saturating_add);
        shares.fold(0, u64::saturating_add).saturating_sub(inside).max(record.occupancy)
    }

    /// Asks for the tasks that would run last, as many as find a thief.
    fn steal_from(&mut self, victim: WorkerId, wait: u64, thieves: &mut Vec<(WorkerId, u32)>) {
        let record = self.workers.get(victim).expect("just seen");
        let spare = (record.assigned() - record.threads) as usize;
        let movable = record.tasks.tasks().filter(|task| !record.tasks.waits(*task));
        let mut tasks: Vec<(u64, TaskId)> = movable.map(|task| (self.slot(task.slot).priority(task.index), task)).collect();
        let most = spare.min(LOOKED_AT);
        if tasks.len() > most {
            tasks.select_nth_unstable_by(most, |a, b| b.cmp(a));
            tasks.truncate(most);
        }
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        for (_, task) in tasks {
            if self.steals.contains_key(&task) {
                continue;
            }
            let Some(at) = (0..thieves.len()).find(|at| self.pays(task, thieves[*at].0, wait)) else { continue };
            let (thief, idle) = &mut thieves[at];
            *idle -= 1;
            let thief = *thief;
            if thieves[at].1 == 0 {
                thieves.remove(at);
            }
            self.ask_for(task, victim, Some(thief));
            if thieves.is_empty() {
                return;
            }
        }
    }

    /// Whether the task would begin sooner there than where it waits.
    fn pays(&mut self, task: TaskId, thief: WorkerId, wait: u64) -> bool {
        self.may_run_on(task, thief) && 2 * ASKING_MICROS + self.micros_to(task, thief) < wait
    }

    /// Names, resources and memory allow it now.
    fn may_run_on(&self, task: TaskId, worker: WorkerId) -> bool {
        let Some(record) = self.workers.get(worker).filter(|record| record.is_usable()) else { return false };
        self.slot(task.slot).demand.is_none_or(|demand| {
            let demand = self.demands.get(demand);
            demand.fitting.contains(&worker) && record.offers(&demand.needs.resources)
        })
    }

    fn ask_for(&mut self, task: TaskId, victim: WorkerId, thief: Option<WorkerId>) {
        let key = self.key_of(task);
        if let Some(thief) = thief {
            self.workers.known(thief).expecting += 1;
            self.workers.reindex(thief, self.config.saturation);
            self.stories.tell(self.now, key, Happening::StealAsked { from: victim, to: thief });
        }
        self.steals.insert(task, Steal { victim, thief });
        self.out.push(SchedulerAction::Send(victim, ToWorker::Retract(key, self.record(task).attempt)));
    }

    /// Asks for everything that the worker has not started, as far as that is known.
    pub(super) fn retract_all(&mut self, worker: WorkerId) {
        let given = &self.workers.known(worker).tasks;
        let tasks: Vec<TaskId> = given.tasks().filter(|task| !given.waits(*task)).collect();
        for task in tasks {
            self.end_steal(task);
            self.ask_for(task, worker, None);
        }
    }

    /// The question is answered or pointless.
    pub(super) fn end_steal(&mut self, task: TaskId) -> Option<Steal> {
        if self.steals.is_empty() {
            return None;
        }
        let steal = self.steals.remove(&task)?;
        if let Some(thief) = steal.thief
            && let Some(record) = self.workers.get_mut(thief)
        {
            record.expecting -= 1;
            self.touch(thief);
        }
        Some(steal)
    }

    /// A worker that goes, or cannot be heard, neither steals nor is stolen from.
    pub(super) fn end_steals_of(&mut self, worker: WorkerId) {
        let concerned = |(_, steal): &(&TaskId, &Steal)| steal.victim == worker || steal.thief == Some(worker);
        let tasks: Vec<TaskId> = self.steals.iter().filter(concerned).map(|(task, _)| *task).collect();
        for task in tasks {
            self.end_steal(task);
        }
    }

    /// A try came back unstarted: it goes where it was meant to go, if that is still sensible, otherwise where it is best.
    pub(super) fn retracted(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        self.stop_lingering(worker, key, attempt);
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        let thief = self.steals.get(&task).and_then(|steal| steal.thief);
        self.stories.tell(self.now, key, Happening::Retracted { worker });
        self.take_from(task, worker);
        self.take_back(task);
        if let Some(thief) = thief
            && self.may_run_on(task, thief)
            && self.workers.get(thief).is_some_and(|record| record.assigned() < record.threads)
        {
            self.give(task, thief);
            self.touch(thief);
        }
    }

    /// A try stays where it is. If the question was asked of another try it stands.
    pub(super) fn kept(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        if let Some(task) = self.expected_answer(worker, key, attempt) {
            self.end_steal(task);
        }
    }
}
