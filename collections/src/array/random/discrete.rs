//! Counts: the Poisson, the binomial and the hypergeometric distribution. Small ones by going through the chances one after the other, large ones by rejection
//! (W. Hörmann, "The transformed rejection method for generating Poisson random variables" and "The generation of binomial random variates",
//! both 1993).

use super::draws::Draws;

/// Means from here on are drawn by rejection.
const LARGE: f64 = 10.0;

/// How many events come, at this rate.
pub fn poisson(draws: &mut Draws, rate: f64) -> i64 {
    if rate >= LARGE {
        return large_poisson(draws, rate);
    }
    let mut left = draws.uniform();
    let mut chance = (-rate).exp();
    let mut count = 0;
    // Chances that are too small to matter end the walk, so that rounding cannot keep it going.
    while left >= chance && chance > 1e-300 {
        left -= chance;
        count += 1;
        chance *= rate / f64::from(count);
        if chance < f64::EPSILON * 1e-3 && f64::from(count) > rate {
            break;
        }
    }
    i64::from(count)
}

fn large_poisson(draws: &mut Draws, rate: f64) -> i64 {
    let (root, log) = (rate.sqrt(), rate.ln());
    let b = 0.931 + 2.53 * root;
    let a = -0.059 + 0.024_83 * b;
    let inverse = 1.1239 + 1.1328 / (b - 3.4);
    let sure = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let (u, v) = (draws.uniform() - 0.5, draws.above_zero());
        let distance = 0.5 - u.abs();
        let count = ((2.0 * a / distance + b) * u + rate + 0.43).floor();
        if distance >= 0.07 && v <= sure {
            return count as i64;
        }
        if count < 0.0 || (distance < 0.013 && v > distance) {
            continue;
        }
        let bound = -rate + count * log - log_factorial(count);
        if (v * inverse / (a / (distance * distance) + b)).ln() <= bound {
            return count as i64;
        }
    }
}

/// How many of so many trials succeed.
pub fn binomial(draws: &mut Draws, trials: u64, chance: f64) -> i64 {
    if chance > 0.5 {
        return trials as i64 - binomial(draws, trials, 1.0 - chance);
    }
    let n = trials as f64;
    if n * chance >= LARGE {
        return large_binomial(draws, n, chance);
    }
    let odds = chance / (1.0 - chance);
    let mut left = draws.uniform();
    let mut here = (n * (-chance).ln_1p()).exp();
    let mut count = 0;
    while left >= here && count < trials as i64 && here > 0.0 {
        left -= here;
        count += 1;
        here *= odds * (n - count as f64 + 1.0) / count as f64;
        if here < f64::EPSILON * 1e-3 && count as f64 > n * chance {
            break;
        }
    }
    count
}

/// The chance is at most a half.
fn large_binomial(draws: &mut Draws, n: f64, chance: f64) -> i64 {
    let deviation = (n * chance * (1.0 - chance)).sqrt();
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * chance;
    let centre = n * chance + 0.5;
    let sure = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * deviation;
    let log_odds = (chance / (1.0 - chance)).ln();
    let mode = ((n + 1.0) * chance).floor();
    let top = log_factorial(mode) + log_factorial(n - mode);
    loop {
        let (u, v) = (draws.uniform() - 0.5, draws.above_zero());
        let distance = 0.5 - u.abs();
        let count = ((2.0 * a / distance + b) * u + centre).floor();
        if distance >= 0.07 && v <= sure {
            return count as i64;
        }
        if !(0.0..=n).contains(&count) {
            continue;
        }
        let bound = top - log_factorial(count) - log_factorial(n - count) + (count - mode) * log_odds;
        if (v * alpha / (a / (distance * distance) + b)).ln() <= bound {
            return count as i64;
        }
    }
}

