//! Futures.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_core::Stream;
use partita::{Client, Code, Status, Until, as_completed, gather, gather_each, wait};

use crate::Case;
use crate::everywhere::{clients, cluster, unchecked};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("futures_are_arguments", futures_are_arguments),
    ("a_hundred_thousand_items", a_hundred_thousand_items),
    ("items_may_be_futures_and_tuples", items_may_be_futures_and_tuples),
    ("each_ends_by_itself", each_ends_by_itself),
    ("waiting_for_the_first_and_for_all", waiting_for_the_first_and_for_all),
    ("callbacks_are_called_once", callbacks_are_called_once),
    ("a_callback_that_panics_holds_up_nobody", a_callback_that_panics_holds_up_nobody),
    ("awaiting", awaiting),
    ("cancelled_ones_stop", cancelled_ones_stop),
    ("dropped_ones_are_let_go", dropped_ones_are_let_go),
    ("forgotten_ones_run_to_their_end", forgotten_ones_run_to_their_end),
    ("values_are_scattered", values_are_scattered),
    ("values_are_brought_to_every_worker", values_are_brought_to_every_worker),
    ("a_call_on_every_worker", a_call_on_every_worker),
    ("state_is_built_once_a_process", state_is_built_once_a_process),
    ("state_may_be_built_by_tasks", state_may_be_built_by_tasks),
    ("tasks_that_submit_tasks", tasks_that_submit_tasks),
    ("tasks_that_await_tasks", tasks_that_await_tasks),
    ("a_long_chain_costs_its_length", a_long_chain_costs_its_length),
    ("what_is_dropped_between_is_made_again", what_is_dropped_between_is_made_again),
    ("a_stream_goes_on_where_the_iterator_was", a_stream_goes_on_where_the_iterator_was),
];

fn futures_are_arguments() {
    for (name, client) in clients() {
        let three = client.submit(add, (1, 2)).expect("sound");
        let six = client.submit(double, (&three,)).expect("sound");
        assert_eq!(client.submit(total, (vec![three.clone(), six.clone()],)).expect("sound").result().expect("sound"), 9, "{name}");
        assert_eq!((three.status(), six.result().expect("sound")), (Status::Finished, 6), "{name}");
    }
}

fn a_hundred_thousand_items() {
    for (name, client) in [("Local(2)", unchecked()), ("Cluster(2)", cluster())] {
        let futures = client.map(double, 0..100_000i64).expect("sound");
        let results = gather(&futures).expect("sound");
        assert!(results.iter().copied().eq((0..100_000).map(|x| 2 * x)), "{name}");
        assert_eq!(as_completed(&futures).map(|(place, _)| place).collect::<BTreeSet<_>>().len(), 100_000, "{name}");
    }
}

fn items_may_be_futures_and_tuples() {
    for (name, client) in clients() {
        let first = client.map(double, 0..1_000i64).expect("sound");
        let second = client.map(double, &first).expect("sound");
        let sums = client.starmap(add, first.iter().zip(&second)).expect("sound");
        assert_eq!(gather(&sums).expect("sound").iter().sum::<i64>(), 6 * 499_500, "{name}");
        let backwards = client.map(double, first.iter().rev().step_by(7)).expect("sound");
        assert_eq!(backwards[1].result().expect("sound"), 4 * 992, "{name}");
        assert!(client.map(double, Vec::<i64>::new()).expect("sound").is_empty());
    }
}

fn each_ends_by_itself() {
    for (name, client) in clients() {
        let futures = client.map(explode, 10..16i64).expect("sound");
        let results = gather_each(&futures);
        let bad: Vec<usize> = (0..6).filter(|at| results[*at].is_err()).collect();
        assert_eq!(bad, [3], "{name}");
        assert_eq!(futures[3].exception().expect("it failed").code, Code::Panicked, "{name}");
        assert_eq!(gather(&futures).expect_err("one failed").code, Code::Panicked, "{name}");
        let dependent = client.submit(double, (&futures[3],)).expect("sound");
        assert_eq!(dependent.result().expect_err("its argument failed").code, Code::Panicked, "{name}");
    }
}

