//! A folder, on a disk or in a store, as a set of files with names below it; and which of them make up a table.
//!
//! It refuses to know formats. Invariant: hidden names (`.x`, `_x`) are no part of a table, so that what a write that is under way or
//! was cut off left behind is never read; while a write is being published, its manifest says what the folder holds.

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{self, Manifest};
use crate::resolve::{self, Found, identity, local_facts, natural};
use crate::source::io_error;
use crate::store::{Address, Facts, Remote, address, get_whole, store_error, unreadable};

/// Folders nest no deeper than this; a link that leads back up would have no end.
const DEEPEST: u32 = 32;
/// A folder that changes while it is listed is listed again so many times.
const LISTINGS: u32 = 5;

/// A place for files.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// As the user would write it, without a slash at its end.
    pub(crate) name: String,
    /// A key in a store has no slash at its end.
    pub(crate) address: Address,
}

impl Folder {
    /// Nothing is looked up: the folder need not exist.
    pub(crate) fn of(name: &str) -> Result<Self> {
        let trimmed = match name.trim_end_matches('/') {
            "" => name,
            // A store without a folder keeps its slashes: memory://, s3://bucket/.
            short if short.ends_with(':') => name,
            short => short,
        };
        let mut address = address(trimmed)?;
        if let Address::Remote(remote) = &mut address {
            remote.key = remote.key.trim_matches('/').to_owned();
        }
        Ok(Self { name: trimmed.to_owned(), address })
    }

    /// The name of a file in it, as the user would write it.
    pub(crate) fn name_of(&self, below: &str) -> String {
        match self.name.ends_with('/') {
            true => format!("{}{below}", self.name),
            false => format!("{}/{below}", self.name),
        }
    }

    /// The object of a file in it.
    pub(crate) fn object(remote: &Remote, below: &str) -> Remote {
        let key = if remote.key.is_empty() { below.to_owned() } else { format!("{}/{below}", remote.key) };
        Remote { key, ..remote.clone() }
    }

    /// All files at any depth, hidden ones too, with their names below the folder. A folder that is not there holds none.
    pub(crate) fn list(&self) -> Result<Vec<(String, Facts)>> {
        match &self.address {
            Address::Local(path) => {
                let mut found = Vec::new();
                walk(path, "", DEEPEST, &mut found).map_err(|error| unreadable(&self.name, error))?;
                Ok(found)
            }
            Address::Remote(remote) => {
                let prefix = if remote.key.is_empty() { String::new() } else { format!("{}/", remote.key) };
                let listed = remote.list(&remote.key).map_err(|error| store_error(&self.name, error))?;
                Ok(listed.into_iter().filter_map(|(key, facts)| Some((key.strip_prefix(&prefix)?.to_owned(), facts))).collect())
            }
        }
    }

    /// The content of a file in it, if there is one of this name.
    pub(crate) fn read(&self, below: &str) -> Result<Option<Vec<u8>>> {
        let name = self.name_of(below);
        match &self.address {
            Address::Local(path) => match std::fs::read(path.join(below)) {
                Ok(content) => Ok(Some(content)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(io_error(&name, error)),
            },
            Address::Remote(remote) => match get_whole(&Self::object(remote, below)) {
                Ok(content) => Ok(Some(content.to_vec())),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(store_error(&name, error)),
            },
        }
    }
}

/// What vanishes while it is walked over is passed over: a write that is being published moves files.
fn walk(folder: &Path, below: &str, depth: u32, found: &mut Vec<(String, Facts)>) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if gone(&error) => continue,
            Err(error) => return Err(error),
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        match std::fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() && depth > 0 => walk(&entry.path(), &name, depth - 1, found)?,
            Ok(meta) if meta.is_file() => found.push((name, local_facts(&meta))),
            Ok(_) => {}
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a name below a folder is one that readers see. A folder `_k=v` holds rows whose column is called `_k`.
pub(crate) fn visible(below: &str) -> bool {
    below.split('/').all(|part| !part.starts_with('.') && (!part.starts_with('_') || part.contains('=')))
}

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) found: Found,
    /// Its name below the folder, or below the part of the pattern that is no pattern.
    pub(crate) below: String,
}

/// The files that names, patterns and folders stand for, each once and in a stable order. In folders those whose names end in one of
/// `endings`, at any depth.
pub(crate) fn members(patterns: &[String], endings: &[&str]) -> Result<Vec<Member>> {
    each_once(patterns, |pattern| match matching(pattern) {
        Err(error) if *error.kind() == ErrorKind::IsDirectory => inside(pattern, endings),
        found => found,
    })
}

/// The same where a folder is an error.
pub(crate) fn files(patterns: &[String]) -> Result<Vec<Member>> {
    each_once(patterns, matching)
}

fn each_once(patterns: &[String], of: impl Fn(&str) -> Result<Vec<Member>>) -> Result<Vec<Member>> {
    // Whatever is opened is found here first, and names of folders are cast to find out their types.
    crate::quiet::quiet_casts();
    let mut members = patterns.iter().map(|pattern| of(pattern)).collect::<Result<Vec<_>>>()?.concat();
    let mut seen = std::collections::BTreeSet::new();
    members.retain(|member| seen.insert(identity(&member.found.name)));
    Ok(members)
}

