//! Decoding that nests no deeper than it may.
//!
//! A body of a few thousand bytes can describe an expression nested a few thousand levels deep, and a decoder that follows it
//! by calling itself runs out of stack, which ends the process. Here each level is counted before it is entered, and the stack
//! grows on the heap where it must. It refuses to know what is decoded.
//!
//! Invariant: whatever the bytes, a decoder made of this is entered at most [`LEVELS`] levels deep.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

/// Levels of sequences, structs, variants and options in each other. An operation of an expression takes two or three.
pub(crate) const LEVELS: u32 = 4096;

/// Stack that must be left when a level is entered, and what is added when it is not, in bytes. A derived visitor of a large enum
/// takes several kilobytes without optimization.
const RED_ZONE: usize = 128 << 10;
const MORE_STACK: usize = 2 << 20;

/// Decodes what `postcard` wrote.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    T::deserialize(Bounded { inner: &mut deserializer, left: LEVELS })
}

/// A part of a decoder that knows how many levels may still be entered.
struct Bounded<I> {
    inner: I,
    left: u32,
}

impl<I> Bounded<I> {
    fn deeper<E: Error>(&self) -> Result<u32, E> {
        self.left.checked_sub(1).ok_or_else(|| E::custom("it is nested too deeply"))
    }
}

/// Enters a level with enough stack.
fn entered<T>(enter: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, MORE_STACK, enter)
}

macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* Bounded { inner: visitor, left: self.left })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<D> {
    type Error = D::Error;

    forward! {
        deserialize_any(); deserialize_bool();
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char();
        deserialize_str(); deserialize_string(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_option(); deserialize_unit(); deserialize_seq(); deserialize_map();
        deserialize_identifier(); deserialize_ignored_any();
        deserialize_unit_struct(name: &'static str); deserialize_newtype_struct(name: &'static str);
        deserialize_tuple(len: usize); deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_values {
    ($($method:ident($type:ty);)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_values! {
        visit_bool(bool);
        visit_i8(i8); visit_i16(i16); visit_i32(i32); visit_i64(i64); visit_i128(i128);
        visit_u8(u8); visit_u16(u16); visit_u32(u32); visit_u64(u64); visit_u128(u128);
        visit_f32(f32); visit_f64(f64); visit_char(char);
        visit_str(&str); visit_borrowed_str(&'de str); visit_string(String);
        visit_bytes(&[u8]); visit_borrowed_bytes(&'de [u8]); visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let left = self.deeper()?;
        entered(|| self.inner.visit_some(Bounded { inner, left }))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let left = self.deeper()?;
        entered(|| self.inner.visit_newtype_struct(Bounded { inner, left }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let left = self.deeper()?;
        entered(|| self.inner.visit_seq(Bounded { inner, left }))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let left = self.deeper()?;
        entered(|| self.inner.visit_map(Bounded { inner, left }))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let left = self.deeper()?;
        entered(|| self.inner.visit_enum(Bounded { inner, left }))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Bounded { inner, left: self.left })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Bounded { inner, left: self.left })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Bounded { inner, left: self.left })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Bounded { inner, left: self.left })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<A> {
    type Error = A::Error;
    type Variant = Bounded<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let left = self.left;
        let (value, variant) = self.inner.variant_seed(Bounded { inner, left })?;
        Ok((value, Bounded { inner: variant, left }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Bounded { inner, left: self.left })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, inner: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Bounded { inner, left: self.left })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], inner: V) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Bounded { inner, left: self.left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    /// Every kind of thing that serde knows, as often as it nests.
    #[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
    enum Tree {
        Leaf,
        Number(i64),
        Pair(Box<Tree>, Box<Tree>),
        Named { text: String, inner: Option<Box<Tree>>, map: BTreeMap<u8, (f32, char)>, unit: () },
        Many(Vec<Tree>),
    }

    fn nested(levels: usize) -> Tree {
        (0..levels).fold(Tree::Leaf, |inner, _| Tree::Many(vec![inner]))
    }

    #[test]
    fn what_was_written_is_read() {
        let map = BTreeMap::from([(1, (0.5, 'x'))]);
        let named = Tree::Named { text: "ü".into(), inner: Some(Box::new(Tree::Number(-7))), map, unit: () };
        for tree in [Tree::Leaf, named.clone(), Tree::Pair(Box::new(named), Box::new(Tree::Many(vec![Tree::Leaf; 3]))), nested(500)] {
            let bytes = postcard::to_stdvec(&tree).expect("plain data");
            assert_eq!(from_bytes::<Tree>(&bytes).expect("sound"), tree);
        }
    }

    #[test]
    fn what_nests_too_deeply_is_refused_on_a_small_stack() {
        let look = || {
            // A list of one item whose only item is such a list: two bytes a level, and no end.
            let bytes: Vec<u8> = [4u8, 1].into_iter().cycle().take(2_000_000).collect();
            from_bytes::<Tree>(&bytes).map(drop)
        };
        let refused = std::thread::Builder::new().stack_size(256 << 10).spawn(look).expect("a thread").join().expect("no overflow");
        assert!(refused.is_err());
    }
}
