//! What stands around arrays, and blocks with what lies around them: of all kinds of elements, and in the ways that NumPy knows.

use super::arrays::{check, failure};
use partita::ndarray::{Array, Array1, array};
use partita::prelude::*;
use partita::{Boundary, Code, Complex, Element, Pad};

fn complex(parts: &[(f64, f64)]) -> Array1<Complex<f64>> {
    parts.iter().map(|(re, im)| Complex::new(*re, *im)).collect()
}

#[test]
fn all_kinds_of_elements_are_padded() {
    let mask = DArray::from_array(array![true, false, false], 2);
    check(&mask.pad(&[(1, 2)], Pad::Constant(true)), array![true, true, false, false, true, true]);
    check(&mask.pad(&[(1, 2)], Pad::Edge), array![true, true, false, false, false, false]);
    check(&mask.pad(&[(2, 1)], Pad::Reflect), array![false, false, true, false, false, false]);
    check(&mask.pad(&[(2, 1)], Pad::Symmetric), array![false, true, true, false, false, false]);
    check(&mask.pad(&[(1, 1)], Pad::Wrap), array![false, true, false, false, true]);
    check(&mask.pad(&[(0, 1)], Pad::Empty), array![true, false, false, false]);
    check(&mask.pad(&[(1, 1)], Pad::Maximum), array![true, true, false, false, true]);
    check(&mask.pad(&[(1, 0)], Pad::Mean), array![true, true, false, false]);
    let inner = [(1.0, 1.0), (3.0, -1.0), (2.0, 3.0)];
    let z = DArray::from_array(complex(&inner), 2);
    let ends = |first: (f64, f64), last: (f64, f64)| complex(&[&[first][..], &inner, &[last]].concat());
    check(&z.pad(&[(1, 1)], Pad::Constant(Complex::new(0.0, 7.0))), ends((0.0, 7.0), (0.0, 7.0)));
    check(&z.pad(&[(1, 1)], Pad::Reflect), ends((3.0, -1.0), (3.0, -1.0)));
    check(&z.pad(&[(1, 1)], Pad::ReflectOdd), ends((-1.0, 3.0), (1.0, 7.0)));
    check(&z.pad(&[(1, 1)], Pad::Mean), ends((2.0, 1.0), (2.0, 1.0)));
    let small = z.cast::<Complex<f32>>().pad(&[(0, 1)], Pad::Wrap);
    check(&small.cast::<Complex<f64>>(), complex(&[inner[0], inner[1], inner[2], inner[0]]));
    let text = failure(&z.pad(&[(1, 1)], Pad::Median), Code::TypeMismatch);
    assert!(text.contains("Pad::Median is not defined for elements of Complex<f64>") && text.contains("array_around.rs"), "{text}");
    failure(&z.pad(&[(1, 1)], Pad::Maximum), Code::TypeMismatch);
    failure(&z.pad(&[(1, 1)], Pad::LinearRamp(Complex::new(0.0, 0.0))), Code::TypeMismatch);
    failure(&mask.pad(&[(1, 1)], Pad::LinearRamps(vec![(true, true)])), Code::TypeMismatch);
    failure(&mask.pad(&[(1, 1)], Pad::SymmetricOdd), Code::TypeMismatch);
}

