//! What a worker hears of its shell, and what it wants done. Plain data, as all of the protocol.

use std::sync::Arc;

use partita_graph::{Failure, Key};

use super::{Assignment, Attempt, Piece, ToScheduler, ToWorker, WorkerId};

/// What can happen to a worker.
///
/// What answers an action (`Ran`, `Fetched`, `Spilled` and the like) is said once. Said twice it changes nothing as long as the machine
/// hears nothing else between: later it could be taken for the answer to a new question about the same chunk.
#[derive(Clone, Debug)]
pub enum WorkerEvent {
    /// The scheduler says something.
    Heard(ToWorker),
    /// An operator ended well and the shell has stored its chunk.
    Ran {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// Size of the result.
        nbytes: u64,
        /// False for values that cannot be spilled.
        spillable: bool,
        /// How long it ran.
        micros: u64,
        /// Remarks for the user.
        notes: Vec<String>,
        /// The encoded value, when the assignment asked for it and it is small.
        value: Option<Arc<[u8]>>,
    },
    /// An operator failed.
    RunFailed {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// Why.
        failure: Failure,
    },
    /// The operator waits inside for something that may need this worker's threads: it does not count as running until `Resumes`.
    Waits(Key, Attempt),
    /// The operator goes on, and counts at once, even if its place has been given to another meanwhile.
    Resumes(Key, Attempt),
    /// The running operator of this try says how far it is.
    Told {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// So much is done, in its own unit.
        done: u64,
        /// Of so much.
        total: u64,
    },
    /// The operator was not called: the file of a spilled input is gone or damaged. The try is given back.
    InputLost {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// The chunk that cannot be read.
        input: Key,
    },
    /// A fetch came back with the chunk, which the shell has stored under the key (or key and part).
    Fetched {
        /// The chunk.
        key: Key,
        /// The part.
        part: Option<u32>,
        /// Size of what arrived.
        nbytes: u64,
    },
    /// A fetch came back without it: the peer is gone or has no such chunk.
    FetchFailed {
        /// The chunk.
        key: Key,
        /// The part.
        part: Option<u32>,
        /// Who was asked.
        from: WorkerId,
    },
    /// A peer has the piece, but it cannot be sent or cannot be understood here. The shell stores nothing: tasks that wait for it
    /// fail with this, and a copy that was wanted does not come.
    FetchRefused {
        /// The chunk.
        key: Key,
        /// The part.
        part: Option<u32>,
        /// Why.
        failure: Failure,
    },
    /// A peer serves too many others at the moment: these pieces did not come, and may be asked for again a little later.
    FetchBusy {
        /// Who was asked.
        from: WorkerId,
        /// What did not come.
        pieces: Vec<Piece>,
    },
    /// A chunk is on disk and out of memory.
    Spilled {
        /// The chunk.
        key: Key,
        /// Its size on disk.
        disk: u64,
    },
    /// A chunk could not be written; it is still in memory.
    SpillFailed {
        /// The chunk.
        key: Key,
    },
    /// A spilled chunk is back in memory.
    Loaded {
        /// The chunk.
        key: Key,
        /// Bytes in memory now (0 for a memory map that costs nothing).
        nbytes: u64,
    },
    /// A spilled chunk could not be read back.
    LoadFailed {
        /// The chunk.
        key: Key,
    },
    /// The process's resident memory as measured by the shell.
    Measured {
        /// Resident set size in bytes.
        rss: u64,
    },
    /// Time passed; sent about ten times a second while anything waits.
    Tick,
}

/// What a worker wants done.
#[derive(Clone, Debug)]
pub enum WorkerAction {
    /// Deliver to the scheduler.
    Send(ToScheduler),
    /// Run it now on a thread of the pool; all inputs are in the store. Answer with `Ran`, `RunFailed` or
    /// `InputLost`.
    Execute(Arc<Assignment>),
    /// Tell the running operator of this try that nobody wants its result. It still answers.
    Interrupt(Key, Attempt),
    /// Fetch from a peer, all in one request. Answer each piece once, with `Fetched`, `FetchRefused` or `FetchFailed`, or
    /// what is left with `FetchBusy`.
    Fetch {
        /// Whom to ask.
        from: WorkerId,
        /// What.
        pieces: Vec<Piece>,
    },
    /// A peer is gone: end what is under way with it as failed.
    DropPeer(WorkerId),
    /// Write the chunk to disk and drop it from memory. Answer with `Spilled` or `SpillFailed`.
    Spill(Key),
    /// Bring a spilled chunk back. Answer with `Loaded` or `LoadFailed`.
    Load(Key),
    /// Drop the chunk wherever it is, memory and disk.
    Drop(Key),
    /// Drop a fetched part.
    DropPart(Key, u32),
    /// Say once to the user, for example that the spill folder is full.
    Warn(String),
}
