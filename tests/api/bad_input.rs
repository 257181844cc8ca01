//! Bad input: a clear error, as early as it can be known, with the user's own line; no panic, no hang, no row lost.

use super::check::{executors, failure, file};
use partita::prelude::*;
use partita::{Code, Error};

fn opened(path: &str) -> Error {
    match DFrame::read_csv(path) {
        Ok(frame) => panic!("{path} opened: {frame}"),
        Err(failure) => failure,
    }
}

#[test]
fn paths() {
    let (folder, path) = file("flights.csv", "a\n1\n");
    let folder = folder.path().to_string_lossy().into_owned();
    let missing = opened(&format!("{folder}/flihgts.csv"));
    assert_eq!(missing.code, Code::NoSuchFile);
    assert!(missing.to_string().contains("flights.csv"), "{missing}");
    assert!(missing.to_string().contains("bad_input.rs:"), "{missing}");
    assert_eq!(opened(&folder).code, Code::IsDirectory);
    assert_eq!(opened(&format!("{folder}/*.tsv")).code, Code::NoMatch);
    assert_eq!(opened("memory:///nothing/here.csv").code, Code::NoSuchFile);
    assert!(DFrame::read_csv(&path).is_ok());
}

#[test]
fn contents_known_before_any_task() {
    let open = |content: &str| {
        let (_folder, path) = file("bad.csv", content);
        opened(&path).code
    };
    assert_eq!(open(""), Code::EmptyInput);
    assert_eq!(open("a,b,a\n1,2,3\n"), Code::DuplicateColumn);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(folder.path().join("2.csv"), "a,c\n1,2\n").unwrap();
    let differs = opened(&folder.path().join("*.csv").to_string_lossy());
    assert_eq!(differs.code, Code::SchemaMismatch);
    assert!(differs.to_string().contains("2.csv"), "{differs}");
}

#[test]
fn options() {
    let (_folder, path) = file("a.csv", "dep_delay,b\n1,2\n");
    let with = |options: CsvOptions| DFrame::read_csv_with(&path, options).map(drop).unwrap_err();
    assert_eq!(with(CsvOptions::new().blocksize("many")).code, Code::InvalidOption);
    let misspelt = with(CsvOptions::new().usecols(["dep_dely"]));
    assert_eq!(misspelt.code, Code::ColumnNotFound);
    assert!(misspelt.to_string().contains("did you mean: `dep_delay`?"), "{misspelt}");
    assert_eq!(with(CsvOptions::new().dtype("x", DataType::Int64)).code, Code::ColumnNotFound);
    assert_eq!(Client::builder().memory_limit("lots").build().map(drop).unwrap_err().code, Code::InvalidOption);
}

#[test]
fn a_column_that_does_not_exist_names_the_line_of_the_step() {
    let frame = DFrame::from_polars(df!("dep_delay" => [1, 2], "origin" => ["a", "b"]).unwrap(), 2);
    let line = line!() + 1;
    let broken = frame.filter(col("dep_dely").gt(lit(0))).group_by("origin").mean().select(["dep_delay"]);
    let found = broken.check().map(drop).unwrap_err();
    assert_eq!(found.code, Code::ColumnNotFound);
    let text = found.to_string();
    assert!(text.contains(&format!("bad_input.rs:{line}:")) && text.contains("in .filter(…)"), "{text}");
    assert!(text.contains("did you mean: `dep_delay`?"), "{text}");
    assert_eq!(broken.compute().unwrap_err(), found);
    for broken in [
        frame.select(["x"]),
        frame.drop(["x"]),
        frame.rename([("x", "y")]),
        frame.cast([("x", DataType::Int64)]),
        frame.group_by("x").sum(),
        frame.group_by("origin").agg([col("x").sum()]),
        frame.with_column(col("x") + lit(1)),
        frame.agg([col("x").sum()]),
    ] {
        let text = failure(&broken, Code::ColumnNotFound);
        assert!(text.contains("bad_input.rs:"), "{text}");
    }
}

#[test]
fn steps_that_do_not_fit() {
    let frame = DFrame::from_polars(df!("x" => [1, 2], "t" => ["a", "b"]).unwrap(), 2);
    failure(&frame.filter(col("x")), Code::TypeMismatch);
    failure(&frame.select([col("x").reverse()]), Code::Unsupported);
    failure(&frame.filter(col("x").gt(col("x").mean())), Code::Unsupported);
    failure(&frame.select(["t"]).mean(), Code::TypeMismatch);
    failure(&frame.rename([("x", "t")]), Code::DuplicateColumn);
    failure(&frame.select([lit(1)]), Code::Unsupported);
    failure(&frame.group_by("x").agg([col("t").mean()]), Code::TypeMismatch);
    failure(&frame.group_by("x").select([col("x") + lit(1)]).sum(), Code::InvalidOption);
    failure(&frame.group_by("t").split_out(0).sum(), Code::InvalidOption);
    failure(&frame.repartition(0), Code::InvalidOption);
    failure(&frame.partitions([2]), Code::InvalidOption);
}

