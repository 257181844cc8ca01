//! What properties of arrays are tested on: any kind of element, any shape, any chunks, any choices; and how what an array gives is compared
//! with what ndarray or a loop over the whole array gives.

use std::cell::Cell;
use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Sub};

use super::arrays::{bits, chunkings};
use partita::graph::Serial;
use partita::ndarray::{ArrayD, IxDyn};
use partita::prelude::*;
use partita::{Element, operator_registry};
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

pub type C64 = Complex<f32>;
pub type C128 = Complex<f64>;

/// A kind of element: which ones are tried, and how its numbers are read and written in a loop.
pub trait Kind: Element {
    /// Many plain ones, and those at the ends: least and greatest, zeros of both signs, infinities, NaN.
    fn any_element() -> BoxedStrategy<Self>;
    /// Real and imaginary part; numbers that are too long for them are rounded.
    fn parts(self) -> [f64; 2];
    /// And back, as `as` casts; the imaginary part of what has none is left out.
    fn of(parts: [f64; 2]) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// What one step of it rounds away, of a number of size 1; nothing of whole numbers, which wrap.
    const ROUNDED: f64;
}

/// The three operations of a kind, each as a function of two elements.
macro_rules! operations {
    ($plus:expr, $minus:expr, $times:expr) => {
        fn plus(self, other: Self) -> Self {
            $plus(self, other)
        }
        fn minus(self, other: Self) -> Self {
            $minus(self, other)
        }
        fn times(self, other: Self) -> Self {
            $times(self, other)
        }
    };
}

macro_rules! whole {
    ($($T:ident)*) => {
        $(
            impl Kind for $T {
                fn any_element() -> BoxedStrategy<Self> {
                    prop_oneof![6 => any::<i8>().prop_map(|x| x as $T), 2 => any::<$T>(), 1 => Just($T::MIN), 1 => Just($T::MAX)].boxed()
                }
                fn parts(self) -> [f64; 2] {
                    [self as f64, 0.0]
                }
                fn of([number, _]: [f64; 2]) -> Self {
                    number as $T
                }
                operations!($T::wrapping_add, $T::wrapping_sub, $T::wrapping_mul);
                const ROUNDED: f64 = 0.0;
            }
        )*
    };
}

whole!(i8 i16 i32 i64 u8 u16 u32 u64);

impl Kind for bool {
    fn any_element() -> BoxedStrategy<Self> {
        any::<bool>().boxed()
    }
    fn parts(self) -> [f64; 2] {
        [f64::from(u8::from(self)), 0.0]
    }
    fn of([number, _]: [f64; 2]) -> Self {
        number != 0.0
    }
    operations!(BitOr::bitor, BitXor::bitxor, BitAnd::bitand);
    const ROUNDED: f64 = 0.0;
}

macro_rules! floats {
    ($($T:ident $C:ident $rounded:literal;)*) => {
        $(
            impl Kind for $T {
                fn any_element() -> BoxedStrategy<Self> {
                    // Sixteenths, whose sums are exact, and squares too.
                    let plain = any::<i8>().prop_map(|x| $T::from(x) / 16.0);
                    let hard = prop_oneof![2 => Just($T::default()), 2 => Just(-$T::default()), 3 => Just($T::NAN), 1 => Just($T::INFINITY), 1 => Just($T::NEG_INFINITY)];
                    prop_oneof![12 => plain, 1 => hard].boxed()
                }
                fn parts(self) -> [f64; 2] {
                    [f64::from(self), 0.0]
                }
                fn of([number, _]: [f64; 2]) -> Self {
                    number as $T
                }
                operations!(Add::add, Sub::sub, Mul::mul);
                const ROUNDED: f64 = $rounded;
            }

            impl Kind for $C {
                fn any_element() -> BoxedStrategy<Self> {
                    ($T::any_element(), $T::any_element()).prop_map(|(re, im)| Complex::new(re, im)).boxed()
                }
                fn parts(self) -> [f64; 2] {
                    [f64::from(self.re), f64::from(self.im)]
                }
                fn of([re, im]: [f64; 2]) -> Self {
                    Complex::new(re as $T, im as $T)
                }
                operations!(Add::add, Sub::sub, Mul::mul);
                const ROUNDED: f64 = $rounded;
            }
        )*
    };
}

floats! {
    f32 C64 1e-7;
    f64 C128 1e-15;
}

/// What a case chooses beside its elements: numbers, one after the other, round and round. Shrunk, they are zeros.
#[derive(Debug)]
pub struct Choices {
    numbers: Vec<u16>,
    next: Cell<usize>,
}

impl Choices {
    /// One of `n` numbers from 0 on; 0 where there are none.
    pub fn below(&self, n: usize) -> usize {
        let at = self.next.replace(self.next.get() + 1);
        usize::from(self.numbers[at % self.numbers.len()]) % n.max(1)
    }

    /// A number from `low` on and below `high`.
    pub fn within(&self, low: isize, high: isize) -> isize {
        low + self.below((high - low) as usize) as isize
    }

    pub fn is(&self) -> bool {
        self.below(2) == 1
    }

    pub fn one_of<T: Clone>(&self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Places along an axis of this length, of which each may come several times; none where it has none.
    pub fn places(&self, len: usize) -> Vec<usize> {
        if len == 0 { Vec::new() } else { (0..self.below(7)).map(|_| self.below(len)).collect() }
    }

    /// Some truths.
    pub fn truths(&self, shape: &[usize]) -> ArrayD<bool> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.is())
    }

    /// Another way to cut an array of this shape.
    pub fn chunks(&self, shape: &[usize]) -> Vec<Vec<usize>> {
        let cut = |len: &usize| {
            let first = self.below(len + 1);
            if self.is() { vec![first, len - first] } else { vec![*len] }
        };
        shape.iter().map(cut).collect()
    }
}

