//! Which files are compressed, and plain bytes out of them.
//!
//! It refuses to know where bytes come from. Invariant: the content decides, not the name (a browser may have unpacked `x.csv.gz`
//! and kept the name), and nothing is ever unpacked whole into memory.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// `.gz`, also of several members.
    Gzip,
    /// `.zst`.
    Zstd,
    /// `.bz2`, also of several streams.
    Bzip2,
}

/// Bytes that are enough for [`Compression::of`] and [`foreign`].
pub(crate) const MAGIC: usize = 10;

impl Compression {
    /// Recognizes a file by its first bytes.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A table could begin with the letters BZh; the block mark after them cannot come by chance.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Self::Bzip2,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// Plain bytes out of packed ones.
    pub(crate) fn unpack(self, packed: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
        })
    }
}

/// What a file is when it is surely not text, in the user's words.
pub(crate) fn foreign(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [b'P', b'K', 3, 4, ..] => "this is a zip archive: unpack it, or pack its tables with gzip, zstd or bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "this is packed with xz: gzip, zstd and bzip2 are understood",
        [b'P', b'A', b'R', b'1', ..] => "this is a Parquet file, not text",
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => "this is an Arrow file, not text",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16 text: convert it to UTF-8 first",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(packed: Vec<u8>, expected: Compression) {
        assert_eq!(Compression::of(&packed), expected);
        let mut plain = Vec::new();
        expected.unpack(io::Cursor::new(packed)).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(plain, b"a,b\n1,2\n");
    }

    #[test]
    fn every_packing_is_recognized_and_undone() {
        let text = &b"a,b\n1,2\n"[..];
        let mut gzip = Vec::new();
        flate2::read::GzEncoder::new(text, flate2::Compression::fast()).read_to_end(&mut gzip).unwrap();
        let mut bzip2 = Vec::new();
        bzip2::read::BzEncoder::new(text, bzip2::Compression::fast()).read_to_end(&mut bzip2).unwrap();
        there_and_back(gzip, Compression::Gzip);
        there_and_back(bzip2, Compression::Bzip2);
        there_and_back(zstd::encode_all(text, 1).unwrap(), Compression::Zstd);
        there_and_back(text.to_vec(), Compression::None);
    }

    #[test]
    fn letters_alone_are_text() {
        assert_eq!(Compression::of(b"BZh1,name\n"), Compression::None);
        assert!(foreign(b"PAR1,name\n").is_some());
        assert!(foreign(b"PK,name\n").is_none());
    }
}
