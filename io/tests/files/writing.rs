//! Writes: nothing is seen before it is complete, nothing is seen twice, and what a crash leaves behind does no harm.

use std::io::Read;

use partita_io::csv::CsvOptions;
use partita_io::write::{CsvWriteOptions, Format, IpcWriteOptions, JsonWriteOptions, ParquetWriteOptions, Part, Published, Target};
use partita_io::{Compression, Error, ErrorKind, TableOptions, put};
use polars::prelude::*;

use crate::tables::{every_type, files_in, open, read_all, write};

/// A folder on the disk, and one in the process's own store.
fn each_place(name: &str, work: impl Fn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    work(&folder.path().to_string_lossy());
    work(&format!("memory://{name}"));
}

fn numbers(rows: std::ops::Range<i64>) -> DataFrame {
    df!("x" => rows.collect::<Vec<_>>()).unwrap()
}

/// What readers of the folder see.
fn seen(root: &str) -> Result<Vec<i64>, Error> {
    let all = read_all(&*open("parquet", root, TableOptions::new())?);
    Ok(all.column("x").unwrap().i64().unwrap().iter().flatten().collect())
}

fn prepared(root: &str, token: &str, options: ParquetWriteOptions) -> Result<Target, Error> {
    Target::prepare(root, token, options.into(), numbers(0..0).schema())
}

/// Writes part `part` of ten rows each, as attempt `attempt`.
fn ten(target: &Target, part: u32, attempt: u32) -> Part {
    let first = i64::from(part) * 10;
    target.write_part(numbers(first..first + 10), part, 7, attempt).unwrap().remove(0)
}

fn plain(parts: u32) -> Vec<String> {
    (0..parts).map(|part| format!("part-{part:05}.parquet")).collect()
}

fn upto(rows: i64) -> Vec<i64> {
    (0..rows).collect()
}

fn fresh() -> ParquetWriteOptions {
    ParquetWriteOptions::new()
}

fn over() -> ParquetWriteOptions {
    fresh().overwrite(true)
}

#[test]
fn nothing_is_seen_before_it_is_published_and_each_part_once_after() {
    each_place("once", |root| {
        let target = prepared(root, "w", fresh()).unwrap();
        assert_eq!(files_in(root), [".partita-w/started"]);
        assert!(target.mark().unwrap().ends_with("/.partita-w/started"));
        let parts = [ten(&target, 0, 1), ten(&target, 1, 1), ten(&target, 2, 1)];
        // Tasks that ran twice.
        let again = [ten(&target, 0, 2), ten(&target, 1, 1), ten(&target, 2, 3)];
        assert_eq!(seen(root).unwrap_err().kind(), &ErrorKind::NoMatch);
        assert!(files_in(root).iter().all(|name| name.starts_with(".partita-w/")));

        let published = target.publish(&parts).unwrap();
        assert_eq!((published.rows, published.files), (30, 3));
        assert_eq!((files_in(root), seen(root).unwrap()), (plain(3), upto(30)));
        // Publishing again, also what other attempts wrote, changes nothing.
        for parts in [&parts, &again] {
            assert_eq!(target.publish(parts).unwrap(), published);
            assert_eq!((files_in(root), seen(root).unwrap()), (plain(3), upto(30)));
        }
        // Tasks that were done again after all was done.
        let late = [ten(&target, 0, 4), ten(&target, 1, 4), ten(&target, 2, 4)];
        assert_eq!(seen(root).unwrap(), upto(30));
        assert_eq!(target.publish(&late).unwrap(), published);
        assert_eq!((files_in(root), seen(root).unwrap()), (plain(3), upto(30)));
    });
}

