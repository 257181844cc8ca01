//! Arrays whose sizes are known only after they were made, together: blocks of different lengths are refused, however the steps come, and
//! what the plan knows to be repeated is.

use super::arrays::{check, counted, failure};
use super::check::executors;
use partita::graph::Serial;
use partita::ndarray::{Array, ArrayD, ArrayViewD, array, s};
use partita::prelude::*;
use partita::{Code, apply_gufunc, blockwise, concatenate, einsum, operator_registry, vstack, where_};

/// Elements for which a text has a `T`, in chunks of two.
fn kept(array: &DArray<f64>, mask: &str, axis: isize) -> DArray<f64> {
    let mask = DArray::from_array(Array::from_iter(mask.chars().map(|letter| letter == 'T')), 2);
    array.compress(&mask, axis)
}

fn line() -> DArray<f64> {
    DArray::from_array(counted(&[4]) + 1.0, 2)
}

/// Fails on every executor, says how to go on, and names the user's line.
#[track_caller]
fn refused<T: partita::Element>(array: &DArray<T>) {
    let text = failure(array, Code::ShapeMismatch);
    assert!(text.contains(".compute_chunk_sizes()?") && text.contains(".rechunk(…)"), "{text}");
    assert!(text.contains("array_unknown.rs"), "{text}");
}

#[test]
fn blocks_of_one_element_are_not_repeated() {
    // Blocks of one and two elements beside blocks of two and one: together as many.
    let (a, b) = (kept(&line(), "TFTT", 0), kept(&line(), "TTFT", 0));
    let text = failure(&(&a + &b), Code::ShapeMismatch);
    assert!(text.contains("chunks that belong together have 1 and 2 elements along axis 0"), "{text}");
    refused(&(&a + &b));
    refused(&(&a * 2.0 - b.sqrt()));
    refused(&a.lt(&b));
    refused(&a.maximum(&b));
    refused(&where_(&a.gt(1.0), &b, 0.0));
    refused(&where_(&a.gt(1.0), 0.0, &b));
    // As one program that is folded, over all axes and as places.
    refused(&(&a + &b).sum());
    refused(&(&a + &b).max());
    refused(&(&a * &b).mean());
    refused(&a.eq(&b).any());
    // Of other totals too, also where a block is empty.
    refused(&(&a + kept(&line(), "TFTF", 0)));
    refused(&(kept(&line(), "FFTT", 0) + kept(&line(), "TFTT", 0)));
    refused(&(kept(&line(), "TFFF", 0) + kept(&line(), "TTTT", 0)).sum());
    for (name, executor) in executors() {
        let sized = |array: &DArray<f64>| array.compute_chunk_sizes_on(&*executor).unwrap();
        let sum = (sized(&a) + sized(&b)).compute_on(&*executor).unwrap();
        assert_eq!(sum, array![2.0, 5.0, 8.0].into_dyn(), "{name}");
        assert_eq!((sized(&a) + sized(&kept(&line(), "TFTF", 0))).shape().unwrap_err().code, Code::ShapeMismatch, "{name}");
    }
}

#[test]
fn one_mask_on_several_arrays_fits() {
    let (a, b) = (kept(&line(), "TFTT", 0), kept(&(line() * 10.0), "TFTT", 0));
    check(&(&a + &b), array![11.0, 33.0, 44.0]);
    check(&(&a * &b).sum(), partita::ndarray::arr0(10.0 + 90.0 + 160.0));
    check(&where_(&a.gt(1.0), &b, -1.0), array![-1.0, 30.0, 40.0]);
    check(&a.eq(&a), array![true, true, true]);
}

