//! The coordination machine: every rule as a script of events and answers, its limits as a table, and a model that thousands of random
//! events are compared with.
//!
//! How a script is written stands in `coordination/script.rs`. After each line the machine checks itself, and at the end of each script
//! everybody is gone and nothing of them may be left.

#[path = "coordination/limits.rs"]
mod limits;
#[path = "coordination/model.rs"]
mod model;
#[path = "coordination/random.rs"]
mod random;
#[path = "coordination/script.rs"]
mod script;

use partita_core::coordination::{Answer, Ask, Coordination, Event, Snapshot};
use script::{check, event};

#[test]
fn a_lock_has_one_owner_and_goes_on_in_order() {
    check(
        "1.1 lock a => 1.1 done
         2.1 lock a
         3.1 lock a
         4.1 lock b => 4.1 done
         2.2 locked a => 2.2 yes
         1.2 unlock a => 2.1 done; 1.2 done
         1.3 lock a
         2.3 unlock a => 3.1 done; 2.3 done
         3.2 unlock a => 1.3 done; 3.2 done
         1.4 unlock a => 1.4 done
         1.5 locked a => 1.5 no",
    );
}

#[test]
fn waiting_for_a_lock_ends_in_time() {
    check(
        "1.1 lock a => 1.1 done
         2.1 lock a within 0 => 2.1 timed out
         2.2 lock a within 10
         3.1 lock a within 5
         4.1 lock a within 11
         after 4 tick
         after 1 tick => 3.1 timed out
         after 5 1.2 unlock a => 2.2 timed out; 4.1 done; 1.2 done
         after 9 tick",
    );
    check(
        "1.1 lock a => 1.1 done
         2.1 lock a within 10
         3.1 lock a within 5
         after 99 tick => 3.1 timed out; 2.1 timed out",
    );
}

#[test]
fn a_lock_is_released_once_and_by_who_has_it() {
    check(
        "1.1 unlock a => 1.1 E0231 lock `a` cannot be released: it is held by nobody; it was released before, or never acquired
         1.2 lock a => 1.2 done
         2.1 unlock a => 2.1 E0231 lock `a` cannot be released: it is held by another (holder 1, owner 0); it was released before, or never acquired
         1.3 unlock a => 1.3 done
         1.4 unlock a => 1.4 E0231 lock `a` cannot be released: it is held by nobody; it was released before, or never acquired",
    );
}

#[test]
fn nobody_waits_for_itself_but_owners_of_one_process_wait_for_each_other() {
    check(
        "1.1 lock a owner 3 => 1.1 done
         1.2 lock a owner 3 => 1.2 E0232 lock `a` is held by who asks for it, and waiting for oneself never ends
         1.3 lock a owner 7
         2.1 lock a owner 3
         1.4 unlock a owner 7 => 1.4 E0231 lock `a` cannot be released: it is held by another (holder 1, owner 3); it was released before, or never acquired
         1.5 unlock a owner 3 => 1.3 done; 1.5 done
         1.6 unlock a owner 7 => 2.1 done; 1.6 done",
    );
}

#[test]
fn a_call_that_is_withdrawn_leaves_nothing_behind() {
    check(
        "1.1 lock a => 1.1 done
         2.1 lock a
         3.1 lock a
         2.1 withdraw => 2.1 withdrawn
         2.1 withdraw
         1.1 withdraw => 3.1 done
         1.1 withdraw
         1.2 unlock a => 1.2 E0231 lock `a` cannot be released: it is held by another (holder 3, owner 0); it was released before, or never acquired",
    );
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1 within 5
         3.1 acquire s of 1
         2.1 withdraw => 2.1 withdrawn
         1.1 withdraw => 3.1 lease 2
         after 5 3.2 value s => 3.2 count 1",
    );
    check(
        "1.1 put q a max 1 => 1.1 done
         2.1 put q b max 1
         3.1 put q c max 1
         2.1 withdraw => 2.1 withdrawn
         1.1 withdraw
         1.2 take q => 3.1 done; 1.2 value a
         1.3 take q => 1.3 value c
         1.4 take q
         2.2 take q
         1.4 withdraw => 1.4 withdrawn
         3.2 put q d => 2.2 value d; 3.2 done",
    );
    check(
        "1.1 wait e
         1.1 withdraw => 1.1 withdrawn
         1.2 get v
         1.2 withdraw => 1.2 withdrawn",
    );
}

