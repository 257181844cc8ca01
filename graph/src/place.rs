//! The task that failed, as data: which one it is, what it read, which try it was and where it ran.
//!
//! It refuses to know why it failed. Invariant: of a task that reads many chunks the first [`TaskPlace::MOST_INPUTS`] are named,
//! however many there are, so that a failure stays small.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Key, Layer};

/// Keys of inputs that are printed.
const SHOWN: usize = 4;

/// The task that failed.
///
/// ```
/// use partita_graph::{Chunk, Edge, Executor, Failure, Graph, Layer, OpRef, Plain, Serial, Wiring};
///
/// let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
/// let sum = OpRef::closure("sum", 2, |_, _| Err(Failure::internal("too many")));
/// let mut graph = Graph::default();
/// let numbers = graph.add(Layer::single("numbers", 3, number, vec![]));
/// let total = graph.add(Layer::single("total", 1, sum, vec![Edge { layer: numbers, wiring: Wiring::Every }]));
/// graph.want_all(total);
/// let failure = Serial::default().submit(graph)?.wait().unwrap_err();
/// let place = failure.task.as_ref().expect("the task is known");
/// assert_eq!((place.operator.as_str(), place.attempt, place.input_count), ("sum", 1, 3));
/// assert_eq!(place.inputs.iter().map(|key| key.index).collect::<Vec<_>>(), [0, 1, 2]);
/// # Ok::<(), Failure>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlace {
    /// The layer's name and the key.
    pub task: String,
    /// The registered name of the operator that failed; of several in one task the one that was running. Empty when none ran.
    pub operator: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// The worker that ran it. `None` where there are no workers, and when it was not given to one.
    pub worker: Option<String>,
    /// The chunks that it reads, in order: at most [`TaskPlace::MOST_INPUTS`] of them.
    pub inputs: Vec<Key>,
    /// How many it reads.
    pub input_count: u64,
}

impl TaskPlace {
    /// Keys of inputs that a failure names.
    pub const MOST_INPUTS: usize = 64;

    /// A try of a task of this layer. What it reads is not known yet.
    pub fn of(layer: &Layer, key: Key, attempt: u32) -> Self {
        Self { task: format!("{} {key}", layer.name), attempt, ..Self::default() }
    }

    /// Adds what task `index` of the layer reads, where `lens` are the numbers of chunks of the layers that its edges lead to.
    pub fn reading(mut self, layer: &Layer, index: u32, lens: impl IntoIterator<Item = u32>) -> Self {
        self.inputs.clear();
        self.input_count = 0;
        for (edge, len) in layer.edges.iter().zip(lens) {
            let read = edge.wiring.inputs(index, len);
            let room = Self::MOST_INPUTS - self.inputs.len();
            self.inputs.extend(read.iter().take(room).map(|at| Key::new(edge.layer, at)));
            self.input_count += read.len() as u64;
        }
        self
    }

    /// What is known here and there of one task. Of another task, for example of one that the task had submitted and waited for,
    /// nothing is taken over.
    pub fn complete(&mut self, other: TaskPlace) {
        if self.task != other.task {
            return;
        }
        if self.operator.is_empty() {
            self.operator = other.operator;
        }
        if self.worker.is_none() {
            self.worker = other.worker;
        }
        if self.input_count == 0 {
            (self.inputs, self.input_count) = (other.inputs, other.input_count);
        }
    }
}

impl fmt::Display for TaskPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.task)?;
        if self.attempt > 1 {
            write!(f, " (attempt {})", self.attempt)?;
        }
        if let Some(worker) = &self.worker {
            write!(f, " on {worker}")?;
        }
        if self.inputs.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = self.inputs.iter().take(SHOWN).map(Key::to_string).collect();
        write!(f, "\n  inputs: {}", shown.join(", "))?;
        match self.input_count.saturating_sub(shown.len() as u64) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edge, LayerId, OpRef, Wiring};

    fn layer(edges: Vec<Edge>) -> Layer {
        Layer::single("add", 9, OpRef::closure("add", 1, |_, _| unreachable!("it is not run")), edges)
    }

    #[test]
    fn many_inputs_are_counted_and_some_are_named() {
        let layer = layer(vec![
            Edge { layer: LayerId(1), wiring: Wiring::Each },
            Edge { layer: LayerId(2), wiring: Wiring::Every },
            Edge { layer: LayerId(3), wiring: Wiring::Every },
        ]);
        let place = TaskPlace::of(&layer, Key::new(layer.id, 5), 2).reading(&layer, 5, [9, 1_000_000, 7]);
        assert_eq!((place.inputs.len(), place.input_count), (TaskPlace::MOST_INPUTS, 1_000_008));
        assert_eq!(place.inputs[..2], [Key::new(LayerId(1), 5), Key::new(LayerId(2), 0)]);
        let text = place.to_string();
        let expected =
            "(attempt 2)\n  inputs: 0000000000000001#5, 0000000000000002#0, 0000000000000002#1, 0000000000000002#2 and 1000004 more";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn nothing_is_taken_over_from_another_task() {
        let layer = layer(vec![Edge { layer: LayerId(1), wiring: Wiring::Each }]);
        let whole = |index, worker: &str| {
            let place = TaskPlace::of(&layer, Key::new(layer.id, index), 1).reading(&layer, index, [9]);
            TaskPlace { worker: Some(worker.into()), operator: "add".into(), ..place }
        };
        let mut place = TaskPlace::of(&layer, Key::new(layer.id, 3), 1);
        place.complete(whole(4, "w4"));
        assert_eq!(place, TaskPlace::of(&layer, Key::new(layer.id, 3), 1));
        place.complete(whole(3, "w3"));
        assert_eq!(place, whole(3, "w3"));
        place.complete(TaskPlace { worker: Some("w5".into()), ..whole(3, "w3") });
        assert_eq!(place, whole(3, "w3"), "what is known stays");
    }
}
