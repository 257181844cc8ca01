//! Operators that can be sent, and graphs made of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use partita_graph::{
    Chunk, Encoded, Failure, Graph, Key, Layer, LayerId, NamedOperator, OpRef, Operator, OperatorEntry, Parts, Plain, Registry,
    TaskContext, Value,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cluster::here;
use crate::graphs::{digest, mixer, splitter};

pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[
        OperatorEntry::of::<Mix>(),
        OperatorEntry::of::<Split>(),
        OperatorEntry::of::<Work>(),
        OperatorEntry::of::<Shy>(),
        OperatorEntry::of::<Panic>(),
        OperatorEntry::of::<Trap>(),
    ]);
    registry
}

/// The closure that the tests of the local executor use, with a name.
#[derive(Serialize, Deserialize)]
pub struct Mix {
    token: u64,
}

impl NamedOperator for Mix {
    const NAME: &'static str = "test.mix";
}

impl Operator for Mix {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        mixer(self.token).operator.expect("a closure").run(ctx, inputs)
    }
}

#[derive(Serialize, Deserialize)]
pub struct Split {
    token: u64,
    count: u32,
}

impl NamedOperator for Split {
    const NAME: &'static str = "test.split";
}

impl Operator for Split {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        splitter(self.token, self.count).operator.expect("a closure").run(ctx, inputs)
    }
}

/// The same graph with operators that have names.
pub fn named(graph: &Graph) -> Graph {
    let mut made = Graph::default();
    let mut ids: BTreeMap<LayerId, LayerId> = BTreeMap::new();
    for layer in &graph.layers {
        let payload = &layer.kernel.steps[0].op.payload;
        let body = u64::from_le_bytes((*payload.body).try_into().expect("a token"));
        let op = match &*payload.name {
            "mix" => OpRef::new(Mix { token: body }, "mix"),
            _ => OpRef::new(Split { token: body & 0xffff_ffff, count: (body >> 32) as u32 }, "split"),
        };
        let mut edges = layer.edges.clone();
        edges.iter_mut().for_each(|edge| edge.layer = ids[&edge.layer]);
        ids.insert(layer.id, made.add(Layer::single(layer.name.clone(), layer.len, op, edges)));
    }
    made.wanted = graph.wanted.iter().map(|key| Key::new(ids[&key.layer], key.index)).collect();
    made
}

/// A task that ran: stage, index, worker.
type Ran = (u8, u32, u64);

/// What ran where, for each test.
static RAN: Mutex<BTreeMap<u64, Vec<Ran>>> = Mutex::new(BTreeMap::new());

/// What tasks of this test ran, in order.
pub fn ran(test: u64) -> Vec<Ran> {
    RAN.lock().expect("nothing panics with it").get(&test).cloned().unwrap_or_default()
}

/// Takes a while and makes bytes that depend on what it reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct Work {
    pub test: u64,
    pub stage: u8,
    pub millis: u64,
    /// Bytes of the result, or of each part of it.
    pub bytes: u32,
    /// How many parts, 0 for a whole value.
    pub parts: u32,
}

impl NamedOperator for Work {
    const NAME: &'static str = "test.work";
}

impl Operator for Work {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        RAN.lock().expect("nothing panics with it").entry(self.test).or_default().push((self.stage, ctx.key.index, here()));
        let base = inputs.iter().map(digest).fold(i64::from(ctx.key.index) + i64::from(self.stage), |a, b| a.wrapping_mul(31) ^ b);
        for _ in 0..self.millis.div_ceil(5) {
            std::thread::sleep(Duration::from_millis(self.millis.min(5)));
            ctx.check_cancelled()?;
        }
        let block = |at: u32| {
            let pattern: Vec<u8> = (0..997).map(|byte: i64| (byte.wrapping_mul(base + i64::from(at)) >> 3) as u8).collect();
            Chunk::new(Plain(pattern.into_iter().cycle().take(self.bytes as usize).collect::<Vec<u8>>()))
        };
        Ok(if self.parts == 0 { block(0) } else { Chunk::new(Parts((0..self.parts).map(block).collect())) })
    }
}

/// A layer of [`Work`].
pub fn work(name: &str, len: u32, work: Work, edges: Vec<partita_graph::Edge>) -> Layer {
    Layer::single(name, len, OpRef::new(work, "work"), edges)
}

/// Makes a value that cannot be sent.
#[derive(Serialize, Deserialize)]
pub struct Shy;

impl NamedOperator for Shy {
    const NAME: &'static str = "test.shy";
}

struct ShyValue;

impl Value for ShyValue {
    fn kind(&self) -> &'static str {
        "test.shy"
    }

    fn nbytes(&self) -> u64 {
        100_000
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Err(Failure::internal("it has no bytes"))
    }
}

impl Operator for Shy {
    fn run(&self, _ctx: &TaskContext<'_>, _inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(Chunk::new(ShyValue))
    }
}

/// Panics.
#[derive(Serialize, Deserialize)]
pub struct Panic;

impl NamedOperator for Panic {
    const NAME: &'static str = "test.panic";
}

impl Operator for Panic {
    fn run(&self, _ctx: &TaskContext<'_>, _inputs: &[Chunk]) -> Result<Chunk, Failure> {
        panic!("this operator always panics")
    }
}

/// Panics where it is decoded.
#[derive(Serialize)]
pub struct Trap;

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("this operator cannot be decoded")
    }
}

impl NamedOperator for Trap {
    const NAME: &'static str = "test.trap";
}

impl Operator for Trap {
    fn run(&self, _ctx: &TaskContext<'_>, _inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(Chunk::new(Plain(1)))
    }
}
