//! `diff`, `ediff1d`, `gradient` and `interp`: how neighbours differ, and what lies between points.

use ndarray::SliceInfoElem;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, axis_of};
use crate::array::ops::concatenate::concatenate;
use crate::array::{DArray, Held, Node, Number, Real, Step};

impl<T: Number> DArray<T> {
    /// Each element less the one before it along an axis, so many times over.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![1, 4, 9, 16], 2);
    /// assert_eq!(x.diff(1, 0).compute()?, array![3, 5, 7].into_dyn());
    /// assert_eq!(x.diff(2, 0).compute()?, array![2, 2].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[doc(alias = "ediff1d")]
    #[track_caller]
    pub fn diff(&self, times: usize, axis: isize) -> DArray<T> {
        let mut found = self.clone();
        for _ in 0..times {
            found = found.slice_axis(axis, 1..) - found.slice_axis(axis, ..-1);
        }
        found
    }
}

impl<T: Number> DArray<T> {
    /// The slope at each element along an axis, given how far apart elements are: from its neighbours on both sides, at the ends from the
    /// only one. Slopes of integers are of `f64`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![0i64, 1, 4, 9], 2);
    /// assert_eq!(x.gradient(1.0, 0).compute()?, array![1.0, 2.0, 4.0, 5.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, whose sizes are not known, or that has fewer than two elements.
    #[track_caller]
    pub fn gradient(&self, spacing: f64, axis: isize) -> DArray<T::Mean> {
        let len = self.shape().and_then(|shape| Ok(shape[axis_of(axis, shape.len())?]));
        match len {
            Ok(len) if len < 2 => {
                let what = format!("a slope along axis {axis}, which has {len} elements");
                return DArray::failed(Failure::new(Code::ShapeMismatch, what).help("at least two"), ".gradient(…)");
            }
            Ok(_) => {}
            Err(failure) => return DArray::failed(failure, ".gradient(…)"),
        }
        let numbers = self.cast::<T::Mean>();
        let part = |start: isize, end: Option<isize>| SliceInfoElem::Slice { start, end, step: 1 };
        let (near, far) = (<T::Mean as Held>::of_f64(spacing), <T::Mean as Held>::of_f64(2.0 * spacing));
        let first = (numbers.slice_axis(axis, part(1, Some(2))) - numbers.slice_axis(axis, part(0, Some(1)))) / near;
        let last = (numbers.slice_axis(axis, part(-1, None)) - numbers.slice_axis(axis, part(-2, Some(-1)))) / near;
        let inner = (numbers.slice_axis(axis, part(2, None)) - numbers.slice_axis(axis, part(0, Some(-2)))) / far;
        concatenate(&[first, inner, last], axis)
    }

    /// [`DArray::gradient`] where elements do not lie as far apart everywhere: `places` says where each of them lies, in ascending or descending
    /// order. The ends are found from their only neighbours, `edge_order` 1, or from the next two, 2.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let places = [0.0, 1.0, 3.0, 4.0];
    /// let squares = DArray::from_array(array![0.0f64, 1.0, 9.0, 16.0], 2);
    /// let slopes = squares.gradient_with(&places, 0, 2).compute()?;
    /// assert!(slopes.iter().zip(places).all(|(slope, place)| (slope - 2.0 * place).abs() < 1e-12));
    /// let gap = DArray::from_array(array![0.0, f64::NAN, 2.0], 2);
    /// assert_eq!(gap.gradient_with(&[0.0, 1.0, 2.0], 0, 1).compute()?[[1]], 1.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, whose sizes are not known, or that has no more elements than the order of the ends; another number
    /// of places, another order than 1 or 2.
    #[track_caller]
    pub fn gradient_with(&self, places: &[f64], axis: isize, edge_order: usize) -> DArray<T::Mean> {
        let method = ".gradient_with(…)";
        let at = match self.shape().and_then(|shape| Ok((axis_of(axis, shape.len())?, shape))) {
            Ok((at, shape)) if shape[at] == places.len() => at,
            Ok((at, shape)) => {
                let what = format!("{} places for {} elements along axis {axis}", places.len(), shape[at]);
                return DArray::failed(Failure::new(Code::ShapeMismatch, what).help("one place for each"), method);
            }
            Err(failure) => return DArray::failed(failure, method),
        };
        if !matches!(edge_order, 1 | 2) || places.len() <= edge_order {
            let what = format!("a slope of {} elements with ends of order {edge_order}", places.len());
            return DArray::failed(Failure::new(Code::InvalidOption, what).help("order 1 or 2, and more elements than that"), method);
        }
        self.cast::<T::Mean>().slopes(places, axis, at, edge_order)
    }

