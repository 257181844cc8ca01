//! Kinds of elements, by the names that array files give them.
//!
//! It refuses to know what is done with elements. Invariant: a kind that is not here is an error that names it as the file does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Place};

/// What an array consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Signed, one byte.
    I8,
    /// Signed, two bytes.
    I16,
    /// Signed, four bytes.
    I32,
    /// Signed, eight bytes.
    I64,
    /// Unsigned, one byte.
    U8,
    /// Unsigned, two bytes.
    U16,
    /// Unsigned, four bytes.
    U32,
    /// Unsigned, eight bytes.
    U64,
    /// Floating point, four bytes.
    F32,
    /// Floating point, eight bytes.
    F64,
    /// Complex, two floats of four bytes, the real part first.
    C64,
    /// Complex, two floats of eight bytes.
    C128,
}

/// Kind, its name in Rust, NumPy's code without the order of bytes, Zarr's name.
static NAMES: [(Kind, &str, &str, &str); 13] = [
    (Kind::Bool, "bool", "b1", "bool"),
    (Kind::I8, "i8", "i1", "int8"),
    (Kind::I16, "i16", "i2", "int16"),
    (Kind::I32, "i32", "i4", "int32"),
    (Kind::I64, "i64", "i8", "int64"),
    (Kind::U8, "u8", "u1", "uint8"),
    (Kind::U16, "u16", "u2", "uint16"),
    (Kind::U32, "u32", "u4", "uint32"),
    (Kind::U64, "u64", "u8", "uint64"),
    (Kind::F32, "f32", "f4", "float32"),
    (Kind::F64, "f64", "f8", "float64"),
    (Kind::C64, "Complex<f32>", "c8", "complex64"),
    (Kind::C128, "Complex<f64>", "c16", "complex128"),
];

impl Kind {
    /// All of them.
    #[cfg(feature = "hdf5")]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|names| names.0)
    }

    /// As Rust writes it: `f64`.
    pub fn name(self) -> &'static str {
        self.names().1
    }

    /// The kind that Rust writes so.
    pub fn of_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|names| names.1 == name).map(|names| names.0)
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 | Kind::C64 => 8,
            Kind::C128 => 16,
        }
    }

    /// Bytes of what has an order of bytes: a part of a complex number, or an element.
    fn word(self) -> usize {
        match self {
            Kind::C64 | Kind::C128 => self.size() / 2,
            _ => self.size(),
        }
    }

    fn names(self) -> &'static (Kind, &'static str, &'static str, &'static str) {
        NAMES.iter().find(|names| names.0 == self).expect("each kind has its line")
    }

    /// As NumPy writes it, little-endian: `<f8`, `|b1`.
    pub(crate) fn numpy(self) -> String {
        format!("{}{}", if self.size() == 1 { '|' } else { '<' }, self.names().2)
    }

    /// The kind that NumPy writes so, and whether its bytes are in big-endian order.
    pub(crate) fn of_numpy(descr: &str) -> Option<(Self, bool)> {
        let (order, code) = descr.split_at_checked(1)?;
        let kind = NAMES.iter().find(|names| names.2 == code)?.0;
        match order {
            "<" | "|" | "=" => Some((kind, false)),
            ">" => Some((kind, true)),
            _ => None,
        }
    }

    /// As Zarr 3 writes it: `float64`.
    pub(crate) fn zarr(self) -> &'static str {
        self.names().3
    }

    /// The kind that Zarr 3 writes so.
    pub(crate) fn of_zarr(name: &str) -> Option<Self> {
        NAMES.iter().find(|names| names.3 == name).map(|names| names.0)
    }

    /// The failure for a file of another kind. `dtype` is as the file says it.
    pub(crate) fn unknown(file: &str, dtype: &str) -> Error {
        Error::at(ErrorKind::UnknownType { what: dtype.to_owned() }, Place { file: file.to_owned(), ..Place::default() })
    }

    /// The bytes of elements in little-endian order.
    pub fn little(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            return Cow::Borrowed(bytes);
        }
        let mut bytes = bytes.to_vec();
        self.swap(&mut bytes);
        Cow::Owned(bytes)
    }

    /// Turns the bytes of elements round, from the other order of bytes to this machine's or back.
    pub(crate) fn swap(self, bytes: &mut [u8]) {
        if self.word() > 1 {
            bytes.chunks_exact_mut(self.word()).for_each(<[u8]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for (kind, ..) in NAMES.iter().copied() {
            assert_eq!(Kind::of_name(kind.name()), Some(kind));
            assert_eq!(Kind::of_zarr(kind.zarr()), Some(kind));
            assert_eq!(Kind::of_numpy(&kind.numpy()), Some((kind, false)));
            let bits: usize = kind.zarr().trim_start_matches(char::is_alphabetic).parse().unwrap_or(8);
            assert_eq!(bits, kind.size() * 8, "{kind:?}");
        }
        assert_eq!(Kind::of_numpy(">u2"), Some((Kind::U16, true)));
        assert_eq!(Kind::of_numpy("<c16"), Some((Kind::C128, false)));
        assert_eq!((Kind::of_numpy("<c32"), Kind::of_numpy(""), Kind::of_numpy("é8")), (None, None, None));
        let mut bytes = [1, 2, 3, 4];
        Kind::U16.swap(&mut bytes);
        assert_eq!(bytes, [2, 1, 4, 3]);
        let mut parts = [1, 2, 3, 4, 5, 6, 7, 8];
        Kind::C64.swap(&mut parts);
        assert_eq!(parts, [4, 3, 2, 1, 8, 7, 6, 5], "each part of a complex number by itself");
    }
}
