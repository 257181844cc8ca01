//! Tasks on the blocks, lanes, places and elements of arrays.

use partita::ndarray::{Array, Array0, Array1, Array2, Array3, ArrayD, Axis, IxDyn, arr0, array, concatenate, s, stack};
use partita::prelude::*;
use partita::{ArrayBlock, BlockInfo, Boundary, Code, Error, GufuncOptions};
use partita::{apply_gufunc_several_task, apply_gufunc_task, blockwise, blockwise_task, blockwise_with_task, compute, task};

use crate::Case;
use crate::everywhere::{array_failures, check_array, clients, cluster};
use crate::functions::fresh;

pub const CASES: &[Case] = &[
    ("blocks_are_given_to_tasks", blocks_are_given_to_tasks),
    ("blocks_of_other_lengths", blocks_of_other_lengths),
    ("sizes_need_not_be_known", sizes_need_not_be_known),
    ("workers_are_who_calls", workers_are_who_calls),
    ("surroundings_come_along", surroundings_come_along),
    ("lanes_are_given_to_tasks", lanes_are_given_to_tasks),
    ("blocks_of_one_name_come_together", blocks_of_one_name_come_together),
    ("core_axes_are_given_to_tasks", core_axes_are_given_to_tasks),
    ("tuples_of_arrays_become_arrays", tuples_of_arrays_become_arrays),
    ("blocks_are_reduced_by_tasks", blocks_are_reduced_by_tasks),
    ("elements_and_indices_are_given_to_tasks", elements_and_indices_are_given_to_tasks),
    ("calls_that_differ_are_made_once_each", calls_that_differ_are_made_once_each),
    ("what_other_shapes_are_told", what_other_shapes_are_told),
    ("closures_are_told_what_to_use", closures_are_told_what_to_use),
];

/// 0, 1, 2, … in row-major order.
fn counted(shape: &[usize]) -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(shape), (0..shape.iter().product::<usize>() as i64).collect()).expect("as many")
}

#[task]
fn halved(block: &ArrayBlock<i64>) -> ArrayD<f64> {
    block.view().mapv(|x| x as f64 / 2.0)
}

/// Each element with the number of its block, and with how many blocks there are.
#[task]
fn numbered(block: ArrayD<i64>, info: &BlockInfo) -> ArrayD<i64> {
    let number = info.position.iter().zip(&info.grid).fold(0, |number, (at, blocks)| number * blocks + at);
    block * 100 + number as i64
}

/// The place of the first element of a matrix in the whole.
#[task]
fn started(block: &Array2<i64>, info: &BlockInfo) -> Result<Array2<i64>, Error> {
    let start = info.start.as_ref().ok_or_else(|| Error::new(Code::UserFunction, "nobody knows"))?;
    Ok(Array2::from_elem(block.raw_dim(), (start[0] * 10 + start[1]) as i64))
}

fn blocks_are_given_to_tasks() {
    let whole = counted(&[5, 4]);
    for chunks in [5, 3, 2] {
        let x = DArray::from_array(whole.clone(), chunks);
        check_array(&x.map_blocks_task(halved), &whole.mapv(|x| x as f64 / 2.0));
        check_array(&(x.map_blocks_task(halved) * 2.0).sum(), &arr0(190.0));
        // Blocks that were turned are in another order in memory.
        check_array(&x.t().map_blocks_task(halved), &whole.t().mapv(|x| x as f64 / 2.0));
    }
    let x = DArray::from_array(whole.clone(), [3, 2]);
    let number = |row: usize, column: usize| (row / 3 * 2 + column / 2) as i64;
    check_array(&x.map_blocks_task(numbered), &Array::from_shape_fn((5, 4), |(i, j)| whole[[i, j]] * 100 + number(i, j)));
    check_array(&x.map_blocks_task(started), &Array::from_shape_fn((5, 4), |(i, j)| (i / 3 * 30 + j / 2 * 2) as i64));
    check_array(&DArray::from_array(counted(&[0, 3]), 2).map_blocks_task(halved), &Array2::<f64>::zeros((0, 3)));
    check_array(&DArray::full((), 3i64, -1).map_blocks_task(halved), &arr0(1.5));
}

