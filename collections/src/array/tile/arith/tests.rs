//! Operations on single elements, at their edges.

use super::*;

/// One operation on one pair.
fn of<T: Arith>(op: Binary, a: T, b: T) -> T {
    let mut out = [T::default()];
    assert!(binary(op, &[a], &[b], &mut out), "{op:?} of {}", T::DTYPE);
    out[0]
}

#[test]
fn integers_wrap_and_divide_as_numpy() {
    assert_eq!((of(Binary::Add, 127i8, 1), of(Binary::Mul, 200u8, 2), of(Binary::Sub, 0u32, 1)), (-128, 144, u32::MAX));
    assert_eq!((of(Binary::Div, -7, 2), of(Binary::Rem, -7, 2), of(Binary::Div, 5, 0), of(Binary::Rem, 5, 0)), (-3, -1, 0, 0));
    assert_eq!((of(Binary::FloorDiv, -7, 2), of(Binary::FloorMod, -7, 2), of(Binary::FloorDiv, 5, 0)), (-4, 1, 0));
    assert_eq!((of(Binary::FloorDiv, i64::MIN, -1), of(Binary::Div, i8::MIN, -1)), (i64::MIN, -128));
    assert_eq!((of(Binary::FloorMod, 7, -2), of(Binary::FloorMod, 7u16, 4)), (-1, 3));
    assert_eq!((of(Binary::Pow, 3, 4), of(Binary::Pow, 2u8, 9), of(Binary::Pow, -1i64, -3), of(Binary::Pow, 2, -1)), (81, 0, -1, 0));
    assert_eq!((of(Binary::Pow, 0, 0), of(Binary::Pow, 1, i32::MIN), of(Binary::Pow, -2i16, 3)), (1, 1, -8));
    assert_eq!((of(Binary::Shl, 1, 31), of(Binary::Shl, 1, 32), of(Binary::Shr, -8, 1), of(Binary::Shr, -8, 99)), (i32::MIN, 0, -4, -1));
    assert_eq!((of(Binary::Shl, 1u8, 8), of(Binary::Shr, 128u8, 7), of(Binary::Shl, 1, -1)), (0, 1, 0));
    assert_eq!(
        (of(Binary::Gcd, -12, 18), of(Binary::Gcd, 0u8, 200), of(Binary::Gcd, i64::MIN, 0), of(Binary::Lcm, -4, 6)),
        (6, 200, i64::MIN, 12)
    );
    assert_eq!((of(Binary::Lcm, 0, 5), of(Binary::Lcm, 100u8, 3), of(Binary::Gcd, i8::MIN, 6)), (0, 44, 2));
    assert_eq!((of(Binary::Minimum, 3u8, 2), of(Binary::And, 6, 3), of(Binary::Xor, true, true)), (2, 2, false));
}

#[test]
fn nan_wins_or_loses_as_asked() {
    for (a, b) in [(f64::NAN, 1.0), (1.0, f64::NAN)] {
        assert!(of(Binary::Minimum, a, b).is_nan() && of(Binary::Maximum, a, b).is_nan());
        assert_eq!((of(Binary::FMin, a, b), of(Binary::FMax, a, b)), (1.0, 1.0));
    }
    assert_eq!((of(Binary::Maximum, 1.0f32, 2.0), of(Binary::Minimum, -0.5f32, 2.0)), (2.0, -0.5));
}

#[test]
fn what_is_not_defined_is_said() {
    let mut out = [0.0];
    assert!(!unary(Unary::Not, &[1.0], &mut out) && !binary(Binary::And, &[1.0], &[1.0], &mut out));
    assert!(!unary(Unary::Sin, &[1], &mut [0]) && !binary(Binary::Add, &[true], &[true], &mut [false]));
}

#[test]
fn casts_are_rusts() {
    fn check<T: Convert<U>, U: Held>(a: T, expected: U) {
        let mut out = [U::default()];
        assert!(cast(&[a], &mut out));
        assert_eq!(out[0], expected);
    }
    check(300.7f64, 255u8);
    check(-1i64, u64::MAX);
    check(f32::NAN, 0i16);
    check(2i32, true);
    check(true, 1.0f64);
    check(257u16, 1u8);
}
