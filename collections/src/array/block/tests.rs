//! Blocks of every layout, on their way through bytes, and encodings that lie.

use super::*;
use ndarray::{Array, array};

fn numbers(shape: &[usize]) -> ArrayD<f64> {
    let n = shape.iter().product::<usize>();
    Array::from_iter((0..n).map(|i| i as f64)).into_shape_with_order(IxDyn(shape)).expect("as many")
}

/// The block equals the array, before and after a way through bytes.
fn check(block: &Block, expected: &ArrayD<f64>) {
    assert_eq!(block.view::<f64>().expect("f64"), expected);
    assert_eq!(block.to_array::<f64>().expect("f64"), expected);
    let encoded = block.encode().expect("plain data");
    let back = decoded(&encoded).expect("whole");
    assert_eq!(back.view::<f64>().expect("f64"), expected);
    assert!(encoded.nbytes() <= 8 * expected.len() as u64 + 100);
}

#[test]
fn layouts_of_all_kinds_survive() {
    let given = numbers(&[3, 4]);
    check(&Block::from_array(given.clone()), &given);
    check(&Block::from_array(given.clone().reversed_axes()), &given.clone().reversed_axes());
    check(&Block::from_array(given.clone()).permuted(&[1, 0]), &given.clone().reversed_axes());
    check(&Block::from_array(given.clone()).first(), &numbers(&[]));
    check(&Block::from_array(numbers(&[1, 5, 1])).without(&[true, false, true]), &numbers(&[5]));
    let mut turned = given.clone();
    turned.invert_axis(Axis(1));
    check(&Block::from_array(turned.clone()), &turned);
    check(&Block::from_array(numbers(&[])), &numbers(&[]));
    check(&Block::from_array(numbers(&[2, 0, 3])), &numbers(&[2, 0, 3]));
    check(&Block::full(vec![2, 3], 1.5), &ArrayD::from_elem(IxDyn(&[2, 3]), 1.5));
    check(&Block::from_vec(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]), &array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
}

#[test]
fn cuts_are_views_until_they_keep_too_much() {
    let whole = Block::from_array(numbers(&[10, 10]));
    let corner = whole.cut(&[2..4, 3..6]);
    check(&corner, &array![[23.0, 24.0, 25.0], [33.0, 34.0, 35.0]].into_dyn());
    assert_eq!((corner.nbytes(), corner.data.len()), (48, 100));
    assert_eq!(corner.compact().expect("f64").data.len(), 6);
    let most = whole.cut(&[1..10, 0..10]);
    assert_eq!(most.compact().expect("f64").data.len(), 100);
    check(&whole.cut(&[10..10, 3..6]), &numbers(&[0, 3]));
    let mut turned = numbers(&[4]);
    turned.invert_axis(Axis(0));
    check(&Block::from_array(turned).cut(std::slice::from_ref(&(1..3))), &array![2.0, 1.0].into_dyn());
}

#[test]
fn order_is_made_where_there_is_none() {
    let whole = Block::from_array(numbers(&[4, 1, 6]));
    for (block, copied) in [
        (whole.clone(), false),
        (whole.cut(&[1..3, 0..1, 0..6]), false),
        (whole.cut(&[2..3, 0..1, 1..4]), false),
        (whole.permuted(&[1, 0, 2]), false),
        (whole.cut(&[1..3, 0..1, 1..4]), true),
        (whole.permuted(&[2, 1, 0]), true),
        (Block::full(vec![2, 3], 1.5), true),
        (whole.cut(&[1..1, 0..1, 0..6]), false),
    ] {
        let found = block.in_order().expect("f64");
        check(&found, &block.to_array().expect("f64"));
        assert_eq!(found.strides, row_major(block.shape()));
        let same = std::ptr::eq(found.memory::<f64>().expect("f64"), block.memory::<f64>().expect("f64"));
        assert_eq!(same, !copied, "{:?}", block.strides);
    }
}

