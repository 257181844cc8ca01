//! Columns whose values stand in the names of folders: `year=2024/month=3/part-00000.parquet`.
//!
//! It refuses to look at files. Invariant: what [`folders_of`] writes, [`pairs`] reads back, whatever letters the values have; types are
//! guessed only where the guess loses nothing (`007` stays text).

use std::collections::BTreeMap;

use polars::prelude::{AnyValue, Column, DataType, NamedFrom, PlSmallStr, PolarsResult, Scalar, Series};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Place, Result};
use crate::folder::Member;

/// What stands for null, as in Hive.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns in the names of a table's folders, and their values for each file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hive {
    pub(crate) columns: Vec<(PlSmallStr, DataType)>,
    /// `values[file][column]`.
    pub(crate) values: Vec<Vec<Option<String>>>,
}

impl Hive {
    /// Reads the names of all files. `declared` types win over guesses.
    ///
    /// # Errors
    /// `SchemaMismatch` when the folders of two files do not name the same columns; `Parse` for a value that is not of its declared type.
    pub(crate) fn find(members: &[Member], declared: &BTreeMap<String, DataType>) -> Result<Self> {
        let paths: Vec<Vec<(String, Option<String>)>> = members.iter().map(|member| pairs(&member.below)).collect();
        let Some(first) = paths.first() else { return Ok(Self::default()) };
        let keys = |path: &[(String, Option<String>)]| path.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let names = keys(first);
        if let Some(other) = paths.iter().position(|path| keys(path) != names) {
            let difference = format!("its folders name {:?}, those of the first name {names:?}", keys(&paths[other]));
            let kind = ErrorKind::SchemaMismatch { first: members[0].found.name.clone(), difference };
            return Err(Error::new(kind, &members[other].found.name));
        }
        let values: Vec<Vec<Option<String>>> = paths.into_iter().map(|path| path.into_iter().map(|(_, value)| value).collect()).collect();
        let dtype = |at: usize, name: &String| {
            declared.get(name).cloned().unwrap_or_else(|| guess(values.iter().filter_map(|row| row[at].as_deref())))
        };
        let columns: Vec<(PlSmallStr, DataType)> =
            names.iter().enumerate().map(|(at, name)| (name.as_str().into(), dtype(at, name))).collect();
        let hive = Self { columns, values };
        for (file, member) in members.iter().enumerate() {
            for at in 0..hive.columns.len() {
                hive.scalar(file, at).map_err(|_| hive.unfit(file, at, &member.found.name))?;
            }
        }
        Ok(hive)
    }

    fn unfit(&self, file: usize, at: usize, name: &str) -> Error {
        let (column, dtype) = &self.columns[at];
        let place =
            Place { file: name.to_owned(), column: Some(column.to_string()), cell: self.values[file][at].clone(), ..Place::default() };
        Error::at(ErrorKind::Parse { dtype: dtype.to_string() }, place)
    }

    /// Without the columns of these names: a file's own column is the one that counts.
    pub(crate) fn without(self, own: impl Fn(&str) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.columns.len()).filter(|at| !own(&self.columns[*at].0)).collect();
        let values = self.values.iter().map(|row| kept.iter().map(|at| row[*at].clone()).collect()).collect();
        Self { columns: kept.iter().map(|at| self.columns[*at].clone()).collect(), values }
    }

    /// The place of a column.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| column.as_str() == name)
    }

    /// The value of a column for a file.
    pub(crate) fn scalar(&self, file: usize, at: usize) -> PolarsResult<Scalar> {
        let dtype = &self.columns[at].1;
        let text = self.values[file][at].as_deref();
        // Polars reads no truth values out of text.
        if let (DataType::Boolean, Some(text @ ("true" | "false"))) = (dtype, text) {
            return Ok(Scalar::new(DataType::Boolean, AnyValue::Boolean(text == "true")));
        }
        let value = Series::new(PlSmallStr::EMPTY, [text]).strict_cast(dtype)?;
        Ok(Scalar::new(dtype.clone(), value.get(0)?.into_static()))
    }

    /// The column of a file, for so many rows.
    pub(crate) fn column(&self, file: usize, at: usize, rows: usize) -> PolarsResult<Column> {
        Ok(Column::new_scalar(self.columns[at].0.clone(), self.scalar(file, at)?, rows))
    }

    /// The columns of these names only.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        self.clone().without(|name| !wanted(name))
    }

    /// All columns of a file, for so many rows.
    ///
    /// # Errors
    /// A value that is not of its column's type; those that were found in names are.
    pub fn columns_of(&self, file: usize, rows: usize) -> PolarsResult<Vec<Column>> {
        (0..self.columns.len()).map(|at| self.column(file, at, rows)).collect()
    }
}

/// The narrowest type that shows all values exactly as they are written.
fn guess<'a>(values: impl Iterator<Item = &'a str>) -> DataType {
    let values: Vec<&str> = values.collect();
    if values.is_empty() {
        return DataType::String;
    }
    if values.iter().all(|value| matches!(*value, "true" | "false")) {
        return DataType::Boolean;
    }
    let texts = Series::new(PlSmallStr::EMPTY, &values);
    let exact =
        |dtype: &DataType| texts.cast(dtype).and_then(|typed| typed.cast(&DataType::String)).is_ok_and(|again| again.equals(&texts));
    [DataType::Int64, DataType::Float64, DataType::Date].into_iter().find(exact).unwrap_or(DataType::String)
}

