//! `read_ipc`: Arrow IPC files as a frame.

use partita_graph::Failure;
use partita_io::{TableOptions, ipc};

use crate::IntoPaths;
use crate::frame::DFrame;
use crate::frame::ops::scan;

impl DFrame {
    /// Arrow IPC files (Feather 2) as a lazy frame: a path, a folder, a pattern or a list of them; local or in a store.
    ///
    /// Only the footers are read here. Partitions are record batches, small ones joined. Columns that are not used are not read. In a
    /// folder the files at any depth whose names end in `.arrow`, `.ipc` or `.feather`; folders called `key=value` become columns.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table");
    /// DFrame::from_polars(df!("x" => [1, 2, 3])?, 2).to_ipc(&path, IpcWriteOptions::new())?;
    /// assert_eq!(DFrame::read_ipc(&path)?.compute()?, df!("x" => [1, 2, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::read_parquet`].
    #[doc(alias = "scan_ipc")]
    #[doc(alias = "read_feather")]
    #[track_caller]
    pub fn read_ipc(paths: impl IntoPaths) -> Result<DFrame, Failure> {
        Self::read_ipc_with(paths, TableOptions::new())
    }

    /// The same with options: bytes of a partition, folders as columns and their types.
    ///
    /// # Errors
    /// As [`DFrame::read_parquet`]; an option that cannot be used.
    #[track_caller]
    pub fn read_ipc_with(paths: impl IntoPaths, options: TableOptions) -> Result<DFrame, Failure> {
        let patterns = paths.into_paths();
        scan::open("read_ipc", &patterns, &options, |room| ipc::open(&patterns, &options, room))
    }
}
