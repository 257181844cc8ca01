//! How a single file becomes visible: its parts are joined under a hidden name, and a rename is one step already.
//!
//! It refuses to know formats. Invariant: readers see what was there before or the whole new file. A file that may replace nothing needs one
//! step that only one write can do: putting a manifest beside it, under a hidden name of the file. Whoever finds it joins the parts and
//! renames; the manifest goes when the file stands.
//!
//! Whoever is slow must not put an old file over a newer one. On a disk a rename fails when somebody else has removed the parts. A store has no
//! rename, and no copy that looks at what it replaces; there whoever has joined the parts looks whether the mark of the write is still there,
//! and who removes the mark removes what is joined after it. What is left is a copy that the store is making at the very moment at which
//! another process publishes, ends, and a newer write is published from its beginning to its end.

use std::io::Write;

use super::destination::{Destination, FILE, started};
use super::output::{Output, unwritable};
use super::publish::{Published, TRIES, end_unmarked, present, refuse_existing, remove_beaten, remove_staged, take_away};
use crate::compress::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::manifest::{Manifest, Part};
use crate::source::Source;

/// Parts are joined in pieces of so many bytes.
const PIECE: usize = 1 << 20;

/// The manifest of a file that is being published where there is none.
fn claim(file: &str) -> String {
    format!("{FILE}{file}.claim")
}

/// Where the parts of a write are put together.
fn joined(staging: &str) -> String {
    format!("{staging}/joined")
}

/// Whether a hidden folder is of a write of this file, and not of another one whose name begins with it: of `t`, not of `t-2`. The names of
/// writes have no dash.
fn is_of(file: &str, staging: &str) -> bool {
    let named = staging.strip_prefix(FILE).filter(|rest| !rest.ends_with(".claim")).and_then(|rest| rest.rsplit_once('-'));
    named.is_some_and(|(name, _)| name == file)
}

/// Brings a file to its end that was being published.
pub(super) fn look(folder: &Folder, file: &str) -> Result<()> {
    match Manifest::read_as(folder, &claim(file))? {
        Some(manifest) => complete(folder, file, &manifest).map(drop),
        None => Ok(()),
    }
}

/// Joins the parts and moves the file into its place; calling it again is harmless.
pub(super) fn publish(to: &Destination, folder: &Folder, file: &str, parts: &[Part]) -> Result<Published> {
    let published = Published { files: 1, ..Published::of(parts) };
    match to.overwrite {
        true => replace(to, folder, file, parts, published),
        false => publish_new(to, folder, file, parts, published),
    }
}