#[test]
fn what_a_holder_had_goes_to_others_when_it_is_gone() {
    check(
        "1.1 lock a => 1.1 done
         1.2 lock b => 1.2 done
         2.1 lock a
         3.1 lock a
         1.3 lock a owner 5
         1.4 acquire s of 1 => 1.4 lease 1
         3.2 acquire s of 1
         1.5 take q
         gone 2
         gone 1 => 3.1 done; 3.2 lease 2
         1.6 lock c
         3.3 withdraw
         1.1 withdraw
         gone 1
         3.4 locked b => 3.4 no
         3.5 put q x => 3.5 done
         3.6 size q => 3.6 count 1",
    );
}

#[test]
fn a_number_is_used_for_one_call() {
    check(
        "1.1 lock a => 1.1 done
         1.1 locked a => 1.1 E0900 holder 1 used the number 1 for a second call
         2.1 lock a
         2.1 lock b => 2.1 E0900 holder 2 used the number 1 for a second call
         1.2 unlock a => 2.1 done; 1.2 done",
    );
}

#[test]
fn each_kind_has_names_of_its_own() {
    check(
        "1.1 lock a => 1.1 done
         1.2 acquire a of 2 => 1.2 lease 1
         1.3 raise a => 1.3 done
         1.4 set a x => 1.4 done
         1.5 put a y => 1.5 done
         1.6 subscribe a => 1.6 done
         1.7 unlock a => 1.7 done
         1.8 value a => 1.8 count 1
         1.9 raised a => 1.9 yes
         1.10 get a => 1.10 value x
         1.11 take a => 1.11 value y
         1.12 publish a z => 1 hears a: z; 1.12 count 1",
    );
}

#[test]
fn a_semaphore_has_so_many_leases_and_no_more() {
    check(
        "1.1 acquire s of 2 => 1.1 lease 1
         2.1 acquire s of 2 => 2.1 lease 2
         3.1 acquire s of 2
         1.2 value s => 1.2 count 2
         4.1 acquire s of 2 within 0 => 4.1 timed out
         4.2 acquire s of 2 within 5
         1.3 release s 1 => 3.1 lease 3; 1.3 done
         after 5 tick => 4.2 timed out
         2.2 acquire s of 2
         2.3 release s 2 => 2.2 lease 4; 2.3 done
         3.2 value t => 3.2 count 0",
    );
}

#[test]
fn the_number_of_leases_is_one_while_anybody_uses_them() {
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 2 => 2.1 E0233 semaphore `s` has max_leases 1, and 2 are asked for
         1.2 release s 1 => 1.2 done
         2.2 acquire s of 2 => 2.2 lease 2
         2.3 acquire s of 2 => 2.3 lease 3
         2.4 acquire t of 0 => 2.4 E0108 semaphore `t` is asked for with max_leases 0
         2.5 acquire t of 65537 => 2.5 E0108 semaphore `t` is asked for with max_leases 65537
         2.6 acquire t of 1 for 0 => 2.6 E0108 a lease of semaphore `t` is asked for that ends at once",
    );
}

#[test]
fn a_lease_is_given_back_once_and_by_who_has_it() {
    check(
        "1.1 acquire s of 2 => 1.1 lease 1
         2.1 acquire s of 2 => 2.1 lease 2
         2.2 release s 1 => 2.2 E0231 lease 1 of semaphore `s` is held by another (holder 1)
         2.3 refresh s 1 => 2.3 E0231 lease 1 of semaphore `s` is held by another (holder 1)
         1.2 release s 1 => 1.2 done
         1.3 release s 1 => 1.3 E0231 lease 1 of semaphore `s` is not known; it was given back before, or the semaphore was closed
         1.4 refresh t 2 => 1.4 E0231 lease 2 of semaphore `t` is not known; it was given back before, or the semaphore was closed",
    );
}

