//! What is drawn: boxes with text, and links. No coordinates and no format.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::{reads, step_lines, tasks};
use crate::{Graph, Key, Layer, LayerId};

/// More tasks than this are drawn as layers.
const MAX_TASKS: usize = 200;
/// So are graphs with more links between tasks than this.
const MAX_LINKS: usize = 1000;
/// Lines of steps in a box, beyond which a number stands for the rest.
const MAX_LINES: usize = 8;

/// What a box stands for; it decides the look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads no other layer.
    Source,
    /// Reads and is read.
    Inner,
    /// Somebody wants it.
    Wanted,
    /// An earlier run made it.
    Kept,
}

impl Kind {
    /// A word for style sheets and formats.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Source => "source",
            Kind::Inner => "inner",
            Kind::Wanted => "wanted",
            Kind::Kept => "kept",
        }
    }
}

pub(super) struct Node {
    pub title: String,
    /// Beside the title, for example `32 tasks`.
    pub count: String,
    pub lines: Vec<String>,
    /// Everything there is to say, for a tooltip.
    pub tooltip: String,
    pub kind: Kind,
}

pub(super) struct Link {
    /// Positions in [`Picture::nodes`]; the producer comes before the consumer.
    pub from: usize,
    pub to: usize,
    /// The wiring; empty between single tasks.
    pub label: String,
}

/// Boxes, producers first, and links from producers to consumers.
pub(super) struct Picture {
    pub nodes: Vec<Node>,
    pub links: Vec<Link>,
}

impl Picture {
    /// Task by task when the graph is small, else layer by layer. Edges to layers that are not there are left out.
    pub fn of(graph: &Graph) -> Self {
        let small = graph.validate().is_ok() && graph.layers.iter().map(|layer| layer.len as usize).sum::<usize>() <= MAX_TASKS;
        let tasks = if small { Self::tasks(graph) } else { None };
        tasks.unwrap_or_else(|| Self::layers(graph))
    }

    fn layers(graph: &Graph) -> Self {
        let mut wanted: BTreeMap<LayerId, BTreeSet<u32>> = BTreeMap::new();
        for key in &graph.wanted {
            wanted.entry(key.layer).or_default().insert(key.index);
        }
        let mut positions = BTreeMap::new();
        let mut links: Vec<Link> = Vec::new();
        let mut nodes = Vec::with_capacity(graph.layers.len());
        for (at, layer) in graph.layers.iter().enumerate() {
            let first = links.len();
            for edge in &layer.edges {
                let Some(&from) = positions.get(&edge.layer) else { continue };
                let label = edge.wiring.name();
                // A layer may read another twice; one line with both words is enough.
                match links[first..].iter_mut().find(|link| link.from == from) {
                    Some(link) if link.label == label => {}
                    Some(link) => link.label = format!("{}, {label}", link.label),
                    None => links.push(Link { from, to: at, label }),
                }
            }
            let asked = wanted.get(&layer.id).map(|indices| indices.len() as u32);
            nodes.push(Node {
                title: layer.name.to_string(),
                count: tasks(layer.len, asked),
                lines: shortened(step_lines(layer)),
                tooltip: tooltip(graph, layer, &tasks(layer.len, asked)),
                kind: kind(layer, asked.is_some()),
            });
            positions.insert(layer.id, at);
        }
        Self { nodes, links }
    }

    /// `None` when there would be too many links. Only tasks that a wanted one needs are drawn.
    fn tasks(graph: &Graph) -> Option<Self> {
        let needed = graph.needed();
        let wanted: BTreeSet<Key> = graph.wanted.iter().copied().collect();
        let mut positions: BTreeMap<Key, usize> = BTreeMap::new();
        let mut picture = Self { nodes: Vec::new(), links: Vec::new() };
        for layer in &graph.layers {
            for index in 0..layer.len {
                let key = Key::new(layer.id, index);
                if !needed.contains_key(&key) {
                    continue;
                }
                let mut from = BTreeSet::new();
                for edge in &layer.edges {
                    let producer_len = graph.get(edge.layer).map_or(0, |producer| producer.len);
                    let inputs = edge.wiring.inputs(index, producer_len);
                    from.extend(inputs.iter().filter_map(|at| positions.get(&Key::new(edge.layer, at))));
                }
                let to = picture.nodes.len();
                picture.links.extend(from.into_iter().map(|from| Link { from, to, label: String::new() }));
                if picture.links.len() > MAX_LINKS {
                    return None;
                }
                let count = if layer.len == 1 { String::new() } else { format!("{index}") };
                let place = if layer.len == 1 { "1 task".into() } else { format!("task {index} of {}", layer.len) };
                picture.nodes.push(Node {
                    title: layer.name.to_string(),
                    count,
                    lines: Vec::new(),
                    tooltip: tooltip(graph, layer, &place),
                    kind: kind(layer, wanted.contains(&key)),
                });
                positions.insert(key, to);
            }
        }
        Some(picture)
    }
}

fn kind(layer: &Layer, wanted: bool) -> Kind {
    match (layer.fixed, wanted) {
        (true, _) => Kind::Kept,
        (_, true) => Kind::Wanted,
        _ if layer.edges.is_empty() => Kind::Source,
        _ => Kind::Inner,
    }
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MAX_LINES {
        let more = lines.len() - (MAX_LINES - 1);
        lines.truncate(MAX_LINES - 1);
        lines.push(format!("and {more} more steps"));
    }
    lines
}

fn tooltip(graph: &Graph, layer: &Layer, place: &str) -> String {
    let mut lines = vec![format!("{}: {place}", layer.name)];
    lines.extend(step_lines(layer));
    for edge in &layer.edges {
        let name = graph.get(edge.layer).map_or("a layer that is not in the graph", |producer| &producer.name);
        lines.push(format!("reads {} {name}", reads(&edge.wiring)));
    }
    if let Some(origin) = &layer.origin {
        lines.push(format!("at {origin}"));
    }
    lines.join("\n")
}
