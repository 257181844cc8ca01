//! What a person sees while a computation runs: a bar on a terminal after one second, else a line every ten seconds; and remarks
//! as they come, for example that no worker is there.
//!
//! `PARTITA_PROGRESS` chooses: `auto` (the default), `plain`, `json` or `off`. Everything goes to standard error.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use partita_graph::{Progress, Run, RunEach};

/// Shorter computations show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at the remarks where there is no bar.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bar,
    Plain,
    Json,
    Off,
}

fn mode() -> Mode {
    static MODE: OnceLock<Mode> = OnceLock::new();
    *MODE.get_or_init(|| match std::env::var("PARTITA_PROGRESS").as_deref() {
        Ok("off") => Mode::Off,
        Ok("plain") => Mode::Plain,
        Ok("json") => Mode::Json,
        _ if std::io::stderr().is_terminal() => Mode::Bar,
        _ => Mode::Plain,
    })
}

/// Tells the user a remark.
pub(crate) fn tell(note: &str) {
    match mode() {
        Mode::Off => {}
        Mode::Json => eprintln!("{}", serde_json::json!({ "note": note })),
        Mode::Bar | Mode::Plain => eprintln!("note: {note}"),
    }
}

/// Shows a run until it is dropped.
pub(crate) struct Watch {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
    told: Arc<Mutex<Vec<String>>>,
}

/// What is watched.
enum Watched {
    Whole(Run),
    Each(RunEach),
}

impl Watched {
    fn notes(&self) -> Vec<String> {
        match self {
            Watched::Whole(run) => run.notes(),
            Watched::Each(run) => run.notes(),
        }
    }

    fn progress(&self) -> Progress {
        match self {
            Watched::Whole(run) => run.progress(),
            Watched::Each(run) => run.progress(),
        }
    }
}

/// Tells what was remarked since the last look.
struct Remarks {
    run: Watched,
    told: Arc<Mutex<Vec<String>>>,
}

impl Remarks {
    fn tell_new(&self, tell: impl Fn(&str)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for note in self.run.notes() {
            if !told.contains(&note) {
                tell(&note);
                told.push(note);
            }
        }
    }
}

impl Watch {
    /// Starts to watch, unless progress is off.
    pub fn start(run: &Run) -> Self {
        Self::of(|| Watched::Whole(run.clone()))
    }

    /// The same for a run whose keys end one by one.
    pub fn start_each(run: &RunEach) -> Self {
        Self::of(|| Watched::Each(run.clone()))
    }

    fn of(run: impl FnOnce() -> Watched) -> Self {
        let mode = mode();
        let told = Arc::new(Mutex::new(Vec::new()));
        if mode == Mode::Off {
            return Self { thread: None, told };
        }
        let remarks = Remarks { run: run(), told: told.clone() };
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("partita-progress".into()).spawn(move || {
            let start = Instant::now();
            let wait = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !wait(PATIENCE) {
                return;
            }
            match mode {
                Mode::Bar => show_bar(&remarks, start, wait),
                Mode::Plain => show_lines(&remarks, start, wait, line),
                Mode::Json => show_lines(&remarks, start, wait, json),
                Mode::Off => {}
            }
        });
        // Without a thread there is no bar, and the computation goes on.
        Self { thread: thread.ok().map(|thread| (stop, thread)), told }
    }

    /// Ends it. Returns the remarks that were told while it watched.
    pub fn end(self) -> Vec<String> {
        let told = self.told.clone();
        drop(self);
        std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn show_lines(remarks: &Remarks, start: Instant, wait: impl Fn(Duration) -> bool, line: impl Fn(&Progress, Duration) -> String) {
    let mut next = LINE_EVERY;
    while wait(LOOK_EVERY) {
        remarks.tell_new(tell);
        if start.elapsed() >= next {
            next += LINE_EVERY;
            eprintln!("{}", line(&remarks.run.progress(), start.elapsed()));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            // Both fail only when the thread has ended already.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

fn totals(progress: &Progress) -> (u64, u64) {
    progress.layers.iter().fold((0, 0), |(done, all), layer| (done + layer.1, all + layer.2))
}

fn show_bar(remarks: &Remarks, start: Instant, wait: impl Fn(Duration) -> bool) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:32.cyan/dim} {pos}/{len} tasks  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
    loop {
        remarks.tell_new(|note| bar.suspend(|| tell(note)));
        let progress = remarks.run.progress();
        let (done, all) = totals(&progress);
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(message(&progress, done, all, start.elapsed()));
        if !wait(BAR_EVERY) {
            break;
        }
    }
    bar.finish_and_clear();
}

/// What is running now, the time left, memory, and spill if there is any.
fn message(progress: &Progress, done: u64, all: u64, elapsed: Duration) -> String {
    let current = progress.layers.iter().find(|(_, done, all)| done < all).map_or("", |(name, _, _)| name.as_str());
    let left = match done {
        0 => String::new(),
        _ => format!("  {:.0} s left", elapsed.as_secs_f64() * (all - done) as f64 / done as f64),
    };
    let memory = bytesize::ByteSize::b(progress.memory);
    let spilled = if progress.spilled > 0 { format!("  spilled {}", bytesize::ByteSize::b(progress.spilled)) } else { String::new() };
    format!("{current}{left}  memory {memory}{spilled}")
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let (done, all) = totals(progress);
    format!("{:.0} s  {done}/{all} tasks  {}", elapsed.as_secs_f64(), message(progress, done, all, elapsed))
}

fn json(progress: &Progress, elapsed: Duration) -> String {
    let (done, all) = totals(progress);
    let layers: Vec<_> =
        progress.layers.iter().map(|(name, done, all)| serde_json::json!({ "name": name, "done": done, "tasks": all })).collect();
    serde_json::json!({
        "seconds": elapsed.as_secs_f64(), "done": done, "tasks": all, "memory": progress.memory, "spilled": progress.spilled,
        "layers": layers,
    })
    .to_string()
}