#[task]
fn sum_of_block(block: &ArrayBlock<i64>, info: &BlockInfo) -> Array3<i64> {
    Array3::from_elem((1, 1, info.grid.len()), block.view().sum())
}

fn blocks_of_other_lengths() {
    let x = DArray::from_array(counted(&[3, 2]), [2, 1]);
    let found = x.map_blocks_to_task(vec![vec![1; 4], vec![1], vec![2]], sum_of_block);
    assert_eq!(found.shape().expect("announced"), [4, 1, 2]);
    check_array(&found, &array![[[2, 2]], [[4, 4]], [[4, 4]], [[5, 5]]]);
    assert_eq!(x.map_blocks_to_task(vec![vec![1]], sum_of_block).check().map(drop).expect_err("four blocks").code, Code::ShapeMismatch);
}

/// Without its last element.
#[task]
fn shortened(block: &Array1<i64>) -> Array1<i64> {
    block.slice(s![..block.len().saturating_sub(1)]).to_owned()
}

fn sizes_need_not_be_known() {
    let x = DArray::from_array(counted(&[10]), 3);
    let some = x.compress(&x.gt(4i64), 0);
    check_array(&some.map_blocks_task(halved), &array![2.5, 3.0, 3.5, 4.0, 4.5]);
    check_array(&some.map_blocks_task(numbered).sum(), &arr0(3500 + 1 + 3 * 2 + 3));
    array_failures(&some.map_blocks_task(shortened), Code::UserFunction);
}

#[task(pure = false)]
fn processes(block: &ArrayBlock<i64>) -> ArrayD<u32> {
    block.view().mapv(|_| std::process::id())
}

fn workers_are_who_calls() {
    let x = DArray::from_array(counted(&[40]), 1);
    let found = x.map_blocks_task(processes).compute_on(cluster()).expect("sound");
    assert!(found.iter().all(|pid| *pid != std::process::id()), "a block was made here");
}

/// The sum of each element and its neighbours along the second axis.
#[task]
fn sums_of_three(block: &Array2<i64>) -> Array2<i64> {
    let mut sums = block.clone();
    for at in 1..block.ncols() - 1 {
        let three = &block.column(at - 1) + &block.column(at) + block.column(at + 1);
        sums.column_mut(at).assign(&three);
    }
    sums
}

/// How much larger an element is than that two before it.
#[task]
fn steps_of_two(block: &ArrayBlock<i64>, info: &BlockInfo) -> ArrayD<f64> {
    let (x, missing) = (block.view(), -1.0 - info.position[0] as f64);
    Array1::from_shape_fn(x.len(), |at| if at < 2 { missing } else { (x[[at]] - x[[at - 2]]) as f64 }).into_dyn()
}

fn surroundings_come_along() {
    let whole = counted(&[3, 7]);
    let at = |row: usize, column: isize| whole[[row, column.rem_euclid(7) as usize]];
    let expected = Array::from_shape_fn((3, 7), |(i, j)| (-1..=1).map(|by| at(i, j as isize + by)).sum::<i64>());
    for chunks in [7, 3, 2, 1] {
        let x = DArray::from_array(whole.clone(), [2, chunks]);
        check_array(&x.map_overlap_task(&[0, 1], Boundary::Periodic, sums_of_three), &expected);
    }
    // Two elements before, and none behind.
    let x = DArray::from_array(counted(&[7]) * 3, 2);
    let found = x.map_overlap_task(&[(2, 0)], Boundary::None, steps_of_two);
    check_array(&found, &array![-1.0, -1.0, 6.0, 6.0, 6.0, 6.0, 6.0]);
}

/// The first and the last element of a lane, as a kind of its own.
#[task]
fn ends(lane: &ArrayBlock<i64>) -> Array1<f64> {
    let lane = lane.view();
    array![lane[[0]] as f64, lane[[lane.len() - 1]] as f64 + 0.5]
}

