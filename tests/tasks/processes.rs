//! Real processes that are killed with `kill -9` while their tasks run, wait, or hold something.
//!
//! Each case has a cluster of its own, so that no other one suffers.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_core::Stream;
use partita::graph::Annotations;
use partita::{Client, Code, ConnectOptions, Event, LocalCluster, Lock, Queue, Semaphore, Until, Variable, as_completed, gather, wait};

use crate::Case;
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("a_worker_killed_in_a_map_changes_no_result", a_worker_killed_in_a_map_changes_no_result),
    ("an_actor_dies_with_its_worker", an_actor_dies_with_its_worker),
    ("what_a_killed_worker_held_is_free_again", what_a_killed_worker_held_is_free_again),
    ("what_a_killed_client_held_is_free_again", what_a_killed_client_held_is_free_again),
    ("a_task_that_waits_survives_the_death_of_another_worker", a_task_that_waits_survives_the_death_of_another_worker),
    ("a_worker_without_the_function_is_named", a_worker_without_the_function_is_named),
    ("a_program_of_ones_own_is_started_by_hand", a_program_of_ones_own_is_started_by_hand),
    ("a_scattered_value_survives_its_worker", a_scattered_value_survives_its_worker),
    ("states_are_taken_down_with_their_worker", states_are_taken_down_with_their_worker),
    ("states_are_taken_down_with_the_last_client", states_are_taken_down_with_the_last_client),
    ("a_call_on_every_worker_ends_when_one_is_killed", a_call_on_every_worker_ends_when_one_is_killed),
    ("an_uploaded_file_comes_to_workers_that_come_later", an_uploaded_file_comes_to_workers_that_come_later),
    ("a_worker_with_an_actor_is_not_retired", a_worker_with_an_actor_is_not_retired),
    ("a_large_result_is_awaited_while_others_go_on", a_large_result_is_awaited_while_others_go_on),
];

/// Set in a process that is to be a client which a test kills: where its scheduler is.
const CLIENT: &str = "PARTITA_TEST_CLIENT";

/// Longer than anything here takes, shorter than a lease.
const BOUNDED: Duration = Duration::from_secs(25);

fn cluster() -> (LocalCluster, Client) {
    let builder = LocalCluster::builder().workers(2).threads_per_worker(1).client_grace(Duration::from_millis(500));
    let cluster = builder.start().expect("worker processes start");
    let client = cluster.connect().expect("their scheduler answers");
    (cluster, client)
}

fn kill(pid: u32) {
    signal("-9", pid);
}

