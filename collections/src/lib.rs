//! What Dask is for Python, for Rust: lazy data frames and arrays on one chunked, fused task graph that runs on your cores.
//!
//! ```no_run
//! use partita::prelude::*;
//!
//! let means = DFrame::read_csv("data/*.csv")?.groupby(["k"]).mean().compute()?;
//! println!("{means}");
//! # Ok::<(), partita::Error>(())
//! ```
//!
//! A [`DFrame`] is an expression over partitions, a [`DArray`] one over blocks; nothing runs until [`DFrame::compute`], `persist`,
//! `head` or `len`. [`Client`] controls where and with how much memory. Expressions are polars' own, re-exported in the [`prelude`];
//! arrays come and go as ndarray's.
#![warn(missing_docs)]

// What the macros make names this crate by its name, also inside of it.
extern crate self as partita;

mod array;
mod client;
mod coordination;
pub mod delayed;
mod frame;
mod operators;

pub use array::{
    AnyArray, ArrayBlock, Axes, Between, Bins, Bits, BlockInfo, Boundaries, Boundary, Chunks, DArray, DType, Element, Fft, FftNorm, Float,
    Inexact, Integer, LeastSquares, MatrixNorm, Norm, Number, Operand, Ordered, Pad, Random, Real, Shape, Side, Tested, WrittenArray,
    apply_gufunc, blockwise, blockwise_with, broadcast_arrays, concatenate, dstack, einsum, f_oneway, from_blocks, histogramdd,
    histogramdd_density, histogramdd_weighted, hstack, meshgrid, select, stack, vstack, where_,
};
#[cfg(feature = "hdf5")]
pub use array::{to_hdf5, to_hdf5_on};
pub use client::{Client, ClientBuilder, Collection, Computed, IntoBytes, Keyed, operator_registry, set_storage_options};
#[cfg(feature = "cluster")]
pub use client::{ConnectOptions, Holding, LocalCluster, LocalClusterBuilder, run, start_worker};
pub use coordination::{Event, Lease, Lock, LockGuard, Queue, Semaphore, Subscription, Topic, Variable};
pub use delayed::task_support;
pub use delayed::{
    Actor, ActorFuture, ActorState, AsCompleted, BlockValue, Computable, DFuture, Delayed, Environment, IntoArgument, Status, Until,
    Versions, as_completed, compute, delayed, delayed_fn, gather, gather_each, uploaded, wait,
};
pub use frame::ops::read_csv::IntoPaths;
pub use frame::ops::resample::Resample;
pub use frame::ops::rolling::Rolling;
pub use frame::ops::write::Written;
pub use frame::value::Partition;
pub use frame::{Aggregation, AsOf, DFrame, GroupBy, IntoExpr, IntoExprs, Join, Tolerance};
pub use ndarray;
pub use num_complex::Complex;
pub use operators::OPERATORS;
pub use partita_graph as graph;
pub use partita_graph::{Code, Failure as Error, TaskContext};
pub use partita_io::csv::{CsvOptions, Encoding};
#[cfg(feature = "hdf5")]
pub use partita_io::hdf5::Hdf5WriteOptions;
pub use partita_io::json::JsonOptions;
pub use partita_io::write::{CsvWriteOptions, IpcCodec, IpcWriteOptions, JsonWriteOptions, ParquetCodec, ParquetWriteOptions};
pub use partita_io::zarr::{ZarrCodec, ZarrWriteOptions};
pub use partita_io::{Compression, StorageOptions, TableOptions as IpcOptions, TableOptions as ParquetOptions};
pub use partita_macros::{task, worker_state};
pub use polars;

/// Everything that a program usually needs: `use partita::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "hdf5")]
    pub use crate::Hdf5WriteOptions;
    pub use crate::Random;
    pub use crate::{
        AsOf, Axes, Chunks, Client, Complex, CsvOptions, DArray, DFrame, DFuture, DType, Delayed, Encoding, GroupBy, IpcOptions, Join,
    };
    pub use crate::{
        CsvWriteOptions, IpcWriteOptions, JsonOptions, JsonWriteOptions, ParquetOptions, ParquetWriteOptions, ZarrWriteOptions,
    };
    pub use polars::df;
    pub use polars::prelude::{DataFrame, DataType, Expr, NULL, NamedFrom, Schema, all, col, cols, len, lit, when};
    pub use polars::prelude::{JoinValidation, QuantileMethod, SortMultipleOptions, UniqueKeepStrategy};
}
