//! Every kind on its way through bytes and back.

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
    check(&[C64::new(-0.0, f32::MAX), C64::new(1.5, f32::NEG_INFINITY)]);
    check(&[C128::new(f64::MIN, -0.0), C128::new(f64::INFINITY, 1e-300)]);
    assert!(C128::of_bits(C128::new(1.0, f64::NAN).bits()).im.is_nan());
    assert_eq!((-0.0f64).bits(), 1 << 63);
    assert!(f64::of_bits(f64::NAN.bits()).is_nan());
}

#[test]
fn bytes_that_are_no_elements_are_refused() {
    assert_eq!(bool::copied(&[0, 1, 2]), None);
    assert_eq!(bool::copied(&[0, 1]), Some(vec![false, true]));
    assert_eq!(i64::copied(&[0; 9]), None);
    assert_eq!((C64::copied(&[0; 12]), C64::copied(&[0; 8])), (None, Some(vec![C64::default()])));
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
fn kinds_know_their_parts_and_what_they_are_parts_of() {
    for (dtype, part, complex) in [
        (DType::F32, DType::F32, DType::Complex64),
        (DType::I8, DType::I8, DType::Complex128),
        (DType::Complex64, DType::F32, DType::Complex64),
        (DType::Complex128, DType::F64, DType::Complex128),
    ] {
        assert_eq!((dtype.part(), dtype.complex()), (part, complex), "{dtype}");
    }
    assert_eq!((DType::Complex64.name(), DType::Complex64.size()), ("Complex<f32>", 8));
    let refused = |dtype: DType| -> Result<(), Failure> {
        with_ordered!(dtype, T => {
            assert_eq!(T::DTYPE, dtype);
            Ok(())
        })
    };
    assert!(DType::ALL.iter().all(|dtype| refused(*dtype).is_err() == dtype.is_complex()));
}

#[test]
fn a_scalar_shows_its_value_and_keeps_its_kind() {
    assert_eq!(Scalar::of(1.5f32).to_string(), "1.5");
    assert_eq!(Scalar::of(2.0f64).to_string(), "2.0");
    assert_eq!(Scalar::of(-3i8).to_string(), "-3");
    assert_eq!(Scalar::of(true).to_string(), "true");
    assert_eq!(Scalar::of(C128::new(1.5, -2.0)).to_string(), "1.5-2i");
    assert_eq!(Scalar::of(1i64).get::<i32>(), None);
}
