//! Random arrays. Every element is drawn from a stream of its own, which follows from the seed, the call and the element's place alone; so a
//! seed gives the same array however it is cut, and on any number of threads and workers.
//!
//! The streams are Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011).

mod angles;
mod discrete;
mod draws;
mod normal;
pub(crate) mod operator;
mod philox;
pub(crate) mod rows;
mod series;

use std::sync::atomic::{AtomicU32, Ordering};

use partita_graph::{Arg, Code, Failure, Layer, OpRef};

use super::lower::{Lowered, Lowering};
use super::meta::{Meta, axis_of};
use super::{Chunks, DArray, Element, Node, Shape, Step};
use operator::{Distribution, RandomBlock};
use philox::Stream;

/// Makes random arrays. Each call begins anew where no other has drawn, so that two arrays of one generator have nothing to do with each
/// other; a generator of the same seed makes the same arrays in the same order.
///
/// ```
/// use partita::{Random, prelude::*};
/// let x = Random::new(7).normal([1000], 100);
/// assert_eq!(x.compute()?, Random::new(7).normal([1000], 333).compute()?);
/// assert!(x.mean().compute_scalar()?.abs() < 0.2);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// Blocks are made where they are used, so that an array may be far larger than what is left of it:
///
/// ```
/// use partita::prelude::*;
/// use partita::ndarray::s;
/// let means = Random::new(1).normal_with(10.0, 0.1, [2000, 1000], 500).mean_axis(0).slice(s![..;100]).compute()?;
/// assert!(means.len() == 10 && means.iter().all(|mean| (mean - 10.0).abs() < 0.02));
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Debug)]
pub struct Random {
    seed: u64,
    /// Calls so far.
    calls: AtomicU32,
}

macro_rules! distributions {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $Out:ty = $made:expr;)*) => {
        impl Random {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// At `compute`: parameters that do not belong to a distribution, chunks that do not fit the shape.
                #[track_caller]
                pub fn $name(&self, $($arg: $type,)* shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<$Out> {
                    self.drawn(stringify!($name), $made, shape.into(), chunks.into())
                }
            )*
        }
    };
}

distributions! {
    /// Numbers of a normal distribution with mean 0 and standard deviation 1.
    normal() -> f64 = Distribution::Normal { mean: 0.0, deviation: 1.0 };
    /// Numbers of a normal distribution.
    normal_with(mean: f64, deviation: f64) -> f64 = Distribution::Normal { mean, deviation };
    /// Numbers from 0 up to and without 1, all as likely.
    #[doc(alias = "random")]
    #[doc(alias = "random_sample")]
    uniform() -> f64 = Distribution::Uniform { low: 0.0, high: 1.0 };
    /// Numbers from `low` up to and without `high`, all as likely.
    uniform_with(low: f64, high: f64) -> f64 = Distribution::Uniform { low, high };
    /// Whole numbers from `low` up to and without `high`, all as likely.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let dice = Random::new(1).integers(1, 7, [10_000], 1_000);
    /// assert_eq!((dice.min().compute_scalar()?, dice.max().compute_scalar()?), (1, 6));
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "randint")]
    integers(low: i64, high: i64) -> i64 = Distribution::Integers { low, high };
    /// Sixty-four random bits for each element.
    bits() -> u64 = Distribution::Bits;
    /// Numbers of an exponential distribution with this mean.
    exponential(scale: f64) -> f64 = Distribution::Exponential { scale };
    /// Numbers of a gamma distribution.
    gamma(form: f64, scale: f64) -> f64 = Distribution::Gamma { form, scale };
    /// Numbers of a beta distribution.
    beta(a: f64, b: f64) -> f64 = Distribution::Beta { a, b };
    /// How many of events that come at this rate come in one unit of time.
    poisson(rate: f64) -> i64 = Distribution::Poisson { rate };
    /// How many of `count` trials succeed, each with this chance.
    binomial(count: u64, chance: f64) -> i64 = Distribution::Binomial { count, chance };
    /// How many trials it takes until one succeeds, each with this chance; at least 1.
    geometric(chance: f64) -> i64 = Distribution::Geometric { chance };
    /// How many trials fail before `count` of them succeed, each with this chance.
    negative_binomial(count: f64, chance: f64) -> i64 = Distribution::NegativeBinomial { count, chance };
    /// How many good ones are among `sample` that are taken out of `good` good and `bad` bad ones, without putting any back.
    hypergeometric(good: u64, bad: u64, sample: u64) -> i64 = Distribution::Hypergeometric { good, bad, sample };
    /// Whole numbers from 1 on with chances as `p^k / k`.
    logseries(p: f64) -> i64 = Distribution::LogSeries { p };
    /// Whole numbers from 1 on with chances as `k^-a`; at most 2^62, which only an `a` near 1 comes near.
    zipf(a: f64) -> i64 = Distribution::Zipf { a };
    /// Angles between -π and π around a mean, the nearer the greater the concentration.
    vonmises(mean: f64, concentration: f64) -> f64 = Distribution::VonMises { mean, concentration };
    /// Numbers of a chi-square distribution with so many degrees of freedom whose normal numbers have means, squares of which add up to
    /// `shift`.
    noncentral_chisquare(freedom: f64, shift: f64) -> f64 = Distribution::NoncentralChiSquare { freedom, shift };
}

