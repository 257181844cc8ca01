//! Delayed calls.

use partita::polars::prelude::*;
use partita::{Code, DFrame, Delayed, compute, delayed, delayed_fn};

use crate::Case;
use crate::everywhere::{check, clients, cluster, unchecked};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("values_of_every_kind_are_arguments", values_of_every_kind_are_arguments),
    ("calls_read_calls", calls_read_calls),
    ("lists_of_calls_are_lists_of_values", lists_of_calls_are_lists_of_values),
    ("frames_go_in_and_come_out", frames_go_in_and_come_out),
    ("several_at_once_share_what_is_the_same", several_at_once_share_what_is_the_same),
    ("a_chain_of_thousands_is_one_task", a_chain_of_thousands_is_one_task),
    ("persisted_results_are_used_again", persisted_results_are_used_again),
    ("calls_that_are_not_pure_differ", calls_that_are_not_pure_differ),
    ("closures_stay_in_this_process", closures_stay_in_this_process),
    ("a_task_is_still_a_function", a_task_is_still_a_function),
    ("wishes_are_granted", wishes_are_granted),
];

fn values_of_every_kind_are_arguments() {
    check(&delayed(add)(1, 2), &3);
    check(&delayed(shout)("quiet"), &"QUIET".to_owned());
    check(&delayed(shout)(String::from("owned")), &"OWNED".to_owned());
    let point = Point { x: 1.0, name: "p".into() };
    check(&delayed(shift)(&point, 0.5), &Point { x: 1.5, name: "p".into() });
    check(&delayed(mean_of)(vec![1.0, 2.0, 6.0]), &3.0);
    // Beyond 64 KiB a value travels as a chunk of its own.
    check(&delayed(mean_of)(vec![2.5; 100_000]), &2.5);
    check(&delayed(later)(41), &42);
    check(&delayed(rows)(df!("x" => [1, 2, 3]).expect("a column")), &3);
}

fn calls_read_calls() {
    let three = delayed(add)(1, 2);
    let nine = delayed(add)(&three, delayed(double)(&three));
    check(&nine, &9);
    check(&delayed(add)(&nine, &nine), &18);
}

fn lists_of_calls_are_lists_of_values() {
    let parts: Vec<Delayed<i64>> = (0..100).map(|x| delayed(double)(x)).collect();
    check(&delayed(total)(&parts), &9_900);
    check(&delayed(total)(Vec::<Delayed<i64>>::new()), &0);
    check(&delayed(total)(vec![5i64, 6]), &11);
}

fn frames_go_in_and_come_out() {
    let frame = DFrame::from_polars(df!("x" => (0..10i64).collect::<Vec<_>>()).expect("a column"), 3);
    check(&delayed(rows)(&frame), &10);
    let parts = frame.to_delayed().expect("sound");
    check(&delayed(rows)(&parts[2]), &4);
    let made =
        DFrame::from_delayed(vec![delayed(numbers)(0, 3), delayed(numbers)(10, 2)], Schema::from_iter([("x".into(), DataType::Int64)]));
    for (name, client) in clients() {
        let found = made.filter(partita::polars::prelude::col("x").gt(lit(1))).compute_on(&client).expect("sound").frame;
        assert_eq!(found, df!("x" => [2i64, 10, 11]).expect("a column"), "{name}");
    }
    let announced = Schema::from_iter([("y".into(), DataType::Int64)]);
    let failure = DFrame::from_delayed(vec![delayed(numbers)(0, 1)], announced).compute_on(&clients()[0].1).expect_err("it is x");
    assert_eq!(failure.code, Code::SchemaMismatch);
}

fn several_at_once_share_what_is_the_same() {
    let shared = delayed(add)(20, 1);
    let frame = DFrame::from_polars(df!("x" => [1i64, 2]).expect("a column"), 2);
    let (a, (b, c)) = compute((&shared, (vec![delayed(double)(&shared), delayed(double)(1)], frame.sum()))).expect("sound");
    assert_eq!((a, b, c), (21, vec![42, 2], df!("x" => [3i64]).expect("a column")));
}

fn a_chain_of_thousands_is_one_task() {
    let chain = (0..20_000).fold(delayed(add)(0, 0), |last, _| delayed(add)(last, 1));
    assert_eq!(chain.compute_on(unchecked()).expect("sound"), 20_000);
    assert_eq!(chain.compute_on(cluster()).expect("sound"), 20_000);
    let plan = (0..5).fold(delayed(add)(0, 0), |last, _| delayed(add)(last, 1)).explain().expect("sound");
    assert_eq!((plan.matches("1 task").count(), plan.matches("add").count()), (1, 7), "one layer of one task, six calls:\n{plan}");
}

fn persisted_results_are_used_again() {
    for (name, client) in clients() {
        let kept = delayed(fresh)().persist_on(&client).expect("sound");
        let (one, other) = (kept.compute_on(&client).expect("sound"), kept.compute_on(&client).expect("sound"));
        assert_eq!(one, other, "{name}: it was made once");
    }
}

fn calls_that_are_not_pure_differ() {
    for (name, client) in clients() {
        let (one, other) = (delayed(fresh)(), delayed(fresh)());
        assert_ne!(one.compute_on(&client).expect("sound"), other.compute_on(&client).expect("sound"), "{name}");
    }
}

fn closures_stay_in_this_process() {
    let offset = 40;
    let call = delayed_fn(move || Ok(offset + 2i64));
    assert_eq!(call.compute_on(&clients()[0].1).expect("sound"), 42);
    assert_eq!(delayed(double)(&call).compute_on(&clients()[1].1).expect("sound"), 84);
    let refused = call.compute_on(cluster()).expect_err("it cannot be sent");
    assert_eq!(refused.code, Code::ClosureOnCluster);
    assert!(refused.to_string().contains("#[task]"), "{refused}");
}

fn a_task_is_still_a_function() {
    assert_eq!(add(1, 2), 3);
    assert_eq!(shout("x"), "X");
}

fn wishes_are_granted() {
    for (name, client) in clients() {
        assert_eq!(delayed(stubborn)(2).retries(2).compute_on(&client).expect("the third try is fine"), 3, "{name}");
    }
    let refused = delayed(stubborn)(3).retries(1).compute_on(cluster()).expect_err("one try too few");
    assert!(refused.what.contains("try 2"), "{refused}");
    let client = cluster();
    let names: Vec<String> = client.scheduler_info().expect("answered").workers.into_iter().map(|worker| worker.about.name).collect();
    let pinned = client.start(&delayed(add)(100, 1).workers([&names[1]])).expect("sound");
    pinned.result().expect("sound");
    assert_eq!(client.who_has(&[pinned.key()]).expect("answered")[0].1, [names[1].clone()]);
    let slow = delayed(endless)(1).timeout(std::time::Duration::from_millis(20)).compute_on(client).expect_err("it never ends");
    assert_eq!(slow.code, Code::TaskTimeout);
}
