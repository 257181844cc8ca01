//! Fourier transforms against their definition, and there and back, for any shapes, chunks, lengths and scalings.

use super::arrays::{bits, check, check_by, cuts, failure};
use super::check::executors;
use partita::ndarray::{Array, ArrayD, Axis, IxDyn, array};
use partita::prelude::*;
use partita::{Code, Element, Fft, FftNorm};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};
use std::f64::consts::PI;

type C = Complex<f64>;

/// Numbers without a pattern that a transform could find.
fn numbers(shape: &[usize]) -> ArrayD<C> {
    let value = |i: usize, k: usize| ((i * 7919 + k * 104_729 + 13) % 1009) as f64 / 504.5 - 1.0;
    let n = shape.iter().product::<usize>();
    ArrayD::from_shape_vec(IxDyn(shape), (0..n).map(|i| C::new(value(i, 1), value(i, 2))).collect()).expect("as many as the shape says")
}

/// By definition: `sign` is -1 for the transform and 1 for its inverse.
fn sums(lane: &[C], n: usize, sign: f64) -> Vec<C> {
    let turn = |k: usize, at: usize| C::from_polar(1.0, sign * 2.0 * PI * ((k * at) % n) as f64 / n as f64);
    (0..n).map(|k| lane.iter().take(n).enumerate().map(|(at, x)| x * turn(k, at)).sum()).collect()
}

/// What a function makes of each lane along an axis.
fn along(array: &ArrayD<C>, axis: usize, len: usize, function: impl Fn(&[C]) -> Vec<C>) -> ArrayD<C> {
    let mut shape = array.shape().to_vec();
    shape[axis] = len;
    let mut found = ArrayD::from_elem(IxDyn(&shape), C::default());
    for (lane, mut out) in array.lanes(Axis(axis)).into_iter().zip(found.lanes_mut(Axis(axis))) {
        out.assign(&Array::from_vec(function(&lane.to_vec())));
    }
    found
}

fn factor(norm: FftNorm, forward: bool, n: usize) -> f64 {
    match norm {
        FftNorm::Ortho => 1.0 / (n as f64).sqrt(),
        FftNorm::Backward => {
            if forward {
                1.0
            } else {
                1.0 / n as f64
            }
        }
        FftNorm::Forward => {
            if forward {
                1.0 / n as f64
            } else {
                1.0
            }
        }
    }
}

/// The transform along an axis over `n` elements, or its inverse.
fn expected(array: &ArrayD<C>, axis: usize, n: usize, norm: FftNorm, forward: bool) -> ArrayD<C> {
    along(array, axis, n, |lane| sums(lane, n, if forward { -1.0 } else { 1.0 })) * C::from(factor(norm, forward, n))
}

fn near<T: Element>(found: &ArrayD<T>, expected: &ArrayD<C>, complex: impl Fn(&T) -> C) -> bool {
    found.shape() == expected.shape() && found.iter().zip(expected).all(|(found, expected)| (complex(found) - expected).norm() < 1e-10)
}

#[track_caller]
fn check_near(found: &DArray<C>, expected: &ArrayD<C>) {
    check_by(found, |found| near(found, expected, |x| *x), &format!("{expected}"));
}

#[track_caller]
fn check_real(found: &DArray<f64>, expected: &ArrayD<C>) {
    check_by(found, |found| near(found, expected, |x| C::from(*x)), &format!("{expected}"));
}

#[test]
fn known_transforms() {
    let impulse = DArray::from_array(array![1.0f64, 0.0, 0.0, 0.0, 0.0], 2);
    check_near(&impulse.fft(0), &ArrayD::from_elem(IxDyn(&[5]), C::new(1.0, 0.0)));
    let constant = DArray::full([8], 2.0f32, 3);
    check(&constant.rfft(0).abs(), array![16.0f32, 0.0, 0.0, 0.0, 0.0]);
    check(&DArray::full([4], 3u8, 2).fft(Fft::default()).abs(), array![12.0, 0.0, 0.0, 0.0]);
    assert_eq!(DArray::full([4], 1f32, 2).fft(0).dtype(), DType::Complex64);
    assert_eq!(DArray::full([4], 1f32, 2).fft(0).irfft(0).dtype(), DType::F32);
    let wave = DArray::arange(0.0f64, 12.0, 1.0, 5) * (2.0 * PI * 3.0 / 12.0);
    let peak = wave.sin().rfft(FftNorm::Forward).abs();
    check_by(&peak, |found| found.iter().enumerate().all(|(k, size)| (size - if k == 3 { 0.5 } else { 0.0 }).abs() < 1e-12), "0.5 at 3");
}

