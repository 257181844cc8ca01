//! Sequences of what a nanny sees, and the steps that it takes.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A nanny's mind with a clock.
struct Told {
    care: Care,
    now: Duration,
    out: Vec<Step>,
}

impl Told {
    fn new(rules: Rules) -> Self {
        let mut out = Vec::new();
        Self { care: Care::new(rules, &mut out), now: Duration::ZERO, out }
    }

    /// What it wants after this was seen.
    fn see(&mut self, seen: Seen) -> Vec<Step> {
        self.care.handle(self.now, seen, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn runs(&mut self) -> &mut Self {
        self.out.clear();
        assert_eq!(self.see(Seen::Started), []);
        assert_eq!(self.see(Seen::Joined), []);
        self
    }

    fn dies(&mut self, exit: Exit) -> Vec<Step> {
        self.see(Seen::Exited(exit, "last words".into()))
    }

    /// How long it waits before it starts again.
    fn waits(&mut self) -> Duration {
        let from = self.now;
        for _ in 0..100_000 {
            if self.see(Seen::Tick) == [Step::Start] {
                return self.now - from;
            }
            self.now += Duration::from_millis(10);
        }
        panic!("it never starts again");
    }
}

#[track_caller]
fn reports(steps: &[Step], blamed: bool, pieces: &[&str]) {
    let found = steps.iter().find_map(|step| match step {
        Step::Died { why, blame } => Some((why.as_str(), *blame)),
        _ => None,
    });
    let (why, blame) = found.expect("a death is reported");
    assert_eq!(blame, blamed, "{why}");
    for piece in pieces {
        assert!(why.contains(piece), "{piece:?} is not in {why:?}");
    }
}

#[test]
fn a_dead_worker_is_reported_and_replaced_after_growing_pauses() {
    let mut told = Told::new(Rules { allowed_deaths: 100, ..Rules::default() });
    assert_eq!(told.out, [Step::Start]);
    let mut pauses = Vec::new();
    for _ in 0..11 {
        let steps = told.runs().dies(Exit::Signal(9));
        reports(&steps, true, &["signal 9"]);
        pauses.push(told.waits());
    }
    let tenths: Vec<_> = pauses.iter().map(|pause| pause.as_millis() / 100).collect();
    assert_eq!(tenths, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    told.runs().now += SECOND * 61;
    told.dies(Exit::Signal(11));
    assert_eq!(told.waits(), Duration::from_millis(100), "a minute of health is forgiveness");
}

#[test]
fn starts_that_fail_end_in_one_report_with_the_cause() {
    let mut told = Told::new(Rules { allowed_starts: 3, ..Rules::default() });
    for _ in 0..2 {
        told.out.clear();
        told.see(Seen::Started);
        let steps = told.dies(Exit::Code(1));
        assert!(!steps.iter().any(|step| matches!(step, Step::GivenUp(_) | Step::End(_) | Step::Say(_))), "{steps:?}");
        told.waits();
    }
    told.see(Seen::Started);
    let steps = told.dies(Exit::Code(1));
    let [_, Step::GivenUp(why), Step::End(End::GaveUp(same))] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(why, same);
    assert!(why.contains("exit code 1") && why.contains("last words"), "{why}");
    assert_eq!(told.see(Seen::Tick), []);
}

#[test]
fn a_program_that_cannot_be_started_is_given_up_too() {
    let mut told = Told::new(Rules { allowed_starts: 2, ..Rules::default() });
    assert_eq!(told.see(Seen::NoProcess("no such file".into())), [Step::Start], "the first start stands in the list of steps");
    told.waits();
    let steps = told.see(Seen::NoProcess("no such file".into()));
    assert_eq!(steps, [Step::GivenUp("no such file".into()), Step::End(End::GaveUp("no such file".into()))]);
}

#[test]
fn joining_forgives_failed_starts() {
    let mut told = Told::new(Rules { allowed_starts: 2, ..Rules::default() });
    for _ in 0..4 {
        told.out.clear();
        told.see(Seen::Started);
        told.dies(Exit::Code(1));
        told.waits();
        told.runs().dies(Exit::Code(1));
        told.waits();
    }
}

#[test]
fn exit_codes_say_what_comes_next() {
    let after = |code: i32| Told::new(Rules::default()).runs().dies(Exit::Code(code));
    assert_eq!(after(code::LEFT), [Step::End(End::Left)]);
    assert_eq!(after(code::AGAIN), [Step::Start]);
    assert_eq!(after(code::REFUSED), [Step::GivenUp("last words".into()), Step::End(End::GaveUp("last words".into()))]);
}

#[test]
fn a_broken_worker_has_died() {
    let mut told = Told::new(Rules::default());
    reports(&told.runs().dies(Exit::Code(code::BROKEN)), true, &["fault of its own", "last words"]);
    assert_eq!(told.waits(), Duration::from_millis(100));
    told.runs().dies(Exit::Code(code::BROKEN));
    assert_eq!(told.waits(), Duration::from_millis(200));
}

#[test]
fn a_worker_alone_ends_with_its_scheduler_or_comes_back_to_it() {
    // Both links were cut; which of them comes back first is chance.
    let mut told = Told::new(Rules::default());
    told.runs().see(Seen::SchedulerHeard(false));
    reports(&told.dies(Exit::Code(code::LONELY)), false, &["lost its scheduler", "cannot hear it either"]);
    told.now += SECOND * 25;
    assert_eq!(told.see(Seen::Tick), [], "there is nobody whom a new one could join");
    told.see(Seen::SchedulerHeard(true));
    assert_eq!(told.see(Seen::Tick), [Step::Start]);
    told.runs().see(Seen::SchedulerHeard(false));
    told.dies(Exit::Code(code::LONELY));
    assert_eq!(told.see(Seen::SchedulerGone("closed".into())), [Step::End(End::SchedulerGone("closed".into()))]);
    let mut told = Told::new(Rules::default());
    told.runs().see(Seen::SchedulerHeard(false));
    told.see(Seen::SchedulerHeard(true));
    for pause in [100, 200, 400] {
        reports(&told.dies(Exit::Code(code::LONELY)), false, &["lost its scheduler"]);
        assert_eq!(told.waits(), Duration::from_millis(pause));
        told.runs();
    }
}

#[test]
fn a_program_that_is_no_worker_runs_once() {
    let mut told = Told::new(Rules::default());
    told.out.clear();
    told.see(Seen::Started);
    let steps = told.dies(Exit::Code(code::LEFT));
    let [Step::GivenUp(why), Step::End(End::GaveUp(_))] = &steps[..] else { panic!("{steps:?}") };
    assert!(why.contains("partita::run();") && why.contains("last words"), "{why}");
}

#[test]
fn a_worker_that_dies_young_again_and_again_is_given_up() {
    let mut told = Told::new(Rules { allowed_deaths: 3, ..Rules::default() });
    for _ in 0..2 {
        told.runs().dies(Exit::Signal(9));
        told.waits();
    }
    told.runs().now += SECOND * 60;
    told.dies(Exit::Signal(9));
    told.waits();
    told.runs().dies(Exit::Signal(9));
    told.waits();
    let steps = told.runs().dies(Exit::Signal(11));
    reports(&steps, true, &["signal 11"]);
    let [.., Step::GivenUp(why), Step::End(End::GaveUp(_))] = &steps[..] else { panic!("{steps:?}") };
    assert!(why.contains("3 times in a row") && why.contains("within 60 s") && why.contains("signal 11"), "{why}");
}

#[test]
fn before_the_join_silence_is_patience_and_every_death_a_failed_start() {
    let mut told = Told::new(Rules { memory_limit: 100 << 20, allowed_starts: 2, ..Rules::default() });
    told.out.clear();
    for start in 0..2 {
        told.see(Seen::Started);
        for _ in 0..100 {
            told.now += SECOND;
            assert_eq!(told.see(Seen::Look { resident: 1, beats: Some(0) }), [], "it waits for its scheduler");
        }
        assert_eq!(told.see(Seen::Look { resident: 99 << 20, beats: Some(0) }), [Step::Kill]);
        let steps = told.dies(Exit::Signal(9));
        reports(&steps, false, &["99.0 MiB"]);
        assert_eq!(steps.iter().any(|step| matches!(step, Step::GivenUp(why) if why.contains("for memory"))), start == 1);
        if start == 0 {
            told.waits();
        }
    }
    let mut late = Told::new(Rules::default());
    late.out.clear();
    late.see(Seen::Started);
    for _ in 0..100 {
        late.now += SECOND;
        late.see(Seen::Look { resident: 1, beats: Some(0) });
    }
    late.see(Seen::Joined);
    assert_eq!(late.see(Seen::Look { resident: 1, beats: Some(0) }), [], "its silence begins when it joined");
}

#[test]
fn memory_above_the_share_is_the_end() {
    let mut told = Told::new(Rules { memory_limit: 1000 << 20, ..Rules::default() });
    told.runs();
    assert_eq!(told.see(Seen::Look { resident: 949 << 20, beats: Some(1) }), []);
    assert_eq!(told.see(Seen::Look { resident: 951 << 20, beats: Some(2) }), [Step::Kill]);
    assert_eq!(told.see(Seen::Look { resident: 999 << 20, beats: Some(2) }), [], "once is enough");
    reports(&told.dies(Exit::Signal(9)), true, &["951.0 MiB", "95 %", "limit of 1000.0 MiB", "999.0 MiB of memory at most"]);
    assert_eq!(told.waits(), Duration::from_millis(100));
    let mut free = Told::new(Rules::default());
    assert_eq!(free.runs().see(Seen::Look { resident: u64::MAX, beats: Some(1) }), [], "no limit");
}

#[test]
fn silence_is_the_end_and_beats_are_not() {
    let mut told = Told::new(Rules::default());
    told.runs();
    for second in 1..100 {
        told.now += SECOND;
        assert_eq!(told.see(Seen::Look { resident: 1, beats: Some(second) }), []);
    }
    let mut looks = 0;
    while told.see(Seen::Look { resident: 1, beats: Some(99) }).is_empty() {
        told.now += SECOND;
        looks += 1;
    }
    assert_eq!(looks, 31);
    reports(&told.dies(Exit::Signal(9)), true, &["no sign of life for 30 s"]);
}

#[test]
fn a_nanny_that_slept_blames_nobody() {
    let mut told = Told::new(Rules::default());
    told.runs();
    told.see(Seen::Look { resident: 1, beats: Some(1) });
    told.now += SECOND * 3600;
    assert_eq!(told.see(Seen::Look { resident: 1, beats: Some(1) }), []);
}

#[test]
fn stopping_asks_first_and_kills_later() {
    let mut told = Told::new(Rules::default());
    assert_eq!(told.runs().see(Seen::Asked(Ask::Stop)), [Step::Terminate]);
    assert_eq!(told.see(Seen::Asked(Ask::Stop)), []);
    told.now += SECOND * 9;
    assert_eq!(told.see(Seen::Tick), []);
    told.now += SECOND;
    assert_eq!(told.see(Seen::Tick), [Step::Kill]);
    assert_eq!(told.see(Seen::Tick), []);
    let steps = told.dies(Exit::Signal(9));
    reports(&steps, false, &["on request"]);
    assert_eq!(steps.last(), Some(&Step::End(End::Left)));
    let mut polite = Told::new(Rules::default());
    polite.runs().see(Seen::Asked(Ask::Stop));
    assert_eq!(polite.dies(Exit::Code(code::LEFT)), [Step::End(End::Left)]);
    let mut pausing = Told::new(Rules::default());
    pausing.runs().dies(Exit::Signal(9));
    assert_eq!(pausing.see(Seen::Asked(Ask::Kill)), [Step::End(End::Left)]);
}

#[test]
fn a_wish_to_end_outlives_a_kill_that_is_under_way() {
    let mut told = Told::new(Rules::default());
    assert_eq!(told.runs().see(Seen::Asked(Ask::Restart)), [Step::Kill]);
    assert_eq!(told.see(Seen::SchedulerGone("gone".into())), []);
    assert_eq!(told.dies(Exit::Signal(9)).last(), Some(&Step::End(End::SchedulerGone("gone".into()))));
}

#[test]
fn a_restart_blames_nobody_and_does_not_wait() {
    let mut told = Told::new(Rules::default());
    assert_eq!(told.runs().see(Seen::Asked(Ask::Restart)), [Step::Kill]);
    let steps = told.dies(Exit::Signal(9));
    reports(&steps, false, &["replaced"]);
    assert_eq!(steps.last(), Some(&Step::Start));
}

#[test]
fn without_a_scheduler_there_is_no_worker() {
    let mut told = Told::new(Rules::default());
    assert_eq!(told.runs().see(Seen::SchedulerGone("closed".into())), [Step::Terminate]);
    assert_eq!(told.dies(Exit::Code(code::LEFT)), [Step::End(End::SchedulerGone("closed".into()))]);
    assert_eq!(told.see(Seen::Tick), []);
}

/// Whatever is seen in whatever order: one process at a time, a report before each start after a death, silence after the end.
#[test]
fn any_order_of_events_keeps_the_promises() {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for _ in 0..3000 {
        let mut told = Told::new(Rules { memory_limit: 100, allowed_starts: 3, allowed_deaths: 4, ..Rules::default() });
        let mut steps = std::mem::take(&mut told.out);
        let (mut alive, mut wanted, mut owed, mut over) = (false, false, false, false);
        for _ in 0..60 {
            for step in steps.drain(..) {
                assert!(!over, "{step:?} after the end");
                match step {
                    Step::Start => {
                        assert!(!alive && !wanted && !owed);
                        wanted = true;
                    }
                    Step::Terminate | Step::Kill => assert!(alive),
                    Step::Died { .. } => owed = false,
                    Step::GivenUp(_) => owed = false,
                    Step::Say(_) => {}
                    Step::End(_) => {
                        assert!(!alive);
                        over = true;
                    }
                }
            }
            told.now += Duration::from_millis(random(20_000));
            let seen = match random(9) {
                0 | 1 if wanted && !over => {
                    (wanted, alive) = (false, true);
                    Seen::Started
                }
                2 if alive => Seen::Joined,
                3 if alive => Seen::Look { resident: random(110), beats: Some(random(3)) },
                4 | 5 if alive => {
                    let codes = [1, code::BROKEN, code::AGAIN, code::LEFT, code::LONELY];
                    let exit = codes.get(random(6) as usize).map_or(Exit::Signal(9), |code| Exit::Code(*code));
                    alive = false;
                    owed = matches!(exit, Exit::Signal(9) | Exit::Code(1 | code::BROKEN | code::LONELY));
                    Seen::Exited(exit, String::new())
                }
                6 if random(8) == 0 && !wanted => Seen::Asked([Ask::Stop, Ask::Kill, Ask::Restart][random(3) as usize]),
                7 if random(4) == 0 => Seen::SchedulerHeard(random(2) == 0),
                7 if random(20) == 0 && !wanted => Seen::SchedulerGone("x".into()),
                _ if wanted => continue,
                _ => Seen::Tick,
            };
            steps = told.see(seen);
        }
    }
}
