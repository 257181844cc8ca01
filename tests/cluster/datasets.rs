//! What may be asked of a cluster, and what several clients share.

use partita::Code;
use partita::graph::Annotations;
use partita::prelude::*;

use crate::start::{cluster, files, here, tries, until};

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
    let found: DFrame = second.get_dataset("numbers").unwrap();
    assert!(second.compute(&found.group_by(["k"]).sum()).unwrap().equals_missing(&expected));
    second.unpublish_dataset("numbers").unwrap();
    drop(found);
    until("nothing is kept", || second.nbytes().unwrap().is_empty());
    assert_eq!(second.get_dataset::<DFrame>("numbers").map(|_| ()).expect_err("it is gone").code, Code::InvalidOption);
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
    let (holder, story) = (&holders[0].1[0], client.story(keys[0]).unwrap());
    for said in [format!("given to worker {holder} (try 1)"), format!("stored at worker {holder} (")] {
        assert!(story.iter().any(|line| line.contains(&said)), "{said:?} is not in {story:?}");
    }
    let explained = client.explain_wait(keys[0]).unwrap();
    assert!(explained.len() == 1 && explained[0].ends_with(&format!("{}: stored at worker {holder}", keys[0])), "{explained:?}");
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
    let before = tries(&client, &keys);
    let victim = client.scheduler_info().unwrap().workers[0].about.name.clone();
    assert_eq!(client.retire_workers(&[victim.as_str()]).unwrap(), std::slice::from_ref(&victim));
    let holders = client.who_has(&keys).unwrap();
    assert!(holders.iter().all(|(_, names)| names.len() == 1 && names[0] != victim), "{holders:?}");
    assert_eq!(tries(&client, &keys), before, "a partition was made again");
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
fn arrays_and_delayed_values_are_asked_about_as_frames_are() {
    let (_folder, pattern) = files(2, 5_000);
    let (_cluster, client) = cluster(2);
    let array = DArray::arange(0i64, 6_000, 1, 1_000) * 3;
    let kept = client.persist(&array).unwrap();
    let keys = kept.keys().unwrap();
    assert_eq!((keys.len(), &keys), (6, &array.keys().unwrap()));
    let holders = client.who_has(&kept).unwrap();
    assert!(holders.iter().map(|(key, _)| *key).eq(keys.iter().copied()));
    assert!(holders.iter().all(|(_, names)| names.len() == 1), "{holders:?}");
    let (story, explained) = (client.story(&kept).unwrap(), client.explain_wait(&kept).unwrap());
    assert_eq!(explained.len(), 6);
    for ((key, names), explained) in holders.iter().zip(&explained) {
        let said = |line: &&String| line.starts_with(&key.to_string()) && line.contains(&format!("stored at worker {}", names[0]));
        assert_eq!(story.iter().filter(said).count(), 1, "{key}: {story:?}");
        assert!(explained.ends_with(&format!("{key}: stored at worker {}", names[0])), "{explained}");
    }
    client.replicate(&kept, 2).unwrap();
    until("every block is on both workers", || client.who_has(&kept).unwrap().iter().all(|(_, names)| names.len() == 2));
    assert_eq!(client.compute(&(&kept + 1)).unwrap().sum(), 3 * 5_999 * 3_000 + 6_000);
    drop(kept);

    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("32KiB")).unwrap();
    let part = frame.to_delayed().unwrap().remove(1);
    let refused = client.replicate(&part, 2).expect_err("nobody keeps it");
    assert!(refused.to_string().contains("persist"), "{refused}");
    let kept = client.persist(&part).unwrap();
    assert_eq!(client.who_has(&kept).unwrap()[0].1.len(), 1);
    client.replicate(&kept, 2).unwrap();
    until("it is on both workers", || client.who_has(&kept).unwrap()[0].1.len() == 2);
    let local = Client::builder().threads(1).set_as_default(false).build().unwrap();
    let (rows, array) = client.compute(&(&kept, &array)).unwrap();
    assert_eq!((rows, array.len()), (local.compute(&part).unwrap(), 6_000));
    drop(kept);
    until("what nobody wants is dropped", || client.nbytes().unwrap().is_empty());
}

