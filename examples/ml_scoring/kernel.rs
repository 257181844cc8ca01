//! Which of tract's kernels multiplies the matrices.
//!
//! It refuses to be a kernel: it names one. tract asks its tiers, the one of the highest precedence first, and a program may add
//! some. Invariant: results do not depend on the answer, because every kernel for two matrices adds the same products in the
//! same order.

use tract_linalg::isa::{Arch, Isa, IsaSet};
use tract_linalg::mmm::{Query, Suitable};
use tract_linalg::mmm_tiers::MmmTier;
use tract_linalg::x86_64::fma_width::avx512_fma_units;
use tract_onnx::tract_core::internal::{DatumType, inventory, tract_linalg};

/// 24 rows of the data by 4 units, in 256-bit registers.
const NAME: &str = "fma_mmm_f32_24x4";
const ROWS: usize = 24;

inventory::submit! {
    MmmTier {
        arch: Some(Arch::X86_64),
        // tract's own end at 8.
        precedence: 99,
        name: "whole vectors",
        applies: narrow,
        preferred: whole_vectors,
    }
}

/// Whether 512-bit registers multiply no faster than 256-bit ones: there are none, or there is one unit for them, as in AMD's Zen 4.
///
/// tract tells the units by trying, in a millisecond or two; without VNNI it cannot.
fn narrow(isa: &IsaSet) -> bool {
    let one_unit = || isa.has(Isa::X86_64Avx512Vnni) && avx512_fma_units() == 1;
    isa.has(Isa::X86_64Fma) && (!isa.has(Isa::X86_64Avx512f) || one_unit())
}

/// tract's cost model takes a kernel of 16 by 6, which stores number by number. This one stores whole vectors, if the rows of the
/// data lie beside each other: they do when there are more of them than of units, otherwise tract exchanges the two.
fn whole_vectors(_: &IsaSet, numbers: DatumType, product: &Query, _: &[Suitable]) -> Option<&'static str> {
    (numbers == DatumType::F32 && product.m.is_some_and(|rows| rows % ROWS == 0)).then_some(NAME)
}
