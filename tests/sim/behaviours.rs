//! The table of behaviours names tests: each must exist where the table says.

use std::path::Path;

/// Every `file::name` of a row: a function of a Rust file, or a transcript, which is named by its file alone.
#[test]
fn each_behaviour_has_the_test_that_its_row_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = std::fs::read_to_string(root.join("docs/behaviours.md")).unwrap();
    let mut wrong = Vec::new();
    let (mut rows, mut named) = (0, 0);
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id ") && !line.starts_with("| -")) {
        rows += 1;
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() != 3 || cells.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("not id, behaviour, test: {row}"));
            continue;
        }
        for name in cells[2].split('`').skip(1).step_by(2).filter(|name| name.contains('/')) {
            named += 1;
            let (file, function) = name.split_once("::").unwrap_or((name, ""));
            match std::fs::read_to_string(root.join(file)) {
                Err(_) => wrong.push(format!("{}: there is no file {file}", cells[0])),
                Ok(_) if function.is_empty() && file.ends_with(".rs") => {
                    wrong.push(format!("{}: {file} is named without a function", cells[0]));
                }
                Ok(text) if !function.is_empty() && !text.contains(&format!("fn {function}(")) => {
                    wrong.push(format!("{}: {file} has no `fn {function}`", cells[0]));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(rows >= 110 && named >= rows, "the table has {rows} rows that name {named} tests");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
