//! An open-addressing table from 64-bit words to group numbers, for nothing but numbering rows.

/// Marks a slot that is free; no group has this number.
const FREE: u32 = u32::MAX;

/// Words that were met, each with its group.
pub(super) struct Table {
    slots: Vec<(u64, u32)>,
    /// Slots that are taken.
    used: usize,
}

/// Spreads a word over all bits: both halves of its product with an odd constant.
pub(super) fn mix(word: u64) -> u64 {
    let product = u128::from(word) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}

impl Table {
    pub fn new() -> Self {
        Self { slots: vec![(0, FREE); 1 << 10], used: 0 }
    }

    /// The group of a word: one that `same` accepts, or `next` when there is none yet.
    ///
    /// Words that are whole keys need no second look; for hashes, `same` compares the keys.
    #[inline]
    pub fn group(&mut self, word: u64, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = mix(word) as usize & mask;
        loop {
            let (known, group) = self.slots[at];
            if group == FREE {
                break;
            }
            if known == word && same(group) {
                return group;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = (word, next);
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
        next
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![(0, FREE); self.slots.len() * 4];
        let mask = larger.len() - 1;
        for (word, group) in std::mem::replace(&mut self.slots, larger) {
            if group != FREE {
                let mut at = mix(word) as usize & mask;
                while self.slots[at].1 != FREE {
                    at = (at + 1) & mask;
                }
                self.slots[at] = (word, group);
            }
        }
    }
}
