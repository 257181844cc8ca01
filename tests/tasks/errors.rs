//! What goes wrong in user functions, as data.

use partita::graph::TaskPlace;
use partita::{Code, Delayed, delayed};

use crate::Case;
use crate::everywhere::{clients, cluster, failures};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("a_chain_of_causes_is_data", a_chain_of_causes_is_data),
    ("a_failure_names_what_the_task_read", a_failure_names_what_the_task_read),
    ("a_failure_says_where_it_happened_and_in_which_try", a_failure_says_where_it_happened_and_in_which_try),
    ("a_panic_is_an_error_with_its_message", a_panic_is_an_error_with_its_message),
    ("dependents_fail_with_the_same_cause", dependents_fail_with_the_same_cause),
    ("failed_calls_run_again_here", failed_calls_run_again_here),
    ("a_retry_is_another_future", a_retry_is_another_future),
    ("a_retry_runs_again_what_failed", a_retry_runs_again_what_failed),
];

fn a_chain_of_causes_is_data() {
    for (name, failure) in failures(&delayed(parse)("x"), Code::UserFunction) {
        assert_eq!(failure.what, "no number in the file", "{name}");
        let cause = failure.cause.as_deref().expect("it has one");
        assert!(cause.what.contains("invalid digit"), "{name}: {cause}");
        let origin = failure.origin.as_ref().expect("the line that wrote the call");
        assert!(origin.file.ends_with("tests/tasks/errors.rs"), "{name}: {origin}");
        assert!(failure.details.iter().any(|(label, text)| label == "function" && text.ends_with("::parse")), "{name}: {failure}");
        assert!(failure.task.is_some(), "{name}: {failure}");
    }
}

fn a_failure_names_what_the_task_read() {
    let parts: Vec<Delayed<i64>> = (0..100).map(|x| delayed(double)(x)).collect();
    let call = delayed(refuse)(&parts);
    // What reads it fails with the same words and the same place.
    for call in [&call, &delayed(double)(&call)] {
        let mut before: Option<TaskPlace> = None;
        for (name, failure) in failures(call, Code::UserFunction) {
            let place = failure.task.clone().expect("the task is known");
            assert!(place.operator.ends_with("::refuse"), "{name}: {}", place.operator);
            assert_eq!((place.input_count, place.inputs.len()), (100, TaskPlace::MOST_INPUTS), "{name}");
            let line = failure.to_string().lines().find(|line| line.starts_with("  inputs: ")).expect("they are shown").to_owned();
            assert!(line.matches('#').count() == 4 && line.ends_with(" and 96 more"), "{name}: {line}");
            if let Some(before) = before.replace(place.clone()) {
                assert_eq!((before.inputs, before.task), (place.inputs, place.task), "{name}: the same everywhere");
            }
        }
    }
}

fn a_failure_says_where_it_happened_and_in_which_try() {
    for (name, client) in clients() {
        let (one, other) = (client.submit(add, (70, 1)).expect("sound"), client.submit(add, (80, 1)).expect("sound"));
        let failed = client.submit(refuse, (vec![one.clone(), other.clone()],)).expect("sound");
        let line = line!() - 1;
        let dependent = client.submit(double, (&failed,)).expect("sound");
        let failure = failed.exception().expect("it refuses");
        assert_eq!(dependent.exception().as_ref(), Some(&failure), "{name}");
        let place = failure.task.as_ref().expect("the task is known");
        assert_eq!(place.inputs, [one.key(), other.key()], "{name}");
        assert!(place.task.ends_with(&failed.key().to_string()), "{name}: {}", place.task);
        assert_eq!((place.attempt, place.input_count), (1, 2), "{name}");
        let worker = place.worker.as_ref().expect("a worker made the call");
        assert!(client.run_on_workers(fresh, ()).expect("answered").contains_key(worker), "{name}: {worker}");
        assert_eq!(failure.origin.as_ref().map(|origin| origin.line), Some(line), "{name}: the line that submitted it");
        let again = delayed(stubborn)(5).retries(2).compute_on(&client).expect_err("it fails five times");
        assert_eq!(again.task.as_ref().map(|place| place.attempt), Some(3), "{name}");
        // Of a task that waits for others the place is that of the one that failed.
        let inner = client.submit(refuse_inside, (9_000,)).expect("sound").exception().expect("it refuses");
        let place = inner.task.as_ref().expect("the task is known");
        assert!(place.operator.ends_with("::refuse") && place.inputs.len() == 2, "{name}: {inner}");
    }
}

fn a_panic_is_an_error_with_its_message() {
    for (name, failure) in failures(&delayed(explode)(13), Code::Panicked) {
        assert!(failure.what.contains("thirteen is not welcome"), "{name}: {failure}");
    }
}

fn dependents_fail_with_the_same_cause() {
    let call = delayed(add)(1, delayed(double)(delayed(parse)("y")));
    for (name, failure) in failures(&call, Code::UserFunction) {
        assert_eq!(failure.what, "no number in the file", "{name}");
    }
}

fn failed_calls_run_again_here() {
    let failed = cluster().submit(parse, ("z",)).expect("sound");
    assert_eq!(failed.exception().expect("no number").code, Code::UserFunction);
    let here = failed.recreate_locally().expect_err("it fails here too");
    assert_eq!(here.what, "no number in the file");
    let fine = cluster().submit(add, (&cluster().submit(double, (4,)).expect("sound"), 1)).expect("sound");
    assert_eq!(fine.recreate_locally().expect("sound"), 9);
}

fn a_retry_is_another_future() {
    for (name, client) in clients() {
        let failed = client.submit(parse, ("w",)).expect("sound");
        failed.exception().expect("no number");
        assert_eq!(failed.retry().expect("sound").exception().expect("still no number").code, Code::UserFunction, "{name}");
    }
}

fn a_retry_runs_again_what_failed() {
    for (name, client) in clients() {
        let object = format!("fails-once-{name}");
        let failed = client.submit(fails_once, (object.as_str(),)).expect("sound");
        let dependent = client.submit(double, (&failed,)).expect("sound");
        assert_eq!(dependent.exception(), failed.exception(), "{name}: one failure");
        assert_eq!(dependent.retry().expect("sound").result().expect("the second time is fine"), 40, "{name}");
        assert_eq!(failed.retry().expect("sound").result().expect("the third time too"), 20, "{name}");
        assert_eq!(failed.exception().expect("it keeps its failure").what, "the first time fails", "{name}");
    }
}
