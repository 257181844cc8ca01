//! Nannies and the worst of workers, without a scheduler: the test holds the other end of the nanny's link.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use partita_deploy::{Ask, Crew, End, Member, NannyOptions, Rules, Status, WorkerCommand, WorkerSpec};
use partita_net::link::{Link, LinkEvent, pair};
use partita_net::message::{NannyToScheduler, PeerInfo, SchedulerToNanny};
use partita_net::wire::{decode_nanny, encode_to_nanny};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::Test;
use crate::pretend::ROLE;
use crate::watch::{entries, exists, freeze, signal, until, zombies};

pub const TESTS: &[Test] = &[
    ("nanny_restarts_a_worker_that_was_killed", restarts),
    ("nanny_pauses_longer_and_longer", pauses),
    ("nanny_kills_a_worker_above_its_limit", memory),
    ("nanny_kills_a_worker_that_hangs", hang),
    ("nanny_leaves_a_stopped_link_alone_and_a_frozen_process_not", frozen),
    ("nanny_reports_a_start_error_once", start_error),
    ("nanny_does_not_try_again_what_was_refused", refused),
    ("nanny_goes_with_its_scheduler", scheduler_gone),
    ("nanny_restarts_on_request", restart_on_request),
    ("nanny_kills_what_does_not_leave", stubborn),
];

/// A nanny over a link whose other end is here.
struct Trial {
    crew: Crew,
    nanny: Member,
    theirs: Link,
    heard: UnboundedReceiver<LinkEvent>,
    folder: tempfile::TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

fn command(role: &'static str) -> WorkerCommand {
    Arc::new(move || {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.env(ROLE, role);
        command
    })
}

fn trial(command: WorkerCommand, rules: Rules) -> Trial {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = WorkerSpec::new("tcp://127.0.0.1:1");
    spec.name = "one".into();
    spec.folder = Some(folder.path().to_path_buf());
    spec.memory_limit = rules.memory_limit;
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut options = NannyOptions::new(spec, command);
    options.rules = rules;
    let lines = said.clone();
    options.voice = Arc::new(move |line| lines.lock().expect("lines").push(line.to_string()));
    let (ours, events, theirs, heard) = pair(PeerInfo::Nanny { id: 1, host: "here".into(), worker_name: "one".into() });
    let crew = Crew::new().expect("a thread");
    let nanny = crew.hire_over(options, (ours, events));
    Trial { crew, nanny, theirs, heard, folder, said }
}

impl Trial {
    fn status(&self) -> Status {
        self.crew.status()[self.nanny.0].clone()
    }

    /// Waits for a process of at least this number of starts that has joined.
    fn joined(&self, starts: u32) -> Status {
        assert!(self.crew.wait(Duration::from_secs(15), |all| all[0].joined && all[0].starts >= starts), "{:?}", self.status());
        self.status()
    }

    fn ended(&self) -> End {
        assert!(self.crew.wait(Duration::from_secs(15), |all| all[0].end.is_some()), "{:?}", self.status());
        self.status().end.expect("it has ended")
    }

