//! Columns under construction from JSON values, one value a line.
//!
//! It refuses to know files. Invariant: after each line every column has one value more; a value that does not fit is remembered with the
//! type that would hold it, and the column goes on, so that one pass finds all columns that need a wider type.

use std::borrow::Cow;
use std::fmt;

use polars::prelude::{
    AnyValue, BooleanChunked, DataType, Field, Float64Chunked, Int64Chunked, Int128Chunked, IntoSeries, NewChunkedArray, PlSmallStr,
    PolarsResult, Series, StringChunkedBuilder,
};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::Wider;

/// Letters of a cell that an error shows.
const SHOWN: usize = 80;

/// A wanted column.
pub(super) struct Cells {
    name: PlSmallStr,
    dtype: DataType,
    values: Values,
    /// What the first values that did not fit would need, and one of them.
    pub(super) wider: Option<(Wider, String)>,
    /// Values of a type that has no wider one.
    pub(super) unfit: Option<String>,
}

enum Values {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    /// Types that hold whole numbers beyond those of 64 bits with a sign.
    Wide(Vec<Option<i128>>),
    Float(Vec<Option<f64>>),
    Text(StringChunkedBuilder),
    Nested(Vec<AnyValue<'static>>),
}

impl Cells {
    pub(super) fn new(name: PlSmallStr, dtype: DataType) -> Self {
        let values = match &dtype {
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::UInt64 | DataType::Int128 | DataType::UInt128 => Values::Wide(Vec::new()),
            dtype if dtype.is_integer() => Values::Integer(Vec::new()),
            dtype if dtype.is_float() => Values::Float(Vec::new()),
            DataType::List(_) | DataType::Array(..) | DataType::Struct(_) => Values::Nested(Vec::new()),
            // Dates and the like are read as text and converted in the end.
            _ => Values::Text(StringChunkedBuilder::new(name.clone(), 0)),
        };
        Self { name, dtype, values, wider: None, unfit: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.push(None),
            Values::Integer(values) => values.push(None),
            Values::Wide(values) => values.push(None),
            Values::Float(values) => values.push(None),
            Values::Text(values) => values.append_null(),
            Values::Nested(values) => values.push(AnyValue::Null),
        }
    }

    fn misfit(&mut self, wider: Wider, cell: &str) {
        let shown: String = cell.chars().take(SHOWN).collect();
        match &mut self.wider {
            Some((known, _)) if *known >= wider => {}
            other => *other = Some((wider, shown)),
        }
        self.null();
    }

    fn boolean(&mut self, value: bool) {
        match &mut self.values {
            Values::Boolean(values) => values.push(Some(value)),
            _ => self.text_of(&Value::Bool(value)),
        }
    }

    fn integer(&mut self, value: i64) {
        match &mut self.values {
            Values::Integer(values) => values.push(Some(value)),
            Values::Wide(values) => values.push(Some(i128::from(value))),
            Values::Float(values) => values.push(Some(value as f64)),
            _ => self.text_of(&Value::from(value)),
        }
    }

    /// A whole number beyond those of 64 bits with a sign.
    fn large(&mut self, value: u64) {
        match &mut self.values {
            Values::Wide(values) => values.push(Some(i128::from(value))),
            _ => self.float(value as f64, &Value::from(value)),
        }
    }

    fn float(&mut self, value: f64, shown: &Value) {
        match &mut self.values {
            Values::Float(values) => values.push(Some(value)),
            Values::Integer(_) | Values::Wide(_) => self.misfit(Wider::Float64, &shown.to_string()),
            _ => self.text_of(shown),
        }
    }

    fn text(&mut self, value: &str) {
        match &mut self.values {
            Values::Text(values) => values.append_value(value),
            Values::Nested(_) => self.nested(&Value::from(value)),
            _ => self.misfit(Wider::String, value),
        }
    }

    /// A value that is no text in a text column is there as JSON.
    fn text_of(&mut self, value: &Value) {
        match &mut self.values {
            Values::Text(values) => values.append_value(value.to_string()),
            Values::Nested(_) => self.nested(value),
            _ => self.misfit(Wider::String, &value.to_string()),
        }
    }

    fn nested(&mut self, value: &Value) {
        let Values::Nested(values) = &mut self.values else { return self.text_of(value) };
        match any_value(value, &self.dtype) {
            Some(any) => values.push(any),
            None => {
                self.unfit.get_or_insert_with(|| value.to_string().chars().take(SHOWN).collect());
                self.null();
            }
        }
    }

