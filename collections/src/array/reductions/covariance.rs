//! `cov` and `corrcoef`: how variables vary together. Each block of observations gives means and products of distances from them;
//! these are brought together as those of the variance are, so that numbers far from zero lose no digits.

use ndarray::{Array1, Array2, Axis, Ix2};
use num_complex::Complex;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::state::{State, state_of};
use super::tree::tree;
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, unknown_sizes};
use crate::array::rechunk::rechunk;
use crate::array::{DArray, Float, Node, Number, Real, Step};

impl<T: Real> DArray<T> {
    /// The covariances of the rows of an array of two axes, each of which holds the observations of one variable; `ddof` is taken from
    /// the number of observations by which is divided (1 as with NumPy).
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], 2);
    /// assert_eq!(x.cov(1.0).compute()?, array![[1.0, 2.0], [2.0, 4.0]].into_dyn());
    /// assert!((x.corrcoef().compute()? - 1.0).iter().all(|distance| distance.abs() < 1e-12));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of axes than two, variables whose number is not known.
    #[track_caller]
    pub fn cov(&self, ddof: f64) -> DArray<f64> {
        DArray::then(Covariance { ddof, correlation: false }, vec![self.cast::<f64>().to_any()], ".cov(…)")
    }

    /// The coefficients of correlation of the rows of an array of two axes: covariances by the roots of variances.
    ///
    /// # Errors
    /// As [`DArray::cov`].
    #[track_caller]
    pub fn corrcoef(&self) -> DArray<f64> {
        DArray::then(Covariance { ddof: 0.0, correlation: true }, vec![self.cast::<f64>().to_any()], ".corrcoef()")
    }
}

// Not one method for all numbers: those of real ones give real numbers.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Number<Part = F>,
{
    /// The covariances of the rows of an array of two axes: means of products of the distances of one with the conjugate ones of another, with
    /// `ddof` taken from the number of observations by which is divided.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[Complex::new(1.0f64, 0.0), Complex::new(0.0, 1.0)], [Complex::new(2.0, 0.0), Complex::new(0.0, 0.0)]], 1);
    /// assert_eq!(x.cov(0.0).compute()?[[0, 1]], Complex::new(0.5, -0.5));
    /// assert!((x.corrcoef().compute()?[[1, 0]] - Complex::new(0.5f64.sqrt(), 0.5f64.sqrt())).norm() < 1e-12);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of axes than two, sizes of chunks that are not known.
    #[track_caller]
    pub fn cov(&self, ddof: f64) -> DArray<Complex<f64>> {
        let count = match self.shape().as_deref() {
            Ok([_, count]) => *count as f64,
            Ok(shape) => return DArray::failed(no_rows(shape.len()), ".cov(…)"),
            Err(failure) => return DArray::failed(failure.clone(), ".cov(…)"),
        };
        let numbers = self.cast::<Complex<f64>>();
        let distances = &numbers - numbers.mean_axis(Axes::of(1).keepdims());
        distances.matmul(&distances.conj().t()) / Complex::new(count - ddof, 0.0)
    }

    /// The coefficients of correlation of the rows: covariances by the roots of variances.
    ///
    /// # Errors
    /// As [`DArray::cov`].
    #[track_caller]
    pub fn corrcoef(&self) -> DArray<Complex<f64>> {
        let covariances = self.cov(0.0);
        let spread = covariances.diag(0).re().sqrt().to_complex(0.0);
        let found = covariances / spread.expand_dims(1) / spread.expand_dims(0);
        found.re().clip(-1.0, 1.0).to_complex(found.im().clip(-1.0, 1.0))
    }
}

fn no_rows(ndim: usize) -> Failure {
    Failure::new(Code::ShapeMismatch, format!("variables are the rows of an array of two axes, and this one has {ndim}"))
}

struct Covariance {
    ddof: f64,
    correlation: bool,
}

