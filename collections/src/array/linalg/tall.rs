//! `qr`, `svd` and `svd_compressed`: factors of tall matrices, row block by row block (J. Demmel, L. Grigori, M. Hoemmen, J. Langou,
//! "Communication-optimal parallel and sequential QR and LU factorizations", 2012). Every block of rows is factored by itself; the triangles,
//! put on top of each other, are factored once more, and each block takes its part of that.

use ndarray::{Array2, Axis, concatenate, s};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::jacobi::svd;
use super::dense::qr::qr;
use super::factor::{TakePart, in_kind, matrix_of};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::random::Random;
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::{State, state_of};
use crate::array::{AnyArray, DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// Two factors of a matrix: columns that stand at right angles, as many as the shorter side of the matrix is long, and an upper triangle whose
    /// diagonal is not negative.
    ///
    /// Made for tall matrices, whose blocks of rows are factored side by side; columns are brought into one chunk.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[3.0_f64, 1.0], [4.0, 2.0], [0.0, 5.0]], [2, 2]);
    /// let (q, r) = x.qr();
    /// assert!(q.matmul(&r).all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// assert!((r.compute()?[[0, 0]] - 5.0).abs() < 1e-12);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, sizes of chunks that are not known.
    #[doc(alias = "tsqr")]
    #[track_caller]
    pub fn qr(&self) -> (DArray<T>, DArray<T>) {
        let (local, top) = self.tall(false, ".qr()");
        (rows::<T>(&local, &top, ".qr()"), piece::<T>(&top, 1, ".qr()"))
    }

    /// Singular values in descending order, and the vectors on both sides, such that `u · diag(s) · vt` is the matrix: as many as the shorter side
    /// of the matrix is long.
    ///
    /// Made for tall matrices, and for wide ones, which are turned first. The triangle that is left of a tall matrix is worked on by Jacobi's
    /// rotations: exact, and slow for more than a few hundred columns.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[3.0_f64, 0.0], [0.0, 4.0], [0.0, 0.0]], [2, 2]);
    /// let (_, values, _) = x.svd();
    /// assert!(values.compute()?.iter().zip([4.0, 3.0]).all(|(value, expected): (&f64, f64)| (value - expected).abs() < 1e-12));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, sizes of chunks that are not known.
    #[track_caller]
    pub fn svd(&self) -> (DArray<T>, DArray<T>, DArray<T>) {
        if let Ok([rows, columns]) = self.shape().as_deref()
            && rows < columns
        {
            let (u, values, vt) = self.t().svd();
            return (vt.t(), values, u.t());
        }
        let (local, top) = self.tall(true, ".svd()");
        (rows::<T>(&local, &top, ".svd()"), piece::<T>(&top, 2, ".svd()"), piece::<T>(&top, 3, ".svd()"))
    }

    /// The `k` greatest singular values and their vectors, nearly, of a large matrix that is close to one of low rank (N. Halko, P. G. Martinsson,
    /// J. A. Tropp, "Finding structure with randomness", 2011). `rounds` through the matrix sharpen them; two are usually enough.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let rng = Random::new(1);
    /// let low = rng.normal([60, 2], 20).matmul(&rng.normal([2, 50], 50));
    /// let (u, s, vt) = low.svd_compressed(2, 1, 7);
    /// assert_eq!((u.shape()?, s.shape()?, vt.shape()?), (vec![60, 2], vec![2], vec![2, 50]));
    /// assert!((u * &s).matmul(&vt).all_close(&low, 1e-8, 1e-8).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, more values than the shorter side of the matrix is long, sizes of chunks that are not known.
    #[track_caller]
    pub fn svd_compressed(&self, k: usize, rounds: usize, seed: u64) -> (DArray<T>, DArray<T>, DArray<T>) {
        let shape = self.shape();
        let (rows, columns) = match shape.as_deref() {
            Ok([rows, columns]) if k >= 1 && k <= *rows.min(columns) => (*rows, *columns),
            Ok(other) => {
                let what = format!("{k} singular values of an array of shape {other:?}");
                return broken(
                    Failure::new(Code::ShapeMismatch, what).help("a matrix, and as many values as it has rows and columns at most"),
                );
            }
            Err(failure) => return broken(failure.clone()),
        };
        // A few more columns than are wanted make it sure that nothing of these is missing.
        let wide = (k + 10).min(rows).min(columns);
        let guess = Random::new(seed).normal([columns, wide], -1).cast::<T>();
        let mut q = self.matmul(&guess).qr().0;
        for _ in 0..rounds {
            let back = self.t().matmul(&q).qr().0;
            q = self.matmul(&back).qr().0;
        }
        let (u, values, vt) = q.t().matmul(self).svd();
        let first = |array: DArray<T>, axis: isize| array.slice_axis(axis, ..k);
        (first(q.matmul(&u), 1), first(values, 0), first(vt, 0))
    }

    /// Blocks of rows with their factors, and what their triangles become.
    #[track_caller]
    fn tall(&self, values: bool, method: &str) -> (AnyArray, AnyArray) {
        let local = DArray::<f64>::then(Local, vec![self.cast::<f64>().to_any()], method).to_any();
        let top = DArray::<f64>::then(Top { values }, vec![local.clone()], method).to_any();
        (local, top)
    }
}

