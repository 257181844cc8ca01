//! Programs of elementwise operations: what they are, what kinds their results have, and how plans show them.
//!
//! It refuses to know blocks and how programs are run. The invariant: a program that passes [`Program::check`] names only inputs and
//! earlier steps, each of the kind that its reader works on.

use partita_graph::Failure;
use serde::{Deserialize, Serialize};

use crate::array::element::{DType, Scalar};

macro_rules! operations {
    ($(#[$doc:meta])* $Name:ident { $($Variant:ident $shown:literal $cost:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub enum $Name {
            $(#[doc = $shown] $Variant,)*
        }

        impl $Name {
            /// As plans show it.
            pub fn shown(self) -> &'static str {
                match self { $($Name::$Variant => $shown,)* }
            }

            /// About how many additions take as long.
            fn cost(self) -> u32 {
                match self { $($Name::$Variant => $cost,)* }
            }
        }
    };
}

operations! {
    /// One element to one of the same kind.
    Unary {
        Neg "-" 1, Abs "abs" 1, Sign "sign" 1, Square "square" 1, Reciprocal "reciprocal" 4, Sqrt "sqrt" 4, Cbrt "cbrt" 20, Not "!" 1,
        Exp "exp" 10, Exp2 "exp2" 10, ExpM1 "exp_m1" 20, Ln "ln" 10, Log2 "log2" 10, Log10 "log10" 20, Ln1p "ln_1p" 20,
        Sin "sin" 10, Cos "cos" 10, Tan "tan" 20, Asin "asin" 20, Acos "acos" 20, Atan "atan" 20,
        Sinh "sinh" 20, Cosh "cosh" 20, Tanh "tanh" 20, Asinh "asinh" 20, Acosh "acosh" 20, Atanh "atanh" 20,
        Degrees "to_degrees" 1, Radians "to_radians" 1, Floor "floor" 1, Ceil "ceil" 1, Trunc "trunc" 1, Rint "rint" 1,
        Sinc "sinc" 20, I0 "i0" 100, Spacing "spacing" 4, Mantissa "mantissa" 4, Conj "conj" 1, CountOnes "bitwise_count" 1,
    }
}

operations! {
    /// A complex number to a real one.
    Component {
        Re "re" 1, Im "im" 1, Abs "abs" 20, Angle "angle" 20,
    }
}

operations! {
    /// Two elements to one, all of the same kind.
    Binary {
        Add "+" 1, Sub "-" 1, Mul "*" 1, Div "/" 4, Rem "%" 10, FloorDiv "floor_divide" 10, FloorMod "remainder" 10, Pow "pow" 20,
        Minimum "minimum" 1, Maximum "maximum" 1, FMin "fmin" 1, FMax "fmax" 1,
        Atan2 "atan2" 20, Hypot "hypot" 20, CopySign "copysign" 1, LogAddExp "logaddexp" 30, LogAddExp2 "logaddexp2" 30,
        NextAfter "nextafter" 4, Ldexp "ldexp" 10, Heaviside "heaviside" 1, Gcd "gcd" 50, Lcm "lcm" 50,
        And "&" 1, Or "|" 1, Xor "^" 1, Shl "<<" 1, Shr ">>" 1,
    }
}

operations! {
    /// One element to a truth.
    Test {
        NonZero "nonzero" 1, IsNan "is_nan" 1, IsFinite "is_finite" 1, IsInfinite "is_infinite" 1,
        IsPosInf "is_pos_inf" 1, IsNegInf "is_neg_inf" 1, SignBit "signbit" 1,
    }
}

operations! {
    /// Two elements of one kind to a truth.
    Compare {
        Eq "==" 1, Ne "!=" 1, Lt "<" 1, Le "<=" 1, Gt ">" 1, Ge ">=" 1,
    }
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// One element to one of the same kind.
    Unary(Unary),
    /// Two to one, all of the same kind.
    Binary(Binary),
    /// One to a truth.
    Test(Test),
    /// Two to a truth.
    Compare(Compare),
    /// A truth, what holds where it is true, and what holds elsewhere.
    Select,
    /// Another kind.
    Cast(DType),
    /// A part of a complex number, or its size or angle.
    Component(Component),
    /// Two floats as the parts of a complex number.
    Join,
    /// The exponent of a float to base 2, as `i32`.
    Exponent,
}