#[test]
fn halves_belong_to_real_numbers() {
    for n in [1usize, 2, 3, 7, 8, 12] {
        let whole = numbers(&[3, n]).mapv(|x| C::from(x.re));
        let x = DArray::from_array(whole.mapv(|x| x.re), [2, 4]);
        let half = n / 2 + 1;
        let frequencies = expected(&whole, 1, n, FftNorm::Ortho, true).slice_axis(Axis(1), (..half).into()).to_owned();
        let ortho = Fft::along(1).norm(FftNorm::Ortho);
        check_near(&x.rfft(ortho.clone()), &frequencies);
        check_real(&x.rfft(ortho.clone()).irfft(ortho.clone().len(n)), &whole);
        check_near(&x.ihfft(1), &expected(&whole, 1, n, FftNorm::Backward, false).slice_axis(Axis(1), (..half).into()).to_owned());
        check_real(&x.ihfft(ortho.clone()).hfft(ortho.len(n)), &whole);
    }
    let x = DArray::from_array(numbers(&[4, 6]).mapv(|x| x.re), 3);
    let whole = numbers(&[4, 6]).mapv(|x| C::from(x.re));
    check_real(&x.rfft2(Fft::default()).irfft2(Fft::default()), &whole);
    check_real(&x.rfftn([1, 0]).irfftn([1, 0]), &whole);
    let both = expected(&expected(&whole, 0, 4, FftNorm::Backward, true), 1, 6, FftNorm::Backward, true);
    check_near(&x.rfftn([1, 0]), &both.slice_axis(Axis(0), (..3).into()).to_owned());
    // What has no place in the frequencies of real numbers is not looked at.
    let odd = DArray::from_array(array![C::new(1.0, 5.0), C::new(0.0, 1.0), C::new(2.0, -7.0)], 1);
    check_real(&odd.irfft(0), &array![0.75, -0.75, 0.75, 0.25].mapv(C::from).into_dyn());
}

#[test]
fn axes_are_brought_into_one_chunk_one_at_a_time() {
    let whole = numbers(&[6, 4, 5]);
    let x = DArray::from_array(whole.clone(), 2);
    let found = x.fftn(Fft::default());
    let all = (0..3).fold(whole.clone(), |found, axis| expected(&found, axis, whole.shape()[axis], FftNorm::Backward, true));
    check_near(&found, &all);
    assert_eq!(found.chunks().unwrap(), [vec![6], vec![2, 2], vec![2, 2, 1]]);
    check_near(&found.ifftn(Fft::default()), &whole);
    check_near(&x.fftn([1, 1]), &(0..2).fold(whole.clone(), |found, _| expected(&found, 1, 4, FftNorm::Backward, true)));
    assert_eq!(x.fft(Fft::along(1).len(9)).chunks().unwrap(), [vec![2, 2, 2], vec![9], vec![2, 2, 1]]);
    let cut = x.fft2(Fft::default().lens([3, 7]).norm(FftNorm::Ortho));
    check_near(&cut, &expected(&expected(&whole, 2, 7, FftNorm::Ortho, true), 1, 3, FftNorm::Ortho, true));
    let mask = DArray::from_array(array![true, false, true, true, false, true], 4);
    check_near(&x.compress(&mask, 0).fft(2), &expected(&whole.select(Axis(0), &[0, 2, 3, 5]), 2, 5, FftNorm::Backward, true));
}

#[test]
fn frequencies_and_shifts() {
    check(&DArray::fftfreq(5, 0.1, 2), array![0.0, 2.0, 4.0, -4.0, -2.0]);
    check(&DArray::fftfreq(1, 2.0, 1), array![0.0]);
    check(&DArray::rfftfreq(5, 0.1, 2), array![0.0, 2.0, 4.0]);
    check(&(DArray::rfftfreq(6, 0.5, 2) * 3.0), array![0.0, 1.0, 2.0, 3.0]);
    let x = DArray::from_array(array![[0, 1, 2], [3, 4, 5]], 2);
    check(&x.fftshift(Axes::all()), array![[5, 3, 4], [2, 0, 1]]);
    check(&x.fftshift(1).ifftshift(-1), array![[0, 1, 2], [3, 4, 5]]);
    failure(&DArray::fftfreq(0, 1.0, 1), Code::InvalidOption);
    failure(&DArray::rfftfreq(3, 0.0, 1), Code::InvalidOption);
    failure(&x.fftshift(2), Code::AxisOutOfRange);
}

