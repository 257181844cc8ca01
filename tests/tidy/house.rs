//! Rules about the whole house: who may depend on whom, what the map and the tables must name, what the documents promise.
//!
//! It refuses to judge single files; see [`crate::shape`] for those. A complaint says file, rule, reason and fix.

use std::collections::BTreeSet;

use crate::shape::has_unsafe;
use crate::tree::{Source, files_below, has_word, names_in, read, root};

/// For each crate the crates of ours that it may know. The root package, which holds what stands above, may know all.
const LAYERS: &[(&str, &[&str])] = &[
    ("graph", &[]),
    ("graph/macros", &[]),
    ("io", &[]),
    ("distributed/core", &["graph"]),
    ("distributed/local", &["graph", "core"]),
    ("distributed/sim", &["graph", "core"]),
    ("distributed/net", &["graph", "core", "local"]),
    ("distributed/dashboard", &["graph", "core"]),
    ("distributed/deploy", &["graph", "core", "net", "local"]),
];

const CRATES: &[&str] = &["graph", "macros", "io", "core", "local", "sim", "net", "dashboard", "deploy"];

/// A foreign crate, where its name may stand in product code, and why nowhere else.
const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "polars",
        &["io/src/", "collections/src/frame/", "collections/src/delayed/", "collections/src/client/", "collections/src/lib.rs", "cli/src/"],
        "what a task is and when it runs must not depend on a data format; move the code into io/ or collections/src/frame/",
    ),
    (
        "tokio",
        &["io/src/blocking.rs", "distributed/net/", "distributed/dashboard/", "distributed/deploy/"],
        "one runtime behind one door cannot meet the user's own by accident; go through io/src/blocking.rs",
    ),
];

/// The crate folder that a file belongs to, for the crates of [`LAYERS`].
fn crate_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    LAYERS.iter().rev().filter(|(folder, _)| path.starts_with(&format!("{folder}/"))).max_by_key(|(folder, _)| folder.len()).copied()
}

pub fn imports(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let path = &source.path;
    for (line, code) in source.product_lines() {
        if let Some((folder, allowed)) = crate_of(path).filter(|_| !source.is_trial()) {
            let own = folder.rsplit('/').next().unwrap_or(folder);
            for other in CRATES.iter().filter(|other| **other != own && !allowed.contains(other)) {
                if has_word(code, &format!("partita_{other}")) {
                    complaints.push(format!(
                        "{path}:{line}: `{folder}` knows `partita_{other}`: layers point one way (ARCHITECTURE.md); turn the need around"
                    ));
                }
            }
        }
        for (word, places, reason) in CONFINED {
            let here = source.is_trial() || places.iter().any(|place| path.starts_with(place));
            if !here && mentions_crate(code, word) {
                complaints.push(format!("{path}:{line}: `{word}` may not stand here: {reason}"));
            }
        }
    }
    complaints
}

/// `polars::`, `polars_arrow::`, `use polars;` — and not a variable or function that is called `polars_pool`.
fn mentions_crate(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let rest = code[at..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        before && (rest.starts_with("::") || code.trim_start().starts_with("use ") && rest.starts_with([';', ' ']))
    })
}

/// The manifest's own list of dependencies, development ones left out.
pub fn manifest(folder: &str, allowed: &[&str], text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut section = "";
    for line in text.lines() {
        section = if line.starts_with('[') { line.trim() } else { section };
        let name = line.split(['.', ' ', '=']).next().unwrap_or("");
        if !section.ends_with("dependencies]") || section.contains("dev-dependencies") || name.is_empty() {
            continue;
        }
        if name.strip_prefix("partita-").is_some_and(|other| !allowed.contains(&other)) {
            complaints
                .push(format!("{folder}/Cargo.toml: depends on `{name}`: layers point one way (ARCHITECTURE.md); turn the need around"));
        }
        for (word, places, reason) in CONFINED {
            let inside = places.iter().any(|place| place.starts_with(&format!("{folder}/")));
            if (name == *word || name.starts_with(&format!("{word}-"))) && !inside {
                complaints.push(format!("{folder}/Cargo.toml: depends on `{name}`: {reason}"));
            }
        }
    }
    complaints
}

pub fn manifests() -> Vec<String> {
    LAYERS.iter().flat_map(|(folder, allowed)| manifest(folder, allowed, &read(&format!("{folder}/Cargo.toml")))).collect()
}

