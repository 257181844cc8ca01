//! Random graphs of closures that hash what they read: a wrong, missing or misplaced input changes every result after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use partita_graph::{Annotations, AxisMap, Chunk, Code, Edge, Failure, Graph, Key, Layer, LayerId, OpRef, Parts, Plain, Table, Wiring};

use crate::agree::random_lock;
use crate::cluster::Wait;

/// A graph, and what is special about it.
pub(crate) struct RandomGraph {
    pub graph: Graph,
    /// The same graph with operators that never fail: what the oracle runs.
    pub sound: Graph,
    /// The same graph with operators that fail each time or never: what the oracle runs where keys end one by one.
    pub settled: Graph,
    /// Tasks whose operator fails, however often it is tried.
    pub failing: BTreeSet<Key>,
    /// Tasks that do not simply end.
    pub fates: BTreeMap<Key, Fate>,
    /// What operators wait for inside.
    pub waits: BTreeMap<Key, Vec<Wait>>,
    /// The largest sum of a task's inputs and its result, in bytes.
    pub largest_task: u64,
    /// The largest result, in bytes.
    pub largest_chunk: u64,
}

/// What becomes of a task that runs in the simulator; for the oracle it is ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It kills the worker that runs it.
    Kills,
    /// It ends only when it is told to stop.
    Endless,
    /// It takes exactly so many microseconds.
    Takes(u64),
}

impl RandomGraph {
    /// Tasks that can have no result: they fail, kill, or never end.
    pub fn hopeless(&self) -> BTreeSet<Key> {
        let fates = self.fates.iter().filter(|(_, fate)| !matches!(fate, Fate::Takes(_))).map(|(key, _)| *key);
        self.failing.iter().copied().chain(fates).collect()
    }
}

struct Made {
    id: LayerId,
    len: u32,
    /// Pieces of each chunk, when the chunks are made of pieces.
    pieces: Option<u32>,
    chunk_bytes: u64,
}

pub(crate) fn random_graph(rng: &mut Rng) -> RandomGraph {
    let mut all = RandomGraph {
        graph: Graph::default(),
        sound: Graph::default(),
        settled: Graph::default(),
        failing: BTreeSet::new(),
        fates: BTreeMap::new(),
        waits: BTreeMap::new(),
        largest_task: 0,
        largest_chunk: 0,
    };
    let mut made: Vec<Made> = Vec::new();
    let (fails, kills, endless) = (rng.f64() < 0.25, rng.f64() < 0.08, rng.f64() < 0.08);
    let wishes = rng.f64() < 0.4;
    for number in 0..rng.u32(1..=6) {
        let (len, edges) = random_edges(rng, &made);
        let pieces = (rng.f64() < 0.35).then(|| rng.u32(1..=6));
        let bytes = if rng.bool() { 8 } else { rng.u64(16..400) };
        let bad = (fails && rng.f64() < 0.3).then(|| rng.u32(0..len));
        let token = rng.u64(..);
        let annotations = if wishes { random_wishes(rng) } else { Annotations::default() };
        // Either it fails each time, or as often as is forgiven.
        let tries = if rng.bool() { u32::MAX } else { annotations.retries };
        let bad = bad.map(|index| (index, tries));
        let mut layer = Layer::single(format!("layer{number}"), len, hashing(token, pieces, bytes, bad), edges.clone());
        let always = bad.filter(|bad| bad.1 == u32::MAX);
        all.settled.add(Layer::single(format!("layer{number}"), len, hashing(token, pieces, bytes, always), edges.clone()));
        all.sound.add(Layer::single(format!("layer{number}"), len, hashing(token, pieces, bytes, None), edges));
        let chunk_bytes = bytes * u64::from(pieces.unwrap_or(1));
        let inputs: u64 = (0..len).map(|task| input_bytes(&layer, &made, task)).max().unwrap_or(0);
        all.largest_task = all.largest_task.max(inputs + chunk_bytes);
        all.largest_chunk = all.largest_chunk.max(chunk_bytes);
        all.failing.extend(always.map(|(index, _)| Key::new(layer.id, index)));
        if kills && rng.f64() < 0.3 {
            all.fates.insert(Key::new(layer.id, rng.u32(0..len)), Fate::Kills);
        } else if endless && rng.f64() < 0.3 {
            all.fates.insert(Key::new(layer.id, rng.u32(0..len)), Fate::Endless);
        }
        made.push(Made { id: layer.id, len, pieces, chunk_bytes });
        layer.annotations = (!annotations.is_empty()).then(|| Arc::new(annotations));
        all.graph.add(layer);
    }
    all.graph.wanted = random_wanted(rng, &all.graph);
    all.waits = random_waits(rng, &all.graph);
    all
}

