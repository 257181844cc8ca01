//! The product of two arrays, of which every other is made: axes that both have and the result has not are summed over; axes that all three
//! have are gone through side by side.
//!
//! One task multiplies a few pairs of blocks and adds them up; where there are more along the axes that are summed over, a tree adds what
//! tasks have. So no task holds much more than the blocks that it reads, and nothing that is multiplied lies between.
//!
//! The invariant: memory changes no bit. Which pairs are added up one after the other follows from their sizes alone; where a task may not hold all of
//! them, several tasks do it, each of which goes on with the sum of the one before.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, Par};
use ndarray::Axis;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::matrix::Matrix;
use crate::array::alike::FIND_SIZES;
use crate::array::block::{Block, block_of};
use crate::array::element::{C64, C128, DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance};
use crate::array::named::{cuts_by_name, named_cuts, shown};
use crate::array::rechunk::{Lists, reading, rechunk};
use crate::array::reductions::tree::tree_by_steps;
use crate::array::tile::{Arith, Binary};
use crate::array::{Node, Step};

/// Bytes of blocks whose products are added up one after the other, where that makes no fewer and no more pairs than these. Other numbers would give
/// other sums of floats, so they do not follow from the memory that there is.
const TOGETHER_BYTES: usize = 256 << 20;
const PAIRS: std::ops::RangeInclusive<usize> = 2..=64;
/// Rows and columns of the second matrix that whole numbers are multiplied with at a time: they fit the second cache.
const TILE: [usize; 2] = [64, 256];

/// A product of two arrays, by the names of their axes.
pub(super) struct Contract {
    /// Of the first and of the second array.
    pub names: [Vec<char>; 2],
    pub out: Vec<char>,
    /// Whether only sums that are infinite or NaN are wanted, also over axes that one array alone has, which are in one chunk: of finite numbers
    /// nothing is multiplied.
    pub only_infinite: bool,
}

impl Contract {
    /// The names that both arrays have and the result has not.
    fn summed(&self) -> Vec<char> {
        let [a, b] = &self.names;
        a.iter().copied().filter(|name| b.contains(name) && !self.out.contains(name)).collect()
    }

    /// What a task does with a pair of blocks.
    fn multiply(&self, dtype: DType) -> Multiply {
        let [a, b] = &self.names;
        let summed = self.summed();
        let both: Vec<char> = self.out.iter().copied().filter(|name| a.contains(name) && b.contains(name)).collect();
        let only = |own: &[char], other: &[char]| own.iter().copied().filter(|name| !other.contains(name)).collect::<Vec<char>>();
        let (rows, columns) = (only(a, b), only(b, a));
        let order = |own: &[char], groups: [&[char]; 3]| {
            let place = |name: &char| own.iter().position(|other| other == name);
            groups.map(|group| group.iter().filter_map(place).collect::<Vec<usize>>())
        };
        let made = [&both[..], &rows, &columns].concat();
        Multiply {
            dtype,
            only_infinite: self.only_infinite,
            first: order(a, [&both, &rows, &summed]),
            second: order(b, [&both, &summed, &columns]),
            goes_on: false,
            out: self.out.iter().filter_map(|name| made.iter().position(|other| other == name)).collect(),
        }
    }

    /// For each block of the result, for each group of at most `most` pairs, the blocks of both arrays; and how many groups a block of the result has.
    fn pairs(&self, grids: [&[usize]; 2], out: &[usize], most: usize) -> (usize, Vec<[Vec<usize>; 2]>) {
        let summed = self.summed();
        let count = |name: &char| self.names[0].iter().position(|own| own == name).map_or(1, |at| grids[0][at]);
        let inner: Vec<usize> = summed.iter().map(count).collect();
        let groups = inner.iter().product::<usize>().div_ceil(most);
        let mut found = Vec::with_capacity(out.iter().product::<usize>() * groups);
        let mut position = vec![0; out.len()];
        loop {
            let mut read = [Vec::new(), Vec::new()];
            let mut within = vec![0; inner.len()];
            loop {
                for ((read, names), grid) in read.iter_mut().zip(&self.names).zip(grids) {
                    let at = |name: &char| match self.out.iter().position(|out| out == name) {
                        Some(axis) => position[axis],
                        None => summed.iter().position(|own| own == name).map_or(0, |axis| within[axis]),
                    };
                    read.push(names.iter().zip(grid).fold(0, |number, (name, blocks)| number * blocks + at(name)));
                }
                if !advance(&mut within, &inner) {
                    break;
                }
            }
            let [first, second] = read;
            found.extend(first.chunks(most).zip(second.chunks(most)).map(|(first, second)| [first.to_vec(), second.to_vec()]));
            if !advance(&mut position, out) {
                return (groups, found);
            }
        }
    }
}

