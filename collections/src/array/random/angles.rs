//! Angles: the von Mises distribution (D. Best, N. Fisher, "Efficient simulation of the von Mises distribution", 1979).

use std::f64::consts::{PI, TAU};

use super::draws::Draws;
use super::normal::normal;

/// Less concentrated ones are spread evenly, as far as floats can tell.
const EVEN: f64 = 1e-8;
/// Below this the formula for the envelope loses its digits, and its series has them.
const SMALL: f64 = 1e-5;
/// More concentrated ones are normal, as far as floats can tell.
const NORMAL: f64 = 1e6;

/// Between -π and π.
pub fn vonmises(draws: &mut Draws, mean: f64, concentration: f64) -> f64 {
    let from_mean = if concentration < EVEN {
        PI * (2.0 * draws.uniform() - 1.0)
    } else if concentration > NORMAL {
        normal(draws) / concentration.sqrt()
    } else {
        around_zero(draws, concentration)
    };
    let angle = (mean + from_mean + PI).rem_euclid(TAU) - PI;
    angle.clamp(-PI, PI)
}

fn around_zero(draws: &mut Draws, concentration: f64) -> f64 {
    let s = if concentration < SMALL {
        1.0 / concentration + concentration
    } else {
        let r = 1.0 + (1.0 + 4.0 * concentration * concentration).sqrt();
        let rho = (r - (2.0 * r).sqrt()) / (2.0 * concentration);
        (1.0 + rho * rho) / (2.0 * rho)
    };
    let cosine = loop {
        let z = (PI * draws.uniform()).cos();
        let w = (1.0 + s * z) / (s + z);
        let y = concentration * (s - w);
        let v = draws.above_zero();
        if y * (2.0 - y) >= v || (y / v).ln() + 1.0 >= y {
            break w.clamp(-1.0, 1.0);
        }
    };
    let angle = cosine.acos();
    if draws.uniform() < 0.5 { -angle } else { angle }
}

#[cfg(test)]
mod tests {
    use super::super::draws::each;
    use super::super::philox::Stream;
    use super::*;

    /// The mean of cosines is I1/I0, and that of their squares follows; that of sines is 0.
    #[test]
    fn cosines_have_their_mean() {
        for (concentration, ratio) in
            [(0.0, 0.0), (1e-6, 5e-7), (0.5, 0.242_499_6), (2.0, 0.697_774_7), (50.0, 0.989_948_9), (1e7, 1.0 - 5e-8)]
        {
            for mean in [0.0, 3.0, -100.0] {
                let found = each(&Stream { seed: 3, call: 4 }, 0, 100_000, |draws| vonmises(draws, mean, concentration));
                assert!(found.iter().all(|angle| (-PI..=PI).contains(angle)));
                let n = found.len() as f64;
                let cosine = found.iter().map(|angle| (angle - mean).cos()).sum::<f64>() / n;
                let sine = found.iter().map(|angle| (angle - mean).sin()).sum::<f64>() / n;
                let of_squares = if concentration == 0.0 { 0.5 } else { 1.0 - ratio / concentration };
                let bound = |variance: f64| 5.0 * (variance.max(0.0) / n).sqrt() + 1e-6;
                assert!((cosine - ratio).abs() <= bound(of_squares - ratio * ratio), "{concentration} {mean}: {cosine}");
                assert!(sine.abs() <= bound(1.0 - of_squares), "{concentration} {mean}: {sine}");
            }
        }
    }
}
