//! Tall matrices as a tree of triangles (J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU
//! factorizations", 2012). Every block of rows is factored by itself; a few triangles, put on top of each other, are factored again, until one is
//! left. On the way back each block turns its part of what stands above it by its own reflections.
//!
//! It refuses to know what is wanted of the last triangle. The invariant: columns at right angles are never multiplied out below the last
//! triangle; tasks hand on reflections, and where nobody wants them only triangles.

use faer::{Mat, MatRef};
use partita_graph::{Arg, Chunk, Code, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::qr::{Columns, Level, qr};
use super::dense::spectrum::{singular_values, svd};
use super::factor::{TakePart, in_kind};
use super::matrix::{Exact, Matrix, block_of_matrix, stacked, with_exact};
use crate::array::Node;
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held};
use crate::array::lower::{Lowered, Lowering};
use crate::array::reductions::state::{State, state_of};

/// Triangles that are put on top of each other at a time.
pub(super) const FAN_IN: usize = 16;

/// Where a state has its triangle; before it stand the signs, behind it the levels.
const TRIANGLE: usize = 1;

/// Blocks of rows with their factors, the same of triangles on top of each other, and so on: layers of states, and for each state the rows of
/// its triangle.
pub(super) struct Fold {
    levels: Vec<(Lowered, Vec<usize>)>,
    columns: usize,
    /// Of the numbers that are factored.
    exact: DType,
}

impl Fold {
    /// The way up, from the layer of states of blocks with so many rows. Adding it twice adds nothing.
    pub(super) fn up(lowering: &mut Lowering, states: Lowered, rows: &[usize], (columns, exact): (usize, DType), node: &Node) -> Self {
        let mut fold = Self { levels: vec![(states, rows.iter().map(|rows| *rows.min(&columns)).collect())], columns, exact };
        while fold.heights().len() > FAN_IN {
            let heights: Vec<usize> = fold.heights().chunks(FAN_IN).map(|group| group.iter().sum::<usize>().min(columns)).collect();
            let edges = vec![fold.triangles(lowering, node).edge(Wiring::Group(FAN_IN as u32))];
            let op = OpRef::new(FactorRows, "qr of triangles");
            let states = lowering.add(Layer::single("qr", heights.len() as u32, op, edges), node);
            fold.levels.push((states, heights));
        }
        fold
    }

    /// Layers of states from the blocks up, and for each state the rows of its triangle.
    pub(super) fn levels(&self) -> &[(Lowered, Vec<usize>)] {
        &self.levels
    }

    fn heights(&self) -> &[usize] {
        self.levels.last().map_or(&[][..], |(_, heights)| &heights[..])
    }

    /// The triangles of the last level. Only they travel to where several come together.
    pub(super) fn triangles(&self, lowering: &mut Lowering, node: &Node) -> Lowered {
        let (states, heights) = &self.levels[self.levels.len() - 1];
        let triangle = OpRef::new(TakePart { at: TRIANGLE, dtype: self.exact }, "triangles");
        lowering.add(Layer::single("triangles", heights.len() as u32, triangle, vec![states.edge(Wiring::Each)]), node)
    }

    /// The way back, from a state whose first number has a row for each of the last level's triangles: a block for each block of rows.
    pub(super) fn down(&self, lowering: &mut Lowering, top: Lowered, dtype: DType, node: &Node) -> Lowered {
        let mut above = (top, Wiring::Every);
        for (level, (states, heights)) in self.levels.iter().enumerate().rev() {
            // A state's part of what stands above: all of the last level hang together, those of others in groups.
            let group = if level + 1 == self.levels.len() { heights.len().max(1) } else { FAN_IN };
            let mut args = Vec::with_capacity(heights.len());
            for group in heights.chunks(group) {
                let mut first = 0;
                for rows in group {
                    args.push(Arg::encode(&(first, first + rows)));
                    first += rows;
                }
            }
            let op = OpRef::new(
                JoinRows { columns: self.columns, dtype: if level == 0 { dtype } else { self.exact } },
                "columns at right angles",
            );
            let edges = vec![states.edge(Wiring::Each), Edge { layer: above.0.layer, wiring: above.1 }];
            let made = lowering.add(Layer::with_args("q", op, args, edges), node);
            let below = if level == 0 { 0 } else { self.levels[level - 1].1.len() };
            above = (made, children(below));
        }
        above.0
    }
}

/// Each of so many children reads what its group reads.
fn children(count: usize) -> Wiring {
    Wiring::Table(Table { offsets: (0..=count as u32).collect(), indices: (0..count).map(|child| (child / FAN_IN) as u32).collect() })
}

/// Factors of a block of rows, or of triangles on top of each other: signs, the triangle, and the reflections of each level.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorRows;

impl Operator for FactorRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let first = inputs.first().ok_or_else(|| Failure::internal("qr: no blocks"))?;
        with_exact!(block_of(first)?.dtype(), E => rows_factored::<E>(inputs))
    }
}

fn rows_factored<E: Exact>(inputs: &[Chunk]) -> Result<Chunk, Failure> {
    let matrices = inputs.iter().map(|input| Matrix::<E>::of(block_of(input)?)).collect::<Result<Vec<_>, Failure>>()?;
    let (columns, triangle) = match &matrices[..] {
        [one] => qr(one.view()),
        several => qr(stacked(several)?.as_ref()),
    };
    let mut numbers = vec![Block::from_vec(vec![columns.signs.len()], columns.signs.into_owned()), block_of_matrix(triangle.as_ref())?];
    for level in columns.levels {
        // Their shape says how many rows there are, also when there are no columns.
        numbers.push(Block::from_vec(vec![level.rows, columns.columns], level.vectors.into_owned()));
        numbers.push(Block::from_vec(vec![level.common.len()], level.common.into_owned()));
    }
    Ok(Chunk::new(State { count: 0, numbers }))
}

