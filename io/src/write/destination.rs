//! Where a write goes: what writes of all formats have in common.
//!
//! It refuses to know formats. Invariant: what an attempt writes lies in a hidden folder that belongs to the write, under a name that says
//! which attempt it is; so attempts never meet, and what nobody publishes is never seen.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::output::{Output, unwritable};
use super::publish;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{Folder, visible};
use crate::manifest::Part;
use crate::table::absolute;

/// Folders of attempts begin with this; for a single file also with [`FILE`].
pub(super) const STAGING: &str = ".partita-";
pub(super) const FILE: &str = ".partita-file-";
/// Folders that tell a write that it lost end with this.
pub(super) const LOST: &str = ".lost";
/// Marks of writes that may replace nothing end with this: whoever is published instead leaves them word.
pub(super) const FRESH: &[u8] = b"\nfresh";

/// Which files of a folder a write takes the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replaces {
    /// Those that readers see, at any depth, with these endings.
    Endings(Vec<String>),
    /// Those of a stack of `.npy` files.
    Stack,
    /// Those of a Zarr array: its metadata and chunks.
    Zarr,
    /// None but those that it writes itself.
    Nothing,
}

/// A place that is written to, and one write of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The folder that it writes into: a whole path, or a URL.
    pub(super) folder: String,
    /// The name of its only file, if it is to have one.
    pub(super) file: Option<String>,
    /// Names the write.
    pub(super) token: String,
    /// Whether what is there may be replaced.
    pub(super) overwrite: bool,
    replaces: Replaces,
    /// Small files that say what the others are. They are written before all others and become visible after them.
    pub(super) last: Vec<Part>,
}

impl Destination {
    /// A write of several files into a folder. `token` is a name that no other write has.
    ///
    /// # Errors
    /// A name that no storage has.
    pub fn folder(path: &str, token: &str, overwrite: bool, replaces: Replaces) -> Result<Self> {
        let folder = Folder::of(&absolute(path))?.name;
        Ok(Self { folder, file: None, token: token.to_owned(), overwrite, replaces, last: Vec::new() })
    }

