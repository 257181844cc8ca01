//! The committed corpus of a fuzz target, as the tests say what is in it.
//!
//! It refuses to know what a message means. `UPDATE_CORPUS=1` writes it anew.

use std::path::Path;

/// Which of the files that tests wrote into this folder are not what they say today.
pub fn others(folder: &Path, said: &[Vec<u8>]) -> Vec<String> {
    let mut others = Vec::new();
    for (number, message) in said.iter().enumerate() {
        let path = folder.join(format!("said-{number:02}"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, message).unwrap();
        }
        if std::fs::read(&path).unwrap_or_default() != *message {
            others.push(path.display().to_string());
        }
    }
    others
}

/// None is.
#[track_caller]
pub fn assert_none(others: &[String]) {
    assert!(others.is_empty(), "these are not what is said today; write them anew with UPDATE_CORPUS=1:\n{}", others.join("\n"));
}
