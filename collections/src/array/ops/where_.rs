//! `where_`: elements of one array or another, as a mask says.

use crate::array::ops::elementwise::{Given, Operand};
use crate::array::tile::Op;
use crate::array::{DArray, Element};

/// Elements of `yes` where the mask is true, and of `no` elsewhere. Both may be arrays or single elements.
///
/// ```
/// use partita::{prelude::*, where_};
/// let x = DArray::arange(0, 5, 1, 2);
/// let small = where_(&x.lt(3), &x, -1);
/// assert_eq!(small.compute()?.into_iter().collect::<Vec<_>>(), [0, 1, 2, -1, -1]);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: shapes that do not fit together.
#[track_caller]
pub fn where_<T: Element>(mask: &DArray<bool>, yes: impl Operand<T>, no: impl Operand<T>) -> DArray<T> {
    DArray::elementwise(Op::Select, T::DTYPE, vec![Given::Array(mask.to_any()), yes.into_given(), no.into_given()], "where_(…)")
}

/// Of several masks, the first that is true says which array an element is from; `default` holds where none is.
///
/// ```
/// use partita::{prelude::*, select};
/// let x = DArray::arange(0i64, 5, 1, 2);
/// let found = select(&[(x.lt(2), -&x), (x.lt(4), &x * 10)], 0);
/// assert_eq!(found.compute()?.into_iter().collect::<Vec<_>>(), [0, -1, 20, 30, 0]);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// Without any mask the result is the default alone, without axes.
///
/// # Errors
/// At `compute`: shapes that do not fit together.
#[doc(alias = "piecewise")]
#[track_caller]
pub fn select<T: Element>(cases: &[(DArray<bool>, DArray<T>)], default: T) -> DArray<T> {
    let mut cases = cases.iter().rev();
    let Some((mask, last)) = cases.next() else { return DArray::full((), default, 1) };
    let mut found = where_(mask, last, default);
    for (mask, array) in cases {
        found = where_(mask, array, found);
    }
    found
}

impl<T: Element> DArray<T> {
    /// The array where the mask is true, and `other` elsewhere.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 4, 1, 2);
    /// assert_eq!(x.where_(&x.gt(1), 9).compute()?.into_iter().collect::<Vec<_>>(), [9, 9, 2, 3]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together.
    #[track_caller]
    pub fn where_(&self, mask: &DArray<bool>, other: impl Operand<T>) -> DArray<T> {
        let operands = vec![Given::Array(mask.to_any()), Given::Array(self.to_any()), other.into_given()];
        DArray::elementwise(Op::Select, T::DTYPE, operands, ".where_(…)")
    }
}