/// One case: an array of some shape, a way to cut it, and choices.
#[derive(Debug)]
pub struct Given<T: Element> {
    pub whole: ArrayD<T>,
    pub chunks: Vec<Vec<usize>>,
    pub choose: Choices,
}

impl<T: Element> Given<T> {
    pub fn lazy(&self) -> DArray<T> {
        DArray::from_array(self.whole.clone(), self.chunks.clone())
    }

    /// Another array of the elements of the case, again and again; of those that `takes`, if there are any.
    pub fn filled(&self, shape: &[usize], takes: impl Fn(T) -> bool) -> ArrayD<T>
    where
        T: Kind,
    {
        let mut pool: Vec<T> = self.whole.iter().copied().filter(|x| takes(*x)).collect();
        pool.extend([T::of([1.0, 2.0]), T::of([3.0, -1.0])]);
        ArrayD::from_shape_simple_fn(IxDyn(shape), || pool[self.choose.below(pool.len())])
    }

    /// An array in chunks of its own.
    pub fn cut<U: Element>(&self, whole: &ArrayD<U>) -> DArray<U> {
        DArray::from_array(whole.clone(), self.choose.chunks(whole.shape()))
    }
}

/// Up to three axes of up to five elements, also none; single elements are common, since axes of one element are repeated.
fn some_shape() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1 => Just(0), 3 => Just(1), 10 => 2usize..6], 0..4)
}

pub fn given<T: Kind>() -> impl Strategy<Value = Given<T>> {
    some_shape().prop_flat_map(|shape| {
        let count = shape.iter().product::<usize>();
        (Just(shape.clone()), vec(T::any_element(), count), chunkings(shape), vec(any::<u16>(), 48)).prop_map(
            |(shape, values, chunks, numbers)| {
                let whole = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as the shape says");
                Given { whole, chunks, choose: Choices { numbers, next: Cell::new(0) } }
            },
        )
    })
}

/// A property of arrays of each kind, as one test for each kind.
macro_rules! every_kind {
    ($cases:literal $property:ident) => {
        every_kind! { $cases $property: bool bool; complex64 C64; complex128 C128; }
        every_real_kind! { $cases $property }
    };
    ($cases:literal $property:ident: $($name:ident $T:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: $cases, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(given in given::<$T>()) {
                    $property(&given);
                }
            )*
        }
    };
}
pub(crate) use every_kind;

/// The same of integers and floats.
macro_rules! every_real_kind {
    ($cases:literal $property:ident) => {
        every_kind! {
            $cases $property: i8 i8; i16 i16; i32 i32; i64 i64; u8 u8; u16 u16; u32 u32; u64 u64; f32 f32; f64 f64;
        }
    };
}
pub(crate) use every_real_kind;

thread_local! {
    static SERIAL: Serial = Serial::new(operator_registry());
}

/// What an array gives, in the shape that it announced.
#[track_caller]
pub fn computed<T: Element>(what: &str, array: &DArray<T>) -> ArrayD<T> {
    let found = SERIAL.with(|serial| array.compute_on(serial));
    let found = found.unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", array.explain()));
    let announced = array.shape();
    assert!(announced.is_err() || announced.as_deref().ok() == Some(found.shape()), "{what}: another shape than announced");
    found
}

/// Expects these elements, bit by bit.
#[track_caller]
pub fn same<T: Element>(what: &str, found: &DArray<T>, expected: ArrayD<T>) {
    let elements = computed(what, found);
    assert!(bits(&elements) == bits(&expected), "{what}: found\n{elements:?}\nexpected\n{expected:?}\n{}", found.explain());
}

/// Expects elements that are equal to these; NaN is NaN, and zero has no sign.
#[track_caller]
pub fn equal<T: Element>(what: &str, found: &DArray<T>, expected: ArrayD<T>) {
    let elements = computed(what, found);
    #[expect(clippy::eq_op, reason = "NaN alone is not itself, whatever the kind")]
    let alike = |a: &T, b: &T| a == b || (a != a && b != b);
    let all = elements.shape() == expected.shape() && elements.iter().zip(&expected).all(|(a, b)| alike(a, b));
    assert!(all, "{what}: found\n{elements:?}\nexpected\n{expected:?}\n{}", found.explain());
}

/// Expects numbers near these, given by their parts, up to a few roundings of numbers of this size; of infinite size is what can be anything.
#[track_caller]
pub fn near<T: Kind>(what: &str, found: &DArray<T>, shape: &[usize], expected: &[([f64; 2], f64)]) {
    let elements = computed(what, found);
    let alike = |found: f64, expected: f64, size: f64| {
        size == f64::INFINITY
            || found == expected
            || (found.is_nan() && expected.is_nan())
            || (found - expected).abs() <= 64.0 * T::ROUNDED * size.max(expected.abs())
    };
    let all = elements.shape() == shape
        && elements.len() == expected.len()
        && elements.iter().zip(expected).all(|(found, (expected, size))| {
            let (found, expected) = (found.parts(), T::of(*expected).parts());
            alike(found[0], expected[0], *size) && alike(found[1], expected[1], *size)
        });
    assert!(all, "{what}: found\n{elements:?}\nexpected {shape:?}\n{expected:?}\n{}", found.explain());
}

/// The array of this shape whose elements stand at these places of another.
pub fn from_places<T: Copy>(whole: &ArrayD<T>, shape: &[usize], place: impl Fn(&[usize]) -> Vec<usize>) -> ArrayD<T> {
    use partita::ndarray::Dimension;
    ArrayD::from_shape_fn(IxDyn(shape), |at| whole[IxDyn(&place(at.slice()))])
}
