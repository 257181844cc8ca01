//! What one element draws: words, one after the other, and numbers made of them.
//!
//! It refuses to know blocks. The invariant: it goes on for ever, and depends on the stream and the element's place alone.

use super::normal::normal;
use super::philox::{Stream, more, words};

/// The words of one element.
pub struct Draws {
    stream: Stream,
    place: u64,
    /// The next word, if it is there already.
    next: Option<u64>,
    attempts: u32,
}

impl Draws {
    /// Of a place whose first word is known.
    pub fn new(stream: Stream, place: u64, first: u64) -> Self {
        Self { stream, place, next: Some(first), attempts: 0 }
    }

    /// A word.
    pub fn word(&mut self) -> u64 {
        self.next.take().unwrap_or_else(|| {
            self.attempts = self.attempts.wrapping_add(1);
            let [now, later] = more(&self.stream, self.place, self.attempts);
            self.next = Some(later);
            now
        })
    }

    /// From 0 up to and without 1.
    pub fn uniform(&mut self) -> f64 {
        unit(self.word())
    }

    /// Above 0, up to 1: of which there is a logarithm.
    pub fn above_zero(&mut self) -> f64 {
        1.0 - self.uniform()
    }

    /// With mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.above_zero().ln()
    }

    /// Whole numbers below `span`, all as likely (D. Lemire, "Fast random integer generation in an interval", 2019). A span of 0 stands for
    /// 2^64.
    pub fn below(&mut self, span: u64) -> u64 {
        loop {
            let word = self.word();
            if span == 0 {
                return word;
            }
            let product = u128::from(word) * u128::from(span);
            // Of all words, so few more than a multiple of the span are left over.
            if product as u64 >= span || product as u64 >= span.wrapping_neg() % span {
                return (product >> 64) as u64;
            }
        }
    }

    /// A gamma distribution with scale 1 (G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", 2000).
    pub fn gamma(&mut self, form: f64) -> f64 {
        if form < 1.0 {
            let root = self.above_zero().powf(1.0 / form);
            return self.gamma(form + 1.0) * root;
        }
        let d = form - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = normal(self);
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.above_zero().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }
}

/// From 0 up to and without 1, by the highest bits.
#[inline(always)]
pub fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// What `number` makes of the words of each place from `first` on.
pub fn each<T>(stream: &Stream, first: u64, count: usize, mut number: impl FnMut(&mut Draws) -> T) -> Vec<T> {
    let mut buffer = [0; 256];
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let place = first + found.len() as u64;
        let left = (count - found.len()).min(buffer.len());
        let now = &mut buffer[..left];
        words(stream, place, now);
        found.extend(now.iter().zip(place..).map(|(word, place)| number(&mut Draws::new(*stream, place, *word))));
    }
    found
}
