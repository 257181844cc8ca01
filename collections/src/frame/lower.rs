//! From the expression to layers. Lowering is a pure function of the rewritten expression: the same frame gives the same graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partita_graph::{Edge, Executor, Failure, Graph, Layer, LayerId, OpRef, Wiring, optimize};

use polars::prelude::{Expr, PlSmallStr};

use super::expr::as_column;
use super::rewrite::{read_by_several, rewrite};
use super::size::shown_size;
use super::{DFrame, Node};
use crate::array::budget::Budget;

/// Partitions that are combined at a time: few enough to keep memory flat, enough to keep the tree shallow.
pub(crate) const FAN_IN: u32 = 16;

/// A lowered frame: the layer whose chunks are its partitions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lowered {
    pub layer: LayerId,
    pub partitions: u32,
}

impl Lowered {
    pub fn edge(self, wiring: Wiring) -> Edge {
        Edge { layer: self.layer, wiring }
    }
}

/// The graph under construction.
#[derive(Default)]
pub(crate) struct Lowering {
    pub graph: Graph,
    /// What a task of an array may hold of which the frame is made; without it, what it may on the current client.
    pub budget: Option<Budget>,
    done: BTreeMap<usize, Lowered>,
    /// Layers whose rows are spread over their partitions by the hash of these columns, all rows of a key in one.
    spread: BTreeMap<LayerId, Vec<PlSmallStr>>,
    /// Addresses of frames that several steps read.
    shared: BTreeSet<usize>,
    /// Frames that steps made while they were lowered; they live as long as this, which knows frames by address.
    ours: Vec<DFrame>,
    /// Remarks for the user about the plan.
    pub notes: Vec<String>,
    /// Whether steps say how many rows and bytes are likely to come out of them: for people, who read plans.
    tells_sizes: bool,
}

impl Lowering {
    /// One in which tasks of arrays hold no more than this.
    pub fn within(budget: Option<Budget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Adds a layer that belongs to `node`.
    pub fn add(&mut self, layer: Layer, node: &Node) -> Lowered {
        let partitions = layer.len;
        let layer = self.graph.add(layer.origin(Some(node.origin.clone())));
        Lowered { layer, partitions }
    }

    /// Combines neighbouring partitions with an operator that can be applied again to what it gave, until few enough are left for one
    /// task. The shape of the tree follows from the number of partitions alone.
    pub fn gather(&mut self, name: &str, op: &OpRef, mut level: Lowered, node: &Node) -> Lowered {
        while level.partitions > FAN_IN {
            let tasks = level.partitions.div_ceil(FAN_IN);
            level = self.add(Layer::single(name, tasks, op.clone(), vec![level.edge(Wiring::Group(FAN_IN))]), node);
        }
        level
    }

    /// Lowers a frame once, however often it occurs.
    pub fn frame(&mut self, frame: &DFrame) -> Result<Lowered, Failure> {
        if let Some(lowered) = self.done.get(&frame.address()) {
            return Ok(*lowered);
        }
        frame.resolved()?;
        let inputs = frame.node().inputs.iter().map(|input| self.frame(input)).collect::<Result<Vec<_>, _>>()?;
        let lowered = frame.node().step.lower(&inputs, frame.node(), self)?;
        if let [input] = &inputs[..]
            && let Some(columns) = self.spread.get(&input.layer)
            && let Some(columns) = frame.node().step.keeps_spread(columns)
            && input.partitions == lowered.partitions
        {
            self.spread.entry(lowered.layer).or_insert(columns);
        }
        // A step that leaves its input as it is has no layer of its own.
        if self.tells_sizes && inputs.iter().all(|input| input.layer != lowered.layer) {
            self.tell_size(frame, lowered.layer);
        }
        self.done.insert(frame.address(), lowered);
        Ok(lowered)
    }

    /// Adds the estimate for a frame to what the last step of its layer says, which is no part of what the layer is.
    fn tell_size(&mut self, frame: &DFrame, layer: LayerId) {
        let known = self.graph.layers.iter_mut().rev().find(|known| known.id == layer && !known.fixed);
        if let Some((size, layer)) = shown_size(frame).zip(known)
            && let Some(step) = Arc::make_mut(&mut Arc::make_mut(layer).kernel).steps.last_mut()
            && !step.op.label.ends_with(&size)
        {
            step.op.label = format!("{}  {size}", step.op.label).into();
        }
    }

    /// Whether no other step is known to read this frame.
    pub fn has_one_reader(&self, frame: &DFrame) -> bool {
        !self.shared.contains(&frame.address())
    }

    /// Lowers a frame that a step made for itself.
    pub fn frame_of_ours(&mut self, frame: DFrame) -> Result<Lowered, Failure> {
        self.ours.push(frame.clone());
        self.frame(&frame)
    }

    /// Notes that the rows of a layer are spread by these keys. Keys that are no columns cannot be asked for again, so they are not noted.
    pub fn note_spread(&mut self, lowered: Lowered, keys: &[Expr]) {
        if let Some(columns) = keys.iter().map(|key| as_column(key).cloned()).collect() {
            self.spread.insert(lowered.layer, columns);
        }
    }

    /// Whether the rows of a layer are spread by exactly these keys.
    pub fn is_spread_by(&self, lowered: Lowered, keys: &[Expr]) -> bool {
        let columns = self.spread.get(&lowered.layer);
        columns
            .is_some_and(|columns| columns.len() == keys.len() && columns.iter().zip(keys).all(|(name, key)| as_column(key) == Some(name)))
    }

    /// Whether each partition of a layer has all rows with equal values of these keys.
    pub fn is_together(&self, lowered: Lowered, keys: &[Expr]) -> bool {
        let columns = self.spread.get(&lowered.layer);
        columns.is_some_and(|columns| columns.iter().all(|name| keys.iter().any(|key| as_column(key) == Some(name))))
    }
}

/// A frame ready to run.
pub(crate) struct Plan {
    /// The rewritten expression. It must outlive the lowering, which knows frames by address.
    pub rewritten: DFrame,
    /// Optimized; all partitions are wanted.
    pub graph: Graph,
    /// Remarks for the user about the plan.
    pub notes: Vec<String>,
}

/// Checks, rewrites, lowers and optimizes, for the current client.
pub(crate) fn plan(frame: &DFrame) -> Result<Plan, Failure> {
    planned(frame, Lowering::default())
}

/// The same for this executor, as far as the frame is made of arrays.
pub(crate) fn plan_for(executor: &dyn Executor, frame: &DFrame) -> Result<Plan, Failure> {
    planned(frame, Lowering::within(Some(Budget::of(executor))))
}

/// The same plan for people to read: its steps say how many rows and bytes are likely to come out of them.
pub(crate) fn plan_with_sizes(frame: &DFrame) -> Result<Plan, Failure> {
    planned(frame, Lowering { tells_sizes: true, ..Lowering::default() })
}

fn planned(frame: &DFrame, mut lowering: Lowering) -> Result<Plan, Failure> {
    frame.resolved()?;
    let rewritten = rewrite(frame)?;
    lowering.shared = read_by_several(&rewritten);
    let root = lowering.frame(&rewritten)?;
    lowering.graph.want_all(root.layer);
    Ok(Plan { rewritten, graph: optimize::optimize(&lowering.graph), notes: lowering.notes })
}
