//! Elements as elements of another kind. It refuses to know which of these casts are offered: arrays of complex numbers become real ones
//! by their parts, see [`super::program::Component`].

use crate::array::element::{C64, C128, Held};

/// Another kind of element with the nearest value, as `as` casts; what is not zero is true. A complex number gives its real part.
pub trait Convert<U>: Copy {
    /// The element.
    fn convert(self) -> U;
}

macro_rules! convert {
    ($($T:ident)*) => {
        $(
            impl Convert<bool> for $T {
                #[inline(always)]
                fn convert(self) -> bool {
                    self != $T::default()
                }
            }

            impl Convert<$T> for bool {
                #[inline(always)]
                fn convert(self) -> $T {
                    $T::of_i64(i64::from(self))
                }
            }
        )*
    };
    ($T:ident: $($U:ident)*) => {
        $(
            impl Convert<$U> for $T {
                #[inline(always)]
                fn convert(self) -> $U {
                    self as $U
                }
            }
        )*
    };
}

/// Between a complex kind with these parts and others.
macro_rules! convert_complex {
    ($C:ident of $Part:ident: $($T:ident)*) => {
        $(
            impl Convert<$T> for $C {
                #[inline(always)]
                fn convert(self) -> $T {
                    self.re as $T
                }
            }

            impl Convert<$C> for $T {
                #[inline(always)]
                fn convert(self) -> $C {
                    $C::new(self as $Part, 0.0)
                }
            }
        )*

        impl Convert<C64> for $C {
            #[inline(always)]
            fn convert(self) -> C64 {
                C64::new(self.re as f32, self.im as f32)
            }
        }

        impl Convert<C128> for $C {
            #[inline(always)]
            fn convert(self) -> C128 {
                C128::new(self.re as f64, self.im as f64)
            }
        }
    };
}

impl Convert<bool> for bool {
    #[inline(always)]
    fn convert(self) -> bool {
        self
    }
}

convert!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 C64 C128);
convert!(i8: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(i16: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(i32: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(i64: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(u8: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(u16: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(u32: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(u64: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(f32: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert!(f64: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert_complex!(C64 of f32: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
convert_complex!(C128 of f64: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
