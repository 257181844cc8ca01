//! Programs of floats of one kind: they run on a few lines of the cache at a time, and a sum, difference or product goes together with
//! the one that it is made of, so that fewer results in between are written and read again. Numbers are not read again for each element.
//!
//! It refuses to know where inputs lie. The invariant: every element is made by the operations of the program in their order, each
//! rounded by itself, so that the bits are those of one step after the other.

use std::ops::{Add, Mul, Sub};

use super::ahead::ask_ahead;
use super::arith::Arith;
use super::program::{Binary, Instruction, Op, Program, Source, Unary};
use super::wide::wide;
use crate::array::element::Scalar;

/// Elements that a call works on at a time. Few, so that what lies between calls stays in the first cache, of which a neighbour may have half:
/// with twice as many, a chain from memory takes nearly twice the time. With half as many, finding out what to do takes a fifth of it.
const LINE: usize = 256;

/// What goes together with another of its kind.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Plain {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `b - a`
    From,
    /// `a * b`
    Mul,
    /// `a * a`
    Square,
}

impl Plain {
    /// What gives the same with operands that change places.
    fn turned(self) -> Self {
        match self {
            Plain::Sub => Plain::From,
            Plain::From => Plain::Sub,
            Plain::Add | Plain::Mul | Plain::Square => self,
        }
    }
}

/// Two operations: `outer(inner(a, b), c)`.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pair {
    inner: Plain,
    outer: Plain,
}

/// What a call does.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// A step that takes one operand.
    Unary(Unary),
    /// A step that takes two.
    Binary(Binary),
    /// The same, where it is one of those that go together.
    Plain(Plain),
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

/// The second or third operand of an operation: a number for each element, or one for all, which then need not be read again and again.
#[derive(Clone, Copy)]
enum Operand<'a, T> {
    Line(&'a [T]),
    One(T),
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
        lines(self, inputs, out)
    }
}

wide! {
    /// Runs a chain line by line. What a call does is found out here, in the same function as its loop: asking the machine what it has, and
    /// calling, would cost a tenth of the time.
    fn lines<T: Lane>(chain: &mut Chain<T>, inputs: &[&[T]], out: &mut [T]) -> bool {
        for (line, out) in out.chunks_mut(LINE).enumerate() {
            let (first, len) = (line * LINE, out.len());
            // The calls behind the first find all in the caches; while they run, memory would have nothing to do.
            inputs.iter().for_each(|input| ask_ahead(&input[first..][..len]));
            for call in &chain.calls {
                let mut room = std::mem::take(&mut chain.registers[call.out]);
                let line = Line { inputs, first, len, registers: &chain.registers, constants: &chain.constants };
                let done = line.run(call, &mut room[..len]);
                chain.registers[call.out] = room;
                if !done {
                    return false;
                }
            }
            let line = Line { inputs, first, len, registers: &chain.registers, constants: &chain.constants };
            if !line.run(&chain.last, out) {
                return false;
            }
        }
        true
    }
}

/// The elements that a call works on.
struct Line<'a, T> {
    inputs: &'a [&'a [T]],
    first: usize,
    len: usize,
    registers: &'a [Vec<T>],
    constants: &'a [Vec<T>],
}

