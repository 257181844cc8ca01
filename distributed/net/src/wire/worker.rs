//! What the scheduler says to one worker, as bytes: layers are sent once and then meant by number.
//!
//! It refuses to know what the messages do. Invariant: both ends keep the same table of layers, because every change of it is
//! part of a message and messages are read in order.
//!
//! An assignment carries the arguments of its own task only. Where a layer has arguments, the worker's copy of it for that task
//! has columns of one entry, which serves the one task that it was sent for (see how the graph's `run_task` finds arguments).

use std::collections::BTreeMap;
use std::sync::Arc;

use ::bytes::Bytes;
use partita_core::protocol::{Assignment, Input, ToWorker, WorkerId};
use partita_graph::{Failure, Key, Layer, LayerId, Registry};

use super::layer::{ARG, Edges, read_arg, read_layer, write_arg, write_layer};
use super::{Reader, Writer};
use crate::message::{PeerAddress, SchedulerToWorker};

const MACHINE: u8 = 0;
const PEERS: u8 = 1;
const FORGET: u8 = 2;
const CHECK: u8 = 3;
const CLOSE: u8 = 4;

const ASSIGN: u8 = 0;
const FREE: u8 = 1;
const ABANDON: u8 = 2;
const RETRACT: u8 = 3;
const ACQUIRE: u8 = 4;
const GONE: u8 = 5;
/// A layer gets a number: all of it, or its identity alone where it is only read.
const DEFINE: u8 = 6;
const NAME: u8 = 7;

const INLINE: u8 = 1;
const TIMEOUT: u8 = 2;
const INPUTS: u8 = 4;
const ARGS: u8 = 8;

/// Least bytes of an item, of an input of its own layer, of an input of the list's layer, of a peer.
const ITEM: usize = 2;
const MIXED: usize = 5;
const UNIFORM: usize = 3;
const PEER: usize = 3;

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
            SchedulerToWorker::Machine(items) => {
                out = Writer::with_capacity(16 + 16 * items.len());
                out.byte(MACHINE);
                out.number(items.len() as u64);
                for item in items {
                    self.item(&mut out, item)?;
                }
            }
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

fn read_holders(reader: &mut Reader<'_>) -> Result<Vec<WorkerId>, Failure> {
    let count = reader.count(1)?;
    (0..count).map(|_| reader.small().map(WorkerId)).collect()
}

fn read_part(reader: &mut Reader<'_>) -> Result<Option<u32>, Failure> {
    match reader.number()? {
        0 => Ok(None),
        part => u32::try_from(part - 1).map(Some).or_else(|_| reader.unknown()),
    }
}

enum Known {
    Layer(Arc<Layer>),
    Name(LayerId),
}

/// The other end of a [`WorkerEncoder`]: gets its messages in order.
pub struct WorkerDecoder {
    registry: Registry,
    layers: Vec<Option<Known>>,
}

impl WorkerDecoder {
    /// With the operators and values that this process has: a layer's operators are decoded once, when it is first named.
    pub fn new(registry: Registry) -> Self {
        Self { registry, layers: Vec::new() }
    }

