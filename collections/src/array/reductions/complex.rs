//! Sums, moments and products of complex numbers. A sum is that of the real parts beside that of the imaginary ones, each as exact as a sum
//! of floats is; and so with moments.

use super::fold::{Folder, Names};
use crate::array::block::Block;
use crate::array::element::C128;
use crate::array::tile::{Arith, Convert, Rows};

/// Complex numbers that are folded part by part: the numbers of the real parts' states, then those of the imaginary parts'.
pub(super) struct InParts<F> {
    re: F,
    im: F,
    /// The parts of the elements at hand.
    parts: [Vec<f64>; 2],
    /// Whether a number of which one part is NaN is NaN in both, so that both leave it out.
    nan_in_both: bool,
}

impl<F: Folder<f64>> InParts<F> {
    pub fn new(re: F, im: F) -> Self {
        Self { re, im, parts: [Vec::new(), Vec::new()], nan_in_both: false }
    }

    /// The same for states that leave NaN out.
    pub fn nan_in_both(self) -> Self {
        Self { nan_in_both: true, ..self }
    }

    fn take<T: Arith>(&mut self, elements: &[T]) {
        for element in elements {
            let mut number = Convert::<C128>::convert(*element);
            if self.nan_in_both && (number.re.is_nan() || number.im.is_nan()) {
                number = C128::new(f64::NAN, f64::NAN);
            }
            self.parts[0].push(number.re);
            self.parts[1].push(number.im);
        }
    }

    fn clear(&mut self) {
        self.parts.iter_mut().for_each(Vec::clear);
    }
}

impl<T: Arith, F: Folder<f64>> Folder<T> for InParts<F> {
    fn run(&mut self, lane: usize, run: &[T], names: Names) {
        self.clear();
        self.take(run);
        self.re.run(lane, &self.parts[0], names);
        self.im.run(lane, &self.parts[1], names);
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, names: Names, row: i64) {
        let width = rows.width();
        self.clear();
        rows.iter().for_each(|row| self.take(row));
        self.re.lanes(lane, Rows::of(&self.parts[0], width), names, row);
        self.im.lanes(lane, Rows::of(&self.parts[1], width), names, row);
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        [Box::new(self.re).end(shape), Box::new(self.im).end(shape)].concat()
    }
}

/// Products of complex numbers.
pub(super) struct ComplexProduct {
    products: Vec<C128>,
}

impl ComplexProduct {
    pub fn new(lanes: usize) -> Self {
        Self { products: vec![C128::new(1.0, 0.0); lanes] }
    }
}

impl<T: Arith> Folder<T> for ComplexProduct {
    fn run(&mut self, lane: usize, run: &[T], _: Names) {
        let product = run.iter().fold(C128::new(1.0, 0.0), |product, element| product * Convert::<C128>::convert(*element));
        self.products[lane] *= product;
    }

    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, _: Names, _: i64) {
        for row in rows.iter() {
            let lanes = self.products[lane..].iter_mut().zip(row);
            lanes.for_each(|(product, element)| *product *= Convert::<C128>::convert(*element));
        }
    }

    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block> {
        vec![Block::from_vec(shape.to_vec(), self.products)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::moments::Moments;
    use super::super::numbers::FloatSum;
    use super::*;
    use crate::array::element::C64;

    fn numbers(blocks: &[Block], at: usize) -> Vec<f64> {
        blocks[at].to_vec().expect("f64")
    }

    #[test]
    fn parts_are_summed_up_side_by_side() {
        let rows = [1e8f32, 1.0, -1e8, 2.0].map(|re| C64::new(re, 0.5));
        let mut sum = InParts::new(FloatSum::new(2), FloatSum::new(2));
        sum.run(0, &rows, Names::default());
        sum.lanes(0, Rows::of(&rows, 2), Names::default(), 0);
        let blocks = Folder::<C64>::end(Box::new(sum), &[2]);
        assert_eq!((numbers(&blocks, 0), numbers(&blocks, 2)), (vec![3.0, 3.0], vec![3.0, 1.0]));
    }

    #[test]
    fn numbers_of_which_a_part_is_nan_are_left_out() {
        let nan = f64::NAN;
        let run = [C128::new(1.0, 2.0), C128::new(nan, 9.0), C128::new(9.0, nan), C128::new(3.0, 6.0)];
        let mut moments = InParts::new(Moments::new(1, true), Moments::new(1, true)).nan_in_both();
        moments.run(0, &run, Names::default());
        let blocks = Folder::<C128>::end(Box::new(moments), &[1]);
        let found: Vec<f64> = (0..6).map(|at| numbers(&blocks, at)[0]).collect();
        assert_eq!(found, [2.0, 2.0, 2.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn products_turn_and_stretch() {
        let mut product = ComplexProduct::new(1);
        product.run(0, &[C128::new(0.0, 2.0), C128::new(0.0, 3.0)], Names::default());
        product.lanes(0, Rows::of(&[C128::new(1.0, 1.0)], 1), Names::default(), 0);
        assert_eq!(Folder::<C128>::end(Box::new(product), &[1])[0].to_vec::<C128>().expect("complex"), [C128::new(-6.0, -6.0)]);
    }
}
