//! `read_json`: JSON lines as a frame.

use partita_graph::Failure;
use partita_io::json::{self, JsonOptions};

use crate::IntoPaths;
use crate::frame::DFrame;
use crate::frame::ops::scan;

impl DFrame {
    /// Files of JSON lines, one object a line, as a lazy frame: a path, a folder, a pattern or a list of them; local or in a store, packed
    /// with gzip, zstd or bzip2 or not.
    ///
    /// Reads a bounded sample of every file to learn keys and types. A key that a line does not have is null there. A type that was
    /// guessed wrong is widened (integer, float, text) while running, and the run says so.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table.jsonl");
    /// std::fs::write(&path, "{\"k\": \"a\", \"x\": 1}\n{\"k\": \"b\"}\n{\"x\": 3, \"k\": \"a\"}\n")?;
    /// let sums = DFrame::read_json(&path)?.group_by(["k"]).agg([col("x").sum()]).filter(col("k").eq(lit("a")));
    /// assert_eq!(sums.compute()?, df!("k" => ["a"], "x" => [4i64])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no such file, a pattern or folder without a match, unreadable or empty input, a sampled line that is
    /// no object. While it runs: lines that are no objects, with file and byte; a key that no sample showed (declare it).
    #[doc(alias = "scan_ndjson")]
    #[doc(alias = "read_ndjson")]
    #[track_caller]
    pub fn read_json(paths: impl IntoPaths) -> Result<DFrame, Failure> {
        Self::read_json_with(paths, JsonOptions::new())
    }

    /// The same with options: types, bytes of a partition, bytes of a sample.
    ///
    /// ```no_run
    /// use partita::prelude::*;
    /// let options = JsonOptions::new().dtype("time", DataType::Date).sample_bytes("1MB");
    /// let events = DFrame::read_json_with("events/*.jsonl.gz", options)?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::read_json`]; an option that cannot be used; while it runs, a value that is not what a declared type says.
    #[track_caller]
    pub fn read_json_with(paths: impl IntoPaths, options: JsonOptions) -> Result<DFrame, Failure> {
        let patterns = paths.into_paths();
        scan::open("read_json", &patterns, &options, |room| json::open(&patterns, &options, room))
    }
}
