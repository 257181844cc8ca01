//! How far calls say that they are.

use std::time::{Duration, Instant};

use partita::{Client, DFuture, Queue};

use crate::Case;
use crate::everywhere::{clients, cluster};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("a_future_says_how_far_its_call_is", a_future_says_how_far_its_call_is),
    ("an_explanation_says_it_too", an_explanation_says_it_too),
    ("a_call_that_says_nothing_has_no_progress", a_call_that_says_nothing_has_no_progress),
    ("what_a_call_said_is_no_other_calls", what_a_call_said_is_no_other_calls),
];

fn until(future: &DFuture<u64>, expected: Option<(u64, u64)>, name: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = future.progress().expect("answered");
        if found == expected {
            return;
        }
        assert!(Instant::now() < end, "{name}: {found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A call that makes one step for each word in the queue of this name.
fn stepping(client: &Client, name: &str, count: u64) -> (DFuture<u64>, Queue<u64>) {
    client.set_as_current();
    (client.submit(step_by_step, (name, count)).expect("sound"), Queue::of(client, name))
}

fn a_future_says_how_far_its_call_is() {
    for (name, client) in clients() {
        let (future, steps) = stepping(&client, &format!("steps-{name}"), 3);
        let clone = future.clone();
        for done in 1..=3 {
            steps.put(&done).expect("room");
            // The last step ends the call, which says nothing any more.
            until(&clone, (done < 3).then_some((done, 3)), name);
        }
        assert_eq!(future.result().expect("sound"), 3, "{name}");
        assert_eq!(future.progress().expect("answered"), None, "{name}");
    }
}

fn an_explanation_says_it_too() {
    let client = cluster();
    let (future, steps) = stepping(client, "explained-steps", 7);
    (1..=5).for_each(|step| steps.put(&step).expect("room"));
    until(&future, Some((5, 7)), "Cluster(2)");
    let lines = client.explain_wait(future.key()).expect("answered");
    assert!(lines.iter().any(|line| line.contains("it says that 5 of 7 are done")), "{lines:?}");
    (6..=7).for_each(|step| steps.put(&step).expect("room"));
    assert_eq!(future.result().expect("sound"), 7);
}

fn a_call_that_says_nothing_has_no_progress() {
    for (name, client) in clients() {
        let quiet = client.submit(endless, (77,)).expect("sound");
        assert_eq!(quiet.progress().expect("answered"), None, "{name}");
        quiet.cancel();
        assert_eq!(quiet.progress().expect("answered"), None, "{name}");
    }
}

fn what_a_call_said_is_no_other_calls() {
    for (name, client) in clients() {
        let (first, steps) = stepping(&client, &format!("first-{name}"), 1);
        steps.put(&1).expect("room");
        first.result().expect("sound");
        // It runs where the first has run, perhaps.
        let (second, steps) = stepping(&client, &format!("second-{name}"), 9);
        steps.put(&1).expect("room");
        until(&second, Some((1, 9)), name);
        assert_eq!(first.progress().expect("answered"), None, "{name}");
        second.cancel();
        assert_eq!(second.progress().expect("answered"), None, "{name}");
    }
}