#[task]
fn backwards(lane: Array1<i64>) -> ArrayD<i64> {
    lane.slice(s![..;-1]).to_owned().into_dyn()
}

fn lanes_are_given_to_tasks() {
    let whole = counted(&[3, 4, 2]);
    let x = DArray::from_array(whole.clone(), [2, 3, 1]);
    for axis in 0..3 {
        let found = x.apply_along_axis_task(axis as isize - 3, 2, ends);
        let last = whole.shape()[axis] - 1;
        let (first, end) =
            (whole.index_axis(Axis(axis), 0).mapv(|x| x as f64), whole.index_axis(Axis(axis), last).mapv(|x| x as f64 + 0.5));
        check_array(&found, &stack(Axis(axis), &[first.view(), end.view()]).expect("of one shape"));
        let mut turned = whole.clone();
        turned.invert_axis(Axis(axis));
        check_array(&x.apply_along_axis_task(axis as isize, whole.shape()[axis], backwards), &turned);
    }
    array_failures(&x.apply_along_axis_task(1, 3, ends), Code::UserFunction);
    for (name, failure) in array_failures(&x.apply_along_axis_task(3, 3, ends), Code::AxisOutOfRange) {
        assert!(failure.origin.as_ref().is_some_and(|origin| origin.file.ends_with("blocks.rs")), "{name}: {failure}");
    }
}

#[task]
fn product(a: &Array2<i64>, b: &Array2<f64>) -> Array2<f64> {
    a.mapv(|x| x as f64).dot(b)
}

#[task]
fn above(block: &ArrayBlock<i64>, least: &Array0<f64>) -> ArrayD<bool> {
    block.view().mapv(|x| x as f64 > least[()])
}

/// Every row twice, with its own square behind it.
#[task]
fn twice_with_squares(rows: &Array1<i64>) -> Result<Array2<i64>, Error> {
    let twice = concatenate(Axis(0), &[rows.view(), rows.view()]).map_err(|e| Error::new(Code::UserFunction, e.to_string()))?;
    stack(Axis(1), &[twice.view(), (&twice * &twice).view()]).map_err(|e| Error::new(Code::UserFunction, e.to_string()))
}

fn blocks_of_one_name_come_together() {
    let (a, b) = (counted(&[5, 4]), counted(&[4, 3]).mapv(|x| x as f64 / 4.0));
    let matrix = |array: &ArrayD<f64>| array.clone().into_dimensionality::<partita::ndarray::Ix2>().expect("two axes");
    let expected = matrix(&a.mapv(|x| x as f64)).dot(&matrix(&b));
    for (left, right) in [([5, 4], [4, 3]), ([2, 3], [1, 2]), ([1, 1], [1, 1])] {
        let (x, y) = (DArray::from_array(a.clone(), left), DArray::from_array(b.clone(), right));
        check_array(&blockwise_task("ik", ((&x, "ij"), (&y, "jk")), product), &expected);
        check_array(&blockwise_task("ki", ((&x.t(), "ji"), (&y.t(), "kj")), transposed_product), &expected.t().to_owned());
        let least = DArray::full((), 7.5, -1);
        check_array(&blockwise_task("ij", ((&x, "ij"), (&least, "")), above), &a.mapv(|x| x > 7));
    }
    let x = DArray::from_array(counted(&[3]), 2);
    let found = blockwise_with_task("iz", ((&x, "i"),), &[('z', 2)], &[('i', |len| 2 * len)], twice_with_squares);
    check_array(&found, &array![[0, 0], [1, 1], [0, 0], [1, 1], [2, 4], [2, 4]]);
    array_failures(&blockwise_with_task("iz", ((&x, "i"),), &[('z', 3)], &[('i', |len| 2 * len)], twice_with_squares), Code::UserFunction);
}

#[task]
fn transposed_product(a: &Array2<i64>, b: &Array2<f64>) -> Array2<f64> {
    b.dot(&a.mapv(|x| x as f64))
}

