//! Inputs that are not here are fetched from peers: a few at a time, the most urgent first, from one holder after the other.
//! A piece is a chunk or a part of one; tasks that need the same piece share its fetch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partita_graph::Key;

use super::memory::Room;
use super::{Phase, Task, Worker};
use crate::protocol::{Assignment, Input, ToScheduler, WorkerAction, WorkerId};

/// Fetches on their way at a time: enough to fill a connection, few enough to keep the order of urgency.
const FETCHES: u32 = 16;

type Piece = (Key, Option<u32>);

/// What is to be fetched.
#[derive(Default)]
pub(super) struct Gather {
    pub needs: BTreeMap<Piece, Need>,
    /// Needs without a fetch on its way, by urgency.
    pub queue: BTreeSet<(u64, Piece)>,
    /// Needs with a fetch on its way.
    pub fetching: u32,
}

/// A piece that is not here.
pub(super) struct Need {
    /// Tasks that wait for it, one entry for each time they read it.
    pub waiters: Vec<Key>,
    /// Who may still be asked.
    pub holders: Vec<WorkerId>,
    /// Who was asked in vain.
    pub asked: Vec<WorkerId>,
    pub in_flight: Option<WorkerId>,
    pub priority: u64,
    /// Expected size of what arrives.
    pub nbytes: u64,
}

/// A part that was fetched for tasks which have not ended.
pub(super) struct Part {
    pub nbytes: u64,
    pub users: u32,
}

impl Worker {
    /// A task arrives. A doubled message changes nothing; a later try takes the place of an earlier one.
    pub(super) fn assigned(&mut self, assignment: Assignment) {
        let key = assignment.key;
        if let Some(task) = self.tasks.get(&key) {
            if assignment.attempt <= task.assignment.attempt {
                return;
            }
            self.abandon(key, task.assignment.attempt);
            if let Some(task) = self.tasks.get_mut(&key) {
                task.next = Some(assignment);
                return;
            }
        }
        if let Some(held) = self.chunks.get_mut(&key)
            && !held.doomed
        {
            held.attempt = assignment.attempt;
            let done = ToScheduler::Finished { key, attempt: assignment.attempt, nbytes: held.size, micros: 0, notes: Vec::new(), value: None };
            self.out.push(WorkerAction::Send(done));
            return;
        }
        self.gather(assignment);
    }

    fn gather(&mut self, assignment: Assignment) {
        let key = assignment.key;
        let mut missing = 0;
        let mut pieces = Vec::new();
        let share = u64::from(assignment.layer.len.max(1));
        for input in assignment.inputs.iter().flatten() {
            let piece = (input.key, input.part);
            if let Some(part) = input.part.and_then(|part| self.parts.get_mut(&(input.key, part))) {
                part.users += 1;
                pieces.push(piece);
                continue;
            }
            if self.is_held(input.key) {
                continue;
            }
            if input.holders.is_empty() && !self.gather.needs.contains_key(&piece) {
                self.let_go_of_pieces(key, &pieces);
                let missing = ToScheduler::MissingInput { key, attempt: assignment.attempt, input: input.key, asked: Vec::new() };
                self.out.push(WorkerAction::Send(missing));
                return;
            }
            let nbytes = if input.part.is_some() { input.nbytes / share } else { input.nbytes };
            self.need(key, piece, input, assignment.priority, nbytes);
            pieces.push(piece);
            missing += 1;
        }
        let phase = if missing > 0 { Phase::Gathering { missing } } else { Phase::Ready };
        if missing == 0 {
            self.ready.insert((assignment.priority, key));
        }
        pieces.sort_unstable();
        let assignment = Arc::new(assignment);
        let task = Task { assignment, phase, pieces, reserved: 0, seen: self.event, abandoned: false, next: None };
        self.tasks.insert(key, task);
    }

    /// Held here and going to stay.
    pub(super) fn is_held(&self, key: Key) -> bool {
        self.chunks.get(&key).is_some_and(|held| !held.doomed)
    }

    /// Held here, but not wanted any more and still in use or on its way.
    pub(super) fn is_leaving(&self, key: Key) -> bool {
        self.chunks.get(&key).is_some_and(|held| held.doomed)
    }

    fn need(&mut self, task: Key, piece: Piece, input: &Input, priority: u64, nbytes: u64) {
        let new = || Need { waiters: Vec::new(), holders: Vec::new(), asked: Vec::new(), in_flight: None, priority, nbytes };
        let need = self.gather.needs.entry(piece).or_insert_with(new);
        need.waiters.push(task);
        for holder in &input.holders {
            if !need.holders.contains(holder) && !need.asked.contains(holder) && need.in_flight != Some(*holder) {
                need.holders.push(*holder);
            }
        }
        if need.in_flight.is_none() {
            self.gather.queue.remove(&(need.priority, piece));
            need.priority = need.priority.min(priority);
            self.gather.queue.insert((need.priority, piece));
        }
    }

