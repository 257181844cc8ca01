//! `solve` and `inv`: equations whose matrix is cut into panels, each of them a few columns in all their length, so that every pivot is the largest
//! of its whole column. Exchanging rows within tiles only would need no tall panels, and is less stable (A. Buttari, J. Langou, J. Kurzak,
//! J. Dongarra, "A class of parallel tiled linear algebra algorithms for multicore architectures", 2009).
//!
//! A panel is factored in one task; what that does to the columns right of it and to right-hand sides is done to each of them in a task of its own.

use faer::Mat;
use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::dense::lu::{back, forward, panel};
use super::factor::{in_kind, singular, square};
use super::matrix::{Matrix, block_of_matrix};
use super::solve::{sides, solution};
use super::tiles::{only, reading, tiles};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, bounds};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::{State, state_of};
use crate::array::{DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// The solution `x` of the equations `a · x = b`, where `a` is this square matrix and `b` a vector, or a matrix of several right-hand sides.
    ///
    /// The matrix is factored with rows exchanged, so that pivots are as large as can be, in `f64`. Tasks hold a few columns of it in all their
    /// length: as many as a chunk has rows.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let a = DArray::from_array(array![[2.0, 1.0], [1.0, 1.0]], 1);
    /// let b = DArray::from_array(array![3.0, 2.0], 1);
    /// assert_eq!(a.solve(&b).compute()?, array![1.0, 1.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, right-hand sides of another length; while it runs: a matrix without an inverse.
    #[track_caller]
    pub fn solve(&self, b: &DArray<T>) -> DArray<T> {
        match sides(self.untyped().meta().and_then(square), b) {
            Ok((b, is_vector)) => {
                let inputs = vec![self.cast::<f64>().to_any(), b.cast::<f64>().to_any()];
                solution(DArray::then(Solve { dtype: T::DTYPE }, inputs, ".solve(…)"), is_vector)
            }
            Err(failure) => DArray::failed(failure, ".solve(…)"),
        }
    }

    /// The matrix whose product with this square one has ones on its diagonal and zeros elsewhere. To solve equations,
    /// [`DArray::solve`] is faster and more exact.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[2.0, 0.0], [0.0, 4.0]], 1);
    /// assert_eq!(x.inv().compute()?, array![[0.5, 0.0], [0.0, 0.25]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known; while it runs: a matrix without an inverse.
    #[track_caller]
    pub fn inv(&self) -> DArray<T> {
        let cuts = self.untyped().meta().and_then(|meta| Ok((square(meta)?, tiles(meta)?)));
        match cuts {
            Ok((n, cuts)) => {
                let widest = cuts.sizes().and_then(|sizes| sizes.iter().max().copied()).unwrap_or(n);
                self.solve(&DArray::eye(n, [n.max(1), widest.max(1)]))
            }
            Err(failure) => DArray::failed(failure, ".inv()"),
        }
    }
}

/// Solves equations for a matrix of right-hand sides.
struct Solve {
    dtype: DType,
}

