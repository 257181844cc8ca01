//! One side of a join: its columns, its keys, and for the side that is looked up in, the table of them.
//!
//! A table that was built travels as its rows and is built again where it arrives: once a process, however many tasks look up in it.

use partita_graph::{Chunk, Encoded, Failure, Registry, Value};
use polars::prelude::*;

use super::matches::Keys;
use super::table::Table;
use crate::frame::expr::polars_failure;
use crate::frame::shuffle::keys::{key_columns, key_name};
use crate::frame::value::{Partition, decoded};

const KIND: &str = "join_side";

/// Rows with their keys.
pub(crate) struct Side {
    /// The columns that the result takes from here.
    pub frame: DataFrame,
    /// The keys, all of the types in which they are compared.
    pub keys: Vec<Column>,
    pub index: Keys,
    pub rows: usize,
}

impl Side {
    /// The side of a join without keys has none.
    pub fn of(frame: &DataFrame, on: &[Expr], columns: &[String]) -> Result<Self, Failure> {
        let keys = key_columns(frame, on)?.into_iter().enumerate().map(|(at, key)| key.with_name(key_name(at))).collect();
        let picked = frame.select(columns).map_err(|e| polars_failure(e, None))?;
        Self::new(picked, keys, frame.height())
    }

    fn new(frame: DataFrame, keys: Vec<Column>, rows: usize) -> Result<Self, Failure> {
        let index = Keys::of(&keys).map_err(|e| polars_failure(e, None))?;
        Ok(Self { frame, keys, index, rows })
    }

    /// The values of the keys of a row, for people.
    pub fn show(&self, row: usize) -> String {
        let values = self.keys.iter().map(|key| key.get(row).map_or_else(|e| e.to_string(), |value| value.to_string()));
        values.collect::<Vec<_>>().join(", ")
    }
}

/// A side and the table of its keys: what tasks look up in.
pub(crate) struct Built {
    pub side: Side,
    pub table: Table,
    nulls_equal: bool,
}

impl Built {
    pub fn of(side: Side, nulls_equal: bool) -> Self {
        let table = Table::of(&side.index, nulls_equal);
        Self { side, table, nulls_equal }
    }
}

impl Value for Built {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn nbytes(&self) -> u64 {
        let keys: usize = self.side.keys.iter().map(|key| key.as_materialized_series().estimated_size()).sum();
        (self.side.frame.estimated_size() + keys) as u64 + self.side.index.nbytes() + self.table.nbytes()
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        let columns = self.side.keys.iter().chain(self.side.frame.columns()).cloned().collect();
        let all = DataFrame::new(self.side.rows, columns).map_err(|e| polars_failure(e, None))?;
        let Encoded { header, buffers } = Partition(all).encode()?;
        let about = (self.side.keys.len() as u32, self.nulls_equal, header);
        Ok(Encoded { header: postcard::to_stdvec(&about).expect("plain data"), buffers })
    }
}

fn decode(encoded: Encoded) -> Result<Chunk, Failure> {
    let damaged = || Failure::internal("the header of a join's table is damaged");
    let (keys, nulls_equal, header): (u32, bool, Vec<u8>) = postcard::from_bytes(&encoded.header).map_err(|_| damaged())?;
    let all = decoded(&Encoded { header, buffers: encoded.buffers })?;
    let rows = all.height();
    let mut columns = all.into_columns();
    if columns.len() < keys as usize {
        return Err(damaged());
    }
    let rest = columns.split_off(keys as usize);
    let frame = DataFrame::new(rows, rest).map_err(|e| polars_failure(e, None))?;
    Ok(Chunk::new(Built::of(Side::new(frame, columns, rows)?, nulls_equal)))
}

/// Lets a registry decode tables.
pub(crate) fn register(registry: &mut Registry) {
    registry.add_value(KIND, decode);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_as_it_went() {
        let frame = df!("k" => [Some(1i64), None, Some(1)], "x" => ["a", "b", "c"]).expect("columns of one length");
        for nulls_equal in [false, true] {
            let on = [col("k"), (col("k") * lit(2)).alias("double")];
            let built = Built::of(Side::of(&frame, &on, &["x".to_string()]).expect("the key is a column"), nulls_equal);
            let back = decode(built.encode().expect("it has a form as bytes")).expect("it was not damaged");
            let back = back.get::<Built>().expect("a table");
            assert_eq!((&back.side.frame, &back.side.keys), (&built.side.frame, &built.side.keys));
            assert_eq!(back.table.repeated(&back.side.index), built.table.repeated(&built.side.index));
            assert_eq!((back.nulls_equal, back.side.rows), (nulls_equal, 3));
        }
    }
}
