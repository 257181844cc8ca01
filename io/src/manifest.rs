//! The manifest of a write that is being published: which staged files are its parts, where they will stand, and what they replace.
//!
//! It refuses to move anything. Invariant: a folder has a manifest exactly from the moment at which a write is published until all
//! its files stand in their places; putting it there is the moment itself, and whoever finds it can finish the work.

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
}

impl Manifest {
    /// The manifest of a folder, if it has one.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>> {
        let Some(content) = folder.read(NAME)? else { return Ok(None) };
        let parsed = serde_json::from_slice(&content);
        parsed.map(Some).map_err(|error| damaged(&folder.name_of(NAME), None, format!("it is no manifest of a write: {error}")))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data")
    }
}
