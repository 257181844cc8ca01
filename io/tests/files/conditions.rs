//! Conditions on Parquet files: one after the other, of listed values, of rows stored without a list, with nulls and values that no row has.
//!
//! What must come back is what polars' filter leaves of the whole table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use partita_io::csv::DecodedColumn;
use partita_io::write::ParquetWriteOptions;
use partita_io::{ErrorKind, FileTable, Piece, Recipe, TableOptions, Test};
use polars::prelude::*;
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_oneof, proptest};

use crate::tables::{every_type, open, read_all, same, write};
use crate::web::Server;

/// How a condition answers.
type Answer = fn(&Column) -> PolarsResult<BooleanChunked>;

/// Conditions by name: what is asked of which column.
const CONDITIONS: [(&str, &str, Answer); 14] = [
    ("one text", "text", |text| Ok(text.str()?.iter().map(|text| text.map(|text| text == "a")).collect())),
    ("long text", "text", |text| Ok(text.str()?.iter().map(|text| text.map(|text| text.len() > 12)).collect())),
    ("no such text", "text", |text| Ok(text.str()?.iter().map(|text| text.map(|text| text == "nowhere")).collect())),
    ("text or null", "text", |text| Ok(text.str()?.iter().map(|text| Some(text.is_none_or(|text| text == "z"))).collect())),
    ("text is null", "text", |text| Ok(text.is_null())),
    ("text is there", "text", |text| Ok(text.is_not_null())),
    ("small number", "i8", |number| Ok(number.i8()?.iter().map(|number| number.map(|number| number < 20)).collect())),
    ("number", "i64", |number| Ok(number.i64()?.iter().map(|number| number.map(|number| number % 3 == 0)).collect())),
    ("no number", "f64", |float| Ok(float.f64()?.iter().map(|float| float.map(f64::is_nan)).collect())),
    ("a number", "f64", |float| Ok(float.f64()?.iter().map(|float| Some(float.is_some_and(|float| !float.is_nan()))).collect())),
    ("negative zero", "f64", |float| Ok(float.f64()?.iter().map(|float| float.map(|float| float.to_bits() == 1 << 63)).collect())),
    ("day", "date", |day| Ok(day.date()?.phys.iter().map(|day| day.map(|day| day > 50)).collect())),
    ("moment", "us", |moment| Ok(moment.datetime()?.phys.iter().map(|moment| moment.map(|moment| moment > 50)).collect())),
    ("list", "list", |list| Ok(list.is_not_null())),
];

fn condition(at: usize, spent: bool) -> Test {
    let (_, name, answer) = CONDITIONS[at];
    Test {
        columns: vec![name.into()],
        keep: Arc::new(move |frame: &DataFrame| answer(frame.column(name).ok()?).ok()),
        spent: if spent { vec![name.into()] } else { Vec::new() },
    }
}

/// All pieces of a table with these tests, and never more than so many rows of one.
fn kept(table: &dyn FileTable, tests: &[Test], most: u64) -> DataFrame {
    stacked(table, tests, |recipe, piece| recipe.read_first(piece, most, tests, &|| false).unwrap())
}

/// The same with text as codes.
fn kept_as_codes(table: &dyn FileTable, codes: &[&str], tests: &[Test]) -> DataFrame {
    let codes: Vec<PlSmallStr> = codes.iter().map(|name| (*name).into()).collect();
    stacked(table, tests, |recipe, piece| recipe.read_coded(piece, &codes, tests, &|| false).unwrap().into_frame().unwrap())
}

fn stacked(table: &dyn FileTable, tests: &[Test], read: impl Fn(&Recipe, &Piece) -> DataFrame) -> DataFrame {
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let spent = |name: &&PlSmallStr| !tests.iter().any(|test| test.spent.contains(*name));
    let left: Schema = names.iter().filter(spent).map(|name| (name.clone(), table.schema().get(name).unwrap().clone())).collect();
    let mut all = DataFrame::empty_with_schema(&left);
    for piece in table.partitions().iter().flat_map(|pieces| pieces.clone()) {
        all.vstack_mut(&read(&table.recipe(&names), &table.piece(piece, &names))).unwrap();
    }
    all
}

