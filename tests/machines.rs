//! Transcripts of the two machines: each file of `tests/machines/` is a script of events, a line `----`, and what the machine
//! answered to each event. `UPDATE_EXPECT=1 cargo test -p partita-core --test machines` writes the answers anew.
//!
//! A script begins with `scheduler` or with `worker <threads> <memory limit>`; `layer` lines describe the graph.
#![expect(clippy::disallowed_methods, reason = "a test reads its transcripts and writes them anew")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use partita_core::protocol::*;
use partita_core::scheduler::{self, Scheduler};
use partita_core::worker::{self, Worker};
use partita_graph::{Chunk, Code, Edge, Failure, Graph, Key, Layer, LayerId, OpRef, Plain, Wiring};

/// Layers by name, and names by layer.
#[derive(Default)]
struct Names {
    layers: BTreeMap<String, Arc<Layer>>,
    order: Vec<String>,
}

impl Names {
    /// `layer b 2 group 2 of a, every of c`
    fn add(&mut self, words: &[&str]) {
        let (name, len) = (words[0], words[1].parse().unwrap());
        let text = words[2..].join(" ");
        let edges = text.split(", ").filter(|part| !part.is_empty()).map(|part| {
            let (wiring, of) = part.split_once(" of ").expect("<wiring> of <layer>");
            let wiring = match wiring.split_once(' ') {
                Some(("group", n)) => Wiring::Group(n.parse().unwrap()),
                None if wiring == "each" => Wiring::Each,
                None if wiring == "every" => Wiring::Every,
                None if wiring == "part" => Wiring::Part,
                _ => panic!("no wiring {wiring:?}"),
            };
            Edge { layer: self.layers[of].id, wiring }
        });
        let op = OpRef::closure("nothing", self.layers.len() as u64, |_, _| Ok(Chunk::new(Plain(0))));
        let layer = Layer::single(name, len, op, edges.collect());
        self.layers.insert(name.into(), Arc::new(layer));
        self.order.push(name.into());
    }

    /// `b#1`
    fn key(&self, text: &str) -> Key {
        let (layer, index) = text.split_once('#').unwrap_or_else(|| panic!("{text:?} is no key"));
        Key::new(self.layers[layer].id, index.parse().unwrap())
    }

    fn name(&self, key: Key) -> String {
        let of = |id: LayerId| self.layers.iter().find(|(_, layer)| layer.id == id).map(|(name, _)| name.as_str());
        format!("{}#{}", of(key.layer).expect("a layer of the script"), key.index)
    }

    fn names<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> String {
        keys.into_iter().map(|key| self.name(*key)).collect::<Vec<_>>().join(" ")
    }

    fn graph(&self, wanted: &[&str]) -> Graph {
        let mut graph = Graph { layers: self.order.iter().map(|name| self.layers[name].clone()).collect(), wanted: Vec::new() };
        for text in wanted {
            match text.contains('#') {
                true => graph.wanted.push(self.key(text)),
                false => graph.want_all(self.layers[*text].id),
            }
        }
        graph
    }

    /// `a#0/1:100@w2@w3`: part 1 of a#0, of 100 bytes, held by two others.
    fn input(&self, text: &str) -> Input {
        let mut holders = text.split('@');
        let (piece, nbytes) = holders.next().unwrap().split_once(':').expect("key:bytes");
        let (key, part) = match piece.split_once('/') {
            Some((key, part)) => (key, Some(part.parse().unwrap())),
            None => (piece, None),
        };
        Input { key: self.key(key), part, nbytes: nbytes.parse().unwrap(), holders: holders.map(worker_id).collect() }
    }

    fn piece(&self, text: &str) -> (Key, Option<u32>) {
        match text.split_once('/') {
            Some((key, part)) => (self.key(key), Some(part.parse().unwrap())),
            None => (self.key(text), None),
        }
    }
}

fn worker_id(text: &str) -> WorkerId {
    WorkerId(text.trim_start_matches('w').parse().unwrap_or_else(|_| panic!("{text:?} is no worker")))
}

fn run_id(text: &str) -> RunId {
    RunId(text.trim_start_matches('r').parse().unwrap_or_else(|_| panic!("{text:?} is no run")))
}