#[task]
fn weighted(row: &ArrayBlock<i64>, weights: &Array1<f64>) -> Array0<f64> {
    arr0(row.view().iter().zip(weights).map(|(x, weight)| *x as f64 * weight).sum())
}

#[task]
fn extent(row: Array1<i64>) -> Array1<i64> {
    array![row.iter().copied().min().unwrap_or(0), row.iter().copied().max().unwrap_or(0)]
}

fn core_axes_are_given_to_tasks() {
    let (a, b) = (counted(&[4, 3, 5]), counted(&[3, 1, 5]).mapv(|x| x as f64 / 2.0));
    let (x, y) = (DArray::from_array(a.clone(), [3, 2, 2]), DArray::from_array(b.clone(), [2, 1, 3]));
    let found = apply_gufunc_task("(k),(k)->()", (&x.expand_dims(0), &y.expand_dims(2)), &[], weighted);
    check_array(&found, &Array::from_shape_fn((3, 4, 3), |(l, i, j)| (0..5).map(|k| a[[i, j, k]] as f64 * b[[l, 0, k]]).sum::<f64>()));
    let found = apply_gufunc_task("(i)->(ends)", (&x,), &[("ends", 2)], extent);
    check_array(&found, &Array::from_shape_fn((4, 3, 2), |(i, j, end)| a[[i, j, 4 * end]]));
    check_array(&apply_gufunc_task("(i)->(e)", (&DArray::from_array(counted(&[0, 3]), 1),), &[("e", 2)], extent), &Array2::zeros((0, 2)));
    for signature in ["(k),(k)", "(k)->()", "(k),(k)->(n)"] {
        array_failures(&apply_gufunc_task(signature, (&x, &y), &[], weighted), Code::InvalidOption);
    }
    array_failures(&apply_gufunc_task("(i)->(i)", (&x,), &[], extent), Code::UserFunction);
}

/// The sum of a lane, which of its elements are even, and the lane backwards.
#[task]
fn sum_evens_back(lane: &ArrayBlock<i64>) -> (Array0<i64>, ArrayD<bool>, Array1<f64>) {
    let lane = lane.view();
    let back = (0..lane.len()).rev().map(|at| lane[[at]] as f64).collect();
    (arr0(lane.sum()), lane.mapv(|x| x % 2 == 0), back)
}

#[task]
fn two_sums(a: &ArrayD<i64>, b: &ArrayD<f64>) -> Result<(Array0<i64>, Array0<f64>), Error> {
    Ok((arr0(a.sum()), arr0(b.sum())))
}

fn tuples_of_arrays_become_arrays() {
    let whole = counted(&[4, 3, 5]);
    for chunks in [[4, 3, 5], [3, 2, 2], [1, 1, 1]] {
        let x = DArray::from_array(whole.clone(), chunks);
        let (sum, evens, back) = apply_gufunc_several_task("(i)->(),(i),(i)", (&x,), GufuncOptions::new(), sum_evens_back);
        check_array(&sum, &whole.sum_axis(Axis(2)));
        check_array(&evens, &whole.mapv(|x| x % 2 == 0));
        check_array(&(&back + sum.cast::<f64>().expand_dims(-1)), &{
            let back = whole.slice(s![.., .., ..;-1]).mapv(|x| x as f64);
            back + whole.sum_axis(Axis(2)).insert_axis(Axis(2)).mapv(|x| x as f64)
        });
        let (sum, evens, _) = apply_gufunc_several_task("(i)->(),(i),(i)", (&x,), GufuncOptions::new().axis(1), sum_evens_back);
        check_array(&sum, &whole.sum_axis(Axis(1)));
        check_array(&evens, &whole.mapv(|x| x % 2 == 0));
        let y = x.cast::<f64>() / 2.0;
        let options = GufuncOptions::new().axes([vec![0, 2], vec![2, 0]]).keepdims();
        let (a, b) = apply_gufunc_several_task("(i,j),(j,i)->(),()", (&x, &y), options, two_sums);
        let sums = whole.sum_axis(Axis(2)).sum_axis(Axis(0)).insert_axis(Axis(0)).insert_axis(Axis(2));
        check_array(&a, &sums);
        check_array(&b, &sums.mapv(|x| x as f64 / 2.0));
    }
    let x = DArray::from_array(whole, 3);
    for signature in ["(i)->(),(i)", "(i)->()", "(i),(i)->(),(i),(i)", "(i)->(),(i),(n)"] {
        let (sum, evens, back) = apply_gufunc_several_task(signature, (&x,), GufuncOptions::new(), sum_evens_back);
        array_failures(&sum, Code::InvalidOption);
        array_failures(&evens, Code::InvalidOption);
        array_failures(&back, Code::InvalidOption);
    }
    let (sum, _, _) = apply_gufunc_several_task("(i)->(),(),(i)", (&x,), GufuncOptions::new(), sum_evens_back);
    array_failures(&sum, Code::UserFunction);
    let none = DArray::from_array(counted(&[0, 3]), 1);
    let (sum, evens, _) = apply_gufunc_several_task("(i)->(),(i),(i)", (&none,), GufuncOptions::new(), sum_evens_back);
    check_array(&sum, &Array1::zeros(0));
    check_array(&evens, &Array2::from_elem((0, 3), false));
}

