//! All values of each group, as lists: what aggregates need that have no smaller state. Values without their keys and other columns are
//! less to move than rows, and no list of rows is made on the way.

use polars::prelude::*;
use polars_arrow::array::{ListArray, PrimitiveArray};
use polars_arrow::offset::OffsetsBuffer;

use super::plain::{ByGroup, for_each};

/// Calls `$body` with `$kind` as the polars type of a number type, or gives `None`.
macro_rules! with_number {
    ($dtype:expr, $kind:ident => $body:expr) => {
        match $dtype {
            DataType::Float64 => {
                type $kind = Float64Type;
                Some($body)
            }
            DataType::Float32 => {
                type $kind = Float32Type;
                Some($body)
            }
            DataType::Int64 => {
                type $kind = Int64Type;
                Some($body)
            }
            DataType::Int32 => {
                type $kind = Int32Type;
                Some($body)
            }
            DataType::UInt64 => {
                type $kind = UInt64Type;
                Some($body)
            }
            DataType::UInt32 => {
                type $kind = UInt32Type;
                Some($body)
            }
            _ => None,
        }
    };
}

/// Whether lists of such values are made here.
pub(super) fn suits(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Float64 | DataType::Float32 | DataType::Int64 | DataType::Int32 | DataType::UInt64 | DataType::UInt32)
}

/// The values of each group that are not null, in row order. `None` for other types than numbers.
pub(super) fn gathered(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Option<Series>> {
    with_number!(input.dtype(), T => scattered::<T>(input, groups)).transpose()
}

fn scattered<T: PolarsNumericType>(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    let values: &ChunkedArray<T> = input.as_ref().as_ref();
    let mut lens = vec![0i64; groups.count];
    for_each(values, groups, |group, _| lens[group] += 1);
    let mut ends = starts(lens);
    let mut out = vec![T::Native::default(); values.len() - values.null_count()];
    for_each(values, groups, |group, value| {
        let at = &mut ends[group];
        out[*at as usize] = value;
        *at += 1;
    });
    lists::<T>(out, ends)
}

/// Lists of several partitions, one behind the other. `None` for lists of other values than numbers.
pub(super) fn joined(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Option<Series>> {
    let DataType::List(inner) = input.dtype() else { return Ok(None) };
    with_number!(&**inner, T => concatenated::<T>(input, groups)).transpose()
}

fn concatenated<T: PolarsNumericType>(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    let lists_of = input.list()?;
    let mut lens = vec![0i64; groups.count];
    let of_rows = lists_of.downcast_iter().flat_map(|array| array.offsets().lengths());
    groups.of_row.iter().zip(of_rows).for_each(|(group, len)| lens[*group as usize] += len as i64);
    let mut out = vec![T::Native::default(); lens.iter().sum::<i64>() as usize];
    let mut ends = starts(lens);
    let mut rows = groups.of_row.iter();
    for array in lists_of.downcast_iter() {
        let values = array.values().as_any().downcast_ref::<PrimitiveArray<T::Native>>();
        let values = values.ok_or_else(|| polars_err!(SchemaMismatch: "lists of other values than their type says"))?.values();
        for (ends_of, group) in array.offsets().windows(2).zip(&mut rows) {
            let list = &values[ends_of[0] as usize..ends_of[1] as usize];
            let at = &mut ends[*group as usize];
            out[*at as usize..][..list.len()].copy_from_slice(list);
            *at += list.len() as i64;
        }
    }
    lists::<T>(out, ends)
}

/// Where each group's values begin, from how many it has.
fn starts(mut lens: Vec<i64>) -> Vec<i64> {
    let mut next = 0;
    for len in &mut lens {
        next += std::mem::replace(len, next);
    }
    lens
}

/// Lists of these values, which end there.
fn lists<T: PolarsNumericType>(values: Vec<T::Native>, ends: Vec<i64>) -> PolarsResult<Series> {
    let dtype = T::get_static_dtype().to_arrow(CompatLevel::newest());
    let values = PrimitiveArray::new(dtype.clone(), values.into(), None);
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.extend(ends);
    let array = ListArray::<i64>::new(ListArray::<i64>::default_datatype(dtype), OffsetsBuffer::try_from(offsets)?, values.boxed(), None);
    Ok(ListChunked::with_chunk(PlSmallStr::EMPTY, array).into_series())
}
