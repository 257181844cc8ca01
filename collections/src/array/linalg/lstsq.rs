//! `lstsq`: what comes nearest to a solution. Right-hand sides are turned by the reflections that bring the matrix into a triangle, block of rows by
//! block of rows and up the same tree, so that columns at right angles are never multiplied out.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::dense::triangle::{Half, solve};
use super::factor::in_kind;
use super::fold::{FAN_IN, Wanted, columns_of, kind_of};
use super::matrix::{Exact, Matrix, block_of_matrix, stacked, with_exact};
use super::solve::{sides, solution};
use super::tall::{fold, top};
use super::tiles::only;
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::{Lists, reading, rechunk};
use crate::array::reductions::state::{State, state_of};
use crate::array::{DArray, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// The `x` for which `a · x` comes nearest to `b`, where `a` is this matrix with at least as many rows as columns: the sum of squares of
    /// what is missing is the least.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// // The line through three points.
    /// let a = DArray::from_array(array![[1.0_f64, 0.0], [1.0, 1.0], [1.0, 2.0]], [2, 2]);
    /// let b = DArray::from_array(array![1.0, 3.0, 5.0], 2);
    /// assert!(a.lstsq(&b).compute()?.iter().zip([1.0, 2.0]).all(|(x, expected): (&f64, f64)| (x - expected).abs() < 1e-12));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, fewer rows than columns, right-hand sides of another length; while it runs: columns that depend on each other.
    #[track_caller]
    pub fn lstsq(&self, b: &DArray<T>) -> DArray<T> {
        let rows = self.shape().and_then(|shape| match shape[..] {
            [rows, columns] if rows >= columns => Ok(rows),
            [rows, columns] => {
                let what = format!("{rows} equations for {columns} unknowns have many solutions");
                Err(Failure::new(Code::ShapeMismatch, what)
                    .help("as many equations as unknowns, or more; the shortest solution: a.pinv().matmul(&b)"))
            }
            _ => Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {shape:?} is no matrix"))),
        });
        match sides(rows, b) {
            Ok((b, is_vector)) => {
                let local = self.local(".lstsq(…)");
                let top = top(&local, Wanted::Factors, ".lstsq(…)");
                let inputs = vec![local, top, b.exact()];
                solution(DArray::then(Least { dtype: T::DTYPE }, inputs, ".lstsq(…)"), is_vector)
            }
            Err(failure) => DArray::failed(failure, ".lstsq(…)"),
        }
    }
}

/// Of blocks of rows with their factors, what their triangles become, and right-hand sides.
struct Least {
    dtype: DType,
}

impl Step for Least {
    fn line(&self) -> String {
        "least squares".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let columns = inputs[2].cuts.get(1).cloned().ok_or_else(|| Failure::internal("lstsq: right-hand sides that are no matrix"))?;
        Ok(Meta { dtype: self.dtype, cuts: vec![Cuts::whole(inputs[0].shape()?[1]), columns] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (blocks, sides) = (node.inputs[0].meta()?, node.inputs[2].meta()?);
        let (columns, wide) = (blocks.shape()?[1], sides.cuts[1].count());
        let (top, b) = (lowering.of(&node.inputs[1]), lowering.of(&node.inputs[2]));
        let mut turned = rechunk(lowering, b, sides, &[blocks.cuts[0].clone(), sides.cuts[1].clone()], node);
        let fold = fold(&node.inputs[0], lowering, node)?;
        let mut children = 0;
        for (level, (states, heights)) in fold.levels().iter().enumerate() {
            // Blocks of the level below, each for every block of right-hand sides, follow each other.
            let group = if level == 0 { 1 } else { FAN_IN };
            let below = if level == 0 { heights.len() } else { children };
            let mut parts = Lists::new();
            for first in (0..below).step_by(group) {
                (0..wide).for_each(|side| parts.push((first..below.min(first + group)).map(|block| block * wide + side)));
            }
            let own = reading(*states, (0..heights.len() * wide).map(|task| task / wide));
            let op = OpRef::new(TurnSides { columns }, "right-hand sides, turned");
            let tasks = (heights.len() * wide) as u32;
            turned = lowering.add(Layer::single("turn", tasks, op, vec![own, turned.edge(parts.wiring())]), node);
            children = heights.len();
        }
        let mut parts = Lists::new();
        (0..wide).for_each(|side| parts.push((0..children).map(|block| block * wide + side)));
        let op = OpRef::new(SolveLeast { dtype: self.dtype }, self.line());
        Ok(lowering.add(Layer::single("lstsq", wide as u32, op, vec![only(top), turned.edge(parts.wiring())]), node))
    }
}

/// Right-hand sides of a block, or of several on top of each other, turned by its reflections: as many rows as its triangle has.
#[derive(Serialize, Deserialize)]
pub(crate) struct TurnSides {
    columns: usize,
}

impl Operator for TurnSides {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [own, sides @ ..] = inputs else { return Err(Failure::internal("lstsq: factors and right-hand sides")) };
        let own = state_of(own)?;
        with_exact!(kind_of(own)?, E => turned::<E>(own, self.columns, sides))
    }
}

fn turned<E: Exact>(own: &State, columns: usize, sides: &[Chunk]) -> Result<Chunk, Failure> {
    let own = columns_of::<E>(own, columns)?;
    let sides = sides.iter().map(|side| Matrix::of(block_of(side)?)).collect::<Result<Vec<_>, Failure>>()?;
    let turned = match &sides[..] {
        [one] if one.view().nrows() == own.rows() => own.turn(one.view()),
        [_, _, ..] => {
            let all = stacked(&sides)?;
            if all.nrows() != own.rows() {
                return Err(misfit());
            }
            own.turn(all.as_ref())
        }
        _ => return Err(misfit()),
    };
    block_of_matrix(turned.as_ref()).map(Chunk::new)
}

fn misfit() -> Failure {
    Failure::internal("lstsq: right-hand sides of another length")
}

impl NamedOperator for TurnSides {
    const NAME: &'static str = "array_lstsq_turn";
}

/// Solves with the last triangle.
#[derive(Serialize, Deserialize)]
pub(crate) struct SolveLeast {
    dtype: DType,
}

impl Operator for SolveLeast {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [top, sides @ ..] = inputs else { return Err(misfit()) };
        let [columns, triangle, ..] = &state_of(top)?.numbers[..] else { return Err(misfit()) };
        let found = with_exact!(columns.dtype(), E => nearest::<E>(columns, triangle, sides)?);
        in_kind(&found, self.dtype).map(Chunk::new)
    }
}