impl Step for Contract {
    fn line(&self) -> String {
        let kind = if self.only_infinite { "infinite " } else { "" };
        format!("{kind}product {}, {} to {}", shown(&self.names[0]), shown(&self.names[1]), shown(&self.out))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: inputs[0].dtype, cuts: cuts_by_name(&self.out, &named_cuts(&self.names, inputs)?)? })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let (named, meta) = (named_cuts(&self.names, &metas)?, node.known()?);
        let mut inputs = Vec::with_capacity(2);
        let mut grids: Vec<Vec<usize>> = Vec::with_capacity(2);
        let mut pair_bytes = 0;
        for ((array, from), names) in node.inputs.iter().zip(&metas).zip(&self.names) {
            let cuts = cuts_by_name(names, &named)?;
            let input = lowering.of(array);
            inputs.push(rechunk(lowering, input, from, &cuts, node));
            grids.push(cuts.iter().map(Cuts::count).collect());
            let longest = cuts.iter().map(|cuts| cuts.sizes().and_then(|sizes| sizes.iter().max().copied()).unwrap_or(1));
            pair_bytes += longest.product::<usize>() * meta.dtype.size();
        }
        let most = (TOGETHER_BYTES / pair_bytes.max(1)).clamp(*PAIRS.start(), *PAIRS.end());
        let out = meta.grid();
        let (groups, pairs) = self.pairs([&grids[0], &grids[1]], &out, most);
        u32::try_from(u64::from(meta.blocks()?) * groups as u64).map_err(|_| {
            Failure::new(Code::InvalidOption, "a product of more pairs of blocks than can be numbered").help("larger chunks")
        })?;
        // Beside pairs a task holds the sum that it makes, and one that it goes on with.
        let sum = meta.largest_block().unwrap_or(0);
        let left = lowering.budget.task().saturating_sub(2 * sum);
        let at_a_time = usize::try_from(left / (pair_bytes as u64).max(1)).unwrap_or(usize::MAX).clamp(1, most);
        let level = self.sums(lowering, [inputs[0], inputs[1]], &pairs, at_a_time, meta.dtype, node);
        if groups == 1 {
            return Ok(level);
        }
        let add = OpRef::new(AddProducts { dtype: meta.dtype }, "add products");
        let grid = [&out[..], &[groups]].concat();
        let reduced: Vec<bool> = (0..grid.len()).map(|axis| axis == out.len()).collect();
        // A sum is added up as it is read, so that several tasks may do it one after the other.
        let states = usize::try_from(lowering.budget.task() / sum.max(1)).unwrap_or(usize::MAX).saturating_sub(1);
        Ok(tree_by_steps(lowering, level, &grid, &reduced, states, (&add, add.clone()), node))
    }
}

impl Contract {
    /// The sum of the products of each group of pairs, by tasks that read so many at a time.
    fn sums(
        &self,
        lowering: &mut Lowering,
        [first, second]: [Lowered; 2],
        groups: &[[Vec<usize>; 2]],
        at_a_time: usize,
        dtype: DType,
        node: &Node,
    ) -> Lowered {
        let longest = groups.iter().map(|[first, _]| first.len()).max().unwrap_or(0);
        let mut before: Option<Lowered> = None;
        for start in (0..longest.max(1)).step_by(at_a_time) {
            let mut lists = [Lists::new(), Lists::new()];
            for group in groups {
                for (lists, blocks) in lists.iter_mut().zip(group) {
                    lists.push(blocks.iter().copied().skip(start).take(at_a_time));
                }
            }
            let [firsts, seconds] = lists.map(Lists::wiring);
            let op = OpRef::new(Multiply { goes_on: before.is_some(), ..self.multiply(dtype) }, self.line());
            let edges = before.map(|before| reading(before, 0..groups.len())).into_iter();
            let edges = edges.chain([first.edge(firsts), second.edge(seconds)]).collect();
            before = Some(lowering.add(Layer::single("product", groups.len() as u32, op, edges), node));
        }
        before.expect("there is a task for each group, also for one without pairs")
    }
}

