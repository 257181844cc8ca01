//! The client side: many threads, asynchronous runtimes, cancelling.

use std::time::{Duration, Instant};

use partita::Code;
use partita::prelude::*;

fn frame() -> DFrame {
    DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1i64, 2, 3]).unwrap(), 3).group_by("k").sum()
}

fn expected() -> DataFrame {
    df!("k" => ["a", "b"], "x" => [4i64, 2]).unwrap()
}

#[test]
fn blocking_inside_a_current_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(async { frame().compute() }).unwrap(), expected());
}

#[test]
fn blocking_inside_a_multi_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let found = runtime.block_on(async { tokio::spawn(async { frame().compute() }).await.unwrap() });
    assert_eq!(found.unwrap(), expected());
}

#[test]
fn asynchronous_in_both_runtimes() {
    let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(single.block_on(frame().compute_async()).unwrap(), expected());
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let all = multi.block_on(async {
        let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(async { frame().compute_async().await })).collect();
        let mut found = Vec::new();
        for task in tasks {
            found.push(task.await.unwrap().unwrap());
        }
        found
    });
    assert!(all.iter().all(|found| *found == expected()));
}

#[test]
fn reading_a_store_inside_a_runtime() {
    partita_io::put("memory:///inside/a.csv", b"k,x\na,1\nb,2\na,3\n".to_vec()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(async { DFrame::read_csv("memory:///inside/a.csv")?.group_by("k").sum().compute() });
    assert_eq!(found.unwrap(), expected());
}

#[test]
fn many_threads_share_one_engine() {
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(|| frame().compute().unwrap())).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), expected());
    }
}

#[test]
fn a_computation_inside_a_partition() {
    let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3, 4]).unwrap(), 4);
    let schema = frame.schema().unwrap();
    let nested = frame.map_partitions_with(schema, |p| {
        DFrame::from_polars(p, 1).sum().compute().map_err(|e| partita::polars::prelude::PolarsError::ComputeError(e.to_string().into()))
    });
    assert_eq!(nested.sum().compute().unwrap(), df!("x" => [10i64]).unwrap());
}

#[test]
fn cancelling_stops_soon_and_leaves_the_client_usable() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let input = DFrame::from_polars(df!("x" => (0..200i64).collect::<Vec<_>>()).unwrap(), 200);
    let slow = input.map_partitions_with(input.schema().unwrap(), |p| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(p)
    });
    let start = Instant::now();
    let canceller = client.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        canceller.cancel_all();
    });
    let failure = client.compute(&slow).unwrap_err();
    thread.join().unwrap();
    assert_eq!(failure.code, Code::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(client.compute(&frame()).unwrap(), expected());
}
