//! How a write becomes visible, all at once and once.
//!
//! It refuses to write data. Invariant: readers see either what was there before or the whole new output, whenever a process dies; doing it
//! twice, at the same time or one after the other, gives the same.
//!
//! Parts lie in the hidden folder of the write. Publishing a folder is one step, putting its [`Manifest`] there, which only succeeds where
//! there is none. From then on readers follow it: they take the parts from where they were written, and leave out what it replaces. What
//! follows can be done by anybody and again: each part is moved into its place (renamed on a disk, copied and removed in a store), what is
//! replaced is removed, then the hidden folders, the manifest last. In the end the folder holds nothing but data, under plain names, and
//! readers of other programs need to know nothing. A write that finds the manifest of another one brings that to its end first.
//!
//! Writes that may replace nothing: of several at the same time exactly one is published. It removes what the others have staged, and leaves
//! them word that they lost; that the mark of a write is gone says that it was published only where there is no such word. Word stays until
//! the write that lost has read it, or for a week: who was published in between knows nothing of who is still to come.
//!
//! How a single file becomes visible says `single.rs`.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destination::{Destination, FILE, FRESH, LOST, STAGING, started};
use super::output::{Output, unwritable};
use super::single;
use crate::csv::in_parallel;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::manifest::{self, Manifest, Part};
use crate::store::Address;

/// Names of missing parts that an error shows.
const SHOWN: usize = 3;
/// How often it is looked whether somebody else publishes, or has published, the same or something else.
pub(super) const TRIES: u32 = 6;

/// Word that a write lost is old by then, and its reader is gone.
const OLD: Duration = Duration::from_hours(7 * 24);

/// What a write came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Rows in all files.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Published {
    pub(super) fn of(parts: &[Part]) -> Self {
        let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum();
        Self { rows: sum(|part| part.rows), files: parts.len() as u64, bytes: sum(|part| part.bytes) }
    }
}

/// Refuses a place where there is something that is not to be replaced. A write that was being published there is brought to its end.
pub(super) fn look(folder: &Folder, to: &Destination) -> Result<()> {
    if let Some(manifest) = Manifest::read(folder)? {
        complete_other(folder, &manifest, "")?;
    }
    if let Some(file) = &to.file {
        single::look(folder, file)?;
    }
    refuse_existing(folder, to)
}

/// Fails when files would be replaced that must not be.
pub(super) fn refuse_existing(folder: &Folder, to: &Destination) -> Result<()> {
    if to.overwrite {
        return Ok(());
    }
    let existing = match &to.file {
        Some(file) => folder.size_of(file)?.map(|_| file.clone()),
        None => folder.list()?.into_iter().map(|(below, _)| below).filter(|below| to.replaces(below)).min(),
    };
    match existing {
        Some(example) => Err(Error::new(ErrorKind::OutputExists { example: folder.name_of(&example) }, to.place())),
        None => Ok(()),
    }
}

impl Destination {
    /// Makes the parts visible, each once, and nothing else. All of them must be stored; calling it again is harmless.
    ///
    /// # Errors
    /// `PartsMissing`, `OutputExists` when another write came first, `Unwritable`, what the storage gives.
    pub fn publish(&self, parts: &[Part]) -> Result<Published> {
        let parts = &[parts, &self.last].concat()[..];
        let folder = Folder::of(&self.folder)?;
        if let Some(file) = &self.file {
            return single::publish(self, &folder, file, parts);
        }
        let mut refused = None;
        for _ in 0..TRIES {
            match Manifest::read(&folder)? {
                Some(manifest) if manifest.write == self.token => {
                    let followed = complete(&folder, &manifest, "")?;
                    // In a store the manifest of a write that lost can stand for a moment.
                    if followed && !self.is_lost(&folder)? {
                        return Ok(Published::of(&manifest.files));
                    }
                }
                Some(other) => complete_other(&folder, &other, &self.spared())?,
                None => {}
            }
            if self.is_published(&folder, parts)? {
                // Tasks that were done again after all was done wrote in vain.
                remove_staged(&folder, &self.started(), &folder.staged(|staging| staging == self.staging())?)?;
                return Ok(Published::of(parts));
            }
            if let Some(error) = refused {
                // What is missing is missing because another write came first.
                refuse_existing(&folder, self)?;
                return Err(error);
            }
            // The same step done at the same time moves away what is looked for here: what it does is seen above.
            match self.announce(&folder, parts) {
                Ok(true) => return Ok(Published::of(parts)),
                Ok(false) => {}
                Err(error) => refused = Some(error),
            }
        }
        Err(unwritable(&self.folder, "other writes are being published there again and again"))
    }

    /// Which attempts outlive the end of another write that this one helps to bring about: its own, when it may follow. A write that may
    /// replace nothing has lost by then. It was looked whether files stand there before its manifest is put there, so that another call of
    /// it may be between the two: nothing but what is staged tells that call that it comes too late.
    fn spared(&self) -> String {
        let lost = !self.overwrite && self.replaces_others();
        if lost { String::new() } else { self.staging() }
    }