impl Step for Covariance {
    fn line(&self) -> String {
        if self.correlation { "corrcoef".into() } else { format!("cov, ddof {}", self.ddof) }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let [variables, _] = &inputs[0].cuts[..] else {
            return Err(no_rows(inputs[0].ndim()));
        };
        let count = variables.len().ok_or_else(|| unknown_sizes(0))?;
        Ok(Meta { dtype: DType::F64, cuts: vec![Cuts::whole(count); 2] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let from = node.inputs[0].meta()?;
        let to = vec![node.known()?.cuts[0].clone(), from.cuts[1].clone()];
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, from, &to, node);
        let blocks = to[1].count();
        let level = Layer::single("cov", blocks as u32, OpRef::new(Together, "products of distances"), vec![input.edge(Wiring::Each)]);
        let level = lowering.add(level, node);
        let combine = OpRef::new(TogetherOfStates { end: None }, "combine products of distances");
        let end = OpRef::new(TogetherOfStates { end: Some((self.ddof, self.correlation)) }, self.line());
        Ok(tree(lowering, level, &[1, blocks], &[false, true], (&combine, end), node))
    }
}

/// Means, and products of distances from them, of one block.
#[derive(Serialize, Deserialize)]
pub(crate) struct Together;

impl Operator for Together {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("cov: no block"))??;
        Ok(Chunk::new(together(block)?))
    }
}

/// The state of a block of two axes.
pub(super) fn together(block: &Block) -> Result<State, Failure> {
    // In row-major order: ndarray adds up as memory lies, and that must not decide how results are rounded.
    let elements = block.to_array::<f64>()?.into_dimensionality::<Ix2>();
    let mut distances = elements.map_err(|_| Failure::internal("cov: a block without two axes"))?;
    let (variables, count) = distances.dim();
    let means = distances.mean_axis(Axis(1)).unwrap_or_else(|| Array1::zeros(variables));
    distances -= &means.view().insert_axis(Axis(1));
    let products = distances.dot(&distances.t());
    Ok(state(count as u64, means, products))
}

impl NamedOperator for Together {
    const NAME: &'static str = "array_cov";
}

fn state(count: u64, means: Array1<f64>, products: Array2<f64>) -> State {
    State { count, numbers: vec![Block::from_array(means.into_dyn()), Block::from_array(products.into_dyn())] }
}

/// Several such states as one, or as the result: `ddof`, and whether correlations are wanted.
#[derive(Serialize, Deserialize)]
pub(crate) struct TogetherOfStates {
    end: Option<(f64, bool)>,
}

impl Operator for TogetherOfStates {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut all: Option<(f64, Array1<f64>, Array2<f64>)> = None;
        for input in inputs {
            let (count, means, products) = parts(state_of(input)?)?;
            all = Some(match all {
                Some(before) if count > 0.0 => joined(before, (count, means, products)),
                Some(before) => before,
                None => (count, means, products),
            });
        }
        let (count, means, products) = all.ok_or_else(|| Failure::internal("cov: no states"))?;
        let Some((ddof, correlation)) = self.end else { return Ok(Chunk::new(state(count as u64, means, products))) };
        let divisor = (count - ddof).max(0.0);
        let result = if correlation {
            let roots = products.diag().mapv(f64::sqrt);
            let own = roots.view().insert_axis(Axis(1));
            // Rounding must not make a correlation that is stronger than any.
            (&products / &own / roots.view().insert_axis(Axis(0))).mapv(|share: f64| share.clamp(-1.0, 1.0))
        } else {
            products / divisor
        };
        Ok(Chunk::new(Block::from_array(result.into_dyn())))
    }
}

impl NamedOperator for TogetherOfStates {
    const NAME: &'static str = "array_cov_combine";
}

fn parts(state: &State) -> Result<(f64, Array1<f64>, Array2<f64>), Failure> {
    let damaged = || Failure::internal("cov: a state without its numbers");
    let [means, products] = &state.numbers[..] else { return Err(damaged()) };
    let means = means.to_array::<f64>()?.into_dimensionality().map_err(|_| damaged())?;
    let products = products.to_array::<f64>()?.into_dimensionality().map_err(|_| damaged())?;
    Ok((state.count as f64, means, products))
}

/// Observations of two blocks together (Chan, Golub and LeVeque 1983, for several variables).
fn joined(a: (f64, Array1<f64>, Array2<f64>), b: (f64, Array1<f64>, Array2<f64>)) -> (f64, Array1<f64>, Array2<f64>) {
    if a.0 == 0.0 {
        return b;
    }
    let count = a.0 + b.0;
    let distance = &b.1 - &a.1;
    let column = distance.view().insert_axis(Axis(1));
    let outer = &column * &distance.view().insert_axis(Axis(0));
    let means = &a.1 + &(&distance * (b.0 / count));
    (count, means, a.2 + b.2 + outer * (a.0 * (b.0 / count)))
}
