//! `concatenate` and its kin: arrays one behind the other, above each other, in a new axis; and an array in several.
//!
//! Blocks are handed on as they are, so that nothing is copied where the chunks along the other axes agree.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::alike::Alike;
use crate::array::block::block_of;
use crate::array::broadcast::broadcast;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, axis_of};
use crate::array::rechunk::{Lists, rechunk};
use crate::array::{AnyArray, DArray, Element, Node, Step};

/// Arrays one behind the other along an axis. Along the others they are of the same length.
///
/// ```
/// use partita::{concatenate, prelude::*};
/// use partita::ndarray::array;
/// let x = DArray::from_array(array![[1, 2], [3, 4]], 1);
/// assert_eq!(concatenate(&[x.clone(), x.t()], 1).compute()?, array![[1, 2, 1, 3], [3, 4, 2, 4]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: no arrays, other numbers of axes, other lengths along another axis than this one.
#[doc(alias = "append")]
#[track_caller]
pub fn concatenate<T: Element>(arrays: &[DArray<T>], axis: isize) -> DArray<T> {
    let Some((first, rest)) = arrays.split_first() else {
        let failure = Failure::new(Code::InvalidOption, "no arrays to put one behind the other");
        return DArray::failed(failure, "concatenate(…)");
    };
    if rest.is_empty() {
        return first.clone();
    }
    let origin = Origin::here("concatenate(…)");
    let mut arrays: Vec<AnyArray> = arrays.iter().map(DArray::to_any).collect();
    // In a tree: a layer that read a thousand others would hold a list of all its tasks for each of them.
    while arrays.len() > 1 {
        let group = |group: &[AnyArray]| match group {
            [one] => one.clone(),
            _ => AnyArray::build(Arc::new(Concatenate { axis }), group.to_vec(), origin.clone()),
        };
        arrays = arrays.chunks(FAN_IN).map(group).collect();
    }
    DArray::of(arrays.swap_remove(0))
}

/// Arrays that come together at a time.
const FAN_IN: usize = 16;

/// Arrays of the same shape along a new axis, at this place of the result.
///
/// ```
/// use partita::{prelude::*, stack};
/// let (x, y) = (DArray::<f64>::zeros([3], 2), DArray::<f64>::ones([3], 2));
/// assert_eq!(stack(&[x.clone(), y.clone()], 0).shape()?, [2, 3]);
/// assert_eq!(stack(&[x, y], -1).shape()?, [3, 2]);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: no arrays, other shapes, a place that the result does not have.
#[track_caller]
pub fn stack<T: Element>(arrays: &[DArray<T>], axis: isize) -> DArray<T> {
    let mut layers = Vec::with_capacity(arrays.len());
    for array in arrays {
        layers.push(array.expand_dims(axis));
    }
    concatenate(&layers, axis)
}

/// Arrays above each other: along the first axis; lines become rows first.
///
/// # Errors
/// As [`concatenate`].
#[doc(alias = "row_stack")]
#[track_caller]
pub fn vstack<T: Element>(arrays: &[DArray<T>]) -> DArray<T> {
    let mut rows = Vec::with_capacity(arrays.len());
    for array in arrays {
        rows.push(array.at_least(2));
    }
    concatenate(&rows, 0)
}

/// Arrays beside each other: along the second axis; lines along their only one.
///
/// ```
/// use partita::{hstack, prelude::*, vstack};
/// let x = DArray::arange(0, 3, 1, 2);
/// assert_eq!(vstack(&[x.clone(), x.clone()]).shape()?, [2, 3]);
/// assert_eq!(hstack(&[x.clone(), x]).shape()?, [6]);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`concatenate`].
#[track_caller]
pub fn hstack<T: Element>(arrays: &[DArray<T>]) -> DArray<T> {
    let lines = arrays.iter().all(|array| array.ndim().is_ok_and(|ndim| ndim <= 1));
    let mut parts = Vec::with_capacity(arrays.len());
    for array in arrays {
        parts.push(array.at_least(1));
    }
    concatenate(&parts, if lines { 0 } else { 1 })
}

/// Arrays behind each other: along the third axis. Lines and tables get the axes that they lack.
///
/// # Errors
/// As [`concatenate`].
#[track_caller]
pub fn dstack<T: Element>(arrays: &[DArray<T>]) -> DArray<T> {
    let mut deep = Vec::with_capacity(arrays.len());
    for array in arrays {
        deep.push(match array.ndim() {
            Ok(0 | 1) => array.at_least(2).expand_dims(-1),
            Ok(2) => array.expand_dims(-1),
            _ => array.clone(),
        });
    }
    concatenate(&deep, 2)
}