/// What operators wait for inside: a while, a lock, or chunks of layers before their own, so that none waits for one that waits for it. Whoever
/// occupies a resource waits for nothing that could need the same.
fn random_waits(rng: &mut Rng, graph: &Graph) -> BTreeMap<Key, Vec<Wait>> {
    let mut waits = BTreeMap::new();
    if rng.f64() < 0.65 {
        return waits;
    }
    let locks = rng.bool();
    for (at, layer) in graph.layers.iter().enumerate() {
        let occupies = layer.annotations.as_ref().is_some_and(|wishes| !wishes.resources.is_empty());
        let share = if rng.bool() { rng.f64() } else { 0.0 };
        for index in 0..layer.len.min(12) {
            if rng.f64() >= share {
                continue;
            }
            let one = |_| match at > 0 && !occupies && rng.f64() < 0.6 {
                true => Wait::Run(Arc::new(random_run(rng, graph, at))),
                false if locks && rng.bool() => Wait::Lock(random_lock(rng)),
                false => Wait::For(rng.u64(0..4_000)),
            };
            let count = 1 + index % 3;
            waits.insert(Key::new(layer.id, index), (0..count).map(one).collect());
        }
    }
    waits
}

/// A few chunks of the first `count` layers.
fn random_run(rng: &mut Rng, graph: &Graph, count: usize) -> Graph {
    let mut wanted = BTreeSet::new();
    for _ in 0..rng.u32(1..=3) {
        let layer = &graph.layers[rng.usize(0..count)];
        wanted.insert(Key::new(layer.id, rng.u32(0..layer.len)));
    }
    Graph::new(graph.layers.clone(), wanted.into_iter().collect())
}

/// The names that workers have, and what each offers: in this order they are given out. Every wish of [`random_wishes`] can
/// be met by one of them.
pub(crate) const OFFERS: [(&str, &str, u64, u64); 5] = [
    ("ada", "north", 3_000, 3_000),
    ("bob", "south", 2_000, 0),
    ("cat", "north", 0, 1_000),
    ("dan", "south", 0, 0),
    ("eve", "south", 1_000, 1_500),
];

fn random_wishes(rng: &mut Rng) -> Annotations {
    let mut wishes = Annotations::default();
    let mut on = |chance: f64| rng.f64() < chance;
    let (where_, loose, offered, retries, timeout, priority) = (on(0.3), on(0.4), on(0.3), on(0.3), on(0.2), on(0.3));
    let (name, host, a, b) = OFFERS[rng.usize(0..OFFERS.len())];
    if where_ {
        wishes.workers = vec![if rng.bool() { name.to_string() } else { host.to_string() }];
        if rng.bool() {
            wishes.workers.push("eve".into());
        }
        wishes.allow_other_workers = loose;
    }
    if offered {
        for (resource, offer) in [("A", a), ("B", b)] {
            if offer > 0 && rng.bool() {
                wishes.resources.insert(resource.into(), rng.u64(1..=offer));
            }
        }
    }
    wishes.retries = if retries { rng.u32(1..4) } else { 0 };
    wishes.timeout = timeout.then(|| rng.u64(5_000..200_000));
    wishes.priority = if priority { rng.i32(-2..=2) } else { 0 };
    wishes
}

