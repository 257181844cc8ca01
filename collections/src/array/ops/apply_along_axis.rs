//! `apply_along_axis`: functions of the user's own on lanes, as closures in process and as tasks anywhere.

use ndarray::{Array1, ArrayD, ArrayView1, Axis, IxDyn};
use partita_graph::{Code, Failure};

use super::gufunc::Gufunc;
use super::gufunc::signature::Signature;
use crate::array::meta::{axis_of, unknown_sizes};
use crate::array::{DArray, Element};
use crate::delayed::BlockValue;
use crate::delayed::task_support::{Task, TaskOf};

impl<T: Element> DArray<T> {
    /// What a function makes of each lane along an axis: `length` elements. The axis is brought into one chunk first.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::apply_along_axis_task`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 5.0, 2.0], [7.0, 3.0, 4.0]], 1);
    /// let ends = x.apply_along_axis(1, 2, |lane| array![lane[0], lane[lane.len() - 1]]);
    /// assert_eq!(ends.compute()?, array![[1.0, 2.0], [7.0, 4.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known. While it runs: a function that panics or gives another
    /// number of elements.
    #[track_caller]
    pub fn apply_along_axis<U: Element, F>(&self, axis: isize, length: usize, function: F) -> DArray<U>
    where
        F: Fn(ArrayView1<'_, T>) -> Array1<U> + Send + Sync + 'static,
    {
        let axis = match self.ndim().and_then(|ndim| axis_of(axis, ndim)) {
            Ok(axis) => axis,
            Err(failure) => return DArray::failed(failure, ".apply_along_axis(…)"),
        };
        let whole = self.whole_along(axis);
        let mut chunks = match whole.chunks() {
            Ok(chunks) => chunks,
            Err(failure) => return DArray::failed(failure, ".apply_along_axis(…)"),
        };
        chunks[axis] = vec![length];
        whole.map_blocks_to(chunks, move |block, _| {
            let mut shape = block.shape().to_vec();
            shape[axis] = length;
            let mut result = ArrayD::from_elem(IxDyn(&shape), U::default());
            for (lane, mut target) in block.lanes(Axis(axis)).into_iter().zip(result.lanes_mut(Axis(axis))) {
                let made = function(lane);
                if made.len() != length {
                    let what = format!("the function gave {} elements for a lane, and {length} were announced", made.len());
                    // Where a function has nothing to return, its failure is thrown; tasks catch it.
                    std::panic::panic_any(Failure::new(Code::UserFunction, what));
                }
                target.assign(&made);
            }
            result
        })
    }

    /// The same with a `#[task]`, which runs anywhere. It takes a lane, as an `ArrayBlock<T>` or an ndarray of one axis, and gives one, also
    /// of elements of another kind.
    ///
    /// ```
    /// use partita::ndarray::{Array1, array};
    /// use partita::{prelude::*, task};
    ///
    /// #[task]
    /// fn ends(lane: &Array1<f64>) -> Array1<f64> {
    ///     array![lane[0], lane[lane.len() - 1]]
    /// }
    ///
    /// let x = DArray::from_array(array![[1.0, 5.0, 2.0], [7.0, 3.0, 4.0]], 1);
    /// let found = x.apply_along_axis_task(1, 2, ends);
    /// assert_eq!(found.compute()?, array![[1.0, 2.0], [7.0, 4.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known. While it runs: the task's own failure, or a lane of another
    /// number of elements.
    #[track_caller]
    pub fn apply_along_axis_task<U, F>(&self, axis: isize, length: usize, task: F) -> DArray<U>
    where
        U: Element,
        F: TaskOf<(DArray<T>,)> + Task<Output: BlockValue<U>>,
    {
        let method = ".apply_along_axis_task(…)";
        let found = self.untyped().meta().and_then(|meta| {
            let axis = axis_of(axis, meta.ndim())?;
            meta.cuts[axis].len().map(|_| axis).ok_or_else(|| unknown_sizes(axis))
        });
        let axis = match found {
            Ok(axis) => axis as isize,
            Err(failure) => return DArray::failed(failure, method),
        };
        let step = Gufunc::anywhere::<F>(vec![U::DTYPE], Signature::of_lanes(), [("made".to_string(), length)].into(), task);
        let made: DArray<U> = DArray::then(step, vec![self.move_axis(axis, -1).to_any()], method);
        made.move_axis(-1, axis)
    }

    /// The array with one axis in one chunk.
    #[track_caller]
    pub(in crate::array) fn whole_along(&self, axis: usize) -> DArray<T> {
        self.rechunk([(axis as isize, -1)])
    }
}
