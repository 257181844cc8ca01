//! Folds a layer into the only layer that reads it, so that one task does the work of both and no chunk lies between.
//!
//! It refuses to copy work: a layer with two readers stays a layer. Layers with different wishes (annotations) stay apart, and a
//! fused layer keeps the wish of both. Wanted layers, and layers that an earlier run made or
//! is making, are left as they are. The steps of a folded layer run in the order in which its tasks would have run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Annotations, Arg, Edge, Graph, Kernel, Layer, LayerId, Origin, Source, Step, Wiring};

/// From this number of tasks on, a layer keeps all cores busy by itself, so several producers may be folded into one
/// task. A narrower layer takes in its producer only if that is the only one: `c(a(), b())` must still run `a` beside `b`.
pub const WIDE: u32 = 4;

/// Numbers of edges, steps and columns of arguments are 16 bits wide.
const LIMIT: usize = u16::MAX as usize;

/// Names of fused layers are cut in the middle when they are longer, in characters.
const NAME_LIMIT: usize = 48;

/// Folds each layer that is read by one other, chunk by chunk ([`Wiring::Each`]), into its reader.
///
/// The result has its own id, computed from what it does now; edges and wanted keys follow it. Its origin is the
/// reader's, or else the folded layer's.
pub fn fuse(graph: &Graph) -> Graph {
    let Some(producers) = super::producers(graph) else { return graph.clone() };
    let kept = kept(graph, &producers);
    let wanted: BTreeSet<LayerId> = graph.wanted.iter().map(|key| key.layer).collect();
    let mut readers = vec![BTreeSet::new(); producers.len()];
    for (reader, list) in producers.iter().enumerate() {
        for &producer in list {
            readers[producer].insert(reader);
        }
    }
    let mut drafts: Vec<Option<Draft>> = Vec::with_capacity(producers.len());
    for (at, layer) in graph.layers.iter().enumerate() {
        let mut draft = Draft::of(layer, &producers[at]);
        while !kept[at]
            && let Some(found) = draft.foldable(at, &readers, |p| kept[p] || wanted.contains(&graph.layers[p].id), &drafts)
        {
            let producer = drafts[found].take().expect("`foldable` saw it");
            for edge in &producer.edges {
                readers[edge.producer].remove(&found);
                readers[edge.producer].insert(at);
            }
            draft = producer.followed_by(draft, found);
        }
        drafts.push(Some(draft));
    }
    assemble(graph, drafts)
}

/// Fixed layers and all that they read: an earlier run knows them under their ids.
fn kept(graph: &Graph, producers: &[Vec<usize>]) -> Vec<bool> {
    let mut kept: Vec<bool> = graph.layers.iter().map(|layer| layer.fixed).collect();
    for at in (0..kept.len()).rev() {
        if kept[at] {
            producers[at].iter().for_each(|&producer| kept[producer] = true);
        }
    }
    kept
}

/// The graph of what is left, each layer under the id of what it does now.
fn assemble(graph: &Graph, drafts: Vec<Option<Draft>>) -> Graph {
    let mut ids: Vec<LayerId> = graph.layers.iter().map(|layer| layer.id).collect();
    let mut present = BTreeSet::new();
    let mut layers = Vec::new();
    for (at, draft) in drafts.into_iter().enumerate() {
        let Some(draft) = draft else { continue };
        let layer = &graph.layers[at];
        let moved = draft.edges.iter().any(|edge| ids[edge.producer] != graph.layers[edge.producer].id);
        let layer = match draft.folded || moved {
            true => Arc::new(draft.into_layer(layer.len, &ids)),
            false => layer.clone(),
        };
        ids[at] = layer.id;
        // Two layers that do the same after fusion are one layer.
        if present.insert(layer.id) {
            layers.push(layer);
        }
    }
    let renamed: BTreeMap<LayerId, LayerId> = graph.layers.iter().zip(&ids).map(|(layer, id)| (layer.id, *id)).collect();
    let mut wanted = graph.wanted.clone();
    for key in &mut wanted {
        key.layer = renamed.get(&key.layer).copied().unwrap_or(key.layer);
    }
    Graph::new(layers, wanted)
}

/// A layer under construction. Its edges name producers by position, because ids change while layers are folded.
struct Draft {
    len: u32,
    steps: Vec<Step>,
    args: Vec<Arc<[Arg]>>,
    edges: Vec<DraftEdge>,
    names: Vec<Arc<str>>,
    origin: Option<Origin>,
    annotations: Option<Arc<Annotations>>,
    folded: bool,
}

#[derive(Clone, PartialEq)]
struct DraftEdge {
    producer: usize,
    wiring: Wiring,
}

impl Draft {
    fn of(layer: &Layer, producers: &[usize]) -> Self {
        let edges = layer.edges.iter().zip(producers);
        Self {
            len: layer.len,
            steps: layer.kernel.steps.clone(),
            args: layer.args.clone(),
            edges: edges.map(|(edge, &producer)| DraftEdge { producer, wiring: edge.wiring.clone() }).collect(),
            names: vec![layer.name.clone()],
            origin: layer.origin.clone(),
            annotations: layer.annotations.clone().filter(|wishes| !wishes.is_empty()),
            folded: false,
        }
    }

