//! `lu`, `det` and `slogdet`: what the panels of Gauss say of a matrix.
//!
//! It refuses to know how panels are factored; `solve` has the same, and computed together they are made once.

use faer::Mat;
use num_complex::Complex;
use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::columns::{Eliminated, Panels, uppers};
use super::dense::lu::{exchange, product};
use super::factor::{TakePart, in_kind, square};
use super::matrix::{Exact, Matrix, block_of_matrix, with_exact};
use super::panels::{GAUSS, parts};
use super::tiles::{collected, only};
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::reductions::state::{State, state_of};
use crate::array::{DArray, Element, Float, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// Three factors of a matrix: an order of rows, a lower triangle with ones on its diagonal, and an upper triangle, such that `p · l · u` is the
    /// matrix. Of a matrix that is not square the triangles have as many columns and rows as its shorter side is long.
    ///
    /// The matrix is cut into panels, a few columns in all their length: as wide as a chunk of a square matrix is long, or else as chunks are wide.
    /// A panel is factored in one task, with the largest element of the whole column for a pivot, and what follows from it for the other columns is
    /// done in a task for each panel, in numbers of eight bytes. So are the factors cut. About a tenth of the side is a good length of chunks.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0], [4.0, 4.0]], 1);
    /// let (p, l, u) = x.lu();
    /// assert_eq!(u.compute()?, array![[4.0, 4.0], [0.0, 1.0]].into_dyn());
    /// assert_eq!(p.matmul(&l).matmul(&u).compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, panels of more than ten thousand million bytes, sizes of chunks that are not known.
    #[track_caller]
    pub fn lu(&self) -> (DArray<T>, DArray<T>, DArray<T>) {
        let exact = self.exact();
        let part = |which: Triangle| DArray::then(Triangles { which, dtype: T::DTYPE }, vec![exact.clone()], ".lu()");
        (part(Triangle::Order), part(Triangle::Lower), part(Triangle::Upper))
    }

    /// The determinant of a square matrix, as one element, from the panels of [`DArray::lu`]. One that is too large for its type is infinite; see
    /// [`DArray::slogdet`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[0.0, 2.0], [3.0, 1.0]], 1);
    /// assert_eq!(x.det().compute_scalar()?, -6.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, panels of more than ten thousand million bytes, sizes of chunks that are not known.
    #[track_caller]
    pub fn det(&self) -> DArray<T> {
        self.determinant(Asked::Product, ".det()")
    }

    #[track_caller]
    fn determinant<U: Element>(&self, asked: Asked, method: &str) -> DArray<U> {
        DArray::then(Determinant { asked, dtype: U::DTYPE }, vec![self.exact()], method)
    }
}

impl<T: Float> DArray<T> {
    /// The determinant of a square matrix in two numbers, its sign and the logarithm of its size, so that it may be as large or as small as it
    /// likes: `sign · exp(log)`. Of a matrix without an inverse they are 0 and minus infinity.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::eye(1000, 250) * -0.1;
    /// assert_eq!(x.det().compute_scalar()?, 0.0);
    /// let (sign, log) = x.slogdet();
    /// assert_eq!(sign.compute_scalar()?, 1.0);
    /// assert!((log.compute_scalar()? - 1000.0 * 0.1f64.ln()).abs() < 1e-9);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::det`].
    #[track_caller]
    pub fn slogdet(&self) -> (DArray<T>, DArray<T>) {
        (self.determinant(Asked::Direction, ".slogdet()"), self.determinant(Asked::Logarithm, ".slogdet()"))
    }
}

// Beside the one of real numbers, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact,
{
    /// The determinant of a square matrix in two numbers, the one of size 1 in its direction and the logarithm of its size: `sign · exp(log)`.
    ///
    /// # Errors
    /// As [`DArray::det`].
    #[track_caller]
    pub fn slogdet(&self) -> (DArray<Complex<F>>, DArray<F>) {
        (self.determinant(Asked::Direction, ".slogdet()"), self.determinant(Asked::Logarithm, ".slogdet()"))
    }
}

#[derive(Clone, Copy)]
enum Triangle {
    Order,
    Lower,
    Upper,
}

struct Triangles {
    which: Triangle,
    dtype: DType,
}

