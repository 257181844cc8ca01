//! Programs of floats of one kind: they run on a few lines of the cache at a time, and a sum, difference or product goes together with
//! the one that it is made of, so that fewer results in between are written and read again.
//!
//! It refuses to know where inputs lie. The invariant: every element is made by the operations of the program in their order, each
//! rounded by itself, so that the bits are those of one step after the other.

use std::ops::{Add, Mul, Sub};

use super::arith::Arith;
use super::program::{Binary, Instruction, Op, Program, Source, Unary};
use super::wide::wide;
use crate::array::element::Scalar;

/// Elements that a call works on at a time. Few, so that a processor is at the calls of the next ones, and asks memory for them, while it
/// still calculates.
const LINE: usize = 128;

/// What goes together with another of its kind.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Plain {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
}

/// Two operations: `outer(inner(a, b), c)`, or turned round `outer(c, inner(a, b))`.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pair {
    inner: Plain,
    outer: Plain,
    turned: bool,
}

/// What a call does.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// A step that takes one operand.
    Unary(Unary),
    /// A step that takes two.
    Binary(Binary),
    /// Two steps.
    Pair(Pair),
}

/// One or two steps of a program.
#[derive(PartialEq, Debug)]
struct Call {
    form: Form,
    /// Its operands; those that it does not have are the first.
    args: [Source; 3],
    /// The step whose result it gives.
    step: usize,
}

/// Kinds whose programs are chains.
pub trait Lane: Arith + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {}

impl Lane for f32 {}
impl Lane for f64 {}

/// Where a call finds an operand.
#[derive(Clone, Copy)]
enum Place {
    Input(usize),
    Register(usize),
    Constant(usize),
}

/// A call that knows its places.
struct Placed {
    form: Form,
    args: [Place; 3],
    out: usize,
}

/// A program that is ready to run, with room for what lies between its calls.
pub struct Chain<T> {
    calls: Vec<Placed>,
    /// Gives the result.
    last: Placed,
    registers: Vec<Vec<T>>,
    constants: Vec<Vec<T>>,
}

impl<T: Lane> Chain<T> {
    /// Of a program; `None` where it is not of this kind alone, or has other operations than those of one operand and of two.
    pub fn of(program: &Program) -> Option<Self> {
        if program.dtype().ok()? != T::DTYPE || program.inputs.iter().any(|dtype| *dtype != T::DTYPE) {
            return None;
        }
        let calls = calls(program)?;
        let mut last_use = vec![0; program.steps.len()];
        for (at, call) in calls.iter().enumerate() {
            for source in &call.args {
                if let Source::Step(read) = source {
                    last_use[*read as usize] = at;
                }
            }
        }
        let (mut homes, mut free, mut count) = (vec![0; program.steps.len()], Vec::new(), 0);
        let mut constants: Vec<(Scalar, Vec<T>)> = Vec::new();
        let mut placed = Vec::with_capacity(calls.len());
        for (at, call) in calls.iter().enumerate() {
            let args = call.args.map(|source| match source {
                Source::Input(at) => Place::Input(at as usize),
                Source::Step(at) => Place::Register(homes[at as usize]),
                Source::Scalar(scalar) => Place::Constant(constant(&mut constants, scalar)),
            });
            let out = match free.pop() {
                // The last one writes to the result.
                _ if at + 1 == calls.len() => 0,
                Some(out) => out,
                None => {
                    count += 1;
                    count - 1
                }
            };
            homes[call.step] = out;
            placed.push(Placed { form: call.form, args, out });
            // Only now: a call must not write into what it reads.
            free.extend(calls[..at].iter().filter(|made| last_use[made.step] == at).map(|made| homes[made.step]));
        }
        let last = placed.pop()?;
        let constants = constants.into_iter().map(|(_, values)| values).collect();
        Some(Self { calls: placed, last, registers: vec![vec![T::default(); LINE]; count], constants })
    }

    /// Runs it on inputs, each as long as the result. `false` when an operation is not defined for the kind.
    pub fn run(&mut self, inputs: &[&[T]], out: &mut [T]) -> bool {
        for (line, out) in out.chunks_mut(LINE).enumerate() {
            let (first, len) = (line * LINE, out.len());
            for call in &self.calls {
                let mut room = std::mem::take(&mut self.registers[call.out]);
                let args = call.args.map(|place| place.elements(inputs, first, &self.registers, &self.constants, len));
                let done = run(call.form, args, &mut room[..len]);
                self.registers[call.out] = room;
                if !done {
                    return false;
                }
            }
            let args = self.last.args.map(|place| place.elements(inputs, first, &self.registers, &self.constants, len));
            if !run(self.last.form, args, out) {
                return false;
            }
        }
        true
    }
}

