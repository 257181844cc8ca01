//! Folding: how tiles of a block become one state for each lane, where a lane is all that is reduced to one element of the result.
//!
//! It refuses to know blocks of other tasks; [`super::state`] brings them together. The invariants: the state of a lane does not depend
//! on what lies in other lanes, so that kept axes may be cut anywhere; nor on where the elements of a tile lie in memory.

use partita_graph::Failure;
use serde::{Deserialize, Serialize};

use super::{complex, moments, numbers, order};
use crate::array::block::Block;
use crate::array::element::{C64, C128, DType, Held, without_order};
use crate::array::tile::{Arith, Rank, Rows, Sink, Tile};

/// What elements are folded to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fold {
    /// Their sum: of floats in `f64` with what rounding took away, of integers in eight bytes.
    Sum,
    /// Their product: of floats in `f64`, of integers in eight bytes.
    Product,
    /// How many there are, their mean and the sum of squared distances from it.
    Moments {
        /// Whether NaN counts as not there.
        skip_nan: bool,
    },
    /// The least, or the greatest, of them.
    Extreme {
        /// Which of the two.
        greatest: bool,
        /// Whether NaN counts as not there.
        skip_nan: bool,
    },
    /// The same with its place.
    Place {
        /// Which of the two.
        greatest: bool,
        /// Whether NaN counts as not there.
        skip_nan: bool,
    },
    /// Whether any of them is not zero.
    Any,
    /// Whether all of them are not zero.
    All,
}

impl Fold {
    /// Bytes of the state of a lane of elements of this kind.
    pub(super) fn state_bytes(self, dtype: DType) -> u64 {
        let parts = if dtype.is_complex() { 2 } else { 1 };
        match self {
            Fold::Sum if dtype.is_float() || dtype.is_complex() => 16 * parts,
            Fold::Sum | Fold::Product => 8 * parts,
            Fold::Moments { .. } => 24 * parts,
            Fold::Extreme { .. } => dtype.size() as u64,
            Fold::Place { .. } => dtype.size() as u64 + 8,
            Fold::Any | Fold::All => 1,
        }
    }
}

/// What the elements of a tile are called where their places matter.
#[derive(Clone, Copy, Default)]
pub struct Names {
    /// The first element,
    pub first: i64,
    /// and how much more the next column's is.
    pub column: i64,
}

