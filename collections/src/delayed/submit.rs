//! How calls are submitted: one, many at a time, values at hand, on every worker.
//!
//! It refuses to wait for results, except where so many are under way that a further one would only fill memory. Invariant: items of
//! `map` become tasks of few layers, so that a hundred thousand of them are one message.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_graph::{Arg, Code, Failure, Key, Layer, OpRef, Origin, optimize};

use super::argument::{Argument, Given};
use super::call::{Call, Slot, Task, TaskOf, deferred};
use super::future::{Batch, DFuture};
use super::node::{self, Lowerer, Node};
use super::value::TaskValue;
use super::{Delayed, lost_result};
use crate::client::Client;
use crate::client::mailbox::{Mailbox, Next};

/// Items of the first layer of a `map`, by how much the next has more, and the most that one has.
const FIRST: usize = 64;
const GROWTH: usize = 4;
const MOST: usize = 1 << 16;
/// Between two looks at who is there.
const LOOK: Duration = Duration::from_millis(500);
/// Items that may be under way; further ones wait.
const UNDER_WAY: usize = 1 << 20;

impl Client {
    /// Starts a call. The arguments are a tuple: values, references, delayed values, futures.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::task;
    ///
    /// #[task]
    /// fn add(a: i64, b: i64) -> i64 {
    ///     a + b
    /// }
    ///
    /// let client = Client::builder().threads(2).build()?;
    /// let three = client.submit(add, (1, 2))?;
    /// assert_eq!(client.submit(add, (&three, 4))?.result()?, 7);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// An argument that cannot be sent (E0218), a worker that does not contain the function (E0208), no connection.
    #[track_caller]
    pub fn submit<F: TaskOf<Arguments>, Arguments>(&self, function: F, arguments: Arguments) -> Result<DFuture<F::Output>, Failure> {
        self.start(&deferred(function, F::arguments(arguments), Location::caller()))
    }