/// The `key=value` folders of a name, in order; the last part is the file's own name.
pub(crate) fn pairs(below: &str) -> Vec<(String, Option<String>)> {
    let Some((folders, _)) = below.rsplit_once('/') else { return Vec::new() };
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        Some((decoded(key), (value != NULL).then(|| decoded(value))))
    };
    folders.split('/').filter_map(pair).collect()
}

/// The folders for these columns and values: `k=v/j=w`.
pub(crate) fn folders_of(pairs: &[(&str, Option<&str>)]) -> String {
    let part = |(key, value): &(&str, Option<&str>)| format!("{}={}", encoded(key), value.map_or_else(|| NULL.to_owned(), encoded));
    pairs.iter().map(part).collect::<Vec<_>>().join("/")
}

/// Letters that mean something to a store, a shell or a pattern, as `%XX`. A value that happens to look like null's name is written
/// another way.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let looks_like_null = text == NULL;
    for (at, letter) in text.char_indices() {
        let special = letter.is_ascii_control() || "\"#%'*/:=?\\{}[]^<>|`~".contains(letter);
        if special || (at == 0 && (letter == '.' || looks_like_null)) {
            out.push_str(&format!("%{:02X}", letter as u32));
        } else {
            out.push(letter);
        }
    }
    out
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resolve::Found;
    use crate::store::Facts;

    fn members(names: &[&str]) -> Vec<Member> {
        let member = |name: &&str| Member {
            found: Found { name: (*name).to_owned(), facts: Facts { size: 1, version: String::new() } },
            below: (*name).to_owned(),
        };
        names.iter().map(member).collect()
    }

    fn dtypes(values: &[&str]) -> DataType {
        guess(values.iter().copied())
    }

    #[test]
    fn guesses_lose_nothing() {
        assert_eq!(dtypes(&["1", "-20"]), DataType::Int64);
        assert_eq!(dtypes(&["007", "8"]), DataType::String);
        assert_eq!(dtypes(&["1", "9223372036854775808"]), DataType::String);
        assert_eq!(dtypes(&["0.5", "-2.25"]), DataType::Float64);
        assert_eq!(dtypes(&["2024-02-29", "1999-12-31"]), DataType::Date);
        assert_eq!(dtypes(&["2024-02-30"]), DataType::String);
        assert_eq!(dtypes(&["true", "false"]), DataType::Boolean);
        assert_eq!(dtypes(&["a", "1"]), DataType::String);
        assert_eq!(dtypes(&[]), DataType::String);
    }

    #[test]
    fn columns_of_folders() {
        let files = members(&["y=2024/m=x/1.parquet", "y=2025/m=__HIVE_DEFAULT_PARTITION__/1.parquet"]);
        let hive = Hive::find(&files, &BTreeMap::new()).unwrap();
        assert_eq!(hive.columns, [(PlSmallStr::from("y"), DataType::Int64), (PlSmallStr::from("m"), DataType::String)]);
        assert_eq!(hive.scalar(1, 0).unwrap().value(), &AnyValue::Int64(2025));
        assert!(hive.scalar(1, 1).unwrap().is_null());
        let declared = BTreeMap::from([("y".to_owned(), DataType::String)]);
        assert_eq!(Hive::find(&files, &declared).unwrap().columns[0].1, DataType::String);
        let declared = BTreeMap::from([("m".to_owned(), DataType::Int32)]);
        let unfit = Hive::find(&files, &declared).unwrap_err();
        assert_eq!((unfit.place().column.as_deref(), unfit.place().cell.as_deref()), (Some("m"), Some("x")));
        let mixed = Hive::find(&members(&["y=1/a", "b"]), &BTreeMap::new()).unwrap_err();
        assert!(matches!(mixed.kind(), ErrorKind::SchemaMismatch { .. }));
        assert_eq!(
            Hive::find(&members(&["plain/a", "b"]), &BTreeMap::new()).unwrap(),
            Hive { columns: Vec::new(), values: vec![Vec::new(), Vec::new()] }
        );
        assert_eq!(hive.without(|name| name == "y").columns, [(PlSmallStr::from("m"), DataType::String)]);
    }

    proptest! {
        #[test]
        fn values_come_back(key in "[a-z_. %=/]{1,8}", value in proptest::option::of(any::<String>())) {
            let folders = folders_of(&[(key.as_str(), value.as_deref())]);
            prop_assert_eq!(folders.matches('/').count(), 0);
            prop_assert_eq!(pairs(&format!("{folders}/file")), [(key, value)]);
        }
    }

    #[test]
    fn a_value_that_is_called_as_null_is_not_null() {
        let folders = folders_of(&[("k", Some(NULL)), ("j", None)]);
        assert_eq!(pairs(&format!("{folders}/file")), [("k".to_owned(), Some(NULL.to_owned())), ("j".to_owned(), None)]);
    }
}
