//! Shapes: slices, places, other axes and forms, arrays of several, windows and surroundings; against ndarray on the whole array.

#![expect(clippy::reversed_empty_ranges, reason = "negative bounds of slices count from the end")]

use super::arrays::{bits, check, check_by, chunkings, counted, failure, shapes};
use partita::graph::Serial;
use partita::ndarray::{Array, ArrayD, ArrayViewD, Axis, Ix2, IxDyn, NewAxis, Slice, SliceInfoElem, array, s};
use partita::prelude::*;
use partita::{
    Boundary, Code, Pad, blockwise, broadcast_arrays, concatenate, dstack, from_blocks, hstack, meshgrid, operator_registry, stack, vstack,
};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, proptest};

fn given() -> ArrayD<f64> {
    counted(&[5, 7, 3])
}

fn lazy() -> DArray<f64> {
    DArray::from_array(given(), [2, 3, 2])
}

#[test]
fn slices() {
    let (x, whole) = (lazy(), given());
    check(&x.slice(s![1..4, .., ..]), whole.slice(s![1..4, .., ..]).to_owned());
    check(&x.slice(s![.., ..;-1, ..;2]), whole.slice(s![.., ..;-1, ..;2]).to_owned());
    check(&x.slice(s![-2, 1..;3, -1]), whole.slice(s![-2, 1..;3, -1]).to_owned());
    check(&x.slice(s![NewAxis, 0, .., NewAxis, 1..]), whole.slice(s![NewAxis, 0, .., NewAxis, 1..]).to_owned());
    check(&x.slice(s![4..2, .., ..]), Array::zeros((0, 7, 3)));
    check(&x.slice(s![2]), whole.index_axis(Axis(0), 2).to_owned());
    check(&x.slice(s![-100..100, 5.., ..1]), whole.slice(s![.., 5.., ..1]).to_owned());
    check(&x.slice_axis(1, 2..-1), whole.slice(s![.., 2..-1, ..]).to_owned());
    check(&x.index_axis(-1, -2), whole.index_axis(Axis(2), 1).to_owned());
    check(&DArray::full((), 3u8, 1).slice(s![NewAxis]), array![3u8]);
    let text = failure(&x.slice(s![9]), Code::IndexOutOfRange);
    assert!(text.contains("there is no place 9 along axis 0, which has 5 elements") && text.contains("array_shape.rs"), "{text}");
    failure(&x.slice(s![.., .., .., 0]), Code::ShapeMismatch);
    failure(&x.slice([SliceInfoElem::Slice { start: 0, end: None, step: 0 }]), Code::InvalidOption);
    failure(&x.index_axis(3, 0), Code::AxisOutOfRange);
    let kept = x.compress(&DArray::<bool>::ones([5], 2), 0);
    check(&kept.slice(s![.., 0, 0]), whole.slice(s![.., 0, 0]).to_owned());
    failure(&kept.slice(s![1..]), Code::UnknownSizes);
    // A slice is a view of the blocks, so that a chain goes on through it.
    assert!(x.slice(s![.., .., ..2]).explain().contains("slice [.., .., ..2]"));
}

#[test]
fn turns_and_shifts() {
    let (x, whole) = (lazy(), given());
    let mut turned = whole.clone();
    turned.invert_axis(Axis(0));
    check(&x.flip(0), turned.clone());
    turned.invert_axis(Axis(2));
    check(&x.flip([0, -1]), turned);
    check(&x.flip(Axes::all()).flip(Axes::all()), whole.clone());
    failure(&x.flip(3), Code::AxisOutOfRange);
    let square = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    check(&square.rot90(1, [0, 1]), array![[3, 6], [2, 5], [1, 4]]);
    check(&square.rot90(-1, [0, 1]), array![[4, 1], [5, 2], [6, 3]]);
    check(&square.rot90(2, [0, 1]), array![[6, 5, 4], [3, 2, 1]]);
    check(&square.rot90(4, [0, 1]), array![[1, 2, 3], [4, 5, 6]]);
    check(&square.roll(1, 1), array![[3, 1, 2], [6, 4, 5]]);
    check(&square.roll(-4, 1), array![[2, 3, 1], [5, 6, 4]]);
    check(&square.roll(2, 0), array![[1, 2, 3], [4, 5, 6]]);
    check(&DArray::<f64>::zeros([0], 1).roll(3, 0), Array::zeros(0));
}

