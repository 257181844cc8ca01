//! `reduce`: a frame to one value, by tasks of the user's own.

use std::panic::Location;

use partita_graph::{Failure, Key, Layer, OpRef, Origin, Wiring};
use polars::prelude::DataFrame;

use super::Delayed;
use super::call::{Task, TaskOf, on_chunk, on_chunks};
use super::node::{Lowerer, Node, What};
use super::value::TaskValue;
use crate::frame::DFrame;
use crate::frame::lower::FAN_IN;

/// A frame and what is done with its partitions.
#[derive(Clone)]
pub(super) struct Reduction {
    pub frame: DFrame,
    chunk: OpRef,
    combine: OpRef,
    finish: OpRef,
}

impl DFrame {
    /// One value out of all rows, by three tasks: `chunk` makes a value of each partition, `combine` one value of several, which come in
    /// the order of the partitions, and `finish` the result of the last one.
    ///
    /// `combine` is called again with what it gave, as often as it takes, with up to 16 values at a time; it must give the same for one
    /// value as the value itself. For frames of one partition it is not called.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::task;
    ///
    /// #[task]
    /// fn longest(rows: &DataFrame) -> String {
    ///     let texts = rows.column("t").and_then(|column| column.str()).expect("a column of text");
    ///     texts.iter().flatten().max_by_key(|text| text.len()).unwrap_or_default().to_string()
    /// }
    ///
    /// #[task]
    /// fn longest_of(texts: Vec<String>) -> String {
    ///     texts.into_iter().max_by_key(String::len).unwrap_or_default()
    /// }
    ///
    /// #[task]
    /// fn length(text: &str) -> usize {
    ///     text.len()
    /// }
    ///
    /// let frame = DFrame::from_polars(df!("t" => ["a", "ccc", "bb"])?, 3);
    /// assert_eq!(frame.reduce(longest, longest_of, length).compute()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a step of the frame that does not fit; while it runs: what the tasks fail with.
    #[doc(alias = "reduction")]
    #[track_caller]
    pub fn reduce<S, T, A, B, C>(&self, chunk: A, combine: B, finish: C) -> Delayed<T>
    where
        S: TaskValue,
        T: TaskValue,
        A: TaskOf<(DataFrame,)> + Task<Output = S>,
        B: TaskOf<(Vec<S>,)> + Task<Output = S>,
        C: TaskOf<(S,)> + Task<Output = T>,
    {
        // They have no fields: their types say which functions they are.
        let _ = (chunk, combine, finish);
        let reduction = Reduction { frame: self.clone(), chunk: on_chunk::<A>(), combine: on_chunks::<B>(), finish: on_chunk::<C>() };
        Delayed::of(Node::new(What::Reduced(reduction), Origin::at(Location::caller(), ".reduce(…)")))
    }
}

impl Reduction {
    /// The layers, and the key of the result.
    pub fn lower(&self, node: &Node, lowerer: &mut Lowerer) -> Result<Key, Failure> {
        let mut level = lowerer.frame(&self.frame)?;
        let mut tasks = level.partitions;
        let mut add = |name: &str, tasks: u32, op: &OpRef, wiring: Wiring| {
            let layer = Layer::single(name, tasks, op.clone(), vec![level.edge(wiring)]).origin(Some(node.origin.clone()));
            level.layer = lowerer.lowering.graph.add(Layer { annotations: node.annotations.clone(), ..layer });
            level.layer
        };
        add("chunk", tasks, &self.chunk, Wiring::Each);
        while tasks > 1 {
            tasks = tasks.div_ceil(FAN_IN);
            add("combine", tasks, &self.combine, Wiring::Group(FAN_IN));
        }
        Ok(Key::new(add("finish", 1, &self.finish, Wiring::Each), 0))
    }
}