/// States of lanes, into which elements of tiles are folded.
pub trait Folder<T> {
    /// Folds all elements of a run into one lane.
    fn run(&mut self, lane: usize, run: &[T], names: Names);
    /// Folds each column into a lane of its own, from this one on. `names` are those of each row in turn, `row` apart.
    fn lanes(&mut self, lane: usize, rows: Rows<'_, T>, names: Names, row: i64);
    /// The states, one block for each number that a state has.
    fn end(self: Box<Self>, shape: &[usize]) -> Vec<Block>;
}

/// Kinds whose elements are folded.
pub trait Folded: Held {
    /// States of so many lanes, into which nothing was folded yet. Fails where the kind does not have what is asked for.
    fn folder(fold: Fold, lanes: usize) -> Result<Box<dyn Folder<Self>>, Failure>;
}

macro_rules! folded {
    ($folder:ident: $($T:ident)*) => {
        $(
            impl Folded for $T {
                fn folder(fold: Fold, lanes: usize) -> Result<Box<dyn Folder<Self>>, Failure> {
                    $folder(fold, lanes)
                }
            }
        )*
    };
}

folded!(ordered: bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
folded!(unordered: C64 C128);

fn unordered<T: Arith>(fold: Fold, lanes: usize) -> Result<Box<dyn Folder<T>>, Failure> {
    match fold {
        Fold::Sum => Ok(Box::new(complex::InParts::new(numbers::FloatSum::new(lanes), numbers::FloatSum::new(lanes)))),
        Fold::Moments { skip_nan } => {
            let parts = complex::InParts::new(moments::Moments::new(lanes, skip_nan), moments::Moments::new(lanes, skip_nan));
            Ok(Box::new(if skip_nan { parts.nan_in_both() } else { parts }))
        }
        Fold::Product => Ok(Box::new(complex::ComplexProduct::new(lanes))),
        Fold::Any => Ok(Box::new(order::Truth::new(lanes, false))),
        Fold::All => Ok(Box::new(order::Truth::new(lanes, true))),
        Fold::Extreme { .. } | Fold::Place { .. } => Err(without_order(T::DTYPE)),
    }
}

fn ordered<T: Rank>(fold: Fold, lanes: usize) -> Result<Box<dyn Folder<T>>, Failure> {
    Ok(match fold {
        Fold::Sum if T::DTYPE.is_float() => Box::new(numbers::FloatSum::new(lanes)),
        Fold::Sum => Box::new(numbers::WholeSum::new(lanes)),
        Fold::Product if T::DTYPE.is_float() => Box::new(numbers::FloatProduct::new(lanes)),
        Fold::Product => Box::new(numbers::WholeProduct::new(lanes)),
        Fold::Moments { skip_nan } => Box::new(moments::Moments::new(lanes, skip_nan && T::DTYPE.is_float())),
        Fold::Extreme { greatest, skip_nan } => Box::new(order::Extreme::<T>::new(lanes, greatest, skip_nan)),
        Fold::Place { greatest, skip_nan } => Box::new(order::Place::<T>::new(lanes, greatest, skip_nan)),
        Fold::Any => Box::new(order::Truth::new(lanes, false)),
        Fold::All => Box::new(order::Truth::new(lanes, true)),
    })
}

/// Takes tiles of a program's results and folds them.
pub struct Folding<T> {
    folder: Box<dyn Folder<T>>,
    /// The operand of the walk that says the lane, behind the program's inputs,
    lane: usize,
    /// and the one that says names, with the name of the block's first element.
    names: Option<(usize, i64)>,
    /// Rows that lie apart, put together.
    together: Vec<T>,
}

impl<T: Held> Folding<T> {
    /// With these states. `inputs` are the program's inputs; the operands of the walk behind them are the lanes and, if elements have
    /// names, the names.
    pub fn new(folder: Box<dyn Folder<T>>, inputs: usize, first_name: Option<i64>) -> Self {
        Self { folder, lane: inputs, names: first_name.map(|name| (inputs + 1, name)), together: Vec::new() }
    }

    /// The states.
    pub fn end(self, shape: &[usize]) -> Vec<Block> {
        self.folder.end(shape)
    }
}

impl<T: Held> Sink<T> for Folding<T> {
    fn take(&mut self, rows: Rows<'_, T>, tile: &Tile<'_>) -> Result<(), Failure> {
        let lane = tile.offsets[self.lane] as usize;
        let (row, column) = (tile.row_strides[self.lane] as usize, tile.column_strides[self.lane]);
        let (mut names, mut row_name) = (Names::default(), 0);
        if let Some((at, first)) = self.names {
            names = Names { first: first + tile.offsets[at] as i64, column: tile.column_strides[at] as i64 };
            row_name = tile.row_strides[at] as i64;
        }
        if column != 0 && row == 0 {
            self.folder.lanes(lane, rows, names, row_name);
            return Ok(());
        }
        if column == 0 && row == 0 && self.names.is_none() {
            // One run, also where its rows lie apart: how a run is cut decides how it is rounded.
            match rows.in_one() {
                Some(all) => self.folder.run(lane, all, names),
                None => {
                    self.together.clear();
                    rows.iter().for_each(|row| self.together.extend_from_slice(row));
                    self.folder.run(lane, &self.together, names);
                }
            }
            return Ok(());
        }
        for (at, single) in rows.singles().enumerate() {
            let names = Names { first: names.first + at as i64 * row_name, ..names };
            match (column, single.in_one()) {
                (0, Some(run)) => self.folder.run(lane + at * row, run, names),
                _ => self.folder.lanes(lane + at * row, single, names, 0),
            }
        }
        Ok(())
    }
}
