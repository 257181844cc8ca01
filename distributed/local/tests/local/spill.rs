//! Chunks on disk: under a small limit, with a folder that cannot be written, with files that disappear.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use partita_graph::{Chunk, Edge, Executor, Graph, Layer, OpRef, Parts, Plain, Wiring};
use partita_local::{Local, Options};

use crate::graphs::{digest, digests, empty, local, mixer, until};

/// One block.
const SIZE: usize = 1 << 19;
const MIB: usize = 1 << 20;

fn under(folder: &Path, limit: usize, check: bool) -> Local {
    local(2, Options { memory_limit: limit as u64, local_directory: Some(folder.into()), check, ..Options::default() })
}

/// A block of bytes that depends on the key.
fn block(index: u32, size: usize) -> Chunk {
    let pattern: Vec<u8> = (0..1024u32).map(|at| (at.wrapping_mul(index + 3) >> 3) as u8).collect();
    Chunk::new(Plain(pattern.repeat(size / 1024)))
}

fn blocks(graph: &mut Graph, count: u32, size: usize) -> partita_graph::LayerId {
    let op = OpRef::closure("block", size as u64, move |ctx, _| Ok(block(ctx.key.index, size)));
    graph.add(Layer::single("blocks", count, op, vec![]))
}

#[test]
fn results_that_do_not_fit_are_kept_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    // The process itself takes some memory too, and the limit is one for all of it.
    let limit = 64 * MIB;
    let local = under(folder.path(), limit, true);
    let mut graph = Graph::default();
    let kept = blocks(&mut graph, 300, SIZE);
    graph.want_all(kept);
    let run = local.submit(graph).expect("sound");
    run.wait_stored().expect("fine");
    let usage = local.usage();
    assert!(usage.peak <= limit as u64, "{usage:?}");
    assert!(usage.spilled_total >= 75 * MIB as u64, "{usage:?}");
    assert_eq!(usage.spilled_total, local.spilled_bytes_total());
    for index in [0, 150, 299, 7] {
        assert_eq!(digest(&run.result(index).expect("read back")), digest(&block(index as u32, SIZE)));
    }
    assert!(local.usage().peak <= limit as u64);
    drop(run);
    // A chunk that is being written at this moment goes when it is written.
    until(|| empty(&local));
    drop(local);
    // The last thread that worked for the executor may be a moment behind.
    until(|| fs::read_dir(folder.path()).expect("a folder").count() == 0);
}

#[test]
fn chunks_that_were_spilled_are_read_by_later_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = under(folder.path(), 64 * MIB, true);
    let mut graph = Graph::default();
    let made = blocks(&mut graph, 240, SIZE);
    // Nothing of the second layer can run before all of the first is there.
    let gate = graph.add(Layer::single(
        "gate",
        1,
        OpRef::closure("count", 1, |_, inputs| Ok(Chunk::new(Plain(inputs.len() as i64)))),
        vec![Edge { layer: made, wiring: Wiring::Each }]
            .into_iter()
            .map(|edge| Edge { wiring: Wiring::Table(last_of(240)), ..edge })
            .collect(),
    ));
    let read = graph.add(Layer::single(
        "read",
        240,
        mixer(3),
        vec![Edge { layer: made, wiring: Wiring::Each }, Edge { layer: gate, wiring: Wiring::Every }],
    ));
    graph.want_all(made);
    graph.want_all(read);
    let run = local.submit(graph.clone()).expect("sound");
    run.wait_stored().expect("fine");
    assert!(local.usage().spilled_total > 0);
    assert!(local.usage().peak <= 64 * MIB as u64, "{:?}", local.usage());
    let serial = partita_graph::Serial::default().run(&graph).0.expect("fine");
    for (index, chunk) in serial.iter().enumerate().skip(240) {
        assert_eq!(digest(&run.result(index).expect("fine")), digest(chunk));
    }
}

/// A table by which the only task reads the last of `len` chunks.
fn last_of(len: u32) -> partita_graph::Table {
    partita_graph::Table { offsets: [0, 1].into(), indices: [len - 1].into() }
}

