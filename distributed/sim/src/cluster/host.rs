//! A worker's shell: performs what the worker's machine wants done, and tells it what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_core::protocol::{Assignment, Attempt, Piece, ToWorker, WorkerAction, WorkerEvent, WorkerId};
use partita_graph::{Chunk, Code, Failure, Key, Outcome, run_task};

use super::{Cluster, Request};
use crate::happening::Happening;
use crate::random_graph::{Fate, encode};

impl Cluster {
    pub(super) fn worker_hears(&mut self, worker: WorkerId, message: ToWorker) -> Result<(), String> {
        self.tell_worker(worker, WorkerEvent::Heard(message))
    }

    /// An answer of a worker's shell, and perhaps the same answer again, at once. It must not wait in the queue for that: what else is
    /// due at this moment, as everything is when a stopped process goes on, would come between. Then the machine may have dropped the
    /// chunk that came, or asked for it anew, and would take the second copy for an answer to the new question; no shell gives that.
    pub(super) fn answer(&mut self, worker: WorkerId, event: WorkerEvent) -> Result<(), String> {
        let doubled = self.faults.doubled;
        let again = if self.chance(doubled) { Some(event.clone()) } else { None };
        self.tell_worker(worker, event)?;
        again.map_or(Ok(()), |event| self.happen(Happening::Again(worker, event)))
    }

