//! Results, failures, cancelling, and several clients.

use crate::check::check;

#[test]
fn a_task_is_tried_again_as_often_as_is_wished() {
    for (retries, ends) in [(3, "done"), (2, "done"), (1, "fails E0301"), (0, "fails E0301")] {
        check(&format!(
            "
            worker ada
            layer x 1 : fails-times 2 retries {retries}
            submit r1 x
            expect r1 {ends}
            expect x ran {}
        ",
            1 + retries.min(2)
        ));
    }
}

#[test]
fn a_failure_is_a_result_and_nothing_runs_again_for_it() {
    check(
        "
        worker ada
        layer x 1 : fails
        layer y 1 each of x
        submit r1 x
        expect r1 fails E0301 on purpose
        submit r2 y
        expect r2 fails E0301 x#0
        submit r3 x
        expect r3 fails E0301
        expect x ran 1
        expect y ran 0
    ",
    );
}

#[test]
fn chunks_between_are_freed_when_a_run_fails() {
    check(
        "
        worker ada
        layer x 5
        layer y 5 each of x : fails at 3
        submit r1 y
        expect r1 fails E0301
        wait 100000
        expect not 1 of x stored
        expect not 1 of y stored
    ",
    );
}

#[test]
fn two_clients_share_what_is_the_same() {
    check(
        "
        worker ada
        layer x 5 : takes 1000
        layer bad 1 : fails
        submit r1 x by c1
        submit r2 x by c2
        submit r3 bad by c1
        submit r4 bad by c2
        expect r1 done
        expect r2 done
        expect r3 fails E0301
        expect r4 fails E0301
        expect x ran 5
        expect bad ran 1
    ",
    );
}

#[test]
fn what_was_released_is_made_again_when_it_is_needed() {
    check(
        "
        worker ada
        layer x 3
        layer y 3 each of x
        submit r1 x
        expect r1 done
        release r1
        wait 10000
        expect not 1 of x stored
        submit r2 y
        expect r2 done
        expect x ran 6
    ",
    );
}

#[test]
fn a_client_that_does_not_come_back_leaves_nothing() {
    check(
        "
        set grace 1000000
        worker ada
        layer slow 4 : takes 60000000
        submit r1 slow by c1
        until slow runs
        lost c1
        wait 500000
        expect slow runs
        wait 1000000
        expect nothing wanted
    ",
    );
}

#[test]
fn a_client_that_comes_back_in_time_has_its_results() {
    check(
        "
        set grace 1000000
        worker ada
        layer x 4 : takes 100000
        submit r1 x by c1
        until x runs
        lost c1
        wait 900000
        back c1
        wait 5000000
        expect r1 done
        expect x ran 4
    ",
    );
}

#[test]
fn whoever_says_goodbye_is_released_at_once() {
    check(
        "
        worker ada
        layer x 4 : takes 60000000
        submit r1 x by c1
        until x runs
        goodbye c1
        expect nothing wanted
    ",
    );
}

#[test]
fn cancelling_is_for_one_client() {
    check(
        "
        worker ada
        layer x 4 : takes 10000
        submit r1 x by c1
        submit r2 x by c2
        until x runs
        cancel r1
        expect r2 done
        expect x ran 4
    ",
    );
}

#[test]
fn a_chunk_stays_until_the_last_client_has_let_go() {
    check(
        "
        worker ada
        layer x 4
        submit r1 x by c1
        submit r2 x by c2
        expect r1 done
        expect r2 done
        release r1
        wait 10000
        expect x stored
        release r2
        wait 10000
        expect not 1 of x stored
    ",
    );
}

#[test]
fn useless_work_stops_at_once() {
    check(
        "
        worker ada threads 2
        worker bob threads 2
        layer x 1000 : takes 10000
        submit r1 x
        until 8 of x ran
        cancel r1
        wait 15000
        expect nothing runs
        expect x ran at most 20
    ",
    );
}

#[test]
fn an_operator_that_never_returns_is_stopped_by_its_time_limit() {
    check(
        "
        worker ada
        layer x 1 : endless timeout 50000
        layer y 3
        submit r1 x
        submit r2 y
        expect r1 fails E0210
        expect r2 done
    ",
    );
}

#[test]
fn an_operator_that_never_returns_is_stopped_by_cancelling() {
    check(
        "
        worker ada
        layer x 1 : endless
        layer y 3
        submit r1 x
        until x runs
        cancel r1
        submit r2 y
        expect r2 done
    ",
    );
}

#[test]
fn a_time_limit_counts_for_each_try() {
    check(
        "
        worker ada
        layer x 1 : endless timeout 50000 retries 2
        submit r1 x
        expect r1 fails E0210
        expect x ran 3
    ",
    );
}

#[test]
fn a_failure_of_an_old_try_fails_nothing_new() {
    check(
        "
        set delay 5000
        worker ada
        layer x 1 : takes 1000 fails-times 1
        submit r1 x
        until x runs
        cancel r1
        submit r2 x
        wait 100000
        expect x ran at most 2
        expect r2 done
    ",
    );
}

#[test]
fn what_queued_tasks_read_may_be_lost_before_they_run() {
    check(
        "
        set saturation 1
        set delay 2000
        worker ada
        worker bob
        layer x 20 : takes 2000
        layer y 20 every of x : takes 2000
        layer z 20 each of y, each of x : takes 2000
        submit r1 z
        until 15 of x stored
        kill ada
        expect r1 done
    ",
    );
}

