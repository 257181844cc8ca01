//! The elements of a block in row-major order, however they lie in memory.
//!
//! It refuses to know programs and tiles. The invariant: an element is asked for by its number in row-major order, which says nothing
//! of memory; so what is done in this order is the same for every layout.

use crate::array::block::Block;
use crate::array::element::Held;

/// Axes that are walked in one go: how many elements, and how far they lie apart.
struct Along {
    len: usize,
    stride: isize,
}

/// A block's axes, as few as its memory allows, and a position on them.
pub struct InOrder {
    offset: usize,
    axes: Vec<Along>,
    /// On all axes but the innermost.
    position: Vec<usize>,
}

impl InOrder {
    /// Of this block.
    pub fn of(block: &Block) -> Self {
        // From the innermost axis to the outermost.
        let mut axes: Vec<Along> = Vec::new();
        for (len, stride) in block.shape().iter().zip(block.strides()).rev().filter(|(len, _)| **len > 1) {
            match axes.last_mut() {
                Some(inner) if *stride == inner.stride * inner.len as isize => inner.len *= *len,
                _ => axes.push(Along { len: *len, stride: *stride }),
            }
        }
        axes.reverse();
        let position = vec![0; axes.len().saturating_sub(1)];
        Self { offset: block.offset(), axes, position }
    }

    /// Whether elements lie one after the other in this order.
    pub fn is_plain(&self) -> bool {
        matches!(&self.axes[..], [] | [Along { stride: 1, .. }])
    }

    /// Whether memory is read across its lines in this order, so that few of the bytes that come with an element are wanted soon.
    pub fn is_across(&self) -> bool {
        let Some((inner, outer)) = self.axes.split_last() else { return false };
        outer.iter().any(|axis| axis.stride != 0 && axis.stride.unsigned_abs() < inner.stride.unsigned_abs())
    }

    /// Copies elements from a number on. `memory` is the block's; all of the elements must be there.
    pub fn copy<T: Held>(&mut self, memory: &[T], first: usize, out: &mut [T]) {
        let Some((inner, outer)) = self.axes.split_last() else {
            out.fill(memory[self.offset]);
            return;
        };
        let (mut line, mut at) = (first / inner.len, first % inner.len);
        let mut start = self.offset as isize;
        for (position, axis) in self.position.iter_mut().zip(outer).rev() {
            *position = line % axis.len;
            line /= axis.len;
            start += *position as isize * axis.stride;
        }
        let mut done = 0;
        while done < out.len() {
            let count = (inner.len - at).min(out.len() - done);
            copy_line(memory, start + at as isize * inner.stride, inner.stride, &mut out[done..done + count]);
            (done, at) = (done + count, 0);
            for (position, axis) in self.position.iter_mut().zip(outer).rev() {
                *position += 1;
                start += axis.stride;
                if *position < axis.len {
                    break;
                }
                start -= axis.stride * axis.len as isize;
                *position = 0;
            }
        }
    }
}

/// Copies elements that lie so far apart.
pub(super) fn copy_line<T: Held>(memory: &[T], start: isize, stride: isize, out: &mut [T]) {
    match stride {
        0 => out.fill(memory[start as usize]),
        1 => out.copy_from_slice(&memory[start as usize..][..out.len()]),
        _ => {
            for (at, out) in out.iter_mut().enumerate() {
                *out = memory[(start + at as isize * stride) as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every stretch of the block's elements is the stretch of its list.
    fn check(block: &Block, plain: bool, across: bool) {
        let expected = block.view::<i32>().expect("of this kind").iter().copied().collect::<Vec<i32>>();
        let mut order = InOrder::of(block);
        assert_eq!((order.is_plain(), order.is_across()), (plain, across));
        for first in 0..expected.len() {
            for end in first..=expected.len() {
                let mut out = vec![-1; end - first];
                order.copy(block.memory().expect("of this kind"), first, &mut out);
                assert_eq!(out, expected[first..end], "{first}..{end}");
            }
        }
    }

    #[test]
    fn elements_come_in_row_major_order() {
        let whole = Block::from_vec(vec![3, 4, 5], (0..60).collect::<Vec<i32>>());
        check(&whole, true, false);
        check(&whole.cut(&[1..3, 0..4, 0..5]), true, false);
        check(&whole.cut(&[0..3, 1..3, 0..5]), false, false);
        check(&whole.cut(&[0..3, 0..4, 1..3]), false, false);
        check(&whole.cut(&[0..3, 0..4, 2..3]), false, false);
        check(&whole.cut(&[1..2, 1..2, 1..2]), true, false);
        check(&whole.permuted(&[2, 1, 0]), false, true);
        check(&whole.permuted(&[1, 0, 2]), false, false);
        check(&Block::full(vec![2, 3], 7), false, false);
        let mut turned = ndarray::Array::from_vec((0..6).collect::<Vec<i32>>()).into_dyn();
        turned.invert_axis(ndarray::Axis(0));
        check(&Block::from_array(turned), false, false);
    }
}
