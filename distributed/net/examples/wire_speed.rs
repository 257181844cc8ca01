//! What it costs to encode and decode assignments and answers. `cargo run --release -p partita-net --example wire_speed`.
//!
//! It refuses to judge: it prints nanoseconds of one run.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use partita_core::protocol::{Assignment, Input, ToScheduler, ToWorker, WorkerId};
use partita_graph::{Arg, Edge, Kernel, Key, Layer, LayerId, OpRef, Payload, Registry, Wiring};
use partita_net::message::{SchedulerToWorker, WorkerToScheduler};
use partita_net::wire::{WorkerDecoder, WorkerEncoder, decode_said, encode_said};

const BATCH: u32 = 1_000;
const ROUNDS: u32 = 2_000;

fn layer(args: bool, edges: u64) -> Arc<Layer> {
    let payload = Payload { name: "empty".into(), body: [1, 2, 3][..].into() };
    let op = OpRef { payload, operator: None, portable: true, label: "empty".into(), origin: None };
    let edges: Vec<Edge> = (0..edges).map(|id| Edge { layer: LayerId(id), wiring: Wiring::Each }).collect();
    let kernel = Kernel::single(op.clone(), edges.len() as u16);
    Arc::new(match args {
        true => Layer::with_args("with arguments", op, (0..BATCH).map(|index| Arg::encode(&index)).collect(), edges),
        false => Layer::new("without arguments", BATCH, kernel, vec![], edges),
    })
}

/// The fastest of many rounds, because other programs only ever make one slower.
fn each(name: &str, mut work: impl FnMut()) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        times.push(start.elapsed());
    }
    let fastest = times.iter().min().expect("there are rounds");
    println!("{name}: {:6.1} ns", fastest.as_secs_f64() * 1e9 / f64::from(BATCH));
}

fn assignments(name: &str, layer: Arc<Layer>, inputs: &[u64]) {
    let input = |id: &u64, index| Input { key: Key::new(LayerId(*id), index), part: None, nbytes: 1 << 20, holders: vec![WorkerId(3)] };
    let assign = |index| {
        let inputs = inputs.iter().map(|id| vec![input(id, index)]).collect();
        let assignment =
            Assignment { priority: 1 << 20, expected: 100, ..Assignment::new(Key::new(layer.id, index), layer.clone(), inputs) };
        ToWorker::Assign(assignment)
    };
    let message = SchedulerToWorker::Machine((0..BATCH).map(assign).collect());
    let (mut encoder, mut decoder) = (WorkerEncoder::default(), WorkerDecoder::new(Registry::default()));
    decoder.decode(&encoder.encode(&message).expect("bytes")).expect("a message");
    let bytes = encoder.encode(&message).expect("bytes");
    println!("{name}: {:6.1} bytes", bytes.len() as f64 / f64::from(BATCH));
    each(&format!("{name}, encode"), || drop(black_box(encoder.encode(black_box(&message)).expect("bytes"))));
    each(&format!("{name}, decode"), || drop(black_box(decoder.decode(black_box(&bytes)).expect("a message"))));
}

fn main() {
    assignments("assignment", layer(false, 0), &[]);
    assignments("assignment with an argument", layer(true, 0), &[]);
    assignments("assignment with two inputs", layer(false, 2), &[0, 1]);
    let key = |index| Key::new(LayerId(7), index);
    let finished = |index| ToScheduler::Finished { key: key(index), attempt: 1, nbytes: 800, micros: 300, notes: vec![], value: None };
    let message = WorkerToScheduler::Machine((0..BATCH).map(finished).collect());
    let bytes = encode_said(&message);
    println!("answer: {:6.1} bytes", bytes.len() as f64 / f64::from(BATCH));
    each("answer, encode", || drop(black_box(encode_said(black_box(&message)))));
    each("answer, decode", || drop(black_box(decode_said(black_box(&bytes)).expect("a message"))));
}
