//! What is done element by element, for every kind of element, shapes that are repeated to each other and any chunks: against ndarray's
//! repeating and the standard library's or num-complex's functions.

use super::array_any::{C64, C128, Given, Kind, every_kind, given, near, same};
use partita::ndarray::{ArrayD, IxDyn};
use partita::prelude::*;
use partita::{Element, Number, Real, select, where_};
use proptest::prelude::{ProptestConfig, proptest};

/// Two arrays that fit together, each in its own chunks.
struct Pair<T: Element> {
    a: ArrayD<T>,
    b: ArrayD<T>,
    x: DArray<T>,
    y: DArray<T>,
}

impl<T: Kind> Pair<T> {
    /// The case's array and another one, some axes of which are of length 1, or are not there at all.
    fn of(given: &Given<T>) -> Self {
        let (a, choose) = (given.whole.clone(), &given.choose);
        let dropped = choose.below(a.ndim() + 1);
        let shape: Vec<usize> = a.shape()[dropped..].iter().map(|len| if choose.is() { 1 } else { *len }).collect();
        let b = given.filled(&shape, |_| true);
        let (x, y) = (given.lazy(), given.cut(&b));
        if choose.is() { Self { a, b, x, y } } else { Self { a: b, b: a, x: y, y: x } }
    }

    /// What a function of two elements gives.
    #[track_caller]
    fn two<U: Element>(&self, what: &str, found: &DArray<U>, of: impl Fn(T, T) -> U) {
        same(what, found, self.loops(of));
    }

    fn loops<U: Element>(&self, of: impl Fn(T, T) -> U) -> ArrayD<U> {
        let wider = if self.a.ndim() > self.b.ndim() { &self.a } else { &self.b };
        let lens = wider.shape().iter().enumerate().map(|(axis, len)| {
            let behind = wider.ndim() - axis;
            let len_of = |array: &ArrayD<T>| array.ndim().checked_sub(behind).map(|axis| array.shape()[axis]);
            [len_of(&self.a), len_of(&self.b)].into_iter().flatten().find(|len| *len != 1).unwrap_or(*len)
        });
        let shape: Vec<usize> = lens.collect();
        let (a, b) = (self.a.broadcast(IxDyn(&shape)).expect("it fits"), self.b.broadcast(IxDyn(&shape)).expect("it fits"));
        ArrayD::from_shape_fn(IxDyn(&shape), |at| of(a[&at], b[&at]))
    }

    #[track_caller]
    fn one<U: Element>(&self, what: &str, found: &DArray<U>, of: impl Fn(T) -> U) {
        same(what, found, self.a.mapv(of));
    }

    /// A function of complex numbers, which libraries round as they like.
    #[track_caller]
    fn two_near(&self, what: &str, found: &DArray<T>, of: impl Fn(T, T) -> ([f64; 2], f64)) {
        let (shape, expected) = (self.loops(|a, _| a).shape().to_vec(), std::cell::RefCell::new(Vec::new()));
        self.loops(|a, b| {
            expected.borrow_mut().push(of(a, b));
            a
        });
        near(what, found, &shape, &expected.into_inner());
    }
}

/// What all kinds have: equality, truths, choices.
fn of_all<T: Kind>(pair: &Pair<T>) {
    let (x, y) = (&pair.x, &pair.y);
    let truth = |x: T| x != T::default();
    pair.two("eq", &x.eq(y), |a, b| a == b);
    pair.two("neq", &x.neq(y), |a, b| a != b);
    pair.one("is_nonzero", &x.is_nonzero(), truth);
    pair.one("logical_not", &x.logical_not(), |a| !truth(a));
    pair.two("logical_and", &x.logical_and(y), |a, b| truth(a) && truth(b));
    pair.two("logical_or", &x.logical_or(y), |a, b| truth(a) || truth(b));
    pair.two("logical_xor", &x.logical_xor(y), |a, b| truth(a) != truth(b));
    pair.two("where_", &where_(&x.neq(y), x, y), |a, b| if a != b { a } else { b });
    let other = T::of([3.0, -1.0]);
    pair.two("select", &select(&[(x.eq(y), x.clone()), (y.is_nonzero(), y.clone())], other), |a, b| match (a == b, truth(b)) {
        (true, _) => a,
        (false, true) => b,
        (false, false) => other,
    });
    pair.one("mapv", &x.mapv(|x| x.parts()[1]), |a| a.parts()[1]);
    pair.one("as bool", &x.cast::<bool>(), truth);
    let complex = |a: T| Complex::new(a.parts()[0], a.parts()[1]);
    if std::mem::size_of::<T>() < 8 || T::ROUNDED > 0.0 {
        pair.one("as complex128", &x.cast::<C128>(), complex);
        pair.one("as complex64", &x.cast::<C64>(), |a| Complex::new(complex(a).re as f32, complex(a).im as f32));
    }
}

