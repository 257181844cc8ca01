//! Numbers the rows of a partition by group: equal keys have equal numbers, counted in order of first appearance.
//!
//! Key columns become digits below a radix: whole numbers of a narrow range count from their least value, text and floats are
//! numbered by value first. The digits of all columns make one word, and words are numbered through an array when they are
//! few enough, else through a [`table`]. So no row is compared with another one but inside the texts of a column.

mod table;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use polars::prelude::*;
use polars_arrow::array::Utf8ViewArray;
use polars_arrow::bitmap::Bitmap;

use table::{BLOCK, Words};

/// Words up to this often the number of rows are numbered through an array.
const SPARSE: u64 = 2;
/// Values of one key are at most this many where they are numbered; so are rows.
const NUMBER_BITS: u32 = 32;
/// Partitions of fewer rows are grouped whatever comes of it.
const MANY: usize = 1 << 16;
/// Keys whose values are numbered get at least so many bits of a word.
const LEAST_BITS: u32 = 20;

/// The group of each row, and the first row of each group.
pub(super) struct Numbering {
    pub of_row: Vec<u32>,
    pub first: Vec<IdxSize>,
}

impl Numbering {
    /// Each row is a group of its own.
    pub fn of_single_rows(rows: usize) -> Self {
        Self { of_row: (0..rows as u32).collect(), first: (0..rows as IdxSize).collect() }
    }

