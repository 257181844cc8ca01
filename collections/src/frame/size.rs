//! How large a frame is likely to be, without running it: what decides between moving one side of a join and moving both, and into
//! how many partitions rows are spread.
//!
//! It refuses to be exact: rows come from samples and from what steps usually do to them, bytes from the types of the columns. A wrong
//! estimate costs time and never changes a row.

use bytesize::ByteSize;
use polars::prelude::{DataType, Expr, PlSmallStr, Schema};

use super::groupby::estimate;
use super::lower::FAN_IN;
use super::{Admission, DFrame, Node};

/// Distinct keys that one task takes in; more are spread over several tasks.
const KEYS_PER_PART: u64 = 200_000;
/// Bytes that one task of a shuffle takes in, where memory is not scarce.
const BYTES_PER_PART: u64 = 64 << 20;
/// A task has the rows that it takes in several times while it works: as they came, in one piece, in their new order.
const COPIES: u64 = 8;
/// Items of a list of which nothing is known.
pub(crate) const ITEMS: u64 = 8;
/// More rows than any step makes one of by chance.
const MANY: u64 = 1 << 20;
/// More parts than this cost more in small pieces than they gain.
const MOST_PARTS: u32 = 256;
/// The same where there may be next to nothing in them.
const MOST_UNKNOWN: u32 = 64;

/// Rows, and bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub rows: u64,
    pub bytes: u64,
}

impl Size {
    /// So many rows of these types.
    pub fn of_rows(rows: u64, schema: &Schema) -> Self {
        Self { rows, bytes: rows.saturating_mul(row_bytes(schema)) }
    }

    /// As many rows of these types as so many bytes hold.
    pub fn of_bytes(bytes: u64, schema: &Schema) -> Self {
        Self { rows: bytes / row_bytes(schema), bytes }
    }

    /// Of parts, each as its rows and bytes.
    pub fn of_parts(each: &[(u64, u64)]) -> Self {
        let sum = |of: fn(&(u64, u64)) -> u64| each.iter().map(of).sum();
        Self { rows: sum(|part| part.0), bytes: sum(|part| part.1) }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_add(other.rows), bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// Another number of rows of the same width.
    pub fn with_rows(self, rows: u64) -> Self {
        Self { rows, bytes: times(self.bytes, rows, self.rows) }
    }
}

/// `bytes * up / down`, without overflow.
fn times(bytes: u64, up: u64, down: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(up) / u128::from(down.max(1))).unwrap_or(u64::MAX)
}

/// The estimate for a frame, or `None` when nothing is known. It is made once a frame.
pub(crate) fn size_of(frame: &DFrame) -> Option<Size> {
    estimate_of(frame).0
}

/// The same as plans show it: `about` so many rows, or `perhaps` where a function below may have made any number of them.
pub(crate) fn shown_size(frame: &DFrame) -> Option<String> {
    let (size, any) = estimate_of(frame);
    let Size { rows, bytes } = size?;
    Some(format!("({} {rows} rows, {})", if any { "perhaps" } else { "about" }, ByteSize(bytes)))
}

/// Whether rows of a frame are the guess that a function gives as many as it takes.
pub(crate) fn may_be_any(frame: &DFrame) -> bool {
    estimate_of(frame).1
}

fn estimate_of(frame: &DFrame) -> (Option<Size>, bool) {
    let node = frame.node();
    *node.size.get_or_init(|| {
        let (inputs, any): (Vec<Option<Size>>, Vec<bool>) = node.inputs.iter().map(estimate_of).unzip();
        let size = node.step.size(&inputs, node);
        // Aggregates of all rows are one row, however many rows those are.
        let more: Vec<Option<Size>> = inputs.iter().map(|input| input.map(|size| size.with_rows(size.rows.saturating_add(MANY)))).collect();
        let is_one = |size: Option<Size>| size.is_some_and(|size| size.rows <= 1);
        let open = any.contains(&true) && !(is_one(size) && is_one(node.step.size(&more, node)));
        (size, node.step.gives_any_rows(open))
    })
}

