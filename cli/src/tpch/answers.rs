//! The official answers at scale factor 1, as the generator's crate has them, against what a query gave.
//!
//! Rows are compared without their order, because rows that are equal in what they are sorted by have none; texts without blanks at their
//! ends; floats to half of the last digit that the answers have, and the rounding of a sum of floats.

use partita::Error;
use partita::polars::prelude::{AnyValue, Column};
use partita::prelude::*;
use tpchgen::q_and_a::answers_sf1::answer;

/// Half of the second digit after the point, and a little.
const ROUNDED: f64 = 0.005_001;
/// Sums of millions of floats differ from exact ones by less.
const SUMMED: f64 = 1e-10;

/// Misprints of the crate, by query: what it has, and what TPC's own answers have and DuckDB computes.
const MISPRINTS: [(usize, &str, &str); 2] =
    [(11, "1002         |10696675.55", "100202       |10696675.55"), (17, "348406.02", "348406.05")];

/// Fails with the first row that differs.
pub fn check(number: usize, found: &DataFrame) -> Result<(), Error> {
    let text = answer(number as i32).unwrap_or_default();
    let mended =
        |text: String, (query, wrong, right): &(usize, &str, &str)| if *query == number { text.replace(wrong, right) } else { text };
    match difference(&MISPRINTS.iter().fold(text.to_owned(), mended), found) {
        None => Ok(()),
        Some(difference) => Err(Error::internal(format!("query {number} is not the official answer: {difference}"))),
    }
}

fn difference(answer: &str, found: &DataFrame) -> Option<String> {
    let float: Vec<bool> = found.columns().iter().map(|column| column.dtype().is_float()).collect();
    let lines = answer.lines().filter(|line| !line.trim().is_empty()).skip(1);
    let expected = lines.map(|line| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>());
    let expected = sorted(expected.collect(), &float);
    let rows = (0..found.height()).map(|row| found.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>());
    let rows = sorted(rows.collect(), &float);
    if rows.len() != expected.len() {
        return Some(format!("{} rows instead of {}", rows.len(), expected.len()));
    }
    let same = |row: &[String], wanted: &[String]| {
        row.len() == wanted.len() && row.iter().zip(wanted).zip(&float).all(|((cell, wanted), float)| equal(cell, wanted, *float))
    };
    let (row, wanted) = rows.iter().zip(&expected).find(|(row, wanted)| !same(row, wanted))?;
    Some(format!("{} instead of {}", row.join("|"), wanted.join("|")))
}

fn cell(column: &Column, row: usize) -> String {
    match column.get(row) {
        Ok(AnyValue::String(text)) => text.trim().to_string(),
        // A column of one row lends no text but hands it out.
        Ok(AnyValue::StringOwned(text)) => text.trim().to_string(),
        Ok(AnyValue::Float64(number)) => number.to_string(),
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

/// By everything that is no float.
fn sorted(mut rows: Vec<Vec<String>>, float: &[bool]) -> Vec<Vec<String>> {
    rows.sort_by_cached_key(|row| row.iter().zip(float).filter(|(_, float)| !**float).map(|(cell, _)| cell.clone()).collect::<Vec<_>>());
    rows
}

fn equal(found: &str, wanted: &str, float: bool) -> bool {
    match (float, found.parse::<f64>(), wanted.parse::<f64>()) {
        (true, Ok(found), Ok(wanted)) => (found - wanted).abs() <= ROUNDED + SUMMED * wanted.abs(),
        _ => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Once the crate is mended, the list above can go.
    #[test]
    fn the_crate_has_the_misprints() {
        for (query, wrong, right) in MISPRINTS {
            let text = answer(query as i32).unwrap();
            assert!(text.contains(wrong) && !text.contains(right), "query {query}");
        }
    }

    #[test]
    fn differences_are_found() {
        let answer = "\nk        |v\nb        |1.50\na        |2.00\n";
        let frame = |k: [&str; 2], v: [f64; 2]| DataFrame::new(2, vec![Column::new("k".into(), k), Column::new("v".into(), v)]).unwrap();
        assert_eq!(difference(answer, &frame(["a", "b"], [2.004, 1.496])), None);
        assert_eq!(difference(answer, &frame(["a", "b"], [2.006, 1.5])).unwrap(), "a|2.006 instead of a|2.00");
        assert_eq!(difference(answer, &frame(["a", "c"], [2.0, 1.5])).unwrap(), "c|1.5 instead of b|1.50");
        assert_eq!(difference(answer, &frame(["a", "b"], [2.0, 1.5]).head(Some(1))).unwrap(), "1 rows instead of 2");
    }
}
