//! The decoder against its slow twin, against polars' reader, on a folder of nasty files, and on examples written by hand.

use partita_io::csv::{Consumed, Decoded, DecodedColumn, Decoder, Dialect, Encoding, Field, ReadSpec, decode_reference};
use partita_io::{Error, ErrorKind, Wider};
use polars::prelude::{Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, IntoColumn, NamedFrom, Schema, SerReader, Series};
use proptest::prelude::*;
use std::sync::Arc;

fn field(name: &str, position: usize, dtype: DataType) -> Field {
    Field { name: name.into(), position, dtype, declared: true, as_codes: false }
}

fn frame(decoded: Decoded) -> DataFrame {
    let rows = decoded.rows;
    DataFrame::new(rows, decoded.columns.into_iter().map(DecodedColumn::into_column).collect()).unwrap()
}

/// Hands the bytes over in pieces, as a reader would: what is not consumed comes again with more behind it.
fn in_pieces(bytes: &[u8], offset: u64, limit: usize, spec: &ReadSpec, pieces: &[usize], take_each: bool) -> Result<DataFrame, Error> {
    let mut decoder = Decoder::new(Arc::new(spec.clone()));
    let mut pieces = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
    let (mut at, mut end) = (0, 0usize);
    let mut whole: Option<DataFrame> = None;
    let mut add = |decoded: Decoded| {
        let part = frame(decoded);
        match &mut whole {
            Some(whole) => drop(whole.vstack_mut(&part).unwrap()),
            none => *none = Some(part),
        }
    };
    loop {
        end = end.max(at).saturating_add(pieces.next().unwrap()).min(bytes.len());
        let last = end == bytes.len();
        let Consumed { bytes: consumed, done } = decoder.push(&bytes[at..end], offset + at as u64, limit.saturating_sub(at), last)?;
        assert!(at + consumed <= end && (consumed == 0 || at + consumed == end || bytes[at + consumed - 1] == b'\n'));
        at += consumed;
        if take_each && decoder.rows() > 2 {
            add(decoder.take()?);
        }
        if done {
            break;
        }
        assert!(!last, "the last piece must end the decoding");
    }
    add(decoder.take()?);
    Ok(whole.unwrap())
}

/// What two errors must have in common.
fn essence(error: &Error) -> (String, Option<u64>, Option<String>) {
    let kind = match error.kind() {
        // How many columns are named depends on how much was at hand.
        ErrorKind::WrongInference { .. } => "wrong inference".to_owned(),
        kind => format!("{kind:?}"),
    };
    (kind, error.place().byte, error.place().cell.clone())
}

fn compare(bytes: &[u8], limit: usize, spec: &ReadSpec, pieces: &[usize], take_each: bool) -> Result<(), TestCaseError> {
    let expected = decode_reference(bytes, 1000, limit, spec);
    let at_once = in_pieces(bytes, 1000, limit, spec, &[], false);
    if let (Err(expected), Err(found)) = (&expected, &at_once)
        && let (ErrorKind::WrongInference { wider: some }, ErrorKind::WrongInference { wider: all }) = (expected.kind(), found.kind())
    {
        prop_assert!(some.iter().all(|(name, wider, _)| all.iter().any(|(known, wide, _)| name == known && wider <= wide)));
    }
    let expected = expected.map(frame);
    for found in [at_once, in_pieces(bytes, 1000, limit, spec, pieces, take_each)] {
        match (&expected, found) {
            (Ok(expected), Ok(found)) => {
                prop_assert_eq!(expected.height(), found.height());
                prop_assert!(expected.equals_missing(&found), "{:?}\n{:?}", expected, found);
                prop_assert_eq!(expected.schema(), found.schema());
            }
            (Err(expected), Err(found)) => prop_assert_eq!(essence(expected), essence(&found)),
            (expected, found) => prop_assert!(false, "expected {:?}\nfound {:?}", expected, found),
        }
    }
    Ok(())
}

const TYPES: [DataType; 9] = [
    DataType::String,
    DataType::Int64,
    DataType::Float64,
    DataType::Boolean,
    DataType::Int8,
    DataType::UInt64,
    DataType::Float32,
    DataType::UInt16,
    DataType::Int32,
];

