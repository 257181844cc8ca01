//! Where elements lie: in a vector of our own, or in memory that somebody lent.

use std::sync::Arc;

use partita_graph::Buffer;

use super::element::Held;
use super::lend::Kept;

/// Elements in memory: a vector of our own, or bytes that came from a peer or a disk and are used where they lie.
#[derive(Clone)]
pub enum Storage<T> {
    /// Made in this process.
    Own(Arc<Vec<T>>),
    /// Aligned and whole, see [`Held::lent`].
    Lent(Buffer),
    /// An array that a user's task gave.
    Kept(Arc<dyn Kept<T>>),
}

impl<T: Held> Storage<T> {
    /// All of them.
    pub fn values(&self) -> &[T] {
        match self {
            Storage::Own(values) => values.as_slice(),
            Storage::Lent(buffer) => T::lent((**buffer).as_ref()).expect("it was looked at when it was lent"),
            Storage::Kept(array) => array.elements(),
        }
    }
}
