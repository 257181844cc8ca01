//! Axes that change places, come and go: `swap_axes`, `move_axis`, `expand_dims`, `squeeze`, `at_least`. No element is moved.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, axis_of};
use crate::array::rechunk::rechunk;
use crate::array::wiring::follow;
use crate::array::{Axes, DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// Two axes in each other's place.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::zeros([2, 3, 4], 2);
    /// assert_eq!(x.swap_axes(0, -1).shape()?, [4, 3, 2]);
    /// assert_eq!(x.move_axis(0, -1).shape()?, [3, 4, 2]);
    /// assert_eq!(x.expand_dims(1).shape()?, [2, 1, 3, 4]);
    /// assert_eq!(x.expand_dims([0, -1]).squeeze(Axes::all()).shape()?, [2, 3, 4]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn swap_axes(&self, first: isize, second: isize) -> DArray<T> {
        self.arranged(".swap_axes(…)", format!("swap axes {first} and {second}"), move |meta| {
            let (first, second) = (axis_of(first, meta.ndim())?, axis_of(second, meta.ndim())?);
            let mut order: Vec<Option<usize>> = (0..meta.ndim()).map(Some).collect();
            order.swap(first, second);
            Ok(order)
        })
    }

    /// One axis at another place; the others keep their order.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[doc(alias = "rollaxis")]
    #[track_caller]
    pub fn move_axis(&self, from: isize, to: isize) -> DArray<T> {
        self.arranged(".move_axis(…)", format!("move axis {from} to {to}"), move |meta| {
            let (from, to) = (axis_of(from, meta.ndim())?, axis_of(to, meta.ndim())?);
            let mut order: Vec<Option<usize>> = (0..meta.ndim()).map(Some).collect();
            let moved = order.remove(from);
            order.insert(to, moved);
            Ok(order)
        })
    }

    /// New axes of length 1, at these places of the result.
    ///
    /// # Errors
    /// At `compute`: a place that the result does not have or that is named twice.
    #[doc(alias = "newaxis")]
    #[track_caller]
    pub fn expand_dims(&self, axes: impl Into<Axes>) -> DArray<T> {
        let axes = axes.into();
        self.arranged(".expand_dims(…)", format!("new {}", axes.show()), move |meta| {
            if axes.are_all() {
                let what = "new axes are named by their places in the result, not as all axes";
                return Err(Failure::new(Code::InvalidOption, what).help(".expand_dims([0, -1])"));
            }
            let new = axes.of_array(meta.ndim() + axes.count())?;
            let mut old = 0..meta.ndim();
            Ok(new.into_iter().map(|new| if new { None } else { old.next() }).collect())
        })
    }

    /// Without some axes, which have length 1; of all axes ([`Axes::all`]) those that have.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or has another length.
    #[track_caller]
    pub fn squeeze(&self, axes: impl Into<Axes>) -> DArray<T> {
        let axes = axes.into();
        self.arranged(".squeeze(…)", format!("without {}", axes.show()), move |meta| {
            let is_short = |axis: usize| meta.cuts[axis].len() == Some(1);
            let mut dropped = axes.of_array(meta.ndim())?;
            if axes.are_all() {
                dropped = (0..meta.ndim()).map(is_short).collect();
            }
            if let Some(axis) = (0..meta.ndim()).find(|axis| dropped[*axis] && !is_short(*axis)) {
                let what = format!("axis {axis} of an array of shape {} is not of length 1", meta.show_shape());
                return Err(Failure::new(Code::ShapeMismatch, what).help("all that are: .squeeze(Axes::all())"));
            }
            Ok((0..meta.ndim()).filter(|axis| !dropped[*axis]).map(Some).collect())
        })
    }

    /// With at least so many axes: new ones of length 1 stand in front.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::<f64>::zeros([3], 3).at_least(2).shape()?, [1, 3]);
    /// assert_eq!(DArray::<f64>::zeros([3], 3).at_least(1).shape()?, [3]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "atleast_1d")]
    #[doc(alias = "atleast_2d")]
    #[doc(alias = "atleast_3d")]
    #[track_caller]
    pub fn at_least(&self, ndim: usize) -> DArray<T> {
        self.arranged(".at_least(…)", format!("at least {ndim} axes"), move |meta| {
            let ahead = ndim.saturating_sub(meta.ndim());
            Ok(std::iter::repeat_n(None, ahead).chain((0..meta.ndim()).map(Some)).collect())
        })
    }

    #[track_caller]
    fn arranged<F>(&self, method: &str, line: String, rule: F) -> DArray<T>
    where
        F: Fn(&Meta) -> Result<Vec<Option<usize>>, Failure> + Send + Sync + 'static,
    {
        DArray::then(Arranged { line, rule: Box::new(rule) }, vec![self.to_any()], method)
    }
}

/// For an array the axes of the result: old ones, and `None` for new ones.
type Rule = dyn Fn(&Meta) -> Result<Vec<Option<usize>>, Failure> + Send + Sync;

struct Arranged {
    line: String,
    rule: Box<Rule>,
}

impl Step for Arranged {
    fn line(&self) -> String {
        self.line.clone()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let order = (self.rule)(inputs[0])?;
        let cuts = order.into_iter().map(|axis| axis.map_or_else(|| Cuts::whole(1), |axis| inputs[0].cuts[axis].clone()));
        Ok(Meta { dtype: inputs[0].dtype, cuts: cuts.collect() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let order = (self.rule)(from)?;
        // Axes that are left out have one element, and may still have several chunks, of which the others are empty.
        let mut axes = vec![None; from.ndim()];
        order.iter().enumerate().for_each(|(at, axis)| axis.iter().for_each(|axis| axes[*axis] = Some(at)));
        let input = lowering.of(&node.inputs[0]);
        let whole = |(axis, cuts): (&Option<usize>, &Cuts)| if axis.is_some() { cuts.clone() } else { Cuts::whole(1) };
        let cuts: Vec<Cuts> = axes.iter().zip(&from.cuts).map(whole).collect();
        let input = rechunk(lowering, input, from, &cuts, node);
        let grid: Vec<usize> = cuts.iter().map(Cuts::count).collect();
        let edges = vec![input.edge(follow(&grid, &to.grid(), &axes))];
        Ok(lowering.add(Layer::single("axes", to.blocks()?, OpRef::new(Arrange { order }, self.line()), edges), node))
    }
}

/// A block with its axes in another order, some new and some left out.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arrange {
    order: Vec<Option<usize>>,
}

impl Operator for Arrange {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("axes: no block"))??;
        if self.order.iter().flatten().any(|axis| *axis >= block.shape().len()) {
            return Err(Failure::internal("axes: a block of fewer axes"));
        }
        Ok(Chunk::new(block.arranged(&self.order)))
    }
}

impl NamedOperator for Arrange {
    const NAME: &'static str = "array_axes";
}
