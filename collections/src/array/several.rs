//! Several arrays, also of elements of different kinds, as what one task is given or gives.

use super::{AnyArray, DArray, DType, Element};
use crate::delayed::BlockValue;

/// Arrays of which a task takes a part each: a tuple of references to arrays, up to eight.
#[diagnostic::on_unimplemented(message = "this is no tuple of references to arrays", note = "one array alone is given as `(&x,)`")]
pub trait Arrays {
    /// Stands for what the task takes.
    #[doc(hidden)]
    type Arguments;
    /// The arrays in their order.
    #[doc(hidden)]
    fn untyped(&self) -> Vec<AnyArray>;
}

/// The same with the names of their axes: a tuple of pairs, each of a reference to an array and a text of one letter for each axis.
#[diagnostic::on_unimplemented(
    message = "this is no tuple of arrays with the names of their axes",
    note = "one array alone is given as `((&x, \"ij\"),)`"
)]
pub trait NamedArrays {
    /// Stands for what the task takes.
    #[doc(hidden)]
    type Arguments;
    /// The arrays in their order.
    #[doc(hidden)]
    fn untyped(&self) -> Vec<AnyArray>;
    /// The names of the axes of each.
    #[doc(hidden)]
    fn names(&self) -> Vec<Vec<char>>;
}

macro_rules! tuples {
    ($($($T:ident $at:tt)*;)*) => {
        $(
            impl<$($T: Element),*> Arrays for ($(&DArray<$T>,)*) {
                type Arguments = ($(DArray<$T>,)*);

                fn untyped(&self) -> Vec<AnyArray> {
                    vec![$(self.$at.to_any()),*]
                }
            }

            impl<$($T: Element),*> NamedArrays for ($((&DArray<$T>, &str),)*) {
                type Arguments = ($(DArray<$T>,)*);

                fn untyped(&self) -> Vec<AnyArray> {
                    vec![$(self.$at.0.to_any()),*]
                }

                fn names(&self) -> Vec<Vec<char>> {
                    vec![$(self.$at.1.chars().collect()),*]
                }
            }
        )*
    };
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

/// What a task may give that gives several arrays: a tuple of two to six of them. `Elements` are the kinds of their elements.
#[diagnostic::on_unimplemented(message = "the task gives no tuple of arrays", label = "it gives {Self}")]
pub trait Results<Elements> {
    /// As many lazy arrays.
    #[doc(hidden)]
    type Arrays;
    /// The kinds of their elements.
    #[doc(hidden)]
    fn dtypes() -> Vec<DType>;
    /// The arrays, of these kinds.
    #[doc(hidden)]
    fn arrays(parts: &[AnyArray]) -> Self::Arrays;
}

macro_rules! results {
    ($($($A:ident $T:ident $at:tt)*;)*) => {
        $(
            impl<$($A: BlockValue<$T>, $T: Element),*> Results<($($T,)*)> for ($($A,)*) {
                type Arrays = ($(DArray<$T>,)*);

                fn dtypes() -> Vec<DType> {
                    vec![$($T::DTYPE),*]
                }

                fn arrays(parts: &[AnyArray]) -> Self::Arrays {
                    ($(DArray::of(parts[$at].clone()),)*)
                }
            }
        )*
    };
}

results! {
    A S 0 B T 1;
    A S 0 B T 1 C U 2;
    A S 0 B T 1 C U 2 D V 3;
    A S 0 B T 1 C U 2 D V 3 E W 4;
    A S 0 B T 1 C U 2 D V 3 E W 4 F X 5;
}
