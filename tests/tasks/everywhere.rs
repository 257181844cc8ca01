//! The one check that all cases go through: a delayed value on every executor.

use std::fmt::Debug;
use std::sync::{Mutex, OnceLock};

use partita::delayed::task_support::TaskValue;
use partita::graph::{Executor, Failure, Serial};
use partita::ndarray::{Array, Dimension};
use partita::{Client, Code, DArray, Delayed, Element, LocalCluster, operator_registry};
use partita_sim::SimExecutor;

/// Seeds of the simulator: each has its own workers, deaths, delays and doubled messages.
const SEEDS: [u64; 3] = [2, 40, 600];

static CLUSTER: Mutex<Option<LocalCluster>> = Mutex::new(None);

/// Two worker processes of this very program.
pub fn cluster() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let cluster = LocalCluster::builder().workers(2).threads_per_worker(1).start().expect("worker processes start");
        let client = cluster.connect().expect("their scheduler answers");
        client.wait_for_workers(2, std::time::Duration::from_secs(60)).expect("both come");
        *CLUSTER.lock().expect("not poisoned") = Some(cluster);
        client
    })
}

/// Ends the worker processes.
pub fn close() {
    drop(CLUSTER.lock().map(|mut cluster| cluster.take()));
}

fn locals() -> &'static [(&'static str, Client); 2] {
    static LOCALS: OnceLock<[(&str, Client); 2]> = OnceLock::new();
    LOCALS.get_or_init(|| {
        let local = |threads| {
            Client::builder().threads(threads).check_invariants(true).set_as_default(false).build().expect("a local engine starts")
        };
        [("Local(1)", local(1)), ("Local(4)", local(4))]
    })
}

/// The same on two threads, without looking at all facts after each event: for as many tasks as that would take too long for.
pub fn unchecked() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts"))
}

/// Clients that offer futures, by name.
pub fn clients() -> Vec<(&'static str, Client)> {
    let mut all: Vec<_> = locals().to_vec();
    all.push(("Cluster(2)", cluster().clone()));
    all
}

fn executors() -> Vec<(String, Box<dyn Executor>)> {
    let mut all: Vec<(String, Box<dyn Executor>)> = vec![("Serial".into(), Box::new(Serial::new(operator_registry())))];
    all.extend(clients().into_iter().map(|(name, client)| (name.into(), Box::new(client) as Box<dyn Executor>)));
    all.extend(SEEDS.map(|seed| (format!("Sim({seed})"), Box::new(SimExecutor::new(seed, operator_registry())) as Box<dyn Executor>)));
    all
}

/// Computes the value on every executor; all must give this.
pub fn check<T: TaskValue + Debug + PartialEq>(value: &Delayed<T>, expected: &T) {
    for (name, executor) in executors() {
        match value.compute_on(&*executor) {
            Ok(found) => assert_eq!(found, *expected, "{name}"),
            Err(failure) => panic!("{name}: {failure}"),
        }
    }
}

/// Computes the array on every executor; all must give these elements.
pub fn check_array<T: Element, D: Dimension>(array: &DArray<T>, expected: &Array<T, D>) {
    for (name, executor) in executors() {
        match array.compute_on(&*executor) {
            Ok(found) => assert_eq!(found, expected.clone().into_dyn(), "{name}\n{}", array.explain()),
            Err(failure) => panic!("{name}: {failure}\n{}", array.explain()),
        }
    }
}

/// Computes the value on every executor; all must fail with this code. The failures, by executor.
pub fn failures<T: TaskValue + Debug>(value: &Delayed<T>, code: Code) -> Vec<(String, Failure)> {
    fail(code, |executor| value.compute_on(executor))
}

/// The same of an array.
pub fn array_failures<T: Element>(array: &DArray<T>, code: Code) -> Vec<(String, Failure)> {
    fail(code, |executor| array.compute_on(executor))
}

fn fail<R: Debug>(code: Code, compute: impl Fn(&dyn Executor) -> Result<R, Failure>) -> Vec<(String, Failure)> {
    let fail = |(name, executor): (String, Box<dyn Executor>)| match compute(&*executor) {
        Ok(found) => panic!("{name}: expected {code}, got {found:?}"),
        Err(failure) => {
            assert_eq!(failure.code, code, "{name}: {failure}");
            (name, failure)
        }
    };
    executors().into_iter().map(fail).collect()
}
