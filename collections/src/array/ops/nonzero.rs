//! `mask`, `nonzero` and their kin: the elements for which a mask is true, and the places of those that are other than zero.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, tuple};
use crate::array::ops::gather::FlatPlaces;
use crate::array::{DArray, Element, Node, Shape, Step};

impl<T: Element> DArray<T> {
    /// The elements for which a mask of the same shape is true, in row-major order, along one axis. How many there are is known only after
    /// they were made; see [`DArray::compute_chunk_sizes`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    /// assert_eq!(x.mask(&(&x % 2).eq(0)).compute()?, array![2, 4, 6].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a mask of another shape, sizes of chunks that are not known.
    #[doc(alias = "extract")]
    #[track_caller]
    pub fn mask(&self, mask: &DArray<bool>) -> DArray<T> {
        match (self.untyped().meta(), mask.untyped().meta()) {
            (Ok(own), Ok(other)) if own.lens() == other.lens() => self.ravel().compress(&mask.ravel(), 0),
            // It fails with both shapes, or with the failure of either.
            _ => self.compress(mask, 0),
        }
    }

    /// The places of elements other than zero, in row-major order: one row for each, one column for each axis.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[0, 2], [3, 0]], 1);
    /// assert_eq!(x.argwhere().compute()?, array![[0, 1], [1, 0]].into_dyn());
    /// assert_eq!(x.flatnonzero().compute()?, array![1, 2].into_dyn());
    /// assert_eq!(x.nonzero()?[1].compute()?, array![1, 0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: sizes of chunks that are not known.
    #[track_caller]
    pub fn argwhere(&self) -> DArray<i64> {
        match self.shape() {
            Ok(shape) => DArray::then(NonZero { shape: Some(shape) }, vec![self.ravel().is_nonzero().to_any()], ".argwhere()"),
            Err(failure) => DArray::failed(failure, ".argwhere()"),
        }
    }

    /// The places of elements other than zero, counted in row-major order.
    ///
    /// # Errors
    /// At `compute`: sizes of chunks that are not known.
    #[track_caller]
    pub fn flatnonzero(&self) -> DArray<i64> {
        DArray::then(NonZero { shape: None }, vec![self.ravel().is_nonzero().to_any()], ".flatnonzero()")
    }

    /// The places of elements other than zero, one array for each axis; see [`DArray::argwhere`].
    ///
    /// # Errors
    /// The failure of the first step that does not fit; sizes of chunks that are not known.
    #[track_caller]
    pub fn nonzero(&self) -> Result<Vec<DArray<i64>>, Failure> {
        let places = self.argwhere();
        let mut columns = Vec::new();
        for axis in 0..self.ndim()? {
            columns.push(places.index_axis(1, axis as isize));
        }
        Ok(columns)
    }
}

impl DArray<i64> {
    /// Of places that were counted in row-major order in an array of this shape, the places along each axis.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let flat = DArray::arange(4i64, 6, 1, 2);
    /// let places = flat.unravel_index([2, 3]);
    /// assert_eq!(places[0].compute()?.into_iter().collect::<Vec<_>>(), [1, 1]);
    /// assert_eq!(DArray::ravel_multi_index(&places, [2, 3]).compute()?, flat.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: a place that such an array does not have; negative ones do not count from the back, as with NumPy.
    #[track_caller]
    pub fn unravel_index(&self, shape: impl Into<Shape>) -> Vec<DArray<i64>> {
        let shape = shape.into().0;
        let step = Within { shape: shape.clone() };
        let mut left: DArray<i64> = DArray::then(step, vec![self.to_any()], ".unravel_index(…)");
        let mut places = Vec::with_capacity(shape.len());
        for len in shape.into_iter().rev() {
            places.push(left.remainder(len as i64));
            left = left.floor_divide(len as i64);
        }
        places.reverse();
        places
    }

