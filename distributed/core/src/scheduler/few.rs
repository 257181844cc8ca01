//! A small ordered map and a list that need no memory of their own for one entry: of a hundred thousand graphs of one task each, that most
//! of them have one layer is what counts.
//!
//! They refuse to know what they hold. Invariant: they say what a plain map or list would say, in the same order.

use std::collections::BTreeMap;

/// An ordered map, mostly of one entry.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "what is seldom there is to take no room in all the others")]
pub(super) enum Few<K, V> {
    #[default]
    None,
    One(K, V),
    Many(Box<BTreeMap<K, V>>),
}

impl<K: Ord + Copy, V> Few<K, V> {
    pub fn get(&self, key: K) -> Option<&V> {
        match self {
            Self::None => None,
            Self::One(known, value) => (*known == key).then_some(value),
            Self::Many(many) => many.get(&key),
        }
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match self {
            Self::None => None,
            Self::One(known, value) => (*known == key).then_some(value),
            Self::Many(many) => many.get_mut(&key),
        }
    }

    pub fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// The value of the key, which is made if it is not there.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.contains(key) {
            self.insert(key, make());
        }
        self.get_mut(key).expect("it is there by now")
    }

    /// Adds an entry, in the place of one with its key.
    pub fn insert(&mut self, key: K, value: V) {
        *self = match std::mem::take(self) {
            Self::One(other, first) if other != key => Self::Many(Box::new(BTreeMap::from([(other, first), (key, value)]))),
            Self::None | Self::One(..) => Self::One(key, value),
            Self::Many(mut many) => {
                many.insert(key, value);
                Self::Many(many)
            }
        };
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        match std::mem::take(self) {
            Self::One(known, value) if known == key => Some(value),
            Self::Many(mut many) => {
                let value = many.remove(&key);
                *self = Self::Many(many);
                value
            }
            other => {
                *self = other;
                None
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(..) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// All entries, by their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((*key, value)), None),
            Self::Many(many) => (None, Some(&**many)),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(key, value)| (*key, value)))
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }
}

/// A list that does not grow; of one item it needs no memory of its own.
#[derive(Debug, Default)]
pub(super) enum Row<T> {
    #[default]
    None,
    One(T),
    Many(Box<[T]>),
}

impl<T> FromIterator<T> for Row<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        match (items.next(), items.next()) {
            (None, _) => Self::None,
            (Some(one), None) => Self::One(one),
            (Some(one), Some(two)) => Self::Many([one, two].into_iter().chain(items).collect()),
        }
    }
}

impl<T> std::ops::Deref for Row<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_map_agrees() {
        let mut state = 3_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        for _ in 0..2_000 {
            let (mut few, mut plain) = (Few::default(), BTreeMap::new());
            for turn in 0..random(24) {
                let key = random(4);
                match random(4) {
                    0 => assert_eq!(few.remove(key), plain.remove(&key)),
                    1 => assert_eq!(few.get_or_insert_with(key, || turn), plain.entry(key).or_insert(turn)),
                    2 => drop((few.insert(key, turn), plain.insert(key, turn))),
                    _ => assert_eq!(few.get_mut(key), plain.get_mut(&key)),
                }
                assert_eq!((few.get(key), few.contains(key)), (plain.get(&key), plain.contains_key(&key)));
                assert_eq!((few.len(), few.is_empty()), (plain.len(), plain.is_empty()));
                assert!(few.iter().eq(plain.iter().map(|(key, value)| (*key, value))));
                assert!(few.keys().eq(plain.keys().copied()));
            }
        }
    }

    #[test]
    fn a_row_is_the_list_that_it_was_made_of() {
        for len in 0..4 {
            let row: Row<u32> = (0..len).collect();
            assert_eq!(*row, *(0..len).collect::<Vec<_>>());
        }
        assert!(std::mem::size_of::<Row<u32>>() <= 24 && std::mem::size_of::<Few<u64, ()>>() <= 16);
    }
}