impl Step for Triangles {
    fn line(&self) -> String {
        match self.which {
            Triangle::Order => "order of rows".into(),
            Triangle::Lower => "lower triangle".into(),
            Triangle::Upper => "upper triangle".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let panels = Panels::of(inputs[0])?;
        let all = Cuts::whole(panels.rows);
        let cuts = match self.which {
            // As many columns as rows, in blocks that are no larger than a panel.
            Triangle::Order => {
                let widest = panels.cuts().sizes().and_then(|sizes| sizes.iter().max().copied()).unwrap_or(1);
                let is_square = panels.factored().len() == Some(panels.rows);
                vec![all, if is_square { panels.factored() } else { Cuts::even(panels.rows, widest) }]
            }
            Triangle::Lower => vec![all, panels.factored()],
            Triangle::Upper => vec![Cuts::whole(panels.rank), panels.cuts()],
        };
        Ok(Meta { dtype: self.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (input, meta) = (&node.inputs[0], node.known()?);
        let panels = Panels::of(input.meta()?)?;
        let done = panels.eliminate(input, &GAUSS, lowering, node)?;
        match self.which {
            Triangle::Order => {
                let swaps = swaps(&done, lowering, node);
                let args = meta.places()?.iter().map(|place| Arg::encode(&(place.start[1], place.shape[1]))).collect();
                let op = OpRef::new(RowOrder { rows: panels.rows, dtype: self.dtype }, self.line());
                Ok(lowering.add(Layer::with_args("order", op, args, vec![only(swaps)]), node))
            }
            Triangle::Lower => {
                let swaps = swaps(&done, lowering, node);
                let mut made = Vec::with_capacity(panels.count);
                for (at, (panel, start)) in done.panels.iter().zip(&panels.starts).enumerate() {
                    let op = OpRef::new(TakeLower { start: *start }, self.line());
                    made.push((lowering.add(Layer::single("lower", 1, op, vec![only(*panel), only(swaps)]), node), vec![at]));
                }
                collected(lowering, made, meta, node)
            }
            Triangle::Upper => {
                let made = uppers(&panels, &done, lowering, node);
                collected(lowering, made, meta, node)
            }
        }
    }
}

/// The exchanges of rows of all panels: only they travel to where all come together.
fn swaps(done: &Eliminated, lowering: &mut Lowering, node: &Node) -> Lowered {
    let mut edges = Vec::with_capacity(done.panels.len());
    for panel in &done.panels {
        let op = OpRef::new(TakePart { at: 1, dtype: DType::I64 }, "exchanges");
        edges.push(only(lowering.add(Layer::single("exchanges", 1, op, vec![only(*panel)]), node)));
    }
    lowering.add(Layer::single("exchanges", 1, OpRef::new(JoinSwaps, "exchanges of rows"), edges), node)
}

/// With which row each row was exchanged, one after the other, from what panels say of it, each of which counts from its first row.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinSwaps;

impl Operator for JoinSwaps {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut all: Vec<i64> = Vec::new();
        for own in inputs {
            let start = all.len() as i64;
            all.extend(block_of(own)?.to_vec::<i64>()?.into_iter().map(|row| row + start));
        }
        Ok(Chunk::new(Block::from_vec(vec![all.len()], all)))
    }
}

impl NamedOperator for JoinSwaps {
    const NAME: &'static str = "array_lu_swaps";
}

fn misfit() -> Failure {
    Failure::internal("lu: exchanges that do not belong to these rows")
}

/// The exchanges from a row on, counted from there; none is outside of so many rows.
fn exchanges(swaps: &Chunk, from: usize, rows: usize) -> Result<Vec<usize>, Failure> {
    let all = block_of(swaps)?.to_vec::<i64>()?;
    let later =
        all.get(from..).ok_or_else(misfit)?.iter().map(|row| usize::try_from(*row).ok()?.checked_sub(from).filter(|row| row + from < rows));
    later.collect::<Option<_>>().ok_or_else(misfit)
}

/// Some columns of the matrix that brings rows into the order of the matrix.
#[derive(Serialize, Deserialize)]
pub(crate) struct RowOrder {
    rows: usize,
    dtype: DType,
}

impl Operator for RowOrder {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [swaps] = inputs else { return Err(misfit()) };
        let (start, len): (usize, usize) = ctx.arg()?.decode()?;
        let mut order: Vec<usize> = (0..self.rows).collect();
        exchanges(swaps, 0, self.rows)?.into_iter().enumerate().for_each(|(row, other)| order.swap(row, other));
        let own = order.get(start..start + len).ok_or_else(misfit)?;
        with_dtype!(self.dtype, T => {
            let mut values = vec![T::default(); self.rows * len];
            own.iter().enumerate().for_each(|(column, row)| values[row * len + column] = T::of_f64(1.0));
            Ok(Chunk::new(Block::from_vec(vec![self.rows, len], values)))
        })
    }
}

impl NamedOperator for RowOrder {
    const NAME: &'static str = "array_lu_order";
}

/// The lower triangle in a panel, in the order of rows in which later panels left it.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakeLower {
    start: usize,
}

impl Operator for TakeLower {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [panel, swaps] = inputs else { return Err(misfit()) };
        with_exact!(parts(panel)?.0.dtype(), E => self.lower::<E>(parts(panel)?.0, swaps))
    }
}

