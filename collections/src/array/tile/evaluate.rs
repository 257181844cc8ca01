//! Runs a program over blocks, tile by tile: all that lies between its steps stays in buffers that fit the cache.
//!
//! It refuses to know what becomes of the results: a [`Sink`] takes them. The invariants: an element of the result depends on the
//! elements of the inputs at its place alone, so that the form of tiles changes nothing; and where results are folded, so that their
//! order matters, the form of tiles follows from shapes alone and not from where the inputs lie in memory.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_graph::{Code, Failure};

use super::across::{self, Across};
use super::arith::{Arith, binary, cast, compare, component, join, select, test, unary};
use super::chain::{Chain, Chained, Lane};
use super::in_order::{InOrder, copy_line};
use super::layout::{Layout, SIDE, Tile, Wish};
use super::program::{Instruction, Op, Program, Source};
use super::registers::{constants, registers};
use crate::array::block::{Block, row_major};
use crate::array::element::{Column, DType, Held, Scalar, with_dtype};
use crate::array::meta::tuple;

/// The size of a buffer, in bytes: a few of them fit the first cache.
const TILE_BYTES: usize = 8 << 10;
/// Elements of a tile where nothing is buffered.
const DIRECT: usize = 4096;
/// The same where rows are folded into each other: long pieces of a few rows, as memory likes to be read.
const DIRECT_FOLDED: usize = 16 << 10;

/// A tile of results, row by row.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    values: &'a [T],
    stride: usize,
    count: usize,
    len: usize,
}

impl<'a, T> Rows<'a, T> {
    /// Elements in rows of this width, one after the other.
    pub fn of(values: &'a [T], width: usize) -> Self {
        Self { values, stride: width, count: values.len().checked_div(width).unwrap_or(0), len: width }
    }

    /// The rows, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (values, stride, len) = (self.values, self.stride, self.len);
        (0..self.count).map(move |row| &values[row * stride..][..len])
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.len
    }

    /// Elements from the beginning of one row to the next one's.
    pub fn apart(&self) -> usize {
        self.stride
    }

    /// Each row by itself.
    pub fn singles(&self) -> impl Iterator<Item = Rows<'a, T>> + use<'a, T> {
        let len = self.len;
        self.iter().map(move |values| Rows { values, stride: len, count: 1, len })
    }

    /// All elements, if the rows follow each other in memory.
    pub fn in_one(&self) -> Option<&'a [T]> {
        (self.count == 1 || self.stride == self.len).then(|| &self.values[..self.count * self.len])
    }
}

/// What takes the results.
pub trait Sink<T> {
    /// Takes a tile of them. The operands of the tile are the program's inputs, then those that the sink asked for.
    fn take(&mut self, rows: Rows<'_, T>, tile: &Tile<'_>) -> Result<(), Failure>;
    /// Elements that those of a tile follow, row by row, if nothing else becomes of it: a program may then put them there by itself.
    fn followed_by(&mut self, _tile: &Tile<'_>) -> Option<&mut Column> {
        None
    }
}

/// Where the elements of an input are that belong to the tile at hand.
enum Now {
    /// In the block itself, one after the other, from here on.
    There(usize),
    /// In the block, row by row, from here on.
    Rows(usize),
    /// In the buffer.
    Copied,
}

/// An input of the program.
struct Feed<'a> {
    block: Cow<'a, Block>,
    /// Over the whole index space; zero where it is repeated.
    strides: Vec<isize>,
    /// Where elements are folded and do not lie in row-major order: how to find them. Places in tiles are then their numbers in that
    /// order, else they are places in memory.
    order: Option<InOrder>,
    buffer: Column,
    constant: bool,
    now: Now,
}

/// A program with its inputs.
pub struct Evaluator<'a> {
    program: &'a Program,
    shape: Vec<usize>,
    feeds: Vec<Feed<'a>>,
    /// What runs the program, where its steps are not run one by one.
    chain: Option<Chained>,
    constants: Vec<(Scalar, Column)>,
    registers: Vec<Column>,
    /// The register of each step's result. Results that are not read any more give theirs up.
    homes: Vec<usize>,
    size: usize,
    cancelled: Option<&'a AtomicBool>,
}

