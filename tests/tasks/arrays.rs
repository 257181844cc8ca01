//! Arrays as arguments of tasks, blocks as delayed values, and delayed values as blocks.

use partita::ndarray::{Array2, ArrayD, array};
use partita::{ArrayBlock, Code, DArray, Delayed, compute, delayed};

use crate::Case;
use crate::everywhere::{check, clients, cluster, failures};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("whole_arrays_are_arguments", whole_arrays_are_arguments),
    ("sizes_need_not_be_known", sizes_need_not_be_known),
    ("blocks_come_out_at_their_positions", blocks_come_out_at_their_positions),
    ("delayed_arrays_become_blocks", delayed_arrays_become_blocks),
    ("blocks_are_as_they_were_announced", blocks_are_as_they_were_announced),
    ("arrays_are_lent_where_they_lie", arrays_are_lent_where_they_lie),
    ("lists_of_arrays_are_arguments", lists_of_arrays_are_arguments),
    ("arrays_and_calls_are_computed_at_once", arrays_and_calls_are_computed_at_once),
    ("another_number_of_axes_is_refused", another_number_of_axes_is_refused),
    ("arrays_are_submitted_scattered_and_mapped", arrays_are_submitted_scattered_and_mapped),
];

/// 0, 1, 2, … in rows of `width`.
fn numbers(height: usize, width: usize) -> Array2<f64> {
    Array2::from_shape_fn((height, width), |(row, column)| (row * width + column) as f64)
}

fn whole_arrays_are_arguments() {
    for chunks in [4, 3, 2, 1] {
        let x = DArray::from_array(numbers(4, 4), chunks);
        check(&delayed(sum_of)(&x), &120.0);
        check(&delayed(trace)(&x), &30.0);
        check(&delayed(largest)(&x + 1.0), &16.0);
        // In the order of the array, whatever its blocks are.
        check(&delayed(scaled)(x.t(), 1.0), &ArrayBlock::from(numbers(4, 4).reversed_axes()));
    }
    check(&delayed(sum_of)(DArray::full((), 7.0, -1)), &7.0);
    check(&delayed(sum_of)(DArray::<f64>::zeros([0, 3], 2)), &0.0);
}

fn sizes_need_not_be_known() {
    let x = DArray::arange(0.0, 10.0, 1.0, 3);
    let some = x.compress(&x.gt(5.5), 0);
    assert_eq!(some.shape().expect_err("nobody has counted").code, Code::UnknownSizes);
    check(&delayed(sum_of)(&some), &30.0);
}

fn blocks_come_out_at_their_positions() {
    let x = DArray::from_array(numbers(4, 5), [3, 2]) * 2.0;
    let blocks = x.to_delayed().expect("sound");
    assert_eq!(blocks.shape(), [2, 3]);
    check(&blocks[[0, 2]], &array![[8.0], [18.0], [28.0]].into_dyn());
    check(&blocks[[1, 1]], &array![[34.0, 36.0]].into_dyn());
    check(&delayed(sum_of)(&blocks[[1, 1]]), &70.0);
    check(&delayed(largest)(&blocks[[1, 0]]), &32.0);
    // The blocks of one array are made once, and all of them are the array.
    let sums: Vec<Delayed<f64>> = blocks.iter().map(|block| delayed(sum_of)(block)).collect();
    let sum: f64 = compute(&sums).expect("sound").iter().sum();
    assert_eq!(sum, 380.0);
    let failure = DArray::<f64>::zeros([4], 2).rechunk([2, 2]).to_delayed().map(drop).expect_err("it has one axis");
    assert!(failure.origin.as_ref().is_some_and(|origin| origin.file.ends_with("arrays.rs")), "{failure}");
}

fn delayed_arrays_become_blocks() {
    let blocks =
        [(0.0, 2, 3), (100.0, 2, 1), (200.0, 1, 3), (300.0, 1, 1)].map(|(first, height, width)| delayed(ramp)(first, height, width));
    let x = DArray::from_delayed(blocks, vec![vec![2, 1], vec![3, 1]]);
    assert_eq!(x.shape().expect("announced"), [3, 4]);
    let expected = array![[0.0, 1.0, 2.0, 100.0], [3.0, 4.0, 5.0, 101.0], [200.0, 201.0, 202.0, 300.0]];
    for (name, client) in clients() {
        assert_eq!(x.compute_on(&client).expect("sound"), expected.clone().into_dyn(), "{name}");
        assert_eq!((x.t() + 1.0).compute_on(&client).expect("sound"), (expected.t().to_owned() + 1.0).into_dyn(), "{name}");
        let there = DArray::from_delayed(x.to_delayed().expect("sound"), x.chunks().expect("known"));
        assert_eq!(there.compute_on(&client).expect("sound"), expected.clone().into_dyn(), "{name}: there and back");
        // Blocks that a call makes of blocks, some of which are there already.
        let parts = x.to_delayed().expect("sound");
        let kept = delayed(scaled)(&parts[[0, 0]], 10.0).persist_on(&client).expect("sound");
        let tens = DArray::from_delayed([kept], vec![vec![2], vec![3]]);
        assert_eq!(tens.compute_on(&client).expect("sound").sum(), 150.0, "{name}");
    }
    check(&delayed(sum_of)(&x), &1119.0);
}

