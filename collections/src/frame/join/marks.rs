//! Semi and anti joins of few rows with many: each partition of the right side says which rows of the left side it meets, and then those are
//! picked, or the others. Neither side is split by its keys.
//!
//! It refuses to know sizes. Invariant: the result is one partition with the rows of the left side in their order.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::How;
use super::operator::{Pairs, Spec, assembled};
use super::side::Built;
use super::table::END;
use crate::frame::value::{fact_chunk, fact_of, frame_of};

/// The rows of the left side that a partition of the right one meets, ascending.
#[derive(Serialize, Deserialize)]
pub(crate) struct MarkMet {
    pub spec: Spec,
}

impl Operator for MarkMet {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let left = built(inputs.get(1))?;
        let right = self.spec.right(&frame_of(&inputs[0])?)?;
        let mut met = Met::of(left.side.rows);
        left.table.each(&left.side.index, &right.index, |_, first| {
            // Rows of one key are met together.
            if first != END && met.add(first) {
                let mut at = left.table.after(&left.side.index, first);
                while at != END {
                    met.add(at);
                    at = left.table.after(&left.side.index, at);
                }
            }
        });
        Ok(fact_chunk(&met.rows().collect::<Vec<IdxSize>>()))
    }
}

impl NamedOperator for MarkMet {
    const NAME: &'static str = "join_mark_met";
}

/// The rows of the left side that some partition met, or for an anti join the others.
#[derive(Serialize, Deserialize)]
pub(crate) struct PickMet {
    pub spec: Spec,
}

impl Operator for PickMet {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (left, marks) = (built(inputs.first())?, &inputs[1..]);
        let mut met = Met::of(left.side.rows);
        for mark in marks {
            fact_of::<Vec<IdxSize>>(mark)?.into_iter().for_each(|row| {
                met.add(row);
            });
        }
        let rows: Vec<IdxSize> = match self.spec.how {
            How::Anti => (0..left.side.rows as IdxSize).filter(|row| !met.has(*row)).collect(),
            _ => met.rows().collect(),
        };
        // No column of the right side is in the result.
        assembled(&self.spec, &left.side, &left.side, Pairs { left: rows, right: Vec::new() })
    }
}

impl NamedOperator for PickMet {
    const NAME: &'static str = "join_pick_met";
}

fn built(chunk: Option<&Chunk>) -> Result<&Built, Failure> {
    chunk.and_then(|chunk| chunk.get::<Built>()).ok_or_else(|| Failure::internal("a join without its table"))
}

/// A bit for each row.
struct Met(Vec<u64>);

impl Met {
    fn of(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }

    /// Whether the row is new.
    fn add(&mut self, row: IdxSize) -> bool {
        let (word, bit) = (&mut self.0[row as usize / 64], 1u64 << (row % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn has(&self, row: IdxSize) -> bool {
        self.0[row as usize / 64] >> (row % 64) & 1 == 1
    }

    fn rows(&self) -> impl Iterator<Item = IdxSize> {
        let of_word = |(at, word): (usize, &u64)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(at as IdxSize * 64 + bit)
            })
        };
        self.0.iter().enumerate().flat_map(of_word)
    }
}
