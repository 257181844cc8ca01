//! Axes of unknown sizes that several arrays have together: whether their blocks are as long as each other is seen when they are there,
//! and not before.
//!
//! It refuses to know what is made of blocks. The invariant: along such an axis a block is repeated only where the plan knew that its array
//! has length 1 there. A block that happens to have one element is not repeated, because then results would depend on where chunks end.

use std::collections::BTreeMap;

use partita_graph::{Chunk, Code, Failure, NamedOperator, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::AnyArray;
use super::block::{Block, block_of};
use super::meta::{Cuts, Meta, tuple};

/// What can be done about blocks of different lengths that were to belong together.
pub(super) const FIND_SIZES: &str =
    "let their sizes be found first: .compute_chunk_sizes()? of each array; known chunks are cut alike by themselves, or by .rechunk(…)";

/// Which inputs of a step must have blocks of the same lengths.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Alike {
    axes: Vec<Along>,
}

/// One axis.
#[derive(Clone, Serialize, Deserialize)]
struct Along {
    /// For people: its number in the result, or its name.
    axis: String,
    /// The inputs that have it, and its number in each.
    inputs: Vec<(usize, usize)>,
}

impl Alike {
    /// Of inputs that become an array with these cuts. Where sizes are known all inputs are cut alike, so that nothing is left to be seen.
    pub fn of(inputs: &[&Meta], cuts: &[Cuts]) -> Self {
        let along = |axis: usize| {
            let own = |(input, meta): (usize, &&Meta)| {
                let own = (axis + meta.ndim()).checked_sub(cuts.len())?;
                // What is repeated is as long as whatever it is beside.
                (meta.cuts[own].len() != Some(1)).then_some((input, own))
            };
            Along { axis: axis.to_string(), inputs: inputs.iter().enumerate().filter_map(own).collect() }
        };
        let unknown = (0..cuts.len()).filter(|axis| cuts[*axis].len().is_none());
        Self { axes: unknown.map(along).filter(|along| along.inputs.len() > 1).collect() }
    }

    /// The same of arrays.
    pub fn of_arrays(inputs: &[AnyArray], cuts: &[Cuts]) -> Result<Self, Failure> {
        Ok(Self::of(&inputs.iter().map(AnyArray::meta).collect::<Result<Vec<&Meta>, Failure>>()?, cuts))
    }

    /// Of two inputs that have these axes both.
    pub fn of_axes(axes: &[usize]) -> Self {
        Self { axes: axes.iter().map(|axis| Along { axis: axis.to_string(), inputs: vec![(0, *axis), (1, *axis)] }).collect() }
    }

    /// Of inputs whose axes have names: those of one name belong together.
    pub fn of_names(names: &[Vec<char>], inputs: &[&Meta]) -> Self {
        let mut found: BTreeMap<char, Vec<(usize, usize)>> = BTreeMap::new();
        for (input, (names, meta)) in names.iter().zip(inputs).enumerate() {
            for (own, name) in names.iter().enumerate().filter(|(own, _)| meta.cuts[*own].len().is_none()) {
                found.entry(*name).or_default().push((input, own));
            }
        }
        let several = found.into_iter().filter(|(_, inputs)| inputs.len() > 1);
        Self { axes: several.map(|(name, inputs)| Along { axis: format!("`{name}`"), inputs }).collect() }
    }

    /// Whether nothing is left to be seen.
    pub fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    /// Fails when blocks of the inputs, one of each, are of different lengths where they must not be.
    pub fn check(&self, blocks: &[&Block]) -> Result<(), Failure> {
        for Along { axis, inputs } in &self.axes {
            let len = |(input, own): &(usize, usize)| blocks.get(*input).and_then(|block| block.shape().get(*own)).copied();
            let lens: Option<Vec<usize>> = inputs.iter().map(len).collect();
            let mut lens = lens.ok_or_else(|| Failure::internal("blocks of other arrays than those of the plan"))?;
            lens.dedup();
            if lens.len() > 1 {
                let lens: Vec<String> = lens.iter().map(usize::to_string).collect();
                let what = format!("chunks that belong together have {} elements along axis {axis}", lens.join(" and "));
                let why = "the arrays have as many chunks there, but of sizes that were not known before they were made";
                return Err(Failure::new(Code::ShapeMismatch, what).detail("sizes", why).help(FIND_SIZES));
            }
        }
        Ok(())
    }
}

