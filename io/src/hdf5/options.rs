//! How datasets of HDF5 are written.

use crate::error::{Error, ErrorKind, Result};

/// Options for writing HDF5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hdf5WriteOptions {
    pub(super) overwrite: bool,
    pub(super) append: bool,
    pub(super) gzip: Option<u8>,
    pub(super) chunks: Option<Vec<usize>>,
}

impl Hdf5WriteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether what is there may be replaced: the file, or with `append` a dataset of this name. The old file can be read until the new one
    /// is complete. Default: no, it is an error.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Whether the file keeps the datasets that it has. It is copied first, so that it appears at once all the same. Default: no.
    pub fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }

    /// Packs with gzip, levels 1 to 9, after the bytes of elements are shuffled. Default: not packed.
    #[doc(alias = "compression")]
    pub fn gzip(mut self, level: u8) -> Self {
        self.gzip = Some(level);
        self
    }

    /// What the file stores together, one length for each axis. Default: pieces of the array's chunks of at most 1 MiB.
    pub fn chunks(mut self, chunks: impl Into<Vec<usize>>) -> Self {
        self.chunks = Some(chunks.into());
        self
    }

    /// Refuses what cannot be, for an array of these lengths.
    ///
    /// # Errors
    /// `InvalidOption`; its file is the option's name.
    pub fn check(&self, shape: &[usize]) -> Result<()> {
        let invalid = |name: &str, accepted: String| Err(Error::new(ErrorKind::InvalidOption { accepted }, name));
        match (&self.gzip, &self.chunks) {
            (Some(level), _) if !(1..=9).contains(level) => invalid("gzip", format!("levels 1 to 9, not {level}")),
            (_, Some(chunks)) if chunks.len() != shape.len() || chunks.contains(&0) => {
                invalid("chunks", format!("{} lengths from 1 on, not {chunks:?}", shape.len()))
            }
            (_, Some(chunks)) if !shape.contains(&0) && chunks.iter().zip(shape).any(|(chunk, len)| chunk > len) => {
                invalid("chunks", format!("lengths of at most {shape:?}, which is the shape of the array, not {chunks:?}"))
            }
            _ => Ok(()),
        }
    }
}
