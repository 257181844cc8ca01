//! Time passes: the machines of an executor hear of it while a run is under way whose layers have wishes that depend on
//! time, such as a limit for how long a task may run.
//!
//! Invariant: an executor has at most one such thread, and none soon after its last run has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use partita_core::protocol::{SchedulerEvent, WorkerEvent};

use crate::engine::{Engine, Event, Who};

const PAUSE: Duration = Duration::from_millis(50);

/// Sees to it that time passes for this engine.
pub(crate) fn start(engine: &Arc<Engine>) {
    if engine.ticking.swap(true, SeqCst) {
        return;
    }
    let engine = Arc::downgrade(engine);
    let named = std::thread::Builder::new().name("partita-time".into());
    let body = move || {
        loop {
            std::thread::sleep(PAUSE);
            let Some(engine) = engine.upgrade() else { return };
            if !engine.has_live_runs() {
                engine.ticking.store(false, SeqCst);
                // A run that came in between has seen the flag as it was.
                if !engine.has_live_runs() || engine.ticking.swap(true, SeqCst) {
                    return;
                }
            }
            engine.post(Event::Scheduler(SchedulerEvent::Tick), Who::Other);
            engine.post(Event::Worker(WorkerEvent::Tick), Who::Other);
        }
    };
    named.spawn(body).expect("the system gives a thread");
}
