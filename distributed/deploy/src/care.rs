//! What a nanny decides: when to start, to kill, to wait, to give up, and what it says about it.
//!
//! It refuses to know processes, files, clocks and links: it is told what was seen and says what to do, so that every case can
//! be shown to it in a test. Invariants: at most one worker process is wanted at a time; no start follows a death without
//! the report of that death, nor comes while the scheduler cannot be heard; after `End` nothing more is done.

use std::time::Duration;

/// Exit codes by which a worker process tells its nanny how it ended. Everything else is a death.
pub(crate) mod code {
    /// It left on purpose and is not wanted again.
    pub const LEFT: i32 = 0;
    /// A fault of its own made it useless: a death, which it reports itself.
    pub const BROKEN: i32 = 70;
    /// Another one is wanted in its place.
    pub const AGAIN: i32 = 75;
    /// Its scheduler is gone.
    pub const LONELY: i32 = 76;
    /// It was refused, and would be again.
    pub const REFUSED: i32 = 78;
}

/// By which rules a nanny acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Bytes of memory that the worker may use; 0 for no limit.
    pub memory_limit: u64,
    /// The share of the limit at which it is killed; `None` for never. Default 0.95.
    pub terminate: Option<f64>,
    /// A process that has joined and gives no sign of life for so long is killed; `None` for never. Default 30 s.
    pub hang: Option<Duration>,
    /// Starts in a row that may fail before the worker has joined. Default 5.
    pub allowed_starts: u32,
    /// Deaths in a row of workers that had joined and were not `healthy` yet. Default 10.
    pub allowed_deaths: u32,
    /// The pause before a restart; it doubles with each. Default 0.1 s.
    pub first_pause: Duration,
    /// Up to this. Default 30 s.
    pub longest_pause: Duration,
    /// A worker that lived so long after it joined begins with the first pause again, and deaths are counted anew. Default 60 s.
    pub healthy: Duration,
    /// How long leaving may take before the process is killed. Default 10 s.
    pub stop: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            memory_limit: 0,
            terminate: Some(0.95),
            hang: Some(Duration::from_secs(30)),
            allowed_starts: 5,
            allowed_deaths: 10,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
            healthy: Duration::from_secs(60),
            stop: Duration::from_secs(10),
        }
    }
}

/// What can be asked of a nanny.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Let the worker leave in peace, then end.
    Stop,
    /// Kill the worker, then end.
    Kill,
    /// Replace the worker's process by another.
    Restart,
}

/// How a nanny ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The worker left on purpose, or was asked to.
    Left,
    /// The scheduler is gone.
    SchedulerGone(String),
    /// The worker could not be started: why, in the worker's own words.
    GaveUp(String),
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// What was seen.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seen {
    /// The process runs.
    Started,
    /// There is none: the program cannot be started.
    NoProcess(String),
    /// It joined the scheduler.
    Joined,
    /// A look at it: resident bytes, and a number that grows while it lives.
    Look { resident: u64, beats: Option<u64> },
    /// It ended, and this is the last that it said.
    Exited(Exit, String),
    /// Somebody asks.
    Asked(Ask),
    /// Whether the scheduler can be heard at the moment.
    SchedulerHeard(bool),
    /// The scheduler is gone.
    SchedulerGone(String),
    /// Time passed.
    Tick,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Step {
    /// Start a process.
    Start,
    /// Ask the process to leave.
    Terminate,
    /// Kill it.
    Kill,
    /// Tell the scheduler that it died. `blame` is false when what was executing had no part in it.
    Died { why: String, blame: bool },
    /// Tell the scheduler that there will be no worker.
    GivenUp(String),
    /// Tell people.
    Say(String),
    /// It is over.
    End(End),
}

/// Why a process is about to end.
#[derive(Clone, PartialEq, Debug)]
enum Doom {
    /// Its own fault: it is blamed and replaced after a pause. And when it had joined.
    Fault(String, Option<Duration>),
    /// Somebody wants another one.
    Replace,
    /// Nobody wants one any more.
    Finish(End),
}

