//! A worker dies half-way: what only it had is made again, and nothing else.

use std::collections::BTreeSet;

use partita_graph::{Edge, Executor, Graph, Serial, Wiring};
use partita_net::security::ServerSecurity;

use crate::cluster::Cluster;
use crate::graphs::{digests, until};
use crate::operators::{Work, ran, registry, work};

const TEST: u64 = 101;

#[test]
fn losing_a_worker_in_a_shuffle_redoes_its_outputs_and_its_lost_inputs_only() {
    let mut cluster = Cluster::new(ServerSecurity::plain_with_secret(), 2, 1);
    let mut graph = Graph::default();
    let split = graph.add(work("split", 16, Work { test: TEST, stage: 1, millis: 5, bytes: 20_000, parts: 12 }, vec![]));
    let joined = Work { test: TEST, stage: 2, millis: 150, bytes: 50_000, parts: 0 };
    let joined = graph.add(work("joined", 12, joined, vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(joined);
    let run = cluster.client.submit(graph.clone()).expect("sound");
    let stage = |stage: u8| ran(TEST).into_iter().filter(move |ran| ran.0 == stage).collect::<Vec<_>>();
    until(|| stage(2).len() >= 5);
    let dead = cluster.workers.pop().expect("two workers");
    dead.worker.vanish();
    // What it still does is heard by nobody.
    let before = ran(TEST);
    let its_own: BTreeSet<(u8, u32)> = before.iter().filter(|ran| ran.2 == dead.number).map(|ran| (ran.0, ran.1)).collect();
    assert!(its_own.iter().any(|ran| ran.0 == 1) && its_own.iter().any(|ran| ran.0 == 2), "it took part: {before:?}");
    let results = run.wait().expect("the other worker goes on");
    drop(dead);
    let survivor = cluster.workers[0].number;
    let mut seen = BTreeSet::new();
    for (stage, index, worker) in ran(TEST) {
        let again = !seen.insert((stage, index)) && worker == survivor;
        assert!(!again || its_own.contains(&(stage, index)), "stage {stage} task {index} ran again without need");
    }
    assert_eq!(seen.len(), 28, "everything ran");
    assert_eq!(digests(&results), digests(&Serial::new(registry()).run(&graph).0.expect("no task fails")));
}

#[test]
fn a_lost_worker_is_replaced_by_one_that_joins_later() {
    const TEST: u64 = 102;
    let mut cluster = Cluster::new(crate::cluster::tls(), 1, 2);
    let mut graph = Graph::default();
    let slow = graph.add(work("slow", 12, Work { test: TEST, stage: 0, millis: 60, bytes: 9_000, parts: 0 }, vec![]));
    graph.want_all(slow);
    let run = cluster.client.submit(graph.clone()).expect("sound");
    until(|| ran(TEST).len() >= 5);
    cluster.workers.pop().expect("one worker").worker.vanish();
    let late = crate::cluster::start(&cluster.server, 2, crate::cluster::options("late"));
    let results = run.wait().expect("the late worker does it all");
    assert_eq!(digests(&results), digests(&Serial::new(registry()).run(&graph).0.expect("no task fails")));
    assert_eq!(ran(TEST).iter().filter(|ran| ran.2 == late.number).count(), 12);
}
