//! Locks, semaphores, events, queues, variables and topics, from clients and from tasks.

use std::time::Duration;

use partita::{Code, Event, Lock, Queue, Semaphore, Topic, Variable, gather};

use crate::Case;
use crate::everywhere::clients;
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("a_lock_keeps_others_out", a_lock_keeps_others_out),
    ("tasks_count_under_a_lock", tasks_count_under_a_lock),
    ("leases_are_counted", leases_are_counted),
    ("a_lease_that_was_long_waited_for_is_sure", a_lease_that_was_long_waited_for_is_sure),
    ("an_event_lets_go_on", an_event_lets_go_on),
    ("a_queue_keeps_the_order", a_queue_keeps_the_order),
    ("a_variable_is_typed", a_variable_is_typed),
    ("a_topic_reaches_who_listens", a_topic_reaches_who_listens),
    ("a_slow_reader_keeps_the_last_messages", a_slow_reader_keeps_the_last_messages),
    ("a_cancelled_task_takes_nothing", a_cancelled_task_takes_nothing),
    ("an_actor_outlives_a_call_that_panics", an_actor_outlives_a_call_that_panics),
    ("an_actor_answers_thousands_of_calls_in_order", an_actor_answers_thousands_of_calls_in_order),
    ("calls_of_an_actor_are_awaited_and_cancelled", calls_of_an_actor_are_awaited_and_cancelled),
];

const SOON: Duration = Duration::from_millis(20);

fn a_lock_keeps_others_out() {
    for (name, client) in clients() {
        let lock = Lock::of(&client, "a_lock");
        let guard = lock.acquire().expect("free");
        assert!(lock.is_held().expect("answered"), "{name}");
        assert!(lock.acquire_timeout(SOON).expect("answered").is_none(), "{name}: it is taken");
        let waiting = {
            let lock = lock.clone();
            std::thread::spawn(move || lock.acquire().map(drop))
        };
        drop(guard);
        waiting.join().expect("no panic").expect("its turn");
        assert!(!lock.is_held().expect("answered"), "{name}");
    }
}

fn tasks_count_under_a_lock() {
    for (name, client) in clients() {
        // In process the tasks use the client that runs them only if it is the current one.
        client.set_as_current();
        let object = format!("count-{name}");
        let variable = Variable::<u64>::of(&client, &object);
        variable.set(&0).expect("sound");
        let futures = client.starmap(count_up, (0..40i64).map(|turn| (object.as_str(), turn))).expect("sound");
        gather(&futures).expect("sound");
        assert_eq!(variable.get().expect("it is set"), 40, "{name}");
    }
}

fn leases_are_counted() {
    for (name, client) in clients() {
        let semaphore = Semaphore::of(&client, "database", 2);
        let one = semaphore.acquire().expect("free");
        let other = semaphore.acquire().expect("free");
        assert!(semaphore.acquire_timeout(SOON).expect("answered").is_none(), "{name}: both are taken");
        let refused = Semaphore::of(&client, "database", 3).acquire_timeout(SOON).map(drop).expect_err("another number");
        assert!(refused.what.contains('2') && refused.what.contains('3'), "{name}: {refused}");
        one.check().expect("it is still had");
        drop((one, other));
        assert_eq!(semaphore.leases().expect("answered"), 0, "{name}");
    }
}

