//! The clients' side: their runs, what they are told, and how they come and go.
//!
//! It refuses to know tasks. Invariants: a run is in the book exactly while its layers are counted and its operators are
//! needed; a client's mistake is answered to that client and changes nothing for the others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_core::protocol::{ClientId, Ending, RunId, SchedulerEvent};
use partita_graph::{Code, Failure, Graph, Key, Layer, LayerId, Progress};

use super::door::NewClient;
use super::inbox::{FromClient, LinkChange};
use super::outbox::Outbox;
use super::owner::Owner;
use super::pending::Pending;
use crate::link::Link;
use crate::message::{ClientToScheduler, KeyNews, SchedulerToClient};

/// Runs that one client may hold.
const MOST_RUNS: usize = 100_000;
/// Refused runs of one client that are remembered until it releases them.
const MOST_REFUSED: usize = 1_024;
/// Between two reports of progress to one client.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Runs of one client that are reported at a time.
const REPORTED_RUNS: usize = 16;
/// Progress may take one part in so many of the owner's time.
const PROGRESS_SHARE: u32 = 20;

/// One connected client.
pub(super) struct Client {
    pub name: String,
    pub link: Link,
    pub lost: bool,
    /// Its runs, by its own numbers.
    pub runs: BTreeMap<u64, RunId>,
    /// Runs of it that were refused and not released yet: calls that read what they were to make are refused for the same reason.
    refused: BTreeMap<u64, (Vec<LayerId>, Failure)>,
    next_progress: Instant,
    outbox: Outbox,
}

/// What is known of a run beside the machine.
pub(super) struct RunBook {
    pub client: ClientId,
    /// The client's own number.
    pub number: u64,
    pub layers: Box<[Arc<Layer>]>,
    /// The wanted keys in their order, neighbours together: a million of them are usually one entry.
    pub wanted: Box<[(LayerId, Range<u32>)]>,
    pub done: bool,
    pub failed: bool,
    reported: Option<Box<Progress>>,
}

/// A layer and how many runs contain it.
pub(super) struct Shared {
    pub layer: Arc<Layer>,
    runs: u32,
}

impl RunBook {
    fn new(client: ClientId, number: u64, graph: &Graph, layers: Vec<Arc<Layer>>) -> Self {
        let mut wanted: Vec<(LayerId, Range<u32>)> = Vec::new();
        for key in &graph.wanted {
            match wanted.last_mut() {
                Some((layer, range)) if *layer == key.layer && range.end == key.index => range.end += 1,
                _ => wanted.push((key.layer, key.index..key.index.saturating_add(1))),
            }
        }
        Self { client, number, layers: layers.into(), wanted: wanted.into(), done: false, failed: false, reported: None }
    }

    /// The wanted keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.wanted.iter().flat_map(|(layer, range)| range.clone().map(|index| Key::new(*layer, index)))
    }

    /// The graph as it was submitted; what it only named is in it without what that reads.
    pub fn graph(&self) -> Graph {
        Graph::new(self.layers.to_vec(), self.keys().collect())
    }
}

/// Whether two layers of one id can stand for each other: the machine counts on it, and a client may say anything.
fn alike(a: &Layer, b: &Layer) -> bool {
    let payloads = |layer: &Layer| layer.kernel.steps.iter().map(|step| step.op.payload.clone()).collect::<Vec<_>>();
    a.len == b.len && a.edges == b.edges && a.args.len() == b.args.len() && payloads(a) == payloads(b)
}

impl Owner {
    pub fn on_client(&mut self, id: ClientId, what: FromClient) {
        if let FromClient::Joined(new) = what {
            let NewClient { name, link } = *new;
            self.diary.write(format!("client {name} connected"));
            let next_progress = self.now() + PROGRESS_EVERY;
            let (runs, refused, outbox) = (BTreeMap::new(), BTreeMap::new(), Outbox::default());
            self.clients.insert(id, Client { name, link, lost: false, runs, refused, next_progress, outbox });
            return;
        }
        if !self.clients.contains_key(&id) {
            return;
        }
        match what {
            FromClient::Joined(_) => {}
            FromClient::Said(ClientToScheduler::Submit { run, graph, ending }) => self.submit(id, run, graph, ending),
            FromClient::Unsound { run, failure } => self.say(id, SchedulerToClient::Failed(run, failure)),
            FromClient::Said(ClientToScheduler::Forget { run, keys }) => self.forget(id, run, keys),
            FromClient::Said(ClientToScheduler::Cancel(number)) => self.let_go(id, number, SchedulerEvent::Cancel),
            FromClient::Said(ClientToScheduler::Release(number)) => self.let_go(id, number, SchedulerEvent::Release),
            FromClient::Said(ClientToScheduler::Ask { query, what }) => self.asked(id, query, what),
            FromClient::Said(ClientToScheduler::Goodbye) => self.client_gone(id, "it said goodbye"),
            FromClient::Garbage(failure) => self.client_gone(id, &format!("it sent garbage: {}", failure.what)),
            FromClient::Link(LinkChange::Lost { .. }) => self.set_client_lost(id, true, SchedulerEvent::ClientLost(id)),
            FromClient::Link(LinkChange::Back) => self.set_client_lost(id, false, SchedulerEvent::ClientBack(id)),
            FromClient::Link(LinkChange::Closed(failure)) => self.client_gone(id, &failure.what),
        }
    }