    /// The places in row-major order of elements that are named by their places along each axis of an array of this shape.
    ///
    /// # Errors
    /// At `compute`: lists for another number of axes, shapes that do not fit together. While it runs: a place that such an array does not have;
    /// negative ones do not count from the back, as with NumPy.
    #[track_caller]
    pub fn ravel_multi_index(places: &[DArray<i64>], shape: impl Into<Shape>) -> DArray<i64> {
        let shape = shape.into().0;
        if places.len() != shape.len() || places.is_empty() {
            let what = format!("places along {} axes, for an array of {}", places.len(), shape.len());
            return DArray::failed(Failure::new(Code::ShapeMismatch, what), "ravel_multi_index(…)");
        }
        let inputs = places.iter().map(|places| places.to_any()).collect();
        DArray::then(FlatPlaces { shape, from_back: false }, inputs, "ravel_multi_index(…)")
    }
}

/// Places in row-major order, if an array of this shape has them all.
struct Within {
    shape: Vec<usize>,
}

impl Step for Within {
    fn line(&self) -> String {
        format!("places in an array of shape {}", tuple(&self.shape))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(inputs[0].clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let op = OpRef::new(PlacesWithin { shape: self.shape.clone() }, self.line());
        Ok(lowering.add(Layer::single("places", node.known()?.blocks()?, op, edges), node))
    }
}

/// Hands a block of places on, if an array of this shape has them all.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlacesWithin {
    shape: Vec<usize>,
}

impl Operator for PlacesWithin {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let chunk = inputs.first().ok_or_else(|| Failure::internal("places: no block"))?;
        let len = self.shape.iter().fold(1usize, |product, len| product.saturating_mul(*len));
        let is_there = |place: &i64| usize::try_from(*place).is_ok_and(|place| place < len);
        match block_of(chunk)?.to_vec::<i64>()?.iter().find(|place| !is_there(place)) {
            None => Ok(chunk.clone()),
            Some(place) => {
                let what = format!("there is no place {place} in an array of shape {}, which has {len} elements", tuple(&self.shape));
                Err(Failure::new(Code::IndexOutOfRange, what).help("places are counted from 0 in row-major order"))
            }
        }
    }
}

impl NamedOperator for PlacesWithin {
    const NAME: &'static str = "array_places_within";
}

/// The places of what is true along the only axis.
struct NonZero {
    /// The shape in which the places are told, one column for each axis; as they are counted otherwise.
    shape: Option<Vec<usize>>,
}

impl Step for NonZero {
    fn line(&self) -> String {
        "places of what is not zero".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        inputs[0].sizes()?;
        let mut cuts = vec![Cuts::Unknown(inputs[0].blocks()?)];
        cuts.extend(self.shape.as_ref().map(|shape| Cuts::whole(shape.len())));
        Ok(Meta { dtype: DType::I64, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let args = node.inputs[0].meta()?.places()?.iter().map(|place| Arg::encode(&place.start)).collect();
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let op = OpRef::new(NonZeroOfBlock { shape: self.shape.clone() }, self.line());
        Ok(lowering.add(Layer::with_args("nonzero", op, args, edges), node))
    }
}

/// The places of what is true in a block of one axis.
#[derive(Serialize, Deserialize)]
pub(crate) struct NonZeroOfBlock {
    shape: Option<Vec<usize>>,
}

impl Operator for NonZeroOfBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let start: Vec<usize> = ctx.arg()?.decode()?;
        let first = start.first().copied().unwrap_or(0);
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("nonzero: no block"))??;
        let truths = block.to_vec::<bool>()?;
        let places = truths.iter().enumerate().filter(|(_, truth)| **truth).map(|(at, _)| first + at);
        let Some(shape) = &self.shape else {
            let places: Vec<i64> = places.map(|place| place as i64).collect();
            return Ok(Chunk::new(Block::from_vec(vec![places.len()], places)));
        };
        let mut rows: Vec<i64> = Vec::new();
        let mut count = 0;
        for mut place in places {
            let row = rows.len();
            rows.resize(row + shape.len(), 0);
            for (axis, len) in shape.iter().enumerate().rev() {
                rows[row + axis] = (place % len) as i64;
                place /= len;
            }
            count += 1;
        }
        Ok(Chunk::new(Block::from_vec(vec![count, shape.len()], rows)))
    }
}

impl NamedOperator for NonZeroOfBlock {
    const NAME: &'static str = "array_nonzero";
}