#[track_caller]
fn broken<T: Float>(failure: Failure) -> (DArray<T>, DArray<T>, DArray<T>) {
    let failed = || DArray::failed(failure.clone(), ".svd_compressed(…)");
    (failed(), failed(), failed())
}

/// The columns at right angles.
#[track_caller]
fn rows<T: Float>(local: &AnyArray, top: &AnyArray, method: &str) -> DArray<T> {
    DArray::then(Rows { dtype: T::DTYPE }, vec![local.clone(), top.clone()], method)
}

/// One of the small arrays.
#[track_caller]
fn piece<T: Float>(top: &AnyArray, at: usize, method: &str) -> DArray<T> {
    DArray::then(Piece { at, dtype: T::DTYPE }, vec![top.clone()], method)
}

/// Factors every block of rows. Its chunks are no blocks but both factors of one.
struct Local;

impl Step for Local {
    fn line(&self) -> String {
        "qr of blocks of rows".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        inputs[0].sizes()?;
        let [rows, columns] = &inputs[0].cuts[..] else {
            return Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {} is no matrix", inputs[0].show_shape())));
        };
        Ok(Meta { dtype: DType::F64, cuts: vec![rows.clone(), Cuts::whole(columns.len().unwrap_or(0))] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, &from.cuts, &to.cuts, node);
        let op = OpRef::new(FactorRows, self.line());
        Ok(lowering.add(Layer::single("qr", to.blocks()?, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// Both factors of a block of rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorRows;

impl Operator for FactorRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("qr: no block"))??;
        let view = block.view::<f64>()?.into_dimensionality().map_err(|_| Failure::internal("qr: a block that is no matrix"))?;
        let (q, triangle) = qr(&view);
        Ok(Chunk::new(State { count: 0, numbers: vec![Block::from_array(q.into_dyn()), Block::from_array(triangle.into_dyn())] }))
    }
}

impl NamedOperator for FactorRows {
    const NAME: &'static str = "array_qr";
}

/// Factors the triangles of all blocks, put on top of each other.
struct Top {
    /// Whether singular values are wanted.
    values: bool,
}

impl Step for Top {
    fn line(&self) -> String {
        if self.values { "svd of triangles".into() } else { "qr of triangles".into() }
    }

    /// One chunk; the axes are those of the matrix, so that readers know how long theirs are.
    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let cuts = inputs[0].shape()?.into_iter().map(Cuts::whole);
        Ok(Meta { dtype: DType::F64, cuts: cuts.collect() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        // Only triangles travel to where all come together.
        let blocks = node.inputs[0].meta()?.blocks()?;
        let triangle = OpRef::new(TakePart { at: 1, dtype: DType::F64 }, "triangles");
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let triangles = lowering.add(Layer::single("triangles", blocks, triangle, edges), node);
        let op = OpRef::new(FactorTriangles { values: self.values }, self.line());
        Ok(lowering.add(Layer::single("top", 1, op, vec![triangles.edge(Wiring::Every)]), node))
    }
}

/// The factors of triangles: columns at right angles, an upper triangle, and where they are wanted singular values and right vectors, whose
/// left vectors are then in place of the columns.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorTriangles {
    values: bool,
}

impl Operator for FactorTriangles {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let triangles = inputs.iter().map(|input| matrix_of(block_of(input)?)).collect::<Result<Vec<Array2<f64>>, Failure>>()?;
        let views: Vec<_> = triangles.iter().map(|triangle| triangle.view()).collect();
        let stacked = concatenate(Axis(0), &views).map_err(|_| Failure::internal("qr: triangles of different widths"))?;
        let (q, triangle) = qr(&stacked.view());
        if !self.values {
            return Ok(Chunk::new(State { count: 0, numbers: [q, triangle].map(|a| Block::from_array(a.into_dyn())).to_vec() }));
        }
        if triangle.iter().any(|x| !x.is_finite()) {
            let what = "singular values of a matrix with elements that are infinite or no numbers";
            return Err(Failure::new(Code::SingularMatrix, what).help("numbers in their places: .nan_to_num()"));
        }
        let (u, values, vt) = svd(triangle.clone());
        let numbers = vec![
            Block::from_array(q.dot(&u).into_dyn()),
            Block::from_array(triangle.into_dyn()),
            Block::from_array(values.into_dyn()),
            Block::from_array(vt.into_dyn()),
        ];
        Ok(Chunk::new(State { count: 0, numbers }))
    }
}

impl NamedOperator for FactorTriangles {
    const NAME: &'static str = "array_qr_top";
}

/// The columns at right angles, block of rows by block of rows.
struct Rows {
    dtype: DType,
}

impl Step for Rows {
    fn line(&self) -> String {
        "columns at right angles".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let shape = inputs[0].shape()?;
        Ok(Meta { dtype: self.dtype, cuts: vec![inputs[0].cuts[0].clone(), Cuts::whole(shape[0].min(shape[1]))] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let (sizes, columns) = (meta.sizes()?, meta.shape()?[1]);
        // Each block's triangle has as many rows as the shorter of its sides is long.
        let mut first = 0;
        let mut args = Vec::with_capacity(sizes[0].len());
        for rows in sizes[0].iter() {
            let end = first + rows.min(&columns);
            args.push(Arg::encode(&(first, end)));
            first = end;
        }
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each), lowering.of(&node.inputs[1]).edge(Wiring::Every)];
        let op = OpRef::new(JoinRows { dtype: self.dtype }, self.line());
        Ok(lowering.add(Layer::with_args("q", op, args, edges), node))
    }
}

/// A block's own columns, turned by its part of those of all.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinRows {
    dtype: DType,
}

impl Operator for JoinRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [own, top] = inputs else { return Err(Failure::internal("qr: a block's factors, and those of all")) };
        let first = |chunk| -> Result<Array2<f64>, Failure> {
            let block = state_of(chunk)?.numbers.first().ok_or_else(|| Failure::internal("qr: factors without the first"))?;
            matrix_of(block)
        };
        let (own, top) = (first(own)?, first(top)?);
        let (start, end): (usize, usize) = ctx.arg()?.decode()?;
        if start > end || end > top.nrows() || end - start != own.ncols() {
            return Err(Failure::internal("qr: a part that does not belong to its block"));
        }
        let product = own.dot(&top.slice(s![start..end, ..]));
        in_kind(&Block::from_array(product.into_dyn()), self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for JoinRows {
    const NAME: &'static str = "array_qr_rows";
}

/// One of the small arrays that are left of a tall one.
struct Piece {
    at: usize,
    dtype: DType,
}

impl Step for Piece {
    fn line(&self) -> String {
        ["columns", "triangle", "singular values", "right vectors"].get(self.at).copied().unwrap_or("part").into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let shape = inputs[0].shape()?;
        let rank = shape[0].min(shape[1]);
        let cuts = if self.at == 2 { vec![Cuts::whole(rank)] } else { vec![Cuts::whole(rank), Cuts::whole(shape[1])] };
        Ok(Meta { dtype: self.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(TakePart { at: self.at, dtype: self.dtype }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("part", 1, op, edges), node))
    }
}
