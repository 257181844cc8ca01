//! Every kind of whole numbers and truths, with its least and greatest numbers: what moves, orders, counts and adds them up gives what plain
//! loops over the whole array give, for random shapes and chunks.

use std::fmt::Debug;

use super::arrays::{bits, chunkings, shapes};
use partita::graph::Serial;
use partita::ndarray::{ArrayD, Axis, IxDyn};
use partita::prelude::*;
use partita::{Element, Ordered, concatenate, operator_registry};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

/// An array of any shape, and a way to cut it.
fn given<T: Debug + Clone>(element: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = (ArrayD<T>, Vec<Vec<usize>>)> {
    shapes().prop_flat_map(move |shape| {
        let count = shape.iter().product::<usize>();
        (Just(shape.clone()), vec(element.clone(), count), chunkings(shape))
            .prop_map(|(shape, values, chunks)| (ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many"), chunks))
    })
}

/// The elements of each lane along an axis, lanes in row-major order.
fn lanes<T: Element>(whole: &ArrayD<T>, axis: usize) -> Vec<Vec<T>> {
    whole.lanes(Axis(axis)).into_iter().map(|lane| lane.to_vec()).collect()
}

/// As `bits` shows them, without the shape.
fn shown<T: Element>(array: &DArray<T>, serial: &Serial) -> Vec<String> {
    bits(&array.compute_on(serial).unwrap_or_else(|failure| panic!("{failure}\n{}", array.explain()))).1
}

fn texts<T: Debug>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| format!("{value:?}")).collect()
}

/// Wide enough for sums of any of them.
fn wide<T: Copy + Into<i128>>(value: &T) -> i128 {
    (*value).into()
}

/// Sums as eight bytes with or without a sign, which wrap.
fn sum<T: Copy + Into<i128>>(values: &[T], signed: bool) -> String {
    let sum: i128 = values.iter().map(wide).sum();
    if signed { format!("{}", sum as i64) } else { format!("{}", sum as u64) }
}

#[track_caller]
fn moves<T: Ordered + Ord>(whole: &ArrayD<T>, x: &DArray<T>, serial: &Serial) {
    assert_eq!(shown(x, serial), texts(whole.iter().copied()));
    assert_eq!(shown(&x.t(), serial), texts(whole.t().iter().copied()));
    assert_eq!(shown(&x.ravel(), serial), texts(whole.iter().copied()));
    assert_eq!(shown(&x.rechunk(2).rechunk(-1), serial), texts(whole.iter().copied()));
    let turned = x.flip(Axes::all());
    assert_eq!(shown(&turned, serial), texts(whole.iter().copied().collect::<Vec<_>>().into_iter().rev()));
    let less = whole.iter().zip(whole.iter().collect::<Vec<_>>().into_iter().rev()).map(|(a, b)| a < b);
    assert_eq!(shown(&x.lt(&turned), serial), texts(less));
    let greatest = whole.iter().zip(whole.iter().collect::<Vec<_>>().into_iter().rev()).map(|(a, b)| *a.max(b));
    assert_eq!(shown(&x.maximum(&turned), serial), texts(greatest));
    let flat = x.ravel();
    let twice = concatenate(&[flat.clone(), flat], 0);
    assert_eq!(shown(&twice, serial), texts(whole.iter().chain(whole).copied()));
}

#[track_caller]
fn orders<T: Ordered + Ord>(whole: &ArrayD<T>, x: &DArray<T>, serial: &Serial) {
    let mut all: Vec<T> = whole.iter().copied().collect();
    let places = {
        let mut places: Vec<usize> = (0..all.len()).collect();
        places.sort_by_key(|place| all[*place]);
        places
    };
    assert_eq!(shown(&x.ravel().argsort(0), serial), texts(places.into_iter().map(|place| place as i64)));
    if !all.is_empty() {
        let first = |wanted: &T| all.iter().position(|x| x == wanted).expect("it is there") as i64;
        let (least, greatest) = (*all.iter().min().expect("some"), *all.iter().max().expect("some"));
        assert_eq!((shown(&x.min(), serial), shown(&x.max(), serial)), (texts([least]), texts([greatest])));
        assert_eq!((shown(&x.argmin(), serial), shown(&x.argmax(), serial)), (texts([first(&least)]), texts([first(&greatest)])));
    }
    all.sort_unstable();
    assert_eq!(shown(&x.ravel().sort(0), serial), texts(all.iter().copied()));
    let few: Vec<T> = all.iter().rev().take(3).copied().collect();
    assert_eq!(shown(&x.ravel().topk(3, 0), serial), texts(few));
    let mut once = all.clone();
    once.dedup();
    let counts = once.iter().map(|value| all.iter().filter(|other| *other == value).count() as i64);
    assert_eq!(shown(&x.unique_counts().1, serial), texts(counts));
    assert_eq!(shown(&x.unique(), serial), texts(once));
    if whole.ndim() > 0 {
        let sorted = lanes(whole, whole.ndim() - 1).into_iter().flat_map(|mut lane| {
            lane.sort_unstable();
            lane
        });
        assert_eq!(shown(&x.sort(-1), serial), texts(sorted));
    }
}

#[track_caller]
fn adds_up<T: Element + Into<i128>>(whole: &ArrayD<T>, x: &DArray<T>, serial: &Serial, signed: bool) {
    let all: Vec<T> = whole.iter().copied().collect();
    assert_eq!(shown(&x.sum(), serial), [sum(&all, signed)]);
    let product = all.iter().fold(1u64, |product, value| product.wrapping_mul(wide(value) as u64));
    let product = if signed { format!("{}", product as i64) } else { format!("{product}") };
    assert_eq!(shown(&x.prod(), serial), [product]);
    let truths = all.iter().filter(|value| wide(*value) != 0).count();
    assert_eq!(shown(&x.count_nonzero(), serial), texts([truths as i64]));
    assert_eq!((shown(&x.any(), serial), shown(&x.all(), serial)), (texts([truths > 0]), texts([truths == all.len()])));
    let floats: Vec<f64> = all.iter().map(|value| wide(value) as f64).collect();
    assert_eq!(shown(&x.cast::<f64>(), serial), texts(floats.iter().copied()));
    assert_eq!(shown(&x.cast::<bool>(), serial), texts(floats.iter().map(|value| *value != 0.0)));
    for axis in 0..whole.ndim() {
        let lanes = lanes(whole, axis);
        assert_eq!(shown(&x.sum_axis(axis), serial), lanes.iter().map(|lane| sum(lane, signed)).collect::<Vec<_>>());
        let running = x.cumsum(axis as isize).compute_on(serial).expect("a sum");
        let expected = lanes.iter().flat_map(|lane| (1..=lane.len()).map(|end| sum(&lane[..end], signed)).collect::<Vec<_>>());
        let found: Vec<String> = running.lanes(Axis(axis)).into_iter().flat_map(|lane| texts(lane.iter().copied())).collect();
        assert_eq!(found, expected.collect::<Vec<_>>());
        let means = x.mean_axis(axis).compute_on(serial).expect("means");
        for (mean, lane) in means.iter().zip(&lanes) {
            // Elements are rounded to floats before they are added up.
            let (sum, size): (i128, f64) = (lane.iter().map(wide).sum(), lane.iter().map(|value| wide(value).unsigned_abs() as f64).sum());
            let (mean, exact): (f64, f64) = (format!("{mean:?}").parse().expect("a number"), sum as f64 / lane.len() as f64);
            assert!((mean.is_nan() && exact.is_nan()) || (mean - exact).abs() <= 1e-15 * size + 1e-12, "{mean} is not {exact}");
        }
    }
}

macro_rules! kinds {
    ($($T:ident $signed:literal;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $T((whole, chunks) in given(prop_oneof![4 => any::<$T>(), 2 => Just($T::MIN), 2 => Just($T::MAX), 1 => Just($T::default())])) {
                    let serial = Serial::new(operator_registry());
                    let x = DArray::from_array(whole.clone(), chunks);
                    moves(&whole, &x, &serial);
                    orders(&whole, &x, &serial);
                    adds_up(&whole, &x, &serial, $signed);
                }
            )*

            #[test]
            fn truths((whole, chunks) in given(any::<bool>())) {
                let serial = Serial::new(operator_registry());
                let x = DArray::from_array(whole.clone(), chunks);
                moves(&whole, &x, &serial);
                orders(&whole, &x, &serial);
                adds_up(&whole, &x, &serial, true);
            }
        }
    };
}

kinds! {
    i8 true;
    i16 true;
    i32 true;
    i64 true;
    u8 false;
    u16 false;
    u32 false;
    u64 false;
}
