//! Between blocks and ndarray's arrays: what a user's task gives becomes a block, and what it takes is lent from one.
//!
//! It refuses to know tasks and whole arrays. Invariants: an array without gaps stays where it is, in a block and for who reads it as
//! what it was; in any other form elements are copied, never guessed.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};

use ndarray::{Array, ArrayD, ArrayViewD, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};
use partita_graph::{Chunk, Code, Failure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::block::{Block, block_of};
use super::class::Element;
use super::element::{DType, Held, with_dtype};
use super::meta::tuple;

/// An array without gaps whose memory a block uses.
pub trait Kept<T>: Send + Sync {
    /// Its shape.
    fn lens(&self) -> &[usize];
    /// How far elements lie apart in memory, axis by axis; nowhere negative.
    fn steps(&self) -> &[isize];
    /// All elements, as they lie in memory.
    fn elements(&self) -> &[T];
    /// The array itself.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Held, D: Dimension + 'static> Kept<T> for Array<T, D> {
    fn lens(&self) -> &[usize] {
        self.shape()
    }

    fn steps(&self) -> &[isize] {
        self.strides()
    }

    fn elements(&self) -> &[T] {
        self.as_slice_memory_order().expect("it was looked at when it was kept")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Block {
    /// The array's own memory, not copied. Where it has no gaps, who takes an array of this type is lent it.
    pub fn of_array<T: Held, D: Dimension + 'static>(array: Array<T, D>) -> Self {
        let plain = array.strides().iter().all(|stride| *stride >= 0) && array.as_slice_memory_order().is_some_and(|all| !all.is_empty());
        if plain { Self::keeping(Arc::new(array)) } else { Self::from_array(array.into_dyn()) }
    }

    /// The array of this type that it is, when it was made of one and nothing is cut off.
    pub fn lent<A: Any>(&self) -> Option<&A> {
        with_dtype!(self.dtype(), T => self.kept::<T>().and_then(|kept| kept.as_any().downcast_ref()))
    }

    /// A copy as an array with so many axes.
    fn owned<T: Held, D: Dimension>(&self) -> Result<Array<T, D>, Failure> {
        let shape = self.shape().to_vec();
        self.to_array::<T>()?.into_dimensionality().map_err(|_| {
            let what = format!("a task takes an array with {} axes, and one of shape {} came", D::NDIM.unwrap_or(0), tuple(shape));
            Failure::new(Code::ShapeMismatch, what).help("take an ArrayD, which has any number of axes")
        })
    }
}

/// A block of a [`crate::DArray`] as a task takes and gives it: elements and a shape, shared with whoever else has the block.
///
/// Cloning is cheap, and so is lending: a task that takes an `&ArrayBlock<f64>` reads the chunk where it lies, whatever made it.
/// (A task that takes an `&Array2<f64>` or `&ArrayD<f64>` does so too where another task gave just that; elsewhere it gets a copy.)
///
/// ```
/// use partita::prelude::*;
/// use partita::{ArrayBlock, delayed, task};
///
/// #[task]
/// fn largest(block: &ArrayBlock<f64>) -> f64 {
///     block.view().iter().copied().fold(f64::MIN, f64::max)
/// }
///
/// let x = DArray::arange(0.0, 6.0, 1.0, 4);
/// assert_eq!(delayed(largest)(&x).compute()?, 5.0);
/// let blocks = x.to_delayed()?;
/// assert_eq!(delayed(largest)(&blocks[[0]]).compute()?, 3.0);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone)]
pub struct ArrayBlock<T> {
    block: Block,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> ArrayBlock<T> {
    fn of(block: Block) -> Self {
        Self { block, element: PhantomData }
    }

    /// For reading with ndarray, without a copy.
    pub fn view(&self) -> ArrayViewD<'_, T> {
        self.block.view().expect("it is of this kind")
    }

    /// A copy of the elements, in row-major order.
    pub fn to_array(&self) -> ArrayD<T> {
        self.block.to_array().expect("it is of this kind")
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        self.block.shape()
    }
}

impl<T: Element, D: Dimension + 'static> From<Array<T, D>> for ArrayBlock<T> {
    /// Nothing is copied.
    fn from(array: Array<T, D>) -> Self {
        Self::of(Block::of_array(array))
    }
}

impl<T: Element> fmt::Debug for ArrayBlock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

impl<T: Element> PartialEq for ArrayBlock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl<T: Element + Serialize> Serialize for ArrayBlock<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}