    /// The rows of each group in order, group after group, and where each group's rows begin, with the end of the last.
    pub fn lists(&self) -> (Vec<usize>, Vec<IdxSize>) {
        let mut starts = vec![0; self.first.len() + 1];
        for group in &self.of_row {
            starts[*group as usize + 1] += 1;
        }
        (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut next = starts.clone();
        let mut rows = vec![0; self.of_row.len()];
        for (row, group) in self.of_row.iter().enumerate() {
            let at = &mut next[*group as usize];
            rows[*at] = row as IdxSize;
            *at += 1;
        }
        (starts, rows)
    }
}

/// Numbers rows by their keys: columns of equal length, each in one piece. `None` for types of keys that it is not made for.
pub(super) fn number(keys: &[Column]) -> Option<Numbering> {
    let rows = keys.first()?.len();
    let mut keys = keys.iter().map(Key::of).collect::<Option<Vec<Key<'_>>>>()?;
    match keys.len() {
        1 => Some(keys.pop()?.numbered(rows)),
        _ => Some(in_blocks(&keys, rows).unwrap_or_else(|| {
            // How many bits the values of each key take is known once they are numbered.
            let keys: Vec<Key<'_>> = keys.into_iter().map(|key| key.narrowed(rows)).collect();
            in_blocks(&keys, rows).unwrap_or_else(|| in_columns(keys, rows))
        })),
    }
}

/// Whether nearly each row is a group of its own, by a sample of every sixteenth. Grouping them would cost more than it saves. Half of the
/// sample are neighbours of the other half, because equal keys often lie together.
pub(super) fn are_distinct(keys: &[Column]) -> bool {
    let rows = keys.first().map_or(0, Column::len);
    if rows < MANY {
        return false;
    }
    // Two of each thirty-two, not always the same ones: keys may come in turns.
    let pair = |at: u64| at * 32 + table::mix(at) % 31;
    let sample: Vec<IdxSize> = (0..rows as u64 / 32).flat_map(|at| [pair(at) as IdxSize, pair(at) as IdxSize + 1]).collect();
    let sample = IdxCa::from_vec(PlSmallStr::EMPTY, sample);
    let keys = keys.iter().map(|key| key.take(&sample)).collect::<PolarsResult<Vec<Column>>>();
    let numbering = keys.ok().and_then(|keys| number(&keys));
    numbering.is_some_and(|numbering| numbering.first.len() as f64 > 0.95 * numbering.of_row.len() as f64)
}

/// Numbers a block of rows by each key, then by all of them. `None` when the digits of all keys do not fit into a word.
fn in_blocks(keys: &[Key<'_>], rows: usize) -> Option<Numbering> {
    let mut digits = keys.iter().map(|key| Digits::of(key, rows)).collect::<Vec<_>>();
    let known: u32 = digits.iter().filter_map(Digits::bits).sum();
    let open = digits.iter().filter(|digits| digits.bits().is_none()).count() as u32;
    let each = 64u32.checked_sub(known)?.checked_div(open).map_or(NUMBER_BITS, |bits| bits.min(NUMBER_BITS));
    if each < LEAST_BITS {
        return None;
    }
    let mut groups = Groups::new(if open == 0 { Some(1u64.checked_shl(known)?) } else { None }, rows);
    let (mut words, mut part) = (vec![0u64; BLOCK], vec![0u64; BLOCK]);
    for from in (0..rows).step_by(BLOCK) {
        let words = &mut words[..BLOCK.min(rows - from)];
        let part = &mut part[..words.len()];
        words.fill(0);
        for digits in &mut digits {
            digits.block(from, part);
            let bits = digits.bits().unwrap_or(each);
            if digits.count() > 1 << each {
                return None;
            }
            words.iter_mut().zip(&*part).for_each(|(word, digit)| *word = *word << bits | digit);
        }
        groups.add(words.iter().copied());
    }
    Some(groups.numbering())
}

/// Numbers rows by one key after the other; takes any number of keys.
fn in_columns(keys: Vec<Key<'_>>, rows: usize) -> Numbering {
    let (mut words, mut radix) = (vec![0; rows], 1u64);
    for key in keys {
        let (digits, base) = key.packable(rows);
        if radix.checked_mul(base).is_none() {
            let numbering = number_words(rows, None, |block| words[block].iter().copied());
            radix = numbering.first.len() as u64;
            words = numbering.of_row.into_iter().map(u64::from).collect();
        }
        // Both are at most 2^32 when the words were numbered just now.
        radix = radix.saturating_mul(base);
        words.iter_mut().zip(digits).for_each(|(word, digit)| *word = *word * base + digit);
    }
    number_words(rows, Some(radix), |block| words[block].iter().copied())
}

/// The digits of one key, block by block.
enum Digits<'a> {
    Range { values: &'a [i64], valid: Option<&'a Bitmap>, least: i64, range: u64 },
    Wide { values: &'a [i64], valid: Option<&'a Bitmap>, words: Words },
    Text(text::Texts<'a>),
}

impl<'a> Digits<'a> {
    fn of(key: &'a Key<'_>, rows: usize) -> Self {
        match key {
            Key::Text(array) => Self::Text(text::Texts::of(array)),
            Key::Whole { values, valid, least, range: Some(range) } => {
                Self::Range { values, valid: valid.as_ref(), least: *least, range: *range }
            }
            Key::Whole { values, valid, range: None, .. } => Self::Wide { values, valid: valid.as_ref(), words: Words::new(rows) },
        }
    }

    /// How many bits a digit has, if that is known before the rows are.
    fn bits(&self) -> Option<u32> {
        match self {
            Self::Range { range, .. } => Some(64 - (range - 1).leading_zeros()),
            _ => None,
        }
    }

    /// How many values were numbered.
    fn count(&self) -> u64 {
        match self {
            Self::Range { .. } => 0,
            Self::Wide { words, .. } => words.len(),
            Self::Text(texts) => texts.first.len() as u64,
        }
    }

    fn block(&mut self, from: usize, out: &mut [u64]) {
        match self {
            Self::Text(texts) => texts.numbers(from, out),
            Self::Range { values, valid, least, range } => {
                out.iter_mut().zip(&values[from..]).for_each(|(out, x)| *out = x.wrapping_sub(*least) as u64);
                if let Some(valid) = valid {
                    out.iter_mut().enumerate().filter(|(at, _)| !valid.get_bit(from + at)).for_each(|(_, out)| *out = *range - 1);
                }
            }
            Self::Wide { values, valid, words } => number_wide(words, values, *valid, from, out),
        }
    }
}

/// Numbers a block of values of any size, among which may be nulls.
fn number_wide<T: From<u32>>(words: &mut Words, values: &[i64], valid: Option<&Bitmap>, from: usize, out: &mut [T]) {
    let block = from..from + out.len();
    match valid {
        None => words.numbers(from, values[block].iter().map(|x| *x as u64), out),
        Some(valid) => words.numbers_or_null(from, block.map(|row| valid.get_bit(row).then_some(values[row] as u64)), out),
    }
}

/// A key column.
enum Key<'a> {
    /// Numbers, and the least of them with the size of their range when it is known to be small; null is a digit of its own.
    Whole {
        values: Cow<'a, [i64]>,
        valid: Option<Bitmap>,
        least: i64,
        range: Option<u64>,
    },
    Text(&'a Utf8ViewArray),
}

/// Digits of a packed key stay below this, so that two of them make a word.
const WIDEST: u64 = 1 << 32;

impl<'a> Key<'a> {
    fn of(column: &'a Column) -> Option<Self> {
        let series = column.as_materialized_series();
        if let DataType::String = series.dtype() {
            let text = series.str().ok()?;
            let mut arrays = text.downcast_iter();
            return match (arrays.next(), arrays.next()) {
                (Some(array), None) => Some(Self::Text(array)),
                _ => None,
            };
        }
        if let DataType::Float64 = series.dtype() {
            let floats = series.f64().ok()?.rechunk().into_owned();
            let array = floats.downcast_iter().next()?.clone();
            return Some(Self::whole(array.values().iter().map(|x| bits(*x)).collect(), array.validity().cloned()));
        }
        if let DataType::Float32 = series.dtype() {
            let floats = series.f32().ok()?.rechunk().into_owned();
            let array = floats.downcast_iter().next()?.clone();
            return Some(Self::whole(array.values().iter().map(|x| bits(f64::from(*x))).collect(), array.validity().cloned()));
        }
        if let DataType::Boolean = series.dtype() {
            let numbers = series.cast(&DataType::Int64).ok()?;
            return Self::owned(&numbers);
        }
        if matches!(series.dtype(), DataType::Int64) {
            let numbers = series.i64().ok()?;
            let mut arrays = numbers.downcast_iter();
            return match (arrays.next(), arrays.next()) {
                (Some(array), None) => Some(Self::whole(Cow::Borrowed(array.values().as_slice()), array.validity().cloned())),
                _ => None,
            };
        }
        let physical = series.to_physical_repr();
        if !physical.dtype().is_integer() || matches!(physical.dtype(), DataType::Int128 | DataType::UInt128) {
            return None;
        }
        if let Ok(numbers) = physical.u64() {
            // Beyond the signed range the bits serve as well: equal stays equal.
            let array = numbers.rechunk().downcast_iter().next()?.clone();
            return Some(Self::whole(array.values().iter().map(|x| *x as i64).collect(), array.validity().cloned()));
        }
        Self::owned(&physical.cast(&DataType::Int64).ok()?)
    }

    fn owned(numbers: &Series) -> Option<Self> {
        let array = numbers.i64().ok()?.rechunk().downcast_iter().next()?.clone();
        Some(Self::whole(Cow::Owned(array.values().as_slice().to_vec()), array.validity().cloned()))
    }

    fn whole(values: Cow<'a, [i64]>, valid: Option<Bitmap>) -> Self {
        let valid = valid.filter(|valid| valid.unset_bits() > 0);
        // What stands in the place of a null counts too: that widens the range and nothing else.
        let (least, most) = values.iter().fold((i64::MAX, i64::MIN), |(least, most), x| (least.min(*x), most.max(*x)));
        let range = most.checked_sub(least).and_then(|range| u64::try_from(range).ok()).and_then(|range| range.checked_add(2));
        Self::Whole { values, valid, least, range: range.filter(|range| *range <= WIDEST) }
    }

    /// The rows numbered by this key alone.
    fn numbered(self, rows: usize) -> Numbering {
        match self {
            Self::Text(array) => {
                let mut texts = text::Texts::of(array);
                let mut of_row = vec![0u32; rows];
                texts.numbers(0, &mut of_row);
                Numbering { of_row, first: texts.first }
            }
            Self::Whole { values, valid: None, least, range: Some(range) } => {
                number_words(rows, Some(range), |block| values[block].iter().map(move |x| x.wrapping_sub(least) as u64))
            }
            Self::Whole { values, valid: Some(valid), least, range: Some(range) } => {
                let digit = |row: usize| if valid.get_bit(row) { values[row].wrapping_sub(least) as u64 } else { range - 1 };
                number_words(rows, Some(range), |block| block.map(digit))
            }
            Self::Whole { values, valid, range: None, .. } => {
                let (mut words, mut of_row) = (Words::new(rows), vec![0u32; rows]);
                for (at, block) in of_row.chunks_mut(BLOCK).enumerate() {
                    number_wide(&mut words, &values, valid.as_ref(), at * BLOCK, block);
                }
                Numbering { of_row, first: words.first }
            }
        }
    }

    /// The key with its values numbered where they are not of a narrow range.
    fn narrowed(self, rows: usize) -> Self {
        if let Self::Whole { range: Some(_), .. } = self {
            return self;
        }
        let numbering = self.numbered(rows);
        let values = numbering.of_row.into_iter().map(i64::from).collect();
        Self::Whole { values: Cow::Owned(values), valid: None, least: 0, range: Some(numbering.first.len().max(1) as u64) }
    }

    /// A digit for each row, and the number that all are below.
    fn packable(self, rows: usize) -> (Vec<u64>, u64) {
        match self {
            Self::Whole { values, valid, least, range: Some(range) } => {
                let mut digits: Vec<u64> = values.iter().map(|x| x.wrapping_sub(least) as u64).collect();
                if let Some(valid) = valid {
                    digits.iter_mut().zip(valid.iter()).filter(|(_, valid)| !valid).for_each(|(digit, _)| *digit = range - 1);
                }
                (digits, range)
            }
            other => {
                let numbering = other.numbered(rows);
                let digits = numbering.of_row.into_iter().map(u64::from).collect();
                (digits, (numbering.first.len() as u64).max(1))
            }
        }
    }
}

/// The bits of a float as a key: zero has one sign, and all that is not a number is one value.
fn bits(x: f64) -> i64 {
    let canonical = if x.is_nan() { f64::NAN } else { x + 0.0 };
    canonical.to_bits() as i64
}

/// Groups of words, by an array where words are small.
struct Groups {
    of_row: Vec<u32>,
    by: By,
}

enum By {
    Array { groups: Vec<u32>, first: Vec<IdxSize> },
    Words(Words),
}

impl Groups {
    /// For words below `radix`, if one is given.
    fn new(radix: Option<u64>, rows: usize) -> Self {
        let by = match radix.filter(|radix| *radix <= (rows as u64 * SPARSE).max(1 << 12)) {
            Some(radix) => By::Array { groups: vec![u32::MAX; radix as usize], first: Vec::new() },
            None => By::Words(Words::new(rows)),
        };
        Self { of_row: Vec::with_capacity(rows), by }
    }

    /// Numbers the rows that come next, at most a block of them.
    fn add(&mut self, words: impl ExactSizeIterator<Item = u64> + Clone) {
        let from = self.of_row.len();
        match &mut self.by {
            By::Array { groups, first } => self.of_row.extend(words.enumerate().map(|(at, word)| {
                let group = &mut groups[word as usize];
                if *group == u32::MAX {
                    *group = first.len() as u32;
                    first.push((from + at) as IdxSize);
                }
                *group
            })),
            By::Words(numbered) => {
                self.of_row.resize(from + words.len(), 0);
                numbered.numbers(from, words, &mut self.of_row[from..]);
            }
        }
    }

    fn numbering(self) -> Numbering {
        let first = match self.by {
            By::Array { first, .. } => first,
            By::Words(words) => words.first,
        };
        Numbering { of_row: self.of_row, first }
    }
}

/// Numbers words, which are below `radix` if one is given, block by block.
fn number_words<I>(rows: usize, radix: Option<u64>, words: impl Fn(Range<usize>) -> I) -> Numbering
where
    I: ExactSizeIterator<Item = u64> + Clone,
{
    let mut groups = Groups::new(radix, rows);
    (0..rows).step_by(BLOCK).for_each(|from| groups.add(words(from..rows.min(from + BLOCK))));
    groups.numbering()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The plain way: what a key looks like, in a map.
    fn slowly(keys: &[Column]) -> (Vec<u32>, Vec<IdxSize>) {
        let mut groups: HashMap<String, u32> = HashMap::new();
        let mut first = Vec::new();
        let of_row = (0..keys[0].len()).map(|row| {
            let shown = |column: &Column| match column.get(row).unwrap() {
                AnyValue::Float64(x) => format!("{:?}", bits(x)),
                AnyValue::Float32(x) => format!("{:?}", bits(f64::from(x))),
                value => format!("{value:?}"),
            };
            let key = keys.iter().map(shown).collect::<Vec<_>>().join("\u{1}");
            *groups.entry(key).or_insert_with(|| {
                first.push(row as IdxSize);
                first.len() as u32 - 1
            })
        });
        (of_row.collect(), first)
    }

    fn check(what: &str, keys: &[Column]) {
        let numbering = number(keys).unwrap_or_else(|| panic!("{what}: not numbered"));
        assert_eq!((numbering.of_row, numbering.first), slowly(keys), "{what}");
    }

    /// Values `0..kinds` in a mixed order, each made by `value`; some are null.
    fn column<T>(name: &str, rows: u64, kinds: u64, nulls: bool, value: impl Fn(u64) -> T) -> Column
    where
        Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
    {
        let some = |row: u64| {
            let pick = table::mix(row.wrapping_mul(31) + kinds) % kinds.max(1);
            (!nulls || pick != 3 % kinds.max(1)).then(|| value(pick))
        };
        Series::new(name.into(), (0..rows).map(some).collect::<Vec<_>>()).into_column()
    }

    #[test]
    fn rows_are_numbered_as_by_a_map() {
        for rows in [1, 7, 5000] {
            for kinds in [1, 4, 300, 4000] {
                for nulls in [false, true] {
                    let narrow = column("narrow", rows, kinds, nulls, |x| x as i64 - 50);
                    let wide = column("wide", rows, kinds, nulls, |x| (x as i64).wrapping_mul(0x1357_9BDF_0246_8ACF));
                    let ends = column("ends", rows, kinds, nulls, |x| if x % 2 == 0 { i64::MIN } else { i64::MAX - x as i64 });
                    let unsigned = column("unsigned", rows, kinds, nulls, |x| u64::MAX - x);
                    let short = column("short", rows, kinds, nulls, |x| (x % 100) as i8);
                    let truth = column("truth", rows, kinds, nulls, |x| x % 2 == 0);
                    let float =
                        column("float", rows, kinds, nulls, |x| [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, x as f64][x as usize % 6]);
                    let single = column("single", rows, kinds, nulls, |x| x as f32 / 3.0);
                    let text = column("text", rows, kinds, nulls, |x| format!("id{x}"));
                    let long = column("long", rows, kinds, nulls, |x| format!("a text that does not fit into the column itself {x}"));
                    let date = column("date", rows, kinds, nulls, |x| x as i32).cast(&DataType::Date).unwrap();
                    let all = [narrow, wide, ends, unsigned, short, truth, float, single, text, long, date];
                    for key in &all {
                        check(&format!("{} of {kinds}, {rows} rows", key.name()), std::slice::from_ref(key));
                    }
                    for (at, key) in all.iter().enumerate() {
                        let other = &all[(at * 5 + 3) % all.len()];
                        check(&format!("{} and {}", key.name(), other.name()), &[key.clone(), other.clone()]);
                    }
                    check(&format!("all, {kinds}, {rows} rows"), &all);
                }
            }
        }
    }

    #[test]
    fn sorted_keys_are_not_distinct() {
        for (rows_each, distinct) in [(1, true), (2, false), (4, false), (8, false), (16, false)] {
            let keys = Column::new("k".into(), (0..100_000i64).map(|row| row / rows_each).collect::<Vec<_>>());
            assert_eq!(are_distinct(&[keys]), distinct, "{rows_each} rows each");
        }
    }

    #[test]
    fn lists_are_left_to_polars() {
        let list = Series::new("list".into(), [Series::new("".into(), [1, 2]), Series::new("".into(), [3])]);
        assert!(number(&[list.into_column()]).is_none());
    }
}
