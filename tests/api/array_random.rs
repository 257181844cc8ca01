//! Random arrays: the same however they are cut and whoever makes them, and spread as they should be.

use super::arrays::{bits, check_by, chunkings, failure, shapes};
use partita::graph::Serial;
use partita::ndarray::{ArrayD, Axis};
use partita::prelude::*;
use partita::{Code, Element, Random, operator_registry};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, proptest};

fn serial<T: Element>(array: &DArray<T>) -> ArrayD<T> {
    array.compute_on(&Serial::new(operator_registry())).unwrap()
}

/// Mean and variance of many elements: five deviations of the mean, and a tenth of the variance.
fn check(array: &DArray<f64>, mean: f64, variance: f64) {
    check_by(
        array,
        |found| {
            let n = found.len() as f64;
            let (m, v) = (found.sum() / n, found.var(0.0));
            (m - mean).abs() <= 5.0 * (variance / n).sqrt() && (v - variance).abs() <= 0.1 * variance
        },
        &format!("mean {mean}, variance {variance}"),
    );
}

const N: usize = 40_000;
const CHUNK: usize = 9_000;

#[test]
fn distributions_have_their_mean_and_variance() {
    let rng = Random::new(20);
    check(&rng.normal(N, CHUNK), 0.0, 1.0);
    check(&rng.normal_with(5.0, 2.0, [200, 200], 90), 5.0, 4.0);
    check(&rng.uniform(N, CHUNK), 0.5, 1.0 / 12.0);
    check(&rng.uniform_with(-3.0, 1.0, N, CHUNK), -1.0, 16.0 / 12.0);
    check(&rng.integers(-2, 3, N, CHUNK).cast::<f64>(), 0.0, 2.0);
    check(&rng.exponential(2.0, N, CHUNK), 2.0, 4.0);
    check(&rng.gamma(3.0, 2.0, N, CHUNK), 6.0, 12.0);
    check(&rng.gamma(0.5, 1.0, N, CHUNK), 0.5, 0.5);
    check(&rng.beta(2.0, 3.0, N, CHUNK), 0.4, 0.04);
    check(&rng.poisson(4.0, N, CHUNK).cast::<f64>(), 4.0, 4.0);
    check(&rng.poisson(400.0, N, CHUNK).cast::<f64>(), 400.0, 400.0);
    check(&rng.binomial(30, 0.1, N, CHUNK).cast::<f64>(), 3.0, 2.7);
    check(&rng.binomial(1000, 0.7, N, CHUNK).cast::<f64>(), 700.0, 210.0);
    check(&rng.geometric(0.25, N, CHUNK).cast::<f64>(), 4.0, 12.0);
    check(&rng.negative_binomial(3.0, 0.5, N, CHUNK).cast::<f64>(), 3.0, 6.0);
    check(&rng.lognormal(0.0, 0.5, N, CHUNK).ln(), 0.0, 0.25);
    check(&rng.chisquare(6.0, N, CHUNK), 6.0, 12.0);
    check(&rng.standard_t(30.0, N, CHUNK), 0.0, 30.0 / 28.0);
    check(&rng.f(10.0, 60.0, N, CHUNK), 60.0 / 58.0, 2.0 * 3600.0 * 68.0 / (10.0 * 58.0f64.powi(2) * 56.0));
    check(&rng.laplace(1.0, 2.0, N, CHUNK), 1.0, 8.0);
    check(&rng.logistic(1.0, 2.0, N, CHUNK), 1.0, 4.0 * std::f64::consts::PI.powi(2) / 3.0);
    check(&rng.gumbel(0.0, 1.0, N, CHUNK), 0.577_215_664_9, std::f64::consts::PI.powi(2) / 6.0);
    check(&rng.weibull(1.0, N, CHUNK), 1.0, 1.0);
    check(&rng.pareto(10.0, N, CHUNK), 1.0 / 9.0, 10.0 / 648.0);
    check(&rng.rayleigh(1.0, N, CHUNK), (std::f64::consts::PI / 2.0).sqrt(), 2.0 - std::f64::consts::PI / 2.0);
    check(&rng.power(2.0, N, CHUNK), 2.0 / 3.0, 1.0 / 18.0);
    check(&rng.triangular(0.0, 1.0, 3.0, N, CHUNK), 4.0 / 3.0, 7.0 / 18.0);
    check(&rng.standard_cauchy(N, CHUNK).gt(1.0).cast::<f64>(), 0.25, 0.1875);
    check(&rng.hypergeometric(30, 20, 10, N, CHUNK).cast::<f64>(), 6.0, 10.0 * 0.24 * 40.0 / 49.0);
    check(&rng.logseries(0.6, N, CHUNK).cast::<f64>(), 1.637_034, 1.412_703);
    check(&rng.zipf(2.0, N, CHUNK).eq(1i64).cast::<f64>(), 0.607_927, 0.238_352);
    check(&(rng.vonmises(1.0, 2.0, N, CHUNK) - 1.0).cos(), 0.697_774_7, 0.164_223);
    check(&rng.noncentral_chisquare(3.0, 2.0, N, CHUNK), 5.0, 14.0);
    check(&rng.noncentral_chisquare(0.5, 4.0, N, CHUNK), 4.5, 17.0);
    check(&rng.noncentral_f(10.0, 60.0, 5.0, N, CHUNK), 900.0 / 580.0, 72.0 * (225.0 + 1160.0) / (58.0f64.powi(2) * 56.0));
    check(&rng.wald(2.0, 5.0, N, CHUNK), 2.0, 1.6);
    check(&rng.choice(&[1.0, 3.0], N, CHUNK), 2.0, 1.0);
    check(&rng.choice_weighted(&[1.0, 3.0], &[3.0, 1.0], N, CHUNK), 1.5, 0.75);
}

