//! Stories that somebody wrote down: a few lines say what the cluster is, what happens, and what must be seen.
//!
//! ```
//! partita_sim::play("
//!     worker ada
//!     worker bob
//!     layer read 10
//!     layer sum 1 every of read
//!     submit r1 sum
//!     until 5 of read stored
//!     kill ada
//!     expect r1 done
//!     expect read ran at most 15
//! ").unwrap();
//! ```
//!
//! Operators of a layer with `waits 500` wait inside for so long, those with `waits-for read#3` submit that and wait for it.
//! With `futures r1 sum` in place of `submit` the keys of the run end one by one: `expect sum#0 of r1 done`, `drop r1 sum#0`.
//!
//! What a seed's story must show is demanded of each script too: results are the oracle's, nothing runs again without a reason,
//! and when everything is released in the end, nothing is left. It knows no machine from inside.

mod expect;
mod layers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use partita_core::protocol::{About, ClientId, Ending, Gone, RunId, SchedulerEvent, WorkerEvent, WorkerId};
use partita_core::scheduler;
use partita_graph::{Key, Registry, Serial};

use crate::cluster::Cluster;
use crate::faults::Faults;
use crate::happening::Happening;
use crate::oracle::{MOST_EVENTS, nothing_left, release_all, same, stuck};
use crate::random_graph::digest;
use layers::Layers;

/// Virtual time in which what is waited for must happen.
const PATIENCE_MICROS: u64 = 300_000_000;

/// Plays a script. The error says which line was not kept, and how it came to that.
pub fn play(script: &str) -> Result<(), String> {
    let mut player = Player::new();
    let told = |player: &Player, why: String| {
        let trace = player.cluster.trace.as_deref().unwrap_or_default();
        let from = trace.len().saturating_sub(80);
        player.layers.named(&format!("{}\n{why}", trace[from..].join("\n")))
    };
    for line in script.lines().map(|line| line.split("//").next().unwrap_or("").trim()).filter(|line| !line.is_empty()) {
        if let Some(trace) = &mut player.cluster.trace {
            trace.push(format!("{line}  <----"));
        }
        if let Err(why) = player.line(line) {
            return Err(told(&player, format!("`{line}`: {why}")));
        }
    }
    player.end().map_err(|why| told(&player, format!("at the end: {why}")))
}

struct Player {
    cluster: Cluster,
    config: scheduler::Config,
    layers: Layers,
    /// The last worker of each name.
    workers: BTreeMap<String, WorkerId>,
    /// Runs that were expected to fail, or not to end.
    settled: BTreeSet<RunId>,
    /// Keys that were expected to fail by themselves.
    settled_keys: BTreeSet<(RunId, Key)>,
}