#[test]
fn text_where_a_number_was_declared() {
    let (_folder, path) = file("cell.csv", "k,v\na,1\nb,2\nc,three\nd,4\n");
    for blocksize in [4u64, 1000] {
        let options = CsvOptions::new().dtype("v", DataType::Int64).blocksize(blocksize);
        let text = failure(&DFrame::read_csv_with(&path, options).unwrap().group_by("k").sum(), Code::Parse);
        for part in ["cell.csv", "row 4", "byte 14", "column `v`", "\"three\""] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }
}

/// A signed link opens what it names for everybody who reads it, so that plans and failures do not hold it.
#[test]
fn secrets_of_links_are_in_no_plan_and_no_failure() {
    let (_folder, path) = file("linked.csv", "k,v\na,1\nb,2\nc,three\nd,4\n");
    let frame = DFrame::read_csv_with(format!("file://{path}?page=2&sig=hushhush"), CsvOptions::new().dtype("v", DataType::Int64)).unwrap();
    let plan = format!("{} {frame}", frame.explain());
    assert!(plan.contains("linked.csv?page=2&sig=***,") && !plan.contains("hush"), "{plan}");
    let text = failure(&frame.sum(), Code::Parse);
    assert!(text.contains("linked.csv?page=2&sig=***") && !text.contains("hush"), "{text}");
    // The row is looked up in the file of that name.
    assert!(text.contains("row 4"), "{text}");
    let text = opened("memory:///links/no.csv?sig=hushhush").to_string();
    assert!(text.contains("memory:///links/no.csv?sig=***") && !text.contains("hush"), "{text}");
}

#[test]
fn ragged_rows_and_broken_text() {
    let (_folder, path) = file("ragged.csv", format!("a,b\n{}1,2,3\n{}", "1,2\n".repeat(30_000), "1,2\n".repeat(30_000)));
    let text = failure(&DFrame::read_csv_with(&path, CsvOptions::new().sample_bytes(1000u64)).unwrap().sum(), Code::RaggedRow);
    assert!(text.contains("row 30002"), "{text}");
    let (_folder, path) = file("latin.csv", b"a,b\n1,x\n2,caf\xe9\n");
    let frame = DFrame::read_csv_with(&path, CsvOptions::new());
    let text = match frame {
        Ok(frame) => failure(&frame, Code::InvalidUtf8),
        Err(failure) => failure.to_string(),
    };
    assert!(text.contains("latin.csv") && text.contains("E0112"), "{text}");
    let lossy = DFrame::read_csv_with(&path, CsvOptions::new().encoding(Encoding::Lossy)).unwrap().compute().unwrap();
    assert_eq!(lossy.column("b").unwrap().str().unwrap().get(1), Some("caf\u{fffd}"));
}

/// Fused steps share a task, and still each failure names its own line.
#[test]
fn a_failure_in_a_fused_step_names_the_line_of_that_step() {
    let (_folder, path) = file("fused.csv", "k,v\na,1\nb,2\n");
    let frame = DFrame::read_csv(&path).unwrap();
    let line = line!() + 1;
    let broken = frame.with_column((col("v") + lit(1)).alias("w")).cast([("k", DataType::Int64)]).select(["k", "w"]);
    let text = failure(&broken, Code::TypeMismatch);
    assert!(text.contains(&format!("bad_input.rs:{line}:")) && text.contains("in .cast(…)"), "{text}");
}

#[test]
fn a_user_function_that_fails_or_panics() {
    let frame = DFrame::from_polars(df!("x" => [1, 2]).unwrap(), 2);
    let schema = frame.schema().unwrap();
    let fails = frame.map_partitions_with(schema.clone(), |_| Err(partita::polars::prelude::PolarsError::NoData("nothing".into())));
    assert!(failure(&fails, Code::UserFunction).contains("nothing"));
    let panics = frame.map_partitions_with(schema.clone(), |_| panic!("out of cheese"));
    assert!(failure(&panics, Code::Panicked).contains("out of cheese"));
    let other = frame.map_partitions_with(schema, |mut p| {
        p.rename("x", "y".into())?;
        Ok(p)
    });
    failure(&other, Code::SchemaMismatch);
}

/// One partition of three is of other types than it should be, with and without a shuffle above it.
#[test]
fn partitions_of_other_types_than_announced_are_named_and_nothing_else_suffers() {
    let numbers = DFrame::from_polars(df!("k" => [1i64, 2, 3, 4], "x" => [1i64, 2, 3, 4]).unwrap(), 2);
    let texts = DFrame::from_polars(df!("k" => [5i64], "x" => ["five"]).unwrap(), 1);
    let schema = numbers.schema().unwrap();
    let parts = [numbers.to_delayed().unwrap(), texts.to_delayed().unwrap()].concat();
    let line = line!() + 1;
    let lying = DFrame::from_delayed(parts, schema.clone());
    let honest = DFrame::from_delayed(numbers.to_delayed().unwrap(), schema);
    for broken in [lying.clone(), lying.shuffle(["k"], 3), lying.group_by("k").sum()] {
        let text = failure(&broken, Code::SchemaMismatch);
        let place = format!("bad_input.rs:{line}:");
        for part in [place.as_str(), "announced", "\"x\"", "Int64", "String"] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        for (name, executor) in executors() {
            let found = honest.shuffle(["k"], 3).sum().compute_on(&*executor).unwrap_or_else(|failure| panic!("{name}: {failure}"));
            assert_eq!(found.frame, df!("k" => [10i64], "x" => [10i64]).unwrap(), "{name}");
        }
    }
}