/// Some chunks, mostly of the last layers.
pub(crate) fn random_wanted(rng: &mut Rng, graph: &Graph) -> Vec<Key> {
    let mut wanted = Vec::new();
    let count = graph.layers.len();
    for (at, layer) in graph.layers.iter().enumerate() {
        let chance = if at + 1 == count { 0.8 } else { 0.15 };
        if rng.f64() < chance {
            let share = rng.f64();
            wanted.extend((0..layer.len).filter(|_| share > 0.5 || rng.f64() < share).map(|index| Key::new(layer.id, index)));
        }
    }
    if wanted.is_empty() {
        let last = graph.layers.last().expect("a graph has a layer");
        wanted.push(Key::new(last.id, rng.u32(0..last.len)));
    }
    wanted
}

/// The tasks that the wanted keys need.
pub(crate) fn needed(graph: &Graph) -> BTreeSet<Key> {
    let mut needed: BTreeSet<Key> = graph.wanted.iter().copied().collect();
    for layer in graph.layers.iter().rev() {
        for index in (0..layer.len).filter(|index| needed.contains(&Key::new(layer.id, *index))).collect::<Vec<_>>() {
            for edge in &layer.edges {
                let len = graph.get(edge.layer).map_or(0, |producer| producer.len);
                needed.extend(edge.wiring.inputs(index, len).iter().map(|at| Key::new(edge.layer, at)));
            }
        }
    }
    needed
}

fn input_bytes(layer: &Layer, made: &[Made], task: u32) -> u64 {
    let of = |edge: &Edge| {
        let producer = made.iter().find(|m| m.id == edge.layer).expect("made before");
        edge.wiring.inputs(task, producer.len).len() as u64 * producer.chunk_bytes
    };
    layer.edges.iter().map(of).sum()
}

fn random_edges(rng: &mut Rng, made: &[Made]) -> (u32, Vec<Edge>) {
    let width = if rng.f64() < 0.3 { rng.u32(1..=40) } else { rng.u32(1..=10) };
    if made.is_empty() || rng.f64() < 0.15 {
        return (width, Vec::new());
    }
    let producer = pick(rng, made);
    let (first, len) = first_wiring(rng, producer, width);
    let mut edges = vec![first];
    while rng.f64() < 0.35 {
        let producer = pick(rng, made);
        let wiring = match rng.u32(0..4) {
            0 if producer.pieces.is_some_and(|pieces| pieces >= len) => Wiring::Part,
            1 => Wiring::Every,
            2 if producer.len == len => Wiring::Each,
            _ => random_table(rng, len, producer.len),
        };
        edges.push(Edge { layer: producer.id, wiring });
    }
    (len, edges)
}

/// Recent layers more often than old ones.
fn pick<'a>(rng: &mut Rng, made: &'a [Made]) -> &'a Made {
    if rng.bool() { &made[made.len() - 1] } else { &made[rng.usize(0..made.len())] }
}

fn first_wiring(rng: &mut Rng, producer: &Made, width: u32) -> (Edge, u32) {
    let n = rng.u32(1..=4);
    let (wiring, len) = match rng.u32(0..7) {
        0 => (Wiring::Each, producer.len),
        1 => (Wiring::Group(n), producer.len.div_ceil(n)),
        2 => (Wiring::Every, width.min(5)),
        3 | 4 => match producer.pieces {
            Some(pieces) => (Wiring::Part, pieces),
            None => (Wiring::Each, producer.len),
        },
        5 => random_block(rng, producer.len),
        _ => (random_table(rng, width, producer.len), width),
    };
    (Edge { layer: producer.id, wiring }, len)
}

