//! Tasks that wait inside: for a while, or for what they have submitted themselves.

use crate::check::check;

#[test]
fn whoever_waits_inside_frees_its_slot() {
    check(
        "
        worker ada
        layer x 5 : takes 100 waits 1000000
        submit r1 x
        until 5 of x wait
        expect x ran 5
        expect ada has 5
        expect r1 done
        expect x ran 5
    ",
    );
}

#[test]
fn when_every_slot_is_taken_by_tasks_that_wait_the_others_run() {
    check(
        "
        worker ada
        worker bob threads 2
        layer inner 10 : takes 1000
        layer outer 20 : takes 200 waits-for inner
        submit r1 outer
        expect r1 done
        expect inner ran 10
        expect outer ran 20
    ",
    );
}

#[test]
fn tasks_wait_for_tasks_that_wait() {
    for threads in [1, 2, 4] {
        check(&format!(
            "
            worker ada threads {threads}
            layer a 3 : takes 100
            layer b 3 each of a : takes 100 waits-for a
            layer c 3 : takes 100 waits-for b#0 waits 50 waits-for b#2
            layer d 3 : takes 100 waits-for c waits-for a
            submit r1 d
            expect r1 done
            expect d ran 3
        ",
        ));
    }
}

#[test]
fn whoever_waits_where_a_worker_dies_runs_again_and_what_it_submitted_is_let_go() {
    check(
        "
        worker ada
        worker bob
        layer inner 4 : takes 100000
        layer outer 4 : takes 100 waits-for inner
        submit r1 outer
        until 4 of outer wait
        kill ada
        expect r1 done
        expect outer ran between 5 and 8
    ",
    );
}

#[test]
fn a_link_that_breaks_under_tasks_that_wait_costs_nothing() {
    check(
        "
        worker ada
        layer inner 3 : takes 1000
        layer outer 3 : takes 100 waits-for inner waits 5000
        submit r1 outer
        until 3 of outer wait
        cut ada
        wait 20000
        notice ada
        wait 20000
        mend ada
        expect r1 done
        expect outer ran 3
    ",
    );
}

#[test]
fn what_waits_inside_is_not_moved() {
    check(
        "
        worker ada
        layer x 1 : takes 100 waits 500000
        submit r1 x
        until 1 of x wait
        worker bob
        expect r1 done
        expect steals 0
        expect x ran at ada 1
        expect x ran 1
    ",
    );
}

#[test]
fn what_waits_inside_keeps_its_resource() {
    check(
        "
        worker ada threads 4 offers GPU 1000
        layer x 3 : takes 100 waits 10000 needs GPU 1000
        submit r1 x
        expect r1 done
        expect most 1 of x at a time
    ",
    );
}

#[test]
fn what_waits_inside_is_cancelled_like_any() {
    check(
        "
        worker ada threads 2
        layer inner 1 : takes 1000000
        layer outer 3 : takes 100 waits-for inner
        layer y 3 : takes 100
        submit r1 outer
        until 3 of outer wait
        cancel r1
        submit r2 y
        expect r2 done
        wait 10000
        expect not 1 of outer wait
        until nothing runs
        expect inner ran at most 1
    ",
    );
}

#[test]
fn a_time_limit_counts_the_time_that_is_waited() {
    check(
        "
        worker ada
        layer x 1 : takes 100 waits 60000000 timeout 50000
        layer y 3
        submit r1 x
        submit r2 y
        expect r1 fails E0210
        expect r2 done
        wait 10000
        expect not 1 of x wait
    ",
    );
}

#[test]
fn what_is_waited_for_may_fail() {
    check(
        "
        worker ada
        layer inner 2 : takes 100 fails at 1
        layer outer 3 : takes 100 waits-for inner
        submit r1 outer
        expect r1 done
    ",
    );
}

#[test]
fn a_worker_that_is_out_of_memory_runs_what_its_tasks_wait_for() {
    check(
        "
        set memory 100000
        worker ada threads 2
        layer inner 5 : takes 5000
        layer outer 3 : takes 100 waits-for inner
        submit r1 outer
        until 3 of outer wait
        pressure ada
        expect r1 done
        expect outer ran 3
    ",
    );
}

#[test]
fn a_worker_retires_when_what_its_tasks_wait_for_was_done_elsewhere() {
    check(
        "
        worker ada
        layer inner 3 : takes 10000
        layer outer 1 : takes 100 waits-for inner
        submit r1 outer
        until 1 of outer wait
        worker bob
        retire ada
        expect r1 done
        until ada gone
        expect outer ran 1
        expect inner ran at bob at least 1
    ",
    );
}

#[test]
fn a_worker_stays_when_nobody_else_can_run_what_its_tasks_wait_for() {
    for (who, wish) in [("", ""), ("worker bob", "only ada")] {
        check(&format!(
            "
            worker ada
            {who}
            layer inner 3 : takes 10000 {wish}
            layer outer 1 : takes 100 waits-for inner only ada
            submit r1 outer
            until 1 of outer wait
            retire ada
            expect r1 done
            expect not ada gone
            expect outer ran 1
        "
        ));
    }
}
