//! Transcripts of the two machines: each file of `tests/machines/` is a script of events, a line `----`, and what the machine
//! answered to each event. `UPDATE_EXPECT=1 cargo test -p partita-core --test machines` writes the answers anew,
//! `UPDATE_EXPECT=scheduler_steal` those of the files whose names begin so.
//!
//! A script begins with `scheduler` or with `worker <threads> <memory limit>`, then settings by name; `layer` lines describe the
//! graph. Time goes on by a microsecond with each line, and by `wait <micros>` more. After the wiring of a layer may stand `with` and its wishes:
//! `with priority 2 retries 1 workers a,b or others needs GPU:1 timeout 500`.
#![expect(clippy::disallowed_methods, reason = "a test reads its transcripts and writes them anew")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use partita_core::protocol::*;
use partita_core::scheduler::{self, Scheduler};
use partita_core::worker::{self, Worker};
use partita_graph::{Annotations, Chunk, Code, Edge, Failure, Graph, Key, Layer, LayerId, OpRef, Plain, Wiring};

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
        let wishes = words.iter().position(|word| *word == "with").unwrap_or(words.len());
        let text = words[2..wishes].join(" ");
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
        let mut layer = Layer::single(name, len, op, edges.collect());
        let wishes = annotations(&words[wishes..]);
        layer.annotations = (!wishes.is_empty()).then(|| Arc::new(wishes));
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
        let mut graph = Graph::new(self.order.iter().map(|name| self.layers[name].clone()).collect(), Vec::new());
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

/// `with priority 2 retries 1 workers a,b or others needs GPU:1,SSD:2 timeout 500`
fn annotations(words: &[&str]) -> Annotations {
    let number = |label: &str| after(words, label).map(|text| text.parse::<i64>().unwrap());
    Annotations {
        priority: number("priority").unwrap_or(0) as i32,
        retries: number("retries").unwrap_or(0) as u32,
        workers: after(words, "workers").map(|list| list.split(',').map(String::from).collect()).unwrap_or_default(),
        allow_other_workers: words.contains(&"others"),
        resources: after(words, "needs").map(resources).unwrap_or_default(),
        timeout: number("timeout").map(|micros| micros as u64),
    }
}

/// `GPU:1,SSD:2`, in whole units
fn resources(text: &str) -> BTreeMap<String, u64> {
    let pairs = text.split(',').map(|pair| pair.split_once(':').expect("resource:units"));
    pairs.map(|(name, units)| (name.to_string(), units.parse::<u64>().unwrap() * 1000)).collect()
}

/// `w1 2 host h memory 1000 offers GPU:1`
fn about(words: &[&str]) -> About {
    let name = after(words, "name").unwrap_or(words[0]);
    About {
        host: after(words, "host").unwrap_or(words[0]).into(),
        memory_limit: after(words, "memory").map_or(0, bytes),
        resources: after(words, "offers").map(resources).unwrap_or_default(),
        ..About::plain(name, words[1].parse().unwrap())
    }
}