#[test]
fn axes_of_length_one_are_repeated() {
    let x = DArray::from_array(counted(&[3, 4]), 2);
    let columns = kept(&x, "TFTT", 1);
    let expected: ArrayD<f64> = array![[0.0, 2.0, 3.0], [4.0, 6.0, 7.0], [8.0, 10.0, 11.0]].into_dyn();
    let down = DArray::from_array(array![[10.0], [20.0], [30.0]], 2);
    check(&(&columns + &down), &expected + &array![[10.0], [20.0], [30.0]]);
    check(&(&columns + DArray::full([1, 1], 5.0, 1)), &expected + 5.0);
    check(&(&columns + DArray::from_array(array![7.0], 1)), &expected + 7.0);
    check(&(&columns * columns.sum_axis(partita::Axes::of(1).keepdims())).sum_axis(1), array![25.0, 17.0 * 17.0, 29.0 * 29.0]);
    // A line beside a table that has the same axis last.
    check(&(&columns - kept(&line(), "TFTT", 0)), &expected - &array![1.0, 3.0, 4.0]);
    check(&(&columns - columns.mean_axis(0)), &expected - &array![4.0, 6.0, 7.0]);
    refused(&(&columns - kept(&line(), "TTFT", 0)));
    refused(&(&columns - kept(&line(), "TTFT", 0)).sum_axis(0));
    // A mask that keeps one element leaves an axis of one element, which nobody knows to be one.
    check(&(kept(&line(), "TFFF", 0) + kept(&(line() + 1.0), "TFFF", 0)), array![3.0]);
    failure(&(kept(&line(), "TFFF", 0) + line()), Code::UnknownSizes);
    // Other numbers of chunks do not belong together.
    failure(&(kept(&line(), "TFTT", 0) + kept(&line().rechunk(1), "TFTT", 0)), Code::UnknownSizes);
}

#[test]
fn other_steps_of_several_arrays() {
    let (a, b) = (kept(&line(), "TFTT", 0), kept(&line(), "TTFT", 0));
    refused(&a.histogram_weighted((2, 0.0, 5.0), &b));
    refused(&einsum("i,i->", &[&a, &b]));
    refused(&einsum("i,i->i", &[&a, &b]));
    check(&einsum("i,i->i", &[&a, &a]), array![1.0, 9.0, 16.0]);
    // Of axes that only one of them has nobody knows whether there is anything to sum.
    check(&einsum("i,j->", &[&a, &b]), partita::ndarray::arr0(8.0 * 7.0));
    check(&einsum("i,j->", &[&kept(&line(), "FFFF", 0), &(&b * f64::INFINITY)]), partita::ndarray::arr0(0.0));
    check(&einsum("i,j->", &[&(&a - 1.0), &(&b * f64::INFINITY)]), partita::ndarray::arr0(f64::NAN));
    let table = DArray::from_array(counted(&[5, 5]), 3);
    refused(&table.vindex_arrays(&[&a.cast::<i64>(), &b.cast::<i64>()]));
    check(&table.vindex_arrays(&[&a.cast::<i64>(), &a.cast::<i64>()]), array![6.0, 18.0, 24.0]);
    refused(&apply_gufunc::<f64, f64, _>("(),()->()", &[&a, &b], &[], |views| &views[0] + &views[1]));
    // As many pairs, but not the same ones.
    let square = DArray::from_array(counted(&[4, 4]), -1);
    let (wide, tall) = (kept(&kept(&square, "TFFF", 0), "TTFF", 1), kept(&kept(&square, "TTFF", 0), "TFFF", 1));
    refused(&einsum("ij,ij->", &[&wide, &tall]));
}

