//! Workers that die, hang, leave and come back.

use crate::check::check;

#[test]
fn what_a_dead_worker_had_is_made_again_for_a_later_run() {
    check(
        "
        worker ada
        worker bob
        layer x 10 : takes 1000
        layer total 1 every of x
        submit r1 x
        expect r1 done
        kill ada
        submit r2 total
        expect r2 done
        expect x ran between 11 and 19
    ",
    );
}

#[test]
fn a_worker_that_closes_is_no_place_for_a_task_that_prefers_it() {
    check(
        "
        set notice 10000
        worker ada
        worker bob
        layer x 1 : takes 1000
        layer y 1 each of x : prefers ada
        submit r1 x
        expect r1 done
        leave ada
        submit r2 y
        expect r2 done
        expect y ran at bob 1
    ",
    );
}

#[test]
fn results_that_died_before_they_were_read_are_made_again() {
    check(
        "
        worker ada
        worker bob
        layer x 10
        submit r1 x by c1
        lost c1
        until x stored
        kill ada
        back c1
        expect r1 done
        expect x ran at most 20
    ",
    );
}

#[test]
fn nobody_is_asked_for_what_a_dead_peer_had() {
    check(
        "
        set delay 2000
        worker ada
        worker bob
        layer x 1 : only ada bytes 1000
        layer y 1 each of x : only bob
        submit r1 y x
        until x stored
        kill ada
        until ada gone
        expect not x stored
        worker ada
        expect r1 done
        expect x ran 2
    ",
    );
}

#[test]
fn a_copy_that_vanished_without_a_word_is_found_elsewhere() {
    check(
        "
        worker ada
        worker bob
        worker cat
        layer x 1
        layer y 1 each of x : only cat
        submit r1 x
        expect r1 done
        replicate 2 x
        until nothing moves
        forget x at ada
        submit r2 y
        expect r2 done
        expect x ran 1
    ",
    );
}

#[test]
fn with_another_copy_nothing_is_made_again() {
    check(
        "
        set delay 3000
        worker ada
        worker bob
        worker cat
        layer x 1 : bytes 1000
        layer y 1 each of x : only cat
        submit r1 x
        expect r1 done
        replicate 2 x
        until nothing moves
        submit r2 y
        wait 3100
        kill ada
        expect r2 done
        expect x ran 1
    ",
    );
}

#[test]
fn a_worker_that_is_silent_for_too_long_is_given_up_and_its_tasks_run_elsewhere() {
    check(
        "
        set allowed-failures 0
        worker ada
        layer x 1 : takes 50000
        submit r1 x
        until x runs
        worker bob
        stop ada
        notice ada
        give-up ada
        expect ada gone
        expect r1 done
        expect x ran at bob 1
    ",
    );
}

#[test]
fn what_a_given_up_worker_says_later_counts_for_nothing() {
    check(
        "
        worker ada
        layer x 1 : takes 5000
        submit r1 x
        until x runs
        worker bob
        cut ada
        wait 6000
        give-up ada
        mend ada
        expect r1 done
        expect x stored at bob
    ",
    );
}

#[test]
fn a_link_that_comes_back_in_time_costs_nothing() {
    check(
        "
        worker ada
        worker bob
        layer x 10 : takes 1000
        layer y 10 each of x
        submit r1 y
        until x#0 runs
        cut ada
        notice ada
        wait 20000
        mend ada
        expect r1 done
        expect x ran 10
        expect y ran 10
    ",
    );
}

#[test]
fn a_link_of_one_direction_is_put_right() {
    check(
        "
        worker ada
        layer x 3 : takes 1000
        submit r1 x
        until x runs
        cut-from ada
        wait 30000
        expect not r1 ended
        notice ada
        mend ada
        expect r1 done
        cut-to ada
        layer y 3
        submit r2 y
        wait 30000
        expect not r2 ended
        notice ada
        mend ada
        expect r2 done
        expect x ran 3
        expect y ran 3
    ",
    );
}

#[test]
fn a_worker_without_its_link_is_given_nothing_new() {
    check(
        "
        worker ada
        worker bob
        layer x 2 : takes 1000
        submit r1 x
        until x#0 runs
        cut ada
        notice ada
        layer z 20 : takes 100
        submit r2 z
        expect r2 done
        expect z ran at ada 0
        mend ada
    ",
    );
}

