//! Wherever a file is cut, the rows are the same.

use partita_io::ErrorKind;
use partita_io::csv::{self, Block, CsvOptions};
use proptest::prelude::*;

use crate::rows::{open, read, reference, scan, scan_all, with_file};

/// Reads `text` with blocks of every size, cut on trust and exactly, and compares with csv-core.
fn same_everywhere(text: &str, options: CsvOptions, expected: Option<Vec<Vec<String>>>) {
    let expected = expected.unwrap_or_else(|| reference(text.as_bytes())[1..].to_vec());
    with_file("t.csv", text, |path| {
        let mut table = open(&path, options).unwrap();
        for blocksize in 1..=text.len() as u64 + 1 {
            table.has_quoted_newlines = false;
            assert_eq!(read(&table, blocksize).0, expected, "{text:?} in blocks of {blocksize}");
            let exact = csv::exact_blocks(&table, blocksize, 1 + blocksize as usize % 3).unwrap();
            assert_eq!(scan_all(&table, &exact).unwrap(), expected, "{text:?} in exact blocks of {blocksize}");
            assert!(exact.windows(2).all(|pair| pair[0].end == pair[1].start), "{exact:?}");
        }
    });
}

macro_rules! same {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            same_everywhere($text, CsvOptions::new().has_header(true), None);
        }
    )*};
}

same! {
    plain: "a,b\n1,2\n3,4\n5,6\n";
    no_last_newline: "a,b\n1,2\n3,4";
    carriage_returns: "a,b\r\n1,2\r\n3,4\r\n5,6\r\n";
    byte_order_mark: "\u{feff}a,b\n1,2\n3,4\n";
    byte_order_mark_and_quoted_header: "\u{feff}\"a\nx\",b\n1,2\n3,4\n";
    quoted_newlines: "a,b\n1,\"x\ny\"\n2,\"\n\n\"\n3,z\n";
    quoted_records: "a,b\n1,\"7,8\n9,10\n11,12\"\n2,x\n";
    doubled_quotes: "a,b\n1,\"x\"\"\ny\"\"\"\n2,\"\"\"\"\n3,z\n";
    quote_in_the_middle: "a,b\n5\" pipe,x\n6\" pipe,\"u\nv\"\n7\",w\n";
    blank_lines: "a,b\n\n1,2\n\n\n3,4\n\n";
    blank_lines_with_returns: "a,b\r\n\r\n1,2\r\n\r\n3,4\r\n";
    long_record: "a,b\n1,2\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,y\n3,4\n";
    long_quoted_record: "a,b\n1,2\n\"xxxxxxxxxx\nxxxxxxxxxx\nxxxxxxxxxxx\",y\n3,4\n";
    header_only: "a,b\n";
    header_only_without_newline: "a,b";
    wide_letters: "a,b\nä,€\n漢,字\n";
}

#[test]
fn comments() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let text = "# a \"comment\na,b\n#x\n1,2\n# it's \"one\n\"#\n#\",4\n#\n5,6\n#last";
    same_everywhere(text, CsvOptions::new().comment("#"), Some(vec![row(["1", "2"]), row(["#\n#", "4"]), row(["5", "6"])]));
}

#[test]
fn one_column_keeps_blank_lines() {
    let rows = ["1", "", "2", "", ""].map(|cell| vec![cell.to_owned()]).to_vec();
    same_everywhere("a\n1\n\n2\n\n\n", CsvOptions::new().has_header(true), Some(rows));
}

#[test]
fn no_header() {
    let rows = [["1", "2"], ["3", "4"]].map(|row| row.map(str::to_owned).to_vec()).to_vec();
    same_everywhere("1,2\n3,4\n", CsvOptions::new(), Some(rows));
}

#[test]
fn a_wrong_cut_is_found_from_both_sides() {
    // The middle of the quoted text looks like records of the right width, and its end does not.
    let text = "a,b\n1,\"u\n7,8\n9,10\n\"\n2,x\n";
    with_file("t.csv", text, |path| {
        let mut table = open(&path, CsvOptions::new()).unwrap();
        assert!(table.has_quoted_newlines);
        assert!(csv::blocks(&table, 8).unwrap().iter().all(|block| block.exact));
        table.has_quoted_newlines = false;
        let blocks = csv::blocks(&table, 6).unwrap();
        assert!(blocks.iter().skip(1).all(|block| !block.exact && !block.first));
        // The first block ends in the quoted text; the second is wrong without a sign of it; the last starts in the quoted text.
        let wrong = |block: &Block| scan(&table, block, usize::MAX).is_err_and(|error| *error.kind() == ErrorKind::WrongCut);
        assert_eq!(blocks.iter().map(wrong).collect::<Vec<_>>(), [true, false, true]);
        assert!(read(&table, 6).1);
    });
}

#[test]
fn a_true_error_is_not_taken_for_a_wrong_cut() {
    with_file("t.csv", "a,b\n1,2\n3,4\n5,6,7\n", |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let blocks = csv::blocks(&table, 4).unwrap();
        let error = scan_all(&table, &blocks).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::RaggedRow { expected: 2, found: 3 });
        assert_eq!((error.place().file.as_str(), error.place().byte), (path.as_str(), Some(12)));
        assert_eq!(csv::locate_row(&table.files[0], &table.dialect, 12), Ok(4));
    });
}

#[test]
fn a_file_that_changed_does_not_pass() {
    with_file("t.csv", "a,b\n1,2\n3,4\n5,6\n", |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let exact = csv::exact_blocks(&table, 4, 1).unwrap();
        for changed in ["a,b\n1,2\n3,44445\n", "a,b\n"] {
            std::fs::write(&path, changed).unwrap();
            assert!(matches!(scan_all(&table, &exact).unwrap_err().kind(), ErrorKind::Unreadable { .. }), "{changed:?}");
        }
    });
}

#[test]
fn rows_are_located() {
    let text = "\u{feff}# c\na,b\n\n1,\"x\n#y\"\n#\n2,z";
    let options = CsvOptions::new().comment("#");
    with_file("t.csv", text, |path| {
        let table = open(&path, options).unwrap();
        let row = |needle: &str| csv::locate_row(&table.files[0], &table.dialect, text.find(needle).unwrap() as u64).unwrap();
        assert_eq!([row("a,b"), row("1,"), row("#y"), row("2,z")], [1, 2, 2, 3]);
    });
}

fn cell() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "7", ",", "\"", "\n", " "]), 0..5).prop_map(|parts| {
        let text = parts.concat();
        if text.contains(['"', '\n', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_table_at_any_blocksize(
        rows in prop::collection::vec((cell(), cell()), 0..12), blocksize in 1u64..60, batch in 1usize..100, last_newline: bool,
    ) {
        let mut text = "first,second\n".to_owned();
        for (first, second) in &rows {
            text += &format!("{first},{second}\n");
        }
        if !last_newline && rows.last().is_some_and(|(first, _)| !first.is_empty()) {
            text.pop();
        }
        with_file("t.csv", &text, |path| {
            let mut table = open(&path, CsvOptions::new().separator(',').quote(Some('"')).has_header(true)).unwrap();
            let expected = reference(text.as_bytes())[1..].to_vec();
            table.has_quoted_newlines = false;
            prop_assert_eq!(&read(&table, blocksize).0, &expected);
            let exact = csv::exact_blocks(&table, blocksize, 2).unwrap();
            let batched: Vec<_> = exact.iter().flat_map(|block: &Block| scan(&table, block, batch).unwrap()).collect();
            prop_assert_eq!(&batched, &expected);
            Ok(())
        })?;
    }
}
