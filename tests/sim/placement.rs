//! Where tasks go, in what order, and what they wait for.

use crate::check::check;

#[test]
fn roots_wait_in_a_queue_and_not_at_workers() {
    for (saturation, most) in [("2.5", 5), ("2", 4), ("1.1", 3), ("1", 2), ("0.1", 1)] {
        check(&format!(
            "
            set saturation {saturation}
            worker ada threads 2
            worker bob
            layer x 10 : takes 1000000
            submit r1 x
            wait 1000
            expect ada has at most {most}
            expect bob has at least 1
            expect ada has at least 1
            cancel r1
        "
        ));
    }
}

#[test]
fn the_queue_fills_and_empties_with_the_workers() {
    check(
        "
        worker ada threads 2
        worker bob threads 2
        layer x 10 : takes 10000
        submit r1 x
        until x#0 runs
        kill ada
        wait 1000
        worker cat threads 2
        expect r1 done
        expect x ran at most 12
    ",
    );
}

#[test]
fn without_workers_a_run_waits_and_says_so() {
    check(
        "
        layer x 3
        submit r1 x
        wait 4000000
        expect not r1 ended
        wait 2000000
        expect r1 notes worker
        worker ada
        expect r1 done
    ",
    );
}

#[test]
fn a_wish_that_nobody_can_meet_fails_when_somebody_set_a_time() {
    check(
        "
        set no-workers-timeout 100000
        worker ada
        layer x 2 : only nobody
        layer y 2
        submit r1 x
        submit r2 y
        expect r1 fails E0205
        expect r2 done
    ",
    );
}

#[test]
fn a_wish_that_nobody_can_meet_waits_otherwise() {
    check(
        "
        worker ada
        layer x 2 : only bob
        submit r1 x
        wait 6000000
        expect not r1 ended
        expect r1 notes worker
        worker bob
        expect r1 done
        expect x ran at bob 2
    ",
    );
}

#[test]
fn a_preference_for_an_unknown_host_is_no_obstacle() {
    check(
        "
        worker ada
        layer x 2 : prefers nowhere
        submit r1 x
        expect r1 done
    ",
    );
}

#[test]
fn a_host_may_be_named_in_place_of_a_worker() {
    check(
        "
        worker ada host north
        worker bob host south
        worker cat host south
        layer x 10 : only south takes 1000
        submit r1 x
        expect r1 done
        expect x ran at ada 0
    ",
    );
}

#[test]
fn resources_lead_to_the_right_worker() {
    check(
        "
        worker ada offers A 1000
        worker bob offers B 1000
        layer a 3 : needs A 1000
        layer b 1 : needs B 1000
        layer c 2 : needs C 1000
        submit r1 a
        submit r2 b
        submit r3 c
        expect r1 done
        expect r2 done
        expect a ran at ada 3
        expect b ran at bob 1
        wait 100000
        expect not r3 ended
        worker cat offers C 1000
        expect r3 done
        expect c ran at cat 2
    ",
    );
}

#[test]
fn no_more_runs_than_the_resource_allows() {
    check(
        "
        worker ada threads 4 offers A 2000 offers B 1000
        layer x 10 : needs A 1000 needs B 1000 takes 1000
        submit r1 x
        expect r1 done
        expect most 1 of x at a time
    ",
    );
}

#[test]
fn a_part_of_a_resource_is_enough() {
    check(
        "
        worker ada threads 8 offers GPU 1000
        layer x 10 : needs GPU 250 takes 1000
        submit r1 x
        expect r1 done
        expect most 4 of x at a time
    ",
    );
}

#[test]
fn a_cancelled_task_holds_its_resource_until_it_has_really_ended() {
    check(
        "
        worker ada threads 2 offers A 1000
        layer stubborn 1 : needs A 1000 takes 50000
        layer next 1 : needs A 1000 takes 1000
        submit r1 stubborn
        until stubborn runs
        cancel r1
        submit r2 next
        wait 40000
        expect next ran 0
        expect r2 done
    ",
    );
}

#[test]
fn urgent_work_goes_first_whatever_came_first() {
    check(
        "
        set saturation 1
        worker ada
        layer plain 5 : takes 1000
        layer urgent 5 : takes 1000 urgent 1
        submit r1 plain
        submit r2 urgent
        expect r1 done
        expect r2 done
        expect urgent#4 before plain#2
    ",
    );
}

#[test]
fn one_branch_is_finished_before_all_are_begun() {
    check(
        "
        worker ada
        layer x 30 : takes 1000
        layer y 30 each of x : takes 1000
        layer z 30 each of y : takes 1000
        submit r1 z
        expect r1 done
        expect z#0 before x#29
        expect z#0 before x#10
    ",
    );
}

#[test]
fn near_copies_are_preferred_to_far_ones() {
    check(
        "
        worker ada host north
        worker bob host south
        worker cat host south
        layer x 1 : bytes 1000 only ada
        submit r1 x
        expect r1 done
        replicate 2 x
        until nothing moves
        expect x stored at ada bob
        expect x served at ada 1
        layer y 1 each of x : only cat
        submit r2 y
        expect r2 done
        expect x served at bob 1
        expect x served at ada 1
        expect x ran 1
    ",
    );
}
