//! What clients share with all workers: a few small things by name, for example how stores are reached.
//!
//! It refuses to know what they mean, and shows none of it. Invariant: a worker knows all of it before it is given a task of somebody who
//! shared it.

use partita_graph::{Code, Failure};

use super::owner::Owner;
use super::workers::Worker;
use crate::message::{Answer, SchedulerToWorker, Sealed};

/// Bytes of a name, bytes of what stands under it, and how many names there may be.
const MOST: (usize, usize, usize) = (1 << 10, 64 << 10, 1_000);

impl Owner {
    pub fn share(&mut self, name: String, body: Sealed) -> Result<Answer, Failure> {
        let (most_name, most_body, most) = MOST;
        if name.len() > most_name || body.0.len() > most_body {
            let what = format!("{} bytes under a name of {} bytes are shared", body.0.len(), name.len());
            return Err(Failure::new(Code::TooLarge, what).help(format!("at most {most_body} and {most_name} bytes are accepted")));
        }
        if self.shared.len() >= most && !self.shared.contains_key(&name) {
            return Err(Failure::new(Code::TooLarge, format!("{most} things are shared with all workers, and no more are kept")));
        }
        if self.shared.get(&name) != Some(&body) {
            for worker in self.workers.values_mut() {
                worker.say(&SchedulerToWorker::Shared { name: name.clone(), body: body.clone() });
            }
            self.shared.insert(name, body);
        }
        Ok(Answer::Done)
    }

    /// A worker that joins is told all of it first.
    pub fn tell_shared(&self, worker: &mut Worker) {
        for (name, body) in &self.shared {
            worker.say(&SchedulerToWorker::Shared { name: name.clone(), body: body.clone() });
        }
    }
}