impl Place {
    /// The elements of a line that begins at `first`.
    #[inline]
    fn elements<'a, T>(self, inputs: &[&'a [T]], first: usize, registers: &'a [Vec<T>], constants: &'a [Vec<T>], len: usize) -> &'a [T] {
        match self {
            Place::Input(at) => &inputs[at][first..first + len],
            Place::Register(at) => &registers[at][..len],
            Place::Constant(at) => &constants[at][..len],
        }
    }
}

/// A chain of either kind.
pub enum Chained {
    /// Of `f64`.
    Double(Chain<f64>),
    /// Of `f32`.
    Single(Chain<f32>),
}

impl Chained {
    /// Of a program, if it is one.
    pub fn of(program: &Program) -> Option<Self> {
        Chain::of(program).map(Chained::Double).or_else(|| Chain::of(program).map(Chained::Single))
    }
}

/// The place of a scalar, as often repeated as a call may read it.
fn constant<T: Lane>(constants: &mut Vec<(Scalar, Vec<T>)>, scalar: Scalar) -> usize {
    constants.iter().position(|(known, _)| *known == scalar).unwrap_or_else(|| {
        constants.push((scalar, vec![scalar.get::<T>().unwrap_or_default(); LINE]));
        constants.len() - 1
    })
}

/// The calls of a program; `None` where a step works on another kind, or is neither of one operand nor of two.
fn calls(program: &Program) -> Option<Vec<Call>> {
    let last = program.steps.len().checked_sub(1)?;
    let dtype = program.steps[last].dtype;
    let fits = |step: &Instruction| step.dtype == dtype && matches!(step.op, Op::Unary(_) | Op::Binary(_));
    if !dtype.is_float() || program.result != Source::Step(last as u16) || !program.steps.iter().all(fits) {
        return None;
    }
    let mut reads = vec![0; program.steps.len()];
    for source in program.steps.iter().flat_map(|step| &step.args) {
        if let Source::Step(at) = source {
            reads[*at as usize] += 1;
        }
    }
    let mut calls: Vec<Option<Call>> = Vec::with_capacity(program.steps.len());
    for (at, step) in program.steps.iter().enumerate() {
        let call = paired(step, &reads, &mut calls).or_else(|| single(step))?;
        calls.push(Some(Call { step: at, ..call }));
    }
    Some(calls.into_iter().flatten().collect())
}

/// A step by itself.
fn single(step: &Instruction) -> Option<Call> {
    let first = *step.args.first()?;
    let form = match step.op {
        Op::Unary(op) => Form::Unary(op),
        Op::Binary(op) => Form::Binary(op),
        _ => return None,
    };
    Some(Call { form, args: [first, *step.args.get(1).unwrap_or(&first), first], step: 0 })
}

/// A step together with one that only it reads, which then has no call of its own.
fn paired(step: &Instruction, reads: &[usize], calls: &mut [Option<Call>]) -> Option<Call> {
    let Op::Binary(op) = step.op else { return None };
    let outer = plain(op)?;
    for (at, turned) in [(0, false), (1, true)] {
        let Some(Source::Step(read)) = step.args.get(at).copied() else { continue };
        let read = read as usize;
        if reads[read] != 1 {
            continue;
        }
        let Some((inner, [a, b])) = calls[read].as_ref().and_then(operands) else { continue };
        calls[read] = None;
        let args = [a, b, step.args[1 - at]];
        return Some(Call { form: Form::Pair(Pair { inner, outer, turned }), args, step: 0 });
    }
    None
}

/// What a call of one step is, where it may go together with another.
fn operands(call: &Call) -> Option<(Plain, [Source; 2])> {
    match call.form {
        Form::Unary(Unary::Square) => Some((Plain::Mul, [call.args[0]; 2])),
        Form::Binary(op) => Some((plain(op)?, [call.args[0], call.args[1]])),
        Form::Unary(_) | Form::Pair(_) => None,
    }
}

fn plain(op: Binary) -> Option<Plain> {
    match op {
        Binary::Add => Some(Plain::Add),
        Binary::Sub => Some(Plain::Sub),
        Binary::Mul => Some(Plain::Mul),
        _ => None,
    }
}

/// Calculates a call. `false` when the operation is not defined for the kind.
fn run<T: Lane>(form: Form, [a, b, c]: [&[T]; 3], out: &mut [T]) -> bool {
    match form {
        Form::Unary(op) => super::arith::unary(op, a, out),
        Form::Binary(op) => match plain(op) {
            Some(op) => one(op, a, b, out),
            None => super::arith::binary(op, a, b, out),
        },
        Form::Pair(pair) => two(pair, a, b, c, out),
    }
}

wide! {
    /// One operation.
    fn one<T: Lane>(op: Plain, a: &[T], b: &[T], out: &mut [T]) -> bool {
        match op {
            Plain::Add => super::arith::zip(a, b, out, |a, b| a + b),
            Plain::Sub => super::arith::zip(a, b, out, |a, b| a - b),
            Plain::Mul => super::arith::zip(a, b, out, |a, b| a * b),
        }
    }
}

