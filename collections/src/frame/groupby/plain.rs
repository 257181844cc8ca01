//! States of numbered rows: one pass over a column for each state, adding every row to the slot of its group.
//!
//! Rows are added in an order that follows from their number alone, so results do not depend on anything but the partition.

use std::cell::OnceCell;

use polars::prelude::*;
use polars_arrow::bitmap::Bitmap;

use super::gathered;
use super::states::Kind;

/// Rows by group: the number of each row's group, and how many groups there are.
pub(super) struct ByGroup<'a> {
    pub of_row: &'a [u32],
    pub count: usize,
    rows: OnceCell<Vec<u64>>,
}

impl<'a> ByGroup<'a> {
    pub fn new(of_row: &'a [u32], count: usize) -> Self {
        Self { of_row, count, rows: OnceCell::new() }
    }

    /// How many rows each group has, counted once somebody asks.
    fn rows(&self) -> &[u64] {
        self.rows.get_or_init(|| {
            let mut rows = vec![0u64; self.count];
            self.of_row.iter().for_each(|group| rows[*group as usize] += 1);
            rows
        })
    }
}

/// Whether [`state`] is made for this kind over this type.
pub(super) fn suits(kind: Kind, dtype: &DataType) -> bool {
    let number = dtype.is_primitive_numeric() && !matches!(dtype, DataType::Int128 | DataType::UInt128 | DataType::Float16);
    match kind {
        Kind::Sum => number || matches!(dtype, DataType::Boolean | DataType::Duration(_)),
        Kind::FloatSum | Kind::Moments => number || *dtype == DataType::Boolean,
        Kind::Min(false) | Kind::Max(false) => number || dtype.is_temporal() || *dtype == DataType::String,
        Kind::Len | Kind::Count | Kind::NullCount => true,
        Kind::First | Kind::Last | Kind::FirstValue | Kind::LastValue => !dtype.is_nested(),
        Kind::Gathered => match dtype {
            DataType::List(inner) => gathered::suits(inner),
            dtype => gathered::suits(dtype),
        },
        _ => false,
    }
}

