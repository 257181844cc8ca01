//! Errands to the disk: chunks that must be written out or read back, away from the pool and from the machines.
//!
//! It refuses to know why a chunk is spilled. Invariants: each errand is answered exactly once; errands are begun in the
//! order in which they came; a thread for them exists only while there are some.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use partita_core::protocol::WorkerEvent;
use partita_graph::{Failure, Key};

use crate::engine::{Engine, Event, Who};
use crate::store::SpillNeed;

/// Threads that wait for the disk at a time: one writes while another reads.
const THREADS: usize = 2;

/// What must be done.
#[derive(Clone, Copy)]
pub(crate) enum Errand {
    /// Write the chunk and drop it from memory.
    Spill(Key),
    /// Bring it back.
    Load(Key),
}

#[derive(Default)]
pub(crate) struct Errands(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Errand>,
    threads: usize,
}

impl Errands {
    /// Queues an errand; says whether a thread must be started for it.
    pub fn push(&self, errand: Errand) -> bool {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back(errand);
        let more = queue.threads < THREADS;
        queue.threads += usize::from(more);
        more
    }

    /// The next errand; `None` ends the thread.
    fn next(&self) -> Option<Errand> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let errand = queue.waiting.pop_front();
        queue.threads -= usize::from(errand.is_none());
        errand
    }
}

/// Starts a thread that runs errands until there are none.
pub(crate) fn start(engine: Arc<Engine>) {
    let named = std::thread::Builder::new().name("partita-disk".into());
    let spare = engine.clone();
    let started = named.spawn(move || serve(&engine));
    if started.is_err() {
        // No thread is to be had: slow is better than stuck.
        serve(&spare);
    }
}

fn serve(engine: &Arc<Engine>) {
    let mut spilled = false;
    while let Some(errand) = engine.errands.next() {
        let answer = match errand {
            Errand::Spill(key) => spill(engine, key),
            Errand::Load(key) => load(engine, key),
        };
        spilled |= matches!(answer, WorkerEvent::Spilled { .. });
        engine.post(Event::Worker(answer), Who::Other);
    }
    if spilled {
        engine.options.release_memory.inspect(|release| release());
        engine.measure(Who::Other);
    }
}

fn spill(engine: &Engine, key: Key) -> WorkerEvent {
    let chunk = match engine.store.spill_need(key) {
        SpillNeed::Gone => return WorkerEvent::SpillFailed { key },
        SpillNeed::Done(disk, garbage) => {
            drop(garbage);
            return WorkerEvent::Spilled { key, disk };
        }
        SpillNeed::Write(chunk) => chunk,
    };
    match engine.folder.write(&chunk) {
        Ok(file) => {
            let disk = file.disk;
            match engine.store.spilled(key, &chunk, file) {
                Some(_) => WorkerEvent::Spilled { key, disk },
                None => WorkerEvent::SpillFailed { key },
            }
        }
        Err(failure) => {
            engine.note_all(&cannot_spill(engine, &failure));
            WorkerEvent::SpillFailed { key }
        }
    }
}

/// The same words for each chunk, so that the user reads them once.
fn cannot_spill(engine: &Engine, failure: &Failure) -> String {
    let folder = engine.folder.parent().display();
    let reason = failure.details.first().map_or(&failure.what, |(_, text)| text);
    format!("chunks cannot be spilled to {folder}, so they stay in memory and the limit may be passed: {reason}")
}

fn load(engine: &Engine, key: Key) -> WorkerEvent {
    let Some(file) = engine.store.file(key) else { return WorkerEvent::LoadFailed { key } };
    if file.parts {
        // Readers of single parts map just these, so the chunk stays on disk and costs no memory.
        return match file.verify() {
            Ok(()) => WorkerEvent::Loaded { key, nbytes: 0 },
            Err(_) => WorkerEvent::LoadFailed { key },
        };
    }
    match file.read(&engine.registry) {
        Ok(chunk) => {
            let nbytes = chunk.nbytes();
            engine.store.loaded(key, chunk, nbytes, &file);
            WorkerEvent::Loaded { key, nbytes }
        }
        Err(_) => WorkerEvent::LoadFailed { key },
    }
}
