//! Complex elements: every operation that has them, through every executor, against ndarray and num-complex; and what refuses them.

use super::arrays::{bits, check, check_by, chunkings, failure, shapes};
use super::check::executors;
use partita::ndarray::{Array, Array1, ArrayD, IxDyn, array};
use partita::prelude::*;
use partita::{Code, einsum, where_};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};

type C = Complex<f64>;

fn c(re: f64, im: f64) -> C {
    C::new(re, im)
}

/// Numbers on all sides of zero.
const NUMBERS: [(f64, f64); 7] = [(0.0, 0.0), (1.0, 0.0), (0.0, -1.0), (3.0, 4.0), (-2.0, 0.5), (-0.25, -8.0), (1e-3, 1e3)];

fn numbers() -> Array1<C> {
    NUMBERS.iter().map(|(re, im)| c(*re, *im)).collect()
}

fn lazy() -> DArray<C> {
    DArray::from_array(numbers(), vec![vec![3, 0, 4]])
}

/// Distinct numbers of this shape.
fn counted(shape: &[usize]) -> ArrayD<C> {
    let n = shape.iter().product::<usize>();
    ArrayD::from_shape_vec(IxDyn(shape), (0..n).map(|i| c(i as f64, 0.5 - 2.0 * i as f64)).collect()).expect("as many as the shape says")
}

#[test]
fn operators_and_functions() {
    let (x, whole) = (lazy(), numbers());
    check(&(&x + &x), &whole + &whole);
    check(&(&x - c(1.0, 2.0)), whole.mapv(|x| x - c(1.0, 2.0)));
    check(&(c(1.0, 2.0) - &x), whole.mapv(|x| c(1.0, 2.0) - x));
    check(&(c(0.0, 2.0) * x.clone()), whole.mapv(|x| c(0.0, 2.0) * x));
    check(&-&x, whole.mapv(|x| -x));
    check(&x.square(), whole.mapv(|x| x * x));
    check(&x.powi(3), whole.mapv(|x| x.powu(3)));
    check(&x.conj(), whole.mapv(|x| x.conj()));
    check(&x.exp(), whole.mapv(C::exp));
    check(&x.ln(), whole.mapv(C::ln));
    check(&x.sqrt(), whole.mapv(C::sqrt));
    check(&x.sin(), whole.mapv(C::sin));
    check(&x.cos(), whole.mapv(C::cos));
    check(&x.tan(), whole.mapv(C::tan));
    check(&x.sinh(), whole.mapv(C::sinh));
    check(&x.atanh(), whole.mapv(C::atanh));
    let near = |found: &ArrayD<C>, function: &dyn Fn(C) -> C| {
        found.iter().zip(&whole).all(|(found, x)| (found - function(*x)).norm() <= 1e-13 * function(*x).norm())
    };
    check_by(&(&x / c(3.0, -4.0)), |found| near(found, &|x| x / c(3.0, -4.0)), "quotients");
    check_by(&(c(1.0, 1.0) / (&x + c(5.0, 0.0))), |found| near(found, &|x| c(1.0, 1.0) / (x + 5.0)), "quotients");
    check_by(&x.pow(c(0.5, 1.0)), |found| near(found, &|x| if x == c(0.0, 0.0) { x } else { x.powc(c(0.5, 1.0)) }), "powers");
    check(&(&x / &x).is_nan(), whole.mapv(|x| x == c(0.0, 0.0)));
}