    /// Says something to a client, when this round is over.
    pub fn say(&mut self, id: ClientId, what: SchedulerToClient) {
        if let Some(outbox) = self.client_outbox(id) {
            outbox.say(what);
        }
    }

    /// Where what is to be said to a client waits for the end of the round.
    fn client_outbox(&mut self, id: ClientId) -> Option<&mut Outbox> {
        let client = self.clients.get_mut(&id)?;
        if client.outbox.is_empty() {
            self.unsaid.push(id);
        }
        Some(&mut client.outbox)
    }

    /// Says something about a run to whom it belongs. Runs that nobody waits for have no such client.
    pub fn tell(&mut self, run: RunId, what: impl FnOnce(u64) -> SchedulerToClient) {
        if let Some((client, number)) = self.runs.get(&run).map(|book| (book.client, book.number)) {
            self.say(client, what(number));
        }
    }

    /// Adds news of so many keys of a run, with values of so many bytes.
    pub fn tell_of_keys(&mut self, run: RunId, keys: usize, bytes: usize, add: impl FnOnce(&mut KeyNews)) {
        if let Some((client, number)) = self.runs.get(&run).map(|book| (book.client, book.number))
            && let Some(outbox) = self.client_outbox(client)
        {
            add(outbox.news(number, keys, bytes));
        }
    }

    /// Sends what this round has to say to clients.
    pub fn flush_clients(&mut self) {
        for id in std::mem::take(&mut self.unsaid) {
            if let Some(client) = self.clients.get_mut(&id) {
                client.outbox.take().into_iter().for_each(|message| client.link.send(message));
            }
        }
    }