#[test]
fn rows_of_counts_have_their_means_and_covariances() {
    let rng = Random::new(31);
    let throws = rng.multinomial(12, &[0.1, 0.2, 0.7], [200, 200], [90, 200]);
    assert_eq!(throws.chunksize().unwrap(), [90, 200, 3]);
    check_by(&throws.sum_axis(2), |found| found.iter().all(|sum| *sum == 12), "12");
    let kind = |kind: isize| throws.index_axis(2, kind).cast::<f64>();
    check(&kind(0), 1.2, 1.08);
    check(&kind(2), 8.4, 2.52);
    // The variance of a sum tells the covariance.
    check(&(kind(0) + kind(1)), 3.6, 2.52);
    let hands = rng.multivariate_hypergeometric(&[10, 20, 30], 6, N, CHUNK);
    check_by(&hands.sum_axis(1), |found| found.iter().all(|sum| *sum == 6), "6");
    let kind = |kind: isize| hands.index_axis(1, kind).cast::<f64>();
    let variance = |share: f64| 6.0 * share * (1.0 - share) * 54.0 / 59.0;
    check(&kind(0), 1.0, variance(1.0 / 6.0));
    check(&kind(1), 2.0, variance(1.0 / 3.0));
    check(&(kind(0) + kind(1)), 3.0, variance(0.5));
    // One row, without axes before it.
    check_by(&rng.multinomial(3, &[0.0, 1.0], (), 1), |found| found.iter().copied().eq([0, 3]), "0 and 3");
    check_by(&rng.multivariate_hypergeometric(&[2, 5], 7, [0, 2], 1), |found| found.shape() == [0, 2, 2], "no rows");
    // Blocks of new arrays are as large as others, however many kinds there are.
    let wide = rng.multinomial(3, &[1.0 / 1024.0; 1024], [1 << 20], "auto");
    assert!(wide.chunksize().unwrap()[0] <= 1 << 14);
}