#[test]
fn parts_and_truths() {
    let (x, whole) = (lazy(), numbers());
    check(&x.re(), whole.mapv(|x| x.re));
    check(&x.im(), whole.mapv(|x| x.im));
    check(&x.abs(), whole.mapv(|x| x.norm()));
    check(&x.angle(), whole.mapv(|x| x.arg()));
    check(&x.re().to_complex(x.im()), whole.clone());
    check(&x.is_real(), whole.mapv(|x| x.im == 0.0));
    check(&x.is_complex(), whole.mapv(|x| x.im != 0.0));
    check(&x.eq(c(1.0, 0.0)), whole.mapv(|x| x == c(1.0, 0.0)));
    check(&x.neq(x.conj()), whole.mapv(|x| x.im != 0.0));
    check(&x.is_nonzero(), whole.mapv(|x| x != c(0.0, 0.0)));
    check(&x.is_close(&(&x * c(1.0 + 1e-9, 0.0)), 1e-5, 1e-8), whole.mapv(|_| true));
    let odd = DArray::from_array(array![c(f64::NAN, 0.0), c(0.0, f64::NEG_INFINITY), c(1.0, 2.0)], 2);
    check(&odd.is_nan(), array![true, false, false]);
    check(&odd.is_infinite(), array![false, true, false]);
    check(&odd.is_finite(), array![false, false, true]);
    check(&where_(&odd.is_finite(), &odd, c(7.0, 8.0)), array![c(7.0, 8.0), c(7.0, 8.0), c(1.0, 2.0)]);
    let integers = DArray::arange(-1i32, 2, 1, 2);
    check(&integers.re(), array![-1, 0, 1]);
    check(&integers.im(), array![0, 0, 0]);
    check(&integers.conj(), array![-1, 0, 1]);
    check(&integers.angle(), array![std::f64::consts::PI, 0.0, 0.0]);
    check(&integers.is_real(), array![true, true, true]);
}

#[test]
fn kinds_change_where_nothing_is_lost() {
    check(&DArray::arange(0u8, 3, 1, 2).cast::<C>(), array![c(0.0, 0.0), c(1.0, 0.0), c(2.0, 0.0)]);
    check(&DArray::from_array(array![true, false], 1).cast::<Complex<f32>>(), array![Complex::new(1f32, 0.0), Complex::new(0.0, 0.0)]);
    check(&lazy().cast::<Complex<f32>>().cast::<C>().re(), numbers().mapv(|x| f64::from(x.re as f32)));
    check(&lazy().cast::<bool>(), numbers().mapv(|x| x != c(0.0, 0.0)));
    let text = failure(&lazy().cast::<f64>(), Code::TypeMismatch);
    assert!(text.contains("Complex<f64>") && text.contains(".re()") && text.contains("array_complex.rs"), "{text}");
}

#[test]
fn sums_products_and_means() {
    let whole = counted(&[4, 5]);
    let x = DArray::from_array(whole.clone(), [3, 2]);
    check(&x.sum(), Array::from_elem((), whole.sum()));
    check(&x.sum_axis(0), whole.sum_axis(partita::ndarray::Axis(0)));
    check(&x.mean_axis(1), whole.sum_axis(partita::ndarray::Axis(1)).mapv(|x| c(x.re / 5.0, x.im / 5.0)));
    check(&x.slice_axis(0, 1..2).prod_axis(0), whole.index_axis(partita::ndarray::Axis(0), 1).to_owned());
    check(&DArray::from_array(array![c(0.0, 1.0), c(0.0, 1.0), c(2.0, 0.0)], 1).prod(), Array::from_elem((), c(-2.0, 0.0)));
    check(&DArray::from_array(array![c(f64::NAN, 1.0), c(0.0, 1.0), c(2.0, 0.0)], 2).nansum(), Array::from_elem((), c(2.0, 1.0)));
    check(&x.any(), Array::from_elem((), true));
    check(&x.count_nonzero(), Array::from_elem((), 20));
    check(&x.cast::<Complex<f32>>().mean(), Array::from_elem((), Complex::new(9.5f32, -18.5)));
    let plain = DArray::from_array(array![c(1.0, 0.0), c(3.0, 4.0), c(2.0, -1.0)], 2);
    check_by(&plain.var(0.0), |found| (found.sum() - 16.0 / 3.0).abs() < 1e-12, "16/3");
    check_by(&plain.std(1.0), |found| (found.sum() - 8f64.sqrt()).abs() < 1e-12, "the root of 8");
    check(&plain.average(&DArray::from_array(array![c(1.0, 0.0), c(0.0, 0.0), c(3.0, 0.0)], 2), 0), Array::from_elem((), c(1.75, -0.75)));
    check(&plain.cumsum(0), array![c(1.0, 0.0), c(4.0, 4.0), c(6.0, 3.0)]);
    check(&plain.cumprod(0), array![c(1.0, 0.0), c(3.0, 4.0), c(10.0, 5.0)]);
    let long = DArray::full([3000], c(0.1, -0.1), 700);
    check_by(&long.sum(), |found| (found.sum() - c(300.0, -300.0)).norm() < 1e-10, "300-300i");
    check(&DArray::<C>::zeros([0], 1).sum(), Array::from_elem((), c(0.0, 0.0)));
}