    /// Starts fetches as far as memory and the number allow.
    pub(super) fn fetch(&mut self) {
        while self.gather.fetching < FETCHES {
            // A chunk of the same key that is on its way out must be gone first.
            let next = self.gather.queue.iter().find(|(_, (key, _))| !self.is_leaving(*key)).copied();
            let Some((priority, piece)) = next else { return };
            let nbytes = self.gather.needs[&piece].nbytes;
            let idle = self.running == 0 && self.gather.fetching == 0;
            if self.memory_is_limited() && self.make_room(nbytes, idle) == Room::Wait {
                return;
            }
            self.gather.queue.remove(&(priority, piece));
            let need = self.gather.needs.get_mut(&piece).expect("queued needs exist");
            let from = need.holders.remove(0);
            need.in_flight = Some(from);
            self.gather.fetching += 1;
            self.memory.reserved += nbytes;
            self.out.push(WorkerAction::Fetch { from, pieces: vec![piece] });
        }
    }

    pub(super) fn fetched(&mut self, key: Key, part: Option<u32>, nbytes: u64) {
        let piece = (key, part);
        let expected = self.gather.needs.get(&piece).is_some_and(|need| need.in_flight.is_some());
        if !expected {
            return self.drop_unexpected(piece);
        }
        let need = self.gather.needs.remove(&piece).expect("looked up above");
        self.gather.fetching -= 1;
        self.memory.reserved -= need.nbytes;
        if need.waiters.is_empty() {
            return self.drop_unexpected(piece);
        }
        match part {
            Some(part) => {
                self.memory.resident += nbytes;
                self.parts.insert((key, part), Part { nbytes, users: need.waiters.len() as u32 });
            }
            None if self.chunks.contains_key(&key) => {}
            None => {
                self.hold(key, nbytes, true, 0);
                self.out.push(WorkerAction::Send(ToScheduler::Replicated(key)));
            }
        }
        self.one_less_missing(need.waiters);
        self.relieve();
    }

    /// Something arrived that nobody waits for: the shell has stored it and must not keep it.
    fn drop_unexpected(&mut self, piece: Piece) {
        match piece {
            (key, Some(part)) if !self.parts.contains_key(&(key, part)) => self.out.push(WorkerAction::DropPart(key, part)),
            (key, None) if !self.chunks.contains_key(&key) => self.out.push(WorkerAction::Drop(key)),
            _ => {}
        }
    }

    pub(super) fn one_less_missing(&mut self, waiters: Vec<Key>) {
        for key in waiters {
            let task = self.tasks.get_mut(&key).expect("who waits is a task");
            let Phase::Gathering { missing } = task.phase else { unreachable!("who waits is gathering") };
            task.phase = Phase::Gathering { missing: missing - 1 };
            if missing == 1 {
                task.phase = Phase::Ready;
                self.ready.insert((task.assignment.priority, key));
            }
        }
    }

    pub(super) fn fetch_failed(&mut self, key: Key, part: Option<u32>, from: WorkerId) {
        let piece = (key, part);
        let Some(need) = self.gather.needs.get_mut(&piece) else { return };
        if need.in_flight != Some(from) {
            return;
        }
        need.in_flight = None;
        need.asked.push(from);
        self.gather.fetching -= 1;
        self.memory.reserved -= need.nbytes;
        if !need.waiters.is_empty() && !need.holders.is_empty() {
            self.gather.queue.insert((need.priority, piece));
            return;
        }
        let need = self.gather.needs.remove(&piece).expect("looked up above");
        for waiter in need.waiters {
            self.give_back(waiter, key, need.asked.clone());
        }
    }

    /// The task lets go of what it waits for and of the parts that it keeps.
    pub(super) fn let_go_of_pieces(&mut self, task: Key, pieces: &[Piece]) {
        for &piece in pieces {
            if let Some(need) = self.gather.needs.get_mut(&piece) {
                if let Some(at) = need.waiters.iter().position(|waiter| *waiter == task) {
                    need.waiters.swap_remove(at);
                }
                if need.waiters.is_empty() && need.in_flight.is_none() {
                    self.gather.queue.remove(&(need.priority, piece));
                    self.gather.needs.remove(&piece);
                }
                continue;
            }
            let (key, Some(part)) = piece else { continue };
            let Some(kept) = self.parts.get_mut(&(key, part)) else { continue };
            kept.users -= 1;
            if kept.users == 0 {
                self.memory.resident -= kept.nbytes;
                self.parts.remove(&(key, part));
                self.out.push(WorkerAction::DropPart(key, part));
            }
        }
    }
}
