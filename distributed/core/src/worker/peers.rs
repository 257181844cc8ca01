//! Whom to ask for what: the needs, each peer's queue of them, the requests under way, and the rests of peers that were busy.
//!
//! It refuses to know tasks, chunks and memory. Invariants: a need that is neither under way nor held back stands in the queues
//! of its first few holders; `askable` is exactly the peers with something queued, a request to spare and no rest, by the most
//! urgent piece of each.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use crate::protocol::{Piece, Tick, WorkerId};

/// In how many holders' queues a need stands: enough to find an idle one, few enough that a chunk that everybody has costs no
/// more than another.
const SPREAD: usize = 4;

/// So often a piece must have been refused for want of time before the scheduler is asked who else has it: what a rest mends costs
/// no message.
const REFUSALS: u32 = 2;

/// How long a busy peer is left in peace, in microseconds: doubled each time up to the longest, begun anew when it has served.
const FIRST_REST: u64 = 50_000;
const LONGEST_REST: u64 = 1_000_000;

/// What is to be fetched, and from whom.
#[derive(Default)]
pub(super) struct Gather {
    pub needs: BTreeMap<Piece, Need>,
    pub peers: BTreeMap<WorkerId, Peer>,
    /// Peers that can be asked now, by the most urgent piece that they have.
    pub askable: BTreeSet<(u64, Piece, WorkerId)>,
    /// Peers that were busy, by the time at which they may be asked again.
    pub resting: BTreeSet<(Tick, WorkerId)>,
    pub requests: BTreeMap<u64, Request>,
    /// Needs under way.
    pub fetching: u32,
    /// Expected bytes under way.
    pub receiving: u64,
    /// Who is gone for good and is not asked again, whatever a late message names.
    pub gone: BTreeSet<WorkerId>,
    per_peer: u32,
    last_request: u64,
}

/// A piece that is not here.
pub(super) struct Need {
    /// Tasks that wait for it and their serial numbers, one entry for each time they read it. Entries of tasks that have gone
    /// stay until they are in the majority.
    pub waiters: Vec<(Key, u64)>,
    /// Entries of tasks that still wait.
    pub live: u32,
    /// Serial number of the task, or of the copy, for which it was made: earlier tasks that read the piece have had it and do not wait.
    pub born: u64,
    /// The scheduler wants a copy here.
    pub copy: bool,
    /// Who may still be asked, the one asked at the moment included.
    pub holders: Vec<WorkerId>,
    /// Who was asked in vain.
    pub asked: Vec<WorkerId>,
    /// How often whoever was asked was busy.
    refusals: u32,
    /// Who was asked and in which request.
    pub in_flight: Option<(WorkerId, u64)>,
    /// It stands in its holders' queues.
    pub listed: bool,
    pub priority: u64,
    /// Expected size of what arrives.
    pub nbytes: u64,
}

impl Need {
    pub fn new(born: u64, priority: u64, nbytes: u64) -> Self {
        let (waiters, holders, asked) = (Vec::new(), Vec::new(), Vec::new());
        Self { waiters, live: 0, born, copy: false, holders, asked, refusals: 0, in_flight: None, listed: false, priority, nbytes }
    }

    /// The holders in whose queues it stands.
    fn first_holders(&self) -> ([WorkerId; SPREAD], usize) {
        let mut first = [WorkerId(0); SPREAD];
        let count = self.holders.len().min(SPREAD);
        first[..count].copy_from_slice(&self.holders[..count]);
        (first, count)
    }

    pub fn is_wanted(&self) -> bool {
        self.live > 0 || self.copy
    }
}

/// Another worker.
#[derive(Default)]
pub(super) struct Peer {
    pub queue: BTreeSet<(u64, Piece)>,
    /// Expected bytes of what is queued.
    pub queued_bytes: u64,
    /// Requests under way.
    pub requests: u32,
    pub rests_until: Option<Tick>,
    /// Length of its last rest, 0 when it has served since.
    pub rest: u64,
    /// Its entry in `askable`.
    pub rank: Option<(u64, Piece)>,
}

