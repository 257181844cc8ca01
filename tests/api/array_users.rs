//! Functions of the user's own on core axes, on blocks of other lengths and with a boundary for each axis; arrays that are handed over block
//! by block, pictures of arrays, and arrays of frames.

use super::arrays::{check, check_by, counted, failure};
use super::check::executors;
use partita::ndarray::{Array, ArrayD, ArrayViewD, Axis, Ix2, arr0, array, concatenate};
use partita::prelude::*;
use partita::{Boundary, Code, GufuncOptions, apply_gufunc, apply_gufunc_several, apply_gufunc_with, blockwise_with};

#[test]
fn functions_of_core_axes() {
    let (a, b) = (counted(&[4, 3, 5]), counted(&[3, 1, 5]));
    let (x, y) = (DArray::from_array(a.clone(), [3, 2, 2]), DArray::from_array(b.clone(), [2, 1, 3]));
    let dot = |cores: &[ArrayViewD<'_, f64>]| arr0((&cores[0] * &cores[1]).sum()).into_dyn();
    let expected = Array::from_shape_fn((3, 4, 3), |(l, i, j)| (0..5).map(|k| a[[i, j, k]] * b[[l, 0, k]]).sum::<f64>());
    check(&apply_gufunc("(k),(k)->()", &[&x.expand_dims(0), &y.expand_dims(2)], &[], dot), expected);
    let product = |cores: &[ArrayViewD<'_, f64>]| {
        let two = |at: usize| cores[at].to_owned().into_dimensionality::<Ix2>().expect("matrices");
        two(0).dot(&two(1)).into_dyn()
    };
    let (m, p) = (counted(&[2, 3, 4]), counted(&[4, 2]));
    let found = apply_gufunc("(i,j),(j,k)->(i,k)", &[&DArray::from_array(m.clone(), 2), &DArray::from_array(p.clone(), 1)], &[], product);
    check(&found, Array::from_shape_fn((2, 3, 2), |(n, i, k)| (0..4).map(|j| m[[n, i, j]] * p[[j, k]]).sum::<f64>()));
    let ends = |cores: &[ArrayViewD<'_, f64>]| array![cores[0][[0]], cores[0][[cores[0].len() - 1]]].into_dyn();
    let found = apply_gufunc("(i)->(ends)", &[&x], &[("ends", 2)], ends);
    check(&found, Array::from_shape_fn((4, 3, 2), |(i, j, end)| a[[i, j, 4 * end]]));
    check(&apply_gufunc("(i)->(ends)", &[&DArray::zeros([0, 3], 1)], &[("ends", 2)], ends), Array::zeros((0, 2)));
    check(&apply_gufunc("()->()", &[&DArray::arange(0.0, 3.0, 1.0, 2)], &[], |cores| &cores[0] * 2.0), array![0.0, 2.0, 4.0]);
    let with = |signature: &str| apply_gufunc(signature, &[&x, &y], &[], dot);
    for signature in ["(k),(k)", "(k)->()", "(k),(k)->(),()", "(k,(k)->()", "(k),(k)->(n)"] {
        failure(&with(signature), Code::InvalidOption);
    }
    let text = failure(&with("(j,k),(j,k)->()"), Code::ShapeMismatch);
    assert!(text.contains("`j`") && text.contains("3 and 1") && text.contains("array_users.rs"), "{text}");
    failure(&with("(h,i,j,k),(k)->()"), Code::ShapeMismatch);
    failure(&apply_gufunc("(k),(k)->()", &[&x, &DArray::ones([2, 5], 2)], &[], dot), Code::ShapeMismatch);
    failure(&apply_gufunc("(k)->(k)", &[&x], &[], |cores| cores[0].sum_axis(Axis(0))), Code::UserFunction);
    failure(&apply_gufunc("(k)->()", &[&x.compress(&DArray::<bool>::ones([5], 2), 2)], &[], ends), Code::UnknownSizes);
}

#[test]
fn core_axes_are_where_they_are_said_to_be() {
    let a = counted(&[4, 3, 5]);
    let x = DArray::from_array(a.clone(), [3, 2, 2]);
    let sum = |cores: &[ArrayViewD<'_, f64>]| arr0(cores.iter().map(|core| core.sum()).sum()).into_dyn();
    let axis = |axis: isize| GufuncOptions::new().axis(axis);
    check(&apply_gufunc_with("(i)->()", &[&x], axis(-2), sum), a.sum_axis(Axis(1)));
    check(&apply_gufunc_with("(i)->()", &[&x], axis(0).keepdims(), sum), a.sum_axis(Axis(0)).insert_axis(Axis(0)));
    check(&apply_gufunc_with("(i),(i)->()", &[&x, &x], axis(1), sum), a.sum_axis(Axis(1)) * 2.0);
    let back = |cores: &[ArrayViewD<'_, f64>]| cores[0].slice(partita::ndarray::s![..;-1]).to_owned().into_dyn();
    check(&apply_gufunc_with("(i)->(i)", &[&x], axis(1), back), a.slice(partita::ndarray::s![.., ..;-1, ..]).to_owned());
    // The core axes of each array, and those of the result.
    let axes = |axes: &[&[isize]]| GufuncOptions::new().axes(axes.iter().map(|axes| axes.to_vec()));
    let whole = |cores: &[ArrayViewD<'_, f64>]| cores[0].to_owned();
    check(&apply_gufunc_with("(i,j)->(i,j)", &[&x], axes(&[&[2, 0], &[0, -1]]), whole), a.clone().permuted_axes(vec![2, 1, 0]));
    check(&apply_gufunc_with("(i,j)->(i,j)", &[&x], axes(&[&[0, 1]]), whole), a.clone().permuted_axes(vec![2, 0, 1]));
    let kept = a.sum_axis(Axis(2)).sum_axis(Axis(0)).insert_axis(Axis(0)).insert_axis(Axis(2));
    check(&apply_gufunc_with("(i,j)->()", &[&x], axes(&[&[2, 0]]).keepdims(), sum), kept);
    let sized = apply_gufunc_with("(i)->(n)", &[&x], axis(0).size("n", 1), |cores| array![cores[0].sum()].into_dyn());
    check(&sized, a.sum_axis(Axis(0)).insert_axis(Axis(0)));
    for options in [axis(1).axes([vec![0]]), axes(&[]), axes(&[&[0], &[], &[]]), axes(&[&[0, 1]]), axes(&[&[]])] {
        failure(&apply_gufunc_with("(i)->()", &[&x], options, sum), Code::InvalidOption);
    }
    failure(&apply_gufunc_with("(i,j)->()", &[&x], axis(0), sum), Code::InvalidOption);
    failure(&apply_gufunc_with("(i)->(i)", &[&x], axis(0).keepdims(), sum), Code::InvalidOption);
    let text = failure(&apply_gufunc_with("(i)->()", &[&x], axis(3), sum), Code::AxisOutOfRange);
    assert!(text.contains("array_users.rs"), "{text}");
}

#[test]
fn functions_give_several_arrays() {
    let a = counted(&[4, 3, 5]);
    let x = DArray::from_array(a.clone(), [3, 2, 2]);
    let sum_and_back = |cores: &[ArrayViewD<'_, f64>]| {
        vec![arr0(cores[0].sum()).into_dyn(), cores[0].slice(partita::ndarray::s![..;-1]).to_owned().into_dyn()]
    };
    let found = apply_gufunc_several("(i)->(),(i)", &[&x], GufuncOptions::new().axis(1), sum_and_back);
    assert_eq!(found.len(), 2);
    check(&found[0], a.sum_axis(Axis(1)));
    check(&found[1], a.slice(partita::ndarray::s![.., ..;-1, ..]).to_owned());
    // What is asked for together is made once.
    let sums = a.sum_axis(Axis(1));
    check(&(&found[1] * found[0].expand_dims(1)).sum(), arr0((&sums * &sums).sum()));
    for signature in ["(i)->()", "(i)->(),(i),()"] {
        let found = apply_gufunc_several(signature, &[&x], GufuncOptions::new(), sum_and_back);
        failure(&found[0], Code::UserFunction);
    }
    let found = apply_gufunc_several("(i)->", &[&x], GufuncOptions::new(), sum_and_back);
    assert!(failure(&found[0], Code::InvalidOption).contains("array_users.rs"));
}

#[test]
fn blocks_of_other_lengths() {
    let x = DArray::from_array(counted(&[5, 4]), [2, 3]);
    let sums = blockwise_with("iz", &[(&x, "ij")], &[('z', 2)], &[], |blocks| {
        let (sum, least) = (blocks[0].sum_axis(Axis(1)), blocks[0].map_axis(Axis(1), |lane| lane[0]));
        partita::ndarray::stack(Axis(1), &[sum.view(), least.view()]).expect("of the same shape")
    });
    check(&sums, Array::from_shape_fn((5, 2), |(i, z)| if z == 0 { 16.0 * i as f64 + 6.0 } else { 4.0 * i as f64 }));
    let twice = |blocks: &[ArrayViewD<'_, f64>]| concatenate(Axis(0), &[blocks[0].view(), blocks[0].view()]).expect("of the same shape");
    let found = blockwise_with("ij", &[(&x, "ij")], &[], &[('i', |len| 2 * len)], twice);
    assert_eq!(found.chunks().unwrap(), [vec![4, 4, 2], vec![3, 1]]);
    check(&found, counted(&[5, 4]).select(Axis(0), &[0, 1, 0, 1, 2, 3, 2, 3, 4, 4]));
    failure(&blockwise_with("ij", &[(&x, "ij")], &[('j', 2)], &[], twice), Code::InvalidOption);
    failure(&blockwise_with("ij", &[(&x, "ij")], &[], &[('k', |len| len)], twice), Code::InvalidOption);
    failure(&blockwise_with("ij", &[(&x, "ij")], &[], &[], twice), Code::UserFunction);
}

#[test]
fn a_boundary_for_each_axis() {
    let x = DArray::from_array(array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [1, 2]);
    let whole = x.rechunk(-1);
    let around = |boundaries: [Boundary<f64>; 2]| whole.overlap(&[1], boundaries);
    check(&around([Boundary::Periodic, Boundary::None]), array![[4.0, 5.0, 6.0], [1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]);
    check(
        &around([Boundary::Constant(0.0), Boundary::Nearest]),
        array![[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 2.0, 3.0, 3.0], [4.0, 4.0, 5.0, 6.0, 6.0], [0.0, 0.0, 0.0, 0.0, 0.0]],
    );
    check(&around([Boundary::None, Boundary::Constant(9.0)]), array![[9.0, 1.0, 2.0, 3.0, 9.0], [9.0, 4.0, 5.0, 6.0, 9.0]]);
    // In pieces, and back.
    for boundaries in
        [[Boundary::Reflect, Boundary::None], [Boundary::Constant(1.0), Boundary::Periodic], [Boundary::None, Boundary::Constant(2.0)]]
    {
        check(&x.overlap(&[1, 2], boundaries).trim_overlap(&[1, 2], boundaries, &x), array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        check(&x.map_overlap(&[2, 1], boundaries, |block, _| &block * 2.0), array![[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]);
    }
    failure(&x.overlap(&[1], vec![Boundary::None; 3]), Code::ShapeMismatch);
    // Other numbers of elements before than behind.
    check(&whole.overlap(&[(0, 0), (2, 1)], Boundary::Nearest), array![[1.0, 1.0, 1.0, 2.0, 3.0, 3.0], [4.0, 4.0, 4.0, 5.0, 6.0, 6.0]]);
    check(&whole.overlap(&[(1, 0)], Boundary::None), array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    for boundary in [Boundary::None, Boundary::Periodic, Boundary::Reflect, Boundary::Nearest, Boundary::Constant(7.0)] {
        for depths in [[(0, 2), (1, 0)], [(1, 0), (0, 3)], [(0, 0), (2, 1)]] {
            check(&x.overlap(&depths, boundary).trim_overlap(&depths, boundary, &x), array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
            check(&x.map_overlap(&depths, boundary, |block, _| &block * 2.0), array![[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]);
        }
    }
    failure(&x.overlap(&[(1, 0); 3], Boundary::None), Code::ShapeMismatch);
}

#[test]
fn blocks_are_handed_over_one_by_one() {
    let x = DArray::from_array(counted(&[5, 4]), [2, 3]) + 1.0;
    for (name, executor) in executors() {
        let mut target = Array::zeros((5, 4));
        let mut places = Vec::new();
        let stored = x.store_on(&*executor, |info, block| {
            let start = info.start.clone().expect("known sizes");
            places.push(info.position.clone());
            let rows = start[0]..start[0] + block.shape()[0];
            let columns = start[1]..start[1] + block.shape()[1];
            target.slice_mut(partita::ndarray::s![rows, columns]).assign(&block.into_dimensionality::<Ix2>().expect("two axes"));
            Ok(())
        });
        stored.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(target.into_dyn(), counted(&[5, 4]) + 1.0, "{name}");
        // As they end, each once.
        places.sort_unstable();
        assert_eq!(places, [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]], "{name}");
        let mut calls = 0;
        let failed = x.store_on(&*executor, |_, _| {
            calls += 1;
            Err(partita::Error::new(Code::Unsupported, "the device is full"))
        });
        assert_eq!((failed.expect_err("it fails").code, calls), (Code::Unsupported, 1), "{name}");
    }
}

#[test]
fn pictures() {
    let lines = |picture: &str| picture.matches("<line").count();
    let count = |array: &DArray<f64>| lines(&array.to_svg().unwrap());
    assert_eq!(count(&DArray::zeros([4], 2)), 4 + 1);
    assert_eq!(count(&DArray::zeros((), 1)), 4);
    // Three faces, each of which shows the cuts of two axes.
    assert_eq!(count(&DArray::zeros([4, 4, 6], [1, 2, 2])), 3 * 4 + 2 * (3 + 1 + 2));
    assert!(count(&DArray::zeros([100_000], 1)) <= 4 + 48, "lines that nobody can tell apart are not drawn");
    assert!(DArray::<u8>::zeros([2, 9, 4, 4, 4], 2).to_svg().unwrap().contains("2 × 9 of these"));
    let kept = DArray::from_array(counted(&[6, 2]), 2).compress(&DArray::<bool>::ones([6], 2), 0);
    let picture = kept.to_svg().unwrap();
    assert!(picture.contains("class=\"unknown\"") && picture.contains(">?</text>"), "{picture}");
    let table = kept.to_html().unwrap();
    assert!(table.contains("<td>(?, 2)</td>") && table.contains("<td>?</td>") && table.contains("<td>f64</td>"), "{table}");
    assert_eq!(DArray::<f64>::zeros([3], [1, 1]).to_html().expect_err("it does not fit").code, Code::ShapeMismatch);
    assert!(kept.explain().contains("  result         ? in 3 blocks"), "{}", kept.explain());
    let plan = DArray::from_array(counted(&[10, 10]), [10, 5]).sum().explain();
    assert!(
        plan.contains("  result         8 B in 1 block\n") && plan.contains("  largest block  400 B, of from_array (10, 10)"),
        "{plan}"
    );
}

#[test]
fn frames_and_arrays() {
    let table = df!("x" => [Some(1.5), None, Some(3.5), Some(4.0)], "n" => [1i64, 2, 3, 4], "t" => [true, false, true, true]).unwrap();
    let frame = DFrame::from_polars(table.clone(), 3);
    let x = frame.to_darray();
    check(&x, array![[1.5, 1.0, 1.0], [f64::NAN, 2.0, 0.0], [3.5, 3.0, 1.0], [4.0, 4.0, 1.0]]);
    check(&DArray::from_dframe(&frame.select([col("n")])).sum_axis(0), array![10.0]);
    check(&x.nansum_axis(0), array![9.0, 10.0, 3.0]);
    check(&frame.filter(col("n").gt(lit(2))).to_darray().index_axis(1, 1), array![3.0, 4.0]);
    check(&(frame.select([col("n")]).to_darray() * 2.0 + 1.0), array![[3.0], [5.0], [7.0], [9.0]]);
    let text = failure(&DFrame::from_polars(df!("name" => ["a"]).unwrap(), 1).to_darray(), Code::TypeMismatch);
    assert!(text.contains("`name`") && text.contains("array_users.rs"), "{text}");
    let text = failure(&frame.select([col("no")]).to_darray(), Code::ColumnNotFound);
    assert!(text.contains("no"), "{text}");
    // And back, whatever the kind.
    let back = DFrame::from_darray(&frame.select([col("n"), col("t")]).to_darray().cast::<i64>(), &["n", "t"]);
    for (name, executor) in executors() {
        let found = back.filter(col("t").eq(lit(1))).compute_on(&*executor).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(found.frame, df!("n" => [1i64, 3, 4], "t" => [1i64, 1, 1]).unwrap(), "{name}");
    }
    let line = DFrame::from_darray(&DArray::from_array(array![true, false, true], 2), &["t"]);
    assert_eq!(line.compute().unwrap(), df!("t" => [true, false, true]).unwrap());
    assert_eq!(line.len().unwrap(), 3);
    let small = DFrame::from_darray(&DArray::arange(1u8, 5, 1, 3).reshape([2, 2]), &["a", "b"]);
    assert_eq!(small.compute().unwrap(), df!("a" => [1u8, 3], "b" => [2u8, 4]).unwrap());
    // A frame of an array of a frame, joined with the frame that it came from.
    let doubled = DFrame::from_darray(&(frame.select([col("n")]).to_darray() * 2.0), &["double"]);
    assert_eq!(doubled.sum().compute().unwrap(), df!("double" => [20.0]).unwrap());
    let refused = |array: &DArray<f64>, names: &[&str]| DFrame::from_darray(array, names).compute().expect_err("it does not fit").code;
    assert_eq!(refused(&DArray::zeros([2, 2, 2], 1), &["a", "b"]), Code::ShapeMismatch);
    assert_eq!(refused(&DArray::zeros([2, 2], 1), &["a"]), Code::ShapeMismatch);
    assert_eq!(refused(&DArray::zeros([2, 2], 1), &["a", "a"]), Code::DuplicateColumn);
    check_by(&DArray::<f64>::zeros([0, 2], 1).sum_axis(0), |found: &ArrayD<f64>| found.len() == 2, "two zeros");
    assert_eq!(DFrame::from_darray(&DArray::<f64>::zeros([0, 1], 1), &["a"]).len().unwrap(), 0);
}
