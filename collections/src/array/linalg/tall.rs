//! `qr`, `svd` and `svd_compressed`: factors of tall matrices, row block by row block.

use num_complex::Complex;
use partita_graph::{Code, Failure, Layer, OpRef, Wiring};

use super::factor::{TakePart, fits_a_task, made};
use super::fold::{FactorRows, FactorTriangles, Fold, Wanted};
use super::householder;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::random::Random;
use crate::array::rechunk::rechunk;
use crate::array::{AnyArray, DArray, Element, Float, Inexact, Node, Number, Step, where_};

impl<T: Inexact> DArray<T> {
    /// Two factors of a matrix: columns that stand at right angles, as many as the shorter side of the matrix is long, and an upper triangle whose
    /// diagonal is not negative.
    ///
    /// Blocks of rows of a tall matrix are factored side by side, and what is left of them again: columns are brought into one chunk, and blocks with
    /// fewer rows than columns are joined. A matrix that has less than four times as many rows as columns is cut into panels of columns in all
    /// their length; a panel is factored in one task, and what follows from it for other columns is done in a task for each panel. So are its
    /// factors cut. About a tenth of the side is a good length of chunks. All calculate with numbers of eight bytes.
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
        if self.untyped().meta().is_ok_and(is_in_panels) {
            return householder::factors(&self.exact(), ".qr()");
        }
        let local = self.local(".qr()");
        let top = top(&local, Wanted::Factors, ".qr()");
        (rows::<T>(&local, &top, ".qr()"), small::<T>(&top, Small::Triangle, ".qr()"))
    }

    /// Left vectors, singular values and right vectors.
    #[track_caller]
    pub(super) fn singular<R: Element>(&self) -> (DArray<T>, DArray<R>, DArray<T>) {
        if is_wide(self) {
            // Nothing is conjugated: turned as the matrix was, the vectors of one side are those of the other.
            let (u, values, vt) = self.t().singular();
            return (vt.t(), values, u.t());
        }
        let local = self.local(".svd()");
        let top = top(&local, Wanted::Vectors, ".svd()");
        let values = small(&top, Small::Values { with_vectors: true }, ".svd()");
        (rows::<T>(&local, &top, ".svd()"), values, small::<T>(&top, Small::Right, ".svd()"))
    }

    #[track_caller]
    pub(super) fn singular_alone<R: Element>(&self) -> DArray<R> {
        let tall = if is_wide(self) { self.t() } else { self.clone() };
        let top = top(&tall.local(".svdvals()"), Wanted::Values, ".svdvals()");
        small(&top, Small::Values { with_vectors: false }, ".svdvals()")
    }

    #[track_caller]
    fn compressed<R: Element>(&self, k: usize, rounds: usize, seed: u64) -> (DArray<T>, DArray<R>, DArray<T>) {
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
            let back = self.conj().t().matmul(&q).qr().0;
            q = self.matmul(&back).qr().0;
        }
        let (u, values, vt) = q.conj().t().matmul(self).singular();
        let is_turned = vt.sum_axis(1).re().lt(<<T::Sum as Number>::Part>::default());
        let signs = where_(&is_turned, T::of_i64(-1), T::of_i64(1));
        let (u, vt) = (u * &signs, vt * signs.expand_dims(1));
        (q.matmul(&u).slice_axis(1, ..k), values.slice_axis(0, ..k), vt.slice_axis(0, ..k))
    }

    /// Blocks of rows with their factors.
    #[track_caller]
    pub(super) fn local(&self, method: &str) -> AnyArray {
        made(Local, vec![self.exact()], method)
    }
}

impl<T: Float> DArray<T> {
    /// Singular values in descending order, and the vectors on both sides, such that `u · diag(s) · vt` is the matrix: as many as the shorter side
    /// of the matrix is long.
    ///
    /// Made for tall matrices, and for wide ones, which are turned first: their blocks of rows are brought into triangles side by side, and the last
    /// triangle, which has as many rows and columns as the shorter side is long, is worked on in one task. Of a square matrix that is all of it.
    /// Computed together, the three are made by one plan. For the values alone see [`DArray::svdvals`]. Of a pair of vectors and the one that
    /// points the other way it is the one in which the right vector (of a wide matrix the left one) has a sum that is not negative.
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
        self.singular()
    }

    /// Singular values alone, in descending order: those of [`DArray::svd`], up to rounding, for less than half the work of a square matrix, because no
    /// vectors are made.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[3.0_f64, 0.0], [0.0, 4.0], [0.0, 0.0]], [2, 2]);
    /// assert!(x.svdvals().all_close(&DArray::from_array(array![4.0, 3.0], 2), 1e-12, 0.0).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::svd`].
    #[track_caller]
    pub fn svdvals(&self) -> DArray<T> {
        self.singular_alone()
    }

    /// The `k` greatest singular values and their vectors, nearly, of a large matrix that is close to one of low rank (N. Halko, P. G. Martinsson,
    /// J. A. Tropp, "Finding structure with randomness", 2011). `rounds` through the matrix sharpen them; two are usually enough. The sum of each right
    /// vector is not negative.
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
        self.compressed(k, rounds, seed)
    }
}