#[test]
fn what_cannot_be_transformed_is_said() {
    let x = DArray::<f64>::zeros([3, 0], 2);
    let text = failure(&x.fft(1), Code::InvalidOption);
    assert!(text.contains("no elements") && text.contains("array_fft.rs"), "{text}");
    failure(&x.fft(Fft::along(0).len(0)), Code::InvalidOption);
    failure(&DArray::<f64>::zeros([1], 1).irfft(0), Code::InvalidOption);
    failure(&x.fft(2), Code::AxisOutOfRange);
    failure(&DArray::full((), 1.0f64, 1).fft(Fft::default()), Code::AxisOutOfRange);
    failure(&x.fft([0, 1]), Code::InvalidOption);
    failure(&x.fft2(0), Code::InvalidOption);
    failure(&x.fftn(Fft::along([0, 1]).len(2)), Code::InvalidOption);
    let mask = DArray::from_array(array![true, false, true], 2);
    failure(&x.compress(&mask, 0).fft(0), Code::UnknownSizes);
    check(&x.fft(0).re(), Array::zeros((3, 0)));
    check(&x.fft(Fft::along(1).len(2)).re(), Array::zeros((3, 2)));
}

fn norms() -> impl Strategy<Value = FftNorm> {
    prop_oneof![Just(FftNorm::Backward), Just(FftNorm::Ortho), Just(FftNorm::Forward)]
}

/// Lengths of one, primes, powers and others; other axes may be of no elements.
fn cases() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<usize>>, usize, Option<usize>)> {
    let length = prop_oneof![1usize..14, Just(17), Just(23), Just(32), Just(97)];
    (vec(0usize..4, 0..3), length, any::<usize>()).prop_flat_map(|(others, length, axis)| {
        let axis = axis % (others.len() + 1);
        let mut shape = others;
        shape.insert(axis, length);
        let pieces = shape.iter().map(|len| cuts(*len)).collect::<Vec<_>>();
        (Just(shape), pieces, Just(axis), prop_oneof![Just(None), (1usize..20).prop_map(Some)])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_in_any_chunks_is_what_the_definition_says((shape, cuts, axis, n) in cases(), norm in norms()) {
        let whole = numbers(&shape);
        let x = DArray::from_array(whole.clone(), cuts);
        let count = n.unwrap_or(shape[axis]);
        let how = Fft::along(axis).norm(norm);
        let how = n.map_or(how.clone(), |n| how.len(n));
        let real = whole.mapv(|x| C::from(x.re));
        let halved = expected(&real, axis, count, norm, true).slice_axis(Axis(axis), (..count / 2 + 1).into()).to_owned();
        let uncut = DArray::from_array(whole.clone(), -1).fft(how.clone()).compute().unwrap();
        for (name, executor) in executors() {
            let found = x.fft(how.clone()).compute_on(&*executor).unwrap();
            prop_assert!(near(&found, &expected(&whole, axis, count, norm, true), |x| *x), "{name}: {found}");
            prop_assert!(bits(&found) == bits(&uncut), "{name}: chunks change bits");
            let found = x.ifft(how.clone()).compute_on(&*executor).unwrap();
            prop_assert!(near(&found, &expected(&whole, axis, count, norm, false), |x| *x), "{name}: {found}");
            let found = x.re().rfft(how.clone()).compute_on(&*executor).unwrap();
            prop_assert!(near(&found, &halved, |x| *x), "{name}: {found}");
            let back = Fft::along(axis).norm(norm);
            let found = x.fft(back.clone()).ifft(back.clone()).compute_on(&*executor).unwrap();
            prop_assert!(near(&found, &whole, |x| *x), "{name}: there and back {found}");
            let found = x.re().rfft(back.clone()).irfft(back.len(shape[axis])).compute_on(&*executor).unwrap();
            prop_assert!(near(&found, &real, |x| C::from(*x)), "{name}: there and back {found}");
        }
    }
}
