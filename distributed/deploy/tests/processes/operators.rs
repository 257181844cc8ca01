//! Operators on numbers that note in a file that they ran, and that can do what no operator should.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use partita_graph::{
    Chunk, Code, Edge, Failure, Key, Layer, LayerId, NamedOperator, OpRef, Operator, OperatorEntry, Parts, Plain, Registry, TaskContext,
    Wiring,
};
use serde::{Deserialize, Serialize};

/// What a task does besides adding up its inputs and its own index.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Deed {
    /// Nothing.
    Nothing,
    /// Takes its time, in milliseconds.
    Wait(u64),
    /// Fails on the first try.
    FailOnce,
    /// Fails on every try.
    Fail,
    Panic,
    /// Kills its own process.
    Crash,
    /// Stops its own process.
    Hang,
    /// Takes more and more memory.
    Eat,
    /// Never returns, and does not look whether it should.
    Deaf,
    /// Hands out so many bytes.
    Large(usize),
    /// Hands its sum out in so many parts.
    Split(u32),
}

#[derive(Serialize, Deserialize)]
pub struct Act {
    pub name: String,
    pub deed: Deed,
    /// A line for each run goes there.
    pub journal: String,
}

impl NamedOperator for Act {
    const NAME: &'static str = "test.act";
}

fn number(chunk: &Chunk) -> i64 {
    chunk.get::<Plain<i64>>().map_or(0, |number| number.0)
}

impl Operator for Act {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut journal = OpenOptions::new().create(true).append(true).open(&self.journal).expect("the journal can be written");
        let line = format!("{} {} {}\n", self.name, ctx.key.index, std::process::id());
        journal.write_all(line.as_bytes()).expect("the journal can be written");
        let sum = inputs.iter().map(number).sum::<i64>() + i64::from(ctx.key.index);
        match self.deed {
            Deed::Nothing => {}
            Deed::Wait(milliseconds) => std::thread::sleep(Duration::from_millis(milliseconds)),
            Deed::FailOnce if ctx.attempt == 1 => return Err(Failure::new(Code::Unreadable, "the disk had a hiccup")),
            Deed::FailOnce => {}
            Deed::Fail => return Err(Failure::new(Code::Unreadable, "the disk is gone")),
            Deed::Panic => panic!("this operator panics"),
            Deed::Crash => drop(raise(Signal::SIGKILL)),
            Deed::Hang => drop(raise(Signal::SIGSTOP)),
            Deed::Eat => {
                let mut eaten = Vec::new();
                while ctx.check_cancelled().is_ok() {
                    eaten.push(std::hint::black_box(vec![1u8; 8 << 20]));
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Deed::Deaf => loop {
                std::thread::sleep(Duration::from_millis(50));
            },
            Deed::Large(bytes) => return Ok(Chunk::new(Plain(vec![ctx.key.index as u8; bytes]))),
            Deed::Split(parts) => {
                let part = |at: u32| Chunk::new(Plain(sum * 100 + i64::from(at)));
                return Ok(Chunk::new(Parts((0..parts).map(part).collect())));
            }
        }
        Ok(Chunk::new(Plain(sum)))
    }
}

pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[OperatorEntry::of::<Act>()]);
    registry
}

/// A layer of tasks that do this.
pub fn layer(name: &str, len: u32, deed: Deed, journal: &Path, inputs: &[(LayerId, Wiring)]) -> Layer {
    let act = Act { name: name.into(), deed, journal: journal.display().to_string() };
    let edges = inputs.iter().map(|(layer, wiring)| Edge { layer: *layer, wiring: wiring.clone() }).collect();
    Layer::single(name, len, OpRef::new(act, name), edges)
}

/// How often each task of a name ran, and where.
pub fn runs(journal: &Path, name: &str) -> Vec<(u32, u32)> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let fits = words.next() == Some(name);
        let mut next = || words.next()?.parse::<u32>().ok();
        fits.then(|| Some((next()?, next()?))).flatten()
    };
    text.lines().filter_map(line).collect()
}

/// All keys of a layer.
pub fn keys(layer: LayerId, len: u32) -> Vec<Key> {
    (0..len).map(|index| Key::new(layer, index)).collect()
}
