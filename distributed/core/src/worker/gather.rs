//! Tasks arrive, and what they read is found here or becomes a need. Tasks that need the same piece share its fetch; a copy that
//! the scheduler wants here is a need that no task waits for.

use std::sync::Arc;

use partita_graph::Key;

use super::peers::Need;
use super::{Phase, Task, Worker};
use crate::protocol::{Assignment, Piece, ToScheduler, WorkerAction, WorkerId};

impl Worker {
    /// A task arrives. A doubled message changes nothing; a later try takes the place of an earlier one.
    pub(super) fn assigned(&mut self, assignment: Assignment) {
        let key = assignment.key;
        if let Some(task) = self.tasks.get(&key) {
            let newest = task.next.as_ref().map_or(task.assignment.attempt, |next| next.attempt);
            if assignment.attempt <= newest {
                return;
            }
            self.abandon(key, newest);
            if let Some(task) = self.tasks.get(&key).map(|task| task.assignment.attempt) {
                self.abandon(key, task);
            }
            if let Some(task) = self.tasks.get_mut(&key) {
                task.next = Some(Box::new(assignment));
                return;
            }
        }
        if let Some(held) = self.chunks.get_mut(&key)
            && !held.doomed
        {
            held.counts_as(assignment.attempt);
            let done =
                ToScheduler::Finished { key, attempt: assignment.attempt, nbytes: held.size, micros: 0, notes: Vec::new(), value: None };
            self.out.push(WorkerAction::Send(done));
            return;
        }
        self.gather(assignment);
    }

    fn gather(&mut self, assignment: Assignment) {
        let key = assignment.key;
        self.serial += 1;
        let serial = self.serial;
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
            let nbytes = if input.part.is_some() { input.nbytes / share } else { input.nbytes };
            if !self.need(piece, &input.holders, assignment.priority, nbytes) {
                self.let_go_of_pieces(serial, &pieces);
                let asked = input.holders.clone();
                let missing = ToScheduler::MissingInput { key, attempt: assignment.attempt, input: input.key, asked };
                self.out.push(WorkerAction::Send(missing));
                return;
            }
            let need = self.gather.needs.get_mut(&piece).expect("needed just now");
            need.waiters.push((key, serial));
            need.live += 1;
            pieces.push(piece);
            missing += 1;
        }
        pieces.sort_unstable();
        let (assignment, seen) = (Arc::new(assignment), self.event);
        let phase = if missing > 0 { Phase::Gathering { missing } } else { Phase::Ready };
        if missing == 0 {
            self.ready.insert((assignment.priority, key));
        }
        let (reserved, began, deadline, next) = (0, 0, None, None);
        let (abandoned, waits, has_waited) = (false, false, false);
        let task = Task { assignment, phase, serial, pieces, reserved, seen, began, deadline, abandoned, waits, has_waited, next };
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

    /// The piece is to be fetched. False when nobody can be asked for it.
    fn need(&mut self, piece: Piece, holders: &[WorkerId], priority: u64, nbytes: u64) -> bool {
        if let Some(need) = self.gather.needs.get_mut(&piece) {
            // What has gone is cleared out now and then, at a cost that its coming has paid for.
            if need.waiters.len() > 2 * need.live as usize + 8 {
                let (tasks, arriving) = (&self.tasks, self.serial);
                let waits =
                    |(waiter, serial): &(Key, u64)| *serial == arriving || tasks.get(waiter).is_some_and(|task| task.serial == *serial);
                need.waiters.retain(waits);
            }
            self.gather.learn(piece, holders, false);
            self.gather.hurry(piece, priority);
            return true;
        }
        let mut need = Need::new(self.serial, priority, nbytes);
        need.holders.extend(holders.iter().filter(|holder| !self.gather.gone.contains(holder)));
        if need.holders.is_empty() {
            return false;
        }
        self.gather.needs.insert(piece, need);
        self.list(piece);
        true
    }

    /// Queues the need, unless a chunk of the same key is on its way out and must be gone first.
    pub(super) fn list(&mut self, piece: Piece) {
        if piece.1.is_some() || !self.is_leaving(piece.0) {
            self.gather.list(piece);
        } else {
            self.held_up.push(piece.0);
        }
    }

    pub(super) fn one_less_missing(&mut self, waiters: Vec<(Key, u64)>) {
        for (key, serial) in waiters {
            let Some(task) = self.tasks.get_mut(&key).filter(|task| task.serial == serial) else { continue };
            let Phase::Gathering { missing } = task.phase else { unreachable!("who waits is gathering") };
            task.phase = Phase::Gathering { missing: missing - 1 };
            if missing == 1 {
                task.phase = Phase::Ready;
                self.ready.insert((task.assignment.priority, key));
            }
        }
    }

    /// A task that ends lets go of what it waits for and of the parts that it keeps.
    pub(super) fn let_go_of_pieces(&mut self, serial: u64, pieces: &[Piece]) {
        for &piece in pieces {
            if let Some(need) = self.gather.needs.get_mut(&piece).filter(|need| need.born <= serial) {
                need.live -= 1;
                if !need.is_wanted() && need.in_flight.is_none() {
                    self.gather.remove(piece);
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

    /// The scheduler wants a copy here. It comes after what tasks wait for.
    pub(super) fn acquire(&mut self, key: Key, nbytes: u64, holders: Vec<WorkerId>) {
        if self.is_held(key) {
            return self.say_again(key);
        }
        // Tasks that are here may have had the chunk before it went; they do not wait for what is made for the copy.
        self.serial += 1;
        let refused = if self.pressure.paused { Some(Vec::new()) } else { None };
        let piece = (key, None);
        let refused = refused.or_else(|| (!self.need(piece, &holders, u64::MAX, nbytes)).then_some(holders));
        match refused {
            Some(asked) => self.out.push(WorkerAction::Send(ToScheduler::AcquireFailed { key, asked })),
            None => self.gather.needs.get_mut(&piece).expect("needed just now").copy = true,
        }
    }

    /// The scheduler says who has a chunk by now: whoever was not asked before is asked first.
    pub(super) fn told_holders(&mut self, key: Key, holders: &[WorkerId]) {
        self.gather.learn((key, None), holders, true);
    }

    /// Tells the scheduler of a chunk that it may know of already. It may take that for news after it has sent word that the chunk is
    /// to go, so whoever hears that word then says what has become of the chunk.
    pub(super) fn say_again(&mut self, key: Key) {
        self.chunks.get_mut(&key).expect("what is told of is here").said_again = true;
        self.out.push(WorkerAction::Send(ToScheduler::Replicated(key)));
    }

    /// The copy is not wanted any more. What is under way for nobody is dropped when it arrives.
    pub(super) fn forget_copy(&mut self, key: Key) {
        let piece = (key, None);
        let Some(need) = self.gather.needs.get_mut(&piece) else { return };
        need.copy = false;
        if !need.is_wanted() && need.in_flight.is_none() {
            self.gather.remove(piece);
        }
    }
}
