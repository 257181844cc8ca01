//! Functions that are compiled twice: for every machine of the architecture, and with AVX2, which is chosen where the machine has
//! it. Loops over a tile then do four elements at a time instead of two.
//!
//! It refuses to know what the functions do. The invariant: both are the same source, and the compiler neither reorders sums nor
//! contracts products, so that both give the same bits.

/// Defines such a function. Everything that it calls for each element must be `#[inline(always)]`, or it is compiled once, for all.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$($T:ident: $Bound:path),*>($($arg:ident: $type:ty),*) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$($T: $Bound),*>($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn plain<$($T: $Bound),*>($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$($T: $Bound),*>($($arg: $type),*) $(-> $ret)? {
                plain::<$($T),*>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the function asks for nothing but AVX2, and the machine has just said that it has it.
                return unsafe { avx2::<$($T),*>($($arg),*) };
            }
            plain::<$($T),*>($($arg),*)
        }
    };
}
pub(in crate::array) use wide;

#[cfg(test)]
mod tests {
    use crate::array::element::Held;

    #[inline(always)]
    fn step(a: f64, b: f64) -> f64 {
        a * b + a
    }

    wide! {
        /// Multiplies and adds, which a compiler that contracts would round once instead of twice.
        fn chained<T: Held>(a: &[T], out: &mut [f64]) -> bool {
            for (out, a) in out.iter_mut().zip(a) {
                *out = step(a.to_f64(), 1.0 + 1e-16 * a.to_f64());
            }
            true
        }
    }

    #[test]
    fn both_give_the_same_bits() {
        let values: Vec<f64> = (0..1003).map(|i| f64::from(i).sin() * 1e3).collect();
        let mut found = vec![0.0; values.len()];
        assert!(chained(&values, &mut found));
        let expected: Vec<f64> = values.iter().map(|a| step(*a, 1.0 + 1e-16 * a)).collect();
        assert_eq!(found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
    }
}
