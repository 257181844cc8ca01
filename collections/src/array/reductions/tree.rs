//! From many states to one for each result, in a tree whose form follows from the grid of blocks and from nothing else.

use std::ops::Range;

use partita_graph::{Layer, OpRef, Table, Wiring};

use crate::array::Node;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::advance;
use crate::array::rechunk::{Lists, reading};
use crate::array::wiring::follow;

/// States that are brought together at a time: few enough to keep memory flat, enough to keep the tree low.
pub(super) const FAN_IN: usize = 16;

/// Brings the chunks of a layer together along the reduced axes of its grid. `combine` makes one state of several, `finish` a result of
/// several; the last layer has one task for each position of the kept axes.
pub(in crate::array) fn tree(
    lowering: &mut Lowering,
    level: Lowered,
    grid: &[usize],
    reduced: &[bool],
    ops: (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    tree_by_steps(lowering, level, grid, reduced, FAN_IN, ops, node)
}

/// The same for states of so many bytes, by tasks that read no more of them than they may hold, beside the state that each makes and a copy of the one
/// that it adds to that. For operators as in [`tree_by_steps`].
pub(in crate::array) fn tree_within(
    lowering: &mut Lowering,
    level: Lowered,
    grid: &[usize],
    reduced: &[bool],
    state: u64,
    ops: (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    let states = usize::try_from(lowering.budget.task() / state.max(1)).unwrap_or(usize::MAX).saturating_sub(2);
    tree_by_steps(lowering, level, grid, reduced, states, ops, node)
}

/// The same by tasks that read at most so many states: several in a row, each of which goes on with what the one before made, then do what one would. Only
/// for operators that begin with the first state and bring one after the other to it, so that this changes nothing.
pub(in crate::array) fn tree_by_steps(
    lowering: &mut Lowering,
    mut level: Lowered,
    grid: &[usize],
    reduced: &[bool],
    most: usize,
    (combine, finish): (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    let row = Row { most: most.max(2), combine };
    let of = |wanted: bool| grid.iter().zip(reduced).filter(move |(_, reduced)| **reduced == wanted).map(|(blocks, _)| *blocks);
    let kept: usize = of(false).product();
    let mut left: usize = of(true).product();
    if left <= FAN_IN {
        let kept_grid: Vec<usize> = of(false).collect();
        let mut next = 0..;
        let axes: Vec<Option<usize>> = reduced.iter().map(|reduced| if *reduced { None } else { next.next() }).collect();
        let wiring = follow(grid, &kept_grid, &axes);
        return row.lower(lowering, "finish", (level, grid.iter().product()), (wiring, kept), &finish, node);
    }
    let mut wiring = first_groups(grid, reduced, kept, left);
    while left > FAN_IN {
        let states = kept * left;
        left = left.div_ceil(FAN_IN);
        level = row.lower(lowering, "combine", (level, states), (wiring, kept * left), combine, node);
        // From here on the states of a result stand side by side.
        wiring = groups(kept, left, |result, at| (result * left + at) as u32);
    }
    let wiring = follow(&[kept, left], &[kept], &[Some(0), None]);
    row.lower(lowering, "finish", (level, kept * left), (wiring, kept), &finish, node)
}

/// The groups in which the tree of a grid first brings states together, for tasks that fold the blocks of a group by themselves; `None` where
/// it has no level below the last. What they make goes on as a grid of results by groups, of which the second axis is reduced.
pub(super) fn groups_of(grid: &[usize], reduced: &[bool]) -> Option<(Wiring, [usize; 2])> {
    let of = |wanted: bool| grid.iter().zip(reduced).filter(|(_, reduced)| **reduced == wanted).map(|(blocks, _)| *blocks).product();
    let (kept, left): (usize, usize) = (of(false), of(true));
    (left > FAN_IN).then(|| (first_groups(grid, reduced, kept, left), [kept, left.div_ceil(FAN_IN)]))
}

/// Tasks in a row that do what one would.
struct Row<'a> {
    /// States that a task reads.
    most: usize,
    combine: &'a OpRef,
}

impl Row<'_> {
    /// The layers that bring the states of a layer of so many together for so many tasks, as the rule says; the last of them by `last`.
    fn lower(
        &self,
        lowering: &mut Lowering,
        name: &str,
        (level, states): (Lowered, usize),
        (wiring, tasks): (Wiring, usize),
        last: &OpRef,
        node: &Node,
    ) -> Lowered {
        let read = |task: u32| wiring.inputs(task, states as u32).iter().map(|state| state as usize).collect::<Vec<usize>>();
        let read: Vec<Vec<usize>> = if self.most < FAN_IN { (0..tasks as u32).map(read).collect() } else { Vec::new() };
        let longest = read.iter().map(Vec::len).max().unwrap_or(0);
        if longest <= self.most {
            return lowering.add(Layer::single(name, tasks as u32, last.clone(), vec![level.edge(wiring)]), node);
        }
        let first = going_on(lowering, name, self.combine, (level, &read[..], 0..self.most), None, node);
        let mut done = (first, self.most);
        while done.1 < longest {
            let end = done.1 + self.most - 1;
            let op = if end < longest { self.combine } else { last };
            done = (going_on(lowering, name, op, (level, &read[..], done.1..end), Some(done.0), node), end);
        }
        done.0
    }
}

/// A layer whose tasks go on with those before, if there are any, and read some of what they are to read.
fn going_on(
    lowering: &mut Lowering,
    name: &str,
    op: &OpRef,
    (level, read, some): (Lowered, &[Vec<usize>], Range<usize>),
    before: Option<Lowered>,
    node: &Node,
) -> Lowered {
    let mut states = Lists::new();
    read.iter().for_each(|read| states.push(read.iter().copied().skip(some.start).take(some.len())));
    let before = before.map(|before| reading(before, 0..read.len()));
    let edges = before.into_iter().chain([level.edge(states.wiring())]).collect();
    lowering.add(Layer::single(name, read.len() as u32, op.clone(), edges), node)
}

/// Groups of the chunks of each result, in row-major order of the reduced axes.
fn first_groups(grid: &[usize], reduced: &[bool], kept: usize, left: usize) -> Wiring {
    let mut places = vec![vec![0u32; left]; kept];
    let mut position = vec![0; grid.len()];
    let mut chunk = 0;
    loop {
        let number = |wanted: bool| {
            let axes = position.iter().zip(grid).zip(reduced).filter(|(_, reduced)| **reduced == wanted);
            axes.fold(0, |number, ((at, blocks), _)| number * blocks + at)
        };
        places[number(false)][number(true)] = chunk;
        chunk += 1;
        if !advance(&mut position, grid) {
            break;
        }
    }
    groups(kept, left, |result, at| places[result][at])
}

/// For each result its chunks in groups of at most `FAN_IN`.
fn groups(kept: usize, left: usize, chunk: impl Fn(usize, usize) -> u32) -> Wiring {
    if kept == 1 && (0..left).all(|at| chunk(0, at) == at as u32) {
        return Wiring::Group(FAN_IN as u32);
    }
    let (mut offsets, mut indices) = (vec![0], Vec::with_capacity(kept * left));
    for result in 0..kept {
        for first in (0..left).step_by(FAN_IN) {
            indices.extend((first..left.min(first + FAN_IN)).map(|at| chunk(result, at)));
            offsets.push(indices.len() as u32);
        }
    }
    Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_the_grid() {
        assert_eq!(first_groups(&[40], &[true], 1, 40), Wiring::Group(16));
        let Wiring::Table(table) = first_groups(&[2, 3], &[true, false], 3, 2) else { panic!("not contiguous") };
        assert_eq!((&*table.offsets, &*table.indices), (&[0, 2, 4, 6][..], &[0, 3, 1, 4, 2, 5][..]));
        assert_eq!(groups_of(&[40], &[true]), Some((Wiring::Group(16), [1, 3])));
        assert_eq!(groups_of(&[40, 16], &[false, true]), None, "the last tasks bring all together");
        let Wiring::Table(table) = first_groups(&[2, 20], &[false, true], 2, 20) else { panic!("two results") };
        assert_eq!(&*table.offsets, [0, 16, 20, 36, 40]);
        assert_eq!(&*table.indices, (0..40).collect::<Vec<u32>>());
    }
}
