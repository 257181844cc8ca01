//! Keeps the house true: sizes, heads, names, layers, tables, the map, and what the documents promise.
//!
//! It uses the standard library only and is built with the smallest crate, so it runs long before anything large is compiled.
//! Each rule is shown below to complain about a file that breaks it.

#[path = "tidy/dask.rs"]
mod dask;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;

use tree::{Source, read, sources};

#[track_caller]
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[track_caller]
fn every_source(rule: fn(&Source) -> Vec<String>) {
    assert_none(sources().iter().flat_map(rule).collect());
}

#[test]
fn files_are_short() {
    every_source(shape::size);
}

#[test]
fn functions_are_short() {
    every_source(shape::functions);
}

#[test]
fn files_say_what_they_are() {
    every_source(shape::head);
}

#[test]
fn names_name_things() {
    every_source(|source| shape::name(&source.path));
}

#[test]
fn banned_words_are_absent() {
    every_source(shape::words);
}

#[test]
fn errors_are_data() {
    every_source(shape::error_variants);
}

#[test]
fn unsafe_blocks_say_why() {
    every_source(shape::safety_comments);
}

#[test]
fn imports_point_one_way() {
    every_source(house::imports);
}

#[test]
fn dependencies_point_one_way() {
    assert_none(house::manifests());
}

#[test]
fn operations_are_listed_and_shown() {
    assert_none(house::operations("collections/src/frame/ops"));
    assert_none(house::operations("collections/src/array/ops"));
}

#[test]
fn folders_are_on_the_map() {
    assert_none(house::map(&read("ARCHITECTURE.md")));
}

#[test]
fn unsafe_files_are_listed() {
    assert_none(house::unsafe_list(&read("ARCHITECTURE.md"), &sources()));
}

#[test]
fn promised_tests_exist() {
    assert_none(house::promised_tests("ARCHITECTURE.md", &read("ARCHITECTURE.md")));
}

#[test]
fn documents_link_to_what_exists() {
    let mut documents = tree::files_below("docs", ".md");
    documents.extend(["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md"].map(String::from));
    assert_none(documents.iter().flat_map(|path| house::links(path, &read(path))).collect());
}

#[test]
fn style_fits_in_one_reading() {
    let lines = read("STYLE.md").lines().count();
    assert!((1..=150).contains(&lines), "STYLE.md: {lines} lines, 1 to 150: a guide that nobody finishes guides nobody; shorten it");
}

#[test]
fn error_codes_have_pages() {
    assert_none(house::error_pages(&read("graph/src/error.rs"), &read("docs/errors.md")));
}

#[test]
fn names_beside_those_of_dask_exist() {
    assert_none(house::parity(&read("docs/parity.md"), &sources()));
    let examples = house::parity(&read("docs/dask_array.md"), &sources());
    assert_none(examples.iter().map(|complaint| complaint.replace("docs/parity.md", "docs/dask_array.md")).collect());
}

#[test]
fn names_of_dask_have_rows() {
    assert_none(dask::names(&read("tests/tidy/dask_names.txt"), &read("docs/parity.md")));
}

#[test]
fn readme_shows_the_quickstart() {
    assert_none(house::readme_example(&read("README.md"), &read("examples/quickstart.rs")));
}

/// The rule complains about this file once.
#[track_caller]
fn complains(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) {
    let complaints = rule(&Source::new(path, text));
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with(path), "{complaints:?}");
}

#[test]
fn rules_of_one_file_catch_what_breaks_them() {
    complains(shape::size, "io/src/a.rs", &"x\n".repeat(501));
    complains(shape::functions, "io/src/a.rs", &format!("fn long(x: [u8; 2]) {{\n{}}}\nfn short() {{\n}}\n", "    x;\n".repeat(59)));
    complains(shape::head, "io/src/a.rs", "// Not a head.\n");
    complains(|source| shape::name(&source.path), "io/src/csv_helpers.rs", "");
    complains(shape::words, "io/src/a.rs", "fn f() {\n    todo!()\n}\n");
    complains(shape::error_variants, "io/src/a.rs", "enum ReadError {\n    Other(String),\n}\n");
    complains(shape::safety_comments, "io/src/a.rs", "fn f() {\n    unsafe { g() }\n}\n");
    complains(house::imports, "graph/src/a.rs", "use partita_core::protocol;\n");
    complains(house::imports, "distributed/core/src/a.rs", "use polars::prelude::*;\n");
    complains(house::imports, "io/src/read.rs", "fn f() { tokio::spawn(g()); }\n");
}