#[test]
fn bounds_are_kept() {
    let rng = Random::new(4);
    check_by(&rng.uniform_with(1.0, 1.0 + f64::EPSILON, 1000, 300), |found| found.iter().all(|x| *x == 1.0), "1");
    check_by(
        &rng.integers(i64::MIN, i64::MAX, 1000, 300),
        |found| found.iter().any(|x| *x < 0) && found.iter().any(|x| *x > 0),
        "both signs",
    );
    check_by(&rng.integers(3, 4, 1000, 300), |found| found.iter().all(|x| *x == 3), "3");
    check_by(&rng.normal_with(2.0, 0.0, 10, 3), |found| found.iter().all(|x| *x == 2.0), "2");
}

#[test]
fn calls_have_nothing_to_do_with_each_other() {
    let rng = Random::new(1);
    let (first, second) = (serial(&rng.bits(100, 7)), serial(&rng.bits(100, 7)));
    assert!(first.iter().zip(&second).all(|(a, b)| a != b));
    let again = Random::new(1);
    assert_eq!((first, second), (serial(&again.bits(100, 30)), serial(&again.bits(100, 100))));
    assert_ne!(serial(&Random::new(2).bits(100, 7)), serial(&Random::new(3).bits(100, 7)));
    // What is fixed for ever: changing it changes everybody's results.
    let words: Vec<u64> = serial(&Random::new(0).bits(2, 2)).into_iter().collect();
    assert_eq!(words, [0xE169_C58D_6627_E8D5, 0x9B00_DBD8_BC57_AC4C]);
}

#[test]
fn orders() {
    let rng = Random::new(6);
    let order = rng.permutation(1000, 300);
    check_by(&order, |found| found.iter().enumerate().any(|(at, place)| at as i64 != *place), "not in order");
    check_by(&order.sort(0), |found| found.iter().copied().eq(0..1000), "each once");
    let table = DArray::from_fn([50, 3], [20, 3], |index| index[0] as i64);
    let shuffled = serial(&rng.permuted(&table, 0));
    assert!(shuffled.rows().into_iter().all(|row| row.iter().all(|x| *x == row[0])));
    let mut firsts: Vec<i64> = shuffled.index_axis(Axis(1), 0).iter().copied().collect();
    assert_ne!(firsts, (0..50).collect::<Vec<i64>>());
    firsts.sort_unstable();
    assert_eq!(firsts, (0..50).collect::<Vec<i64>>());
}

#[test]
fn parameters_that_no_distribution_has_are_refused() {
    let rng = Random::new(0);
    let text = failure(&rng.normal_with(0.0, -1.0, 10, 5), Code::InvalidOption);
    assert!(text.contains("a deviation of at least 0") && text.contains("array_random.rs"), "{text}");
    failure(&rng.integers(3, 3, 10, 5), Code::InvalidOption);
    failure(&rng.uniform_with(1.0, 0.0, 10, 5), Code::InvalidOption);
    failure(&rng.poisson(-1.0, 10, 5), Code::InvalidOption);
    failure(&rng.binomial(5, 1.5, 10, 5), Code::InvalidOption);
    failure(&rng.geometric(0.0, 10, 5), Code::InvalidOption);
    failure(&rng.negative_binomial(1e10, 1e-12, 10, 5), Code::InvalidOption);
    failure(&rng.negative_binomial(3.0, f64::from_bits(1), 10, 5), Code::InvalidOption);
    failure(&rng.uniform_with(f64::MIN, f64::MAX, 10, 5), Code::InvalidOption);
    failure(&rng.gamma(0.0, 1.0, 10, 5), Code::InvalidOption);
    failure(&rng.hypergeometric(3, 2, 6, 10, 5), Code::InvalidOption);
    failure(&rng.hypergeometric(1 << 40, 2, 6, 10, 5), Code::InvalidOption);
    let text = failure(&rng.multinomial(3, &[0.5, 0.4], 10, 5), Code::InvalidOption);
    assert!(text.contains("chances between 0 and 1 that are 1 together") && text.contains("array_random.rs"), "{text}");
    failure(&rng.multinomial(3, &[], 10, 5), Code::InvalidOption);
    failure(&rng.multinomial(3, &[1.5, -0.5], 10, 5), Code::InvalidOption);
    failure(&rng.multinomial(3, &[f64::NAN, 1.0], 10, 5), Code::InvalidOption);
    failure(&rng.multivariate_hypergeometric(&[], 0, 10, 5), Code::InvalidOption);
    failure(&rng.multivariate_hypergeometric(&[1, 2], 4, 10, 5), Code::InvalidOption);
    failure(&rng.multivariate_hypergeometric(&[u64::MAX, u64::MAX], 4, 10, 5), Code::InvalidOption);
    failure(&rng.multinomial(3, &[1.0], [10], [5, 5]), Code::ShapeMismatch);
    failure(&rng.logseries(1.0, 10, 5), Code::InvalidOption);
    failure(&rng.zipf(1.0, 10, 5), Code::InvalidOption);
    failure(&rng.vonmises(0.0, -1.0, 10, 5), Code::InvalidOption);
    failure(&rng.noncentral_chisquare(0.0, 1.0, 10, 5), Code::InvalidOption);
    failure(&rng.choice::<f64>(&[], 10, 5), Code::InvalidOption);
    failure(&rng.choice_weighted(&[1, 2], &[1.0], 10, 5), Code::InvalidOption);
    failure(&rng.choice_weighted(&[1, 2], &[1.0, -1.0], 10, 5), Code::InvalidOption);
    failure(&rng.normal([10], [5, 5]), Code::ShapeMismatch);
}