wide! {
    /// Two operations.
    fn two<T: Lane>(pair: Pair, a: &[T], b: &[T], c: &[T], out: &mut [T]) -> bool {
        match pair.inner {
            Plain::Add => outer(pair, a, b, c, out, |a, b| a + b),
            Plain::Sub => outer(pair, a, b, c, out, |a, b| a - b),
            Plain::Mul => outer(pair, a, b, c, out, |a, b| a * b),
        }
    }
}

#[inline(always)]
fn outer<T: Lane>(pair: Pair, a: &[T], b: &[T], c: &[T], out: &mut [T], inner: impl Fn(T, T) -> T) -> bool {
    match (pair.outer, pair.turned) {
        (Plain::Add, false) => three(a, b, c, out, |a, b, c| inner(a, b) + c),
        (Plain::Add, true) => three(a, b, c, out, |a, b, c| c + inner(a, b)),
        (Plain::Sub, false) => three(a, b, c, out, |a, b, c| inner(a, b) - c),
        (Plain::Sub, true) => three(a, b, c, out, |a, b, c| c - inner(a, b)),
        (Plain::Mul, false) => three(a, b, c, out, |a, b, c| inner(a, b) * c),
        (Plain::Mul, true) => three(a, b, c, out, |a, b, c| c * inner(a, b)),
    }
}

#[inline(always)]
fn three<T: Copy>(a: &[T], b: &[T], c: &[T], out: &mut [T], f: impl Fn(T, T, T) -> T) -> bool {
    for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
        *out = f(*a, *b, *c);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::{DType, Held};

    fn step(op: Op, args: &[Source]) -> Instruction {
        Instruction { op, dtype: DType::F64, args: args.to_vec() }
    }

    fn number(value: f64) -> Source {
        Source::Scalar(Scalar::of(value))
    }

    /// `((x + 1) * 2 - x²)`
    fn chain() -> Program {
        let (x, s) = (Source::Input(0), Source::Step);
        let steps = vec![
            step(Op::Binary(Binary::Add), &[x, number(1.0)]),
            step(Op::Binary(Binary::Mul), &[s(0), number(2.0)]),
            step(Op::Unary(Unary::Square), &[x]),
            step(Op::Binary(Binary::Sub), &[s(1), s(2)]),
        ];
        Program { inputs: vec![DType::F64], steps, result: s(3) }
    }

    #[test]
    fn steps_go_together_in_pairs() {
        let pair = |inner, outer, turned| Form::Pair(Pair { inner, outer, turned });
        let found: Vec<(Form, usize)> = calls(&chain()).expect("floats").iter().map(|call| (call.form, call.step)).collect();
        assert_eq!(found, [(pair(Plain::Add, Plain::Mul, false), 1), (pair(Plain::Mul, Plain::Sub, true), 3)]);
    }

    #[test]
    fn what_is_read_twice_has_a_call_of_its_own() {
        let mut program = chain();
        program.steps[3].args = vec![Source::Step(1), Source::Step(1)];
        let forms: Vec<Form> = calls(&program).expect("floats").iter().map(|call| call.form).collect();
        assert_eq!(forms.len(), 3);
        assert_eq!(forms[2], Form::Binary(Binary::Sub));
        program.result = Source::Step(1);
        assert_eq!(calls(&program), None, "the result must be the last step");
        assert_eq!(calls(&Program::identity(DType::F64)), None);
    }

    #[test]
    fn every_pair_has_the_bits_of_one_step_after_the_other() {
        let list = |salt: f64| -> Vec<f64> { (0..LINE + 7).map(|at| (at as f64 * 0.7 + salt).sin() * 1e3).collect() };
        let (a, b, c) = (list(0.0), list(1.0), list(2.0));
        let bits = |values: &[f64]| values.iter().map(|value| value.bits()).collect::<Vec<_>>();
        let ops = [(Plain::Add, Binary::Add), (Plain::Sub, Binary::Sub), (Plain::Mul, Binary::Mul)];
        for ((inner, first), (outer, second)) in ops.iter().flat_map(|inner| ops.iter().map(move |outer| (*inner, *outer))) {
            for turned in [false, true] {
                let (mut between, mut expected, mut found) = (a.clone(), a.clone(), a.clone());
                assert!(super::super::arith::binary(first, &a, &b, &mut between));
                let (left, right) = if turned { (&c, &between) } else { (&between, &c) };
                assert!(super::super::arith::binary(second, left, right, &mut expected));
                assert!(run(Form::Pair(Pair { inner, outer, turned }), [&a, &b, &c], &mut found));
                assert_eq!(bits(&found), bits(&expected), "{inner:?} {outer:?} {turned}");
            }
        }
    }
}
