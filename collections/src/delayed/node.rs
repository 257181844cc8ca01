//! The expression below a [`super::Delayed`]: calls and what they are given, and how they become layers.
//!
//! It refuses to run anything. Invariants: a node is lowered once however many calls read it; the same calls with the same arguments
//! give the same layers, so the same work is done once.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use partita_graph::{Annotations, Arg, Chunk, Code, Edge, Failure, Graph, Key, Layer, LayerId, OpRef, Origin, Run, Table, Wiring};

use super::argument::Given;
use super::arrays::whole;
use super::call::Slot;
use super::future::One;
use super::lineage::Lineage;
use super::reduce::Reduction;
use crate::array::AnyArray;
use crate::array::budget::Budget;
use crate::array::lower::layers;
use crate::client::Client;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{concat::Concat, from_polars};
use crate::frame::replan::Advice;
use crate::frame::rewrite::rewrite;
use crate::frame::size::Size;
use crate::frame::{DFrame, ops};

/// Layers that one layer can read.
const MOST_EDGES: usize = u16::MAX as usize;

/// Makes the operator of a call, once it is known where its arguments come from.
pub(super) type MakeOperator = Arc<dyn Fn(Vec<Slot>) -> OpRef + Send + Sync>;

/// One step of a delayed computation.
pub(crate) struct Node {
    pub(super) what: What,
    pub origin: Origin,
    /// Wishes for how it is run.
    pub annotations: Option<Arc<Annotations>>,
}

/// The kinds of step.
#[derive(Clone)]
pub(super) enum What {
    /// A call of a function.
    Call { name: Arc<str>, operator: MakeOperator, arguments: Vec<Given> },
    /// One partition of a frame.
    Partition(DFrame, u32),
    /// One block of an array.
    Block(AnyArray, u32),
    /// All partitions of a frame, reduced to one value.
    Reduced(Reduction),
    /// A chunk that a run makes, made or was given, with the layers that would make it again.
    Known(Known),
}

/// A chunk of a run, which stays for as long as the run is held.
#[derive(Clone)]
pub(super) struct Known {
    key: Key,
    lineage: Arc<Lineage>,
    /// Keeps it, if it is a future.
    future: Option<Arc<One>>,
    /// Keeps it, if it is the result of an ordinary run.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "it only keeps the chunk alive"))]
    run: Option<Run>,
    /// What that run measured of it, if it is a frame.
    measured: Option<Size>,
}

impl Known {
    /// A chunk of an ordinary run.
    pub fn of_run(key: Key, lineage: Arc<Lineage>, run: Run, measured: Option<Size>) -> Self {
        Self { key, lineage, future: None, run: Some(run), measured }
    }

    /// A future's.
    pub fn of_future(future: &Arc<One>) -> Self {
        Self { key: future.key(), lineage: future.batch.lineage.clone(), future: Some(future.clone()), run: None, measured: None }
    }

    /// The ordinary run whose result it is.
    #[cfg(feature = "cluster")]
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Its layer, if the executor of this home has that and will have it for as long as this lives.
    fn at_home(&self, home: Option<usize>) -> Option<&Arc<Layer>> {
        let future = self.future.as_ref()?;
        if home != Some(future.batch.home()) || !future.is_sound() {
            return None;
        }
        self.lineage.get(self.key.layer)
    }
}

impl Node {
    /// A node at the caller's line.
    pub(super) fn new(what: What, origin: Origin) -> Arc<Self> {
        Arc::new(Self { what, origin, annotations: None })
    }

    /// A call at this line.
    pub(super) fn call(name: &str, operator: MakeOperator, arguments: Vec<Given>, origin: &'static Location<'static>) -> Arc<Self> {
        let short = name.rsplit("::").next().unwrap_or(name);
        let what = What::Call { name: short.into(), operator, arguments };
        Self::new(what, Origin::at(origin, &format!("{short}(…)")))
    }

    /// The same with other wishes.
    pub fn annotated(&self, change: impl FnOnce(&mut Annotations)) -> Arc<Self> {
        let mut wishes = self.annotations.as_deref().cloned().unwrap_or_default();
        change(&mut wishes);
        Arc::new(Self { what: self.what.clone(), origin: self.origin.clone(), annotations: Some(Arc::new(wishes)) })
    }
}

