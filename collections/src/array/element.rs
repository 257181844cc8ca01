//! What arrays are made of: eleven kinds of numbers, in one table from which everything that exists once for each kind is made.
//!
//! It refuses to know arithmetic and shapes. The invariant: what is done for a kind that is known only at run time goes through
//! `with_dtype!`, so that a kind that is added to the table is either handled everywhere or does not compile.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use partita_graph::Buffer;
use serde::{Deserialize, Serialize};

use super::lend::Kept;
use super::tile::Arith;

/// Elements in memory: a vector of our own, or bytes that came from a peer or a disk and are used where they lie.
#[derive(Clone)]
pub enum Storage<T> {
    /// Made in this process.
    Own(Arc<Vec<T>>),
    /// Aligned and whole, see [`Held::lent`].
    Lent(Buffer),
    /// An array that a user's task gave.
    Kept(Arc<dyn Kept<T>>),
}

impl<T: Held> Storage<T> {
    /// All of them.
    pub fn values(&self) -> &[T] {
        match self {
            Storage::Own(values) => values.as_slice(),
            Storage::Lent(buffer) => T::lent((**buffer).as_ref()).expect("it was looked at when it was lent"),
            Storage::Kept(array) => array.elements(),
        }
    }
}

/// What memory has to know of a kind of element. Implemented for the kinds of the table and for no other type.
pub trait Held: Copy + Default + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// Which kind it is.
    const DTYPE: DType;
    /// Elements whose kind is known at run time only.
    fn data(storage: Storage<Self>) -> Data;
    /// And back, when they are of this kind.
    fn storage(data: &Data) -> Option<&Storage<Self>>;
    /// Values whose kind is known at run time only.
    fn column(values: Vec<Self>) -> Column;
    /// And back, when they are of this kind.
    fn values(column: &Column) -> Option<&Vec<Self>>;
    /// The same, to change them.
    fn values_mut(column: &mut Column) -> Option<&mut Vec<Self>>;
    /// As bytes, as they lie in memory.
    fn bytes(values: &[Self]) -> &[u8];
    /// Bytes as elements where they lie; `None` when they are not aligned, or may hold what no element is.
    fn lent(bytes: &[u8]) -> Option<&[Self]>;
    /// The same by copying; `None` when they are no elements.
    fn copied(bytes: &[u8]) -> Option<Vec<Self>>;
    /// One element in eight bytes, whatever its kind.
    fn bits(self) -> u64;
    /// And back.
    fn of_bits(bits: u64) -> Self;
    /// The nearest `f64`; true is 1.
    fn to_f64(self) -> f64;
    /// The nearest element: integers are cut towards zero and at their bounds, NaN becomes 0; what is not 0 is true.
    fn of_f64(value: f64) -> Self;
    /// As an `i64`; one that is too large for it wraps, so that sums of any integers can be made of `i64`.
    fn to_i64(self) -> i64;
    /// And back: the lowest bits, or the nearest float.
    fn of_i64(value: i64) -> Self;
}

/// What differs between kinds of kinds.
macro_rules! raw {
    (boolean $T:ident) => {
        fn lent(_: &[u8]) -> Option<&[Self]> {
            None
        }

        fn copied(bytes: &[u8]) -> Option<Vec<Self>> {
            let element = |byte: &u8| match byte {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            };
            bytes.iter().map(element).collect()
        }

        fn bits(self) -> u64 {
            u64::from(self)
        }

        fn of_bits(bits: u64) -> Self {
            bits != 0
        }

        #[inline(always)]
        fn to_f64(self) -> f64 {
            f64::from(u8::from(self))
        }

        #[inline(always)]
        fn of_f64(value: f64) -> Self {
            value != 0.0
        }

        #[inline(always)]
        fn to_i64(self) -> i64 {
            i64::from(self)
        }

        #[inline(always)]
        fn of_i64(value: i64) -> Self {
            value != 0
        }
    };
    (integer $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u64 {
            self as u64
        }

        fn of_bits(bits: u64) -> Self {
            bits as $T
        }
    };
    (word $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u64 {
            self
        }

        fn of_bits(bits: u64) -> Self {
            bits
        }
    };
    (single $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u64 {
            u64::from(self.to_bits())
        }

        fn of_bits(bits: u64) -> Self {
            $T::from_bits(bits as u32)
        }
    };
    (double $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u64 {
            self.to_bits()
        }

        fn of_bits(bits: u64) -> Self {
            $T::from_bits(bits)
        }
    };
    (number $T:ident) => {
        fn lent(bytes: &[u8]) -> Option<&[Self]> {
            bytemuck::try_cast_slice(bytes).ok()
        }

        fn copied(bytes: &[u8]) -> Option<Vec<Self>> {
            let (elements, rest) = bytes.as_chunks::<{ size_of::<$T>() }>();
            rest.is_empty().then(|| elements.iter().map(|element| $T::from_ne_bytes(*element)).collect())
        }

        #[inline(always)]
        fn to_f64(self) -> f64 {
            self as f64
        }

        #[inline(always)]
        fn of_f64(value: f64) -> Self {
            value as $T
        }

        #[inline(always)]
        fn to_i64(self) -> i64 {
            self as i64
        }

        #[inline(always)]
        fn of_i64(value: i64) -> Self {
            value as $T
        }
    };
}

