//! The rule that no name of Dask's is missing on docs/parity.md: its list is made by tests/python/dask_names.py.
//!
//! It refuses to judge what is said of a name; see [`crate::house::parity`] for that.

use std::collections::{BTreeMap, BTreeSet};

/// Where a name of the list must have its row: the prefix of the name, and the heading of the table. Others may stand in any table of their half.
const TABLES: &[(&str, &str)] = &[
    ("groupby.", "Groups"),
    ("rolling.", "Rolling windows"),
    ("resample.", "Windows of time (resample)"),
    ("str.", "Text (`.str`)"),
    ("dt.", "Times (`.dt`)"),
    ("cat.", "Categories (`.cat`)"),
];

/// The names of Dask's on the page: half (`dask.array` or `dask.dataframe`), heading of the table, name.
fn rows(page: &str) -> BTreeSet<(&str, &str, &str)> {
    let (mut half, mut heading, mut found) = ("", "", BTreeSet::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("# Names of ") {
            half = title.split(',').next().unwrap_or("");
        } else if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        } else if line.starts_with("| `") {
            let cell = line.trim_start_matches("| ").split(" | ").next().unwrap_or("");
            found.extend(cell.split('`').skip(1).step_by(2).map(|name| (half, heading, name)));
        }
    }
    found
}

/// Each name of the list has a row.
pub fn names(list: &str, page: &str) -> Vec<String> {
    let rows = rows(page);
    let anywhere: BTreeSet<(&str, &str)> = rows.iter().map(|(half, _, name)| (*half, *name)).collect();
    let (mut half, mut asked, mut complaints) = ("", BTreeMap::<&str, usize>::new(), Vec::new());
    for line in list.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            half = title;
            continue;
        }
        *asked.entry(half).or_default() += 1;
        let is_there = match TABLES.iter().find_map(|(prefix, heading)| Some((line.strip_prefix(prefix)?, *heading))) {
            Some((name, heading)) if half == "dask.dataframe" => rows.contains(&(half, heading, name)),
            // What is a method too is the function of its name.
            _ => {
                let own = line.strip_prefix("Array.").or_else(|| line.strip_prefix("frame.")).unwrap_or(line);
                anywhere.contains(&(half, line)) || anywhere.contains(&(half, own))
            }
        };
        if !is_there {
            complaints.push(format!("docs/parity.md: no row for `{line}` of {half}: say what stands for it here, or why there is nothing"));
        }
    }
    for half in ["dask.array", "dask.dataframe"] {
        if asked.get(half).is_none_or(|count| *count < 100) {
            complaints.push(format!(
                "tests/tidy/dask_names.txt: hardly a name of {half}: this rule would hold for nothing; run tests/python/dask_names.py"
            ));
        }
    }
    complaints
}
