//! `with_slice`: an array with another in one of its parts. Arrays do not change, so this is what assignment through a slice is here;
//! assignment through a mask is [`DArray::where_`].

use ndarray::{Slice, SliceInfoElem};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, advance, tuple};
use crate::array::ops::elementwise::{Given, Operand};
use crate::array::ops::slice::sliced;
use crate::array::pick::{Draw, Picking, one_by_one};
use crate::array::rechunk::{Lists, rechunk};
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// The array with `value` in the part that `s![]` says; see [`DArray::slice`]. The value is a single element, or an array that is
    /// repeated to the shape of the part.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{array, s};
    /// let x = DArray::<i32>::zeros([2, 3], 2);
    /// assert_eq!(x.with_slice(s![.., 1], 7).compute()?, array![[0, 7, 0], [0, 7, 0]].into_dyn());
    /// let line = DArray::from_array(array![1, 2], 1);
    /// assert_eq!(x.with_slice(s![0, ..;-2], &line).compute()?, array![[2, 0, 1], [0, 0, 0]].into_dyn());
    /// // Through a mask: what holds where it is not true stays.
    /// let x = DArray::arange(0, 6, 1, 4);
    /// assert_eq!(x.where_(&!x.gt(3), -1).compute()?, array![0, 1, 2, 3, -1, -1].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a part or a value that does not fit, sizes of chunks that are not known.
    #[doc(alias = "__setitem__")]
    #[doc(alias = "assign")]
    #[track_caller]
    pub fn with_slice(&self, part: impl AsRef<[SliceInfoElem]>, value: impl Operand<T>) -> DArray<T> {
        let part = part.as_ref().to_vec();
        let value = match value.into_given() {
            Given::Array(array) => DArray::<T>::of(array),
            Given::Scalar(scalar) => DArray::full((), scalar.get::<T>().unwrap_or_default(), 1),
        };
        let value = match self.slice(&part).shape() {
            Ok(shape) => value.broadcast_to(shape),
            Err(failure) => return DArray::failed(failure, ".with_slice(…)"),
        };
        DArray::then(WithSlice { part }, vec![self.to_any(), value.to_any()], ".with_slice(…)")
    }
}

struct WithSlice {
    part: Vec<SliceInfoElem>,
}

/// The part of one chunk along one axis: the number of the part's chunk, and which elements.
type Part = (usize, (usize, i64, usize));
/// For each axis the parts of its chunks.
type PartsOfAxes = Vec<Vec<Option<Part>>>;

impl WithSlice {
    /// What the slice picks, each chunk of it from one chunk of the array; and for each axis and each chunk of the array its part.
    fn parts(&self, meta: &Meta) -> Result<(Picking, PartsOfAxes), Failure> {
        let mut picking = sliced(&self.part, meta)?;
        let mut parts = Vec::with_capacity(meta.ndim());
        for (made, cuts) in picking.axes.iter_mut().zip(&meta.cuts) {
            // Chunks that came together are taken apart again.
            *made = one_by_one(made.iter().flat_map(|made| made.draws.iter().cloned()).collect());
            let mut own = vec![None; cuts.count()];
            for (number, (chunk, draw)) in made.iter().flat_map(|made| &made.draws).enumerate() {
                own[*chunk] = Some((
                    number,
                    match draw {
                        Draw::Run { start, step, len } => (*start, *step, *len),
                        Draw::Whole | Draw::Listed(_) | Draw::Several(_) => (0, 1, cuts.sizes().map_or(0, |sizes| sizes[*chunk])),
                    },
                ));
            }
            parts.push(own);
        }
        Ok((picking, parts))
    }
}