    /// The last layer that may be folded into this draft. The last, because folding puts its steps in front, and so steps
    /// keep the order of their layers.
    fn foldable(&self, at: usize, readers: &[BTreeSet<usize>], stays: impl Fn(usize) -> bool, drafts: &[Option<Draft>]) -> Option<usize> {
        let alone = self.edges.windows(2).all(|pair| pair[0].producer == pair[1].producer);
        if !alone && self.len < WIDE {
            return None;
        }
        let otherwise: BTreeSet<usize> = self.edges.iter().filter(|edge| edge.wiring != Wiring::Each).map(|edge| edge.producer).collect();
        let foldable = |producer: usize| {
            let only_reader = readers[producer].len() == 1 && readers[producer].contains(&at);
            let fits = |draft: &Draft| {
                !draft.steps.is_empty()
                    && draft.len == self.len
                    && draft.annotations == self.annotations
                    && draft.steps.len() + self.steps.len() <= LIMIT
                    && draft.edges.len() + self.edges.len() <= LIMIT
                    && draft.args.len() + self.args.len() <= LIMIT
            };
            only_reader && !stays(producer) && !otherwise.contains(&producer) && drafts[producer].as_ref().is_some_and(fits)
        };
        self.edges.iter().map(|edge| edge.producer).filter(|&producer| foldable(producer)).max()
    }

    /// This draft's steps, then the reader's. `position` is where the reader's edges find this draft.
    fn followed_by(mut self, reader: Draft, position: usize) -> Self {
        let steps = self.steps.len() as u16;
        let columns = self.args.len() as u16;
        let own_edges = std::mem::take(&mut self.edges);
        let mut own_numbers = Vec::new();
        // For each edge of the reader its new number, or `None` where the chunk is now this draft's last step.
        let mut reader_numbers = Vec::with_capacity(reader.edges.len());
        for edge in reader.edges {
            if edge.producer != position {
                reader_numbers.push(Some(number_of(&mut self.edges, edge)));
                continue;
            }
            reader_numbers.push(None);
            if own_numbers.is_empty() {
                own_numbers = own_edges.iter().map(|edge| number_of(&mut self.edges, edge.clone())).collect();
            }
        }
        for source in self.steps.iter_mut().flat_map(|step| &mut step.inputs) {
            if let Source::Edge(edge) = source {
                *edge = own_numbers[*edge as usize];
            }
        }
        for mut step in reader.steps {
            for source in &mut step.inputs {
                *source = match *source {
                    Source::Step(step) => Source::Step(step + steps),
                    Source::Edge(edge) => reader_numbers[edge as usize].map_or(Source::Step(steps - 1), Source::Edge),
                };
            }
            step.arg = step.arg.map(|column| column + columns);
            self.steps.push(step);
        }
        self.args.extend(reader.args);
        self.names.extend(reader.names);
        Self { origin: reader.origin.or(self.origin), folded: true, ..self }
    }

    fn into_layer(self, len: u32, ids: &[LayerId]) -> Layer {
        let name = joined(&self.names);
        let edges = self.edges.into_iter().map(|edge| Edge { layer: ids[edge.producer], wiring: edge.wiring }).collect();
        let layer = Layer::new(name, len, Kernel { steps: self.steps }, self.args, edges).origin(self.origin);
        Layer { annotations: self.annotations, ..layer }
    }
}

/// The number of this edge among `edges`, where it is added unless the same edge is there: a chunk is fetched once.
fn number_of(edges: &mut Vec<DraftEdge>, edge: DraftEdge) -> u16 {
    let number = edges.iter().position(|known| *known == edge).unwrap_or_else(|| {
        edges.push(edge);
        edges.len() - 1
    });
    number as u16
}

/// `read_csv+filter+partial`; where that is too long, the first and the last that fit around an ellipsis.
fn joined(names: &[Arc<str>]) -> String {
    let mut parts: Vec<&str> = names.iter().map(|name| &**name).collect();
    parts.dedup();
    let full = parts.join("+");
    if parts.len() == 1 || full.chars().count() <= NAME_LIMIT {
        return full;
    }
    let short = |part: &str| match part.chars().count() <= NAME_LIMIT / 2 - 2 {
        true => part.to_string(),
        false => part.chars().take(NAME_LIMIT / 2 - 3).chain(['…']).collect(),
    };
    let first = short(parts.first().expect("there are two"));
    let mut tail = short(parts.last().expect("there are two"));
    for part in parts[1..parts.len() - 1].iter().rev() {
        let longer = format!("{part}+{tail}");
        if first.chars().count() + longer.chars().count() + 3 > NAME_LIMIT {
            break;
        }
        tail = longer;
    }
    match parts.len() {
        2 => format!("{first}+{tail}"),
        _ => format!("{first}+…+{tail}"),
    }
}