/// The word after `label`, if the label is there.
fn after<'a>(words: &[&'a str], label: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == label).map(|at| words[at + 1])
}

fn attempt(words: &[&str]) -> Attempt {
    after(words, "try").map_or(1, |text| text.parse().unwrap())
}

fn bytes(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number of bytes"))
}

fn scheduler_event(names: &Names, words: &[&str]) -> SchedulerEvent {
    match words {
        ["join", worker, threads] => SchedulerEvent::Joined { worker: worker_id(worker), about: About::plain(worker, threads.parse().unwrap()) },
        ["gone", worker, reason] => {
            let reason = if *reason == "died" { Gone::died() } else { Gone::Retired };
            SchedulerEvent::WorkerGone { worker: worker_id(worker), reason }
        }
        ["submit", run, wanted @ ..] => SchedulerEvent::Submit { run: run_id(run), graph: Arc::new(names.graph(wanted)) },
        ["cancel", run] => SchedulerEvent::Cancel(run_id(run)),
        ["release", run] => SchedulerEvent::Release(run_id(run)),
        [worker, what, key, rest @ ..] => {
            let (key, attempt) = (names.key(key), attempt(rest));
            let message = match *what {
                "finished" => ToScheduler::Finished { key, attempt, nbytes: bytes(rest[0]), micros: 5, notes: Vec::new() },
                "started" => ToScheduler::Started { key, attempt },
                "failed" => ToScheduler::Failed { key, attempt, failure: Failure::new(Code::UserFunction, rest[0]) },
                "misses" => {
                    let asked = rest.iter().filter(|word| word.starts_with('w')).map(|word| worker_id(word)).collect();
                    ToScheduler::MissingInput { key, attempt, input: names.key(rest[0]), asked }
                }
                "replicated" => ToScheduler::Replicated(key),
                "lost" => ToScheduler::Lost(key),
                _ => panic!("no message {what:?}"),
            };
            SchedulerEvent::Said(worker_id(worker), message)
        }
        _ => panic!("no event {words:?}"),
    }
}

fn show_to_worker(names: &Names, message: &ToWorker) -> String {
    match message {
        ToWorker::Assign(a) => {
            let mut text = format!("assign {} try {} expects {}", names.name(a.key), a.attempt, a.expected);
            for input in a.inputs.iter().flatten() {
                let part = input.part.map(|part| format!("/{part}")).unwrap_or_default();
                let holders: String = input.holders.iter().map(|holder| format!("@w{}", holder.0)).collect();
                write!(text, " {}{part}:{}{holders}", names.name(input.key), input.nbytes).unwrap();
            }
            text
        }
        ToWorker::Free(keys) => format!("free {}", names.names(keys)),
        ToWorker::Abandon(key, attempt) => format!("abandon {} try {attempt}", names.name(*key)),
    }
}

fn show_scheduler_action(names: &Names, action: &SchedulerAction) -> String {
    match action {
        SchedulerAction::Send(worker, message) => format!("to w{}: {}", worker.0, show_to_worker(names, message)),
        SchedulerAction::RunDone(run) => format!("run r{} is done", run.0),
        SchedulerAction::RunFailed(run, failure) => format!("run r{} failed: [{}] {}", run.0, failure.code, unnamed(names, &failure.what)),
        SchedulerAction::Note(run, note) => format!("note for r{}: {note}", run.0),
        SchedulerAction::Disconnect(worker, why) => format!("disconnect w{}: {why}", worker.0),
    }
}

/// The text with names in place of keys.
fn unnamed(names: &Names, text: &str) -> String {
    let replace = |text: String, (name, layer): (&String, &Arc<Layer>)| text.replace(&layer.id.to_string(), name);
    names.layers.iter().fold(text.to_string(), replace)
}

