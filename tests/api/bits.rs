//! Frames as texts that differ when one bit of a cell does.

use partita::polars::prelude::{AnyValue, Column, DataFrame};

/// Every cell, floats by their bits: -0.0 and 0.0 differ, NaN equals itself. What lies under a null counts for nothing.
pub fn bits(frame: &DataFrame) -> Vec<String> {
    let cell = |value: AnyValue<'_>| match value {
        AnyValue::Float64(number) => format!("{:016x}", number.to_bits()),
        AnyValue::Float32(number) => format!("{:08x}", number.to_bits()),
        // A column of one row lends no text but hands it out.
        other => format!("{:?}", other.into_static()),
    };
    let column = |column: &Column| (0..column.len()).map(|row| cell(column.get(row).expect("in bounds"))).collect::<Vec<_>>();
    frame.columns().iter().flat_map(column).collect()
}