/// What numbers have: chains of operations in one program.
fn of_numbers<T: Kind + Number>(pair: &Pair<T>) {
    let (x, y) = (&pair.x, &pair.y);
    let other = T::of([2.0, 1.0]);
    pair.two("+", &(x + y), T::plus);
    pair.two("-", &(x - y), T::minus);
    pair.two("*", &(x * y), T::times);
    pair.one("+ of one number", &(x + other), |a| a.plus(other));
    pair.one("* of one number", &(x * other), |a| a.times(other));
    pair.one("square", &x.square(), |a| a.times(a));
    pair.two("a chain", &((x + y) * (x - y) - x.square() * other), |a, b| a.plus(b).times(a.minus(b)).minus(a.times(a).times(other)));
    pair.two("a chain through other axes", &((x.t().t() + y) * other - y), |a, b| a.plus(b).times(other).minus(b));
    pair.one("re", &x.re().cast::<f64>(), |a| a.parts()[0]);
    pair.one("im", &x.im().cast::<f64>(), |a| a.parts()[1]);
    pair.one("is_real", &x.is_real(), |a| a.parts()[1] == 0.0);
    pair.one("is_complex", &x.is_complex(), |a| a.parts()[1] != 0.0);
}

/// What kinds with an order have.
fn of_ordered<T: Kind + partita::Ordered + PartialOrd>(pair: &Pair<T>) {
    let (x, y) = (&pair.x, &pair.y);
    let is_nan = |x: T| x.parts()[0].is_nan();
    let greater = |a: T, b: T| if is_nan(a) || a > b { a } else { b };
    let less = |a: T, b: T| if is_nan(a) || a < b { a } else { b };
    pair.two("lt", &x.lt(y), |a, b| a < b);
    pair.two("lt_eq", &x.lt_eq(y), |a, b| a <= b);
    pair.two("gt", &x.gt(y), |a, b| a > b);
    pair.two("gt_eq", &x.gt_eq(y), |a, b| a >= b);
    pair.two("maximum", &x.maximum(y), greater);
    pair.two("minimum", &x.minimum(y), less);
    let (low, high) = (T::of([1.0, 0.0]), T::of([5.0, 0.0]));
    pair.one("clip", &x.clip(low, high), |a| less(greater(a, low), high));
    pair.two("clip by an array", &x.clip(y, high), |a, b| less(greater(a, b), high));
}

macro_rules! casts {
    ($pair:ident: $($T:ident)*) => {
        $(
            $pair.one(concat!("as ", stringify!($T)), &$pair.x.cast::<$T>(), |a| a as $T);
        )*
    };
}

/// A property for each of these kinds of numbers: what all numbers have, and then what a class of kinds has.
macro_rules! kinds {
    ($class:ident: $($T:ident $name:ident;)*) => {
        $(
            fn $name(given: &Given<$T>) {
                let pair = Pair::of(given);
                of_all(&pair);
                of_numbers(&pair);
                $class!(given pair $T);
            }
        )*
    };
}

