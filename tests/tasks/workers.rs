//! What calls wish of workers, what is brought to every worker, and what workers say of themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use partita::{Client, Code, DFuture, LocalCluster, Until, as_completed, delayed, gather, wait};

use crate::Case;
use crate::everywhere::{clients, cluster, unchecked};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("urgent_calls_go_first", urgent_calls_go_first),
    ("resources_are_shared_out", resources_are_shared_out),
    ("a_file_comes_to_every_worker", a_file_comes_to_every_worker),
    ("workers_say_what_they_are", workers_say_what_they_are),
    ("graphs_grow_as_results_come", graphs_grow_as_results_come),
    ("waiting_for_the_first_failure", waiting_for_the_first_failure),
    ("calls_are_drawn", calls_are_drawn),
    ("computing_without_blocking", computing_without_blocking),
];

fn urgent_calls_go_first() {
    let worker = cluster().run_on_workers(fresh, ()).expect("answered").into_keys().next().expect("there are two");
    for (name, client, workers) in [("Local(1)", clients()[0].1.clone(), vec![]), ("Cluster(2)", cluster().clone(), vec![worker])] {
        // While one call has the only thread, others come.
        let busy = client.start(&delayed(endless)(4_711).workers(workers.clone())).expect("sound");
        let start = |x: i64, priority| client.start(&delayed(double_slowly)(x).workers(workers.clone()).priority(priority)).expect("sound");
        let mut futures: Vec<DFuture<i64>> = (70_000..70_010).map(|x| start(x, -1)).collect();
        futures.push(start(70_010, 5));
        busy.cancel();
        let order: Vec<usize> = as_completed(&futures).map(|(place, _)| place).collect();
        let urgent = order.iter().position(|place| *place == 10).expect("it ended");
        // Some of the others may have been given to the worker before it came.
        assert!(urgent < 5, "{name}: {order:?}");
    }
}

fn resources_are_shared_out() {
    let here = Client::builder().threads(4).resources([("licence", 1.0)]).set_as_default(false).build().expect("a local engine starts");
    let builder = LocalCluster::builder().workers(1).threads_per_worker(4).resources([("licence", 1.0)]);
    let there = builder.start().expect("a worker process starts");
    for (name, client) in [("Local(4)", here), ("Cluster(1)", there.connect().expect("it answers"))] {
        let calls = (0..20u64).map(|x| delayed(at_a_time)(x).resources([("licence", 1.0)]));
        let futures: Vec<DFuture<u64>> = calls.map(|call| client.start(&call).expect("sound")).collect();
        assert_eq!(gather(&futures).expect("sound"), [1; 20], "{name}: one at a time");
        let halves = (20..60u64).map(|x| delayed(at_a_time)(x).resources([("licence", 0.5)]));
        let futures: Vec<DFuture<u64>> = halves.map(|call| client.start(&call).expect("sound")).collect();
        assert!(gather(&futures).expect("sound").iter().all(|running| *running <= 2), "{name}: two at a time");
        // Nobody has as much: the call waits, and can be cancelled.
        let too_much = client.start(&delayed(at_a_time)(60).resources([("licence", 2.0)])).expect("sound");
        assert_eq!(client.submit(add, (1, 1)).expect("sound").result().expect("others go on"), 2, "{name}");
        assert!(!too_much.done(), "{name}");
        too_much.cancel();
        assert_eq!(too_much.result().expect_err("cancelled").code, Code::Cancelled, "{name}");
    }
}

fn a_file_comes_to_every_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("words-for-workers.txt");
    for text in ["first words", "other words"] {
        std::fs::write(&path, text).expect("it can be written");
        cluster().upload_file(&path).expect("both keep it");
        let read = cluster().run_on_workers(read_upload, ("words-for-workers.txt",)).expect("answered");
        assert!(read.len() == 2 && read.values().all(|read| read.as_deref() == Ok(text)), "{read:?}");
    }
    // Too large for the scheduler to keep: it comes to those that are there.
    let path = folder.path().join("large.bin");
    std::fs::write(&path, vec![7; 16 << 20]).expect("it can be written");
    cluster().upload_file(&path).expect("both keep it");
    let lengths = cluster().run_on_workers(length_of_upload, ("large.bin",)).expect("answered");
    assert!(lengths.len() == 2 && lengths.values().all(|length| *length == Ok(16 << 20)), "{lengths:?}");
    let missing = cluster().submit(read_upload, ("no-such-file.txt",)).expect("sound").result().expect_err("nobody has it");
    assert_eq!(missing.code, Code::NoSuchFile);
    assert!(missing.to_string().contains("upload_file"), "{missing}");
}

fn workers_say_what_they_are() {
    let versions = cluster().versions().expect("answered");
    assert!(versions.differences().is_empty(), "{:?}", versions.differences());
    let pids: BTreeSet<u32> = versions.workers.values().map(|worker| worker.as_ref().expect("it answers").pid).collect();
    assert!(pids.len() == 2 && !pids.contains(&versions.client.pid));
    assert!(versions.client.tasks.iter().any(|task| task.ends_with("::add")));
}

fn graphs_grow_as_results_come() {
    for (name, client) in clients() {
        // Collatz: each result says which call comes next.
        let mut ended = as_completed(&client.map(collatz, [27u64, 9, 7]).expect("sound"));
        let (mut steps, mut arrived) = (0, 0);
        while let Some((place, future)) = ended.next() {
            steps += 1;
            match future.result().expect("sound") {
                1 => arrived += 1,
                x => assert!(ended.add(&client.submit(collatz, (x,)).expect("sound")) > place, "{name}"),
            }
        }
        assert_eq!((steps, arrived), (111 + 19 + 16, 3), "{name}");
    }
}

fn waiting_for_the_first_failure() {
    for (name, client) in clients() {
        // First, because there may be one thread only.
        let failed = client.submit(unit_or_panic, (13,)).expect("sound");
        let slow = client.submit(endless, (55,)).expect("sound");
        let waited = wait(&[slow.clone(), failed], Until::FirstFailure);
        assert_eq!((waited.done, waited.not_done), (vec![1], vec![0]), "{name}");
        slow.cancel();
    }
}

fn calls_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let call = delayed(total)(vec![delayed(double)(1), delayed(double)(2)]);
    for ending in ["svg", "dot", "mmd", "html"] {
        let path = folder.path().join(format!("calls.{ending}"));
        call.visualize(&path).expect("it can be drawn");
        let drawn = std::fs::read_to_string(&path).expect("it is there");
        assert!(drawn.contains("total") && drawn.contains("double"), "{ending}: {drawn}");
    }
    assert_eq!(call.visualize(folder.path().join("calls.bmp")).expect_err("another form").code, Code::InvalidOption);
}

fn computing_without_blocking() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    unchecked().set_as_current();
    let (calls, ticks) = runtime.block_on(async {
        let call = delayed(double_slowly)(80_001);
        let mut ticks = 0;
        let computed = async { call.compute_async().await.expect("sound") };
        let ticking = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_micros(100)).await;
                ticks += 1;
            }
        };
        let (computed, ()) = tokio::join!(computed, ticking);
        (computed, ticks)
    });
    assert_eq!((calls, ticks), (160_002, 3));
}
