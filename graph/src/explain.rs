//! A graph as text, from the results down to the sources.
//!
//! It refuses to know what operators do: it prints the lines that they brought along. Each layer is printed once; where
//! it is read again, its number stands for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use crate::{Edge, Graph, Layer, LayerId, Wiring};

impl Graph {
    /// The plan as a tree: each layer with its number of tasks and the steps of one task, and below it what it reads.
    ///
    /// Layers that more than one other reads have a number and are printed where they are met first.
    ///
    /// ```
    /// use partita_graph::{Chunk, Edge, Graph, Layer, OpRef, Plain, Wiring};
    ///
    /// let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
    /// let first = OpRef::closure("first of all", 2, |_, inputs| Ok(inputs[0].clone()));
    /// let mut graph = Graph::default();
    /// let numbers = graph.add(Layer::single("numbers", 10, number, vec![]));
    /// let end = graph.add(Layer::single("end", 1, first, vec![Edge { layer: numbers, wiring: Wiring::Every }]));
    /// graph.want_all(end);
    /// assert_eq!(graph.explain(), "\
    /// end  1 task
    /// │  first of all
    /// └─ every of numbers  10 tasks
    ///       number
    /// ");
    /// ```
    pub fn explain(&self) -> String {
        Explanation::of(self).text()
    }
}

/// How a layer finds its inputs, in the words of plans: `each of`, `groups of 8 of`, `every of`.
pub(crate) fn reads(wiring: &Wiring) -> String {
    match wiring {
        Wiring::Group(n) => format!("groups of {n} of"),
        Wiring::Block(_) => "blocks of".into(),
        Wiring::Table(_) => "listed tasks of".into(),
        Wiring::Each | Wiring::Every | Wiring::Part => format!("{} of", wiring.name()),
    }
}

/// `1 task`, `32 tasks`, and how many of them are wanted when that is some.
pub(crate) fn tasks(len: u32, wanted: Option<u32>) -> String {
    let count = format!("{len} {}", if len == 1 { "task" } else { "tasks" });
    match wanted {
        Some(wanted) if wanted < len => format!("{count}, {wanted} wanted"),
        _ => count,
    }
}

/// What the steps of a layer say, without a line that only repeats the name.
pub(crate) fn step_lines(layer: &Layer) -> Vec<String> {
    let steps = &layer.kernel.steps;
    let lines = steps.iter().filter(|step| steps.len() > 1 || step.op.label != layer.name);
    lines.flat_map(|step| step.op.label.lines().map(str::to_string).collect::<Vec<_>>()).collect()
}

/// Deeper levels are left out: they would stand beyond any screen's edge.
const MAX_DEPTH: usize = 100;

struct Explanation<'a> {
    layers: BTreeMap<LayerId, &'a Arc<Layer>>,
    /// How many tasks of a layer are wanted.
    wanted: BTreeMap<LayerId, u32>,
    roots: Vec<LayerId>,
    /// Layers that are met more than once.
    shared: BTreeSet<LayerId>,
}

/// A line to come: a layer and what stands before it.
struct Visit<'a> {
    layer: LayerId,
    /// Before the layer's own line, for example `│  ├─ `.
    head: String,
    /// Before all lines below it, for example `│  │  `.
    below: String,
    edge: Option<&'a Edge>,
    depth: usize,
}

impl<'a> Explanation<'a> {
    fn of(graph: &'a Graph) -> Self {
        let layers: BTreeMap<_, _> = graph.layers.iter().map(|layer| (layer.id, layer)).collect();
        let mut wanted: BTreeMap<LayerId, BTreeSet<u32>> = BTreeMap::new();
        let mut roots = Vec::new();
        for key in &graph.wanted {
            if !wanted.contains_key(&key.layer) {
                roots.push(key.layer);
            }
            wanted.entry(key.layer).or_default().insert(key.index);
        }
        let mut met: BTreeSet<LayerId> = roots.iter().copied().collect();
        let mut shared = BTreeSet::new();
        let needed = crate::optimize::cull(graph);
        for edge in needed.layers.iter().filter(|layer| !layer.fixed).flat_map(|layer| &layer.edges) {
            if !met.insert(edge.layer) {
                shared.insert(edge.layer);
            }
        }
        let wanted = wanted.into_iter().map(|(id, indices)| (id, indices.len() as u32)).collect();
        Self { layers, wanted, roots, shared }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut numbers: BTreeMap<LayerId, usize> = BTreeMap::new();
        let roots = self.roots.iter().rev();
        // A stack of its own, so that a very long chain does not use up the thread's.
        let mut stack: Vec<Visit> =
            roots.map(|&layer| Visit { layer, head: String::new(), below: String::new(), edge: None, depth: 0 }).collect();
        while let Some(visit) = stack.pop() {
            let reads = visit.edge.map_or_else(String::new, |edge| reads(&edge.wiring) + " ");
            if let Some(number) = numbers.get(&visit.layer) {
                let name = self.layers.get(&visit.layer).map_or("", |layer| &layer.name);
                writeln!(text, "{}{reads}[{number}] {name}", visit.head).expect("a string takes all");
                continue;
            }
            let mut label = String::new();
            if self.shared.contains(&visit.layer) {
                let number = numbers.len() + 1;
                numbers.insert(visit.layer, number);
                label = format!("[{number}] ");
            }
            self.layer(&visit, &format!("{}{reads}{label}", visit.head), &mut text, &mut stack);
        }
        text
    }

    /// Prints one layer and leaves its inputs on the stack, the first on top.
    fn layer(&self, visit: &Visit, head: &str, text: &mut String, stack: &mut Vec<Visit<'a>>) {
        let Some(layer) = self.layers.get(&visit.layer) else {
            writeln!(text, "{head}{} (not in the graph)", visit.layer).expect("a string takes all");
            return;
        };
        let count = tasks(layer.len, self.wanted.get(&layer.id).copied());
        let kept = if layer.fixed { "  kept from an earlier run" } else { "" };
        writeln!(text, "{head}{}  {count}{kept}", layer.name).expect("a string takes all");
        let edges: &[Edge] = if layer.fixed { &[] } else { &layer.edges };
        if visit.depth == MAX_DEPTH && !edges.is_empty() {
            writeln!(text, "{}└─ … and what that reads", visit.below).expect("a string takes all");
            return;
        }
        let bar = if edges.is_empty() { "   " } else { "│  " };
        for line in step_lines(layer) {
            writeln!(text, "{}{bar}{line}", visit.below).expect("a string takes all");
        }
        for (at, edge) in edges.iter().enumerate().rev() {
            let (corner, bar) = if at + 1 == edges.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = &visit.below;
            stack.push(Visit {
                layer: edge.layer,
                head: format!("{below}{corner}"),
                below: format!("{below}{bar}"),
                edge: Some(edge),
                depth: visit.depth + 1,
            });
        }
    }
}
