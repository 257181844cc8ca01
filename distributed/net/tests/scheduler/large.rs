//! Messages of workers that are so large that they are decoded on a thread of their own.

use std::sync::atomic::Ordering;

use partita_core::protocol::ToScheduler;
use partita_graph::Executor;
use partita_net::message::WorkerToScheduler;
use partita_net::wire;

use super::fake::*;
use super::{client, events, worker};

fn memory(managed: u64) -> ToScheduler {
    ToScheduler::Memory { managed, spilled: 1 << 40, spilled_total: 1 << 40, paused: false, rss: 1 << 40 }
}

#[test]
fn what_a_worker_says_after_a_large_message_is_heard_after_it() {
    let (server, store) = (server(), Store::default());
    let slow = Fake::holding(&server.client_address(), "a", &store);
    let client = client(&server);
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    slow.until_it_has(1);
    let task = slow.seen.held.lock().unwrap()[0].key;
    let mut much: Vec<ToScheduler> = (0..15_000).map(|turn| memory(1 << 40 | turn)).collect();
    much.push(ToScheduler::Finished { key: task, attempt: 1, nbytes: 8, micros: 1, notes: vec![], value: None });
    let much = WorkerToScheduler::Machine(much);
    assert!(wire::encode_said(&much).len() > 300 << 10, "it is large");
    slow.say(&much);
    slow.say(&WorkerToScheduler::Machine(vec![memory(42)]));
    run.wait_stored().expect("the large message was heard");
    until("so was the last", || server.snapshot().machine.workers[0].managed == 42);
}

#[test]
fn a_large_message_of_garbage_ends_its_own_link() {
    let (server, store) = (server(), Store::default());
    let good = worker(&server, "good", &store);
    let bad = worker(&server, "bad", &store);
    bad.link.send(bytes::Bytes::from(vec![0xff; 1 << 20]));
    until("the bad one is let go", || bad.seen.ended.load(Ordering::SeqCst));
    until("and is not counted any more", || server.info().workers.len() == 1);
    assert!(events(&server).contains("it sent garbage"), "{}", events(&server));
    assert!(!good.seen.ended.load(Ordering::SeqCst));
}
