//! Discrete Fourier transforms along axes. An axis that is transformed is brought into one chunk; all others stay cut, so that arrays
//! larger than memory are transformed one axis after the other.
//!
//! It refuses to know how lanes are transformed inside a block: that is `rustfft`'s work.

mod calls;
mod frequencies;
mod how;
pub(crate) mod lanes;
mod real;
mod shift;
mod step;

pub use how::{Fft, FftNorm};
