//! The slow evaluator: one index at a time, one element at a time, without tiles, registers and layouts. The fast one is compared
//! with it on random programs over blocks of random layouts.

use std::sync::atomic::AtomicBool;

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arith::{Arith, binary, cast, compare, component, join, select, test, unary};
use super::chain::Chained;
use super::evaluate::broadcast;
use super::program::{Binary, Compare, Component, Instruction, Op, Program, Source, Test, Unary};
use super::{collect, mapped};
use crate::array::block::Block;
use crate::array::element::{DType, Held, Scalar, with_dtype};
use crate::array::meta::advance;

/// The element of a block at an index of the whole, along whose axes it may be repeated.
fn element<T: Held>(block: &Block, index: &[usize]) -> Scalar {
    let own = &index[index.len() - block.shape().len()..];
    let own: Vec<usize> = own.iter().zip(block.shape()).map(|(at, len)| if *len == 1 { 0 } else { *at }).collect();
    Scalar::of(block.view::<T>().expect("of this kind")[IxDyn(&own)])
}

/// What a step gives for single elements.
fn step<T: Arith>(step: &Instruction, args: &[Scalar]) -> Scalar {
    let arg = |at: usize| [args[at].get::<T>().expect("of this kind")];
    let (mut same, mut truth) = ([T::default()], [false]);
    let defined = match step.op {
        Op::Unary(op) => unary(op, &arg(0), &mut same),
        Op::Binary(op) => binary(op, &arg(0), &arg(1), &mut same),
        Op::Select => select(&[args[0].get::<bool>().expect("a truth")], &arg(1), &arg(2), &mut same),
        Op::Test(op) => test(op, &arg(0), &mut truth),
        Op::Compare(op) => compare(op, &arg(0), &arg(1), &mut truth),
        Op::Cast(to) => {
            return with_dtype!(to, U => {
                let mut out = [U::default()];
                assert!(cast::<T, U>(&arg(0), &mut out));
                Scalar::of(out[0])
            });
        }
        Op::Component(op) => {
            let mut out = [T::Re::default()];
            assert!(component(op, &arg(0), &mut out), "{step:?}");
            return Scalar::of(out[0]);
        }
        Op::Join => {
            let mut out = [T::Pair::default()];
            assert!(join(&arg(0), &arg(1), &mut out), "{step:?}");
            return Scalar::of(out[0]);
        }
        Op::Exponent => return Scalar::of(arg(0)[0].exponent()),
    };
    assert!(defined, "{step:?}");
    if step.op.result(step.dtype) == T::DTYPE && !matches!(step.op, Op::Test(_) | Op::Compare(_)) {
        Scalar::of(same[0])
    } else {
        Scalar::of(truth[0])
    }
}

/// All elements of the result, in row-major order, as text: so NaN equals itself.
fn reference(program: &Program, blocks: &[&Block]) -> (Vec<usize>, Vec<String>) {
    let shape = broadcast(blocks).expect("they fit");
    let mut found = Vec::new();
    let mut index = vec![0; shape.len()];
    for _ in 0..shape.iter().product::<usize>() {
        let inputs: Vec<Scalar> = blocks.iter().map(|block| with_dtype!(block.dtype(), T => element::<T>(block, &index))).collect();
        let mut results: Vec<Scalar> = Vec::new();
        let of = |source: Source, results: &[Scalar]| match source {
            Source::Input(at) => inputs[at as usize],
            Source::Step(at) => results[at as usize],
            Source::Scalar(scalar) => scalar,
        };
        for instruction in &program.steps {
            let args: Vec<Scalar> = instruction.args.iter().map(|source| of(*source, &results)).collect();
            results.push(with_dtype!(instruction.dtype, T => step::<T>(instruction, &args)));
        }
        found.push(of(program.result, &results).to_string());
        advance(&mut index, &shape);
    }
    (shape, found)
}

/// What the fast evaluator gives, in the same form.
fn found(program: &Program, blocks: &[&Block]) -> (Vec<usize>, Vec<String>) {
    let block = mapped(program, blocks, &AtomicBool::new(false)).expect("it can run");
    let values = with_dtype!(block.dtype(), T => {
        collect::<T>(&block).expect("of this kind").into_iter().map(|value| Scalar::of(value).to_string()).collect()
    });
    (block.shape().to_vec(), values)
}

