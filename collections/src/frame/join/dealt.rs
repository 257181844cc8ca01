//! Which side of a join that is split by its keys has its rows of frequent keys dealt out to several parts, to each of which the other side's
//! rows with such a key are sent.
//!
//! It refuses to know how rows are dealt out; `shuffle/skew.rs` does. Invariant: every pair is in the result once, and so is every row that
//! meets nobody: of a row that was sent to several parts the one that counts is in the part of its key's hash, and there one of the rows
//! that were dealt out always is.

use polars::prelude::{DataType, Expr, IdxSize};
use serde::{Deserialize, Serialize};

use super::How;
use super::matches::is_number;
use super::operator::{NONE, Pairs, Spec};
use super::side::Side;
use super::small::bytes;
use crate::frame::Node;
use crate::frame::lower::Lowering;
use crate::frame::shuffle::hash::part_of;
use crate::frame::shuffle::skew;
use crate::frame::size::size_of;

/// The side whose rows are dealt out.
pub(super) struct Dealt {
    pub of_left: bool,
    /// Set when rows of the other side are in the result even if they meet nobody.
    pub copies: Option<Copies>,
}

/// Says of which side rows were sent to several of so many parts.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Copies {
    left: bool,
    parts: u32,
}

impl Dealt {
    /// The larger side that has frequent keys and may be dealt out, by the samples at hand; of what no sample tells, a side that costs nothing
    /// to look at while it is split. A side whose keys must be unique is seen to be so only where they come together. `key` is the type of
    /// the only key, if there is one.
    pub fn of(spec: &Spec, key: Option<&DataType>, parts: u32, node: &Node, lowering: &mut Lowering) -> Option<Self> {
        if parts < 2 {
            return None;
        }
        let unique = [spec.left_unique, spec.right_unique];
        // Rows of the other side are in the result only where they meet somebody, if that.
        let plain = [matches!(spec.how, How::Inner | How::Left | How::Semi | How::Anti), matches!(spec.how, How::Inner | How::Right)];
        // They are in it anyway, so it must be known that one meets somebody where it counts: by a hash that no other key has.
        let is_alone = !spec.nulls_equal && key.is_some_and(is_number);
        let copied = [matches!(spec.how, How::Right | How::Full), matches!(spec.how, How::Left | How::Full)].map(|kind| kind && is_alone);
        let on: [&[Expr]; 2] = [&spec.left_on, &spec.right_on];
        let skewed = [0usize, 1].map(|side| skew::is_skewed(&node.inputs[side], on[side], parts));
        let sizes = [0usize, 1].map(|side| bytes(size_of(&node.inputs[side])));
        let order = if sizes[1] > sizes[0] { [1, 0] } else { [0, 1] };
        let find = |fits: &dyn Fn(usize) -> bool| order.into_iter().find(|side| !unique[*side] && fits(*side));
        let known = |side: usize| skewed[side] == Some(true);
        let chosen = find(&|side| known(side) && (plain[side] || copied[side]));
        if let Some(other) = order.into_iter().find(|side| known(*side)).filter(|_| chosen.is_none()) {
            lowering.notes.push(not_dealt(spec, other));
        }
        let side = chosen.or_else(|| find(&|side| skewed[side].is_none() && plain[side]))?;
        let copies = (!plain[side]).then_some(Copies { left: side == 1, parts });
        Some(Self { of_left: side == 0, copies })
    }
}

/// What the user should know of a side with frequent keys that are not dealt out.
fn not_dealt(spec: &Spec, side: usize) -> String {
    let which = if side == 0 { "left" } else { "right" };
    let how = format!("{:?}", spec.how).to_lowercase();
    format!(
        "a few keys have many of the rows of the {which} frame of the {how} join on {}, and one task takes in all rows of a key",
        spec.key_names
    )
}

impl Copies {
    /// The pairs without those rows that meet nobody in another part than that of their key's hash. Rows with null keys are in one part only.
    pub(super) fn once(self, pairs: Pairs, left: &Side, right: &Side, part: u32) -> Pairs {
        let copied = if self.left { left } else { right };
        let counts = |row: usize| copied.index.is_null(row) || part_of(copied.index.hashes()[row], self.parts) == part as usize;
        let stays = |(left, right): &(IdxSize, IdxSize)| {
            let (own, other) = if self.left { (*left, *right) } else { (*right, *left) };
            other != NONE || counts(own as usize)
        };
        let (left, right) = pairs.left.into_iter().zip(pairs.right).filter(stays).unzip();
        Pairs { left, right }
    }
}
