//! Functions on core axes that give several arrays: `(i)->(),(i)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Failure, Layer, OpRef, Origin, Wiring};

use super::options::GufuncOptions;
use super::places::several_at_places;
use super::signature::Signature;
use super::{Gufunc, MakeOperator, views_at};
use crate::array::block::{Block, block_of};
use crate::array::linalg::factor::TakePart;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::several::{Arrays, Results};
use crate::array::{AnyArray, DArray, DType, Element, Node, Step, with_dtype};
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

/// [`apply_gufunc_with`](crate::apply_gufunc_with) for a function that gives several arrays, as many as the signature names behind `->`; there
/// are as many results. The function is called once at each place.
///
/// A closure runs in this process only; on a cluster it is refused with the fix, [`apply_gufunc_several_task`], whose results may be of
/// elements of several kinds.
///
/// ```
/// use partita::ndarray::{arr0, array};
/// use partita::{GufuncOptions, apply_gufunc_several, prelude::*};
/// let x = DArray::from_array(array![[1.0, 2.0, 6.0], [3.0, 5.0, 7.0]], [1, 2]);
/// let found = apply_gufunc_several("(i)->(),(i)", &[&x], GufuncOptions::new(), |cores| {
///     let mean = cores[0].mean().unwrap_or(f64::NAN);
///     vec![arr0(mean).into_dyn(), &cores[0] - mean]
/// });
/// assert_eq!(found[0].compute()?, array![3.0, 5.0].into_dyn());
/// assert_eq!(found[1].compute()?, array![[-2.0, -1.0, 3.0], [-2.0, 0.0, 2.0]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc_with`](crate::apply_gufunc_with); a signature that cannot be read gives one array, which says so. While it runs: another
/// number of results.
#[track_caller]
pub fn apply_gufunc_several<T: Element, U: Element, F>(
    signature: &str,
    arrays: &[&DArray<T>],
    options: GufuncOptions,
    function: F,
) -> Vec<DArray<U>>
where
    F: Fn(&[ArrayViewD<'_, T>]) -> Vec<ArrayD<U>> + Send + Sync + 'static,
{
    let arrays = arrays.iter().map(|array| array.to_any()).collect();
    let step = |signature| Gufunc::several_here::<T, U, F>(signature, options.sizes.clone(), function);
    let parts = several(signature, arrays, None, &options, "apply_gufunc_several(…)", step);
    parts.into_iter().map(DArray::of).collect()
}

/// [`apply_gufunc_several`] with a `#[task]`, which runs anywhere: it gives a tuple of arrays, and so does this.
///
/// ```
/// use partita::ndarray::{Array0, Array1, arr0, array};
/// use partita::{GufuncOptions, apply_gufunc_several_task, prelude::*, task};
///
/// #[task]
/// fn mean_and_above(row: &Array1<f64>) -> (Array0<f64>, Array1<bool>) {
///     let mean = row.mean().unwrap_or(f64::NAN);
///     (arr0(mean), row.mapv(|x| x > mean))
/// }
///
/// let x = DArray::from_array(array![[1.0, 2.0, 6.0], [3.0, 5.0, 7.0]], [1, 2]);
/// let (mean, above) = apply_gufunc_several_task("(i)->(),(i)", (&x,), GufuncOptions::new(), mean_and_above);
/// assert_eq!(mean.compute()?, array![3.0, 5.0].into_dyn());
/// assert_eq!(above.compute()?, array![[false, false, true], [false, false, true]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc_with_task`](crate::apply_gufunc_with_task); the task's result is written as a tuple, not as the name of one.
#[track_caller]
pub fn apply_gufunc_several_task<F, I, Elements>(
    signature: &str,
    arrays: I,
    options: GufuncOptions,
    task: F,
) -> <F::Output as Results<Elements>>::Arrays
where
    I: Arrays,
    F: TaskOf<I::Arguments> + Task<Output: Results<Elements>>,
{
    let dtypes = <F::Output as Results<Elements>>::dtypes();
    let count = dtypes.len();
    let step = |signature| Gufunc::anywhere::<F>(dtypes, signature, options.sizes.clone(), task);
    let mut parts = several(signature, arrays.untyped(), Some(count), &options, "apply_gufunc_several_task(…)", step);
    // One that failed before its results could be told stands for all of them.
    let last = parts.len() - 1;
    parts.resize(count, parts[last].clone());
    <F::Output as Results<Elements>>::arrays(&parts)
}

/// The results of a step, which may have failed as one.
#[track_caller]
fn several(
    signature: &str,
    arrays: Vec<AnyArray>,
    results: Option<usize>,
    options: &GufuncOptions,
    method: &str,
    step: impl FnOnce(Signature) -> Gufunc,
) -> Vec<AnyArray> {
    let (signature, places, arrays) = match options.prepare(signature, arrays, results) {
        Ok(prepared) => prepared,
        Err(failure) => return vec![DArray::<f64>::failed(failure, method).to_any()],
    };
    let gufunc = Arc::new(step(signature.clone()));
    let made = AnyArray::build(gufunc.clone(), arrays.clone(), Origin::here(method));
    let mut parts = Vec::with_capacity(signature.outs.len());
    for at in 0..signature.outs.len() {
        let inputs = std::iter::once(&made).chain(&arrays).cloned().collect();
        let part = AnyArray::build(Arc::new(ResultOf { gufunc: gufunc.clone(), at }), inputs, Origin::here(method));
        let placed = match part.dtype() {
            Ok(dtype) => with_dtype!(dtype, U => places.in_place(DArray::<U>::of(part), at, &signature).map(|array| array.to_any())),
            Err(_) => Ok(part),
        };
        parts.push(match placed {
            Ok(part) => part,
            Err(failure) => DArray::<f64>::failed(failure, method).to_any(),
        });
    }
    parts
}

impl Gufunc {
    fn several_here<T: Element, U: Element, F>(signature: Signature, sizes: BTreeMap<String, usize>, function: F) -> Self
    where
        F: Fn(&[ArrayViewD<'_, T>]) -> Vec<ArrayD<U>> + Send + Sync + 'static,
    {
        let (function, token) = (Arc::new(function), token());
        let op: MakeOperator = Box::new(move |inputs, results| {
            let function = function.clone();
            OpRef::closure("apply_gufunc", token, move |_, chunks| {
                let blocks = chunks.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
                let views = blocks.iter().map(|block| block.view::<T>()).collect::<Result<Vec<_>, Failure>>()?;
                several_at_places(&inputs.loops(&blocks)?, &results, |place| {
                    Ok(function(&views_at(&views, inputs.cores(), place)).into_iter().map(Block::from_array).collect())
                })
            })
        });
        Self { dtypes: vec![U::DTYPE; signature.outs.len()], signature, sizes, op }
    }
}

/// One of the results. Its inputs are the step that makes all of them, and the arrays that this reads.
struct ResultOf {
    gufunc: Arc<Gufunc>,
    at: usize,
}

impl ResultOf {
    fn dtype(&self) -> DType {
        self.gufunc.dtypes[self.at]
    }
}

impl Step for ResultOf {
    fn line(&self) -> String {
        format!("result {}", self.at)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (mut cuts, results) = self.gufunc.layout(&inputs[1..])?;
        cuts.extend(results[self.at].core.iter().copied().map(Cuts::whole));
        Ok(Meta { dtype: self.dtype(), cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(TakePart { at: self.at, dtype: self.dtype() }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("part", node.known()?.blocks()?, op, edges), node))
    }
}