#[test]
fn publishing_on_several_threads() {
    each_place("threads", |root| {
        for round in 0..20 {
            let root = format!("{root}/{round}");
            let overwrite = round % 2 == 1;
            if overwrite {
                write(&root, "old", fresh(), &numbers(0..100), 12).unwrap();
            }
            let target = prepared(&root, "w", fresh().overwrite(overwrite)).unwrap();
            let parts: Vec<Part> = (0..8).map(|part| ten(&target, part, 1)).collect();
            let published: Vec<Result<Published, Error>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| target.publish(&parts))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for published in published {
                assert_eq!(published.map(|published| (published.rows, published.files)), Ok((80, 8)));
            }
            let visible = |name: &String| !name.starts_with('.');
            assert_eq!(files_in(&root).into_iter().filter(visible).collect::<Vec<_>>(), plain(8));
            assert_eq!(seen(&root).unwrap(), upto(80));
        }
    });
}

/// What came of publishing: rows, or whether it was refused because another write came first.
fn outcome(published: Result<Published, Error>) -> Option<u64> {
    match published {
        Ok(published) => Some(published.rows),
        Err(error) if matches!(error.kind(), ErrorKind::OutputExists { .. }) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Both began when nothing was there, and write the same number of bytes.
#[test]
fn of_two_new_writes_to_one_place_one_is_published() {
    each_place("both", |root| {
        let (first, second) = (prepared(root, "a", fresh()).unwrap(), prepared(root, "b", fresh()).unwrap());
        let parts = |target: &Target, attempt: u32| [ten(target, 0, attempt), ten(target, 1, attempt)];
        let (of_first, of_second) = (parts(&first, 1), parts(&second, 1));
        assert_eq!(outcome(first.publish(&of_first)), Some(20));
        // However often, and whatever is written again.
        for _ in 0..2 {
            assert_eq!(outcome(second.publish(&of_second)), None);
            assert_eq!(outcome(second.publish(&parts(&second, 2))), None);
            assert_eq!(outcome(first.publish(&of_first)), Some(20));
        }
        assert_eq!(seen(root).unwrap(), upto(20));
        second.withdraw().unwrap();
        assert_eq!(files_in(root), plain(2));
        // Word of a write that is not there to read it stays for a week, because it might still be on its way, and goes with the next write.
        let third = format!("{root}/third");
        let (third, dead) = (prepared(&third, "c", fresh()).unwrap(), prepared(&third, "d", fresh()).unwrap());
        ten(&dead, 0, 1);
        assert_eq!(outcome(third.publish(&parts(&third, 1))), Some(20));
        write(&third.place(), "e", over(), &numbers(0..20), 2).unwrap();
        assert_eq!(files_in(&third.place()), [vec![".partita-d.lost/started".to_owned()], plain(2)].concat());
        // Files of the same size stand there, and still it was not this write that made them.
        let of_dead = [0, 1].map(|part| Part { path: format!("part-0000{part}.parquet"), ..of_first[part].clone() });
        assert_eq!(outcome(dead.publish(&of_dead)), None);
        if let Ok(word) = std::fs::File::options().write(true).open(format!("{}/.partita-d.lost/started", third.place())) {
            word.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600)).unwrap();
            write(&third.place(), "f", over(), &numbers(0..3), 1).unwrap();
            assert_eq!(files_in(&third.place()), plain(1));
        }
    });
}

/// A write that finds another one being published helps it, and must not keep what would let a slower call of its own go on.
#[test]
fn a_new_write_that_helps_another_has_nothing_left_to_publish() {
    each_place("helper", |root| {
        let (first, second) = (prepared(root, "a", fresh()).unwrap(), prepared(root, "b", fresh()).unwrap());
        let (of_first, of_second) = ([ten(&first, 0, 1)], [ten(&second, 0, 1)]);
        let manifest = serde_json::json!({ "write": "a", "files": of_first, "replaces": [], "fresh": true });
        put(&format!("{root}/_partita_manifest.json"), manifest.to_string()).unwrap();
        assert_eq!(outcome(second.publish(&of_second)), None);
        assert_eq!(files_in(root), [".partita-b.lost/started", "part-00000.parquet"]);
        assert_eq!(outcome(first.publish(&of_first)), Some(10));
        // One that may replace it helps as well, and follows.
        let third = prepared(root, "c", over()).unwrap();
        let of_third = [ten(&third, 0, 1), ten(&third, 1, 1)];
        let manifest = serde_json::json!({ "write": "a", "files": of_first, "replaces": [], "fresh": true });
        put(&format!("{root}/_partita_manifest.json"), manifest.to_string()).unwrap();
        assert_eq!(outcome(third.publish(&of_third)), Some(20));
        assert_eq!(seen(root).unwrap(), upto(20));
    });
}

