//! Tests of samples, as `dask.array.stats` and SciPy have them: whether means, variances and forms differ by more than chance.
//!
//! It refuses to read elements: everything is made of moments, which are reductions, and of the tails of distributions. All is in `f64`.

use partita_graph::{Code, Failure};

use super::tails::{Tail, tail};
use crate::array::meta::axis_of;
use crate::array::{DArray, Real, where_};

/// What a test of samples gives. Both are lazy.
#[derive(Clone)]
#[non_exhaustive]
pub struct Tested {
    /// How far the samples are from what is supposed.
    pub statistic: DArray<f64>,
    /// How likely chance alone brings them at least as far.
    pub pvalue: DArray<f64>,
}

impl Tested {
    fn of(statistic: DArray<f64>, pvalue: DArray<f64>) -> Self {
        Self { statistic, pvalue }
    }

    #[track_caller]
    fn failed(failure: Failure, method: &str) -> Self {
        Self { statistic: DArray::failed(failure.clone(), method), pvalue: DArray::failed(failure, method) }
    }
}

impl<T: Real> DArray<T> {
    /// How much longer the tail of larger elements is than that of smaller ones, along an axis: the third central moment over the third power of the
    /// deviation. Zero where all are the same.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.0, 2.0, 3.0, 10.0], 2);
    /// assert!((x.skew(0).compute_scalar()? - 1.018_233_764_908_628).abs() < 1e-12);
    /// assert_eq!(DArray::<f64>::full([3], 0.1, 2).skew(0).compute_scalar()?, 0.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn skew(&self, axis: isize) -> DArray<f64> {
        let x = self.cast::<f64>();
        let spread = x.moment(2, axis);
        (x.moment(3, axis) / spread.pow(1.5)).where_(&differs(&x, axis, &spread), 0.0)
    }

    /// How much heavier the tails are than those of a normal distribution, along an axis: the fourth central moment over the square of the
    /// variance, less 3, which a normal distribution has; see [`DArray::moment`]. -3 where all elements are the same.
    ///
    /// # Errors
    /// As [`DArray::skew`].
    #[track_caller]
    pub fn kurtosis(&self, axis: isize) -> DArray<f64> {
        let x = self.cast::<f64>();
        let spread = x.moment(2, axis);
        (x.moment(4, axis) / spread.square()).where_(&differs(&x, axis, &spread), 0.0) - 3.0
    }

    /// Whether [`DArray::skew`] is that of a normal distribution (R. B. D'Agostino). At least 8 elements along the axis.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, whose length is not known, or of fewer than 8 elements.
    #[track_caller]
    pub fn skewtest(&self, axis: isize) -> Tested {
        match self.counted(axis, 8) {
            Ok(n) => normal(self.skew_distance(axis, n), ".skewtest(…)"),
            Err(failure) => Tested::failed(failure, ".skewtest(…)"),
        }
    }

    /// Whether [`DArray::kurtosis`] is that of a normal distribution (F. J. Anscombe, W. J. Glynn). At least 5 elements along the axis.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, whose length is not known, or of fewer than 5 elements.
    #[track_caller]
    pub fn kurtosistest(&self, axis: isize) -> Tested {
        match self.counted(axis, 5) {
            Ok(n) => normal(self.kurtosis_distance(axis, n), ".kurtosistest(…)"),
            Err(failure) => Tested::failed(failure, ".kurtosistest(…)"),
        }
    }

    /// Whether elements along an axis come from a normal distribution, by the squares of what [`DArray::skewtest`] and [`DArray::kurtosistest`]
    /// find. At least 8 elements along the axis.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let rng = Random::new(5);
    /// assert!(rng.normal([5000], 1000).normaltest(0).pvalue.compute_scalar()? > 0.01);
    /// assert!(rng.uniform([5000], 1000).normaltest(0).pvalue.compute_scalar()? < 1e-10);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::skewtest`].
    #[track_caller]
    pub fn normaltest(&self, axis: isize) -> Tested {
        match self.counted(axis, 8) {
            Ok(n) => {
                let statistic = self.skew_distance(axis, n).square() + self.kurtosis_distance(axis, n).square();
                let pvalue = tail(Tail::ChiSquare { freedom: 2.0 }, &[&statistic], ".normaltest(…)");
                Tested::of(statistic, pvalue)
            }
            Err(failure) => Tested::failed(failure, ".normaltest(…)"),
        }
    }

    /// Whether the mean along an axis is this one, by Student's t.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose length is not known.
    #[track_caller]
    pub fn ttest_1samp(&self, mean: f64, axis: isize) -> Tested {
        match self.counted(axis, 0) {
            Ok(n) => {
                let x = self.cast::<f64>();
                let statistic = (x.mean_axis(axis) - mean) / (x.var_axis(axis, 1.0) / n).sqrt();
                student(statistic, &DArray::full((), n - 1.0, 1), ".ttest_1samp(…)")
            }
            Err(failure) => Tested::failed(failure, ".ttest_1samp(…)"),
        }
    }

    /// Whether two samples, of which each element belongs to one of the other, have the same mean along an axis.
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together, an axis that does not exist or whose length is not known.
    #[track_caller]
    pub fn ttest_rel(&self, other: &DArray<T>, axis: isize) -> Tested {
        (self.cast::<f64>() - other.cast::<f64>()).ttest_1samp(0.0, axis)
    }

    /// Whether two samples that have nothing to do with each other have the same mean along an axis. Variances are taken for the same (Student), or
    /// each by itself (Welch).
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let rng = Random::new(7);
    /// let (a, b) = (rng.normal([400], 100), rng.normal_with(0.5, 2.0, [300], 100));
    /// assert!(a.ttest_ind(&b, 0, false).pvalue.compute_scalar()? < 0.01);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together beside the axis, an axis that does not exist or whose length is not known.
    #[track_caller]
    pub fn ttest_ind(&self, other: &DArray<T>, axis: isize, same_variance: bool) -> Tested {
        let (n, m) = match (self.counted(axis, 0), other.counted(axis, 0)) {
            (Ok(n), Ok(m)) => (n, m),
            (Err(failure), _) | (_, Err(failure)) => return Tested::failed(failure, ".ttest_ind(…)"),
        };
        let (x, y) = (self.cast::<f64>(), other.cast::<f64>());
        let (vx, vy) = (x.var_axis(axis, 1.0), y.var_axis(axis, 1.0));
        let distance = x.mean_axis(axis) - y.mean_axis(axis);
        if same_variance {
            let freedom = n + m - 2.0;
            let both = (vx * (n - 1.0) + vy * (m - 1.0)) / freedom;
            return student(distance / (both * (1.0 / n + 1.0 / m)).sqrt(), &DArray::full((), freedom, 1), ".ttest_ind(…)");
        }
        let (vx, vy) = (vx / n, vy / m);
        let both = &vx + &vy;
        let freedom = both.square() / (vx.square() / (n - 1.0) + vy.square() / (m - 1.0));
        // Without any variance there is nothing to divide, as in SciPy.
        student(distance / both.sqrt(), &freedom.where_(&!freedom.is_nan(), 1.0), ".ttest_ind(…)")
    }

    /// Whether counts along an axis are as expected, by Pearson's chi-square; without expected ones all are expected to be the same.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let counts = DArray::from_array(partita::ndarray::array![16, 18, 16, 14, 12, 12], 4);
    /// let found = counts.chisquare(None, 0);
    /// assert_eq!(found.statistic.compute_scalar()?, 2.0);
    /// assert!((found.pvalue.compute_scalar()? - 0.849_145_036_084_609_6).abs() < 1e-12);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together, an axis that does not exist or whose length is not known.
    #[track_caller]
    pub fn chisquare(&self, expected: Option<&DArray<f64>>, axis: isize) -> Tested {
        self.power_divergence(expected, axis, 1.0)
    }

    /// [`DArray::chisquare`] of another member of the family of N. Cressie and T. R. C. Read: 1 is Pearson's, 0 the logarithm of the likelihood,
    /// -1/2 Freeman's and Tukey's, -1 the likelihood the other way round, -2 Neyman's, 2/3 their own.
    ///
    /// # Errors
    /// As [`DArray::chisquare`].
    #[track_caller]
    pub fn power_divergence(&self, expected: Option<&DArray<f64>>, axis: isize, power: f64) -> Tested {
        let n = match self.counted(axis, 0) {
            Ok(n) => n,
            Err(failure) => return Tested::failed(failure, ".power_divergence(…)"),
        };
        let found = self.cast::<f64>();
        let expected = expected.cloned().unwrap_or_else(|| found.mean_axis(crate::array::Axes::of(axis).keepdims()));
        let terms = if power == 1.0 {
            (&found - &expected).square() / &expected
        } else if power == 0.0 {
            // Of nothing there is no logarithm, and it counts for nothing.
            let logarithms = &found * (&found / &expected).ln() * 2.0;
            where_(&found.eq(0.0), DArray::full((), 0.0, 1), &logarithms)
        } else if power == -1.0 {
            let logarithms = &expected * (&expected / &found).ln() * 2.0;
            where_(&(expected.eq(0.0) & found.neq(0.0)), DArray::full((), 0.0, 1), &logarithms)
        } else {
            (&found * ((&found / &expected).pow(power) - 1.0)) * (2.0 / (power * (power + 1.0)))
        };
        let statistic = terms.sum_axis(axis);
        let pvalue = tail(Tail::ChiSquare { freedom: n - 1.0 }, &[&statistic], ".power_divergence(…)");
        Tested::of(statistic, pvalue)
    }

    /// The length of an axis, of which there must be so many elements at least.
    fn counted(&self, axis: isize, least: usize) -> Result<f64, Failure> {
        let shape = self.shape()?;
        let len = shape[axis_of(axis, shape.len())?];
        if len < least {
            let what = format!("this test of {len} elements along axis {axis}");
            return Err(Failure::new(Code::InvalidOption, what).help(format!("it needs at least {least}")));
        }
        Ok(len as f64)
    }

    /// How many deviations the skew is from that of a normal distribution.
    #[track_caller]
    fn skew_distance(&self, axis: isize, n: f64) -> DArray<f64> {
        let y = self.skew(axis) * ((n + 1.0) * (n + 3.0) / (6.0 * (n - 2.0))).sqrt();
        let beta = 3.0 * (n * n + 27.0 * n - 70.0) * (n + 1.0) * (n + 3.0) / ((n - 2.0) * (n + 5.0) * (n + 7.0) * (n + 9.0));
        let square = (2.0 * (beta - 1.0)).sqrt() - 1.0;
        let (delta, alpha) = ((0.5 * square.ln()).sqrt().recip(), (2.0 / (square - 1.0)).sqrt());
        (y.where_(&y.neq(0.0), 1.0) / alpha).asinh() * delta
    }

    /// How many deviations the kurtosis is from that of a normal distribution.
    #[track_caller]
    fn kurtosis_distance(&self, axis: isize, n: f64) -> DArray<f64> {
        let expected = 3.0 * (n - 1.0) / (n + 1.0);
        let variance = 24.0 * n * (n - 2.0) * (n - 3.0) / ((n + 1.0) * (n + 1.0) * (n + 3.0) * (n + 5.0));
        let x = (self.kurtosis(axis) + 3.0 - expected) / variance.sqrt();
        let root =
            6.0 * (n * n - 5.0 * n + 2.0) / ((n + 7.0) * (n + 9.0)) * (6.0 * (n + 3.0) * (n + 5.0) / (n * (n - 2.0) * (n - 3.0))).sqrt();
        let a = 6.0 + 8.0 / root * (2.0 / root + (1.0 + 4.0 / (root * root)).sqrt());
        let below = x * (2.0 / (a - 4.0)).sqrt() + 1.0;
        let cube = below.sign() * ((1.0 - 2.0 / a) / below.abs()).cbrt();
        ((1.0 - 2.0 / (9.0 * a)) - cube) / (2.0 / (9.0 * a)).sqrt()
    }
}

