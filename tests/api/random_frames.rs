//! Random frames of many types with few different values, for tests that compare with polars on the whole.

use partita::polars::prelude::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// One row: a key, a number, text, a truth value, a day.
#[derive(Clone, Debug)]
pub struct Row(Option<i64>, Option<f64>, Option<&'static str>, Option<bool>, Option<i32>);

/// Up to `most` rows. Values repeat often, and those that are hard to compare come up often.
pub fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let key = prop_oneof![6 => 0i64..8, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let float = prop_oneof![6 => (-8i8..8).prop_map(|x| f64::from(x) / 4.0), 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::NAN)];
    let text = prop_oneof![Just(""), Just("a"), Just("ab, c"), Just("a text of more than twelve bytes"), Just("ü\"\n")];
    let row = (
        option::weighted(0.85, key),
        option::weighted(0.85, float),
        option::weighted(0.85, text),
        option::weighted(0.85, any::<bool>()),
        option::weighted(0.85, -3i32..20_000),
    );
    vec(row.prop_map(|(k, f, t, b, d)| Row(k, f, t, b, d)), 0..most)
}

/// The rows as a frame: `k` and `n` whole numbers of two widths, `f` floats, `t` text, `c` the same as categories, `b` truth values, `d`
/// days, `i` the number of the row.
pub fn frame(rows: &[Row]) -> DataFrame {
    let frame = df!(
        "k" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "n" => rows.iter().map(|row| row.4.map(|day| day % 5)).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "t" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "b" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "d" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "i" => (0..rows.len() as u32).collect::<Vec<_>>()
    );
    let categories = DataType::from_categories(Categories::global());
    let typed = frame.expect("columns of one length").lazy();
    typed.with_columns([col("d").cast(DataType::Date), col("t").cast(categories).alias("c")]).collect().expect("the types exist")
}