/// One may replace and comes first, the other may not, and writes the same number of bytes.
#[test]
fn a_new_write_that_an_overwriting_one_beat_knows_it() {
    each_place("beaten", |root| {
        for single in [false, true] {
            let place = format!("{root}/{single}");
            let prepared = |token: &str, over: bool| {
                let options = CsvWriteOptions::new().single_file(single).overwrite(over);
                Target::prepare(&place, token, options.into(), numbers(0..0).schema()).unwrap()
            };
            let (first, second) = (prepared("a", true), prepared("b", false));
            let (of_first, of_second) = (ten(&first, 0, 1), ten(&second, 0, 1));
            assert_eq!(outcome(first.publish(&[of_first])), Some(10));
            assert_eq!(outcome(second.publish(&[of_second])), None);
        }
    });
}

#[test]
fn new_writes_published_on_several_threads() {
    each_place("both-threads", |root| {
        for round in 0..40 {
            let single = round % 2 == 1;
            let place = if single { format!("{root}/{round}.csv") } else { format!("{root}/{round}") };
            let format = || if single { Format::from(CsvWriteOptions::new().single_file(true)) } else { fresh().into() };
            let prepared = |token: &str| Target::prepare(&place, token, format(), numbers(0..0).schema()).unwrap();
            let targets: Vec<Target> = ["a", "b", "c"].map(prepared).into();
            let parts: Vec<Vec<Part>> = targets.iter().map(|target| (0..3).map(|part| ten(target, part, 1)).collect()).collect();
            let both: Vec<(&Target, &Vec<Part>)> = targets.iter().zip(&parts).chain(targets.iter().zip(&parts)).collect();
            let found: Vec<Option<u64>> = std::thread::scope(|scope| {
                let threads: Vec<_> = both.iter().map(|(target, parts)| scope.spawn(move || outcome(target.publish(parts)))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(found.iter().flatten().collect::<Vec<_>>(), [&30, &30], "round {round}: {found:?}");
            assert_eq!(found[..3], found[3..], "round {round}: the same write, twice");
            targets.iter().zip(&found).filter(|(_, found)| found.is_none()).for_each(|(target, _)| target.withdraw().unwrap());
            let left: Vec<String> = files_in(root).into_iter().filter(|name| name.contains(".partita")).collect();
            assert!(left.is_empty(), "round {round}: {left:?}");
        }
    });
}

#[test]
fn files_whose_names_begin_alike_do_not_meet() {
    each_place("alike", |root| {
        for over in [false, true] {
            let prepared = |name: &str| {
                let options = CsvWriteOptions::new().single_file(true).overwrite(over);
                Target::prepare(&format!("{root}/{name}"), "w", options.into(), numbers(0..0).schema()).unwrap()
            };
            let (short, long) = (prepared(&format!("t{over}")), prepared(&format!("t{over}-2")));
            let (of_short, of_long) = (ten(&short, 0, 1), ten(&long, 0, 1));
            assert_eq!(outcome(short.publish(&[of_short])), Some(10));
            assert_eq!(outcome(long.publish(&[of_long])), Some(10));
        }
    });
}

/// A file that nobody had, and its writer died when it was about to become visible.
#[test]
fn a_crash_while_one_file_is_published_is_brought_to_its_end() {
    each_place("single-crash", |root| {
        let name = format!("{root}/t.csv");
        let prepared = |token: &str, over: bool| {
            let options = CsvWriteOptions::new().single_file(true).overwrite(over);
            Target::prepare(&name, token, options.into(), numbers(0..0).schema())
        };
        let dead = prepared("w", false).unwrap();
        let parts = [ten(&dead, 0, 1), ten(&dead, 1, 1)];
        let manifest = serde_json::json!({ "write": "w", "files": parts, "replaces": [], "fresh": true });
        put(&format!("{root}/.partita-file-t.csv.claim"), manifest.to_string()).unwrap();
        let refused = prepared("next", false).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::OutputExists { .. }), "{refused:?}");
        let expected = upto(20).iter().map(|x| format!("{x}\n")).collect::<String>();
        assert_eq!((files_in(root), String::from_utf8(content(&name)).unwrap()), (vec!["t.csv".to_owned()], format!("x\n{expected}")));
        assert_eq!(outcome(dead.publish(&parts)), Some(20));
        let over = prepared("over", true).unwrap();
        let part = ten(&over, 0, 1);
        assert_eq!(outcome(over.publish(&[part])), Some(10));
        assert_eq!(files_in(root), ["t.csv"]);
        // Its writer died when only the manifest was left to remove, and somebody took the file away: the next write goes on.
        put(&format!("{root}/.partita-file-u.csv.claim"), manifest.to_string()).unwrap();
        let options = CsvWriteOptions::new().single_file(true);
        let next = Target::prepare(&format!("{root}/u.csv"), "x", options.into(), numbers(0..0).schema()).unwrap();
        assert_eq!(outcome(next.publish(&[ten(&next, 0, 1)])), Some(10));
        assert_eq!(files_in(root), ["t.csv", "u.csv"]);
    });
}

#[test]
fn what_is_replaced_is_there_until_the_new_is_complete() {
    each_place("replaced", |root| {
        write(root, "old", fresh(), &numbers(0..5), 5).unwrap();
        put(&format!("{root}/notes.csv"), "a\n1\n").unwrap();
        let refused = prepared(root, "no", fresh()).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::OutputExists { example } if example.ends_with("/part-00000.parquet")), "{refused:?}");
        let target = prepared(root, "w", over()).unwrap();
        let parts = [ten(&target, 0, 1), ten(&target, 1, 1)];
        assert_eq!(seen(root).unwrap(), upto(5));
        target.publish(&parts).unwrap();
        assert_eq!(seen(root).unwrap(), upto(20));
        // Files of other formats are nobody's business.
        assert_eq!(files_in(root), ["notes.csv".to_owned()].into_iter().chain(plain(2)).collect::<Vec<_>>());
    });
}

