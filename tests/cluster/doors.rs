//! What others see of a cluster: readers of Arrow Flight, files that are not everywhere, garbage on the ports.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use partita::prelude::*;
use partita::{Client, Code, LocalCluster};

use crate::start::{cluster, files, here};

/// Python with `pyarrow`, as `./test` provides it.
fn python() -> Option<String> {
    let program = std::env::var("PARTITA_PYTHON").unwrap_or_else(|_| "python3".into());
    let works = Command::new(&program).args(["-c", "import pyarrow.flight"]).output().is_ok_and(|output| output.status.success());
    works.then_some(program)
}

/// Reads a partition as a foreign program does: with this right, and then without.
fn is_read(python: &str, client: &Client, scheme: &str, right: &[&str]) {
    let long = "a text of more than twelve bytes";
    let table =
        df!("k" => [Some("a"), None, Some(long)], "x" => [1i64, 2, 3], "y" => [0.5, f64::NAN, -0.0], "b" => [true, false, true]).unwrap();
    let kept = DFrame::from_polars(table, 1).persist_on(client).unwrap();
    let key = kept.keys().unwrap()[0].to_string();
    let worker = client.scheduler_info().unwrap().workers[0].clone();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/flight.py");
    let location = format!("{scheme}://{}:{}", worker.data.host, worker.data.port);
    let output = Command::new(python).args([script, &location, &key]).args(right).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        text.trim(),
        format!(
            "[{{\"b\": true, \"k\": \"a\", \"x\": 1, \"y\": 0.5}}, {{\"b\": false, \"k\": null, \"x\": 2, \"y\": \"nan\"}}, {{\"b\": true, \"k\": \"{long}\", \"x\": 3, \"y\": -0.0}}] refused"
        )
    );
}

#[test]
fn pyarrow_reads_a_persisted_partition() {
    let Some(python) = python() else {
        eprintln!("left out: no Python with pyarrow (set PARTITA_PYTHON)");
        return;
    };
    let (cluster, client) = cluster(1);
    let address = cluster.address();
    let secret = address.split("secret=").nth(1).expect("a secret keeps others out");
    is_read(&python, &client, "grpc", &[secret]);
}

/// As clusters are by default off this host: both sides show certificates, and the foreign program gets one by a command.
#[test]
fn pyarrow_reads_a_partition_of_a_cluster_that_encrypts() {
    let program = env!("CARGO_BIN_EXE_partita");
    let cluster = LocalCluster::builder().workers(1).threads_per_worker(1).tls(true).program(program).memory_limit("1GiB").start().unwrap();
    let client = cluster.connect().unwrap();
    client.wait_for_workers(1, Duration::from_secs(60)).unwrap();
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("certificate").to_string_lossy().into_owned();
    let address = cluster.address();
    let place = address.split('?').next().expect("a place");
    let ask = |what: &[&str]| {
        let mut command = Command::new(program);
        command
            .arg("cluster")
            .args(what)
            .env("XDG_STATE_HOME", state.path())
            .env("XDG_CONFIG_HOME", state.path())
            .current_dir(state.path());
        let output = command.output().unwrap();
        (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (well, text) = ask(&["-s", &address, "certificate", "--out", &folder]);
    assert!(well, "{text}");
    let name = text.lines().find_map(|line| line.strip_prefix("data ports are called ")).expect("the name to look for");
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(PathBuf::from(&folder).join(file)).unwrap());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // Without the link nobody is let in; with these files whoever has them is a client.
    let (well, text) = ask(&["-s", place, "info"]);
    assert!(!well && text.contains("E0214"), "{text}");
    let files = ["ca", "cert", "key"].map(|file| format!("{folder}/{file}.pem"));
    let (well, text) = ask(&["-s", place, "--tls-ca-file", &files[0], "--tls-cert", &files[1], "--tls-key", &files[2], "info"]);
    assert!(well && text.contains("workers     1"), "{text}");
    match python() {
        Some(python) => is_read(&python, &client, "grpc+tls", &[&folder, name]),
        None => eprintln!("left out: no Python with pyarrow (set PARTITA_PYTHON)"),
    }
}

#[test]
fn a_file_that_workers_do_not_see_is_an_error_before_anything_runs() {
    let (_cluster, client) = cluster(2);
    client.set_as_current();
    let (folder, _) = files(1, 10);
    // A path that leads to the file in this process and nowhere in the others: an open file of a high number.
    let open: Vec<std::fs::File> = (0..300).map(|_| std::fs::File::open(folder.path().join("0.csv")).unwrap()).collect();
    let number = std::os::fd::AsRawFd::as_raw_fd(open.last().unwrap());
    let failure =
        DFrame::read_csv(PathBuf::from(format!("/proc/self/fd/{number}"))).map(|_| ()).expect_err("the workers have no such file");
    assert_eq!(failure.code, Code::MissingOnWorkers, "{failure}");
    assert!(failure.to_string().contains("missing on 2 of 2 workers"), "{failure}");
}

#[test]
fn closures_are_refused_with_the_fix() {
    let (_cluster, client) = cluster(1);
    let frame = DFrame::from_polars(df!("x" => [1i64]).unwrap(), 1).map_partitions(|frame| Ok(frame.clone()));
    let failure = client.compute(&frame).expect_err("a closure cannot leave its process");
    assert_eq!(failure.code, Code::ClosureOnCluster, "{failure}");
    assert!(failure.to_string().contains("map_partitions"), "{failure}");
}

#[test]
fn garbage_on_the_ports_disturbs_nobody() {
    let (_folder, pattern) = files(1, 5_000);
    let (cluster, client) = cluster(1);
    let info = client.scheduler_info().unwrap();
    let data = format!("{}:{}", info.workers[0].data.host, info.workers[0].data.port);
    let scheduler = info.address.clone();
    for port in [&scheduler, &data] {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            &[0xff; 4096],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0garbage",
            b"\x16\x03\x01\x02\0\x01",
        ] {
            let mut stream = TcpStream::connect(port.trim_start_matches("tcp://").split('?').next().unwrap()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    let frame = crate::start::job(&pattern);
    assert!(client.compute(&frame).unwrap().equals_missing(&here(&frame)));
    drop(cluster);
}
