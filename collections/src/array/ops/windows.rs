//! `sliding_window_view` and `coarsen`: windows over an array, overlapping or side by side, as further axes. Windows are views.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, axis_of, tuple, unknown_sizes};
use crate::array::ops::slice::known_bounds;
use crate::array::pick::{Made, Picking, as_it_is, runs};
use crate::array::rechunk::rechunk;
use crate::array::{Axes, DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// All windows of these lengths along these axes: an axis says where a window begins, and a new one at the end goes through it.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0.0, 6.0, 1.0, 4);
    /// let windows = x.sliding_window_view(&[(0, 3)]);
    /// assert_eq!(windows.shape()?, [4, 3]);
    /// assert_eq!(windows.mean_axis(-1isize).compute()?.into_iter().collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, is named twice or whose sizes are not known; windows of no length, or longer than the
    /// axis.
    #[doc(alias = "rolling")]
    #[track_caller]
    pub fn sliding_window_view(&self, windows: &[(isize, usize)]) -> DArray<T> {
        DArray::then(Sliding { windows: windows.to_vec() }, vec![self.to_any()], ".sliding_window_view(…)")
    }

    /// The array in windows side by side, of these lengths along these axes, each of which becomes what `function` makes of it. The
    /// function gets the array with a further axis behind each of the named ones, and the numbers of the further axes.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], 2);
    /// let means = x.coarsen(&[(0, 2), (1, 2)], |windows, axes| windows.mean_axis(axes));
    /// assert_eq!(means.compute()?, array![[3.5, 5.5]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, is named twice or whose sizes are not known; a length that does not divide the axis
    /// (cut the rest off with [`DArray::slice_axis`] first).
    #[track_caller]
    pub fn coarsen<U: Element>(&self, windows: &[(isize, usize)], function: impl FnOnce(DArray<T>, Axes) -> DArray<U>) -> DArray<U> {
        let unfolded = DArray::then(Unfold { windows: windows.to_vec() }, vec![self.to_any()], ".coarsen(…)");
        let further = self.untyped().meta().and_then(|meta| lens_of(windows, meta)).map(|lens| {
            let mut next = 0;
            let mut axes = Vec::new();
            for len in lens {
                next += 1;
                if len.is_some() {
                    axes.push(next);
                    next += 1;
                }
            }
            axes
        });
        // Where the step does not fit, its failure is what comes out, whatever the axes.
        function(unfolded, Axes::from(further.unwrap_or_default()))
    }
}

/// For each axis the length of its windows.
fn lens_of(windows: &[(isize, usize)], meta: &Meta) -> Result<Vec<Option<usize>>, Failure> {
    let mut lens = vec![None; meta.ndim()];
    for (axis, len) in windows {
        let axis = axis_of(*axis, meta.ndim())?;
        if *len == 0 {
            return Err(Failure::new(Code::InvalidOption, format!("windows of length 0 along axis {axis}")));
        }
        if lens[axis].replace(*len).is_some() {
            return Err(Failure::new(Code::InvalidOption, format!("windows are given twice for axis {axis}")));
        }
    }
    Ok(lens)
}

struct Sliding {
    windows: Vec<(isize, usize)>,
}

impl Sliding {
    /// The stretches of the array that blocks of windows are made of, and the axes with windows.
    fn picking(&self, meta: &Meta) -> Result<(Picking, Vec<(usize, usize)>), Failure> {
        let mut axes: Vec<Vec<Made>> = meta.cuts.iter().map(as_it_is).collect();
        let mut windows = Vec::with_capacity(self.windows.len());
        for (axis, window) in lens_of(&self.windows, meta)?.into_iter().enumerate() {
            let Some(window) = window else { continue };
            let bounds = known_bounds(meta, axis)?;
            let len = bounds[bounds.len() - 1];
            let Some(count) = (len + 1).checked_sub(window).filter(|count| *count > 0) else {
                let what = format!("windows of length {window} along axis {axis}, which has {len} elements");
                return Err(Failure::new(Code::ShapeMismatch, what));
            };
            let mut ends: Vec<usize> = bounds.iter().copied().filter(|bound| *bound < count).chain([count]).collect();
            ends.dedup();
            let stretch = |chunk: &[usize]| Made { draws: runs(&bounds, chunk[0], 1, chunk[1] - chunk[0] + window - 1), order: None };
            axes[axis] = ends.windows(2).map(stretch).collect();
            windows.push((axis, window));
        }
        // New axes stand in the order in which they were asked for.
        let place =
            |axis: &usize| self.windows.iter().position(|(asked, _)| axis_of(*asked, meta.ndim()).is_ok_and(|asked| asked == *axis));
        windows.sort_by_key(|(axis, _)| place(axis));
        Ok((Picking::of(axes), windows))
    }
}

