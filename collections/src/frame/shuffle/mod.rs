//! Shuffles: rows with equal keys come into one partition. Every partition is split by a hash of the keys ([`split`]), and partition `j` of
//! the result is made of part `j` of each, in the order of the partitions.

pub(crate) mod clustered;
pub(crate) mod hash;
pub(crate) mod keys;
pub(crate) mod skew;
pub(crate) mod split;

use partita_graph::{Code, Edge, Failure, Layer, OpRef, Wiring};
use polars::prelude::{Expr, PlSmallStr, Schema, SchemaRef};

use super::expr::{Names, columns_of_all, expr_op, show};
use super::lower::{Lowered, Lowering};
use super::ops::{self, concat::Concat};
use super::{Admission, DFrame, IntoExprs, Node, Step};
use keys::check_keys;
use split::{Nulls, Split};

impl DFrame {
    /// The same rows in `npartitions` partitions, all rows with equal keys in one of them. Joins, group-bys and `unique` do this by
    /// themselves where they need it; it is for functions of your own that look at all rows of a key.
    ///
    /// Which partition a key goes to depends on its value alone. Within a partition rows keep their order, those of the first
    /// partition first. Null is a key like any other; `-0.0` and `0.0` are one key, all NaNs are one, and integers of different
    /// widths are the same key when they are the same number.
    ///
    /// ```
    /// use partita::{polars::prelude::IntoLazy, prelude::*};
    /// let frame = DFrame::from_polars(df!("k" => [1, 2, 1, 2], "x" => [1, 2, 3, 4])?, 2).shuffle(["k"], 3);
    /// let largest = frame.map_partitions(|whole_keys| whole_keys.lazy().group_by([col("k")]).agg([col("x").max()]).collect());
    /// assert_eq!((frame.npartitions()?, largest.len()?), (3, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: zero partitions, no key, a column that does not exist, a key that looks at other rows.
    #[track_caller]
    pub fn shuffle(&self, keys: impl IntoExprs, npartitions: usize) -> DFrame {
        if npartitions == 0 {
            let failure = Failure::new(Code::InvalidOption, "a frame has at least one partition, not 0");
            return DFrame::failed(failure, ".shuffle(…)");
        }
        match self.expanded(keys.into_exprs()) {
            Ok(keys) => DFrame::then(Shuffle { keys, npartitions: npartitions as u32 }, vec![self.clone()], ".shuffle(…)"),
            Err(failure) => DFrame::failed(failure, ".shuffle(…)"),
        }
    }
}

struct Shuffle {
    keys: Vec<Expr>,
    npartitions: u32,
}

impl Step for Shuffle {
    fn line(&self) -> String {
        format!("shuffle by {} into {}", show(&self.keys), self.npartitions)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&self.keys, &inputs[0], ".shuffle(…)")?;
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&columns_of_all(&self.keys)).cloned().collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // A key that can fail must see all rows, and so must a predicate that can fail see what comes out.
        match node.can_fail(predicate) || self.keys.iter().any(|key| node.inputs[0].node().can_fail(key)) {
            true => Admission::Stop,
            false => Admission::Through(predicate.clone()),
        }
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        if lowering.is_spread_by(inputs[0], &self.keys) && inputs[0].partitions == self.npartitions {
            return Ok(inputs[0]);
        }
        let split = spread(&self.keys, self.npartitions, inputs[0], node, lowering);
        let op = OpRef::new(Concat, self.line());
        let shuffled = lowering.add(Layer::single("shuffle", self.npartitions, op, vec![split.edge(Wiring::Part)]), node);
        lowering.note_spread(shuffled, &self.keys);
        Ok(shuffled)
    }
}

/// The layer that splits partitions by keys into parts, which readers take up with [`Wiring::Part`].
pub(crate) fn spread(keys: &[Expr], parts: u32, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
    spread_with(keys, parts, Nulls::Together, input, node, lowering)
}

/// The same, where rows with null keys may be treated otherwise.
pub(crate) fn spread_with(keys: &[Expr], parts: u32, nulls: Nulls, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
    let split = Split { keys: keys.to_vec(), parts, nulls };
    let op = expr_op(split, format!("split by {} into {parts}{}", show(keys), nulls.label()), ops::token());
    lowering.add(Layer::single("split", input.partitions, op, vec![input.edge(Wiring::Each)]), node)
}

/// How a task gets all rows of its keys, and in how many chunks.
pub(crate) struct Together {
    pub edge: Edge,
    pub chunks: u32,
}

impl Together {
    /// Out of a layer whose rows are spread by exactly these keys over as many partitions already, or else by a split.
    pub fn of(keys: &[Expr], parts: u32, nulls: Nulls, input: Lowered, node: &Node, lowering: &mut Lowering) -> Self {
        match lowering.is_spread_by(input, keys) && input.partitions == parts {
            true => Self { edge: input.edge(Wiring::Each), chunks: 1 },
            false => {
                let split = spread_with(keys, parts, nulls, input, node, lowering);
                Self { edge: split.edge(Wiring::Part), chunks: input.partitions }
            }
        }
    }
}

/// Columns by their names.
pub(crate) fn named(columns: impl IntoIterator<Item = impl Into<PlSmallStr>>) -> Vec<Expr> {
    columns.into_iter().map(|name| Expr::Column(name.into())).collect()
}
