//! Runs whose keys end one by one: each key has its own end, and its own interest.

use crate::check::check;

#[test]
fn a_task_that_fails_spares_the_other_keys() {
    check(
        "
        worker ada threads 2
        layer read 6 : takes 1000
        layer map 6 each of read : takes 1000 fails at 2
        futures r1 map
        expect map#2 of r1 fails E0301 fails on purpose
        expect map#0 of r1 done
        expect map#5 of r1 done
        expect r1 done
        expect read ran 6
    ",
    );
}

#[test]
fn all_that_needs_a_failed_task_fails_with_it_and_nothing_else() {
    check(
        "
        worker ada
        worker bob
        layer read 4 : takes 1000 fails at 1
        layer map 4 each of read : takes 1000
        layer twice 4 each of map : takes 1000
        layer pairs 2 group 2 of map : takes 1000
        futures r1 map twice pairs
        expect map#1 of r1 fails E0301 read#1
        expect twice#1 of r1 fails E0301 read#1
        expect pairs#0 of r1 fails E0301 read#1
        expect map#3 of r1 done
        expect twice#0 of r1 done
        expect pairs#1 of r1 done
        expect r1 done
        expect map ran 3
        expect twice ran 3
        expect pairs ran 1
    ",
    );
}

#[test]
fn one_failure_ends_a_run_as_a_whole_and_one_key_of_another() {
    check(
        "
        worker ada
        layer x 4 : takes 1000 fails at 0
        layer sum 1 every of x
        futures r1 x by c1
        submit r2 sum by c2
        expect r2 fails E0301
        expect x#0 of r1 fails E0301
        expect x#3 of r1 done
        expect sum ran 0
        expect x ran 4
    ",
    );
}

#[test]
fn a_time_limit_ends_one_key() {
    check(
        "
        worker ada threads 2
        layer x 5 : takes 1000 endless at 1 timeout 50000
        futures r1 x
        expect x#1 of r1 fails E0210
        expect x#0 of r1 done
        expect x#4 of r1 done
        expect r1 done
    ",
    );
}

#[test]
fn a_task_that_kills_its_workers_ends_its_own_key_only() {
    check(
        "
        set allowed-failures 0
        set rejoin 1000
        worker ada
        worker bob
        layer x 4 : takes 1000 kills at 2
        futures r1 x
        expect x#2 of r1 fails E0201
        expect x#0 of r1 done
        expect x#3 of r1 done
        expect r1 done
    ",
    );
}

#[test]
fn keys_that_died_before_they_were_read_are_made_again() {
    check(
        "
        worker ada
        worker bob
        layer x 10 : takes 1000
        futures r1 x by c1
        lost c1
        until x stored
        kill ada
        back c1
        expect x#9 of r1 done
        expect r1 done
        expect x ran at most 20
    ",
    );
}

#[test]
fn deaths_at_any_moment_change_no_key() {
    for moment in (0..30).map(|step| step * 400) {
        check(&format!(
            "
            set delay 300
            set rejoin 1000
            worker ada
            worker bob
            layer read 8 : takes 1000 fails at 5
            layer map 8 each of read : takes 1000
            layer sums 4 group 2 of map
            futures r1 map sums
            wait {moment}
            kill bob
            expect map#5 of r1 fails E0301
            expect sums#2 of r1 fails E0301
            expect map#7 of r1 done
            expect sums#3 of r1 done
            expect r1 done
        "
        ));
    }
}

#[test]
fn what_is_dropped_before_it_began_never_runs() {
    check(
        "
        worker ada
        layer x 10 : takes 10000
        layer y 10 each of x
        futures r1 y
        until x#0 runs
        drop r1 y#7 y#8 y#9
        expect r1 done
        expect x ran 7
        expect y ran 7
        expect x#8 ran 0
    ",
    );
}

#[test]
fn what_runs_for_a_dropped_key_is_stopped() {
    check(
        "
        worker ada threads 2
        layer x 2 : endless timeout 60000000
        layer y 3 : takes 1000
        futures r1 x y
        until x#1 runs
        drop r1 x
        expect y of r1 done
        expect r1 done
        wait 10000
        expect nothing runs
    ",
    );
}

#[test]
fn a_dropped_chunk_stays_as_long_as_somebody_else_wants_it() {
    check(
        "
        worker ada
        layer x 4
        futures r1 x by c1
        submit r2 x#0 by c2
        expect r1 done
        expect r2 done
        drop r1 x
        wait 10000
        expect x#0 stored
        expect not 1 of x#1 stored
        release r2
        wait 10000
        expect not 1 of x stored
        release r1
        expect nothing wanted
    ",
    );
}

#[test]
fn a_failure_is_a_result_until_it_is_dropped() {
    check(
        "
        worker ada
        layer x 2 : takes 1000 fails-times 1
        futures r1 x
        expect x#0 of r1 fails E0301
        expect x#1 of r1 done
        futures r2 x#0
        expect x#0 of r2 fails E0301
        expect x#0 ran 1
        drop r1 x#0
        drop r2 x#0
        futures r3 x#0
        expect x#0 of r3 done
        expect x#0 ran 2
    ",
    );
}

#[test]
fn dropping_at_any_moment_leaves_nothing_and_stops_nothing_else() {
    for moment in (0..40).map(|step| step * 700) {
        check(&format!(
            "
            set delay 400
            worker ada threads 2
            worker bob
            layer x 20 : takes 1000
            layer y 10 group 2 of x : takes 1000 pieces 3 bytes 40
            layer z 3 part of y : takes 1000
            futures r1 z y#0
            wait {moment}
            drop r1 z#1 y#0
            expect z#0 of r1 done
            expect r1 done
        "
        ));
    }
}

#[test]
fn whoever_drops_everything_has_a_run_that_is_done() {
    check(
        "
        worker ada
        layer x 4 : endless timeout 60000000
        futures r1 x
        until x#0 runs
        drop r1 x
        expect r1 done
        wait 10000
        expect nothing runs
        release r1
        expect nothing wanted
    ",
    );
}

#[test]
fn a_restart_ends_the_run_as_a_whole() {
    check(
        "
        worker ada
        layer x 4 : takes 1000000
        futures r1 x
        until x#1 runs
        restart
        expect r1 fails E0203
        futures r2 x
        expect r2 done
    ",
    );
}

#[test]
fn small_values_come_with_the_end_of_their_key() {
    check(
        "
        set inline 100
        worker ada
        layer x 5
        layer large 1 : bytes 1000
        futures r1 x large
        expect x#3 of r1 done
        expect x#4 of r1 done
        expect large of r1 done
        expect values 5
    ",
    );
}

#[test]
fn what_is_stored_already_has_its_end_at_once() {
    check(
        "
        worker ada
        layer x 4
        submit r1 x
        expect r1 done
        futures r2 x
        expect r2 done
        expect x ran 4
    ",
    );
}
