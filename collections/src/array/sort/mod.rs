//! `sort` and `argsort`: elements along an axis in ascending order, or the places that they come from.
//!
//! An axis in one chunk is sorted lane by lane. A long array of one axis stays in its chunks: samples of all blocks give borders, each block
//! is cut at them, what lies between two borders is sorted in one place, and then everything moves to the chunk where it belongs.

pub(crate) mod lanes;
pub(crate) mod spread;

use std::cmp::Ordering;

use partita_graph::{Failure, Layer, OpRef, Wiring};

use super::budget::Budget;
use super::element::{C128, DType};
use super::lower::{Lowered, Lowering};
use super::meta::{Meta, axis_of};
use super::rechunk::rechunk;
use super::tile::{Arith, Convert, Rank};
use super::{Along, Chunks, DArray, Node, Ordered, Step};
use lanes::SortLanes;

/// The order of elements: NaN comes last, and all NaNs are equal; so are 0.0 and -0.0.
pub(super) fn ascending<T: Rank>(a: &T, b: &T) -> Ordering {
    match (a.is_missing(), b.is_missing()) {
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    }
}

/// The same for all kinds, where elements are only told apart: complex numbers by their real parts, and where these are equal by the imaginary ones,
/// as NumPy does.
pub(super) fn lexical<T: Arith>(a: &T, b: &T) -> Ordering {
    let by_size = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    match (a.is_missing(), b.is_missing()) {
        (false, false) if T::DTYPE.is_complex() => {
            let (a, b) = (Convert::<C128>::convert(*a), Convert::<C128>::convert(*b));
            by_size(a.re, b.re).then(by_size(a.im, b.im))
        }
        (false, false) if T::DTYPE.is_float() => by_size(a.to_f64(), b.to_f64()),
        // Large ones pass through `i64` as the same bits.
        (false, false) if T::DTYPE == DType::U64 => (a.to_i64() as u64).cmp(&(b.to_i64() as u64)),
        (false, false) => a.to_i64().cmp(&b.to_i64()),
        (a, b) => a.cmp(&b),
    }
}

impl<T: Ordered> DArray<T> {
    /// The elements along an axis in ascending order, NaN last.
    ///
    /// An array of one axis keeps its chunks, however long it is; of an array of several axes, the axis is brought into one chunk first, and the others are
    /// cut finer where blocks would be of more than 256 MiB or a quarter of the memory for each thread.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[3, 1, 2], [6, 5, 4]], 2);
    /// assert_eq!(x.sort(1).compute()?, array![[1, 2, 3], [4, 5, 6]].into_dyn());
    /// assert_eq!(x.argsort(1).compute()?, array![[1, 2, 0], [2, 1, 0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn sort(&self, axis: isize) -> DArray<T> {
        DArray::then(Sort { axis, places: false, budget: Budget::planned() }, vec![self.to_any()], ".sort(…)")
    }

    /// The places of the elements along an axis, in the order in which they would be sorted; of equal ones the first come first.
    ///
    /// # Errors
    /// As [`DArray::sort`].
    #[track_caller]
    pub fn argsort(&self, axis: isize) -> DArray<i64> {
        DArray::then(Sort { axis, places: true, budget: Budget::planned() }, vec![self.to_any()], ".argsort(…)")
    }
}

struct Sort {
    axis: isize,
    places: bool,
    /// What a task may hold: blocks that would be larger are cut along other axes.
    budget: Budget,
}

impl Sort {
    /// The array that is sorted in one chunk along the axis; `None` where it stays in its chunks.
    fn whole(&self, meta: &Meta) -> Result<Option<Meta>, Failure> {
        let axis = axis_of(self.axis, meta.ndim())?;
        meta.sizes()?;
        if meta.ndim() == 1 && meta.cuts[0].count() > 1 {
            return Ok(None);
        }
        let sorted: Vec<bool> = (0..meta.ndim()).map(|at| at == axis).collect();
        let cuts = Chunks::whole_along(&sorted, &Along::Keep).cut(&meta.lens(), meta.dtype, Some(&meta.cuts))?;
        // Of what a task reads and what it makes the larger counts.
        let dtype = if self.places && meta.dtype.size() < DType::I64.size() { DType::I64 } else { meta.dtype };
        let cuts = Chunks::held(Meta { dtype, cuts }, &sorted, self.budget)?;
        Ok(Some(Meta { dtype: meta.dtype, cuts }))
    }
}

impl Step for Sort {
    fn line(&self) -> String {
        format!("{} along axis {}", if self.places { "argsort" } else { "sort" }, self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let cuts = self.whole(inputs[0])?.map_or_else(|| inputs[0].cuts.clone(), |whole| whole.cuts);
        Ok(Meta { dtype: if self.places { DType::I64 } else { inputs[0].dtype }, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let input = lowering.of(&node.inputs[0]);
        let Some(whole) = self.whole(meta)? else { return spread::lower(self.places, meta, input, node, lowering) };
        let input = rechunk(lowering, input, meta, &whole.cuts, node);
        let op = SortLanes { axis: axis_of(self.axis, meta.ndim())?, places: self.places };
        let layer = Layer::single("sort", whole.blocks()?, OpRef::new(op, self.line()), vec![input.edge(Wiring::Each)]);
        Ok(lowering.add(layer, node))
    }
}