/// Sums and how many there were.
type Mean = (ArrayD<f64>, u64);

#[task]
fn sum_and_count(block: &ArrayBlock<i64>, axes: &[usize]) -> (ArrayD<f64>, u64) {
    let mut sums = block.view().mapv(|x| x as f64);
    for axis in axes {
        sums = sums.sum_axis(Axis(*axis)).insert_axis(Axis(*axis));
    }
    (sums, axes.iter().map(|axis| block.shape()[*axis] as u64).product())
}

#[task]
fn sums_and_counts(states: Vec<Mean>) -> (ArrayD<f64>, u64) {
    let count = states.iter().map(|(_, count)| count).sum();
    (states.into_iter().map(|(sums, _)| sums).reduce(|sum, other| sum + other).expect("at least one"), count)
}

#[task]
fn mean_of_states(states: &[Mean]) -> ArrayD<f64> {
    let (sums, count) = sums_and_counts(states.to_vec());
    sums / count as f64
}

#[task]
fn least_in(block: &ArrayD<i64>) -> ArrayD<i64> {
    ArrayD::from_elem(vec![1; block.ndim()], block.iter().copied().min().unwrap_or(i64::MAX))
}

#[task]
fn least_of(states: Vec<ArrayD<i64>>, axes: &[usize]) -> ArrayD<i64> {
    ArrayD::from_elem(vec![1; axes.len()], states.iter().map(|state| state[vec![0; axes.len()].as_slice()]).min().unwrap_or(i64::MAX))
}

#[task]
fn without_axes(states: &[ArrayD<i64>]) -> Array0<i64> {
    arr0(states.len() as i64)
}

fn blocks_are_reduced_by_tasks() {
    let whole = counted(&[40, 6]);
    let floats = whole.mapv(|x| x as f64);
    // The smallest chunks make more states than are brought together at a time.
    for chunks in [[40, 6], [7, 4], [1, 2]] {
        let x = DArray::from_array(whole.clone(), chunks);
        let mean = |axes: Axes| x.reduction_task(axes, sum_and_count, sums_and_counts, mean_of_states);
        check_array(&mean(0.into()), &floats.mean_axis(Axis(0)).expect("not empty"));
        check_array(&mean((-1).into()), &floats.mean_axis(Axis(1)).expect("not empty"));
        check_array(&mean(Axes::of(1).keepdims()), &floats.mean_axis(Axis(1)).expect("not empty").insert_axis(Axis(1)));
        check_array(&mean(Axes::all()), &arr0(119.5));
        check_array(&x.t().reduction_task(Axes::all(), least_in, least_of, least_of), &arr0(0));
    }
    let x = DArray::from_array(whole, [7, 4]);
    array_failures(&x.reduction_task(Axes::all(), least_in, least_of, without_axes), Code::UserFunction);
    array_failures(&x.reduction_task(2, least_in, least_of, least_of), Code::AxisOutOfRange);
}