impl NamedOperator for FactorRows {
    const NAME: &'static str = "array_qr";
}

/// The kind of the numbers that a state was made of.
pub(super) fn kind_of(state: &State) -> Result<DType, Failure> {
    state.numbers.first().map(Block::dtype).ok_or_else(|| Failure::internal("qr: factors without the first"))
}

/// The columns at right angles in a state.
pub(super) fn columns_of<E: Exact>(state: &State, columns: usize) -> Result<Columns<'_, E>, Failure> {
    let wrong = || Failure::internal("qr: factors of another form");
    let [signs, _, levels @ ..] = &state.numbers[..] else { return Err(wrong()) };
    let mut found = Columns { columns, levels: Vec::with_capacity(levels.len() / 2), signs: values(signs)?.into() };
    for pair in levels.chunks(2) {
        let [vectors, common] = pair else { return Err(wrong()) };
        let rows = vectors.shape().first().copied().ok_or_else(wrong)?;
        found.levels.push(Level { rows, vectors: values(vectors)?.into(), common: values(common)?.into() });
    }
    if found.is_whole() { Ok(found) } else { Err(wrong()) }
}

/// The elements of a block as they lie: all of them were made in one piece.
pub(super) fn values<E: Held>(block: &Block) -> Result<&[E], Failure> {
    let values = block.memory::<E>()?.get(block.offset()..block.offset() + block.len());
    values.ok_or_else(|| Failure::internal("qr: factors that do not lie together"))
}

/// What is wanted of the last triangle.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// Columns at right angles, and the triangle.
    Factors,
    /// Left vectors, singular values and right vectors.
    Vectors,
    /// Singular values.
    Values,
}

/// Factors the triangles that are left, put on top of each other.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorTriangles {
    pub(super) wanted: Wanted,
}

impl Operator for FactorTriangles {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let first = inputs.first().ok_or_else(|| Failure::internal("qr: no triangles"))?;
        with_exact!(block_of(first)?.dtype(), E => self.factor::<E>(inputs))
    }
}

impl FactorTriangles {
    fn factor<E: Exact>(&self, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let matrices = inputs.iter().map(|input| Matrix::<E>::of(block_of(input)?)).collect::<Result<Vec<_>, Failure>>()?;
        // A single one is a triangle already.
        let (columns, triangle) = match &matrices[..] {
            [one] => (None, one.view().to_owned()),
            several => {
                let (columns, triangle) = qr(stacked(several)?.as_ref());
                (Some(columns), triangle)
            }
        };
        let rank = triangle.nrows();
        let turned = |by: MatRef<'_, E>| match &columns {
            Some(columns) => Ok(Block::from_vec(vec![columns.rows(), by.ncols()], columns.times(by))),
            None => block_of_matrix(by),
        };
        let line = |values: Vec<f64>| Block::from_vec(vec![values.len()], values);
        let numbers = match self.wanted {
            Wanted::Factors => vec![turned(Mat::<E>::identity(rank, rank).as_ref())?, block_of_matrix(triangle.as_ref())?],
            Wanted::Vectors => {
                let (u, values, v) = svd(triangle.as_ref()).ok_or_else(no_values)?;
                vec![turned(u.as_ref())?, line(values), block_of_matrix(v.adjoint().to_owned().as_ref())?]
            }
            Wanted::Values => vec![line(singular_values(triangle.as_ref()).ok_or_else(no_values)?)],
        };
        Ok(Chunk::new(State { count: 0, numbers }))
    }
}

impl NamedOperator for FactorTriangles {
    const NAME: &'static str = "array_qr_top";
}

fn no_values() -> Failure {
    Failure::new(Code::SingularMatrix, "singular values of a matrix with elements that are infinite or no numbers")
        .help("numbers in their places: .nan_to_num()")
}

/// A block's part of what stands above it, turned by its own reflections.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinRows {
    columns: usize,
    dtype: DType,
}

impl Operator for JoinRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [own, above] = inputs else { return Err(Failure::internal("qr: a block's factors, and what stands above it")) };
        let own = state_of(own)?;
        let above = match above.get::<State>() {
            Some(state) => state.numbers.first().ok_or_else(|| Failure::internal("qr: factors without the first"))?,
            None => block_of(above)?,
        };
        let part: (usize, usize) = ctx.arg()?.decode()?;
        let product = with_exact!(kind_of(own)?, E => joined::<E>(columns_of(own, self.columns)?, above, part)?);
        in_kind(&product, self.dtype).map(Chunk::new)
    }
}

fn joined<E: Exact>(own: Columns<'_, E>, above: &Block, (start, end): (usize, usize)) -> Result<Block, Failure> {
    let above = Matrix::<E>::of(above)?;
    let above = above.view();
    if start > end || end > above.nrows() || end - start != own.signs.len() {
        return Err(Failure::internal("qr: a part that does not belong to its block"));
    }
    Ok(Block::from_vec(vec![own.rows(), above.ncols()], own.times(above.get(start..end, ..))))
}

impl NamedOperator for JoinRows {
    const NAME: &'static str = "array_qr_rows";
}