#[test]
fn places() {
    let (x, whole) = (lazy(), given());
    check(&x.take([6, 0, 0, -1, 3], 1), whole.select(Axis(1), &[6, 0, 0, 6, 3]));
    check(&x.take((0..7).rev(), 1), whole.select(Axis(1), &[6, 5, 4, 3, 2, 1, 0]));
    check(&x.take([], 0), Array::zeros((0, 7, 3)));
    let shuffled: Vec<usize> = (0..100).map(|at| at * 37 % 100).collect();
    let line = DArray::from_array(counted(&[100]), 9);
    check(&line.take(shuffled.iter().map(|at| *at as isize), 0), counted(&[100]).select(Axis(0), &shuffled));
    failure(&x.take([7], 1), Code::IndexOutOfRange);
    check(&x.delete([1, -1], 0), whole.select(Axis(0), &[0, 2, 3]));
    check(&x.delete([], 2), whole.clone());
    check(&x.insert(-1, &x.slice_axis(0, ..1), 0), whole.select(Axis(0), &[0, 1, 2, 3, 0, 4]));
    check(&x.vindex(&[&[0, 4, -1], &[0, 3, 6], &[2, 0, 1]]), array![2.0, 93.0, 103.0]);
    check(&x.vindex(&[&[], &[], &[]]), Array::zeros(0));
    failure(&x.vindex(&[&[0], &[0]]), Code::ShapeMismatch);
    failure(&x.vindex(&[&[0], &[7], &[0]]), Code::IndexOutOfRange);
}

#[test]
fn masks_and_what_is_not_zero() {
    let (x, whole) = (lazy(), given());
    let odd = |x: &f64| x % 2.0 == 1.0;
    check(&x.mask(&(&x % 2.0).eq(1.0)), whole.iter().copied().filter(odd).collect::<Array<f64, _>>());
    check(&x.mask(&DArray::<bool>::zeros([5, 7, 3], 3)), Array::zeros(0));
    failure(&x.mask(&DArray::<bool>::zeros([5, 7], 3)), Code::ShapeMismatch);
    let n = DArray::from_array(array![[0, 3, 0], [4, 0, 5]], [1, 2]);
    check(&n.argwhere(), array![[0i64, 1], [1, 0], [1, 2]]);
    check(&n.flatnonzero(), array![1i64, 3, 5]);
    check(&n.nonzero().unwrap()[0], array![0i64, 1, 1]);
    let flat = DArray::arange(0i64, 12, 5, 2);
    let places = flat.unravel_index([3, 4]);
    check(&places[0], array![0i64, 1, 2]);
    check(&places[1], array![0i64, 1, 2]);
    check(&DArray::ravel_multi_index(&places, [3, 4]), array![0i64, 5, 10]);
}

#[test]
fn parts_are_replaced() {
    let (x, whole) = (lazy(), given());
    let mut expected = whole.clone();
    expected.slice_mut(s![1..4, ..;-2, 0]).fill(-1.0);
    check(&x.with_slice(s![1..4, ..;-2, 0], -1.0), expected);
    let mut expected = whole.clone();
    expected.slice_mut(s![.., 2..5, ..]).assign(&counted(&[3, 3]));
    check(&x.with_slice(s![.., 2..5, ..], DArray::from_array(counted(&[3, 3]), [2, 1])), expected);
    let mut expected = whole.clone();
    expected.slice_mut(s![4, ..;-3, ..]).assign(&counted(&[3, 3]));
    check(&x.with_slice(s![4, ..;-3, ..], DArray::from_array(counted(&[3, 3]), 2)), expected);
    check(&x.with_slice(s![3..3, .., ..], 9.0), whole.clone());
    failure(&x.with_slice(s![0, .., ..], DArray::<f64>::zeros([2, 3], 2)), Code::ShapeMismatch);
}

#[test]
fn axes() {
    let (x, whole) = (lazy(), given());
    check(&x.swap_axes(0, -1), whole.clone().reversed_axes().permuted_axes(vec![0, 1, 2]));
    check(&x.move_axis(0, 2), whole.clone().permuted_axes(vec![1, 2, 0]));
    check(&x.expand_dims([0, 2]), whole.clone().insert_axis(Axis(0)).insert_axis(Axis(2)));
    check(&x.expand_dims(-1).squeeze(3), whole.clone());
    check(&x.expand_dims([0, -1]).squeeze(Axes::all()), whole.clone());
    check(&x.at_least(4), whole.clone().insert_axis(Axis(0)));
    failure(&x.squeeze(0), Code::ShapeMismatch);
    failure(&x.expand_dims(Axes::all()), Code::InvalidOption);
    failure(&x.expand_dims(5), Code::AxisOutOfRange);
    let strange = DArray::from_array(counted(&[1, 3]), vec![vec![0, 1, 0], vec![2, 1]]);
    check(&strange.squeeze(0), counted(&[3]));
}