    /// Puts the manifest there and does what follows; says whether it did. Somebody else's manifest is left alone.
    fn announce(&self, folder: &Folder, parts: &[Part]) -> Result<bool> {
        refuse_existing(folder, self)?;
        if self.finished(folder)? {
            return Err(self.late(folder));
        }
        present(folder, parts)?;
        let manifest = self.manifest(folder, parts)?;
        folder.sync(parts.iter().map(|part| part.staged.as_str()))?;
        if !folder.put_new(manifest::NAME, manifest.to_bytes(), &self.staging())? {
            return Ok(false);
        }
        // In a store somebody slow may come back after all was done, and something newer may stand there: it must leave that as it is. Or
        // another call has followed this manifest, to where nothing of the beaten writes is left.
        if self.finished(folder)? {
            take_away(folder, &manifest, manifest::NAME)?;
            return Err(self.late(folder));
        }
        folder.sync([manifest::NAME])?;
        complete(folder, &manifest, "")
    }

    /// Whether the write has been published to its end, or its attempts were removed: the mark of its start is gone.
    pub(super) fn finished(&self, folder: &Folder) -> Result<bool> {
        Ok(folder.size_of(&self.started())?.is_none())
    }

    /// Whether another write was published instead of this one.
    pub(super) fn is_lost(&self, folder: &Folder) -> Result<bool> {
        Ok(folder.size_of(&started(&self.lost()))?.is_some())
    }

    pub(super) fn late(&self, folder: &Folder) -> Error {
        Error::new(ErrorKind::PartsMissing { missing: vec![folder.name_of(&self.started())] }, self.place())
    }

    /// Whether an earlier call has done it all: the write is finished, and everything stands in its place. Tasks that are done again
    /// write the same bytes, so sizes tell.
    fn is_published(&self, folder: &Folder, parts: &[Part]) -> Result<bool> {
        if !self.finished(folder)? || self.is_lost(folder)? {
            return Ok(false);
        }
        let standing = each(folder, parts, |part| Ok(folder.size_of(&part.path)? == Some(part.bytes)))?;
        Ok(standing.into_iter().all(|standing| standing))
    }

    pub(super) fn manifest(&self, folder: &Folder, parts: &[Part]) -> Result<Manifest> {
        let new: BTreeSet<&str> = parts.iter().map(|part| part.path.as_str()).collect();
        let listed = if self.replaces_others() { folder.list()? } else { Vec::new() };
        let listed = listed.into_iter().map(|(below, _)| below);
        let replaces = listed.filter(|below| self.replaces(below) && !new.contains(below.as_str())).collect();
        let beside = !self.replaces_others() && self.file.is_none();
        let fresh = !self.overwrite && !beside;
        Ok(Manifest { write: self.token.clone(), files: parts.to_vec(), last: self.last.len(), replaces, beside, fresh })
    }
}

/// Calls `ask` for each part; for parts in a store several at a time, because requests wait more than they work.
fn each<T: Send>(folder: &Folder, parts: &[Part], ask: impl Fn(&Part) -> Result<T> + Sync) -> Result<Vec<T>> {
    let threads = if matches!(folder.address, Address::Local(_)) { 1 } else { crate::table::REMOTE_THREADS };
    in_parallel(parts.len(), threads, |at| ask(&parts[at]))
}

/// Fails unless all parts lie where they were written, complete.
pub(super) fn present(folder: &Folder, parts: &[Part]) -> Result<()> {
    let there = each(folder, parts, |part| Ok(folder.size_of(&part.staged)? == Some(part.bytes)))?;
    all_there(folder, parts.iter().zip(there).filter(|(_, there)| !there).map(|(part, _)| part.staged.as_str()))
}

fn all_there<'a>(folder: &Folder, missing: impl Iterator<Item = &'a str>) -> Result<()> {
    let missing: Vec<String> = missing.take(SHOWN).map(|below| folder.name_of(below)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::PartsMissing { missing }, &folder.name)),
    }
}

