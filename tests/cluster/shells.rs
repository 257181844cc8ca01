//! Scheduler and workers as a person starts them, one command each: encrypted, without any configuration.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partita::Client;

use crate::start::{files, here, job, kill, until};

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn partita(state: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(arguments).env("XDG_STATE_HOME", state).env("XDG_CONFIG_HOME", state).current_dir(state);
    Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts"))
}

#[test]
fn a_scheduler_and_two_workers_by_hand() {
    let (_folder, pattern) = files(2, 20_000);
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("scheduler.json");
    let named = file.to_string_lossy().into_owned();
    let _scheduler = partita(state.path(), &["scheduler", "--port", "0", "--http-port", "0", "--scheduler-file", &named]);
    until("the scheduler wrote its file", || file.exists());
    let worker = |name: &str, more: &[&str]| {
        partita(state.path(), &[&["worker", "--scheduler-file", &named, "--nthreads", "1", "--name", name], more].concat())
    };
    let lonely = worker("lonely", &["--no-nanny"]);
    let _nursed = worker("nursed", &["--memory-limit", "1GiB", "--resources", "GPU=1"]);
    let client = Client::scheduler_file(&file).expect("the scheduler answers");
    client.wait_for_workers(2, Duration::from_secs(60)).unwrap();
    let frame = job(&pattern);
    let expected = here(&frame);
    assert!(client.compute(&frame).unwrap().equals_missing(&expected));
    // A worker without a nanny dies for good; the other one finishes the work.
    kill(lonely.0.id());
    assert!(client.compute(&frame).unwrap().equals_missing(&expected));
    until("the dead worker is forgotten", || client.scheduler_info().unwrap().workers.len() == 1);
    let clash = Command::new(env!("CARGO_BIN_EXE_partita"))
        .args(["worker", "--scheduler-file", &named, "--name", "nursed", "--no-nanny"])
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    assert!(!clash.status.success());
    assert!(String::from_utf8_lossy(&clash.stderr).contains("E0215"), "{}", String::from_utf8_lossy(&clash.stderr));
    client.shutdown().unwrap();
}

#[test]
fn nobody_there_is_said_at_once() {
    let failure =
        Client::connect_with("127.0.0.1:1", partita::ConnectOptions { timeout: Some(Duration::from_secs(1)), ..Default::default() });
    let failure = failure.map(|_| ()).expect_err("nothing listens there");
    assert_eq!(failure.code, partita::Code::Unreachable, "{failure}");
    assert!(failure.to_string().contains("partita scheduler"), "{failure}");
}
