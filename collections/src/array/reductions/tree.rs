//! From many states to one for each result, in a tree whose form follows from the grid of blocks and from nothing else.

use partita_graph::{Layer, OpRef, Table, Wiring};

use crate::array::Node;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::advance;
use crate::array::wiring::follow;

/// States that are brought together at a time: few enough to keep memory flat, enough to keep the tree low.
const FAN_IN: usize = 16;

/// Brings the chunks of a layer together along the reduced axes of its grid. `combine` makes one state of several, `finish` a result of
/// several; the last layer has one task for each position of the kept axes.
pub(in crate::array) fn tree(
    lowering: &mut Lowering,
    mut level: Lowered,
    grid: &[usize],
    reduced: &[bool],
    (combine, finish): (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    let (kept, left) = counts(grid, reduced);
    if left <= FAN_IN {
        let kept_grid: Vec<usize> = grid.iter().zip(reduced).filter(|(_, reduced)| !**reduced).map(|(blocks, _)| *blocks).collect();
        let mut next = 0..;
        let axes: Vec<Option<usize>> = reduced.iter().map(|reduced| if *reduced { None } else { next.next() }).collect();
        let wiring = follow(grid, &kept_grid, &axes);
        return lowering.add(Layer::single("finish", kept as u32, finish, vec![level.edge(wiring)]), node);
    }
    let wiring = first_groups(grid, reduced, kept, left);
    let left = left.div_ceil(FAN_IN);
    level = lowering.add(Layer::single("combine", (kept * left) as u32, combine.clone(), vec![level.edge(wiring)]), node);
    above_groups(lowering, level, (kept, left), (combine, finish), node)
}

/// Results, and how many blocks each is made of.
fn counts(grid: &[usize], reduced: &[bool]) -> (usize, usize) {
    let of = |wanted: bool| grid.iter().zip(reduced).filter(|(_, reduced)| **reduced == wanted).map(|(blocks, _)| *blocks).product();
    (of(false), of(true))
}

/// The groups in which the tree of a grid brings states of blocks together first; `None` where one task brings all of a result together.
pub(super) fn groups_of(grid: &[usize], reduced: &[bool]) -> Option<Wiring> {
    let (kept, left) = counts(grid, reduced);
    (left > FAN_IN).then(|| first_groups(grid, reduced, kept, left))
}

/// The rest of the tree of a grid. The chunks of the layer are states of the groups of [`groups_of`].
pub(super) fn tree_of_groups(
    lowering: &mut Lowering,
    level: Lowered,
    (grid, reduced): (&[usize], &[bool]),
    ends: (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    let (kept, left) = counts(grid, reduced);
    above_groups(lowering, level, (kept, left.div_ceil(FAN_IN)), ends, node)
}

/// Brings states together of which those of a result stand side by side.
fn above_groups(
    lowering: &mut Lowering,
    mut level: Lowered,
    (kept, mut left): (usize, usize),
    (combine, finish): (&OpRef, OpRef),
    node: &Node,
) -> Lowered {
    while left > FAN_IN {
        let wiring = groups(kept, left, |result, at| (result * left + at) as u32);
        left = left.div_ceil(FAN_IN);
        level = lowering.add(Layer::single("combine", (kept * left) as u32, combine.clone(), vec![level.edge(wiring)]), node);
    }
    let wiring = follow(&[kept, left], &[kept], &[Some(0), None]);
    lowering.add(Layer::single("finish", kept as u32, finish, vec![level.edge(wiring)]), node)
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
        let Wiring::Table(table) = first_groups(&[2, 20], &[false, true], 2, 20) else { panic!("two results") };
        assert_eq!(&*table.offsets, [0, 16, 20, 36, 40]);
        assert_eq!(&*table.indices, (0..40).collect::<Vec<u32>>());
    }
}