/// One array of a table of arrays: those of a row beside each other (along the last axis), rows above each other (along the one before).
///
/// ```
/// use partita::{from_blocks, prelude::*};
/// let (one, zero) = (DArray::<f64>::eye(2, 2), DArray::<f64>::zeros([2, 3], 2));
/// let found = from_blocks(&[&[one.clone(), zero.clone()], &[one, zero]]);
/// assert_eq!(found.shape()?, [4, 5]);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`concatenate`].
#[doc(alias = "block")]
#[track_caller]
pub fn from_blocks<T: Element>(rows: &[&[DArray<T>]]) -> DArray<T> {
    let mut joined = Vec::with_capacity(rows.len());
    for row in rows {
        let mut beside = Vec::with_capacity(row.len());
        for array in *row {
            beside.push(array.at_least(2));
        }
        joined.push(concatenate(&beside, -1));
    }
    concatenate(&joined, -2)
}

impl<T: Element> DArray<T> {
    /// The array in so many parts along an axis, as even as possible: the first ones are longer by one.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let parts = DArray::arange(0, 7, 1, 2).split(3, 0)?;
    /// assert_eq!(parts[0].compute()?.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// assert_eq!(parts[2].shape()?, [2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// No parts; an axis that does not exist or whose sizes are not known; the failure of the first step that does not fit.
    #[doc(alias = "array_split")]
    #[track_caller]
    pub fn split(&self, parts: usize, axis: isize) -> Result<Vec<DArray<T>>, Failure> {
        let origin = Origin::here(".split(…)");
        let shape = self.shape()?;
        let len = shape[axis_of(axis, shape.len()).map_err(|failure| failure.origin(Some(&origin)))?];
        if parts == 0 {
            return Err(Failure::new(Code::InvalidOption, "an array cannot be split into no parts").origin(Some(&origin)));
        }
        let end = |part: usize| (part * (len / parts) + part.min(len % parts)) as isize;
        let mut found = Vec::with_capacity(parts);
        for part in 0..parts {
            found.push(self.slice_axis(axis, end(part)..end(part + 1)));
        }
        Ok(found)
    }

    /// The array in parts along an axis that end before these places, and what is left. Negative places count from the back, and places beyond
    /// the end are the end.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let parts = DArray::arange(0, 6, 1, 4).split_at(&[2, 2, -1], 0)?;
    /// assert_eq!(parts.iter().map(|part| part.size()).collect::<Result<Vec<_>, _>>()?, [2, 0, 3, 1]);
    /// assert_eq!(parts[2].compute()?.into_iter().collect::<Vec<_>>(), [2, 3, 4]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// An axis that does not exist or whose sizes are not known; the failure of the first step that does not fit.
    #[doc(alias = "hsplit")]
    #[doc(alias = "vsplit")]
    #[track_caller]
    pub fn split_at(&self, places: &[isize], axis: isize) -> Result<Vec<DArray<T>>, Failure> {
        let mut found = Vec::with_capacity(places.len() + 1);
        let mut start = 0;
        for end in places {
            found.push(self.slice_axis(axis, start..*end));
            start = *end;
        }
        found.push(self.slice_axis(axis, start..));
        for part in &found {
            part.untyped().meta()?;
        }
        Ok(found)
    }
}

struct Concatenate {
    axis: isize,
}

impl Concatenate {
    /// The axis, and the cuts along all axes; along this one they are those of all arrays, one after the other.
    fn cuts(&self, inputs: &[&Meta]) -> Result<(usize, Vec<Cuts>), Failure> {
        let (axis, ndim) = (axis_of(self.axis, inputs[0].ndim())?, inputs[0].ndim());
        let others = |meta: &Meta| meta.lens().into_iter().enumerate().filter(|(at, _)| *at != axis).collect::<Vec<_>>();
        if inputs.iter().any(|meta| meta.ndim() != ndim || others(meta) != others(inputs[0])) {
            let shapes: Vec<String> = inputs.iter().map(|meta| meta.show_shape()).collect();
            let what = format!("arrays of shapes {} do not fit one behind the other along axis {axis}", shapes.join(" and "));
            return Err(Failure::new(Code::ShapeMismatch, what).help("all axes but this one must be of the same length"));
        }
        let beside = |meta: &&Meta| {
            let mut beside = (*meta).clone();
            beside.cuts[axis] = Cuts::whole(1);
            beside
        };
        let beside: Vec<Meta> = inputs.iter().map(beside).collect();
        let mut cuts = broadcast(&beside.iter().collect::<Vec<_>>())?;
        let along = |meta: &&Meta| meta.cuts[axis].sizes().map(|sizes| sizes.to_vec());
        cuts[axis] = match inputs.iter().map(along).collect::<Option<Vec<Vec<usize>>>>() {
            Some(sizes) => Cuts::Known(sizes.concat().into()),
            None => Cuts::Unknown(u32::try_from(inputs.iter().map(|meta| meta.cuts[axis].count()).sum::<usize>()).unwrap_or(u32::MAX)),
        };
        Ok((axis, cuts))
    }
}

