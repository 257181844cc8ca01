//! The eight tables as files: written once by `tpchgen`, opened as lazy frames.
//!
//! A folder holds a folder for each table, with the table in several files, as an export would leave it. Invariant: a folder is there with all
//! tables or not at all; it is made under another name and renamed when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use partita::prelude::*;
use partita::{Code, Error};
use tpchgen::{csv, generators};

use super::queries::Tables;

/// As what the tables are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Csv,
    Parquet,
}

/// Name, and the columns that are not text: `i` whole numbers, `f` floats, `d` dates.
const TABLES: [(&str, &[(&str, char)]); 8] = [
    ("customer", &[("c_custkey", 'i'), ("c_nationkey", 'i'), ("c_acctbal", 'f')]),
    (
        "lineitem",
        &[
            ("l_orderkey", 'i'),
            ("l_partkey", 'i'),
            ("l_suppkey", 'i'),
            ("l_linenumber", 'i'),
            ("l_quantity", 'f'),
            ("l_extendedprice", 'f'),
            ("l_discount", 'f'),
            ("l_tax", 'f'),
            ("l_shipdate", 'd'),
            ("l_commitdate", 'd'),
            ("l_receiptdate", 'd'),
        ],
    ),
    ("nation", &[("n_nationkey", 'i'), ("n_regionkey", 'i')]),
    ("orders", &[("o_orderkey", 'i'), ("o_custkey", 'i'), ("o_totalprice", 'f'), ("o_orderdate", 'd'), ("o_shippriority", 'i')]),
    ("part", &[("p_partkey", 'i'), ("p_size", 'i'), ("p_retailprice", 'f')]),
    ("partsupp", &[("ps_partkey", 'i'), ("ps_suppkey", 'i'), ("ps_availqty", 'i'), ("ps_supplycost", 'f')]),
    ("region", &[("r_regionkey", 'i')]),
    ("supplier", &[("s_suppkey", 'i'), ("s_nationkey", 'i'), ("s_acctbal", 'f')]),
];

/// Bytes of CSV that become one Parquet file.
const PART: &str = "64MB";

/// Opens the tables in a folder. `blocksize`: bytes of a partition, if not as many as the reader chooses.
pub fn open(folder: &Path, format: Format, scale: f64, blocksize: Option<&str>) -> Result<Tables, Error> {
    let table = |name: &str| match format {
        Format::Csv => read_csv(&folder.join(name), name, blocksize),
        Format::Parquet => {
            let options = blocksize.map_or_else(ParquetOptions::new, |bytes| ParquetOptions::new().blocksize(bytes));
            DFrame::read_parquet_with(folder.join(name), options)
        }
    };
    Ok(Tables {
        customer: table("customer")?,
        lineitem: table("lineitem")?,
        nation: table("nation")?,
        orders: table("orders")?,
        part: table("part")?,
        partsupp: table("partsupp")?,
        region: table("region")?,
        supplier: table("supplier")?,
        scale,
    })
}

fn read_csv(folder: &Path, name: &str, blocksize: Option<&str>) -> Result<DFrame, Error> {
    let typed = TABLES.iter().find(|(table, _)| *table == name).map_or(&[][..], |(_, columns)| *columns);
    let dtype = |kind: char| match kind {
        'i' => DataType::Int64,
        'f' => DataType::Float64,
        _ => DataType::Date,
    };
    let mut options = CsvOptions::new().dtypes(typed.iter().map(|(column, kind)| (*column, dtype(*kind))));
    if let Some(bytes) = blocksize {
        options = options.blocksize(bytes);
    }
    DFrame::read_csv_with(folder.join("*.csv"), options)
}

/// The folder with the tables of this size and format below `root`; makes it when it is not there.
///
/// Scale 1 is about 1 GB of CSV, or a third of that as Parquet. While Parquet is made there is room needed for the CSV of the largest
/// table besides.
pub fn prepare(root: &Path, format: Format, scale: f64) -> Result<PathBuf, Error> {
    if !(scale > 0.0 && scale <= 1000.0) {
        return Err(Error::new(Code::InvalidOption, format!("the scale {scale} is not above 0 and at most 1000")));
    }
    let folder = root.join(format!("sf{scale}-{}", if format == Format::Csv { "csv" } else { "parquet" }));
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(root).map_err(|error| unwritable(root, &error))?;
    let staged = tempfile::Builder::new().prefix("under-way-").tempdir_in(root).map_err(|error| unwritable(root, &error))?;
    let tables = staged.path().join("tables");
    for (name, _) in TABLES {
        let texts = match format {
            Format::Csv => tables.join(name),
            Format::Parquet => staged.path().join(name),
        };
        write_csv(&texts, name, scale).map_err(|error| unwritable(&texts, &error))?;
        if format == Format::Parquet {
            read_csv(&texts, name, Some(PART))?.to_parquet(tables.join(name), ParquetWriteOptions::new())?;
            std::fs::remove_dir_all(&texts).map_err(|error| unwritable(&texts, &error))?;
        }
    }
    match std::fs::rename(&tables, &folder) {
        // Somebody else was faster; theirs are the same.
        Err(_) if folder.exists() => Ok(folder),
        renamed => renamed.map(|()| folder.clone()).map_err(|error| unwritable(&folder, &error)),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::Unwritable, format!("{} cannot be written: {error}", path.display()))
}

/// Writes one table as CSV files with headers, as many at a time as there are cores.
fn write_csv(folder: &Path, table: &str, scale: f64) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let parts = match table {
        // These are the same at every scale, and in every part.
        "nation" | "region" => 1,
        "lineitem" => (scale * 8.0).ceil().max(2.0) as i32,
        "orders" | "partsupp" => (scale * 2.0).ceil().max(2.0) as i32,
        _ => scale.ceil().max(2.0) as i32,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts as usize);
    let write = |thread: usize| -> io::Result<()> {
        for part in (1..=parts).skip(thread).step_by(threads) {
            let mut file = BufWriter::with_capacity(1 << 20, File::create(folder.join(format!("part-{part:04}.csv")))?);
            write_rows(table, scale, (part, parts), &mut file)?;
            file.flush()?;
        }
        Ok(())
    };
    let write = &write;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || write(thread))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(|_| Err(io::Error::other("a writer panicked"))))
    })
}

fn write_rows(table: &str, scale: f64, (part, parts): (i32, i32), file: &mut impl Write) -> io::Result<()> {
    macro_rules! rows {
        ($generator:ident, $row:ident) => {{
            writeln!(file, "{}", csv::$row::header())?;
            for row in generators::$generator::new(scale, part, parts).iter() {
                writeln!(file, "{}", csv::$row::new(row))?;
            }
            Ok(())
        }};
    }
    match table {
        "customer" => rows!(CustomerGenerator, CustomerCsv),
        "lineitem" => rows!(LineItemGenerator, LineItemCsv),
        "nation" => rows!(NationGenerator, NationCsv),
        "orders" => rows!(OrderGenerator, OrderCsv),
        "part" => rows!(PartGenerator, PartCsv),
        "partsupp" => rows!(PartSuppGenerator, PartSuppCsv),
        "region" => rows!(RegionGenerator, RegionCsv),
        _ => rows!(SupplierGenerator, SupplierCsv),
    }
}
