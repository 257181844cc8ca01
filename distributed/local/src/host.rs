//! The door for a worker whose scheduler and peers are elsewhere: the worker's machine with its slots, store and folder.
//!
//! It refuses to know sockets: what comes from outside is handed in here, and what goes out is handed to [`Outside`].
//! Invariant: the machine hears of a chunk in the moment in which the store takes it, so that no two of them can overtake
//! each other.

use std::sync::Arc;

use partita_core::protocol::{Attempt, Piece, ToWorker, WorkerEvent, WorkerId};
use partita_core::worker;
use partita_graph::{Chunk, Failure, Key, Registry};

use crate::engine::{Brought, Engine, Event, Setup, Who};
use crate::local::{Options, spill_folder};
use crate::memory::resident;
use crate::outside::Outside;
use crate::packed::Packed;
use crate::pool::Pool;
use crate::signal;
use crate::store::{Found, UNKNOWN, Usage};

/// A worker's machine and all that it needs to run tasks. A handle: clones are the same worker.
#[derive(Clone)]
pub struct Host {
    engine: Arc<Engine>,
}

/// A chunk, or a part of one, that is held here.
pub struct Held(Found);

impl Held {
    /// Bytes in memory or on disk.
    pub fn nbytes(&self) -> u64 {
        match &self.0 {
            Found::Chunk(chunk) => chunk.nbytes(),
            Found::File(file, _) => file.disk,
        }
    }

    /// As bytes, without a copy. Reading a spilled chunk touches the disk. Fails with [`partita_graph::Code::NotEncodable`]
    /// when the value has no such form and with [`partita_graph::Code::SpillFailed`] when its file is gone.
    pub fn pack(&self) -> Result<Packed, Failure> {
        match &self.0 {
            Found::Chunk(chunk) => Packed::of(chunk),
            Found::File(file, part) => file.pack(*part),
        }
    }
}

impl Host {
    /// A worker that holds nothing. The number of threads and the limit of memory are those of `machine`. Fails with
    /// [`partita_graph::Code::InvalidOption`] when the local directory is something else than a directory.
    pub fn new(
        options: Options,
        machine: worker::Config,
        pool: Arc<dyn Pool>,
        registry: Arc<Registry>,
        outside: Arc<dyn Outside>,
    ) -> Result<Self, Failure> {
        let options = Options { threads: machine.threads as usize, memory_limit: machine.memory_limit, ..options };
        let folder = spill_folder(&options)?;
        let setup = Setup { options, machine, pool, registry, folder, gauge: None, outside: Some(outside) };
        Ok(Self { engine: Engine::new(setup) })
    }

    /// The scheduler says these, in order.
    pub fn heard(&self, messages: Vec<ToWorker>) {
        self.engine.post_all(messages.into_iter().map(WorkerEvent::Heard));
    }

    /// A chunk, or a part of one, came from a peer.
    pub fn arrived(&self, (key, part): Piece, chunk: Chunk) {
        let nbytes = chunk.nbytes();
        let brought = Brought { key, part, len: UNKNOWN, chunk, nbytes, event: WorkerEvent::Fetched { key, part, nbytes } };
        self.engine.post(Event::Brought(Box::new(brought)), Who::Other);
    }

    /// A peer has the piece, but it cannot be sent or cannot be understood here: whoever waits for it fails with this.
    pub fn refused(&self, (key, part): Piece, failure: Failure) {
        self.post(WorkerEvent::FetchRefused { key, part, failure });
    }

    /// These pieces could not be had from this peer.
    pub fn failed(&self, from: WorkerId, pieces: Vec<Piece>) {
        self.engine.post_all(pieces.into_iter().map(|(key, part)| WorkerEvent::FetchFailed { key, part, from }));
    }

    /// The peer serves too many others at the moment.
    pub fn busy(&self, from: WorkerId, pieces: Vec<Piece>) {
        self.post(WorkerEvent::FetchBusy { from, pieces });
    }

    /// Time passed; also measures memory, and looks how far tasks say that they are. To be called about ten times a second. The resident bytes, if the system tells.
    pub fn tick(&self) -> Option<u64> {
        let rss = resident();
        let measured = rss.map(|rss| WorkerEvent::Measured { rss });
        let told = self.engine.slots.take_told().into_iter();
        let told = told.map(|(key, attempt, (done, total))| WorkerEvent::Told { key, attempt, done, total });
        self.engine.post_all(told.chain(measured).chain([WorkerEvent::Tick]));
        rss
    }

    /// What is held under the key, wherever it is.
    pub fn held(&self, (key, part): Piece) -> Option<Held> {
        self.engine.store.held(key, part).map(Held)
    }

    /// Up to `limit` of the keys that are held whole, and their bytes in memory when they were made.
    pub fn keys(&self, limit: usize) -> Vec<(Key, u64)> {
        self.engine.store.keys(limit)
    }

    /// The file of a held chunk is gone or damaged: the machine is told.
    pub fn unreadable(&self, key: Key) {
        self.post(WorkerEvent::LoadFailed { key });
    }

    /// The tries that run at this moment, or wait inside.
    pub fn executing(&self) -> Vec<(Key, Attempt)> {
        self.engine.slots.executing()
    }

    /// The machine at this moment.
    pub fn snapshot(&self) -> worker::Snapshot {
        self.engine.inspect(|core| core.worker.snapshot())
    }

    /// Bytes in memory and on disk, now and at most.
    pub fn usage(&self) -> Usage {
        self.engine.store.usage()
    }

    /// Stops: running operators are told that nobody wants their results, all chunks are dropped and the folder is removed.
    /// What the machine asks for afterwards comes to nothing.
    pub fn close(&self) {
        signal::tell(self.engine.slots.interrupt_all());
        self.engine.store.clear();
        self.engine.folder.remove();
    }

    fn post(&self, event: WorkerEvent) {
        self.engine.post(Event::Worker(event), Who::Other);
    }
}