#[test]
fn rules_of_one_file_leave_good_files_alone() {
    let text = "//! Head with \"todo!\".\nuse partita_graph::Key;\n// SAFETY: sound.\nfn f() -> char { unsafe { '\"' } }\nconst T: &str = r#\"dbg! unsafe \"polars::\"#;\n\
                fn polars_free() {}\n#[cfg(test)]\nmod tests {\n    use polars::prelude::*;\n}\n";
    let source = Source::new("distributed/core/src/a.rs", text);
    let rules = [shape::size, shape::functions, shape::head, shape::words, shape::error_variants, shape::safety_comments, house::imports];
    assert_none(rules.iter().flat_map(|rule| rule(&source)).collect());
    assert_eq!(source.lines_without_tests(), 6);
    assert_eq!(source.code.lines().count(), text.lines().count());
}

#[test]
fn rules_of_the_house_catch_what_breaks_them() {
    let one = |complaints: Vec<String>| assert_eq!(complaints.len(), 1, "{complaints:?}");
    one(house::manifest("distributed/core", &["graph"], "[dependencies]\npartita-graph.workspace = true\npartita-io.workspace = true\n"));
    one(house::manifest("graph", &[], "[dependencies]\npolars-core = \"1\"\n[dev-dependencies]\npolars = \"1\"\n"));
    one(house::unsafe_list("\n## Unsafe code\n", &[Source::new("io/src/a.rs", "unsafe fn f() {}")]));
    one(house::unsafe_list("\n## Unsafe code\n\n| `io/src/a.rs` | speed |", &[Source::new("io/src/a.rs", "fn f() {}")]));
    one(house::promised_tests("A.md", "kept by `tests/tidy.rs::no_such_test`, `tests/tidy.rs::files_are_short`"));
    one(house::links("docs/A.md", "[a](no_such.md) [b](../Cargo.toml) [c](https://example.org)"));
    one(house::error_pages("    NoSuchFile = 101, \"t\",\n", "\n## E0102"));
    let frame = [Source::new("collections/src/a.rs", "impl DFrame {\n    pub fn here(&self) {}\n}\n")];
    let page = |row: &str| format!("| Dask | ours | remark |\n| --- | --- | --- |\n| `a` | `DFrame::here` | yes |\n{row}\n");
    one(house::parity(&page("| `b` | `DFrame::gone` | no |"), &frame));
    one(house::parity(&page("| `b` | — |  |"), &frame));
    one(house::parity(&page("| `a` | `DFrame::here` | again |"), &frame));
    one(house::parity("no table", &frame));
    assert_none(house::parity(&page("| `b` | — | why |"), &frame));
    let array = [
        Source::new("collections/src/a.rs", "impl DFrame {\n    pub fn here(&self) {}\n}\n"),
        Source::new(
            "collections/src/b.rs",
            "macro_rules! all {\n    ($name:ident) => {\n        impl<T: $Class> DArray<T> {\n            pub fn $name(&self) {}\n        }\n    };\n}\n\
             all! {\n    sin Sin;\n    sum sum_axis -> T::Sum = Fold::Sum;\n    gamma(form: f64) -> f64 = Gamma;\n}\n\
             pub fn einsum<T: Element>() {}\nimpl<T: Element> fmt::Debug for DArray<T> {\n    pub fn fmt(&self) {}\n}\n",
        ),
    ];
    assert_none(house::parity(
        &page("| `b` | `DArray::sin`, `DArray::sum_axis`, `DArray::gamma(form)`, `partita::einsum` | yes |"),
        &array,
    ));
    one(house::parity(&page("| `b` | `DArray::einsum` | no |"), &array));
    one(house::parity(&page("| `b` | `DArray::fmt` | no |"), &array));
    one(house::parity(&page("| `b` | `partita::sin` | no |"), &array));
    let many: String = (0..100).map(|at| format!("a{at}\n")).collect();
    let all: String = (0..100).map(|at| format!("`a{at}` ")).collect();
    let list = format!("# dask.dataframe\n{many}frame.a1\nstr.upper\n# dask.array\n{many}Array.a1\nfft.a1\n");
    let both = |text: &str, fft: &str| {
        let frames = format!("# Names of dask.dataframe, and ours\n## Frames\n| {all} | — | x |\n## Text (`.str`)\n| `{text}` | — | x |\n");
        format!("{frames}# Names of dask.array, and ours\n## Arrays\n| {all} `{fft}` | — | x |\n")
    };
    assert_none(dask::names(&list, &both("upper", "fft.a1")));
    one(dask::names(&list, &both("lower", "fft.a1")));
    one(dask::names(&list, &both("upper", "ifft.a1")));
    one(dask::names(
        &list.replacen("# dask.array", "# dask.bag", 1).replace("fft.a1\n", ""),
        &both("upper", "x").replace("dask.array", "dask.bag"),
    ));
    one(house::readme_example("```rust\nlet a = 1;\nlet b = 2;\n```", "    let a = 1;\n"));
    assert!(house::map("`graph/`").iter().any(|complaint| complaint.contains("`distributed/core/`")));
}