impl<'de, T: Element + Deserialize<'de>> Deserialize<'de> for ArrayBlock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ArrayD::<T>::deserialize(deserializer).map(Self::from)
    }
}

type Shared = Arc<dyn Any + Send + Sync>;

/// What can be done with a type of array.
struct Form {
    /// Takes it out of an `Option` of it.
    keep: fn(&mut dyn Any) -> Option<Block>,
    /// One as a value of its own.
    read: fn(&Block) -> Result<Shared, Failure>,
}

type ReadList = fn(&[Chunk]) -> Result<Box<dyn Any>, Failure>;

/// All types of arrays by what they are called at run time, and lists of them.
#[derive(Default)]
struct Forms {
    arrays: BTreeMap<TypeId, Form>,
    lists: BTreeMap<TypeId, ReadList>,
}

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let mut forms = Forms::default();
    for dtype in DType::ALL {
        with_dtype!(*dtype, T => forms.add_kind::<T>());
    }
    forms
});

impl Forms {
    fn add_kind<T: Element>(&mut self) {
        self.add::<T, Ix0>();
        self.add::<T, Ix1>();
        self.add::<T, Ix2>();
        self.add::<T, Ix3>();
        self.add::<T, Ix4>();
        self.add::<T, Ix5>();
        self.add::<T, Ix6>();
        self.add::<T, IxDyn>();
        let keep = |value: &mut dyn Any| Some(taken::<ArrayBlock<T>>(value)?.block);
        let read = |block: &Block| -> Result<Shared, Failure> { Ok(Arc::new(as_block::<T>(block)?)) };
        self.arrays.insert(TypeId::of::<ArrayBlock<T>>(), Form { keep, read });
        self.lists.insert(TypeId::of::<Vec<ArrayBlock<T>>>(), |chunks| {
            let blocks = chunks.iter().map(|chunk| as_block::<T>(block_of(chunk)?)).collect::<Result<Vec<_>, _>>()?;
            Ok(Box::new(blocks))
        });
    }

    fn add<T: Held, D: Dimension + 'static>(&mut self) {
        let keep = |value: &mut dyn Any| taken::<Array<T, D>>(value).map(Block::of_array);
        let read = |block: &Block| -> Result<Shared, Failure> { Ok(Arc::new(block.owned::<T, D>()?)) };
        self.arrays.insert(TypeId::of::<Array<T, D>>(), Form { keep, read });
        self.lists.insert(TypeId::of::<Vec<Array<T, D>>>(), |chunks| {
            let arrays = chunks.iter().map(|chunk| block_of(chunk)?.owned::<T, D>()).collect::<Result<Vec<_>, _>>()?;
            Ok(Box::new(arrays))
        });
    }
}

fn taken<A: Any>(value: &mut dyn Any) -> Option<A> {
    value.downcast_mut::<Option<A>>()?.take()
}

fn as_block<T: Element>(block: &Block) -> Result<ArrayBlock<T>, Failure> {
    // Looked at once, so that later looks need not fail.
    block.view::<T>()?;
    Ok(ArrayBlock::of(block.clone()))
}

/// Makes a block of an array of ndarray's, or of an [`ArrayBlock`]; `value` is an `Option` of one. Other types stay where they are.
pub(crate) fn kept<T: Any>(value: &mut Option<T>) -> Option<Block> {
    (FORMS.arrays.get(&TypeId::of::<T>())?.keep)(value)
}

