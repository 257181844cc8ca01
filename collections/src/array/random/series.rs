//! Whole numbers from 1 on whose chances are the terms of a series: logarithmic ones (A. Kemp, "Efficient generation of logarithmically
//! distributed pseudo-random variables", 1981) and those of the zeta function (L. Devroye, "Non-uniform random variate generation", 1986, X.6).

use super::draws::Draws;

/// No number is larger.
const LARGEST: f64 = (1u64 << 62) as f64;

/// From here on nobody sees another number than 1, and powers are beyond what floats hold.
const STEEPEST: f64 = 1000.0;

/// With chances as `p^k / k`.
pub fn logseries(draws: &mut Draws, p: f64) -> i64 {
    let log = (-p).ln_1p();
    loop {
        let v = draws.uniform();
        if v >= p {
            return 1;
        }
        let q = -(log * draws.uniform()).exp_m1();
        if v > q * q {
            return if v >= q { 1 } else { 2 };
        }
        let number = 1.0 + (v.ln() / q.ln()).floor();
        // Neither is one where a logarithm has no value.
        if (1.0..LARGEST).contains(&number) {
            return number as i64;
        }
    }
}

/// With chances as `k^-a`.
pub fn zipf(draws: &mut Draws, a: f64) -> i64 {
    if a > STEEPEST {
        return 1;
    }
    let less = a - 1.0;
    // What is left of 2^(a-1) without 1, also where it is tiny.
    let b = (less * std::f64::consts::LN_2).exp_m1();
    let least = LARGEST.powf(-less);
    loop {
        let (u, v) = (least + draws.above_zero() * (1.0 - least), draws.uniform());
        let number = u.powf(-1.0 / less).floor().clamp(1.0, LARGEST);
        // The same of (1 + 1/k)^(a-1).
        let above_one = (less * (1.0 / number).ln_1p()).exp_m1();
        if v * number * above_one / b <= (above_one + 1.0) / (b + 1.0) {
            return number as i64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::each;
    use super::super::philox::Stream;
    use super::*;

    /// The shares of 1, 2, 3 and 10 in many numbers, to five deviations.
    fn check(made: impl Fn(&mut Draws) -> i64, chance: impl Fn(f64) -> f64) {
        let found = each(&Stream { seed: 5, call: 1 }, 0, 200_000, made);
        let n = found.len() as f64;
        for number in [1, 2, 3, 10] {
            let share = found.iter().filter(|x| **x == number).count() as f64 / n;
            let expected = chance(number as f64);
            let deviation = (expected * (1.0 - expected) / n).sqrt();
            assert!((share - expected).abs() <= 5.0 * deviation + 1.0 / n, "{number}: {share} instead of {expected}");
        }
        assert!(found.iter().all(|number| *number >= 1));
    }

    #[test]
    fn chances_are_the_terms_of_the_series() {
        for p in [0.0, 1e-9, 0.3, 0.9, 0.999] {
            check(|draws| logseries(draws, p), |k| if p == 0.0 { f64::from(u8::from(k == 1.0)) } else { -p.powf(k) / k / (-p).ln_1p() });
        }
        for (a, zeta) in [(1.5, 2.612_375_348_685), (2.0, std::f64::consts::PI.powi(2) / 6.0), (4.0, std::f64::consts::PI.powi(4) / 90.0)] {
            check(|draws| zipf(draws, a), |k| k.powf(-a) / zeta);
        }
        for (a, u) in [(1000.0, 1), (1e300, 1)] {
            assert_eq!(each(&Stream { seed: 5, call: 3 }, 0, 100, |draws| zipf(draws, a)), [u; 100]);
        }
        // Nearly all numbers of such an exponent would be too large.
        for a in [1.0 + 1e-12, 1.01] {
            let found = each(&Stream { seed: 5, call: 2 }, 0, 20, |draws| zipf(draws, a));
            assert!(found.iter().all(|number| (1..=1 << 62).contains(number)), "{found:?}");
        }
    }
}