#[test]
fn arrays_and_values_are_published_and_found_as_what_they_are() {
    let (cluster, first) = cluster(2);
    let table = df!("x" => [1i64, 2, 3]).unwrap();
    first.publish_dataset("array", &(DArray::arange(0i64, 1_000, 1, 100) * 3)).unwrap();
    first.publish_dataset("value", &DFrame::from_polars(table, 3).to_delayed().unwrap()[2]).unwrap();
    drop(first);
    let second = cluster.connect().unwrap();
    let array: DArray<i64> = second.get_dataset("array").unwrap();
    assert_eq!((array.shape().unwrap(), array.chunksize().unwrap()), (vec![1_000], vec![100]));
    assert_eq!(second.compute(&(&array + 1)).unwrap().sum(), 3 * 999 * 500 + 1_000);
    let value: Delayed<DataFrame> = second.get_dataset("value").unwrap();
    assert_eq!(second.compute(&value).unwrap(), df!("x" => [3i64]).unwrap());
    let mistaken = [
        second.get_dataset::<DFrame>("array").map(|_| ()).expect_err("it is an array"),
        second.get_dataset::<DArray<f64>>("array").map(|_| ()).expect_err("of other elements"),
        second.get_dataset::<DArray<i64>>("value").map(|_| ()).expect_err("it is a value"),
    ];
    let said = [("an array of i64", "a frame"), ("an array of i64", "an array of f64"), ("a delayed value", "an array of i64")];
    for (failure, (is, asked)) in mistaken.iter().zip(said) {
        assert_eq!(failure.code, Code::TypeMismatch, "{failure}");
        assert!(failure.what.contains(&format!("is {is}, and {asked} was asked for")), "{failure}");
    }
    drop((array, value));
    assert_eq!(second.list_datasets().unwrap(), ["array", "value"]);
    ["array", "value"].iter().for_each(|name| second.unpublish_dataset(name).unwrap());
    until("nothing is kept", || second.nbytes().unwrap().is_empty());
}

#[test]
fn wishes_that_no_worker_meets_are_explained() {
    let (_cluster, client) = cluster(2);
    let frame = DFrame::from_polars(df!("x" => [1i64, 2]).unwrap(), 2).sum();
    let names: Vec<String> = client.scheduler_info().unwrap().workers.into_iter().map(|worker| worker.about.name).collect();
    let here = client.annotated(Annotations { workers: vec![names[0].clone()], ..Annotations::default() });
    assert_eq!(here.compute(&frame).unwrap(), df!("x" => [3i64]).unwrap());
    let nowhere = client.annotated(Annotations { resources: [("GPU".to_string(), 1000)].into(), ..Annotations::default() });
    let other = DFrame::from_polars(df!("x" => [4i64, 5]).unwrap(), 2);
    let sums = other.sum();
    let asked = [other.clone(), sums.clone()].map(|frame| {
        let nowhere = nowhere.clone();
        std::thread::spawn(move || nowhere.compute(&frame))
    });
    // Each worker's own reason for each task that could run.
    let lacks = format!(": could run, but not now: {} lacks GPU 1 (has 0); {} lacks GPU 1 (has 0)", names[0], names[1]);
    until("both partitions could run", || {
        let lines = client.explain_wait(&other).unwrap();
        lines.len() == 2 && lines.iter().all(|line| line.ends_with(&lacks))
    });
    until("their sum waits for something", || {
        let lines = client.explain_wait(&sums).unwrap();
        lines.len() == 1 && lines[0].contains(": waits for ")
    });
    client.cancel(&other).unwrap();
    client.cancel_all();
    for asked in asked {
        let failure = asked.join().unwrap().map(|_| ()).expect_err("it was cancelled");
        assert_eq!(failure.code, Code::Cancelled, "{failure}");
    }
}
