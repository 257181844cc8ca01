//! Graphs that name layers of earlier runs instead of containing them: what the scheduler keeps for them, and what it refuses.
//!
//! No worker is there: what is kept and let go does not depend on who runs it. The scheduler derives all facts again after each event.

use std::sync::Arc;

use partita_core::protocol::{ClientId, Ending, RunId, SchedulerAction, SchedulerEvent};
use partita_core::scheduler::{Config, Scheduler};
use partita_graph::{Chunk, Code, Edge, Graph, Layer, OpRef, Plain, Wiring};

fn call(number: u64, reads: Option<&Layer>) -> Layer {
    let op = OpRef::closure("number", number, |_, _| Ok(Chunk::new(Plain(1i64))));
    let edges = reads.map(|layer| Edge { layer: layer.id, wiring: Wiring::Each });
    Layer::single(format!("call {number}"), 1, op, edges.into_iter().collect())
}

/// The graph of one call that reads another, which it only names.
fn graph(layer: &Layer, reads: Option<&Layer>) -> Graph {
    let mut graph = Graph::default();
    if let Some(read) = reads {
        graph.add(read.stand_in());
    }
    let id = graph.add(layer.clone());
    graph.want_all(id);
    graph.validate().expect("sound");
    graph
}

struct Driven(Scheduler);

impl Driven {
    fn new() -> Self {
        Self(Scheduler::new(Config::default()))
    }

    fn hear(&mut self, event: SchedulerEvent) -> Vec<SchedulerAction> {
        let mut said = Vec::new();
        self.0.handle(0, event, &mut said);
        self.0.check();
        said
    }

    fn submit(&mut self, run: u64, graph: Graph) -> Vec<SchedulerAction> {
        let (client, ending) = (ClientId(7), Ending::Each);
        self.hear(SchedulerEvent::Submit { run: RunId(run), client, graph: Arc::new(graph), ending })
    }

    fn release(&mut self, run: u64) {
        self.hear(SchedulerEvent::Release(RunId(run)));
    }

    fn layers(&self) -> usize {
        self.0.snapshot().layers.len()
    }
}

#[test]
fn a_layer_is_kept_as_long_as_another_reads_it() {
    let first = call(1, None);
    let second = call(2, Some(&first));
    let third = call(3, Some(&second));
    let mut driven = Driven::new();
    driven.submit(1, graph(&first, None));
    driven.submit(2, graph(&second, Some(&first)));
    driven.release(1);
    driven.submit(3, graph(&third, Some(&second)));
    driven.release(2);
    assert_eq!(driven.layers(), 3, "the third one is made of the others");
    // What is kept for its readers only can be named again, and forgotten by whoever does.
    driven.submit(4, graph(&call(4, Some(&first)), Some(&first)));
    driven.release(4);
    assert_eq!(driven.layers(), 3);
    driven.release(3);
    assert_eq!(driven.layers(), 0);
}

#[test]
fn runs_may_go_in_any_order_and_with_their_client() {
    let first = call(1, None);
    let second = call(2, Some(&first));
    for gone in [SchedulerEvent::ClientGone(ClientId(7)), SchedulerEvent::Restart] {
        let mut driven = Driven::new();
        driven.submit(1, graph(&first, None));
        driven.submit(2, graph(&second, Some(&first)));
        driven.hear(gone);
        assert_eq!(driven.layers(), 0);
    }
}

#[test]
fn what_is_not_there_cannot_be_named() {
    let first = call(1, None);
    let second = call(2, Some(&first));
    let mut driven = Driven::new();
    let said = driven.submit(1, graph(&second, Some(&first)));
    assert!(matches!(&said[..], [SchedulerAction::RunFailed(RunId(1), failure)] if failure.code == Code::Cancelled), "{said:?}");
    driven.submit(2, graph(&first, None));
    let other_length = Layer { len: 2, ..first.stand_in() };
    let mut wrong = Graph::default();
    wrong.add(other_length);
    let said = driven.submit(3, wrong);
    assert!(matches!(&said[..], [SchedulerAction::RunFailed(RunId(3), _)]), "{said:?}");
    driven.release(1);
    driven.release(3);
    driven.release(2);
    assert_eq!(driven.layers(), 0);
}

#[test]
fn a_chain_of_calls_is_let_go_without_a_long_stack() {
    let mut driven = Scheduler::new(Config::default());
    let mut said = Vec::new();
    let mut last = call(0, None);
    let client = ClientId(7);
    let submit = |run: u64, graph: Graph| SchedulerEvent::Submit { run: RunId(run), client, graph: Arc::new(graph), ending: Ending::Each };
    driven.handle(0, submit(0, graph(&last, None)), &mut said);
    for number in 1..100_000 {
        let next = call(number, Some(&last));
        driven.handle(0, submit(number, graph(&next, Some(&last))), &mut said);
        driven.handle(0, SchedulerEvent::Release(RunId(number - 1)), &mut said);
        last = next;
    }
    assert_eq!(driven.snapshot().layers.len(), 100_000);
    driven.handle(0, SchedulerEvent::Release(RunId(99_999)), &mut said);
    driven.check();
    assert!(driven.snapshot().layers.is_empty());
}