impl Step for WithSlice {
    fn line(&self) -> String {
        let shown: Vec<String> = self.part.iter().map(ToString::to_string).collect();
        format!("with slice [{}]", shown.join(", "))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        inputs[0].sizes()?;
        self.parts(inputs[0])?;
        Ok(inputs[0].clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (meta, value) = (node.inputs[0].meta()?, node.inputs[1].meta()?);
        let (picking, parts) = self.parts(meta)?;
        let input = lowering.of(&node.inputs[1]);
        let value = rechunk(lowering, input, value, &picking.cuts(&meta.cuts), node);
        let (grid, part_grid) = (meta.grid(), picking.axes.iter().map(Vec::len).collect::<Vec<usize>>());
        // Where the axes of the array are among those of the value; places along an axis that it does not have are single.
        let arrange = picking.arrange.unwrap_or_else(|| (0..meta.ndim()).map(Some).collect());
        let back: Vec<Option<usize>> = (0..meta.ndim()).map(|axis| arrange.iter().position(|own| *own == Some(axis))).collect();
        let (mut own, mut values, mut args) = (Lists::new(), Lists::new(), Vec::new());
        let mut position = vec![0; grid.len()];
        let mut block = 0;
        loop {
            let here = parts.iter().zip(&position).map(|(parts, at)| parts[*at]).collect::<Option<Vec<Part>>>();
            let here = here.filter(|here| here.iter().all(|(_, (_, _, len))| *len > 0));
            own.push([block]);
            values.push(here.as_ref().map(|here| here.iter().zip(&part_grid).fold(0, |at, ((number, _), count)| at * count + number)));
            args.push(Arg::encode(&here.map(|here| here.into_iter().map(|(_, run)| run).collect::<Vec<_>>())));
            block += 1;
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let edges = vec![lowering.of(&node.inputs[0]).edge(own.narrowest(block)), value.edge(values.wiring())];
        let op = OpRef::new(Overwrite { dtype: meta.dtype, back }, self.line());
        Ok(lowering.add(Layer::with_args("with_slice", op, args, edges), node))
    }
}

/// Writes a block over a part of another, or hands that on where the part is empty.
#[derive(Serialize, Deserialize)]
pub(crate) struct Overwrite {
    dtype: DType,
    back: Vec<Option<usize>>,
}

impl Operator for Overwrite {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let part: Option<Vec<(usize, i64, usize)>> = ctx.arg()?.decode()?;
        match (inputs, part) {
            ([own], None) => Ok(own.clone()),
            ([own, value], Some(part)) => {
                let (own, value) = (block_of(own)?, block_of(value)?);
                if self.back.iter().flatten().any(|axis| *axis >= value.shape().len()) {
                    return Err(Failure::internal("with_slice: a value of fewer axes"));
                }
                let value = value.arranged(&self.back);
                with_dtype!(self.dtype, T => overwritten::<T>(own, &part, &value).map(Chunk::new))
            }
            _ => Err(Failure::internal("with_slice: blocks that do not belong together")),
        }
    }
}

impl NamedOperator for Overwrite {
    const NAME: &'static str = "array_overwrite";
}

fn overwritten<T: Held>(own: &Block, part: &[(usize, i64, usize)], value: &Block) -> Result<Block, Failure> {
    let misfit = || {
        let what = format!("a block of shape {} is to stand in one of shape {}", tuple(value.shape()), tuple(own.shape()));
        Failure::new(Code::ShapeMismatch, what)
    };
    let reach = |(start, step, len): &(usize, i64, usize)| *start as i64 + *step * (*len as i64 - 1);
    let inside = part.iter().zip(own.shape()).all(|(run, len)| run.0 < *len && (0..*len as i64).contains(&reach(run)));
    if part.len() != own.shape().len() || !inside || !part.iter().map(|(_, _, len)| len).eq(value.shape()) {
        return Err(misfit());
    }
    let mut target = own.to_array::<T>()?;
    let mut there = target.slice_each_axis_mut(|axis| {
        let run = &part[axis.axis.index()];
        let (low, high) = (reach(run).min(run.0 as i64), reach(run).max(run.0 as i64) + 1);
        Slice::new(low as isize, Some(high as isize), run.1 as isize)
    });
    there.assign(&value.view::<T>()?);
    Ok(Block::from_array(target))
}
