//! `cov` and `corrcoef`: how variables vary together. Each block of observations gives means and products of distances from them;
//! these are brought together as those of the variance are, so that numbers far from zero lose no digits, by tasks that read no more of them than they
//! may hold. Where variables are so many that a task could not hold that, means come first, and then the product of all distances, block by block.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Ix2};
use num_complex::Complex;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::state::{State, state_of};
use super::tree::tree_within;
use crate::array::block::{Block, block_of};
use crate::array::budget::SHORT;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, unknown_sizes};
use crate::array::rechunk::rechunk;
use crate::array::{DArray, Float, Node, Number, Real, Step};

impl<T: Real> DArray<T> {
    /// The covariances of the rows of an array of two axes, each of which holds the observations of one variable; `ddof` is taken from
    /// the number of observations by which is divided (1 as with NumPy). Those of many variables come in the chunks that these are in.
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
        self.varying(Covariance { ddof, correlation: false }, SHORT, ".cov(…)")
    }

    /// The coefficients of correlation of the rows of an array of two axes: covariances by the roots of variances.
    ///
    /// # Errors
    /// As [`DArray::cov`].
    #[track_caller]
    pub fn corrcoef(&self) -> DArray<f64> {
        self.varying(Covariance { ddof: 0.0, correlation: true }, SHORT, ".corrcoef()")
    }

    /// Whichever is wanted, by tasks that hold about so many bytes.
    #[track_caller]
    fn varying(&self, wanted: Covariance, bytes: u64, method: &str) -> DArray<f64> {
        let numbers = self.cast::<f64>();
        let Some(count) = numbers.untyped().meta().ok().and_then(|meta| observations_of_many(meta, bytes)) else {
            return DArray::then(wanted, vec![numbers.to_any()], method);
        };
        let distances = &numbers - numbers.mean_axis(Axes::of(1).keepdims());
        let products = distances.matmul(&distances.t());
        if !wanted.correlation {
            return products / (count as f64 - wanted.ddof).max(0.0);
        }
        let spread = products.diag(0).sqrt();
        (products / spread.expand_dims(1) / spread.expand_dims(0)).clip(-1.0, 1.0)
    }
}

/// The number of observations, where variables are so many that all of them in one task, or the covariances of all, are more than so many bytes.
fn observations_of_many(meta: &Meta, bytes: u64) -> Option<usize> {
    let [variables, observations] = &meta.cuts[..] else { return None };
    let (rows, count) = (variables.len()?, observations.len()?);
    let longest = observations.sizes()?.iter().max().copied().unwrap_or(0);
    let held = rows.max(longest).saturating_mul(rows).saturating_mul(meta.dtype.size());
    (held as u64 > bytes).then_some(count)
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
        let state = node.known()?.largest_block().unwrap_or(0);
        Ok(tree_within(lowering, level, &[1, blocks], &[false, true], state, (&combine, end), node))
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
            let state = state_of(input)?;
            match &mut all {
                Some(all) if state.count > 0 => join(all, state)?,
                Some(_) => {}
                None => all = Some(parts(state)?),
            }
        }
        let (count, means, mut products) = all.ok_or_else(|| Failure::internal("cov: no states"))?;
        let Some((ddof, correlation)) = self.end else { return Ok(Chunk::new(state(count as u64, means, products))) };
        if correlation {
            let roots = products.diag().mapv(f64::sqrt);
            products /= &roots.view().insert_axis(Axis(1));
            products /= &roots.view().insert_axis(Axis(0));
            // Rounding must not make a correlation that is stronger than any.
            products.mapv_inplace(|share| share.clamp(-1.0, 1.0));
        } else {
            products /= (count - ddof).max(0.0);
        }
        Ok(Chunk::new(Block::from_array(products.into_dyn())))
    }
}

impl NamedOperator for TogetherOfStates {
    const NAME: &'static str = "array_cov_combine";
}

fn damaged() -> Failure {
    Failure::internal("cov: a state without its numbers")
}

/// The means of a state and the products, where they lie.
fn numbers(state: &State) -> Result<(ArrayView1<'_, f64>, ArrayView2<'_, f64>), Failure> {
    let [means, products] = &state.numbers[..] else { return Err(damaged()) };
    let means = means.view::<f64>()?.into_dimensionality().map_err(|_| damaged())?;
    let products = products.view::<f64>()?.into_dimensionality().map_err(|_| damaged())?;
    Ok((means, products))
}

fn parts(state: &State) -> Result<(f64, Array1<f64>, Array2<f64>), Failure> {
    let (means, products) = numbers(state)?;
    Ok((state.count as f64, means.to_owned(), products.to_owned()))
}