    /// A write of one file, which its parts become when they are joined in their order.
    ///
    /// # Errors
    /// `InvalidOption` for what is no name of a file.
    pub fn file(path: &str, token: &str, overwrite: bool) -> Result<Self> {
        let path = absolute(path);
        let parts = path.rsplit_once('/').filter(|(folder, file)| !folder.ends_with('/') && !file.is_empty());
        let Some((folder, file)) = parts else {
            let accepted = format!("the name of a file, not {path:?}");
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "single_file"));
        };
        let folder = Folder::of(if folder.is_empty() { "/" } else { folder })?.name;
        let file = Some(file.to_owned());
        Ok(Self { folder, file, token: token.to_owned(), overwrite, replaces: Replaces::Nothing, last: Vec::new() })
    }

    /// Looks at what is there, brings a write that was cut off while it was published to its end, and marks that this one has begun.
    ///
    /// # Errors
    /// `OutputExists`, `Unwritable`, what the storage gives.
    pub fn begin(&self) -> Result<()> {
        let folder = Folder::of(&self.folder)?;
        publish::look(&folder, self)?;
        let mut started = Output::create(&folder, &self.started())?;
        let fresh: &[u8] = if self.overwrite { b"" } else { FRESH };
        let written = started.write_all(self.token.as_bytes()).and_then(|()| started.write_all(fresh));
        written.map_err(|error| unwritable(&folder.name, error))?;
        started.finish().map(drop)
    }

    /// Writes a small file that becomes visible after all others. Not for writes of a single file.
    ///
    /// # Errors
    /// `Unwritable` with the storage's answer.
    pub fn write_last(&mut self, below: &str, content: &[u8]) -> Result<()> {
        let part = self.write(below, 0, &[content], 0)?;
        self.last.push(part);
        Ok(())
    }

    /// Writes a file that is to stand at `below` in the folder; for a single file it is the part of this name. `attempt` tells tries of
    /// the same part apart; `rows` says what is in it.
    ///
    /// # Errors
    /// `Unwritable` with the storage's answer.
    pub fn write(&self, below: &str, rows: u64, content: &[&[u8]], attempt: u32) -> Result<Part> {
        let folder = Folder::of(&self.folder)?;
        let staged = format!("{}/{below}-{attempt}", self.staging());
        let mut output = Output::create(&folder, &staged)?;
        for piece in content {
            output.write_all(piece).map_err(|error| unwritable(&folder.name_of(below), error))?;
        }
        let bytes = output.finish()?;
        Ok(Part { path: below.to_owned(), staged, rows, bytes })
    }

    /// A file that is there from before the first part until the write is published: who does not find it sees another storage, or
    /// comes too late.
    ///
    /// # Errors
    /// A name that no storage has.
    pub fn mark(&self) -> Result<String> {
        Ok(Folder::of(&self.folder)?.name_of(&self.started()))
    }

    pub(super) fn started(&self) -> String {
        started(&self.staging())
    }

    /// Removes what a write left that was refused with `OutputExists`. Only for who knows that no task of it goes on.
    ///
    /// # Errors
    /// `Unwritable`, what the storage gives.
    pub fn withdraw(&self) -> Result<()> {
        let folder = Folder::of(&self.folder)?;
        let (own, lost) = (self.staging(), self.lost());
        let staged = folder.staged(|staging| staging == own || staging == lost)?;
        staged.iter().try_for_each(|staged| folder.remove_staged(staged))
    }

    /// Where it goes, as a user would write it.
    pub fn place(&self) -> String {
        match &self.file {
            Some(file) => format!("{}/{file}", self.folder.trim_end_matches('/')),
            None => self.folder.clone(),
        }
    }

    /// The folder of the attempts.
    pub(super) fn staging(&self) -> String {
        match &self.file {
            Some(file) => format!("{FILE}{file}-{}", self.token),
            None => format!("{STAGING}{}", self.token),
        }
    }

    /// The folder that says that another write was published instead, which removed the attempts of this one.
    pub(super) fn lost(&self) -> String {
        format!("{}{LOST}", self.staging())
    }

    /// Whether files may be replaced that it does not write itself.
    pub(super) fn replaces_others(&self) -> bool {
        self.replaces != Replaces::Nothing
    }

    /// Whether a name in the folder is one of a file that this write would replace.
    pub(super) fn replaces(&self, below: &str) -> bool {
        match (&self.file, &self.replaces) {
            (Some(file), _) => below == file,
            (None, Replaces::Endings(endings)) => visible(below) && endings.iter().any(|ending| below.ends_with(ending)),
            (None, Replaces::Stack) => below == "info" || below.strip_suffix(".npy").is_some_and(is_number),
            (None, Replaces::Zarr) => of_zarr(below),
            (None, Replaces::Nothing) => false,
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name below the folder of a Zarr array is that of its metadata or of a chunk. Whatever else lies there is nobody's to remove.
fn of_zarr(below: &str) -> bool {
    let chunk = below.strip_prefix("c/").or(below.strip_prefix("c.")).unwrap_or(below);
    let metadata = ["zarr.json", ".zarray", ".zattrs"].contains(&below);
    metadata || below == "c" || chunk.split(['/', '.']).all(is_number)
}

/// The mark of a write in the folder of its attempts: it is there from before the first part until all parts stand in their places.
pub(super) fn started(staging: &str) -> String {
    format!("{staging}/started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_array_consists_of_is_replaced() {
        let replaced = |replaces: Replaces, below: &str| Destination::folder("a", "t", true, replaces).unwrap().replaces(below);
        for below in ["zarr.json", ".zarray", ".zattrs", "c", "c/0/12", "c.0.1", "0.0", "17", "0/3"] {
            assert!(replaced(Replaces::Zarr, below), "{below}");
        }
        for below in ["readme.txt", "b/zarr.json", "b/c/0", ".partita-1/c/0", "c/x", "_partita_manifest.json", "", "1..2"] {
            assert!(!replaced(Replaces::Zarr, below), "{below}");
        }
        for (below, expected) in [("0.npy", true), ("info", true), ("12.npy", true), ("x.npy", false), ("a/0.npy", false), (".npy", false)]
        {
            assert_eq!(replaced(Replaces::Stack, below), expected, "{below}");
        }
        assert!(!replaced(Replaces::Nothing, "zarr.json"));
    }
}
