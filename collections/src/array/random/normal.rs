//! Normal numbers by the ziggurat (G. Marsaglia, W. W. Tsang, "The ziggurat method for generating random variables", 2000): layers of the same
//! area, in nearly all of which one word is enough. The layer and the place in it come from different bits (J. A. Doornik 2005).
//!
//! The invariant: a number depends on the words of its own place alone.

use std::sync::OnceLock;

use super::draws::Draws;
use super::philox::{Stream, words};

/// Where the tail begins,
const TAIL: f64 = 3.654_152_885_361_009;
/// and the area of each layer.
const AREA: f64 = 0.004_928_673_233_974_658;
const LAYERS: usize = 256;

/// The right edges of layers, from the lowest on, and the density at each.
struct Table {
    edges: [f64; LAYERS + 1],
    heights: [f64; LAYERS + 1],
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp()
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut edges = [0.0; LAYERS + 1];
        // The lowest layer also holds the tail, and is as wide as if it were a rectangle.
        edges[0] = AREA / density(TAIL);
        edges[1] = TAIL;
        for at in 2..LAYERS {
            edges[at] = (-2.0 * (AREA / edges[at - 1] + density(edges[at - 1])).ln()).sqrt();
        }
        Table { edges, heights: edges.map(density) }
    })
}

/// From -1 up to and without 1, by the highest bits.
#[inline(always)]
fn signed(word: u64) -> f64 {
    (word >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0
}

/// A normal number for each place from `first` on.
pub fn fill(stream: &Stream, first: u64, out: &mut [f64]) {
    let table = table();
    let mut buffer = [0; 256];
    let mut place = first;
    for out in out.chunks_mut(buffer.len()) {
        let now = &mut buffer[..out.len()];
        words(stream, place, now);
        for (out, word) in out.iter_mut().zip(now) {
            let layer = (*word & (LAYERS as u64 - 1)) as usize;
            let x = signed(*word) * table.edges[layer];
            *out = if x.abs() < table.edges[layer + 1] { x } else { normal(&mut Draws::new(*stream, place, *word)) };
            place += 1;
        }
    }
}

/// A normal number of as many words as it takes.
pub fn normal(draws: &mut Draws) -> f64 {
    let table = table();
    loop {
        let word = draws.word();
        let layer = (word & (LAYERS as u64 - 1)) as usize;
        let x = signed(word) * table.edges[layer];
        if x.abs() < table.edges[layer + 1] {
            return x;
        }
        if layer == 0 {
            return tail(draws).copysign(x);
        }
        let (low, high) = (table.heights[layer], table.heights[layer + 1]);
        if low + (high - low) * draws.uniform() < density(x) {
            return x;
        }
    }
}

/// A number beyond the last layer.
fn tail(draws: &mut Draws) -> f64 {
    loop {
        let (x, y) = (draws.exponential() / TAIL, draws.exponential());
        if 2.0 * y > x * x {
            return TAIL + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_the_same_area_and_end_at_the_top() {
        let Table { edges, heights } = table();
        for layer in 1..LAYERS {
            let area = edges[layer] * (heights[layer + 1] - heights[layer]);
            assert!((area / AREA - 1.0).abs() < 1e-9, "layer {layer}: {area}");
        }
        assert_eq!((edges[LAYERS], heights[LAYERS]), (0.0, 1.0));
    }

    /// The share of numbers below some bounds, against the distribution.
    #[test]
    fn numbers_are_spread_as_they_should_be() {
        let mut numbers = vec![0.0; 1_000_000];
        fill(&Stream { seed: 11, call: 0 }, 0, &mut numbers);
        for (bound, share) in
            [(-3.0, 0.001_349_9), (-1.0, 0.158_655_3), (0.0, 0.5), (0.5, 0.691_462_5), (2.0, 0.977_249_9), (3.7, 0.999_892_2)]
        {
            let below = numbers.iter().filter(|number| **number < bound).count() as f64 / numbers.len() as f64;
            let deviation = (share * (1.0 - share) / numbers.len() as f64).sqrt();
            assert!((below - share).abs() < 5.0 * deviation, "below {bound}: {below} instead of {share}");
        }
        let moment = |power: i32| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / numbers.len() as f64;
        assert!(moment(1).abs() < 0.005 && (moment(2) - 1.0).abs() < 0.01 && moment(3).abs() < 0.02 && (moment(4) - 3.0).abs() < 0.06);
    }

    #[test]
    fn every_place_has_its_number() {
        let stream = Stream { seed: 5, call: 1 };
        let mut all = vec![0.0; 3000];
        fill(&stream, 0, &mut all);
        let mut some = vec![0.0; 1001];
        fill(&stream, 777, &mut some);
        assert_eq!(some, all[777..1778]);
    }
}