/// Multiplies pairs of blocks and adds the products up.
#[derive(Serialize, Deserialize)]
pub(crate) struct Multiply {
    dtype: DType,
    only_infinite: bool,
    /// The axes of first blocks that all have, that only they have, and that are summed over.
    first: [Vec<usize>; 3],
    /// The axes of second blocks that all have, that are summed over, and that only they have.
    second: [Vec<usize>; 3],
    /// Whether the first block is a sum that it goes on with.
    goes_on: bool,
    /// The axes of the result, of those that all have, those of the first and those of the second.
    out: Vec<usize>,
}

impl Operator for Multiply {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        let (before, pairs) = blocks.split_at(usize::from(self.goes_on).min(blocks.len()));
        if let ([before], []) = (before, pairs) {
            return Ok(Chunk::new((*before).clone()));
        }
        let (firsts, seconds) = pairs.split_at(pairs.len() / 2);
        if firsts.is_empty() || firsts.len() != seconds.len() {
            return Err(Failure::internal("product: blocks that are no pairs"));
        }
        let fits = |block: &&Block, groups: &[Vec<usize>; 3]| block.shape().len() == groups.iter().map(Vec::len).sum::<usize>();
        if !firsts.iter().all(|block| fits(block, &self.first)) || !seconds.iter().all(|block| fits(block, &self.second)) {
            return Err(Failure::internal("product: blocks of another number of axes"));
        }
        let lens = |block: &Block, group: &[usize]| group.iter().map(|axis| block.shape()[*axis]).collect::<Vec<usize>>();
        let (both, rows) = (lens(firsts[0], &self.first[0]), lens(firsts[0], &self.first[1]));
        let columns = lens(seconds[0], &self.second[2]);
        let belong = |first: &Block, second: &Block| {
            let summed = lens(first, &self.first[2]) == lens(second, &self.second[1]);
            summed && [lens(first, &self.first[0]), lens(second, &self.second[0])].iter().all(|own| *own == both)
        };
        if !firsts.iter().zip(seconds).all(|(first, second)| belong(first, second)) {
            let what = "a product of chunks that are of different lengths along an axis that both have";
            return Err(Failure::new(Code::ShapeMismatch, what).help(FIND_SIZES));
        }
        let sides = [&both, &rows, &columns].map(|lens| lens.iter().product::<usize>());
        let shape = [both, rows, columns].concat();
        if self.only_infinite {
            return self.infinite(ctx, before.first().copied(), (firsts, seconds), sides, &shape).map(Chunk::new);
        }
        let before = before.first().map(|before| self.as_it_was_made(before, &shape)).transpose()?;
        let (before, pairs) = (before.as_ref(), (firsts, seconds));
        let product = match self.dtype {
            DType::F64 => self.sum::<f64>(ctx, before, pairs, sides, multiply_floats)?,
            DType::F32 => self.sum::<f32>(ctx, before, pairs, sides, multiply_floats)?,
            DType::Complex128 => self.sum::<C128>(ctx, before, pairs, sides, multiply_floats)?,
            DType::Complex64 => self.sum::<C64>(ctx, before, pairs, sides, multiply_floats)?,
            other => with_dtype!(other, T => self.sum::<T>(ctx, before, pairs, sides, multiply_wrapping)?),
        };
        Ok(Chunk::new(product.reshaped(&shape)?.permuted(&self.out)))
    }
}

impl NamedOperator for Multiply {
    const NAME: &'static str = "array_product";
}

