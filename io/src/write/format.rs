//! How a frame is written: the formats with their options, and a frame as bytes of one of them.
//!
//! It refuses to know where the bytes go. Invariant: the same frame with the same options gives the same bytes, so that a task that runs
//! twice writes the same part twice.

use std::io::{self, Write};

use polars::prelude::{CompatLevel, DataFrame, DataType, IntoColumn, PolarsError, PolarsResult, Schema, Series};
use polars_io::SerWriter;
use polars_io::csv::write::CsvWriter;
use polars_io::ipc::{IpcCompression, IpcWriter};
use polars_io::parquet::write::{ParquetCompression, ParquetWriter, StatisticsOptions};
use serde::{Deserialize, Serialize};

use crate::compress::Compression;
use crate::damage::guarded;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::{ipc, json, parquet};

/// Rows of a row group, unless the options say otherwise: enough for long pages, few enough to skip some.
const GROUP_ROWS: usize = 1 << 18;

/// What all writers have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOptions {
    /// Whether files of the same format that are there already are replaced. They may be those that the frame reads: they stay until all
    /// parts are written. When a worker dies just after they were replaced, the write may end with `NoSuchFile` though the output is complete.
    pub overwrite: bool,
    /// Columns that become folders `key=value`.
    pub partition_by: Vec<String>,
    /// Whether all parts become one file, of the name that was given.
    pub single_file: bool,
}

/// A format with its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Parquet.
    Parquet(ParquetWriteOptions),
    /// CSV.
    Csv(CsvWriteOptions),
    /// Arrow IPC.
    Ipc(IpcWriteOptions),
    /// JSON lines.
    Json(JsonWriteOptions),
}

macro_rules! shared_options {
    ($options:ident) => {
        impl $options {
            /// The defaults.
            pub fn new() -> Self {
                Self::default()
            }

            /// Whether files of this format that are in the folder already are replaced. They can be read until the new ones are complete.
            /// Default: no, it is an error when there are some.
            pub fn overwrite(mut self, overwrite: bool) -> Self {
                self.write.overwrite = overwrite;
                self
            }

            /// Columns that are written as folders `key=value` instead of into the files, in this order. Readers of such folders get them
            /// back. Default: none.
            #[doc(alias = "partition_on")]
            pub fn partition_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
                self.write.partition_by = columns.into_iter().map(Into::into).collect();
                self
            }
        }
    };
}

shared_options!(ParquetWriteOptions);
shared_options!(CsvWriteOptions);
shared_options!(IpcWriteOptions);
shared_options!(JsonWriteOptions);

/// How columns of Parquet files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParquetCodec {
    /// Not at all.
    Uncompressed,
    /// Snappy: fast, understood by every reader.
    Snappy,
    /// Gzip.
    Gzip,
    /// LZ4.
    Lz4,
    /// Zstandard: small and fast.
    #[default]
    Zstd,
    /// Brotli.
    Brotli,
}

/// Options for writing Parquet files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParquetWriteOptions {
    pub(super) write: WriteOptions,
    codec: ParquetCodec,
    row_group_rows: Option<u64>,
    without_statistics: bool,
}

impl ParquetWriteOptions {
    /// How columns are packed. Default: Zstandard.
    pub fn compression(mut self, codec: ParquetCodec) -> Self {
        self.codec = codec;
        self
    }

    /// Rows of a row group, the unit that readers skip by its statistics. Default: 262,144.
    pub fn row_group_rows(mut self, rows: u64) -> Self {
        self.row_group_rows = Some(rows.max(1));
        self
    }

    /// Whether least and greatest values and counts of nulls are written. Default: yes.
    pub fn statistics(mut self, statistics: bool) -> Self {
        self.without_statistics = !statistics;
        self
    }
}

/// Options for writing CSV files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CsvWriteOptions {
    pub(super) write: WriteOptions,
    separator: char,
    header: bool,
    null_value: String,
    compression: Compression,
}

