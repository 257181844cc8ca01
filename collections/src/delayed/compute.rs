//! `compute` of one or several delayed values and frames at once: one graph, so what they share is done once.
//!
//! It refuses to plan; frames and calls lower themselves. Invariant: results come back in the order and the nesting in which they
//! were asked for.

use std::sync::Arc;

use partita_graph::{Chunk, Executor, Failure, Graph, Key, Run, optimize};
use polars::prelude::DataFrame;

use super::node::Lowerer;
use super::value::TaskValue;
use super::{Delayed, lost_result};
use crate::array::budget::Budget;
use crate::client::Client;
use crate::client::aside::aside;
use crate::client::mailbox::heard;
use crate::client::progress::{Watch, tell};
use crate::client::run;
use crate::frame::DFrame;
use crate::frame::replan::Advice;
use crate::frame::value::{frame_of, joined};

/// Frames can be planned again for each of their columns; more than this is a fault.
const MOST_PLANS: usize = 1000;

/// Something that can be computed together with others: a [`Delayed`], a [`DFrame`], a [`crate::DArray`], references to them, lists
/// and tuples.
pub trait Computable {
    /// What comes out.
    type Output;
    /// Adds what is wanted of it to a graph under construction.
    #[doc(hidden)]
    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure>;
    /// Reads what was wanted.
    #[doc(hidden)]
    fn read(&self, results: &mut Results<'_>) -> Result<Self::Output, Failure>;
    /// Computes it alone.
    #[doc(hidden)]
    fn computed_on(&self, executor: &dyn Executor) -> Result<Self::Output, Failure> {
        compute_on(executor, self)
    }
}

/// A graph under construction, and which of its chunks are wanted.
#[doc(hidden)]
#[derive(Default)]
pub struct Wanted {
    pub(super) lowerer: Lowerer,
    pub(super) keys: Vec<Key>,
    /// How many chunks each frame and each array has.
    pub(super) counts: Vec<usize>,
}

/// Chunks in the order in which they were wanted.
#[doc(hidden)]
pub struct Results<'a> {
    chunks: Chunks<'a>,
    pub(super) counts: std::vec::IntoIter<usize>,
}

enum Chunks<'a> {
    /// To be had of a run, and how many were.
    Of(&'a Run, usize),
    /// Brought here.
    Here(std::vec::IntoIter<Chunk>),
}

impl Results<'_> {
    pub(super) fn chunk(&mut self) -> Result<Chunk, Failure> {
        match &mut self.chunks {
            Chunks::Of(run, next) => {
                *next += 1;
                run.result(*next - 1)
            }
            Chunks::Here(chunks) => chunks.next().ok_or_else(lost_result),
        }
    }
}

/// Computes several things at once: `compute((a, b))`, `compute(vec![a, b])`. What they share is done once. Blocks.
///
/// ```
/// use partita::prelude::*;
/// use partita::{compute, delayed, task};
///
/// #[task]
/// fn rows(frame: &DataFrame) -> usize {
///     frame.height()
/// }
///
/// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 2);
/// let (count, total) = compute((delayed(rows)(&frame), frame.sum()))?;
/// assert_eq!((count, total), (3, df!("x" => [6])?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Delayed::compute`] and [`DFrame::compute`].
pub fn compute<C: Computable>(what: C) -> Result<C::Output, Failure> {
    compute_on(&Client::current()?, &what)
}

/// The attempts at one computation: a reader's guess that proves wrong has the frames planned again.
#[derive(Clone, Default)]
struct Attempts {
    advice: Vec<Advice>,
}

/// What is to be submitted.
struct Planned {
    graph: Graph,
    counts: Vec<usize>,
    replanned: usize,
}

/// What was submitted, and how to read it.
struct Submitted {
    run: Run,
    /// How many chunks are wanted.
    wanted: usize,
    counts: Vec<usize>,
    /// Frames that the advice so far has changed.
    replanned: usize,
}

impl Attempts {
    /// For this executor, which may have to ask others what it has.
    fn plan(&self, executor: &dyn Executor, what: &(impl Computable + ?Sized)) -> Result<Planned, Failure> {
        let lowerer = Lowerer::with_advice(self.advice.clone(), Budget::of(executor));
        let mut wanted = Wanted { lowerer, ..Wanted::default() };
        what.want(&mut wanted)?;
        let replanned = wanted.lowerer.replanned;
        let mut graph = wanted.lowerer.lowering.graph;
        graph.wanted = wanted.keys;
        Ok(Planned { graph: optimize::optimize(&graph), counts: wanted.counts, replanned })
    }

    /// Notes the advice in a failure; the failure when there is none, or when the last advice changed nothing.
    fn learn(&mut self, failure: Failure, replanned: usize) -> Result<(), Failure> {
        let stuck = self.advice.len() >= MOST_PLANS || (!self.advice.is_empty() && replanned == 0);
        match Advice::of(&failure).filter(|advice| !stuck && self.advice.last() != Some(advice)) {
            Some(advice) => {
                tell(&format!("{}; planned again", failure.what));
                self.advice.push(advice);
                Ok(())
            }
            None => Err(failure),
        }
    }
}

