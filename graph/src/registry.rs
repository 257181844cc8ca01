//! Names to code: which operators and which kinds of value this program can decode.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::nesting;
use crate::{Chunk, Code, Encoded, Failure, NamedOperator, OpRef, Operator, Payload, Plain};

type DecodeOperator = fn(&[u8]) -> Result<Arc<dyn Operator>, Failure>;
type DecodeValue = fn(Encoded) -> Result<Chunk, Failure>;

/// One line of an operator table.
#[derive(Clone, Copy)]
pub struct OperatorEntry {
    /// The operator's name.
    pub name: &'static str,
    decode: DecodeOperator,
    /// Which type it is: the same function may have several addresses, so those cannot be compared.
    identity: fn() -> (TypeId, &'static str),
}

impl OperatorEntry {
    /// The line for `O`.
    pub const fn of<O: NamedOperator>() -> Self {
        Self { name: O::NAME, decode: decode_operator::<O>, identity: identity::<O> }
    }
}

fn identity<O: NamedOperator>() -> (TypeId, &'static str) {
    (TypeId::of::<O>(), type_name::<O>())
}

fn decode_operator<O: NamedOperator>(body: &[u8]) -> Result<Arc<dyn Operator>, Failure> {
    match nesting::from_bytes::<O>(body) {
        Ok(operator) => Ok(Arc::new(operator)),
        Err(e) => {
            let what = format!("operator `{}` does not decode: {e}", O::NAME);
            Err(Failure::internal(what).detail("levels", format!("nested at most {} deep", nesting::LEVELS)))
        }
    }
}

/// What this program can decode. Shells hold one; machines never see it.
#[derive(Clone)]
pub struct Registry {
    operators: BTreeMap<&'static str, OperatorEntry>,
    values: BTreeMap<&'static str, DecodeValue>,
}

impl Default for Registry {
    /// The kinds of value that the graph itself defines, and no operators.
    fn default() -> Self {
        let mut registry = Self { operators: BTreeMap::new(), values: BTreeMap::new() };
        registry.add_value("i64", |encoded| {
            let bytes = first_buffer(&encoded)?;
            let bytes = bytes.try_into().map_err(|_| Failure::internal("an i64 of another size than 8 bytes"))?;
            Ok(Chunk::new(Plain(i64::from_le_bytes(bytes))))
        });
        registry.add_value("bytes", |encoded| Ok(Chunk::new(Plain(first_buffer(&encoded)?.to_vec()))));
        registry
    }
}

fn first_buffer(encoded: &Encoded) -> Result<&[u8], Failure> {
    encoded.buffers.first().map(|b| (**b).as_ref()).ok_or_else(|| Failure::internal("a value without a buffer"))
}

impl Registry {
    /// Adds the lines of a table. A name that is there already must be the same operator.
    ///
    /// # Panics
    ///
    /// When two operators have one name: payloads of one would be decoded as the other.
    pub fn add_operators(&mut self, entries: &[OperatorEntry]) {
        for entry in entries {
            if let Some(known) = self.operators.insert(entry.name, *entry) {
                let (known, new) = ((known.identity)(), (entry.identity)());
                assert!(known.0 == new.0, "two operators are called `{}`: {} and {}", entry.name, known.1, new.1);
            }
        }
    }

    /// Adds a kind of value.
    pub fn add_value(&mut self, kind: &'static str, decode: DecodeValue) {
        self.values.insert(kind, decode);
    }

    /// All operator names, in order: what a handshake compares.
    pub fn operator_names(&self) -> impl Iterator<Item = &'static str> {
        self.operators.keys().copied()
    }

    /// The operator that a payload describes.
    pub fn decode_operator(&self, payload: &Payload) -> Result<Arc<dyn Operator>, Failure> {
        let entry = self
            .operators
            .get(&*payload.name)
            .ok_or_else(|| Failure::new(Code::UnknownOperator, format!("operator `{}` is not registered in this program", payload.name)))?;
        (entry.decode)(&payload.body)
    }

    /// The operator of a step: the object at hand, or else decoded.
    pub fn resolve(&self, op: &OpRef) -> Result<Arc<dyn Operator>, Failure> {
        match &op.operator {
            Some(operator) => Ok(operator.clone()),
            None => self.decode_operator(&op.payload),
        }
    }

    /// Whether values of this kind can be decoded.
    pub fn decodes(&self, kind: &str) -> bool {
        self.values.contains_key(kind)
    }

    /// The value that was encoded under `kind`.
    pub fn decode_value(&self, kind: &str, encoded: Encoded) -> Result<Chunk, Failure> {
        let decode = self.values.get(kind).ok_or_else(|| Failure::internal(format!("no decoder for values of kind `{kind}`")))?;
        decode(encoded)
    }
}