macro_rules! elements {
    ($($Variant:ident $T:ident $class:ident;)*) => {
        /// The kind of an array's elements, where it is known only at run time.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum DType {
            $(#[doc = concat!("`", stringify!($T), "`")] $Variant,)*
        }

        impl DType {
            /// All of them.
            pub const ALL: &'static [DType] = &[$(DType::$Variant,)*];

            /// As Rust writes it: `f64`.
            pub fn name(self) -> &'static str {
                match self { $(DType::$Variant => stringify!($T),)* }
            }

            /// The size of one element, in bytes.
            pub fn size(self) -> usize {
                match self { $(DType::$Variant => size_of::<$T>(),)* }
            }
        }

        /// Elements of one kind in memory.
        #[derive(Clone)]
        pub enum Data {
            $(#[doc = concat!("`", stringify!($T), "`")] $Variant(Storage<$T>),)*
        }

        impl Data {
            /// Which kind.
            pub fn dtype(&self) -> DType {
                match self { $(Data::$Variant(_) => DType::$Variant,)* }
            }

            /// How many.
            pub fn len(&self) -> usize {
                match self { $(Data::$Variant(storage) => storage.values().len(),)* }
            }

            /// Some of them, as they lie in memory.
            pub fn bytes(&self, range: Range<usize>) -> &[u8] {
                match self { $(Data::$Variant(storage) => <$T as Held>::bytes(&storage.values()[range]),)* }
            }
        }

        /// Values of one kind that one task works on.
        pub enum Column {
            $(#[doc = concat!("`", stringify!($T), "`")] $Variant(Vec<$T>),)*
        }

        impl Column {
            /// So many values of this kind.
            pub fn new(dtype: DType, len: usize) -> Self {
                match dtype { $(DType::$Variant => Column::$Variant(vec![<$T>::default(); len]),)* }
            }
        }

        $(
            impl Held for $T {
                const DTYPE: DType = DType::$Variant;

                fn data(storage: Storage<Self>) -> Data {
                    Data::$Variant(storage)
                }

                fn storage(data: &Data) -> Option<&Storage<Self>> {
                    match data {
                        Data::$Variant(storage) => Some(storage),
                        _ => None,
                    }
                }

                fn column(values: Vec<Self>) -> Column {
                    Column::$Variant(values)
                }

                fn values(column: &Column) -> Option<&Vec<Self>> {
                    match column {
                        Column::$Variant(values) => Some(values),
                        _ => None,
                    }
                }

                fn values_mut(column: &mut Column) -> Option<&mut Vec<Self>> {
                    match column {
                        Column::$Variant(values) => Some(values),
                        _ => None,
                    }
                }

                fn bytes(values: &[Self]) -> &[u8] {
                    bytemuck::cast_slice(values)
                }

                raw!($class $T);
            }
        )*
    };
}

elements! {
    Bool bool boolean;
    I8 i8 integer;
    I16 i16 integer;
    I32 i32 integer;
    I64 i64 integer;
    U8 u8 integer;
    U16 u16 integer;
    U32 u32 integer;
    U64 u64 word;
    F32 f32 single;
    F64 f64 double;
}

/// Evaluates an expression with the type that a [`DType`] names: `with_dtype!(dtype, T => T::default().bits())`.
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::array::element::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::array::element::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::array::element::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::array::element::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::array::element::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::array::element::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::array::element::DType::U16 => {
                type $T = u16;
                $body
            }
            $crate::array::element::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::array::element::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::array::element::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::array::element::DType::F64 => {
                type $T = f64;
                $body
            }
        }
    };
}
pub(crate) use with_dtype;