fn any_dialect() -> impl Strategy<Value = Dialect> {
    let comment = prop::sample::select(vec![None, None, Some("#".to_owned()), Some("//".to_owned()), Some("\"x".to_owned())]);
    let nulls = prop::sample::select(vec![vec![], vec![], vec!["NA".to_owned()], vec!["-1".to_owned(), "é".to_owned()]]);
    let marks = prop::sample::select(vec![(b',', Some(b'"')), (b';', Some(b'\'')), (b'\t', None), (b'|', Some(b'"'))]);
    (marks, comment, nulls, any::<bool>(), any::<bool>()).prop_map(|((separator, quote), comment, null_values, lossy, empty_is_null)| {
        Dialect {
            separator,
            quote,
            comment,
            has_header: false,
            encoding: if lossy { Encoding::Lossy } else { Encoding::Utf8 },
            null_values,
            empty_is_null,
        }
    })
}

fn any_spec() -> impl Strategy<Value = ReadSpec> {
    let column = (prop::sample::select(TYPES.to_vec()), any::<bool>(), any::<bool>(), any::<bool>());
    (any_dialect(), prop::collection::vec(column, 1..5)).prop_map(|(dialect, columns)| {
        let width = columns.len();
        let wanted = columns.into_iter().enumerate().filter(|(_, column)| column.1);
        let fields = wanted.map(|(position, (dtype, _, declared, as_codes))| {
            let as_codes = as_codes && dtype == DataType::String;
            Field { name: format!("c{position}"), position, dtype, declared, as_codes }
        });
        ReadSpec { dialect, width, fields: fields.collect() }
    })
}

/// A cell as bytes: mostly one that fits its column.
fn cell(dtype: &DataType, choice: u32, separator: u8, quote: Option<u8>) -> Vec<u8> {
    let number = choice / 16;
    let (odd, quote) = (choice % 64, quote.unwrap_or(b'"') as char);
    // Most cells of a column that is not text fit it, or nearly all inputs would be errors.
    let misfit = dtype != &DataType::String && ![0, 3, 5].contains(&odd) && !number.is_multiple_of(50);
    let odd = if misfit { 16 } else { odd };
    let text = match odd {
        0 => String::new(),
        1 => format!("{quote}{quote}"),
        2 => format!("{quote}a{}b{quote}{quote}\n{quote}", separator as char),
        3 => format!("{quote}{}{quote}", number % 100),
        4 => "NA".into(),
        5 => " 7 ".into(),
        6 if number.is_multiple_of(5) => format!("x{quote}y"),
        7 if number.is_multiple_of(9) => format!("{quote}a{quote}b"),
        8 if number.is_multiple_of(5) => "text".into(),
        9 => "1e3".into(),
        10 => "-1".into(),
        _ => match dtype {
            DataType::String if odd < 16 => "a text that is longer than fifteen bytes, é".into(),
            DataType::String => format!("id{:03}", number % 7),
            DataType::Boolean => ["true", "False", "TRUE"][number as usize % 3].into(),
            DataType::Float32 | DataType::Float64 => format!("{}.{:06}", number % 1000, number),
            DataType::Int64 => format!("-{number}{number}"),
            _ => format!("{}", number % 100),
        },
    };
    text.into_bytes()
}