impl Multiply {
    /// A sum with the axes that all have first, then those of the first and those of the second, as it was before they were put in their order.
    fn as_it_was_made(&self, sum: &Block, shape: &[usize]) -> Result<Block, Failure> {
        let mut order = vec![0; self.out.len()];
        self.out.iter().enumerate().for_each(|(axis, made)| order[*made] = axis);
        if sum.shape().len() != order.len() || sum.permuted(&order).shape() != shape {
            return Err(Failure::internal("product: a sum of another shape to go on with"));
        }
        Ok(sum.permuted(&order))
    }

    /// Sums that are infinite or NaN, and zeros or any numbers for others, added to what there is.
    fn infinite(
        &self,
        ctx: &TaskContext<'_>,
        before: Option<&Block>,
        pairs: (&[&Block], &[&Block]),
        sides: [usize; 3],
        shape: &[usize],
    ) -> Result<Block, Failure> {
        let sums = if all_finite(pairs.0)? && all_finite(pairs.1)? {
            Block::full(self.out.iter().map(|axis| shape[*axis]).collect(), 0.0)
        } else {
            summed(&self.sum::<f64>(ctx, None, pairs, sides, multiply_floats)?.reshaped(shape)?, &self.out)?
        };
        let Some(before) = before else { return Ok(sums) };
        if before.shape() != sums.shape() {
            return Err(Failure::internal("product: sums of another shape to go on with"));
        }
        Ok(Block::from_array(sums.to_array::<f64>()? + &before.view::<f64>()?))
    }

    /// The sum of the products of pairs, added to what there is: matrices by rows, as many as stand side by side.
    fn sum<T: Held>(
        &self,
        ctx: &TaskContext<'_>,
        before: Option<&Block>,
        (firsts, seconds): (&[&Block], &[&Block]),
        [both, rows, columns]: [usize; 3],
        multiply: fn(&Block, &Block, &mut [T], bool) -> Result<(), Failure>,
    ) -> Result<Block, Failure> {
        let mut sum = before.map_or_else(|| Ok(vec![T::default(); both * rows * columns]), Block::to_vec::<T>)?;
        for (pair, (first, second)) in firsts.iter().zip(seconds).enumerate() {
            if self.only_infinite && all_finite(&[*first, *second])? {
                continue;
            }
            let (first, second) = (grouped(first, &self.first)?, grouped(second, &self.second)?);
            let inner = first.shape()[2];
            if first.shape() != [both, rows, inner] || second.shape() != [both, inner, columns] {
                return Err(Failure::internal("product: blocks of different lengths along an axis of one name"));
            }
            if rows * columns == 0 {
                continue;
            }
            for (at, sum) in sum.chunks_mut(rows * columns).enumerate() {
                ctx.check_cancelled()?;
                let matrix = |block: &Block| {
                    let [_, down, along] = [0, 1, 2].map(|axis| 0..block.shape()[axis]);
                    block.cut(&[at..at + 1, down, along]).without(&[true, false, false])
                };
                multiply(&matrix(&first), &matrix(&second), sum, pair == 0 && before.is_none())?;
            }
        }
        Ok(Block::from_vec(vec![both, rows, columns], sum))
    }
}