/// What is sure is only that it was given after it was asked for, which is longer ago than it lasts.
fn a_lease_that_was_long_waited_for_is_sure() {
    const LASTS: Duration = Duration::from_millis(600);
    for (name, client) in clients() {
        let semaphore = Semaphore::of(&client, "waited for", 1).lease_timeout(LASTS);
        let first = semaphore.acquire().expect("free");
        let waiting = {
            let semaphore = semaphore.clone();
            std::thread::spawn(move || semaphore.acquire().and_then(|lease| lease.check()))
        };
        drop(semaphore.acquire_timeout(LASTS + SOON).expect("answered"));
        drop(first);
        waiting.join().expect("no panic").unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

fn an_event_lets_go_on() {
    for (name, client) in clients() {
        let event = Event::of(&client, "go");
        assert!(!event.wait_timeout(SOON).expect("answered"), "{name}");
        let waiting = {
            let event = event.clone();
            std::thread::spawn(move || event.wait())
        };
        event.set().expect("answered");
        waiting.join().expect("no panic").expect("it is set");
        event.clear().expect("answered");
        assert!(!event.is_set().expect("answered"), "{name}");
    }
}

fn a_queue_keeps_the_order() {
    for (name, client) in clients() {
        let queue = Queue::<Point>::of(&client, "points").maxsize(3);
        for x in 0..3 {
            queue.put(&Point { x: f64::from(x), name: name.into() }).expect("room");
        }
        assert!(!queue.put_timeout(&Point { x: 9.0, name: name.into() }, SOON).expect("answered"), "{name}: it is full");
        assert_eq!(queue.size().expect("answered"), 3, "{name}");
        assert_eq!(queue.get().expect("there is one").x, 0.0, "{name}");
        assert_eq!(queue.get_batch(None).expect("there are two").iter().map(|point| point.x).collect::<Vec<_>>(), [1.0, 2.0], "{name}");
        assert!(queue.get_timeout(SOON).expect("answered").is_none(), "{name}: it is empty");
    }
}

fn a_variable_is_typed() {
    for (name, client) in clients() {
        let number = Variable::<i64>::of(&client, "number");
        assert_eq!(number.get_timeout(SOON).expect("answered"), None, "{name}");
        number.set(&-1).expect("sound");
        let refused = Variable::<String>::of(&client, "number").get().expect_err("it is a number");
        assert_eq!(refused.code, Code::TypeMismatch, "{name}");
        number.delete().expect("answered");
        assert_eq!(number.get_timeout(SOON).expect("answered"), None, "{name}");
    }
}

fn a_topic_reaches_who_listens() {
    for (name, client) in clients() {
        let topic = Topic::<u32>::of(&client, "news");
        assert_eq!(topic.publish(&1).expect("answered"), 0, "{name}: nobody listens");
        let heard = topic.subscribe().expect("answered");
        for x in 2..5 {
            topic.publish(&x).expect("answered");
        }
        assert_eq!([heard.recv().expect("2"), heard.recv().expect("3"), heard.recv().expect("4")], [2, 3, 4], "{name}");
        assert_eq!(heard.recv_timeout(SOON).expect("no error"), None, "{name}");
    }
}

fn a_slow_reader_keeps_the_last_messages() {
    for (name, client) in clients() {
        let topic = Topic::<u32>::of(&client, "many-news");
        let (all, last) = (topic.subscribe().expect("answered"), topic.subscribe_last(10).expect("answered"));
        for x in 0..1_000 {
            topic.publish(&x).expect("answered");
        }
        // Who reads the last of all knows that all have come, in the order of their publisher.
        assert!((0..1_000).all(|x| all.recv().expect("it was published") == x), "{name}");
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while last.missed() < 990 && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!((all.missed(), last.missed()), (0, 990), "{name}");
        assert!((990..1_000).all(|x| last.recv().expect("it is kept") == x), "{name}");
        assert_eq!(last.recv_timeout(SOON).expect("no error"), None, "{name}");
    }
}

fn a_cancelled_task_takes_nothing() {
    for (name, client) in clients() {
        let object = format!("takes-{name}");
        let waiting = client.submit(take_one, (object.as_str(),)).expect("sound");
        Event::of(&client, &format!("{object}-begun")).wait().expect("answered");
        waiting.cancel();
        Event::of(&client, &format!("{object}-ended")).wait().expect("it was woken");
        let queue = Queue::<i64>::of(&client, &object);
        queue.put(&7).expect("room");
        assert_eq!(queue.get_timeout(std::time::Duration::from_secs(10)).expect("answered"), Some(7), "{name}: nobody else took it");
    }
}

fn an_actor_outlives_a_call_that_panics() {
    for (name, client) in clients() {
        let counter = client.actor(open_counter, (0,)).expect("sound");
        let calls: Vec<_> = [1, 13, 1].iter().map(|by| counter.call(count_by, (*by,)).expect("sound")).collect();
        let results: Vec<_> = calls.iter().map(|call| call.result()).collect();
        assert_eq!(results[1].as_ref().expect_err("thirteen panics").code, Code::Panicked, "{name}");
        assert_eq!((results[0].as_ref(), results[2].as_ref()), (Ok(&1), Ok(&2)), "{name}");
    }
}

fn an_actor_answers_thousands_of_calls_in_order() {
    for (name, client) in [("Local(2)", crate::everywhere::unchecked()), ("Cluster(2)", crate::everywhere::cluster())] {
        let counter = client.actor(open_counter, (0,)).expect("sound");
        let calls: Vec<_> = (0..3_000).map(|_| counter.call(count_by, (1,)).expect("sound")).collect();
        assert!(calls.iter().map(|call| call.result().expect("sound")).eq(1..=3_000), "{name}");
    }
}

fn calls_of_an_actor_are_awaited_and_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, client) in clients() {
        let counter = client.actor(open_counter, (0,)).expect("sound");
        let event = format!("counts-{name}");
        let first = counter.call(count_when, (event.as_str(),)).expect("sound");
        let second = counter.call(count_by, (100,)).expect("sound");
        second.cancel();
        assert_eq!(second.exception().expect("it is not made").code, Code::Cancelled, "{name}");
        let (third, failing) = (counter.call(count_by, (1,)).expect("sound"), counter.call(count_by, (13,)).expect("sound"));
        assert!(!first.done() && !third.done(), "{name}: both wait for the event");
        Event::of(&client, &event).set().expect("answered");
        let counts = runtime.block_on(async { ((&first).await, third.await) });
        assert_eq!(counts, (Ok(1), Ok(2)), "{name}");
        assert_eq!(first.exception(), None, "{name}");
        assert_eq!(failing.exception().expect("thirteen panics").code, Code::Panicked, "{name}");
    }
}