/// Records for the spec, now and then broken.
fn records(spec: &ReadSpec, choices: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in choices.chunks(spec.width + 1) {
        let (style, cells) = record.split_first().unwrap();
        match style % 40 {
            0 => bytes.extend_from_slice(b"\n"),
            1 => bytes.extend_from_slice(b"# \"a comment\n"),
            2 => bytes.extend_from_slice(b"\r\n"),
            3 if style.is_multiple_of(3) => bytes.extend_from_slice(b"ragged,\n"),
            _ => {
                for (position, &choice) in cells.iter().enumerate() {
                    if position > 0 {
                        bytes.push(spec.dialect.separator);
                    }
                    let dtype =
                        spec.fields.iter().find(|field| field.position == position).map_or(DataType::String, |field| field.dtype.clone());
                    bytes.extend(cell(&dtype, choice, spec.dialect.separator, spec.dialect.quote));
                }
                if cells.len() == spec.width {
                    bytes.extend_from_slice(if style % 3 == 0 { b"\r\n" } else { b"\n" });
                }
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn like_the_slow_twin_on_records(
        spec in any_spec(),
        choices in prop::collection::vec(any::<u32>(), 0..120),
        pieces in prop::collection::vec(0usize..200, 0..40),
        limit in prop_oneof![Just(usize::MAX), 0usize..1500],
        take_each: bool,
        broken in prop::option::weighted(0.2, (any::<prop::sample::Index>(), prop::sample::select(b"\"\n\r\xff,;'#".to_vec()))),
    ) {
        let mut bytes = records(&spec, &choices);
        if let Some((place, byte)) = broken && !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        compare(&bytes, limit, &spec, &pieces, take_each)?;
    }

    #[test]
    fn like_the_slow_twin_on_noise(
        spec in any_spec(),
        bytes in prop::collection::vec(prop::sample::select(b"11a,,;|\t\n\n\"\"'\r# /\xc3\xa9".to_vec()), 0..200),
        pieces in prop::collection::vec(0usize..20, 0..40),
        limit in prop_oneof![Just(usize::MAX), 0usize..200],
        take_each: bool,
    ) {
        compare(&bytes, limit, &spec, &pieces, take_each)?;
    }

    #[test]
    fn like_polars(
        rows in prop::collection::vec((any::<i64>(), any::<f64>(), "[a-z ,\"\né]{0,20}", any::<bool>(), any::<bool>()), 1..60),
        ending in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let mut text = String::new();
        for (whole, float, words, truth, null) in &rows {
            let words = if words.is_empty() { "x" } else { words };
            let whole = if *null { String::new() } else { whole.to_string() };
            text += &format!("{whole},{float},\"{}\",{truth}{ending}", words.replace('"', "\"\""));
        }
        let types = [DataType::Int64, DataType::Float64, DataType::String, DataType::Boolean];
        let names = ["whole", "float", "words", "truth"];
        let fields = names.iter().zip(&types).enumerate().map(|(at, (name, dtype))| field(name, at, dtype.clone())).collect();
        let spec = ReadSpec { dialect: Dialect::default(), width: 4, fields };
        let schema: Schema = names.iter().zip(types).map(|(name, dtype)| polars::prelude::Field::new((*name).into(), dtype)).collect();
        let options = CsvReadOptions::default().with_has_header(false).with_schema(Some(Arc::new(schema)));
        let options = options.with_parse_options(CsvParseOptions::default()).with_n_threads(Some(1));
        let expected = options.into_reader_with_file_handle(std::io::Cursor::new(text.clone().into_bytes())).finish().unwrap();
        let found = in_pieces(text.as_bytes(), 0, usize::MAX, &spec, &[], false).unwrap();
        prop_assert!(expected.equals_missing(&found), "{:?}\n{:?}", expected, found);
    }
}

/// Every file of the corpus, as if each of several specs were meant, in pieces of several sizes.
#[test]
fn corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpus/csv");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "the corpus is there");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let width = bytes.split(|&byte| byte == b'\n').next().unwrap().split(|&byte| byte == b',').count();
        for (dtype, as_codes) in [(DataType::String, false), (DataType::String, true), (DataType::Int64, false), (DataType::Float64, false)]
        {
            for (quote, comment) in [(Some(b'"'), None), (None, None), (Some(b'"'), Some("#".to_owned()))] {
                let dialect = Dialect { quote, comment, ..Dialect::default() };
                let fields = (0..width).map(|at| Field { as_codes, declared: false, ..field(&format!("c{at}"), at, dtype.clone()) });
                let spec = ReadSpec { dialect, width, fields: fields.collect() };
                for pieces in [vec![1; bytes.len()], vec![7; bytes.len()], vec![64; bytes.len()]] {
                    compare(&bytes, usize::MAX, &spec, &pieces, true).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                }
            }
        }
    }
}

fn decoded(text: &str, spec: &ReadSpec) -> Result<DataFrame, Error> {
    in_pieces(text.as_bytes(), 0, usize::MAX, spec, &[], false)
}

fn one(dtype: DataType) -> ReadSpec {
    ReadSpec { dialect: Dialect::default(), width: 2, fields: vec![field("b", 1, dtype)] }
}

fn column<T, Values: ?Sized>(values: T) -> Column
where
    T: AsRef<Values>,
    Series: NamedFrom<T, Values>,
{
    Series::new("b".into(), values).into_column()
}

#[test]
fn cells_by_hand() {
    let numbers = decoded("x,1\nx,\nx, -2 \r\n\nx,\"3\"\nx,+4", &one(DataType::Int64)).unwrap();
    assert_eq!(numbers.columns()[0], column([Some(1i64), None, Some(-2), Some(3), Some(4)]));
    let floats = decoded("x,1.5\nx,\nx,1e3\nx,-inf\nx,7", &one(DataType::Float64)).unwrap();
    assert_eq!(floats.columns()[0], column([Some(1.5), None, Some(1000.0), Some(f64::NEG_INFINITY), Some(7.0)]));
    let truths = decoded("x,true\nx,False\nx,\n", &one(DataType::Boolean)).unwrap();
    assert_eq!(truths.columns()[0], column([Some(true), Some(false), None]));
    let texts = decoded("x, a \nx,\nx,\"\"\nx,\"say \"\"hi\"\",\r\nthere\"\r\nx,5\" nail\n", &one(DataType::String)).unwrap();
    assert_eq!(texts.columns()[0], column([Some(" a "), None, Some(""), Some("say \"hi\",\r\nthere"), Some("5\" nail")]));
    let days = decoded("x,2024-02-29\nx,\n", &one(DataType::Date)).unwrap();
    assert_eq!(days.columns()[0].dtype(), &DataType::Date);
    assert_eq!(days.columns()[0].as_materialized_series().str_value(0).unwrap(), "2024-02-29");
    assert_eq!(days.columns()[0].null_count(), 1);
}

#[test]
fn codes_in_order_of_appearance() {
    let spec = ReadSpec { fields: vec![Field { as_codes: true, ..field("b", 1, DataType::String) }], ..one(DataType::String) };
    let mut decoder = Decoder::new(Arc::new(spec.clone()));
    let text = b"x,b\nx,a\nx,\nx,\"b\"\nx,a text of more than fifteen bytes\nx,a\n";
    assert_eq!(decoder.push(text, 0, usize::MAX, false).unwrap(), Consumed { bytes: text.len(), done: false });
    assert_eq!(decoder.rows(), 6);
    assert!(decoder.nbytes() >= 24);
    let Decoded { columns, .. } = decoder.take().unwrap();
    let [DecodedColumn::Codes(codes)] = &columns[..] else { panic!("{columns:?}") };
    assert_eq!(codes.codes, [0, 1, 2, 0, 3, 1]);
    assert_eq!(codes.values, [Some("b".to_owned()), Some("a".to_owned()), None, Some("a text of more than fifteen bytes".to_owned())]);

    let many: String = (0..20_000).map(|row| format!("x,value {}\n", row % 9000)).collect();
    assert_eq!(decoder.push(many.as_bytes(), 0, usize::MAX, true).unwrap(), Consumed { bytes: many.len(), done: true });
    let Decoded { rows, columns } = decoder.take().unwrap();
    let [DecodedColumn::Plain(column)] = &columns[..] else { panic!("too many values for codes") };
    assert_eq!((rows, column.as_materialized_series().str_value(19_999).unwrap().as_ref()), (20_000, "value 1999"));
}

#[test]
fn errors_name_their_place() {
    let error = decoded("x,1\nx,oops\nx,3\n", &one(DataType::Int64)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Parse { dtype: "i64".into() });
    assert_eq!((error.place().byte, error.place().column.as_deref(), error.place().cell.as_deref()), (Some(6), Some("b"), Some("oops")));

    let error = decoded("x,1\nx\nx,3\n", &one(DataType::Int64)).unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (&ErrorKind::RaggedRow { expected: 2, found: 1 }, Some(4)));
    let error = decoded("x,1\nx,2,3\n", &one(DataType::Int64)).unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (&ErrorKind::RaggedRow { expected: 2, found: 3 }, Some(4)));

    let error = decoded("x,1\nx,\"2\nx,3\n", &one(DataType::Int64)).unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (&ErrorKind::UnclosedQuote, Some(6)));

    let error = in_pieces(b"x,ok\nx,\xff\n", 0, usize::MAX, &one(DataType::String), &[], false).unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (&ErrorKind::InvalidUtf8, Some(7)));

    let error = decoded("x,2024-02-29\nx,2024-02-30\n", &one(DataType::Date)).unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (&ErrorKind::Parse { dtype: "date".into() }, Some(15)));
}

