//! Tasks whose worker again and again cannot read an input from a worker that lives: a firewall, or an address that others do not
//! reach. Making the chunk again does not help then, so somebody must be told, and in the end the task fails.
//!
//! It refuses to count what time heals: holders that are gone or out of the scheduler's own reach. Invariant: only active tasks
//! are counted, and what was counted is forgotten when the chunk is stored or no longer wanted.

use partita_graph::{Code, Failure, TaskPlace};

use super::Scheduler;
use super::record::TaskId;
use crate::protocol::{Tick, WorkerId};

/// After so many times in a row, and so many microseconds since the first, the runs are told.
const TOLD: (u32, Tick) = (3, 1_000_000);
/// After so many the task fails. The time is longer than it takes to notice that a worker is out of reach altogether.
const GIVEN_UP: (u32, Tick) = (20, 15_000_000);

/// How often in a row, and since when.
pub(super) struct Vain {
    times: u32,
    since: Tick,
}

impl Vain {
    fn is_past(&self, (times, micros): (u32, Tick), now: Tick) -> bool {
        self.times >= times && now.saturating_sub(self.since) >= micros
    }
}

impl Scheduler {
    /// A worker asked these for an input of the task in vain. The failure with which the task is to end, when that was once too
    /// often.
    pub(super) fn read_in_vain(&mut self, task: TaskId, reader: WorkerId, asked: &[WorkerId]) -> Option<Failure> {
        let name = |worker: WorkerId| self.workers.get(worker).filter(|record| record.linked).map(|record| record.about.name.clone());
        let (reader, holder) = (name(reader)?, asked.iter().find_map(|holder| name(*holder))?);
        let now = self.now;
        let vain = self.vain.entry(task).or_insert(Vain { times: 0, since: now });
        vain.times = vain.times.saturating_add(1);
        let (told, given_up, times) = (vain.is_past(TOLD, now), vain.is_past(GIVEN_UP, now), vain.times);
        let what = format!("worker {reader} cannot read from worker {holder}");
        if told {
            self.note(task, &[format!("{what}: is {holder}'s data port reachable from {reader}?")]);
        }
        given_up.then(|| {
            let layer = &self.slot(task.slot).layer;
            let place = TaskPlace { worker: Some(reader.clone()), ..self.place_of(task, self.record(task).attempt) };
            Failure::new(Code::Unreachable, format!("task {} {}: {what}", layer.name, self.key_of(task)))
                .detail("tries in a row", times.to_string())
                .help(format!("start worker {holder} with `--host` and an address that {reader} reaches, and let its data port through"))
                .origin(layer.origin.as_ref())
                .task(place)
        })
    }
}