/// How many of a sample are good. Chances are gone through from the likeliest count to both sides, so that it takes as many steps as counts are
/// spread; there are at most 1e9 of each kind.
pub fn hypergeometric(draws: &mut Draws, good: u64, bad: u64, sample: u64) -> i64 {
    let (least, most) = (sample.saturating_sub(bad), good.min(sample));
    let (g, b, n) = (good as f64, bad as f64, sample as f64);
    let mode = ((n + 1.0) * (g + 1.0) / (g + b + 2.0)).floor().clamp(least as f64, most as f64);
    let choose = |all: f64, some: f64| log_factorial(all) - log_factorial(some) - log_factorial(all - some);
    let top = (choose(g, mode) + choose(b, n - mode) - choose(g + b, n)).exp();
    let mut left = draws.uniform() - top;
    let (mut above, mut below) = ((mode, top), (mode, top));
    while left >= 0.0 {
        let (rising, falling) = (above.0 < most as f64 && above.1 > 0.0, below.0 > least as f64 && below.1 > 0.0);
        if rising {
            let (k, chance) = above;
            above = (k + 1.0, chance * (g - k) * (n - k) / ((k + 1.0) * (b - n + k + 1.0)));
            left -= above.1;
            if left < 0.0 {
                return above.0 as i64;
            }
        }
        if falling {
            let (k, chance) = below;
            below = (k - 1.0, chance * k * (b - n + k) / ((g - k + 1.0) * (n - k + 1.0)));
            left -= below.1;
            if left < 0.0 {
                return below.0 as i64;
            }
        }
        if !rising && !falling {
            // What rounding has left over.
            break;
        }
    }
    mode as i64
}

/// The logarithm of `n!`, by Stirling's series; small ones are brought to where it is exact.
fn log_factorial(n: f64) -> f64 {
    let (mut x, mut below) = (n + 1.0, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::super::draws::each;
    use super::super::philox::Stream;
    use super::*;

    #[test]
    fn logarithms_of_factorials() {
        let mut expected = 0.0;
        for n in 1..200 {
            expected += f64::from(n).ln();
            let found = log_factorial(f64::from(n));
            assert!((found - expected).abs() < 1e-11 * expected.max(1.0), "{n}! : {found} instead of {expected}");
        }
        assert!(log_factorial(0.0).abs() < 1e-12);
    }

    /// Mean and variance of many, to five deviations of the mean.
    fn check(found: &[i64], mean: f64, variance: f64) {
        let n = found.len() as f64;
        let sample = found.iter().map(|x| *x as f64).sum::<f64>() / n;
        let spread = found.iter().map(|x| (*x as f64 - sample).powi(2)).sum::<f64>() / n;
        assert!((sample - mean).abs() <= 5.0 * (variance / n).sqrt(), "mean {sample} instead of {mean}");
        assert!((spread - variance).abs() <= 0.05 * variance, "variance {spread} instead of {variance}");
    }

    #[test]
    fn counts_have_their_mean_and_variance() {
        let stream = Stream { seed: 2, call: 9 };
        for rate in [0.0, 0.1, 1.0, 9.9, 10.0, 35.0, 1e4] {
            check(&each(&stream, 0, 100_000, |draws| poisson(draws, rate)), rate, rate);
        }
        for (trials, chance) in
            [(0, 0.3), (1, 0.5), (20, 0.0), (20, 1.0), (10, 0.2), (1000, 0.001), (50, 0.4), (50, 0.9), (1_000_000, 0.25)]
        {
            let n = trials as f64;
            check(&each(&stream, 7, 100_000, |draws| binomial(draws, trials, chance)), n * chance, n * chance * (1.0 - chance));
        }
        for (good, bad, sample) in [(0, 5, 3), (5, 0, 3), (1, 1, 1), (30, 20, 10), (30, 20, 45), (1_000_000, 3_000_000, 100_000)] {
            let (n, share) = (sample as f64, good as f64 / (good + bad) as f64);
            let variance = n * share * (1.0 - share) * ((good + bad) as f64 - n) / ((good + bad) as f64 - 1.0).max(1.0);
            check(&each(&stream, 3, 100_000, |draws| hypergeometric(draws, good, bad, sample)), n * share, variance);
        }
    }

    #[test]
    fn small_counts_are_as_likely_as_they_should_be() {
        let found = each(&Stream { seed: 8, call: 0 }, 0, 200_000, |draws| poisson(draws, 2.0));
        let share = |count: i64| found.iter().filter(|x| **x == count).count() as f64 / found.len() as f64;
        for (count, expected) in [(0, 0.135_335), (1, 0.270_671), (2, 0.270_671), (5, 0.036_089)] {
            assert!((share(count) - expected).abs() < 0.005, "{count}: {}", share(count));
        }
    }
}
