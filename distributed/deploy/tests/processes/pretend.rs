//! This program as a worker: a real one, or one of those that nannies exist for.

use std::process::ExitCode;
use std::time::Duration;

use partita_deploy::{WorkerSpec, worker_main};
use partita_graph::{Code, Failure};
use partita_local::ThreadPool;
use partita_net::worker::Worker;
use partita_net::worker::recorder::Recorder;

use crate::operators;

/// The variable that says which worker to play.
pub const ROLE: &str = "PRETEND";

pub fn serve(spec: &WorkerSpec) -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Err(_) => worker_main(spec, real),
        Ok("refused") => worker_main(spec, |_| Err(Failure::new(Code::NotTrusted, "the token is of another cluster"))),
        Ok("broken") => {
            eprintln!("the library libmagic.so is missing");
            ExitCode::from(3)
        }
        Ok(role) => {
            let folder = spec.folder.clone().expect("a folder of its own");
            std::fs::write(folder.join("spilled"), "something large").expect("the folder can be written");
            std::fs::write(spec.joined.as_ref().expect("a file to make"), "").expect("the folder can be written");
            play(role, spec)
        }
    }
}

fn play(role: &str, spec: &WorkerSpec) -> ExitCode {
    let recorder = Recorder::create(spec.recorder.as_ref().expect("a recorder"), 1).expect("the folder can be written");
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    for beat in 0u64.. {
        if role != "silent" {
            recorder.beat(0);
        }
        if role == "hungry" {
            eaten.push(std::hint::black_box(vec![1; 8 << 20]));
        }
        if role == "short-lived" && beat == 20 {
            return ExitCode::from(7);
        }
        // Whoever plays these roles does not listen to its nanny, so it ends by itself if the test goes wrong.
        if beat == 4000 {
            return ExitCode::from(9);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    ExitCode::SUCCESS
}

fn real(spec: &WorkerSpec) -> Result<Worker, Failure> {
    let pool = std::sync::Arc::new(ThreadPool::new(spec.threads));
    Worker::start(&spec.address.parse()?, spec.worker_options(), pool, operators::registry(), None)
}
