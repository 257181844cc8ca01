//! Failures as people read them, and what `run_task` makes of operators that fail or panic.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use partita_graph::{
    Chunk, Code, DataPlace, Executor, Failure, Graph, Key, Layer, OpRef, Origin, Plain, Registry, Serial, TaskPlace, run_task,
};

#[test]
fn a_failure_prints_all_that_is_known() {
    let origin = Origin { file: "src/main.rs".into(), line: 12, column: 5, step: ".read_csv(…)".into() };
    let place = DataPlace { file: "a.csv".into(), byte: Some(812), row: Some(9), column: Some("delay".into()), cell: Some("n\"a".into()) };
    let failure = Failure::new(Code::Parse, "a cell is not an integer")
        .origin(Some(&origin))
        .data(place)
        .detail("expected", "i64")
        .detail("header", "a,b\nc,d")
        .task(TaskPlace { task: "read_csv 12#3".into(), attempt: 2, worker: Some("w1".into()), ..TaskPlace::default() })
        .help("declare it:\n.with_dtypes(…)")
        .cause(Failure::new(Code::Unreadable, "first\nsecond").detail("disk", "full"));
    let expected = r#"error[E0110]: a cell is not an integer
  at src/main.rs:12:5  in .read_csv(…)
  in a.csv, row 9, byte 812, column `delay`: "n\"a"
  expected: i64
  header: a,b
    c,d
  task: read_csv 12#3 (attempt 2) on w1
  help: declare it:
    .with_dtypes(…)
  cause: error[E0104]: first
      second
    disk: full"#;
    assert_eq!(failure.to_string(), expected);
    assert_eq!(format!("{failure:?}"), expected, "`main` prints the debug form");
}

#[test]
fn a_failure_prints_no_more_than_is_known() {
    assert_eq!(Failure::internal("oh").to_string(), "error[E0900]: oh");
    let place = DataPlace { row: Some(3), ..DataPlace::default() };
    assert_eq!(Failure::internal("oh").data(place).to_string(), "error[E0900]: oh\n  in the data, row 3");
    let task = TaskPlace { task: "a 1#0".into(), attempt: 1, ..TaskPlace::default() };
    assert_eq!(Failure::internal("oh").task(task).to_string(), "error[E0900]: oh\n  task: a 1#0");
}

#[test]
fn the_nearest_origin_and_task_stay() {
    let here = Origin::here("near");
    assert_eq!((here.file.as_str(), here.step.as_str()), (file!(), "near"));
    let far = Origin { step: "far".into(), ..here.clone() };
    let failure = Failure::internal("oh").origin(None).origin(Some(&here)).origin(Some(&far));
    assert_eq!(failure.origin.as_ref(), Some(&here));
    let place = |attempt| TaskPlace { task: "a".into(), attempt, ..TaskPlace::default() };
    assert_eq!(Failure::internal("oh").task(place(1)).task(place(2)).task, Some(place(1)));
}

#[test]
fn codes_are_distinct_and_have_pages() {
    let numbers: BTreeSet<String> = Code::ALL.iter().map(Code::to_string).collect();
    assert_eq!(numbers.len(), Code::ALL.len());
    assert!(Code::ALL.is_sorted());
    assert!(Code::ALL.iter().all(|code| !code.title().is_empty() && code.page().ends_with('.')));
}

#[test]
fn a_failure_travels_unchanged() {
    let failure = Failure::new(Code::Parse, "oh").cause(Failure::internal("why")).help("do");
    let bytes = postcard::to_stdvec(&failure).unwrap();
    assert_eq!(postcard::from_bytes::<Failure>(&bytes).unwrap(), failure);
}

fn outcome(op: OpRef) -> (Result<Chunk, Failure>, Vec<String>) {
    let layer = Layer::single("work", 1, op, vec![]).origin(Some(Origin::here("step")));
    let outcome = run_task(&layer, Key::new(layer.id, 0), 3, &[], &AtomicBool::new(false), &Registry::default());
    (outcome.result, outcome.notes)
}

#[test]
fn a_panic_is_a_failure_with_its_message_and_the_remarks_stay() {
    let (result, notes) = outcome(OpRef::closure("a", 1, |ctx, _| {
        let mut notes = ctx.notes.lock().unwrap();
        notes.push("remark".into());
        panic!("row {}", 7);
    }));
    let failure = result.unwrap_err();
    assert_eq!((failure.code, failure.what.as_str()), (Code::Panicked, "a task panicked: row 7"));
    assert!(failure.origin.as_ref().is_some_and(|origin| origin.step == "step"));
    assert!(failure.task.as_ref().is_some_and(|task| task.task.starts_with("work ") && task.attempt == 3));
    assert_eq!(notes, ["remark"]);
    let what = |op| outcome(op).0.unwrap_err().what.clone();
    assert_eq!(what(OpRef::closure("b", 1, |_, _| panic!("still"))), "a task panicked: still");
    assert_eq!(what(OpRef::closure("c", 1, |_, _| std::panic::panic_any(7u8))), "a task panicked: no message");
}

#[test]
fn a_failure_that_unwinds_is_the_failure_of_the_task() {
    let refused = || std::panic::resume_unwind(Box::new(Failure::new(Code::Unsupported, "not like this")));
    let failure = outcome(OpRef::closure("a", 1, move |_, _| refused())).0.unwrap_err();
    assert_eq!((failure.code, failure.what.as_str()), (Code::Unsupported, "not like this"));
    assert!(failure.task.is_some());
}

#[test]
fn a_cancelled_task_stops_before_its_next_step() {
    let op = OpRef::closure("never", 1, |_, _| panic!("it ran"));
    let layer = Layer::single("work", 1, op, vec![]);
    let outcome = run_task(&layer, Key::new(layer.id, 0), 1, &[], &AtomicBool::new(true), &Registry::default());
    assert_eq!(outcome.result.unwrap_err().code, Code::Cancelled);
}

#[test]
fn an_operator_that_is_not_registered_is_named() {
    let mut op = OpRef::closure("secret", 1, |_, _| Ok(Chunk::new(Plain(1i64))));
    op.operator = None;
    let failure = outcome(op).0.unwrap_err();
    assert_eq!(failure.code, Code::UnknownOperator);
    assert!(failure.what.contains("`secret`"));
}

#[test]
fn serial_runs_only_what_is_needed() {
    let picky = OpRef::closure("picky", 1, |ctx, _| match ctx.key.index {
        2 => Ok(Chunk::new(Plain(2i64))),
        _ => Err(Failure::internal("nobody asked for this one")),
    });
    let mut graph = Graph::default();
    let picky = graph.add(Layer::single("picky", 5, picky, vec![]));
    graph.wanted.extend([Key::new(picky, 2), Key::new(picky, 2)]);
    let results = Serial::default().submit(graph).unwrap().wait().unwrap();
    assert_eq!(results.iter().map(|c| c.get::<Plain<i64>>().unwrap().0).collect::<Vec<_>>(), [2, 2]);
}
