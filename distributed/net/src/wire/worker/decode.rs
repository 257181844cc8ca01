//! What a worker reads of them.
//!
//! It refuses to run anything. Invariant: an assignment that it gives has a kernel that finds its edges, steps and arguments, or
//! there is none: whatever the bytes are, running it fails at worst.

use std::sync::Arc;

use partita_core::protocol::{Assignment, Input, ToWorker, WorkerId};
use partita_graph::{Failure, Key, Layer, LayerId, Registry, Source};

use super::super::Reader;
use super::super::layer::{ARG, Edges, read_arg, read_layer};
use super::*;
use crate::message::{PeerAddress, SchedulerToWorker, Sealed};

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
                let mut peers = Vec::with_capacity(reader.room(count));
                for _ in 0..count {
                    let worker = WorkerId(reader.small()?);
                    peers.push((worker, PeerAddress { host: reader.text()?.into(), port: reader.tiny()? }));
                }
                SchedulerToWorker::Peers(peers)
            }
            FORGET => {
                let count = reader.count(1)?;
                let mut layers = Vec::with_capacity(reader.room(count));
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
                let mut paths = Vec::with_capacity(reader.room(count));
                for _ in 0..count {
                    paths.push(reader.text()?.to_owned());
                }
                SchedulerToWorker::CheckPaths { query, paths }
            }
            SHARED => SchedulerToWorker::Shared { name: reader.text()?.into(), body: Sealed(reader.bytes()?.to_vec()) },
            CLOSE => SchedulerToWorker::Close { reason: reader.text()?.into(), restart: reader.flag()? },
            _ => return reader.unknown(),
        };
        reader.end().map(|()| message)
    }

    fn items(&mut self, reader: &mut Reader<'_>) -> Result<Vec<ToWorker>, Failure> {
        let count = reader.count(ITEM)?;
        let mut items = Vec::with_capacity(reader.room(count));
        while items.len() < count {
            match reader.byte()? {
                ASSIGN => items.push(ToWorker::Assign(self.assignment(reader)?)),
                FREE => {
                    let count = reader.count(2)?;
                    let mut keys = Vec::with_capacity(reader.room(count));
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
                HOLDERS => items.push(ToWorker::Holders { key: self.key(reader)?, holders: read_holders(reader)? }),
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
            inputs.reserve_exact(reader.room(count));
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
        let mut list = Vec::with_capacity(reader.room(count));
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
