//! docs/errors.md is made from the table of codes: this test compares them, and rewrites the file under `UPDATE_EXPECT=1`.

use std::fs;
use std::path::Path;

use partita_graph::Code;

/// The whole document.
fn document() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Every failure has a code. It is printed with what happened, your own line where one is at fault, the place in the data, and a fix\n\
         where there is one. `partita explain E0107` prints the same pages. E01xx: what was asked for or what was read; E02xx: running it;\n\
         E03xx: functions and guesses; E09xx: our own faults.\n\n\
         This file is made from `graph/src/error.rs`: `UPDATE_EXPECT=1 cargo test -p partita-graph --test error_pages`.\n",
    );
    for code in Code::ALL {
        let title = code.title();
        let (first, rest) = title.split_at(title.chars().next().map_or(0, char::len_utf8));
        text.push_str(&format!("\n## {code}: {}{rest}\n\n{}\n", first.to_uppercase(), code.page()));
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that rewrites expectations is a variable, as for every such test here")]
fn the_document_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let expected = document();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &expected).expect("docs/errors.md can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/errors.md is behind graph/src/error.rs: run `UPDATE_EXPECT=1 cargo test -p partita-graph --test error_pages`"
    );
}

#[test]
fn codes_are_told_apart_and_explained() {
    for pair in Code::ALL.windows(2) {
        assert!((pair[0] as u16) < (pair[1] as u16), "{} stands before {}", pair[0], pair[1]);
    }
    for code in Code::ALL {
        assert!(!code.title().ends_with('.') && code.title().len() > 8, "{code}: the title is a phrase");
        assert!(code.page().ends_with('.') && code.page().len() > code.title().len(), "{code}: the page says more than the title");
    }
}
