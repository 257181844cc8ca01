//! What goes wrong in clusters, with real processes: results are right or the failure has a name, and the cluster goes on.

use std::sync::Arc;
use std::time::Duration;

use partita_deploy::{LocalCluster, LocalOptions, Rules};
use partita_graph::{Annotations, Code, Executor, Failure, Graph, Layer, Wiring};
use partita_net::client::Remote;

use crate::Test;
use crate::cluster::{Place, compute, connect};
use crate::operators::{Deed, keys, layer, runs};
use crate::watch::until;

pub const TESTS: &[Test] = &[
    ("a_fault_that_passes_is_tried_again", passing_fault),
    ("b_fault_that_stays_fails_and_the_cluster_works", lasting_fault),
    ("c_panic_fails_and_the_process_lives", panic_in_operator),
    ("d_kill_in_the_middle_is_recovered", killed_in_the_middle),
    ("e_kill_after_the_shuffle_write_redoes_the_lost_part_only", killed_after_split),
    ("f_killed_worker_rejoins_and_counts_are_exact", rejoins),
    ("g_all_workers_killed_recovers_when_they_return", all_killed),
    ("poison_is_blamed_and_given_up", poison),
    ("eater_of_memory_is_killed_and_named", eater),
    ("hung_process_is_killed_and_blamed", hung),
    ("deaf_operator_ends_by_its_time_limit_or_by_cancelling", deaf),
    ("what_can_never_fit_is_refused_and_others_go_on", never_fits),
];

/// A cluster of worker processes with a client, whose scheduler checks its books.
pub struct Scene {
    pub place: Place,
    pub cluster: LocalCluster,
    pub client: Arc<Remote>,
}

impl Scene {
    pub fn new(workers: usize, change: impl FnOnce(&mut LocalOptions)) -> Self {
        let place = Place::new();
        let mut options = place.options(workers);
        options.scheduler.check = true;
        change(&mut options);
        let cluster = LocalCluster::start(options).expect("it starts");
        let client = connect(&cluster);
        client.wait_for_workers(workers, Duration::from_secs(10)).expect("all are there");
        Self { place, cluster, client }
    }

    pub fn layer(&self, name: &str, len: u32, deed: Deed) -> Layer {
        layer(name, len, deed, &self.place.journal(), &[])
    }

    pub fn graph(&self, layers: impl IntoIterator<Item = Layer>) -> Graph {
        let mut graph = Graph::default();
        let last = layers.into_iter().map(|layer| graph.add(layer)).last();
        graph.want_all(last.expect("a layer"));
        graph
    }

    pub fn ran(&self, name: &str) -> Vec<(u32, u32)> {
        runs(&self.place.journal(), name)
    }

    fn compute(&self, layers: impl IntoIterator<Item = Layer>) -> Vec<i64> {
        compute(&self.client, self.graph(layers))
    }

    fn fail(&self, layer: Layer) -> Failure {
        let run = self.client.submit(self.graph([layer])).expect("it is accepted");
        run.wait().expect_err("it cannot be computed")
    }

    fn works(&self) {
        assert_eq!(self.compute([self.layer("afterwards", 6, Deed::Nothing)]), [0, 1, 2, 3, 4, 5]);
    }

    /// Kills a worker and waits until another process has taken its place.
    fn kill_and_wait(&self, worker: usize) {
        let before = self.cluster.workers()[worker].clone();
        assert!(self.cluster.kill(worker));
        let back = |all: &[partita_deploy::Status]| all[worker].joined && all[worker].starts > before.starts;
        assert!(self.cluster.wait(Duration::from_secs(15), back), "{:?}", self.cluster.workers());
    }
}

fn passing_fault() {
    let scene = Scene::new(2, |_| {});
    let mut flaky = scene.layer("flaky", 8, Deed::FailOnce);
    flaky.annotations = Some(Arc::new(Annotations { retries: 1, ..Annotations::default() }));
    assert_eq!(scene.compute([flaky]), (0..8).collect::<Vec<_>>());
    assert_eq!(scene.ran("flaky").len(), 16);
}