#[test]
fn a_lease_ends_with_its_holder_or_its_time() {
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1
         3.1 acquire s of 1
         gone 1 => 2.1 lease 2
         after 99 2.2 refresh s 2 => 2.2 done
         after 99 tick
         after 1 tick => 3.1 lease 3",
    );
    check(
        "1.1 acquire s of 1 for 10 => 1.1 lease 1
         2.1 acquire s of 1 within 10
         after 10 tick => 2.1 lease 2",
    );
}

#[test]
fn an_expired_lease_that_is_still_used_is_noticed() {
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1
         after 100 tick => 2.1 lease 2
         3.1 acquire s of 1
         1.2 refresh s 1 => warn: semaphore `s`: holder 1 refreshes lease 1 after it expired, 2 of 1 are in use now; 1.2 over 2/1
         3.2 value s => 3.2 count 2
         1.3 refresh s 1 => 1.3 over 2/1
         2.2 refresh s 2 => 2.2 done
         2.3 release s 2 => 2.3 done
         1.4 refresh s 1 => 1.4 done
         1.5 release s 1 => 3.1 lease 3; 1.5 done",
    );
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1
         after 100 tick => 2.1 lease 2
         1.2 release s 1 => warn: semaphore `s`: holder 1 gives back lease 1 after it expired, others may have worked beside it; 1.2 expired
         1.3 release s 1 => 1.3 E0231 lease 1 of semaphore `s` is not known; it was given back before, or the semaphore was closed
         2.2 refresh s 2 => 2.2 done",
    );
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         after 100 1.2 refresh s 1 => warn: semaphore `s`: holder 1 refreshes lease 1 after it expired, 1 of 1 are in use now; 1.2 expired
         2.1 acquire s of 1 within 0 => 2.1 timed out
         1.3 refresh s 1 => 1.3 done",
    );
}

#[test]
fn a_lease_over_the_number_ends_like_any() {
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1 for 1000
         after 100 tick => 2.1 lease 2
         1.2 refresh s 1 => warn: semaphore `s`: holder 1 refreshes lease 1 after it expired, 2 of 1 are in use now; 1.2 over 2/1
         after 100 1.3 value s => 1.3 count 1
         2.2 release s 2 => 2.2 done
         1.4 refresh s 1 => warn: semaphore `s`: holder 1 refreshes lease 1 after it expired, 1 of 1 are in use now; 1.4 expired",
    );
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1 for 1000
         3.1 acquire s of 1
         after 100 tick => 2.1 lease 2
         1.2 refresh s 1 => warn: semaphore `s`: holder 1 refreshes lease 1 after it expired, 2 of 1 are in use now; 1.2 over 2/1
         gone 1
         2.2 value s => 2.2 count 1
         gone 2 => 3.1 lease 3",
    );
}

#[test]
fn a_closed_semaphore_sends_everybody_away() {
    check(
        "1.1 acquire s of 1 => 1.1 lease 1
         2.1 acquire s of 1
         2.2 close s => warn: semaphore `s` is closed while 1 of 1 leases are in use; 2.1 E0234 semaphore `s` was closed while this call waited for a lease; 2.2 done
         1.2 refresh s 1 => 1.2 E0231 lease 1 of semaphore `s` is not known; it was given back before, or the semaphore was closed
         1.3 close s => 1.3 done
         1.4 acquire s of 5 => 1.4 lease 2
         after 100 1.5 close s => 1.5 done",
    );
}

#[test]
fn an_event_lets_everybody_go_on() {
    check(
        "1.1 raised e => 1.1 no
         1.2 wait e
         2.1 wait e
         3.1 wait e within 5
         4.1 wait e within 0 => 4.1 timed out
         4.2 lower e => 4.2 done
         after 5 tick => 3.1 timed out
         3.2 raise e => 1.2 done; 2.1 done; 3.2 done
         3.3 raise e => 3.3 done
         4.3 wait e within 0 => 4.3 done
         gone 3
         1.3 raised e => 1.3 yes
         1.4 lower e => 1.4 done
         1.5 lower e => 1.5 done
         1.6 wait e",
    );
}

