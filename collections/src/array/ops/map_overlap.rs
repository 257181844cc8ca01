//! `map_overlap`: a function of the user's own on blocks that also have what lies around them, as a closure or a task. `overlap` and
//! `trim_overlap` are its two halves. Blocks may be shorter than what they are given of their neighbours: it is taken from as many as it needs.

mod surroundings;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, tuple};
use crate::array::ops::map_blocks::BlockInfo;
use crate::array::ops::pad::{Pad, mirrored};
use crate::array::ops::slice::known_bounds;
use crate::array::pick::{Made, Picking, as_it_is, runs, stepwise};
use crate::array::{DArray, Element, Node, Step};
use crate::delayed::BlockValue;
use crate::delayed::takes::MayTake;
use crate::delayed::task_support::{Task, TaskOf};
pub use surroundings::{Boundaries, Boundary, Depths};

impl<T: Element> DArray<T> {
    /// What a function makes of each block together with what lies around it: `depth` elements before and behind it along each axis
    /// (one number holds for every axis, and so does one [`Boundary`]; a pair says how many before and how many behind, see [`Depths`]). What
    /// belongs to the surroundings is cut off from the result, which has the shape of what the function got.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::map_overlap_task`].
    ///
    /// ```
    /// use partita::{Boundary, prelude::*};
    /// let x = DArray::arange(0.0, 6.0, 1.0, 2);
    /// // The sum of each element and its two neighbours.
    /// let sums = x.map_overlap(&[1], Boundary::Constant(0.0), |block, _| {
    ///     let mut sums = block.to_owned();
    ///     for at in 1..block.len() - 1 {
    ///         sums[[at]] = block[[at - 1]] + block[[at]] + block[[at + 1]];
    ///     }
    ///     sums
    /// });
    /// assert_eq!(sums.compute()?.into_iter().collect::<Vec<_>>(), [1.0, 3.0, 6.0, 9.0, 12.0, 9.0]);
    /// // The step from each element's predecessor, which the first finds at the other end.
    /// let x = DArray::from_array(partita::ndarray::array![1, 1, 2, 3, 3, 3, 2, 1, 1], 5);
    /// let steps = x.map_overlap(&[1], Boundary::Periodic, |block, _| {
    ///     let mut steps = block.to_owned();
    ///     for at in 1..block.len() {
    ///         steps[[at]] = block[[at]] - block[[at - 1]];
    ///     }
    ///     steps
    /// });
    /// assert_eq!(steps.compute()?.into_iter().collect::<Vec<_>>(), [0, 0, 1, 1, 0, 0, -1, -1, 0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: depths for another number of axes, sizes of chunks that are not known. While it runs: a function that panics or gives
    /// another shape.
    #[track_caller]
    pub fn map_overlap<U: Element, F>(&self, depth: impl Into<Depths>, boundary: impl Into<Boundaries<T>>, function: F) -> DArray<U>
    where
        F: Fn(ArrayViewD<'_, T>, &BlockInfo) -> ArrayD<U> + Send + Sync + 'static,
    {
        let (depths, boundaries): (Depths, Boundaries<T>) = (depth.into(), boundary.into());
        let mapped = self.overlap(depths.clone(), boundaries.clone()).map_blocks(function);
        self.without_surroundings(&mapped, &depths, &boundaries, ".map_overlap(…)")
    }

    /// The same with a `#[task]`, which runs anywhere. It takes a block with its surroundings, as an `ArrayBlock<T>` or an ndarray, and behind it
    /// a [`BlockInfo`] if it wants one: where that block lies in [`DArray::overlap`].
    ///
    /// ```
    /// use partita::ndarray::Array1;
    /// use partita::{Boundary, prelude::*, task};
    ///
    /// #[task]
    /// fn sums_of_three(x: &Array1<f64>) -> Array1<f64> {
    ///     let mut sums = x.clone();
    ///     for at in 1..x.len() - 1 {
    ///         sums[at] = x[at - 1] + x[at] + x[at + 1];
    ///     }
    ///     sums
    /// }
    ///
    /// let x = DArray::arange(0.0, 6.0, 1.0, 2);
    /// let sums = x.map_overlap_task(&[1], Boundary::Constant(0.0), sums_of_three);
    /// assert_eq!(sums.compute()?.into_iter().collect::<Vec<_>>(), [1.0, 3.0, 6.0, 9.0, 12.0, 9.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::map_overlap`]; while it runs, the task's own failure.
    #[track_caller]
    pub fn map_overlap_task<U, F, A>(&self, depth: impl Into<Depths>, boundary: impl Into<Boundaries<T>>, task: F) -> DArray<U>
    where
        U: Element,
        A: MayTake<DArray<T>, BlockInfo>,
        F: TaskOf<A> + Task<Output: BlockValue<U>>,
    {
        let (depths, boundaries): (Depths, Boundaries<T>) = (depth.into(), boundary.into());
        let mapped = self.overlap(depths.clone(), boundaries.clone()).map_blocks_task::<U, F, A>(task);
        self.without_surroundings(&mapped, &depths, &boundaries, ".map_overlap_task(…)")
    }

    /// What was made of blocks with their surroundings, without what belongs to those.
    #[track_caller]
    fn without_surroundings<U: Element>(&self, made: &DArray<U>, depths: &Depths, boundaries: &Boundaries<T>, method: &str) -> DArray<U> {
        match self.untyped().meta().and_then(|meta| margins(depths, boundaries, meta)) {
            Ok(margins) => DArray::then(Trim { margins }, vec![made.to_any()], method),
            Err(failure) => DArray::failed(failure, method),
        }
    }

    /// The array in blocks that overlap: each also has `depth` elements of what lies before and behind it along each axis.
    ///
    /// ```
    /// use partita::{Boundary, prelude::*};
    /// let x = DArray::arange(0, 4, 1, 2).overlap(&[1], Boundary::Periodic);
    /// assert_eq!(x.compute()?.into_iter().collect::<Vec<_>>(), [3, 0, 1, 2, 1, 2, 3, 0]);
    /// // One element before each block, and none behind it.
    /// let x = DArray::arange(0, 4, 1, 2).overlap(&[(1, 0)], Boundary::Periodic);
    /// assert_eq!(x.compute()?.into_iter().collect::<Vec<_>>(), [3, 0, 1, 1, 2, 3]);
    /// // Two elements along the first axis and one along the second, each with a boundary of its own.
    /// let x = DArray::arange(0, 64, 1, -1).reshape([8, 8]).rechunk([4, 4]);
    /// let wide = x.overlap(&[2, 1], [Boundary::Constant(100), Boundary::Reflect]);
    /// assert_eq!(wide.chunks()?, [vec![8, 8], vec![6, 6]]);
    /// let corner = wide.slice(partita::ndarray::s![1..4, ..3]).compute()?;
    /// assert_eq!(corner, partita::ndarray::array![[100, 100, 100], [0, 0, 1], [8, 8, 9]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: depths for another number of axes, sizes of chunks that are not known.
    #[track_caller]
    pub fn overlap(&self, depth: impl Into<Depths>, boundary: impl Into<Boundaries<T>>) -> DArray<T> {
        let (depths, boundaries): (Depths, Boundaries<T>) = (depth.into(), boundary.into());
        let found = self.untyped().meta();
        let found = found.and_then(|meta| Ok((depths.of_axes(meta.ndim())?, boundaries.of_axes(meta.ndim())?, meta.clone())));
        let (depths, boundaries, original) = match found {
            Ok(found) => found,
            Err(failure) => return DArray::failed(failure, ".overlap(…)"),
        };
        // Of an array that has an element around it, each block is a stretch.
        let mut padded = self.clone();
        for (axis, (depth, boundary)) in depths.iter().zip(&boundaries).enumerate() {
            if let Boundary::Constant(value) = boundary {
                let mut widths = vec![(0, 0); depths.len()];
                widths[axis] = *depth;
                padded = padded.pad(&widths, Pad::Constant(*value));
            }
        }
        padded.picked(".overlap(…)", format!("overlap by {}", shown(&depths)), move |meta| {
            let along = |(axis, (depth, boundary)): (usize, (&(usize, usize), &Boundary<T>))| match boundary {
                Boundary::Constant(_) => stretches(&known_bounds(&original, axis)?, &known_bounds(meta, axis)?, *depth),
                Boundary::None => surrounded(meta, axis, *depth, None),
                Boundary::Periodic => surrounded(meta, axis, *depth, Some(|place, len| place.rem_euclid(len))),
                Boundary::Reflect => surrounded(meta, axis, *depth, Some(|place, len| mirrored(place, len, 0))),
                Boundary::Nearest => surrounded(meta, axis, *depth, Some(|place, len| place.clamp(0, len - 1))),
            };
            Ok(Picking::of(depths.iter().zip(&boundaries).enumerate().map(along).collect::<Result<_, _>>()?))
        })
    }

    /// Without what [`DArray::overlap`] added. `original` is the array that it was called on.
    ///
    /// ```
    /// use partita::{Boundary, prelude::*};
    /// let x = DArray::arange(0, 5, 1, 2);
    /// let back = x.overlap(&[2], Boundary::Reflect).trim_overlap(&[2], Boundary::Reflect, &x);
    /// assert_eq!(back.compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: depths for another number of axes, blocks that are shorter than that, sizes of chunks that are not known.
    #[track_caller]
    pub fn trim_overlap<U: Element>(
        &self,
        depth: impl Into<Depths>,
        boundary: impl Into<Boundaries<T>>,
        original: &DArray<U>,
    ) -> DArray<T> {
        let (depths, boundaries): (Depths, Boundaries<T>) = (depth.into(), boundary.into());
        match original.untyped().meta().and_then(|meta| margins(&depths, &boundaries, meta)) {
            Ok(margins) => DArray::then(Trim { margins }, vec![self.to_any()], ".trim_overlap(…)"),
            Err(failure) => DArray::failed(failure, ".trim_overlap(…)"),
        }
    }
}

/// Depths for plans: `(1, 2)`, and pairs where they differ before and behind.
fn shown(depths: &[(usize, usize)]) -> String {
    let one = |(before, behind): &(usize, usize)| if before == behind { before.to_string() } else { tuple([before, behind]) };
    tuple(depths.iter().map(one))
}

/// Blocks as stretches of an array that is longer at both ends, by what they also get.
fn stretches(own: &[usize], padded: &[usize], (before, behind): (usize, usize)) -> Result<Vec<Made>, Failure> {
    let stretch = |block: &[usize]| Made { draws: runs(padded, block[0], 1, block[1] - block[0] + before + behind), order: None };
    Ok(own.windows(2).map(stretch).collect())
}

/// The chunks of an axis with what lies around them; `beyond` says which elements lie beyond the ends.
fn surrounded(
    meta: &Meta,
    axis: usize,
    (before, behind): (usize, usize),
    beyond: Option<fn(i64, i64) -> i64>,
) -> Result<Vec<Made>, Failure> {
    let bounds = known_bounds(meta, axis)?;
    let len = bounds[bounds.len() - 1];
    if (before, behind) == (0, 0) {
        return Ok(as_it_is(&meta.cuts[axis]));
    }
    let block = |block: &[usize]| {
        let (low, high) = (block[0].saturating_sub(before), (block[1] + behind).min(len));
        let outside = |range: std::ops::Range<i64>| match beyond {
            Some(place) if len > 0 && !range.is_empty() => {
                let wanted: Vec<usize> = range.map(|at| place(at, len as i64) as usize).collect();
                stepwise(&bounds, &wanted)
            }
            _ => Vec::new(),
        };
        let ahead = outside(block[0] as i64 - before as i64..low as i64);
        let after = outside(high as i64..(block[1] + behind) as i64);
        Made { draws: [ahead, runs(&bounds, low, 1, high - low), after].concat(), order: None }
    };
    Ok(bounds.windows(2).map(block).collect())
}

/// For each chunk of each axis what it was given of its surroundings, before and behind.
fn margins<T: Copy>(depths: &Depths, boundaries: &Boundaries<T>, meta: &Meta) -> Result<Vec<Vec<(usize, usize)>>, Failure> {
    let mut margins = Vec::with_capacity(meta.ndim());
    let (depths, boundaries) = (depths.of_axes(meta.ndim())?, boundaries.of_axes(meta.ndim())?);
    for (axis, ((before, behind), boundary)) in depths.into_iter().zip(boundaries).enumerate() {
        let bounds = known_bounds(meta, axis)?;
        let len = bounds[bounds.len() - 1];
        // Without elements there are none that could be taken from elsewhere.
        let ends_are_bare = matches!(boundary, Boundary::None) || (len == 0 && !matches!(boundary, Boundary::Constant(_)));
        // Near an end that nothing lies beyond, there is less.
        let margin = |block: &[usize]| if ends_are_bare { (before.min(block[0]), behind.min(len - block[1])) } else { (before, behind) };
        margins.push(bounds.windows(2).map(margin).collect());
    }
    Ok(margins)
}

struct Trim {
    margins: Vec<Vec<(usize, usize)>>,
}

impl Step for Trim {
    fn line(&self) -> String {
        "trim".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let sizes = inputs[0].sizes()?;
        if self.margins.iter().map(Vec::len).ne(inputs[0].grid()) {
            let what = format!(
                "{} blocks are to be trimmed, of an array in {}",
                tuple(inputs[0].grid()),
                tuple(self.margins.iter().map(Vec::len))
            );
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        let mut cuts = Vec::with_capacity(sizes.len());
        for (axis, (margins, sizes)) in self.margins.iter().zip(&sizes).enumerate() {
            let left = |(size, (before, behind)): (&usize, &(usize, usize))| size.checked_sub(before + behind);
            let left = sizes.iter().zip(margins).map(left).collect::<Option<Vec<usize>>>();
            cuts.push(Cuts::Known(left.ok_or_else(|| too_short(axis))?.into()));
        }
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let grid = meta.grid();
        let mut args = Vec::new();
        let mut position = vec![0; grid.len()];
        loop {
            args.push(Arg::encode(&self.margins.iter().zip(&position).map(|(margins, at)| margins[*at]).collect::<Vec<_>>()));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::with_args("trim", OpRef::new(TrimBlock, self.line()), args, edges), node))
    }
}

fn too_short(axis: usize) -> Failure {
    Failure::new(Code::ShapeMismatch, format!("a block is shorter along axis {axis} than what would be cut off from it"))
}

/// Cuts the margins of a block off.
#[derive(Serialize, Deserialize)]
pub(crate) struct TrimBlock;

impl Operator for TrimBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let margins: Vec<(usize, usize)> = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("trim: no block"))??;
        let mut ranges = Vec::with_capacity(margins.len());
        for (axis, ((before, behind), len)) in margins.iter().zip(block.shape()).enumerate() {
            let end = len.checked_sub(*behind).filter(|end| end >= before).ok_or_else(|| too_short(axis))?;
            ranges.push(*before..end);
        }
        Ok(Chunk::new(block.cut(&ranges).compact()?))
    }
}

impl NamedOperator for TrimBlock {
    const NAME: &'static str = "array_trim";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;

    #[test]
    fn blocks_take_from_as_many_neighbours_as_they_need() {
        let meta = Meta { dtype: DType::F64, cuts: vec![Cuts::Known([1, 1, 3].into())] };
        let lens = |beyond| surrounded(&meta, 0, (2, 2), beyond).expect("known").iter().map(|made| made.draws.len()).collect::<Vec<_>>();
        assert_eq!(lens(None), [3, 3, 3]);
        let cuts = Picking::of(vec![surrounded(&meta, 0, (2, 2), None).expect("known")]).cuts(&meta.cuts);
        assert_eq!(cuts, [Cuts::Known([3, 4, 5].into())]);
        let nearest = Picking::of(vec![surrounded(&meta, 0, (2, 2), Some(|place, len| place.clamp(0, len - 1))).expect("known")]);
        assert_eq!(nearest.cuts(&meta.cuts), [Cuts::Known([5, 5, 7].into())]);
        let behind = Picking::of(vec![surrounded(&meta, 0, (0, 2), None).expect("known")]);
        assert_eq!(behind.cuts(&meta.cuts), [Cuts::Known([3, 3, 3].into())]);
    }
}
