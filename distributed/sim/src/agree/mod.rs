//! What processes agree on beside tasks: clients and workers that ask the coordination machine for locks, leases, events, variables, values of
//! queues and messages, late, held up, and until they die.
//!
//! It refuses to know the machine from inside. Invariants, each looked at by two pairs of eyes: what goes through the machine's door is
//! right in itself ([`door`]), and what processes have in their hands at one moment excludes each other ([`hands`]).

mod door;
mod hands;
mod jobs;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use partita_core::coordination::{Answer, Ask, Bytes, Coordination, Event, HolderId, LeaseId, LockAsk, Name, OwnerId, RequestId};
use partita_core::protocol::{Attempt, Tick, WorkerId};
use partita_graph::{Failure, Key};

pub(crate) use door::Door;
pub(crate) use hands::Hands;
pub(crate) use jobs::{Job, number_in, random_jobs, random_lock};

/// Processes of workers have these numbers as holders; clients have their own.
const FIRST_WORKER: u64 = 1 << 32;

/// The machine beside the scheduler, those who ask it, and what is looked at.
#[derive(Default)]
pub(crate) struct Agreed {
    pub machine: Coordination,
    pub members: BTreeMap<HolderId, Member>,
    pub door: Door,
    pub hands: Hands,
    /// Processes of workers have threads that ask for something.
    pub lively: bool,
    /// When the machine's clock rings next.
    pub due: Option<Tick>,
    /// Numbers of threads, and of values and messages.
    pub threads: u64,
    pub values: u64,
}

/// A process that asks.
#[derive(Default)]
pub(crate) struct Member {
    /// When the last message from it and to it arrives: links keep the order.
    pub outbound: Tick,
    pub inbound: Tick,
    /// What is held up while its link is broken.
    pub held_out: Vec<Event>,
    pub held_in: Vec<Told>,
    pub threads: BTreeMap<u64, Thread>,
    pub calls: BTreeMap<RequestId, Purpose>,
    pub requests: u64,
}

/// Something in a process that does one job after the other.
pub(crate) struct Thread {
    pub jobs: VecDeque<Job>,
    pub stage: Stage,
    /// The operator whose wait this is.
    pub inside: Option<(WorkerId, Key, Attempt)>,
}

/// How far a thread is with its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Resting,
    Asked {
        request: RequestId,
        job: Job,
    },
    HasLock {
        name: Name,
        owner: OwnerId,
    },
    /// With how long it lasts, and whether the thread refreshes it.
    HasLease {
        name: Name,
        lease: LeaseId,
        micros: Tick,
        refreshes: bool,
    },
}

impl Member {
    /// The number of the next call.
    pub fn next_request(&mut self, purpose: Purpose) -> RequestId {
        self.requests += 1;
        self.calls.insert(RequestId(self.requests), purpose);
        RequestId(self.requests)
    }
}

/// What the answer to a call is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// A thread waits for it since it was sent then.
    Awaited { thread: u64, sent: Tick },
    /// A lease is valid again from when this was sent.
    Refresh { thread: u64, sent: Tick },
    /// Nobody waits any more: values go back to this queue.
    GivenUp { queue: Option<Name> },
    /// Nobody looks at it.
    Nothing,
}

/// What a process is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Answer(RequestId, Result<Answer, Failure>),
    Message(Bytes),
}

/// What happens between the machine and those who ask it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    ToDesk(HolderId, Event),
    ToMember(HolderId, Told),
    /// A thread begins its next job.
    Begins(HolderId, u64),
    /// A thread gives its call up.
    GivesUp(HolderId, u64, RequestId),
    /// A thread is done with what it has.
    LetsGo(HolderId, u64),
    Refreshes(HolderId, u64, LeaseId),
    /// The machine's clock rings.
    Due,
    /// Somebody looks after those who would wait for ever when all others have gone home.
    Caretaker,
}

impl Step {
    /// Whose process it happens in.
    pub fn member(&self) -> Option<HolderId> {
        match self {
            Step::ToMember(holder, _)
            | Step::Begins(holder, _)
            | Step::GivesUp(holder, ..)
            | Step::LetsGo(holder, _)
            | Step::Refreshes(holder, ..) => Some(*holder),
            Step::ToDesk(..) | Step::Due | Step::Caretaker => None,
        }
    }

    /// The worker's process that it happens in.
    pub fn place(&self) -> Option<WorkerId> {
        self.member().and_then(worker_of)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::ToDesk(holder, event) => write!(f, "the desk hears from {} {event:?}", holder.0),
            Step::ToMember(holder, told) => write!(f, "holder {} hears {told:?}", holder.0),
            Step::Begins(holder, thread) => write!(f, "thread {thread} of holder {} begins", holder.0),
            Step::GivesUp(holder, thread, request) => write!(f, "thread {thread} of holder {} gives call {} up", holder.0, request.0),
            Step::LetsGo(holder, thread) => write!(f, "thread {thread} of holder {} lets go", holder.0),
            Step::Refreshes(holder, thread, lease) => write!(f, "thread {thread} of holder {} refreshes {}", holder.0, lease.0),
            Step::Due => f.write_str("the desk's clock rings"),
            Step::Caretaker => f.write_str("the caretaker comes"),
        }
    }
}

/// The process of a worker, as a holder.
pub(crate) fn holder_of(worker: WorkerId) -> HolderId {
    HolderId(FIRST_WORKER + u64::from(worker.0))
}

/// The worker whose process this holder is.
pub(crate) fn worker_of(holder: HolderId) -> Option<WorkerId> {
    holder.0.checked_sub(FIRST_WORKER).and_then(|number| u32::try_from(number).ok()).map(WorkerId)
}

impl Agreed {
    /// A value or message that nobody has made before, by this thread.
    pub fn new_value(&mut self, thread: u64) -> Bytes {
        self.values += 1;
        (thread << 32 | self.values).to_le_bytes().into()
    }

    /// Whether everybody who is there has done what it wanted.
    pub fn is_done(&self) -> bool {
        self.members.values().flat_map(|member| member.threads.values()).all(|thread| thread.is_done())
    }

    /// Who waits, for people who wonder why it does not go on.
    pub fn stuck(&self) -> String {
        let open = self.members.iter().flat_map(|(holder, member)| {
            let busy = member.threads.iter().filter(|(_, thread)| !thread.is_done());
            busy.map(move |(number, thread)| format!("thread {number} of holder {}: {:?}", holder.0, thread.stage))
        });
        open.collect::<Vec<_>>().join("; ")
    }
}

impl Thread {
    pub fn new(jobs: VecDeque<Job>) -> Self {
        Self { jobs, stage: Stage::Resting, inside: None }
    }

    /// That of an operator, which wants one lock and says itself when it needs it no more.
    pub fn inside(name: Name, wait: (WorkerId, Key, Attempt)) -> Self {
        let what = Ask::Lock(name, LockAsk::Acquire { owner: OwnerId::default(), timeout: None });
        let job = Job { what, keeps: 0, refreshes: false, patience: None };
        Self { inside: Some(wait), ..Self::new([job].into()) }
    }

    pub fn is_done(&self) -> bool {
        self.jobs.is_empty() && self.stage == Stage::Resting
    }
}