/// The process died right after the one step that publishes; some of what follows may have been done.
#[test]
fn a_crash_after_publishing_is_brought_to_its_end_by_whoever_comes_next() {
    for (name, moved) in [("crash-0", 0), ("crash-1", 1), ("crash-2", 2)] {
        each_place(name, |root| {
            write(root, "old", fresh(), &numbers(0..5), 5).unwrap();
            let target = prepared(root, "w", over()).unwrap();
            let parts = [ten(&target, 0, 1), ten(&target, 1, 1)];
            let replaces = ["part-00002.parquet", "part-00003.parquet", "part-00004.parquet"];
            let manifest = serde_json::json!({ "write": "w", "files": parts, "replaces": replaces });
            put(&format!("{root}/_partita_manifest.json"), manifest.to_string()).unwrap();
            for part in &parts[..moved] {
                transfer(root, &part.staged, &part.path);
            }
            assert_eq!(seen(root).unwrap(), upto(20));
            let published = match moved {
                // The same task again, or the next write: which is refused, because there is something now.
                0 => target.publish(&parts).map(|published| published.rows),
                _ => prepared(root, "next", fresh()).map(|_| 0).or_else(|error| match error.kind() {
                    ErrorKind::OutputExists { .. } => Ok(20),
                    _ => Err(error),
                }),
            };
            assert_eq!(published, Ok(20));
            assert_eq!((files_in(root), seen(root).unwrap()), (plain(2), upto(20)));
        });
    }
}