    /// Starts a delayed call.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub fn start<T: TaskValue>(&self, delayed: &Delayed<T>) -> Result<DFuture<T>, Failure> {
        let mut lowerer = Lowerer::at_home(self);
        let key = lowerer.node(&delayed.node)?;
        let parents = lowerer.parents();
        let mut graph = lowerer.lowering.graph;
        graph.wanted.push(key);
        let batch = Batch::submit(self, optimize::optimize(&graph), parents, delayed.node.origin.clone())?;
        batch.futures().pop().ok_or_else(lost_result)
    }

    /// Starts a call of a function of one parameter for each item, in order. Iterators may be of any length: items are submitted in
    /// batches, and when a million are under way further ones wait.
    ///
    /// # Errors
    /// As [`Client::submit`]. Inside a task: nobody wants the task any more (E0203), or it may not wait.
    #[track_caller]
    pub fn map<F, I>(&self, function: F, items: I) -> Result<Vec<DFuture<F::Output>>, Failure>
    where
        F: TaskOf<(I::Item,)>,
        I: IntoIterator,
    {
        let origin = Location::caller();
        self.map_all::<F>(function, items.into_iter().map(|item| F::arguments((item,))), UNDER_WAY, origin)
    }

    /// The same for functions of several parameters: an item is a tuple of arguments.
    ///
    /// # Errors
    /// As [`Client::submit`].
    #[track_caller]
    pub fn starmap<F, I>(&self, function: F, items: I) -> Result<Vec<DFuture<F::Output>>, Failure>
    where
        F: TaskOf<I::Item>,
        I: IntoIterator,
    {
        let origin = Location::caller();
        self.map_all::<F>(function, items.into_iter().map(F::arguments), UNDER_WAY, origin)
    }

    fn map_all<F: Task>(
        &self,
        function: F,
        mut items: impl Iterator<Item = Vec<Argument>>,
        under_way: usize,
        origin: &'static Location<'static>,
    ) -> Result<Vec<DFuture<F::Output>>, Failure> {
        let mut futures: Vec<DFuture<F::Output>> = Vec::new();
        let (mut size, mut oldest) = (FIRST.min(under_way), 0);
        loop {
            while futures.len() - oldest + size > under_way {
                // A failure is its future's own, unless the task in which this is called may not wait.
                if let Some(failure) = futures[oldest].exception()
                    && !futures[oldest].done()
                {
                    return Err(failure);
                }
                oldest += 1;
            }
            // What a task submits is cancelled with it, so it would never wait again.
            if partita_local::current_cancelled().is_some_and(|task| task.is_set()) {
                return Err(Failure::new(Code::Cancelled, "the task was cancelled while it submitted calls"));
            }
            let calls: Vec<Vec<Argument>> = items.by_ref().take(size).collect();
            if calls.is_empty() {
                return Ok(futures);
            }
            futures.extend(self.map_batch::<F>(function, calls, origin)?);
            size = (size * GROWTH).min(MOST).min(under_way);
        }
    }

    fn map_batch<F: Task>(
        &self,
        function: F,
        calls: Vec<Vec<Argument>>,
        origin: &'static Location<'static>,
    ) -> Result<Vec<DFuture<F::Output>>, Failure> {
        let calls: Vec<Vec<Given>> = calls.into_iter().map(|call| call.into_iter().map(|argument| argument.0).collect()).collect();
        let mut lowerer = Lowerer::at_home(self);
        let keys = match same_kinds(&calls) {
            true => one_layer::<F>(&mut lowerer, &calls, origin)?,
            // One after the other: what one call is given is of another kind than what another is.
            false => {
                let mut keys = Vec::with_capacity(calls.len());
                for call in calls {
                    let delayed = deferred(function, call.into_iter().map(Argument).collect(), origin);
                    keys.push(lowerer.node(&delayed.node)?);
                }
                keys
            }
        };
        let parents = lowerer.parents();
        let mut graph = lowerer.lowering.graph;
        graph.wanted = keys;
        let short = F::NAME.rsplit("::").next().unwrap_or(F::NAME);
        Ok(Batch::submit(self, graph, parents, Origin::at(origin, &format!(".map({short}, …)")))?.futures())
    }

    /// Brings a value to the cluster once, for many calls to read. The scheduler keeps what it needs to bring it again when the worker
    /// that has it dies.
    ///
    /// # Errors
    /// As [`Client::submit`].
    #[track_caller]
    pub fn scatter<T: TaskValue>(&self, value: T) -> Result<DFuture<T>, Failure> {
        let origin = Origin::here(".scatter(…)");
        let mut graph = partita_graph::Graph::default();
        let chunk = super::value::chunk_from(value);
        let id = graph.add(node::given_layer(node::new_token(), chunk).origin(Some(origin.clone())));
        graph.want_all(id);
        Batch::submit(self, graph, Vec::new(), origin)?.futures().pop().ok_or_else(lost_result)
    }

    /// The same, and begins to copy it to every worker that is connected now: for a value that calls on all of them read at once. Returns
    /// when one worker has it.
    ///
    /// # Errors
    /// As [`Client::scatter`].
    #[track_caller]
    #[doc(alias = "scatter")]
    pub fn broadcast<T: TaskValue>(&self, value: T) -> Result<DFuture<T>, Failure> {
        let future = self.scatter(value)?;
        if let Some(failure) = future.exception() {
            return Err(failure);
        }
        self.copy_to_all(&future.one().batch.run)?;
        Ok(future)
    }

    /// Lets a call run to its end although its future is dropped.
    pub fn fire_and_forget<T: TaskValue>(&self, future: DFuture<T>) {
        let one = future.one().clone();
        let held = one.clone();
        one.batch.on_end(one.index, Box::new(move |_| drop(held)));
    }

    /// Makes a call on every worker, whatever else runs, and gives what came of it by the worker's name. In process there is one,
    /// called `local`. A worker that goes meanwhile has failed (E0205), also when another process takes its name.
    ///
    /// # Errors
    /// No connection; what a call fails with stands beside the others.
    #[doc(alias = "run")]
    #[track_caller]
    pub fn run_on_workers<F: TaskOf<Arguments>, Arguments>(
        &self,
        function: F,
        arguments: Arguments,
    ) -> Result<BTreeMap<String, Result<F::Output, Failure>>, Failure> {
        let arguments: Vec<Given> = F::arguments(arguments).into_iter().map(|argument| argument.0).collect();
        let _ = function;
        let origin = Location::caller();
        let (workers, mut futures) = (self.workers_now()?, Vec::new());
        for (name, _) in &workers {
            let token = node::new_token();
            let operator: node::MakeOperator = Arc::new(move |slots| Call::<F>::operator(slots, Some(token)));
            let call: Delayed<F::Output> = Delayed::of(Node::call(F::NAME, operator, arguments.clone(), origin));
            let call = if self.is_local() { call } else { call.workers([name]) };
            futures.push(self.start(&call.priority(i32::MAX))?);
        }
        let results = self.results_of(&workers, &futures)?;
        Ok(workers.into_iter().map(|(name, _)| name).zip(results).collect())
    }

    /// What came of calls each of which only this one worker can make: one that goes will not, and another of its name is another.
    fn results_of<T: TaskValue>(&self, workers: &[(String, u32)], futures: &[DFuture<T>]) -> Result<Vec<Result<T, Failure>>, Failure> {
        let mut results: Vec<Option<Result<T, Failure>>> = futures.iter().map(|_| None).collect();
        let came = Mailbox::new();
        futures.iter().enumerate().for_each(|(place, future)| bring(place, future, &came));
        while results.iter().any(Option::is_none) {
            if let Next::Came((place, result)) = came.wait_or_end(Some(Instant::now() + LOOK)) {
                results[place].get_or_insert(result);
                continue;
            }
            let now = self.workers_now()?;
            for (place, worker) in workers.iter().enumerate().filter(|(_, worker)| !now.contains(worker)) {
                if results[place].is_none() {
                    // Also when it has ended: what it made may be gone with the worker, and nobody else may make it again.
                    futures[place].forget();
                    results[place] = Some(Err(went(&worker.0)));
                }
            }
        }
        // A process that took the name of one that went may have made the call before that was seen.
        let now = self.workers_now()?;
        let outcome = |(worker, result): (&(String, u32), Option<Result<T, Failure>>)| match now.contains(worker) {
            true => result.unwrap_or_else(|| Err(lost_result())),
            false => Err(went(&worker.0)),
        };
        Ok(workers.iter().zip(results).map(outcome).collect())
    }
}

