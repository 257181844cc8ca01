//! How Zarr arrays are written.

use crate::error::{Error, ErrorKind, Result};

/// How chunks of Zarr arrays are packed, with a level: higher is smaller and slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZarrCodec {
    /// Not at all.
    None,
    /// Zstandard, levels 1 to 22.
    Zstd(u8),
    /// Gzip, levels 1 to 9.
    Gzip(u8),
    /// Blosc with LZ4 and shuffled bytes, levels 1 to 9: fast, good for numbers that change little.
    Blosc(u8),
}

/// Options for writing Zarr arrays.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ZarrWriteOptions {
    pub(super) version: u8,
    pub(super) codec: ZarrCodec,
    pub(super) chunks: Option<Vec<usize>>,
    pub(super) shards: Option<Vec<usize>>,
    pub(super) overwrite: bool,
    pub(super) fill_value: f64,
    pub(super) dimension_names: Option<Vec<String>>,
}

impl Default for ZarrWriteOptions {
    fn default() -> Self {
        Self { version: 3, codec: ZarrCodec::Zstd(3), chunks: None, shards: None, overwrite: false, fill_value: 0.0, dimension_names: None }
    }
}

impl ZarrWriteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the format, 2 or 3. Default: 3.
    #[doc(alias = "zarr_format")]
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// How chunks are packed. Default: Zstandard, level 3.
    #[doc(alias = "compressors")]
    pub fn compression(mut self, codec: ZarrCodec) -> Self {
        self.codec = codec;
        self
    }

    /// The chunks of the file, one length for each axis. Default: those of the array. The array is cut anew where a block of it is not
    /// whole chunks.
    pub fn chunks(mut self, chunks: impl Into<Vec<usize>>) -> Self {
        self.chunks = Some(chunks.into());
        self
    }

    /// Puts many chunks into one file, a shard of these lengths, which are multiples of those of the chunks; `chunks` must be said too.
    /// Version 3 only. Default: a file for each chunk.
    pub fn shards(mut self, shards: impl Into<Vec<usize>>) -> Self {
        self.shards = Some(shards.into());
        self
    }

    /// Whether an array that is there already is replaced. It can be read until the new one is complete. Default: no, it is an error.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// What elements are that were never written: readers see it where a chunk is missing. A number that an element can be, of complex
    /// ones the real part. Default: 0.
    pub fn fill_value(mut self, value: f64) -> Self {
        self.fill_value = value;
        self
    }

    /// Names of the axes, as xarray reads them. Version 3 only. Default: none.
    pub fn dimension_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.dimension_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// What stands in one file: a shard or a chunk, if they were said.
    pub fn unit(&self) -> Option<&[usize]> {
        self.shards.as_deref().or(self.chunks.as_deref())
    }

    /// Refuses what cannot be, for an array of so many axes.
    ///
    /// # Errors
    /// `InvalidOption`; its file is the option's name.
    pub fn check(&self, ndim: usize) -> Result<()> {
        let invalid = |name: &str, accepted: String| Err(Error::new(ErrorKind::InvalidOption { accepted }, name));
        if !matches!(self.version, 2 | 3) {
            return invalid("version", format!("2 or 3, not {}", self.version));
        }
        for (name, lengths) in [("chunks", &self.chunks), ("shards", &self.shards)] {
            if let Some(lengths) = lengths
                && (lengths.len() != ndim || lengths.contains(&0))
            {
                return invalid(name, format!("{ndim} lengths from 1 on, not {lengths:?}"));
            }
        }
        if let Some(shards) = &self.shards {
            let Some(chunks) = &self.chunks else { return invalid("shards", "shards of chunks: say .chunks(…) too".to_owned()) };
            if self.version == 2 {
                return invalid("shards", "no shards in version 2".to_owned());
            }
            if shards.iter().zip(chunks).any(|(shard, chunk)| !shard.is_multiple_of(*chunk)) {
                return invalid("shards", format!("multiples of the chunks {chunks:?}, not {shards:?}"));
            }
        }
        match &self.dimension_names {
            Some(_) if self.version == 2 => invalid("dimension_names", "no names in version 2".to_owned()),
            Some(names) if names.len() != ndim => invalid("dimension_names", format!("{ndim} names, not {}", names.len())),
            _ => self.check_level(),
        }
    }

    fn check_level(&self) -> Result<()> {
        let (level, most) = match self.codec {
            ZarrCodec::None => return Ok(()),
            ZarrCodec::Zstd(level) => (level, 22),
            ZarrCodec::Gzip(level) | ZarrCodec::Blosc(level) => (level, 9),
        };
        match (1..=most).contains(&level) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidOption { accepted: format!("levels 1 to {most}, not {level}") }, "compression")),
        }
    }
}