#[test]
fn repetitions() {
    let x = DArray::from_array(array![[1, 2, 3]], 2);
    check(&x.broadcast_to([2, 3]), array![[1, 2, 3], [1, 2, 3]]);
    check(&x.broadcast_to([2, 1, 3]), array![[[1, 2, 3]], [[1, 2, 3]]]);
    check(&DArray::full((), 1.5, 1).broadcast_to([2]), array![1.5, 1.5]);
    failure(&x.broadcast_to([3, 1]), Code::ShapeMismatch);
    failure(&x.broadcast_to([3]), Code::ShapeMismatch);
    let both = broadcast_arrays(&[x.clone(), DArray::from_array(array![[7], [8]], 1)]).unwrap();
    check(&both[1], array![[7, 7, 7], [8, 8, 8]]);
    check(&x.tile(&[2]), array![[1, 2, 3, 1, 2, 3]]);
    check(&x.tile(&[2, 1, 1]), array![[[1, 2, 3]], [[1, 2, 3]]]);
    check(&x.tile(&[0]), Array::zeros((1, 0)));
    check(&x.repeat(2, 1), array![[1, 1, 2, 2, 3, 3]]);
    check(&x.repeat(3, 0), array![[1, 2, 3], [1, 2, 3], [1, 2, 3]]);
    check(&x.repeat(0, 1), Array::zeros((1, 0)));
    check(&x.t().tril(0), array![[1], [2], [3]]);
    check(&DArray::from_array(counted(&[3, 4]), 2).triu(1), array![[0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 6.0, 7.0], [0.0, 0.0, 0.0, 11.0]]);
    failure(&DArray::<f64>::zeros([3], 3).tril(0), Code::ShapeMismatch);
    let grid = meshgrid(&[DArray::arange(0, 3, 1, 2), DArray::arange(0, 2, 1, 1)]).unwrap();
    check(&(&grid[0] * 10 + &grid[1]), array![[0, 1], [10, 11], [20, 21]]);
    check(&DArray::indices([2, 2], 1).index_axis(0, 1), array![[0i64, 1], [0, 1]]);
}

#[test]
fn several_become_one() {
    let (x, whole) = (lazy(), given());
    let other = DArray::from_array(given() * 2.0, [3, 7, 1]);
    for axis in 0..3 {
        let expected = partita::ndarray::concatenate(Axis(axis), &[whole.view(), (&whole * 2.0).view()]).unwrap();
        check(&concatenate(&[x.clone(), other.clone()], axis as isize), expected);
        let expected = partita::ndarray::stack(Axis(axis), &[whole.view(), (&whole * 2.0).view()]).unwrap();
        check(&stack(&[x.clone(), other.clone()], axis as isize), expected);
    }
    let lines: Vec<DArray<i32>> = (0..40).map(|at| DArray::full([2], at, 1)).collect();
    check(&concatenate(&lines, 0), (0..80).map(|at| at / 2).collect::<Array<i32, _>>());
    check(&vstack(&lines[..2]), array![[0, 0], [1, 1]]);
    check(&hstack(&lines[..2]), array![0, 0, 1, 1]);
    check(&dstack(&lines[..2]), array![[[0, 1], [0, 1]]]);
    let (one, two) = (DArray::full([1, 1], 1, 1), DArray::full([1, 2], 2, 1));
    check(&from_blocks(&[&[one.clone(), two.clone()], &[two, one]]), array![[1, 2, 2], [2, 2, 1]]);
    let text = failure(&concatenate(&[x.clone(), DArray::zeros([5, 7, 4], 2)], 0), Code::ShapeMismatch);
    assert!(text.contains("(5, 7, 3) and (5, 7, 4)") && text.contains("array_shape.rs"), "{text}");
    failure(&concatenate::<f64>(&[], 0), Code::InvalidOption);
    failure(&concatenate(&[x.clone(), x.clone()], 3), Code::AxisOutOfRange);
    let kept = x.compress(&DArray::<bool>::ones([5], 2), 0);
    check(&concatenate(&[kept, x.clone()], 0), whole.select(Axis(0), &[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]));
    let parts = x.split(3, 1).unwrap();
    check(&parts[0], whole.slice(s![.., ..3, ..]).to_owned());
    check(&parts[2], whole.slice(s![.., 5.., ..]).to_owned());
    assert!(x.split(0, 1).is_err());
    let parts = x.split_at(&[2, -2], 1).unwrap();
    assert_eq!(parts.len(), 3);
    for (part, range) in parts.iter().zip([0..2, 2..5, 5..7]) {
        check(part, whole.select(Axis(1), &range.collect::<Vec<usize>>()));
    }
    assert_eq!(x.split_at(&[9], 1).unwrap()[1].shape().unwrap(), [5, 0, 3]);
    assert!(x.split_at(&[1], 3).is_err());
}