/// Puts the result into the mailbox once it is here. It is brought in a thread of its own: a worker that dies meanwhile holds up nobody.
fn bring<T: TaskValue>(place: usize, future: &DFuture<T>, came: &Mailbox<(usize, Result<T, Failure>)>) {
    let (one, future, came) = (future.one(), future.clone(), came.clone());
    let bring = move || {
        let (waits, tells) = (future, came.clone());
        let thread = std::thread::Builder::new().name("partita-bring".into());
        if let Err(error) = thread.spawn(move || tells.put((place, waits.result()))) {
            came.put((place, Err(Failure::internal(format!("no thread to bring a result: {error}")))));
        }
    };
    one.batch.on_end(one.index, Box::new(move |_| bring()));
}

fn went(worker: &str) -> Failure {
    Failure::new(Code::NoWorkers, format!("worker {worker} went before the call had ended there"))
        .help("client.run_on_workers(…) again reaches those that are there then")
}

/// What the only worker of an engine in this process is called.
pub(crate) const LOCAL: &str = "local";

/// Whether all calls are given the same kinds of argument, of which one layer can be made.
fn same_kinds(calls: &[Vec<Given>]) -> bool {
    let kind = |given: &Given| match given {
        Given::Plain(_) => Some(0),
        Given::Node(_) => Some(1),
        Given::Chunk { .. } | Given::Nodes(_) | Given::Frame(_) | Given::Array(_) | Given::Broken(_) => None,
    };
    let Some(first) = calls.first() else { return true };
    calls.iter().all(|call| call.iter().zip(first).all(|(one, other)| kind(one).is_some() && kind(one) == kind(other)))
}

