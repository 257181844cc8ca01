//! Sizes as users write them: numbers of bytes, or text with a unit.

/// A number of bytes: a number, or text such as `"64MB"` or `"1GiB"`.
pub trait IntoBytes {
    /// The number, or the text that is none.
    fn into_bytes(self) -> Result<u64, String>;
}

impl IntoBytes for u64 {
    fn into_bytes(self) -> Result<u64, String> {
        Ok(self)
    }
}

impl IntoBytes for &str {
    fn into_bytes(self) -> Result<u64, String> {
        self.parse::<bytesize::ByteSize>().map(|size| size.as_u64()).map_err(|_| self.to_string())
    }
}

impl IntoBytes for String {
    fn into_bytes(self) -> Result<u64, String> {
        self.as_str().into_bytes()
    }
}