impl<T: Lane> Line<'_, T> {
    /// An operand, element by element.
    #[inline(always)]
    fn elements(&self, place: Place) -> &[T] {
        match place {
            Place::Input(at) => &self.inputs[at][self.first..][..self.len],
            Place::Register(at) => &self.registers[at][..self.len],
            Place::Constant(at) => &self.constants[at][..self.len],
        }
    }

    #[inline(always)]
    fn operand(&self, place: Place) -> Operand<'_, T> {
        match place {
            Place::Constant(at) => Operand::One(self.constants[at][0]),
            Place::Input(_) | Place::Register(_) => Operand::Line(self.elements(place)),
        }
    }

    /// Calculates a call. `false` when the operation is not defined for the kind.
    #[inline(always)]
    fn run(&self, call: &Placed, out: &mut [T]) -> bool {
        let [a, b, c] = call.args;
        match call.form {
            Form::Unary(op) => super::arith::unary(op, self.elements(a), out),
            Form::Binary(op) => super::arith::binary(op, self.elements(a), self.elements(b), out),
            Form::Plain(op) => one(op, self.elements(a), self.operand(b), out),
            Form::Pair(pair) => two(pair, self.elements(a), self.operand(b), self.operand(c), out),
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
    let second = *step.args.get(1).unwrap_or(&first);
    let (form, [a, b]) = match (step.op, plain(step.op)) {
        // An operand that is one number comes second.
        (_, Some(op)) if is_number(first) && !is_number(second) => (Form::Plain(op.turned()), [second, first]),
        (_, Some(op)) => (Form::Plain(op), [first, second]),
        (Op::Unary(op), None) => (Form::Unary(op), [first; 2]),
        (Op::Binary(op), None) => (Form::Binary(op), [first, second]),
        _ => return None,
    };
    Some(Call { form, args: [a, b, a], step: 0 })
}

fn is_number(source: Source) -> bool {
    matches!(source, Source::Scalar(_))
}

/// A step together with one that only it reads, which then has no call of its own.
fn paired(step: &Instruction, reads: &[usize], calls: &mut [Option<Call>]) -> Option<Call> {
    let op = plain(step.op)?;
    for (at, outer) in [(0, op), (1, op.turned())] {
        let Some(Source::Step(read)) = step.args.get(at).copied() else { continue };
        let read = read as usize;
        if reads[read] != 1 {
            continue;
        }
        let Some(&Call { form: Form::Plain(inner), args: [a, b, _], .. }) = calls[read].as_ref() else { continue };
        calls[read] = None;
        // A square has no other operand.
        let other = *step.args.get(1 - at).unwrap_or(&a);
        return Some(Call { form: Form::Pair(Pair { inner, outer }), args: [a, b, other], step: 0 });
    }
    None
}

fn plain(op: Op) -> Option<Plain> {
    match op {
        Op::Binary(Binary::Add) => Some(Plain::Add),
        Op::Binary(Binary::Sub) => Some(Plain::Sub),
        Op::Binary(Binary::Mul) => Some(Plain::Mul),
        Op::Unary(Unary::Square) => Some(Plain::Square),
        _ => None,
    }
}

/// One operation.
#[inline(always)]
fn one<T: Lane>(op: Plain, a: &[T], b: Operand<'_, T>, out: &mut [T]) -> bool {
    last(op, a.iter().copied(), b, out)
}

/// Two operations.
#[inline(always)]
fn two<T: Lane>(pair: Pair, a: &[T], b: Operand<'_, T>, c: Operand<'_, T>, out: &mut [T]) -> bool {
    let (op, a) = (pair.outer, a.iter().copied());
    match (pair.inner, b) {
        (Plain::Add, Operand::Line(b)) => last(op, a.zip(b).map(|(a, b)| a + *b), c, out),
        (Plain::Add, Operand::One(b)) => last(op, a.map(|a| a + b), c, out),
        (Plain::Sub, Operand::Line(b)) => last(op, a.zip(b).map(|(a, b)| a - *b), c, out),
        (Plain::Sub, Operand::One(b)) => last(op, a.map(|a| a - b), c, out),
        (Plain::From, Operand::Line(b)) => last(op, a.zip(b).map(|(a, b)| *b - a), c, out),
        (Plain::From, Operand::One(b)) => last(op, a.map(|a| b - a), c, out),
        (Plain::Mul, Operand::Line(b)) => last(op, a.zip(b).map(|(a, b)| a * *b), c, out),
        (Plain::Mul, Operand::One(b)) => last(op, a.map(|a| a * b), c, out),
        (Plain::Square, _) => last(op, a.map(|a| a * a), c, out),
    }
}

/// An operation on what comes one after the other.
#[inline(always)]
fn last<T: Lane>(op: Plain, values: impl Iterator<Item = T>, b: Operand<'_, T>, out: &mut [T]) -> bool {
    match (op, b) {
        (Plain::Add, Operand::Line(b)) => put(values.zip(b).map(|(a, b)| a + *b), out),
        (Plain::Add, Operand::One(b)) => put(values.map(|a| a + b), out),
        (Plain::Sub, Operand::Line(b)) => put(values.zip(b).map(|(a, b)| a - *b), out),
        (Plain::Sub, Operand::One(b)) => put(values.map(|a| a - b), out),
        (Plain::From, Operand::Line(b)) => put(values.zip(b).map(|(a, b)| *b - a), out),
        (Plain::From, Operand::One(b)) => put(values.map(|a| b - a), out),
        (Plain::Mul, Operand::Line(b)) => put(values.zip(b).map(|(a, b)| a * *b), out),
        (Plain::Mul, Operand::One(b)) => put(values.map(|a| a * b), out),
        (Plain::Square, _) => put(values.map(|a| a * a), out),
    }
}

#[inline(always)]
fn put<T>(values: impl Iterator<Item = T>, out: &mut [T]) -> bool {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;

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
        let pair = |inner, outer| Form::Pair(Pair { inner, outer });
        let found: Vec<(Form, usize)> = calls(&chain()).expect("floats").iter().map(|call| (call.form, call.step)).collect();
        assert_eq!(found, [(pair(Plain::Add, Plain::Mul), 1), (pair(Plain::Square, Plain::From), 3)]);
    }

    #[test]
    fn what_is_read_twice_has_a_call_of_its_own() {
        let mut program = chain();
        program.steps[3].args = vec![Source::Step(1), Source::Step(1)];
        let forms: Vec<Form> = calls(&program).expect("floats").iter().map(|call| call.form).collect();
        assert_eq!(forms.len(), 3);
        assert_eq!(forms[2], Form::Plain(Plain::Sub));
        program.result = Source::Step(1);
        assert_eq!(calls(&program), None, "the result must be the last step");
        assert_eq!(calls(&Program::identity(DType::F64)), None);
    }

    /// Numbers of all sizes and signs, infinities and NaN.
    fn list(salt: f64) -> Vec<f64> {
        let special = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, f64::MIN_POSITIVE / 4.0, f64::MAX, -1.0];
        let value = |at: usize| match at % 11 {
            3 => special[(at / 11 + salt as usize * 3) % special.len()],
            _ => (at as f64 * 0.7 + salt).sin() * 1e3,
        };
        (0..3 * LINE + 7).map(value).collect()
    }

    /// The bits, where NaN are alike: which of them an operation on two gives is the processor's choice.
    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }).collect()
    }

    /// What the steps of a program give one after the other, each by itself over all elements.
    fn step_by_step(program: &Program, inputs: &[Vec<f64>]) -> Vec<f64> {
        let mut results: Vec<Vec<f64>> = Vec::new();
        for step in &program.steps {
            let of = |source: &Source| match source {
                Source::Input(at) => inputs[*at as usize].clone(),
                Source::Step(at) => results[*at as usize].clone(),
                Source::Scalar(scalar) => vec![scalar.get().expect("an f64"); inputs[0].len()],
            };
            let (args, mut out): (Vec<Vec<f64>>, _) = (step.args.iter().map(of).collect(), inputs[0].clone());
            assert!(match step.op {
                Op::Unary(op) => super::super::arith::unary(op, &args[0], &mut out),
                Op::Binary(op) => super::super::arith::binary(op, &args[0], &args[1], &mut out),
                _ => false,
            });
            results.push(out);
        }
        results.pop().expect("a step")
    }

    /// Runs two steps both ways, and says whether they went together. Steps of one operand take the first of these.
    fn check(first: (Op, [Source; 2]), second: (Op, [Source; 2]), inputs: &[Vec<f64>; 3]) -> bool {
        let made = |(op, args): (Op, [Source; 2])| step(op, if matches!(op, Op::Unary(_)) { &args[..1] } else { &args });
        let program = Program { inputs: vec![DType::F64; 3], steps: vec![made(first), made(second)], result: Source::Step(1) };
        let mut chain: Chain<f64> = Chain::of(&program).expect("floats");
        let mut found = inputs[0].clone();
        assert!(chain.run(&inputs.each_ref().map(Vec::as_slice), &mut found));
        assert_eq!(bits(&found), bits(&step_by_step(&program, inputs)), "{}", program.show());
        matches!(chain.last.form, Form::Pair(_))
    }

    #[test]
    fn every_two_steps_have_the_bits_of_one_after_the_other() {
        let inputs = [list(0.0), list(1.0), list(2.0)];
        let (add, sub, mul) = (Op::Binary(Binary::Add), Op::Binary(Binary::Sub), Op::Binary(Binary::Mul));
        let ops = [add, sub, mul, Op::Unary(Unary::Square), Op::Unary(Unary::Abs)];
        let (x, made) = (Source::Input(0), Source::Step(0));
        let numbers = [2.5, -0.0, f64::INFINITY, f64::NAN].map(number);
        let mut together = 0;
        for (first, second) in ops.iter().flat_map(|first| ops.iter().map(move |second| (*first, *second))) {
            for b in [x, Source::Input(1)].into_iter().chain(numbers) {
                for c in [x, Source::Input(2), made].into_iter().chain(numbers) {
                    for (own, other) in [([x, b], [made, c]), ([x, b], [c, made]), ([b, x], [made, c]), ([b, x], [c, made])] {
                        together += usize::from(check((first, own), (second, other), &inputs));
                    }
                }
            }
        }
        assert!(together > 1000, "only {together} of them went together");
    }
}
