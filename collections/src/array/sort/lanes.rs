//! Sorts the lanes of one block. It refuses to know other blocks.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::ascending;
use crate::array::block::{Block, block_of};
use crate::array::element::with_ordered;
use crate::array::reductions::scan::Form;
use crate::array::tile::Rank;

/// Elements in ascending order, with their places where these are wanted; of equal ones those with the least places first.
pub(super) fn sorted<T: Rank>(mut values: Vec<T>, places: Option<Vec<i64>>) -> (Vec<T>, Option<Vec<i64>>) {
    match places {
        // Stable sorts go fast through what is sorted in parts, as what comes of several blocks is.
        None => {
            values.sort_by(ascending);
            (values, None)
        }
        Some(places) => {
            let mut pairs: Vec<(T, i64)> = values.into_iter().zip(places).collect();
            pairs.sort_by(|a, b| ascending(&a.0, &b.0).then(a.1.cmp(&b.1)));
            let (values, places) = pairs.into_iter().unzip();
            (values, Some(places))
        }
    }
}

/// A block with its lanes along an axis sorted, or the places that sort them.
#[derive(Serialize, Deserialize)]
pub(crate) struct SortLanes {
    pub(super) axis: usize,
    pub(super) places: bool,
}

impl Operator for SortLanes {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("sort: no block"))??;
        let shape = block.shape().to_vec();
        if self.axis >= shape.len() {
            return Err(Failure::internal("sort: a block of fewer axes"));
        }
        let form = Form::of(&shape, self.axis);
        with_ordered!(block.dtype(), T => {
            let mut values = block.to_vec::<T>()?;
            let mut places = vec![0i64; if self.places { values.len() } else { 0 }];
            for lane in 0..form.lanes() {
                ctx.check_cancelled()?;
                let numbered = self.places.then(|| (0..form.len as i64).collect());
                let (found, found_places) = sorted(form.lane(&values, lane).collect(), numbered);
                put(&mut values, &found, &form, lane);
                if let Some(found) = found_places {
                    put(&mut places, &found, &form, lane);
                }
            }
            let block = if self.places { Block::from_vec(shape, places) } else { Block::from_vec(shape, values) };
            Ok(Chunk::new(block))
        })
    }
}

impl NamedOperator for SortLanes {
    const NAME: &'static str = "array_sort";
}

/// Puts the elements of a lane to their places.
fn put<T: Copy>(values: &mut [T], found: &[T], form: &Form, lane: usize) {
    let (group, at) = (lane / form.inner, lane % form.inner);
    let lane = values[group * form.len * form.inner..].iter_mut().skip(at).step_by(form.inner);
    lane.zip(found).for_each(|(value, found)| *value = *found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_put_back_where_they_were() {
        let form = Form::of(&[2, 3, 2], 1);
        let mut values: Vec<i32> = (0..12).rev().collect();
        for lane in 0..form.lanes() {
            let (found, _) = sorted(form.lane(&values, lane).collect(), None);
            put(&mut values, &found, &form, lane);
        }
        assert_eq!(values, [7, 6, 9, 8, 11, 10, 1, 0, 3, 2, 5, 4]);
        let (found, places) = sorted(vec![2.0, f64::NAN, 1.0, 2.0], Some(vec![0, 1, 2, 3]));
        assert_eq!((&found[..3], places), (&[1.0, 2.0, 2.0][..], Some(vec![2, 0, 3, 1])));
    }
}
