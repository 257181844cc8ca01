//! Work that moves to where it is done sooner, and work that stays.

use crate::check::check;

#[test]
fn what_is_dear_to_move_and_quick_to_do_stays() {
    check(
        "
        worker ada
        worker bob
        layer x 1 : bytes 8000000
        layer y 100 every of x : takes 100
        submit r1 y#0 y#1 y#2
        expect r1 done
        submit r2 y
        expect r2 done
        expect y ran at bob at most 3
    ",
    );
}

#[test]
fn many_workers_share_what_one_could_not_do_soon() {
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
        layer x 1
        layer y 100 every of x : takes 100000
        submit r1 y
        expect r1 done
        expect y ran 100
        expect y ran at w1 between 3 and 29
        expect y ran at w5 between 3 and 29
        expect y ran at w10 between 3 and 29
    ",
    );
}

#[test]
fn a_newcomer_helps() {
    check(
        "
        worker ada
        layer x 1
        layer y 100 every of x : takes 20000
        submit r1 y
        until 5 of y ran
        worker bob
        expect r1 done
        expect y ran 100
        expect y ran at bob between 30 and 60
    ",
    );
}

#[test]
fn work_moves_as_often_as_somebody_joins() {
    check(
        "
        worker ada
        layer x 1
        layer y 120 every of x : takes 20000
        submit r1 y
        until 3 of y ran
        worker bob
        wait 200000
        worker c1
        worker c2
        worker c3
        worker c4
        worker c5
        worker c6
        worker c7
        worker c8
        worker c9
        worker c10
        expect r1 done
        expect y ran 120
        expect y ran at ada between 4 and 30
        expect y ran at bob between 4 and 30
        expect y ran at c1 between 4 and 21
        expect y ran at c10 between 4 and 21
    ",
    );
}

#[test]
fn what_runs_is_not_moved() {
    check(
        "
        worker ada
        layer x 1
        layer y 2 every of x : takes 500000
        submit r1 y
        until y#0 runs
        worker bob
        worker cat
        expect r1 done
        expect y#0 ran at ada 1
        expect y ran 2
    ",
    );
}

#[test]
fn a_worker_without_memory_takes_nothing() {
    check(
        "
        set memory 100000
        worker ada
        worker bob
        pressure bob
        layer x 1 : only ada
        layer y 30 every of x : takes 20000
        submit r1 y
        until 10 of y ran
        expect y ran at bob 0
        relief bob
        expect r1 done
        expect y ran 30
    ",
    );
}

#[test]
fn resources_decide_where_work_may_move() {
    check(
        "
        worker ada offers A 4000
        layer x 1
        layer y 40 every of x : takes 50000 needs A 1000
        layer z 40 every of x : takes 50000
        submit r1 y
        submit r2 z
        until 4 of y ran
        worker bob offers A 4000
        worker cat
        expect r1 done
        expect r2 done
        expect y ran at cat 0
        expect y ran at bob at least 10
        expect z ran at cat at least 10
    ",
    );
}

#[test]
fn few_tasks_are_not_worth_copies_of_what_they_read() {
    check(
        "
        worker w1
        worker w2
        worker w3
        worker w4
        worker w5
        worker w6
        layer x 1 : bytes 20000000
        layer y 2 every of x : takes 1000
        submit r1 y
        expect r1 done
        expect steals 0
        expect copies 0
    ",
    );
}

#[test]
fn very_fast_tasks_are_spread_evenly() {
    check(
        "
        worker w1
        worker w2
        worker w3
        worker w4
        layer y 1000 : takes 2000
        submit r1 y
        expect r1 done
        expect y ran at w1 between 125 and 375
        expect y ran at w2 between 125 and 375
        expect y ran at w3 between 125 and 375
        expect y ran at w4 between 125 and 375
    ",
    );
}

#[test]
fn a_trivial_load_moves_nothing() {
    check(
        "
        worker ada
        worker bob
        layer y 1000 : takes 10
        submit r1 y
        expect r1 done
        expect steals 0
    ",
    );
}

#[test]
fn a_try_that_is_asked_back_while_its_worker_dies_runs_once_more_and_only_once() {
    check(
        "
        set delay 3000
        worker ada
        layer x 1
        layer y 60 every of x : takes 20000
        submit r1 y
        until 3 of y ran
        worker bob
        wait 105000
        kill ada
        expect r1 done
        expect y ran at most 70
    ",
    );
}

#[test]
fn answers_that_come_twice_move_a_task_once() {
    check(
        "
        set doubled 1
        set delay 2000
        worker ada
        layer x 1
        layer y 60 every of x : takes 20000
        submit r1 y
        until 3 of y ran
        worker bob
        worker cat
        expect r1 done
        expect y ran 60
    ",
    );
}

#[test]
fn work_on_its_way_to_another_is_cancelled_like_any() {
    check(
        "
        set delay 3000
        worker ada
        layer x 1
        layer y 60 every of x : takes 20000
        submit r1 y
        until 3 of y ran
        worker bob
        wait 104000
        cancel r1
        layer z 5
        submit r2 z
        expect r2 done
    ",
    );
}
