//! What a person sees while a computation runs: a bar on a terminal after one second, else a line every ten seconds.
//!
//! `PARTITA_PROGRESS` chooses: `auto` (the default), `plain`, `json` or `off`. Everything goes to standard error.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use partita_graph::{Progress, Run};

/// Shorter computations show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);

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
pub(super) fn tell(note: &str) {
    match mode() {
        Mode::Off => {}
        Mode::Json => eprintln!("{}", serde_json::json!({ "note": note })),
        Mode::Bar | Mode::Plain => eprintln!("note: {note}"),
    }
}

/// Shows a run until it is dropped.
pub(super) struct Watch(Option<(Sender<()>, JoinHandle<()>)>);

impl Watch {
    /// Starts to watch, unless progress is off.
    pub fn start(run: &Run) -> Self {
        let mode = mode();
        if mode == Mode::Off {
            return Self(None);
        }
        let (stop, stopped) = channel();
        let run = run.clone();
        let thread = std::thread::Builder::new().name("partita-progress".into()).spawn(move || {
            let start = Instant::now();
            let wait = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !wait(PATIENCE) {
                return;
            }
            match mode {
                Mode::Bar => show_bar(&run, start, wait),
                Mode::Plain => {
                    while wait(LINE_EVERY) {
                        eprintln!("{}", line(&run.progress(), start.elapsed()));
                    }
                }
                Mode::Json => {
                    while wait(LINE_EVERY) {
                        eprintln!("{}", json(&run.progress(), start.elapsed()));
                    }
                }
                Mode::Off => {}
            }
        });
        // Without a thread there is no bar, and the computation goes on.
        Self(thread.ok().map(|thread| (stop, thread)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            // Both fail only when the thread has ended already.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

fn totals(progress: &Progress) -> (u64, u64) {
    progress.layers.iter().fold((0, 0), |(done, all), layer| (done + layer.1, all + layer.2))
}

fn show_bar(run: &Run, start: Instant, wait: impl Fn(Duration) -> bool) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:32.cyan/dim} {pos}/{len} tasks  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
    loop {
        let progress = run.progress();
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