impl Player {
    fn new() -> Self {
        let mut cluster = Cluster::new(Rng::with_seed(1), Faults { rejoin_within: 0, ..Faults::none() }, 1, 0, Registry::default());
        cluster.trace = Some(Vec::new());
        cluster.quiet = true;
        let config = scheduler::Config::default();
        let (settled, settled_keys) = (BTreeSet::new(), BTreeSet::new());
        Self { cluster, config, layers: Layers::default(), workers: BTreeMap::new(), settled, settled_keys }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["layer", ..] => {
                let (fates, waits) = self.layers.add(line.trim_start_matches("layer"))?;
                self.cluster.fates.extend(fates);
                self.cluster.inside.waits.extend(waits);
                Ok(())
            }
            ["set", what, value] => self.set(what, value),
            ["worker", name, ref rest @ ..] => self.worker(name, rest),
            ["submit", run, ref rest @ ..] => self.submit(run, rest, Ending::Together),
            ["futures", run, ref rest @ ..] => self.submit(run, rest, Ending::Each),
            ["drop", run, ref keys @ ..] => {
                let keys = self.keys(keys)?;
                self.cluster.forget(run_id(run)?, keys)
            }
            ["cancel", run] => self.cluster.leave(run_id(run)?, true),
            ["release", run] => self.cluster.leave(run_id(run)?, false),
            ["wait", micros] => self.wait(number(Some(micros))?),
            ["until", ref rest @ ..] => self.until(rest),
            ["expect", ref rest @ ..] => self.expect(rest),
            ["restart"] => self.cluster.restart(),
            ["rebalance"] => self.cluster.tell_scheduler(SchedulerEvent::Rebalance),
            ["replicate", copies, keys] => {
                let (keys, copies) = (self.layers.keys(keys)?, number(Some(copies))? as u32);
                self.cluster.tell_scheduler(SchedulerEvent::Replicate { keys, copies })
            }
            ["lost", client] => self.cluster.client_lost(client_id(client)?),
            ["back", client] => self.cluster.client_back(client_id(client)?),
            ["goodbye", client] => self.cluster.client_goodbye(client_id(client)?),
            ["forget", key, "at", name] => {
                let (key, worker) = (self.layers.key(key)?, self.id(name)?);
                self.cluster.nodes.get_mut(&worker).ok_or("it is gone")?.hidden.insert(key);
                self.cluster.excuses.excuse([key]);
                Ok(())
            }
            [what, name] => self.happens_to(what, name),
            _ => Err("it is no line of a script".into()),
        }
    }

    fn happens_to(&mut self, what: &str, name: &str) -> Result<(), String> {
        let worker = self.id(name)?;
        let breaks = self.cluster.nodes.get(&worker).map_or(0, |node| node.link.breaks);
        match what {
            "kill" => self.cluster.kill(worker, false),
            "kill-seen" => self.cluster.kill(worker, true),
            "leave" => self.cluster.remove(worker, Gone::Retired),
            "retire" => return self.cluster.tell_scheduler(SchedulerEvent::Retire(worker)),
            "stay" => return self.cluster.tell_scheduler(SchedulerEvent::Stay(worker)),
            "cut" => return self.cut(worker, true, true),
            "cut-to" => return self.cut(worker, true, false),
            "cut-from" => return self.cut(worker, false, true),
            "notice" => return self.cluster.link_noticed(worker, breaks),
            "mend" => return self.cluster.mended(worker, breaks),
            "give-up" => {
                self.cluster.link_noticed(worker, breaks)?;
                return self.cluster.given_up(worker, breaks);
            }
            "stop" => {
                self.cut(worker, true, true)?;
                self.cluster.nodes.get_mut(&worker).ok_or("it is gone")?.stopped = true;
            }
            "fill-disk" => self.cluster.nodes.get_mut(&worker).ok_or("it is gone")?.disk_full = true,
            "pressure" | "relief" => {
                let pressed = (what == "pressure").then_some(self.cluster.memory_limit);
                self.cluster.nodes.get_mut(&worker).ok_or("it is gone")?.pressed = pressed;
                return self.cluster.tell_worker(worker, WorkerEvent::Measured { rss: pressed.unwrap_or(1) });
            }
            _ => return Err("it is no line of a script".into()),
        }
        Ok(())
    }

    fn cut(&mut self, worker: WorkerId, inbound: bool, outbound: bool) -> Result<(), String> {
        self.cluster.cut(worker, inbound, outbound).map(|_| ()).ok_or_else(|| "there is no link to cut".into())
    }

    fn set(&mut self, what: &str, value: &str) -> Result<(), String> {
        let rate = || value.parse::<f64>().map_err(|_| format!("{value:?} is no number"));
        let faults = &mut self.cluster.faults;
        match what {
            "delay" => faults.delay = number(Some(value))?,
            "notice" => faults.notice_within = number(Some(value))?,
            "hang" => faults.hang = number(Some(value))?,
            "tick" => faults.tick_every = number(Some(value))?,
            "inline" => faults.inline = number(Some(value))?,
            "rejoin" => faults.rejoin_within = number(Some(value))?,
            "busy" => faults.busy = rate()?,
            "serves" => faults.serves = number(Some(value))? as usize,
            "doubled" => faults.doubled = rate()?,
            "fetch-fails" => faults.fetch_fails = rate()?,
            "spill-fails" => faults.spill_fails = rate()?,
            "load-fails" => faults.load_fails = rate()?,
            "memory" => self.cluster.memory_limit = number(Some(value))?,
            "saturation" => self.config.saturation = rate()?,
            "grace" => self.config.client_grace = number(Some(value))?,
            "no-workers-timeout" => self.config.no_workers_timeout = Some(number(Some(value))?),
            "allowed-failures" => self.config.allowed_failures = number(Some(value))? as u32,
            _ => return Err(format!("{what:?} cannot be set")),
        }
        if self.workers.is_empty() && self.cluster.runs.is_empty() {
            self.cluster.scheduler = scheduler::Scheduler::new(self.config.clone());
        }
        Ok(())
    }

    /// `worker ada threads 2 host north memory 1000 offers GPU 1000`
    fn worker(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        let mut about = About { memory_limit: self.cluster.memory_limit, ..About::plain(name, 1) };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().copied();
            match *word {
                "threads" => about.threads = number(value)? as u32,
                "memory" => about.memory_limit = number(value)?,
                "host" => about.host = value.ok_or("a host is missing")?.into(),
                "offers" => {
                    let resource = value.ok_or("a resource is missing")?.to_string();
                    about.resources.insert(resource, number(words.next().copied())?);
                }
                _ => return Err(format!("a worker has no {word:?}")),
            }
        }
        self.cluster.threads = self.cluster.threads.max(about.threads);
        self.workers.insert(name.into(), WorkerId(self.cluster.next_worker));
        self.cluster.join_as(about)
    }

    fn keys(&self, words: &[&str]) -> Result<Vec<Key>, String> {
        let mut keys = Vec::new();
        for text in words {
            keys.extend(self.layers.keys(text)?);
        }
        Ok(keys)
    }

    /// `submit r1 sum read#3 by c2`
    fn submit(&mut self, run: &str, words: &[&str], ending: Ending) -> Result<(), String> {
        let (wanted, client) = match words {
            [wanted @ .., "by", client] => (wanted, client_id(client)?),
            wanted => (wanted, ClientId::default()),
        };
        let graph = Arc::new(self.layers.graph(self.keys(wanted)?));
        graph.validate().map_err(|failure| failure.to_string())?;
        self.cluster.submit(run_id(run)?, client, graph, ending)
    }

    /// Everything that is due within that time happens.
    fn wait(&mut self, micros: u64) -> Result<(), String> {
        let until = self.cluster.now + micros;
        while self.cluster.next_at().is_some_and(|at| at <= until) {
            self.cluster.step()?;
        }
        self.cluster.now = until;
        Ok(())
    }

    fn until(&mut self, words: &[&str]) -> Result<(), String> {
        let (deadline, most) = (self.cluster.now + PATIENCE_MICROS, self.cluster.counts.events + MOST_EVENTS);
        while !self.holds(words)? {
            if self.cluster.now > deadline || self.cluster.counts.events > most || !self.cluster.step()? {
                return Err(format!("it does not come to that; {}", stuck(&self.cluster)));
            }
        }
        Ok(())
    }

    fn id(&self, name: &str) -> Result<WorkerId, String> {
        let known = self.cluster.names.iter().rev().find(|(_, other)| *other == name).map(|(id, _)| *id);
        known.or_else(|| self.workers.get(name).copied()).ok_or_else(|| format!("no worker {name:?}"))
    }

    /// All runs end, with the results of the oracle; after they are released nothing is left.
    fn end(&mut self) -> Result<(), String> {
        let runs: Vec<RunId> = self.cluster.runs.keys().filter(|run| !self.settled.contains(run)).copied().collect();
        for run in &runs {
            if !self.cluster.runs[run].left {
                self.until(&[&format!("r{}", run.0), "ended"])?;
            }
            let state = &self.cluster.runs[run];
            match (&state.outcome, state.ending) {
                (Some(Err(failure)), _) if !state.left => return Err(format!("run {} failed: {failure}", run.0)),
                (Some(Ok(found)), Ending::Together) => {
                    let (expected, _) = Serial::default().run(&self.layers.sound(state.graph.wanted.clone()));
                    same(run.0, &state.graph, found, &expected.map_err(|failure| failure.to_string())?)?;
                }
                (_, Ending::Each) => self.compare_keys(*run)?,
                (_, Ending::Together) => {}
            }
        }
        let links: Vec<(WorkerId, u32)> = self.cluster.nodes.iter().map(|(id, node)| (*id, node.link.breaks)).collect();
        for (worker, of) in links {
            self.cluster.happen(Happening::Mended(worker, of))?;
        }
        self.cluster.nodes.values_mut().for_each(|node| node.pressed = None);
        release_all(&mut self.cluster)?;
        nothing_left(&self.cluster)
    }
}

