//! Transforms of real numbers by complex ones of half as many: neighbours are taken as the parts of one number, and what that mixes is
//! told apart afterwards (Cooley, Lewis and Welch 1970).
//!
//! The invariant: a lane is looked at alone, so that NaN in one of them does not reach the others.

use std::f64::consts::PI;

use num_complex::Complex;

use super::lanes::Digits;

/// What the frequencies of odd places are turned by, from the zero frequency to the middle one, of a transform over an even number of
/// elements.
pub(super) fn turns<F: Digits>(count: usize) -> Vec<Complex<F>> {
    let turn = |k: usize| {
        let (sin, cos) = match k {
            // These two are exact, so that what is real in the middle stays real.
            _ if 2 * k == count => (0.0, -1.0),
            _ if 4 * k == count => (-1.0, 0.0),
            _ => (-2.0 * PI * k as f64 / count as f64).sin_cos(),
        };
        Complex::new(F::of_f64(cos), F::of_f64(sin))
    };
    (0..=count / 2).map(turn).collect()
}

/// Pushes the frequencies, from zero to the middle one, of real numbers: `mixed` are those of complex numbers that were made of pairs of
/// them.
pub(super) fn unmix<F: Digits>(mixed: &[Complex<F>], turns: &[Complex<F>], out: &mut Vec<Complex<F>>) {
    let (len, half) = (mixed.len(), F::of_f64(0.5));
    for (k, turn) in turns.iter().enumerate() {
        let (own, other) = (mixed[k % len], mixed[(len - k) % len].conj());
        let (even, odd) = ((own + other).scale(half), (own - other).scale(half));
        out.push(even + *turn * Complex::new(odd.im, -odd.re));
    }
}

/// The way back: frequencies whose inverse transform is made of pairs of real numbers. The first and the last of those given are taken
/// without their imaginary parts, which no real numbers have.
pub(super) fn mix<F: Digits>(frequencies: &[Complex<F>], turns: &[Complex<F>], out: &mut [Complex<F>]) {
    let len = out.len();
    let at = |k: usize| if k == 0 || k == len { Complex::new(frequencies[k].re, F::default()) } else { frequencies[k] };
    for (k, out) in out.iter_mut().enumerate() {
        let (own, other) = (at(k), at(len - k).conj());
        let (even, odd) = (own + other, (own - other) * turns[k].conj());
        *out = Complex::new(even.re - odd.im, even.im + odd.re);
    }
}

/// All frequencies of an odd number of real numbers, given those from zero on.
pub(super) fn mirror<F: Digits>(given: &[Complex<F>], out: &mut [Complex<F>]) {
    let len = out.len();
    out[0] = Complex::new(given[0].re, F::default());
    for (k, value) in given.iter().enumerate().skip(1) {
        out[k] = *value;
        out[len - k] = value.conj();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[Complex<f64>], expected: &[(f64, f64)]) {
        assert_eq!(found.len(), expected.len());
        for (found, (re, im)) in found.iter().zip(expected) {
            assert!((found - Complex::new(*re, *im)).norm() < 1e-15, "{found} and not {re}{im:+}i");
        }
    }

    #[test]
    fn pairs_are_told_apart_and_put_together() {
        // 1, 2, 3, 4 as 1 + 2i and 3 + 4i, whose frequencies are 4 + 6i and -2 - 2i.
        let (mixed, turns) = ([Complex::new(4.0, 6.0), Complex::new(-2.0, -2.0)], turns::<f64>(4));
        let mut found = Vec::new();
        unmix(&mixed, &turns, &mut found);
        near(&found, &[(10.0, 0.0), (-2.0, 2.0), (-2.0, 0.0)]);
        found[0].im = 7.0;
        let mut back = [Complex::default(); 2];
        mix(&found, &turns, &mut back);
        near(&back, &[(8.0, 12.0), (-4.0, -4.0)]);
    }

    #[test]
    fn the_other_half_is_conjugate() {
        let mut all = [Complex::default(); 5];
        mirror(&[Complex::new(1.0, 9.0), Complex::new(2.0, 3.0), Complex::new(4.0, 5.0)], &mut all);
        near(&all, &[(1.0, 0.0), (2.0, 3.0), (4.0, 5.0), (4.0, -5.0), (2.0, -3.0)]);
        let mut one = [Complex::default()];
        mirror(&[Complex::new(1.0, 9.0)], &mut one);
        near(&one, &[(1.0, 0.0)]);
    }
}