/// One state of each group, of the type that polars' own aggregate has; `None` for what [`suits`] refuses. Moments have three
/// columns: [`moments`].
pub(super) fn state(kind: Kind, input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Option<Series>> {
    if !suits(kind, input.dtype()) {
        return Ok(None);
    }
    let back = |state: Series| -> PolarsResult<Series> {
        match input.dtype() {
            logical if state.dtype() == logical => Ok(state),
            // The zone is put on as it is; a cast would look it up.
            DataType::Datetime(unit, zone) => Ok(state.i64()?.clone().into_datetime(*unit, zone.clone()).into_series()),
            logical => state.cast(logical),
        }
    };
    match kind {
        Kind::Len => Ok(Some(lens(groups))),
        Kind::Gathered if matches!(input.dtype(), DataType::List(_)) => gathered::joined(input, groups),
        Kind::Gathered => gathered::gathered(input, groups),
        Kind::Count => Ok(Some(count_values(input, groups))),
        Kind::NullCount => {
            let values = count_values(input, groups);
            let values = values.u64()?.into_no_null_iter();
            Ok(Some(counts(&groups.rows().iter().zip(values).map(|(rows, values)| rows - values).collect::<Vec<u64>>())))
        }
        Kind::First | Kind::Last | Kind::FirstValue | Kind::LastValue => input.take(&places(kind, input, groups)).map(Some),
        Kind::FloatSum if *input.dtype() == DataType::Int64 => {
            let sums = sums(input.i64()?, groups, |sum: f64, value| sum + value as f64);
            Ok(Some(Float64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_series()))
        }
        Kind::FloatSum => float_sums(&input.cast(&DataType::Float64)?, groups).map(Some),
        Kind::Sum => match input.dtype() {
            DataType::Float64 => float_sums(input, groups).map(Some),
            DataType::Float32 => float_sums(&input.cast(&DataType::Float64)?, groups)?.cast(&DataType::Float32).map(Some),
            DataType::Boolean => whole_sums(&input.cast(&IDX_DTYPE)?, groups).map(Some),
            DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => {
                whole_sums(&input.cast(&DataType::Int64)?, groups).map(Some)
            }
            _ => back(whole_sums(&input.to_physical_repr(), groups)?).map(Some),
        },
        Kind::Min(_) | Kind::Max(_) if *input.dtype() == DataType::String => text_extremes(kind, input, groups).map(Some),
        Kind::Min(_) | Kind::Max(_) => back(extremes(kind, &input.to_physical_repr(), groups)?).map(Some),
        _ => Ok(None),
    }
}

/// Count, mean and sum of squared deviations of each group, the last two null where there is no value. In two passes, because
/// sums of squares cancel.
pub(super) fn moments(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<[Series; 3]> {
    let input = input.cast(&DataType::Float64)?;
    let values = input.f64()?;
    let mut n = vec![0.0; groups.count];
    let mut mean = vec![0.0; groups.count];
    for_each(values, groups, |group, x| {
        n[group] += 1.0;
        mean[group] += x;
    });
    mean.iter_mut().zip(&n).for_each(|(mean, n)| *mean /= n);
    let mut squares = vec![0.0; groups.count];
    for_each(values, groups, |group, x| squares[group] += (x - mean[group]) * (x - mean[group]));
    Ok(of_moments(n, mean, squares, true))
}

/// Moments of several partitions, in partition order, combined two by two after Chan, Golub and LeVeque (1979).
pub(super) fn merged_moments(n: &Series, mean: &Series, squares: &Series, groups: &ByGroup<'_>) -> PolarsResult<[Series; 3]> {
    let mut all = (vec![0.0; groups.count], vec![0.0; groups.count], vec![0.0; groups.count]);
    let rows = groups.of_row.iter().zip(n.f64()?.iter()).zip(mean.f64()?.iter()).zip(squares.f64()?.iter());
    for (((group, n), mean), squares) in rows {
        let (Some(n), Some(mean), Some(squares)) = (n, mean, squares) else { continue };
        let group = *group as usize;
        let known = all.0[group];
        if known == 0.0 {
            // As it is: the square of a large mean has no place in a float, and nothing times that is no number.
            (all.0[group], all.1[group], all.2[group]) = (n, mean, squares);
            continue;
        }
        let both = known + n;
        let apart = mean - all.1[group];
        all.0[group] = both;
        all.1[group] += apart * n / both;
        all.2[group] += squares + apart * apart * known * n / both;
    }
    Ok(of_moments(all.0, all.1, all.2, false))
}

fn of_moments(n: Vec<f64>, mean: Vec<f64>, squares: Vec<f64>, null: bool) -> [Series; 3] {
    let name = PlSmallStr::EMPTY;
    let some = |values: Vec<f64>| values.into_iter().zip(&n).map(|(x, n)| (*n > 0.0).then_some(x)).collect::<Vec<_>>();
    let mean = Float64Chunked::from_iter_options(name.clone(), some(mean).into_iter());
    let squares = match null {
        true => Float64Chunked::from_iter_options(name.clone(), some(squares).into_iter()),
        false => Float64Chunked::from_vec(name.clone(), squares),
    };
    [Float64Chunked::from_vec(name, n).into_series(), mean.into_series(), squares.into_series()]
}

/// The number of rows of each group.
pub(super) fn lens(groups: &ByGroup<'_>) -> Series {
    counts(groups.rows())
}

fn counts(rows: &[u64]) -> Series {
    UInt64Chunked::from_slice(PlSmallStr::EMPTY, rows).into_series()
}

/// Calls `add` with the group and the value of each row that is not null.
pub(super) fn for_each<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &ByGroup<'_>, mut add: impl FnMut(usize, T::Native)) {
    let mut from = 0;
    for chunk in values.downcast_iter() {
        let of_row = &groups.of_row[from..from + chunk.len()];
        from += chunk.len();
        match chunk.validity() {
            None => of_row.iter().zip(chunk.values().iter()).for_each(|(group, value)| add(*group as usize, *value)),
            Some(valid) => {
                let rows = of_row.iter().zip(chunk.values().iter()).zip(valid.iter());
                rows.filter(|(_, valid)| *valid).for_each(|((group, value), _)| add(*group as usize, *value));
            }
        }
    }
}

fn count_values(input: &Series, groups: &ByGroup<'_>) -> Series {
    if input.null_count() == 0 {
        return counts(groups.rows());
    }
    let mut count = vec![0u64; groups.count];
    let valid = input.is_not_null();
    for (group, valid) in groups.of_row.iter().zip(valid.iter()) {
        count[*group as usize] += u64::from(valid == Some(true));
    }
    counts(&count)
}

fn sums<T: PolarsNumericType, S: Copy + Default>(
    values: &ChunkedArray<T>,
    groups: &ByGroup<'_>,
    add: impl Fn(S, T::Native) -> S,
) -> Vec<S> {
    let mut sums = vec![S::default(); groups.count];
    for_each(values, groups, |group, value| sums[group] = add(sums[group], value));
    sums
}

/// Of so few groups each gets a row soon after the last one, and every addition would wait for the one before it.
const FEW: usize = 256;
/// So their rows are dealt to this many sums in turns.
const TURNS: usize = 4;

/// Sums of floats and of what each addition left out, so that what is small beside a sum is not lost (Neumaier, 1974). polars
/// compensates too.
fn float_sums(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    // Of an infinite sum nothing was left out, nor of one that is no number.
    let whole = |(sum, missed): (f64, f64)| if missed.is_finite() { sum + missed } else { sum };
    let values = input.f64()?;
    let sums = match groups.count <= FEW && values.null_count() == 0 {
        true => in_turns(values, groups),
        false => sums(values, groups, added),
    };
    Ok(Float64Chunked::from_vec(PlSmallStr::EMPTY, sums.into_iter().map(whole).collect()).into_series())
}

fn added((sum, missed): (f64, f64), value: f64) -> (f64, f64) {
    let next = sum + value;
    let taken = next - sum;
    (next, missed + ((sum - (next - taken)) + (value - taken)))
}

fn in_turns(values: &Float64Chunked, groups: &ByGroup<'_>) -> Vec<(f64, f64)> {
    let mut sums = vec![[(0.0, 0.0); TURNS]; groups.count];
    let mut from = 0;
    for chunk in values.downcast_iter() {
        let of_row = &groups.of_row[from..from + chunk.len()];
        from += chunk.len();
        let ((rounds, last), (of_rounds, of_last)) = (chunk.values().as_chunks::<TURNS>(), of_row.as_chunks::<TURNS>());
        for (round, of_round) in rounds.iter().zip(of_rounds) {
            for (turn, (value, group)) in round.iter().zip(of_round).enumerate() {
                let sum = &mut sums[*group as usize][turn];
                *sum = added(*sum, *value);
            }
        }
        for (value, group) in last.iter().zip(of_last) {
            let sum = &mut sums[*group as usize][0];
            *sum = added(*sum, *value);
        }
    }
    let together = |turns: [(f64, f64); TURNS]| {
        turns.into_iter().fold((0.0, 0.0), |all, (sum, missed)| {
            let (all, left_out) = added(all, sum);
            (all, left_out + missed)
        })
    };
    sums.into_iter().map(together).collect()
}

/// Calls a function with the typed array of whole numbers.
macro_rules! with_whole {
    ($series:expr, |$values:ident: $kind:ident| $body:expr) => {
        match $series.dtype() {
            DataType::Int8 => {
                type $kind = Int8Type;
                let $values = $series.i8()?;
                $body
            }
            DataType::Int16 => {
                type $kind = Int16Type;
                let $values = $series.i16()?;
                $body
            }
            DataType::Int32 => {
                type $kind = Int32Type;
                let $values = $series.i32()?;
                $body
            }
            DataType::UInt8 => {
                type $kind = UInt8Type;
                let $values = $series.u8()?;
                $body
            }
            DataType::UInt16 => {
                type $kind = UInt16Type;
                let $values = $series.u16()?;
                $body
            }
            DataType::UInt32 => {
                type $kind = UInt32Type;
                let $values = $series.u32()?;
                $body
            }
            DataType::UInt64 => {
                type $kind = UInt64Type;
                let $values = $series.u64()?;
                $body
            }
            _ => {
                type $kind = Int64Type;
                let $values = $series.i64()?;
                $body
            }
        }
    };
}

/// Sums wrap, as polars' do.
fn whole_sums(input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    Ok(with_whole!(input, |values: Kind| {
        type Native = <Kind as PolarsNumericType>::Native;
        ChunkedArray::<Kind>::from_vec(PlSmallStr::EMPTY, sums(values, groups, Native::wrapping_add)).into_series()
    }))
}

/// The best value of each group, `worst` being no better than any; null where there is no value.
fn best<T: PolarsNumericType>(
    values: &ChunkedArray<T>,
    groups: &ByGroup<'_>,
    worst: T::Native,
    better: impl Fn(T::Native, T::Native) -> T::Native,
) -> ChunkedArray<T> {
    let mut best = vec![worst; groups.count];
    let mut some: Option<Bitmap> = None;
    if values.null_count() == 0 {
        for_each(values, groups, |group, value| best[group] = better(best[group], value));
        if groups.rows().contains(&0) {
            some = Some(groups.rows().iter().map(|rows| *rows > 0).collect());
        }
    } else {
        let mut met = vec![false; groups.count];
        for_each(values, groups, |group, value| {
            best[group] = better(best[group], value);
            met[group] = true;
        });
        some = Some(met.into_iter().collect());
    }
    ChunkedArray::from_vec_validity(PlSmallStr::EMPTY, best, some)
}

/// The least or greatest values; what is not a number counts only where there is nothing else.
fn extremes(kind: Kind, input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    let least = matches!(kind, Kind::Min(_));
    Ok(match input.dtype() {
        DataType::Float64 => best(input.f64()?, groups, f64::NAN, if least { f64::min } else { f64::max }).into_series(),
        DataType::Float32 => best(input.f32()?, groups, f32::NAN, if least { f32::min } else { f32::max }).into_series(),
        _ => with_whole!(input, |values: Kind| {
            type Native = <Kind as PolarsNumericType>::Native;
            match least {
                true => best(values, groups, Native::MAX, <Native as Ord>::min).into_series(),
                false => best(values, groups, Native::MIN, <Native as Ord>::max).into_series(),
            }
        }),
    })
}

fn text_extremes(kind: Kind, input: &Series, groups: &ByGroup<'_>) -> PolarsResult<Series> {
    let least = matches!(kind, Kind::Min(_));
    let mut best: Vec<Option<&str>> = vec![None; groups.count];
    for (group, text) in groups.of_row.iter().zip(input.str()?.iter()) {
        let Some(text) = text else { continue };
        let known = &mut best[*group as usize];
        if known.is_none_or(|known| if least { text < known } else { text > known }) {
            *known = Some(text);
        }
    }
    Ok(StringChunked::from_iter_options(PlSmallStr::EMPTY, best.into_iter()).into_series())
}

/// The row that stands for each group: its first or last, of all or of those with a value.
fn places(kind: Kind, input: &Series, groups: &ByGroup<'_>) -> IdxCa {
    let first = matches!(kind, Kind::First | Kind::FirstValue);
    let mut places: Vec<Option<IdxSize>> = vec![None; groups.count];
    let mut note = |row: usize, group: u32| {
        let place = &mut places[group as usize];
        if !first || place.is_none() {
            *place = Some(row as IdxSize);
        }
    };
    if matches!(kind, Kind::First | Kind::Last) || input.null_count() == 0 {
        groups.of_row.iter().enumerate().for_each(|(row, group)| note(row, *group));
    } else {
        let valid = input.is_not_null();
        let rows = groups.of_row.iter().zip(valid.iter()).enumerate();
        rows.filter(|(_, (_, valid))| *valid == Some(true)).for_each(|(row, (group, _))| note(row, *group));
    }
    IdxCa::from_iter_options(PlSmallStr::EMPTY, places.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_of_times_keep_their_zone() {
        let zone = TimeZone::opt_try_new(Some("UTC")).expect("a zone");
        let times = Int64Chunked::from_vec("t".into(), vec![3, 1, 2]).into_datetime(TimeUnit::Microseconds, zone).into_series();
        let least = state(Kind::Min(false), &times, &ByGroup::new(&[0, 0, 1], 2)).expect("times").expect("times have a least one");
        assert_eq!(least.dtype(), times.dtype());
    }

    /// What is dealt to several sums in turns loses nothing either, and is what one sum for each of many groups is.
    #[test]
    fn sums_in_turns() {
        let rows = 1003;
        let values: Vec<f64> = (0..rows).map(|row| [1e16, 1.0, -1e16, 0.25][row % 4] * (1 + row % 3) as f64).collect();
        let of_row: Vec<u32> = (0..rows).map(|row| (row / 12 % 5) as u32).collect();
        let sums = |count: usize| {
            let sums = state(Kind::Sum, &Series::new("x".into(), &values), &ByGroup::new(&of_row, count)).expect("numbers").expect("sums");
            sums.f64().expect("floats").iter().take(5).collect::<Vec<_>>()
        };
        let expected = |group: u32| {
            let quarters = values.iter().zip(&of_row).filter(|(_, of)| **of == group).map(|(x, _)| (x * 4.0) as i128).sum::<i128>();
            Some(quarters as f64 / 4.0)
        };
        assert_eq!(sums(FEW), (0..5).map(expected).collect::<Vec<_>>());
        assert_eq!(sums(FEW), sums(FEW + 1));
        for odd in [f64::NAN, f64::INFINITY] {
            let series = Series::new("x".into(), [1.0, odd, 2.0, 3.0, 4.0]);
            let sum = state(Kind::Sum, &series, &ByGroup::new(&[0; 5], 1)).expect("numbers").expect("sums").f64().expect("floats").get(0);
            assert!(sum.is_some_and(|sum| sum.is_nan() == odd.is_nan() && sum.is_infinite() == odd.is_infinite()), "{sum:?}");
        }
    }

    #[test]
    fn extremes_of_groups_without_values() {
        let groups = ByGroup::new(&[0, 2, 2, 3, 3], 4);
        let found = |kind, values: Series| state(kind, &values, &groups).expect("numbers").expect("numbers have a least one");
        let whole = Series::new("x".into(), [i64::MAX, 3, 1, 5, 5]);
        assert_eq!(found(Kind::Min(false), whole.clone()), Series::new("".into(), [Some(i64::MAX), None, Some(1), Some(5)]));
        assert_eq!(found(Kind::Max(false), whole), Series::new("".into(), [Some(i64::MAX), None, Some(3), Some(5)]));
        let nulls = Series::new("x".into(), [Some(i64::MIN), Some(3), None, None, None]);
        assert_eq!(found(Kind::Max(false), nulls), Series::new("".into(), [Some(i64::MIN), None, Some(3), None]));
        let floats = found(Kind::Max(false), Series::new("x".into(), [f64::NAN, 3.0, f64::NAN, f64::NEG_INFINITY, f64::NAN]));
        let floats: Vec<Option<f64>> = floats.f64().expect("floats").iter().collect();
        assert!(floats[0].is_some_and(f64::is_nan));
        assert_eq!(floats[1..], [None, Some(3.0), Some(f64::NEG_INFINITY)]);
    }
}