/// Distributions that are functions of others. What follows them elementwise becomes one program with them.
macro_rules! derived {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) = |$rng:ident, $shape:ident, $chunks:ident| $made:expr;)*) => {
        impl Random {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// At `compute`: chunks that do not fit the shape.
                #[track_caller]
                pub fn $name(&self, $($arg: f64,)* shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<f64> {
                    let ($shape, $chunks): (Shape, Chunks) = (shape.into(), chunks.into());
                    let $rng = self;
                    $made
                }
            )*
        }
    };
}

derived! {
    /// Numbers whose logarithms are of a normal distribution with this mean and deviation.
    lognormal(mean, deviation) = |rng, shape, chunks| rng.normal_with(mean, deviation, shape, chunks).exp();
    /// Numbers of a chi-square distribution with so many degrees of freedom.
    chisquare(freedom) = |rng, shape, chunks| rng.gamma(freedom / 2.0, 2.0, shape, chunks);
    /// Numbers of Student's t distribution with so many degrees of freedom.
    standard_t(freedom) = |rng, shape, chunks| {
        let squares = rng.chisquare(freedom, shape.clone(), chunks.clone());
        rng.normal(shape, chunks) / (squares / freedom).sqrt()
    };
    /// Numbers of Fisher's F distribution.
    f(above, below) = |rng, shape, chunks| {
        let squares = rng.chisquare(above, shape.clone(), chunks.clone());
        (squares / above) / (rng.chisquare(below, shape, chunks) / below)
    };
    /// Numbers of an F distribution whose upper chi-square numbers are shifted, see [`Random::noncentral_chisquare`].
    noncentral_f(above, below, shift) = |rng, shape, chunks| {
        let squares = rng.noncentral_chisquare(above, shift, shape.clone(), chunks.clone());
        (squares / above) / (rng.chisquare(below, shape, chunks) / below)
    };
    /// Numbers of a Wald or inverse Gaussian distribution (J. Michael, W. Schucany, R. Haas, "Generating random variates using
    /// transformations with multiple roots", 1976).
    wald(mean, scale) = |rng, shape, chunks| {
        let normal = rng.normal(shape.clone(), chunks.clone());
        let square = &normal * &normal * (mean / (2.0 * scale));
        // The two roots, in units of the mean; their product is 1.
        let large = (&square * (&square + 2.0)).sqrt() + &square + 1.0;
        let small = 1.0 / &large;
        let share = rng.uniform(shape, chunks) * (&small + 1.0);
        small.where_(&share.lt(1.0), &large) * mean
    };
    /// Numbers of the standard Cauchy distribution.
    standard_cauchy() = |rng, shape, chunks| (rng.uniform_with(-0.5, 0.5, shape, chunks) * std::f64::consts::PI).tan();
    /// Numbers of a Laplace distribution.
    laplace(mean, scale) = |rng, shape, chunks| {
        let signed = rng.uniform_with(-0.5, 0.5, shape, chunks);
        mean - (-2.0 * signed.abs()).ln_1p() * signed.sign() * scale
    };
    /// Numbers of a logistic distribution.
    logistic(mean, scale) = |rng, shape, chunks| {
        let share = rng.uniform(shape, chunks);
        (share.ln() - (-&share).ln_1p()) * scale + mean
    };
    /// Numbers of a Gumbel distribution.
    gumbel(mode, scale) = |rng, shape, chunks| mode - rng.exponential(1.0, shape, chunks).ln() * scale;
    /// Numbers of a Weibull distribution.
    weibull(form) = |rng, shape, chunks| rng.exponential(1.0, shape, chunks).pow(1.0 / form);
    /// Numbers of a Pareto II (Lomax) distribution.
    pareto(form) = |rng, shape, chunks| (rng.exponential(1.0, shape, chunks) / form).exp_m1();
    /// Numbers of a Rayleigh distribution.
    rayleigh(scale) = |rng, shape, chunks| (rng.exponential(1.0, shape, chunks) * 2.0).sqrt() * scale;
    /// Numbers of a power distribution.
    power(form) = |rng, shape, chunks| (-(-rng.exponential(1.0, shape, chunks)).exp_m1()).pow(1.0 / form);
    /// Numbers of a triangular distribution.
    triangular(low, mode, high) = |rng, shape, chunks| {
        let share = rng.uniform(shape, chunks);
        let rising = (&share * ((high - low) * (mode - low))).sqrt() + low;
        let falling = high - ((1.0 - &share) * ((high - low) * (high - mode))).sqrt();
        rising.where_(&share.lt((mode - low) / (high - low)), &falling)
    };
}