/// Nodes that have been lowered, by address, beside the graph.
#[derive(Default)]
pub(super) struct Lowerer {
    pub lowering: Lowering,
    done: BTreeMap<usize, Key>,
    /// To whose engine the graph goes, when it is a client's: what its futures read need not be sent again, and arrays are planned for it.
    client: Option<Client>,
    /// What was left out for that reason, by address.
    parents: BTreeMap<usize, Arc<Lineage>>,
    /// Arrays and the layers of their blocks, by address.
    arrays: BTreeMap<usize, (AnyArray, LayerId)>,
    /// Frames and nodes are known by their addresses, so these must live for as long as the lowering.
    frames: Vec<DFrame>,
    keep: Vec<Arc<Node>>,
    /// What earlier attempts found out about guesses of readers.
    advice: Vec<Advice>,
    /// How many frames the last advice changed.
    pub replanned: usize,
}

impl Lowerer {
    /// The key of a node's result.
    pub fn node(&mut self, node: &Arc<Node>) -> Result<Key, Failure> {
        let address = Arc::as_ptr(node) as usize;
        if let Some(key) = self.done.get(&address) {
            return Ok(*key);
        }
        // A chain of a hundred thousand calls is lowered by hand: recursion would end the stack.
        let mut stack = vec![node.clone()];
        while let Some(top) = stack.last().cloned() {
            if self.done.contains_key(&(Arc::as_ptr(&top) as usize)) {
                stack.pop();
                continue;
            }
            let missing: Vec<Arc<Node>> =
                top.inputs().filter(|input| !self.done.contains_key(&(Arc::as_ptr(input) as usize))).cloned().collect();
            if !missing.is_empty() {
                stack.extend(missing);
                continue;
            }
            stack.pop();
            let key = match &top.what {
                What::Call { name, operator, arguments } => self.call(&top, name, operator, arguments)?,
                What::Partition(frame, index) => Key::new(self.frame(frame)?.layer, *index),
                What::Block(array, index) => Key::new(self.array(array)?, *index),
                What::Reduced(reduction) => reduction.lower(&top, self)?,
                What::Known(known) => self.known(known),
            };
            self.done.insert(Arc::as_ptr(&top) as usize, key);
            self.keep.push(top);
        }
        Ok(self.done[&address])
    }

    /// One in which tasks of arrays hold no more than this; without it, than they may on the current client.
    pub fn within(budget: Option<Budget>) -> Self {
        Self { lowering: Lowering::within(budget), ..Self::default() }
    }

    /// One whose graph goes to the engine of this client.
    pub fn at_home(client: &Client) -> Self {
        Self { client: Some(client.clone()), ..Self::default() }
    }

    /// Asks the client what a task may hold, once something is planned for it: what only makes calls asks nobody.
    fn settle_budget(&mut self) {
        if let (None, Some(client)) = (self.lowering.budget, &self.client) {
            self.lowering.budget = Some(Budget::of(client));
        }
    }

    /// What the graph reads of earlier submissions without containing it.
    pub fn parents(&mut self) -> Vec<Arc<Lineage>> {
        std::mem::take(&mut self.parents).into_values().collect()
    }

    fn known(&mut self, known: &Known) -> Key {
        let Some(layer) = known.at_home(self.client.as_ref().map(Client::home)) else {
            known.lineage.add_to(&mut self.lowering.graph);
            return known.key;
        };
        if self.lowering.graph.get(layer.id).is_none() {
            self.lowering.graph.add_shared(Arc::new(layer.stand_in()));
        }
        self.parents.entry(Arc::as_ptr(&known.lineage) as usize).or_insert_with(|| known.lineage.clone());
        known.key
    }

    /// One that plans frames by this advice, and arrays within this budget.
    pub fn with_advice(advice: Vec<Advice>, budget: Budget) -> Self {
        Self { advice, ..Self::within(Some(budget)) }
    }