#[test]
fn other_forms() {
    let (x, whole) = (lazy(), given());
    let formed = |shape: &[usize]| whole.clone().into_shape_with_order(IxDyn(shape)).unwrap();
    check(&x.reshape([5, 21]), formed(&[5, 21]));
    check(&x.reshape([-1]), formed(&[105]));
    check(&x.reshape([3, 5, 7]), formed(&[3, 5, 7]));
    check(&x.reshape([35, -1, 1]), formed(&[35, 3, 1]));
    check(&x.ravel(), formed(&[105]));
    check(&x.t().ravel(), Array::from_iter(whole.t().iter().copied()));
    check(&x.ravel().reshape([5, 7, 3]), whole.clone());
    check(&DArray::full((), 4, 1).reshape([1, 1]), array![[4]]);
    check(&DArray::<f64>::zeros([0, 3], 1).reshape([3, 0, 2]), Array::zeros((3, 0, 2)));
    let rows = DArray::<f64>::zeros([100, 10], [10, -1]).reshape([10, 10, 10]);
    assert!(!rows.explain().split("layers").nth(1).unwrap().contains("rechunk"), "{}", rows.explain());
    let text = failure(&x.reshape([4, -1]), Code::ShapeMismatch);
    assert!(text.contains("shape (5, 7, 3) cannot be one of shape (4, -1)"), "{text}");
    failure(&x.reshape([-1, -1]), Code::ShapeMismatch);
    failure(&x.compress(&DArray::<bool>::ones([5], 2), 0).ravel(), Code::UnknownSizes);
}

#[test]
fn what_stands_around() {
    let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], [1, 2]);
    check(&x.pad(&[(1, 0), (0, 2)], Pad::Constant(0)), array![[0, 0, 0, 0, 0], [1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]);
    check(&x.pad(&[(0, 1), (1, 1)], Pad::Edge), array![[1, 1, 2, 3, 3], [4, 4, 5, 6, 6], [4, 4, 5, 6, 6]]);
    check(&x.pad(&[(0, 0), (4, 4)], Pad::Reflect), array![[1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3], [4, 5, 6, 5, 4, 5, 6, 5, 4, 5, 6]]);
    check(&x.pad(&[(0, 0), (4, 1)], Pad::Symmetric), array![[3, 3, 2, 1, 1, 2, 3, 3], [6, 6, 5, 4, 4, 5, 6, 6]]);
    check(&x.pad(&[(0, 0), (1, 4)], Pad::Wrap), array![[3, 1, 2, 3, 1, 2, 3, 1], [6, 4, 5, 6, 4, 5, 6, 4]]);
    check(&x.pad(&[(1, 0), (0, 0)], Pad::Maximum), array![[4, 5, 6], [1, 2, 3], [4, 5, 6]]);
    check(&x.pad(&[(0, 1), (0, 0)], Pad::Minimum), array![[1, 2, 3], [4, 5, 6], [1, 2, 3]]);
    let ramp = DArray::from_array(array![4.0, 8.0], 1).pad(&[(2, 4)], Pad::LinearRamp(0.0));
    check(&ramp, array![0.0, 2.0, 4.0, 8.0, 6.0, 4.0, 2.0, 0.0]);
    failure(&x.pad(&[(1, 1), (1, 1), (1, 1)], Pad::Edge), Code::ShapeMismatch);
    failure(&DArray::<f64>::zeros([0], 1).pad(&[(1, 1)], Pad::Edge), Code::EmptyReduction);
}