fn lasting_fault() {
    let scene = Scene::new(2, |_| {});
    let mut broken = scene.layer("broken", 4, Deed::Fail);
    broken.annotations = Some(Arc::new(Annotations { retries: 2, ..Annotations::default() }));
    let failure = scene.fail(broken);
    assert_eq!(failure.code, Code::Unreadable, "{failure}");
    assert!(failure.to_string().contains("the disk is gone"), "{failure}");
    scene.works();
}

fn panic_in_operator() {
    let scene = Scene::new(2, |_| {});
    let pids = scene.cluster.pids();
    let failure = scene.fail(scene.layer("panics", 2, Deed::Panic));
    assert_eq!(failure.code, Code::Panicked, "{failure}");
    assert!(failure.to_string().contains("this operator panics"), "{failure}");
    scene.works();
    assert_eq!(scene.cluster.pids(), pids);
}

fn killed_in_the_middle() {
    let scene = Scene::new(2, |_| {});
    let first = scene.layer("first", 40, Deed::Wait(30));
    let sum = layer("sum", 1, Deed::Nothing, &scene.place.journal(), &[(first.id, Wiring::Every)]);
    let run = scene.client.submit(scene.graph([first, sum])).expect("it is accepted");
    until("some have run", 10, || scene.ran("first").len() >= 10);
    let pid = scene.cluster.pids()[0];
    scene.kill_and_wait(0);
    let results = run.wait().expect("it is recovered");
    assert_eq!(results[0].get::<partita_graph::Plain<i64>>().map(|n| n.0), Some((0..40).sum()));
    assert_ne!(scene.cluster.pids()[0], pid);
    // Redone is at most what was lost and what was running.
    let (all, here) = (scene.ran("first"), scene.ran("first").iter().filter(|(_, on)| Some(*on) == pid).count());
    assert!(all.len() <= 40 + here, "{} runs, {here} on the worker that was killed", all.len());
}

fn killed_after_split() {
    let scene = Scene::new(2, |_| {});
    let journal = scene.place.journal();
    let split = scene.layer("split", 12, Deed::Split(4));
    let wanted = scene.client.submit(scene.graph([split.clone()])).expect("it is accepted");
    wanted.wait_stored().expect("it is stored");
    let held = scene.client.who_has(&keys(split.id, 12)).expect("the scheduler answers");
    let name = &scene.client.info().expect("the scheduler answers").workers[0].about.name;
    let worker = usize::from(name.ends_with('1'));
    let lost = held.iter().filter(|(_, holders)| holders == std::slice::from_ref(name)).count();
    assert!((1..12).contains(&lost), "both have some: {held:?}");
    scene.kill_and_wait(worker);
    let consume = layer("consume", 4, Deed::Nothing, &journal, &[(split.id, Wiring::Part)]);
    let each = (0..12).map(|index| index * 100).sum::<i64>();
    assert_eq!(scene.compute([split, consume]), (0..4).map(|part| each + 12 * part + part).collect::<Vec<_>>());
    assert_eq!(scene.ran("split").len(), 12 + lost);
    assert_eq!(scene.ran("consume").len(), 4);
}

fn rejoins() {
    let scene = Scene::new(2, |_| {});
    scene.kill_and_wait(0);
    scene.client.wait_for_workers(2, Duration::from_secs(10)).expect("it is back");
    let info = scene.client.info().expect("the scheduler answers");
    assert_eq!(info.workers.len(), 2, "{info:?}");
    scene.compute([scene.layer("counted", 30, Deed::Wait(10))]);
    let ran = scene.ran("counted");
    let mut on: Vec<_> = ran.iter().map(|(_, on)| *on).collect();
    on.sort_unstable();
    on.dedup();
    assert_eq!((ran.len(), on.len()), (30, 2), "each once, on both");
}

fn all_killed() {
    let scene = Scene::new(2, |_| {});
    let run = scene.client.submit(scene.graph([scene.layer("all", 30, Deed::Wait(30))])).expect("it is accepted");
    until("some have run", 10, || scene.ran("all").len() >= 6);
    assert!(scene.cluster.kill(0) && scene.cluster.kill(1));
    let results = run.wait().expect("it is recovered");
    assert_eq!(results.len(), 30);
    scene.works();
}