/// Every operation is in a table, and every operation shows itself in a doc test.
pub fn operations(folder: &str) -> Vec<String> {
    let tables = read("collections/src/operators.rs") + &read(&format!("{folder}/mod.rs"));
    let mut complaints = Vec::new();
    for entry in names_in(folder).iter().filter(|name| *name != "mod.rs") {
        let path = format!("{folder}/{entry}");
        let name = entry.trim_end_matches(".rs");
        if !has_word(&tables, name) {
            complaints.push(format!(
                "{path}: in no table: an operation that no worker knows cannot run; add its line to collections/src/operators.rs"
            ));
        }
        let files = if root().join(&path).is_dir() { files_below(&path, ".rs") } else { vec![path.clone()] };
        let texts: Vec<_> = files.iter().map(|file| read(file)).collect();
        let public = texts.iter().any(|text| text.contains("pub fn ") || text.contains("pub async fn "));
        let shown =
            texts.iter().any(|text| text.lines().any(|line| ["/// ```", "//! ```"].iter().any(|mark| line.trim_start().starts_with(mark))));
        if public && !shown {
            complaints.push(format!(
                "{path}: no example: users copy examples, and an example is a test on the whole way; add a doc test that asserts"
            ));
        }
    }
    complaints
}

/// Every folder of the first level, and every crate of distributed/, is on the map.
pub fn map(architecture: &str) -> Vec<String> {
    let mut folders = names_in("");
    folders.retain(|name| root().join(name).is_dir());
    folders.push(".ci".into());
    folders.extend(names_in("distributed").iter().map(|name| format!("distributed/{name}")));
    let missing = folders.iter().filter(|folder| !architecture.contains(&format!("`{folder}/`")));
    missing
        .map(|folder| format!("ARCHITECTURE.md: `{folder}/` is not on the map: a newcomer cannot know what it is for; add its row"))
        .collect()
}

/// The list of files with `unsafe` is complete and holds nothing else.
pub fn unsafe_list(architecture: &str, sources: &[Source]) -> Vec<String> {
    let section = architecture.split("\n## ").find(|part| part.starts_with("Unsafe")).unwrap_or("");
    let mut complaints = Vec::new();
    for source in sources {
        let path = &source.path;
        let has = source.code.lines().any(has_unsafe);
        let listed = section.contains(&format!("\n| `{path}`"));
        if has && !listed {
            complaints.push(format!("{path}: `unsafe` outside the list in ARCHITECTURE.md: it belongs into few named kernels; write it safely, or add the file with its safe twin"));
        }
        if listed && !has {
            complaints.push(format!("ARCHITECTURE.md: `{path}` is listed under unsafe and has none; take it off the list"));
        }
    }
    complaints
}

/// A promise "kept by `file::test`" names a test that exists.
pub fn promised_tests(document: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        let Some((file, test)) = quoted.split_once(".rs::") else { continue };
        if !read(&format!("{file}.rs")).contains(&format!("fn {test}(")) {
            complaints
                .push(format!("{document}: `{quoted}` does not exist: a promise without a test is not kept; name the test that keeps it"));
        }
    }
    complaints
}

/// Links to files of the checkout lead somewhere.
pub fn links(document: &str, text: &str) -> Vec<String> {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut complaints = Vec::new();
    for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let target = target.split(['#', ' ']).next().unwrap_or("");
        if !target.is_empty() && !target.contains("://") && !root().join(folder).join(target).exists() {
            complaints.push(format!("{document}: the link to `{target}` leads nowhere; correct it"));
        }
    }
    complaints
}

/// Each code of graph/src/error.rs has a section in docs/errors.md.
pub fn error_pages(table: &str, pages: &str) -> Vec<String> {
    let codes = table.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" = ")?;
        let number: u16 = rest.split_once(", \"")?.0.parse().ok()?;
        Some((name, number))
    });
    let codes: Vec<_> = codes.collect();
    if codes.is_empty() {
        return vec![
            "graph/src/error.rs: no table of codes was found: this rule would hold for nothing; adapt it to the table's new form".into(),
        ];
    }
    let missing = codes.iter().filter(|(_, number)| !pages.contains(&format!("\n## E{number:04}")));
    missing
        .map(|(name, number)| {
            format!(
                "docs/errors.md: no section E{number:04} ({name}): run `UPDATE_EXPECT=1 cargo test -p partita-graph --test error_pages`"
            )
        })
        .collect()
}