/// How an input lies in memory: which axes are repeated, their order, which are turned round, a step, and whether it is constant.
#[derive(Clone, Debug)]
struct Lie {
    repeated: Vec<bool>,
    order: Vec<usize>,
    turned: Vec<bool>,
    step: usize,
    constant: bool,
    floats: bool,
}

fn lies(ndim: usize) -> impl Strategy<Value = Lie> {
    let order = Just((0..ndim).collect::<Vec<_>>()).prop_shuffle();
    let rare = prop::bool::weighted(0.2);
    (vec(rare, ndim), order, vec(prop::bool::weighted(0.3), ndim), 1usize..3, prop::bool::weighted(0.15), prop::bool::weighted(0.7))
        .prop_map(|(repeated, order, turned, step, constant, floats)| Lie { repeated, order, turned, step, constant, floats })
}

/// A block of this shape that lies so.
fn block(shape: &[usize], lie: &Lie, salt: usize) -> Block {
    let shape: Vec<usize> = shape.iter().zip(&lie.repeated).map(|(len, repeated)| if *repeated { 1 } else { *len }).collect();
    let value = |at: usize| ((at * 7 + salt * 31) % 101) as f64 / 4.0 - 9.0;
    if lie.constant {
        return if lie.floats { Block::full(shape, value(1)) } else { Block::full(shape, value(1) as i32) };
    }
    // Memory in the order of its own axes, the last one `step` times as long.
    let mut memory: Vec<usize> = lie.order.iter().map(|axis| shape[*axis]).collect();
    if let Some(last) = memory.last_mut() {
        *last *= lie.step;
    }
    let mut inverse = vec![0; lie.order.len()];
    lie.order.iter().enumerate().for_each(|(at, axis)| inverse[*axis] = at);
    fn lay<T: Held>(values: Vec<T>, memory: &[usize], inverse: &[usize], lie: &Lie) -> Block {
        let mut array = ArrayD::from_shape_vec(IxDyn(memory), values).expect("as many");
        if let Some(last) = memory.len().checked_sub(1) {
            array.slice_axis_inplace(Axis(last), Slice::new(0, None, lie.step as isize));
        }
        let mut array = array.permuted_axes(inverse.to_vec());
        lie.turned.iter().enumerate().filter(|(_, turned)| **turned).for_each(|(axis, _)| array.invert_axis(Axis(axis)));
        Block::from_array(array)
    }
    let count = memory.iter().product();
    match lie.floats {
        true => lay((0..count).map(value).collect::<Vec<f64>>(), &memory, &inverse, lie),
        false => lay((0..count).map(|at| value(at) as i32).collect::<Vec<i32>>(), &memory, &inverse, lie),
    }
}