#[derive(Clone, PartialEq, Debug)]
enum State {
    Starting,
    Pausing { until: Duration },
    Running(Life),
    Ending { doom: Doom, kill_at: Option<Duration> },
    Over,
}

/// A running process.
#[derive(Clone, PartialEq, Debug)]
struct Life {
    joined: Option<Duration>,
    beats: Option<u64>,
    /// Time without a beat, as far as this process was awake to see it.
    silent: Duration,
    looked: Duration,
}

/// A look after a longer time says that this process slept too, and nothing about the worker.
const AWAKE: Duration = Duration::from_secs(1);

/// The nanny's mind.
pub(crate) struct Care {
    rules: Rules,
    state: State,
    failed_starts: u32,
    /// Deaths in a row after short lives.
    early_deaths: u32,
    pause: Duration,
    peak: u64,
    scheduler_heard: bool,
}

impl Care {
    /// It wants a process at once.
    pub fn new(rules: Rules, out: &mut Vec<Step>) -> Self {
        out.push(Step::Start);
        let (pause, state) = (rules.first_pause, State::Starting);
        Self { rules, state, failed_starts: 0, early_deaths: 0, pause, peak: 0, scheduler_heard: true }
    }

    /// Something was seen.
    pub fn handle(&mut self, now: Duration, seen: Seen, out: &mut Vec<Step>) {
        match seen {
            Seen::Started => self.started(now),
            Seen::NoProcess(why) => self.start_failed(now, why, out),
            Seen::Joined => self.joined(now),
            Seen::Look { resident, beats } => self.look(now, resident, beats, out),
            Seen::Exited(exit, last) => self.exited(now, exit, last, out),
            Seen::Asked(ask) => self.asked(now, ask, out),
            Seen::SchedulerHeard(heard) => self.scheduler_heard = heard,
            Seen::SchedulerGone(why) => self.finish(now, End::SchedulerGone(why), out),
            Seen::Tick => self.tick(now, out),
        }
    }

    /// Whether a process is up that nobody wants to end.
    pub fn running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    fn started(&mut self, now: Duration) {
        self.peak = 0;
        if self.state == State::Starting {
            self.state = State::Running(Life { joined: None, beats: None, silent: Duration::ZERO, looked: now });
        }
    }

    fn joined(&mut self, now: Duration) {
        if let State::Running(life) = &mut self.state
            && life.joined.is_none()
        {
            // Until now it may have waited for its scheduler, which is no silence.
            (life.joined, life.silent) = (Some(now), Duration::ZERO);
            self.failed_starts = 0;
        }
    }

    fn look(&mut self, now: Duration, resident: u64, beats: Option<u64>, out: &mut Vec<Step>) {
        self.peak = self.peak.max(resident);
        let State::Running(life) = &mut self.state else { return };
        life.silent = if beats.is_some() && beats != life.beats { Duration::ZERO } else { life.silent + (now - life.looked).min(AWAKE) };
        (life.beats, life.looked) = (beats, now);
        let (silent, joined) = (life.silent, life.joined);
        let limit = self.rules.memory_limit;
        let most = self.rules.terminate.filter(|_| limit > 0).map(|share| (share, (limit as f64 * share) as u64));
        if let Some((share, _)) = most.filter(|(_, most)| resident > *most) {
            let (had, limit) = (bytes(resident), bytes(limit));
            let why = format!("killed by its nanny for memory: {had} resident, above {:.0} % of its limit of {limit}", share * 100.0);
            self.kill(Doom::Fault(why, joined), out);
        } else if let Some(hang) = self.rules.hang.filter(|hang| joined.is_some() && silent > *hang) {
            let why = format!("killed by its nanny: the process gave no sign of life for {} s", hang.as_secs());
            self.kill(Doom::Fault(why, joined), out);
        }
    }