#[test]
fn a_variable_has_one_value_for_everybody() {
    check(
        "1.1 get v within 0 => 1.1 timed out
         1.2 get v
         2.1 get v within 5
         3.1 delete v => 3.1 done
         after 5 tick => 2.1 timed out
         3.2 set v x => 1.2 value x; 3.2 done
         1.3 get v => 1.3 value x
         3.3 set v yy => 3.3 done
         gone 3
         1.4 get v => 1.4 value yy
         1.5 delete v => 1.5 done
         1.6 delete v => 1.6 done
         1.7 get v",
    );
}

#[test]
fn a_queue_keeps_the_order_of_values_and_of_callers() {
    check(
        "1.1 put q a => 1.1 done
         2.1 put q b => 2.1 done
         1.2 put q c => 1.2 done
         1.3 put q d => 1.3 done
         2.2 size q => 2.2 count 4
         2.3 take q => 2.3 value a
         2.4 batch q 2 => 2.4 values b,c
         2.5 batch q 5 => 2.5 values d
         2.6 take q within 0 => 2.6 timed out
         2.7 batch q all within 0 => 2.7 timed out
         2.8 take q
         3.1 batch q all
         3.2 take q within 5
         1.4 put q e => 2.8 value e; 1.4 done
         1.5 put q f max 7 => 3.1 values f; 1.5 done
         after 5 tick => 3.2 timed out
         3.3 size q => 3.3 count 0
         3.4 batch q 0 => 3.4 E0108 a batch of 0 values is asked of queue `q`",
    );
}

#[test]
fn a_full_queue_lets_values_wait() {
    check(
        "1.1 put q a max 2 => 1.1 done
         1.2 put q b max 2 => 1.2 done
         1.3 put q c max 2
         2.1 put q d max 2 within 5
         2.2 put q x max 2 within 0 => 2.2 timed out
         2.3 put q x max 3 => 2.3 E0233 queue `q` has maxsize 2, and 3 is given
         3.1 size q => 3.1 count 2
         3.2 take q => 1.3 done; 3.2 value a
         after 5 tick => 2.1 timed out
         2.4 put q e max 2
         2.5 put q f max 2
         3.3 batch q all => 2.4 done; 2.5 done; 3.3 values b,c
         3.4 batch q all => 3.4 values e,f
         3.5 put q g max 3 => 3.5 done",
    );
    check(
        "1.1 put q a max 1 => 1.1 done
         2.1 put q b max 1
         3.1 put q c max 1
         gone 2
         1.2 take q => 3.1 done; 1.2 value a
         gone 3
         1.3 take q => 1.3 value c",
    );
}

#[test]
fn what_a_receiver_gave_up_is_first_again() {
    check(
        "1.1 put q a max 2 => 1.1 done
         1.2 put q b max 2 => 1.2 done
         1.3 put q c max 2
         2.1 batch q 2 => 1.3 done; 2.1 values a,b
         2.1 withdraw
         2.2 back q a,b max 2 => 2.2 done
         2.3 size q => 2.3 count 3
         1.4 put q d max 2
         2.4 take q => 2.4 value a
         2.5 take q => 1.4 done; 2.5 value b
         2.6 batch q all => 2.6 values c,d
         2.7 back q c,d max 1 => 2.7 done
         2.8 put q e max 1
         2.9 take q => 2.9 value c",
    );
    check(
        "1.1 take q
         2.1 batch q 1
         3.1 back q a,b,c => 1.1 value a; 2.1 values b; 3.1 done
         3.2 take q => 3.2 value c",
    );
}

#[test]
fn a_message_reaches_who_is_subscribed() {
    check(
        "1.1 publish t x => 1.1 count 0
         1.2 subscribe t => 1.2 done
         2.1 subscribe t => 2.1 done
         2.2 subscribe t => 2.2 done
         1.3 publish t y => 1 hears t: y; 2 hears t: y; 1.3 count 2
         3.1 publish u z => 3.1 count 0
         1.4 unsubscribe t => 1.4 done
         1.5 unsubscribe t => 1.5 done
         1.6 publish t v => 2 hears t: v; 1.6 count 1
         gone 2
         1.7 publish t w => 1.7 count 0",
    );
}

