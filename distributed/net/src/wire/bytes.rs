//! Numbers, texts and lists as bytes: what all encoders and decoders are made of.
//!
//! It refuses to know messages. Invariant: a reader never reads past its bytes, and gives a count only when the bytes that are
//! left could hold so many items.

use bytes::Bytes;
use partita_graph::{Code, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes under construction.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// A number, in as few bytes as it needs: seven bits in each.
    #[inline]
    pub fn number(&mut self, value: u64) {
        if value < 0x80 {
            return self.out.push(value as u8);
        }
        let (mut buffer, mut at, mut rest) = ([0; 10], 0, value);
        while rest >= 0x80 {
            buffer[at] = rest as u8 | 0x80;
            rest >>= 7;
            at += 1;
        }
        buffer[at] = rest as u8;
        self.out.extend_from_slice(&buffer[..=at]);
    }

    /// A number of which small negative values are short too.
    #[inline]
    pub fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Eight bytes.
    #[inline]
    pub fn fixed(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes with their count.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Bytes whose count the reader knows otherwise.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Plain data of rare messages, with its size.
    pub fn plain<T: Serialize>(&mut self, value: &T) {
        self.bytes(&postcard::to_stdvec(value).expect("plain data"));
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written.
    pub fn finish(self) -> Bytes {
        self.out.into()
    }

    /// What was written, to be changed.
    pub fn into_vec(self) -> Vec<u8> {
        self.out
    }
}

/// Bytes that are read from the front.
#[derive(Clone)]
pub struct Reader<'a> {
    left: &'a [u8],
}

#[cold]
fn bad(what: &str) -> Failure {
    Failure::new(Code::WrongProtocol, format!("a message cannot be read: {what}"))
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// What is left.
    pub fn left(&self) -> &'a [u8] {
        self.left
    }

    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Failure> {
        let (first, rest) = self.left.split_first().ok_or_else(|| bad("it is cut off"))?;
        self.left = rest;
        Ok(*first)
    }

    /// A number.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Failure> {
        if let Some((&first, rest)) = self.left.split_first()
            && first < 0x80
        {
            self.left = rest;
            return Ok(first.into());
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Failure> {
        let mut value = 0;
        for (at, byte) in self.left.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                return Err(bad("a number is too large"));
            }
            value |= bits << (7 * at);
            if *byte < 0x80 {
                self.left = &self.left[at + 1..];
                return Ok(value);
            }
        }
        Err(bad("a number does not end"))
    }

    /// A number of 32 bits.
    #[inline]
    pub fn small(&mut self) -> Result<u32, Failure> {
        u32::try_from(self.number()?).map_err(|_| bad("a number is too large"))
    }

    /// A number of 16 bits.
    pub fn tiny(&mut self) -> Result<u16, Failure> {
        u16::try_from(self.number()?).map_err(|_| bad("a number is too large"))
    }

    /// A number that may be negative.
    #[inline]
    pub fn signed(&mut self) -> Result<i64, Failure> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Eight bytes.
    #[inline]
    pub fn fixed(&mut self) -> Result<u64, Failure> {
        let (first, rest) = self.left.split_first_chunk().ok_or_else(|| bad("it is cut off"))?;
        self.left = rest;
        Ok(u64::from_le_bytes(*first))
    }

    /// Bytes with their count.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Failure> {
        let count = self.number()?;
        self.raw(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// So many bytes.
    #[inline]
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (first, rest) = self.left.split_at_checked(count).ok_or_else(|| bad("it is cut off"))?;
        self.left = rest;
        Ok(first)
    }

    /// A text.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.bytes()?).map_err(|_| bad("a text is not UTF-8"))
    }

    /// How many items follow, each of at least `least` bytes (at least one).
    #[inline]
    pub fn count(&mut self, least: usize) -> Result<usize, Failure> {
        let count = self.number()?;
        match count <= (self.left.len() / least.max(1)) as u64 {
            true => Ok(count as usize),
            false => Err(bad("a count is larger than what follows")),
        }
    }

    /// Of so many items, for how many room is made before they are read: an item can be far larger than its bytes.
    #[inline]
    pub fn room(&self, count: usize) -> usize {
        count.min(64 << 10)
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, Failure> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(bad("a byte is neither yes nor no")),
        }
    }

    /// Plain data of rare messages.
    pub fn plain<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        match postcard::take_from_bytes(self.bytes()?) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(bad("bytes are left over")),
            Err(_) => Err(bad("a value is not what it should be")),
        }
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Failure> {
        if self.left.is_empty() { Ok(()) } else { Err(bad("bytes are left over")) }
    }

    /// What is read is of no known kind.
    pub fn unknown<T>(&self) -> Result<T, Failure> {
        Err(bad("a part of it is of an unknown kind"))
    }
}