/// The process died when only the manifest was left to remove, and the files were taken away since.
#[test]
fn a_manifest_of_files_that_are_gone_is_in_nobodys_way() {
    each_place("vanished", |root| {
        let part = Part { path: "part-00000.parquet".into(), staged: ".partita-w/part-00000.parquet".into(), rows: 1, bytes: 9 };
        let manifest = serde_json::json!({ "write": "w", "files": [part], "replaces": [] });
        put(&format!("{root}/_partita_manifest.json"), manifest.to_string()).unwrap();
        write(root, "next", fresh(), &numbers(0..7), 3).unwrap();
        assert_eq!((files_in(root), seen(root).unwrap()), (plain(3), upto(7)));
    });
}

fn transfer(root: &str, from: &str, to: &str) {
    if root.contains("://") {
        let content = content(&format!("{root}/{from}"));
        put(&format!("{root}/{to}"), content).unwrap();
    } else {
        std::fs::rename(format!("{root}/{from}"), format!("{root}/{to}")).unwrap();
    }
}

fn content(name: &str) -> Vec<u8> {
    let Some(key) = name.strip_prefix("memory://") else { return std::fs::read(name).unwrap() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, path) = (partita_io::memory_store(), object_store::path::Path::from(key));
    runtime.block_on(async { object_store::ObjectStoreExt::get(&*store, &path).await.unwrap().bytes().await.unwrap() }).to_vec()
}

#[test]
fn a_crash_before_publishing_leaves_what_was_there() {
    each_place("leftovers", |root| {
        write(root, "old", fresh(), &numbers(0..5), 2).unwrap();
        let dead = prepared(root, "dead", over()).unwrap();
        ten(&dead, 0, 1);
        assert_eq!(seen(root).unwrap(), upto(5));
        assert!(files_in(root).iter().any(|name| name.starts_with(".partita-dead/")));
        // The next write removes what the dead one left; a part of it that comes too late is not taken.
        write(root, "next", over(), &numbers(0..7), 3).unwrap();
        assert_eq!((files_in(root), seen(root).unwrap()), (plain(3), upto(7)));
        let late = ten(&dead, 0, 2);
        assert!(matches!(dead.publish(&[late]).unwrap_err().kind(), ErrorKind::PartsMissing { .. }));
        assert_eq!(seen(root).unwrap(), upto(7));
        write(root, "last", over(), &numbers(0..9), 1).unwrap();
        assert_eq!((files_in(root), seen(root).unwrap()), (plain(1), upto(9)));
    });
}

