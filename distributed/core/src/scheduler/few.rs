//! A small ordered map that needs no memory of its own for one entry: of a hundred thousand graphs of one task each, that most
//! of them have one layer is what counts.
//!
//! It refuses to know what it holds. Invariant: it says what a plain map would say, in the same order.

use std::collections::BTreeMap;

/// An ordered map, mostly of one entry.
#[derive(Clone, Debug)]
pub(super) struct Few<K, V> {
    /// The only entry; then the map is empty.
    one: Option<(K, V)>,
    many: BTreeMap<K, V>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { one: None, many: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V> Few<K, V> {
    pub fn get(&self, key: K) -> Option<&V> {
        match &self.one {
            Some((known, value)) => (*known == key).then_some(value),
            None => self.many.get(&key),
        }
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match &mut self.one {
            Some((known, value)) => (*known == key).then_some(value),
            None => self.many.get_mut(&key),
        }
    }

    pub fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// The value of the key, which is made if it is not there.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.many.is_empty() && self.one.as_ref().is_none_or(|(known, _)| *known == key) {
            return &mut self.one.get_or_insert_with(|| (key, make())).1;
        }
        self.many.extend(self.one.take());
        self.many.entry(key).or_insert_with(make)
    }

    /// Adds an entry, in the place of one with its key.
    pub fn insert(&mut self, key: K, value: V) {
        if let Some(known) = self.get_mut(key) {
            *known = value;
        } else {
            self.get_or_insert_with(key, || value);
        }
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        if self.one.is_some() {
            return self.one.take_if(|(known, _)| *known == key).map(|(_, value)| value);
        }
        self.many.remove(&key)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        usize::from(self.one.is_some()) + self.many.len()
    }

    /// All entries, by their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let one = self.one.iter().map(|(key, value)| (*key, value));
        one.chain(self.many.iter().map(|(key, value)| (*key, value)))
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
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
}