impl Random {
    /// A generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: AtomicU32::new(0) }
    }

    /// Each element one of these, all as likely.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let colours = Random::new(3).choice(&[10u8, 20, 30], [100], 40);
    /// assert_eq!(colours.unique().compute()?.into_iter().collect::<Vec<_>>(), [10, 20, 30]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: nothing to choose from, chunks that do not fit the shape.
    #[track_caller]
    pub fn choice<T: Element>(&self, from: &[T], shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<T> {
        let values = from.iter().map(|value| value.bits()).collect();
        self.drawn("choice", Distribution::Choice { values, shares: None }, shape.into(), chunks.into())
    }

    /// Each element one of these, as often as its weight says.
    ///
    /// # Errors
    /// At `compute`: nothing to choose from, other than one weight for each, negative weights; chunks that do not fit the shape.
    #[track_caller]
    pub fn choice_weighted<T: Element>(
        &self,
        from: &[T],
        weights: &[f64],
        shape: impl Into<Shape>,
        chunks: impl Into<Chunks>,
    ) -> DArray<T> {
        let values = from.iter().map(|value| value.bits()).collect();
        let mut sum = 0.0;
        let shares = weights.iter().map(|weight| {
            sum += if *weight >= 0.0 { *weight } else { f64::NAN };
            sum
        });
        let shares = Some(shares.collect());
        self.drawn("choice_weighted", Distribution::Choice { values, shares }, shape.into(), chunks.into())
    }

    /// The numbers from 0 up to and without `n`, each once, in random order. Its parts are sorted in their chunks, however many they are.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let order = Random::new(5).permutation(100, 30);
    /// assert_eq!(order.sort(0).compute()?, DArray::arange(0i64, 100, 1, 30).compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit.
    #[track_caller]
    pub fn permutation(&self, n: usize, chunks: impl Into<Chunks>) -> DArray<i64> {
        self.bits(n, chunks).argsort(0)
    }

    /// The parts of an array along an axis in random order.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[doc(alias = "shuffle")]
    #[track_caller]
    pub fn permuted<T: Element>(&self, array: &DArray<T>, axis: isize) -> DArray<T> {
        let stream = self.stream();
        let len = match array.shape().and_then(|shape| Ok(shape[axis_of(axis, shape.len())?])) {
            Ok(len) => len,
            Err(failure) => return DArray::failed(failure, ".permuted(…)"),
        };
        let mut keys = vec![0; len];
        philox::words(&stream, 0, &mut keys);
        let mut order: Vec<isize> = (0..len as isize).collect();
        order.sort_by_key(|at| keys[*at as usize]);
        array.take(order, axis)
    }

    /// What the next call draws from.
    fn stream(&self) -> Stream {
        Stream { seed: self.seed, call: self.calls.fetch_add(1, Ordering::Relaxed) }
    }

    #[track_caller]
    fn drawn<T: Element>(&self, name: &'static str, distribution: Distribution, shape: Shape, chunks: Chunks) -> DArray<T> {
        let method = format!("random.{name}(…)");
        let stream = self.stream();
        match distribution.check().and_then(|()| chunks.of_new(&shape, T::DTYPE)) {
            Ok(meta) => DArray::then(Drawn { name, meta, stream, distribution }, Vec::new(), &method),
            Err(failure) => DArray::failed(failure, &method),
        }
    }
}

