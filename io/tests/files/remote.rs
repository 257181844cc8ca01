//! Objects in stores: the process's own, and a web server that breaks off at times.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use partita_io::csv::{self, CsvOptions};
use partita_io::{ErrorKind, put};

use crate::rows::{open, read};
use crate::web::Server;

#[test]
fn objects_by_name_and_by_pattern() {
    for (name, text) in [("part-10", "a,b\n5,6\n"), ("part-9", "a,b\n1,2\n3,4"), ("deep/part-1", "a,b\n7,8\n")] {
        put(&format!("memory://pattern/{name}.csv"), text).unwrap();
    }
    assert_eq!(read(&open("memory://pattern/part-9.csv", CsvOptions::new()).unwrap(), 4).0, [["1", "2"], ["3", "4"]]);
    let flat = open("memory://pattern/*.csv", CsvOptions::new()).unwrap();
    assert_eq!(read(&flat, 4).0, [["1", "2"], ["3", "4"], ["5", "6"]]);
    let deep = open("memory:///pattern/**/*.csv", CsvOptions::new()).unwrap();
    let names: Vec<&str> = deep.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["memory:///pattern/deep/part-1.csv", "memory:///pattern/part-9.csv", "memory:///pattern/part-10.csv"]);
}

#[test]
fn objects_that_are_not_there() {
    put("memory://missing/sales.csv", "a\n1\n").unwrap();
    let kind = |name: &str| open(name, CsvOptions::new()).unwrap_err().kind().clone();
    assert_eq!(kind("memory://missing/sale.csv"), ErrorKind::NoSuchFile { similar: Some("memory://missing/sales.csv".into()) });
    assert_eq!(kind("memory://missing/*.tsv"), ErrorKind::NoMatch);
    assert_eq!(kind("memory://missing"), ErrorKind::IsDirectory);
}

/// More than several requests' worth.
fn large() -> (String, u64) {
    let mut text = "k,v\n".to_owned();
    for row in 0..1_200_000 {
        text += &format!("{},{row}\n", row % 7);
    }
    (text, 1_200_000 * 1_199_999 / 2)
}

fn sum(name: &str, blocksize: u64) -> u64 {
    let table = open(name, CsvOptions::new()).unwrap();
    let spec = Arc::new(table.spec(&["v"]));
    let total = AtomicUsize::new(0);
    for block in csv::blocks(&table, blocksize).unwrap() {
        let mut sink = |decoded: csv::Decoded| {
            let column = decoded.columns.into_iter().next().unwrap().into_column();
            total.fetch_add(column.i64().unwrap().iter().flatten().sum::<i64>() as usize, Ordering::Relaxed);
            Ok(())
        };
        csv::scan(&table.files, &block, &spec, usize::MAX, &|| false, &mut sink).unwrap();
    }
    total.into_inner() as u64
}

#[test]
fn large_objects_in_parts() {
    let (text, expected) = large();
    assert!(text.len() > 10 << 20);
    put("memory://parts/t.csv", text).unwrap();
    for blocksize in [1 << 20, 3_000_001, 1 << 30] {
        assert_eq!(sum("memory://parts/t.csv", blocksize), expected, "{blocksize}");
    }
}

#[test]
fn reading_inside_a_users_runtime() {
    put("memory://runtime/t.csv", "a,b\n1,2\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let rows = runtime.block_on(async { read(&open("memory://runtime/t.csv", CsvOptions::new()).unwrap(), 100).0 });
    assert_eq!(rows, [["1", "2"]]);
}

#[test]
fn file_urls_are_paths() {
    crate::rows::with_file("a b.csv", "a\n1\n", |path| {
        let url = format!("file://{}", path.replace(' ', "%20"));
        assert_eq!(read(&open(&url, CsvOptions::new()).unwrap(), 100).0, [["1"]]);
    });
}

#[test]
fn a_web_server_that_breaks_off() {
    let (text, expected) = large();
    let (_, server) = Server::start([("t.csv".to_owned(), text.into_bytes())].into(), Some(3));
    let address = format!("{server}/t.csv");
    assert_eq!(sum(&address, 5 << 20), expected);
    assert_eq!(sum(&format!("{address}?signature=x"), 5 << 20), expected);
    let missing = address.replace("t.csv", "other.csv");
    let error = open(&missing, CsvOptions::new()).unwrap_err();
    assert_eq!((error.kind(), &error.place().file), (&ErrorKind::NoSuchFile { similar: None }, &missing));
    let error = open(&format!("{missing}?signature=hush"), CsvOptions::new()).unwrap_err();
    assert_eq!((error.kind(), error.place().file.clone()), (&ErrorKind::NoSuchFile { similar: None }, format!("{missing}?signature=***")));
}