impl Peer {
    fn insert(&mut self, entry: (u64, Piece), nbytes: u64) {
        // A holder that is named twice is one.
        self.queued_bytes += if self.queue.insert(entry) { nbytes } else { 0 };
    }

    fn remove(&mut self, entry: (u64, Piece), nbytes: u64) {
        self.queued_bytes -= if self.queue.remove(&entry) { nbytes } else { 0 };
    }
}

/// Pieces that were asked for together.
pub(super) struct Request {
    pub from: WorkerId,
    /// Pieces without an answer.
    pub left: u32,
}

impl Gather {
    pub fn new(per_peer: u32) -> Self {
        Self { per_peer: per_peer.max(1), ..Self::default() }
    }

    /// Enters the peer into the order of who is asked next, or takes it out, as its state says.
    fn rank(&mut self, worker: WorkerId) {
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        let rank = if peer.requests < self.per_peer && peer.rests_until.is_none() { peer.queue.first().copied() } else { None };
        if rank != peer.rank {
            if let Some((priority, piece)) = peer.rank {
                self.askable.remove(&(priority, piece, worker));
            }
            if let Some((priority, piece)) = rank {
                self.askable.insert((priority, piece, worker));
            }
            peer.rank = rank;
        }
    }

    /// Queues the need at its holders.
    pub fn list(&mut self, piece: Piece) {
        let Some(need) = self.needs.get_mut(&piece).filter(|need| !need.listed && need.in_flight.is_none()) else { return };
        need.listed = true;
        let (entry, nbytes, (holders, count)) = ((need.priority, piece), need.nbytes, need.first_holders());
        for holder in &holders[..count] {
            self.peers.entry(*holder).or_default().insert(entry, nbytes);
            self.rank(*holder);
        }
    }

    /// Takes the need out of the queues; what changes its urgency or holders does so between this and `list`.
    pub fn delist(&mut self, piece: Piece) {
        let Some(need) = self.needs.get_mut(&piece).filter(|need| need.listed) else { return };
        need.listed = false;
        let (entry, nbytes, (holders, count)) = ((need.priority, piece), need.nbytes, need.first_holders());
        for holder in &holders[..count] {
            self.peers.entry(*holder).or_default().remove(entry, nbytes);
            self.rank(*holder);
        }
    }

    /// The holder to ask for the piece: of those that can be asked now the one with the fewest requests under way, and the
    /// first named of these.
    pub fn best_holder(&self, piece: Piece) -> Option<WorkerId> {
        let holders = self.needs.get(&piece)?.holders.iter().take(SPREAD);
        let askable = holders.filter_map(|holder| Some((holder, self.peers.get(holder).filter(|peer| peer.rank.is_some())?)));
        askable.min_by_key(|(_, peer)| peer.requests).map(|(holder, _)| *holder)
    }

    /// The pieces are asked for now, in one request.
    pub fn launch(&mut self, from: WorkerId, pieces: &[Piece]) {
        self.last_request += 1;
        let request = self.last_request;
        self.requests.insert(request, Request { from, left: pieces.len() as u32 });
        self.peers.entry(from).or_default().requests += 1;
        let mut queued_at = vec![from];
        for piece in pieces {
            let need = self.needs.get_mut(piece).expect("what is queued is needed");
            (need.listed, need.in_flight) = (false, Some((from, request)));
            self.fetching += 1;
            self.receiving += need.nbytes;
            let (entry, nbytes, (holders, count)) = ((need.priority, *piece), need.nbytes, need.first_holders());
            for holder in &holders[..count] {
                self.peers.entry(*holder).or_default().remove(entry, nbytes);
                if !queued_at.contains(holder) {
                    queued_at.push(*holder);
                }
            }
        }
        // Once for each peer, not once for each piece: it is the costly part.
        queued_at.into_iter().for_each(|peer| self.rank(peer));
    }