impl Step for Concatenate {
    fn line(&self) -> String {
        format!("concatenate along axis {}", self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: inputs[0].dtype, cuts: self.cuts(inputs)?.1 })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(AnyArray::meta).collect::<Result<Vec<&Meta>, Failure>>()?;
        let (axis, cuts) = self.cuts(&metas)?;
        let grid: Vec<usize> = cuts.iter().map(Cuts::count).collect();
        let unknown: Vec<usize> = (0..grid.len()).filter(|at| *at != axis && cuts[*at].len().is_none()).collect();
        let mut edges = Vec::with_capacity(metas.len() + 1);
        let mut compared = None;
        let mut first = 0;
        for (array, meta) in node.inputs.iter().zip(&metas) {
            let mut own = cuts.clone();
            own[axis] = meta.cuts[axis].clone();
            let input = lowering.of(array);
            let input = rechunk(lowering, input, meta, &own, node);
            edges.push(input.edge(handed_on(&grid, axis, first..first + own[axis].count()).wiring()));
            first += own[axis].count();
            // Those of the first array say how long all others are to be where nothing else does.
            compared = compared.or_else(|| Some(input.edge(first_beside(&grid, axis, own[axis].count()).wiring())));
        }
        let op = if unknown.is_empty() || metas.len() == 1 {
            OpRef::new(PassBlock, self.line())
        } else {
            edges.extend(compared);
            OpRef::new(PassAlike { axes: unknown }, self.line())
        };
        let tasks = node.known()?.blocks()?;
        Ok(lowering.add(Layer::single("concatenate", tasks, op, edges), node))
    }
}

/// For each block of a grid the block of an array that covers some chunks of an axis, where it is one of them.
fn handed_on(grid: &[usize], axis: usize, chunks: std::ops::Range<usize>) -> Lists {
    let mut lists = Lists::new();
    let mut position = vec![0; grid.len()];
    let mut next = 0;
    loop {
        // Blocks of the array come in the order of the grid, so they are counted.
        let inside = chunks.contains(&position[axis]);
        lists.push(inside.then_some(next));
        next += usize::from(inside);
        if !advance(&mut position, grid) {
            return lists;
        }
    }
}

/// For each block of a grid the first block beside it of the first array, which has so many chunks along the axis.
fn first_beside(grid: &[usize], axis: usize, chunks: usize) -> Lists {
    let mut lists = Lists::new();
    let mut position = vec![0; grid.len()];
    loop {
        let place = |at: usize| if at == axis { (0, chunks) } else { (position[at], grid[at]) };
        lists.push([(0..grid.len()).map(place).fold(0, |number, (place, count)| number * count + place)]);
        if !advance(&mut position, grid) {
            return lists;
        }
    }
}

/// Hands a block on.
#[derive(Serialize, Deserialize)]
pub(crate) struct PassBlock;

impl Operator for PassBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        match inputs {
            [one] => Ok(one.clone()),
            _ => Err(Failure::internal(format!("one block was to be handed on, and {} came", inputs.len()))),
        }
    }
}

impl NamedOperator for PassBlock {
    const NAME: &'static str = "array_pass";
}

/// Hands a block on that is as long along some axes as another one.
#[derive(Serialize, Deserialize)]
pub(crate) struct PassAlike {
    axes: Vec<usize>,
}

impl Operator for PassAlike {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [own, other] = inputs else { return Err(Failure::internal("concatenate: a block and one to compare it with")) };
        Alike::of_axes(&self.axes).check(&[block_of(own)?, block_of(other)?])?;
        Ok(own.clone())
    }
}

impl NamedOperator for PassAlike {
    const NAME: &'static str = "array_pass_alike";
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Wiring;

    #[test]
    fn each_block_comes_from_one_array() {
        let list = |chunks: std::ops::Range<usize>| {
            let Wiring::Table(table) = handed_on(&[2, 3], 1, chunks).wiring() else { panic!("lists are tables") };
            (table.offsets.to_vec(), table.indices.to_vec())
        };
        assert_eq!(list(0..2), (vec![0, 1, 2, 2, 3, 4, 4], vec![0, 1, 2, 3]));
        assert_eq!(list(2..3), (vec![0, 0, 0, 1, 1, 1, 2], vec![0, 1]));
    }

    #[test]
    fn each_block_is_compared_with_the_first_beside_it() {
        let list = |axis: usize, chunks: usize| {
            let Wiring::Table(table) = first_beside(&[2, 3], axis, chunks).wiring() else { panic!("lists are tables") };
            table.indices.to_vec()
        };
        assert_eq!(list(1, 2), [0, 0, 0, 2, 2, 2]);
        assert_eq!(list(0, 1), [0, 1, 2, 0, 1, 2]);
    }
}
