//! `solve` and `inv`, and the panels of Gauss that they and `lu` and `det` share: each is a few columns in all their length, so that every pivot is
//! the largest of its whole column. Exchanging rows within tiles only would need no tall panels, and is less stable (A. Buttari, J. Langou, J. Kurzak,
//! J. Dongarra, "A class of parallel tiled linear algebra algorithms for multicore architectures", 2009).
//!
//! A panel is factored in one task; what that does to the columns right of it and to right-hand sides is done to each of them in a task of its own.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::columns::{Panels, Ways, applied};
use super::dense::lu::{back, forward, panel};
use super::factor::{in_kind, singular, square};
use super::matrix::{Copied, Exact, Matrix, block_of_matrix, with_exact};
use super::solve::{sides, solution};
use super::tiles::{only, tiles};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::{reading, rechunk};
use crate::array::reductions::state::{State, state_of};
use crate::array::{DArray, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// The solution `x` of the equations `a · x = b`, where `a` is this square matrix and `b` a vector, or a matrix of several right-hand sides.
    ///
    /// The matrix is factored with rows exchanged, so that pivots are as large as can be, in numbers of eight bytes. Tasks hold a few columns of it in all their
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
                let inputs = vec![self.exact(), b.exact()];
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
        let (sides, meta) = (node.inputs[1].meta()?, node.known()?);
        let exact = sides.dtype;
        let panels = Panels::of(node.inputs[0].meta()?)?;
        let done = panels.eliminate(&node.inputs[0], &GAUSS, lowering, node)?.panels;
        let b = lowering.of(&node.inputs[1]);
        let mut sides = (rechunk(lowering, b, sides, &meta.cuts, node), meta.cuts[1].count());
        for (panel, start) in done.iter().zip(&panels.starts) {
            sides.0 = applied(lowering, (GAUSS.apply)(*start), *panel, (sides.0, 0..sides.1), node);
        }
        for (at, (panel, start)) in done.iter().zip(&panels.starts).enumerate().rev() {
            let op = OpRef::new(BackPanel { start: *start, dtype: if at == 0 { self.dtype } else { exact } }, "solve upwards");
            let edges = vec![only(*panel), reading(sides.0, 0..sides.1)];
            sides.0 = lowering.add(Layer::single("solve", sides.1 as u32, op, edges), node);
        }
        Ok(sides.0)
    }
}

/// Gauss's way with panels.
pub(super) const GAUSS: Ways = Ways {
    factor: |start| OpRef::new(FactorPanel { start }, "lu of a panel"),
    apply: |start| OpRef::new(ApplyPanel { start }, "eliminate"),
};

/// Columns in all their length are brought into their factors, from a row on: the factors, and the exchanges of rows. Pivots of zero stay there,
/// so that matrices without an inverse have factors too.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorPanel {
    start: usize,
}

impl Operator for FactorPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [columns] = inputs else { return Err(Failure::internal("lu: one panel")) };
        let columns = block_of(columns)?;
        with_exact!(columns.dtype(), E => {
            let columns = Matrix::<E>::of(columns)?;
            let columns = columns.view();
            if self.start + columns.ncols() > columns.nrows() {
                return Err(Failure::internal("lu: a panel that is too wide"));
            }
            let (factors, swaps) = panel(columns, self.start);
            let swaps: Vec<i64> = swaps.into_iter().map(|row| row as i64).collect();
            let numbers = vec![block_of_matrix(factors.as_ref())?, Block::from_vec(vec![swaps.len()], swaps)];
            Ok(Chunk::new(State { count: 0, numbers }))
        })
    }
}

impl NamedOperator for FactorPanel {
    const NAME: &'static str = "array_lu_panel";
}

/// A panel and what is to be changed by it.
struct Given<'a, E: Exact> {
    factors: Matrix<'a, E>,
    swaps: Vec<usize>,
    columns: Copied<E>,
}

fn misfit() -> Failure {
    Failure::internal("lu: a panel that does not belong to these columns")
}

/// The factors of a panel, and its exchanges of rows.
pub(super) fn parts(panel: &Chunk) -> Result<(&Block, &Block), Failure> {
    let [factors, swaps] = &state_of(panel)?.numbers[..] else { return Err(misfit()) };
    Ok((factors, swaps))
}

impl<'a, E: Exact> Given<'a, E> {
    fn of((factors, swaps): (&'a Block, &Block), columns: &Block, start: usize) -> Result<Self, Failure> {
        let swaps: Vec<usize> = swaps.to_vec::<i64>()?.into_iter().map(|row| row as usize).collect();
        let factors = Matrix::<E>::of(factors)?;
        let columns = Copied::of(Matrix::<E>::of(columns)?.view());
        let (rows, width) = factors.view().shape();
        let is_inside = start + width <= rows && swaps.iter().all(|row| *row < rows - start);
        if columns.rows() != rows || swaps.len() != width || !is_inside {
            return Err(misfit());
        }
        Ok(Given { factors, swaps, columns })
    }
}

/// Does to columns what was done to make a panel's factors.
#[derive(Serialize, Deserialize)]
pub(crate) struct ApplyPanel {
    start: usize,
}

impl Operator for ApplyPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [panel, columns] = inputs else { return Err(misfit()) };
        with_exact!(block_of(columns)?.dtype(), E => {
            let mut given = Given::<E>::of(parts(panel)?, block_of(columns)?, self.start)?;
            forward(given.factors.view(), &given.swaps, self.start, given.columns.view_mut());
            given.columns.block().map(Chunk::new)
        })
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
        let [panel, columns] = inputs else { return Err(misfit()) };
        with_exact!(block_of(columns)?.dtype(), E => {
            let mut given = Given::<E>::of(parts(panel)?, block_of(columns)?, self.start)?;
            if !back(given.factors.view(), self.start, given.columns.view_mut()) {
                return Err(singular("the matrix has no inverse"));
            }
            in_kind(&given.columns.block()?, self.dtype).map(Chunk::new)
        })
    }
}

impl NamedOperator for BackPanel {
    const NAME: &'static str = "array_lu_back";
}
