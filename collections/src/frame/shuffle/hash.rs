//! Hashes of rows. Equal keys have equal hashes in every partition, process and machine: there is no seed.
//!
//! It refuses to know what a hash is for. Invariant: what polars takes to be equal hashes equally (`-0.0` and `0.0`, all NaNs, null and
//! null), integers hash by their value whatever their width, categories by their text. Of one column of numbers the hash tells the value:
//! two different ones never share a hash (null may share one with a number).

use polars::prelude::row_encode::_get_rows_encoded_unordered;
use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

const START: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x51ed_270b_9c1f_3d27;

/// One hash a row, over all columns.
pub(crate) fn row_hashes(columns: &[Column]) -> PolarsResult<Vec<u64>> {
    let mut hashes = vec![START; columns.first().map_or(0, Column::len)];
    for column in columns {
        add(column, &mut hashes)?;
    }
    Ok(hashes)
}

/// Which of `parts` parts rows of this hash belong to. The upper bits choose, which leaves the lower ones to tables within a part; a
/// multiplication does instead of a division.
pub(crate) fn part_of(hash: u64, parts: u32) -> usize {
    ((u128::from(hash) * u128::from(parts)) >> 64) as usize
}

fn add(column: &Column, hashes: &mut [u64]) -> PolarsResult<()> {
    if column.is_empty() {
        // Arrays without rows may come without a piece of memory, which polars takes for granted.
        return Ok(());
    }
    let series = column.as_materialized_series();
    match series.dtype() {
        DataType::Null => hashes.iter_mut().for_each(|hash| *hash = fold(*hash, NULL)),
        DataType::Boolean => {
            let values = series.bool()?.iter().map(|value| value.map(u64::from));
            add_each(values, hashes);
        }
        DataType::UInt64 => add_numbers(series.u64()?, hashes, |value| value),
        DataType::Float32 | DataType::Float64 => add_numbers(series.cast(&DataType::Float64)?.f64()?, hashes, canonical),
        dtype if is_integral(dtype) => {
            let values = series.to_physical_repr().cast(&DataType::Int64)?;
            add_numbers(values.i64()?, hashes, |value| value as u64);
        }
        DataType::String => add_each(series.str()?.iter().map(|text| text.map(|text| xxh3_64(text.as_bytes()))), hashes),
        DataType::Categorical(..) | DataType::Enum(..) => {
            let texts = series.cast(&DataType::String)?;
            add_each(texts.str()?.iter().map(|text| text.map(|text| xxh3_64(text.as_bytes()))), hashes);
        }
        _ => {
            let rows = _get_rows_encoded_unordered(std::slice::from_ref(column))?.into_array();
            add_each(rows.values_iter().map(|row| Some(xxh3_64(row))), hashes);
        }
    }
    Ok(())
}

/// Types whose values are whole numbers of at most 64 bits, with sign.
pub(crate) fn is_integral(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
        || matches!(dtype, DataType::UInt8 | DataType::UInt16 | DataType::UInt32)
        || matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Duration(_) | DataType::Time)
}

fn add_each(values: impl Iterator<Item = Option<u64>>, hashes: &mut [u64]) {
    hashes.iter_mut().zip(values).for_each(|(hash, value)| *hash = fold(*hash, value.unwrap_or(NULL)));
}

fn add_numbers<T: PolarsNumericType>(values: &ChunkedArray<T>, hashes: &mut [u64], bits: impl Fn(T::Native) -> u64) {
    let mut rest = hashes;
    for chunk in values.downcast_iter() {
        let (these, after) = std::mem::take(&mut rest).split_at_mut(chunk.len());
        rest = after;
        let rows = these.iter_mut().zip(chunk.values().iter());
        match chunk.validity() {
            None => rows.for_each(|(hash, value)| *hash = fold(*hash, bits(*value))),
            Some(valid) => {
                rows.zip(valid.iter()).for_each(|((hash, value), valid)| *hash = fold(*hash, if valid { bits(*value) } else { NULL }));
            }
        }
    }
}

/// One bit pattern for all values that are equal.
fn canonical(value: f64) -> u64 {
    // Adding zero takes the sign off a negative zero.
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// One to one in `value`.
fn fold(hash: u64, value: u64) -> u64 {
    mixed(hash.rotate_left(17) ^ value)
}

/// The finalizer of splitmix64: one to one, and every bit of the input moves about half of the output's.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(column: Column) -> Vec<u64> {
        row_hashes(&[column]).expect("the type can be hashed")
    }

    fn of(values: &[Option<i64>]) -> Column {
        Column::new("k".into(), values)
    }

    #[test]
    fn equal_keys_hash_equally() {
        let wide = of(&[Some(-1), Some(0), Some(7), None]);
        for dtype in [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Float32, DataType::Float64] {
            let narrow = wide.cast(&dtype).expect("small numbers");
            if !dtype.is_float() {
                assert_eq!(hashes(narrow), hashes(wide.clone()), "{dtype}");
                continue;
            }
            assert_eq!(hashes(narrow.clone()), hashes(narrow.cast(&DataType::Float64).expect("a wider float")), "{dtype}");
        }
        let unsigned = of(&[Some(0), Some(7)]);
        assert_eq!(hashes(unsigned.cast(&DataType::UInt64).expect("no sign")), hashes(unsigned));
        let zeros = hashes(Column::new("k".into(), [0.0, -0.0, f64::NAN, -f64::NAN]));
        assert_eq!((zeros[0], zeros[2]), (zeros[1], zeros[3]));
        let texts = Column::new("k".into(), ["a", "b", "a"]);
        let categories = texts.cast(&DataType::from_categories(Categories::global())).expect("text becomes categories");
        assert_eq!(hashes(categories), hashes(texts));
    }

    #[test]
    fn different_numbers_hash_differently_and_spread_over_the_parts() {
        let mut all = hashes(Column::new("k".into(), (0..100_000i64).collect::<Vec<_>>()));
        let mut rows = [0; 7];
        all.iter().for_each(|hash| rows[part_of(*hash, 7)] += 1);
        assert!(rows.iter().all(|rows| (13_500..15_000).contains(rows)), "{rows:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100_000);
    }

    /// The hash is part of where rows are: another one would move the rows of persisted frames.
    #[test]
    fn the_hash_stays_what_it_is() {
        assert_eq!(mixed(0), 0);
        assert_eq!(mixed(1), 0x5692_161d_100b_05e5);
        let of_slices = row_hashes(&[of(&[Some(1), Some(2)]).slice(1, 1)]).expect("numbers");
        assert_eq!(of_slices, [hashes(of(&[Some(1), Some(2)]))[1]]);
    }

    #[test]
    fn several_columns_and_chunks() {
        let (a, b) = (of(&[Some(1), Some(2)]), of(&[Some(2), Some(1)]));
        let both = row_hashes(&[a.clone(), b.clone()]).expect("numbers");
        assert_ne!(both[0], both[1]);
        let mut chunked = a.clone();
        chunked.append(&b).expect("one type");
        assert_eq!(hashes(chunked), [hashes(a), hashes(b)].concat());
    }
}
