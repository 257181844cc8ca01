//! How the tasks of one layer find their inputs in another. The set of rules is closed and small, so the scheduler
//! expands a layer without decoding an operator.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// For each axis of the producer's grid: which axis of the consumer's grid it follows, or all blocks along it.
///
/// Grids are in row-major order. `x.sum(axis = 1)` over a 3 x 4 grid of blocks has the consumer grid `[3]`
/// and the axes `[Some(0), None]`: task `i` reads the blocks `(i, 0..4)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AxisMap {
    /// Blocks along each axis of the producer.
    pub producer: Arc<[u32]>,
    /// Blocks along each axis of the consumer.
    pub consumer: Arc<[u32]>,
    /// One entry for each axis of the producer. An axis of one block may follow any axis (broadcasting).
    pub axes: Arc<[Option<u32>]>,
}

/// Explicit lists: task `i` reads `indices[offsets[i]..offsets[i + 1]]`, in that order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    /// One more than there are tasks.
    pub offsets: Arc<[u32]>,
    /// Indices into the producer layer.
    pub indices: Arc<[u32]>,
}

/// Which chunks of the producer a task reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wiring {
    /// Task `i` reads chunk `i`.
    Each,
    /// Task `i` reads the chunks `i * n .. (i + 1) * n`, as far as there are some.
    Group(u32),
    /// Each task reads all chunks.
    Every,
    /// Task `j` reads part `j` of every chunk: a shuffle.
    Part,
    /// Blocks of an n-dimensional grid.
    Block(AxisMap),
    /// Anything else, written out.
    Table(Table),
}

/// The indices that a task reads, or by which it is read.
pub enum Indices<'a> {
    /// Consecutive.
    Range(Range<u32>),
    /// Listed.
    List(&'a [u32]),
    /// Computed.
    Owned(Vec<u32>),
}

impl Indices<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Indices::Range(range) => range.len(),
            Indices::List(list) => list.len(),
            Indices::Owned(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match self {
            Indices::Range(range) => Box::new(range.clone()),
            Indices::List(list) => Box::new(list.iter().copied()),
            Indices::Owned(list) => Box::new(list.iter().copied()),
        }
    }
}

