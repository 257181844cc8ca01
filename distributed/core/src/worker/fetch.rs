//! Requests to peers: how much is asked of whom at a time, and what their answers change.
//!
//! A request takes all wanted pieces that one peer has, the most urgent first, up to a number of bytes. It refuses to know why a
//! piece is wanted. What is under way is counted against memory before it arrives; while the worker is paused nothing is asked.

use partita_graph::{Failure, Key};

use super::memory::Room;
use super::{Part, Worker};
use crate::protocol::{Piece, ToScheduler, WorkerAction, WorkerId};

/// Pieces of one request at most, so that it stays a small message.
const PIECES: usize = 4096;

/// Pieces of one refused request, at most, for which the scheduler is asked who else has them: when some of them have come from
/// others, the rest finds its peer less busy.
const QUESTIONS: usize = 64;

/// After so many microseconds in which a paused worker ran nothing, it fetches one thing after the other all the same: what it
/// has is given to it because nobody is better off, and nothing of its own would end the pause.
const PATIENCE: u64 = 500_000;

impl Worker {
    /// Starts requests as far as memory and their number allow.
    pub(super) fn fetch(&mut self) {
        while let Some((_, piece, _)) = self.gather.askable.first().copied() {
            if self.gather.requests.len() >= self.config.fetches as usize || !self.may_fetch() {
                return;
            }
            let Some(from) = self.gather.best_holder(piece) else { return };
            // What one event costs must not grow with what waits: the pieces are looked at when it is known how much may come.
            let granted = self.granted(from, piece);
            if granted == 0 {
                return;
            }
            let pieces = self.batch(from, granted);
            self.gather.launch(from, &pieces);
            self.out.push(WorkerAction::Fetch { from, pieces });
        }
    }

    fn may_fetch(&self) -> bool {
        let quiet = self.running == 0 && self.gather.fetching == 0;
        if self.pressure.paused {
            return quiet && self.now >= self.pressure.idle_since + PATIENCE;
        }
        // A task with all its inputs waits for memory: more inputs for others would make it wait longer.
        self.claim.is_none() || quiet
    }