/// The files that a name or a pattern stands for.
fn matching(pattern: &str) -> Result<Vec<Member>> {
    let found = resolve::find(&[pattern.to_owned()])?;
    Ok(found.into_iter().map(|found| Member { below: below(pattern, &found.name), found }).collect())
}

/// What of a name lies below the folder in which its pattern begins to be one.
fn below(pattern: &str, name: &str) -> String {
    let literal = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let base = pattern[..literal].rfind('/').map_or("", |slash| &pattern[..=slash]);
    let plain = |text: &str| text.trim_start_matches("./").to_owned();
    let (base, name) = (plain(base), plain(name));
    name.strip_prefix(&base).unwrap_or(&name).to_owned()
}

fn inside(name: &str, endings: &[&str]) -> Result<Vec<Member>> {
    let folder = Folder::of(name)?;
    for _ in 1..LISTINGS {
        if let Some(members) = listed(&folder, endings)? {
            return Ok(members);
        }
    }
    let members = listed(&folder, endings)?;
    members.ok_or_else(|| unreadable(name, "its files change while they are listed: another write is being published"))
}

/// The members of a folder; `None` when it changed while it was looked at.
fn listed(folder: &Folder, endings: &[&str]) -> Result<Option<Vec<Member>>> {
    let all = folder.list()?;
    let wanted = |below: &str| visible(below) && endings.iter().any(|ending| below.ends_with(ending));
    let mut members: Vec<Member> = Vec::new();
    let member = |below: &str, at: &str, facts: &Facts| Member {
        found: Found { name: folder.name_of(at), facts: facts.clone() },
        below: below.to_owned(),
    };
    let manifest = match all.iter().any(|(below, _)| below == manifest::NAME) {
        true => Manifest::read(folder)?,
        false => None,
    };
    let published = |below: &str| {
        let Some(manifest) = &manifest else { return true };
        !manifest.replaces.iter().any(|old| old == below) && !manifest.files.iter().any(|new| new.path == below)
    };
    members.extend(all.iter().filter(|(below, _)| wanted(below) && published(below)).map(|(below, facts)| member(below, below, facts)));
    for new in manifest.iter().flat_map(|manifest| &manifest.files).filter(|new| wanted(&new.path)) {
        // Until it is moved into place, a part is read where it was written.
        let at = [&new.staged, &new.path].into_iter().find_map(|at| all.iter().find(|(below, _)| below == at));
        let Some((at, facts)) = at else { return Ok(None) };
        members.push(member(&new.path, at, facts));
    }
    if members.is_empty() {
        let pattern = folder.name_of(&format!("**/*{}", endings.first().unwrap_or(&"")));
        return Err(Error::new(ErrorKind::NoMatch, pattern));
    }
    members.sort_by(|a, b| natural(&a.below, &b.below));
    Ok(Some(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names() {
        for seen in ["a.parquet", "k=1/a", "_k=1/a", "k=_/a", "a_b/c.d"] {
            assert!(visible(seen), "{seen}");
        }
        for hidden in [".a", "_SUCCESS", ".partita-1/a.parquet", "k=1/.a", "_tmp/k=1/a"] {
            assert!(!visible(hidden), "{hidden}");
        }
    }

    #[test]
    fn what_lies_below_a_pattern() {
        assert_eq!(below("data/*/x-*.parquet", "data/k=1/x-2.parquet"), "k=1/x-2.parquet");
        assert_eq!(below("./data/**/*.parquet", "data/k=1/j=2/x.parquet"), "k=1/j=2/x.parquet");
        assert_eq!(below("data/k=1/x.parquet", "data/k=1/x.parquet"), "x.parquet");
        assert_eq!(below("*.parquet", "x.parquet"), "x.parquet");
    }

    #[test]
    fn names_of_folders() {
        let name = |folder: &str| Folder::of(folder).unwrap().name_of("a/b");
        assert_eq!(name("out/"), "out/a/b");
        assert_eq!(name("memory:///out"), "memory:///out/a/b");
        assert_eq!(name("memory://"), "memory://a/b");
    }

    #[test]
    fn members_of_folders_and_patterns() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        for name in
            ["k=2/part-10.parquet", "k=2/part-9.parquet", "k=10/part-1.parquet", "note.txt", ".partita-7/part-1.parquet", "_SUCCESS"]
        {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            crate::put(&format!("{root}/{name}"), b"x".to_vec()).unwrap();
            crate::put(&format!("memory://members/{name}"), b"x".to_vec()).unwrap();
        }
        let expected = ["k=2/part-9.parquet", "k=2/part-10.parquet", "k=10/part-1.parquet"];
        for root in [root.as_str(), "memory://members"] {
            for pattern in [root.to_owned(), format!("{root}/"), format!("{root}/**/*.parquet"), format!("{root}/*/*.parquet")] {
                let found = members(&[pattern.clone(), format!("{root}/k=2/part-9.parquet")], &[".parquet"]).unwrap();
                assert_eq!(found.iter().map(|member| member.below.as_str()).collect::<Vec<_>>(), expected, "{pattern}");
            }
            let none = members(&[root.to_owned()], &[".arrow"]).unwrap_err();
            assert_eq!(none.kind(), &ErrorKind::NoMatch);
        }
    }
}