// Beside the ones of real numbers, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact,
{
    /// Singular values, which are real, in descending order, and the vectors on both sides, such that `u · diag(s) · vt` is the matrix. As with real
    /// numbers.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[Complex::new(3.0, 4.0)], [Complex::new(0.0, 12.0)]], 1);
    /// let (u, s, vt) = x.svd();
    /// assert!(s.all_close(&DArray::full([1], 13.0, 1), 1e-12, 0.0).compute_scalar()?);
    /// assert!((&u * &s.to_complex(0.0)).matmul(&vt).all_close(&x, 1e-12, 0.0).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn svd(&self) -> (DArray<Complex<F>>, DArray<F>, DArray<Complex<F>>) {
        self.singular()
    }

    /// Singular values alone, in descending order.
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn svdvals(&self) -> DArray<F> {
        self.singular_alone()
    }

    /// The `k` greatest singular values and their vectors, nearly, of a large matrix that is close to one of low rank. As with real numbers.
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn svd_compressed(&self, k: usize, rounds: usize, seed: u64) -> (DArray<Complex<F>>, DArray<F>, DArray<Complex<F>>) {
        self.compressed(k, rounds, seed)
    }
}

/// Whether a matrix is known to have fewer rows than columns.
fn is_wide<T: Element>(x: &DArray<T>) -> bool {
    matches!(x.shape().as_deref(), Ok([rows, columns]) if rows < columns)
}

/// A matrix is tall when it has so many times as many rows as columns: then its blocks of rows leave little to do in one task.
const TALL: usize = 4;

/// Whether a matrix is factored panel by panel: one that is not tall, and in several chunks.
fn is_in_panels(meta: &Meta) -> bool {
    match meta.shape().as_deref() {
        Ok([rows, columns]) => rows / TALL < *columns && meta.grid().iter().any(|count| *count > 1),
        _ => false,
    }
}

#[track_caller]
fn broken<T: Element, R: Element>(failure: Failure) -> (DArray<T>, DArray<R>, DArray<T>) {
    let method = ".svd_compressed(…)";
    (DArray::failed(failure.clone(), method), DArray::failed(failure.clone(), method), DArray::failed(failure, method))
}

/// What the triangles of all blocks become.
#[track_caller]
pub(super) fn top(local: &AnyArray, wanted: Wanted, method: &str) -> AnyArray {
    made(Top { wanted }, vec![local.clone()], method)
}

/// The columns at right angles, or the left vectors.
#[track_caller]
fn rows<T: Inexact>(local: &AnyArray, top: &AnyArray, method: &str) -> DArray<T> {
    DArray::then(Rows { dtype: T::DTYPE }, vec![local.clone(), top.clone()], method)
}

/// One of the small arrays.
#[track_caller]
fn small<T: Element>(top: &AnyArray, which: Small, method: &str) -> DArray<T> {
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
        fits_a_task(
            "singular values",
            (rows.min(columns), columns),
            inputs[0].dtype,
            "the greatest singular values and their vectors: .svd_compressed(…)",
        )?;
        Ok(Meta { dtype: inputs[0].dtype, cuts: vec![tall_blocks(&inputs[0].sizes()?[0], columns), Cuts::whole(columns)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, from, &to.cuts, node);
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
    let meta = local.meta()?;
    let states = lowering.of(local);
    Ok(Fold::up(lowering, states, &meta.sizes()?[0], (meta.shape()?[1], meta.dtype), node))
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
        Ok(Meta { dtype: inputs[0].dtype, cuts: cuts.collect() })
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
    /// Where they are depends on what else was made.
    Values {
        with_vectors: bool,
    },
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
            Small::Values { .. } => "singular values".into(),
            Small::Right => "right vectors".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let shape = inputs[0].shape()?;
        let rank = shape[0].min(shape[1]);
        let cuts = match self.which {
            Small::Values { .. } => vec![Cuts::whole(rank)],
            Small::Triangle | Small::Right => vec![Cuts::whole(rank), Cuts::whole(shape[1])],
        };
        Ok(Meta { dtype: self.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let at = match self.which {
            Small::Values { with_vectors } => usize::from(with_vectors),
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
