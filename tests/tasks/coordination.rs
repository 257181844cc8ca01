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
    ("an_event_lets_go_on", an_event_lets_go_on),
    ("a_queue_keeps_the_order", a_queue_keeps_the_order),
    ("a_variable_is_typed", a_variable_is_typed),
    ("a_topic_reaches_who_listens", a_topic_reaches_who_listens),
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
