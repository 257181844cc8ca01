//! Text columns as numbers of the values that they list, without making the texts of rows.
//!
//! It refuses to know what the numbers are for. Invariant: the codes are those that a reader of CSV would give, values counted in order of
//! first appearance.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{DataType, PlSmallStr};
use polars_arrow::array::{Array, DictionaryArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, DTYPE_CATEGORICAL_NEW, Field, IntegerType};
use polars_buffer::Buffer;

use super::rows::Rows;
use super::stored::Stored;
use crate::csv::Codes;
use crate::error::Result;

/// A value of the list that no row had so far.
const NEW: u32 = u32::MAX;

impl Stored<'_> {
    /// The column as codes; `None` where it has no list, or some rows are stored without it.
    pub(super) fn codes(&self, file: &str, bytes: Vec<Buffer<u8>>, rows: &Rows) -> Result<Option<Codes>> {
        if *self.dtype != DataType::String || !self.lists_values() {
            return Ok(None);
        }
        let dtype = ArrowDataType::Dictionary(IntegerType::UInt32, Box::new(ArrowDataType::Utf8View), false);
        // The mark of a column that has nothing but numbers of listed values.
        let mark = [(PlSmallStr::from_static(DTYPE_CATEGORICAL_NEW), PlSmallStr::EMPTY)];
        let field = Field { dtype, metadata: Some(Arc::new(mark.into())), ..self.layout.field.clone() };
        // What cannot be had as codes is text, whose decoder says what is wrong if something is.
        let Ok((arrays, _)) = self.guarded(file, || self.arrays(bytes, rows.filter(), field)) else { return Ok(None) };
        let codes = in_order(&self.layout.field.name, &arrays);
        codes.map(|codes| self.checked("rows", codes.codes.len(), rows.count(), file).map(|()| codes)).transpose()
    }
}

/// Codes of values in order of first appearance.
fn in_order(name: &str, arrays: &[Box<dyn Array>]) -> Option<Codes> {
    let mut found =
        Codes { name: name.to_owned(), codes: Vec::with_capacity(arrays.iter().map(|array| array.len()).sum()), values: Vec::new() };
    let mut known: BTreeMap<Option<String>, u32> = BTreeMap::new();
    let mut code = |value: Option<&str>| {
        *known.entry(value.map(str::to_owned)).or_insert_with_key(|value| {
            found.values.push(value.clone());
            found.values.len() as u32 - 1
        })
    };
    for array in arrays {
        let array = array.as_any().downcast_ref::<DictionaryArray<u32>>()?;
        let texts = array.values().as_any().downcast_ref::<Utf8ViewArray>()?;
        let (keys, valid) = (array.keys().values(), array.keys().validity().filter(|valid| valid.unset_bits() > 0));
        // The last one is that of null.
        let mut codes = vec![NEW; texts.len() + 1];
        let mut of_key = |key: usize| {
            let known = &mut codes[key];
            if *known == NEW {
                *known = code((key < texts.len()).then(|| texts.value(key)));
            }
            *known
        };
        match valid {
            None => found.codes.extend(keys.iter().map(|key| of_key(*key as usize))),
            Some(valid) => {
                let rows = keys.iter().zip(valid.iter());
                found.codes.extend(rows.map(|(key, valid)| of_key(if valid { *key as usize } else { texts.len() })));
            }
        }
    }
    Some(found)
}