    fn set_client_lost(&mut self, id: ClientId, lost: bool, event: SchedulerEvent) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.lost = lost;
            self.event(event);
        }
    }

    fn submit(&mut self, id: ClientId, number: u64, graph: Graph, ending: Ending) {
        let client = self.clients.get(&id).expect("looked up before");
        if client.runs.contains_key(&number) {
            self.client_gone(id, "it used the number of a run twice");
            return;
        }
        if client.runs.len() >= MOST_RUNS {
            let failure = Failure::new(Code::TooLarge, format!("this client holds {MOST_RUNS} runs already"))
                .help("drop results that are no longer needed, or submit several tasks as one graph");
            self.say(id, SchedulerToClient::Failed(number, failure));
            return;
        }
        let name = client.name.clone();
        let own: Vec<LayerId> = graph.layers.iter().filter(|layer| !layer.known).map(|layer| layer.id).collect();
        match self.open_run(id, number, &name, graph) {
            Ok((run, graph)) => {
                self.clients.get_mut(&id).expect("looked up before").runs.insert(number, run);
                self.event(SchedulerEvent::Submit { run, client: id, graph, ending });
            }
            Err(failure) => {
                let refused = &mut self.clients.get_mut(&id).expect("looked up before").refused;
                refused.insert(number, (own, failure.clone()));
                if refused.len() > MOST_REFUSED {
                    refused.pop_first();
                }
                self.say(id, SchedulerToClient::Failed(number, failure));
            }
        }
    }

    /// The layers of a graph, those included that it only names.
    fn whole_layers(&self, client: ClientId, graph: &Graph) -> Result<Vec<Arc<Layer>>, Failure> {
        let whole = |layer: &Arc<Layer>| match self.layers.get(&layer.id) {
            _ if !layer.known => Ok(layer.clone()),
            Some(shared) if shared.layer.len == layer.len => Ok(shared.layer.clone()),
            Some(_) | None => Err(self.not_kept(client, layer)),
        };
        graph.layers.iter().map(whole).collect()
    }

    /// Why what this layer made cannot be read.
    fn not_kept(&self, client: ClientId, layer: &Layer) -> Failure {
        let mut refused = self.clients.get(&client).into_iter().flat_map(|client| client.refused.values());
        match refused.find(|(layers, _)| layers.contains(&layer.id)) {
            Some((_, failure)) => failure.clone(),
            None => Failure::new(Code::Cancelled, format!("a call reads what `{}` made, and nothing keeps that any more", layer.name))
                .help("hold a future until the calls that read it are submitted"),
        }
    }

    /// Single keys of a run are not wanted any more. The run may be gone by now.
    fn forget(&mut self, id: ClientId, number: u64, keys: Vec<Key>) {
        if let Some(run) = self.clients.get(&id).and_then(|client| client.runs.get(&number)).copied() {
            self.event(SchedulerEvent::Forget { run, keys });
        }
    }

    /// Makes a run's book; the machine is to hear of it next.
    pub fn open_run(&mut self, client: ClientId, number: u64, whose: &str, graph: Graph) -> Result<(RunId, Arc<Graph>), Failure> {
        let layers = self.whole_layers(client, &graph)?;
        for layer in &layers {
            if self.layers.get(&layer.id).is_some_and(|known| !Arc::ptr_eq(&known.layer, layer) && !alike(&known.layer, layer)) {
                return Err(Failure::internal(format!("layer `{}` has the identity of another layer", layer.name)));
            }
        }
        let run = RunId(self.next_run);
        self.roster.need(client, whose, &layers)?;
        self.next_run += 1;
        for layer in &layers {
            self.layers.entry(layer.id).or_insert_with(|| Shared { layer: layer.clone(), runs: 0 }).runs += 1;
        }
        self.runs.insert(run, Box::new(RunBook::new(client, number, &graph, layers)));
        Ok((run, Arc::new(graph)))
    }

    /// The end of a run's book, after the machine has heard of it.
    pub fn close_run(&mut self, run: RunId) {
        let Some(book) = self.runs.remove(&run) else { return };
        self.roster.no_longer(book.client, &book.layers);
        for layer in &book.layers {
            if let Some(shared) = self.layers.get_mut(&layer.id) {
                shared.runs -= 1;
                if shared.runs == 0 {
                    self.layers.remove(&layer.id);
                    self.forget.push(layer.id);
                }
            }
        }
    }

    fn let_go(&mut self, id: ClientId, number: u64, event: fn(RunId) -> SchedulerEvent) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.refused.remove(&number);
        let run = client.runs.remove(&number);
        // A run that was cancelled is released once more when its handle is dropped.
        if let Some(run) = run {
            self.event(event(run));
            self.close_run(run);
        }
    }

    /// The run has its results, or will not get any.
    pub fn run_ended(&mut self, run: RunId, well: bool) {
        if let Some(book) = self.runs.get_mut(&run) {
            (book.done, book.failed) = (well, !well);
        }
    }

    fn client_gone(&mut self, id: ClientId, why: &str) {
        if self.remove_client(id, why) {
            self.event(SchedulerEvent::ClientGone(id));
            self.close_runs_of(id);
        }
    }

    /// Its grace period is over: the machine has released its runs already.
    pub fn client_forgotten(&mut self, id: ClientId) {
        if self.remove_client(id, "it was not heard of for too long") {
            self.close_runs_of(id);
        }
    }

    fn remove_client(&mut self, id: ClientId, why: &str) -> bool {
        let Some(client) = self.clients.remove(&id) else { return false };
        self.diary.write(format!("client {} is gone: {why}", client.name));
        client.link.close(why);
        // Workers that it wanted to go still have their time, after which they serve again.
        self.pending.retain(|pending| pending.client() != id || matches!(pending, Pending::Retire { .. }));
        self.release_agreed(id);
        true
    }

    fn close_runs_of(&mut self, id: ClientId) {
        let runs: Vec<RunId> = self.runs.iter().filter(|(_, book)| book.client == id).map(|(run, _)| *run).collect();
        for run in runs {
            self.close_run(run);
        }
    }

    /// Tells clients how far their runs are: now and then, and never at more than a small part of this thread's time.
    pub fn report_progress(&mut self) {
        let now = self.now();
        let due: Vec<ClientId> = self.clients.iter().filter(|(_, client)| client.next_progress <= now).map(|(id, _)| *id).collect();
        for id in due {
            let started = Instant::now();
            self.report_progress_to(id);
            let pause = PROGRESS_EVERY.max(started.elapsed() * PROGRESS_SHARE);
            if let Some(client) = self.clients.get_mut(&id) {
                client.next_progress = now + pause;
            }
        }
    }

    fn report_progress_to(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else { return };
        if client.lost {
            return;
        }
        let under_way = |run: &RunId| self.runs.get(run).is_some_and(|book| !book.done && !book.failed);
        let runs: Vec<RunId> = client.runs.values().copied().filter(under_way).take(REPORTED_RUNS).collect();
        for run in runs {
            let progress = self.progress(run);
            let book = self.runs.get_mut(&run).expect("looked up before");
            if book.reported.as_deref() != Some(&progress) {
                book.reported = Some(Box::new(progress.clone()));
                let number = book.number;
                self.say(id, SchedulerToClient::Progress(number, progress));
            }
        }
    }

    fn progress(&self, run: RunId) -> Progress {
        let known = self.machine.progress(run);
        let layers = known.layers.into_iter().map(|layer| (layer.name, layer.done, layer.total)).collect();
        let sum = |of: fn(&super::workers::Worker) -> u64| self.workers.values().map(of).sum();
        let (memory, spilled) = (sum(|worker| worker.stored.0), sum(|worker| worker.stored.1));
        Progress { layers, memory, spilled, running: known.running }
    }
}
