//! Keys that have more rows than a part should have. The rows of one side of a join with such a key are dealt out to several parts, and those
//! of the other side with that key are sent to each of these, so that every pair still meets exactly once.
//!
//! Each task that splits the one side finds out by itself which keys are so frequent in its partition, and says so, and to which parts their
//! rows went, in one part more than there are parts. Together the partitions deal out a key to all parts, each to its share of them: a key
//! that fills one partition and no other, as in files that are sorted by it, goes to few. The other side waits for that and not for the rows (Rödiger, Idicula, Kemper and Neumann, "Flow-Join: adaptive skew
//! handling for distributed joins over high-speed networks", ICDE 2016). It refuses to know joins: which side may be dealt out is decided
//! where it is known what becomes of rows that meet nobody.

use std::collections::BTreeMap;

use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Parts, Table, TaskContext, Wiring};
use polars::prelude::{Expr, IdxSize};
use serde::{Deserialize, Serialize};

use super::hash::{part_of, row_hashes};
use super::keys::key_columns;
use super::split::{Hashed, Nulls, Split, taken};
use crate::frame::expr::{expr_op, on_polars_thread, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::sampled::sampled;
use crate::frame::sort::range::positions;
use crate::frame::value::{fact_chunk, fact_of};
use crate::frame::{DFrame, Node, ops};

/// Rows that are looked at in each partition.
const SAMPLES: usize = 1024;
/// A key that was seen less often than so in a sample is not known to be frequent.
const SEEN: usize = 16;

/// The keys of which a sample has more rows than a part should have.
fn frequent(sample: impl Iterator<Item = u64>, parts: u32) -> Vec<u64> {
    let (mut counts, mut all): (BTreeMap<u64, usize>, usize) = (BTreeMap::new(), 0);
    for hash in sample {
        *counts.entry(hash).or_default() += 1;
        all += 1;
    }
    let many = |count: usize| count >= SEEN && count * parts as usize > all;
    counts.into_iter().filter(|(_, count)| many(*count)).map(|(hash, _)| hash).collect()
}

/// Whether a frame will have such keys, by the sample of it that is at hand; `None` when there is none.
pub(crate) fn is_skewed(frame: &DFrame, keys: &[Expr], parts: u32) -> Option<bool> {
    let (sample, keys) = sampled(frame, keys.to_vec())?;
    let columns = on_polars_thread(|| key_columns(&sample, &keys)).ok()?;
    // Rows with null keys are treated otherwise where they meet nobody.
    let whole = |row: &usize| columns.iter().all(|key| key.get(*row).is_ok_and(|value| !value.is_null()));
    let hashes = row_hashes(&columns).ok()?;
    Some(!frequent((0..hashes.len()).filter(whole).map(|row| hashes[row]), parts).is_empty())
}

/// Splits the side whose rows of frequent keys are dealt out. The last part tells which keys these are, and in which parts their rows may be.
#[derive(Serialize, Deserialize)]
pub(crate) struct DealOut {
    split: Split,
    /// How many partitions are split.
    partitions: u32,
}

impl DealOut {
    /// How far from the part of its hash a row of a frequent key goes: row `row` of `rows` in partition `at`.
    fn steps(&self, at: u32, row: usize, rows: usize) -> usize {
        let place = u128::from(at) * rows as u128 + row as u128;
        (place * u128::from(self.split.parts) / (u128::from(self.partitions) * rows as u128)) as usize
    }

    /// The parts in which rows of a key may be, of those of partition `at`: also that of its hash, to which other partitions send them.
    fn parts_of(&self, hash: u64, at: u32, rows: usize) -> impl Iterator<Item = (u64, u32)> {
        let (home, parts) = (part_of(hash, self.split.parts), self.split.parts as usize);
        let steps = self.steps(at, 0, rows)..=self.steps(at, rows - 1, rows);
        std::iter::once(0).chain(steps).map(move |steps| (hash, ((home + steps) % parts) as u32))
    }
}

impl Operator for DealOut {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let Hashed { frame, hashes, apart } = self.split.hashed(&inputs[0])?;
        let (at, parts) = (ctx.key.index, self.split.parts);
        let is_apart = |row: usize| apart.as_ref().is_some_and(|apart| apart.get(row) == Some(true));
        let looked_at = positions(hashes.len(), SAMPLES);
        let looked_at = looked_at.iter().map(|row| *row as usize).filter(|row| !is_apart(*row));
        let frequent = frequent(looked_at.map(|row| hashes[row]), parts);
        let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); parts as usize];
        let mut is_at_home = vec![false; frequent.len()];
        for (row, hash) in hashes.iter().enumerate() {
            let part = if is_apart(row) {
                (at as usize + row) % rows.len()
            } else if let Ok(key) = frequent.binary_search(hash) {
                // One stays in the part of its hash, so that rows of the other side meet it there.
                let steps = if is_at_home[key] { self.steps(at, row, hashes.len()) } else { 0 };
                is_at_home[key] = true;
                (part_of(*hash, parts) + steps) % rows.len()
            } else {
                part_of(*hash, parts)
            };
            rows[part].push(row as IdxSize);
        }
        let dealt: Vec<(u64, u32)> = frequent.iter().flat_map(|hash| self.parts_of(*hash, at, hashes.len())).collect();
        let mut parts = taken(&frame, rows)?;
        parts.push(fact_chunk(&dealt));
        Ok(Chunk::new(Parts(parts)))
    }
}

