//! Operations on frames, one a file: user doc, the method, the schema rule, the lowering, the operator.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) mod analyze;
pub(crate) mod any_order;
pub(crate) mod cast;
pub(crate) mod check;
pub(crate) mod compute;
pub(crate) mod concat;
pub(crate) mod cov;
pub(crate) mod cumulative;
pub(crate) mod describe;
pub(crate) mod display;
pub(crate) mod drop;
pub(crate) mod drop_nulls;
pub(crate) mod explain;
pub(crate) mod explode;
pub(crate) mod fill_null;
pub(crate) mod filter;
pub(crate) mod from_darray;
pub(crate) mod from_map;
pub(crate) mod from_polars;
pub(crate) mod head;
pub(crate) mod is_in;
pub(crate) mod keys;
pub(crate) mod len;
pub(crate) mod map_overlap;
pub(crate) mod map_partitions;
pub(crate) mod mode;
pub(crate) mod n_unique;
pub(crate) mod partitions;
pub(crate) mod persist;
pub(crate) mod pivot;
pub(crate) mod read_csv;
pub(crate) mod read_ipc;
pub(crate) mod read_json;
pub(crate) mod read_parquet;
pub(crate) mod reduce;
pub(crate) mod rename;
pub(crate) mod repartition;
pub(crate) mod repartition_bytes;
pub(crate) mod resample;
pub(crate) mod rolling;
pub(crate) mod row_index;
pub(crate) mod sample;
pub(crate) mod scan;
pub(crate) mod select;
pub(crate) mod shift;
pub(crate) mod slice;
pub(crate) mod sorted_by;
pub(crate) mod tail;
pub(crate) mod to_darray;
pub(crate) mod top_k;
pub(crate) mod unique;
pub(crate) mod unpivot;
pub(crate) mod value_counts;
pub(crate) mod with_columns;
pub(crate) mod write;

/// A number that no other piece of user data has: the identity of closures and frames in memory. Each process starts
/// somewhere else, because several may hand their frames to one cluster.
pub(crate) fn token() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("partita")));
    NEXT.fetch_add(1, Ordering::Relaxed)
}