/// Whether all elements of blocks of floats are finite.
fn all_finite(blocks: &[&Block]) -> Result<bool, Failure> {
    for block in blocks {
        if !block.view::<f64>()?.iter().all(|number| number.is_finite()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A block with these axes in this order, summed over all others.
fn summed(block: &Block, axes: &[usize]) -> Result<Block, Failure> {
    let mut sums = block.to_array::<f64>()?;
    for axis in (0..block.shape().len()).rev().filter(|axis| !axes.contains(axis)) {
        sums = sums.sum_axis(Axis(axis));
    }
    let before = |axis: &usize| axes.iter().filter(|other| *other < axis).count();
    Ok(Block::from_array(sums).permuted(&axes.iter().map(before).collect::<Vec<usize>>()))
}

/// A block whose axes are brought together in three; without a copy where none of the groups has several.
fn grouped(block: &Block, groups: &[Vec<usize>; 3]) -> Result<Block, Failure> {
    if groups.iter().all(|group| group.len() <= 1) {
        return Ok(block.arranged(&groups.each_ref().map(|group| group.first().copied())));
    }
    let sides = groups.each_ref().map(|group| group.iter().map(|axis| block.shape()[*axis]).product::<usize>());
    block.permuted(&groups.concat()).reshaped(&sides)
}

/// Adds a product of matrices to what is there, or puts it there if it is the first.
fn multiply_floats<T: Held + ComplexField>(first: &Block, second: &Block, sum: &mut [T], is_first: bool) -> Result<(), Failure> {
    let (rows, columns) = (first.shape()[0], second.shape()[1]);
    let (first, second) = (Matrix::<T>::of(first)?, Matrix::<T>::of(second)?);
    let sum = MatMut::from_row_major_slice_mut(sum, rows, columns);
    matmul(sum, if is_first { Accum::Replace } else { Accum::Add }, first.view(), second.view(), T::one_impl(), Par::Seq);
    Ok(())
}

/// The same for whole numbers, which wrap, as those of sums do; a tile of the second matrix at a time.
fn multiply_wrapping<T: Held>(first: &Block, second: &Block, sum: &mut [T], _: bool) -> Result<(), Failure> {
    let (first, second) = (first.in_order()?, second.in_order()?);
    let (inner, columns) = (first.shape()[1], second.shape()[1]);
    let (first, second) = (first.view::<T>()?, second.view::<T>()?);
    let by_rows = || Failure::internal("product: blocks that do not lie in order");
    let (first, second) = (first.as_slice().ok_or_else(by_rows)?, second.as_slice().ok_or_else(by_rows)?);
    let [high, wide] = TILE;
    for start in (0..columns).step_by(wide) {
        let across = start..(start + wide).min(columns);
        for top in (0..inner).step_by(high) {
            let down = top..(top + high).min(inner);
            for (row, sums) in first.chunks_exact(inner).zip(sum.chunks_exact_mut(columns)) {
                let sums = &mut sums[across.clone()];
                for (factor, line) in row[down.clone()].iter().zip(second[top * columns..].chunks_exact(columns)) {
                    let factor = factor.to_i64();
                    let add = |(sum, other): (&mut T, &T)| *sum = T::of_i64(sum.to_i64().wrapping_add(factor.wrapping_mul(other.to_i64())));
                    sums.iter_mut().zip(&line[across.clone()]).for_each(add);
                }
            }
        }
    }
    Ok(())
}

/// Adds products of the same block up.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddProducts {
    dtype: DType,
}

impl Operator for AddProducts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (first, rest) = inputs.split_first().ok_or_else(|| Failure::internal("product: nothing to add"))?;
        with_dtype!(self.dtype, T => {
            let mut sum = block_of(first)?.to_array::<T>()?;
            for block in rest {
                let block = block_of(block)?;
                if block.shape() != sum.shape() {
                    return Err(Failure::internal("product: blocks of different shapes to add"));
                }
                sum.zip_mut_with(&block.view::<T>()?, |sum, other| {
                    let own = *sum;
                    T::binary(Binary::Add, &[own], &[*other], std::slice::from_mut(sum));
                });
            }
            Ok(Chunk::new(Block::from_array(sum)))
        })
    }
}

impl NamedOperator for AddProducts {
    const NAME: &'static str = "array_add_products";
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use partita_graph::{Graph, LayerId, Serial};

    use super::*;
    use crate::array::DArray;
    use crate::array::budget::Budget;
    use crate::array::lower::plan_within;
    use crate::client::operator_registry;

    /// The elements of a result of one block, and how many chunks the tasks of a graph read at most.
    fn run(graph: &Graph) -> (Vec<u64>, usize) {
        let lens = |id: LayerId| graph.layers.iter().find(|layer| layer.id == id).map_or(0, |layer| layer.len);
        let read = graph.layers.iter().flat_map(|layer| {
            let task = move |task| layer.edges.iter().map(|edge| edge.wiring.inputs(task, lens(edge.layer)).iter().count()).sum::<usize>();
            (0..layer.len).map(task)
        });
        let most = read.max().unwrap_or(0);
        let chunks = Serial::new(operator_registry()).run(graph).0.expect("it runs");
        let values = block_of(&chunks[0]).and_then(Block::to_vec::<f64>).expect("a block of floats");
        (values.into_iter().map(f64::to_bits).collect(), most)
    }