impl Wiring {
    /// The producer chunks that task `task` reads, in the order in which it gets them.
    ///
    /// ```
    /// use partita_graph::Wiring;
    /// assert_eq!(Wiring::Group(4).inputs(2, 10).iter().collect::<Vec<_>>(), [8, 9]);
    /// ```
    pub fn inputs(&self, task: u32, producer_len: u32) -> Indices<'_> {
        match self {
            Wiring::Each => Indices::Range(task..task + 1),
            Wiring::Group(n) => {
                let start = task.saturating_mul(*n).min(producer_len);
                Indices::Range(start..start.saturating_add(*n).min(producer_len))
            }
            Wiring::Every | Wiring::Part => Indices::Range(0..producer_len),
            Wiring::Block(map) => Indices::Owned(map.inputs(task)),
            Wiring::Table(table) => {
                let range = table.offsets[task as usize] as usize..table.offsets[task as usize + 1] as usize;
                Indices::List(&table.indices[range])
            }
        }
    }

    /// True when every task reads every chunk: the scheduler then counts once for the edge, not once for each pair.
    pub fn is_barrier(&self) -> bool {
        matches!(self, Wiring::Every | Wiring::Part)
    }

    /// The part that task `task` reads of each chunk, when it does not read whole chunks.
    pub fn part(&self, task: u32) -> Option<u32> {
        matches!(self, Wiring::Part).then_some(task)
    }

    /// A word for plans.
    pub fn name(&self) -> String {
        match self {
            Wiring::Each => "each".into(),
            Wiring::Group(n) => format!("group of {n}"),
            Wiring::Every => "every".into(),
            Wiring::Part => "part".into(),
            Wiring::Block(_) => "block".into(),
            Wiring::Table(_) => "table".into(),
        }
    }

    /// Whether `len` tasks can read `producer_len` chunks by this rule.
    pub fn fits(&self, len: u32, producer_len: u32) -> bool {
        match self {
            Wiring::Each => len == producer_len,
            Wiring::Group(n) => *n > 0 && len == producer_len.div_ceil(*n),
            Wiring::Every | Wiring::Part => true,
            Wiring::Block(map) => {
                map.axes.len() == map.producer.len()
                    && blocks(&map.producer) == Some(producer_len)
                    && blocks(&map.consumer) == Some(len)
                    && map.axes.iter().zip(&*map.producer).all(|(axis, blocks)| {
                        axis.is_none_or(|a| map.consumer.get(a as usize).is_some_and(|c| c == blocks || *blocks == 1))
                    })
            }
            Wiring::Table(table) => {
                table.offsets.len() as u64 == u64::from(len) + 1
                    && table.offsets.windows(2).all(|w| w[0] <= w[1])
                    && table.offsets.first() == Some(&0)
                    && table.offsets.last().is_some_and(|last| *last as usize == table.indices.len())
                    && table.indices.iter().all(|i| *i < producer_len)
            }
        }
    }

    /// The inverse for the rules that have one in closed form: which tasks read chunk `index`.
    /// `None` for [`Wiring::Block`] and [`Wiring::Table`]; expand those once with [`Wiring::invert`].
    pub fn consumers(&self, index: u32, len: u32) -> Option<Range<u32>> {
        match self {
            Wiring::Each => Some(index..index + 1),
            Wiring::Group(n) => Some(index / n..index / n + 1),
            Wiring::Every | Wiring::Part => Some(0..len),
            Wiring::Block(_) | Wiring::Table(_) => None,
        }
    }

    /// The inverse written out: for each producer chunk the tasks that read it, each once and in order.
    ///
    /// # Panics
    ///
    /// When there are more than `u32::MAX` pairs. Ask [`Wiring::consumers`] first: the rules by which everything is
    /// read by everything have a closed form.
    ///
    /// ```
    /// use partita_graph::{Table, Wiring};
    /// let table = Table { offsets: [0, 2, 3].into(), indices: [1, 0, 1].into() };
    /// let inverse = Wiring::Table(table).invert(2, 3);
    /// assert_eq!((&*inverse.offsets, &*inverse.indices), (&[0, 1, 3, 3][..], &[0, 0, 1][..]));
    /// ```
    pub fn invert(&self, len: u32, producer_len: u32) -> Table {
        let mut lists = vec![Vec::new(); producer_len as usize];
        for task in 0..len {
            for index in self.inputs(task, producer_len).iter() {
                let list: &mut Vec<u32> = &mut lists[index as usize];
                if list.last() != Some(&task) {
                    list.push(task);
                }
            }
        }
        let mut offsets = vec![0];
        for list in &lists {
            let last: u32 = *offsets.last().expect("it starts with one");
            let end = u32::try_from(list.len()).ok().and_then(|len| last.checked_add(len));
            offsets.push(end.expect("an inverse of at most u32::MAX pairs"));
        }
        Table { offsets: offsets.into(), indices: lists.concat().into() }
    }
}

/// Blocks of a grid, unless they are more than can be counted.
fn blocks(grid: &[u32]) -> Option<u32> {
    // A grid with an empty axis is empty, however long the others are.
    if grid.contains(&0) {
        return Some(0);
    }
    grid.iter().try_fold(1u32, |product, blocks| product.checked_mul(*blocks))
}

impl AxisMap {
    /// The producer's blocks that block `task` of the consumer reads, in row-major order.
    fn inputs(&self, task: u32) -> Vec<u32> {
        // An empty grid has no blocks: the axes before the empty one must not be written out first, however long they are.
        if self.producer.contains(&0) {
            return Vec::new();
        }
        let mut position = vec![0; self.consumer.len()];
        let mut rest = task;
        for axis in (0..self.consumer.len()).rev() {
            position[axis] = rest % self.consumer[axis];
            rest /= self.consumer[axis];
        }
        let mut found = vec![0];
        for (axis, blocks) in self.producer.iter().enumerate() {
            let range = match self.axes[axis] {
                Some(_) if *blocks == 1 => 0..1,
                Some(follows) => position[follows as usize]..position[follows as usize] + 1,
                None => 0..*blocks,
            };
            found = found.iter().flat_map(|base| range.clone().map(move |at| base * blocks + at)).collect();
        }
        found
    }
}