    /// What to ask of the peer: at least one piece, and others as far as so many bytes go.
    fn batch(&self, from: WorkerId, most: u64) -> Vec<Piece> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let Some(peer) = self.gather.peers.get(&from) else { return batch };
        for (_, piece) in peer.queue.iter().take(2 * PIECES) {
            let need = &self.gather.needs[piece];
            if !batch.is_empty() && (bytes + need.nbytes > most || batch.len() == PIECES) {
                break;
            }
            // Another holder has less to do: the piece is asked of that one.
            if need.holders.len() > 1 && self.gather.best_holder(*piece) != Some(from) {
                continue;
            }
            bytes += need.nbytes;
            batch.push(*piece);
        }
        batch
    }

    /// How many bytes may come from the peer in one request, whose first piece is this: as far as there is memory, and the share
    /// of it for what is under way. Zero when it must wait.
    fn granted(&mut self, from: WorkerId, piece: Piece) -> u64 {
        let first = self.gather.needs[&piece].nbytes.max(1);
        let alone = self.gather.requests.is_empty();
        let receive = self.config.mark(self.config.receive_share).map_or(u64::MAX, |most| most.saturating_sub(self.gather.receiving));
        if first > receive && !alone {
            return 0;
        }
        let most = self.gather.peers[&from].queued_bytes.min(receive).min(self.config.fetch_bytes).max(first);
        if self.make_room(most, false) == Room::Granted {
            return most;
        }
        if self.memory.spilling > 0 || self.memory.loading > 0 {
            return 0;
        }
        // Nothing more can be spilled: what there is room for, or the first alone when nothing else will make room.
        let quiet = self.running == 0 && alone;
        if self.make_room(first, quiet) == Room::Granted { most.min(self.room()).max(first) } else { 0 }
    }

    /// A fetch came back with its piece, or a late one whose peer was given up meanwhile.
    pub(super) fn fetched(&mut self, key: Key, part: Option<u32>, nbytes: u64) {
        let piece = (key, part);
        let from = self.gather.land(piece);
        if let Some(from) = from {
            self.gather.served(from);
        }
        let Some(need) = self.gather.remove(piece).filter(|need| need.is_wanted()) else { return self.drop_unexpected(piece) };
        match part {
            Some(part) => {
                self.memory.resident += nbytes;
                self.parts.insert((key, part), Part { nbytes, users: need.live });
            }
            None => match self.chunks.get_mut(&key) {
                // Made here meanwhile, and perhaps to be dropped already: it is wanted again.
                Some(held) => {
                    held.doomed = false;
                    self.touch(key);
                    self.unblock(key);
                    self.say_again(key);
                }
                None => {
                    self.hold(key, nbytes, true, 0);
                    self.out.push(WorkerAction::Send(ToScheduler::Replicated(key)));
                }
            },
        }
        self.one_less_missing(need.waiters);
        self.relieve();
    }

    /// A peer has the piece, but it cannot be sent or understood, and others that have it would answer alike. Nothing is held: what
    /// would count as a copy here could outlive the chunk itself.
    pub(super) fn fetch_refused(&mut self, piece: Piece, failure: Failure) {
        let (key, part) = piece;
        if part.is_none() && self.chunks.contains_key(&key) {
            // Made here meanwhile, so it need not be sent.
            return self.fetched(key, part, 0);
        }
        if let Some(from) = self.gather.land(piece) {
            self.gather.served(from);
        }
        let Some(need) = self.gather.remove(piece) else { return };
        for (waiter, serial) in need.waiters {
            if self.tasks.get(&waiter).is_some_and(|task| task.serial == serial) {
                let attempt = self.remove_task(waiter).assignment.attempt;
                let failed = ToScheduler::Failed { key: waiter, attempt, failure: failure.clone() };
                self.out.push(WorkerAction::Send(failed));
            }
        }
        if need.copy {
            self.out.push(WorkerAction::Send(ToScheduler::AcquireFailed { key, asked: Vec::new() }));
        }
    }

    /// Something arrived that nobody waits for: the shell has stored it and must not keep it.
    fn drop_unexpected(&mut self, piece: Piece) {
        match piece {
            (key, Some(part)) if !self.parts.contains_key(&(key, part)) => self.out.push(WorkerAction::DropPart(key, part)),
            (key, None) if !self.chunks.contains_key(&key) => self.out.push(WorkerAction::Drop(key)),
            _ => {}
        }
    }

    /// The peer is gone or has no such chunk. An answer that comes after the piece was asked of another changes nothing.
    pub(super) fn fetch_failed(&mut self, key: Key, part: Option<u32>, from: WorkerId) {
        let piece = (key, part);
        if self.is_asked(piece, from) {
            self.gather.land(piece);
            self.refused(piece, from);
        }
    }

    fn is_asked(&self, piece: Piece, from: WorkerId) -> bool {
        self.gather.needs.get(&piece).and_then(|need| need.in_flight).is_some_and(|(asked, _)| asked == from)
    }

    fn refused(&mut self, piece: Piece, from: WorkerId) {
        self.gather.refuse(piece, from);
        let Some(need) = self.gather.needs.get(&piece) else { return };
        if need.is_wanted() && !need.holders.is_empty() {
            return self.list(piece);
        }
        self.give_up(piece);
    }

    /// Nobody has the piece: all that wait for it are given back.
    pub(super) fn give_up(&mut self, piece: Piece) {
        let Some(need) = self.gather.remove(piece) else { return };
        for (waiter, serial) in need.waiters {
            if self.tasks.get(&waiter).is_some_and(|task| task.serial == serial) {
                self.give_back(waiter, piece.0, need.asked.clone());
            }
        }
        if need.copy {
            self.out.push(WorkerAction::Send(ToScheduler::AcquireFailed { key: piece.0, asked: need.asked }));
        }
    }

    /// The peer serves too many others: another holder is asked at once, or it again a little later. Whoever has fetched the chunk
    /// meanwhile has it too, which only the scheduler knows.
    pub(super) fn busy(&mut self, from: WorkerId, pieces: Vec<Piece>) {
        let pieces: Vec<Piece> = pieces.into_iter().filter(|piece| self.is_asked(*piece, from)).collect();
        if pieces.is_empty() {
            return;
        }
        self.gather.rest(from, self.now);
        let mut questions = 0;
        for piece in pieces {
            self.gather.land(piece);
            if self.gather.needs.get(&piece).is_some_and(|need| need.is_wanted()) {
                if self.gather.put_off(piece, from) && questions < QUESTIONS {
                    questions += 1;
                    self.out.push(WorkerAction::Send(ToScheduler::WhoHas(piece.0)));
                }
                self.list(piece);
            } else {
                self.gather.remove(piece);
            }
        }
    }

    /// A peer is gone: it is asked for nothing more, and what was asked of it is asked of others now. Its late answers find the
    /// pieces asked of others or no longer needed.
    pub(super) fn peer_gone(&mut self, peer: WorkerId) {
        let names_it = |(piece, need): (&Piece, &super::peers::Need)| need.holders.contains(&peer).then_some(*piece);
        let pieces: Vec<Piece> = self.gather.needs.iter().filter_map(names_it).collect();
        for piece in &pieces {
            if self.is_asked(*piece, peer) {
                self.gather.land(*piece);
            }
            self.gather.refuse(*piece, peer);
        }
        self.gather.forget(peer);
        for piece in pieces {
            let Some(need) = self.gather.needs.get(&piece) else { continue };
            if need.in_flight.is_some() {
                continue;
            }
            if need.is_wanted() && !need.holders.is_empty() {
                self.list(piece);
            } else {
                self.give_up(piece);
            }
        }
        self.out.push(WorkerAction::DropPeer(peer));
    }
}
