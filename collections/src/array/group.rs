//! Which elementwise steps become one program: a chain of them, also with branches that come together again, passes over memory once.
//!
//! It refuses to know how programs are run. The invariants: a step is calculated once, unless it is so cheap and has so few inputs that
//! calculating it again costs less than keeping it; and programs stay small, so that their buffers fit the cache.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Failure;

use super::element::DType;
use super::ops::elementwise::Elementwise;
use super::tile::{Instruction, Program, Source};
use super::{AnyArray, Node};

/// Steps of one program, about.
const MOST_STEPS: usize = 64;
/// Inputs of one program, about.
const MOST_INPUTS: usize = 16;
/// Work that may be done again for each reader, in additions an element: less than reading or writing the element takes.
const CHEAP: u32 = 4;

/// Where a step's result is wanted.
#[derive(Clone, Copy, PartialEq)]
enum Head {
    /// As blocks of its own.
    Own,
    /// In the program of this array alone.
    Of(usize),
    /// In several programs.
    Several,
}

/// The arrays that have no blocks of their own, because they are made inside their readers' programs.
#[derive(Default)]
pub(crate) struct Groups {
    inlined: BTreeSet<usize>,
}

/// What a program would be if this step were part of it.
struct Size {
    steps: usize,
    cost: u32,
    leaves: BTreeSet<usize>,
}

impl Groups {
    /// Of arrays in order, each after what it reads, the last of which is wanted.
    pub fn of(ordered: &[AnyArray]) -> Self {
        let places: BTreeMap<usize, usize> = ordered.iter().enumerate().map(|(at, array)| (array.address(), at)).collect();
        let mut readers = vec![Vec::new(); ordered.len()];
        for (at, array) in ordered.iter().enumerate() {
            array.node().inputs.iter().for_each(|input| readers[places[&input.address()]].push(at));
        }
        let mut heads = vec![Head::Own; ordered.len()];
        for at in (0..ordered.len()).rev() {
            heads[at] = head(ordered, at, &readers[at], &heads);
        }
        let mut groups = Self::default();
        let mut sizes: Vec<Option<Size>> = Vec::with_capacity(ordered.len());
        for (at, array) in ordered.iter().enumerate() {
            let size = (heads[at] != Head::Own).then(|| size_with(array, &places, &sizes));
            let fits = |size: &Size| {
                let small = size.steps <= MOST_STEPS && size.leaves.len() <= MOST_INPUTS;
                small && (heads[at] != Head::Several || (size.cost <= CHEAP && size.leaves.len() <= 1))
            };
            let size = size.filter(fits);
            if size.is_some() {
                groups.inlined.insert(array.address());
            }
            sizes.push(size);
        }
        groups
    }

    /// Whether the array has no blocks of its own.
    pub fn is_inlined(&self, array: &AnyArray) -> bool {
        self.inlined.contains(&array.address())
    }

    /// The program of an elementwise step that has blocks of its own, and what it reads.
    pub fn program(&self, node: &Node, step: &Elementwise) -> Result<(Program, Vec<AnyArray>), Failure> {
        let mut gathering = Gathering::new(self);
        let result = gathering.step(node, step)?;
        Ok(gathering.end(result))
    }

    /// The program that gives an array to a step that takes it in, and what it reads.
    pub fn program_for(&self, array: &AnyArray) -> Result<(Program, Vec<AnyArray>), Failure> {
        let mut gathering = Gathering::new(self);
        let result = gathering.source(array)?;
        Ok(gathering.end(result))
    }
}

/// Where the result of a step is wanted, given where those of its readers are.
fn head(ordered: &[AnyArray], at: usize, readers: &[usize], heads: &[Head]) -> Head {
    let array = &ordered[at];
    if array.node().step.elementwise().is_none() {
        return Head::Own;
    }
    let mut found = None;
    for reader in readers {
        if !takes_in(ordered[*reader].node(), array) {
            return Head::Own;
        }
        let head = if heads[*reader] == Head::Own { Head::Of(*reader) } else { heads[*reader] };
        found = Some(if found.is_none_or(|found| found == head) { head } else { Head::Several });
    }
    found.unwrap_or(Head::Own)
}

/// Whether a reader can make the array inside its own program: element by element, without repeating any.
fn takes_in(reader: &Node, array: &AnyArray) -> bool {
    let reads = |input: &AnyArray| input.address() == array.address();
    if reader.step.absorbs() {
        return reader.inputs.first().is_some_and(reads) && !reader.inputs.iter().skip(1).any(reads);
    }
    let same_shape = match (&reader.meta, &array.node().meta) {
        (Ok(reader), Ok(array)) => reader.lens() == array.lens(),
        _ => false,
    };
    reader.step.elementwise().is_some() && same_shape
}

/// What a program would be with this step and those below it that are inlined.
fn size_with(array: &AnyArray, places: &BTreeMap<usize, usize>, sizes: &[Option<Size>]) -> Size {
    let cost = array.node().step.elementwise().map_or(0, |step| step.op.cost());
    let mut size = Size { steps: 1, cost, leaves: BTreeSet::new() };
    let inputs: BTreeSet<usize> = array.node().inputs.iter().map(|input| places[&input.address()]).collect();
    for input in inputs {
        match &sizes[input] {
            Some(below) => {
                size.steps += below.steps;
                size.cost = size.cost.saturating_add(below.cost);
                size.leaves.extend(&below.leaves);
            }
            None => {
                size.leaves.insert(input);
            }
        }
    }
    size
}

/// A program under construction.
struct Gathering<'a> {
    groups: &'a Groups,
    kinds: Vec<DType>,
    inputs: Vec<AnyArray>,
    steps: Vec<Instruction>,
    known: BTreeMap<usize, Source>,
}

impl<'a> Gathering<'a> {
    fn new(groups: &'a Groups) -> Self {
        Self { groups, kinds: Vec::new(), inputs: Vec::new(), steps: Vec::new(), known: BTreeMap::new() }
    }

    fn source(&mut self, array: &AnyArray) -> Result<Source, Failure> {
        if let Some(source) = self.known.get(&array.address()) {
            return Ok(*source);
        }
        let source = match array.node().step.elementwise() {
            Some(step) if self.groups.is_inlined(array) => self.step(array.node(), step)?,
            _ => {
                self.kinds.push(array.meta()?.dtype);
                self.inputs.push(array.clone());
                Source::Input(self.inputs.len() as u16 - 1)
            }
        };
        self.known.insert(array.address(), source);
        Ok(source)
    }

    fn step(&mut self, node: &Node, step: &Elementwise) -> Result<Source, Failure> {
        let mut args = Vec::with_capacity(step.args.len());
        for arg in &step.args {
            args.push(match arg {
                Source::Input(at) => self.source(&node.inputs[*at as usize])?,
                Source::Step(_) | Source::Scalar(_) => *arg,
            });
        }
        let instruction = Instruction { op: step.op, dtype: step.dtype, args };
        // The same may have been written twice.
        let at = self.steps.iter().position(|known| *known == instruction).unwrap_or_else(|| {
            self.steps.push(instruction);
            self.steps.len() - 1
        });
        Ok(Source::Step(at as u16))
    }

    fn end(self, result: Source) -> (Program, Vec<AnyArray>) {
        (Program { inputs: self.kinds, steps: self.steps, result }, self.inputs)
    }
}