#[test]
fn products_of_arrays() {
    let (a, b) = (counted(&[4, 3]), counted(&[3, 5]));
    let (x, y) = (DArray::from_array(a.clone(), 2), DArray::from_array(b.clone(), [1, 4]));
    let product = ArrayD::from_shape_fn(IxDyn(&[4, 5]), |at| (0..3).map(|k| a[[at[0], k]] * b[[k, at[1]]]).sum());
    check(&x.matmul(&y), product.clone());
    check(&x.dot(&y), product.clone());
    check(&x.tensordot(&y, &[1], &[0]), product.clone());
    check(&einsum("ij,jk->ik", &[&x, &y]), product);
    check(&x.vdot(&x).re(), Array::from_elem((), a.iter().map(|x| x.norm_sqr()).sum()));
    check(&DArray::<C>::eye(3, 2).trace(0), Array::from_elem((), c(3.0, 0.0)));
}

#[test]
fn shapes_and_chunks_change_as_those_of_all_arrays() {
    let whole = counted(&[3, 4]);
    let x = DArray::from_array(whole.clone(), 2);
    check(&x.t(), whole.clone().reversed_axes());
    check(&x.slice_axis(1, 1..3), whole.slice(partita::ndarray::s![.., 1..3]).to_owned());
    check(&partita::concatenate(&[x.clone(), x.rechunk([3, 1])], 1).slice_axis(1, 4..), whole.clone());
    check(&x.reshape([2, 6]), whole.clone().into_shape_with_order(IxDyn(&[2, 6])).unwrap());
    check(&x.roll(1, 0).flip(0).flip(0).roll(-1, 0), whole.clone());
    check(&x.take([2, 0], 0), whole.select(partita::ndarray::Axis(0), &[2, 0]));
    check(&x.diff(1, 0), ArrayD::from_elem(IxDyn(&[2, 4]), c(4.0, -8.0)));
    check(&x.mapv(|x| x.re), whole.mapv(|x| x.re));
    let any = x.to_any();
    assert_eq!(any.dtype().unwrap(), DType::Complex128);
    assert!(any.typed::<f64>().unwrap_err().to_string().contains(".typed::<Complex<f64>>()?"));
    assert!(x.to_string().starts_with("DArray<Complex<f64>>  (3, 4)"), "{x}");
    assert!(DType::ALL.contains(&DType::Complex64) && DType::ALL.contains(&DType::Complex128));
}

#[test]
fn complex_arrays_are_kept_and_spilled() {
    let client = Client::builder().threads(2).memory_limit("32MiB").set_as_default(false).build().unwrap();
    let x = DArray::full([1 << 22], c(1.0, -2.0), 1 << 16) * DArray::arange(0.0f64, (1 << 22) as f64, 1.0, 1 << 16).to_complex(0.0);
    let kept = x.persist_on(&client).unwrap();
    let sum = kept.sum().compute_on(&client).unwrap();
    let count = f64::from(1 << 22);
    assert_eq!(sum.sum(), c(count * (count - 1.0) / 2.0, -count * (count - 1.0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_shapes_and_chunks_give_what_ndarray_gives(
        (shape, cuts) in shapes().prop_flat_map(|shape| (Just(shape.clone()), chunkings(shape))),
    ) {
        let whole = counted(&shape);
        let x = DArray::from_array(whole.clone(), cuts);
        let found = (&x * &x.conj() + c(1.0, -1.0)) * x.re().to_complex(2.0);
        let expected = whole.mapv(|x| (x * x.conj() + c(1.0, -1.0)) * c(x.re, 2.0));
        for (name, executor) in executors() {
            prop_assert_eq!(bits(&found.compute_on(&*executor).unwrap()), bits(&expected), "{}", name);
            let sum = x.sum().compute_on(&*executor).unwrap().sum();
            prop_assert!((sum - whole.sum()).norm() <= 1e-9, "{name}: {sum} and not {}", whole.sum());
        }
    }
}
