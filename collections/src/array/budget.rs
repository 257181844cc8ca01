//! How much one task of an array may hold at a time: what it reads, what it makes, and copies on the way.
//!
//! The rule: half of the memory that the engine has for each thread, and never more than 512 MiB. Half, because the other half is for blocks that
//! wait between tasks, which are written to disk beyond 60 % of the limit, while all threads hold what their tasks do. No more than that, so that
//! plans are the same on all machines that have 1 GiB for each thread, and blocks stay many enough for all of them. Where no limit is known, as
//! for [`partita_graph::Serial`], it is 512 MiB.
//!
//! It refuses to know what plans do with it. The invariant: it changes which tasks do the work and never the elements of a block that is of the same
//! shape; where it decides on shapes, a step keeps the budget that it was written under.

use partita_graph::Executor;

use crate::client::planned_memory_per_thread;

/// Bytes for a task where there is enough memory.
const MOST: u64 = 512 << 20;
/// Less than this is not worth a task.
const LEAST: u64 = 1 << 20;
/// Of the memory for a thread its tasks get one part of so many.
const SHARE: u64 = 2;

/// Bytes of an array that a task reads whole, where that spares the way through many tasks and there is memory for it.
pub(crate) const SHORT: u64 = 64 << 20;

/// Bytes that one task may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Budget {
    task: u64,
}

impl Budget {
    /// Under a limit that gives each thread so many bytes, or without one.
    pub fn within(memory_per_thread: Option<u64>) -> Self {
        Self { task: memory_per_thread.map_or(MOST, |bytes| (bytes / SHARE).clamp(LEAST, MOST)) }
    }

    /// For plans that this executor runs.
    pub fn of(executor: &dyn Executor) -> Self {
        Self::within(executor.memory_per_thread())
    }

    /// For plans that the current client will run, or the one that would be started.
    pub fn planned() -> Self {
        Self::within(planned_memory_per_thread())
    }

    /// Of all that a task holds.
    pub fn task(self) -> u64 {
        self.task
    }

    /// Of a block that a task reads whole, where it makes one that is as large.
    pub fn block(self) -> u64 {
        self.task / 2
    }

    /// Of a whole array that a task reads beside its block.
    pub fn short(self) -> u64 {
        SHORT.min(self.block())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Serial;

    #[test]
    fn it_follows_the_memory_of_a_thread_up_to_a_bound() {
        let of = |bytes: Option<u64>| Budget::within(bytes).task();
        assert_eq!(of(Some(512 << 20)), 256 << 20, "1 GiB and two threads");
        assert_eq!((of(Some(8 << 20)), of(Some(1000))), (4 << 20, LEAST));
        assert_eq!((of(Some(64 << 30)), of(None)), (MOST, MOST));
        assert_eq!((Budget::within(None).short(), Budget::within(Some(8 << 20)).short()), (SHORT, 2 << 20));
        assert_eq!(Budget::of(&Serial::default()), Budget::within(None));
    }
}
