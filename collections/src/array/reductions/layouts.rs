//! Reductions of the same elements from blocks that lie differently: in one piece, as a part of something larger, with gaps, with axes
//! in another order or turned round, as one element that is repeated. A block that came from a peer or from disk lies otherwise than
//! the one that was made, so every bit of every state must be the same.

use std::sync::atomic::AtomicBool;

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use proptest::collection::vec;
use proptest::prelude::*;

use super::covariance::together;
use super::fold::Fold;
use super::state::State;
use super::step::{Reduce, name_steps};
use crate::array::block::Block;
use crate::array::element::{C128, DType, Held, with_dtype};
use crate::array::tile::{Binary, Instruction, Op, Program, Source};

/// How a block lies in memory: the order of its axes there, which of them are turned round, how far elements lie apart, and what lies
/// before them along each axis.
#[derive(Clone, Debug)]
struct Lie {
    order: Vec<usize>,
    turned: Vec<bool>,
    step: usize,
    margin: usize,
}

fn lies(ndim: usize) -> impl Strategy<Value = Lie> {
    let order = Just((0..ndim).collect::<Vec<usize>>()).prop_shuffle();
    let lie = (order, vec(any::<bool>(), ndim), 1usize..3, 0usize..3);
    lie.prop_map(|(order, turned, step, margin)| Lie { order, turned, step, margin })
}

/// The ways to lie that have a code of their own: in order, a part of something larger, across, with gaps, turned round.
fn usual_lies(ndim: usize) -> [Lie; 5] {
    let plain = Lie { order: (0..ndim).collect(), turned: vec![false; ndim], step: 1, margin: 0 };
    let part = Lie { margin: 2, ..plain.clone() };
    let across = Lie { order: (0..ndim).rev().collect(), ..plain.clone() };
    let gaps = Lie { step: 2, ..plain.clone() };
    let turned = Lie { turned: vec![true; ndim], ..plain.clone() };
    [plain, part, across, gaps, turned]
}

/// A block with the elements of an array that lies so.
fn laid<T: Held>(array: &ArrayD<T>, lie: &Lie) -> Block {
    let memory: Vec<usize> = lie.order.iter().map(|axis| array.shape()[*axis] * lie.step + lie.margin).collect();
    let mut room = ArrayD::from_elem(IxDyn(&memory), T::default());
    for axis in 0..memory.len() {
        room.slice_axis_inplace(Axis(axis), Slice::new(lie.margin as isize, None, lie.step as isize));
    }
    let mut inverse = vec![0; memory.len()];
    lie.order.iter().enumerate().for_each(|(at, axis)| inverse[*axis] = at);
    let mut room = room.permuted_axes(inverse);
    lie.turned.iter().enumerate().filter(|(_, turned)| **turned).for_each(|(axis, _)| room.invert_axis(Axis(axis)));
    room.assign(array);
    Block::from_array(room)
}

/// Numbers near one in size whose sums are rounded; spoiled ones also have NaN and zeros of both signs.
fn values<T: Held>(shape: &[usize], salt: usize, spoiled: bool) -> ArrayD<T> {
    let value = |at: usize| match at {
        at if spoiled && at % 29 == 3 => f64::NAN,
        at if spoiled && at % 7 == 2 => 0.0,
        at if spoiled && at % 7 == 5 => -0.0,
        at => (0.5 + ((at * 37) % 101) as f64 / 101.0) * if at % 3 == 0 { -1.0 } else { 1.0 },
    };
    let count = shape.iter().product::<usize>();
    ArrayD::from_shape_vec(IxDyn(shape), (0..count).map(|at| T::of_f64(value(at + salt))).collect()).expect("as many")
}

/// Complex numbers of such parts.
fn turned(shape: &[usize], salt: usize, spoiled: bool) -> ArrayD<C128> {
    ndarray::Zip::from(&values::<f64>(shape, salt, spoiled))
        .and(&values::<f64>(shape, salt + 11, false))
        .map_collect(|re, im| C128::new(*re, *im))
}

fn folds(dtype: DType) -> Vec<Fold> {
    let mut folds = vec![Fold::Sum, Fold::Product, Fold::Any, Fold::All];
    if dtype.is_complex() {
        folds.push(Fold::Moments { skip_nan: false });
        return folds;
    }
    for skip_nan in [false, true] {
        folds.push(Fold::Moments { skip_nan });
        for greatest in [false, true] {
            folds.extend([Fold::Extreme { greatest, skip_nan }, Fold::Place { greatest, skip_nan }]);
        }
    }
    folds
}

/// `a`, and `a * b + a`.
fn programs(dtype: DType) -> [Program; 2] {
    let step = |op: Binary, args: [Source; 2]| Instruction { op: Op::Binary(op), dtype, args: args.to_vec() };
    let (a, b) = (Source::Input(0), Source::Input(1));
    let steps = vec![step(Binary::Mul, [a, b]), step(Binary::Add, [Source::Step(0), a])];
    [Program::identity(dtype), Program { inputs: vec![dtype; 2], steps, result: Source::Step(1) }]
}