/// What kinds of whole numbers have. All is calculated with more digits than they have, and cut.
macro_rules! whole {
    ($given:ident $pair:ident $T:ident) => {
        let (pair, x, y) = (&$pair, &$pair.x, &$pair.y);
        of_ordered(pair);
        let wide = |a: $T| a as i128;
        let floor = |a: $T, b: $T| (wide(a) - wide(a).rem_euclid(wide(b).abs())) / wide(b) - i128::from(wide(b) < 0 && wide(a).rem_euclid(wide(b).abs()) != 0);
        pair.two("/", &(x / y), |a, b| if b == 0 { 0 } else { (wide(a) / wide(b)) as $T });
        pair.two("%", &(x % y), |a, b| if b == 0 { 0 } else { (wide(a) % wide(b)) as $T });
        pair.two("floor_divide", &x.floor_divide(y), |a, b| if b == 0 { 0 } else { floor(a, b) as $T });
        pair.two("remainder", &x.remainder(y), |a, b| if b == 0 { 0 } else { (wide(a) - floor(a, b) * wide(b)) as $T });
        pair.two("fmod", &x.fmod(y), |a, b| if b == 0 { 0 } else { (wide(a) % wide(b)) as $T });
        pair.two("&", &(x & y), |a, b| a & b);
        pair.two("|", &(x | y), |a, b| a | b);
        pair.two("^", &(x ^ y), |a, b| a ^ b);
        pair.one("!", &!x, |a| !a);
        let gcd = |a: $T, b: $T| {
            let (mut a, mut b) = (wide(a).unsigned_abs(), wide(b).unsigned_abs());
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        pair.two("gcd", &x.gcd(y), |a, b| gcd(a, b) as $T);
        pair.two("lcm", &x.lcm(y), |a, b| if gcd(a, b) == 0 { 0 } else { (wide(a).unsigned_abs() / gcd(a, b) * wide(b).unsigned_abs()) as $T });
        pair.one("bitwise_count", &x.bitwise_count(), |a| wide(a).unsigned_abs().count_ones() as u8);
        pair.one("abs", &x.abs(), |a| wide(a).unsigned_abs() as $T);
        pair.one("sign", &x.sign(), |a| wide(a).signum() as $T);
        pair.one("signbit", &x.signbit(), |a| wide(a) < 0);
        let power = $given.choose.below(6);
        pair.one("pow", &x.pow(power as $T), |a| (0..power).fold(1, |product: $T, _| product.wrapping_mul(a)));
        let far = $given.choose.below(2 * $T::BITS as usize).min(100) as u32;
        pair.one("<<", &(x << far as $T), |a| a.checked_shl(far).unwrap_or(0));
        pair.one(">>", &(x >> far as $T), |a| a.checked_shr(far).unwrap_or(if wide(a) < 0 { !0 } else { 0 }));
        casts!(pair: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
    };
}

kinds! {
    whole:
    i8 of_i8;
    i16 of_i16;
    i32 of_i32;
    i64 of_i64;
    u8 of_u8;
    u16 of_u16;
    u32 of_u32;
    u64 of_u64;
}

/// Functions that have the same name in the library.
macro_rules! functions {
    ($pair:ident: $($name:ident)*) => {
        $(
            $pair.one(stringify!($name), &$pair.x.$name(), |a| a.$name());
        )*
    };
}

/// What floats have. Elements are sixteenths, so that what is left of a division is exact.
macro_rules! floats {
    ($given:ident $pair:ident $T:ident) => {
        let (pair, x, y) = (&$pair, &$pair.x, &$pair.y);
        of_ordered(pair);
        pair.two("/", &(x / y), |a, b| a / b);
        pair.two("%", &(x % y), |a, b| a % b);
        // Where there is nothing to divide, the quotient and what is left are no numbers: as a number of its own.
        let plain = |a: $T, b: $T| a.is_finite() && b.is_finite() && b != 0.0;
        let within = |found: &DArray<$T>| where_(&(x.is_finite() & y.is_finite() & y.neq(0.0)), found, 77.0);
        let quotient = |a: $T, b: $T| if plain(a, b) { (a / b).floor() } else { 77.0 };
        let rest = |a: $T, b: $T| if plain(a, b) { a - quotient(a, b) * b } else { 77.0 };
        pair.two("floor_divide", &(within(&x.floor_divide(y)) + 0.0), |a, b| quotient(a, b) + 0.0);
        pair.two("remainder", &(within(&x.remainder(y)) + 0.0), |a, b| rest(a, b) + 0.0);
        pair.two("fmax", &(x.fmax(y) + 0.0), |a, b| a.max(b) + 0.0);
        pair.two("fmin", &(x.fmin(y) + 0.0), |a, b| a.min(b) + 0.0);
        pair.two("hypot", &x.hypot(y), $T::hypot);
        pair.two("atan2", &x.atan2(y), $T::atan2);
        pair.two("copysign", &x.copysign(y), $T::copysign);
        pair.two("pow", &x.pow(y), $T::powf);
        pair.two("next_after", &x.next_after(y), |a, b| if a == b { b } else if a < b { a.next_up() } else if a > b { a.next_down() } else { $T::NAN });
        pair.two("heaviside", &x.heaviside(y), |a, b| if a == 0.0 { b } else if a.is_nan() { a } else { $T::from(u8::from(a > 0.0)) });
        pair.one("-", &-x, |a| -a);
        pair.one("abs", &x.abs(), $T::abs);
        pair.one("sign", &x.sign(), |a| if a == 0.0 { 0.0 } else { $T::from(i8::from(a > 0.0) - i8::from(a < 0.0)) * if a.is_nan() { a } else { 1.0 } });
        pair.one("reciprocal", &x.reciprocal(), |a| 1.0 / a);
        pair.one("signbit", &x.signbit(), $T::is_sign_negative);
        pair.one("is_nan", &x.is_nan(), $T::is_nan);
        pair.one("is_not_nan", &x.is_not_nan(), |a| !a.is_nan());
        pair.one("is_finite", &x.is_finite(), $T::is_finite);
        pair.one("is_infinite", &x.is_infinite(), $T::is_infinite);
        pair.one("is_pos_inf", &x.is_pos_inf(), |a| a == $T::INFINITY);
        pair.one("is_neg_inf", &x.is_neg_inf(), |a| a == $T::NEG_INFINITY);
        pair.one("nan_to_num", &x.nan_to_num(), |a| if a.is_nan() { 0.0 } else { a.clamp($T::MIN, $T::MAX) });
        pair.two("is_close", &x.is_close(y, 0.5, 0.25), |a, b| a == b || (b.is_finite() && (a - b).abs() <= 0.25 + 0.5 * b.abs()));
        let (after, before) = x.modf();
        pair.one("modf, before the point", &before, $T::trunc);
        pair.one("modf, after the point", &after.abs(), |a| if a.is_infinite() { 0.0 } else { a.fract().abs() });
        let (mantissa, exponent) = x.frexp();
        pair.one("frexp and ldexp", &mantissa.ldexp(&exponent), |a| a);
        functions!(pair: sqrt cbrt exp exp2 exp_m1 ln log2 log10 ln_1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh);
        functions!(pair: to_degrees to_radians floor ceil trunc);
        pair.one("rint", &x.rint(), $T::round_ties_even);
        casts!(pair: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
    };
}

kinds! {
    floats:
    f32 of_f32;
    f64 of_f64;
}

macro_rules! complex {
    ($given:ident $pair:ident $C:ident) => {
        let (pair, x, y) = (&$pair, &$pair.x, &$pair.y);
        let is_finite = |a: $C| a.re.is_finite() && a.im.is_finite();
        // Quotients of infinities and by zero have more than one answer.
        pair.two_near("/", &(x / y), |a, b| {
            let quotient = a / b;
            let is_open = !is_finite(a) || !is_finite(b) || b == $C::default();
            (quotient.parts(), if is_open { f64::INFINITY } else { quotient.parts()[0].hypot(quotient.parts()[1]) })
        });
        pair.one("-", &-x, |a| -a);
        pair.one("conj", &x.conj(), |a| a.conj());
        pair.one("abs", &x.abs(), |a| a.norm());
        pair.one("angle", &x.angle(), |a| a.arg());
        pair.one("parts together", &x.re().to_complex(x.im()), |a| a);
        pair.one("is_nan", &x.is_nan(), |a| a.re.is_nan() || a.im.is_nan());
        pair.one("is_finite", &x.is_finite(), is_finite);
        pair.one("is_infinite", &x.is_infinite(), |a| a.re.is_infinite() || a.im.is_infinite());
        functions!(pair: sqrt exp ln sin cos tan sinh cosh tanh);
    };
}

kinds! {
    complex:
    C64 of_c64;
    C128 of_c128;
}

fn of_truths(given: &Given<bool>) {
    let pair = Pair::of(given);
    of_all(&pair);
    of_ordered(&pair);
    let (x, y) = (&pair.x, &pair.y);
    pair.two("&", &(x & y), |a, b| a & b);
    pair.two("|", &(x | y), |a, b| a | b);
    pair.two("^", &(x ^ y), |a, b| a ^ b);
    pair.one("!", &!x, |a| !a);
    pair.one("as f32", &x.cast::<f32>(), |a| f32::from(u8::from(a)));
    pair.one("as u64", &x.cast::<u64>(), u64::from);
}

/// Minus turns signs round, and of the least whole number it is that number.
fn signed<T: Kind + Real>(given: &Given<T>)
where
    for<'a> &'a DArray<T>: std::ops::Neg<Output = DArray<T>>,
{
    let pair = Pair::of(given);
    pair.one("-", &-&pair.x, |a| T::default().minus(a));
}

mod elementwise {
    use super::*;
    every_kind! { 12 of_truths: bool bool; }
    every_kind! { 12 of_i8: i8 i8; }
    every_kind! { 12 of_i16: i16 i16; }
    every_kind! { 12 of_i32: i32 i32; }
    every_kind! { 12 of_i64: i64 i64; }
    every_kind! { 12 of_u8: u8 u8; }
    every_kind! { 12 of_u16: u16 u16; }
    every_kind! { 12 of_u32: u32 u32; }
    every_kind! { 12 of_u64: u64 u64; }
    every_kind! { 12 of_f32: f32 f32; }
    every_kind! { 12 of_f64: f64 f64; }
    every_kind! { 12 of_c64: complex64 C64; }
    every_kind! { 12 of_c128: complex128 C128; }
}

mod minus {
    use super::*;
    every_kind! { 6 signed: i8 i8; i16 i16; i32 i32; i64 i64; }
}