    /// The piece is not under way any more, with or without success. Returns who was asked.
    pub fn land(&mut self, piece: Piece) -> Option<WorkerId> {
        let need = self.needs.get_mut(&piece)?;
        let (from, request) = need.in_flight.take()?;
        self.fetching -= 1;
        self.receiving -= need.nbytes;
        let left = self.requests.get_mut(&request).expect("what is under way is in a request");
        left.left -= 1;
        if left.left == 0 {
            self.requests.remove(&request);
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.requests -= 1;
            }
            self.rank(from);
        }
        Some(from)
    }

    /// Takes the need out, whatever its state.
    pub fn remove(&mut self, piece: Piece) -> Option<Need> {
        self.delist(piece);
        self.land(piece);
        self.needs.remove(&piece)
    }

    /// The peer does not have the piece, or is gone. The need is queued nowhere until `list`.
    pub fn refuse(&mut self, piece: Piece, from: WorkerId) {
        self.delist(piece);
        let Some(need) = self.needs.get_mut(&piece) else { return };
        need.holders.retain(|holder| *holder != from);
        need.asked.push(from);
    }

    /// The peer was too busy for the piece, which is listed nowhere just now: others that have it stand before it. True when the
    /// scheduler is to be asked for more of them, because all that would be asked next rest, and not for the first time. (Who has
    /// fetched a part serves nobody with it, so there parts wait.)
    pub fn put_off(&mut self, piece: Piece, busy: WorkerId) -> bool {
        let Some(need) = self.needs.get_mut(&piece) else { return false };
        if let Some(at) = need.holders.iter().position(|holder| *holder == busy) {
            need.holders[at..].rotate_left(1);
        }
        need.refusals = need.refusals.saturating_add(1);
        let rests = |holder: &WorkerId| self.peers.get(holder).is_some_and(|peer| peer.rests_until.is_some());
        piece.1.is_none() && need.refusals >= REFUSALS && need.holders.iter().take(SPREAD).all(rests)
    }

    /// Adds holders that are news: before those that are known, when these were busy, and otherwise after them.
    pub fn learn(&mut self, piece: Piece, holders: &[WorkerId], first: bool) {
        let Some(need) = self.needs.get(&piece) else { return };
        let is_news = |holder: &&WorkerId| !need.holders.contains(holder) && !need.asked.contains(holder) && !self.gone.contains(holder);
        let news: Vec<WorkerId> = holders.iter().filter(is_news).copied().collect();
        if news.is_empty() {
            return;
        }
        let listed = need.listed;
        self.delist(piece);
        let known = &mut self.needs.get_mut(&piece).expect("looked up above").holders;
        let at = if first { 0 } else { known.len() };
        drop(known.splice(at..at, news));
        if listed {
            self.list(piece);
        }
    }

    /// The piece is wanted at least this urgently.
    pub fn hurry(&mut self, piece: Piece, priority: u64) {
        let Some(need) = self.needs.get(&piece).filter(|need| need.priority > priority) else { return };
        let listed = need.listed;
        self.delist(piece);
        self.needs.get_mut(&piece).expect("looked up above").priority = priority;
        if listed {
            self.list(piece);
        }
    }

    /// The peer has answered with what was asked of it.
    pub fn served(&mut self, from: WorkerId) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.rest = 0;
        }
    }

    /// The peer is left in peace for a while.
    pub fn rest(&mut self, from: WorkerId, now: Tick) {
        let Some(peer) = self.peers.get_mut(&from).filter(|peer| peer.rests_until.is_none()) else { return };
        peer.rest = if peer.rest == 0 { FIRST_REST } else { (2 * peer.rest).min(LONGEST_REST) };
        peer.rests_until = Some(now + peer.rest);
        self.resting.insert((now + peer.rest, from));
        self.rank(from);
    }

    /// Peers whose rest is over can be asked again.
    pub fn wake(&mut self, now: Tick) {
        while let Some((_, worker)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.pop_first();
            if let Some(peer) = self.peers.get_mut(&worker) {
                peer.rests_until = None;
            }
            self.rank(worker);
        }
    }

    /// Forgets the peer. Its pieces were refused before.
    pub fn forget(&mut self, worker: WorkerId) {
        self.gone.insert(worker);
        if let Some(peer) = self.peers.remove(&worker) {
            if let Some((priority, piece)) = peer.rank {
                self.askable.remove(&(priority, piece, worker));
            }
            if let Some(until) = peer.rests_until {
                self.resting.remove(&(until, worker));
            }
        }
    }
}
