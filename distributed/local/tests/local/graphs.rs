//! Graphs for tests, and the executors that run them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_graph::{AxisMap, Chunk, Edge, Graph, Layer, LayerId, OpRef, Parts, Plain, Registry, Table, Wiring};
use partita_local::{Local, Options, ThreadPool};

/// Numbers that look random and depend on the seed alone.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % u64::from(sides)) as u32
    }
}

pub fn local(threads: usize, options: Options) -> Local {
    Local::new(Options { threads, ..options }, Arc::new(ThreadPool::new(threads)), Registry::default()).expect("the options are sound")
}

pub fn checked(threads: usize) -> Local {
    local(threads, Options { check: true, ..Options::default() })
}

/// Waits for what must happen soon.
pub fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether nothing is left of any run.
pub fn empty(local: &Local) -> bool {
    let left = local.snapshot();
    let machines = left.scheduler.runs.is_empty() && left.scheduler.layers.is_empty() && left.worker.chunks == 0;
    machines && left.worker.queued == 0 && left.worker.running == 0 && left.usage.memory == 0 && left.usage.spilled == 0
}

/// A number that stands for the content of a chunk, whatever it is.
pub fn digest(chunk: &Chunk) -> i64 {
    let mix = |state: i64, next: i64| (state.rotate_left(5) ^ next).wrapping_mul(0x517c_c1b7_2722_0a95);
    if let Some(parts) = chunk.0.parts() {
        return parts.iter().map(digest).fold(1, mix);
    }
    match (chunk.get::<Plain<i64>>(), chunk.get::<Plain<Vec<u8>>>()) {
        (Some(number), _) => number.0,
        (_, Some(bytes)) => bytes.0.iter().step_by(61).map(|byte| i64::from(*byte)).fold(bytes.0.len() as i64, mix),
        _ => panic!("a chunk of another kind"),
    }
}

pub fn digests(chunks: &[Chunk]) -> Vec<i64> {
    chunks.iter().map(digest).collect()
}

/// Mixes its inputs in their order with its own index.
pub fn mixer(token: u64) -> OpRef {
    OpRef::closure("mix", token, move |ctx, inputs| {
        let start = (token as i64).wrapping_mul(31) + i64::from(ctx.key.index);
        let mixed = inputs.iter().fold(start, |state, chunk| state.wrapping_mul(0x0100_0000_01b3) ^ digest(chunk));
        Ok(Chunk::new(Plain(mixed)))
    })
}

/// Makes `count` parts of what it reads.
pub fn splitter(token: u64, count: u32) -> OpRef {
    OpRef::closure("split", token ^ u64::from(count) << 32, move |ctx, inputs| {
        let base: i64 = inputs.iter().map(digest).fold(i64::from(ctx.key.index), i64::wrapping_add);
        let part = |at| Chunk::new(Plain(base.wrapping_mul(1_000_003).wrapping_add(i64::from(at))));
        Ok(Chunk::new(Parts((0..count).map(part).collect())))
    })
}

fn wiring(dice: &mut Dice, producer: u32) -> (Wiring, u32) {
    match dice.roll(5) {
        0 => (Wiring::Each, producer),
        1 => {
            let group = 1 + dice.roll(5);
            (Wiring::Group(group), producer.div_ceil(group))
        }
        2 => (Wiring::Every, 1 + dice.roll(4)),
        3 => {
            // A grid of one row: each consumer reads all of it, or its own block.
            let follow = dice.roll(2) == 0;
            let consumer: Arc<[u32]> = if follow { [producer].into() } else { [1 + dice.roll(3)].into() };
            let axes: Arc<[Option<u32>]> = [follow.then_some(0)].into();
            let len = consumer[0];
            (Wiring::Block(AxisMap { producer: [producer].into(), consumer, axes }), len)
        }
        _ => {
            let len = 1 + dice.roll(6);
            let mut offsets = vec![0];
            let mut indices = Vec::new();
            for _ in 0..len {
                indices.extend((0..dice.roll(4)).map(|_| dice.roll(producer)));
                offsets.push(indices.len() as u32);
            }
            (Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() }), len)
        }
    }
}

/// A graph of any shape: up to a dozen layers by all wiring rules, and a random choice of wanted chunks.
pub fn random(seed: u64) -> Graph {
    let mut dice = Dice::new(seed);
    let mut graph = Graph::default();
    let mut layers: Vec<(LayerId, u32)> = Vec::new();
    for at in 0..2 + dice.roll(10) {
        let token = seed << 8 | u64::from(at);
        let layer = if layers.is_empty() || dice.roll(5) == 0 {
            Layer::single("leaf", 1 + dice.roll(20), mixer(token), vec![])
        } else {
            let (from, len) = layers[dice.roll(layers.len() as u32) as usize];
            if dice.roll(4) == 0 {
                let parts = 1 + dice.roll(6);
                let split = Layer::single("split", len, splitter(token, parts), vec![Edge { layer: from, wiring: Wiring::Each }]);
                let split = graph.add(split);
                Layer::single("joined", parts, mixer(token), vec![Edge { layer: split, wiring: Wiring::Part }])
            } else {
                let (wiring, tasks) = wiring(&mut dice, len);
                let mut edges = vec![Edge { layer: from, wiring }];
                let (second, _) = layers[dice.roll(layers.len() as u32) as usize];
                if dice.roll(3) == 0 {
                    edges.push(Edge { layer: second, wiring: Wiring::Every });
                }
                Layer::single("inner", tasks, mixer(token), edges)
            }
        };
        let len = layer.len;
        layers.push((graph.add(layer), len));
    }
    for (id, len) in &layers {
        if dice.roll(3) == 0 {
            graph.want_all(*id);
        } else if dice.roll(2) == 0 {
            graph.wanted.push(partita_graph::Key::new(*id, dice.roll(*len)));
        }
    }
    let (last, _) = layers[layers.len() - 1];
    graph.want_all(last);
    graph
}

/// `n` numbers.
pub fn numbers(graph: &mut Graph, token: u64, n: u32) -> LayerId {
    graph.add(Layer::single("numbers", n, mixer(token), vec![]))
}