    /// The next message.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<SchedulerToWorker, Failure> {
        let mut reader = Reader::new(bytes);
        let message = match reader.byte()? {
            MACHINE => SchedulerToWorker::Machine(self.items(&mut reader)?),
            PEERS => {
                let count = reader.count(PEER)?;
                let mut peers = Vec::with_capacity(count);
                for _ in 0..count {
                    let worker = WorkerId(reader.small()?);
                    peers.push((worker, PeerAddress { host: reader.text()?.into(), port: reader.tiny()? }));
                }
                SchedulerToWorker::Peers(peers)
            }
            FORGET => {
                let count = reader.count(1)?;
                let mut layers = Vec::with_capacity(count);
                for _ in 0..count {
                    let at = reader.small()? as usize;
                    match self.layers.get_mut(at).and_then(Option::take) {
                        Some(Known::Layer(layer)) => layers.push(layer.id),
                        Some(Known::Name(id)) => layers.push(id),
                        None => return reader.unknown(),
                    }
                }
                SchedulerToWorker::ForgetLayers(layers)
            }
            CHECK => {
                let query = reader.number()?;
                let count = reader.count(1)?;
                let mut paths = Vec::with_capacity(count);
                for _ in 0..count {
                    paths.push(reader.text()?.to_owned());
                }
                SchedulerToWorker::CheckPaths { query, paths }
            }
            CLOSE => SchedulerToWorker::Close { reason: reader.text()?.into(), restart: reader.flag()? },
            _ => return reader.unknown(),
        };
        reader.end().map(|()| message)
    }

    fn items(&mut self, reader: &mut Reader<'_>) -> Result<Vec<ToWorker>, Failure> {
        let count = reader.count(ITEM)?;
        let mut items = Vec::with_capacity(count);
        while items.len() < count {
            match reader.byte()? {
                ASSIGN => items.push(ToWorker::Assign(self.assignment(reader)?)),
                FREE => {
                    let count = reader.count(2)?;
                    let mut keys = Vec::with_capacity(count);
                    for _ in 0..count {
                        keys.push(self.key(reader)?);
                    }
                    items.push(ToWorker::Free(keys));
                }
                ABANDON => items.push(ToWorker::Abandon(self.key(reader)?, reader.small()?)),
                RETRACT => items.push(ToWorker::Retract(self.key(reader)?, reader.small()?)),
                ACQUIRE => {
                    let (key, nbytes) = (self.key(reader)?, reader.number()?);
                    items.push(ToWorker::Acquire { key, nbytes, holders: read_holders(reader)? });
                }
                GONE => items.push(ToWorker::PeerGone(WorkerId(reader.small()?))),
                DEFINE => {
                    let at = reader.small()?;
                    let layer = self.resolved(read_layer(reader, Edges::Producers)?);
                    self.learn(reader, at, Known::Layer(Arc::new(layer)))?;
                }
                NAME => {
                    let at = reader.small()?;
                    let known = Known::Name(LayerId(reader.fixed()?));
                    self.learn(reader, at, known)?;
                }
                _ => return reader.unknown(),
            }
        }
        Ok(items)
    }

    /// With its operators decoded. One that cannot be decoded stays as it is: the task that needs it fails and says so.
    fn resolved(&self, mut layer: Layer) -> Layer {
        for step in &mut Arc::make_mut(&mut layer.kernel).steps {
            step.op.operator = self.registry.decode_operator(&step.op.payload).ok();
        }
        layer
    }

    /// A number is new, was given back, or had a name only.
    fn learn(&mut self, reader: &Reader<'_>, at: u32, known: Known) -> Result<(), Failure> {
        let at = at as usize;
        if at == self.layers.len() {
            self.layers.push(Some(known));
            return Ok(());
        }
        match (self.layers.get_mut(at), &known) {
            (Some(slot @ None), _) => *slot = Some(known),
            (Some(Some(Known::Name(id))), Known::Layer(layer)) if layer.id == *id => self.layers[at] = Some(known),
            _ => return reader.unknown(),
        }
        Ok(())
    }

    fn layer_id(&self, reader: &mut Reader<'_>) -> Result<LayerId, Failure> {
        match self.layers.get(reader.small()? as usize) {
            Some(Some(Known::Layer(layer))) => Ok(layer.id),
            Some(Some(Known::Name(id))) => Ok(*id),
            Some(None) | None => reader.unknown(),
        }
    }

    fn key(&self, reader: &mut Reader<'_>) -> Result<Key, Failure> {
        Ok(Key::new(self.layer_id(reader)?, reader.small()?))
    }

    #[inline]
    fn assignment(&self, reader: &mut Reader<'_>) -> Result<Assignment, Failure> {
        let flags = reader.byte()?;
        let Some(Some(Known::Layer(layer))) = self.layers.get(reader.small()? as usize) else { return reader.unknown() };
        let mut layer = layer.clone();
        let index = reader.small()?;
        if index >= layer.len || flags & !(INLINE | TIMEOUT | INPUTS | ARGS) != 0 {
            return reader.unknown();
        }
        let key = Key::new(layer.id, index);
        let (attempt, priority, expected) = (reader.small()?, reader.number()?, reader.number()?);
        let timeout = if flags & TIMEOUT != 0 { Some(reader.number()?) } else { None };
        let mut inputs = Vec::new();
        if flags & INPUTS != 0 {
            let count = reader.count(1)?;
            inputs.reserve_exact(count);
            for _ in 0..count {
                inputs.push(self.list(reader)?);
            }
        }
        if inputs.len() != layer.edges.len() {
            return reader.unknown();
        }
        let columns = if flags & ARGS != 0 { reader.count(ARG)? } else { 0 };
        if columns > 0 {
            let mut args = Vec::with_capacity(columns);
            for _ in 0..columns {
                args.push([read_arg(reader, Some(&self.registry))?].into());
            }
            let mut own = (*layer).clone();
            own.args = args;
            layer = Arc::new(own);
        }
        // A kernel reads edges, earlier steps and columns that exist, or the task would panic instead of failing.
        if !runs(&layer) {
            return reader.unknown();
        }
        Ok(Assignment { key, attempt, layer, inputs, priority, expected, inline: flags & INLINE != 0, timeout })
    }

    fn list(&self, reader: &mut Reader<'_>) -> Result<Vec<Input>, Failure> {
        let head = reader.number()?;
        let (count, mixed) = ((head >> 1) as usize, head & 1 == 1);
        if count > reader.left().len() / if mixed { MIXED } else { UNIFORM } {
            return reader.unknown();
        }
        let mut list = Vec::with_capacity(count);
        if mixed {
            for _ in 0..count {
                let (key, part) = (self.key(reader)?, read_part(reader)?);
                list.push(Input { key, part, nbytes: reader.number()?, holders: read_holders(reader)? });
            }
        } else if count > 0 {
            let (layer, part) = (self.layer_id(reader)?, read_part(reader)?);
            let mut next = 0i64;
            for _ in 0..count {
                let Some(index) = next.checked_add(reader.signed()?).and_then(|index| u32::try_from(index).ok()) else {
                    return reader.unknown();
                };
                next = i64::from(index) + 1;
                list.push(Input { key: Key::new(layer, index), part, nbytes: reader.number()?, holders: read_holders(reader)? });
            }
        }
        Ok(list)
    }
}

/// Whether the kernel can run with the edges and arguments that there are.
fn runs(layer: &Layer) -> bool {
    use partita_graph::Source;
    let steps = &layer.kernel.steps;
    !steps.is_empty()
        && steps.iter().enumerate().all(|(at, step)| {
            step.arg.is_none_or(|column| usize::from(column) < layer.args.len())
                && step.inputs.iter().all(|source| match source {
                    Source::Edge(edge) => usize::from(*edge) < layer.edges.len(),
                    Source::Step(step) => usize::from(*step) < at,
                })
        })
}
