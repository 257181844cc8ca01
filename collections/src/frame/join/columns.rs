//! Which columns a join gives, under which names, of which types.
//!
//! It refuses to know rows. The rule: the columns of the left frame, then those of the right without its keys, for every kind of join. A
//! right key is left out when it and its left partner are both plain columns; the left one then holds the key of either side.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_graph::{Code, Failure};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::How;
use crate::frame::expr::{Names, as_column, column_not_found, show_one};

/// Where a column of the result comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// This column of the left frame.
    Left(String),
    /// This column of the right frame.
    Right(String),
    /// Key number so and so, of whichever side has the row.
    Key(u32),
}

/// One column of the result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Out {
    pub name: String,
    pub source: Source,
}

/// All columns of the result.
pub(super) fn of_result(
    how: How,
    (left, left_on): (&Schema, &[Expr]),
    (right, right_on): (&Schema, &[Expr]),
    suffix: Option<&str>,
) -> Result<Vec<Out>, Failure> {
    let pairs: Vec<(&PlSmallStr, &PlSmallStr)> =
        left_on.iter().zip(right_on).filter_map(|(left, right)| Some((as_column(left)?, as_column(right)?))).collect();
    let key = |name: &PlSmallStr| left_on.iter().zip(right_on).position(|(l, r)| as_column(l) == Some(name) && as_column(r).is_some());
    let either = matches!(how, How::Right | How::Full);
    let from_left = left.iter_names().map(|name| {
        let source = match key(name) {
            Some(at) if either => Source::Key(at as u32),
            _ => Source::Left(name.to_string()),
        };
        Out { name: name.to_string(), source }
    });
    let mut columns: Vec<Out> = from_left.collect();
    if matches!(how, How::Semi | How::Anti) {
        return Ok(columns);
    }
    let mut taken: BTreeSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    for name in right.iter_names().filter(|name| !pairs.iter().any(|(_, right)| right == name)) {
        let new = match suffix {
            Some(suffix) if taken.contains(name.as_str()) => format!("{name}{suffix}"),
            _ => name.to_string(),
        };
        if !taken.insert(new.clone()) {
            return Err(twice(&new, suffix));
        }
        columns.push(Out { name: new, source: Source::Right(name.to_string()) });
    }
    Ok(columns)
}

fn twice(name: &str, suffix: Option<&str>) -> Failure {
    match suffix {
        None => Failure::new(Code::DuplicateColumn, format!("both frames of the join have a column `{name}`"))
            .help("let the right one be called otherwise: .suffix(\"_right\"); or rename or drop one of them before the join"),
        Some(suffix) => Failure::new(Code::DuplicateColumn, format!("with the suffix {suffix:?} the join would have two columns `{name}`"))
            .help("choose another suffix, or rename or drop one of them before the join"),
    }
}

/// Those that are wanted, if they are fewer; at least one, because a result without columns would lose its rows.
pub(super) fn narrowed(columns: &[Out], wanted: &Names) -> Option<Vec<Out>> {
    let mut kept: Vec<Out> = columns.iter().filter(|column| wanted.contains(column.name.as_str())).cloned().collect();
    if kept.is_empty() {
        kept.extend(columns.first().cloned());
    }
    (kept.len() < columns.len()).then_some(kept)
}

/// What they take of input `at` (0 is the left frame), besides its keys.
pub(super) fn taken(columns: &[Out], at: usize) -> Names {
    let taken = columns.iter().filter_map(|column| match (&column.source, at) {
        (Source::Left(name), 0) | (Source::Right(name), 1) => Some(name.as_str().into()),
        _ => None,
    });
    taken.collect()
}

/// Their names and types; `keys` are the types of [`Source::Key`].
pub(super) fn schema(columns: &[Out], left: &Schema, right: &Schema, keys: &[DataType]) -> Result<SchemaRef, Failure> {
    let of = |schema: &Schema, name: &str| schema.get(name).cloned().ok_or_else(|| column_not_found(name, schema));
    let field = |column: &Out| -> Result<(PlSmallStr, DataType), Failure> {
        let dtype = match &column.source {
            Source::Left(name) => of(left, name)?,
            Source::Right(name) => of(right, name)?,
            Source::Key(at) => keys[*at as usize].clone(),
        };
        Ok((column.name.as_str().into(), dtype))
    };
    Ok(Arc::new(columns.iter().map(field).collect::<Result<Schema, Failure>>()?))
}

/// Keys in the types in which they are compared.
pub(super) fn cast(keys: &[Expr], own: &[DataType], common: &[DataType]) -> Vec<Expr> {
    let keys = keys.iter().zip(own.iter().zip(common));
    keys.map(|(key, (own, common))| if own == common { key.clone() } else { key.clone().cast(common.clone()) }).collect()
}

/// The types in which keys are compared, or why they cannot be.
///
/// Whole numbers of all widths are compared as what they are; other types must agree. `kept` says that the compared value is what the
/// result shows, or that null would meet what does not fit.
pub(super) fn common_types(on: &[(&Expr, &Expr)], left: &[DataType], right: &[DataType], kept: bool) -> Result<Vec<DataType>, Failure> {
    let common = |((expr, other), (left, right)): (&(&Expr, &Expr), (&DataType, &DataType))| {
        common(left, right, kept).ok_or_else(|| {
            let what = format!("the keys `{}` and `{}` are of different types", show_one(expr), show_one(other));
            Failure::new(Code::TypeMismatch, what)
                .detail("left", left.to_string())
                .detail("right", right.to_string())
                .help(format!("cast one of them before the join: .cast([({:?}, DataType::…)])", show_one(other)))
        })
    };
    on.iter().zip(left.iter().zip(right)).map(common).collect()
}

fn common(left: &DataType, right: &DataType, kept: bool) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    let unsigned = |dtype: &DataType| matches!(dtype, DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64);
    let signed = |dtype: &DataType| matches!(dtype, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64);
    let widest = *left == DataType::UInt64 || *right == DataType::UInt64;
    match (left, right) {
        (left, right) if unsigned(left) && unsigned(right) && widest => Some(DataType::UInt64),
        // What is too large for the signed type becomes null, which equals nothing: right, as long as nobody sees it.
        (left, right) if (unsigned(left) || signed(left)) && (unsigned(right) || signed(right)) => {
            (!widest || !kept).then_some(DataType::Int64)
        }
        (DataType::Float32, DataType::Float64) | (DataType::Float64, DataType::Float32) => Some(DataType::Float64),
        (DataType::String, DataType::Categorical(..) | DataType::Enum(..)) => Some(DataType::String),
        (DataType::Categorical(..) | DataType::Enum(..), DataType::String) => Some(DataType::String),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_types() {
        use DataType::*;
        let cases = [
            (Int32, Int64, Some(Int64), Some(Int64)),
            (UInt8, UInt16, Some(Int64), Some(Int64)),
            (UInt64, UInt8, Some(UInt64), Some(UInt64)),
            (UInt64, Int8, Some(Int64), None),
            (Float32, Float64, Some(Float64), Some(Float64)),
            (Int64, Float64, None, None),
            (String, Int64, None, None),
            (Null, String, Some(String), Some(String)),
            (Datetime(TimeUnit::Milliseconds, None), Datetime(TimeUnit::Microseconds, None), None, None),
        ];
        for (left, right, compared, kept) in cases {
            for (left, right) in [(&left, &right), (&right, &left)] {
                assert_eq!((common(left, right, false), common(left, right, true)), (compared.clone(), kept.clone()), "{left} and {right}");
            }
        }
    }
}