#[test]
fn the_first_misfit_in_the_file_is_named() {
    let fields = vec![field("a", 0, DataType::Int64), field("b", 1, DataType::Int64)];
    let spec = ReadSpec { dialect: Dialect::default(), width: 2, fields };
    let error = decoded("1,2\n3,second\nthird,4\n", &spec).unwrap_err();
    assert_eq!((error.place().byte, error.place().column.as_deref()), (Some(6), Some("b")));
    // What comes before a ragged row is still looked at.
    let error = decoded("1,2\n3,second\n4\n", &spec).unwrap_err();
    assert_eq!(error.place().byte, Some(6));
}

#[test]
fn comments_in_any_place() {
    let spec = ReadSpec { dialect: Dialect { comment: Some("//".into()), ..Dialect::default() }, ..one(DataType::Int64) };
    let text = b"// \"one\nx,1\n//,,,\n\"//\",2\n/x,3\n// last";
    for size in 1..text.len() {
        let found = in_pieces(text, 0, usize::MAX, &spec, &vec![size; text.len()], false).unwrap();
        assert_eq!(found.columns()[0], column([1i64, 2, 3]), "{size}");
    }
}

#[test]
fn all_wrong_inferences_at_once() {
    let inferred = |name: &str, position, dtype| Field { declared: false, ..field(name, position, dtype) };
    let fields = vec![inferred("a", 0, DataType::Int64), inferred("b", 1, DataType::Boolean), inferred("c", 2, DataType::Int64)];
    let spec = ReadSpec { dialect: Dialect::default(), width: 3, fields };
    let error = decoded("1,true,1\n2.5,true,9223372036854775808\n3,maybe,4\n4,no,x\n", &spec).unwrap_err();
    let wider = vec![
        ("a".to_owned(), Wider::Float64, "2.5".to_owned()),
        ("b".to_owned(), Wider::String, "maybe".to_owned()),
        ("c".to_owned(), Wider::String, "x".to_owned()),
    ];
    assert_eq!(error.kind(), &ErrorKind::WrongInference { wider });
    assert_eq!((error.place().byte, error.place().cell.as_deref()), (Some(9), Some("2.5")));
}

