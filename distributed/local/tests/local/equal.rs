//! Results are those of the serial executor, for any graph, any number of threads and any number of users.

use partita_graph::{Arg, Chunk, Edge, Executor, Graph, Layer, OpRef, Plain, Registry, Serial, Wiring};
use partita_local::Options;

use crate::graphs::{checked, digests, local, mixer, numbers, random};

fn expected(graph: &Graph) -> Vec<i64> {
    digests(&Serial::new(Registry::default()).run(graph).0.expect("no task fails"))
}

#[test]
fn random_graphs_give_what_the_serial_executor_gives() {
    for threads in [1, 2, 4] {
        let local = checked(threads);
        for seed in 1..150 {
            let graph = random(seed);
            let run = local.submit(graph.clone()).expect("sound");
            assert_eq!(digests(&run.wait().expect("no task fails")), expected(&graph), "seed {seed}, {threads} threads");
        }
    }
}

#[test]
fn a_graph_may_be_submitted_again_while_its_results_are_kept_and_after() {
    let local = checked(2);
    let graph = random(77);
    let expected = expected(&graph);
    let first = local.submit(graph.clone()).expect("sound");
    assert_eq!(digests(&first.wait().expect("fine")), expected);
    let second = local.submit(graph.clone()).expect("sound");
    drop(first);
    assert_eq!(digests(&second.wait().expect("fine")), expected);
    drop(second);
    assert_eq!(digests(&local.submit(graph).expect("sound").wait().expect("fine")), expected);
}

#[test]
fn eight_threads_submit_at_once() {
    let local = checked(2);
    std::thread::scope(|scope| {
        for user in 0..8u64 {
            let local = &local;
            scope.spawn(move || {
                for round in 0..25 {
                    // Half of the graphs are those of a neighbour, so that work is shared.
                    let graph = random(1000 + user / 2 * 100 + round);
                    let run = local.submit(graph.clone()).expect("sound");
                    assert_eq!(digests(&run.wait().expect("fine")), expected(&graph));
                }
            });
        }
    });
    let left = local.snapshot();
    assert!(left.scheduler.runs.is_empty() && left.scheduler.layers.is_empty(), "{left:?}");
    assert_eq!(left.usage.memory, 0);
}

#[test]
fn many_tiny_tasks_with_a_slow_one_among_them() {
    let local = local(4, Options::default());
    let slow = OpRef::closure("sometimes slow", 5, |ctx, _| {
        if ctx.key.index % 3000 == 1500 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(Chunk::new(Plain(i64::from(ctx.key.index))))
    });
    let mut graph = Graph::default();
    let leaves = graph.add(Layer::single("leaves", 20_000, slow, vec![]));
    let groups = graph.add(Layer::single("groups", 2_500, mixer(1), vec![Edge { layer: leaves, wiring: Wiring::Group(8) }]));
    let total = graph.add(Layer::single("total", 1, mixer(2), vec![Edge { layer: groups, wiring: Wiring::Every }]));
    graph.want_all(total);
    assert_eq!(digests(&local.submit(graph.clone()).expect("sound").wait().expect("fine")), expected(&graph));
}

#[test]
fn a_shuffle_of_many_parts() {
    let local = checked(2);
    let mut graph = Graph::default();
    let from = numbers(&mut graph, 9, 40);
    let split = graph.add(Layer::single("split", 40, crate::graphs::splitter(4, 30), vec![Edge { layer: from, wiring: Wiring::Each }]));
    let to = graph.add(Layer::single("to", 30, mixer(3), vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(to);
    assert_eq!(digests(&local.submit(graph.clone()).expect("sound").wait().expect("fine")), expected(&graph));
}

#[test]
fn arguments_reach_their_tasks() {
    let double = OpRef::closure("double", 1, |ctx, _| Ok(Chunk::new(Plain(2 * ctx.arg()?.decode::<i64>()?))));
    let mut graph = Graph::default();
    let doubled = graph.add(Layer::with_args("double", double, (0..100i64).map(|n| Arg::encode(&n)).collect(), vec![]));
    graph.want_all(doubled);
    let results = checked(2).submit(graph).expect("sound").wait().expect("fine");
    assert_eq!(digests(&results), (0..100).map(|n| 2 * n).collect::<Vec<i64>>());
}

#[test]
fn an_empty_graph_ends_at_once() {
    let local = checked(2);
    assert!(local.submit(Graph::default()).expect("sound").wait().expect("fine").is_empty());
}

#[test]
fn a_graph_that_cannot_work_is_refused() {
    let local = checked(1);
    let mut graph = Graph::default();
    let id = numbers(&mut graph, 1, 3);
    graph.layers.clear();
    graph.wanted.push(partita_graph::Key::new(id, 0));
    assert!(local.submit(graph).is_err());
    let mut graph = Graph::default();
    let mut op = mixer(1);
    op.operator = None;
    let id = graph.add(Layer::single("unknown", 3, op, vec![]));
    graph.want_all(id);
    let refused = local.submit(graph).map(drop).expect_err("it is not registered");
    assert_eq!(refused.code, partita_graph::Code::UnknownOperator);
}
