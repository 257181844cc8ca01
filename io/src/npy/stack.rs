//! A folder of `.npy` files that are one array: `0.npy`, `1.npy`, … one after the other along an axis, as Dask writes them.
//!
//! It refuses to run Python: of the file `info`, a pickle, it looks for one number only.

use super::{Npy, open_found};
use crate::csv::in_parallel;
use crate::damage::damaged;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{Folder, Member, members};
use crate::store::Address;
use crate::table::{REMOTE_THREADS, absolute};

/// The files of one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// In order.
    pub files: Vec<Npy>,
    /// The axis along which they follow each other.
    pub axis: usize,
}

/// Reads the headers of all files of a stack.
///
/// # Errors
/// `NoMatch` for a folder without such files or with a gap between them, `SchemaMismatch` for files that do not fit together, as
/// [`super::open`] for each.
pub fn open_stack(folder: &str) -> Result<Stack> {
    let folder = Folder::of(&absolute(folder))?;
    let numbered = |member: &Member| member.below.strip_suffix(".npy").is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_digit()));
    let found: Vec<Member> = members(std::slice::from_ref(&folder.name), &[".npy"])?.into_iter().filter(numbered).collect();
    if found.is_empty() {
        return Err(Error::new(ErrorKind::NoMatch, folder.name_of("0.npy")));
    }
    // One that is missing would shift all that come after it.
    let stem = |member: &Member| member.below.trim_end_matches(".npy").parse::<usize>().ok();
    if let Some(missing) = (0..found.len()).find(|at| stem(&found[*at]) != Some(*at)) {
        return Err(Error::new(ErrorKind::NoMatch, folder.name_of(&format!("{missing}.npy"))));
    }
    let threads = if matches!(folder.address, Address::Local(_)) { 1 } else { REMOTE_THREADS };
    let files = in_parallel(found.len(), threads, |at| open_found(found[at].found.clone()))?;
    let axis = match folder.read("info")?.as_deref().and_then(axis_of) {
        Some(axis) => axis,
        None => differing_axis(&files),
    };
    if let Some((file, difference)) = files.iter().find_map(|file| misfit(&files[0], file, axis).map(|difference| (file, difference))) {
        return Err(Error::new(ErrorKind::SchemaMismatch { first: files[0].name.clone(), difference }, file.name.clone()));
    }
    match axis < files[0].shape.len() {
        true => Ok(Stack { files, axis }),
        false => Err(damaged(&folder.name_of("info"), None, format!("it names axis {axis}, which the files do not have"))),
    }
}

fn misfit(first: &Npy, other: &Npy, axis: usize) -> Option<String> {
    let shape = |file: &Npy| file.shape.iter().enumerate().map(|(at, len)| if at == axis { 0 } else { *len }).collect::<Vec<_>>();
    match first.kind == other.kind && shape(first) == shape(other) {
        true => None,
        false => {
            Some(format!("shape {:?} of {}, and the first has {:?} of {}", other.shape, other.kind.name(), first.shape, first.kind.name()))
        }
    }
}

/// The first axis along which the files differ; 0 when they do not.
fn differing_axis(files: &[Npy]) -> usize {
    let differs = |axis: &usize| files.iter().any(|file| file.shape.get(*axis) != files[0].shape.get(*axis));
    (0..files[0].shape.len()).find(differs).unwrap_or(0)
}

/// The small number that follows the text `axis` in a pickle, whatever was remembered in between.
fn axis_of(info: &[u8]) -> Option<usize> {
    let at = info.windows(4).position(|window| window == b"axis")?;
    let after = match &info[at + 4..] {
        // MEMOIZE of newer pickles, BINPUT of older ones.
        [0x94, rest @ ..] | [b'q', _, rest @ ..] => rest,
        rest => rest,
    };
    match after {
        [b'K', axis, ..] => Some(usize::from(*axis)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_found_in_pickles() {
        assert_eq!(axis_of(b"\x80\x04}\x94(\x8c\x04axis\x94K\x01u."), Some(1));
        assert_eq!(axis_of(b"\x80\x02}q\x00(X\x04\x00\x00\x00axisq\x05K\x02u."), Some(2));
        assert_eq!(axis_of(&super::super::stack_info(crate::kind::Kind::F64, &[vec![2, 300], vec![70_000]], 1)), Some(1));
        assert_eq!((axis_of(b"axis"), axis_of(b""), axis_of(b"axisN")), (None, None, None));
    }
}
