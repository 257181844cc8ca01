//! Names of work: a layer is a hash of what it computes, a task is a layer and an index.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The identity of a layer: a hash of its kernel, its arguments and its inputs.
///
/// The same work has the same id, in this process or another, so submitting it twice computes it once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerId(pub u64);

/// The identity of a task and of the chunk that it makes.
///
/// ```
/// use partita_graph::{Key, LayerId};
/// assert_eq!(Key::new(LayerId(0xabc), 7).to_string(), "0000000000000abc#7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The layer that makes it.
    pub layer: LayerId,
    /// Its place in that layer, from 0.
    pub index: u32,
}

impl Key {
    /// The task `index` of `layer`.
    pub const fn new(layer: LayerId, index: u32) -> Self {
        Self { layer, index }
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.layer, self.index)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.layer, self.index)
    }
}