impl TakeLower {
    fn lower<E: Exact>(&self, factors: &Block, swaps: &Chunk) -> Result<Chunk, Failure> {
        let matrix = Matrix::<E>::of(factors)?;
        let mut lower: Mat<E> = matrix.view().to_owned();
        let (rows, width) = lower.shape();
        if self.start + width > rows {
            return Err(misfit());
        }
        for at in 0..width {
            let column = lower.col_as_slice_mut(at);
            column[..self.start + at].fill(E::of(0.0));
            column[self.start + at] = E::of(1.0);
        }
        let next = self.start + width;
        exchange(lower.as_mut().split_at_row_mut(next).1, &exchanges(swaps, next, rows)?);
        block_of_matrix(lower.as_ref()).map(Chunk::new)
    }
}

impl NamedOperator for TakeLower {
    const NAME: &'static str = "array_lu_lower";
}

/// What is asked of a determinant.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum Asked {
    Product,
    Direction,
    Logarithm,
}

struct Determinant {
    asked: Asked,
    dtype: DType,
}

impl Step for Determinant {
    fn line(&self) -> String {
        match self.asked {
            Asked::Product => "determinant".into(),
            Asked::Direction => "direction of the determinant".into(),
            Asked::Logarithm => "logarithm of the determinant".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        square(inputs[0])?;
        Panels::of(inputs[0])?;
        Ok(Meta { dtype: self.dtype, cuts: Vec::new() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = &node.inputs[0];
        let panels = Panels::of(input.meta()?)?;
        let done = panels.eliminate(input, &GAUSS, lowering, node)?;
        let mut edges = Vec::with_capacity(panels.count);
        for (panel, start) in done.panels.iter().zip(&panels.starts) {
            let op = OpRef::new(TakePivots { start: *start }, "pivots");
            edges.push(only(lowering.add(Layer::single("pivots", 1, op, vec![only(*panel)]), node)));
        }
        let op = OpRef::new(MultiplyPivots { asked: self.asked, dtype: self.dtype }, self.line());
        Ok(lowering.add(Layer::single("determinant", 1, op, edges), node))
    }
}

/// The pivots of a panel, and how many rows were exchanged for them.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakePivots {
    start: usize,
}

impl Operator for TakePivots {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [panel] = inputs else { return Err(misfit()) };
        let (factors, swaps) = parts(panel)?;
        let exchanged = swaps.to_vec::<i64>()?.into_iter().enumerate().filter(|(row, other)| *row as i64 != *other).count();
        with_exact!(factors.dtype(), E => {
            let factors = Matrix::<E>::of(factors)?;
            let factors = factors.view();
            let pivots: Vec<E> = (0..factors.ncols()).map(|at| factors[(self.start + at, at)]).collect();
            Ok(Chunk::new(State { count: exchanged as u64, numbers: vec![Block::from_vec(vec![pivots.len()], pivots)] }))
        })
    }
}

impl NamedOperator for TakePivots {
    const NAME: &'static str = "array_lu_pivots";
}

/// A determinant from the pivots of all panels.
#[derive(Serialize, Deserialize)]
pub(crate) struct MultiplyPivots {
    asked: Asked,
    dtype: DType,
}

impl Operator for MultiplyPivots {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = inputs.iter().map(state_of).collect::<Result<Vec<&State>, Failure>>()?;
        let exact = states.first().and_then(|state| state.numbers.first()).map(Block::dtype).ok_or_else(misfit)?;
        let found = with_exact!(exact, E => self.multiplied::<E>(&states)?);
        in_kind(&found, self.dtype).map(Chunk::new)
    }
}

impl MultiplyPivots {
    fn multiplied<E: Exact>(&self, states: &[&State]) -> Result<Block, Failure> {
        let mut pivots: Vec<E> = Vec::new();
        for state in states {
            pivots.extend(state.numbers.first().ok_or_else(misfit)?.to_vec::<E>()?);
        }
        let is_odd = states.iter().map(|state| state.count).sum::<u64>() % 2 == 1;
        let sign = E::of(if is_odd { -1.0 } else { 1.0 });
        let zero = E::of(0.0);
        let direction = |pivot: E| if pivot == zero { zero } else { pivot.direction() };
        Ok(match self.asked {
            Asked::Product => Block::full(Vec::new(), product(sign, pivots)),
            Asked::Direction => Block::full(Vec::new(), pivots.into_iter().fold(sign, |product, pivot| product * direction(pivot))),
            Asked::Logarithm => Block::full(Vec::new(), pivots.into_iter().fold(0.0, |sum, pivot| sum + pivot.distance().ln())),
        })
    }
}

impl NamedOperator for MultiplyPivots {
    const NAME: &'static str = "array_lu_determinant";
}