/// Counts of good and bad ones whose chances can still be told apart.
const MOST: u64 = 1_000_000_000;

impl Distribution {
    /// Fails for parameters that no distribution has.
    fn check(&self) -> Result<(), Failure> {
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let chance = |chance: f64| (0.0..=1.0).contains(&chance);
        let (fits, asked) = match self {
            Distribution::Uniform { low, high } => (finite(&[*low, *high, high - low]) && low <= high, "a range of finite numbers"),
            Distribution::Normal { mean, deviation } => (finite(&[*mean, *deviation]) && *deviation >= 0.0, "a deviation of at least 0"),
            Distribution::Integers { low, high } => (low < high, "a range with at least one number"),
            Distribution::Bits => (true, ""),
            Distribution::Exponential { scale } => (scale.is_finite() && *scale >= 0.0, "a scale of at least 0"),
            Distribution::Gamma { form, scale } => {
                (finite(&[*form, *scale]) && *form > 0.0 && *scale >= 0.0, "a form above 0, a scale of at least 0")
            }
            Distribution::Beta { a, b } => (finite(&[*a, *b]) && *a > 0.0 && *b > 0.0, "two numbers above 0"),
            Distribution::Poisson { rate } => ((0.0..1e18).contains(rate), "a rate from 0 up to 1e18"),
            Distribution::Binomial { count, chance: p } => {
                (chance(*p) && *count <= 1 << 60, "a chance between 0 and 1, and at most 2^60 trials")
            }
            Distribution::Geometric { chance: p } => (chance(*p) && *p > 0.0, "a chance above 0, at most 1"),
            Distribution::NegativeBinomial { count, chance: p } => {
                let fits = count.is_finite() && *count > 0.0 && chance(*p) && *p > 0.0 && count / p < 1e18;
                (fits, "a count above 0, a chance above 0 and at most 1, and fewer than 1e18 trials")
            }
            Distribution::Hypergeometric { good, bad, sample } => {
                let fits = good.max(bad) <= &MOST && *sample <= good + bad;
                (fits, "at most 1e9 good and bad ones, and a sample of no more than there are")
            }
            Distribution::LogSeries { p } => ((0.0..1.0).contains(p), "a number from 0 up to and without 1"),
            Distribution::Zipf { a } => (a.is_finite() && *a > 1.0, "an exponent above 1"),
            Distribution::VonMises { mean, concentration } => {
                (finite(&[*mean, *concentration]) && *concentration >= 0.0, "a concentration of at least 0")
            }
            Distribution::NoncentralChiSquare { freedom, shift } => (
                freedom.is_finite() && *freedom > 0.0 && (0.0..1e18).contains(shift),
                "degrees of freedom above 0, a shift from 0 up to 1e18",
            ),
            Distribution::Choice { values, shares } => {
                let shares_fit =
                    |shares: &Vec<f64>| shares.len() == values.len() && shares.last().is_some_and(|sum| sum.is_finite() && *sum > 0.0);
                (
                    !values.is_empty() && shares.as_ref().is_none_or(shares_fit),
                    "something to choose from, and a weight of at least 0 for each",
                )
            }
        };
        if fits {
            return Ok(());
        }
        Err(Failure::new(Code::InvalidOption, format!("a random array needs {asked}")).detail("given", format!("{self:?}")))
    }
}

struct Drawn {
    name: &'static str,
    meta: Meta,
    stream: Stream,
    distribution: Distribution,
}

impl Step for Drawn {
    fn line(&self) -> String {
        format!("random {} {}, seed {}", self.name, self.meta.show_shape(), self.stream.seed)
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op =
            RandomBlock { stream: self.stream, distribution: self.distribution.clone(), shape: self.meta.shape()?, dtype: self.meta.dtype };
        let args = self.meta.places()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("random", OpRef::new(op, self.line()), args, Vec::new()), node))
    }
}
