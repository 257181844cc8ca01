//! A frame as JSON lines.
//!
//! It refuses types that text cannot show (bytes). Invariant: every line has every key, null where there is no value, so that a reader finds
//! all columns in any sample. JSON has no NaN and no infinities: they become null.

use std::io::Write;

use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Float32Chunked, Float64Chunked, Int64Chunked, Int128Chunked, ListChunked, PolarsResult,
    Schema, Series, StringChunked, UInt64Chunked, UInt128Chunked, polars_bail,
};

/// Bytes that are handed to the writer at a time.
const PIECE: usize = 256 << 10;

/// Refuses columns that have no form as JSON.
pub(crate) fn check(schema: &Schema) -> PolarsResult<()> {
    for (name, dtype) in schema.iter() {
        if !shown(dtype) {
            polars_bail!(InvalidOperation: "column `{name}` of type {dtype} has no form as JSON");
        }
    }
    Ok(())
}

/// Whether values of a type have a form as JSON.
pub(super) fn shown(dtype: &DataType) -> bool {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => shown(inner),
        DataType::Struct(fields) => !fields.is_empty() && fields.iter().all(|field| shown(field.dtype())),
        DataType::Binary | DataType::BinaryOffset | DataType::Duration(_) | DataType::Unknown(_) => false,
        _ => true,
    }
}

/// Writes one line for each row.
pub(crate) fn write(frame: &DataFrame, out: &mut dyn Write) -> PolarsResult<()> {
    let columns: Vec<(String, Cells)> = frame.columns().iter().map(column).collect::<PolarsResult<_>>()?;
    let mut text = Vec::with_capacity(PIECE);
    for row in 0..frame.height() {
        object(&columns, row, &mut text)?;
        text.push(b'\n');
        if text.len() >= PIECE {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)?;
    Ok(())
}

fn column(column: &Column) -> PolarsResult<(String, Cells)> {
    Ok((key(column.name()), Cells::of(column.as_materialized_series())?))
}

/// A name as it stands in every line.
fn key(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

fn object(columns: &[(String, Cells)], row: usize, text: &mut Vec<u8>) -> PolarsResult<()> {
    text.push(b'{');
    for (at, (key, cells)) in columns.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(key.as_bytes());
        text.push(b':');
        cells.value(row, text)?;
    }
    text.push(b'}');
    Ok(())
}

/// A column by what its values look like as JSON.
enum Cells {
    Null,
    Boolean(BooleanChunked),
    Integer(Int64Chunked),
    Unsigned(UInt64Chunked),
    Wide(Int128Chunked),
    WideUnsigned(UInt128Chunked),
    Float(Float64Chunked),
    Small(Float32Chunked),
    Text(StringChunked),
    List(ListChunked),
    /// Where it is null, and its fields.
    Struct(BooleanChunked, Vec<(String, Cells)>),
}

impl Cells {
    fn of(series: &Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(series.bool()?.clone()),
            DataType::Int128 => Self::Wide(series.i128()?.clone()),
            DataType::UInt128 => Self::WideUnsigned(series.u128()?.clone()),
            dtype if dtype.is_unsigned_integer() => Self::Unsigned(series.cast(&DataType::UInt64)?.u64()?.clone()),
            dtype if dtype.is_integer() => Self::Integer(series.cast(&DataType::Int64)?.i64()?.clone()),
            DataType::Float64 => Self::Float(series.f64()?.clone()),
            DataType::Float32 => Self::Small(series.f32()?.clone()),
            DataType::List(_) => Self::List(series.list()?.clone()),
            DataType::Array(inner, _) => Self::List(series.cast(&DataType::List(inner.clone()))?.list()?.clone()),
            DataType::Struct(_) => {
                let fields = series.struct_()?.fields_as_series();
                let field = |field: &Series| Ok((key(field.name()), Self::of(field)?));
                Self::Struct(series.is_null(), fields.iter().map(field).collect::<PolarsResult<_>>()?)
            }
            // With the distance from UTC, which the name of a zone does not tell of an hour that comes twice.
            DataType::Datetime(_, Some(_)) => Self::Text(series.datetime()?.to_string("%Y-%m-%dT%H:%M:%S%.f%:z")?),
            // Dates, times and categories as their text.
            _ => Self::Text(series.cast(&DataType::String)?.str()?.clone()),
        })
    }

    fn value(&self, row: usize, text: &mut Vec<u8>) -> PolarsResult<()> {
        match self {
            Self::Null => text.extend_from_slice(b"null"),
            Self::Boolean(values) => json(values.get(row), text)?,
            Self::Integer(values) => json(values.get(row), text)?,
            Self::Unsigned(values) => json(values.get(row), text)?,
            Self::Wide(values) => json(values.get(row), text)?,
            Self::WideUnsigned(values) => json(values.get(row), text)?,
            Self::Float(values) => json(values.get(row).filter(|value| value.is_finite()), text)?,
            Self::Small(values) => json(values.get(row).filter(|value| value.is_finite()), text)?,
            Self::Text(values) => json(values.get(row), text)?,
            Self::List(values) => match values.get_as_series(row) {
                None => text.extend_from_slice(b"null"),
                Some(list) => {
                    let items = Self::of(&list)?;
                    text.push(b'[');
                    for at in 0..list.len() {
                        if at > 0 {
                            text.push(b',');
                        }
                        items.value(at, text)?;
                    }
                    text.push(b']');
                }
            },
            Self::Struct(nulls, fields) => match nulls.get(row) {
                Some(true) => text.extend_from_slice(b"null"),
                _ => object(fields, row, text)?,
            },
        }
        Ok(())
    }
}

