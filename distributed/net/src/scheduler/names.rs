//! Texts that one graph of a client after the other repeats: names of operators and layers, lines for plans, the user's line. A program
//! that submits a hundred thousand calls of one function says them a hundred thousand times, and they are kept once.
//!
//! It refuses to know what a graph is for. Invariant: what a layer says is not changed, only where it is written down.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_graph::{Graph, Origin};

/// So many texts are remembered; then all are forgotten, and layers keep those that they have.
const MOST: usize = 1_024;
/// Longer texts are seldom said twice.
const LONGEST: usize = 256;

/// What one client has said lately.
#[derive(Default)]
pub(super) struct Names {
    texts: BTreeSet<Arc<str>>,
    origin: Option<Arc<Origin>>,
}

impl Names {
    /// Lets the layers of a graph that has just come have their texts together with those before.
    pub fn share(&mut self, graph: &mut Graph) {
        for layer in graph.layers.iter_mut().filter_map(Arc::get_mut) {
            self.text(&mut layer.name);
            let kernel = Arc::get_mut(&mut layer.kernel);
            for step in kernel.into_iter().flat_map(|kernel| &mut kernel.steps) {
                self.text(&mut step.op.payload.name);
                self.text(&mut step.op.label);
                if let Some(origin) = &mut step.op.origin {
                    self.line(origin);
                }
            }
        }
    }

    fn text(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.texts.get(&**text) {
            *text = known.clone();
        } else if text.len() <= LONGEST {
            if self.texts.len() >= MOST {
                self.texts.clear();
            }
            self.texts.insert(text.clone());
        }
    }

    /// Calls in a loop have one line.
    fn line(&mut self, line: &mut Arc<Origin>) {
        match &self.origin {
            Some(known) if known == line => *line = known.clone(),
            _ => self.origin = Some(line.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Chunk, Layer, OpRef, Plain};

    fn graph(name: &str, token: u64) -> Graph {
        let op = OpRef::closure("add one", token, |_, _| Ok(Chunk::new(Plain(1i64))));
        let origin = Origin { file: "src/main.rs".into(), line: 7, column: 1, step: "add_one(…)".into() };
        let mut graph = Graph::default();
        graph.add(Layer::single(name, 1, op, vec![]).origin(Some(origin)));
        graph
    }

    #[test]
    fn what_is_said_again_is_kept_once_and_says_the_same() {
        let mut names = Names::default();
        let (mut first, mut second, mut other) = (graph("call", 1), graph("call", 2), graph("another call", 3));
        for graph in [&mut first, &mut second, &mut other] {
            let before = format!("{graph:?}");
            names.share(graph);
            assert_eq!(format!("{graph:?}"), before);
        }
        let step = |graph: &Graph| graph.layers[0].kernel.steps[0].op.clone();
        assert!(Arc::ptr_eq(&first.layers[0].name, &second.layers[0].name));
        assert!(Arc::ptr_eq(&step(&first).payload.name, &step(&other).payload.name));
        assert!(Arc::ptr_eq(&step(&first).payload.name, &step(&first).label));
        assert!(step(&first).origin.zip(step(&other).origin).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other)));
        assert_eq!(names.texts.len(), 3);
    }

    #[test]
    fn a_client_that_never_repeats_itself_takes_a_bounded_room() {
        let mut names = Names::default();
        for turn in 0..3_000 {
            names.share(&mut graph(&format!("call {turn}"), turn));
        }
        names.share(&mut graph(&"long".repeat(100), 7));
        assert!(names.texts.len() <= MOST && !names.texts.iter().any(|text| text.len() > LONGEST));
    }
}
