//! `qr`, `svd` and `svd_compressed`: factors of tall matrices, row block by row block.

use partita_graph::{Code, Failure, Layer, OpRef, Wiring};

use super::factor::{TakePart, fits_a_task};
use super::fold::{FactorRows, FactorTriangles, Fold, Wanted};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::random::Random;
use crate::array::rechunk::rechunk;
use crate::array::{AnyArray, DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// Two factors of a matrix: columns that stand at right angles, as many as the shorter side of the matrix is long, and an upper triangle whose
    /// diagonal is not negative.
    ///
    /// Made for tall matrices, whose blocks of rows are factored side by side; columns are brought into one chunk, and blocks with fewer rows than
    /// columns are joined.
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
        let local = self.local(".qr()");
        let top = top(&local, Wanted::Factors, ".qr()");
        (rows::<T>(&local, &top, ".qr()"), small::<T>(&top, Small::Triangle, ".qr()"))
    }

    /// Singular values in descending order, and the vectors on both sides, such that `u · diag(s) · vt` is the matrix: as many as the shorter side
    /// of the matrix is long.
    ///
    /// Made for tall matrices, and for wide ones, which are turned first. Where only the values are computed, no vectors are made.
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
        let local = self.local(".svd()");
        let (vectors, values) = (top(&local, Wanted::Vectors, ".svd()"), top(&local, Wanted::Values, ".svd()"));
        let right = small::<T>(&vectors, Small::Right, ".svd()");
        (rows::<T>(&local, &vectors, ".svd()"), small::<T>(&values, Small::Values, ".svd()"), right)
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

    /// Blocks of rows with their factors.
    #[track_caller]
    pub(super) fn local(&self, method: &str) -> AnyArray {
        DArray::<f64>::then(Local, vec![self.cast::<f64>().to_any()], method).to_any()
    }
}

#[track_caller]
fn broken<T: Float>(failure: Failure) -> (DArray<T>, DArray<T>, DArray<T>) {
    let failed = || DArray::failed(failure.clone(), ".svd_compressed(…)");
    (failed(), failed(), failed())
}

/// What the triangles of all blocks become.
#[track_caller]
pub(super) fn top(local: &AnyArray, wanted: Wanted, method: &str) -> AnyArray {
    DArray::<f64>::then(Top { wanted }, vec![local.clone()], method).to_any()
}

/// The columns at right angles, or the left vectors.
#[track_caller]
fn rows<T: Float>(local: &AnyArray, top: &AnyArray, method: &str) -> DArray<T> {
    DArray::then(Rows { dtype: T::DTYPE }, vec![local.clone(), top.clone()], method)
}

/// One of the small arrays.
#[track_caller]
fn small<T: Float>(top: &AnyArray, which: Small, method: &str) -> DArray<T> {
    DArray::then(Piece { which, dtype: T::DTYPE }, vec![top.clone()], method)
}

/// Factors every block of rows. Its chunks are no blocks but both factors of one.
struct Local;

impl Step for Local {
    fn line(&self) -> String {
        "qr of blocks of rows".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let [rows, columns] = inputs[0].shape()?[..] else {
            return Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {} is no matrix", inputs[0].show_shape())));
        };
        fits_a_task("qr and svd", rows.min(columns), columns, "the greatest singular values and their vectors: .svd_compressed(…)")?;
        Ok(Meta { dtype: DType::F64, cuts: vec![tall_blocks(&inputs[0].sizes()?[0], columns), Cuts::whole(columns)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, &from.cuts, &to.cuts, node);
        let op = OpRef::new(FactorRows, self.line());
        Ok(lowering.add(Layer::single("qr", to.blocks()?, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// Blocks of rows, of which neighbours are joined until they have at least as many rows as columns: the triangle of one that has fewer is as large
/// as the block.
fn tall_blocks(sizes: &[usize], columns: usize) -> Cuts {
    let mut blocks: Vec<usize> = Vec::with_capacity(sizes.len());
    for size in sizes {
        match blocks.last_mut() {
            Some(last) if *last < columns => *last += size,
            _ => blocks.push(*size),
        }
    }
    if let [.., before, last] = &mut blocks[..]
        && *last < columns
    {
        *before += *last;
        blocks.pop();
    }
    Cuts::Known(blocks.into())
}

/// The tree over the blocks of a [`Local`].
pub(super) fn fold(local: &AnyArray, lowering: &mut Lowering, node: &Node) -> Result<Fold, Failure> {
    let (sizes, columns) = (local.meta()?.sizes()?, local.meta()?.shape()?[1]);
    let states = lowering.of(local);
    Ok(Fold::up(lowering, states, &sizes[0], columns, node))
}

/// Factors the triangles of all blocks, put on top of each other.
struct Top {
    wanted: Wanted,
}

impl Step for Top {
    fn line(&self) -> String {
        match self.wanted {
            Wanted::Factors => "qr of triangles".into(),
            Wanted::Vectors => "svd of triangles".into(),
            Wanted::Values => "singular values of triangles".into(),
        }
    }

    /// One chunk; the axes are those of the matrix, so that readers know how long theirs are.
    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let cuts = inputs[0].shape()?.into_iter().map(Cuts::whole);
        Ok(Meta { dtype: DType::F64, cuts: cuts.collect() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let triangles = fold(&node.inputs[0], lowering, node)?.triangles(lowering, node);
        let op = OpRef::new(FactorTriangles { wanted: self.wanted }, self.line());
        Ok(lowering.add(Layer::single("top", 1, op, vec![triangles.edge(Wiring::Every)]), node))
    }
}

/// The columns at right angles, or the left vectors, block of rows by block of rows.
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
        let top = lowering.of(&node.inputs[1]);
        let fold = fold(&node.inputs[0], lowering, node)?;
        Ok(fold.down(lowering, top, self.dtype, node))
    }
}

/// Which of the small arrays that are left of a tall one.
#[derive(Clone, Copy)]
enum Small {
    Triangle,
    Values,
    Right,
}

struct Piece {
    which: Small,
    dtype: DType,
}

impl Step for Piece {
    fn line(&self) -> String {
        match self.which {
            Small::Triangle => "triangle".into(),
            Small::Values => "singular values".into(),
            Small::Right => "right vectors".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let shape = inputs[0].shape()?;
        let rank = shape[0].min(shape[1]);
        let cuts = match self.which {
            Small::Values => vec![Cuts::whole(rank)],
            Small::Triangle | Small::Right => vec![Cuts::whole(rank), Cuts::whole(shape[1])],
        };
        Ok(Meta { dtype: self.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let at = match self.which {
            Small::Values => 0,
            Small::Triangle => 1,
            Small::Right => 2,
        };
        let op = OpRef::new(TakePart { at, dtype: self.dtype }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("part", 1, op, edges), node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_as_many_rows_as_columns_where_there_are_so_many() {
        let blocks = |sizes: &[usize], columns| tall_blocks(sizes, columns).sizes().expect("known").to_vec();
        assert_eq!(blocks(&[10, 10, 5], 4), [10, 10, 5]);
        assert_eq!(blocks(&[10, 10, 3], 4), [10, 13]);
        assert_eq!(blocks(&[1, 2, 3, 4, 5], 4), [6, 4, 5]);
        assert_eq!(blocks(&[1, 1, 1], 4), [3]);
        assert_eq!(blocks(&[2, 0, 2], 0), [2, 0, 2]);
        assert_eq!(blocks(&[0], 3), [0]);
    }
}
