//! Scheduler and workers as a person starts them, one command each: encrypted, without any configuration.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partita::Client;
use partita_net::security::{Role, Security, ServerSecurity};

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
    says(&["explain-wait", &kept.keys().unwrap()[0].to_string()], 0, "stored at worker ");
    says(&["explain-wait", "0000000000000abc#7"], 0, "0000000000000abc#7");
    says(&["retire", "nobody"], 2, "no worker is called `nobody`");
    says(&["retire", &names[0], "--timeout", "soon"], 2, "`client.retire-timeout`");
    // What the one had is with the other now.
    says(&["retire", &names[0], "--timeout", "60s"], 0, "has left");
    assert_eq!(client.scheduler_info().unwrap().workers.len(), 1);
    assert!(client.compute(&kept).unwrap().equals_missing(&expected));
    says(&["restart"], 0, "the cluster is empty");
    let after = client.scheduler_info().unwrap().workers;
    assert!(after.len() == 1 && after[0].about.name == names[1] && after[0].pid != info.workers[1].pid, "{after:?}");
    assert!(client.compute(&job(&pattern)).unwrap().equals_missing(&expected));
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

/// Flags for a certificate of this role, as an administrator hands them out.
fn certificate(authority: &ServerSecurity, role: Role, state: &Path) -> [String; 6] {
    let Security::Tls(credentials) = authority.issue(role).unwrap() else { panic!("it encrypts") };
    let files = credentials.write(&state.join(role.name())).unwrap().files;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    ["--tls-ca-file".into(), text(files.ca), "--tls-cert".into(), text(files.cert), "--tls-key".into(), text(files.key)]
}

fn joined<'a>(first: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    first.iter().copied().chain(more.iter().map(String::as_str)).collect()
}

#[test]
fn certificates_of_ones_own_and_pages_at_an_address() {
    let state = tempfile::tempdir().unwrap();
    let authority = ServerSecurity::new_cluster(None).unwrap();
    let [ours, workers, clients] = [Role::Scheduler, Role::Worker, Role::Client].map(|role| certificate(&authority, role, state.path()));
    let named = state.path().join("scheduler.json").to_string_lossy().into_owned();
    let flags = ["scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", &named];
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(joined(&flags, &ours)).env("XDG_STATE_HOME", state.path()).env("XDG_CONFIG_HOME", state.path()).current_dir(state.path());
    let mut scheduler = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(scheduler.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pages = lines.find_map(|line| Some(line.strip_prefix("dashboard   http://")?.trim_end_matches('/').to_owned())).unwrap();
    assert!(pages.starts_with("127.0.0.1:"), "{pages}");
    let mut stream = std::net::TcpStream::connect(&pages).unwrap();
    write!(stream, "GET /health HTTP/1.1\r\nHost: {pages}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    let address = partita_net::scheduler::read_file(named.as_ref()).unwrap();
    assert!(!address.contains("join="), "nobody joins by a token: {address}");
    let _worker = partita(state.path(), &joined(&["worker", &address, "--no-nanny", "--nthreads", "1", "--name", "certified"], &workers));
    let ask = joined(&["cluster", "-s", &address], &clients);
    until("the worker is let in", || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.args(&ask).arg("workers").env("XDG_STATE_HOME", state.path()).current_dir(state.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).contains("certified")
    });
    ends(state.path(), &["cluster", "-s", &address, "info"], false, &["E0214"]);
    ends(state.path(), &[&ask[..], &["certificate", "--out", "x"]].concat(), false, &["E0108", "certificates of your own"]);
    let wrong = joined(&["worker", &address, "--no-nanny", "--death-timeout", "1s"], &clients);
    ends(state.path(), &wrong, false, &["a certificate for a client was used to call as a worker"]);
    ends(state.path(), &[&ask[..], &["shutdown"]].concat(), true, &["the scheduler ends"]);
    until("it ends", || scheduler.0.try_wait().unwrap().is_some());
}

#[test]
fn an_authority_that_is_kept_outlives_its_scheduler() {
    let state = tempfile::tempdir().unwrap();
    let path = |name: &str| state.path().join(name).to_string_lossy().into_owned();
    let (file, kept, out) = (path("scheduler.json"), path("authority"), path("certificate"));
    let start = || {
        let scheduler =
            partita(state.path(), &["scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", &file, "--tls-dir", &kept]);
        until("the scheduler wrote its file", || Path::new(&file).exists());
        (scheduler, partita_net::scheduler::read_file(file.as_ref()).unwrap())
    };
    let (first, address) = start();
    ends(state.path(), &["cluster", "-s", &address, "certificate", "--out", &out], true, &["data ports are called worker."]);
    drop(first);
    std::fs::remove_file(&file).unwrap();
    let (_second, address) = start();
    let [ca, cert, key] = ["ca", "cert", "key"].map(|name| format!("{out}/{name}.pem"));
    let place = address.split('?').next().unwrap();
    let ask = ["cluster", "-s", place, "--tls-ca-file", &ca, "--tls-cert", &cert, "--tls-key", &key, "info"];
    ends(state.path(), &ask, true, &["workers     0 (0 threads"]);
    assert!(Path::new(&kept).join("ca.key").exists());
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
