//! What the scheduler says to a worker, and time.
//!
//! It refuses to know how messages travel. Invariant: messages for the machine reach it in the order in which they came.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use partita_core::protocol::WorkerId;
use partita_graph::{Code, Failure, Registry};
use partita_local::Host;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::outside::Voice;
use super::{Exit, Outcome};
use crate::flight::Ports;
use crate::link::{Link, LinkEvent};
use crate::message::{SchedulerToWorker, WorkerToScheduler};
use crate::wire::WorkerDecoder;

/// How often the machine hears that time passed, and memory is measured.
const TICK: Duration = Duration::from_millis(100);
/// A worker whose lifetime is over asks again to be let go after so long.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Everything that a worker consists of.
pub(super) struct Office {
    pub id: WorkerId,
    pub name: String,
    pub link: Link,
    pub host: Host,
    pub port: Ports,
    pub voice: Arc<Voice>,
    pub registry: Arc<Registry>,
    pub outcome: Outcome,
    /// How it will have ended when the scheduler lets it go.
    pub leaving: Mutex<Option<Exit>>,
    /// Whether the scheduler was asked to let it go.
    pub asked: AtomicBool,
    pub started: Instant,
    pub death_timeout: Duration,
    pub lifetime: Option<Duration>,
    pub heed: Option<fn(&str, &[u8])>,
    /// Since when the scheduler cannot be heard.
    pub lost: Mutex<Option<Instant>>,
}

impl Office {
    /// Asks the scheduler, once, to let the worker go.
    pub fn ask_to_go(&self, then: Exit) {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(then);
        if !self.asked.swap(true, Ordering::Relaxed) {
            self.voice.tell(&WorkerToScheduler::Retire);
        }
    }

    fn closed(&self, reason: String, restart: bool) {
        let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.outcome.set(leaving.filter(|_| !restart).unwrap_or(Exit::Closed { reason, restart }));
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the worker when the task that has this ends, for whatever reason: a worker that does not hear or does not notice that
/// time passes would be of no use and live for ever. Reasons that were given before stay.
struct Duty(Arc<Office>, &'static str);

impl Drop for Duty {
    fn drop(&mut self) {
        let reason = format!("{} (a fault of partita or of a task's decoder; the panic is printed above)", self.1);
        self.0.outcome.set(Exit::Closed { reason, restart: true });
    }
}

/// Hears what the scheduler says until it says no more.
pub(super) async fn listen(office: Arc<Office>, mut events: UnboundedReceiver<LinkEvent>, mut decoder: WorkerDecoder) {
    let _duty = Duty(office.clone(), "the worker does not hear the scheduler any more");
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Message(bytes) => match decoder.decode(&bytes) {
                Ok(message) => heard(&office, message),
                Err(failure) => {
                    office.link.close("what the scheduler said does not decode");
                    let lost = Failure::new(Code::WrongProtocol, "what the scheduler said does not decode").cause(failure);
                    return office.outcome.set(Exit::SchedulerLost(lost));
                }
            },
            LinkEvent::Lost(_) => *office.lost() = Some(Instant::now()),
            LinkEvent::Back => *office.lost() = None,
            LinkEvent::Closed(failure) => return office.outcome.set(Exit::SchedulerLost(failure)),
        }
    }
}

fn heard(office: &Arc<Office>, message: SchedulerToWorker) {
    match message {
        SchedulerToWorker::Machine(messages) => office.host.heard(messages),
        SchedulerToWorker::Peers(peers) => peers.into_iter().for_each(|(worker, address)| office.voice.meet(worker, address)),
        // The decoder has forgotten them, and nothing else is kept by layer.
        SchedulerToWorker::ForgetLayers(_) => {}
        SchedulerToWorker::CheckPaths { query, paths } => {
            let office = office.clone();
            tokio::task::spawn_blocking(move || {
                let missing = paths.into_iter().filter(|path| is_missing(path)).collect();
                office.voice.tell(&WorkerToScheduler::Paths { query, missing });
            });
        }
        SchedulerToWorker::Shared { name, body } => {
            if let Some(heed) = office.heed {
                heed(&name, &body.0);
            }
        }
        SchedulerToWorker::Close { reason, restart } => office.closed(reason, restart),
    }
}

/// Whether a path of this host does not exist. What lies elsewhere is looked up by whoever reads it.
fn is_missing(path: &str) -> bool {
    match path.split_once("://") {
        Some(("file", path)) => !Path::new(path).exists(),
        Some(_) => false,
        None => !Path::new(path).exists(),
    }
}

/// Lets the machine and the recorder know that time passes.
pub(super) async fn tick(office: Arc<Office>) {
    let _duty = Duty(office.clone(), "the worker does not notice any more that time passes");
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = None;
    loop {
        interval.tick().await;
        let rss = office.host.tick();
        crate::flight::trim();
        if let Some(recorder) = &office.voice.recorder {
            recorder.beat(rss.unwrap_or(0));
        }
        if office.lifetime.is_some_and(|lifetime| office.started.elapsed() >= lifetime)
            && asked.is_none_or(|at: Instant| at.elapsed() >= ASK_AGAIN)
        {
            asked = Some(Instant::now());
            // It may have been refused, which nobody tells it.
            office.asked.store(false, Ordering::Relaxed);
            office.ask_to_go(Exit::LifetimeOver);
        }
        let lost = *office.lost();
        if lost.is_some_and(|since| since.elapsed() >= office.death_timeout) {
            let what = format!("the scheduler could not be reached for {:?}", office.death_timeout);
            return office.outcome.set(Exit::SchedulerLost(Failure::new(Code::Disconnected, what)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_host_can_be_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().to_str().expect("text").to_owned();
        assert!(!is_missing(&here));
        assert!(!is_missing(&format!("file://{here}")));
        assert!(is_missing(&format!("{here}/no")));
        assert!(is_missing(&format!("file://{here}/no")));
        assert!(!is_missing("s3://bucket/no"));
    }
}