/// A block as an array of this type; `None` when it is no type of array.
pub(crate) fn read<A: Any + Send + Sync>(block: &Block) -> Option<Result<Arc<A>, Failure>> {
    let form = FORMS.arrays.get(&TypeId::of::<A>())?;
    let cast = |read: Shared| read.downcast().map_err(|_| Failure::internal("an array changed its type"));
    Some((form.read)(block).and_then(cast))
}

/// Blocks as a list of arrays; `None` when this is no type of such a list.
pub(crate) fn read_list<L: Any>(chunks: &[Chunk]) -> Option<Result<L, Failure>> {
    let list = FORMS.lists.get(&TypeId::of::<L>())?;
    let cast = |read: Box<dyn Any>| read.downcast().map(|list| *list).map_err(|_| Failure::internal("a list changed its type"));
    Some(list(chunks).and_then(cast))
}

#[cfg(test)]
mod tests {
    use super::{ArrayBlock, kept, read, read_list};
    use crate::array::block::Block;
    use ndarray::{ArrayD, array};
    use partita_graph::{Chunk, Code};
    use std::any::Any;

    fn block_of<T: Any>(array: T) -> Block {
        kept(&mut Some(array)).expect("a type of array")
    }

    #[test]
    fn arrays_stay_where_they_are() {
        let given = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        for given in [given.clone(), given.reversed_axes()] {
            let (place, expected) = (given.as_ptr(), given.clone().into_dyn());
            let block = block_of(given);
            assert_eq!(block.to_array::<f64>().expect("f64"), expected);
            let lent = block.lent::<ndarray::Array2<f64>>().expect("it was made of one");
            assert_eq!((lent.as_ptr(), block.view::<f64>().expect("f64").as_ptr()), (place, place));
            assert!(block.lent::<ArrayD<f64>>().is_none() && block.lent::<ndarray::Array2<f32>>().is_none());
            assert!(block.cut(&[0..1, 0..1]).lent::<ndarray::Array2<f64>>().is_none(), "a part is not the whole");
        }
    }

    #[test]
    fn memory_is_not_copied_on_the_way() {
        let given = array![1i64, 2, 3];
        let place = given.as_ptr();
        let block = block_of(given);
        assert_eq!(block.lent::<ndarray::Array1<i64>>().map(|array| array.as_ptr()), Some(place));
        let shared = read::<ArrayBlock<i64>>(&block).expect("a type of array").expect("of this kind");
        assert_eq!(shared.view().as_ptr(), place);
        let again = kept(&mut Some((*shared).clone())).expect("a block");
        assert_eq!(again.view::<i64>().expect("i64").as_ptr(), place);
    }

    #[test]
    fn other_forms_are_copied_or_refused() {
        let mut turned = array![[1, 2], [3, 4]];
        turned.invert_axis(ndarray::Axis(0));
        let block = block_of(turned.clone());
        assert!(block.lent::<ndarray::Array2<i32>>().is_none(), "it has a negative stride");
        assert_eq!(*read::<ArrayD<i32>>(&block).expect("an array").expect("i32"), turned.clone().into_dyn());
        assert_eq!(*read::<ndarray::Array2<i32>>(&block).expect("an array").expect("two axes"), turned);
        let axes = read::<ndarray::Array1<i32>>(&block).expect("an array").expect_err("two axes");
        assert_eq!(axes.code, Code::ShapeMismatch);
        assert!(read::<ArrayD<f64>>(&block).expect("an array").is_err(), "another kind");
        assert!(read::<Vec<i32>>(&block).is_none() && kept(&mut Some(vec![1i32])).is_none());
        let empty = block_of(ndarray::Array2::<f64>::zeros((0, 3)));
        assert_eq!(read::<ndarray::Array2<f64>>(&empty).expect("an array").expect("f64").shape(), [0, 3]);
        let list = [Chunk::new(block.clone()), Chunk::new(block)];
        let read = read_list::<Vec<ndarray::Array2<i32>>>(&list).expect("a list").expect("of such");
        assert_eq!(read, [turned.clone(), turned]);
    }
}
