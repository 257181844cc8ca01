//! `explain` and `visualize`: what will run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use bytesize::ByteSize;
use partita_graph::Failure;

use crate::array::lower::{ordered, plan};
use crate::array::{AnyArray, DArray, Element};

impl<T: Element> DArray<T> {
    /// The plan as text: the steps as written, the layers of tasks, and what blocks will take. A step that is read several times has a number
    /// and is shown once. A step that does not fit gives its failure as text.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::ones([4, 4], 2).rechunk([4, 1]);
    /// assert!(x.explain().contains("rechunk (2, 2) to (4, 1)"));
    /// assert!(x.explain().contains("result         128 B in 4 blocks"));
    /// ```
    pub fn explain(&self) -> String {
        match plan(self.untyped()) {
            Ok(graph) => format!("steps\n{}\nlayers\n{}\nmemory\n{}", steps(self.untyped()), graph.explain(), memory(self.untyped())),
            Err(failure) => failure.to_string(),
        }
    }

    /// Draws the layers of tasks into a file: `.svg`, `.html`, `.dot` or `.mmd`, by its extension. Needs no other program.
    ///
    /// # Errors
    /// A step that does not fit, another extension, a file that cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        plan(self.untyped())?.visualize(path)
    }
}

/// What the result takes, and the largest block of any step. A task holds the blocks that it reads and the one that it makes.
fn memory(root: &AnyArray) -> String {
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "?".into(), |bytes| ByteSize::b(bytes).to_string());
    let mut text = String::new();
    if let Ok(meta) = root.meta() {
        let blocks = meta.blocks().unwrap_or(0);
        let word = if blocks == 1 { "block" } else { "blocks" };
        writeln!(text, "  result         {} in {blocks} {word}", bytes(meta.nbytes())).expect("text takes everything");
    }
    let known = ordered(root).into_iter().filter_map(|array| Some((array.meta().ok()?.largest_block()?, array)));
    if let Some((largest, array)) = known.max_by_key(|(bytes, _)| *bytes) {
        let step = array.node().step.line();
        writeln!(text, "  largest block  {}, of {step}", bytes(Some(largest))).expect("text takes everything");
    }
    text
}

/// Deeper steps are left out: they would stand beyond any screen's edge.
const MAX_DEPTH: usize = 100;

/// The steps, last first, each with its shape and chunks.
fn steps(root: &AnyArray) -> String {
    let mut readers: BTreeMap<usize, usize> = BTreeMap::new();
    for array in ordered(root) {
        array.node().inputs.iter().for_each(|input| *readers.entry(input.address()).or_default() += 1);
    }
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut text = String::new();
    let mut stack = vec![(root.clone(), 1)];
    while let Some((array, depth)) = stack.pop() {
        let line = array.node().step.line();
        let shared = readers.get(&array.address()).is_some_and(|count| *count > 1);
        let width = depth * 2;
        if let Some(number) = numbers.get(&array.address()) {
            writeln!(text, "{:width$}[{number}] {line}", "").expect("text takes everything");
            continue;
        }
        let mut label = String::new();
        if shared {
            let number = numbers.len() + 1;
            numbers.insert(array.address(), number);
            label = format!("[{number}] ");
        }
        let known = array.meta().map_or_else(|_| String::new(), |meta| format!("  {} in {}", meta.show_shape(), meta.show_chunks()));
        writeln!(text, "{:width$}{label}{line}{known}", "").expect("text takes everything");
        if depth == MAX_DEPTH && !array.node().inputs.is_empty() {
            writeln!(text, "{:width$}  … and what that reads", "").expect("text takes everything");
            continue;
        }
        stack.extend(array.node().inputs.iter().rev().map(|input| (input.clone(), depth + 1)));
    }
    text
}