fn client_id(text: &str) -> ClientId {
    ClientId(text.trim_start_matches('c').parse().unwrap_or_else(|_| panic!("{text:?} is no client")))
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

fn gone(words: &[&str], names: &Names) -> Gone {
    match words {
        ["died"] => Gone::died(),
        ["retired"] => Gone::Retired,
        ["unreachable"] => Gone::Unreachable,
        // `gone w1 died of SIGKILL executing a#0 b#1:2`
        ["died", "of", why, "executing", tries @ ..] => {
            let executing = tries.iter().map(|text| match text.split_once(':') {
                Some((key, attempt)) => (names.key(key), attempt.parse().unwrap()),
                None => (names.key(text), 1),
            });
            Gone::Died { executing: Some(executing.collect()), why: why.to_string() }
        }
        _ => panic!("no reason to be gone: {words:?}"),
    }
}

fn scheduler_event(names: &Names, words: &[&str]) -> SchedulerEvent {
    match words {
        ["join", worker, ..] => SchedulerEvent::Joined { worker: worker_id(worker), about: about(&words[1..]) },
        ["gone", worker, reason @ ..] => SchedulerEvent::WorkerGone { worker: worker_id(worker), reason: gone(reason, names) },
        ["link", "lost", worker] => SchedulerEvent::LinkLost(worker_id(worker)),
        ["link", "back", worker] => SchedulerEvent::LinkBack(worker_id(worker)),
        ["retire", worker] => SchedulerEvent::Retire(worker_id(worker)),
        ["stay", worker] => SchedulerEvent::Stay(worker_id(worker)),
        ["client", "lost", client] => SchedulerEvent::ClientLost(client_id(client)),
        ["client", "back", client] => SchedulerEvent::ClientBack(client_id(client)),
        ["client", "gone", client] => SchedulerEvent::ClientGone(client_id(client)),
        ["restart"] => SchedulerEvent::Restart,
        ["rebalance"] => SchedulerEvent::Rebalance,
        ["replicate", copies, keys @ ..] => {
            let keys = keys.iter().map(|key| names.key(key)).collect();
            SchedulerEvent::Replicate { keys, copies: copies.parse().unwrap() }
        }
        ["tick"] => SchedulerEvent::Tick,
        ["wake"] => SchedulerEvent::Wake,
        // `submit r1 by c2 map#0`, and with `futures` in its place keys that end one by one.
        [how @ ("submit" | "futures"), run, "by", client, wanted @ ..] => submit(names, how, run, client_id(client), wanted),
        [how @ ("submit" | "futures"), run, wanted @ ..] => submit(names, how, run, ClientId::default(), wanted),
        ["forget", run, keys @ ..] => SchedulerEvent::Forget { run: run_id(run), keys: keys.iter().map(|key| names.key(key)).collect() },
        ["cancel", run] => SchedulerEvent::Cancel(run_id(run)),
        ["release", run] => SchedulerEvent::Release(run_id(run)),
        [worker, rest @ ..] => SchedulerEvent::Said(worker_id(worker), said(names, rest)),
        _ => panic!("no event {words:?}"),
    }
}

fn submit(names: &Names, how: &str, run: &str, client: ClientId, wanted: &[&str]) -> SchedulerEvent {
    let ending = if how == "futures" { Ending::Each } else { Ending::Together };
    SchedulerEvent::Submit { run: run_id(run), client, graph: Arc::new(names.graph(wanted)), ending }
}

fn said(names: &Names, words: &[&str]) -> ToScheduler {
    if let ["memory", managed, rest @ ..] = words {
        let (spilled, rss) = (after(rest, "disk").map_or(0, bytes), after(rest, "rss").map_or(0, bytes));
        return ToScheduler::Memory { managed: bytes(managed), spilled, spilled_total: spilled, paused: rest.contains(&"paused"), rss };
    }
    let (what, key, rest) = (words[0], names.key(words[1]), &words[2..]);
    let attempt = attempt(rest);
    let asked = || rest.iter().filter(|word| word.starts_with('w')).map(|word| worker_id(word)).collect();
    match what {
        "finished" => {
            let (micros, value) = (after(rest, "took").map_or(5, bytes), after(rest, "value").map(|text| text.as_bytes().into()));
            ToScheduler::Finished { key, attempt, nbytes: bytes(rest[0]), micros, notes: Vec::new(), value }
        }
        "started" => ToScheduler::Started { key, attempt },
        "waits" => ToScheduler::Waits(key, attempt),
        "resumes" => ToScheduler::Resumes(key, attempt),
        "told" => ToScheduler::Told { key, attempt, done: bytes(rest[0]), total: bytes(rest[1]) },
        "failed" => ToScheduler::Failed { key, attempt, failure: Failure::new(Code::UserFunction, rest[0]) },
        "timed-out" => ToScheduler::Failed { key, attempt, failure: Failure::new(Code::TaskTimeout, "it took too long") },
        "misses" => ToScheduler::MissingInput { key, attempt, input: names.key(rest[0]), asked: asked() },
        "asks" => ToScheduler::WhoHas(key),
        "replicated" => ToScheduler::Replicated(key),
        "retracted" => ToScheduler::Retracted(key, attempt),
        "kept" => ToScheduler::Kept(key, attempt),
        "ended" => ToScheduler::Ended(key, attempt),
        "unacquired" => ToScheduler::AcquireFailed { key, asked: asked() },
        "lost" => ToScheduler::Lost(key),
        _ => panic!("no message {what:?}"),
    }
}

/// `@w1@w2`
fn at(holders: &[WorkerId]) -> String {
    holders.iter().map(|holder| format!("@w{}", holder.0)).collect()
}

fn show_to_worker(names: &Names, message: &ToWorker) -> String {
    match message {
        ToWorker::Assign(a) => {
            let mut text = format!("assign {} try {} expects {}", names.name(a.key), a.attempt, a.expected);
            for input in a.inputs.iter().flatten() {
                let part = input.part.map(|part| format!("/{part}")).unwrap_or_default();
                write!(text, " {}{part}:{}{}", names.name(input.key), input.nbytes, at(&input.holders)).unwrap();
            }
            text += if a.inline { " inline" } else { "" };
            a.timeout.iter().for_each(|micros| write!(text, " within {micros}").unwrap());
            text
        }
        ToWorker::Free(keys) => format!("free {}", names.names(keys)),
        ToWorker::Abandon(key, attempt) => format!("abandon {} try {attempt}", names.name(*key)),
        ToWorker::Retract(key, attempt) => format!("retract {} try {attempt}", names.name(*key)),
        ToWorker::Acquire { key, nbytes, holders } => format!("acquire {}:{nbytes}{}", names.name(*key), at(holders)),
        ToWorker::PeerGone(peer) => format!("w{} is gone", peer.0),
        ToWorker::Holders { key, holders } => format!("holders {}{}", names.name(*key), at(holders)),
    }
}

fn show_scheduler_action(names: &Names, action: &SchedulerAction) -> String {
    match action {
        SchedulerAction::Send(worker, message) => format!("to w{}: {}", worker.0, show_to_worker(names, message)),
        SchedulerAction::RunDone(run) => format!("run r{} is done", run.0),
        SchedulerAction::RunFailed(run, failure) => format!("run r{} failed: [{}] {}", run.0, failure.code, unnamed(names, &failure.what)),
        SchedulerAction::KeyDone { run, key } => format!("r{} has {}", run.0, names.name(*key)),
        SchedulerAction::KeysFailed { run, keys, failure } => {
            format!("r{} cannot have {}: [{}] {}", run.0, names.names(keys), failure.code, unnamed(names, &failure.what))
        }
        SchedulerAction::Value { run, key, value } => {
            format!("value of {} for r{}: {}", names.name(*key), run.0, String::from_utf8_lossy(value))
        }
        SchedulerAction::Retired(worker) => format!("w{} has retired", worker.0),
        SchedulerAction::CannotRetire(worker, why) => format!("w{} cannot retire: {}", worker.0, unnamed(names, why)),
        SchedulerAction::ClientForgotten(client) => format!("client c{} is forgotten", client.0),
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
    match words {
        ["measured", rss] => return WorkerEvent::Measured { rss: bytes(rss) },
        ["tick"] => return WorkerEvent::Tick,
        ["gone", peer] => return heard(ToWorker::PeerGone(worker_id(peer))),
        // `busy w2 a#0 b#1/3`
        ["busy", from, pieces @ ..] => {
            return WorkerEvent::FetchBusy { from: worker_id(from), pieces: pieces.iter().map(|text| names.piece(text)).collect() };
        }
        _ => {}
    }
    let (key, part) = names.piece(words[1].split(':').next().unwrap());
    let attempt = attempt(words);
    match words[0] {
        "assign" => {
            let inputs = words[2..].iter().filter(|word| word.contains(':')).map(|word| names.input(word)).collect();
            let layer = names.layers.values().find(|layer| layer.id == key.layer).unwrap().clone();
            let priority = after(words, "priority").map_or(u64::from(key.index), bytes);
            let expected = after(words, "expects").map_or(0, bytes);
            let (inline, timeout) = (words.contains(&"inline"), after(words, "within").map(bytes));
            let assignment = Assignment::new(key, layer, vec![inputs]);
            heard(ToWorker::Assign(Assignment { attempt, priority, expected, inline, timeout, ..assignment }))
        }
        "free" => heard(ToWorker::Free(words[1..].iter().map(|word| names.key(word)).collect())),
        "abandon" => heard(ToWorker::Abandon(key, attempt)),
        "retract" => heard(ToWorker::Retract(key, attempt)),
        // `acquire a#0:100@w2@w3`
        "acquire" => {
            let Input { key, nbytes, holders, .. } = names.input(words[1]);
            heard(ToWorker::Acquire { key, nbytes, holders })
        }
        // `holders a#0:100@w2@w3`
        "holders" => {
            let Input { key, holders, .. } = names.input(words[1]);
            heard(ToWorker::Holders { key, holders })
        }
        "ran" => {
            let value = after(words, "value").map(|text| text.as_bytes().into());
            let spillable = !words.contains(&"unspillable");
            WorkerEvent::Ran { key, attempt, nbytes: bytes(words[2]), spillable, micros: 5, notes: vec![], value }
        }
        "failed" => WorkerEvent::RunFailed { key, attempt, failure: Failure::new(Code::UserFunction, words[2]) },
        "waits" => WorkerEvent::Waits(key, attempt),
        "resumes" => WorkerEvent::Resumes(key, attempt),
        "told" => WorkerEvent::Told { key, attempt, done: bytes(words[2]), total: bytes(words[3]) },
        "fetched" => WorkerEvent::Fetched { key, part, nbytes: bytes(words[2]) },
        "refused" => WorkerEvent::FetchRefused { key, part, failure: Failure::new(Code::NotEncodable, words[2]) },
        // `starved b#0 of a#0`
        "starved" => WorkerEvent::InputLost { key, attempt, input: names.key(words[3]) },
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
        WorkerAction::DropPeer(peer) => format!("drop w{}", peer.0),
        WorkerAction::Spill(key) => format!("spill {}", names.name(*key)),
        WorkerAction::Load(key) => format!("load {}", names.name(*key)),
        WorkerAction::Drop(key) => format!("drop {}", names.name(*key)),
        WorkerAction::DropPart(key, part) => format!("drop {}", piece(key, &Some(*part))),
        WorkerAction::Warn(text) => format!("warn: {text}"),
    }
}

fn show_to_scheduler(names: &Names, message: &ToScheduler) -> String {
    match message {
        ToScheduler::Finished { key, attempt, nbytes, value, .. } => {
            let value = value.as_ref().map(|value| format!(", value {}", String::from_utf8_lossy(value))).unwrap_or_default();
            format!("finished {} try {attempt}: {nbytes} B{value}", names.name(*key))
        }
        ToScheduler::Failed { key, attempt, failure } => format!("failed {} try {attempt}: {}", names.name(*key), failure.what),
        ToScheduler::Started { key, attempt } => format!("started {} try {attempt}", names.name(*key)),
        ToScheduler::Waits(key, attempt) => format!("waits {} try {attempt}", names.name(*key)),
        ToScheduler::Resumes(key, attempt) => format!("resumes {} try {attempt}", names.name(*key)),
        ToScheduler::Told { key, attempt, done, total } => format!("{} try {attempt} is at {done} of {total}", names.name(*key)),
        ToScheduler::MissingInput { key, attempt, input, asked } => {
            let asked: String = asked.iter().map(|worker| format!(" w{}", worker.0)).collect();
            format!("{} try {attempt} misses {}, asked:{asked}", names.name(*key), names.name(*input))
        }
        ToScheduler::WhoHas(key) => format!("who has {}", names.name(*key)),
        ToScheduler::Replicated(key) => format!("replicated {}", names.name(*key)),
        ToScheduler::Lost(key) => format!("lost {}", names.name(*key)),
        ToScheduler::Memory { managed, spilled, spilled_total, paused, .. } => {
            format!("memory {managed} B, disk {spilled} B of {spilled_total} B, paused {paused}")
        }
        ToScheduler::Retracted(key, attempt) => format!("retracted {} try {attempt}", names.name(*key)),
        ToScheduler::Kept(key, attempt) => format!("kept {} try {attempt}", names.name(*key)),
        ToScheduler::Ended(key, attempt) => format!("ended {} try {attempt}", names.name(*key)),
        ToScheduler::AcquireFailed { key, asked } => format!("unacquired {}, asked:{}", names.name(*key), at(asked)),
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
        ["scheduler", ..] => {
            let mut config = scheduler::Config::default();
            config.saturation = after(&first, "saturation").map_or(config.saturation, |text| text.parse().unwrap());
            config.no_workers_timeout = after(&first, "timeout").map(bytes);
            config.allowed_failures = after(&first, "allowed").map_or(config.allowed_failures, |text| text.parse().unwrap());
            Machine::Scheduler(Box::new(Scheduler::new(config)))
        }
        ["worker", threads, limit, ..] => {
            let mut config = worker::Config::new(threads.parse().unwrap(), bytes(limit));
            let number = |label, default| after(&first, label).map_or(default, bytes);
            config.max_spill = number("max_spill", config.max_spill);
            config.fetch_bytes = number("fetch_bytes", config.fetch_bytes);
            config.fetches = number("fetches", u64::from(config.fetches)) as u32;
            config.fetches_per_peer = number("per_peer", u64::from(config.fetches_per_peer)) as u32;
            let share = |label, default: f64| after(&first, label).map_or(default, |text| text.parse().unwrap());
            (config.target, config.spill, config.pause) =
                (share("target", config.target), share("spill", config.spill), share("pause", config.pause));
            Machine::Worker(Box::new(Worker::new(config)))
        }
        _ => panic!("a script begins with `scheduler` or `worker <threads> <limit>`"),
    };
    let mut names = Names::default();
    let mut told = String::new();
    let mut now = 0;
    for line in lines {
        now += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "layer" {
            names.add(&words[1..]);
            continue;
        }
        writeln!(told, "{line}").unwrap();
        if words[0] == "wait" {
            now += bytes(words[1]);
            continue;
        }
        let answers: Vec<String> = match &mut machine {
            Machine::Scheduler(scheduler) if words[0] == "explain" => {
                vec![unnamed(&names, &scheduler.explain(names.key(words[1])).to_string())]
            }
            Machine::Scheduler(scheduler) => {
                let mut out = Vec::new();
                scheduler.handle(now, scheduler_event(&names, &words), &mut out);
                scheduler.check();
                out.iter().map(|action| show_scheduler_action(&names, action)).collect()
            }
            Machine::Worker(worker) => {
                let mut out = Vec::new();
                worker.handle(now, worker_event(&names, &words), &mut out);
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
    let update = std::env::var("UPDATE_EXPECT").unwrap_or_default();
    let mut different = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (script, expected) = text.split_once("----\n").unwrap_or((&text, ""));
        let found = play(script);
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if update == "1" || (!update.is_empty() && name.starts_with(&update)) {
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

#[test]
fn story_and_snapshot_tell_who_waits_inside() {
    let (mut scheduler, names) = half_way();
    let says = |scheduler: &mut Scheduler, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        scheduler.handle(9, scheduler_event(&names, &words), &mut Vec::new());
        scheduler.check();
    };
    says(&mut scheduler, "w1 waits read#1");
    assert_eq!((scheduler.snapshot().workers[0].assigned, scheduler.snapshot().workers[0].waiting), (1, 1));
    says(&mut scheduler, "w1 resumes read#1");
    assert_eq!(scheduler.snapshot().workers[0].waiting, 0);
    let story: Vec<String> = scheduler.story(names.key("read#1")).iter().map(ToString::to_string).collect();
    assert_eq!(story, ["7 us: given to worker 1 (try 1)", "9 us: waits inside for other tasks at worker 1", "9 us: goes on at worker 1"]);
}

#[test]
fn a_failure_for_want_of_a_worker_names_the_task_too() {
    let mut names = Names::default();
    names.add(&["read", "2"]);
    names.add(&["both", "1", "every", "of", "read"]);
    let mut scheduler = Scheduler::new(scheduler::Config { allowed_failures: 0, ..scheduler::Config::default() });
    let mut out = Vec::new();
    for line in ["join w1 1", "join w2 1", "submit r1 both", "w1 finished read#0 100", "w2 finished read#1 50", "w1 started both#0"] {
        let words: Vec<&str> = line.split(' ').collect();
        scheduler.handle(7, scheduler_event(&names, &words), &mut out);
    }
    out.clear();
    let died = Gone::Died { executing: Some(vec![(names.key("both#0"), 1)]), why: "a signal".into() };
    scheduler.handle(8, SchedulerEvent::WorkerGone { worker: WorkerId(1), reason: died }, &mut out);
    let failed = out.iter().find_map(|action| match action {
        SchedulerAction::RunFailed(_, failure) => Some(failure),
        _ => None,
    });
    let place = failed.and_then(|failure| failure.task.as_ref()).expect("the run fails for the task");
    assert_eq!(place.inputs, [names.key("read#0"), names.key("read#1")]);
    assert_eq!((place.attempt, place.worker.as_deref(), place.operator.as_str()), (1, Some("w1"), ""));
}

#[test]
fn a_layer_in_the_place_of_another_is_given_out_by_its_own_wishes() {
    let (mut first, mut second) = (Names::default(), Names::default());
    first.add(&["plain", "2"]);
    second.add(&["choosy", "3", "with", "needs", "B:1"]);
    let mut scheduler = Scheduler::new(scheduler::Config::default());
    let mut out = Vec::new();
    let lines = ["submit r1 plain", "release r1", "submit r2 choosy", "join w1 2", "join w2 1 offers B:1"];
    for (line, names) in lines.into_iter().zip([&first, &first, &second, &second, &second]) {
        let words: Vec<&str> = line.split(' ').collect();
        scheduler.handle(7, scheduler_event(names, &words), &mut out);
        scheduler.check();
    }
    let given = out.iter().filter_map(|action| match action {
        SchedulerAction::Send(worker, ToWorker::Assign(assignment)) => Some((*worker, second.name(assignment.key))),
        _ => None,
    });
    assert_eq!(given.collect::<Vec<_>>(), [(WorkerId(2), "choosy#0".to_owned())]);
}

#[test]
fn a_run_needs_what_stands_before_a_barrier() {
    let mut names = Names::default();
    names.add(&["read", "2"]);
    names.add(&["sum", "2", "every", "of", "read"]);
    let mut scheduler = Scheduler::new(scheduler::Config::default());
    for line in ["join w1 2", "submit r1 sum", "w1 finished read#0 100"] {
        let words: Vec<&str> = line.split(' ').collect();
        scheduler.handle(7, scheduler_event(&names, &words), &mut Vec::new());
    }
    let needs = |task: &str| scheduler.needs(RunId(1), Some(names.key("sum#1")), names.key(task));
    assert!(needs("read#1") && needs("sum#1"));
    assert!(!needs("read#0") && !needs("sum#0"), "it is done, and it is another result");
}

#[test]
fn a_run_needs_the_tasks_on_the_way_to_what_it_has_not() {
    let (mut scheduler, names) = half_way();
    let needs = |scheduler: &Scheduler, run, only: Option<&str>, task: &str| {
        scheduler.needs(RunId(run), only.map(|key| names.key(key)), names.key(task))
    };
    assert!(needs(&scheduler, 1, None, "read#1") && needs(&scheduler, 1, None, "map#1"));
    assert!(needs(&scheduler, 1, Some("map#1"), "read#1"));
    assert!(!needs(&scheduler, 1, Some("map#0"), "read#1"), "that result is there and read the other");
    assert!(!needs(&scheduler, 1, None, "read#0"), "it is done and let go");
    assert!(!needs(&scheduler, 2, None, "read#1"), "there is no such run");
    let words = ["submit", "r2", "read#1"];
    scheduler.handle(8, scheduler_event(&names, &words), &mut Vec::new());
    assert!(needs(&scheduler, 2, None, "read#1") && !needs(&scheduler, 2, None, "map#1"));
}
