//! `sort` and `argsort`: elements along an axis in ascending order, or the places that they come from.
//!
//! An axis in one chunk is sorted lane by lane; an axis in several is brought into one, and others are cut so that few lanes come together.
//! A long array of one axis stays in its chunks, and so does a lane of others that is too long for one: samples of all blocks give borders, each block
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
use super::{Along, Chunks, DArray, Element, Node, Ordered, Step, stack};
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
    /// cut finer where blocks would be of more than 256 MiB or a quarter of the memory for each thread. Lanes that are longer than that stay in their chunks too: each is
    /// sorted as an array of one axis, and stands in chunks of its own.
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
        self.in_order(axis, false, Budget::planned().block(), ".sort(…)")
    }

    /// The places of the elements along an axis, in the order in which they would be sorted; of equal ones the first come first.
    ///
    /// # Errors
    /// As [`DArray::sort`].
    #[track_caller]
    pub fn argsort(&self, axis: isize) -> DArray<i64> {
        self.in_order(axis, true, Budget::planned().block(), ".argsort(…)")
    }

    /// Elements in order, or their places; lanes of more than so many bytes one by one, where they are.
    #[track_caller]
    fn in_order<U: Element>(&self, axis: isize, places: bool, bytes: u64, method: &str) -> DArray<U> {
        let long = self.untyped().meta().ok().and_then(|meta| long_lanes(meta, axis, bytes));
        let Some((across, count, within)) = long else {
            return DArray::then(Sort { axis, places, budget: Budget::planned() }, vec![self.to_any()], method);
        };
        let mut lanes = Vec::with_capacity(count);
        for at in 0..count {
            lanes.push(self.index_axis(across, at as isize).in_order(within, places, bytes, method));
        }
        stack(&lanes, across)
    }
}

/// Where lanes along an axis are of more than so many bytes and in several chunks: another axis, how long that is, and which axis the first one is
/// without it.
fn long_lanes(meta: &Meta, axis: isize, bytes: u64) -> Option<(isize, usize, isize)> {
    let axis = axis_of(axis, meta.ndim()).ok()?;
    let shape = meta.shape().ok()?;
    let is_long = (shape[axis] as u64).saturating_mul(meta.dtype.size() as u64) > bytes && meta.cuts[axis].count() > 1;
    if meta.ndim() == 1 || !is_long || shape.contains(&0) {
        return None;
    }
    Some(if axis == 0 { (1, shape[1], 0) } else { (0, shape[0], axis as isize - 1) })
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

#[cfg(test)]
mod tests {
    use partita_graph::Serial;

    use super::*;
    use crate::client::operator_registry;

    #[test]
    fn long_lanes_are_sorted_where_they_are() {
        let serial = Serial::new(operator_registry());
        for chunks in [[2, 3, 2], [1, 7, 2], [3, 2, 1]] {
            let x = DArray::from_fn([3, 7, 2], chunks, |at| (at[0] * 31 + at[1] * 17 + at[2] * 5) as i32 % 11);
            for axis in [0, 1, -1] {
                let sorted = |bytes: u64| x.in_order::<i32>(axis, false, bytes, "").compute_on(&serial).expect("it runs");
                let places = |bytes: u64| x.in_order::<i64>(axis, true, bytes, "").compute_on(&serial).expect("it runs");
                assert_eq!(sorted(0), sorted(u64::MAX), "{chunks:?} along {axis}");
                assert_eq!(places(0), places(u64::MAX), "{chunks:?} along {axis}");
            }
        }
        let x = DArray::<i32>::zeros([3, 8, 2], [3, 4, 2]);
        assert_eq!(x.in_order::<i32>(1, false, 0, "").chunks().expect("known"), [vec![1; 3], vec![4; 2], vec![1; 2]]);
    }

    #[test]
    fn few_lanes_come_together() {
        let x = DArray::<f64>::zeros([100_000, 10_000], [1000, 10_000]);
        let [rows, columns] = x.sort(0).chunksize().expect("known")[..] else { panic!("two axes") };
        assert_eq!(rows, 100_000);
        assert!((rows * columns * 8) as u64 <= 256 << 20, "{columns} columns");
        // A lane of more than that stays in its chunks, and so it does where it is the only one.
        let long = DArray::<f64>::zeros([2, 50_000_000], [2, 1_000_000]);
        assert_eq!(long.sort(1).chunksize().expect("known"), [1, 1_000_000]);
        assert_eq!(long.slice_axis(0, ..1).sort(1).chunksize().expect("known"), [1, 1_000_000]);
    }
}