    pub fn tell_worker(&mut self, worker: WorkerId, event: WorkerEvent) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let mut out = Vec::new();
        // A task that waited for a chunk from disk got its memory earlier.
        let may_begin_late = matches!(event, WorkerEvent::Loaded { .. } | WorkerEvent::SpillFailed { .. });
        node.worker.handle(self.now, event, &mut out);
        if self.checked {
            node.worker.check();
        }
        if !may_begin_late && out.iter().any(|action| matches!(action, WorkerAction::Execute(_))) {
            node.memory_was_granted(self.memory_limit)?;
        }
        if out.iter().any(|action| matches!(action, WorkerAction::Fetch { .. })) {
            node.receives_within(self.memory_limit)?;
        }
        out.into_iter().try_for_each(|action| self.perform(worker, action))
    }

    fn perform(&mut self, worker: WorkerId, action: WorkerAction) -> Result<(), String> {
        let delay = self.up_to(self.faults.delay);
        // What was performed just before may have ended the process.
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        match action {
            WorkerAction::Send(message) => self.send_to_scheduler(worker, message),
            WorkerAction::Execute(assignment) => self.execute(worker, &assignment)?,
            WorkerAction::Interrupt(key, attempt) => self.interrupt(worker, key, attempt)?,
            WorkerAction::Fetch { from, pieces } => self.fetch(worker, from, pieces, delay)?,
            WorkerAction::DropPeer(peer) => {
                let open = self.requests.iter().filter(|(_, request)| request.by == worker && request.from == peer);
                let open: Vec<u64> = open.map(|(number, _)| *number).collect();
                for request in open {
                    self.after(1, Happening::Closed { by: worker, request });
                }
            }
            WorkerAction::Spill(key) => {
                if !node.memory.contains_key(&key) || node.is_read(key) || !node.busy.insert(key) {
                    return Err(format!("{key:?} cannot be spilled"));
                }
                self.counts.spills += 1;
                self.after(delay, Happening::Written(worker, key));
            }
            WorkerAction::Load(key) => {
                if !node.disk.contains_key(&key) || !node.busy.insert(key) {
                    return Err(format!("{key:?} cannot be loaded"));
                }
                self.after(delay, Happening::Read(worker, key));
            }
            WorkerAction::Drop(key) => node.drop_chunk(key)?,
            WorkerAction::DropPart(key, part) => {
                node.parts.remove(&(key, part));
            }
            WorkerAction::Warn(_) => {}
        }
        Ok(())
    }

    fn execute(&mut self, worker: WorkerId, assignment: &Assignment) -> Result<(), String> {
        let micros = self.rng.u64(10..3_000);
        let node = self.nodes.get_mut(&worker).expect("it just spoke");
        let inputs = node.inputs(assignment)?;
        let flag = Arc::new(AtomicBool::new(false));
        let Assignment { key, attempt, inline, .. } = *assignment;
        let reads = node.read_by(assignment);
        if node.running.insert((key, attempt), (flag, reads)).is_some() {
            return Err(format!("{key:?} try {attempt} runs twice"));
        }
        // Whoever goes on after a wait takes its thread back at once, also from a task that was given it and still reads its inputs.
        // That nothing is given a thread before there is one again is shown by `worker_waits.txt`.
        let threads = node.running.len() - node.waiting.len();
        let back = node.resumed.difference(&node.waiting).count();
        if threads - back > self.threads as usize {
            return Err(format!("worker {} runs {threads} tasks", worker.0));
        }
        if inline {
            node.inline.insert(key);
        }
        let slow = node.slow;
        if !node.doomed {
            self.counts.executions += 1;
            self.excuses.runs(key)?;
            self.starts.push((key, worker));
            let running = self.nodes.values().flat_map(|node| node.running.keys());
            self.crowds.push((key, running.filter(|(other, _)| other.layer == key.layer).count()));
        }
        let micros = match self.fates.get(&key) {
            Some(Fate::Endless) => return Ok(()),
            Some(Fate::Takes(micros)) => *micros,
            _ => micros * slow,
        };
        let outcome = match self.called(worker, key)? {
            Some(chunk) => Outcome { result: Ok(chunk), notes: Vec::new() },
            None => run_task(&assignment.layer, key, attempt, &inputs, &AtomicBool::new(false), &self.registry),
        };
        self.works(worker, key, attempt, outcome, micros);
        Ok(())
    }

    /// An operator is told to stop. An endless one looks only now and then; others may be done before they look.
    fn interrupt(&mut self, worker: WorkerId, key: Key, attempt: Attempt) -> Result<(), String> {
        let looks = self.up_to(2_000);
        let node = self.nodes.get_mut(&worker).expect("it just spoke");
        let (flag, _) = node.running.get(&(key, attempt)).ok_or_else(|| format!("{key:?} is interrupted but does not run"))?;
        let before = flag.swap(true, Ordering::Relaxed);
        let waits = node.waiting.contains(&(key, attempt));
        self.excuses.excuse([key]);
        if waits && !before {
            self.wakes(worker, key, attempt, looks)?;
        }
        if self.fates.get(&key) == Some(&Fate::Endless) && !before {
            let failure = Failure::new(Code::Cancelled, "the task was cancelled while it ran");
            let outcome = Outcome { result: Err(failure), notes: Vec::new() };
            self.after(looks, Happening::Ended(worker, key, attempt, Box::new(outcome), looks));
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, worker: WorkerId, key: Key, attempt: Attempt, outcome: Outcome, micros: u64) -> Result<(), String> {
        let half = self.rng.bool();
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let (flag, _) = node.running.get(&(key, attempt)).ok_or_else(|| format!("{key:?} ends but does not run"))?;
        let interrupted = flag.load(Ordering::Relaxed) && half;
        let spillable = !self.actors.iter().any(|actor| actor.is_state(key));
        if self.fates.get(&key) == Some(&Fate::Kills) {
            self.dies(worker);
            return Ok(());
        }
        node.running.remove(&(key, attempt));
        node.resumed.remove(&(key, attempt));
        // An operator that is told to stop may stop, or may be done before it looks.
        let failure = match outcome.result {
            Ok(_) if interrupted => Failure::new(Code::Cancelled, "the task was cancelled while it ran"),
            Ok(chunk) => {
                let nbytes = chunk.nbytes();
                let small = node.inline.remove(&key) && nbytes <= self.faults.inline;
                let value = if small { encode(&chunk) } else { None };
                node.memory.insert(key, chunk);
                let notes = outcome.notes;
                return self.answer(worker, WorkerEvent::Ran { key, attempt, nbytes, spillable, micros, notes, value });
            }
            Err(failure) => failure,
        };
        self.excuses.excuse([key]);
        self.answer(worker, WorkerEvent::RunFailed { key, attempt, failure })
    }

    fn fetch(&mut self, by: WorkerId, from: WorkerId, pieces: Vec<Piece>, delay: u64) -> Result<(), String> {
        let open = self.requests.values().filter(|request| request.by == by && request.from == from);
        if let Some(twice) = open.flat_map(|request| &request.left).find(|piece| pieces.contains(piece)) {
            return Err(format!("worker {} asks worker {} for {twice:?} twice at a time", by.0, from.0));
        }
        self.next_request += 1;
        let request = self.next_request;
        self.requests.insert(request, Request { by, from, left: pieces, served: false });
        if self.nodes.contains_key(&from) {
            self.after(delay, Happening::Asked { by, from, request });
        } else {
            // Nobody is there; perhaps nobody says so either.
            let hang = self.faults.hang.max(self.faults.delay);
            let delay = self.up_to(hang);
            self.after(delay, Happening::Closed { by, request });
        }
        Ok(())
    }

    /// The request is with the peer. It serves piece by piece, and may say that it is busy at any of them.
    pub(super) fn asked(&mut self, by: WorkerId, from: WorkerId, request: u64) -> Result<(), String> {
        let pieces = match self.requests.get(&request) {
            Some(open) => open.left.clone(),
            None => return Ok(()),
        };
        if !self.nodes.contains_key(&from) {
            return Ok(());
        }
        let (busy, fails, most) = (self.faults.busy, self.faults.fetch_fails, self.faults.serves);
        if most > 0 && self.requests.values().filter(|open| open.from == from && open.served).count() >= most {
            self.after(1, Happening::Refused { by, request });
            return Ok(());
        }
        self.requests.get_mut(&request).expect("it is open").served = true;
        let mut time = 0;
        for (key, part) in pieces {
            let (busy, fails) = (self.chance(busy), self.chance(fails));
            let delay = self.up_to(self.faults.delay);
            let peer = &self.nodes[&from];
            time += delay * peer.slow;
            if busy {
                self.after(time, Happening::Refused { by, request });
                return Ok(());
            }
            let chunk = if fails { None } else { peer.get(key, part) };
            self.after(time, Happening::Arrived { by, request, piece: (key, part), chunk });
        }
        Ok(())
    }

    /// Ends a piece of a request; false when the request has ended otherwise.
    fn end_piece(&mut self, request: u64, piece: Piece) -> Option<WorkerId> {
        let open = self.requests.get_mut(&request)?;
        let at = open.left.iter().position(|left| *left == piece)?;
        open.left.remove(at);
        let from = open.from;
        if open.left.is_empty() {
            self.requests.remove(&request);
        }
        Some(from)
    }

    pub(super) fn arrived(&mut self, worker: WorkerId, request: u64, piece: Piece, chunk: Option<Chunk>) -> Result<(), String> {
        let Some(from) = self.end_piece(request, piece) else { return Ok(()) };
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let (key, part) = piece;
        let Some(chunk) = chunk else { return self.answer(worker, WorkerEvent::FetchFailed { key, part, from }) };
        if self.actors.iter().any(|actor| actor.is_state(key)) {
            let failure = Failure::new(Code::NotEncodable, "a state does not leave its process");
            return self.answer(worker, WorkerEvent::FetchRefused { key, part, failure });
        }
        let nbytes = chunk.nbytes();
        self.served.push((key, from));
        match part {
            Some(part) => drop(node.parts.insert((key, part), chunk)),
            None => drop(node.memory.entry(key).or_insert(chunk)),
        }
        self.answer(worker, WorkerEvent::Fetched { key, part, nbytes })
    }

    pub(super) fn refused(&mut self, worker: WorkerId, request: u64) -> Result<(), String> {
        let Some(open) = self.requests.remove(&request) else { return Ok(()) };
        self.counts.busy += 1;
        self.tell_worker(worker, WorkerEvent::FetchBusy { from: open.from, pieces: open.left })
    }

    pub(super) fn closed(&mut self, worker: WorkerId, request: u64) -> Result<(), String> {
        let Some(open) = self.requests.remove(&request) else { return Ok(()) };
        let from = open.from;
        open.left.into_iter().try_for_each(|(key, part)| self.answer(worker, WorkerEvent::FetchFailed { key, part, from }))
    }

    pub(super) fn written(&mut self, worker: WorkerId, key: Key) -> Result<(), String> {
        let fails = self.faults.spill_fails;
        let fails = self.chance(fails);
        let room = self.faults.disk;
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        node.busy.remove(&key);
        let chunk = node.memory.get(&key).cloned().ok_or_else(|| format!("{key:?} was dropped while it was written"))?;
        let full = node.disk_full || room.is_some_and(|room| node.disk_bytes() + chunk.nbytes() > room);
        self.counts.full_disks += u64::from(full);
        if fails || full {
            return self.answer(worker, WorkerEvent::SpillFailed { key });
        }
        node.memory.remove(&key);
        node.mapped.remove(&key);
        let disk = chunk.nbytes();
        node.disk.insert(key, chunk);
        self.answer(worker, WorkerEvent::Spilled { key, disk })
    }

    pub(super) fn read(&mut self, worker: WorkerId, key: Key) -> Result<(), String> {
        let fails = self.faults.load_fails;
        let fails = self.chance(fails);
        let maps = self.faults.maps;
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        node.busy.remove(&key);
        if fails {
            return self.answer(worker, WorkerEvent::LoadFailed { key });
        }
        let chunk = node.disk.get(&key).cloned().ok_or_else(|| format!("{key:?} was dropped while it was read"))?;
        let nbytes = if maps { 0 } else { chunk.nbytes() };
        node.memory.insert(key, chunk);
        if maps {
            node.mapped.insert(key);
        }
        self.answer(worker, WorkerEvent::Loaded { key, nbytes })
    }

    pub(super) fn measure(&mut self, worker: WorkerId) -> Result<(), String> {
        let (overhead, spikes) = (self.faults.overhead, self.faults.spikes);
        let spike = self.chance(spikes);
        let Some(node) = self.nodes.get(&worker) else { return Ok(()) };
        let rss = node.pressed.unwrap_or(if spike { self.memory_limit } else { (node.bytes() as f64 * overhead) as u64 });
        if self.runs.values().any(|state| !state.left && state.outcome.is_none()) || !self.runs.is_empty() && node.worker.snapshot().paused
        {
            self.after(700, Happening::Measure(worker));
        }
        self.tell_worker(worker, WorkerEvent::Measured { rss })
    }

    /// A worker's clock rings while anything may wait for it.
    pub(super) fn worker_tick(&mut self, worker: WorkerId) -> Result<(), String> {
        if self.ticking && self.nodes.contains_key(&worker) {
            self.after(self.faults.tick_every, Happening::WorkerTick(worker));
        }
        self.tell_worker(worker, WorkerEvent::Tick)
    }
}
