//! The operator that splits a partition by the hash of its keys, one part for each partition of the result.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, Parts, TaskContext};
use polars::prelude::row_encode::_get_rows_encoded_unordered;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::expr::polars_failure;
use crate::frame::value::{chunk_of, frame_of};

/// Rows with equal keys go to the part of the same number, whatever the partition, process or machine: the hash has no seed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Split {
    pub keys: Vec<Expr>,
    pub parts: u32,
}

impl Operator for Split {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let keys = frame.clone().lazy().select(self.keys.clone()).collect().map_err(|e| polars_failure(e, None))?;
        let rows = _get_rows_encoded_unordered(keys.columns()).map_err(|e| polars_failure(e, None))?.into_array();
        let mut indices: Vec<Vec<IdxSize>> = vec![Vec::new(); self.parts as usize];
        for (at, row) in rows.values_iter().enumerate() {
            // The upper bits choose the part: a multiplication instead of a division.
            let part = ((u128::from(xxh3_64(row)) * u128::from(self.parts)) >> 64) as usize;
            indices[part].push(at as IdxSize);
        }
        let take = |rows: Vec<IdxSize>| frame.take(&IdxCa::from_vec("rows".into(), rows)).map(chunk_of);
        let parts = indices.into_iter().map(take).collect::<PolarsResult<Vec<_>>>().map_err(|e| polars_failure(e, None))?;
        Ok(Chunk::new(Parts(parts)))
    }
}

impl NamedOperator for Split {
    const NAME: &'static str = "split";
}
