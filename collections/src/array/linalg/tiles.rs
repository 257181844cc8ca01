//! Square matrices in tiles, each of which is made once and read by those that come after (A. Buttari, J. Langou, J. Kurzak, J. Dongarra, "A class
//! of parallel tiled linear algebra algorithms for multicore architectures", 2009). A tile takes all products from itself when its turn comes, and
//! not one whenever another is ready, as libraries do that work in place: chunks do not change, so that would make each tile over and over.
//!
//! It refuses to know what tiles are solved for. The invariant: a task reads a bounded number of tiles, however many there are.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Par};
use partita_graph::{Arg, Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::factor::{in_kind, square};
use super::matrix::{Copied, Exact, Matrix, with_exact};
use crate::array::Node;
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::{Lists, reading};

/// More tiles than this along a side are made fewer: there are as many tasks as tiles, and layers for each row of them.
pub(super) const MOST: usize = 64;
/// Pairs of tiles that a task multiplies.
const PAIRS: usize = 8;

/// How both axes of a square matrix are cut: as its rows are, or where these are in one piece as its columns are, unless they are very many. Fails
/// for other arrays.
pub(super) fn tiles(meta: &Meta) -> Result<Cuts, Failure> {
    let n = square(meta)?;
    let cuts = |axis: usize| Ok::<_, Failure>(meta.sizes()?[axis].iter().copied().filter(|size| *size > 0).collect::<Vec<usize>>());
    let sizes = cuts(0).and_then(|rows| if rows.len() > 1 { Ok(rows) } else { cuts(1) })?;
    Ok(match sizes.len() {
        0 => Cuts::whole(n),
        count if count > MOST => Cuts::even(n, n.div_ceil(MOST / 2)),
        _ => Cuts::Known(sizes.into()),
    })
}

/// Takes products from tiles: `own` says where these are, one for each of so many tasks, and each element of `pairs` where the factors are. Gives
/// back where tiles are then.
pub(super) fn subtracted(lowering: &mut Lowering, (mut own, tasks): (Edge, usize), pairs: &[[Edge; 2]], turned: bool, node: &Node) -> Edge {
    for group in pairs.chunks(PAIRS) {
        let op = OpRef::new(SubtractProducts { pairs: group.len(), turned }, "minus products");
        let edges = std::iter::once(own).chain(group.iter().flatten().cloned()).collect();
        let made = lowering.add(Layer::single("minus products", tasks as u32, op, edges), node);
        own = reading(made, 0..tasks);
    }
    own
}

/// Takes products of pairs of tiles from a tile.
#[derive(Serialize, Deserialize)]
pub(crate) struct SubtractProducts {
    pairs: usize,
    /// Whether the second of a pair is read with rows and columns exchanged, and conjugated. Then a pair may be one tile, whose product with itself
    /// is symmetrical: its lower half is made.
    turned: bool,
}

impl Operator for SubtractProducts {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let first = inputs.first().ok_or_else(misfit)?;
        with_exact!(block_of(first)?.dtype(), E => self.subtract::<E>(ctx, inputs))
    }
}

fn misfit() -> Failure {
    Failure::internal("linalg: tiles that do not fit together")
}

impl SubtractProducts {
    fn subtract<E: Exact>(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let tiles = inputs.iter().map(|input| Matrix::<E>::of(block_of(input)?)).collect::<Result<Vec<_>, Failure>>()?;
        let (own, factors) = tiles.split_first().ok_or_else(misfit)?;
        let is_alone = self.turned && factors.len() == self.pairs;
        if !is_alone && factors.len() != 2 * self.pairs {
            return Err(misfit());
        }
        let mut sum = Copied::of(own.view());
        for pair in factors.chunks(if is_alone { 1 } else { 2 }) {
            ctx.check_cancelled()?;
            let (first, second) = (pair[0].view(), pair[pair.len() - 1].view());
            let (high, wide) = if self.turned { (second.ncols(), second.nrows()) } else { second.shape() };
            if (first.nrows(), wide) != own.view().shape() || first.ncols() != high {
                return Err(misfit());
            }
            let form = if is_alone { BlockStructure::TriangularLower } else { BlockStructure::Rectangular };
            let (whole, sum, minus) = (BlockStructure::Rectangular, sum.view_mut(), E::of(-1.0));
            if self.turned {
                matmul(sum, form, Accum::Add, first, whole, second.adjoint(), whole, minus, Par::Seq);
            } else {
                matmul(sum, form, Accum::Add, first, whole, second, whole, minus, Par::Seq);
            }
        }
        sum.block().map(Chunk::new)
    }
}

impl NamedOperator for SubtractProducts {
    const NAME: &'static str = "array_subtract_products";
}

/// Brings tiles that are in several layers into one, in their places; where there is none there are zeros. `made` has for each layer the numbers
/// of the places that its chunks have, in ascending order.
pub(super) fn collected(lowering: &mut Lowering, made: Vec<(Lowered, Vec<usize>)>, meta: &Meta, node: &Node) -> Result<Lowered, Failure> {
    let shapes: Vec<Arg> = meta.places()?.iter().map(|place| Arg::encode(&place.shape)).collect();
    let edge = |(layer, places): (Lowered, Vec<usize>)| {
        let mut lists = Lists::new();
        let mut next = places.into_iter().enumerate().peekable();
        for task in 0..shapes.len() {
            lists.push(next.next_if(|(_, place)| *place == task).map(|(chunk, _)| chunk));
        }
        layer.edge(lists.wiring())
    };
    let edges: Vec<Edge> = made.into_iter().map(edge).collect();
    let op = OpRef::new(CollectTile { dtype: meta.dtype }, "tiles in their places");
    Ok(lowering.add(Layer::with_args("tiles", op, shapes, edges), node))
}

/// A tile that was made, or zeros.
#[derive(Serialize, Deserialize)]
pub(crate) struct CollectTile {
    dtype: DType,
}

impl Operator for CollectTile {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let shape: Vec<usize> = ctx.arg()?.decode()?;
        let tile = match inputs.first() {
            Some(tile) if block_of(tile)?.shape() == shape => block_of(tile)?.clone(),
            Some(_) => return Err(Failure::internal("linalg: a tile of another shape than its place")),
            None => Block::full(shape, 0.0f64),
        };
        in_kind(&tile, self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for CollectTile {
    const NAME: &'static str = "array_collect_tile";
}

/// The only chunk of a layer, for all tasks.
pub(super) fn only(layer: Lowered) -> Edge {
    layer.edge(Wiring::Every)
}
