//! Random graphs of closures that hash what they read: a wrong, missing or misplaced input changes every result after it.

use std::collections::BTreeSet;

use fastrand::Rng;
use partita_graph::{AxisMap, Chunk, Code, Edge, Failure, Graph, Key, Layer, LayerId, OpRef, Parts, Plain, Table, Wiring};

/// A graph, and what is special about it.
pub(crate) struct RandomGraph {
    pub graph: Graph,
    /// The same graph with operators that never fail: what the oracle runs.
    pub sound: Graph,
    /// Tasks whose operator fails.
    pub failing: BTreeSet<Key>,
    /// Tasks that kill the worker that runs them; elsewhere they are ordinary.
    pub poison: BTreeSet<Key>,
    /// The largest sum of a task's inputs and its result, in bytes.
    pub largest_task: u64,
    /// The largest result, in bytes.
    pub largest_chunk: u64,
}

struct Made {
    id: LayerId,
    len: u32,
    /// Pieces of each chunk, when the chunks are made of pieces.
    pieces: Option<u32>,
    chunk_bytes: u64,
}

pub(crate) fn random_graph(rng: &mut Rng) -> RandomGraph {
    let mut graph = Graph::default();
    let mut sound = Graph::default();
    let mut made: Vec<Made> = Vec::new();
    let mut failing = BTreeSet::new();
    let mut poison = BTreeSet::new();
    let (mut largest_task, mut largest_chunk) = (0, 0);
    let (fails, kills) = (rng.f64() < 0.15, rng.f64() < 0.08);
    for number in 0..rng.u32(1..=6) {
        let (len, edges) = random_edges(rng, &made);
        let pieces = (rng.f64() < 0.35).then(|| rng.u32(1..=6));
        let bytes = if rng.bool() { 8 } else { rng.u64(16..400) };
        let bad = (fails && rng.f64() < 0.3).then(|| rng.u32(0..len));
        let token = rng.u64(..);
        let layer = Layer::single(format!("layer{number}"), len, hashing(token, pieces, bytes, bad), edges.clone());
        sound.add(Layer::single(format!("layer{number}"), len, hashing(token, pieces, bytes, None), edges));
        let chunk_bytes = bytes * u64::from(pieces.unwrap_or(1));
        let inputs: u64 = (0..len).map(|task| input_bytes(&layer, &made, task)).max().unwrap_or(0);
        largest_task = largest_task.max(inputs + chunk_bytes);
        largest_chunk = largest_chunk.max(chunk_bytes);
        failing.extend(bad.map(|index| Key::new(layer.id, index)));
        if kills && rng.f64() < 0.3 {
            poison.insert(Key::new(layer.id, rng.u32(0..len)));
        }
        made.push(Made { id: layer.id, len, pieces, chunk_bytes });
        graph.add(layer);
    }
    graph.wanted = random_wanted(rng, &graph);
    RandomGraph { graph, sound, failing, poison, largest_task, largest_chunk }
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

fn hashing(token: u64, pieces: Option<u32>, bytes: u64, bad: Option<u32>) -> OpRef {
    OpRef::closure("hash", token, move |ctx, inputs| {
        if bad == Some(ctx.key.index) {
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