impl Step for Sliding {
    fn line(&self) -> String {
        format!("windows of {}", tuple(self.windows.iter().map(|(_, len)| len)))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (picking, windows) = self.picking(inputs[0])?;
        let mut cuts = picking.cuts(&inputs[0].cuts);
        for (axis, window) in windows {
            let sizes = cuts[axis].sizes().ok_or_else(|| unknown_sizes(axis))?;
            cuts[axis] = Cuts::Known(sizes.iter().map(|size| size + 1 - window).collect());
            cuts.push(Cuts::whole(window));
        }
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let (picking, windows) = self.picking(meta)?;
        let input = lowering.of(&node.inputs[0]);
        let stretches = picking.lower(lowering, input, meta, format!("stretches for {}", self.line()), node);
        let op = OpRef::new(WindowsOfBlock { windows }, self.line());
        let blocks = node.known()?.blocks()?;
        Ok(lowering.add(Layer::single("windows", blocks, op, vec![stretches.edge(Wiring::Each)]), node))
    }
}

/// The windows of a block, as further axes.
#[derive(Serialize, Deserialize)]
pub(crate) struct WindowsOfBlock {
    windows: Vec<(usize, usize)>,
}

impl Operator for WindowsOfBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("windows: no block"))??;
        let mut found = block.clone();
        for (axis, window) in &self.windows {
            if found.shape().get(*axis).is_none_or(|len| len < window) {
                return Err(Failure::internal("windows: a block that is shorter than its windows"));
            }
            found = found.windows(*axis, *window);
        }
        Ok(Chunk::new(found))
    }
}

impl NamedOperator for WindowsOfBlock {
    const NAME: &'static str = "array_windows";
}

struct Unfold {
    windows: Vec<(isize, usize)>,
}

impl Unfold {
    /// The length of windows along each axis, and cuts between windows.
    fn between_windows(&self, meta: &Meta) -> Result<(Vec<Option<usize>>, Vec<Cuts>), Failure> {
        let lens = lens_of(&self.windows, meta)?;
        let mut cuts = meta.cuts.clone();
        for (axis, window) in lens.iter().enumerate() {
            let Some(window) = window else { continue };
            let mut ends = known_bounds(meta, axis)?;
            let len = ends[ends.len() - 1];
            if !len.is_multiple_of(*window) {
                let what = format!("windows of length {window} along axis {axis}, which has {len} elements");
                let help = format!("cut the rest off: .slice_axis({axis}, ..{})", len / window * window);
                return Err(Failure::new(Code::ShapeMismatch, what).help(help));
            }
            ends.iter_mut().for_each(|end| *end = end.next_multiple_of(*window).min(len));
            ends.dedup();
            cuts[axis] =
                if ends.len() == 1 { Cuts::whole(0) } else { Cuts::Known(ends.windows(2).map(|pair| pair[1] - pair[0]).collect()) };
        }
        Ok((lens, cuts))
    }
}

impl Step for Unfold {
    fn line(&self) -> String {
        format!("windows of {} side by side", tuple(self.windows.iter().map(|(_, len)| len)))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (lens, whole) = self.between_windows(inputs[0])?;
        let mut cuts = Vec::with_capacity(whole.len());
        for (axis, (own, window)) in whole.into_iter().zip(lens).enumerate() {
            match window {
                None => cuts.push(own),
                Some(window) => {
                    let sizes = own.sizes().ok_or_else(|| unknown_sizes(axis))?;
                    cuts.push(Cuts::Known(sizes.iter().map(|size| size / window).collect()));
                    cuts.push(Cuts::whole(window));
                }
            }
        }
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let (factors, cuts) = self.between_windows(meta)?;
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, meta, &cuts, node);
        let op = OpRef::new(UnfoldBlock { factors }, self.line());
        Ok(lowering.add(Layer::single("windows", node.known()?.blocks()?, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// A block with some axes in two.
#[derive(Serialize, Deserialize)]
pub(crate) struct UnfoldBlock {
    factors: Vec<Option<usize>>,
}

impl Operator for UnfoldBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("windows: no block"))??;
        let divides = |(len, factor): (&usize, &Option<usize>)| factor.is_none_or(|factor| factor > 0 && len.is_multiple_of(factor));
        if block.shape().len() != self.factors.len() || !block.shape().iter().zip(&self.factors).all(divides) {
            return Err(Failure::internal("windows: a block that does not consist of windows"));
        }
        Ok(Chunk::new(block.unfolded(&self.factors)))
    }
}

impl NamedOperator for UnfoldBlock {
    const NAME: &'static str = "array_unfold";
}
