//! `to_parquet`, `to_csv`, `to_ipc`, `to_json`: a frame as files, which appear all at once when all are complete.

mod operator;

use std::ffi::OsStr;
use std::sync::Arc;

use partita_graph::{Code, Executor, Failure, Layer, OpRef, Origin, Wiring};
use partita_io::write::{CsvWriteOptions, Format, IpcWriteOptions, JsonWriteOptions, ParquetWriteOptions, Target};
use polars::prelude::*;

use crate::client::{Client, run};
use crate::frame::expr::{Names, on_polars_thread};
use crate::frame::files::file_failure;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::{DFrame, Node, Step, ops};

pub(crate) use operator::{Publish, WriteParts};

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows in all files.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl DFrame {
    /// Writes the frame as Parquet files into a folder, one for each partition: `part-00000.parquet`, …; local or in a store.
    ///
    /// Tasks write under hidden names, also when they run twice or fail; when all are done, one step makes all files visible at once.
    /// Until then what was there before can be read; a write that is cut off leaves it as it was. Readers of the folder see the new
    /// files from that step on, readers of single names once each file is in its place.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table");
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 2);
    /// let written = frame.to_parquet(&path, ParquetWriteOptions::new())?;
    /// assert_eq!((written.rows, written.files), (3, 2));
    ///
    /// // Nothing is overwritten unasked.
    /// assert!(frame.to_parquet(&path, ParquetWriteOptions::new()).is_err());
    /// frame.filter(col("x").gt(lit(1))).to_parquet(&path, ParquetWriteOptions::new().overwrite(true))?;
    /// assert_eq!(DFrame::read_parquet(&path)?.compute()?, df!("x" => [2, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: a step that does not fit, an option that cannot be used, a column that the format cannot hold, files of
    /// the same format that are there already (unless `overwrite`), a place that cannot be written. While it runs: as
    /// [`DFrame::compute`]; parts that the publishing worker does not see, because workers have no storage in common.
    #[track_caller]
    pub fn to_parquet(&self, path: impl AsRef<OsStr>, options: ParquetWriteOptions) -> Result<Written, Failure> {
        self.write(&Client::current()?, path.as_ref(), options.into())
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_parquet_on(
        &self,
        executor: &dyn Executor,
        path: impl AsRef<OsStr>,
        options: ParquetWriteOptions,
    ) -> Result<Written, Failure> {
        self.write(executor, path.as_ref(), options.into())
    }

    /// Writes the frame as CSV files into a folder, one for each partition, each with a header: `part-00000.csv`, …; or as a single
    /// file of the name that is given. Published as [`DFrame::to_parquet`] does.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table.csv");
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3], "t" => [Some("a"), None, Some("b")])?, 2);
    /// frame.to_csv(&path, CsvWriteOptions::new().single_file(true))?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "x,t\n1,a\n2,\n3,b\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_csv(&self, path: impl AsRef<OsStr>, options: CsvWriteOptions) -> Result<Written, Failure> {
        self.write(&Client::current()?, path.as_ref(), options.into())
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_csv_on(&self, executor: &dyn Executor, path: impl AsRef<OsStr>, options: CsvWriteOptions) -> Result<Written, Failure> {
        self.write(executor, path.as_ref(), options.into())
    }

    /// Writes the frame as Arrow IPC files into a folder, one for each partition: `part-00000.arrow`, …. Published as
    /// [`DFrame::to_parquet`] does.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table");
    /// DFrame::from_polars(df!("x" => [1, 2])?, 2).to_ipc(&path, IpcWriteOptions::new())?;
    /// assert_eq!(DFrame::read_ipc(path.join("part-00001.arrow"))?.compute()?, df!("x" => [2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[doc(alias = "to_feather")]
    #[track_caller]
    pub fn to_ipc(&self, path: impl AsRef<OsStr>, options: IpcWriteOptions) -> Result<Written, Failure> {
        self.write(&Client::current()?, path.as_ref(), options.into())
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_ipc_on(&self, executor: &dyn Executor, path: impl AsRef<OsStr>, options: IpcWriteOptions) -> Result<Written, Failure> {
        self.write(executor, path.as_ref(), options.into())
    }

    /// Writes the frame as JSON lines into a folder, one file for each partition: `part-00000.jsonl`, …. NaN and infinities become null,
    /// because JSON has none. Published as [`DFrame::to_parquet`] does.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("table");
    /// DFrame::from_polars(df!("x" => [1, 2], "t" => ["a", "b"])?, 1).to_json(&path, JsonWriteOptions::new())?;
    /// let text = std::fs::read_to_string(path.join("part-00000.jsonl"))?;
    /// assert_eq!(text, "{\"x\":1,\"t\":\"a\"}\n{\"x\":2,\"t\":\"b\"}\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_json(&self, path: impl AsRef<OsStr>, options: JsonWriteOptions) -> Result<Written, Failure> {
        self.write(&Client::current()?, path.as_ref(), options.into())
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::to_parquet`].
    #[track_caller]
    pub fn to_json_on(&self, executor: &dyn Executor, path: impl AsRef<OsStr>, options: JsonWriteOptions) -> Result<Written, Failure> {
        self.write(executor, path.as_ref(), options.into())
    }

    #[track_caller]
    fn write(&self, executor: &dyn Executor, path: &OsStr, format: Format) -> Result<Written, Failure> {
        let method = format!("to_{}", format.name());
        let origin = Origin::here(&format!(".{method}(…)"));
        let schema = self.resolved()?;
        let path = path.to_string_lossy();
        let token = format!("{:016x}", ops::token());
        let located = |failure: Failure| failure.origin(Some(&origin));
        let prepared = on_polars_thread(|| Target::prepare(&path, &token, format, schema));
        let target = prepared.map_err(|error| located(file_failure(error, &method, None)))?;
        let mark = target.mark().map_err(|error| located(file_failure(error, &method, None)))?;
        crate::client::found_on_workers(&[&mark]).map_err(located)?;
        let parts = DFrame::build(Arc::new(Write { target: target.clone() }), vec![self.clone()], origin.clone());
        let published = DFrame::build(Arc::new(Publishing { target: target.clone() }), vec![parts], origin.clone());
        let computed = run::compute(executor, &published).inspect_err(|failure| {
            if failure.code == Code::OutputExists {
                // Another write came first, and the run is over. What cannot be removed is hidden and does no harm.
                let _ = target.withdraw();
            }
        })?;
        let number = |name: &str| computed.frame.column(name).ok().and_then(|column| column.u64().ok()?.get(0));
        match (number("rows"), number("files"), number("bytes")) {
            (Some(rows), Some(files), Some(bytes)) => Ok(Written { rows, files, bytes }),
            _ => Err(Failure::internal(format!("{method}: no numbers came back"))),
        }
    }
}

/// Writes each partition under the name of an attempt. A row for each file.
struct Write {
    target: Target,
}

impl Step for Write {
    fn line(&self) -> String {
        format!("write {} {}", self.target.format(), self.target.place())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(Arc::new(operator::parts_schema()))
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        // A frame that is planned again writes other parts: the plan is in their names, so that they never meet.
        let write = WriteParts { target: self.target.clone(), plan: inputs[0].layer.0 };
        let name = format!("write_{}", self.target.format());
        let op = OpRef::new(write, self.line());
        Ok(lowering.add(Layer::single(name, inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Makes all files visible. One row with what they came to.
struct Publishing {
    target: Target,
}

impl Step for Publishing {
    fn line(&self) -> String {
        format!("publish {}", self.target.place())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(Arc::new(operator::published_schema()))
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(Publish { target: self.target.clone() }, self.line());
        Ok(lowering.add(Layer::single("publish", 1, op, vec![inputs[0].edge(Wiring::Every)]), node))
    }
}