impl<'a> Evaluator<'a> {
    /// Fails when blocks are not of the program's kinds or their shapes do not fit together.
    pub fn new(program: &'a Program, blocks: &[&'a Block]) -> Result<Self, Failure> {
        program.check()?;
        if program.inputs.len() != blocks.len() || program.inputs.iter().zip(blocks).any(|(dtype, block)| *dtype != block.dtype()) {
            return Err(Failure::internal("a program and its blocks are of different kinds"));
        }
        let shape = broadcast(blocks)?;
        let kinds = program.inputs.iter().copied().chain(program.steps.iter().flat_map(|step| [step.dtype, step.op.result(step.dtype)]));
        let widest = kinds.map(DType::size).max().unwrap_or(1);
        let size = if program.steps.is_empty() { DIRECT } else { TILE_BYTES / widest };
        // Of a small block one tile takes all; longer buffers would cost more to clear than it costs to compute.
        let size = size.min(shape.iter().product::<usize>().max(1));
        let feeds = blocks.iter().copied().map(|block| Feed::new(block, &shape, size)).collect::<Result<_, _>>()?;
        let chain = Chained::of(program);
        let ((homes, registers), constants) = match chain {
            // Only its result is kept here.
            Some(_) => ((vec![0; program.steps.len()], vec![Column::new(program.dtype()?, size)]), Vec::new()),
            None => (registers(program, size), constants(program, size)),
        };
        Ok(Self { program, shape, feeds, chain, constants, registers, homes, size, cancelled: None })
    }

    /// Stops when this is set.
    pub fn until(mut self, cancelled: &'a AtomicBool) -> Self {
        self.cancelled = Some(cancelled);
        self
    }

    /// The shape of the result.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether its results are others than its inputs.
    pub fn calculates(&self) -> bool {
        !self.program.steps.is_empty()
    }

    /// Whether all inputs are the same everywhere.
    pub fn is_constant(&self) -> bool {
        self.feeds.iter().all(|feed| feed.constant)
    }

    /// Runs the program over the whole index space. Tiles have the form that suits where the inputs lie.
    pub fn run<T: Held>(&mut self, sink: &mut dyn Sink<T>) -> Result<(), Failure> {
        // Where an input lies across, a tile is a band of a few whole rows: what lies along the rows is then read in one go, and of each line of
        // memory that lies across all is used that the cache brings. The copy of it fits the second cache.
        let across = self.size.min(TILE_BYTES / self.program.dtype()?.size()) * SIDE;
        let wish = Wish { size: self.size, across, read: self.feeds.len(), folded: None };
        self.walk(Vec::new(), wish, sink)
    }

    /// The same where results are folded. Tiles are those of inputs in row-major order, wherever the inputs lie. `beside` are further
    /// operands of the walk, as strides over the shape; `folded` is the one of them that says which elements are folded into each other.
    pub fn fold<T: Held>(&mut self, beside: Vec<Vec<isize>>, folded: usize, sink: &mut dyn Sink<T>) -> Result<(), Failure> {
        for feed in &mut self.feeds {
            feed.bring_in_order(&self.shape)?;
        }
        if self.program.steps.is_empty() {
            self.size = DIRECT_FOLDED.min(self.shape.iter().product::<usize>().max(1));
            self.feeds.iter_mut().try_for_each(|feed| feed.fill(self.size))?;
        }
        let read = self.feeds.len();
        self.walk(beside, Wish { size: self.size, across: self.size, read, folded: Some(read + folded) }, sink)
    }

    fn walk<T: Held>(&mut self, beside: Vec<Vec<isize>>, wish: Wish, sink: &mut dyn Sink<T>) -> Result<(), Failure> {
        let mut bases: Vec<isize> = self.feeds.iter().map(Feed::base).collect();
        bases.resize(bases.len() + beside.len(), 0);
        let mut operands: Vec<Vec<isize>> = self.feeds.iter().map(|feed| feed.strides.clone()).collect();
        operands.extend(beside);
        let Some(layout) = Layout::new(&self.shape, &operands) else { return Ok(()) };
        let mut parts = Vec::new();
        layout.walk(&bases, wish, |tile| {
            if self.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
                return Err(Failure::new(Code::Cancelled, "the task was cancelled while it ran"));
            }
            let direct = self.program.steps.is_empty();
            for (at, feed) in self.feeds.iter_mut().enumerate() {
                with_dtype!(feed.block.dtype(), U => feed.prepare::<U>(tile, at, direct))?;
            }
            if direct || tile.len() <= self.size {
                return self.hand_on(sink, 0, tile);
            }
            // Of a band some rows at a time: what steps hand on stays in the first cache.
            let rows = (self.size / tile.columns).max(1);
            for row in (0..tile.rows).step_by(rows) {
                parts.clear();
                parts.extend(tile.offsets.iter().zip(tile.row_strides).map(|(offset, stride)| offset + row as isize * stride));
                let part = Tile { rows: rows.min(tile.rows - row), part: (row, tile.rows), offsets: &parts, ..*tile };
                self.hand_on(sink, row * tile.columns, &part)?;
            }
            Ok(())
        })
    }

    /// Calculates a part of the tile at hand that begins with this element of it, and gives it to the sink.
    fn hand_on<T: Held>(&mut self, sink: &mut dyn Sink<T>, first: usize, part: &Tile<'_>) -> Result<(), Failure> {
        if self.chain.is_some()
            && let Some(column) = sink.followed_by(part)
        {
            // Once more through the first cache costs as much as the program.
            return self.run_chain(Some(column), first, part.len());
        }
        self.calculate(first, part.len())?;
        sink.take(self.result(part, first)?, part)
    }

    /// The program's result for so many elements of the tile at hand, from one on.
    fn calculate(&mut self, first: usize, len: usize) -> Result<(), Failure> {
        match self.chain {
            Some(_) => self.run_chain(None, first, len),
            None => (0..self.program.steps.len()).try_for_each(|at| self.execute(at, first, len)),
        }
    }

    /// The same of a chain: behind all elements of a column, or in the register of the result.
    fn run_chain(&mut self, behind: Option<&mut Column>, first: usize, len: usize) -> Result<(), Failure> {
        let (room, is_behind) = match behind {
            Some(column) => (column, true),
            None => (&mut self.registers[0], false),
        };
        let done = match &mut self.chain {
            Some(Chained::Double(chain)) => chained(chain, &self.feeds, (room, is_behind), first, len)?,
            Some(Chained::Single(chain)) => chained(chain, &self.feeds, (room, is_behind), first, len)?,
            None => false,
        };
        if done { Ok(()) } else { Err(Failure::internal(format!("a step of {} is not defined for its kind", self.program.show()))) }
    }

    fn execute(&mut self, at: usize, first: usize, len: usize) -> Result<(), Failure> {
        let (step, home) = (&self.program.steps[at], self.homes[at]);
        let mut out = std::mem::take(&mut self.registers[home]);
        let done = with_dtype!(step.dtype, T => self.compute::<T>(step, &mut out, first, len));
        self.registers[home] = out;
        if done? { Ok(()) } else { Err(Failure::internal(format!("{:?} is not defined for {}", step.op, step.dtype))) }
    }

    /// `false` when the operation is not defined for this kind.
    fn compute<T: Arith>(&self, step: &Instruction, out: &mut Column, first: usize, len: usize) -> Result<bool, Failure> {
        let arg = |at: usize| self.values::<T>(step.args[at], first, len);
        Ok(match step.op {
            Op::Unary(op) => unary(op, arg(0)?, target(out, len)?),
            Op::Binary(op) => binary(op, arg(0)?, arg(1)?, target(out, len)?),
            Op::Test(op) => test(op, arg(0)?, target(out, len)?),
            Op::Compare(op) => compare(op, arg(0)?, arg(1)?, target(out, len)?),
            Op::Select => select(self.values::<bool>(step.args[0], first, len)?, arg(1)?, arg(2)?, target(out, len)?),
            // A complex number on the line of the real ones is refused where it is asked for, and here too.
            Op::Cast(to) if step.dtype.is_complex() && !to.is_complex() && to != DType::Bool => false,
            Op::Cast(to) => with_dtype!(to, U => cast::<T, U>(arg(0)?, target(out, len)?)),
            Op::Component(op) => component(op, arg(0)?, target::<T::Re>(out, len)?),
            Op::Join => join(arg(0)?, arg(1)?, target::<T::Pair>(out, len)?),
            Op::Exponent => {
                let out = target::<i32>(out, len)?;
                out.iter_mut().zip(arg(0)?).for_each(|(out, a)| *out = a.exponent());
                true
            }
        })
    }

    /// The elements of an operand that belong to a part of the tile at hand.
    fn values<T: Held>(&self, source: Source, first: usize, len: usize) -> Result<&[T], Failure> {
        let column = match source {
            Source::Input(at) => return self.feeds[at as usize].values(first, len),
            Source::Step(at) => &self.registers[self.homes[at as usize]],
            Source::Scalar(scalar) => {
                let found = self.constants.iter().find(|(known, _)| *known == scalar);
                &found.ok_or_else(|| Failure::internal("a constant that was not prepared"))?.1
            }
        };
        some(column, len)
    }

    /// The results for a part of the tile at hand that begins with this element of it.
    fn result<T: Held>(&self, tile: &Tile<'_>, first: usize) -> Result<Rows<'_, T>, Failure> {
        if let Source::Input(at) = self.program.result
            && let Now::Rows(offset) = self.feeds[at as usize].now
        {
            let values = &self.feeds[at as usize].block.memory::<T>()?[offset..];
            let stride = tile.row_strides[at as usize].unsigned_abs();
            return Ok(Rows { values, stride, count: tile.rows, len: tile.columns });
        }
        let values = self.values(self.program.result, first, tile.len())?;
        Ok(Rows { values, stride: tile.columns, count: tile.rows, len: tile.columns })
    }
}

