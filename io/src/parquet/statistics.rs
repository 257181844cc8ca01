//! What the footers say of the values in each row group, as a frame that predicates can be asked of.
//!
//! It refuses to decide what is skipped. Invariant: a bound is a true bound or null, and so is a count. Footers are not always to be
//! believed: columns without a declared order, what one writer is known to say wrongly, and whatever does not decode, have none.

use polars::prelude::{Column, DataFrame, DataType, PlSmallStr, SchemaRef, Series};
use polars_arrow::array::{Array, PrimitiveArray};
use polars_arrow::datatypes::{ArrowDataType, TimeUnit};
use polars_parquet::parquet::metadata::{ColumnOrder, SortOrder};
use polars_parquet::read::statistics::deserialize_all;

use super::cut::Cut;
use super::footer::Footer;
use crate::bounds::{self, Unit};
use crate::damage::guarded;
use crate::hive::Hive;

/// A writer (it does not say its version) that joins what it knows of pages wrongly: unsigned numbers are compared as signed ones, decimals
/// of many digits as bytes without a sign, a NaN hides the numbers of other pages, and the nulls of a column with a dictionary are counted
/// once for each page.
const CARELESS_WRITER: &str = "Polars";
/// Decimals of up to so many digits are stored as whole numbers of 32 or 64 bits, others as bytes.
const DIGITS_OF_NUMBERS: usize = 18;

/// Bounds of one column in the row groups of one file.
struct Bounds {
    least: Series,
    greatest: Series,
    nulls: Vec<Option<u64>>,
}

/// A row for each cut; see [`crate::FileTable::statistics`].
pub(super) fn of(footers: &[Footer], cuts: &[Cut], columns: &[PlSmallStr], schema: &SchemaRef, hive: &Hive) -> DataFrame {
    let units: Vec<Unit> = cuts.iter().map(|cut| Unit { file: cut.file, rows: Some(cut.end - cut.start) }).collect();
    let known = columns.iter().filter_map(|name| match hive.position(name) {
        Some(at) => bounds::of_folders(&units, hive, at),
        None => of_files(footers, cuts, name, schema.get(name)?),
    });
    let known = known.flatten().collect();
    bounds::frame(units.iter().map(|unit| unit.rows).collect(), known)
}

fn of_files(footers: &[Footer], cuts: &[Cut], name: &str, dtype: &DataType) -> Option<Vec<Column>> {
    if !comparable(dtype) {
        return None;
    }
    let bounds: Vec<Option<Bounds>> = footers.iter().map(|footer| of_file(footer, name, dtype)).collect();
    let (mut low, mut high, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for cut in cuts {
        let (file, group) = (cut.file as usize, cut.group as usize);
        let (l, h, n) = match &bounds[file] {
            None => (bounds::unknown(dtype), bounds::unknown(dtype), None),
            Some(bounds) => {
                let one = |series: &Series| series.slice(group as i64, 1);
                (one(&bounds.least), one(&bounds.greatest), bounds.nulls[group])
            }
        };
        low.push(l);
        high.push(h);
        missing.push(of_cut(n, cut, footers[file].metadata.row_groups[group].num_rows() as u64));
    }
    bounds::of(name, dtype, low, high, missing)
}

/// The nulls of a part of a row group are known only where all or none of its rows are null.
fn of_cut(nulls: Option<u64>, cut: &Cut, rows: u64) -> Option<u64> {
    match nulls? {
        0 => Some(0),
        all if all == rows => Some(cut.end - cut.start),
        some => (cut.end - cut.start == rows).then_some(some),
    }
}

/// Types whose bounds mean what a comparison of polars means.
fn comparable(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
        || matches!(dtype, DataType::Boolean | DataType::String | DataType::Decimal(_, _))
        || matches!(dtype, DataType::Date | DataType::Datetime(_, _) | DataType::Duration(_) | DataType::Time)
}

fn of_file(footer: &Footer, name: &str, dtype: &DataType) -> Option<Bounds> {
    let groups = &footer.metadata.row_groups;
    let field = footer.arrow.get(name)?;
    let [leaf] = groups.first()?.columns_idxs_under_root_iter(name)? else { return None };
    let decoded = guarded(name, None, || deserialize_all(field, groups, *leaf, &footer.metadata.footer_buf)).ok()??;
    // Of a count that may be too high only zero says something.
    let careless = careless(footer);
    let counted = |count: &u64| *count == 0 || !careless;
    let nulls = decoded.null_count.iter().map(|count| count.map(|count| u64::from(*count)).filter(counted)).collect();
    let unknown = || Series::full_null(PlSmallStr::EMPTY, groups.len(), dtype);
    let series = |array: Box<dyn Array>| {
        // Decimals come as the whole numbers that they are made of, without saying where the point is.
        let numbers = array.as_any().downcast_ref::<PrimitiveArray<i128>>().cloned();
        let array = numbers.map_or(array, |numbers| numbers.to(field.dtype.clone()).to_boxed());
        match trusted(footer, *leaf, &field.dtype, dtype) {
            // Footers hold the numbers that dates and times are made of.
            true => guarded(name, None, || Series::try_from((field.name.clone(), array))?.cast(dtype)).unwrap_or_else(|_| unknown()),
            false => unknown(),
        }
    };
    let (least, greatest) = (series(decoded.min_value), series(decoded.max_value));
    (least.dtype() == dtype && greatest.dtype() == dtype).then_some(Bounds { least, greatest, nulls })
}

/// Whether the bounds of a column say what they should.
fn trusted(footer: &Footer, leaf: usize, field: &ArrowDataType, dtype: &DataType) -> bool {
    let metadata = &footer.metadata;
    let order = metadata.column_orders.as_ref().and_then(|orders| orders.get(leaf));
    // Polars has no seconds: what a column counts in seconds becomes milliseconds, and bounds would have to follow.
    let seconds = matches!(field, ArrowDataType::Timestamp(TimeUnit::Second, _) | ArrowDataType::Duration(TimeUnit::Second));
    // Bounds of times come as numbers without their unit, which must be that of polars.
    let coarse =
        matches!(field, ArrowDataType::Time32(_) | ArrowDataType::Time64(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond));
    let ordered = match order {
        Some(ColumnOrder::TypeDefinedOrder(order)) => *order != SortOrder::Undefined,
        Some(ColumnOrder::IEEE754TotalOrder) => true,
        Some(ColumnOrder::Undefined) | None => false,
    };
    let wide = matches!(dtype, DataType::Decimal(digits, _) if *digits > DIGITS_OF_NUMBERS);
    let wrong = careless(footer) && (wide || dtype.is_float() || matches!(dtype, DataType::UInt32 | DataType::UInt64));
    ordered && !seconds && !coarse && !wrong
}

fn careless(footer: &Footer) -> bool {
    footer.metadata.created_by.as_deref().is_some_and(|writer| writer.starts_with(CARELESS_WRITER))
}