/// Every line of the README's first Rust example stands in examples/quickstart.rs, which runs and asserts its result.
pub fn readme_example(readme: &str, quickstart: &str) -> Vec<String> {
    let Some(example) = readme.split("```rust").nth(1).and_then(|rest| rest.split("```").next()) else {
        return vec!["README.md: no example in Rust: people judge by it; show examples/quickstart.rs".into()];
    };
    let known: Vec<_> = quickstart.lines().map(str::trim).collect();
    let strange =
        example.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//") && !known.contains(line));
    strange
        .map(|line| format!("README.md: `{line}` is not in examples/quickstart.rs: only what runs is shown; make both say the same"))
        .collect()
}

/// What `docs/parity.md` says of our names: each row has something of ours or a remark, no name of Dask's stands twice in a table, and
/// every `Type::name` of ours is a public function of that type, or of one of its macros.
pub fn parity(page: &str, sources: &[Source]) -> Vec<String> {
    let (mut complaints, mut rows, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for line in page.lines() {
        if line.starts_with("## ") {
            seen.clear();
        }
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if !line.starts_with("| `") {
            continue;
        }
        rows += 1;
        let [dask, ours, remark] = cells[..] else {
            complaints.push(format!("docs/parity.md: `{line}`: a row has three cells: Dask's name, ours, a remark"));
            continue;
        };
        if !seen.insert(dask.to_string()) {
            complaints.push(format!("docs/parity.md: {dask} stands twice in one table; keep one row"));
        }
        if ours == "—" && remark.is_empty() {
            complaints.push(format!("docs/parity.md: {dask} has neither a name of ours nor a reason; say why there is none"));
        }
    }
    if rows == 0 {
        return vec!["docs/parity.md: no rows were found: this rule would hold for nothing; adapt it to the page's new form".into()];
    }
    let methods = methods_of(sources);
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((owner, name)) = quoted.split_once("::").filter(|(owner, _)| OURS.contains(owner)) else { continue };
        let name = name.split('(').next().unwrap_or(name);
        if !methods.contains(&(owner.to_string(), name.to_string())) {
            complaints.push(format!("docs/parity.md: `{quoted}` does not exist: a name that is not there misleads; name the one that is"));
        }
    }
    complaints
}

/// Types of ours whose methods the page names; free functions are those of `partita`.
const OURS: &[&str] = &["DFrame", "GroupBy", "Aggregation", "Rolling", "Resample", "Join", "AsOf", "DArray", "Random", "Client", "partita"];

/// Public methods by type, and free functions. In a file with `pub fn $name` the names are those that its macro is called with, see
/// [`entries`].
fn methods_of(sources: &[Source]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.path.starts_with("collections/src/")) {
        let mut owner = "partita";
        let mut by_macro = None;
        for (_, line) in source.product_lines() {
            if line.starts_with('}') {
                owner = "partita";
            }
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("impl").filter(|rest| rest.starts_with([' ', '<'])) {
                let name = without_generics(rest).trim_start().split([' ', '<', '{']).next().unwrap_or("");
                owner = if rest.contains(" for ") { "" } else { name };
            }
            let after = ["pub fn ", "pub async fn "].iter().find_map(|start| line.strip_prefix(start));
            match after.map(|rest| rest.split(['(', '<']).next().unwrap_or("")) {
                Some("$name") => by_macro = Some(owner),
                Some(name) => drop(found.insert((owner.to_string(), name.to_string()))),
                None => {}
            }
            if let Some(owner) = by_macro {
                found.extend(entries(line).into_iter().map(|name| (owner.to_string(), name.to_string())));
            }
        }
    }
    found
}

/// What follows `<…>`, if the text begins with that.
fn without_generics(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { text } else { &text[at + 1..] };
        }
    }
    text
}

/// The names at the beginning of a macro's entry: `name;`, `name, …;`, `name Variant;`, `name other -> …;` or `name(…) … = …`.
fn entries(line: &str) -> Vec<&str> {
    let is_name = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let is_call = line.split_once('(').is_some_and(|(name, rest)| is_name(&name) && rest.contains(") ") && rest.contains(" = "));
    if !line.ends_with(';') && !is_call {
        return Vec::new();
    }
    line.split([' ', ',', ';', '(']).take(2).take_while(is_name).collect()
}