/// What follows from a manifest, whoever does it and how often. The attempts in the folder `spare` are left alone. Says whether it was
/// followed: not where its mark is gone, because then all was done before, or it never should have been put there.
fn complete(folder: &Folder, manifest: &Manifest, spare: &str) -> Result<bool> {
    let own = format!("{STAGING}{}", manifest.write);
    if folder.size_of(&started(&own))?.is_none() {
        end_unmarked(folder, &own, manifest, manifest::NAME)?;
        return Ok(false);
    }
    let in_the_way = manifest.in_the_way();
    if !in_the_way.is_empty() && manifest.stands_as(folder, manifest::NAME)? {
        remove_replaced(folder, in_the_way.into_iter())?;
    }
    let (parts, last) = manifest.files.split_at(manifest.files.len().saturating_sub(manifest.last));
    for parts in [parts, last] {
        // What somebody else moved meanwhile stands in its place.
        let there =
            each(folder, parts, |part| Ok(folder.rename(&part.staged, &part.path)? || folder.size_of(&part.path)? == Some(part.bytes)))?;
        all_there(folder, parts.iter().zip(there).filter(|(_, there)| !there).map(|(part, _)| part.path.as_str()))?;
    }
    folder.sync(manifest.files.iter().map(|part| part.path.as_str()))?;
    let staged = folder.staged(|staging| match manifest.beside {
        // Two regions of one array can be written at the same time: the other one is still to come.
        true => staging == own,
        false => staging.starts_with(STAGING) && !staging.starts_with(FILE) && staging != spare,
    })?;
    // Somebody faster may have done the rest, and something newer may stand here by now. What was staged before the manifest went is
    // nobody's any more: the next write begins when the manifest is gone.
    if !manifest.stands_as(folder, manifest::NAME)? {
        return Ok(true);
    }
    remove_replaced(folder, manifest.replaces.iter().map(String::as_str))?;
    // Who finds no mark does not look for them again.
    folder.sync(manifest.replaces.iter().map(String::as_str))?;
    remove_beaten(folder, &manifest.write, manifest.fresh, &own, staged)?;
    take_away(folder, manifest, manifest::NAME)?;
    Ok(true)
}

/// What is left to do for a manifest without a mark: its hidden folder `own` and itself go. No other write is any of its business.
pub(super) fn end_unmarked(folder: &Folder, own: &str, manifest: &Manifest, name: &str) -> Result<()> {
    folder.staged(|staging| staging == own)?.iter().try_for_each(|staged| folder.remove_staged(staged))?;
    take_away(folder, manifest, name)
}

/// Removes the manifest of this name that was followed, and not one that stands there by now.
pub(super) fn take_away(folder: &Folder, manifest: &Manifest, name: &str) -> Result<()> {
    if manifest.stands_as(folder, name)? { folder.remove(name) } else { Ok(()) }
}

/// The same for the manifest of another write. One whose parts are gone while its mark is gone too was followed to its end, or never should
/// have been there: its files were removed since, and it is in nobody's way.
fn complete_other(folder: &Folder, manifest: &Manifest, spare: &str) -> Result<()> {
    match complete(folder, manifest, spare).map(drop) {
        Err(error) if matches!(error.kind(), ErrorKind::PartsMissing { .. }) => {
            let mark = started(&format!("{STAGING}{}", manifest.write));
            match folder.size_of(&mark)?.is_none() && manifest.stands_as(folder, manifest::NAME)? {
                true => folder.remove(manifest::NAME),
                false => Err(error),
            }
        }
        done => done,
    }
}

/// Removes the hidden folder `own` of the write `write`, which is published, and before that those of the writes that it beat: who finds
/// its mark gone takes its manifest away, and then nobody must have anything left to put there. If it may replace nothing they get word of
/// it, and of others those that may replace nothing.
pub(super) fn remove_beaten(folder: &Folder, write: &str, fresh: bool, own: &str, mut staged: Vec<String>) -> Result<()> {
    let name = |staged: &str| staged.split('/').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = staged.iter().map(|staged| name(staged)).filter(|name| name != own).collect();
    let mut kept = BTreeSet::new();
    // Before anything of theirs is removed: who misses it looks for the word.
    for name in names {
        let fresh_too = || Ok::<_, Error>(folder.read(&started(&name))?.unwrap_or_default().ends_with(FRESH));
        if name.ends_with(LOST) {
            // Word that is not there yet is being written.
            if folder.age_of(&started(&name))?.is_none_or(|age| age < OLD) {
                kept.insert(name);
            }
        } else if fresh || fresh_too()? {
            let mut word = Output::create(folder, &started(&format!("{name}{LOST}")))?;
            word.write_all(write.as_bytes()).map_err(|error| unwritable(&folder.name, error))?;
            word.finish()?;
        }
    }
    staged.retain(|staged| !kept.contains(&name(staged)));
    let (ours, beaten): (Vec<String>, Vec<String>) = staged.into_iter().partition(|staged| name(staged) == own);
    // Marks first: who is about to publish what is being removed finds none.
    let marks: BTreeSet<String> = beaten.iter().map(|staged| started(&name(staged))).collect();
    marks.iter().try_for_each(|mark| folder.remove(mark))?;
    beaten.iter().try_for_each(|staged| folder.remove_staged(staged))?;
    remove_staged(folder, &started(own), &ours)
}

fn remove_replaced<'a>(folder: &Folder, mut replaced: impl Iterator<Item = &'a str>) -> Result<()> {
    replaced.try_for_each(|old| {
        folder.remove(old)?;
        folder.remove_empty(old);
        Ok(())
    })
}

/// Removes hidden folders of writes, those that were cut off too; first of all the mark of the write that is complete.
pub(super) fn remove_staged(folder: &Folder, mark: &str, staged: &[String]) -> Result<()> {
    folder.remove(mark)?;
    staged.iter().try_for_each(|staged| folder.remove_staged(staged))
}