fn worker_event(names: &Names, words: &[&str]) -> WorkerEvent {
    let heard = WorkerEvent::Heard;
    if let ["measured", rss] = words {
        return WorkerEvent::Measured { rss: bytes(rss) };
    }
    let (key, part) = names.piece(words[1]);
    let attempt = attempt(words);
    match words[0] {
        "assign" => {
            let inputs = words[2..].iter().filter(|word| word.contains(':')).map(|word| names.input(word)).collect();
            let layer = names.layers.values().find(|layer| layer.id == key.layer).unwrap().clone();
            let priority = after(words, "priority").map_or(u64::from(key.index), bytes);
            let expected = after(words, "expects").map_or(0, bytes);
            heard(ToWorker::Assign(Assignment { key, attempt, layer, inputs: vec![inputs], priority, expected }))
        }
        "free" => heard(ToWorker::Free(words[1..].iter().map(|word| names.key(word)).collect())),
        "abandon" => heard(ToWorker::Abandon(key, attempt)),
        "ran" => {
            WorkerEvent::Ran { key, attempt, nbytes: bytes(words[2]), spillable: !words.contains(&"unspillable"), micros: 5, notes: vec![] }
        }
        "failed" => WorkerEvent::RunFailed { key, attempt, failure: Failure::new(Code::UserFunction, words[2]) },
        "fetched" => WorkerEvent::Fetched { key, part, nbytes: bytes(words[2]) },
        "unfetched" => WorkerEvent::FetchFailed { key, part, from: worker_id(words[2]) },
        "spilled" => WorkerEvent::Spilled { key, disk: bytes(words[2]) },
        "unspilled" => WorkerEvent::SpillFailed { key },
        "loaded" => WorkerEvent::Loaded { key, nbytes: bytes(words[2]) },
        "unloaded" => WorkerEvent::LoadFailed { key },
        what => panic!("no event {what:?}"),
    }
}

fn show_worker_action(names: &Names, action: &WorkerAction) -> String {
    let piece = |key: &Key, part: &Option<u32>| format!("{}{}", names.name(*key), part.map(|part| format!("/{part}")).unwrap_or_default());
    match action {
        WorkerAction::Send(message) => format!("say {}", show_to_scheduler(names, message)),
        WorkerAction::Execute(task) => format!("execute {} try {}", names.name(task.key), task.attempt),
        WorkerAction::Interrupt(key, attempt) => format!("interrupt {} try {attempt}", names.name(*key)),
        WorkerAction::Fetch { from, pieces } => {
            let pieces: Vec<String> = pieces.iter().map(|(key, part)| piece(key, part)).collect();
            format!("fetch {} from w{}", pieces.join(" "), from.0)
        }
        WorkerAction::Spill(key) => format!("spill {}", names.name(*key)),
        WorkerAction::Load(key) => format!("load {}", names.name(*key)),
        WorkerAction::Drop(key) => format!("drop {}", names.name(*key)),
        WorkerAction::DropPart(key, part) => format!("drop {}", piece(key, &Some(*part))),
        WorkerAction::Warn(text) => format!("warn: {text}"),
    }
}

fn show_to_scheduler(names: &Names, message: &ToScheduler) -> String {
    match message {
        ToScheduler::Finished { key, attempt, nbytes, .. } => format!("finished {} try {attempt}: {nbytes} B", names.name(*key)),
        ToScheduler::Failed { key, attempt, failure } => format!("failed {} try {attempt}: {}", names.name(*key), failure.what),
        ToScheduler::Started { key, attempt } => format!("started {} try {attempt}", names.name(*key)),
        ToScheduler::MissingInput { key, attempt, input, asked } => {
            let asked: String = asked.iter().map(|worker| format!(" w{}", worker.0)).collect();
            format!("{} try {attempt} misses {}, asked:{asked}", names.name(*key), names.name(*input))
        }
        ToScheduler::Replicated(key) => format!("replicated {}", names.name(*key)),
        ToScheduler::Lost(key) => format!("lost {}", names.name(*key)),
        ToScheduler::Memory { managed, spilled, paused } => format!("memory {managed} B, disk {spilled} B, paused {paused}"),
    }
}

enum Machine {
    Scheduler(Box<Scheduler>),
    Worker(Box<Worker>),
}