impl Default for CsvWriteOptions {
    fn default() -> Self {
        let write = WriteOptions::default();
        Self { write, separator: ',', header: true, null_value: String::new(), compression: Compression::None }
    }
}

impl CsvWriteOptions {
    /// Between fields; one ASCII character. Default: a comma.
    #[doc(alias = "sep")]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// Whether the first line of each file names the columns. Default: yes.
    #[doc(alias = "header")]
    pub fn include_header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// What stands for null. Default: nothing; the empty text is then written as `""`.
    #[doc(alias = "na_rep")]
    pub fn null_value(mut self, text: &str) -> Self {
        self.null_value = text.to_owned();
        self
    }

    /// How files are packed. Default: not at all.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Whether all partitions become one file, of the name that was given, with one header. Default: no.
    pub fn single_file(mut self, single_file: bool) -> Self {
        self.write.single_file = single_file;
        self
    }
}

/// How buffers of Arrow files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpcCodec {
    /// Not at all.
    #[default]
    Uncompressed,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// Options for writing Arrow IPC files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IpcWriteOptions {
    pub(super) write: WriteOptions,
    codec: IpcCodec,
}

impl IpcWriteOptions {
    /// How buffers are packed. Default: not at all.
    pub fn compression(mut self, codec: IpcCodec) -> Self {
        self.codec = codec;
        self
    }
}

/// Options for writing JSON lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JsonWriteOptions {
    pub(super) write: WriteOptions,
    compression: Compression,
}

impl JsonWriteOptions {
    /// How files are packed. Default: not at all.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
}

impl From<ParquetWriteOptions> for Format {
    fn from(options: ParquetWriteOptions) -> Self {
        Self::Parquet(options)
    }
}

impl From<CsvWriteOptions> for Format {
    fn from(options: CsvWriteOptions) -> Self {
        Self::Csv(options)
    }
}

impl From<IpcWriteOptions> for Format {
    fn from(options: IpcWriteOptions) -> Self {
        Self::Ipc(options)
    }
}

impl From<JsonWriteOptions> for Format {
    fn from(options: JsonWriteOptions) -> Self {
        Self::Json(options)
    }
}