fn publish_new(to: &Destination, folder: &Folder, file: &str, parts: &[Part], published: Published) -> Result<Published> {
    let mut refused = None;
    for _ in 0..TRIES {
        if let Some(manifest) = Manifest::read_as(folder, &claim(file))? {
            let followed = complete(folder, file, &manifest)?;
            // In a store the manifest of a write that lost can stand for a moment.
            if followed && manifest.write == to.token && !to.is_lost(folder)? {
                return Ok(published);
            }
        }
        if is_done(to, folder, file, published)? && !to.is_lost(folder)? {
            remove_own(to, folder)?;
            return Ok(published);
        }
        if let Some(error) = refused {
            // What is missing is missing because another write came first.
            refuse_existing(folder, to)?;
            return Err(error);
        }
        // The same step done at the same time moves away what is looked for here: what it does is seen above.
        match announce(to, folder, file, parts) {
            Ok(true) => return Ok(published),
            Ok(false) => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(unwritable(&to.place(), "other writes are being published there again and again"))
}

/// Whether an earlier call has done it all, and has removed the parts or is about to.
fn is_done(to: &Destination, folder: &Folder, file: &str, published: Published) -> Result<bool> {
    Ok(to.finished(folder)? && folder.size_of(file)? == Some(published.bytes))
}

/// Tasks that were done again after all was done wrote in vain.
fn remove_own(to: &Destination, folder: &Folder) -> Result<()> {
    remove_staged(folder, &to.started(), &folder.staged(|staging| staging == to.staging())?)
}

/// Puts the manifest there and does what follows; says whether it did.
fn announce(to: &Destination, folder: &Folder, file: &str, parts: &[Part]) -> Result<bool> {
    refuse_existing(folder, to)?;
    if to.finished(folder)? {
        return Err(to.late(folder));
    }
    present(folder, parts)?;
    let manifest = to.manifest(folder, parts)?;
    folder.sync(parts.iter().map(|part| part.staged.as_str()))?;
    if !folder.put_new(&claim(file), manifest.to_bytes(), &to.staging())? {
        return Ok(false);
    }
    // In a store somebody slow may come back after another write was published to its end, which removed this one's mark.
    if to.finished(folder)? {
        take_away(folder, &manifest, &claim(file))?;
        return Err(to.late(folder));
    }
    complete(folder, file, &manifest)
}

/// What follows from a manifest, whoever does it and how often. Says whether it was followed: not where its mark is gone, because then all
/// was done before, or it never should have been put there.
fn complete(folder: &Folder, file: &str, manifest: &Manifest) -> Result<bool> {
    let own = format!("{FILE}{file}-{}", manifest.write);
    if folder.size_of(&started(&own))?.is_none() {
        end_unmarked(folder, &own, manifest, &claim(file))?;
        return Ok(false);
    }
    match present(folder, &manifest.files).and_then(|()| join(folder, file, &own, &manifest.files)) {
        // Somebody faster has moved it, and has removed the parts or is about to. Where the mark is gone too that was done to its end, and
        // the file may be gone by now.
        Err(_) if folder.size_of(file)?.is_some() || folder.size_of(&started(&own))?.is_none() => {}
        joined => joined?,
    }
    folder.sync([file])?;
    let staged = folder.staged(|staging| is_of(file, staging))?;
    // Somebody faster may have done the rest, and something newer may stand here by now.
    if !manifest.stands_as(folder, &claim(file))? {
        return Ok(true);
    }
    remove_beaten(folder, &manifest.write, manifest.fresh, &own, staged)?;
    folder.remove(&joined(&own))?;
    take_away(folder, manifest, &claim(file))?;
    Ok(true)
}

/// Takes the place of a file, if there is one; of several such writes the last one stands.
fn replace(to: &Destination, folder: &Folder, file: &str, parts: &[Part], published: Published) -> Result<Published> {
    let done = match to.finished(folder)? {
        true => Err(to.late(folder)),
        false => present(folder, parts).and_then(|()| join(folder, file, &to.staging(), parts)).and_then(|()| {
            folder.sync([file])?;
            remove_beaten(folder, &to.token, false, &to.staging(), folder.staged(|staging| is_of(file, staging))?)?;
            folder.remove(&joined(&to.staging()))
        }),
    };
    match done {
        // The same step done before or at the same time has done it all.
        Err(_) if is_done(to, folder, file, published)? => {
            remove_own(to, folder)?;
            Ok(published)
        }
        done => done.map(|()| published),
    }
}

/// Joins parts under a hidden name in the folder `staging`, and moves the file into its place.
fn join(folder: &Folder, file: &str, staging: &str, parts: &[Part]) -> Result<()> {
    let bytes = Published::of(parts).bytes;
    let joined = joined(staging);
    let mut output = Output::create(folder, &joined)?;
    for part in parts {
        copy(&folder.name_of(&part.staged), part.bytes, &mut output)?;
    }
    output.finish()?;
    let missing = || Error::new(ErrorKind::PartsMissing { missing: vec![folder.name_of(&joined)] }, folder.name_of(file));
    // Joining takes its time. Without its mark the write has been published meanwhile, and something newer may stand there.
    if folder.size_of(&started(staging))?.is_none() {
        remove_staged(folder, &started(staging), &folder.staged(|name| name == staging)?)?;
        return Err(missing());
    }
    // The same step done at the same time may have moved it.
    if !folder.rename(&joined, file)? && folder.size_of(file)? != Some(bytes) {
        return Err(missing());
    }
    Ok(())
}

fn copy(name: &str, bytes: u64, output: &mut Output<'_>) -> Result<()> {
    let mut source = Source::open(name, bytes, Compression::None, 0..bytes)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < bytes {
        let read = source.read_at(at, &mut piece)?;
        output.write_all(&piece[..read]).map_err(|error| unwritable(name, error))?;
        at += read as u64;
    }
    Ok(())
}