/// A program from numbers: each step takes its operands from what is there, of the kind of the first.
fn program(inputs: Vec<DType>, choices: &[(u8, usize, usize, usize)]) -> Program {
    let mut program = Program { inputs, steps: Vec::new(), result: Source::Input(0) };
    let mut there: Vec<(Source, DType)> = program.inputs.iter().enumerate().map(|(at, dtype)| (Source::Input(at as u16), *dtype)).collect();
    for (op, a, b, c) in choices {
        let (first, dtype) = there[a % there.len()];
        let pick = |at: usize, wanted: DType| {
            let of_kind: Vec<Source> = there.iter().filter(|(_, dtype)| *dtype == wanted).map(|(source, _)| *source).collect();
            let scalar = with_dtype!(wanted, T => Source::Scalar(Scalar::of(T::of_i64(at as i64 % 3))));
            if of_kind.is_empty() || at.is_multiple_of(4) { scalar } else { of_kind[at % of_kind.len()] }
        };
        let (number, complex) = (dtype != DType::Bool, dtype.is_complex());
        let (op, args) = match op % 13 {
            0 if number => (Op::Unary(Unary::Neg), vec![first]),
            1 if number => (Op::Unary(Unary::Square), vec![first]),
            2 if dtype == DType::F64 || complex => (Op::Unary(Unary::Sqrt), vec![first]),
            3 if number => (Op::Binary(Binary::Add), vec![first, pick(*b, dtype)]),
            4 if number => (Op::Binary(Binary::Mul), vec![pick(*b, dtype), first]),
            5 | 6 | 9 if complex => {
                let component = [Component::Re, Component::Im, Component::Abs, Component::Angle][b % 4];
                (Op::Component(component), vec![first])
            }
            5 => (Op::Binary(Binary::Maximum), vec![first, pick(*b, dtype)]),
            6 => (Op::Compare(Compare::Lt), vec![first, pick(*b, dtype)]),
            7 if complex => (Op::Compare(Compare::Eq), vec![first, pick(*b, dtype)]),
            7 => (Op::Test(Test::NonZero), vec![first]),
            8 => (Op::Select, vec![pick(*c, DType::Bool), first, pick(*b, dtype)]),
            9 => (Op::Cast([DType::F64, DType::I32, DType::F32, DType::U8, DType::Complex64, DType::Complex128][b % 6]), vec![first]),
            10 if dtype == DType::F64 => (Op::Exponent, vec![first]),
            11 if dtype.is_float() => (Op::Join, vec![first, pick(*b, dtype)]),
            11 | 12 if complex => (Op::Binary(Binary::Div), vec![first, pick(*b, dtype)]),
            _ if complex => (Op::Unary(Unary::Conj), vec![first]),
            _ => (Op::Cast(DType::F64), vec![first]),
        };
        there.push((Source::Step(program.steps.len() as u16), op.result(dtype)));
        program.steps.push(Instruction { op, dtype, args });
        program.result = Source::Step(program.steps.len() as u16 - 1);
    }
    program
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn tiles_give_what_single_elements_give(
        (shape, lies) in vec(0usize..12, 0..4).prop_flat_map(|shape| (Just(shape.clone()), vec(lies(shape.len()), 1..4))),
        choices in vec((any::<u8>(), 0usize..50, 0usize..50, 0usize..50), 0..12),
    ) {
        let blocks: Vec<Block> = lies.iter().enumerate().map(|(salt, lie)| block(&shape, lie, salt)).collect();
        let blocks: Vec<&Block> = blocks.iter().collect();
        let program = program(blocks.iter().map(|block| block.dtype()).collect(), &choices);
        program.check().unwrap();
        let expected = if choices.is_empty() { reference(&program, &blocks[..1]) } else { reference(&program, &blocks) };
        let inputs = if choices.is_empty() { 1 } else { blocks.len() };
        let program = Program { inputs: program.inputs[..inputs].to_vec(), ..program };
        prop_assert_eq!(found(&program, &blocks[..inputs]), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Programs of floats alone, which run in pairs of steps and line by line.
    #[test]
    fn chains_give_what_single_elements_give(
        (shape, lies) in vec(1usize..12, 0..4).prop_flat_map(|shape| (Just(shape.clone()), vec(lies(shape.len()), 1..4))),
        choices in vec((0u8..6, 0usize..50, 0usize..50, 0usize..50), 1..12),
    ) {
        let lies = lies.into_iter().map(|lie| Lie { floats: true, ..lie });
        let blocks: Vec<Block> = lies.enumerate().map(|(salt, lie)| block(&shape, &lie, salt)).collect();
        let blocks: Vec<&Block> = blocks.iter().collect();
        let program = program(vec![DType::F64; blocks.len()], &choices);
        prop_assert!(Chained::of(&program).is_some());
        prop_assert_eq!(found(&program, &blocks), reference(&program, &blocks));
    }
}

/// Larger than a tile in every direction, across memory and along it.
#[test]
fn many_tiles_give_what_single_elements_give() {
    let lie = |order: [usize; 2], repeated: [bool; 2], step: usize| Lie {
        repeated: repeated.to_vec(),
        order: order.to_vec(),
        turned: vec![false, false],
        step,
        constant: false,
        floats: true,
    };
    let plain = lie([0, 1], [false; 2], 1);
    let others = [
        lie([1, 0], [false; 2], 1),
        lie([0, 1], [true, false], 1),
        lie([0, 1], [false, true], 1),
        lie([1, 0], [false; 2], 2),
        plain.clone(),
    ];
    for shape in [[70, 90], [3, 3000], [3000, 3], [1, 5000], [5000, 1]] {
        for other in &others {
            let blocks = [block(&shape, &plain, 0), block(&shape, other, 1)];
            let program = program(vec![DType::F64; 2], &[(3, 0, 1, 0), (4, 1, 2, 0), (1, 0, 0, 0), (5, 3, 1, 0)]);
            let blocks: Vec<&Block> = blocks.iter().collect();
            assert_eq!(found(&program, &blocks), reference(&program, &blocks), "{shape:?} {other:?}");
        }
    }
}