#[test]
fn windows() {
    let (x, whole) = (lazy(), given());
    let view = x.sliding_window_view(&[(1, 3)]);
    let expected = Array::from_shape_fn((5, 5, 3, 3), |(i, j, k, w)| whole[[i, j + w, k]]);
    check(&view, expected.clone());
    check(&view.sum_axis(-1), expected.sum_axis(Axis(3)));
    let both = x.sliding_window_view(&[(1, 7), (0, 2)]);
    check(&both, Array::from_shape_fn((4, 1, 3, 7, 2), |(i, j, k, v, w)| whole[[i + w, j + v, k]]));
    check(&DArray::from_array(counted(&[4]), vec![vec![0, 1, 1, 2]]).sliding_window_view(&[(0, 4)]), counted(&[1, 4]));
    failure(&x.sliding_window_view(&[(0, 6)]), Code::ShapeMismatch);
    failure(&x.sliding_window_view(&[(0, 0)]), Code::InvalidOption);
    failure(&x.sliding_window_view(&[(0, 2), (-3, 2)]), Code::InvalidOption);
    let table = DArray::from_array(counted(&[6, 4]), [4, 3]);
    check(&table.coarsen(&[(0, 3), (1, 2)], |windows, axes| windows.sum_axis(axes)), array![[27.0, 39.0], [99.0, 111.0]]);
    check(&table.coarsen(&[(-1, 4)], |windows, axes| windows.max_axis(axes)), Array::from_shape_fn((6, 1), |(i, _)| 4.0 * i as f64 + 3.0));
    let text = failure(&table.coarsen(&[(0, 4)], |windows, axes| windows.sum_axis(axes)), Code::ShapeMismatch);
    assert!(text.contains(".slice_axis(0, ..4)"), "{text}");
}

/// The sum of the elements at most `depth` places away along both axes, of a block with its surroundings.
fn neighbours(block: ArrayViewD<'_, f64>, depth: usize) -> ArrayD<f64> {
    let shape = block.shape().to_vec();
    let around = |at: usize, len: usize| at.saturating_sub(depth)..(at + depth + 1).min(len);
    Array::from_shape_fn(IxDyn(&shape), |at| block.slice(s![around(at[0], shape[0]), around(at[1], shape[1])]).sum())
}

#[test]
fn surroundings() {
    let whole = counted(&[6, 5]);
    let expected = |boundary: Boundary<f64>| {
        let place = |at: isize, len: isize| match boundary {
            Boundary::None | Boundary::Constant(_) => Some(at).filter(|at| (0..len).contains(at)),
            Boundary::Periodic => Some(at.rem_euclid(len)),
            Boundary::Nearest => Some(at.clamp(0, len - 1)),
            Boundary::Reflect => Some(if at < 0 {
                -at - 1
            } else if at >= len {
                2 * len - 1 - at
            } else {
                at
            }),
        };
        let beyond = if let Boundary::Constant(value) = boundary { value } else { 0.0 };
        Array::from_shape_fn((6, 5), |(i, j)| {
            let around = (-2..=2).flat_map(|a| (-2..=2).map(move |b| (i as isize + a, j as isize + b)));
            let element = |(a, b): (isize, isize)| match (place(a, 6), place(b, 5)) {
                (Some(a), Some(b)) => whole[[a as usize, b as usize]],
                _ => beyond,
            };
            around.map(element).sum::<f64>()
        })
    };
    for chunks in [[6, 5], [2, 3], [1, 1], [4, 2]] {
        let x = DArray::from_array(whole.clone(), chunks);
        for boundary in [Boundary::None, Boundary::Periodic, Boundary::Reflect, Boundary::Nearest, Boundary::Constant(7.0)] {
            check(&x.map_overlap(&[2], boundary, |block, _| neighbours(block, 2)), expected(boundary));
            check(&x.overlap(&[1, 2], boundary).trim_overlap(&[1, 2], boundary, &x), whole.clone());
        }
    }
    let x = DArray::from_array(whole, 2);
    failure(&x.overlap(&[1, 2, 3], Boundary::Nearest), Code::ShapeMismatch);
    for boundary in [Boundary::None, Boundary::Periodic, Boundary::Reflect, Boundary::Nearest, Boundary::Constant(1.0)] {
        let empty = DArray::<f64>::zeros([0], -1).map_overlap(&[1], boundary, |block, _| block.to_owned());
        check(&empty, Array::<f64, _>::zeros(0));
    }
    failure(&x.map_overlap(&[1], Boundary::None, |block, _| block.slice(s![1.., ..]).to_owned().into_dyn()), Code::UserFunction);
}