/// Observations of another block, of which there are some, to those of one (Chan, Golub and LeVeque 1983, for several variables).
fn join(all: &mut (f64, Array1<f64>, Array2<f64>), other: &State) -> Result<(), Failure> {
    if all.0 == 0.0 {
        *all = parts(other)?;
        return Ok(());
    }
    let (means, products) = numbers(other)?;
    if (means.len(), products.dim()) != (all.1.len(), all.2.dim()) {
        return Err(damaged());
    }
    let count = all.0 + other.count as f64;
    let share = other.count as f64 / count;
    let distance = &means - &all.1;
    let weight = all.0 * share;
    // In its place: the products of all variables may be most of what a task can hold.
    for ((mut row, more), own) in all.2.rows_mut().into_iter().zip(products.rows()).zip(&distance) {
        for ((product, more), other) in row.iter_mut().zip(more).zip(&distance) {
            *product = *product + more + own * other * weight;
        }
    }
    all.1 += &(&distance * share);
    all.0 = count;
    Ok(())
}

#[cfg(test)]
mod tests {
    use partita_graph::{Graph, LayerId, Serial};

    use super::*;
    use crate::array::Random;
    use crate::array::budget::Budget;
    use crate::array::lower::plan_within;
    use crate::client::operator_registry;

    #[test]
    fn many_variables_vary_as_few_do() {
        let near = |a: &DArray<f64>, b: &DArray<f64>| {
            let distance = (a - b).abs().max().compute_on(&Serial::new(operator_registry())).expect("it runs");
            assert!(distance[[]] < 1e-9, "{distance}");
        };
        for chunks in [[9, 40], [4, 7], [1, 13]] {
            // Far from zero, where products of the numbers themselves would lose digits.
            let x = Random::new(5).normal([9, 40], chunks) * 3.0 + 1e5;
            for (ddof, correlation) in [(1.0, false), (0.0, false), (0.0, true)] {
                let by = |bytes: u64| x.varying(Covariance { ddof, correlation }, bytes, "");
                near(&by(0), &by(SHORT));
            }
            assert_eq!(
                x.varying(Covariance { ddof: 1.0, correlation: false }, 0, "").chunks().expect("known"),
                vec![x.chunks().expect("known")[0].clone(); 2]
            );
        }
    }

    /// 40 blocks of 400 variables, whose products take more than the smallest budget.
    #[test]
    fn memory_changes_no_bit_and_tasks_read_fewer_states() {
        let x = Random::new(6).normal([400, 80], [100, 2]) * 2.0 + 1e4;
        for (ddof, correlation) in [(1.0, false), (0.0, true)] {
            let varying = x.varying(Covariance { ddof, correlation }, SHORT, "");
            let plan = |memory_per_thread| plan_within(Budget::within(memory_per_thread), varying.untyped()).expect("it fits");
            let run = |graph: &Graph| {
                let chunks = Serial::new(operator_registry()).run(graph).0.expect("it runs");
                let values = block_of(&chunks[0]).and_then(Block::to_vec::<f64>).expect("a block of floats");
                values.into_iter().map(f64::to_bits).collect::<Vec<u64>>()
            };
            let (large, small) = (plan(None), plan(Some(1)));
            assert_eq!((states_read(&large), states_read(&small)), (16, 2));
            assert!(run(&large) == run(&small), "other bits");
        }
    }

    /// How many chunks the tasks that bring states together read at most.
    fn states_read(graph: &Graph) -> usize {
        let lens = |id: LayerId| graph.layers.iter().find(|layer| layer.id == id).map_or(0, |layer| layer.len);
        let together = graph.layers.iter().filter(|layer| ["combine", "finish"].iter().any(|name| layer.name.contains(name)));
        let read = together.flat_map(|layer| {
            let task = move |task| layer.edges.iter().map(|edge| edge.wiring.inputs(task, lens(edge.layer)).iter().count()).sum::<usize>();
            (0..layer.len).map(task)
        });
        read.max().unwrap_or(0)
    }

    #[test]
    fn many_variables_are_told_by_what_a_task_would_hold() {
        let count = |rows: usize, columns: usize, chunks: [usize; 2]| {
            let x = DArray::<f64>::zeros([rows, columns], chunks);
            observations_of_many(x.untyped().meta().expect("it fits"), SHORT)
        };
        assert_eq!(count(1000, 100_000, [1000, 5000]), None);
        assert_eq!(count(1000, 100_000, [10, 10_000]), Some(100_000));
        assert_eq!(count(5000, 10, [5000, 10]), Some(10));
    }
}
