//! The types of JSON values, and the type that holds several of them.
//!
//! It refuses to know lines and files. Invariant: joining does not depend on the order; what has no common type is text.

use std::fmt;

use polars::prelude::{DataType, Field};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Kind {
    #[default]
    Null,
    Boolean,
    Integer,
    Float,
    Text,
    List(Box<Kind>),
    /// Keys in the order in which they were first seen.
    Object(Vec<(String, Kind)>),
}

impl Kind {
    /// What holds both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (Self::Integer, Self::Float) | (Self::Float, Self::Integer) => Self::Float,
            (Self::List(one), Self::List(other)) => Self::List(Box::new(one.join(*other))),
            (Self::Object(mut one), Self::Object(other)) => {
                join_keys(&mut one, other);
                Self::Object(one)
            }
            (one, other) if one == other => one,
            _ => Self::Text,
        }
    }

    pub(super) fn dtype(&self) -> DataType {
        match self {
            Self::Null | Self::Text => DataType::String,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::List(kind) => DataType::List(Box::new(kind.dtype())),
            // A struct without fields has no form in most formats.
            Self::Object(keys) if keys.is_empty() => DataType::String,
            Self::Object(keys) => DataType::Struct(keys.iter().map(|(key, kind)| Field::new(key.as_str().into(), kind.dtype())).collect()),
        }
    }
}

/// Adds keys with their kinds; new ones come last.
pub(super) fn join_keys(all: &mut Vec<(String, Kind)>, more: Vec<(String, Kind)>) {
    for (at, (key, kind)) in more.into_iter().enumerate() {
        // Records of one file mostly have the same keys in the same order.
        let place =
            if all.get(at).is_some_and(|(known, _)| *known == key) { Some(at) } else { all.iter().position(|(known, _)| *known == key) };
        match place {
            Some(place) => {
                let known = std::mem::take(&mut all[place].1);
                all[place].1 = known.join(kind);
            }
            None => all.push((key, kind)),
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Integer)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(if i64::try_from(number).is_ok() { Kind::Integer } else { Kind::Float })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Float)
    }

    fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
        Ok(Kind::Text)
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut all = Kind::Null;
        while let Some(kind) = seq.next_element::<Kind>()? {
            all = all.join(kind);
        }
        Ok(Kind::List(Box::new(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut keys: Vec<(String, Kind)> = Vec::new();
        while let Some(entry) = map.next_entry::<String, Kind>()? {
            keys.push(entry);
        }
        Ok(Kind::Object(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dtype(lines: &[&str]) -> DataType {
        let kinds = lines.iter().map(|line| serde_json::from_str::<Kind>(line).unwrap());
        kinds.fold(Kind::Null, Kind::join).dtype()
    }

    #[test]
    fn kinds() {
        let list = |inner: DataType| DataType::List(Box::new(inner));
        assert_eq!(dtype(&["1", "null", "-2"]), DataType::Int64);
        assert_eq!(dtype(&["1", "2.5"]), DataType::Float64);
        assert_eq!(dtype(&["9223372036854775808"]), DataType::Float64);
        assert_eq!(dtype(&["1", "\"a\""]), DataType::String);
        assert_eq!(dtype(&["true", "1"]), DataType::String);
        assert_eq!(dtype(&["null"]), DataType::String);
        assert_eq!(dtype(&["[1]", "[]", "null", "[2.5, null]"]), list(DataType::Float64));
        assert_eq!(dtype(&["[1]", "{}"]), DataType::String);
        let fields = vec![Field::new("b".into(), DataType::Int64), Field::new("a".into(), list(DataType::String))];
        assert_eq!(dtype(&["{\"b\":1}", "{\"a\":[null],\"b\":null}"]), DataType::Struct(fields));
        assert_eq!(dtype(&["{}"]), DataType::String);
    }
}