fn waiting_for_the_first_and_for_all() {
    for (name, client) in clients() {
        let quick = client.submit(double, (4,)).expect("sound");
        let slow = client.submit(endless, (7,)).expect("sound");
        let quick_unit = client.submit(endless, (8,)).expect("sound");
        quick_unit.cancel();
        let waited = wait(&[slow.clone(), quick_unit], Until::First);
        assert_eq!((waited.done, waited.not_done), (vec![1], vec![0]), "{name}");
        quick.result().expect("sound");
        slow.cancel();
        assert_eq!(wait(&[slow], Until::All).done, [0], "{name}");
    }
}

fn callbacks_are_called_once() {
    for (name, client) in clients() {
        let (sender, called) = mpsc::channel();
        let future = client.submit(add, (5, 6)).expect("sound");
        for turn in 0..2 {
            let sender = sender.clone();
            future.add_done_callback(move |future| sender.send((turn, future.status())).expect("the test listens"));
            future.result().expect("sound");
        }
        drop(sender);
        let mut calls: Vec<_> = called.iter().collect();
        calls.sort_unstable_by_key(|(turn, _)| *turn);
        assert_eq!(calls, [(0, Status::Finished), (1, Status::Finished)], "{name}");
    }
}

fn a_callback_that_panics_holds_up_nobody() {
    for (name, client) in clients() {
        let futures = client.map(double, 900..908i64).expect("sound");
        futures.iter().for_each(|future| future.add_done_callback(|_| panic!("on purpose")));
        assert_eq!(gather(&futures).expect("sound").len(), 8, "{name}");
        assert_eq!(client.submit(add, (900, 1)).expect("sound").result().expect("sound"), 901, "{name}");
    }
}

fn awaiting() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, client) in clients() {
        let future = client.submit(add, (20, 22)).expect("sound");
        assert_eq!(runtime.block_on(async { (&future).await }).expect("sound"), 42, "{name}");
        let failed = client.submit(parse, ("x",)).expect("sound");
        assert_eq!(runtime.block_on(async { failed.await }).expect_err("no number").code, Code::UserFunction, "{name}");
    }
}