#[test]
fn parts_that_are_gone_and_files_that_come_between() {
    each_place("gone", |root| {
        let target = prepared(root, "w", fresh()).unwrap();
        let mut parts = vec![ten(&target, 0, 1), ten(&target, 1, 1)];
        parts[1].staged = parts[1].staged.replace("part-00001", "part-00009");
        let error = target.publish(&parts).unwrap_err();
        let missing = |error: &Error| matches!(error.kind(), ErrorKind::PartsMissing { missing } if missing[0].contains("part-00009"));
        assert!(missing(&error), "{error:?}");
        assert_eq!(seen(root).unwrap_err().kind(), &ErrorKind::NoMatch);
        put(&format!("{root}/other.parquet"), "somebody else's").unwrap();
        let error = target.publish(&[ten(&target, 0, 1)]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutputExists { example } if example.ends_with("other.parquet")), "{error:?}");
        assert_eq!(content(&format!("{root}/other.parquet")), b"somebody else's");
    });
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("out").to_string_lossy().into_owned();
    let frame = every_type(3);
    let refused = |format: Format, path: &str| Target::prepare(path, "w", format, frame.schema()).map(drop).unwrap_err();
    let invalid = |format: Format| match refused(format, &root).kind() {
        ErrorKind::InvalidOption { accepted } => accepted.clone(),
        other => panic!("{other:?}"),
    };
    let missing = refused(fresh().partition_by(["tekst"]).into(), &root);
    assert!(matches!(missing.kind(), ErrorKind::ColumnNotFound { columns } if columns.contains(&"text".to_owned())), "{missing:?}");
    assert_eq!(missing.place().column.as_deref(), Some("tekst"));
    assert!(invalid(fresh().partition_by(["text", "text"]).into()).contains("twice"));
    assert!(invalid(fresh().partition_by(["list"]).into()).contains("list"));
    let all: Vec<&str> =
        frame.schema().iter_names().map(|name| name.as_str()).filter(|name| !["list", "pair", "bytes", "span"].contains(name)).collect();
    let flat = frame.select(all.iter().copied()).unwrap();
    let only = Target::prepare(&root, "w", fresh().partition_by(all).into(), flat.schema()).map(drop).unwrap_err();
    assert!(matches!(only.kind(), ErrorKind::InvalidOption { .. }), "{only:?}");
    invalid(CsvWriteOptions::new().separator('\u{fc}').into());
    invalid(CsvWriteOptions::new().separator('"').into());
    for format in [Format::from(CsvWriteOptions::new()), JsonWriteOptions::new().into()] {
        let error = refused(format, &root);
        assert!(matches!(error.kind(), ErrorKind::UnknownType { .. }), "{error:?}");
        assert!(["bytes", "list", "pair", "span"].contains(&error.place().column.as_deref().unwrap()), "{error:?}");
    }
    let csv = flat.select(["row", "text"]).unwrap();
    let single = |options: CsvWriteOptions, path: &str| Target::prepare(path, "w", options.into(), csv.schema()).map(drop).unwrap_err();
    let both = single(CsvWriteOptions::new().single_file(true).partition_by(["text"]), &root);
    assert!(matches!(both.kind(), ErrorKind::InvalidOption { .. }), "{both:?}");
    let unnamed = single(CsvWriteOptions::new().single_file(true), &format!("{root}/"));
    assert!(matches!(unnamed.kind(), ErrorKind::InvalidOption { .. }), "{unnamed:?}");
    assert!(files_in(&folder.path().to_string_lossy()).is_empty());

    // A file where a folder should be.
    std::fs::write(&root, "a file").unwrap();
    let under = refused(fresh().into(), &format!("{root}/deeper"));
    assert!(matches!(under.kind(), ErrorKind::Unwritable { .. } | ErrorKind::Unreadable { .. }), "{under:?}");
}

#[test]
fn one_file() {
    each_place("single", |root| {
        let frame = df!("x" => [1i64, 2, 3], "t" => [Some("a,b"), None, Some("")]).unwrap();
        let name = format!("{root}/deep/t.csv");
        let options = CsvWriteOptions::new().single_file(true);
        let target = Target::prepare(&name, "w", options.clone().into(), frame.schema()).unwrap();
        assert_eq!(target.place(), name);
        let part = |part: u32, attempt: u32| target.write_part(frame.slice(i64::from(part), 1), part, 7, attempt).unwrap().remove(0);
        // The third has no rows.
        let empty = target.write_part(frame.clear(), 3, 7, 1).unwrap().remove(0);
        let parts = [part(0, 1), part(1, 1), part(2, 1), empty];
        let again = [part(0, 2), part(1, 2), part(2, 2), parts[3].clone()];
        assert!(files_in(root).iter().all(|name| name.starts_with("deep/.partita-file-t.csv-w/")), "{:?}", files_in(root));
        let published = target.publish(&parts).unwrap();
        assert_eq!((published.rows, published.files), (3, 1));
        for parts in [&parts, &again] {
            assert_eq!(target.publish(parts).unwrap(), published);
            assert_eq!(files_in(root), ["deep/t.csv"]);
            assert_eq!(content(&name), b"x,t\n1,\"a,b\"\n2,\n3,\"\"\n");
        }
        let refused = Target::prepare(&name, "v", options.clone().into(), frame.schema()).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::OutputExists { .. }), "{refused:?}");

        // Another one in its place, packed: its members are one file, too.
        let packed = options.overwrite(true).compression(Compression::Gzip).separator(';').null_value("NA");
        let target = Target::prepare(&name, "z", packed.into(), frame.schema()).unwrap();
        let parts: Vec<Part> =
            (0..3).map(|part| target.write_part(frame.slice(i64::from(part), 1), part, 7, 1).unwrap().remove(0)).collect();
        assert_eq!(content(&name).first(), Some(&b'x'), "the old one is there until the new one is complete");
        target.publish(&parts).unwrap();
        assert_eq!(files_in(root), ["deep/t.csv"]);
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&*content(&name)).read_to_string(&mut text).unwrap();
        assert_eq!(text, "x;t\n1;a,b\n2;NA\n3;\"\"\n");
        let table = crate::rows::open(&name, CsvOptions::new()).unwrap();
        assert_eq!(table.columns.len(), 2);
    });
}

