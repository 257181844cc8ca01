//! What arrays are made of: thirteen kinds of numbers, in one table from which everything that exists once for each kind is made.
//!
//! It refuses to know arithmetic and shapes. The invariant: what is done for a kind that is known only at run time goes through
//! `with_dtype!`, so that a kind that is added to the table is either handled everywhere or does not compile.

use std::fmt;
use std::ops::Range;

use num_complex::Complex;
use partita_graph::{Code, Failure};
use serde::{Deserialize, Serialize};

pub use super::scalar::Scalar;
pub use super::storage::Storage;

/// NumPy's complex64: two `f32`.
pub type C64 = Complex<f32>;
/// NumPy's complex128: two `f64`.
pub type C128 = Complex<f64>;

/// What memory has to know of a kind of element. Implemented for the kinds of the table and for no other type.
pub trait Held: Copy + Default + PartialEq + fmt::Debug + Send + Sync + 'static {
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
    /// One element in sixteen bytes, whatever its kind.
    fn bits(self) -> u128;
    /// And back: what is more than the element has room for is left out.
    fn of_bits(bits: u128) -> Self;
    /// The nearest `f64`; true is 1. Of a complex number the real part, so that whoever asks for it has to mean that.
    fn to_f64(self) -> f64;
    /// The nearest element: integers are cut towards zero and at their bounds, NaN becomes 0; what is not 0 is true.
    fn of_f64(value: f64) -> Self;
    /// As an `i64`; one that is too large for it wraps, so that sums of any integers can be made of `i64`. Of a complex number the real
    /// part.
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

        fn bits(self) -> u128 {
            u128::from(self)
        }

        fn of_bits(bits: u128) -> Self {
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

        fn bits(self) -> u128 {
            self as u128
        }

        fn of_bits(bits: u128) -> Self {
            bits as $T
        }
    };
    (single $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u128 {
            u128::from(self.to_bits())
        }

        fn of_bits(bits: u128) -> Self {
            $T::from_bits(bits as u32)
        }
    };
    (double $T:ident) => {
        raw!(number $T);

        fn bits(self) -> u128 {
            u128::from(self.to_bits())
        }

        fn of_bits(bits: u128) -> Self {
            $T::from_bits(bits as u64)
        }
    };
    (complex $Part:ident $T:ident) => {
        fn lent(bytes: &[u8]) -> Option<&[Self]> {
            bytemuck::try_cast_slice(bytes).ok()
        }

        fn copied(bytes: &[u8]) -> Option<Vec<Self>> {
            let (elements, rest) = bytes.as_chunks::<{ size_of::<$T>() }>();
            rest.is_empty().then(|| elements.iter().map(|element| bytemuck::pod_read_unaligned(element)).collect())
        }

        fn bits(self) -> u128 {
            self.re.bits() | (self.im.bits() << (8 * size_of::<$Part>()))
        }

        fn of_bits(bits: u128) -> Self {
            Complex::new($Part::of_bits(bits), $Part::of_bits(bits >> (8 * size_of::<$Part>())))
        }

        #[inline(always)]
        fn to_f64(self) -> f64 {
            self.re as f64
        }

        #[inline(always)]
        fn of_f64(value: f64) -> Self {
            Complex::new(value as $Part, 0.0)
        }

        #[inline(always)]
        fn to_i64(self) -> i64 {
            self.re as i64
        }

        #[inline(always)]
        fn of_i64(value: i64) -> Self {
            Complex::new(value as $Part, 0.0)
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
    ($($Variant:ident $T:ident $name:literal $class:ident $($part:ident)?;)*) => {
        /// The kind of an array's elements, where it is known only at run time.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum DType {
            $(#[doc = concat!("`", $name, "`")] $Variant,)*
        }

        impl DType {
            /// All of them.
            pub const ALL: &'static [DType] = &[$(DType::$Variant,)*];

            /// As Rust writes it: `f64`.
            pub fn name(self) -> &'static str {
                match self { $(DType::$Variant => $name,)* }
            }

            /// The size of one element, in bytes.
            pub fn size(self) -> usize {
                match self { $(DType::$Variant => size_of::<$T>(),)* }
            }
        }

        /// Elements of one kind in memory.
        #[derive(Clone)]
        pub enum Data {
            $(#[doc = concat!("`", $name, "`")] $Variant(Storage<$T>),)*
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
            $(#[doc = concat!("`", $name, "`")] $Variant(Vec<$T>),)*
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

                raw!($class $($part)? $T);
            }
        )*
    };
}

elements! {
    Bool bool "bool" boolean;
    I8 i8 "i8" integer;
    I16 i16 "i16" integer;
    I32 i32 "i32" integer;
    I64 i64 "i64" integer;
    U8 u8 "u8" integer;
    U16 u16 "u16" integer;
    U32 u32 "u32" integer;
    U64 u64 "u64" integer;
    F32 f32 "f32" single;
    F64 f64 "f64" double;
    Complex64 C64 "Complex<f32>" complex f32;
    Complex128 C128 "Complex<f64>" complex f64;
}

/// One arm for each kind of a list, and others behind them.
macro_rules! with_kinds {
    ($dtype:expr, $T:ident => $body:expr, [$($Variant:ident $kind:ty,)*] $($rest:tt)*) => {
        match $dtype {
            $(
                $crate::array::element::DType::$Variant => {
                    type $T = $kind;
                    $body
                }
            )*
            $($rest)*
        }
    };
}
pub(crate) use with_kinds;

/// Evaluates an expression with the type that a [`DType`] names: `with_dtype!(dtype, T => T::default().bits())`.
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        $crate::array::element::with_kinds!($dtype, $T => $body, [
            Bool bool, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F32 f32, F64 f64,
            Complex64 $crate::array::element::C64, Complex128 $crate::array::element::C128,
        ])
    };
}
pub(crate) use with_dtype;

/// The same where elements are compared by size. Of kinds without an order the function around it fails.
macro_rules! with_ordered {
    ($dtype:expr, $T:ident => $body:expr) => {
        $crate::array::element::with_kinds!($dtype, $T => $body, [
            Bool bool, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F32 f32, F64 f64,
        ] other => return Err($crate::array::element::without_order(other)))
    };
}
pub(crate) use with_ordered;

/// Why elements of a kind are not compared by size.
pub fn without_order(dtype: DType) -> Failure {
    let what = format!("elements of {dtype} have no order: none of them is less than another");
    Failure::new(Code::TypeMismatch, what).help("compare sizes or parts: .abs(), .re(), .im()")
}

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

    /// Whether it is `Complex<f32>` or `Complex<f64>`.
    pub fn is_complex(self) -> bool {
        matches!(self, DType::Complex64 | DType::Complex128)
    }

    /// The kind of real and imaginary parts; of a real kind itself.
    pub(crate) fn part(self) -> DType {
        match self {
            DType::Complex64 => DType::F32,
            DType::Complex128 => DType::F64,
            real => real,
        }
    }

    /// The kind that has this one for its parts: two `f32` for `f32`, else two `f64`; of a complex kind itself.
    pub(crate) fn complex(self) -> DType {
        match self {
            DType::F32 | DType::Complex64 => DType::Complex64,
            _ => DType::Complex128,
        }
    }
}

#[cfg(test)]
mod tests;
