//! The graphs that are measured, and the operators that do next to nothing in them.
//!
//! It refuses to know where they run. Invariant: layers of different tokens are different work, so nothing is found that was to
//! be computed.

use std::sync::Arc;

use partita_graph::{
    Annotations, Buffer, Chunk, Edge, Encoded, Failure, Graph, Layer, LayerId, NamedOperator, OpRef, Operator, OperatorEntry, Plain,
    Registry, TaskContext, Value, Wiring,
};
use serde::{Deserialize, Serialize};

/// A chunk that is moved is a table of so many columns: a frame is one buffer for each.
const COLUMNS: u64 = 8;

/// Tokens of layers that warm up and are never measured.
pub fn warm(turn: u64) -> u64 {
    u64::MAX - turn
}

pub fn append(graph: &mut Graph, layer: Layer) -> LayerId {
    let id = layer.id;
    graph.layers.push(Arc::new(layer));
    id
}

fn layer<O: NamedOperator>(len: u32, operator: O, edges: Vec<Edge>) -> Layer {
    Layer::single(O::NAME, len, OpRef::new(operator, O::NAME), edges)
}

pub fn on<O: NamedOperator>(worker: &str, len: u32, operator: O, edges: Vec<Edge>) -> Layer {
    let mut layer = layer(len, operator, edges);
    layer.annotations = Some(Arc::new(Annotations { workers: vec![worker.into()], ..Annotations::default() }));
    layer
}

/// Tasks that have nothing to do with each other. All results are wanted.
pub fn independent(tasks: u32, token: u64) -> Graph {
    let mut graph = Graph::default();
    let id = append(&mut graph, layer(tasks, One { token }, vec![]));
    graph.want_all(id);
    graph
}

/// As many tasks, and one more that reads them all.
pub fn merge(tasks: u32, token: u64) -> Graph {
    let mut graph = Graph::default();
    let leaves = append(&mut graph, layer(tasks, One { token }, vec![]));
    let root = append(&mut graph, layer(1, Sum, vec![Edge { layer: leaves, wiring: Wiring::Every }]));
    graph.want_all(root);
    graph
}

/// Two tasks into one until one is left: of 2^n - 1 tasks 2^(n-1) are leaves.
pub fn tree(tasks: u32, token: u64) -> Graph {
    let mut graph = Graph::default();
    let mut len = tasks.div_ceil(2);
    let mut below = append(&mut graph, layer(len, One { token }, vec![]));
    while len > 1 {
        len = len.div_ceil(2);
        below = append(&mut graph, layer(len, Sum, vec![Edge { layer: below, wiring: Wiring::Group(2) }]));
    }
    graph.want_all(below);
    graph
}

/// Makes the number one.
#[derive(Serialize, Deserialize)]
struct One {
    token: u64,
}

/// Adds up what it reads.
#[derive(Serialize, Deserialize)]
struct Sum;

/// Makes a table in which one number stands everywhere.
#[derive(Serialize, Deserialize)]
pub struct Fill {
    pub bytes: u64,
    pub value: u32,
}

/// The last number of a table: that it is there is seen, and nothing more of it is read.
#[derive(Serialize, Deserialize)]
pub struct Last;

/// A number that a task made.
pub fn number(chunk: &Chunk) -> Option<i64> {
    chunk.get::<Plain<i64>>().map(|number| number.0)
}

/// What workers and clients need to know.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[
        OperatorEntry::of::<One>(),
        OperatorEntry::of::<Sum>(),
        OperatorEntry::of::<Fill>(),
        OperatorEntry::of::<Last>(),
    ]);
    registry.add_value("bench table", |encoded| Ok(Chunk::new(Columns(encoded.buffers))));
    registry
}

impl Operator for One {
    fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(Chunk::new(Plain(1i64)))
    }
}

impl NamedOperator for One {
    const NAME: &'static str = "bench one";
}

impl Operator for Sum {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(Chunk::new(Plain(inputs.iter().filter_map(number).sum::<i64>())))
    }
}

impl NamedOperator for Sum {
    const NAME: &'static str = "bench sum";
}

impl Operator for Fill {
    fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let column = || Arc::new(self.value.to_le_bytes().repeat((self.bytes / COLUMNS / 4) as usize)) as Buffer;
        Ok(Chunk::new(Columns((0..COLUMNS).map(|_| column()).collect())))
    }
}

impl NamedOperator for Fill {
    const NAME: &'static str = "bench fill";
}

impl Operator for Last {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let columns = inputs.first().and_then(|chunk| chunk.get::<Columns>()).filter(|table| table.0.len() as u64 == COLUMNS);
        let last = columns.and_then(|table| (**table.0.last()?).as_ref().last_chunk::<4>().copied());
        let last = last.ok_or_else(|| Failure::internal("a table of another form"))?;
        Ok(Chunk::new(Plain(i64::from(u32::from_le_bytes(last)))))
    }
}

impl NamedOperator for Last {
    const NAME: &'static str = "bench last";
}

/// A table whose columns are encoded without a copy, as those of a frame are.
struct Columns(Vec<Buffer>);

impl Value for Columns {
    fn kind(&self) -> &'static str {
        "bench table"
    }

    fn nbytes(&self) -> u64 {
        self.0.iter().map(|column| (**column).as_ref().len() as u64).sum()
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(Encoded { header: Vec::new(), buffers: self.0.clone() })
    }
}
