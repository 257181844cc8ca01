//! User functions as tasks: delayed calls, futures, coordination, actors. The program is its own worker, so its functions run in
//! process, in the simulator and in real worker processes; therefore it has a `main` of its own.

#[path = "tasks/arrays.rs"]
mod arrays;
#[path = "tasks/blocks.rs"]
mod blocks;
#[path = "tasks/coordination.rs"]
mod coordination;
#[path = "tasks/delayed.rs"]
mod delayed;
#[path = "tasks/errors.rs"]
mod errors;
#[path = "tasks/everywhere.rs"]
mod everywhere;
#[path = "tasks/frames.rs"]
mod frames;
#[path = "tasks/functions.rs"]
mod functions;
#[path = "tasks/futures.rs"]
mod futures;
#[path = "tasks/processes.rs"]
mod processes;
#[path = "tasks/progress.rs"]
mod progress;
#[path = "tasks/properties.rs"]
mod properties;
#[path = "tasks/workers.rs"]
mod workers;

use libtest_mimic::{Arguments, Trial};

/// A test: its name and what it does; a panic is a failure.
type Case = (&'static str, fn());

fn main() {
    // A process that was started as a worker serves from here and never returns.
    partita::run();
    // Nor does one that a test started to be killed.
    processes::play();
    let arguments = Arguments::from_args();
    let all = [
        ("delayed", delayed::CASES),
        ("frames", frames::CASES),
        ("arrays", arrays::CASES),
        ("blocks", blocks::CASES),
        ("futures", futures::CASES),
        ("errors", errors::CASES),
        ("progress", progress::CASES),
        ("workers", workers::CASES),
        ("coordination", coordination::CASES),
        ("processes", processes::CASES),
        ("properties", properties::CASES),
    ];
    let trials = all.iter().flat_map(|(group, cases)| {
        cases.iter().map(move |(name, run)| {
            let run = *run;
            Trial::test(format!("{group}::{name}"), move || {
                run();
                Ok(())
            })
        })
    });
    let outcome = libtest_mimic::run(&arguments, trials.collect());
    // Worker processes end with this one, but their folders are removed only when they are told to.
    everywhere::close();
    outcome.exit();
}