    /// The layer of a frame's partitions.
    pub fn frame(&mut self, frame: &DFrame) -> Result<Lowered, Failure> {
        self.settle_budget();
        let mut frame = frame.clone();
        for (at, advice) in self.advice.iter().enumerate() {
            if let Some(other) = frame.replan(advice) {
                frame = other;
                self.replanned += usize::from(at + 1 == self.advice.len());
            }
        }
        frame.resolved()?;
        let rewritten = rewrite(&frame)?;
        let lowered = self.lowering.frame(&rewritten)?;
        self.frames.extend([frame, rewritten]);
        Ok(lowered)
    }

    /// The layer of an array's blocks.
    pub fn array(&mut self, array: &AnyArray) -> Result<LayerId, Failure> {
        if let Some((_, layer)) = self.arrays.get(&array.address()) {
            return Ok(*layer);
        }
        self.settle_budget();
        let (graph, layer) = layers(self.lowering.budget, array)?;
        graph.layers.iter().for_each(|layer| self.lowering.graph.add_shared(layer.clone()));
        self.arrays.insert(array.address(), (array.clone(), layer));
        Ok(layer)
    }

    fn call(&mut self, node: &Node, name: &Arc<str>, operator: &MakeOperator, arguments: &[Given]) -> Result<Key, Failure> {
        let mut slots = Vec::with_capacity(arguments.len());
        let mut edges = Edges::default();
        for argument in arguments {
            slots.push(match argument {
                Given::Plain(bytes) => Slot::Plain(bytes.clone()),
                Given::Chunk { token, chunk } => edges.read(self.given(*token, chunk.clone())),
                Given::Node(input) => edges.read(self.done[&(Arc::as_ptr(input) as usize)]),
                Given::Nodes(inputs) => {
                    inputs.iter().for_each(|input| drop(edges.read(self.done[&(Arc::as_ptr(input) as usize)])));
                    Slot::Inputs(inputs.len() as u32)
                }
                Given::Frame(frame) => edges.read(self.whole(frame, node)?),
                Given::Array(array) => edges.read(self.whole_array(array, node)?),
                Given::Broken(failure) => return Err(failure.clone().origin(Some(&node.origin))),
            });
        }
        let edges = edges.into_edges(&self.lowering);
        check_edges(edges.len(), Some(&node.origin))?;
        let layer = Layer { annotations: node.annotations.clone(), ..Layer::single(name.clone(), 1, operator(slots), edges) };
        Ok(Key::new(self.lowering.graph.add(layer.origin(Some(node.origin.clone()))), 0))
    }

    /// A value that is a chunk of its own.
    fn given(&mut self, token: u64, chunk: Chunk) -> Key {
        Key::new(self.lowering.graph.add(given_layer(token, chunk)), 0)
    }

    /// All rows of a frame as one chunk.
    fn whole(&mut self, frame: &DFrame, node: &Node) -> Result<Key, Failure> {
        let lowered = self.frame(frame)?;
        if lowered.partitions == 1 {
            return Ok(Key::new(lowered.layer, 0));
        }
        let layer = Layer::single("concat", 1, OpRef::new(Concat, "concat"), vec![lowered.edge(Wiring::Every)]);
        Ok(Key::new(self.lowering.graph.add(layer.origin(Some(node.origin.clone()))), 0))
    }
}

impl Lowerer {
    /// All elements of an array as one chunk.
    fn whole_array(&mut self, array: &AnyArray, node: &Node) -> Result<Key, Failure> {
        let blocks = self.array(array)?;
        let whole = whole(array, blocks)?.map(|layer| self.lowering.graph.add(layer.origin(Some(node.origin.clone()))));
        Ok(Key::new(whole.unwrap_or(blocks), 0))
    }
}

/// Fails when calls read so many layers that a layer cannot name them.
pub(super) fn check_edges(edges: usize, origin: Option<&Origin>) -> Result<(), Failure> {
    if edges <= MOST_EDGES {
        return Ok(());
    }
    let what = format!("a call reads the results of {edges} other calls; at most {MOST_EDGES} can be read at once");
    Err(Failure::new(Code::Unsupported, what).help("add them up in groups first").origin(origin))
}