fn blocks_are_as_they_were_announced() {
    let made = || delayed(ramp)(0.0, 2, 3);
    let other = DArray::from_delayed([made()], vec![vec![3], vec![2]]);
    for (name, failure) in failures(&delayed(sum_of)(&other), Code::ShapeMismatch) {
        assert!(failure.what.contains("(2, 3)") && failure.what.contains("(3, 2)"), "{name}: {failure}");
        assert!(failure.origin.as_ref().is_some_and(|origin| origin.file.ends_with("arrays.rs")), "{name}: {failure}");
    }
    let refused = |array: DArray<f64>, words: &str| {
        let failure = array.check().map(drop).expect_err("it cannot be");
        assert_eq!(failure.code, Code::ShapeMismatch, "{failure}");
        assert!(failure.what.contains(words), "{failure}");
    };
    refused(DArray::from_delayed([made()], vec![vec![1, 1], vec![3]]), "1 delayed values");
    refused(DArray::from_delayed([made()], vec![vec![6]]), "2 axes");
    refused(DArray::from_delayed([made()], vec![vec![], vec![3]]), "no blocks");
}

fn arrays_are_lent_where_they_lie() {
    for (name, client) in clients() {
        // One chunk is read twice: copies would lie at two places.
        let made = client.submit(ramp, (0.0, 300, 300)).expect("sound");
        let read = client.submit(same_place, (&made, &made)).expect("sound").result().expect("sound");
        // In another process than the one that made it an array comes as bytes, which are lent as a block.
        assert!(read || name == "Cluster(2)", "{name}: an array that a task made");
        let x = (DArray::from_array(numbers(64, 64), 32) + 1.0).persist_on(&client).expect("sound");
        let blocks = x.to_delayed().expect("sound");
        let call = delayed(same_block)(&blocks[[1, 1]], &blocks[[1, 1]]);
        assert!(call.compute_on(&client).expect("sound"), "{name}: a block of an array");
    }
}

fn lists_of_arrays_are_arguments() {
    let parts: Vec<Delayed<Array2<f64>>> = (0..3).map(|x| delayed(ramp)(f64::from(x), 1, 2)).collect();
    check(&delayed(stacked)(&parts), &array![[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]);
    check(&delayed(stacked)(vec![numbers(1, 2), numbers(1, 2)]), &array![[0.0, 1.0], [0.0, 1.0]]);
}

fn arrays_and_calls_are_computed_at_once() {
    let x = DArray::from_array(numbers(4, 4), 3);
    for (name, client) in clients() {
        client.set_as_current();
        let (sum, (doubled, blocks)) = compute((delayed(sum_of)(&x), (&x * 2.0, vec![x.mean(), x.max()]))).expect("sound");
        assert_eq!((sum, doubled), (120.0, (numbers(4, 4) * 2.0).into_dyn()), "{name}");
        assert_eq!(blocks.iter().flatten().copied().collect::<Vec<_>>(), [7.5, 15.0], "{name}");
    }
}

fn another_number_of_axes_is_refused() {
    let line = DArray::arange(0.0, 4.0, 1.0, 2);
    let early = delayed(trace)(&line).compute_on(&clients()[0].1).expect_err("one axis");
    assert!(early.code == Code::ShapeMismatch && early.what.contains("2 axes"), "{early}");
    let client = cluster();
    let array: ArrayD<f64> = client.submit(as_dyn, (&line,)).expect("sound").result().expect("sound");
    assert_eq!(array.shape(), [4]);
}

fn arrays_are_submitted_scattered_and_mapped() {
    for (name, client) in clients() {
        let x = DArray::from_array(numbers(4, 4), 3);
        assert_eq!(client.submit(sum_of, (&x,)).expect("sound").result().expect("sound"), 120.0, "{name}");
        let there = client.scatter(numbers(4, 4)).expect("sound");
        assert_eq!(client.submit(trace, (&there,)).expect("sound").result().expect("sound"), 30.0, "{name}");
        assert_eq!(there.result().expect("sound"), numbers(4, 4), "{name}");
        let many = client.starmap(scaled, (0..20).map(|by| (ArrayBlock::from(numbers(1, 2)), f64::from(by)))).expect("sound");
        let last = many[19].result().expect("sound");
        assert_eq!(last, ArrayBlock::from(array![[0.0, 19.0]]), "{name}");
    }
}
