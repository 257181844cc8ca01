//! The program as its users meet it: arguments in, output and exit code out.

use std::path::Path;
use std::process::{Command, Output};

fn partita(folder: &Path, arguments: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_partita")).args(arguments).current_dir(folder).env("PARTITA_PROGRESS", "off").output();
    program.expect("the program starts")
}

/// Runs and expects this exit code and these pieces of text on either output.
fn check(folder: &Path, arguments: &[&str], code: i32, pieces: &[&str]) {
    let output = partita(folder, arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
    for piece in pieces {
        assert!(text.contains(piece), "{arguments:?}: {piece:?} is not in\n{text}");
    }
    assert!(!text.contains("panicked at"), "{arguments:?}\n{text}");
}

fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).expect("the folder can be written");
    write("a.csv", "origin,dep_delay,arr_delay\nEWR,2,3\nJFK,4,\nEWR,4,5\n");
    write("b.csv", "origin,dep_delay,arr_delay\nLGA,-1,0\n");
    write("ragged.csv", "a,b\n1,2\n3,4,5\n");
    folder
}

#[test]
fn answers() {
    let folder = data();
    let run = |arguments: &[&str], pieces: &[&str]| check(folder.path(), arguments, 0, pieces);
    run(&["groupby", "a.csv", "b.csv", "--by", "origin", "--mean", "dep_delay"], &["EWR", "3.0", "LGA", "-1.0"]);
    run(
        &["groupby", "[ab].csv", "--by=origin", "--sum=dep_delay,arr_delay", "--count", "--json"],
        &["\"dep_delay\":6", "\"count\":2", "\"seconds\":"],
    );
    run(&["groupby", "--by", "origin", "--mean", "dep_delay", "--max", "dep_delay", "a.csv"], &["dep_delay_mean", "dep_delay_max"]);
    run(&["groupby", "a.csv", "--by", "origin", "--count", "--blocksize", "10B", "--threads", "3", "--memory-limit", "1GiB"], &["count"]);
    run(&["groupby", "a.csv", "--by", "origin", "--count", "--explain"], &["read_csv a.csv", "layers"]);
    run(&["head", "a.csv", "-n", "1"], &["EWR"]);
    run(&["head", "a.csv", "--json"], &["{\"origin\":\"JFK\",\"dep_delay\":4,\"arr_delay\":null}"]);
    run(&["schema", "a.csv"], &["dep_delay  i64"]);
    run(&["explain", "E0107"], &["a column does not exist"]);
    run(&["explain"], &["E0101", "E0900"]);
    run(&["completions", "bash"], &["_partita"]);
    // The number that both sides of a link must have.
    run(&["--version"], &["partita 0.", &format!("(protocol {})", partita_net::message::PROTOCOL)]);
    run(&["demo", "--scale", "0.001"], &["l_returnflag", "steps", "GB/s"]);
    run(&["tpch", "--sf", "0.001", "--query", "1,4..6", "--folder", "tpch"], &["pricing summary report", "l_returnflag", "4 queries"]);
    run(
        &["tpch", "--sf", "0.001", "--query", "6", "--folder", "tpch", "--runs", "2", "--json"],
        &["\"query\":6", "\"revenue\":", "\"spilled_bytes\":0"],
    );
    run(&["tpch", "--sf", "0.001", "--query", "14", "--folder", "tpch", "--format", "csv", "--explain"], &["promotion effect", "read_csv"]);
    run(&["tpch", "--sf", "0.001", "--folder", "tpch", "--only-make"], &["sf0.001-parquet"]);
}

#[test]
fn refusals() {
    let folder = data();
    let run = |arguments: &[&str], code: i32, pieces: &[&str]| check(folder.path(), arguments, code, pieces);
    run(&["groupby", "nope.csv", "--by", "a", "--count"], 2, &["E0101", "nope.csv"]);
    run(&["groupby", "*.tsv", "--by", "a", "--count"], 2, &["E0103"]);
    run(&["groupby", ".", "--by", "a", "--count"], 2, &["E0102"]);
    run(&["tpch", "--sf", "0.001", "--query", "23", "--folder", "tpch"], 2, &["`23` is none of the queries 1 to 22"]);
    run(&["tpch", "--sf", "0", "--folder", "tpch"], 2, &["E0108", "the scale 0"]);
    run(&["tpch", "--sf", "0.001", "--check", "--folder", "tpch"], 2, &["E0108", "--sf 1"]);
    run(&["groupby", "a.csv", "--by", "orign", "--count"], 2, &["E0107", "did you mean: `origin`?"]);
    run(&["groupby", "a.csv", "--by", "origin"], 2, &["--mean"]);
    run(&["groupby", "a.csv", "--by", "origin", "--count", "--memory-limit", "lots"], 2, &["E0108", "4GiB"]);
    run(&["groupby", "a.csv", "--by", "origin", "--count", "--blocksize", "big"], 2, &["E0108", "blocksize"]);
    run(&["groupby", "ragged.csv", "--by", "a", "--count"], 1, &["E0111", "row 3", "3 fields"]);
    run(&["explain", "E9999"], 2, &["no error code"]);
    run(&["frobnicate"], 2, &["Usage"]);
}

#[test]
fn keys_of_stores_are_not_shown() {
    let folder = data();
    let settings = "[storage.s3]\nendpoint = \"http://127.0.0.1:9\"\nsecret-access-key = \"hush-hush-hush\"\n";
    std::fs::write(folder.path().join("partita.toml"), settings).expect("the folder can be written");
    for arguments in [
        &["config", "list"][..],
        &["config", "list", "--json"],
        &["config", "get", "storage.s3.secret-access-key"],
        &["config", "why", "storage.s3.secret-access-key"],
    ] {
        check(folder.path(), arguments, 0, &["***"]);
        let output = partita(folder.path(), arguments);
        assert!(!String::from_utf8_lossy(&output.stdout).contains("hush"), "{arguments:?}");
    }
    check(folder.path(), &["config", "get", "storage.s3.endpoint"], 0, &["http://127.0.0.1:9"]);
    check(folder.path(), &["groupby", "a.csv", "--by", "origin", "--count"], 0, &["EWR"]);
    std::fs::write(folder.path().join("partita.toml"), "[storage.s3]\nsecret-acces-key = \"hush-hush-hush\"\n").expect("it can be written");
    check(folder.path(), &["groupby", "a.csv", "--by", "origin", "--count"], 2, &["E0219", "storage.s3.secret-access-key"]);
}