impl Op {
    /// The kind of the result, when it works on elements of this kind.
    pub fn result(self, dtype: DType) -> DType {
        match self {
            Op::Unary(_) | Op::Binary(_) | Op::Select => dtype,
            Op::Test(_) | Op::Compare(_) => DType::Bool,
            Op::Cast(to) => to,
            Op::Component(_) => dtype.part(),
            Op::Join => dtype.complex(),
            Op::Exponent => DType::I32,
        }
    }

    /// The kinds of its operands; `None` for the kind that it works on.
    fn operands(self) -> &'static [Option<DType>] {
        match self {
            Op::Unary(_) | Op::Test(_) | Op::Cast(_) | Op::Component(_) | Op::Exponent => &[None],
            Op::Binary(_) | Op::Compare(_) | Op::Join => &[None, None],
            Op::Select => &[Some(DType::Bool), None, None],
        }
    }

    /// About how many additions take as long.
    pub fn cost(self) -> u32 {
        match self {
            Op::Unary(op) => op.cost(),
            Op::Binary(op) => op.cost(),
            Op::Test(op) => op.cost(),
            Op::Compare(op) => op.cost(),
            Op::Component(op) => op.cost(),
            Op::Select | Op::Cast(_) | Op::Join => 1,
            Op::Exponent => 4,
        }
    }

    /// The operation on operands, as plans show it.
    pub fn show(self, operands: &[String]) -> String {
        let call = |name: &str| format!("{name}({})", operands.join(", "));
        match (self, operands) {
            (Op::Unary(op @ (Unary::Neg | Unary::Not)), [a]) => format!("{}{a}", op.shown()),
            (Op::Unary(op), _) => call(op.shown()),
            (Op::Binary(op), [a, b]) if !op.shown().starts_with(char::is_alphabetic) => format!("({a} {} {b})", op.shown()),
            (Op::Binary(op), _) => call(op.shown()),
            (Op::Compare(op), [a, b]) => format!("({a} {} {b})", op.shown()),
            (Op::Compare(op), _) => call(op.shown()),
            (Op::Test(op), _) => call(op.shown()),
            (Op::Select, _) => call("where"),
            (Op::Cast(to), _) => call(to.name()),
            (Op::Component(op), _) => call(op.shown()),
            (Op::Join, _) => call("complex"),
            (Op::Exponent, _) => call("exponent"),
        }
    }
}

/// Where a step finds an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Source {
    /// An input of the program.
    Input(u16),
    /// The result of an earlier step.
    Step(u16),
    /// The same for all elements.
    Scalar(Scalar),
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// The kind of elements that it works on.
    pub dtype: DType,
    /// Its operands.
    pub args: Vec<Source>,
}

/// A straight-line program of elementwise operations.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Program {
    /// The kinds of its inputs.
    pub inputs: Vec<DType>,
    /// In the order in which they run.
    pub steps: Vec<Instruction>,
    /// What it gives.
    pub result: Source,
}

/// Longer texts of programs are cut, in characters.
const SHOWN: usize = 100;

impl Program {
    /// The program that gives its only input.
    pub fn identity(dtype: DType) -> Self {
        Self { inputs: vec![dtype], steps: Vec::new(), result: Source::Input(0) }
    }

    /// The kind of an operand.
    fn kind(&self, source: Source) -> Option<DType> {
        match source {
            Source::Input(at) => self.inputs.get(at as usize).copied(),
            Source::Step(at) => self.steps.get(at as usize).map(|step| step.op.result(step.dtype)),
            Source::Scalar(scalar) => Some(scalar.dtype),
        }
    }

    /// The kind of its result.
    pub fn dtype(&self) -> Result<DType, Failure> {
        self.kind(self.result).ok_or_else(|| Failure::internal("a program gives what it does not make"))
    }