/// Every number of a state, as it lies in memory.
fn bits(state: &State) -> Vec<u128> {
    let number = |block: &Block| -> Vec<u128> {
        with_dtype!(block.dtype(), T => block.to_vec::<T>().expect("of this kind").into_iter().map(|number| number.bits()).collect())
    };
    std::iter::once(u128::from(state.count)).chain(state.numbers.iter().flat_map(number)).collect()
}

/// The states of a reduction in every way that there is, of `a` and of `a * b + a`.
fn all_states(a: &Block, b: &Block, reduced: &[bool]) -> Vec<(Fold, Vec<u128>)> {
    let mut found = Vec::new();
    for program in programs(a.dtype()) {
        for fold in folds(a.dtype()) {
            let (reduce, first) = match fold {
                Fold::Place { .. } => {
                    let steps = name_steps(a.shape(), reduced);
                    (Reduce::with_places(program.clone(), fold, reduced.to_vec(), steps), Some(100))
                }
                _ => (Reduce::plain(program.clone(), fold, reduced.to_vec()), None),
            };
            let state = reduce.state(&[a, b][..program.inputs.len()], first, &AtomicBool::new(false));
            found.push((fold, bits(&state.expect("the blocks fit"))));
        }
    }
    found
}

/// The shape of an operand that is repeated along some axes.
fn repeated_shape(shape: &[usize], repeated: &[bool]) -> Vec<usize> {
    shape.iter().zip(repeated).map(|(len, repeated)| if *repeated { 1 } else { *len }).collect()
}

/// Folds two arrays in one piece, and then as they lie in each of these ways.
fn check<T: Held>(a: &ArrayD<T>, b: &ArrayD<T>, lies: &[[&Lie; 2]], reduced: &[bool]) {
    let expected = all_states(&Block::from_array(a.clone()), &Block::from_array(b.clone()), reduced);
    for lies in lies {
        let found = all_states(&laid(a, lies[0]), &laid(b, lies[1]), reduced);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{} of shape {:?} over {reduced:?}, {lies:?}", T::DTYPE, a.shape());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn where_blocks_lie_changes_no_bit(
        (shape, a, b, repeated, reduced) in vec(1usize..14, 0..4).prop_flat_map(|shape| {
            let n = shape.len();
            (Just(shape), lies(n), lies(n), vec(any::<bool>(), n), vec(any::<bool>(), n))
        }),
        spoiled in any::<bool>(),
    ) {
        let other = repeated_shape(&shape, &repeated);
        check::<f64>(&values(&shape, 0, spoiled), &values(&other, 50, spoiled), &[[&a, &b]], &reduced);
        check::<f32>(&values(&shape, 0, spoiled), &values(&other, 50, spoiled), &[[&a, &b]], &reduced);
        check::<i32>(&values(&shape, 0, spoiled), &values(&other, 50, spoiled), &[[&a, &b]], &reduced);
        check(&turned(&shape, 0, spoiled), &turned(&other, 50, spoiled), &[[&a, &b]], &reduced);
    }
}

/// Larger than a tile in every direction.
#[test]
fn many_tiles_have_the_bits_of_blocks_in_one_piece() {
    for shape in [&[70, 90][..], &[3, 3000], &[3000, 3], &[40, 17, 9], &[5000]] {
        let n = shape.len();
        // The second operand is a row that is repeated, which keeps axes from being walked in one go.
        let row: Vec<bool> = (0..n).map(|axis| axis + 1 < n).collect();
        let (a, b) = (values::<f64>(shape, 0, false), values::<f64>(&repeated_shape(shape, &row), 50, false));
        let usual = usual_lies(n);
        let [plain, part, across, gaps, turned] = &usual;
        for choice in 0..1usize << n {
            let reduced: Vec<bool> = (0..n).map(|axis| (choice >> axis) & 1 == 1).collect();
            check(&a, &b, &[[part, plain], [across, plain], [gaps, plain], [turned, plain], [part, gaps]], &reduced);
        }
    }
}

#[test]
fn one_element_that_is_repeated_is_as_good_as_many() {
    for shape in [&[70, 90][..], &[4, 1, 600], &[]] {
        let (many, other) = (Block::from_array(ArrayD::from_elem(IxDyn(shape), 0.1)), Block::from_array(values::<f64>(shape, 50, false)));
        let one = Block::full(shape.to_vec(), 0.1);
        for choice in 0..1usize << shape.len() {
            let reduced: Vec<bool> = (0..shape.len()).map(|axis| (choice >> axis) & 1 == 1).collect();
            assert_eq!(all_states(&one, &other, &reduced), all_states(&many, &other, &reduced), "{shape:?} over {reduced:?}");
            assert_eq!(all_states(&other, &one, &reduced), all_states(&other, &many, &reduced), "{shape:?} over {reduced:?}");
        }
    }
}

#[test]
fn covariances_do_not_see_where_observations_lie() {
    for shape in [[5, 700], [700, 5], [1, 3], [3, 1]] {
        let array = values::<f64>(&shape, 0, false);
        let found: Vec<Vec<u128>> = usual_lies(2).iter().map(|lie| bits(&together(&laid(&array, lie)).expect("two axes"))).collect();
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{shape:?}");
    }
}