#[test]
fn a_result_that_moves_while_it_is_read_is_read_where_it_went() {
    check(
        "
        worker ada
        layer x 5
        submit r1 x by c1
        lost c1
        until x stored
        worker bob
        retire ada
        until ada gone
        back c1
        expect r1 done
        expect x ran 5
    ",
    );
}

#[test]
fn fetches_that_fail_are_tried_again() {
    check(
        "
        set fetch-fails 0.5
        set allowed-failures 0
        worker ada
        worker bob
        layer x 20 : takes 1000
        layer y 1 every of x
        submit r1 y
        expect r1 done
    ",
    );
}

/// Bob holds what ada has asked for until ada is stopped too and nobody wants it any more; when ada goes on, the answer comes twice,
/// and beside it a task that needs the chunk after all. Neither a chunk that was dropped nor a refusal counts for what the task asks.
#[test]
fn an_answer_that_comes_twice_is_none_to_what_is_asked_next() {
    for fails in [0, 1] {
        check(&format!(
            "
            set delay 0
            set doubled 1
            worker ada
            worker bob
            layer x 1 : only bob bytes 1000
            layer y 1 each of x : only ada
            layer z 1 each of x : only ada
            submit r1 x
            expect r1 done
            stop bob
            submit r2 y
            wait 10
            cancel r2
            wait 10
            stop ada
            set fetch-fails {fails}
            mend bob
            set fetch-fails 0
            wait 10
            submit r3 z
            wait 10
            mend ada
            expect r3 done
            expect x ran 1
            expect y ran 0
            expect z ran 1
        "
        ));
    }
}

#[test]
fn one_task_that_cannot_go_on_spares_the_others() {
    check(
        "
        worker ada
        layer bad 1 : fails
        layer good 10 : takes 1000
        submit r1 bad
        submit r2 good
        expect r1 fails E0301
        expect r2 done
    ",
    );
}

#[test]
fn a_fetch_that_is_pending_when_all_is_released_leaves_no_task() {
    check(
        "
        set hang 50000
        set delay 2000
        worker ada
        worker bob
        layer x 3 : only ada
        layer y 1 every of x : only bob
        submit r1 y
        until x stored
        wait 2100
        stop ada
        wait 1000
        cancel r1
        kill ada
    ",
    );
}

#[test]
fn a_busy_peer_is_asked_again_and_others_serve_meanwhile() {
    check(
        "
        set busy 0.7
        worker w1
        worker w2
        worker w3
        worker w4
        worker w5
        layer x 1 : bytes 1000 only w1
        layer y2 1 each of x : only w2
        layer y3 1 each of x : only w3
        layer y4 1 each of x : only w4
        layer y5 1 each of x : only w5
        submit r1 y2 y3 y4 y5
        expect r1 done
        expect x ran 1
    ",
    );
}

/// Each worker serves one request at a time. Whoever has fetched the chunk serves it too, although those that wait were told of its
/// maker alone: with one server it would take nineteen rounds, with whoever has it a few.
#[test]
fn those_who_have_a_copy_of_what_all_read_serve_too() {
    let readers = (2..=20).map(|n| format!("layer y{n} 1 each of x : only w{n}\n")).collect::<String>();
    let workers = (1..=20).map(|n| format!("worker w{n}\n")).collect::<String>();
    let wanted = (2..=20).map(|n| format!(" y{n}")).collect::<String>();
    check(&format!(
        "
        set serves 1
        set delay 2000
        {workers}
        layer x 1 : bytes 1000 only w1
        {readers}
        submit r1{wanted}
        expect r1 done
        expect x ran 1
        expect x served by at least 3
        expect x served at w1 at most 9
    "
    ));
}

#[test]
fn small_values_come_with_the_answer() {
    check(
        "
        set inline 100
        worker ada
        layer x 5
        layer large 1 : bytes 1000
        submit r1 x large
        expect r1 done
        expect values 5
    ",
    );
}

#[test]
fn cancelling_at_any_moment_leaves_nothing() {
    for moment in (0..60).map(|step| step * 700) {
        check(&format!(
            "
            set delay 400
            worker ada threads 2
            worker bob
            layer x 20 : takes 1000
            layer y 10 group 2 of x : takes 1000 pieces 3 bytes 40
            layer z 3 part of y : takes 1000
            submit r1 z
            wait {moment}
            cancel r1
            submit r2 z
            wait 500
            cancel r2
        "
        ));
    }
}

#[test]
fn a_result_out_of_reach_of_which_another_copy_turns_up_is_read_there() {
    // When the scheduler says that the result is there it knows of no copy but the one that has just died. It hears of bob's before
    // it hears of the death, so nothing is lost for it, nothing is made again and nothing is said once more.
    for how in ["submit", "futures"] {
        check(&format!(
            "
            set notice 1000000
            worker ada
            worker bob
            layer x 1 : only ada
            layer y 1 each of x : takes 100000 only bob
            submit r1 x y
            until y runs
            kill ada
            {how} r2 x
            expect not r2 ended
            expect r2 done
            until ada gone
            expect x ran 1
            expect x stored at bob
        "
        ));
    }
}
