//! A chunk as bytes, on its way to another process.
//!
//! It refuses to know where the bytes go. Invariant: what is opened again is equal to what was packed, bit by bit.

use partita_graph::{Chunk, Code, Encoded, Failure, Parts, Registry};

/// A chunk, or one part of it, as bytes. Buffers are those of the value or of a memory map: nothing is copied.
#[derive(Clone)]
pub struct Packed {
    /// Whether the value is made of parts, one for each section.
    pub parts: bool,
    /// The kind of each value, and its bytes. One section unless `parts`.
    pub sections: Vec<(String, Encoded)>,
}

impl Packed {
    /// The chunk as bytes. Fails with [`Code::NotEncodable`] when its value has no such form.
    pub fn of(chunk: &Chunk) -> Result<Self, Failure> {
        let parts = chunk.0.parts();
        let values = parts.unwrap_or(std::slice::from_ref(chunk));
        let sections: Result<Vec<_>, _> = values.iter().map(section).collect();
        Ok(Self { parts: parts.is_some(), sections: sections? })
    }

    /// The chunk again, by the decoders of this registry.
    pub fn open(self, registry: &Registry) -> Result<Chunk, Failure> {
        let parts = self.parts;
        let mut chunks = self.sections.into_iter().map(|(kind, encoded)| registry.decode_value(&kind, encoded));
        if parts {
            return Ok(Chunk::new(Parts(chunks.collect::<Result<_, _>>()?)));
        }
        chunks.next().unwrap_or_else(|| Err(Failure::internal("a chunk without bytes")))
    }

    /// All bytes, in bytes.
    pub fn nbytes(&self) -> u64 {
        self.sections.iter().map(|(_, encoded)| encoded.nbytes()).sum()
    }
}

fn section(chunk: &Chunk) -> Result<(String, Encoded), Failure> {
    let kind = chunk.0.kind();
    match chunk.0.encode() {
        Ok(encoded) => Ok((kind.into(), encoded)),
        Err(failure) if failure.code == Code::NotEncodable => Err(failure),
        Err(cause) => {
            let what = format!("a value of kind `{kind}` cannot be sent to another process");
            Err(Failure::new(Code::NotEncodable, what).cause(cause).help("use it in the task that makes it, or give its type a codec"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Plain, Value};

    struct Shy;

    impl Value for Shy {
        fn kind(&self) -> &'static str {
            "shy"
        }

        fn nbytes(&self) -> u64 {
            1
        }

        fn encode(&self) -> Result<Encoded, Failure> {
            Err(Failure::internal("never"))
        }
    }

    #[test]
    fn parts_are_opened_as_parts() {
        let chunk = Chunk::new(Parts(vec![Chunk::new(Plain(7)), Chunk::new(Plain(vec![1u8, 2]))]));
        let packed = Packed::of(&chunk).expect("plain values");
        assert_eq!((packed.sections.len(), packed.nbytes()), (2, 10));
        let again = packed.open(&Registry::default()).expect("known kinds");
        assert_eq!(again.part(0).and_then(|part| part.get::<Plain<i64>>().map(|n| n.0)), Some(7));
        assert_eq!(again.part(1).and_then(|part| part.get::<Plain<Vec<u8>>>().map(|b| b.0.clone())), Some(vec![1, 2]));
    }

    #[test]
    fn what_cannot_be_sent_says_so() {
        let failure = Packed::of(&Chunk::new(Shy)).err().expect("it has no bytes");
        assert_eq!(failure.code, Code::NotEncodable);
        assert!(failure.what.contains("`shy`"));
        let unknown = Packed { parts: false, sections: vec![("shy".into(), Encoded::of(vec![1]))] };
        assert!(unknown.open(&Registry::default()).is_err());
    }
}