    /// The slopes between places, of which there is one for each element. Of numbers that can be divided.
    #[track_caller]
    fn slopes(&self, places: &[f64], axis: isize, at: usize, edge_order: usize) -> DArray<T> {
        let steps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let part = |start: isize, end: isize| {
            let end = if end == 0 { None } else { Some(end) };
            self.slice_axis(axis, SliceInfoElem::Slice { start, end, step: 1 })
        };
        let ndim = self.ndim().unwrap_or(1);
        // A number for each inner element, along the axis.
        let along = |number: fn(f64, f64) -> f64| {
            let numbers: Vec<T> = steps.windows(2).map(|pair| T::of_f64(number(pair[0], pair[1]))).collect();
            let mut shape = vec![1; ndim];
            shape[at] = numbers.len() as isize;
            DArray::from_array(ndarray::Array1::from_vec(numbers), -1).reshape(shape)
        };
        let inner = if steps.windows(2).all(|pair| pair[0] == pair[1]) {
            // The element itself does not count, also where it is infinite or no number.
            (part(2, 0) - part(0, -2)) / T::of_f64(2.0 * steps[0])
        } else {
            part(0, -2) * along(|a, b| -b / (a * (a + b)))
                + part(1, -1) * along(|a, b| (b - a) / (a * b))
                + part(2, 0) * along(|a, b| a / (b * (a + b)))
        };
        let sum = |parts: [DArray<T>; 3], numbers: [f64; 3]| {
            let [first, second, third] = parts;
            first * T::of_f64(numbers[0]) + second * T::of_f64(numbers[1]) + third * T::of_f64(numbers[2])
        };
        let end = |a: f64, b: f64| [-(2.0 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))];
        let (first, last) = match (edge_order, &steps[..]) {
            (2, [a, b, ..]) => {
                let (before, behind) = (steps[steps.len() - 2], steps[steps.len() - 1]);
                let backwards = end(-behind, -before);
                (sum([part(0, 1), part(1, 2), part(2, 3)], end(*a, *b)), sum([part(-1, 0), part(-2, -1), part(-3, -2)], backwards))
            }
            _ => {
                let (near, far) = (T::of_f64(steps[0]), T::of_f64(steps[steps.len() - 1]));
                ((part(1, 2) - part(0, 1)) / near, (part(-1, 0) - part(-2, -1)) / far)
            }
        };
        concatenate(&[first, inner, last], axis)
    }
}

impl<T: Real> DArray<T> {
    /// What lies at each element on the line through points, given their places, which go up, and their values; before the first and behind
    /// the last point it goes on with theirs. The result is of `f64`, whatever the places are.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::linspace(0.0, 3.0, 4, 2);
    /// assert_eq!(x.interp(&[1.0, 2.0], &[10.0, 30.0]).compute()?.into_iter().collect::<Vec<_>>(), [10.0, 10.0, 30.0, 30.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no points, places that do not go up, another number of values.
    #[track_caller]
    pub fn interp(&self, places: &[f64], values: &[f64]) -> DArray<f64> {
        DArray::then(Interp { places: places.to_vec(), values: values.to_vec() }, vec![self.cast::<f64>().to_any()], ".interp(…)")
    }
}

/// The line through points; also its operator.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Interp {
    places: Vec<f64>,
    values: Vec<f64>,
}

impl Step for Interp {
    fn line(&self) -> String {
        format!("interp through {} points", self.places.len())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let goes_up = self.places.windows(2).all(|pair| pair[0] < pair[1]);
        if self.places.is_empty() || self.places.len() != self.values.len() || !goes_up {
            let what = format!("{} places and {} values of points", self.places.len(), self.values.len());
            return Err(Failure::new(Code::InvalidOption, what).help("at least one point, as many values as places, and places that go up"));
        }
        Ok(Meta { dtype: DType::F64, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let op = OpRef::new(self.clone(), self.line());
        Ok(lowering.add(Layer::single("interp", node.known()?.blocks()?, op, edges), node))
    }
}

impl Interp {
    fn at(&self, x: f64) -> f64 {
        let behind = self.places.partition_point(|place| *place <= x);
        let last = self.values.len().saturating_sub(1);
        if x.is_nan() {
            return x;
        }
        if behind == 0 {
            return self.values[0];
        }
        if behind > last {
            return self.values[last];
        }
        let (low, high) = (self.places[behind - 1], self.places[behind]);
        let slope = (self.values[behind] - self.values[behind - 1]) / (high - low);
        self.values[behind - 1] + slope * (x - low)
    }
}

impl Operator for Interp {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("interp: no block"))??;
        let values = block.to_vec::<f64>()?.into_iter().map(|x| self.at(x)).collect();
        Ok(Chunk::new(Block::from_vec(block.shape().to_vec(), values)))
    }
}

impl NamedOperator for Interp {
    const NAME: &'static str = "array_interp";
}