/// What polars leaves of a frame.
fn filtered(frame: &DataFrame, tests: &[Test]) -> DataFrame {
    let passing = tests.iter().fold(frame.clone(), |frame, test| frame.filter(&(test.keep)(&frame).unwrap()).unwrap());
    passing.drop_many(tests.iter().flat_map(|test| test.spent.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_conditions_in_any_order(
        rows in 0usize..400, group in 1u64..200, block in prop_oneof![Just(1u64 << 30), 1u64..4000],
        chosen in prop::collection::vec((0..CONDITIONS.len(), any::<bool>()), 0..4), most in prop_oneof![3 => Just(u64::MAX), 1 => 0u64..20],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        let frame = every_type(rows);
        write(&root, "t", ParquetWriteOptions::new().row_group_rows(group), &frame, 1).unwrap();
        let table = open("parquet", &root, TableOptions::new().blocksize(block)).unwrap();
        let last = |at: usize, name: &str| chosen[at + 1..].iter().all(|(later, _)| CONDITIONS[*later].1 != name);
        let tests: Vec<Test> =
            chosen.iter().enumerate().map(|(at, (number, spent))| condition(*number, *spent && last(at, CONDITIONS[*number].1))).collect();
        let found = kept(&*table, &tests, most);
        if most == u64::MAX {
            same(&found, &filtered(&frame, &tests));
            same(&kept_as_codes(&*table, &["text", "i64"], &tests), &found);
        } else {
            let mut expected = found.clear();
            for piece in table.partitions().iter().flat_map(|pieces| pieces.clone()) {
                let before: u64 = (0..piece).map(|piece| table.rows(piece).unwrap()).sum();
                let rows = frame.slice(before as i64, table.rows(piece).unwrap() as usize);
                expected.vstack_mut(&filtered(&rows, &tests).head(Some(most as usize))).unwrap();
            }
            same(&found, &expected);
        }
    }
}

/// Files of another writer, whose lists of values end midway and whose pages hold few rows, in both versions of pages.
#[test]
fn lists_that_are_given_up_midway() {
    let answers: [(&str, Answer); 6] = [
        ("few", |few| Ok(few.str()?.iter().map(|word| word.map(|word| word != "SHIP")).collect())),
        ("many", |many| Ok(many.str()?.iter().map(|word| word.map(|word| word.ends_with('7'))).collect())),
        ("many", |many| Ok(many.str()?.iter().map(|word| Some(word.is_none_or(|word| word.ends_with("77")))).collect())),
        ("number", |number| Ok(number.i32()?.iter().map(|number| number.map(|number| number < 17)).collect())),
        ("day", |day| Ok(day.date()?.phys.iter().map(|day| day.map(|day| (20..100).contains(&day))).collect())),
        ("float", |float| Ok(float.f64()?.iter().map(|float| float.map(|float| float.is_nan() || float > 1.0)).collect())),
    ];
    for version in [1, 2] {
        let path = format!("{}/tests/files/data/lists_given_up_v{version}.parquet", env!("CARGO_MANIFEST_DIR"));
        let table = open("parquet", &path, TableOptions::new()).unwrap();
        let frame = read_all(&*table);
        assert_eq!((frame.height(), table.partitions().iter().map(|pieces| pieces.len()).sum::<usize>()), (600, 3));
        let test = |at: usize| {
            let (name, answer) = answers[at];
            let keep = move |frame: &DataFrame| answer(frame.column(name).ok()?).ok();
            Test { columns: vec![name.into()], keep: Arc::new(keep), spent: Vec::new() }
        };
        for first in 0..answers.len() {
            same(&kept(&*table, &[test(first)], u64::MAX), &filtered(&frame, &[test(first)]));
            same(&kept_as_codes(&*table, &["few", "many"], &[test(first)]), &filtered(&frame, &[test(first)]));
            for second in 0..answers.len() {
                let tests = [test(first), test(second)];
                same(&kept(&*table, &tests, u64::MAX), &filtered(&frame, &tests));
            }
        }
    }
}

/// A value that stands in a list and in no row may be one on which a condition fails.
#[test]
fn values_that_no_row_has_fail_nothing() {
    let path = format!("{}/tests/files/data/lists_given_up_v1.parquet", env!("CARGO_MANIFEST_DIR"));
    let table = open("parquet", &path, TableOptions::new()).unwrap();
    let parsed = |most: i64| Test {
        columns: vec!["unused".into()],
        keep: Arc::new(move |frame: &DataFrame| {
            let numbers: Result<Vec<i64>, _> =
                frame.column("unused").ok()?.str().ok()?.iter().map(|word| word.unwrap_or("0").parse()).collect();
            Some(numbers.ok()?.into_iter().map(|number| Some(number <= most)).collect())
        }),
        spent: Vec::new(),
    };
    let frame = read_all(&*table);
    same(&kept(&*table, &[parsed(1)], u64::MAX), &filtered(&frame, &[parsed(1)]));
    // One on which a row fails does fail.
    let refused = |frame: &DataFrame| {
        let ships = frame.column("few").ok()?.str().ok()?.iter().any(|word| word == Some("SHIP"));
        (!ships).then(|| BooleanChunked::full(PlSmallStr::EMPTY, true, frame.height()))
    };
    let failing = Test { columns: vec!["few".into()], keep: Arc::new(refused), spent: Vec::new() };
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let error = table.recipe(&names).read(&table.piece(0, &names), &[failing], &|| false).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cancelled);
}

/// Text that lists all its values comes as codes in order of first appearance, beside which stands which of most rows pass.
#[test]
fn listed_text_as_codes() {
    let path = format!("{}/tests/files/data/lists_given_up_v2.parquet", env!("CARGO_MANIFEST_DIR"));
    let table = open("parquet", &path, TableOptions::new()).unwrap();
    assert!(table.lists_few("few") && !table.lists_few("number") && !table.lists_few("nowhere"));
    let names: Vec<PlSmallStr> = ["few", "number"].map(PlSmallStr::from).to_vec();
    let most: Answer = |number| Ok(number.i32()?.iter().map(|number| number.map(|number| number > 20)).collect());
    let keep = move |frame: &DataFrame| most(frame.column("number").ok()?).ok();
    let test = Test { columns: vec!["number".into()], keep: Arc::new(keep), spent: vec!["number".into()] };
    let found = table.recipe(&names).read_coded(&table.piece(0, &names), &names, &[test], &|| false).unwrap();
    let [DecodedColumn::Codes(codes)] = &found.columns[..] else { panic!("{:?}", found.columns) };
    let values = [Some("MAIL"), Some("SHIP"), Some("a word of more than twelve bytes"), None].map(|value| value.map(str::to_owned));
    assert_eq!((codes.values.as_slice(), &codes.codes[..6]), (&values[..], &[0, 1, 2, 3, 1, 2][..]));
    let passing = (0..250).filter(|row| row * 37 % 300 > 20).count();
    assert_eq!((found.rows, found.kept.map(|kept| kept.set_bits())), (250, Some(passing)));
}

/// A condition is asked of listed texts instead of all rows, and of the next column only what the first one left.
#[test]
fn how_often_conditions_are_asked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let rows = 1000usize;
    let words: Vec<&str> = (0..rows).map(|row| ["a", "b", "c", "d", "e", "f", "g", "h"][row % 8]).collect();
    let frame = df!("word" => words, "x" => (0..rows).map(|row| (row as f64).sqrt()).collect::<Vec<_>>()).unwrap();
    write(&root, "t", ParquetWriteOptions::new(), &frame, 1).unwrap();
    let table = open("parquet", &root, TableOptions::new().blocksize(1u64 << 30)).unwrap();
    let asked = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let counted = |at: usize, name: &'static str, answer: Answer| {
        let asked = asked[at].clone();
        let keep = move |frame: &DataFrame| {
            asked.fetch_add(frame.height(), Ordering::Relaxed);
            answer(frame.column(name).ok()?).ok()
        };
        Test { columns: vec![name.into()], keep: Arc::new(keep), spent: Vec::new() }
    };
    let is_b: Answer = |word| Ok(word.str()?.iter().map(|word| word.map(|word| word == "b")).collect());
    let large: Answer = |x| Ok(x.f64()?.iter().map(|x| x.map(|x| x > 10.0)).collect());
    let found = kept(&*table, &[counted(0, "word", is_b), counted(1, "x", large)], u64::MAX);
    let counts = asked.map(|count| count.load(Ordering::Relaxed));
    assert!(counts[0] <= 8 + 1 && counts[1] == rows / 8, "{counts:?}");
    let uncounted = |name: &str, keep: Answer| {
        let name = PlSmallStr::from(name);
        Test {
            columns: vec![name.clone()],
            keep: Arc::new(move |frame: &DataFrame| keep(frame.column(&name).ok()?).ok()),
            spent: Vec::new(),
        }
    };
    same(&found, &filtered(&frame, &[uncounted("word", is_b), uncounted("x", large)]));
}

/// From a store the columns of all conditions come in one go.
#[test]
fn stores_are_asked_twice_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(300);
    write(&root, "t", ParquetWriteOptions::new(), &frame, 1).unwrap();
    let content = std::fs::read(format!("{root}/part-00000.parquet")).unwrap();
    let (server, address) = Server::start([("t.parquet".to_owned(), content)].into(), None);
    let table = open("parquet", &format!("{address}/t.parquet"), TableOptions::new()).unwrap();
    let tests = [condition(1, false), condition(6, true)];
    let before = server.requests();
    same(&kept(&*table, &tests, u64::MAX), &filtered(&frame, &tests));
    assert!(server.requests() - before <= 2);
}