#[test]
fn a_restart_cancels_what_is_pending_and_forgets_everything_but_the_workers() {
    check(
        "
        worker ada
        worker bob
        layer done 3
        layer pending 5 : takes 100000
        layer bad 1 : fails
        submit r1 done
        submit r2 bad
        expect r1 done
        expect r2 fails E0301
        submit r3 pending
        until pending runs
        restart
        expect r3 fails E0203
        expect r1 fails E0203
        expect not done#0 stored
        expect not ada gone
        expect not bob gone
        submit r4 done pending
        expect r4 done
    ",
    );
}

#[test]
fn after_a_restart_an_old_handle_does_not_free_what_is_new() {
    check(
        "
        worker ada
        layer x 3
        submit r1 x by c1
        submit r2 x by c2
        expect r1 done
        expect r2 done
        restart
        expect r1 fails E0203
        expect r2 fails E0203
        submit r3 x by c1
        expect r3 done
        release r1
        wait 100000
        expect x stored
    ",
    );
}

#[test]
fn a_restart_waits_for_no_task() {
    check(
        "
        worker ada
        layer slow 1 : takes 100000000
        submit r1 slow
        until slow runs
        restart
        expect r1 ended
        expect r1 fails E0203
    ",
    );
}

#[test]
fn data_that_arrives_after_everything_was_released_is_dropped() {
    check(
        "
        set delay 5000
        worker ada
        worker bob
        layer x 1 : only ada bytes 1000
        layer y 1 each of x : only bob
        submit r1 y
        until x stored
        wait 5500
        cancel r1
    ",
    );
}

#[test]
fn a_peer_that_dies_in_a_transfer_that_nobody_wants_any_more_leaves_nothing() {
    check(
        "
        set delay 5000
        set hang 1000000
        worker ada
        worker bob
        layer x 1 : only ada bytes 1000
        layer y 1 each of x : only bob
        submit r1 y
        until x stored
        wait 5500
        kill ada
        wait 6000
        cancel r1
    ",
    );
}

#[test]
fn a_task_that_kills_its_workers_is_given_up_and_others_are_not() {
    check(
        "
        set rejoin 1000
        worker ada
        worker bob
        layer deadly 1 : kills
        layer good 20 : takes 5000
        submit r1 deadly
        submit r2 good
        expect r1 fails E0201 deadly
        expect deadly ran 4
        expect r2 done
    ",
    );
}

#[test]
fn a_death_that_was_seen_blames_only_what_was_executing() {
    check(
        "
        set allowed-failures 0
        set rejoin 1000
        worker ada
        layer deadly 1 : kills
        layer x 1
        layer good 20 every of x : takes 5000
        submit r2 good
        until good#0 runs
        submit r1 deadly
        kill-seen ada
        expect r2 fails E0201 good
        expect r1 fails E0201 deadly
        submit r3 good#19
        expect r3 done
    ",
    );
}

#[test]
fn whoever_leaves_on_request_blames_nobody() {
    check(
        "
        set allowed-failures 0
        worker ada
        layer x 1 : takes 50000
        submit r1 x
        until x runs
        worker bob
        leave ada
        expect r1 done
    ",
    );
}

#[test]
fn peers_are_told_of_deaths_and_do_not_wait_for_a_connection_to_time_out() {
    check(
        "
        set hang 120000000
        set delay 2000
        worker ada
        worker bob
        worker cat
        layer x 1 : bytes 1000
        layer y 1 each of x : only cat
        submit r1 x
        expect r1 done
        replicate 2 x
        until nothing moves
        submit r2 y
        wait 2100
        kill ada
        kill bob
        wait 200000
        expect r2 ended
    ",
    );
}

#[test]
fn each_way_to_end_is_noticed() {
    check(
        "
        worker ada
        worker bob
        worker cat
        worker dan
        layer x 40 : takes 3000
        submit r1 x
        until 4 of x ran
        kill ada
        wait 2000
        kill-seen bob
        wait 2000
        leave cat
        until cat gone
        expect ada gone
        expect bob gone
        expect r1 done
    ",
    );
}

#[test]
fn a_worker_of_an_old_name_is_a_new_worker() {
    check(
        "
        set rejoin 100
        worker ada
        layer x 5 : takes 1000
        layer y 1 every of x
        submit r1 y
        until 3 of x stored
        kill ada
        expect r1 done
        expect x ran at most 10
    ",
    );
}

#[test]
fn all_workers_may_die_and_the_run_goes_on_when_one_returns() {
    check(
        "
        worker ada
        worker bob
        layer x 10 : takes 1000
        layer y 1 every of x
        submit r1 y
        until 3 of x stored
        kill ada
        kill bob
        wait 20000000
        expect not r1 ended
        expect r1 notes worker
        worker cat
        expect r1 done
    ",
    );
}
