//! Tasks that would like to run on a worker that cannot be heard, as calls of an actor whose state is there: they wait until it is heard
//! again or gone for good.

use std::sync::Arc;

use partita_core::protocol::{
    About, ClientId, Ending, Gone, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, ToWorker, WorkerId,
};
use partita_core::scheduler::{Config, Scheduler};
use partita_graph::{Annotations, Chunk, Edge, Graph, Key, Layer, OpRef, Plain, Wiring};

const HOME: WorkerId = WorkerId(1);
const OTHER: WorkerId = WorkerId(2);

struct Driven(Scheduler, Tick);

impl Driven {
    /// What is assigned to whom because of this.
    fn hear(&mut self, event: SchedulerEvent) -> Vec<(WorkerId, Key)> {
        let mut said = Vec::new();
        self.1 += 200_000;
        self.0.handle(self.1, event, &mut said);
        self.0.check();
        let assigned = |action| match action {
            SchedulerAction::Send(worker, ToWorker::Assign(task)) => Some((worker, task.key)),
            _ => None,
        };
        said.into_iter().filter_map(assigned).collect()
    }
}

fn layer(name: &str, token: u64, edges: Vec<Edge>) -> Layer {
    Layer::single(name, 1, OpRef::closure(name, token, |_, _| Ok(Chunk::new(Plain(0i64)))), edges)
}

/// A state on one of two workers, whose link is lost when its next call is submitted.
fn called_while_unlinked() -> (Driven, Key) {
    let mut driven = Driven(Scheduler::new(Config::default()), 0);
    driven.hear(SchedulerEvent::Joined { worker: HOME, about: About::plain("home", 1) });
    let mut graph = Graph::default();
    let state = graph.add(layer("state", 1, vec![]));
    graph.want_all(state);
    let submit = |run, graph: &Graph| SchedulerEvent::Submit {
        run: RunId(run),
        client: ClientId(1),
        graph: Arc::new(graph.clone()),
        ending: Ending::Each,
    };
    assert_eq!(driven.hear(submit(1, &graph)), [(HOME, Key::new(state, 0))]);
    driven.hear(SchedulerEvent::Joined { worker: OTHER, about: About::plain("other", 1) });
    let made = ToScheduler::Finished { key: Key::new(state, 0), attempt: 1, nbytes: 8, micros: 1, notes: vec![], value: None };
    driven.hear(SchedulerEvent::Said(HOME, made));
    driven.hear(SchedulerEvent::LinkLost(HOME));
    let mut call = layer("call", 2, vec![Edge { layer: state, wiring: Wiring::Each }]);
    let wishes = Annotations { workers: vec!["home".into()], allow_other_workers: true, ..Annotations::default() };
    call.annotations = Some(Arc::new(wishes));
    graph.wanted.clear();
    let call = graph.add(call);
    graph.want_all(call);
    assert!(driven.hear(submit(2, &graph)).is_empty(), "it waits");
    for _ in 0..100 {
        assert!(driven.hear(SchedulerEvent::Tick).is_empty(), "however long that is");
    }
    (driven, Key::new(call, 0))
}

#[test]
fn a_call_waits_for_a_worker_that_may_come_back() {
    let (mut driven, call) = called_while_unlinked();
    assert_eq!(driven.hear(SchedulerEvent::LinkBack(HOME)), [(HOME, call)]);
}

#[test]
fn a_call_goes_elsewhere_when_its_worker_is_gone() {
    let (mut driven, call) = called_while_unlinked();
    let state = driven.hear(SchedulerEvent::WorkerGone { worker: HOME, reason: Gone::Unreachable });
    assert!(matches!(state[..], [(OTHER, key)] if key != call), "the state is made again: {state:?}");
    let again = ToScheduler::Finished { key: state[0].1, attempt: 2, nbytes: 8, micros: 1, notes: vec![], value: None };
    assert_eq!(driven.hear(SchedulerEvent::Said(OTHER, again)), [(OTHER, call)]);
}