impl NamedOperator for DealOut {
    const NAME: &'static str = "split_deal_out";
}

/// All frequent keys, each with each part in which it may be.
#[derive(Serialize, Deserialize)]
pub(crate) struct FrequentKeys;

impl Operator for FrequentKeys {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut all: Vec<(u64, u32)> = inputs.iter().map(fact_of::<Vec<(u64, u32)>>).collect::<Result<Vec<_>, _>>()?.concat();
        all.sort_unstable();
        all.dedup();
        Ok(fact_chunk(&all))
    }
}

impl NamedOperator for FrequentKeys {
    const NAME: &'static str = "frequent_keys";
}

/// Splits the other side: rows of frequent keys go to every part in which the other side has such rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct SendToAll(Split);

impl Operator for SendToAll {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let Hashed { frame, hashes, apart } = self.0.hashed(&inputs[0])?;
        let frequent: Vec<(u64, u32)> = fact_of(inputs.get(1).ok_or_else(|| Failure::internal("a split without the frequent keys"))?)?;
        let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); self.0.parts as usize];
        for (row, hash) in hashes.iter().enumerate() {
            if apart.as_ref().is_some_and(|apart| apart.get(row) == Some(true)) {
                let part = (ctx.key.index as usize + row) % rows.len();
                rows[part].push(row as IdxSize);
                continue;
            }
            let first = frequent.partition_point(|(other, _)| other < hash);
            let mut dealt = frequent[first..].iter().take_while(|(other, _)| other == hash).peekable();
            if dealt.peek().is_none() {
                rows[part_of(*hash, self.0.parts)].push(row as IdxSize);
            }
            dealt.for_each(|(_, part)| rows[*part as usize].push(row as IdxSize));
        }
        Ok(Chunk::new(Parts(taken(&frame, rows)?)))
    }
}

impl NamedOperator for SendToAll {
    const NAME: &'static str = "split_send_to_all";
}

/// One side of a join: its keys, what becomes of its null keys, and its rows.
pub(crate) struct SkewSide<'a> {
    pub keys: &'a [Expr],
    pub nulls: Nulls,
    pub input: Lowered,
}

/// The layers that split a side that is dealt out and the other one, whose rows readers take up with [`Wiring::Part`].
pub(crate) fn split(dealt: &SkewSide<'_>, other: &SkewSide<'_>, parts: u32, node: &Node, lowering: &mut Lowering) -> [Lowered; 2] {
    let of = |side: &SkewSide<'_>| Split { keys: side.keys.to_vec(), parts, nulls: side.nulls };
    let label = |side: &SkewSide<'_>, how: &str| format!("split by {} into {parts}{}, {how}", show(side.keys), side.nulls.label());
    let op =
        expr_op(DealOut { split: of(dealt), partitions: dealt.input.partitions }, label(dealt, "frequent keys dealt out"), ops::token());
    let split = lowering.add(Layer::single("split", dealt.input.partitions, op, vec![dealt.input.edge(Wiring::Each)]), node);
    // Of this layer only the last task runs: the others would read parts that joins read.
    let op = OpRef::new(FrequentKeys, "frequent keys");
    let frequent = lowering.add(Layer::single("frequent keys", parts + 1, op, vec![split.edge(Wiring::Part)]), node);
    let tasks = other.input.partitions;
    let last = Table { offsets: (0..=tasks).collect(), indices: vec![parts; tasks as usize].into() };
    let edges = vec![other.input.edge(Wiring::Each), Edge { layer: frequent.layer, wiring: Wiring::Table(last) }];
    let op = expr_op(SendToAll(of(other)), label(other, "frequent keys to all"), ops::token());
    let sent = lowering.add(Layer::single("split", tasks, op, edges), node);
    [split, sent]
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn a_key_is_frequent_when_a_part_would_be_too_small_for_it() {
        let sample = |heavy: usize, others: usize| std::iter::repeat_n(7, heavy).chain(1000..1000 + others as u64);
        assert_eq!(frequent(sample(90, 10), 4), [7]);
        assert_eq!(frequent(sample(26, 74), 4), [7]);
        assert!(frequent(sample(25, 75), 4).is_empty());
        // Too few to tell.
        assert!(frequent(sample(SEEN - 1, 0), 4).is_empty());
        assert!(frequent(sample(0, 0), 4).is_empty());
    }

    #[test]
    fn samples_at_hand_tell_before_anything_runs() {
        let rows = 10_000i64;
        let keys: Vec<i64> = (0..rows).map(|i| if i % 10 == 0 { i } else { -1 }).collect();
        let t = DFrame::from_polars(df!("k" => keys, "i" => (0..rows).collect::<Vec<_>>()).expect("columns of one length"), 3);
        let by = |name: &str| [Expr::Column(name.into())];
        assert_eq!(is_skewed(&t, &by("k"), 4), Some(true));
        assert_eq!(is_skewed(&t.rename([("k", "q")]), &by("q"), 4), Some(true));
        assert_eq!(is_skewed(&t, &by("i"), 4), Some(false));
        assert_eq!(is_skewed(&t.group_by(["k"]).len(), &by("k"), 4), None);
    }
}
