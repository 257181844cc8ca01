//! `qr` of matrices that are no tall ones, panel by panel of Householder's reflections: a panel is brought into a triangle in one task, and what
//! its reflections do to the columns right of it, and afterwards to columns at right angles, is done to each column block in a task of its own.
//!
//! It refuses to know which matrices are tall. The invariant: columns at right angles are made from the last panel to the first, so that no panel
//! touches a column that it leaves as it is.

use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::columns::{Panels, Ways, uppers};
use super::dense::reflect::{Reflections, reflected};
use super::factor::in_kind;
use super::fold::values;
use super::matrix::{Copied, Exact, Matrix, block_of_matrix, with_exact};
use super::tiles::{collected, only};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::Lists;
use crate::array::reductions::state::{State, state_of};
use crate::array::{AnyArray, DArray, Inexact, Node, Step};

/// Both factors of a matrix.
#[track_caller]
pub(super) fn factors<T: Inexact>(exact: &AnyArray, method: &str) -> (DArray<T>, DArray<T>) {
    let part = |triangle: bool| DArray::then(Factor { triangle, dtype: T::DTYPE }, vec![exact.clone()], method);
    (part(false), part(true))
}

/// Householder's way with panels.
const HOUSEHOLDER: Ways = Ways {
    factor: |start| OpRef::new(ReflectPanel { start }, "qr of a panel"),
    apply: |start| OpRef::new(ReflectColumns { start }, "reflect"),
};

/// The upper triangle, or the columns at right angles.
struct Factor {
    triangle: bool,
    dtype: DType,
}

impl Step for Factor {
    fn line(&self) -> String {
        if self.triangle { "upper triangle".into() } else { "columns at right angles".into() }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let panels = Panels::of(inputs[0])?;
        let cuts = match self.triangle {
            true => vec![Cuts::whole(panels.rank), panels.cuts()],
            false => vec![Cuts::whole(panels.rows), panels.factored()],
        };
        Ok(Meta { dtype: self.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (input, meta) = (&node.inputs[0], node.known()?);
        let panels = Panels::of(input.meta()?)?;
        let done = panels.eliminate(input, &HOUSEHOLDER, lowering, node)?;
        if self.triangle {
            let made = uppers(&panels, &done, lowering, node);
            return collected(lowering, made, meta, node);
        }
        let exact = input.meta()?.dtype;
        let mut columns: Option<Lowered> = None;
        for (at, panel) in done.panels.iter().enumerate().rev() {
            // The first task makes the panel's own columns, the others change those of later panels.
            let mut later = Lists::new();
            (0..panels.count - at).for_each(|task| later.push(task.checked_sub(1)));
            let edges: Vec<Edge> = [only(*panel)].into_iter().chain(columns.map(|made| made.edge(later.wiring()))).collect();
            let op = OpRef::new(ReflectBack { start: panels.starts[at], dtype: if at == 0 { self.dtype } else { exact } }, self.line());
            columns = Some(lowering.add(Layer::single("q", (panels.count - at) as u32, op, edges), node));
        }
        columns.ok_or_else(|| Failure::internal("qr: a matrix without panels"))
    }
}

/// Columns in all their length are brought into a triangle from a row on: the panel with the vectors of its reflections, what these have in common,
/// and signs.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReflectPanel {
    start: usize,
}

impl Operator for ReflectPanel {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [columns] = inputs else { return Err(misfit()) };
        let columns = block_of(columns)?;
        with_exact!(columns.dtype(), E => {
            let columns = Matrix::<E>::of(columns)?;
            if self.start > columns.view().nrows() {
                return Err(misfit());
            }
            let (panel, common, signs) = reflected(columns.view(), self.start);
            let numbers = vec![
                block_of_matrix(panel.as_ref())?,
                block_of_matrix(common.as_ref())?,
                Block::from_vec(vec![signs.len()], signs),
            ];
            Ok(Chunk::new(State { count: 0, numbers }))
        })
    }
}

impl NamedOperator for ReflectPanel {
    const NAME: &'static str = "array_qr_panel";
}

fn misfit() -> Failure {
    Failure::internal("qr: a panel that does not belong to these columns")
}

/// The parts of a panel, ready to be read.
struct Given<'a, E: Exact> {
    panel: Matrix<'a, E>,
    common: Matrix<'a, E>,
    signs: &'a [E],
}

impl<'a, E: Exact> Given<'a, E> {
    fn of(panel: &'a State) -> Result<Self, Failure> {
        let [panel, common, signs] = &panel.numbers[..] else { return Err(misfit()) };
        Ok(Self { panel: Matrix::of(panel)?, common: Matrix::of(common)?, signs: values(signs)? })
    }

    fn reflections(&self, start: usize) -> Result<Reflections<'_, E>, Failure> {
        let found = Reflections { start, panel: self.panel.view(), common: self.common.view(), signs: self.signs };
        if found.is_whole() { Ok(found) } else { Err(misfit()) }
    }
}

/// Does to columns what brought a panel into its triangle.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReflectColumns {
    start: usize,
}

impl Operator for ReflectColumns {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [panel, columns] = inputs else { return Err(misfit()) };
        let columns = block_of(columns)?;
        with_exact!(columns.dtype(), E => {
            let given = Given::<E>::of(state_of(panel)?)?;
            let mut columns = owned::<E>(columns, &given)?;
            given.reflections(self.start)?.forward(columns.view_mut());
            columns.block().map(Chunk::new)
        })
    }
}

impl NamedOperator for ReflectColumns {
    const NAME: &'static str = "array_qr_reflect";
}

/// A copy of columns that are as long as a panel.
fn owned<E: Exact>(columns: &Block, given: &Given<'_, E>) -> Result<Copied<E>, Failure> {
    let columns = Copied::of(Matrix::<E>::of(columns)?.view());
    if columns.rows() == given.panel.view().nrows() { Ok(columns) } else { Err(misfit()) }
}

/// Columns at right angles of a panel, or of a later one after the reflections of this one.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReflectBack {
    start: usize,
    dtype: DType,
}

impl Operator for ReflectBack {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [panel, later @ ..] = inputs else { return Err(misfit()) };
        let panel = state_of(panel)?;
        let exact = panel.numbers.first().map(Block::dtype).ok_or_else(misfit)?;
        let made = with_exact!(exact, E => self.columns::<E>(panel, later)?);
        in_kind(&made, self.dtype).map(Chunk::new)
    }
}

impl ReflectBack {
    fn columns<E: Exact>(&self, panel: &State, later: &[Chunk]) -> Result<Block, Failure> {
        let given = Given::<E>::of(panel)?;
        let reflections = given.reflections(self.start)?;
        match later {
            [] => block_of_matrix(reflections.columns().as_ref()),
            [later] => {
                let mut columns = owned(block_of(later)?, &given)?;
                reflections.back(columns.view_mut());
                columns.block()
            }
            _ => Err(misfit()),
        }
    }
}

impl NamedOperator for ReflectBack {
    const NAME: &'static str = "array_qr_back";
}