/// Lets a line of a script happen at this time, and counts what is said.
fn tell(machine: &mut Coordination, now: u64, line: &str) -> usize {
    let mut out = Vec::new();
    let words: Vec<&str> = line.split_whitespace().collect();
    machine.handle(now, event(&words), &mut out);
    machine.check();
    out.len()
}

#[test]
fn the_next_deadline_is_that_of_who_waits_or_holds() {
    let mut machine = Coordination::new();
    assert_eq!(machine.next_deadline(), None);
    tell(&mut machine, 5, "1.1 lock a");
    assert_eq!(machine.next_deadline(), None);
    tell(&mut machine, 5, "2.1 lock a within 10");
    assert_eq!(machine.next_deadline(), Some(15));
    tell(&mut machine, 6, "1.2 acquire s of 1 for 3");
    assert_eq!(machine.next_deadline(), Some(9));
    tell(&mut machine, 8, "1.3 refresh s 1");
    assert_eq!(machine.next_deadline(), Some(11));
    tell(&mut machine, 11, "tick");
    assert_eq!(machine.next_deadline(), Some(15));
    // A time that goes back counts as the latest.
    tell(&mut machine, 2, "3.1 lock a within 3");
    assert_eq!(machine.next_deadline(), Some(14));
    assert_eq!(tell(&mut machine, 15, "1.4 unlock a"), 3);
    assert_eq!(machine.next_deadline(), None);
}

#[test]
fn a_snapshot_shows_everything_by_name() {
    let mut machine = Coordination::new();
    assert_eq!(machine.snapshot(), Snapshot::default());
    for line in [
        "1.1 lock a owner 4",
        "2.1 lock a",
        "1.2 acquire s of 1 for 7",
        "2.2 acquire s of 1",
        "1.3 raise e",
        "2.3 wait f",
        "1.4 set v xyz",
        "2.4 get w",
        "1.5 put q xy max 1",
        "2.5 put q z max 1",
        "2.6 take r",
        "1.6 subscribe t",
        "2.7 subscribe t",
    ] {
        tell(&mut machine, 0, line);
    }
    tell(&mut machine, 7, "tick");
    let shown = format!("{:?}", machine.snapshot());
    for piece in [
        r#"LockView { name: "a", holder: HolderId(1), owner: OwnerId(4), waiting: [HolderId(2)] }"#,
        r#"SemaphoreView { name: "s", max_leases: 1, leases: ["#,
        "LeaseView { id: LeaseId(2), holder: HolderId(2), state: Live, until: 107 }",
        "LeaseView { id: LeaseId(1), holder: HolderId(1), state: Expired, until: 7 }",
        r#"EventView { name: "e", set: true, waiting: [] }, EventView { name: "f", set: false, waiting: [HolderId(2)] }"#,
        r#"VariableView { name: "v", nbytes: Some(3), waiting: [] }, VariableView { name: "w", nbytes: None, waiting: [HolderId(2)] }"#,
        r#"QueueView { name: "q", maxsize: 1, items: 1, nbytes: 2, getting: [], putting: [HolderId(2)] }"#,
        r#"QueueView { name: "r", maxsize: 0, items: 0, nbytes: 0, getting: [HolderId(2)], putting: [] }"#,
        r#"TopicView { name: "t", subscribers: [HolderId(1), HolderId(2)] }"#,
    ] {
        assert!(shown.contains(piece), "{piece} is not in {shown}");
    }
}

/// Calls, answers and snapshots go to other processes, so they have a form as bytes; the machine itself may move to a thread.
#[test]
fn what_travels_can_travel() {
    fn travels<T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static>() {}
    fn moves<T: Send + 'static>() {}
    travels::<Ask>();
    travels::<Answer>();
    travels::<Snapshot>();
    moves::<Coordination>();
    moves::<Event>();
}
