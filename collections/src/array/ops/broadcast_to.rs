//! `broadcast_to`: an array repeated along axes of length 1 and along new axes in front. Nothing is copied.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::broadcast::broadcast;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, Place, tuple};
use crate::array::{Chunks, DArray, Element, Node, Shape, Step};

impl<T: Element> DArray<T> {
    /// The array repeated to a shape that it fits: axes are compared from the last one on, and one of length 1 becomes as long as is
    /// wanted. Blocks are views that take no memory of their own.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1], [2]], 1);
    /// assert_eq!(x.broadcast_to([2, 3]).compute()?, array![[1, 1, 1], [2, 2, 2]].into_dyn());
    /// assert_eq!(x.broadcast_to([4, 2, 1]).shape()?, [4, 2, 1]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a shape that the array does not fit.
    #[doc(alias = "broadcast")]
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> DArray<T> {
        DArray::then(BroadcastTo { shape: shape.into().0 }, vec![self.to_any()], ".broadcast_to(…)")
    }
}

/// Arrays repeated to the shape that they have together.
///
/// ```
/// use partita::{broadcast_arrays, prelude::*};
/// let (x, y) = (DArray::<f64>::ones([3, 1], 2), DArray::<f64>::zeros([4], 4));
/// let together = broadcast_arrays(&[x, y])?;
/// assert_eq!((together[0].shape()?, together[1].shape()?), (vec![3, 4], vec![3, 4]));
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit together or are not known.
#[track_caller]
pub fn broadcast_arrays<T: Element>(arrays: &[DArray<T>]) -> Result<Vec<DArray<T>>, Failure> {
    let metas = arrays.iter().map(|array| array.untyped().meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
    let shape = Meta { dtype: T::DTYPE, cuts: broadcast(&metas)? }.shape()?;
    let mut repeated = Vec::with_capacity(arrays.len());
    for array in arrays {
        repeated.push(array.broadcast_to(shape.clone()));
    }
    Ok(repeated)
}

struct BroadcastTo {
    shape: Vec<usize>,
}

impl Step for BroadcastTo {
    fn line(&self) -> String {
        format!("broadcast to {}", tuple(&self.shape))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let own = inputs[0].shape()?;
        let ahead = self.shape.len().checked_sub(own.len());
        let fits = |ahead: &usize| own.iter().zip(&self.shape[*ahead..]).all(|(own, wanted)| own == wanted || *own == 1);
        let Some(ahead) = ahead.filter(fits) else {
            let what = format!("an array of shape {} cannot be repeated to shape {}", tuple(&own), tuple(&self.shape));
            return Err(Failure::new(Code::ShapeMismatch, what).help("axes are compared from the last one on; 1 becomes any length"));
        };
        // What is repeated costs nothing; it is cut as a new array would be, so that what is made of it has blocks of a good size.
        let is_new = |axis: usize| axis < ahead || (own[axis - ahead] == 1 && self.shape[axis] != 1);
        let new: Vec<bool> = (0..self.shape.len()).map(is_new).collect();
        let old: Vec<Cuts> = (0..self.shape.len())
            .map(|axis| if new[axis] { Cuts::whole(self.shape[axis]) } else { inputs[0].cuts[axis - ahead].clone() })
            .collect();
        let lens: Vec<Option<usize>> = self.shape.iter().copied().map(Some).collect();
        let cuts = Chunks::auto_along(&new).cut(&lens, inputs[0].dtype, Some(&old))?;
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.known()?;
        let edges = lowering.aligned(&node.inputs, &meta.cuts, node)?;
        let args = meta.places()?.into_iter().map(|Place { shape, .. }| Arg::encode(&shape)).collect();
        Ok(lowering.add(Layer::with_args("broadcast", OpRef::new(Repeat, self.line()), args, edges), node))
    }
}

/// A block repeated to a shape.
#[derive(Serialize, Deserialize)]
pub(crate) struct Repeat;

impl Operator for Repeat {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let shape: Vec<usize> = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("broadcast: no block"))??;
        let fits = shape.len() >= block.shape().len()
            && block.shape().iter().rev().zip(shape.iter().rev()).all(|(own, wanted)| own == wanted || *own == 1);
        if !fits {
            return Err(Failure::internal("broadcast: a block that does not fit"));
        }
        Ok(Chunk::new(block.repeated(&shape)))
    }
}

impl NamedOperator for Repeat {
    const NAME: &'static str = "array_broadcast";
}