fn json(value: Option<impl serde::Serialize>, text: &mut Vec<u8>) -> PolarsResult<()> {
    serde_json::to_writer(text, &value).map_err(|error| polars::prelude::polars_err!(ComputeError: "{error}"))
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    #[test]
    fn every_type_as_text() {
        let mut frame = df!(
            "b" => [Some(true), None], "i" => [Some(-1i64), None], "u" => [Some(u64::MAX), None], "f" => [f64::NAN, 0.1],
            "s" => [Some("a \"quote\"\n"), None], "small" => [0.1f32, f32::INFINITY]
        )
        .unwrap();
        frame.with_column(Column::new("l".into(), [Some(Series::from_iter([1i64, 2])), None])).unwrap();
        frame.with_column(Series::new("d".into(), [Some(0i32), None]).cast(&DataType::Date).unwrap().into_column()).unwrap();
        let pair = StructChunked::from_columns("p".into(), 2, &[frame.column("i").unwrap().clone(), frame.column("l").unwrap().clone()]);
        frame.with_column(pair.unwrap().into_series().into_column()).unwrap();
        let mut text = Vec::new();
        super::write(&frame, &mut text).unwrap();
        let expected = concat!(
            "{\"b\":true,\"i\":-1,\"u\":18446744073709551615,\"f\":null,\"s\":\"a \\\"quote\\\"\\n\",\"small\":0.1,\"l\":[1,2],",
            "\"d\":\"1970-01-01\",\"p\":{\"i\":-1,\"l\":[1,2]}}\n",
            "{\"b\":null,\"i\":null,\"u\":null,\"f\":0.1,\"s\":null,\"small\":null,\"l\":null,\"d\":null,\"p\":{\"i\":null,\"l\":null}}\n"
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn wide_numbers_and_arrays_lose_nothing() {
        let wide = Int128Chunked::new("w".into(), [Some(i128::MIN), None]).into_series();
        let unsigned = UInt128Chunked::new("u".into(), [Some(u128::MAX), Some(1)]).into_series();
        let array = Series::new("a".into(), [Series::from_iter([1i64, 2]), Series::from_iter([3i64, 4])]);
        let array = array.cast(&DataType::Array(Box::new(DataType::Int64), 2)).unwrap();
        let frame = DataFrame::new(2, vec![wide.into_column(), unsigned.into_column(), array.into_column()]).unwrap();
        super::check(frame.schema()).unwrap();
        let mut text = Vec::new();
        super::write(&frame, &mut text).unwrap();
        let expected = format!("{{\"w\":{},\"u\":{},\"a\":[1,2]}}\n{{\"w\":null,\"u\":1,\"a\":[3,4]}}\n", i128::MIN, u128::MAX);
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_apart() {
        let times = Series::new("t".into(), [Some(1_729_989_000_000i64), Some(1_729_992_600_000), None]);
        let zone = TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap();
        let times = times.cast(&DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))).unwrap();
        let times = times.cast(&DataType::Datetime(TimeUnit::Milliseconds, zone)).unwrap();
        let mut text = Vec::new();
        super::write(&DataFrame::new(3, vec![times.into_column()]).unwrap(), &mut text).unwrap();
        let expected = "{\"t\":\"2024-10-27T02:30:00+02:00\"}\n{\"t\":\"2024-10-27T02:30:00+01:00\"}\n{\"t\":null}\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn bytes_are_refused() {
        assert!(super::check(df!("x" => [b"a".as_slice()]).unwrap().schema()).is_err());
        assert!(super::check(df!("x" => ["a"]).unwrap().schema()).is_ok());
    }
}
