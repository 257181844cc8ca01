//! Copies of chunks: wanted ones, surplus ones, and those that are made so that a worker may go.

use crate::check::check;

#[test]
fn as_many_copies_as_are_wanted() {
    check(
        "
        worker ada
        worker bob
        worker cat
        layer x 4
        submit r1 x
        expect r1 done
        replicate 3 x
        until nothing moves
        expect x stored at ada bob cat
        expect x ran 4
    ",
    );
}

#[test]
fn copies_that_nobody_asked_for_are_dropped_but_never_the_last() {
    check(
        "
        worker ada
        worker bob
        worker cat
        layer x 1 : bytes 1000
        layer y 3 every of x : takes 50000
        submit r1 x y
        expect r1 done
        wait 10000000
        expect r1 done
        expect ada holds at most 1 of x
        expect x stored
        expect x ran 1
    ",
    );
}

#[test]
fn a_worker_whose_copy_is_needed_keeps_it() {
    check(
        "
        worker ada
        worker bob
        layer x 1 : bytes 1000
        layer slow 2 every of x : takes 8000000
        submit r1 slow
        until slow#1 runs
        wait 20000000
        expect r1 done
        expect x ran 1
    ",
    );
}

/// The task has been given its input and waits for a thread; of the two copies the one that it does not read is dropped.
#[test]
fn a_worker_whose_copy_a_waiting_task_will_read_keeps_it() {
    check(
        "
        worker ada
        worker bob
        layer x 1 : bytes 1000 only ada
        layer long 1 : takes 9000000 only bob
        layer reader 1 each of x : only bob
        submit r1 long reader
        until long runs
        wait 1000000
        expect x stored at ada bob
        wait 6000000
        expect long runs at bob
        expect not reader runs
        expect x stored at bob
        expect r1 done
        expect x ran 1
        expect reader ran 1
    ",
    );
}

#[test]
fn a_worker_stays_when_all_others_are_full() {
    check(
        "
        set memory 100000
        worker ada
        worker bob
        layer x 4 : only ada
        submit r1 x
        expect r1 done
        pressure bob
        wait 1000
        retire ada
        wait 5000000
        expect not ada gone
        layer y 4
        submit r2 y
        expect r2 done
        relief bob
    ",
    );
}

#[test]
fn a_worker_stays_when_nobody_waits_for_it_to_go_any_longer() {
    check(
        "
        worker ada threads 2
        worker bob
        layer x 4 : only ada
        layer y 1 : only ada takes 50000
        submit r1 x y
        until x stored
        retire ada
        wait 3000
        stay ada
        wait 500000
        expect not ada gone
        expect r1 done
        layer z 4 : only ada
        submit r2 z
        expect r2 done
        retire ada
        until ada gone
        stay bob
        expect x ran 4
        expect y ran 1
    ",
    );
}

#[test]
fn when_the_one_who_takes_the_data_dies_another_takes_it() {
    check(
        "
        set delay 3000
        worker ada
        layer x 8 : bytes 1000
        submit r1 x
        expect r1 done
        worker bob
        worker cat
        retire ada
        wait 3500
        kill bob
        until ada gone
        expect x stored at cat
        expect x ran 8
    ",
    );
}

#[test]
fn nine_of_ten_retire_and_the_last_has_everything() {
    check(
        "
        worker w1
        worker w2
        worker w3
        worker w4
        worker w5
        worker w6
        worker w7
        worker w8
        worker w9
        worker w10
        layer x 100 : takes 1000
        submit r1 x
        expect r1 done
        retire w1
        retire w2
        retire w3
        retire w4
        retire w5
        retire w6
        retire w7
        retire w8
        retire w9
        until w1 gone
        until w2 gone
        until w3 gone
        until w4 gone
        until w5 gone
        until w6 gone
        until w7 gone
        until w8 gone
        until w9 gone
        expect x stored at w10
        expect x ran 100
    ",
    );
}

#[test]
fn one_who_has_taken_the_data_may_retire_as_well() {
    check(
        "
        worker ada
        layer x 10
        submit r1 x
        expect r1 done
        worker bob
        worker cat
        retire ada
        until ada gone
        retire bob
        until bob gone
        expect x stored at cat
        expect x ran 10
    ",
    );
}

#[test]
fn a_task_that_ends_on_a_retiring_worker_is_moved_too() {
    check(
        "
        worker ada
        layer x 4
        layer y 1 every of x : takes 500000
        submit r1 x y
        until y runs
        worker bob
        retire ada
        until ada gone
        expect r1 done
        expect x ran 4
        expect y ran at most 2
    ",
    );
}

#[test]
fn a_retiring_worker_is_given_nothing() {
    check(
        "
        worker ada
        layer x 1 : takes 100000
        submit r1 x
        until x runs
        worker bob
        retire ada
        layer y 20 : takes 1000
        submit r2 y
        expect r2 done
        expect y ran at ada 0
        expect r1 done
    ",
    );
}

#[test]
fn data_moves_from_full_workers_to_empty_ones() {
    check(
        "
        set memory 1000000
        worker ada
        layer x 20 : bytes 10000
        submit r1 x
        expect r1 done
        worker bob
        wait 300000
        rebalance
        until nothing moves
        wait 300000
        expect bob holds between 7 and 13 of x
        expect x ran 20
    ",
    );
}

#[test]
fn copies_survive_the_death_of_a_holder() {
    check(
        "
        worker ada
        worker bob
        worker cat
        layer x 6
        submit r1 x
        expect r1 done
        replicate 2 x
        until nothing moves
        kill ada
        until ada gone
        expect x stored
        expect x ran 6
    ",
    );
}

#[test]
fn a_paused_holder_keeps_what_its_tasks_read() {
    check(
        "
        set memory 100000
        worker ada
        worker bob
        layer x 1 : bytes 1000 only ada
        layer slow 1 every of x : takes 9000000 only bob
        submit r1 x slow
        until slow runs
        wait 1000
        expect x stored at ada bob
        pressure bob
        wait 6000000
        expect slow runs at bob
        // One copy of two was dropped, and it was the other one.
        expect x stored at bob
        expect x ran 1
        relief bob
        expect r1 done
        expect slow ran 1
    ",
    );
}