    /// 130 pairs of blocks, of which 64 are added up one after the other, in three groups. A sum takes half of the smallest budget.
    #[test]
    fn memory_changes_no_bit_of_a_product() {
        let matrix = |shape: [usize; 2], chunks: [usize; 2]| {
            let value = |at: IxDyn| ((at[0] * 31 + at[1] * 17) % 97) as f64 * 0.37 - 11.0;
            DArray::from_array(Array::from_shape_fn(IxDyn(&shape), value), chunks)
        };
        let product = matrix([256, 1040], [256, 8]).matmul(&matrix([1040, 256], [8, 256]));
        let plan = |memory_per_thread| plan_within(Budget::within(memory_per_thread), product.untyped()).expect("it fits");
        let (large, small) = (run(&plan(None)), run(&plan(Some(1))));
        assert!(large.0 == small.0, "other bits");
        assert_eq!((large.1, small.1), (128, 3));
    }

    #[test]
    fn axes_are_told_apart_by_who_has_them() {
        let names = |text: &str| text.chars().collect::<Vec<char>>();
        let contract = Contract { names: [names("bik"), names("kbj")], out: names("jbi"), only_infinite: false };
        let multiply = contract.multiply(DType::F64);
        assert_eq!(contract.summed(), ['k']);
        assert_eq!(multiply.first, [vec![0], vec![1], vec![2]]);
        assert_eq!(multiply.second, [vec![1], vec![0], vec![2]]);
        assert_eq!(multiply.out, [2, 0, 1]);
        let (groups, pairs) = contract.pairs([&[1, 2, 20], &[20, 1, 3]], &[3, 1, 2], 8);
        assert_eq!((groups, pairs.len(), &pairs[2][0][..]), (3, 18, &[16, 17, 18, 19][..]));
    }

    #[test]
    fn other_axes_are_summed_over() {
        let block = Block::from_vec(vec![2, 3, 2], (0..12).map(f64::from).collect());
        let found = summed(&block, &[2, 0]).expect("floats");
        assert_eq!((found.shape(), found.to_vec::<f64>().expect("floats")), (&[2, 2][..], vec![6.0, 24.0, 9.0, 27.0]));
        assert!(all_finite(&[&block]).expect("floats") && !all_finite(&[&block, &Block::full(vec![1], f64::NAN)]).expect("floats"));
    }

    #[test]
    fn whole_numbers_wrap() {
        let (a, b) = (Block::from_vec(vec![1, 2], vec![200u8, 1]), Block::from_vec(vec![2, 1], vec![2u8, 3]));
        let mut sum = [0u8];
        multiply_wrapping(&a, &b, &mut sum, true).expect("they fit");
        assert_eq!(sum, [147]);
    }

    #[test]
    fn tiles_change_no_product_of_whole_numbers() {
        let (rows, inner, columns) = (3, 2 * TILE[0] + 1, TILE[1] + 5);
        let numbers = |len: usize| (0..len as i64).map(|at| at * 7919 % 1009 - 500).collect::<Vec<i64>>();
        let (a, b) = (numbers(rows * inner), numbers(inner * columns));
        let mut sum = vec![0; rows * columns];
        let turned = Block::from_vec(vec![columns, inner], (0..columns * inner).map(|at| b[at % inner * columns + at / inner]).collect());
        multiply_wrapping(&Block::from_vec(vec![rows, inner], a.clone()), &turned.permuted(&[1, 0]), &mut sum, true).expect("they fit");
        let expected =
            (0..rows * columns).map(|at| (0..inner).map(|k| a[at / columns * inner + k] * b[k * columns + at % columns]).sum::<i64>());
        assert!(sum.into_iter().eq(expected));
    }
}
