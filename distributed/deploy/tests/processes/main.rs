//! Worker processes that really run, die, hang and eat memory.
//!
//! This program is its own worker: started with a worker's specification in its environment it serves, or plays one of the
//! bad workers of `pretend`; otherwise it runs the tests one after the other, each with a time limit. Arguments choose tests by a
//! part of their names.

mod between;
mod cluster;
mod nanny;
mod operators;
mod pretend;
mod scenarios;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partita_deploy::WorkerSpec;

type Test = (&'static str, fn());

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(40);

fn main() -> ExitCode {
    if let Some(spec) = WorkerSpec::from_environment() {
        return pretend::serve(&spec.expect("a specification by this release"));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--hire") {
        return cluster::hire();
    }
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let all = [nanny::TESTS, cluster::TESTS, scenarios::TESTS, between::TESTS].concat();
    let chosen: Vec<Test> =
        all.into_iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    static DEADLINE: AtomicU64 = AtomicU64::new(u64::MAX);
    std::thread::spawn(move || {
        while started.elapsed().as_millis() as u64 <= DEADLINE.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("a test took longer than {LIMIT:?}");
        std::process::exit(1);
    });
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let start = Instant::now();
        DEADLINE.store((started.elapsed() + LIMIT).as_millis() as u64, Ordering::SeqCst);
        println!("test {name} ...");
        let well = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {} ({:.1} s)", if well { "ok" } else { "FAILED" }, start.elapsed().as_secs_f64());
        if !well {
            failed.push(name);
        }
    }
    println!("{} passed, {} failed in {:.1} s: {failed:?}", chosen.len() - failed.len(), failed.len(), started.elapsed().as_secs_f64());
    ExitCode::from(u8::from(!failed.is_empty()))
}