fn play(script: &str) -> String {
    let mut lines = script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("//"));
    let first: Vec<&str> = lines.next().expect("a script has lines").split_whitespace().collect();
    let mut machine = match first[..] {
        ["scheduler"] => Machine::Scheduler(Box::new(Scheduler::new(scheduler::Config::default()))),
        ["worker", threads, limit] => Machine::Worker(Box::new(Worker::new(worker::Config::new(threads.parse().unwrap(), bytes(limit))))),
        _ => panic!("a script begins with `scheduler` or `worker <threads> <limit>`"),
    };
    let mut names = Names::default();
    let mut told = String::new();
    for (now, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "layer" {
            names.add(&words[1..]);
            continue;
        }
        writeln!(told, "{line}").unwrap();
        let answers: Vec<String> = match &mut machine {
            Machine::Scheduler(scheduler) if words[0] == "explain" => {
                vec![unnamed(&names, &scheduler.explain(names.key(words[1])).to_string())]
            }
            Machine::Scheduler(scheduler) => {
                let mut out = Vec::new();
                scheduler.handle(now as Tick, scheduler_event(&names, &words), &mut out);
                scheduler.check();
                out.iter().map(|action| show_scheduler_action(&names, action)).collect()
            }
            Machine::Worker(worker) => {
                let mut out = Vec::new();
                worker.handle(now as Tick, worker_event(&names, &words), &mut out);
                worker.check();
                out.iter().map(|action| show_worker_action(&names, action)).collect()
            }
        };
        answers.iter().for_each(|answer| writeln!(told, "    {answer}").unwrap());
    }
    told
}

#[test]
fn transcripts() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/machines");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "the transcripts are in {}", folder.display());
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut different = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (script, expected) = text.split_once("----\n").unwrap_or((&text, ""));
        let found = play(script);
        if update {
            std::fs::write(&file, format!("{}\n----\n{found}", script.trim_end())).unwrap();
        } else if found != expected {
            writeln!(different, "{}\nexpected:\n{expected}\nfound:\n{found}", file.display()).unwrap();
        }
    }
    assert!(different.is_empty(), "{different}UPDATE_EXPECT=1 writes the answers anew");
}

/// One worker of one thread, and a run of two chains; one chain is done.
fn half_way() -> (Scheduler, Names) {
    let mut names = Names::default();
    names.add(&["read", "2"]);
    names.add(&["map", "2", "each", "of", "read"]);
    let mut scheduler = Scheduler::new(scheduler::Config::default());
    let mut out = Vec::new();
    for line in ["join w1 1", "submit r1 map", "w1 finished read#0 100", "w1 finished map#0 10"] {
        let words: Vec<&str> = line.split(' ').collect();
        scheduler.handle(7, scheduler_event(&names, &words), &mut out);
    }
    (scheduler, names)
}

#[test]
fn a_story_tells_what_happened_to_a_task() {
    let (scheduler, names) = half_way();
    let story: Vec<String> = scheduler.story(names.key("read#0")).iter().map(ToString::to_string).collect();
    assert_eq!(story, ["7 us: given to worker 1 (try 1)", "7 us: stored at worker 1 (100 B)", "7 us: dropped, nobody wants it"]);
    assert!(scheduler.story(names.key("map#1")).is_empty());
}

#[test]
fn snapshot_and_progress_tell_how_far_a_run_is() {
    let (scheduler, names) = half_way();
    let progress = scheduler.progress(RunId(1));
    let layers: Vec<(&str, u64, u64)> = progress.layers.iter().map(|layer| (layer.name.as_str(), layer.done, layer.total)).collect();
    assert_eq!((layers, progress.running), (vec![("read", 1, 2), ("map", 1, 2)], 1));
    let snapshot = scheduler.snapshot();
    let layers: Vec<[u64; 5]> = snapshot.layers.iter().map(|l| [l.len, l.waiting, l.ready, l.assigned, l.stored]).collect();
    assert_eq!(layers, [[2, 0, 0, 1, 0], [2, 1, 0, 0, 1]]);
    assert_eq!((snapshot.workers[0].assigned, snapshot.runs[0].unstored), (1, 1));
    assert_eq!(scheduler.holders(names.key("map#0")), [WorkerId(1)]);
    assert!(scheduler.holders(names.key("read#0")).is_empty());
}