/// Where not all elements along an axis are the same. The spread of such that are need not be zero: their mean is rounded.
#[track_caller]
fn differs(x: &DArray<f64>, axis: isize, spread: &DArray<f64>) -> DArray<bool> {
    let is_spread = spread.neq(0.0);
    // Of no elements there is no least one.
    if x.shape().is_ok_and(|shape| shape.contains(&0)) { is_spread } else { x.min_axis(axis).neq(x.max_axis(axis)) & is_spread }
}

#[track_caller]
fn normal(statistic: DArray<f64>, method: &str) -> Tested {
    let pvalue = tail(Tail::Normal, &[&statistic], method);
    Tested::of(statistic, pvalue)
}

#[track_caller]
fn student(statistic: DArray<f64>, freedom: &DArray<f64>, method: &str) -> Tested {
    let pvalue = tail(Tail::Student, &[&statistic, freedom], method);
    Tested::of(statistic, pvalue)
}

/// Whether samples have the same mean, by the variance between them and that within each: one way of R. A. Fisher's analysis of variance. Each sample
/// has one axis.
///
/// ```
/// use partita::{Random, f_oneway, prelude::*};
/// let rng = Random::new(3);
/// let samples = [0.0, 0.0, 1.0].map(|mean| rng.normal_with(mean, 1.0, [200], 50));
/// assert!(f_oneway(&[&samples[0], &samples[1]]).pvalue.compute_scalar()? > 0.001);
/// assert!(f_oneway(&[&samples[0], &samples[1], &samples[2]]).pvalue.compute_scalar()? < 1e-10);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: fewer than two samples, one of another number of axes than one, lengths that are not known.
#[track_caller]
pub fn f_oneway<T: Real>(samples: &[&DArray<T>]) -> Tested {
    let mut lens = Vec::with_capacity(samples.len());
    for sample in samples {
        match sample.shape().as_deref() {
            Ok([len]) => lens.push(*len as f64),
            Ok(shape) => {
                let what = format!("a sample of shape {shape:?}");
                return Tested::failed(Failure::new(Code::ShapeMismatch, what).help("samples of one axis: .ravel()"), "f_oneway(…)");
            }
            Err(failure) => return Tested::failed(failure.clone(), "f_oneway(…)"),
        }
    }
    let (count, all) = (samples.len() as f64, lens.iter().sum::<f64>());
    let samples: Vec<DArray<f64>> = samples.iter().map(|sample| sample.cast::<f64>()).collect();
    let sum = samples.iter().map(|sample| sample.sum()).reduce(|a, b| a + b);
    let within = samples.iter().zip(&lens).map(|(sample, len)| sample.var(0.0) * *len).reduce(|a, b| a + b);
    let (Some(sum), Some(within)) = (sum, within) else {
        let failure = Failure::new(Code::InvalidOption, "a comparison of no samples").help("two samples at least");
        return Tested::failed(failure, "f_oneway(…)");
    };
    if samples.len() < 2 {
        let failure = Failure::new(Code::InvalidOption, "a comparison of one sample").help("two samples at least");
        return Tested::failed(failure, "f_oneway(…)");
    }
    let mean = sum / all;
    let apart = samples.iter().zip(&lens).map(|(sample, len)| (sample.mean() - &mean).square() * *len).reduce(|a, b| a + b);
    let (above, below) = (count - 1.0, all - count);
    let statistic = (apart.unwrap_or_else(|| mean.clone()) / above) / (within / below);
    let pvalue = tail(Tail::Fisher { above, below }, &[&statistic], "f_oneway(…)");
    Tested::of(statistic, pvalue)
}
