//! Memory: spilling, pausing, refusing what can never fit.

use crate::check::check;

#[test]
fn more_than_fits_goes_to_disk() {
    check(
        "
        set memory 1200
        worker ada
        layer x 6 : bytes 300
        layer y 3 group 2 of x : bytes 8
        submit r1 x y
        expect r1 done
        expect spills at least 2
        expect x ran 6
    ",
    );
}

#[test]
fn a_full_disk_keeps_data_in_memory_and_nothing_stops() {
    check(
        "
        set memory 1200
        worker ada
        fill-disk ada
        layer x 6 : bytes 300
        layer y 3 group 2 of x : bytes 8
        submit r1 x y
        expect r1 done
        expect x ran 6
    ",
    );
}

#[test]
fn a_spilled_chunk_that_is_released_is_not_read_again() {
    check(
        "
        set memory 1200
        set load-fails 1
        worker ada
        layer x 6 : bytes 300
        submit r1 x
        expect r1 done
        expect spills at least 2
        release r1
        wait 10000
        expect not 1 of x stored
        expect x ran 6
    ",
    );
}

#[test]
fn a_spilled_chunk_that_is_damaged_is_made_again() {
    check(
        "
        set memory 1200
        worker ada
        layer x 6 : bytes 300
        layer y 3 group 2 of x : bytes 8
        submit r1 x
        expect r1 done
        expect spills at least 2
        set load-fails 0.5
        submit r2 y
        expect r2 done
        expect x ran at least 6
    ",
    );
}

#[test]
fn what_can_never_fit_is_refused_and_the_cluster_goes_on() {
    check(
        "
        set memory 1000
        worker ada
        worker bob
        layer x 6 : bytes 400
        layer y 1 every of x
        layer z 4 : bytes 100
        submit r1 y
        expect r1 fails E0204
        submit r2 z
        expect r2 done
        expect y ran 0
    ",
    );
}

#[test]
fn a_worker_that_pauses_hands_back_what_it_has_not_started() {
    check(
        "
        set memory 100000
        worker ada
        layer x 1
        layer y 20 every of x : takes 10000
        submit r1 y
        until 2 of y ran
        worker bob
        pressure ada
        wait 50000
        expect ada has at most 1
        expect r1 done
        expect y ran 20
        expect y ran at bob at least 15
    ",
    );
}

#[test]
fn a_paused_worker_fetches_nothing() {
    check(
        "
        set memory 100000
        worker ada
        worker bob
        layer x 4 : only ada
        layer y 1 every of x : only bob
        submit r1 x
        expect r1 done
        layer busy 1 : only bob takes 200000
        submit r2 busy
        until busy runs
        pressure bob
        submit r3 y
        wait 100000
        expect y ran 0
        expect bob holds 0 of x
        relief bob
        expect r3 done
    ",
    );
}
