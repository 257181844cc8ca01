//! The graph of a script: layers by name, what their tasks do, and how keys are written (`sum#3`).

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::{Annotations, Edge, Graph, Key, Layer, Wiring};

use super::number;
use crate::cluster::Wait;
use crate::random_graph::{Fate, hashing};

/// The layers of a script.
#[derive(Default)]
pub(super) struct Layers {
    made: Vec<Made>,
}

struct Made {
    name: String,
    layer: Arc<Layer>,
    /// The same with an operator that does not fail: what the oracle runs.
    sound: Arc<Layer>,
}

/// What is said of a layer after its colon.
struct Said {
    takes: Option<u64>,
    bytes: u64,
    pieces: Option<u32>,
    fails: Option<u32>,
    fate: Option<Fate>,
    at: Option<u32>,
    /// What its operators wait for inside.
    waits: Vec<WaitsFor>,
    wishes: Annotations,
}

enum WaitsFor {
    Micros(u64),
    /// A run of these, as they are written.
    Keys(String),
}

/// What becomes of tasks, and what their operators wait for inside.
type Special = (BTreeMap<Key, Fate>, BTreeMap<Key, Vec<Wait>>);

impl Layers {
    /// `y 10 each of x, every of z : takes 1000 retries 2 waits-for x#3`. Returns what is special about which of its tasks.
    pub fn add(&mut self, line: &str) -> Result<Special, String> {
        let (head, tail) = line.split_once(':').unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let (name, len) = (words.next().ok_or("a layer has a name")?, number(words.next())? as u32);
        let rest = words.collect::<Vec<_>>().join(" ");
        let edges = rest.split(", ").filter(|part| !part.is_empty()).map(|part| self.edge(part)).collect::<Result<Vec<Edge>, String>>()?;
        let said = said(tail)?;
        let token = self.made.len() as u64 + 1;
        let bad = said.fails.map(|tries| (said.at.unwrap_or(0), tries));
        let mut layer = Layer::single(name, len, hashing(token, said.pieces, said.bytes, bad), edges.clone());
        let sound = Layer::single(name, len, hashing(token, said.pieces, said.bytes, None), edges);
        layer.annotations = (!said.wishes.is_empty()).then(|| Arc::new(said.wishes));
        let (mut fates, mut waits) = (BTreeMap::new(), BTreeMap::new());
        let list = said.waits.iter().map(|wait| self.wait(wait)).collect::<Result<Vec<Wait>, String>>()?;
        for index in 0..len {
            if !list.is_empty() && said.at.is_none_or(|at| at == index) {
                waits.insert(Key::new(layer.id, index), list.clone());
            }
            let special = said.fate.filter(|_| said.at.is_none_or(|at| at == index));
            if let Some(fate) = special.or(said.takes.map(Fate::Takes)) {
                fates.insert(Key::new(layer.id, index), fate);
            }
        }
        self.made.push(Made { name: name.into(), layer: Arc::new(layer), sound: Arc::new(sound) });
        Ok((fates, waits))
    }

    fn wait(&self, said: &WaitsFor) -> Result<Wait, String> {
        match said {
            WaitsFor::Micros(micros) => Ok(Wait::For(*micros)),
            WaitsFor::Keys(keys) => Ok(Wait::Run(Arc::new(self.graph(self.keys(keys)?)))),
        }
    }

    fn edge(&self, text: &str) -> Result<Edge, String> {
        let (wiring, of) = text.split_once(" of ").ok_or_else(|| format!("{text:?} is no `<wiring> of <layer>`"))?;
        let wiring = match wiring.split_whitespace().collect::<Vec<_>>()[..] {
            ["each"] => Wiring::Each,
            ["every"] => Wiring::Every,
            ["part"] => Wiring::Part,
            ["group", n] => Wiring::Group(number(Some(n))? as u32),
            _ => return Err(format!("no wiring {wiring:?}")),
        };
        Ok(Edge { layer: self.of(of)?.layer.id, wiring })
    }

    fn of(&self, name: &str) -> Result<&Made, String> {
        self.made.iter().find(|made| made.name == name).ok_or_else(|| format!("no layer {name:?}"))
    }

    /// `x` for all keys of a layer, `x#3` for one.
    pub fn keys(&self, text: &str) -> Result<Vec<Key>, String> {
        let (name, index) = text.split_once('#').map_or((text, None), |(name, index)| (name, Some(index)));
        let layer = &self.of(name)?.layer;
        match index {
            None => Ok((0..layer.len).map(|index| Key::new(layer.id, index)).collect()),
            Some(index) => Ok(vec![Key::new(layer.id, number(Some(index))? as u32)]),
        }
    }

    pub fn key(&self, text: &str) -> Result<Key, String> {
        self.keys(text)?.first().copied().ok_or_else(|| format!("{text:?} is empty"))
    }

    /// The layers that the wanted keys need, in order.
    pub fn graph(&self, wanted: Vec<Key>) -> Graph {
        let graph = Graph::new(self.made.iter().map(|made| made.layer.clone()).collect(), wanted);
        partita_graph::optimize::cull(&graph)
    }

    /// The graph that the oracle runs.
    pub fn sound(&self, wanted: Vec<Key>) -> Graph {
        Graph::new(self.made.iter().map(|made| made.sound.clone()).collect(), wanted)
    }

    /// The text with names in place of identities.
    pub fn named(&self, text: &str) -> String {
        let long = self.made.iter().fold(text.to_string(), |text, made| text.replace(&made.layer.id.to_string(), &made.name));
        self.made.iter().fold(long, |text, made| text.replace(&format!("{:?}", made.layer.id), &made.name))
    }
}

fn said(text: &str) -> Result<Said, String> {
    let (waits, wishes) = (Vec::new(), Annotations::default());
    let mut said = Said { takes: None, bytes: 8, pieces: None, fails: None, fate: None, at: None, waits, wishes };
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let mut next = || number(words.next()).map_err(|why| format!("{word}: {why}"));
        match word {
            "takes" => said.takes = Some(next()?),
            "bytes" => said.bytes = next()?,
            "pieces" => said.pieces = Some(next()? as u32),
            "fails" => said.fails = Some(u32::MAX),
            "fails-times" => said.fails = Some(next()? as u32),
            "kills" => said.fate = Some(Fate::Kills),
            "endless" => said.fate = Some(Fate::Endless),
            "at" => said.at = Some(next()? as u32),
            "waits" => said.waits.push(WaitsFor::Micros(next()?)),
            "waits-for" => said.waits.push(WaitsFor::Keys(words.next().ok_or("what for?")?.into())),
            "retries" => said.wishes.retries = next()? as u32,
            "timeout" => said.wishes.timeout = Some(next()?),
            "urgent" => said.wishes.priority = next()? as i32,
            "only" | "prefers" => {
                said.wishes.workers.push(words.next().ok_or("a name is missing")?.into());
                said.wishes.allow_other_workers = word == "prefers";
            }
            "needs" => {
                let name = words.next().ok_or("a name is missing")?;
                said.wishes.resources.insert(name.into(), number(words.next())?);
            }
            _ => return Err(format!("a layer is not {word:?}")),
        }
    }
    Ok(said)
}