impl DFrame {
    /// At most how many different values a column has, if something is known of it below steps that hand it on as it is.
    pub(crate) fn different(&self, column: &PlSmallStr) -> Option<u64> {
        let node = self.node();
        match &node.inputs[..] {
            [input] if node.step.predicate().is_some() || node.step.is_row_by_row() => match node.admit(&Expr::Column(column.clone())) {
                Admission::Through(Expr::Column(old)) => input.different(&old),
                _ => None,
            },
            _ => node.step.different(column),
        }
    }
}

/// Rows of a frame before filters and joins took some away.
pub(crate) fn whole_of(frame: &DFrame) -> Option<u64> {
    let node = frame.node();
    match &node.inputs[..] {
        [input] if node.step.predicate().is_some() || node.step.is_row_by_row() => whole_of(input),
        [] => node.step.whole().or_else(|| size_of(frame).map(|size| size.rows)),
        inputs => {
            let inputs: Vec<Option<u64>> = inputs.iter().map(whole_of).collect();
            node.step.whole_of(&inputs).or_else(|| size_of(frame).map(|size| size.rows))
        }
    }
}

/// As many rows as the first input has, in the columns of the result.
pub(super) fn like_first(inputs: &[Option<Size>], node: &Node) -> Option<Size> {
    let size = inputs.first().copied().flatten()?;
    let before = row_bytes(node.inputs.first()?.resolved().ok()?);
    let after = row_bytes(node.schema.as_ref().ok()?);
    Some(Size { rows: size.rows, bytes: times(size.bytes, after, before) })
}

/// Bytes of one row, text taken to be short.
fn row_bytes(schema: &Schema) -> u64 {
    schema.iter_values().map(cell_bytes).sum::<u64>().max(1)
}

fn cell_bytes(dtype: &DataType) -> u64 {
    match dtype {
        DataType::Null => 0,
        DataType::Boolean | DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date | DataType::Categorical(..) | DataType::Enum(..) => 4,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Datetime(..) | DataType::Duration(_) | DataType::Time => 8,
        DataType::String | DataType::Binary => 24,
        DataType::Struct(fields) => fields.iter().map(|field| cell_bytes(field.dtype())).sum(),
        DataType::List(inner) => 16 + ITEMS * cell_bytes(inner),
        DataType::Array(inner, width) => *width as u64 * cell_bytes(inner),
        _ => 16,
    }
}

/// Into how many partitions rows with equal keys are brought together, one row of each key being left.
pub(crate) fn parts_for_keys(input: &DFrame, keys: &[Expr], partitions: u32) -> u32 {
    match estimate::groups(input, keys) {
        Some(groups) => within(groups.div_ceil(KEYS_PER_PART), partitions),
        None => parts_for_bytes(size_of(input), partitions),
    }
}

/// Into how many partitions something is spread that fits into few of them when it is small.
pub(crate) fn parts_for_bytes(size: Option<Size>, partitions: u32) -> u32 {
    let parts = match size {
        Some(size) => size.bytes.div_ceil(BYTES_PER_PART.min(bearable())),
        None if partitions <= FAN_IN => 1,
        None => u64::from(partitions),
    };
    within(parts, partitions)
}

/// Bytes that a task may take in so that all threads together stay within the memory limit.
fn bearable() -> u64 {
    (crate::client::planned_memory() / (COPIES * crate::client::planned_threads() as u64)).max(1 << 20)
}

