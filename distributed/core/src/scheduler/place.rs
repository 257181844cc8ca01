//! Where ready tasks go. Tasks without inputs wait in one queue and are given out only as fast as workers finish, so that
//! nothing is loaded before it can be used; of tasks known to be short a worker gets some milliseconds of work ahead. Other
//! tasks go where they would end first, which is where most of their inputs are unless that worker is busy.
//!
//! It refuses to walk over all workers: candidates are the holders of inputs and the heads of the indexes, so a task costs the
//! same with ten workers and with a thousand. It changes no state but Ready to Assigned.

use std::cmp::Reverse;

use super::Scheduler;
use super::probe::AT_ONCE;
use super::queue::Queue;
use super::record::{State, TaskId, visit};
use super::workers::WORTH_MICROS;
use crate::protocol::WorkerId;
use partita_graph::Wiring;

/// How fast inputs come from a peer, in bytes a microsecond (100 is 100 MB/s).
pub(super) const BYTES_A_MICRO: u64 = 100;
/// The same from a peer on the same host.
const NEAR_BYTES_A_MICRO: u64 = 400;
/// What asking a peer costs, however little is asked for, in microseconds.
pub(super) const ASKING_MICROS: u64 = 500;
/// Neighbouring tasks without inputs that are kept together for one worker, at most.
const RUN: u64 = 64;
/// So many inputs of one edge are looked at to see whether one worker has them all.
const FEW: usize = 16;
/// A backlog that did not pay to move is left alone for so long, in microseconds.
const SHARE_PAUSE_MICROS: u64 = 1_000;

impl Scheduler {
    /// Gives out what can be given out.
    pub(super) fn place(&mut self) {
        if !self.fresh.is_empty() {
            self.sort_fresh();
        }
        // Who let claims wait for roots that were held back, and then got none of them, is not touched again.
        let held_back = std::mem::take(&mut self.held_back);
        if self.touched.is_empty() && self.roots.is_empty() && !self.demands.any() && !held_back {
            return;
        }
        self.serve_demands(true);
        self.serve_touched(true);
        self.give_roots();
        self.serve_touched(false);
        self.serve_demands(false);
        self.share();
        while let Some(worker) = self.touched.pop() {
            self.workers.known(worker).touched = false;
        }
    }

    /// Ready tasks go to who may do them, into a worker's backlog, or into the common queue.
    fn sort_fresh(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.sort_unstable();
        fresh.dedup();
        let mut range: Option<(TaskId, u32)> = None;
        for &task in &fresh {
            if !self.is_ready(task) || self.is_too_large(task) {
                continue;
            }
            let slot = self.slot(task.slot);
            if !slot.edges.is_empty()
                && slot.demand.is_none()
                && let Some(worker) = self.best_worker(task)
            {
                self.put_in_backlog(task, worker);
                continue;
            }
            range = match range {
                Some((first, end)) if first.slot == task.slot && end == task.index => Some((first, end + 1)),
                before => {
                    self.queue_range(before);
                    Some((task, task.index + 1))
                }
            };
        }
        self.queue_range(range);
        fresh.clear();
        assert!(self.fresh.is_empty(), "placing makes nothing ready");
        self.fresh = fresh;
    }

    fn put_in_backlog(&mut self, task: TaskId, worker: WorkerId) {
        let slot = self.slot(task.slot);
        let (priority, micros) = (slot.priority(task.index), slot.micros().min(u64::from(u32::MAX)) as u32);
        let record = self.workers.known(worker);
        let before = record.backlog.insert((priority, task), micros).unwrap_or(0);
        record.backlog_micros = record.backlog_micros + u64::from(micros) - u64::from(before);
        self.touch(worker);
    }

    pub(super) fn queue_range(&mut self, range: Option<(TaskId, u32)>) {
        let Some((first, end)) = range.filter(|(first, end)| first.index < *end) else { return };
        // The failure of a task that is too large may have ended the run of what was collected before it.
        let Some(slot) = self.slots[first.slot as usize].as_ref() else { return };
        let priority = slot.priority(first.index);
        match slot.demand {
            Some(demand) => self.demands.queue(demand, priority, first, end),
            None => self.roots.insert(priority, first, end),
        }
    }

