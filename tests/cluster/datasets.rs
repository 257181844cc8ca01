//! What may be asked of a cluster, and what several clients share.

use partita::Code;
use partita::graph::Annotations;
use partita::prelude::*;

use crate::start::{cluster, files, here, until};

#[test]
fn a_published_frame_is_found_by_another_client_and_outlives_the_first() {
    let (_folder, pattern) = files(2, 5_000);
    let (cluster, first) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("32KiB")).unwrap();
    first.publish_dataset("numbers", &frame).unwrap();
    assert_eq!(first.list_datasets().unwrap(), ["numbers"]);
    let taken = first.publish_dataset("numbers", &frame).expect_err("the name is taken");
    assert!(taken.to_string().contains("numbers"), "{taken}");
    drop(first);
    let second = cluster.connect().unwrap();
    let expected = here(&frame.group_by(["k"]).sum());
    let found = second.get_dataset("numbers").unwrap();
    // What was counted when the partitions were made goes with the name.
    assert!(found.explain().contains("(about 10000 rows,") && found.len().unwrap() == 10_000, "{}", found.explain());
    assert!(second.compute(&found.group_by(["k"]).sum()).unwrap().equals_missing(&expected));
    second.unpublish_dataset("numbers").unwrap();
    drop(found);
    until("nothing is kept", || second.nbytes().unwrap().is_empty());
    assert_eq!(second.get_dataset("numbers").map(|_| ()).expect_err("it is gone").code, Code::InvalidOption);
}

#[test]
fn who_has_what() {
    let (_folder, pattern) = files(2, 5_000);
    let (_cluster, client) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("32KiB")).unwrap();
    let kept = frame.persist_on(&client).unwrap();
    let keys = kept.keys().unwrap();
    assert_eq!(keys.len(), frame.npartitions().unwrap());
    let holders = client.who_has(&keys).unwrap();
    assert!(holders.iter().all(|(_, names)| !names.is_empty()), "{holders:?}");
    let held: usize = client.has_what(None).unwrap().iter().map(|(_, keys)| keys.len()).sum();
    assert!(held >= keys.len());
    assert!(client.nbytes().unwrap().iter().map(|(_, _, bytes)| bytes).sum::<u64>() > 10_000);
    assert!(!client.story(keys[0]).unwrap().is_empty());
    assert!(!client.explain_wait(keys[0]).unwrap().is_empty());
    client.replicate(&kept, 2).unwrap();
    until("every partition is on both workers", || client.who_has(&keys).unwrap().iter().all(|(_, names)| names.len() == 2));
    drop(kept);
    until("what nobody wants is dropped", || client.nbytes().unwrap().is_empty());
}

#[test]
fn a_worker_that_retires_takes_nothing_with_it() {
    let (_folder, pattern) = files(2, 5_000);
    let (_cluster, client) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("32KiB")).unwrap();
    let kept = frame.persist_on(&client).unwrap();
    let keys = kept.keys().unwrap();
    let made = |client: &Client| {
        keys.iter().map(|key| client.story(*key).unwrap().iter().filter(|line| line.contains("given to")).count()).sum::<usize>()
    };
    let before = made(&client);
    let victim = client.scheduler_info().unwrap().workers[0].about.name.clone();
    assert_eq!(client.retire_workers(&[victim.as_str()]).unwrap(), std::slice::from_ref(&victim));
    let holders = client.who_has(&keys).unwrap();
    assert!(holders.iter().all(|(_, names)| names.len() == 1 && names[0] != victim), "{holders:?}");
    assert_eq!(made(&client), before, "a partition was made again");
    let failure = client.retire_workers(&["nobody"]).expect_err("no worker is called so");
    assert!(failure.to_string().contains("nobody"), "{failure}");
}

#[test]
fn a_restart_ends_runs_and_the_cluster_works_on() {
    let (_folder, pattern) = files(2, 5_000);
    let (_cluster, client) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("32KiB")).unwrap();
    let kept = frame.persist_on(&client).unwrap();
    client.restart().unwrap();
    until("everything is forgotten", || client.nbytes().unwrap().is_empty());
    client.wait_for_workers(2, std::time::Duration::from_secs(60)).unwrap();
    let expected = here(&frame.group_by(["k"]).sum());
    assert!(client.compute(&frame.group_by(["k"]).sum()).unwrap().equals_missing(&expected));
    drop(kept);
}

#[test]
fn wishes_that_no_worker_meets_are_explained() {
    let (_cluster, client) = cluster(1);
    let frame = DFrame::from_polars(df!("x" => [1i64, 2]).unwrap(), 2).sum();
    let name = client.scheduler_info().unwrap().workers[0].about.name.clone();
    let here = client.annotated(Annotations { workers: vec![name], ..Annotations::default() });
    assert_eq!(here.compute(&frame).unwrap(), df!("x" => [3i64]).unwrap());
    let nowhere = client.annotated(Annotations { resources: [("GPU".to_string(), 1000)].into(), ..Annotations::default() });
    let other = DFrame::from_polars(df!("x" => [1i64, 2]).unwrap(), 2).sum();
    let asked = {
        let other = other.clone();
        std::thread::spawn(move || nowhere.run(&other))
    };
    let waiting =
        |client: &Client| client.has_what(None).is_ok() && client.scheduler_info().unwrap().clients.iter().any(|one| one.runs > 0);
    until("the run is there", || waiting(&client));
    std::thread::sleep(std::time::Duration::from_millis(200));
    client.cancel_all();
    let failure = asked.join().unwrap().map(|_| ()).expect_err("it was cancelled");
    assert_eq!(failure.code, Code::Cancelled, "{failure}");
}
