//! What goes wrong in user functions, as data.

use partita::{Code, delayed};

use crate::Case;
use crate::everywhere::{clients, cluster, failures};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("a_chain_of_causes_is_data", a_chain_of_causes_is_data),
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