/// Edges by which task `i` reads the chunk of key `i`: one for each layer that the keys are of.
pub(super) fn one_each(keys: &[Key], graph: &Graph) -> Vec<Edge> {
    let mut layers: BTreeMap<LayerId, Vec<(u32, u32)>> = BTreeMap::new();
    for (task, key) in keys.iter().enumerate() {
        layers.entry(key.layer).or_default().push((task as u32, key.index));
    }
    let whole = |layer: LayerId| graph.get(layer).is_some_and(|layer| layer.len as usize == keys.len());
    let wiring = |layer: LayerId, reads: Vec<(u32, u32)>| {
        if whole(layer) && reads.len() == keys.len() && reads.iter().all(|(task, index)| task == index) {
            return Wiring::Each;
        }
        let mut offsets = vec![0; keys.len() + 1];
        reads.iter().for_each(|(task, _)| offsets[*task as usize + 1] = 1);
        (1..offsets.len()).for_each(|at| offsets[at] += offsets[at - 1]);
        Wiring::Table(Table { offsets: offsets.into(), indices: reads.into_iter().map(|(_, index)| index).collect() })
    };
    layers.into_iter().map(|(layer, reads)| Edge { layer, wiring: wiring(layer, reads) }).collect()
}

/// A layer of one value that is at hand.
pub(super) fn given_layer(token: u64, chunk: Chunk) -> Layer {
    Layer::with_args("value", OpRef::new(from_polars::Given, "value"), vec![Arg::Chunk { token, chunk }], Vec::new())
}

/// A token that no other value has.
pub(super) fn new_token() -> u64 {
    ops::token()
}

impl Node {
    /// The nodes that it reads.
    fn inputs(&self) -> impl Iterator<Item = &Arc<Node>> {
        let arguments = match &self.what {
            What::Call { arguments, .. } => &arguments[..],
            What::Partition(..) | What::Block(..) | What::Reduced(_) | What::Known(_) => &[],
        };
        arguments.iter().flat_map(|argument| match argument {
            Given::Node(node) => std::slice::from_ref(node),
            Given::Nodes(nodes) => &nodes[..],
            Given::Plain(_) | Given::Chunk { .. } | Given::Frame(_) | Given::Array(_) | Given::Broken(_) => &[],
        })
    }
}

impl Drop for Node {
    /// A long chain is let go link by link, because dropping it by recursion would end the stack.
    fn drop(&mut self) {
        let mut left = Vec::new();
        self.what.release(&mut left);
        while let Some(node) = left.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                node.what.release(&mut left);
            }
        }
    }
}

impl What {
    /// What was measured of it, if it is a frame that is there.
    pub(super) fn measured(&self) -> Option<Size> {
        match self {
            What::Known(known) => known.measured,
            What::Call { .. } | What::Partition(..) | What::Block(..) | What::Reduced(_) => None,
        }
    }

    /// Takes out the nodes that it reads.
    fn release(&mut self, out: &mut Vec<Arc<Node>>) {
        let What::Call { arguments, .. } = self else { return };
        for argument in std::mem::take(arguments) {
            match argument {
                Given::Node(node) => out.push(node),
                Given::Nodes(nodes) => out.extend(nodes),
                Given::Plain(_) | Given::Chunk { .. } | Given::Frame(_) | Given::Array(_) | Given::Broken(_) => {}
            }
        }
    }
}

/// The chunks that one call reads, in order: neighbours of one layer share an edge.
#[derive(Default)]
struct Edges(Vec<(LayerId, Vec<u32>)>);

impl Edges {
    fn read(&mut self, key: Key) -> Slot {
        match self.0.last_mut() {
            Some((layer, indices)) if *layer == key.layer => indices.push(key.index),
            _ => self.0.push((key.layer, vec![key.index])),
        }
        Slot::Input
    }

    fn into_edges(self, lowering: &Lowering) -> Vec<Edge> {
        let wiring = |layer: LayerId, indices: Vec<u32>| {
            let len = lowering.graph.get(layer).map_or(0, |layer| layer.len);
            match (len, &indices[..]) {
                (1, [0]) => Wiring::Each,
                _ if indices.len() == len as usize && indices.iter().copied().eq(0..len) => Wiring::Every,
                _ => Wiring::Table(Table { offsets: [0, indices.len() as u32].into(), indices: indices.into() }),
            }
        };
        self.0.into_iter().map(|(layer, indices)| Edge { layer, wiring: wiring(layer, indices) }).collect()
    }
}
