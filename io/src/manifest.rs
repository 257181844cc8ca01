//! The manifest of a write that is being published: which staged files are its parts, where they will stand, and what they replace.
//!
//! It refuses to move anything. Invariant: a folder has a manifest exactly from the moment at which a write is published until all
//! its files stand in their places; putting it there is the moment itself, and whoever finds it can finish the work.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::damage::damaged;
use crate::error::Result;
use crate::folder::Folder;

/// Its name in the folder.
pub(crate) const NAME: &str = "_partita_manifest.json";

/// One file of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it stands in the end, below the folder.
    pub path: String,
    /// Where it was written, below the folder.
    pub staged: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Names the write.
    pub(crate) write: String,
    pub(crate) files: Vec<Part>,
    /// How many of them, at the end, are moved when all others stand in their places: they say what the others are.
    #[serde(default)]
    pub(crate) last: usize,
    /// Files that are no part of the folder any more, below it.
    pub(crate) replaces: Vec<String>,
    /// Whether it is a part that other writes may stand beside: what these have staged is theirs.
    #[serde(default)]
    pub(crate) beside: bool,
    /// Whether it may replace nothing: of several such writes at the same time one wins, and the others have to know that they lost.
    #[serde(default)]
    pub(crate) fresh: bool,
}

impl Manifest {
    /// The manifest of a folder, if it has one.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>> {
        Self::read_as(folder, NAME)
    }

    /// The manifest of this name, if there is one.
    pub(crate) fn read_as(folder: &Folder, name: &str) -> Result<Option<Self>> {
        let Some(content) = folder.read(name)? else { return Ok(None) };
        let parsed = serde_json::from_slice(&content);
        parsed.map(Some).map_err(|error| damaged(&folder.name_of(name), None, format!("it is no manifest of a write: {error}")))
    }

    /// Whether it is this one that the folder has under this name.
    pub(crate) fn stands_as(&self, folder: &Folder, name: &str) -> Result<bool> {
        Ok(Self::read_as(folder, name)?.is_some_and(|standing| standing.write == self.write))
    }

    /// What is replaced and stands where a folder of the new files must be, or in a folder that one of them takes the place of: chunks of
    /// an array of other axes. It has to go before files are moved.
    pub(crate) fn in_the_way(&self) -> Vec<&str> {
        let new: BTreeSet<&str> = self.files.iter().map(|part| part.path.as_str()).collect();
        let folders: BTreeSet<&str> = self.files.iter().flat_map(|part| folders_of(&part.path)).collect();
        let blocks = |old: &&str| folders.contains(old) || folders_of(old).any(|folder| new.contains(folder));
        self.replaces.iter().map(String::as_str).filter(blocks).collect()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data")
    }
}

/// The folders that a file lies in, by their names.
fn folders_of(file: &str) -> impl Iterator<Item = &str> {
    file.match_indices('/').map(|(at, _)| &file[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_way_of_folders_and_folders_of_files() {
        let in_the_way = |new: &[&str], old: &[&str]| {
            let part = |path: &&str| Part { path: (*path).to_owned(), staged: String::new(), rows: 0, bytes: 0 };
            let replaces = old.iter().map(|path| (*path).to_owned()).collect();
            let files = new.iter().map(part).collect();
            let manifest = Manifest { write: String::new(), files, last: 0, replaces, beside: false, fresh: false };
            manifest.in_the_way().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(in_the_way(&["c/0", "zarr.json"], &["c/0/0", "c/0/1", "c/1/0"]), ["c/0/0", "c/0/1"]);
        assert_eq!(in_the_way(&["c/0/0", "c/1/0"], &["c/0", "c/2", "c"]), ["c/0", "c"]);
        assert!(in_the_way(&["c/0/0"], &["c/0/1", "0.0", "c/00"]).is_empty());
    }
}
