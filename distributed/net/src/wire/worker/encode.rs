//! Messages to one worker as bytes.
//!
//! It refuses to know connections. Invariant: a message that cannot be encoded changes nothing, so that others can follow.

use std::collections::BTreeMap;

use ::bytes::Bytes;
use partita_core::protocol::{Assignment, Input, ToWorker, WorkerId};
use partita_graph::{Code, Failure, Key, Layer, LayerId};

use super::super::Writer;
use super::super::layer::{Edges, write_arg, write_layer};
use super::*;
use crate::message::{PeerAddress, SchedulerToWorker};

struct Sent {
    number: u32,
    defined: bool,
}

/// Messages to one worker as bytes; it keeps what the worker knows already. One for each session.
#[derive(Default)]
pub struct WorkerEncoder {
    layers: BTreeMap<LayerId, Sent>,
    /// Numbers that were given back, and the first that never was given.
    free: Vec<u32>,
    next: u32,
    /// What this message adds: layers, and whether the worker had no number for them before. Undone when the message fails.
    added: Vec<(LayerId, bool)>,
    /// The layer of the last assignment, which is that of the next one most of the time.
    last: Option<(LayerId, u32)>,
}

impl WorkerEncoder {
    /// The next message. Fails with `NotEncodable` when an argument is a chunk without a form as bytes; then nothing is changed,
    /// and other messages can follow.
    pub fn encode(&mut self, message: &SchedulerToWorker) -> Result<Bytes, Failure> {
        self.added.clear();
        let next = self.next;
        self.write(message).inspect_err(|_| self.undo(next))
    }

    /// The first items of a list for the worker's machine as a message of about `about` bytes, one item at least, and how many
    /// they are. Fails like `encode`, and with `TooLarge` when the message would have more than `most` bytes.
    pub fn encode_some(&mut self, items: &[ToWorker], about: usize, most: usize) -> Result<(Bytes, usize), Failure> {
        self.added.clear();
        let next = self.next;
        self.write_some(items, about, most).inspect_err(|_| self.undo(next))
    }

    fn write_some(&mut self, items: &[ToWorker], about: usize, most: usize) -> Result<(Bytes, usize), Failure> {
        let mut out = Writer::with_capacity(16 + (16 * items.len()).min(about));
        out.byte(MACHINE);
        out.number(items.len() as u64);
        let head = out.len();
        let mut done = 0;
        for item in items {
            self.item(&mut out, item)?;
            done += 1;
            if out.len() >= about {
                break;
            }
        }
        if out.len() > most {
            return Err(too_large(out.len(), most));
        }
        if done == items.len() {
            return Ok((out.finish(), done));
        }
        // The count comes first, and was another one.
        let body = out.into_vec();
        let mut cut = Writer::with_capacity(body.len());
        cut.byte(MACHINE);
        cut.number(done as u64);
        cut.raw(&body[head..]);
        Ok((cut.finish(), done))
    }

    fn undo(&mut self, next: u32) {
        for (layer, new) in std::mem::take(&mut self.added).into_iter().rev() {
            if !new {
                self.layers.get_mut(&layer).expect("it was there before").defined = false;
                continue;
            }
            let number = self.layers.remove(&layer).expect("it was added").number;
            if number < next {
                self.free.push(number);
            }
        }
        (self.next, self.last) = (next, None);
    }

    fn write(&mut self, message: &SchedulerToWorker) -> Result<Bytes, Failure> {
        let mut out = Writer::default();
        match message {
            SchedulerToWorker::Machine(items) => return self.write_some(items, usize::MAX, usize::MAX).map(|(bytes, _)| bytes),
            SchedulerToWorker::Peers(peers) => {
                out.byte(PEERS);
                out.number(peers.len() as u64);
                for (worker, PeerAddress { host, port }) in peers {
                    out.number(worker.0.into());
                    out.text(host);
                    out.number((*port).into());
                }
            }
            SchedulerToWorker::ForgetLayers(layers) => {
                out.byte(FORGET);
                let known: Vec<u32> = layers.iter().filter_map(|layer| self.layers.remove(layer)).map(|sent| sent.number).collect();
                self.last = None;
                out.number(known.len() as u64);
                known.iter().for_each(|number| out.number((*number).into()));
                self.free.extend(known);
            }
            SchedulerToWorker::CheckPaths { query, paths } => {
                out.byte(CHECK);
                out.number(*query);
                out.number(paths.len() as u64);
                paths.iter().for_each(|path| out.text(path));
            }
            SchedulerToWorker::Shared { name, body } => {
                out.byte(SHARED);
                out.text(name);
                out.bytes(&body.0);
            }
            SchedulerToWorker::Close { reason, restart } => {
                out.byte(CLOSE);
                out.text(reason);
                out.byte((*restart).into());
            }
        }
        Ok(out.finish())
    }

    /// Whether the worker was told of this layer: only then does it have to be told to forget it.
    pub fn knows(&self, layer: LayerId) -> bool {
        self.layers.contains_key(&layer)
    }