impl Default for Column {
    /// No values. It takes no memory.
    fn default() -> Self {
        Column::Bool(Vec::new())
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DType {
    /// Whether it is `f32` or `f64`.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

/// One element whose kind is known at run time only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scalar {
    /// Its kind.
    pub dtype: DType,
    bits: u64,
}

impl Scalar {
    /// Of this value.
    pub fn of<T: Held>(value: T) -> Self {
        Self { dtype: T::DTYPE, bits: value.bits() }
    }

    /// The value, if it is of this kind.
    pub fn get<T: Held>(self) -> Option<T> {
        (T::DTYPE == self.dtype).then(|| T::of_bits(self.bits))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_dtype!(self.dtype, T => write!(f, "{:?}", T::of_bits(self.bits)))
    }
}

/// What an array may be made of: `f64 f32 i64 i32 i16 i8 u64 u32 u16 u8 bool`. It cannot be implemented for other types.
pub trait Element: Arith + fmt::Display {
    /// The type of a sum: eight bytes for integers, as with NumPy, so that sums of small integers do not wrap; `i64` for `bool`;
    /// the type itself for floats.
    type Sum: Number;
    /// The type of a mean: `f32` for `f32`, else `f64`.
    type Mean: Float;
}

/// Elements that can be calculated with: all but `bool`.
pub trait Number: Element {}

/// Whole numbers.
pub trait Integer: Number {}

/// Elements with bits: whole numbers, and `bool`, which has one.
pub trait Bits: Element {}

/// Floating-point numbers: `f64` and `f32`.
pub trait Float: Number {}

macro_rules! classes {
    ($($T:ident: sum $Sum:ident, mean $Mean:ident, $($Class:ident)*;)*) => {
        $(
            impl Element for $T {
                type Sum = $Sum;
                type Mean = $Mean;
            }
            $(impl $Class for $T {})*
        )*
    };
}

classes! {
    bool: sum i64, mean f64, Bits;
    i8: sum i64, mean f64, Number Integer Bits;
    i16: sum i64, mean f64, Number Integer Bits;
    i32: sum i64, mean f64, Number Integer Bits;
    i64: sum i64, mean f64, Number Integer Bits;
    u8: sum u64, mean f64, Number Integer Bits;
    u16: sum u64, mean f64, Number Integer Bits;
    u32: sum u64, mean f64, Number Integer Bits;
    u64: sum u64, mean f64, Number Integer Bits;
    f32: sum f32, mean f32, Number Float;
    f64: sum f64, mean f64, Number Float;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Held>(values: &[T]) {
        let bytes = T::bytes(values);
        assert_eq!(T::copied(bytes).as_deref(), Some(values));
        if let Some(lent) = T::lent(bytes) {
            assert_eq!(lent, values);
        }
        for value in values {
            assert_eq!(T::of_bits(value.bits()), *value);
            assert_eq!(Scalar::of(*value).get::<T>(), Some(*value));
        }
        assert_eq!(T::DTYPE.size(), size_of::<T>());
    }

    #[test]
    fn every_kind_survives_the_way_through_bytes() {
        check(&[false, true]);
        check(&[i8::MIN, -1, 0, i8::MAX]);
        check(&[i16::MIN, -1, 0, i16::MAX]);
        check(&[i32::MIN, -1, 0, i32::MAX]);
        check(&[i64::MIN, -1, 0, i64::MAX]);
        check(&[0, u8::MAX]);
        check(&[0, u16::MAX]);
        check(&[0, u32::MAX]);
        check(&[0, u64::MAX]);
        check(&[-0.0f32, f32::MIN, f32::MAX, f32::INFINITY]);
        check(&[-0.0f64, f64::MIN, f64::MAX, f64::NEG_INFINITY]);
        assert_eq!((-0.0f64).bits(), 1 << 63);
        assert!(f64::of_bits(f64::NAN.bits()).is_nan());
    }

    #[test]
    fn bytes_that_are_no_elements_are_refused() {
        assert_eq!(bool::copied(&[0, 1, 2]), None);
        assert_eq!(bool::copied(&[0, 1]), Some(vec![false, true]));
        assert_eq!(i64::copied(&[0; 9]), None);
        let bytes = [0u8; 24];
        let aligned = (0..8).filter(|start| f64::lent(&bytes[*start..*start + 16]).is_some()).count();
        assert_eq!(aligned, 1, "one of eight neighbours");
    }

    #[test]
    fn numbers_change_their_kind_as_rust_casts_them() {
        assert_eq!((i8::of_f64(300.0), u8::of_f64(-1.0), i32::of_f64(f64::NAN), i64::of_f64(-2.9)), (127, 0, 0, -2));
        assert_eq!((u64::MAX.to_i64(), u64::of_i64(-1), u8::of_i64(257), f32::of_i64(3)), (-1, u64::MAX, 1, 3.0));
        assert_eq!((true.to_f64(), bool::of_f64(f64::NAN), bool::of_i64(0), true.to_i64()), (1.0, true, false, 1));
    }

    #[test]
    fn a_scalar_shows_its_value_and_keeps_its_kind() {
        assert_eq!(Scalar::of(1.5f32).to_string(), "1.5");
        assert_eq!(Scalar::of(2.0f64).to_string(), "2.0");
        assert_eq!(Scalar::of(-3i8).to_string(), "-3");
        assert_eq!(Scalar::of(true).to_string(), "true");
        assert_eq!(Scalar::of(1i64).get::<i32>(), None);
    }
}