    /// Fails when a step reads what does not come before it or is of another kind: such a program was not made by this library.
    pub fn check(&self) -> Result<(), Failure> {
        for (at, step) in self.steps.iter().enumerate() {
            let expected = step.op.operands();
            let fits = |(source, expected): (&Source, &Option<DType>)| {
                let before = !matches!(source, Source::Step(step) if *step as usize >= at);
                before && self.kind(*source) == Some(expected.unwrap_or(step.dtype))
            };
            if step.args.len() != expected.len() || !step.args.iter().zip(expected).all(fits) {
                return Err(Failure::internal(format!("step {at} of a program cannot run: {step:?}")));
            }
        }
        self.dtype().map(|_| ())
    }

    /// The program as one expression over `a`, `b`, …
    pub fn show(&self) -> String {
        let mut texts: Vec<String> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let operands: Vec<String> = step.args.iter().map(|source| shown(*source, &texts)).collect();
            texts.push(shortened(step.op.show(&operands)));
        }
        let text = shown(self.result, &texts);
        match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            // The outermost parentheses say nothing, where they are a pair.
            Some(inner) if is_balanced(inner) => inner.to_string(),
            _ => text,
        }
    }
}

fn shown(source: Source, steps: &[String]) -> String {
    match source {
        Source::Input(at) => input_name(at as usize),
        Source::Step(at) => steps.get(at as usize).cloned().unwrap_or_default(),
        Source::Scalar(scalar) => scalar.to_string(),
    }
}

/// `a` to `z`, then `a1` and so on.
pub fn input_name(at: usize) -> String {
    let letter = char::from(b'a' + (at % 26) as u8);
    if at < 26 { letter.to_string() } else { format!("{letter}{}", at / 26) }
}

fn shortened(text: String) -> String {
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars()
        .take(SHOWN / 2)
        .chain(" … ".chars())
        .chain(text.chars().rev().take(SHOWN / 2).collect::<Vec<_>>().into_iter().rev())
        .collect()
}

fn is_balanced(text: &str) -> bool {
    let mut open = 0i32;
    text.chars().all(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open >= 0
    }) && open == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(op: Op, args: &[Source]) -> Instruction {
        Instruction { op, dtype: DType::F64, args: args.to_vec() }
    }

    #[test]
    fn programs_are_shown_as_expressions() {
        let one = Source::Scalar(Scalar::of(1.0));
        let (a, add, mul) = (Source::Input(0), Op::Binary(Binary::Add), Op::Binary(Binary::Mul));
        let steps = vec![
            step(add, &[a, one]),
            step(Op::Unary(Unary::Sin), &[Source::Step(0)]),
            step(mul, &[Source::Step(1), Source::Step(0)]),
            step(Op::Compare(Compare::Lt), &[Source::Step(2), Source::Input(1)]),
        ];
        let mut program = Program { inputs: vec![DType::F64; 2], steps, result: Source::Step(3) };
        assert_eq!(program.show(), "(sin((a + 1.0)) * (a + 1.0)) < b");
        assert_eq!(program.dtype().expect("there"), DType::Bool);
        program.check().expect("it can run");
        for _ in 0..50 {
            let last = Source::Step(program.steps.len() as u16 - 1);
            program.steps.push(step(mul, &[last, last]));
            program.result = Source::Step(program.steps.len() as u16 - 1);
        }
        assert!(program.show().chars().count() < 400);
        assert_eq!((input_name(0), input_name(25), input_name(26)), ("a".into(), "z".into(), "a1".into()));
    }

    #[test]
    fn programs_that_cannot_run_are_refused() {
        let check = |steps: Vec<Instruction>| Program { inputs: vec![DType::F64], steps, result: Source::Step(0) }.check().is_ok();
        let (neg, select) = (Op::Unary(Unary::Neg), Op::Select);
        let truth = Source::Scalar(Scalar::of(true));
        assert!(check(vec![step(neg, &[Source::Input(0)])]));
        assert!(check(vec![step(select, &[truth, Source::Input(0), Source::Input(0)])]));
        assert!(!check(vec![step(neg, &[Source::Input(1)])]));
        assert!(!check(vec![step(neg, &[Source::Step(0)])]));
        assert!(!check(vec![step(neg, &[truth])]));
        assert!(!check(vec![step(neg, &[])]));
        assert!(!check(vec![step(select, &[Source::Input(0); 3])]));
        assert!(!check(Vec::new()));
    }
}
