//! `keys`: the names of an array's blocks.

use partita_graph::{Executor, Failure, Key};

use crate::array::lower::{plan, plan_for};
use crate::array::{DArray, Element};
use crate::client::Keyed;

impl<T: Element> DArray<T> {
    /// The keys of the blocks, in row-major order of the grid, by which a cluster is asked where they are and why they are not there yet. The
    /// same array has the same keys, where tasks have the same memory: these are those that it has on the current client, and
    /// [`Keyed::keys_on`] gives those that it has on another.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::ones([4, 6], [2, 3]);
    /// assert_eq!(x.keys()?.len(), 4);
    /// assert_eq!((&x + 1.0).keys()?, (&x + 1.0).keys()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    #[doc(alias = "__dask_keys__")]
    pub fn keys(&self) -> Result<Vec<Key>, Failure> {
        Ok(plan(self.untyped())?.wanted)
    }
}

impl<T: Element> Keyed for DArray<T> {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        DArray::keys(self)
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        Ok(plan_for(executor, self.untyped())?.wanted)
    }
}