#[task]
fn quarter(x: i64) -> f32 {
    x as f32 / 4.0
}

#[task]
fn quarter_turn(z: Complex<f64>) -> Complex<f64> {
    z * Complex::new(0.0, 1.0)
}

#[task]
fn is_even(x: &u8) -> bool {
    x.is_multiple_of(2)
}

#[task]
fn sound(x: i64) -> Result<i64, Error> {
    match x {
        13 => Err(Error::new(Code::UserFunction, "thirteen is not welcome")),
        x => Ok(x),
    }
}

#[task]
fn place(index: &[usize]) -> i32 {
    index.iter().fold(0, |number, at| 10 * number + *at as i32)
}

fn elements_and_indices_are_given_to_tasks() {
    let whole = counted(&[5, 4]);
    let x = DArray::from_array(whole.clone(), [2, 3]);
    check_array(&x.mapv_task(quarter), &whole.mapv(|x| x as f32 / 4.0));
    check_array(&(x.t().mapv_task(quarter) + 1.0), &whole.t().mapv(|x| x as f32 / 4.0 + 1.0));
    check_array(&DArray::arange(0u8, 5, 1, 2).mapv_task(is_even), &array![true, false, true, false, true]);
    let z = DArray::from_array(array![Complex::new(1.0, 2.0), Complex::new(0.0, -1.0)], 1);
    check_array(&z.mapv_task(quarter_turn), &array![Complex::new(-2.0, 1.0), Complex::new(1.0, 0.0)]);
    check_array(&DArray::from_array(counted(&[0]), 1).mapv_task(quarter), &Array1::zeros(0));
    for (name, failure) in array_failures(&x.mapv_task(sound), Code::UserFunction) {
        assert!(failure.what.contains("thirteen"), "{name}: {failure}");
    }
    check_array(&DArray::from_fn_task([3, 4, 2], 2, place), &Array::from_shape_fn((3, 4, 2), |(i, j, k)| (100 * i + 10 * j + k) as i32));
    check_array(&DArray::from_fn_task((), 1, place), &arr0(0));
    check_array(&DArray::from_fn_task([0, 2], 1, place), &Array2::zeros((0, 2)));
}

/// Numbers that no other call gives, in whatever process it is made.
#[task(pure = false)]
fn fresh_numbers(block: &Array1<i64>) -> Array1<u64> {
    block.mapv(|_| fresh())
}

fn calls_that_differ_are_made_once_each() {
    let x = DArray::from_array(counted(&[4]), 2);
    for (name, client) in clients() {
        client.set_as_current();
        let made = x.map_blocks_task(fresh_numbers);
        let (first, again, other) = compute((made.clone(), made.clone(), x.map_blocks_task(fresh_numbers))).expect("sound");
        assert_eq!(first, again, "{name}: one step");
        assert_ne!(first, other, "{name}: two steps");
    }
}

fn what_other_shapes_are_told() {
    // Whichever block fails first.
    let x = DArray::from_array(counted(&[6]), 3);
    for (name, failure) in array_failures(&x.map_blocks_task(shortened), Code::UserFunction) {
        let text = failure.to_string();
        let said = ["map_blocks", "(2,)", "(3,)", "map_blocks_to_task", "blocks.rs"];
        assert!(said.iter().all(|words| text.contains(words)), "{name}: {failure}");
    }
}

fn closures_are_told_what_to_use() {
    let x = DArray::from_array(counted(&[4]), 2);
    let refused = x.map_blocks(|block, _| block.to_owned()).compute_on(cluster()).expect_err("it cannot be sent");
    assert_eq!(refused.code, Code::ClosureOnCluster, "{refused}");
    assert!(refused.to_string().contains("_task"), "{refused}");
    let sums = blockwise("i", &[(&x, "i")], |blocks| blocks[0].to_owned());
    assert_eq!(sums.compute_on(cluster()).expect_err("it cannot be sent").code, Code::ClosureOnCluster);
}