#[test]
fn functions_of_blocks_get_blocks_that_belong_together() {
    let (a, b) = (kept(&line(), "TFTT", 0), kept(&line(), "TTFT", 0));
    let sum = |blocks: &[ArrayViewD<'_, f64>]| &blocks[0] + &blocks[1];
    check(&blockwise("i", &[(&a, "i"), (&(&a * 10.0), "i")], sum), array![11.0, 33.0, 44.0]);
    let text = failure(&blockwise("i", &[(&a, "i"), (&b, "i")], sum), Code::ShapeMismatch);
    assert!(text.contains("chunks that belong together have 1 and 2 elements along axis `i`") && text.contains("block: (0,)"), "{text}");
    refused(&blockwise("i", &[(&a, "i"), (&b, "i")], sum));
    // Repeated by ndarray, it would be wrong without a word.
    refused(&blockwise("i", &[(&kept(&line(), "TTTF", 0), "i"), (&kept(&line(), "TTTT", 0), "i")], sum));
    let square = DArray::from_array(counted(&[4, 4]), 2);
    let (rows, columns) = (kept(&square, "TTTF", 0), kept(&square, "TFTT", 1));
    let crossed = |blocks: &[ArrayViewD<'_, f64>]| &blocks[0] + &blocks[1].t();
    let text = failure(&blockwise("ij", &[(&rows, "ij"), (&columns, "ji")], crossed), Code::ShapeMismatch);
    assert!(text.contains("2 and 1 elements along axis `i`") && text.contains("block: (0, 0)"), "{text}");
    check(&blockwise("ij", &[(&rows, "ij"), (&kept(&square, "TTTF", 1), "ji")], crossed), {
        Array::from_shape_fn((3, 4), |(i, j)| 5.0 * (i + j) as f64)
    });
    // An axis that the result does not have comes whole: as many elements are enough.
    let product = |blocks: &[ArrayViewD<'_, f64>]| partita::ndarray::arr0((&blocks[0] * &blocks[1]).sum()).into_dyn();
    check(&blockwise("", &[(&a, "i"), (&b, "i")], product), partita::ndarray::arr0(1.0 + 6.0 + 16.0));
    refused(&blockwise("", &[(&a, "i"), (&kept(&line(), "FFFT", 0), "i")], product));
}

#[test]
fn blocks_that_are_no_grid_have_no_sizes() {
    let square = DArray::from_array(counted(&[4, 4]), 2);
    let all = kept(&kept(&square, "TTTT", 0), "TTTT", 1);
    let shorter = |first: f64| {
        blockwise("ij", &[(&all, "ij")], move |blocks: &[ArrayViewD<'_, f64>]| {
            let rows = if blocks[0][[0, 0]] == first { 1 } else { 2 };
            blocks[0].slice(s![..rows, ..]).to_owned().into_dyn()
        })
    };
    let serial = Serial::new(operator_registry());
    let sizes = |array: DArray<f64>| array.compute_chunk_sizes_on(&serial).map(|sized| sized.chunks().unwrap());
    assert_eq!(sizes(shorter(-1.0)).unwrap(), [vec![2, 2], vec![2, 2]]);
    let failed = sizes(shorter(2.0)).unwrap_err();
    assert_eq!(failed.code, Code::ShapeMismatch);
    assert!(failed.to_string().contains("2 and 1 elements along axis 0") && failed.to_string().contains("array_unknown.rs"), "{failed}");
    failure(&shorter(2.0), Code::ShapeMismatch);
}

#[test]
fn arrays_behind_each_other_fit_beside() {
    let x = DArray::from_array(counted(&[3, 4]), 2);
    let (a, b) = (kept(&x, "TFTT", 1), kept(&x, "TTFT", 1));
    let expected = array![[0.0, 2.0, 3.0], [4.0, 6.0, 7.0], [8.0, 10.0, 11.0], [10.0, 12.0, 13.0]];
    check(&concatenate(&[a.clone(), a.slice_axis(0, 0..1) + 10.0], 0), expected);
    refused(&concatenate(&[a.clone(), b.clone()], 0));
    refused(&vstack(&[a.clone(), a.clone(), b]).sum_axis(1));
    // Along the axis itself lengths may be any.
    check(&concatenate(&[kept(&line(), "TFTT", 0), kept(&line(), "FFFT", 0)], 0), array![1.0, 3.0, 4.0, 4.0]);
}