#[test]
fn only_records_that_start_before_the_limit() {
    let text = b"x,1\nx,2\nx,3\n";
    for (limit, bytes, rows) in [(0, 0, 0), (1, 4, 1), (4, 4, 1), (5, 8, 2), (8, 8, 2), (9, 12, 3), (usize::MAX, 12, 3)] {
        let mut decoder = Decoder::new(Arc::new(one(DataType::Int64)));
        let done = limit != usize::MAX;
        assert_eq!(decoder.push(text, 0, limit, false).unwrap(), Consumed { bytes, done }, "{limit}");
        assert_eq!(decoder.rows(), rows);
    }
}

#[test]
fn windows_and_long_records() {
    let long = "y".repeat(300_000);
    let text: String = (0..5000).map(|row| if row == 2500 { format!("\"{long}\n\",{row}\n") } else { format!("short,{row}\n") }).collect();
    let found = in_pieces(text.as_bytes(), 0, usize::MAX, &one(DataType::Int64), &[100_000; 20], true).unwrap();
    assert_eq!(found.columns()[0].as_materialized_series().sum::<i64>().unwrap(), 4999 * 5000 / 2);
    let none = ReadSpec { fields: Vec::new(), ..one(DataType::Int64) };
    assert_eq!(in_pieces(text.as_bytes(), 0, usize::MAX, &none, &[100_000; 20], false).unwrap().height(), 5000);
}