/// Runs a chain on so many elements of a tile, from one on. Results come to the beginning of a buffer, or behind all that is in it.
fn chained<T: Lane>(
    chain: &mut Chain<T>,
    feeds: &[Feed<'_>],
    (room, is_behind): (&mut Column, bool),
    first: usize,
    len: usize,
) -> Result<bool, Failure> {
    let inputs = feeds.iter().map(|feed| feed.values(first, len)).collect::<Result<Vec<&[T]>, Failure>>()?;
    if !is_behind {
        return Ok(chain.run(&inputs, target(room, len)?));
    }
    let values = T::values_mut(room).ok_or_else(|| Failure::internal("results of another kind than their program"))?;
    let there = values.len();
    values.resize(there + len, T::default());
    Ok(chain.run(&inputs, &mut values[there..]))
}

/// The first elements of a buffer.
fn some<T: Held>(column: &Column, len: usize) -> Result<&[T], Failure> {
    let values = T::values(column).ok_or_else(|| Failure::internal("an operand of another kind than its operation"))?;
    Ok(&values[..len])
}

/// The part of a buffer that a tile takes.
fn target<T: Held>(out: &mut Column, len: usize) -> Result<&mut [T], Failure> {
    let values = T::values_mut(out).ok_or_else(|| Failure::internal("a result of another kind than its register"))?;
    Ok(&mut values[..len])
}

/// The shape to which blocks fit together: axes are compared from the last one on, and a length of 1 fits every other.
pub fn broadcast(blocks: &[&Block]) -> Result<Vec<usize>, Failure> {
    let ndim = blocks.iter().map(|block| block.shape().len()).max().unwrap_or(0);
    let mut shape = vec![1; ndim];
    for block in blocks {
        let places = shape[ndim - block.shape().len()..].iter_mut();
        for (place, len) in places.zip(block.shape()) {
            match (*place, *len) {
                (known, len) if known == len || len == 1 => {}
                (1, len) => *place = len,
                _ => {
                    let shapes: Vec<String> = blocks.iter().map(|block| tuple(block.shape())).collect();
                    let what = format!("chunks of shapes {} do not fit together", shapes.join(" and "));
                    return Err(Failure::new(Code::ShapeMismatch, what).help("where sizes were not known before: .compute_chunk_sizes()?"));
                }
            }
        }
    }
    Ok(shape)
}

impl<'a> Feed<'a> {
    fn new(block: &'a Block, shape: &[usize], size: usize) -> Result<Self, Failure> {
        let strides = over(shape, block, block.strides());
        // Along an axis of one element nothing moves.
        let constant = strides.iter().zip(shape).all(|(stride, len)| *stride == 0 || *len == 1) && !shape.contains(&0);
        let mut feed = Self { block: Cow::Borrowed(block), strides, order: None, buffer: Column::default(), constant, now: Now::Copied };
        feed.fill(size)?;
        Ok(feed)
    }

    /// Repeats an element that is the same everywhere as often as a tile has elements.
    fn fill(&mut self, size: usize) -> Result<(), Failure> {
        if self.constant {
            self.buffer = with_dtype!(self.block.dtype(), T => T::column(vec![self.block.memory::<T>()?[self.block.offset()]; size]));
        }
        Ok(())
    }

    /// From here on tiles see the strides that the block would have in row-major order. A block that lies across is copied whole: the
    /// tiles that suit its memory would be others.
    fn bring_in_order(&mut self, shape: &[usize]) -> Result<(), Failure> {
        self.strides = over(shape, &self.block, &row_major(self.block.shape()));
        if self.constant {
            return Ok(());
        }
        let order = InOrder::of(&self.block);
        if order.is_across() {
            self.block = Cow::Owned(self.block.packed()?);
        } else if !order.is_plain() {
            self.order = Some(order);
        }
        Ok(())
    }

    /// So many elements that belong to the tile at hand, from one on.
    fn values<T: Held>(&self, first: usize, len: usize) -> Result<&[T], Failure> {
        match self.now {
            Now::There(offset) => Ok(&self.block.memory::<T>()?[offset + first..][..len]),
            Now::Rows(_) | Now::Copied if self.constant => some(&self.buffer, len),
            Now::Rows(_) | Now::Copied => Ok(&some(&self.buffer, first + len)?[first..]),
        }
    }

    /// The place of the first element.
    fn base(&self) -> isize {
        if self.order.is_some() { 0 } else { self.block.offset() as isize }
    }

    /// Finds the elements of a tile, or copies them together. `direct` says that rows are taken where they lie.
    fn prepare<T: Held>(&mut self, tile: &Tile<'_>, at: usize, direct: bool) -> Result<(), Failure> {
        if self.constant {
            return Ok(());
        }
        let (offset, row, column) = (tile.offsets[at], tile.row_strides[at], tile.column_strides[at]);
        if self.order.is_none() && (column == 1 || tile.columns == 1) {
            if tile.rows == 1 || (row == tile.columns as isize && column == 1) {
                self.now = Now::There(offset as usize);
                return Ok(());
            }
            if direct && row >= 0 {
                self.now = Now::Rows(offset as usize);
                return Ok(());
            }
        }
        self.now = Now::Copied;
        let memory = self.block.memory::<T>()?;
        if T::values(&self.buffer).is_none_or(|values| values.len() < tile.len()) {
            self.buffer = T::column(vec![T::default(); tile.len()]);
        }
        if self.order.is_none() && row == 1 && column != 1 && tile.rows > 1 {
            across::turn(Across { memory, lines: tile.columns, step: column, offset, len: tile.rows }, &mut self.buffer);
            return Ok(());
        }
        let out = target(&mut self.buffer, tile.len())?;
        let Some(order) = &mut self.order else {
            copy(memory, (offset, row, column), tile, out);
            return Ok(());
        };
        for (at, line) in out.chunks_exact_mut(tile.columns).enumerate() {
            let first = (offset + at as isize * row) as usize;
            // In row-major order the next column is the next element, or the same one where the block is repeated.
            let own = if column == 0 { 1 } else { line.len() };
            order.copy(memory, first, &mut line[..own]);
            if column == 0 {
                let value = line[0];
                line.fill(value);
            }
        }
        Ok(())
    }
}

/// Strides of a block over the whole index space, along whose axes it may be repeated.
fn over(shape: &[usize], block: &Block, strides: &[isize]) -> Vec<isize> {
    let ahead = shape.len() - block.shape().len();
    let own = strides.iter().zip(block.shape()).zip(&shape[ahead..]);
    let own = own.map(|((stride, len), whole)| if len == whole { *stride } else { 0 });
    std::iter::repeat_n(0, ahead).chain(own).collect()
}

/// Copies a tile together, row by row.
fn copy<T: Held>(memory: &[T], (offset, row, column): (isize, isize, isize), tile: &Tile<'_>, out: &mut [T]) {
    for (at, out) in out.chunks_exact_mut(tile.columns).enumerate() {
        copy_line(memory, offset + at as isize * row, column, out);
    }
}
