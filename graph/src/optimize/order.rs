//! Puts layers into an order that finishes one chain before it begins the next.
//!
//! Executors prefer tasks of earlier layers, so this order is what keeps few chunks alive at a time. It refuses to weigh
//! layers by size, which nobody knows at this point. Where two orders are equally good the given one is kept.

use crate::Graph;

/// The same layers, each right after the producers that it still had to wait for.
///
/// It is a depth-first walk from the layers that nobody reads, in the given order, so independent branches keep their
/// order and running it again changes nothing.
pub fn order(graph: &Graph) -> Graph {
    let Some(mut producers) = super::producers(graph) else { return graph.clone() };
    let mut read = vec![false; producers.len()];
    for list in &mut producers {
        list.sort_unstable();
        list.dedup();
        list.iter().for_each(|&producer| read[producer] = true);
    }
    let mut placed = vec![false; producers.len()];
    let mut layers = Vec::with_capacity(producers.len());
    for sink in (0..producers.len()).filter(|&at| !read[at]) {
        // A stack of its own: a chain of a hundred thousand layers must not use up the thread's.
        let mut stack = vec![(sink, 0)];
        while let Some((at, next)) = stack.pop() {
            match producers[at].get(next) {
                Some(&producer) => {
                    stack.push((at, next + 1));
                    if !placed[producer] {
                        stack.push((producer, 0));
                    }
                }
                None => {
                    placed[at] = true;
                    layers.push(graph.layers[at].clone());
                }
            }
        }
    }
    Graph::new(layers, graph.wanted.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edge, Layer, LayerId, OpRef, Wiring};

    fn layer(name: &str, reads: &[LayerId]) -> Layer {
        let op = OpRef::closure(name, 0, |_, inputs| Ok(inputs[0].clone()));
        let edges = reads.iter().map(|&layer| Edge { layer, wiring: Wiring::Each }).collect();
        Layer::single(name, 1, op, edges)
    }

    fn names(graph: &Graph) -> Vec<&str> {
        graph.layers.iter().map(|layer| &*layer.name).collect()
    }

    #[test]
    fn chains_are_finished_one_by_one() {
        let mut graph = Graph::default();
        let a = graph.add(layer("a", &[]));
        let b = graph.add(layer("b", &[]));
        let a2 = graph.add(layer("a2", &[a]));
        let b2 = graph.add(layer("b2", &[b]));
        graph.add(layer("end", &[b2, a2]));
        let ordered = order(&graph);
        assert_eq!(names(&ordered), ["a", "a2", "b", "b2", "end"]);
        assert_eq!(names(&order(&ordered)), names(&ordered));
        assert!(ordered.validate().is_ok());
    }

    #[test]
    fn a_shared_producer_comes_once_and_the_given_order_stays() {
        let mut graph = Graph::default();
        let a = graph.add(layer("a", &[]));
        let left = graph.add(layer("left", &[a]));
        let right = graph.add(layer("right", &[a]));
        graph.add(layer("end", &[right, left]));
        assert_eq!(names(&order(&graph)), ["a", "left", "right", "end"]);
    }

    #[test]
    fn a_long_chain_does_not_use_up_the_stack() {
        let mut graph = Graph::default();
        let mut last: Vec<LayerId> = Vec::new();
        for _ in 0..100_000 {
            let next = std::sync::Arc::new(layer("x", &last));
            last = vec![next.id];
            graph.layers.push(next);
        }
        assert_eq!(order(&graph).layers.len(), 100_000);
    }
}
