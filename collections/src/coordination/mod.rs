//! What programs and tasks agree on beside data: locks, semaphores, events, queues, variables and topics, by name.
//!
//! All of it is held by the scheduler (in process by the engine), so every client and every task of a cluster that uses a name means
//! the same thing. It refuses to know how it is kept. Invariant: whatever a process holds or waits for is released when the process
//! dies, and what a task waits for when the task is cancelled.

mod call;
mod event;
mod lock;
mod queue;
mod semaphore;
mod topic;
mod variable;

use std::time::Duration;

use partita_core::coordination::{Answer, Bytes};
use partita_graph::{Code, Failure};

pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use queue::Queue;
pub use semaphore::{Lease, Semaphore};
pub use topic::{Subscription, Topic};
pub use variable::Variable;

use crate::delayed::value::{TaskValue, not_encodable};

/// Microseconds to wait at most.
fn micros(timeout: Option<Duration>) -> Option<u64> {
    timeout.map(|timeout| timeout.as_micros().min(u128::from(u64::MAX)) as u64)
}

/// An answer that does not fit its question: a fault of our own.
fn unexpected(answer: Answer) -> Failure {
    Failure::internal(format!("the answer {answer:?} does not fit the question"))
}

/// True when it was done, false when it did not come in time.
fn done(answer: Answer) -> Result<bool, Failure> {
    match answer {
        Answer::Done => Ok(true),
        Answer::TimedOut => Ok(false),
        other => Err(unexpected(other)),
    }
}

fn written<T: TaskValue>(value: &T) -> Result<Bytes, Failure> {
    postcard::to_stdvec(value).map(Bytes::from).map_err(|e| not_encodable::<T>(&e))
}

fn read<T: TaskValue>(bytes: &[u8]) -> Result<T, Failure> {
    postcard::from_bytes(bytes).map_err(|e| {
        let what = format!("a value of another type was put there than {} ({e})", std::any::type_name::<T>());
        Failure::new(Code::TypeMismatch, what).help("use one type for each name")
    })
}
