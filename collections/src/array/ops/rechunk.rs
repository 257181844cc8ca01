//! `rechunk`: the same array in other chunks.

use partita_graph::Failure;

use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::rechunk::rechunk;
use crate::array::{Chunks, DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// The same array in other chunks; see [`Chunks`] for how to say them.
    ///
    /// Blocks are cut without a copy, and a task holds an old or a new block and as much again, so that this also works on arrays larger than memory.
    /// Where both chunkings have very many pieces in common it goes by way of others, whose blocks take at most a quarter of the memory that there is for
    /// each thread. Chunks that stay as they are cost nothing.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let rows = DArray::<f64>::ones([6, 4], [1, -1]);
    /// let columns = rows.rechunk([-1, 2]);
    /// assert_eq!(columns.chunks()?, [vec![6], vec![2, 2]]);
    /// assert_eq!(rows.rechunk([(0, 3)]).chunks()?, [vec![3, 3], vec![4]]);
    /// assert_eq!(rows.rechunk([(0, Along::Whole), (1, Along::Auto)]).chunks()?, [vec![6], vec![4]]);
    /// assert_eq!(rows.rechunk((-1, "auto")).chunks()?, [vec![6], vec![4]]);
    /// assert_eq!(columns.compute()?, rows.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape; an axis whose sizes are not known and that is to be changed.
    #[track_caller]
    pub fn rechunk(&self, chunks: impl Into<Chunks>) -> DArray<T> {
        DArray::then(Rechunk { chunks: chunks.into() }, vec![self.to_any()], ".rechunk(…)")
    }
}

struct Rechunk {
    chunks: Chunks,
}

impl Step for Rechunk {
    fn line(&self) -> String {
        "rechunk".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let cuts = self.chunks.cut(&inputs[0].lens(), inputs[0].dtype, Some(&inputs[0].cuts))?;
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let input = lowering.of(&node.inputs[0]);
        Ok(rechunk(lowering, input, from, &to.cuts, node))
    }
}
