//! Shuffles: parts stay with their sender until the consumers have made their results.

use crate::check::check;

const SHUFFLE: &str = "
    worker ada
    worker bob
    worker cat
    layer read 12 : takes 1000 bytes 600
    layer split 12 each of read : takes 1000 pieces 6 bytes 100
    layer join 6 part of split : takes 2000 bytes 1000
    submit r1 join
";

#[test]
fn a_death_while_parts_are_made_costs_what_was_lost() {
    check(&format!(
        "{SHUFFLE}
        until 6 of split stored
        kill ada
        expect r1 done
        expect split ran at most 18
        expect read ran at most 18
        expect join ran 6
    "
    ));
}

#[test]
fn a_death_when_all_parts_are_there_costs_what_was_lost() {
    check(&format!(
        "{SHUFFLE}
        until split stored
        kill ada
        expect r1 done
        expect split ran at most 18
        expect join ran at most 8
    "
    ));
}

#[test]
fn a_death_while_results_are_made_redoes_only_its_own_results_and_lost_parts() {
    check(&format!(
        "{SHUFFLE}
        until 3 of join stored
        kill ada
        expect r1 done
        expect split ran at most 18
        expect join ran at most 9
    "
    ));
}

#[test]
fn whoever_leaves_in_a_shuffle_may() {
    for moment in ["3 of split stored", "split stored", "2 of join stored"] {
        check(&format!(
            "{SHUFFLE}
            until {moment}
            leave ada
            expect r1 done
            expect split ran at most 18
            expect join ran at most 9
        "
        ));
    }
}

#[test]
fn a_bystander_that_leaves_costs_nothing() {
    check(&format!(
        "{SHUFFLE}
        until split stored
        worker dan
        leave dan
        expect r1 done
        expect read ran 12
        expect split ran 12
        expect join ran 6
    "
    ));
}

#[test]
fn without_forgiveness_a_death_ends_the_run_once_and_clean() {
    check(
        "
        set allowed-failures 0
        set rejoin 1000
        worker ada
        worker bob
        layer split 6 : takes 1000 pieces 3
        layer join 3 part of split : takes 1000 kills
        submit r1 join
        expect r1 fails E0201
        layer x 3
        worker cat
        submit r2 x
        expect r2 done
    ",
    );
}

#[test]
fn parts_that_come_twice_or_late_change_nothing() {
    check(&format!(
        "
        set doubled 0.7
        set delay 3000
        {SHUFFLE}
        expect r1 done
        expect split ran 12
        expect join ran 6
    "
    ));
}

#[test]
fn a_worker_that_joins_between_two_shuffles_takes_part() {
    check(
        "
        worker ada
        worker bob
        layer left 8 : takes 1000 pieces 4
        layer right 8 : takes 1000 pieces 4
        layer l 4 part of left : takes 1000 pieces 4
        layer r 4 part of right : takes 1000 pieces 4
        layer both 4 part of l, part of r : takes 20000
        submit r1 both
        until 2 of l stored
        worker cat
        expect r1 done
        expect left ran 8
        expect both ran 4
    ",
    );
}

#[test]
fn a_retiring_worker_takes_its_parts_along() {
    check(&format!(
        "{SHUFFLE}
        until split stored
        retire ada
        until ada gone
        expect r1 done
        expect split ran 12
        expect join ran 6
    "
    ));
}

#[test]
fn deaths_at_any_moment_change_no_result() {
    for moment in (0..40).map(|step| step * 500) {
        check(&format!(
            "
            set rejoin 1000
            {SHUFFLE}
            wait {moment}
            kill bob
            expect r1 done
            expect join ran at most 9
        "
        ));
    }
}

#[test]
fn workers_that_die_all_the_time_change_no_result() {
    use partita_graph::Registry;
    use partita_sim::{Faults, SimExecutor};

    let faults = Faults { death_every: 8_000, rejoin_within: 4_000, ..Faults::none() };
    for seed in 0..10 {
        let executor = SimExecutor::new(seed, Registry::default()).workers(6, 1).faults(faults.clone());
        let graph = crate::transposed(12);
        assert_eq!(crate::first(&executor, graph.clone()), crate::first(&partita_graph::Serial::default(), graph), "seed {seed}");
    }
}