impl Step for Solve {
    fn line(&self) -> String {
        "solve".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let columns = inputs[1].cuts.get(1).cloned().ok_or_else(|| Failure::internal("solve: right-hand sides that are no matrix"))?;
        Ok(Meta { dtype: self.dtype, cuts: vec![Cuts::whole(square(inputs[0])?), columns] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (matrix, sides, meta) = (node.inputs[0].meta()?, node.inputs[1].meta()?, node.known()?);
        let cuts = tiles(matrix)?;
        let starts = bounds(cuts.sizes().map_or(&[][..], |sizes| &sizes[..]));
        let (a, b) = (lowering.of(&node.inputs[0]), lowering.of(&node.inputs[1]));
        let a = rechunk(lowering, a, &matrix.cuts, &[meta.cuts[0].clone(), cuts.clone()], node);
        let mut sides = (rechunk(lowering, b, &sides.cuts, &meta.cuts, node), meta.cuts[1].count());
        let panels = factored(lowering, a, &starts, node);
        for (panel, start) in panels.iter().zip(&starts) {
            sides.0 = applied(lowering, *panel, *start, (sides.0, 0..sides.1), node);
        }
        for (at, (panel, start)) in panels.iter().zip(&starts).enumerate().rev() {
            let dtype = if at == 0 { self.dtype } else { DType::F64 };
            let op = OpRef::new(BackPanel { start: *start, dtype }, "solve upwards");
            let edges = vec![only(*panel), reading(sides.0, 0..sides.1)];
            sides.0 = lowering.add(Layer::single("solve", sides.1 as u32, op, edges), node);
        }
        Ok(sides.0)
    }
}

/// The factors of all panels, of a matrix that is cut where these rows begin.
fn factored(lowering: &mut Lowering, a: Lowered, starts: &[usize], node: &Node) -> Vec<Lowered> {
    let count = starts.len().saturating_sub(1);
    let mut panels = Vec::with_capacity(count);
    // Columns that are left: where they are, and the number of the first of them there.
    let mut left = (a, 0);
    for (at, start) in starts.iter().copied().enumerate().take(count) {
        let op = OpRef::new(FactorPanel { start }, "lu of a panel");
        let panel = lowering.add(Layer::single("panel", 1, op, vec![reading(left.0, [at - left.1])]), node);
        panels.push(panel);
        if at + 1 < count {
            let chunks = at + 1 - left.1..count - left.1;
            left = (applied(lowering, panel, start, (left.0, chunks), node), at + 1);
        }
    }
    panels
}

/// What a panel does to some chunks of a layer.
fn applied(
    lowering: &mut Lowering,
    panel: Lowered,
    start: usize,
    (layer, chunks): (Lowered, std::ops::Range<usize>),
    node: &Node,
) -> Lowered {
    let op = OpRef::new(ApplyPanel { start }, "eliminate");
    let tasks = chunks.len() as u32;
    lowering.add(Layer::single("eliminate", tasks, op, vec![only(panel), reading(layer, chunks)]), node)
}

/// Columns in all their length are brought into their factors, from a row on: the factors, and the exchanges of rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorPanel {
    start: usize,
}

impl Operator for FactorPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [columns] = inputs else { return Err(Failure::internal("solve: one panel")) };
        let columns = Matrix::<f64>::of(block_of(columns)?)?;
        let columns = columns.view();
        if self.start + columns.ncols() > columns.nrows() {
            return Err(Failure::internal("solve: a panel that is too wide"));
        }
        let (factors, swaps) = panel(columns, self.start).ok_or_else(|| singular("the matrix has no inverse"))?;
        let swaps: Vec<i64> = swaps.into_iter().map(|row| row as i64).collect();
        let numbers = vec![block_of_matrix(factors.as_ref())?, Block::from_vec(vec![swaps.len()], swaps)];
        Ok(Chunk::new(State { count: 0, numbers }))
    }
}

impl NamedOperator for FactorPanel {
    const NAME: &'static str = "array_lu_panel";
}

/// A panel and what is to be changed by it.
struct Given<'a> {
    factors: Matrix<'a, f64>,
    swaps: Vec<usize>,
    columns: Mat<f64>,
}

fn given(inputs: &[Chunk], start: usize) -> Result<Given<'_>, Failure> {
    let misfit = || Failure::internal("solve: a panel that does not belong to these columns");
    let [panel, columns] = inputs else { return Err(misfit()) };
    let [factors, swaps] = &state_of(panel)?.numbers[..] else { return Err(misfit()) };
    let swaps: Vec<usize> = swaps.to_vec::<i64>()?.into_iter().map(|row| row as usize).collect();
    let factors = Matrix::<f64>::of(factors)?;
    let columns = Matrix::<f64>::of(block_of(columns)?)?.view().to_owned();
    let (rows, width) = factors.view().shape();
    let is_inside = start + width <= rows && swaps.iter().all(|row| *row < rows - start);
    if columns.nrows() != rows || swaps.len() != width || !is_inside {
        return Err(misfit());
    }
    Ok(Given { factors, swaps, columns })
}

/// Does to columns what was done to make a panel's factors.
#[derive(Serialize, Deserialize)]
pub(crate) struct ApplyPanel {
    start: usize,
}

impl Operator for ApplyPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut given = given(inputs, self.start)?;
        forward(given.factors.view(), &given.swaps, self.start, given.columns.as_mut());
        block_of_matrix(given.columns.as_ref()).map(Chunk::new)
    }
}

impl NamedOperator for ApplyPanel {
    const NAME: &'static str = "array_lu_apply";
}

/// Solves for the unknowns of a panel, and takes them out of the equations above.
#[derive(Serialize, Deserialize)]
pub(crate) struct BackPanel {
    start: usize,
    dtype: DType,
}

impl Operator for BackPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut given = given(inputs, self.start)?;
        back(given.factors.view(), self.start, given.columns.as_mut());
        in_kind(&block_of_matrix(given.columns.as_ref())?, self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for BackPanel {
    const NAME: &'static str = "array_lu_back";
}