    fn kill(&mut self, doom: Doom, out: &mut Vec<Step>) {
        // Not asked to leave first: what is over its limit would take more meanwhile, and what hangs does not hear.
        self.state = State::Ending { doom, kill_at: None };
        out.push(Step::Kill);
    }

    fn exited(&mut self, now: Duration, exit: Exit, last: String, out: &mut Vec<Step>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ending { doom: Doom::Fault(why, joined), .. } => self.died(now, joined, why, &last, out),
            State::Ending { doom: Doom::Replace, .. } => {
                self.early_deaths = 0;
                out.push(Step::Died { why: "replaced on request".into(), blame: false });
                self.pause(now, Duration::ZERO);
                self.tick(now, out);
            }
            State::Ending { doom: Doom::Finish(end), .. } => {
                if exit != Exit::Code(code::LEFT) {
                    out.push(Step::Died { why: "stopped on request".into(), blame: false });
                }
                out.push(Step::End(end));
            }
            State::Running(life) => self.ended_by_itself(now, life, exit, last, out),
            State::Starting | State::Pausing { .. } | State::Over => {}
        }
    }

    fn ended_by_itself(&mut self, now: Duration, life: Life, exit: Exit, last: String, out: &mut Vec<Step>) {
        match exit {
            Exit::Code(code::LEFT) if life.joined.is_some() => out.push(Step::End(End::Left)),
            // Trying again would run again whatever that program is.
            Exit::Code(code::LEFT) => {
                let why = "its process ended without having been a worker; the `main` of a worker's program begins with `partita::run();`";
                self.give_up(with_last_words(why.into(), &last), out);
            }
            Exit::Code(code::LONELY) => self.cut_off(now, life, &last, out),
            Exit::Code(code::AGAIN) => {
                self.early_deaths = 0;
                self.pause(now, Duration::ZERO);
                self.tick(now, out);
            }
            Exit::Code(code::REFUSED) => self.give_up(last, out),
            Exit::Code(code::BROKEN) => self.died(now, life.joined, with_last_words(said(exit), &last), &last, out),
            Exit::Code(_) | Exit::Signal(_) => self.died(now, life.joined, said(exit), &last, out),
        }
    }

    /// The scheduler gave it up, the way between them was cut for too long, or the scheduler is gone: which of these it is shows when
    /// the nanny's own link comes back or ends.
    fn cut_off(&mut self, now: Duration, life: Life, last: &str, out: &mut Vec<Step>) {
        let why = match self.scheduler_heard {
            true => "it lost its scheduler, which its nanny can hear".to_owned(),
            false => "it lost its scheduler, and its nanny cannot hear it either".to_owned(),
        };
        out.push(Step::Died { why: why.clone(), blame: false });
        match life.joined {
            None => self.start_failed(now, with_last_words(why, last), out),
            Some(since) => {
                self.forgive(now, since);
                out.push(Step::Say(format!("the worker is started again: {why}")));
                self.pause(now, self.pause);
            }
        }
    }

    /// A death that nobody wanted. One that never joined had no task: its start failed.
    fn died(&mut self, now: Duration, joined: Option<Duration>, why: String, last: &str, out: &mut Vec<Step>) {
        let why = if self.peak > 0 { format!("{why}; it had {} of memory at most", bytes(self.peak)) } else { why };
        let Some(since) = joined else {
            out.push(Step::Died { why: why.clone(), blame: false });
            return self.start_failed(now, with_last_words(why, last), out);
        };
        self.forgive(now, since);
        self.early_deaths += 1;
        out.push(Step::Say(format!("the worker died: {why}")));
        out.push(Step::Died { why: why.clone(), blame: true });
        match self.early_deaths >= self.rules.allowed_deaths.max(1) {
            true => {
                let (deaths, healthy) = (self.early_deaths, self.rules.healthy.as_secs_f64());
                self.give_up(
                    format!("it died {deaths} times in a row, each time within {healthy} s of joining; the last time: {why}"),
                    out,
                );
            }
            false => self.pause(now, self.pause),
        }
    }

    /// After a healthy life nothing counts that was before.
    fn forgive(&mut self, now: Duration, joined: Duration) {
        if now - joined >= self.rules.healthy {
            (self.pause, self.early_deaths) = (self.rules.first_pause, 0);
        }
    }

    fn start_failed(&mut self, now: Duration, why: String, out: &mut Vec<Step>) {
        self.failed_starts += 1;
        match self.failed_starts >= self.rules.allowed_starts.max(1) {
            true => self.give_up(why, out),
            false => self.pause(now, self.pause),
        }
    }

    fn give_up(&mut self, why: String, out: &mut Vec<Step>) {
        self.state = State::Over;
        out.extend([Step::GivenUp(why.clone()), Step::End(End::GaveUp(why))]);
    }

    /// The next pause is twice as long, unless this one was none.
    fn pause(&mut self, now: Duration, pause: Duration) {
        self.state = State::Pausing { until: now + pause };
        if pause > Duration::ZERO {
            self.pause = (pause * 2).min(self.rules.longest_pause);
        }
    }

    fn asked(&mut self, now: Duration, ask: Ask, out: &mut Vec<Step>) {
        match ask {
            Ask::Stop => self.finish(now, End::Left, out),
            Ask::Kill => match &self.state {
                State::Running(_) | State::Ending { .. } => self.kill(Doom::Finish(End::Left), out),
                State::Starting | State::Pausing { .. } | State::Over => self.finish(now, End::Left, out),
            },
            Ask::Restart => {
                if let State::Running(_) = self.state {
                    self.kill(Doom::Replace, out);
                }
            }
        }
    }

    fn finish(&mut self, now: Duration, end: End, out: &mut Vec<Step>) {
        match &mut self.state {
            State::Over => {}
            State::Pausing { .. } | State::Starting => {
                self.state = State::Over;
                out.push(Step::End(end));
            }
            State::Running(_) => {
                self.state = State::Ending { doom: Doom::Finish(end), kill_at: Some(now + self.rules.stop) };
                out.push(Step::Terminate);
            }
            // A second wish to end changes nothing about how; a wish to end changes what follows a death.
            State::Ending { doom: Doom::Finish(_), .. } => {}
            State::Ending { doom, .. } => *doom = Doom::Finish(end),
        }
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<Step>) {
        match &mut self.state {
            State::Pausing { until } if now >= *until && self.scheduler_heard => {
                self.state = State::Starting;
                out.push(Step::Start);
            }
            State::Ending { kill_at, .. } if kill_at.is_some_and(|at| now >= at) => {
                *kill_at = None;
                out.push(Step::Kill);
            }
            State::Starting | State::Pausing { .. } | State::Running(_) | State::Ending { .. } | State::Over => {}
        }
    }
}

fn said(exit: Exit) -> String {
    match exit {
        Exit::Code(code::BROKEN) => format!("a fault of its own made it useless (exit code {})", code::BROKEN),
        Exit::Code(code) => format!("its process ended with exit code {code}"),
        Exit::Signal(9) => "its process was killed (signal 9), perhaps by the system for want of memory".into(),
        Exit::Signal(11) => "its process crashed (signal 11, a memory fault)".into(),
        Exit::Signal(6) => "its process aborted (signal 6)".into(),
        Exit::Signal(signal) => format!("its process was ended by signal {signal}"),
    }
}

fn with_last_words(why: String, last: &str) -> String {
    match last.trim() {
        "" => why,
        last => format!("{why}; it said last:\n{last}"),
    }
}

/// Bytes for people.
fn bytes(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64),
        _ => format!("{:.2} GiB", bytes as f64 / (1 << 30) as f64),
    }
}

#[cfg(test)]
mod tests;