    /// The column, in its type.
    pub(super) fn finish(self) -> PolarsResult<Series> {
        let series = match self.values {
            Values::Boolean(values) => BooleanChunked::from_iter_options(self.name, values.into_iter()).into_series(),
            Values::Integer(values) => Int64Chunked::from_iter_options(self.name, values.into_iter()).into_series(),
            Values::Wide(values) => Int128Chunked::from_iter_options(self.name, values.into_iter()).into_series(),
            Values::Float(values) => Float64Chunked::from_iter_options(self.name, values.into_iter()).into_series(),
            Values::Text(values) => values.finish().into_series(),
            Values::Nested(values) => return Series::from_any_values_and_dtype(self.name, &values, &self.dtype, true),
        };
        if series.dtype() == &self.dtype { Ok(series) } else { series.strict_cast(&self.dtype) }
    }
}

/// A nested value as polars has it; `None` when it is not of the type.
fn any_value(value: &Value, dtype: &DataType) -> Option<AnyValue<'static>> {
    Some(match (dtype, value) {
        (_, Value::Null) => AnyValue::Null,
        (DataType::Boolean, Value::Bool(value)) => AnyValue::Boolean(*value),
        (DataType::Int64, Value::Number(number)) => AnyValue::Int64(number.as_i64()?),
        (DataType::Float64, Value::Number(number)) => AnyValue::Float64(number.as_f64()?),
        (DataType::String, Value::String(text)) => AnyValue::StringOwned(text.as_str().into()),
        (DataType::String, other) => AnyValue::StringOwned(other.to_string().into()),
        (DataType::List(inner), Value::Array(values)) => {
            let values: Vec<AnyValue<'static>> = values.iter().map(|value| any_value(value, inner)).collect::<Option<_>>()?;
            AnyValue::List(Series::from_any_values_and_dtype(PlSmallStr::EMPTY, &values, inner, true).ok()?)
        }
        (DataType::Array(inner, width), Value::Array(values)) if values.len() == *width => {
            let values: Vec<AnyValue<'static>> = values.iter().map(|value| any_value(value, inner)).collect::<Option<_>>()?;
            AnyValue::Array(Series::from_any_values_and_dtype(PlSmallStr::EMPTY, &values, inner, true).ok()?, *width)
        }
        (DataType::Struct(fields), Value::Object(keys)) => {
            if keys.keys().any(|key| !fields.iter().any(|field| field.name().as_str() == key)) {
                return None;
            }
            let value = |field: &Field| any_value(keys.get(field.name().as_str()).unwrap_or(&Value::Null), field.dtype());
            AnyValue::StructOwned(Box::new((fields.iter().map(value).collect::<Option<_>>()?, fields.clone())))
        }
        _ => return None,
    })
}

/// All wanted columns, and the keys that are known but not wanted.
pub(super) struct Columns {
    pub(super) cells: Vec<Cells>,
    /// For each known key the place of its column, if it is wanted; sorted by key.
    known: Vec<(PlSmallStr, Option<usize>)>,
    /// For each column the line that it has a value of last.
    filled: Vec<u64>,
    line: u64,
}

/// Why a line cannot be taken in.
pub(super) enum Refusal {
    /// A key that nobody knows.
    UnknownKey(Box<str>),
    /// A key that stands twice in one object.
    Twice(Box<str>),
}

impl Columns {
    pub(super) fn new(cells: Vec<Cells>, known: &[PlSmallStr]) -> Self {
        let place = |key: &PlSmallStr| (key.clone(), cells.iter().position(|cells| cells.name() == key.as_str()));
        let mut known: Vec<_> = known.iter().map(place).collect();
        known.sort();
        let filled = vec![0; cells.len()];
        Self { cells, known, filled, line: 0 }
    }

    pub(super) fn lines(&self) -> usize {
        self.line as usize
    }

    /// Takes in one line.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), (serde_json::Error, Option<Refusal>)> {
        self.line += 1;
        let mut refusal = None;
        let mut parser = serde_json::Deserializer::from_slice(line);
        let parsed = Record { columns: &mut *self, refusal: &mut refusal }.deserialize(&mut parser).and_then(|()| parser.end());
        parsed.map_err(|error| (error, refusal))?;
        for (cells, filled) in self.cells.iter_mut().zip(&mut self.filled) {
            if *filled != self.line {
                cells.null();
            }
        }
        Ok(())
    }

    /// The place of a key, `likely` being where the last one stood.
    fn find(&self, key: &str, likely: usize) -> Option<Option<usize>> {
        if self.cells.get(likely).is_some_and(|cells| cells.name() == key) {
            return Some(Some(likely));
        }
        let at = self.known.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        Some(self.known[at].1)
    }
}

/// One object.
struct Record<'a> {
    columns: &'a mut Columns,
    refusal: &'a mut Option<Refusal>,
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut likely = 0;
        while let Some(key) = map.next_key_seed(Key)? {
            let key: &str = &key;
            match self.columns.find(key, likely) {
                None => {
                    *self.refusal = Some(Refusal::UnknownKey(key.into()));
                    return Err(A::Error::custom("an unknown key"));
                }
                Some(None) => {
                    let _: IgnoredAny = map.next_value()?;
                }
                Some(Some(place)) => {
                    if self.columns.filled[place] == self.columns.line {
                        *self.refusal = Some(Refusal::Twice(key.into()));
                        return Err(A::Error::custom("a key stands twice"));
                    }
                    self.columns.filled[place] = self.columns.line;
                    map.next_value_seed(Cell(&mut self.columns.cells[place]))?;
                    likely = place + 1;
                }
            }
        }
        Ok(())
    }
}

/// A key, borrowed from the line where it can be.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(key.into())
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(key.to_owned().into())
    }
}

/// One value, for a column.
struct Cell<'a>(&'a mut Cells);

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.boolean(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.integer(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.0.integer(value),
            Err(_) => self.0.large(value),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.float(value, &Value::from(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.text(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.null();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.0.text_of(&Value::deserialize(SeqAccessDeserializer::new(seq))?);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.text_of(&Value::deserialize(MapAccessDeserializer::new(map))?);
        Ok(())
    }
}