    fn item(&mut self, out: &mut Writer, item: &ToWorker) -> Result<(), Failure> {
        match item {
            ToWorker::Assign(assignment) => return self.assign(out, assignment),
            ToWorker::Free(keys) => {
                for key in keys {
                    self.name(out, key.layer);
                }
                out.byte(FREE);
                out.number(keys.len() as u64);
                keys.iter().for_each(|key| self.key(out, key));
            }
            ToWorker::Abandon(key, attempt) | ToWorker::Retract(key, attempt) => {
                self.name(out, key.layer);
                out.byte(if matches!(item, ToWorker::Abandon(..)) { ABANDON } else { RETRACT });
                self.key(out, key);
                out.number((*attempt).into());
            }
            ToWorker::Acquire { key, nbytes, holders } => {
                self.name(out, key.layer);
                out.byte(ACQUIRE);
                self.key(out, key);
                out.number(*nbytes);
                write_holders(out, holders);
            }
            ToWorker::PeerGone(worker) => {
                out.byte(GONE);
                out.number(worker.0.into());
            }
            ToWorker::Holders { key, holders } => {
                self.name(out, key.layer);
                out.byte(HOLDERS);
                self.key(out, key);
                write_holders(out, holders);
            }
        }
        Ok(())
    }

    #[inline]
    fn assign(&mut self, out: &mut Writer, assignment: &Assignment) -> Result<(), Failure> {
        let Assignment { key, attempt, layer, inputs, priority, expected, inline, timeout } = assignment;
        let number = match self.last {
            Some((id, number)) if id == layer.id => number,
            _ => self.define(out, layer)?,
        };
        for list in inputs {
            let mut last = None;
            for input in list {
                if last != Some(input.key.layer) {
                    last = Some(input.key.layer);
                    self.name(out, input.key.layer);
                }
            }
        }
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(*inline, INLINE)
            | flag(timeout.is_some(), TIMEOUT)
            | flag(!inputs.is_empty(), INPUTS)
            | flag(!layer.args.is_empty(), ARGS);
        out.byte(ASSIGN);
        out.byte(flags);
        out.number(number.into());
        out.number(key.index.into());
        out.number((*attempt).into());
        out.number(*priority);
        out.number(*expected);
        if let Some(timeout) = timeout {
            out.number(*timeout);
        }
        if !inputs.is_empty() {
            out.number(inputs.len() as u64);
            inputs.iter().for_each(|list| self.inputs(out, list));
        }
        if !layer.args.is_empty() {
            out.number(layer.args.len() as u64);
            for column in &layer.args {
                let arg = column.get(key.index as usize).or(column.first());
                write_arg(out, arg.expect("a layer has an argument for each of its tasks"))?;
            }
        }
        Ok(())
    }

    /// The number of a layer of which the worker knows all.
    fn define(&mut self, out: &mut Writer, layer: &Layer) -> Result<u32, Failure> {
        let known = self.layers.get(&layer.id).map(|sent| (sent.number, sent.defined));
        let number = known.map_or_else(|| self.new_number(), |(number, _)| number);
        if !known.is_some_and(|(_, defined)| defined) {
            self.layers.insert(layer.id, Sent { number, defined: true });
            self.added.push((layer.id, known.is_none()));
            out.byte(DEFINE);
            out.number(number.into());
            write_layer(out, layer, Edges::Producers)?;
        }
        self.last = Some((layer.id, number));
        Ok(number)
    }

    /// Gives a layer a number, unless it has one: the worker then knows its identity at least.
    fn name(&mut self, out: &mut Writer, layer: LayerId) {
        if self.layers.contains_key(&layer) {
            return;
        }
        let number = self.new_number();
        out.byte(NAME);
        out.number(number.into());
        out.fixed(layer.0);
        self.layers.insert(layer, Sent { number, defined: false });
        self.added.push((layer, true));
    }

    fn new_number(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn number(&self, layer: LayerId) -> u32 {
        self.layers.get(&layer).expect("it was named before").number
    }

    fn key(&self, out: &mut Writer, key: &Key) {
        out.number(self.number(key.layer).into());
        out.number(key.index.into());
    }

    /// One edge's inputs: nearly always of one layer, of one part and one after the other.
    fn inputs(&self, out: &mut Writer, list: &[Input]) {
        let uniform = list.windows(2).all(|pair| pair[0].key.layer == pair[1].key.layer && pair[0].part == pair[1].part);
        out.number((list.len() as u64) << 1 | u64::from(!uniform));
        let part = |input: &Input| input.part.map_or(0, |part| u64::from(part) + 1);
        let mut next = 0;
        if let Some(first) = list.first().filter(|_| uniform) {
            out.number(self.number(first.key.layer).into());
            out.number(part(first));
        }
        for input in list {
            if uniform {
                out.signed(i64::from(input.key.index) - next);
                next = i64::from(input.key.index) + 1;
            } else {
                self.key(out, &input.key);
                out.number(part(input));
            }
            out.number(input.nbytes);
            write_holders(out, &input.holders);
        }
    }
}

fn write_holders(out: &mut Writer, holders: &[WorkerId]) {
    out.number(holders.len() as u64);
    holders.iter().for_each(|holder| out.number(holder.0.into()));
}

fn too_large(bytes: usize, most: usize) -> Failure {
    Failure::new(Code::TooLarge, format!("a task and its arguments take {bytes} bytes, and a worker accepts {most} at a time"))
        .help("use more and smaller partitions, or let the tasks read the data from files")
}