#[test]
fn one_file_published_on_several_threads() {
    each_place("single-threads", |root| {
        for round in 0..20 {
            let name = format!("{root}/{round}.csv");
            let options = CsvWriteOptions::new().single_file(true);
            let target = Target::prepare(&name, "w", options.into(), numbers(0..0).schema()).unwrap();
            let parts: Vec<Part> = (0..5).map(|part| ten(&target, part, 1)).collect();
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| target.publish(&parts))).collect();
                for thread in threads {
                    assert_eq!(thread.join().unwrap().map(|published| (published.rows, published.files)), Ok((50, 1)));
                }
            });
            let expected = upto(50).iter().map(|x| format!("{x}\n")).collect::<String>();
            assert_eq!(String::from_utf8(content(&name)).unwrap(), format!("x\n{expected}"));
        }
    });
}

#[test]
fn folders_of_values_and_no_rows() {
    each_place("folders", |root| {
        let frame = df!("x" => [1i64, 2, 3], "k" => ["a", "b", "a"]).unwrap();
        let by = || fresh().partition_by(["k"]);
        let published = write(root, "t", by(), &frame, 3).unwrap();
        assert_eq!((published.rows, published.files), (3, 3));
        assert_eq!(files_in(root), ["k=a/part-00000.parquet", "k=a/part-00002.parquet", "k=b/part-00001.parquet"]);
        assert_eq!(seen(root).unwrap(), [1, 3, 2]);
        // Other folders than before: the old ones go.
        write(root, "u", by().overwrite(true), &frame.filter(&[false, true, false].into_iter().collect()).unwrap(), 1).unwrap();
        assert_eq!(files_in(root), ["k=b/part-00000.parquet"]);
        if !root.contains("://") {
            assert_eq!(std::fs::read_dir(root).unwrap().count(), 1);
        }
        let none = write(root, "v", by().overwrite(true), &frame.clear(), 2).unwrap();
        assert_eq!((none.rows, none.files), (0, 0));
        assert!(files_in(root).is_empty());
    });
}

/// A task that runs twice writes the same part twice.
#[test]
fn the_same_rows_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let frame = every_type(50);
    let plain = frame.select(["row", "f64", "text", "bool", "date"]).unwrap();
    let formats: [(Format, &DataFrame); 6] = [
        (fresh().row_group_rows(7).into(), &frame),
        (IpcWriteOptions::new().into(), &frame),
        (CsvWriteOptions::new().into(), &plain),
        (CsvWriteOptions::new().compression(Compression::Zstd).into(), &plain),
        (JsonWriteOptions::new().into(), &plain),
        (JsonWriteOptions::new().compression(Compression::Bzip2).into(), &plain),
    ];
    for (at, (format, frame)) in formats.into_iter().enumerate() {
        let root = folder.path().join(at.to_string()).to_string_lossy().into_owned();
        let target = Target::prepare(&root, "w", format, frame.schema()).unwrap();
        let bytes = |attempt: u32, frame: DataFrame| {
            let part = target.write_part(frame, 0, 7, attempt).unwrap().remove(0);
            let bytes = content(&format!("{root}/{}", part.staged));
            assert_eq!(part.bytes, bytes.len() as u64);
            bytes
        };
        let mut chunks = frame.slice(0, 20);
        chunks.vstack_mut(&frame.slice(20, 30)).unwrap();
        let once = bytes(1, frame.clone());
        assert!(once == bytes(2, frame.clone()) && once == bytes(3, chunks), "format {at}");
    }
}
