//! What clients share with all workers: a few things by name, for example how stores are reached, and files that were uploaded.
//!
//! It refuses to know what they mean, and shows none of it. Invariant: a worker knows all of it before it is given a task of somebody who
//! shared it.

use std::collections::BTreeMap;

use partita_graph::{Code, Failure};

use super::owner::Owner;
use super::workers::Worker;
use crate::message::{Answer, MOST_SHARED, SchedulerToWorker, Sealed};

/// Bytes of a name, and how many names there may be.
const MOST: (usize, usize) = (1 << 10, 1_000);
/// Bytes in all: each worker that joins is told them.
const MOST_IN_ALL: usize = 8 * MOST_SHARED;

/// Fails when there is no room for this.
fn admit(shared: &BTreeMap<String, Sealed>, name: &str, body: &Sealed) -> Result<(), Failure> {
    let (most_name, most) = MOST;
    if name.len() > most_name || body.0.len() > MOST_SHARED {
        let what = format!("{} bytes under a name of {} bytes are shared", body.0.len(), name.len());
        return Err(Failure::new(Code::TooLarge, what).help(format!("at most {MOST_SHARED} and {most_name} bytes are accepted")));
    }
    if shared.len() >= most && !shared.contains_key(name) {
        return Err(Failure::new(Code::TooLarge, format!("{most} things are shared with all workers, and no more are kept")));
    }
    let others: usize = shared.iter().filter(|(other, _)| *other != name).map(|(_, body)| body.0.len()).sum();
    if others + body.0.len() > MOST_IN_ALL {
        let what = format!("{} bytes are shared besides {others} others, and at most {MOST_IN_ALL} are kept", body.0.len());
        return Err(Failure::new(Code::TooLarge, what).help("put large files where all workers can read them"));
    }
    Ok(())
}

impl Owner {
    pub fn share(&mut self, name: String, body: Sealed) -> Result<Answer, Failure> {
        admit(&self.shared, &name, &body)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_has_limits_in_all() {
        let body = |bytes: usize| Sealed(vec![0; bytes]);
        let mut shared: BTreeMap<String, Sealed> = (0..7).map(|number| (number.to_string(), body(MOST_SHARED))).collect();
        let refused = |failure: Result<(), Failure>| assert_eq!(failure.expect_err("there is no room").code, Code::TooLarge);
        refused(admit(&shared, "one", &body(MOST_SHARED + 1)));
        refused(admit(&shared, &"n".repeat(2_000), &body(1)));
        admit(&shared, "last", &body(MOST_SHARED)).expect("there is room for one");
        shared.insert("last".into(), body(MOST_SHARED));
        refused(admit(&shared, "more", &body(1)));
        admit(&shared, "last", &body(MOST_SHARED)).expect("it takes the place of another");
        shared.clear();
        shared.extend((0..1_000).map(|number| (number.to_string(), body(1))));
        refused(admit(&shared, "more", &body(1)));
        admit(&shared, "7", &body(2)).expect("it takes the place of another");
    }
}
