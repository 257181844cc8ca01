//! `read_parquet`: Parquet files as a frame.

use partita_graph::Failure;
use partita_io::{TableOptions, parquet};

use crate::IntoPaths;
use crate::frame::DFrame;
use crate::frame::ops::scan;

impl DFrame {
    /// Parquet files as a lazy frame: a path, a folder, a pattern or a list of them; local or `s3:// gs:// az:// http(s):// memory://`.
    ///
    /// Only the footers are read here. Partitions are row groups, small ones joined, large ones cut. Columns that are not used are not
    /// read, and neither are row groups in which, by their statistics, no row can pass a filter; [`DFrame::len`] reads nothing at all.
    /// In a folder the files at any depth whose names end in `.parquet`, `.parq` or `.pq`; folders called `key=value` become columns, and
    /// a filter on those leaves out whole files.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("flights");
    /// let flights = DFrame::from_polars(df!("origin" => ["JFK", "LGA", "JFK"], "delay" => [5, 40, 25])?, 2);
    /// flights.to_parquet(&path, ParquetWriteOptions::new().partition_by(["origin"]))?;
    ///
    /// let late = DFrame::read_parquet(&path)?.filter(col("origin").eq(lit("JFK")).and(col("delay").gt(lit(20))));
    /// assert_eq!(late.compute()?, df!("delay" => [25], "origin" => ["JFK"])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no such file, a pattern or folder without a match, unreadable files, files that are cut off or no
    /// Parquet files, files whose columns differ in names or types.
    #[doc(alias = "scan_parquet")]
    #[track_caller]
    pub fn read_parquet(paths: impl IntoPaths) -> Result<DFrame, Failure> {
        Self::read_parquet_with(paths, TableOptions::new())
    }

    /// The same with options: bytes of a partition, folders as columns and their types.
    ///
    /// ```no_run
    /// use partita::prelude::*;
    /// let options = ParquetOptions::new().blocksize("64MB").hive_dtype("year", DataType::Int16);
    /// let flights = DFrame::read_parquet_with("s3://bucket/flights/", options)?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::read_parquet`]; an option that cannot be used.
    #[track_caller]
    pub fn read_parquet_with(paths: impl IntoPaths, options: TableOptions) -> Result<DFrame, Failure> {
        let patterns = paths.into_paths();
        scan::open("read_parquet", &patterns, &options, |room| parquet::open(&patterns, &options, room))
    }
}