#[test]
fn other_forms_are_views() {
    let given = numbers(&[3, 4]);
    let block = Block::from_array(given.clone());
    check(&block.strided(1, 3, -2, 2), &given.slice(ndarray::s![.., 1..;-2]).to_owned().into_dyn());
    check(&block.strided(0, 1, 0, 3), &ndarray::arr2(&[[4.0, 5.0, 6.0, 7.0]; 3]).into_dyn());
    check(&block.strided(0, 3, 1, 0), &numbers(&[0, 4]));
    check(&block.strided(0, 1, 1, 1).arranged(&[Some(1), None]), &array![[4.0], [5.0], [6.0], [7.0]].into_dyn());
    check(&block.unfolded(&[None, Some(2)]), &numbers(&[3, 2, 2]));
    check(
        &block.windows(0, 2),
        &array![[[0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0]], [[4.0, 8.0], [5.0, 9.0], [6.0, 10.0], [7.0, 11.0]]].into_dyn(),
    );
    check(&Block::from_array(numbers(&[2, 1])).repeated(&[2, 2, 2]), &ndarray::arr3(&[[[0.0, 0.0], [1.0, 1.0]]; 2]).into_dyn());
    check(&block.reshaped(&[2, 6]).expect("as many"), &numbers(&[2, 6]));
    check(
        &block.permuted(&[1, 0]).reshaped(&[6, 2]).expect("as many"),
        &array![[0.0, 4.0], [8.0, 1.0], [5.0, 9.0], [2.0, 6.0], [10.0, 3.0], [7.0, 11.0]].into_dyn(),
    );
    assert_eq!(Block::full(vec![1000], 1.0).reshaped(&[10, 100]).expect("as many").nbytes(), 8);
    assert!(block.reshaped(&[5]).is_err());
    let repeated = block.strided(1, 0, 0, 1000).strided(0, 2, 1, 1);
    assert_eq!(repeated.clone().compact().expect("f64").data.len(), 1);
    check(&repeated.compact().expect("f64"), &ArrayD::from_elem(IxDyn(&[1, 1000]), 8.0));
}

#[test]
fn diagonals_are_views() {
    let square = Block::from_array(numbers(&[3, 4]));
    check(&square.diagonal(0, 1, 3), &array![1.0, 6.0, 11.0].into_dyn());
    check(&square.diagonal(2, 0, 1), &array![8.0].into_dyn());
    check(&square.diagonal(3, 4, 0), &numbers(&[0]));
    let stacked = Block::from_array(numbers(&[2, 2, 3]));
    check(&stacked.diagonal(0, 1, 2), &array![[1.0, 5.0], [7.0, 11.0]].into_dyn());
}

#[test]
fn a_constant_takes_the_memory_of_one_element() {
    let constant = Block::full(vec![1000, 1000], 0u8);
    assert_eq!((constant.nbytes(), constant.len()), (1, 1_000_000));
    let encoded = constant.encode().expect("plain data");
    assert!(encoded.nbytes() < 30);
    assert_eq!(decoded(&encoded).expect("whole").nbytes(), 1);
}

#[test]
fn another_kind_is_refused() {
    assert!(Block::full(vec![2], 1i32).view::<i64>().is_err());
    assert!(block_of(&Chunk::new(partita_graph::Plain(1i64))).is_err());
}

#[test]
fn damage_is_refused_whatever_it_says() {
    let good = |shape: Vec<u64>, strides: Vec<i64>, offset: u64| {
        let header = Header { dtype: DType::F64, shape, strides, offset };
        let header = postcard::to_stdvec(&header).expect("plain data");
        decoded(&Encoded { header, buffers: vec![Arc::new(vec![0u8; 80])] })
    };
    assert!(good(vec![2, 5], vec![5, 1], 0).is_ok());
    assert!(good(vec![10], vec![-1], 9).is_ok());
    assert!(good(vec![1 << 40], vec![0], 3).is_ok(), "one element, often");
    assert!(good(vec![2, 5], vec![5, 1], 1).is_err());
    assert!(good(vec![11], vec![1], 0).is_err());
    assert!(good(vec![10], vec![-1], 8).is_err());
    assert!(good(vec![2], vec![i64::MIN], 0).is_err());
    assert!(good(vec![2], vec![1, 1], 0).is_err());
    assert!(good(vec![1 << 40, 1 << 40], vec![0, 0], 0).is_err(), "more than can be counted");
    assert!(good(vec![0, u64::MAX], vec![7, 7], u64::MAX).is_err());
    assert!(good(vec![0, 4], vec![7, 7], u64::MAX).is_ok(), "no element is named");
    assert!(decoded(&Encoded { header: vec![200, 1], buffers: vec![Arc::new(Vec::new())] }).is_err());
    assert!(decoded(&Encoded { header: Vec::new(), buffers: Vec::new() }).is_err());
}
