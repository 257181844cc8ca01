//! Scheduler and workers as a person starts them, one command each: encrypted, without any configuration.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partita::Client;

use crate::start::{by_file, files, here, job, kill, until};

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
    let client = by_file(&file);
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
fn a_whole_cluster_by_one_command_and_what_may_be_asked_of_it() {
    let (_folder, pattern) = files(2, 20_000);
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("scheduler.json");
    let named = file.to_string_lossy().into_owned();
    let spilled = state.path().join("spilled");
    std::fs::create_dir(&spilled).unwrap();
    let spilled = spilled.to_string_lossy().into_owned();
    let flags = ["--port", "0", "--http-port", "0", "--nthreads", "1", "--memory-limit", "1GiB", "--resources", "GPU=1"];
    let more = ["--scheduler-file", &named, "--local-directory", &spilled, "--death-timeout", "20s"];
    let mut whole = partita(state.path(), &[&["local", "-n", "2"][..], &flags, &more].concat());
    until("the scheduler wrote its file", || file.exists());
    let client = by_file(&file);
    client.wait_for_workers(2, Duration::from_secs(60)).unwrap();
    let info = client.scheduler_info().unwrap();
    assert!(info.workers.iter().all(|worker| worker.nanny && worker.about.threads == 1 && worker.about.memory_limit == 1 << 30));
    assert!(info.workers.iter().all(|worker| worker.about.resources.get("GPU") == Some(&1000)), "{info:?}");
    let kept = job(&pattern).persist_on(&client).unwrap();
    let expected = here(&job(&pattern));
    let ask = |what: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.args(["cluster", "--scheduler-file", &named]).args(what).env("XDG_STATE_HOME", state.path()).current_dir(state.path());
        let output = command.output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let says = |what: &[&str], code: i32, piece: &str| {
        let (found, text) = ask(what);
        assert!(found == Some(code) && text.contains(piece), "{what:?}: {found:?}, {piece:?} is not in\n{text}");
    };
    let names: Vec<String> = info.workers.iter().map(|worker| worker.about.name.clone()).collect();
    says(&["info"], 0, "workers     2 (2 threads");
    says(&["info", "--json"], 0, "\"uptime_seconds\":");
    says(&["workers"], 0, &names[1]);
    says(&["workers", "--json"], 0, "\"resources\":{\"GPU\":1.0}");
    says(&["story", &kept.keys().unwrap()[0].to_string()], 0, "worker ");
    says(&["story", "no-key"], 2, "E0108");
    says(&["retire", "nobody"], 2, "no worker is called `nobody`");
    says(&["retire", &names[0], "--timeout", "soon"], 2, "`client.retire-timeout`");
    // What the one had is with the other now.
    says(&["retire", &names[0], "--timeout", "60s"], 0, "has left");
    assert_eq!(client.scheduler_info().unwrap().workers.len(), 1);
    assert!(client.compute(&kept).unwrap().equals_missing(&expected));
    says(&["shutdown"], 0, "the scheduler ends");
    until("the command ends with its scheduler", || whole.0.try_wait().unwrap().is_some());
    until("the scheduler's file is gone", || !file.exists());
    assert_eq!(std::fs::read_dir(&spilled).unwrap().count(), 0, "folders of workers are gone");
    says(&["info"], 1, "scheduler.json");
}

/// Runs to its end and expects this kind of end and these pieces of text.
#[track_caller]
fn ends(state: &Path, arguments: &[&str], well: bool, pieces: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(arguments).env("XDG_STATE_HOME", state).env("XDG_CONFIG_HOME", state).current_dir(state);
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.success(), well, "{arguments:?}\n{text}");
    for piece in pieces {
        assert!(text.contains(piece), "{arguments:?}: {piece:?} is not in\n{text}");
    }
    assert!(!text.contains("panicked at"), "{arguments:?}\n{text}");
}

#[test]
fn what_cannot_be_started_says_why() {
    let state = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], pieces: &[&str]| ends(state.path(), arguments, false, pieces);
    refused(&["scheduler", "--host", "0.0.0.0", "--port", "0", "--no-dashboard", "--insecure"], &["E0222", "--insecure-off-loopback"]);
    refused(&["scheduler", "--port", "0", "--tls-cert", "a.pem"], &["E0108", "--tls-ca-file"]);
    refused(&["scheduler", "--port", "0", "--idle-timeout", "soon"], &["`scheduler.idle-timeout`", "--idle-timeout", "30s"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&["scheduler", "--port", &port, "--no-dashboard"], &["E0216", &port]);
    refused(&["worker", "127.0.0.1:1", "--nthreads", "0"], &["`worker.nthreads`", "whole number from 1"]);
    refused(&["worker", "127.0.0.1:1", "--memory-limit", "lots"], &["`worker.memory-limit`", "4GiB"]);
    refused(&["worker", "127.0.0.1:1", "--nworkers", "2", "--no-nanny"], &["several workers need nannies"]);
    refused(&["worker", "127.0.0.1:1", "--no-nanny", "--death-timeout", "300ms"], &["E0211", "127.0.0.1:1"]);
    refused(&["worker", "--scheduler-file", "nowhere.json", "--no-nanny"], &["nowhere.json"]);
    std::fs::write(state.path().join("partita.toml"), "[worker]\nnthread = 1\n").unwrap();
    refused(&["worker", "127.0.0.1:1", "--no-nanny"], &["E0219", "`worker.nthreads`?", "partita.toml"]);
}

#[test]
fn a_scheduler_ends_when_nothing_happens_for_long() {
    let state = tempfile::tempdir().unwrap();
    let arguments = ["scheduler", "--port", "0", "--http-port", "0", "--insecure", "--idle-timeout", "300ms"];
    ends(state.path(), &arguments, true, &["idle timeout"]);
}

#[test]
fn nobody_there_is_said_at_once() {
    let failure =
        Client::connect_with("127.0.0.1:1", partita::ConnectOptions { timeout: Some(Duration::from_secs(1)), ..Default::default() });
    let failure = failure.map(|_| ()).expect_err("nothing listens there");
    assert_eq!(failure.code, partita::Code::Unreachable, "{failure}");
    assert!(failure.to_string().contains("partita scheduler"), "{failure}");
}