/// Into how many partitions the states of groups are spread when nobody knows how many groups there are; `most` is their size if each row
/// is a group. There may be few, so the pieces are no more than memory asks for, or time gains much by.
pub(crate) fn parts_for_unknown(most: Option<Size>, partitions: u32) -> u64 {
    let parts = match most {
        Some(size) => size.bytes.div_ceil(bearable()).max(size.bytes.div_ceil(BYTES_PER_PART).min(u64::from(FAN_IN))),
        None if partitions <= FAN_IN => 1,
        None => u64::from(MOST_UNKNOWN),
    };
    parts.clamp(1, u64::from(partitions.clamp(1, MOST_UNKNOWN)))
}

fn within(parts: u64, partitions: u32) -> u32 {
    parts.clamp(1, u64::from(partitions.clamp(1, MOST_PARTS))) as u32
}

/// Into how many partitions all rows are spread: as many as there were, unless their pieces would be too many and too small, or so many
/// rows in one task more than memory bears.
pub(crate) fn parts_for_rows(partitions: u32, size: Option<Size>) -> u32 {
    if partitions <= MOST_PARTS {
        let needed = size.map_or(1, |size| size.bytes.div_ceil(bearable()));
        return partitions.max(needed.clamp(1, u64::from(MOST_PARTS)) as u32);
    }
    let wanted = size.map_or(0, |size| size.bytes.div_ceil(BYTES_PER_PART));
    wanted.clamp(u64::from(MOST_PARTS), u64::from(partitions)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;
    use polars::prelude::{col, lit};

    fn frame() -> DFrame {
        DFrame::from_polars(df!("k" => [1i64, 1, 2, 3], "x" => [1i32, 2, 3, 4]).expect("columns of one length"), 2)
    }

    fn rows(frame: &DFrame) -> Option<u64> {
        size_of(frame).map(|size| size.rows)
    }

    #[test]
    fn steps_say_how_many_rows_they_leave() {
        assert_eq!(size_of(&frame()), Some(Size { rows: 4, bytes: 48 }));
        assert_eq!(size_of(&frame().select(["x"])), Some(Size { rows: 4, bytes: 16 }));
        assert_eq!(rows(&frame().filter(col("x").gt(lit(1)))), Some(2));
        assert_eq!(rows(&frame().sum()), Some(1));
        assert_eq!(rows(&frame().repartition(3)), Some(4));
    }

    #[test]
    fn what_functions_give_is_called_a_guess() {
        let called = frame().map_partitions(|rows| Ok(rows.head(Some(1))));
        let shown = |frame: &DFrame| shown_size(frame).expect("a guess");
        assert!(shown(&frame()).starts_with("(about 4 rows,"));
        for guess in [&called, &called.select(["x"]), &called.sort(["k"]), &DFrame::concat([frame(), called.clone()])] {
            assert!(shown(guess).starts_with("(perhaps "), "{}", shown(guess));
        }
        assert!(shown(&called.sum()).starts_with("(about 1 rows,"));
    }

    #[test]
    fn parts_follow_bytes_and_stay_within_bounds() {
        let size = |bytes| Some(Size { rows: 1, bytes });
        assert_eq!([parts_for_rows(1, None), parts_for_rows(80, None), parts_for_rows(1000, None)], [1, 80, 256]);
        assert_eq!([parts_for_rows(1000, size(1 << 35)), parts_for_rows(1000, size(1 << 50))], [512, 1000]);
        assert_eq!(parts_for_keys(&frame(), &[col("k")], 2), 1);
        let unknown = parts_for_unknown;
        assert_eq!([unknown(None, 16), unknown(None, 17), unknown(None, 1000), unknown(size(1 << 20), 1000)], [1, 17, 64, 1]);
        assert_eq!([unknown(size(1 << 28), 1000), unknown(size(1 << 30), 1000), unknown(size(1 << 50), 1000)], [4, 16, 64]);
        assert_eq!([parts_for_bytes(None, 16), parts_for_bytes(None, 17), parts_for_bytes(None, 1000)], [1, 17, 256]);
        assert_eq!([parts_for_bytes(size(1 << 28), 80), parts_for_bytes(size(1 << 28), 3)], [4, 3]);
    }
}