fn cancelled_ones_stop() {
    for (name, client) in clients() {
        let future = client.submit(endless, (1,)).expect("sound");
        assert!(!future.done(), "{name}");
        future.cancel();
        assert_eq!(future.result().expect_err("cancelled").code, Code::Cancelled, "{name}");
        assert_eq!(future.status(), Status::Cancelled, "{name}");
        // The thread is free again.
        assert_eq!(client.submit(add, (1, 1)).expect("sound").result().expect("sound"), 2, "{name}");
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn dropped_ones_are_let_go() {
    let client = cluster();
    let futures = client.map(double, 1_000_000..1_000_100i64).expect("sound");
    gather(&futures).expect("sound");
    let keys: Vec<_> = futures.iter().map(|future| future.key()).collect();
    let held = |keys: &[partita::graph::Key]| client.who_has(keys).expect("answered").iter().filter(|(_, who)| !who.is_empty()).count();
    assert_eq!(held(&keys), 100);
    drop(futures);
    eventually("all are dropped", || held(&keys) == 0);
}

fn forgotten_ones_run_to_their_end() {
    let client = cluster();
    let name = "forgotten_ones_run_to_their_end";
    partita::Variable::<u64>::of(client, name).set(&0).expect("sound");
    client.fire_and_forget(client.submit(count_up, (name, 1)).expect("sound"));
    eventually("it ran", || partita::Variable::<u64>::of(client, name).get().expect("it is set") == 1);
}

fn values_are_scattered() {
    for (name, client) in clients() {
        let values = client.scatter(vec![1.0, 3.0]).expect("sound");
        assert_eq!(client.submit(mean_of, (&values,)).expect("sound").result().expect("sound"), 2.0, "{name}");
        assert_eq!(values.result().expect("sound"), [1.0, 3.0], "{name}");
    }
}

fn values_are_brought_to_every_worker() {
    for (name, client) in clients() {
        let values = client.broadcast(vec![2.0; 50_000]).expect("sound");
        assert_eq!(client.submit(mean_of, (&values,)).expect("sound").result().expect("sound"), 2.0, "{name}");
    }
    let values = cluster().broadcast(vec![3.0; 50_000]).expect("sound");
    eventually("both have it", || cluster().who_has(&[values.key()]).expect("answered")[0].1.len() == 2);
}

fn a_call_on_every_worker() {
    let pids = cluster().run_on_workers(fresh, ()).expect("sound");
    let processes: BTreeSet<u64> = pids.values().map(|pid| pid.as_ref().expect("it ran") >> 32).collect();
    assert_eq!((pids.len(), processes.len()), (2, 2), "two workers, two processes");
}

fn state_may_be_built_by_tasks() {
    for (name, client) in clients() {
        let futures = client.map(add_looked_up, 0..100i64).expect("sound");
        assert_eq!(gather(&futures).expect("sound").iter().sum::<i64>(), 4_950 + 100 * 20, "{name}");
    }
}

fn state_is_built_once_a_process() {
    let answers = gather(&cluster().map(ask_model, 0..200u64).expect("sound")).expect("sound");
    // Whichever process made it, its model was the first.
    assert!(answers.iter().zip(0..).all(|(answer, x)| *answer == 100 + x));
}

fn tasks_that_await_tasks() {
    for (name, client) in clients() {
        let future = client.submit(fibonacci_awaited, (9,)).expect("sound");
        assert_eq!(future.result().expect("sound"), 34, "{name}");
    }
}

/// Each call reads the one before, which is dropped then. If each submission contained all calls before it, this would take hours.
fn a_long_chain_costs_its_length() {
    let [one, four, on_cluster]: [(&str, Client); 3] = clients().try_into().unwrap_or_else(|_| panic!("three clients"));
    for ((name, client), length) in [(one, 50), (four, 50), (("Local(2)", unchecked().clone()), 20_000), (on_cluster, 20_000)] {
        let mut last = client.submit(add, (length, 0)).expect("sound");
        for _ in 1..length {
            last = client.submit(add, (&last, 1)).expect("sound");
        }
        assert_eq!(last.result().expect("sound"), 2 * length - 1, "{name}");
        assert_eq!(last.recreate_locally().expect("sound"), 2 * length - 1, "{name}: its past is known");
    }
}

fn what_is_dropped_between_is_made_again() {
    for (name, client) in clients() {
        let first = client.submit(add, (300, 1)).expect("sound");
        let second = client.submit(double, (&first,)).expect("sound");
        assert_eq!(second.result().expect("sound"), 602, "{name}");
        drop(first);
        let third = client.submit(add, (&second, 1)).expect("sound");
        drop(second);
        assert_eq!(third.result().expect("sound"), 603, "{name}");
        // Another client has none of it.
        let elsewhere = unchecked().submit(double, (&third,)).expect("sound");
        assert_eq!(elsewhere.result().expect("sound"), 1206, "{name}");
    }
}

fn a_stream_goes_on_where_the_iterator_was() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, client) in clients() {
        let futures = client.map(double, 7_000..7_010i64).expect("sound");
        let mut ended = as_completed(&futures);
        let (first, _) = ended.next().expect("there are ten");
        let mut stream = ended.stream();
        let mut places = BTreeSet::from([first]);
        runtime.block_on(async {
            while let Some((place, _)) = std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
                assert!(places.insert(place), "{name}: {place} comes twice");
            }
        });
        assert_eq!(places.len(), 10, "{name}");
    }
}

fn tasks_that_submit_tasks() {
    for (name, client) in clients() {
        let future = client.submit(fibonacci, (10,)).expect("sound");
        assert_eq!(future.result().expect("sound"), 55, "{name}");
    }
}