impl Format {
    /// The format's name: `parquet`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parquet(_) => "parquet",
            Self::Csv(_) => "csv",
            Self::Ipc(_) => "ipc",
            Self::Json(_) => "json",
        }
    }

    /// What all writers have in common.
    pub fn options(&self) -> &WriteOptions {
        match self {
            Self::Parquet(options) => &options.write,
            Self::Csv(options) => &options.write,
            Self::Ipc(options) => &options.write,
            Self::Json(options) => &options.write,
        }
    }

    /// How names of its files end.
    pub(super) fn ending(&self) -> String {
        let plain = match self {
            Self::Parquet(_) => ".parquet",
            Self::Csv(_) => ".csv",
            Self::Ipc(_) => ".arrow",
            Self::Json(_) => ".jsonl",
        };
        let packed = match self.packing() {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
            Compression::Bzip2 => ".bz2",
        };
        format!("{plain}{packed}")
    }

    /// How names of files end that readers of this format take for its own.
    pub(super) fn endings(&self) -> &'static [&'static str] {
        match self {
            Self::Parquet(_) => parquet::ENDINGS,
            Self::Csv(_) => &[".csv", ".csv.gz", ".csv.zst", ".csv.bz2"],
            Self::Ipc(_) => ipc::ENDINGS,
            Self::Json(_) => json::ENDINGS,
        }
    }

    fn packing(&self) -> Compression {
        match self {
            Self::Csv(options) => options.compression,
            Self::Json(options) => options.compression,
            Self::Parquet(_) | Self::Ipc(_) => Compression::None,
        }
    }

    /// Refuses options and columns before anything is written.
    pub(super) fn check(&self, schema: &Schema) -> Result<()> {
        if let Self::Csv(options) = self
            && (!options.separator.is_ascii() || matches!(options.separator, '\n' | '\r' | '"'))
        {
            let accepted = format!("one ASCII character that is no quote and no newline, not {:?}", options.separator);
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "separator"));
        }
        for (name, dtype) in schema.iter() {
            // What a format cannot hold it refuses of one null too.
            let column = Series::full_null(name.clone(), 1, dtype).into_column();
            let tried = guarded(name, None, || {
                let frame = DataFrame::new(1, vec![column])?;
                if let Self::Json(_) = self {
                    json::check(frame.schema())?;
                }
                self.write(frame, true, &mut io::sink())
            });
            tried.map_err(|error| unfit(self, name, dtype, &error))?;
        }
        Ok(())
    }

    /// Writes a frame. `first` says whether it stands at the start of its file.
    pub(super) fn write(&self, mut frame: DataFrame, first: bool, out: &mut (impl Write + Send)) -> PolarsResult<()> {
        match self {
            Self::Parquet(options) => {
                let statistics = if options.without_statistics { StatisticsOptions::empty() } else { StatisticsOptions::default() };
                let rows = options.row_group_rows.map_or(GROUP_ROWS, |rows| usize::try_from(rows).unwrap_or(usize::MAX));
                frame.rechunk_mut();
                // Parts are written side by side already.
                let writer = ParquetWriter::new(out).with_compression(options.codec.into()).with_statistics(statistics).set_parallel(false);
                let mut writer = writer.batched(frame.schema())?;
                for start in (0..frame.height()).step_by(rows) {
                    writer.write_batch(&frame.slice(start as i64, rows.min(frame.height() - start)))?;
                }
                writer.finish().map(|_| ())
            }
            Self::Csv(options) => packed(options.compression, out, |out| {
                let writer = CsvWriter::new(out).include_header(first && options.header).with_separator(options.separator as u8);
                writer.with_null_value(options.null_value.as_str().into()).finish(&mut frame)
            }),
            Self::Ipc(options) => {
                let compression = match options.codec {
                    IpcCodec::Uncompressed => None,
                    IpcCodec::Lz4 => Some(IpcCompression::LZ4),
                    IpcCodec::Zstd => Some(IpcCompression::ZSTD(Default::default())),
                };
                frame.rechunk_mut();
                // Text in one piece: views would bring along the buffers of frames that these rows were taken from.
                IpcWriter::new(out).with_compression(compression).with_compat_level(CompatLevel::oldest()).finish(&mut frame)
            }
            Self::Json(options) => packed(options.compression, out, |out| json::write(&frame, out)),
        }
    }
}

impl From<ParquetCodec> for ParquetCompression {
    fn from(codec: ParquetCodec) -> Self {
        match codec {
            ParquetCodec::Uncompressed => Self::Uncompressed,
            ParquetCodec::Snappy => Self::Snappy,
            ParquetCodec::Gzip => Self::Gzip(None),
            ParquetCodec::Lz4 => Self::Lz4Raw,
            ParquetCodec::Zstd => Self::Zstd(None),
            ParquetCodec::Brotli => Self::Brotli(None),
        }
    }
}

fn unfit(format: &Format, name: &str, dtype: &DataType, error: &Error) -> Error {
    let why = match error.kind() {
        ErrorKind::Damaged { what } => what.clone(),
        other => format!("{other:?}"),
    };
    let what = format!("{dtype} cannot be written as {}: {why}", format.name());
    Error::at(ErrorKind::UnknownType { what }, Place { column: Some(name.to_owned()), ..Place::default() })
}

/// Calls `write` with a writer that packs.
fn packed(packing: Compression, out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> PolarsResult<()>) -> PolarsResult<()> {
    match packing {
        Compression::None => write(out),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write(&mut encoder)?;
            encoder.finish().map(drop).map_err(PolarsError::from)
        }
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(out, 0)?;
            write(&mut encoder)?;
            encoder.finish().map(drop).map_err(PolarsError::from)
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(out, bzip2::Compression::default());
            write(&mut encoder)?;
            encoder.finish().map(drop).map_err(PolarsError::from)
        }
    }
}