/// All calls as the tasks of one layer.
fn one_layer<F: Task>(lowerer: &mut Lowerer, calls: &[Vec<Given>], origin: &'static Location<'static>) -> Result<Vec<Key>, Failure> {
    let parameters = calls.first().map_or(0, Vec::len);
    let (mut slots, mut edges) = (Vec::with_capacity(parameters), Vec::new());
    let mut own: Vec<Vec<u8>> = vec![Vec::new(); calls.len()];
    for at in 0..parameters {
        let mut keys = Vec::new();
        for (call, own) in calls.iter().zip(&mut own) {
            match &call[at] {
                Given::Plain(bytes) => own.extend_from_slice(bytes),
                Given::Node(node) => keys.push(lowerer.node(node)?),
                Given::Chunk { .. } | Given::Nodes(_) | Given::Frame(_) | Given::Array(_) | Given::Broken(_) => return Err(lost_result()),
            }
        }
        slots.push(if keys.is_empty() { Slot::Own } else { Slot::Input });
        edges.extend(node::one_each(&keys, &lowerer.lowering.graph));
    }
    node::check_edges(edges.len(), None)?;
    // Calls that differ in nothing are told apart by a token, or by nothing when they are one.
    let token = (!F::PURE).then(node::new_token);
    let op: OpRef = Call::<F>::operator(slots, token);
    let short = F::NAME.rsplit("::").next().unwrap_or(F::NAME);
    let args = own.into_iter().map(|bytes| Arg::Bytes(bytes.into())).collect();
    let layer = Layer::with_args(short, op, args, edges).origin(Some(Origin::at(origin, &format!(".map({short}, …)"))));
    let len = layer.len;
    let id = lowerer.lowering.graph.add(layer);
    Ok((0..len).map(|index| Key::new(id, index)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static DONE: AtomicUsize = AtomicUsize::new(0);

    #[partita::task(pure = false)]
    fn slow(x: u64) -> u64 {
        std::thread::sleep(Duration::from_micros(20));
        DONE.fetch_add(1, Ordering::SeqCst);
        x
    }

    static MAPPED: AtomicUsize = AtomicUsize::new(0);
    static STOPPED: AtomicBool = AtomicBool::new(false);

    #[partita::task(pure = false)]
    fn same(x: u64) -> u64 {
        x
    }

    #[partita::task(pure = false)]
    fn maps_for_ever() -> Result<usize, Failure> {
        let items = (0u64..).inspect(|_| {
            MAPPED.fetch_add(1, Ordering::SeqCst);
        });
        let calls = items.map(|x| <same as TaskOf<(u64,)>>::arguments((x,)));
        let mapped = Client::current()?.map_all::<same>(same, calls, 100, Location::caller());
        STOPPED.store(true, Ordering::SeqCst);
        mapped.map(|futures| futures.len())
    }

    #[test]
    fn a_task_that_nobody_wants_stops_mapping() {
        let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
        let future = client.submit(maps_for_ever, ()).expect("sound");
        while MAPPED.load(Ordering::SeqCst) < 1_000 {
            std::thread::yield_now();
        }
        future.cancel();
        let until = Instant::now() + Duration::from_secs(30);
        while !STOPPED.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "it goes on, with {} items", MAPPED.load(Ordering::SeqCst));
            std::thread::yield_now();
        }
    }

    #[test]
    fn items_are_taken_as_calls_end() {
        let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
        let (mut taken, mut most) = (0, 0);
        let items = (0..2_000u64).inspect(|_| {
            taken += 1;
            most = most.max(taken - DONE.load(Ordering::SeqCst));
        });
        let calls = items.map(|x| <slow as TaskOf<(u64,)>>::arguments((x,)));
        let futures = client.map_all::<slow>(slow, calls, 100, Location::caller()).expect("sound");
        let results = super::super::gather(&futures).expect("sound");
        assert!(results.into_iter().eq(0..2_000));
        assert!((50..=100).contains(&most), "{most} were under way");
    }
}