/// Hands the first of several blocks on, where these are as long as each other. Its argument is the place in the grid of what is made of them.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckAlike {
    pub(super) alike: Alike,
}

impl Operator for CheckAlike {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let position: Vec<usize> = ctx.arg()?.decode()?;
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        self.alike.check(&blocks).map_err(|failure| failure.detail("block", tuple(position)))?;
        inputs.first().cloned().ok_or_else(|| Failure::internal("no blocks that could be as long as each other"))
    }
}

impl NamedOperator for CheckAlike {
    const NAME: &'static str = "array_check_alike";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;

    fn meta(cuts: &[Cuts]) -> Meta {
        Meta { dtype: DType::F64, cuts: cuts.to_vec() }
    }

    fn check(metas: &[Meta], cuts: &[Cuts], shapes: &[&[usize]]) -> Result<(), Code> {
        let blocks: Vec<Block> = shapes.iter().map(|shape| Block::full(shape.to_vec(), 1.0)).collect();
        let alike = Alike::of(&metas.iter().collect::<Vec<_>>(), cuts);
        alike.check(&blocks.iter().collect::<Vec<_>>()).map_err(|failure| failure.code)
    }

    #[test]
    fn blocks_are_as_long_as_each_other_unless_the_plan_repeats_them() {
        let unknown = Cuts::Unknown(2);
        let line = std::slice::from_ref(&unknown);
        let lines = [meta(line), meta(line)];
        assert_eq!(check(&lines, line, &[&[2], &[2]]), Ok(()));
        assert_eq!(check(&lines, line, &[&[1], &[2]]), Err(Code::ShapeMismatch));
        assert_eq!(check(&lines, line, &[&[0], &[1]]), Err(Code::ShapeMismatch));
        assert_eq!(check(&lines, line, &[&[2]]), Err(Code::Internal));
        let repeated = [meta(&[Cuts::whole(1), unknown.clone()]), meta(&[Cuts::even(4, 2), Cuts::whole(1)]), meta(&[])];
        assert_eq!(check(&repeated, &[Cuts::even(4, 2), unknown.clone()], &[&[1, 3], &[2, 1], &[]]), Ok(()));
        // Axes are counted from the last one on.
        let fewer = [meta(&[Cuts::whole(3), unknown.clone()]), meta(line)];
        assert_eq!(check(&fewer, &[Cuts::whole(3), unknown.clone()], &[&[3, 2], &[2]]), Ok(()));
        assert_eq!(check(&fewer, &[Cuts::whole(3), unknown], &[&[3, 2], &[1]]), Err(Code::ShapeMismatch));
    }

    #[test]
    fn axes_of_one_name_belong_together() {
        let metas = [meta(&[Cuts::Unknown(2), Cuts::whole(3)]), meta(&[Cuts::whole(3), Cuts::Unknown(2)])];
        let of = |names: [&str; 2]| {
            let names = names.map(|names| names.chars().collect::<Vec<char>>());
            Alike::of_names(&names, &metas.iter().collect::<Vec<_>>())
        };
        let check = |shapes: [[usize; 2]; 2]| {
            let blocks = shapes.map(|shape| Block::full(shape.to_vec(), 1.0));
            of(["ij", "ji"]).check(&blocks.iter().collect::<Vec<_>>()).map_err(|failure| failure.to_string())
        };
        assert!(check([[2, 3], [3, 2]]).is_ok());
        assert!(check([[2, 3], [3, 1]]).is_err_and(|text| text.contains("2 and 1 elements along axis `i`")));
        // Each has an axis of unknown sizes that the other has not.
        assert!(of(["ij", "jk"]).is_empty());
    }
}