    /// Where the task would probably end first: the time to move the inputs that are not there, and the time until its
    /// turn. Among equals who holds most bytes, then the lowest number. Nobody when no candidate can be given anything.
    fn best_worker(&mut self, task: TaskId) -> Option<WorkerId> {
        if let Some(only) = self.workers.only() {
            return self.workers.get(only).is_some_and(|record| record.is_usable()).then_some(only);
        }
        if let Some(holder) = self.sole_holder(task)
            && let Some(record) = self.workers.get(holder)
            && record.is_usable()
            && record.wait() <= ASKING_MICROS
        {
            // Nobody else could begin sooner.
            return Some(holder);
        }
        let (mut candidates, total) = self.hold_inputs(task);
        let holders = candidates.len();
        candidates.extend(self.workers.open().take(2));
        if self.slot(task.slot).is_short() {
            candidates.extend(self.workers.ahead());
        }
        let rank = |worker: &WorkerId| {
            let record = self.workers.get(*worker).filter(|record| record.is_usable())?;
            let here = self.held[worker.0 as usize];
            let moving = self.moving_micros(*worker, here, total, &candidates[..holders]);
            Some((moving + record.wait(), Reverse(here), *worker))
        };
        let best = candidates.iter().filter_map(rank).min().map(|(_, _, worker)| worker);
        self.release_inputs(&candidates);
        best
    }