fn nearest<E: Exact>(columns: &Block, triangle: &Block, sides: &[Chunk]) -> Result<Block, Failure> {
    let (columns, triangle) = (Matrix::<E>::of(columns)?, Matrix::<E>::of(triangle)?);
    let (columns, triangle) = (columns.view(), triangle.view());
    let sides = stacked::<E>(&sides.iter().map(|side| Matrix::of(block_of(side)?)).collect::<Result<Vec<_>, Failure>>()?)?;
    let n = columns.ncols();
    if columns.nrows() != sides.nrows() || triangle.shape() != (n, n) {
        return Err(misfit());
    }
    let mut x = Mat::<E>::zeros(n, sides.ncols());
    matmul(x.as_mut(), Accum::Replace, columns.adjoint(), sides.as_ref(), E::of(1.0), Par::Seq);
    if has_sums(triangle) || !solve(triangle, Half::Upper, x.as_mut()) {
        let what = "columns of the matrix depend on each other: there are many solutions that come nearest";
        return Err(Failure::new(Code::SingularMatrix, what).help(
            "the shortest of them: a.pinv().matmul(&b); or leave columns out that are sums of others, .matrix_rank() says how many are not",
        ));
    }
    block_of_matrix(x.as_ref())
}

impl NamedOperator for SolveLeast {
    const NAME: &'static str = "array_lstsq";
}

/// Roundings for each column that reflections leave, at most, of a column that is a sum of those before it.
const ROUNDINGS: f64 = 8.0;

/// Whether a column is a sum of those before it: then what stands on the diagonal is what rounding left, and not always zero. A column is
/// compared with itself alone, so that columns of very different sizes are no sums.
fn has_sums<E: Exact>(triangle: MatRef<'_, E>) -> bool {
    let least = ROUNDINGS * f64::EPSILON * triangle.ncols() as f64;
    (0..triangle.ncols()).any(|at| {
        let greatest = (0..=at).fold(0.0f64, |greatest, row| greatest.max(triangle[(row, at)].distance()));
        triangle[(at, at)].distance() <= least * greatest
    })
}

#[cfg(test)]
mod tests {
    use super::super::dense::qr::qr;
    use super::*;
    use faer::mat;

    #[test]
    fn columns_that_are_sums_are_told_from_those_that_are_nearly() {
        let sums = |a: &Mat<f64>| has_sums(qr::<f64>(a.as_ref()).1.as_ref());
        assert!(sums(&mat![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]));
        assert!(sums(&Mat::from_fn(5000, 3, |row, column| [row as f64, 1.0, 0.1 * row as f64 + 0.3][column])));
        assert!(sums(&Mat::zeros(3, 2)));
        assert!(!sums(&mat![[1.0, 1.0], [1.0, 1.0 + 1e-12], [1.0, 1.0]]));
        assert!(!sums(&mat![[1e-200, 1.0], [0.0, 1e-9]]) && !sums(&mat![[1e200, 0.0], [1e200, 1e-200]]));
        assert!(!sums(&mat![[f64::NAN, 1.0], [0.0, 1.0]]) && !sums(&Mat::zeros(3, 0)));
    }
}
