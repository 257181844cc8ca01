//! Lists of keys as bytes: neighbours in one layer cost a few bytes each, whatever their order.
//!
//! It refuses to stand for more keys than there are bytes: no range is written, so that a reader's memory is in proportion to what
//! it was given.

use partita_graph::{Failure, Key, LayerId};

use super::{Reader, Writer};

/// The layer of the key that came before: it is written only when it changes.
#[derive(Default)]
pub(super) struct Neighbour {
    layer: Option<LayerId>,
}

impl Neighbour {
    /// One key.
    pub fn write(&mut self, out: &mut Writer, key: Key) {
        let new = self.layer != Some(key.layer);
        out.number(u64::from(key.index) << 1 | u64::from(new));
        if new {
            out.fixed(key.layer.0);
            self.layer = Some(key.layer);
        }
    }

    /// And back.
    pub fn read(&mut self, reader: &mut Reader<'_>) -> Result<Key, Failure> {
        let head = reader.number()?;
        if head & 1 == 1 {
            self.layer = Some(LayerId(reader.fixed()?));
        }
        match (u32::try_from(head >> 1), self.layer) {
            (Ok(index), Some(layer)) => Ok(Key::new(layer, index)),
            _ => reader.unknown(),
        }
    }
}

/// Keys in their order.
pub(super) fn write_keys(out: &mut Writer, keys: &[Key]) {
    out.number(keys.len() as u64);
    let mut last = Neighbour::default();
    keys.iter().for_each(|key| last.write(out, *key));
}

/// And back.
pub(super) fn read_keys(reader: &mut Reader<'_>) -> Result<Vec<Key>, Failure> {
    let count = reader.count(1)?;
    let mut keys = Vec::with_capacity(reader.room(count));
    let mut last = Neighbour::default();
    for _ in 0..count {
        keys.push(last.read(reader)?);
    }
    Ok(keys)
}