fn signal(which: &str, pid: u32) {
    let sent = Command::new("kill").args([which, &pid.to_string()]).status().expect("there is such a program");
    assert!(sent.success(), "process {pid} is there to be sent {which}");
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + BOUNDED;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_worker_killed_in_a_map_changes_no_result() {
    let (cluster, client) = cluster();
    let futures = client.map(double_slowly, 0..2_000i64).expect("sound");
    let ends: Arc<Vec<AtomicU32>> = Arc::new((0..2_000).map(|_| AtomicU32::new(0)).collect());
    for (place, future) in futures.iter().enumerate() {
        let ends = ends.clone();
        future.add_done_callback(move |_| {
            ends[place].fetch_add(1, Ordering::Relaxed);
        });
    }
    assert_eq!(as_completed(&futures).take(200).count(), 200);
    kill(cluster.worker_pids()[0]);
    let results = gather(&futures).expect("all are made");
    assert!(results.into_iter().eq((0..2_000).map(|x| 2 * x)));
    eventually("each future says that it has ended", || ends.iter().all(|ends| ends.load(Ordering::Relaxed) > 0));
    assert!(ends.iter().all(|ends| ends.load(Ordering::Relaxed) == 1), "each future ends once");
}

fn an_actor_dies_with_its_worker() {
    let (_cluster, client) = cluster();
    let counter = client.actor(open_counter, (0,)).expect("sound");
    assert_eq!(counter.call(count_by, (1,)).expect("sound").result().expect("sound"), 1);
    let pid = counter.call(where_it_is, ()).expect("sound").result().expect("sound");
    let under_way = counter.call(count_slowly, (60_000,)).expect("sound");
    let behind = counter.call(count_by, (1,)).expect("sound");
    kill(pid);
    let killed = Instant::now();
    for call in [under_way, behind] {
        assert_eq!(call.result().expect_err("the state is gone").code, Code::ActorLost);
    }
    for _ in 0..5 {
        let failure = counter.call(count_by, (1,)).and_then(|call| call.result()).expect_err("the state is gone for good");
        assert_eq!(failure.code, Code::ActorLost, "{failure}");
    }
    assert!(killed.elapsed() < BOUNDED, "it takes {:?} to say so", killed.elapsed());
    let again = client.actor(open_counter, (40,)).expect("another worker has room");
    assert_eq!(again.call(count_by, (2,)).expect("sound").result().expect("sound"), 42);
}

/// Whoever wants its worker to go is refused with the reason, and calls go on.
fn a_worker_with_an_actor_is_not_retired() {
    let (cluster, client) = cluster();
    let workers = client.scheduler_info().expect("answered").workers;
    let last = cluster.worker_pids()[1];
    let name_of = |is_last| workers.iter().find(|worker| (worker.pid == last) == is_last).expect("there are two").about.name.clone();
    let (home, other) = (name_of(true), name_of(false));
    let there = client.annotated(Annotations { workers: vec![home.clone()], ..Annotations::default() });
    let counter = there.actor(open_counter, (0,)).expect("sound");
    let count = || counter.call(count_by, (1,)).expect("sound").result().expect("the state is where it was");
    assert_eq!(counter.call(where_it_is, ()).expect("sound").result().expect("sound"), last);
    for round in 1..=2 {
        let refused = client.retire_workers(&[&home]).expect_err("the state cannot be moved");
        assert_eq!(refused.code, Code::NoWorkers, "{refused}");
        assert!([home.as_str(), "open_counter", "the state of an actor"].iter().all(|word| refused.what.contains(word)), "{refused}");
        assert_eq!(count(), round);
    }
    cluster.scale(1);
    eventually("it is not let go", || cluster.worker_pids().len() == 2);
    assert_eq!((count(), cluster.worker_pids()[1]), (3, last));
    // Another one goes, also when a call is under way, and the actor's goes when nobody has the actor any more.
    let under_way = counter.call(count_slowly, (50,)).expect("sound");
    assert_eq!(client.retire_workers(&[&other]).expect("it has nothing"), [other]);
    assert!(client.retire_workers(&[&home]).is_err() && under_way.result().is_ok());
    count();
    drop((counter, under_way));
    eventually("it may go", || client.retire_workers(&[&home]).is_ok());
}

fn what_a_killed_worker_held_is_free_again() {
    let (_cluster, client) = cluster();
    let name = "held-by-a-task";
    let holding = client.submit(hold_for_ever, (name,)).expect("sound");
    let pid = Variable::<u32>::of(&client, name).get().expect("it says who it is once it has all");
    let (lock, semaphore) = (Lock::of(&client, name), Semaphore::of(&client, name, 1));
    assert!(lock.is_held().expect("answered") && semaphore.leases().expect("answered") == 1);
    kill(pid);
    let killed = Instant::now();
    assert!(lock.acquire_timeout(BOUNDED).expect("answered").is_some(), "the lock is free again");
    assert!(semaphore.acquire_timeout(BOUNDED).expect("answered").is_some(), "the lease has ended");
    assert!(killed.elapsed() < BOUNDED, "it takes {:?}: the lease ended with its holder, not with its time", killed.elapsed());
    assert!(holding.result().expect("its next try holds nothing") > 1);
}

/// The stock program as a worker contains what is built in, and none of these functions.
fn a_worker_without_the_function_is_named() {
    let builder = LocalCluster::builder().workers(1).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita"));
    let cluster = builder.start().expect("a worker process starts");
    let client = cluster.connect().expect("its scheduler answers");
    let refused = client.submit(add, (1, 2)).and_then(|sum| sum.result()).expect_err("it does not know how to add");
    assert_eq!(refused.code, Code::UnknownOperator, "{refused}");
    assert!(refused.what.contains("functions::add"), "{refused}");
    assert!(refused.help.as_ref().is_some_and(|help| help.contains("--program")), "{refused}");
    // What is built in runs there.
    let array = partita::DArray::arange(0.0, 4.0, 1.0, 2);
    assert_eq!(array.compute_on(&client).expect("sound").sum(), 6.0);
}

/// Ends with its test. Its workers end with it.
struct Nannies(Child);

impl Drop for Nannies {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `partita worker ADDRESS --program FILE` with this program, which has functions of its own, beside the cluster's two workers.
fn a_program_of_ones_own_is_started_by_hand() {
    let (cluster, client) = cluster();
    let start = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.args(["worker", &cluster.address(), "--nthreads", "1", "--memory-limit", "1GiB"]).args(more);
        command.arg("--program").arg(std::env::current_exe().expect("this program is a file"));
        Nannies(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the stock program starts"))
    };
    let _two = start(&["--nworkers", "2", "--name", "own"]);
    let _fleeting = start(&["--lifetime", "1s", "--name", "fleeting"]);
    let pid = |name: &str| {
        let info = client.scheduler_info().expect("answered");
        info.workers.iter().find(|worker| worker.about.name == name).map(|worker| worker.pid)
    };
    eventually("all of them join", || ["own-0", "own-1", "fleeting"].iter().all(|name| pid(name).is_some()));
    let first = pid("fleeting");
    let places = client.run_on_workers(where_i_am, ()).expect("answered");
    for name in ["own-0", "own-1"] {
        assert_eq!(places[name].as_ref().ok().copied(), pid(name), "{name} knows this program's functions");
    }
    let joined_again = || pid("fleeting").is_some_and(|now| Some(now) != first);
    eventually("its lifetime is over, and there is another", joined_again);
}

fn a_scattered_value_survives_its_worker() {
    let (_cluster, client) = cluster();
    let values = client.scatter(vec![1.0; 100_000]).expect("sound");
    wait(std::slice::from_ref(&values), Until::All);
    let holder = client.who_has(&[values.key()]).expect("answered")[0].1[0].clone();
    let pids = client.run_on_workers(where_i_am, ()).expect("answered");
    kill(*pids[&holder].as_ref().expect("it answers"));
    assert_eq!(client.submit(mean_of, (&values,)).expect("sound").result().expect("it is brought again"), 1.0);
    assert_eq!(values.result().expect("it is there again").len(), 100_000);
}

/// Set in a process that is to use a state in process and end: where the state notes its own end.
const KEEPER: &str = "PARTITA_TEST_KEEPER";

/// What is in a folder, in order.
fn notes(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("it is there").map(|file| file.expect("it is there").file_name());
    let mut names: Vec<String> = files.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

fn states_are_taken_down_with_their_worker() {
    let (cluster, client) = cluster();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("text");
    let pids = client.run_on_workers(keep_in, (path,)).expect("both answer");
    let pids: BTreeSet<u32> = pids.into_values().map(|pid| pid.expect("it ran")).collect();
    let leaving = cluster.worker_pids()[1];
    assert!(pids.len() == 2 && pids.contains(&leaving));
    assert!(notes(folder.path()).is_empty(), "they serve");
    cluster.scale(1);
    let expected = [format!("closed-{leaving}"), format!("dropped-{leaving}")];
    eventually("the one that left in peace has taken its state down", || notes(folder.path()) == expected);
    // Nothing is asked of one that is killed.
    kill(cluster.worker_pids()[0]);
    assert_eq!(client.submit(add, (1, 1)).expect("sound").result().expect("another process makes it"), 2);
    assert_eq!(notes(folder.path()), expected);
}

fn states_are_taken_down_with_the_last_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program is a file");
    let mut other = Command::new(program).env(KEEPER, folder.path()).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = other.id();
    assert!(other.wait().expect("it is ours").success());
    assert_eq!(notes(folder.path()), [format!("closed-{pid}"), format!("dropped-{pid}")]);
}

/// Two clients in one process, one after the other and both at a time: what tasks keep lives as long as one of them.
fn keep(folder: &str) {
    let client = || Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
    let (first, second) = (client(), client());
    first.submit(keep_in, (folder,)).expect("sound").result().expect("sound");
    drop(first);
    assert!(notes(Path::new(folder)).is_empty(), "there is another client");
    drop(second);
    // A thread of the engine may have been the last to have the first client.
    eventually("there is none", || notes(Path::new(folder)).len() == 2);
    let third = client();
    third.submit(keep_in, (folder,)).expect("sound").result().expect("it is built once more");
    std::process::exit(0);
}

/// What a client does that is to be killed: it holds a lock, keeps both workers busy, and says so; what one does that uses a state and ends.
/// Returns at once in other processes.
pub fn play() {
    if let Ok(folder) = std::env::var(KEEPER) {
        keep(&folder);
    }
    let Ok(address) = std::env::var(CLIENT) else { return };
    let options = ConnectOptions { name: Some(CLIENT.into()), ..ConnectOptions::default() };
    let client = Client::connect_with(&address, options).expect("the test's scheduler answers");
    let _guard = Lock::of(&client, CLIENT).acquire().expect("free");
    let _busy = client.map(endless, 0..2u64).expect("sound");
    Event::of(&client, CLIENT).set().expect("answered");
    std::thread::sleep(Duration::from_secs(600));
    std::process::exit(1);
}

fn what_a_killed_client_held_is_free_again() {
    let (cluster, client) = cluster();
    let program = std::env::current_exe().expect("this program is a file");
    let mut other = Command::new(program).env(CLIENT, cluster.address()).stdin(Stdio::null()).spawn().expect("it starts");
    let is_there = || client.scheduler_info().expect("answered").clients.iter().any(|one| one.name == CLIENT);
    let ready = Event::of(&client, CLIENT).wait_timeout(BOUNDED).expect("answered");
    let before = (is_there(), Lock::of(&client, CLIENT).is_held().expect("answered"));
    let busy = client.submit(add, (1, 2)).expect("sound");
    other.kill().expect("it is there to be killed");
    other.wait().expect("it is ours");
    assert!(ready && before == (true, true), "it held what it should");
    assert!(Lock::of(&client, CLIENT).acquire_timeout(BOUNDED).expect("answered").is_some(), "its lock is free again");
    eventually("its runs are released, and the workers are free", || busy.done());
    assert_eq!(busy.result().expect("sound"), 3);
    eventually("it is forgotten", || !is_there());
}

fn a_task_that_waits_survives_the_death_of_another_worker() {
    let (cluster, client) = cluster();
    let name = "waits-for-many";
    let parent = client.submit(sum_of_doubles, (name, 600)).expect("sound");
    let pid = Variable::<u32>::of(&client, name).get().expect("it says who it is");
    // Some of what it waits for has been done by then.
    let children = Variable::<i64>::of(&client, &format!("{name}-begun")).get().expect("it says how many it has submitted");
    assert_eq!(children, 600);
    let other = cluster.worker_pids().into_iter().find(|other| *other != pid && *other != 0).expect("there are two");
    kill(other);
    assert_eq!(parent.result().expect("its calls are made elsewhere"), (2 * 600 * 599 / 2, 1), "the sum, and the first try");
}

fn a_call_on_every_worker_ends_when_one_is_killed() {
    let (_cluster, client) = cluster();
    let name = "on-every-worker";
    let asking = {
        let client = client.clone();
        std::thread::spawn(move || client.run_on_workers(meet, (name,)))
    };
    let queue = Queue::<u32>::of(&client, name);
    let pids = BTreeSet::from([queue.get().expect("the one"), queue.get().expect("the other")]);
    let (first, last) = (*pids.first().expect("one"), *pids.last().expect("another"));
    assert!(first != last, "two workers are two processes");
    kill(first);
    // The one that takes its name comes to the same place, and its answer is not the other's.
    Event::of(&client, name).set().expect("answered");
    let results = asking.join().expect("no panic").expect("the scheduler answers");
    let (well, badly): (Vec<_>, Vec<_>) = results.into_values().partition(Result::is_ok);
    assert_eq!(well.into_iter().flatten().collect::<Vec<_>>(), [last]);
    assert_eq!(badly.into_iter().filter_map(Result::err).map(|failure| failure.code).collect::<Vec<_>>(), [Code::NoWorkers]);
}

fn an_uploaded_file_comes_to_workers_that_come_later() {
    let (cluster, client) = cluster();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept.txt");
    for text in ["first words", "other words"] {
        std::fs::write(&path, text).expect("it can be written");
        client.upload_file(&path).expect("both keep it");
    }
    let victim = cluster.worker_pids()[0];
    kill(victim);
    cluster.scale(3);
    eventually("its nanny has started another, and there is a third", || {
        let workers = client.scheduler_info().expect("answered").workers;
        workers.len() == 3 && workers.iter().all(|worker| worker.connected && worker.pid != victim)
    });
    let read = client.run_on_workers(read_upload, ("kept.txt",)).expect("answered");
    assert!(read.len() == 3 && read.values().all(|read| read.as_deref() == Ok("other words")), "{read:?}");
}

/// While its worker stands still, so that the result cannot come.
fn a_large_result_is_awaited_while_others_go_on() {
    let (_cluster, client) = cluster();
    let future = client.submit(numbers_below, (200_000,)).expect("sound");
    assert!(future.exception().is_none(), "it is there, and not brought");
    let holder = client.who_has(&future).expect("answered")[0].1[0].clone();
    let workers = client.scheduler_info().expect("answered").workers;
    let pid = workers.iter().find(|worker| worker.about.name == holder).expect("it is there").pid;
    signal("-STOP", pid);
    let others = Arc::new(AtomicU32::new(0));
    let goes_on = {
        let others = others.clone();
        std::thread::spawn(move || {
            // Whatever happens: a test that fails is to end.
            let until = Instant::now() + Duration::from_secs(8);
            while others.load(Ordering::Relaxed) < 3 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            signal("-CONT", pid);
            others.load(Ordering::Relaxed)
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let ticking = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            others.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut ended = as_completed(&[future]).stream();
    let awaited = async {
        let next = std::future::poll_fn(|context| Pin::new(&mut ended).poll_next(context)).await;
        next.expect("there is one").1.await
    };
    let (brought, ()) = runtime.block_on(async { tokio::join!(awaited, ticking) });
    assert_eq!(goes_on.join().expect("no panic"), 3, "the runtime's only thread was free");
    assert_eq!(brought.expect("it comes once its worker goes on").len(), 200_000);
}