#[test]
fn sides_and_nearest_elements() {
    let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], [1, 2]);
    let expected = array![[3, 1, 1, 1, 4], [3, 1, 2, 3, 4], [3, 4, 5, 6, 4], [3, 2, 2, 2, 4]];
    check(&x.pad(&[(1, 1)], Pad::Constants(vec![(1, 2), (3, 4)])), expected);
    check(&x.pad(&[(0, 0), (1, 1)], Pad::Constants(vec![(8, 9)])), array![[8, 1, 2, 3, 9], [8, 4, 5, 6, 9]]);
    let line = DArray::from_array(array![4.0, 8.0], 1);
    check(&line.pad(&[(2, 2)], Pad::LinearRamps(vec![(0.0, 16.0)])), array![0.0, 2.0, 4.0, 8.0, 12.0, 16.0]);
    check(&x.pad(&[(1, 0), (0, 2)], Pad::Median), array![[2, 4, 4, 4, 4], [1, 2, 3, 2, 2], [4, 5, 6, 5, 5]]);
    let row = DArray::from_array(array![[1, 5, 2, 9]], 2);
    check(&row.pad_with(&[(0, 0), (1, 1)], Pad::Maximum, &[(1, 1), (2, 3)]), array![[5, 1, 5, 2, 9, 9]]);
    check(&row.pad_with(&[(0, 0), (1, 1)], Pad::Median, &[(3, 3)]), array![[2, 1, 5, 2, 9, 5]]);
    check(&row.pad_with(&[(0, 0), (1, 1)], Pad::Minimum, &[(9, 1)]), array![[1, 1, 5, 2, 9, 9]]);
    check(&row.pad_with(&[(0, 0), (1, 1)], Pad::Mean, &[(2, 2)]), array![[3, 1, 5, 2, 9, 6]]);
    failure(&row.pad_with(&[(1, 1)], Pad::Mean, &[(2, 0)]), Code::EmptyReduction);
    failure(&row.pad_with(&[(1, 1)], Pad::Edge, &[(2, 2)]), Code::InvalidOption);
    failure(&row.pad_with(&[(1, 1)], Pad::Mean, &[(1, 1); 3]), Code::ShapeMismatch);
    failure(&x.pad(&[(1, 1)], Pad::Constants(vec![(1, 2); 3])), Code::ShapeMismatch);
}

#[test]
fn slopes_go_on() {
    let x = DArray::from_array(array![[1, 2, 4], [4, 5, 9]], [1, 2]);
    let reflected = array![[-6, -5, -4, -2, 0, 1, 2, 4, 6, 7, 8, 10], [-7, -6, -5, -1, 3, 4, 5, 9, 13, 14, 15, 19]];
    check(&x.pad(&[(0, 0), (5, 4)], Pad::ReflectOdd), reflected);
    let symmetric = array![[-4, -2, -2, 0, 1, 1, 2, 4, 4, 6, 7, 7], [-5, -1, -1, 3, 4, 4, 5, 9, 9, 13, 14, 14]];
    check(&x.pad(&[(0, 0), (5, 4)], Pad::SymmetricOdd), symmetric);
    let even = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    let around = array![[-3, -2, -1, 0, 1, 2], [0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [6, 7, 8, 9, 10, 11]];
    check(&even.pad(&[(1, 1), (1, 2)], Pad::ReflectOdd), around);
    let one = DArray::from_array(array![5.0], 1);
    check(&one.pad(&[(2, 2)], Pad::ReflectOdd), array![5.0, 5.0, 5.0, 5.0, 5.0]);
    check(&one.pad(&[(2, 2)], Pad::SymmetricOdd), array![5.0, 5.0, 5.0, 5.0, 5.0]);
    failure(&DArray::<f64>::zeros([0], 1).pad(&[(1, 0)], Pad::ReflectOdd), Code::EmptyReduction);
}

/// Blocks with what lies around them, and without it again.
fn there_and_back<T: Element>(values: [T; 3], beyond: T, expected: [&[T]; 4]) {
    let (x, whole) = (DArray::from_array(Array::from_vec(values.to_vec()), 2), Array::from_vec(values.to_vec()));
    let boundaries = [Boundary::Constant(beyond), Boundary::Periodic, Boundary::Reflect, Boundary::Nearest];
    for (boundary, expected) in boundaries.into_iter().zip(expected) {
        let around = x.overlap(&[1], boundary);
        check(&around, Array::from_vec(expected.to_vec()));
        check(&around.trim_overlap(&[1], boundary, &x), whole.clone());
        check(&x.map_overlap(&[1], boundary, |block, _| block.to_owned()), whole.clone());
    }
}

#[test]
fn all_kinds_of_elements_overlap() {
    let (t, f) = (true, false);
    there_and_back([t, f, f], t, [&[t, t, f, f, f, f, t], &[f, t, f, f, f, f, t], &[t, t, f, f, f, f, f], &[t, t, f, f, f, f, f]]);
    let [a, b, c, o] = [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (0.0, 0.0)].map(|(re, im)| Complex::new(re, im));
    there_and_back([a, b, c], o, [&[o, a, b, c, b, c, o], &[c, a, b, c, b, c, a], &[a, a, b, c, b, c, c], &[a, a, b, c, b, c, c]]);
}