    /// The next message to the scheduler.
    fn hear(&mut self) -> NannyToScheduler {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            match self.heard.try_recv() {
                Ok(LinkEvent::Message(bytes)) => return decode_nanny(&bytes).expect("a nanny's message"),
                Ok(other) => panic!("{other:?}"),
                Err(_) => assert!(Instant::now() < until, "nothing is heard"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Nothing of it is left.
    fn clean(self) {
        let path = self.folder.path().to_path_buf();
        let last = self.status().pid;
        drop(self.crew);
        assert!(last.is_none_or(|pid| !exists(pid)), "{last:?} outlived its nanny");
        assert_eq!(entries(&path), 0, "folders of workers stay behind");
        assert!(zombies().is_empty(), "{:?}", zombies());
    }
}

fn restarts() {
    let mut trial = trial(command("steady"), Rules::default());
    let first = trial.joined(1);
    let (pid, folder) = (first.pid.expect("a process"), only_folder(trial.folder.path()));
    assert!(folder.join("spilled").exists());
    signal(pid, Signal::SIGKILL);
    let second = trial.joined(2);
    assert_ne!(second.pid, first.pid);
    assert_ne!(second.incarnation, first.incarnation);
    assert!(!folder.exists(), "what the dead worker had spilled is gone");
    assert_ne!(only_folder(trial.folder.path()), folder);
    match trial.hear() {
        NannyToScheduler::Died { incarnation, why, executing } => {
            assert_eq!(incarnation, first.incarnation);
            assert!(why.contains("signal 9"), "{why}");
            assert_eq!(executing, Some(Vec::new()));
        }
        other => panic!("{other:?}"),
    }
    trial.clean();
}

fn only_folder(path: &Path) -> std::path::PathBuf {
    let mut folders: Vec<_> = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

fn pauses() {
    let rules = Rules { first_pause: Duration::from_millis(200), ..Rules::default() };
    let mut trial = trial(command("short-lived"), rules);
    let start = Instant::now();
    trial.joined(4);
    // Three lives of a fifth of a second each, and pauses of 0.2, 0.4 and 0.8 s.
    let taken = start.elapsed();
    assert!(taken > Duration::from_millis(2000), "{taken:?}");
    for _ in 0..3 {
        let heard = trial.hear();
        assert!(matches!(&heard, NannyToScheduler::Died { why, .. } if why.contains("exit code 7")), "{heard:?}");
    }
    trial.crew.ask(trial.nanny, Ask::Kill);
    trial.ended();
    trial.clean();
}

fn memory() {
    let mut trial = trial(command("hungry"), Rules { memory_limit: 200 << 20, ..Rules::default() });
    trial.joined(2);
    match trial.hear() {
        NannyToScheduler::Died { why, .. } => {
            for piece in ["memory", "95 %", "limit of 200.0 MiB", "at most"] {
                assert!(why.contains(piece), "{piece:?} is not in {why:?}");
            }
        }
        other => panic!("{other:?}"),
    }
    let said = trial.said.lock().expect("lines").join("\n");
    assert!(said.contains("one: the worker died: killed by its nanny for memory"), "{said}");
    trial.crew.ask(trial.nanny, Ask::Kill);
    trial.ended();
    trial.clean();
}

fn hang() {
    let mut trial = trial(command("silent"), Rules { hang: Some(Duration::from_secs(1)), ..Rules::default() });
    trial.joined(2);
    let heard = trial.hear();
    assert!(matches!(&heard, NannyToScheduler::Died { why, .. } if why.contains("no sign of life for 1 s")), "{heard:?}");
    trial.clean();
}

fn frozen() {
    let mut trial = trial(command("steady"), Rules { hang: Some(Duration::from_secs(1)), ..Rules::default() });
    let first = trial.joined(1);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(trial.status().pid, first.pid, "a worker that lives is left alone");
    freeze(first.pid.expect("a process"));
    trial.joined(2);
    let heard = trial.hear();
    assert!(matches!(&heard, NannyToScheduler::Died { incarnation, .. } if *incarnation == first.incarnation), "{heard:?}");
    trial.clean();
}

fn start_error() {
    let rules = Rules { allowed_starts: 3, first_pause: Duration::from_millis(20), ..Rules::default() };
    let mut trial = trial(command("broken"), rules);
    let End::GaveUp(why) = trial.ended() else { panic!("{:?}", trial.status()) };
    assert!(why.contains("exit code 3") && why.contains("libmagic.so is missing"), "{why}");
    assert_eq!(trial.status().starts, 3);
    assert!(trial.status().failure.is_some_and(|failure| failure.to_string().contains("E0223")));
    let given_up = std::iter::from_fn(|| match trial.hear() {
        NannyToScheduler::Died { .. } => Some(None),
        NannyToScheduler::GivenUp { why } => Some(Some(why)),
    });
    assert_eq!(given_up.flatten().next(), Some(why));
    assert!(trial.heard.try_recv().is_ok_and(|event| matches!(event, LinkEvent::Closed(_))), "it was said once");
    trial.clean();
    let mut absent = self::trial(Arc::new(|| Command::new("/nowhere/partita")), Rules { allowed_starts: 2, ..Rules::default() });
    let End::GaveUp(why) = absent.ended() else { panic!("{:?}", absent.status()) };
    assert!(why.contains("/nowhere/partita cannot be started"), "{why}");
    assert!(matches!(absent.hear(), NannyToScheduler::GivenUp { .. }));
    absent.clean();
}

fn refused() {
    let trial = trial(command("refused"), Rules::default());
    let End::GaveUp(why) = trial.ended() else { panic!("{:?}", trial.status()) };
    assert!(why.contains("E0214") && why.contains("another cluster"), "{why}");
    assert_eq!(trial.status().starts, 1);
    trial.clean();
}

fn scheduler_gone() {
    let trial = trial(command("steady"), Rules { stop: Duration::from_secs(1), ..Rules::default() });
    let pid = trial.joined(1).pid.expect("a process");
    trial.theirs.close("the scheduler ends");
    assert!(matches!(trial.ended(), End::SchedulerGone(_)));
    assert!(!exists(pid));
    assert_eq!(trial.status().starts, 1, "no restart loop");
    trial.clean();
}

fn restart_on_request() {
    let mut trial = trial(command("steady"), Rules::default());
    let first = trial.joined(1);
    trial.theirs.send(encode_to_nanny(&SchedulerToNanny::Restart { incarnation: first.incarnation ^ 1 }));
    trial.theirs.send(encode_to_nanny(&SchedulerToNanny::Restart { incarnation: first.incarnation }));
    let second = trial.joined(2);
    assert_ne!(first.pid, second.pid);
    let heard = trial.hear();
    assert!(matches!(&heard, NannyToScheduler::Died { executing: Some(none), .. } if none.is_empty()), "nobody is blamed: {heard:?}");
    trial.theirs.send(encode_to_nanny(&SchedulerToNanny::Close { reason: "retired".into() }));
    assert_eq!(trial.ended(), End::Left);
    assert_eq!(trial.status().starts, 2);
    trial.clean();
}

fn stubborn() {
    let trial = trial(command("steady"), Rules { stop: Duration::from_millis(300), ..Rules::default() });
    let pid = trial.joined(1).pid.expect("a process");
    // A stopped process does not even end by a signal that it would not catch.
    freeze(pid);
    let start = Instant::now();
    trial.crew.ask(trial.nanny, Ask::Stop);
    assert_eq!(trial.ended(), End::Left);
    assert!(start.elapsed() >= Duration::from_millis(300), "it was asked first");
    until("the process is gone", 10, || !exists(pid));
    trial.clean();
}
