//! A layer: one kernel, n tasks, and for each input a wiring rule.

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::{Annotations, Arg, Kernel, LayerId, OpRef, Origin, Source, Wiring};

/// One input of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The layer whose chunks are read.
    pub layer: LayerId,
    /// Which of them.
    pub wiring: Wiring,
}

/// One kernel × n tasks × wiring. The body is shared by all tasks; what differs is one small entry a task.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Hash of the length, the kernel, the arguments and the edges.
    pub id: LayerId,
    /// For people: plans, progress, the dashboard.
    pub name: Arc<str>,
    /// Number of tasks.
    pub len: u32,
    /// What each task does.
    pub kernel: Arc<Kernel>,
    /// Columns of arguments: `args[column][task]`.
    pub args: Vec<Arc<[Arg]>>,
    /// Inputs.
    pub edges: Vec<Edge>,
    /// The user's line that asked for it.
    pub origin: Option<Origin>,
    /// Made by an earlier run and kept: the optimizer leaves the layer as it is.
    pub fixed: bool,
    /// It stands for a layer of an earlier run that the executor still has: id, name and length are that layer's, and it has neither
    /// steps nor arguments nor edges. See [`Layer::stand_in`].
    pub known: bool,
    /// Wishes for where and how its tasks run.
    pub annotations: Option<Arc<Annotations>>,
}

impl Layer {
    /// A layer, with its id computed.
    pub fn new(name: impl Into<Arc<str>>, len: u32, kernel: Kernel, args: Vec<Arc<[Arg]>>, edges: Vec<Edge>) -> Self {
        let id = identity(len, &kernel, &args, &edges);
        Self {
            id,
            name: name.into(),
            len,
            kernel: Arc::new(kernel),
            args,
            edges,
            origin: None,
            fixed: false,
            known: false,
            annotations: None,
        }
    }

    /// What stands for this layer in a graph for an executor that has it, because a run which contains it is held until the graph is
    /// submitted. So a graph that reads what earlier ones make need not contain all that they are made of; an executor that does not have
    /// the layer refuses the graph.
    pub fn stand_in(&self) -> Self {
        let kernel = Arc::new(Kernel { steps: Vec::new() });
        let (id, name, len, origin) = (self.id, self.name.clone(), self.len, self.origin.clone());
        Self { id, name, len, kernel, args: Vec::new(), edges: Vec::new(), origin, fixed: true, known: true, annotations: None }
    }

    /// A layer of one operator without arguments.
    ///
    /// # Panics
    ///
    /// With more than 65,535 edges; work on more layers than that goes through a tree.
    pub fn single(name: impl Into<Arc<str>>, len: u32, op: OpRef, edges: Vec<Edge>) -> Self {
        let kernel = Kernel::single(op, count(&edges));
        Self::new(name, len, kernel, Vec::new(), edges)
    }

    /// A layer of one operator with an argument for each task.
    ///
    /// # Panics
    ///
    /// With more than 65,535 edges.
    pub fn with_args(name: impl Into<Arc<str>>, op: OpRef, args: Vec<Arg>, edges: Vec<Edge>) -> Self {
        let kernel = Kernel::with_arg(op, count(&edges));
        Self::new(name, args.len() as u32, kernel, vec![args.into()], edges)
    }

    /// The argument of task `index` in a column. A column of one entry serves whatever task it was sent for: a worker gets the
    /// arguments of its own tasks only.
    pub(crate) fn arg(&self, column: u16, index: u32) -> &Arg {
        let column = &self.args[column as usize];
        if column.len() == 1 { &column[0] } else { &column[index as usize] }
    }

    /// The same layer with the user's line.
    pub fn origin(mut self, origin: Option<Origin>) -> Self {
        // Each step keeps the line for itself: a fused kernel has steps of several lines.
        let shared = origin.clone().map(Arc::new);
        for step in &mut Arc::make_mut(&mut self.kernel).steps {
            if step.op.origin.is_none() {
                step.op.origin.clone_from(&shared);
            }
        }
        self.origin = origin;
        self
    }
}

fn count(edges: &[Edge]) -> u16 {
    u16::try_from(edges.len()).expect("a layer reads at most 65,535 layers")
}

/// Everything of variable length is preceded by its length, so that no two layers are hashed as the same bytes.
fn identity(len: u32, kernel: &Kernel, args: &[Arc<[Arg]>], edges: &[Edge]) -> LayerId {
    let mut hash = Xxh3::new();
    let sized = |hash: &mut Xxh3, bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    hash.update(&len.to_le_bytes());
    hash.update(&(kernel.steps.len() as u64).to_le_bytes());
    for step in &kernel.steps {
        sized(&mut hash, step.op.payload.name.as_bytes());
        sized(&mut hash, &step.op.payload.body);
        hash.update(&(step.inputs.len() as u64).to_le_bytes());
        for source in &step.inputs {
            let (tag, number) = match source {
                Source::Edge(edge) => (0, edge),
                Source::Step(step) => (1, step),
            };
            hash.update(&[tag]);
            hash.update(&number.to_le_bytes());
        }
        hash.update(&step.arg.map_or(u32::MAX, u32::from).to_le_bytes());
    }
    hash.update(&(args.len() as u64).to_le_bytes());
    for arg in args.iter().flat_map(|column| &**column) {
        match arg {
            Arg::Bytes(bytes) => {
                hash.update(&[0]);
                sized(&mut hash, bytes);
            }
            Arg::Chunk { token, .. } => {
                hash.update(&[1]);
                hash.update(&token.to_le_bytes());
            }
        }
    }
    for edge in edges {
        hash.update(&edge.layer.0.to_le_bytes());
        sized(&mut hash, &postcard::to_stdvec(&edge.wiring).expect("wiring is plain data"));
    }
    LayerId(hash.digest())
}
