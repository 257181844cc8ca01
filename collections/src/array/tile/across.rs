//! Copies tiles together whose elements lie across their rows: they are read along the lines of memory, a few lines at a time, and turned.
//!
//! It refuses to know where tiles begin. The invariant: both ways copy every element of the tile, and nothing but its bits.

use crate::array::element::{Column, Held};

/// Lines of memory that are read together, so that what is written lies together too.
const TOGETHER: usize = 8;
/// Elements of them that are turned together in registers.
#[cfg(target_arch = "x86_64")]
const FOUR: usize = 4;

/// A tile, as it lies in memory: `lines` of them, `step` elements from each other, of so many elements each.
#[derive(Clone, Copy)]
pub struct Across<'a, T> {
    /// All of the block's.
    pub memory: &'a [T],
    /// See above.
    pub lines: usize,
    /// From the beginning of a line to that of the next one. It may be negative.
    pub step: isize,
    /// Where the first line begins in `memory`.
    pub offset: isize,
    /// Elements of a line, which are the rows of the tile.
    pub len: usize,
}

impl<'a, T: Copy> Across<'a, T> {
    #[inline]
    fn line(&self, at: usize) -> &'a [T] {
        &self.memory[(self.offset + at as isize * self.step) as usize..][..self.len]
    }

    /// The lines from `from` on become columns of `out`.
    #[inline(always)]
    fn turn_plainly(&self, from: usize, out: &mut [T]) {
        let grouped = self.lines - (self.lines - from) % TOGETHER;
        for at in (from..grouped).step_by(TOGETHER) {
            let lines: [&[T]; TOGETHER] = std::array::from_fn(|ahead| self.line(at + ahead));
            for row in 0..self.len {
                let values: [T; TOGETHER] = std::array::from_fn(|ahead| lines[ahead][row]);
                out[row * self.lines + at..][..TOGETHER].copy_from_slice(&values);
            }
        }
        for at in grouped..self.lines {
            out[at..].iter_mut().step_by(self.lines).zip(self.line(at)).for_each(|(out, value)| *out = *value);
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl<'a> Across<'a, u64> {
    /// A line, four elements at a time.
    #[inline]
    fn fours(&self, at: usize) -> &'a [[u64; FOUR]] {
        &self.line(at).as_chunks().0[..self.len / FOUR]
    }
}

/// Copies a tile into the beginning of a buffer of its kind, row by row.
pub fn turn<T: Held>(tile: Across<'_, T>, buffer: &mut Column) {
    #[cfg(target_arch = "x86_64")]
    if let Some(memory) = words(tile.memory)
        && let Some(out) = words_mut(buffer)
        && is_x86_feature_detected!("avx2")
    {
        let Across { lines, step, offset, len, .. } = tile;
        // SAFETY: the function asks for nothing but AVX2, and the machine has just said that it has it.
        return unsafe { turn_words(Across { memory, lines, step, offset, len }, &mut out[..lines * len]) };
    }
    if let Some(out) = T::values_mut(buffer) {
        tile.turn_plainly(0, &mut out[..tile.lines * tile.len]);
    }
}

/// Elements of eight bytes as what their bits are.
#[cfg(target_arch = "x86_64")]
fn words<T: Held>(values: &[T]) -> Option<&[u64]> {
    if size_of::<T>() == size_of::<u64>() { bytemuck::try_cast_slice(T::bytes(values)).ok() } else { None }
}

#[cfg(target_arch = "x86_64")]
fn words_mut(column: &mut Column) -> Option<&mut [u64]> {
    match column {
        Column::I64(values) => Some(bytemuck::cast_slice_mut(values)),
        Column::U64(values) => Some(values),
        Column::F64(values) => Some(bytemuck::cast_slice_mut(values)),
        _ => None,
    }
}

/// Four by four elements at a time. The compiler makes single moves of the same loop in plain words.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn turn_words(tile: Across<'_, u64>, out: &mut [u64]) {
    let grouped = tile.lines - tile.lines % TOGETHER;
    let fours = tile.len / FOUR;
    for at in (0..grouped).step_by(TOGETHER) {
        // One by one: what an array of them is made by would be a call for each.
        let (a, b, c, d) = (tile.fours(at), tile.fours(at + 1), tile.fours(at + 2), tile.fours(at + 3));
        let (e, f, g, h) = (tile.fours(at + 4), tile.fours(at + 5), tile.fours(at + 6), tile.fours(at + 7));
        for (four, rows) in out.chunks_exact_mut(FOUR * tile.lines).take(fours).enumerate() {
            let left = turn_four(a[four], b[four], c[four], d[four]);
            let right = turn_four(e[four], f[four], g[four], h[four]);
            for (ahead, row) in rows.chunks_exact_mut(tile.lines).enumerate() {
                let row = &mut row[at..at + TOGETHER];
                row[..FOUR].copy_from_slice(&left[ahead]);
                row[FOUR..].copy_from_slice(&right[ahead]);
            }
        }
        for row in fours * FOUR..tile.len {
            (at..at + TOGETHER).for_each(|at| out[row * tile.lines + at] = tile.line(at)[row]);
        }
    }
    tile.turn_plainly(grouped, out);
}

/// The columns of four rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn turn_four(a: [u64; FOUR], b: [u64; FOUR], c: [u64; FOUR], d: [u64; FOUR]) -> [[u64; FOUR]; FOUR] {
    use std::arch::x86_64::{__m256i, _mm256_permute2x128_si256, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64};
    let (a, b): (__m256i, __m256i) = (bytemuck::cast(a), bytemuck::cast(b));
    let (c, d): (__m256i, __m256i) = (bytemuck::cast(c), bytemuck::cast(d));
    let (ab, ab_odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (cd, cd_odd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    [
        bytemuck::cast(_mm256_permute2x128_si256::<0x20>(ab, cd)),
        bytemuck::cast(_mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd)),
        bytemuck::cast(_mm256_permute2x128_si256::<0x31>(ab, cd)),
        bytemuck::cast(_mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::C64;

    fn turns<T: Held>(made: impl Fn(usize) -> T) {
        let memory: Vec<T> = (0..50 * 60).map(made).collect();
        for lines in (1..20).chain([40]) {
            for len in (1..14).chain([32, 45]) {
                for (offset, step) in [(0, 50), (7, 45), (3, 64), (45 * 50, -50)] {
                    let tile = Across { memory: &memory, lines, step, offset, len };
                    let mut buffer = T::column(vec![T::default(); lines * len + 3]);
                    turn(tile, &mut buffer);
                    let place = |row: usize, line: usize| (offset + line as isize * step) as usize + row;
                    let expected = (0..len).flat_map(|row| (0..lines).map(move |line| (row, line)));
                    let expected: Vec<T> = expected.map(|(row, line)| memory[place(row, line)]).chain([T::default(); 3]).collect();
                    assert_eq!(T::values(&buffer), Some(&expected), "{lines} lines of {len}, {step} from each other");
                    let mut plainly = vec![T::default(); lines * len];
                    tile.turn_plainly(0, &mut plainly);
                    assert_eq!(plainly, expected[..lines * len]);
                }
            }
        }
    }

    #[test]
    fn both_ways_turn_every_tile() {
        turns(|at| at as f64);
        turns(|at| at as i64 - 1000);
        turns(|at| at as u64);
        turns(|at| at as f32);
        turns(|at| at as u8);
        turns(|at| C64::new(at as f32, 1.0));
    }
}