#[test]
fn functions_of_blocks() {
    let (x, whole) = (lazy(), given());
    check(&x.map_blocks(|block, _| block.mapv(|x| x as i64 * 2)), whole.mapv(|x| x as i64 * 2));
    let starts = x.map_blocks(|block, info| ArrayD::from_elem(block.raw_dim(), info.start.as_ref().map_or(-1.0, |start| start[1] as f64)));
    check(&starts, Array::from_shape_fn((5, 7, 3), |(_, j, _)| (j / 3 * 3) as f64));
    check(
        &x.map_blocks_to(vec![vec![1; 3], vec![1; 3], vec![1; 2]], |block, _| ArrayD::from_elem(IxDyn(&[1, 1, 1]), block.len() as i32)),
        array![[[12, 6], [12, 6], [4, 2]], [[12, 6], [12, 6], [4, 2]], [[6, 3], [6, 3], [2, 1]]],
    );
    let text = failure(&x.map_blocks(|block, _| block.sum_axis(Axis(0))), Code::UserFunction);
    assert!(text.contains("(0, 0, 0)") && text.contains("array_shape.rs"), "{text}");
    failure(&x.map_blocks_to::<f64, _>(vec![vec![1]], |block, _| block.to_owned()), Code::ShapeMismatch);
    check(&x.apply_along_axis(1, 1, |lane| array![lane.sum()]), whole.sum_axis(Axis(1)).insert_axis(Axis(1)));
    failure(&x.apply_along_axis(0, 2, |lane| array![lane.sum()]), Code::UserFunction);
    failure(&x.apply_along_axis(3, 2, |lane| lane.to_owned()), Code::AxisOutOfRange);
}

#[test]
fn functions_of_several_arrays() {
    let (a, b) = (counted(&[4, 6]), counted(&[6, 5]));
    let (x, y) = (DArray::from_array(a.clone(), [3, 2]), DArray::from_array(b.clone(), [3, 2]));
    let two = |block: &ArrayViewD<'_, f64>| block.to_owned().into_dimensionality::<Ix2>().unwrap();
    let product = blockwise("ik", &[(&x, "ij"), (&y, "jk")], move |blocks| two(&blocks[0]).dot(&two(&blocks[1])).into_dyn());
    let (a, b) = (a.into_dimensionality::<Ix2>().unwrap(), b.into_dimensionality::<Ix2>().unwrap());
    check(&product, a.dot(&b));
    let turned = blockwise("ji", &[(&x, "ij")], |blocks| blocks[0].t().to_owned());
    check(&turned, a.t().to_owned());
    failure(&blockwise::<f64, f64, _>("iz", &[(&x, "ij")], |blocks| blocks[0].to_owned()), Code::InvalidOption);
    failure(&blockwise::<f64, f64, _>("i", &[(&x, "ii")], |blocks| blocks[0].to_owned()), Code::ShapeMismatch);
    failure(&blockwise::<f64, f64, _>("ii", &[(&x, "ij")], |blocks| blocks[0].to_owned()), Code::InvalidOption);
    failure(&blockwise::<f64, f64, _>("ij", &[(&x, "ij"), (&y, "ij")], |blocks| blocks[0].to_owned()), Code::ShapeMismatch);
    failure(&blockwise::<f64, f64, _>("ij", &[(&x, "ij")], |blocks| blocks[0].sum_axis(Axis(0))), Code::UserFunction);
}

#[test]
fn differences_and_lines() {
    let x = DArray::from_array(array![1.0, 4.0, 9.0, 16.0, 36.0], vec![vec![2, 0, 3]]);
    check(&x.diff(1, 0), array![3.0, 5.0, 7.0, 20.0]);
    check(&x.diff(0, 0), array![1.0, 4.0, 9.0, 16.0, 36.0]);
    check(&lazy().diff(1, 0), Array::from_elem((4, 7, 3), 21.0));
    check(&x.gradient(2.0, 0), array![1.5, 2.0, 3.0, 6.75, 10.0]);
    failure(&x.slice_axis(0, ..1).gradient(1.0, 0), Code::ShapeMismatch);
    let line = DArray::from_array(array![-1.0, 0.0, 0.25, 1.0, 2.5, 9.0, f64::NAN], 3);
    check(&line.interp(&[0.0, 1.0, 3.0], &[0.0, 4.0, 8.0]), array![0.0, 0.0, 1.0, 4.0, 7.0, 8.0, f64::NAN]);
    failure(&line.interp(&[1.0, 1.0], &[0.0, 4.0]), Code::InvalidOption);
    failure(&line.interp(&[], &[]), Code::InvalidOption);
}