impl Player {
    /// Keys that end one by one and were not dropped have the results of the oracle, or failed as was expected.
    fn compare_keys(&self, run: RunId) -> Result<(), String> {
        let state = &self.cluster.runs[&run];
        let expected = Serial::default().run_each(&self.layers.sound(state.graph.wanted.clone()));
        for (key, expected) in state.graph.wanted.iter().zip(expected) {
            match (state.ends.get(key), expected) {
                (None, _) => {}
                (Some(Ok(found)), Ok(expected)) if digest(found) == digest(&expected) => {}
                (Some(Err(_)), _) if self.settled_keys.contains(&(run, *key)) => {}
                (Some(found), _) => return Err(format!("run {}: {key:?} ended like this: {found:?}", run.0)),
            }
        }
        Ok(())
    }
}

fn number(word: Option<&str>) -> Result<u64, String> {
    let word = word.ok_or("a number is missing")?;
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

fn run_id(text: &str) -> Result<RunId, String> {
    text.strip_prefix('r').and_then(|n| n.parse().ok()).map(RunId).ok_or_else(|| format!("{text:?} is no run"))
}

fn client_id(text: &str) -> Result<ClientId, String> {
    text.strip_prefix('c').and_then(|n| n.parse().ok()).map(ClientId).ok_or_else(|| format!("{text:?} is no client"))
}