#[test]
fn a_shuffle_larger_than_memory_reads_single_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = 64 * MIB;
    let local = under(folder.path(), limit, true);
    let (from, to) = (100u32, 25u32);
    let split = OpRef::closure("split", 1, move |ctx, _| {
        Ok(Chunk::new(Parts((0..to).map(|part| block(ctx.key.index * 1000 + part, MIB / to as usize)).collect())))
    });
    let mut graph = Graph::default();
    let split = graph.add(Layer::single("split", from, split, vec![]));
    let joined = graph.add(Layer::single("join", to, mixer(2), vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(joined);
    let run = local.submit(graph.clone()).expect("sound");
    let results = digests(&run.wait().expect("fine"));
    assert_eq!(results, digests(&partita_graph::Serial::default().run(&graph).0.expect("fine")));
    let usage = local.usage();
    assert!(usage.spilled_total > 0 && usage.peak <= limit as u64, "{usage:?}");
}

#[test]
fn a_folder_that_cannot_be_written_costs_memory_and_a_remark_but_no_result() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file where the parent should be made: this holds for every user, root included.
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").expect("written");
    let local = under(&blocked.join("below"), 64 * MIB, true);
    let mut graph = Graph::default();
    let kept = blocks(&mut graph, 120, SIZE);
    graph.want_all(kept);
    let run = local.submit(graph).expect("sound");
    let results = run.wait().expect("the limit gives way");
    assert_eq!(digest(&results[119]), digest(&block(119, SIZE)));
    assert_eq!(local.spilled_bytes_total(), 0);
    assert!(run.notes().iter().any(|note| note.contains("cannot be spilled")), "{:?}", run.notes());
}

#[test]
fn a_local_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let options = Options { local_directory: Some(file.path().into()), ..Options::default() };
    let pool = Arc::new(partita_local::ThreadPool::new(1));
    let refused = Local::new(options, pool, partita_graph::Registry::default()).map(drop);
    assert_eq!(refused.expect_err("it is a file").code, partita_graph::Code::InvalidOption);
}

#[test]
fn a_spilled_result_whose_file_is_gone_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = under(folder.path(), 64 * MIB, true);
    let made = Arc::new(AtomicU32::new(0));
    let count = made.clone();
    let op = OpRef::closure("counted", 1, move |ctx, _| {
        count.fetch_add(1, SeqCst);
        Ok(block(ctx.key.index, SIZE))
    });
    let mut graph = Graph::default();
    let kept = graph.add(Layer::single("kept", 150, op, vec![]));
    graph.want_all(kept);
    let run = local.submit(graph).expect("sound");
    run.wait_stored().expect("fine");
    assert_eq!(made.load(SeqCst), 150);
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).expect("a folder").flatten() {
        for file in fs::read_dir(entry.path()).expect("a folder").flatten() {
            // One that is being written gets its final name under our hands.
            if file.file_name() != "lock" && fs::remove_file(file.path()).is_ok() {
                files += 1;
            }
        }
    }
    assert!(files > 20);
    for index in 0..150 {
        assert_eq!(digest(&run.result(index).expect("made again")), digest(&block(index as u32, SIZE)), "{index}");
    }
    assert!(made.load(SeqCst) > 150);
}

/// Removes the spill files; how many there were.
fn remove_files(folder: &Path) -> u32 {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        for file in fs::read_dir(entry.path()).expect("a folder").flatten() {
            files += u32::from(file.file_name() != "lock" && fs::remove_file(file.path()).is_ok());
        }
    }
    files
}

#[test]
fn spilled_inputs_whose_files_vanish_while_they_are_read_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = under(folder.path(), 64 * MIB, true);
    let (from, to) = (90u32, 6u32);
    let split = OpRef::closure("split", 1, move |ctx, _| {
        Ok(Chunk::new(Parts((0..to).map(|part| block(ctx.key.index * 1000 + part, MIB / 8)).collect())))
    });
    let (removed, began, place) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)), folder.path().to_owned());
    let count = removed.clone();
    // Whoever joins first has read a part of each file, so that nobody looks at the files again before they are read.
    let join = OpRef::closure("join", 2, move |_, inputs| {
        if !began.swap(true, SeqCst) {
            count.fetch_add(remove_files(&place), SeqCst);
        }
        Ok(Chunk::new(Plain(inputs.iter().fold(7i64, |sum, chunk| sum.wrapping_mul(31).wrapping_add(digest(chunk))))))
    });
    let mut graph = Graph::default();
    let split = graph.add(Layer::single("split", from, split, vec![]));
    let joined = graph.add(Layer::single("join", to, join, vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(joined);
    let run = local.submit(graph.clone()).expect("sound");
    let results = digests(&run.wait().expect("made again"));
    assert!(removed.load(SeqCst) > 5, "{removed:?} files were removed");
    assert_eq!(results, digests(&partita_graph::Serial::default().run(&graph).0.expect("fine")));
}