impl Planned {
    fn submit(self, executor: &dyn Executor) -> Result<Submitted, Failure> {
        let Self { graph, counts, replanned } = self;
        let wanted = graph.wanted.len();
        Ok(Submitted { run: executor.submit(graph)?, wanted, counts, replanned })
    }
}

fn read<C: Computable + ?Sized>(submitted: &Submitted, what: &C) -> Result<C::Output, Failure> {
    what.read(&mut Results { chunks: Chunks::Of(&submitted.run, 0), counts: submitted.counts.clone().into_iter() })
}

/// On any executor.
pub(crate) fn compute_on<C: Computable + ?Sized>(executor: &dyn Executor, what: &C) -> Result<C::Output, Failure> {
    let mut attempts = Attempts::default();
    loop {
        let submitted = attempts.plan(executor, what)?.submit(executor)?;
        let watch = Watch::start(&submitted.run);
        let outcome = submitted.run.wait_stored();
        watch.end();
        match outcome {
            Ok(()) => return read(&submitted, what),
            Err(failure) => attempts.learn(failure, submitted.replanned)?,
        }
    }
}

/// The same without blocking the thread: neither while it is planned, nor while tasks run, nor while results are brought.
pub(crate) async fn compute_async<C>(executor: &Arc<dyn Executor>, what: &C) -> Result<C::Output, Failure>
where
    C: Computable + Clone + Send + 'static,
{
    let mut attempts = Attempts::default();
    loop {
        let (planner, planned, so_far) = (executor.clone(), what.clone(), attempts.clone());
        let submitted = aside(move || so_far.plan(&*planner, &planned)).await?.submit(&**executor)?;
        let (sender, receiver) = futures_channel::oneshot::channel();
        // Nobody listens any more when the future was dropped.
        submitted.run.on_end(Box::new(move || {
            let _ = sender.send(());
        }));
        heard(receiver).await.map_err(|_| lost_result())?;
        // The run has ended, so this does not block.
        match submitted.run.wait_stored() {
            Ok(()) => {
                let Submitted { run, wanted, counts, .. } = submitted;
                let chunks = aside(move || (0..wanted).map(|index| run.result(index)).collect::<Result<Vec<Chunk>, Failure>>()).await?;
                return what.read(&mut Results { chunks: Chunks::Here(chunks.into_iter()), counts: counts.into_iter() });
            }
            Err(failure) => attempts.learn(failure, submitted.replanned)?,
        }
    }
}

impl<T: TaskValue> Computable for Delayed<T> {
    type Output = T;

    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        let key = wanted.lowerer.node(&self.node)?;
        wanted.keys.push(key);
        Ok(())
    }

    fn read(&self, results: &mut Results<'_>) -> Result<T, Failure> {
        Delayed::read(&results.chunk()?)
    }
}

impl Computable for DFrame {
    type Output = DataFrame;

    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        let lowered = wanted.lowerer.frame(self)?;
        wanted.keys.extend((0..lowered.partitions).map(|index| Key::new(lowered.layer, index)));
        wanted.counts.push(lowered.partitions as usize);
        Ok(())
    }

    fn read(&self, results: &mut Results<'_>) -> Result<DataFrame, Failure> {
        let count = results.counts.next().ok_or_else(lost_result)?;
        if count == 0 {
            return Ok(DataFrame::empty_with_schema(self.resolved()?));
        }
        joined((0..count).map(|_| frame_of(&results.chunk()?)).collect::<Result<_, _>>()?)
    }

    fn computed_on(&self, executor: &dyn Executor) -> Result<DataFrame, Failure> {
        Ok(run::compute(executor, self)?.frame)
    }
}

impl<C: Computable + ?Sized> Computable for &C {
    type Output = C::Output;

    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        (**self).want(wanted)
    }

    fn read(&self, results: &mut Results<'_>) -> Result<C::Output, Failure> {
        (**self).read(results)
    }

    fn computed_on(&self, executor: &dyn Executor) -> Result<C::Output, Failure> {
        (**self).computed_on(executor)
    }
}

impl<C: Computable> Computable for Vec<C> {
    type Output = Vec<C::Output>;

    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        self.iter().try_for_each(|one| one.want(wanted))
    }

    fn read(&self, results: &mut Results<'_>) -> Result<Vec<C::Output>, Failure> {
        self.iter().map(|one| one.read(results)).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),+))+) => {$(
        impl<$($name: Computable),+> Computable for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
                $(self.$at.want(wanted)?;)+
                Ok(())
            }

            fn read(&self, results: &mut Results<'_>) -> Result<Self::Output, Failure> {
                Ok(($(self.$at.read(results)?,)+))
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
