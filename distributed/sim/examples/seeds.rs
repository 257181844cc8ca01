//! Runs many seeds, goes on after failures, and tells how fast it was and what failed, each kind once:
//! `cargo run --release -p partita-sim --example seeds -- 50000` (from another seed on: a second number).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use partita_sim::{Report, run_seed};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("a number of seeds, and where to begin"));
    let (count, from) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(0));
    // A panic of a machine is one kind of failure, and is told below.
    std::panic::set_hook(Box::new(|_| {}));
    let (next, began) = (AtomicU64::new(from), Instant::now());
    let (total, failed) = (Mutex::new(Report::default()), Mutex::new(BTreeMap::<String, Vec<u64>>::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    match run_seed(seed) {
                        Ok(report) => *total.lock().unwrap() += report,
                        Err(failure) => failed.lock().unwrap().entry(kind(&failure.what)).or_default().push(seed),
                    }
                }
            });
        }
    });
    let elapsed = began.elapsed().as_secs_f64();
    println!("{count} seeds in {elapsed:.1} s, {:.0} an hour: {:?}", count as f64 / elapsed * 3600.0, total.lock().unwrap());
    for (kind, seeds) in failed.lock().unwrap().iter() {
        println!("{} times, first seeds {:?}: {kind}", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    if !failed.lock().unwrap().is_empty() {
        std::process::exit(1);
    }
}

/// What went wrong without the numbers in it, so that seeds that fail alike are told together.
fn kind(what: &str) -> String {
    let text: String = what.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
    text.split_whitespace().filter(|word| !word.contains('#')).collect::<Vec<_>>().join(" ")
}