fn random_block(rng: &mut Rng, producer_len: u32) -> (Wiring, u32) {
    let divisors: Vec<u32> = (1..=producer_len).filter(|d| producer_len.is_multiple_of(*d)).collect();
    let rows = divisors[rng.usize(0..divisors.len())];
    let columns = producer_len / rows;
    let (consumer, axes): (Vec<u32>, Vec<Option<u32>>) = match rng.u32(0..4) {
        0 => (vec![rows], vec![Some(0), None]),
        1 => (vec![columns], vec![None, Some(0)]),
        2 => (vec![columns, rows], vec![Some(1), Some(0)]),
        _ if rows == 1 => (vec![3, columns], vec![Some(0), Some(1)]),
        _ => (vec![rows, columns], vec![Some(0), Some(1)]),
    };
    let len = consumer.iter().product();
    let map = AxisMap { producer: vec![rows, columns].into(), consumer: consumer.into(), axes: axes.into() };
    (Wiring::Block(map), len)
}

/// Any lists, with repetitions and empty ones among them.
fn random_table(rng: &mut Rng, len: u32, producer_len: u32) -> Wiring {
    let mut offsets = vec![0];
    let mut indices: Vec<u32> = Vec::new();
    for _ in 0..len {
        for _ in 0..rng.u32(0..4) {
            indices.push(rng.u32(0..producer_len));
        }
        offsets.push(indices.len() as u32);
    }
    Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() })
}

/// Hashes all that it reads. `bad` is a task that fails in its first tries, and in how many.
pub(crate) fn hashing(token: u64, pieces: Option<u32>, bytes: u64, bad: Option<(u32, u32)>) -> OpRef {
    OpRef::closure("hash", token, move |ctx, inputs| {
        if bad.is_some_and(|(index, tries)| index == ctx.key.index && ctx.attempt <= tries) {
            return Err(Failure::new(Code::UserFunction, format!("{} fails on purpose", ctx.key)));
        }
        let mut hash = mix(token, u64::from(ctx.key.index));
        for chunk in inputs {
            hash = mix(hash, digest(chunk));
        }
        match pieces {
            None => Ok(value(hash, bytes)),
            Some(count) => Ok(Chunk::new(Parts((0..count).map(|part| value(mix(hash, u64::from(part)), bytes)).collect()))),
        }
    })
}

fn value(hash: u64, bytes: u64) -> Chunk {
    if bytes == 8 {
        return Chunk::new(Plain(hash as i64));
    }
    let mut content = vec![hash as u8; bytes as usize];
    content[..8].copy_from_slice(&hash.to_le_bytes());
    Chunk::new(Plain(content))
}

/// A small value as it travels with an answer, when it is one that can.
pub(crate) fn encode(chunk: &Chunk) -> Option<Arc<[u8]>> {
    if let Some(Plain(number)) = chunk.get::<Plain<i64>>() {
        return Some([&[0], &number.to_le_bytes()[..]].concat().into());
    }
    chunk.get::<Plain<Vec<u8>>>().map(|Plain(bytes)| [&[1], &bytes[..]].concat().into())
}

/// The value back.
pub(crate) fn decode(bytes: &[u8]) -> Option<Chunk> {
    match bytes.split_first()? {
        (0, rest) => Some(Chunk::new(Plain(i64::from_le_bytes(rest.try_into().ok()?)))),
        (1, rest) => Some(Chunk::new(Plain(rest.to_vec()))),
        _ => None,
    }
}

/// A number that stands for the content of a chunk.
pub(crate) fn digest(chunk: &Chunk) -> u64 {
    if let Some(parts) = chunk.0.parts() {
        return parts.iter().fold(parts.len() as u64, |hash, part| mix(hash, digest(part)));
    }
    if let Some(Plain(number)) = chunk.get::<Plain<i64>>() {
        return *number as u64;
    }
    match chunk.get::<Plain<Vec<u8>>>() {
        Some(Plain(bytes)) => bytes.iter().fold(7, |hash, byte| mix(hash, u64::from(*byte))),
        None => chunk.nbytes(),
    }
}

fn mix(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(b)
}