/// So many deaths under a task are forgiven, and a worker that died is started again at once.
pub fn patient(options: &mut LocalOptions, allowed_failures: u32) {
    options.scheduler.machine.allowed_failures = allowed_failures;
    options.rules = Rules { first_pause: Duration::from_millis(20), longest_pause: Duration::from_millis(20), ..options.rules.clone() };
}

fn poison() {
    let scene = Scene::new(2, |options| patient(options, 2));
    let failure = scene.fail(scene.layer("poison", 1, Deed::Crash));
    assert_eq!(failure.code, Code::KilledWorker, "{failure}");
    assert!(failure.to_string().contains("poison"), "{failure}");
    assert!((3..=4).contains(&scene.ran("poison").len()), "{:?}", scene.ran("poison"));
    scene.works();
}

fn eater() {
    let scene = Scene::new(1, |options| {
        patient(options, 0);
        options.memory_limit = Some(300 << 20);
    });
    let failure = scene.fail(scene.layer("eater", 1, Deed::Eat));
    assert_eq!(failure.code, Code::KilledWorker, "{failure}");
    let died = scene.cluster.workers()[0].died.clone().unwrap_or_default();
    // The limit, the peak, and the task.
    for piece in ["limit of 300.0 MiB", "MiB of memory at most", "it was executing eater "] {
        assert!(died.contains(piece), "{piece:?} is not in {died:?}");
        assert!(failure.to_string().contains(piece), "the user is told why: {piece:?} is not in {failure}");
    }
    assert!(failure.to_string().contains("for memory"), "{failure}");
    scene.works();
}

fn hung() {
    let scene = Scene::new(1, |options| {
        patient(options, 0);
        options.rules.hang = Some(Duration::from_secs(2));
    });
    let failure = scene.fail(scene.layer("hangs", 1, Deed::Hang));
    assert_eq!(failure.code, Code::KilledWorker, "{failure}");
    assert!(scene.cluster.workers()[0].died.clone().is_some_and(|why| why.contains("no sign of life")));
    scene.works();
}

fn deaf() {
    let scene = Scene::new(2, |_| {});
    let pids = scene.cluster.pids();
    let mut deaf = scene.layer("deaf", 1, Deed::Deaf);
    deaf.annotations = Some(Arc::new(Annotations { timeout: Some(300_000), ..Annotations::default() }));
    let failure = scene.fail(deaf);
    assert_eq!(failure.code, Code::TaskTimeout, "{failure}");
    assert!(failure.to_string().contains("deaf"), "{failure}");
    // Its thread stays taken, and the other worker serves.
    scene.works();
    let other = scene.client.submit(scene.graph([scene.layer("another", 1, Deed::Deaf)])).expect("it is accepted");
    until("it runs", 10, || scene.ran("another").len() == 1);
    let started = std::time::Instant::now();
    other.cancel();
    assert_eq!(other.wait().expect_err("it was cancelled").code, Code::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(5), "nobody waits for the operator: {:?}", started.elapsed());
    assert_eq!(scene.cluster.pids(), pids, "no process had to die for it");
    // All threads are taken now. A new process has new ones.
    scene.kill_and_wait(0);
    scene.works();
}

fn never_fits() {
    let scene = Scene::new(2, |options| options.memory_limit = Some(400 << 20));
    let parts = scene.layer("parts", 5, Deed::Large(90 << 20));
    let all = layer("all", 1, Deed::Nothing, &scene.place.journal(), &[(parts.id, Wiring::Every)]);
    let run = scene.client.submit(scene.graph([parts, all])).expect("it is accepted");
    let failure = run.wait().expect_err("450 MiB do not fit into 400");
    assert_eq!(failure.code, Code::MemoryTooSmall, "{failure}");
    assert!(failure.to_string().contains("all"), "{failure}");
    assert_eq!(scene.ran("all"), [], "nothing of it was sent");
    scene.works();
}