    /// Who has all inputs of the task, when these are few and one worker is the first holder of each.
    fn sole_holder(&self, task: TaskId) -> Option<WorkerId> {
        let slot = self.slot(task.slot);
        let mut sole = None;
        let mut same = true;
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            let inputs = edge.wiring.inputs(task.index, producer.layer.len);
            same = same && inputs.len() <= FEW;
            if !same {
                return None;
            }
            visit(&inputs, |index| {
                if let State::Stored { holder } = producer.records[index as usize].state {
                    same &= *sole.get_or_insert(holder) == holder;
                }
            });
        }
        sole.filter(|_| same)
    }

    /// How long it takes to bring the inputs to this worker, which holds `here` of `total` bytes.
    fn moving_micros(&self, worker: WorkerId, here: u64, total: u64, holders: &[WorkerId]) -> u64 {
        if here >= total {
            return 0;
        }
        let host = self.workers.get(worker).map(|record| &record.about.host);
        let is_near = |holder: &&WorkerId| **holder != worker && self.workers.get(**holder).map(|record| &record.about.host) == host;
        // With many holders the sum is not worth its price.
        let near = if holders.len() > 16 { 0 } else { holders.iter().filter(is_near).map(|holder| self.held[holder.0 as usize]).sum() };
        let near = near.min(total - here);
        ASKING_MICROS + (total - here - near) / BYTES_A_MICRO + near / NEAR_BYTES_A_MICRO
    }

    /// How long this task would take to reach this worker.
    pub(super) fn micros_to(&mut self, task: TaskId, worker: WorkerId) -> u64 {
        let (holders, total) = self.hold_inputs(task);
        let here = self.held.get(worker.0 as usize).copied().unwrap_or(0);
        let micros = self.moving_micros(worker, here, total, &holders);
        self.release_inputs(&holders);
        micros
    }

    /// Adds up in `held` the bytes of the task's inputs that each worker has; returns these workers, and the bytes of all
    /// inputs. Of a chunk of which a part is read only that part counts.
    pub(super) fn hold_inputs(&mut self, task: TaskId) -> (Vec<WorkerId>, u64) {
        let most = self.workers.ids().last().map_or(0, |worker| worker.0 as usize + 1);
        let mut held = std::mem::take(&mut self.held);
        held.resize(most.max(held.len()), 0);
        let (mut holders, mut total) = (Vec::new(), 0);
        let mut add = |worker: WorkerId, bytes: u64| {
            let sum = &mut held[worker.0 as usize];
            if *sum == 0 {
                holders.push(worker);
            }
            *sum += bytes.max(1);
        };
        let slot = self.slot(task.slot);
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            let share = if edge.wiring.part(task.index).is_some() { u64::from(slot.layer.len.max(1)) } else { 1 };
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                let record = &producer.records[index as usize];
                if let State::Stored { holder } = record.state {
                    let bytes = record.nbytes() / share;
                    total += bytes.max(1);
                    add(holder, bytes);
                    if !self.replicas.is_empty() {
                        let more = self.replicas.get(&TaskId { slot: to.producer, index });
                        more.into_iter().flatten().for_each(|worker| add(*worker, bytes));
                    }
                }
            });
        }
        self.held = held;
        (holders, total)
    }

    pub(super) fn release_inputs(&mut self, holders: &[WorkerId]) {
        holders.iter().for_each(|worker| self.held[worker.0 as usize] = 0);
    }

    /// Serves the workers that may have room, and puts them in their places.
    fn serve_touched(&mut self, roots_first: bool) {
        let mut at = 0;
        while at < self.touched.len() {
            self.serve(self.touched[at], roots_first);
            at += 1;
        }
    }

    /// What is best run here, then what it has claimed. With `roots_first` it leaves room for roots of a higher priority.
    fn serve(&mut self, worker: WorkerId, roots_first: bool) {
        let saturation = self.config.saturation;
        loop {
            let Some(record) = self.workers.get(worker) else { return };
            if !record.is_usable() {
                break;
            }
            let urgent = self.roots.first().map_or(u64::MAX, |(priority, _)| priority >> 56);
            if let Some((&(priority, task), &micros)) = record.backlog.first_key_value() {
                let roots_go = roots_first && urgent < priority >> 56 && record.assigned() < record.room_for_roots(saturation);
                if roots_go || !self.has_room(worker, task, record.room(saturation)) {
                    break;
                }
                let record = self.workers.known(worker);
                record.backlog.remove(&(priority, task));
                record.backlog_micros -= u64::from(micros);
                self.give_from_backlog(task, worker);
                continue;
            }
            let Some((priority, task)) = record.claims.first() else { break };
            if urgent < priority >> 56 || !self.has_room(worker, task, record.room_for_roots(saturation)) {
                break;
            }
            self.give_claimed(worker);
        }
        self.workers.reindex(worker, saturation);
    }

    /// Room for this task: some of any kind, more of a short one.
    fn has_room(&self, worker: WorkerId, task: TaskId, room: u32) -> bool {
        let record = self.workers.get(worker).expect("a connected worker");
        if record.assigned() + record.expecting < room {
            return true;
        }
        let slot = self.slots[task.slot as usize].as_ref();
        slot.is_none_or(|slot| slot.is_short() && record.room_ahead(slot.micros(), slot.mean_bytes(), slot.sizes.count) > 0)
    }

    /// The layer of the task may have gone, and another have its place that has wishes: that one is given out by its own queue.
    fn give_from_backlog(&mut self, task: TaskId, worker: WorkerId) {
        if self.slots[task.slot as usize].as_ref().is_some_and(|slot| slot.demand.is_none()) {
            self.give(task, worker);
        }
    }

    fn give_claimed(&mut self, worker: WorkerId) {
        let mut claims = std::mem::take(&mut self.workers.known(worker).claims);
        if let Some((first, end)) = claims.pop(&self.slots, None) {
            self.give(first, worker);
            self.claim(&mut claims, TaskId { slot: first.slot, index: first.index + 1 }, end);
        }
        self.workers.known(worker).claims = claims;
    }

    fn claim(&self, claims: &mut Queue, first: TaskId, end: u32) {
        if first.index < end {
            claims.insert(self.slot(first.slot).priority(first.index), first, end);
        }
    }

    /// Tasks of the common queue go to who has most room. Each round takes something out of a queue, so it ends.
    fn give_roots(&mut self) {
        self.held_back = self.interrupted;
        if self.interrupted {
            return;
        }
        let mut given = 0;
        while let Some((_, first)) = self.roots.first() {
            let short = self.slots[first.slot as usize].as_ref().is_some_and(|slot| slot.is_short());
            let probed = self.is_probed(first);
            let next = if probed { self.prober(first, short) } else { self.workers.next(short) };
            self.held_back |= probed;
            let Some(worker) = next else { return };
            let record = self.workers.get(worker).expect("indexed");
            let claim = record.claims.first().filter(|_| record.is_usable() && self.claims_go_first(worker)).map(|(_, task)| task);
            if !self.has_room_for_root(worker, claim.unwrap_or(first)) {
                return;
            }
            if given >= AT_ONCE && self.has_many_workers() {
                (self.interrupted, self.held_back) = (true, true);
                return;
            }
            if claim.is_some() {
                self.give_claimed(worker);
                self.workers.reindex(worker, self.config.saturation);
                continue;
            }
            let Some((first, end)) = self.roots.pop(&self.slots, None) else { return };
            if !self.slot(first.slot).edges.is_empty()
                && let Some(best) = self.best_worker(first)
            {
                // It became ready when nobody was there to judge by.
                self.queue_range(Some((TaskId { index: first.index + 1, ..first }, end)));
                self.put_in_backlog(first, best);
                self.serve(best, false);
                continue;
            }
            given += self.give_run(worker, first, end, probed);
        }
    }

    /// The indexes know only that there is some room ahead; how much depends on the layer.
    pub(super) fn has_room_for_root(&self, worker: WorkerId, task: TaskId) -> bool {
        let record = self.workers.get(worker).expect("indexed");
        record.is_drowsy() || self.has_room(worker, task, record.room_for_roots(self.config.saturation))
    }

    fn claims_go_first(&self, worker: WorkerId) -> bool {
        let claim = self.workers.get(worker).and_then(|record| record.claims.first());
        let root = self.roots.first();
        claim.zip(root).is_some_and(|((claim, _), (root, _))| claim >> 56 <= root >> 56)
    }

    /// Gives the worker the first of these roots, and with it what belongs there: when the tasks are short as many as make
    /// some milliseconds, otherwise a claim to its neighbours, which who has only the first of a layer has not. Returns how many it was given.
    fn give_run(&mut self, worker: WorkerId, first: TaskId, end: u32, probed: bool) -> u64 {
        let record = self.workers.get(worker).expect("indexed");
        let slot = self.slot(first.slot);
        let rest = self.roots.len() + u64::from(end - first.index);
        let threads = self.workers.usable_threads().max(1);
        let usable = record.is_usable();
        let (mut given, mut claimed) = (1, 0);
        if usable && slot.is_short() {
            let room = record.room_ahead(slot.micros(), slot.mean_bytes(), slot.sizes.count);
            let (others, micros, own) = (u64::from(slot.counts[3] + slot.counts[4]), slot.sizes.micros, u64::from(record.threads));
            let worth = if self.has_many_workers() { own * slot.sizes.worth() } else { own * WORTH_MICROS / micros.max(1) };
            given = room.min(self.workers.fair_share(record, rest, others, micros, worth)).max(1);
        } else if usable && slot.edges.is_empty() && !probed {
            claimed = self.run_length(first, rest, threads) - 1;
        }
        let given_end = (u64::from(first.index) + given).min(u64::from(end)) as u32;
        let claimed_end = (u64::from(given_end) + claimed).min(u64::from(end)) as u32;
        self.queue_range(Some((TaskId { index: claimed_end, ..first }, end)));
        for index in first.index..given_end {
            self.give(TaskId { index, ..first }, worker);
        }
        if given_end < claimed_end {
            let mut claims = std::mem::take(&mut self.workers.known(worker).claims);
            self.claim(&mut claims, TaskId { index: given_end, ..first }, claimed_end);
            self.workers.known(worker).claims = claims;
            self.touch(worker);
        }
        self.workers.known(worker).fed = true;
        self.workers.reindex(worker, self.config.saturation);
        given
    }

    /// How many neighbours from here on are kept together: few when there is little to go round, and up to the end of a group
    /// when the layer is read in groups.
    fn run_length(&self, first: TaskId, rest: u64, threads: u64) -> u64 {
        let slot = self.slot(first.slot);
        let mut run = (rest / (4 * threads)).clamp(1, RUN);
        if run > 1
            && let Some(&(reader, edge)) = slot.readers.first()
            && let Wiring::Group(group) = self.slot(reader).layer.edges[edge as usize].wiring
        {
            let group = u64::from(group);
            let end = (u64::from(first.index) + run).div_ceil(group) * group - u64::from(first.index);
            run = if group <= RUN { end } else { run };
        }
        run
    }

    /// Who has an idle thread and nothing to do helps who has more than a round of work.
    fn share(&mut self) {
        loop {
            let Some(thief) = self.workers.open().next() else { return };
            let record = self.workers.get(thief).expect("indexed");
            if !record.has_idle_thread() || !record.backlog.is_empty() {
                return;
            }
            if !record.claims.is_empty() {
                self.serve(thief, false);
                if self.workers.get(thief).is_some_and(|record| record.has_idle_thread() && !record.claims.is_empty()) {
                    return;
                }
                continue;
            }
            if let Some(owner) = self.workers.largest_claimer() {
                self.split_claims(owner, thief);
                continue;
            }
            let Some(owner) = self.workers.most_laden().filter(|_| self.now >= self.share_after) else { return };
            if !self.share_backlog(owner, thief) {
                self.share_after = self.now + SHARE_PAUSE_MICROS;
                return;
            }
        }
    }

    fn split_claims(&mut self, owner: WorkerId, thief: WorkerId) {
        let record = self.workers.known(owner);
        if let Some((first, end)) = record.claims.split() {
            let mut claims = std::mem::take(&mut self.workers.known(thief).claims);
            if self.slots[first.slot as usize].is_some() {
                self.claim(&mut claims, first, end);
            }
            self.workers.known(thief).claims = claims;
        }
        self.workers.reindex(owner, self.config.saturation);
        self.serve(thief, false);
    }

    /// Moves the first task of a backlog, if it ends earlier there.
    fn share_backlog(&mut self, owner: WorkerId, thief: WorkerId) -> bool {
        let record = self.workers.get(owner).expect("indexed");
        let ((priority, task), micros) = record.backlog.first_key_value().map(|(key, micros)| (*key, *micros)).expect("it is long");
        let wait = record.wait();
        let pays = !self.is_ready(task) || self.micros_to(task, thief) < wait;
        if pays {
            let record = self.workers.known(owner);
            record.backlog.remove(&(priority, task));
            record.backlog_micros -= u64::from(micros);
            self.workers.reindex(owner, self.config.saturation);
            self.give_from_backlog(task, thief);
            self.workers.reindex(thief, self.config.saturation);
        }
        pays
    }
}