/// Trials that hardly ever succeed take longer than can be counted.
#[test]
fn what_is_too_large_to_count_is_the_largest_count() {
    check_by(&Random::new(4).geometric(1e-300, 10, 5), |found| found.iter().all(|count| *count == i64::MAX), "the largest");
}

/// Makes an array in given chunks.
type Maker<'a> = dyn Fn(&Random, Vec<Vec<usize>>) -> DArray<f64> + 'a;

#[test]
fn chunks_change_no_permutation() {
    let orders = [1, 7, 64, 1000].map(|chunk| serial(&Random::new(9).permutation(1000, chunk)));
    orders.iter().for_each(|order| assert_eq!(*order, orders[0]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_no_element(
        (shape, first, second) in shapes().prop_flat_map(|shape| (Just(shape.clone()), chunkings(shape.clone()), chunkings(shape))),
        seed in any::<u64>(),
    ) {
        let both = |make: &Maker<'_>| {
            (bits(&serial(&make(&Random::new(seed), first.clone()))), bits(&serial(&make(&Random::new(seed), second.clone()))))
        };
        let (a, b) = both(&|rng, chunks| rng.normal(shape.clone(), chunks));
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.gamma(0.7, 1.0, shape.clone(), chunks));
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.poisson(30.0, shape.clone(), chunks).cast::<f64>());
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.multinomial(40, &[0.2, 0.5, 0.3], shape.clone(), chunks).cast::<f64>());
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.multivariate_hypergeometric(&[9, 4, 30], 11, shape.clone(), chunks).cast::<f64>());
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.integers(-5, 1 << 40, shape.clone(), chunks).cast::<f64>());
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.exponential(2.0, shape.clone(), chunks));
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.binomial(1000, 0.3, shape.clone(), chunks).cast::<f64>());
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.choice(&[1.5, -2.0, 7.0], shape.clone(), chunks));
        prop_assert_eq!(a, b);
        let (a, b) = both(&|rng, chunks| rng.choice_weighted(&[1.5, -2.0, 7.0], &[0.2, 3.0, 1.0], shape.clone(), chunks));
        prop_assert_eq!(a, b);
        if !shape.is_empty() {
            let (a, b) = both(&|rng, chunks| rng.permuted(&DArray::from_fn(shape.clone(), chunks, |at| at[0] as f64), 0));
            prop_assert_eq!(a, b);
        }
    }
}