/// A shape, chunks for it, and for each axis a slice, given as start, end and step.
type Sliced = (Vec<usize>, Vec<Vec<usize>>, Vec<(isize, Option<isize>, isize)>);

fn sliced() -> impl Strategy<Value = Sliced> {
    let part = (
        -9isize..10,
        proptest::option::of(-9isize..10),
        (1isize..4, any::<bool>()).prop_map(|(step, back)| if back { -step } else { step }),
    );
    shapes().prop_flat_map(move |shape| (Just(shape.clone()), chunkings(shape.clone()), vec(part.clone(), shape.len())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn slices_are_those_of_ndarray((shape, chunks, parts) in sliced()) {
        let whole = counted(&shape);
        let lazy = DArray::from_array(whole.clone(), chunks);
        let part: Vec<SliceInfoElem> = parts.iter().map(|(start, end, step)| SliceInfoElem::Slice { start: *start, end: *end, step: *step }).collect();
        let expected = whole.slice_each_axis(|axis| {
            let (start, end, step) = parts[axis.axis.index()];
            let len = axis.len as isize;
            let bound = |at: isize| if at < 0 { (at + len).max(0) } else { at.min(len) };
            let (low, high) = (bound(start), bound(end.unwrap_or(len)));
            Slice::new(low, Some(high.max(low)), step)
        });
        let serial = Serial::new(operator_registry());
        prop_assert_eq!(bits(&lazy.slice(&part).compute_on(&serial).unwrap()), bits(&expected.to_owned()));
        let mut replaced = whole.clone();
        replaced.slice_each_axis_mut(|axis| {
            let (start, end, step) = parts[axis.axis.index()];
            let len = axis.len as isize;
            let bound = |at: isize| if at < 0 { (at + len).max(0) } else { at.min(len) };
            let (low, high) = (bound(start), bound(end.unwrap_or(len)));
            Slice::new(low, Some(high.max(low)), step)
        }).assign(&(expected.to_owned() + 1000.0));
        let value = lazy.slice(&part) + 1000.0;
        prop_assert_eq!(bits(&lazy.with_slice(&part, &value).compute_on(&serial).unwrap()), bits(&replaced));
    }

    #[test]
    fn forms_keep_the_order((shape, chunks, order) in shapes().prop_flat_map(|shape| (Just(shape.clone()), chunkings(shape.clone()), Just((0..shape.len()).collect::<Vec<_>>()).prop_shuffle()))) {
        let whole = counted(&shape);
        let new: Vec<usize> = order.iter().map(|axis| shape[*axis]).chain([1]).collect();
        let lazy = DArray::from_array(whole.clone(), chunks);
        let serial = Serial::new(operator_registry());
        let formed = lazy.reshape(new.iter().map(|len| *len as isize));
        prop_assert_eq!(formed.shape().unwrap(), new.clone());
        prop_assert_eq!(bits(&formed.compute_on(&serial).unwrap()), bits(&whole.clone().into_shape_with_order(IxDyn(&new)).unwrap()));
        let flat = lazy.ravel().compute_on(&serial).unwrap();
        prop_assert_eq!(flat.iter().copied().collect::<Vec<_>>(), whole.iter().copied().collect::<Vec<_>>());
    }
}

/// What a plan is for: slices do not read what they leave out.
#[test]
fn blocks_that_nobody_needs_are_not_made() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let x = DArray::from_fn([100], 10, move |index| {
        counter.fetch_add(1, Ordering::SeqCst);
        index[0] as i64
    });
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    assert_eq!(x.slice(s![15..25;3]).compute_on(&client).unwrap(), array![15, 18, 21, 24].into_dyn());
    assert_eq!(calls.load(Ordering::SeqCst), 20);
    check_by(&DArray::<f64>::zeros([4], 2).slice(s![..;2]), |found| found.len() == 2, "two zeros");
}
