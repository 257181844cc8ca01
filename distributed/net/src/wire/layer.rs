//! Layers as bytes: kernel, edges, wishes, the user's line; and arguments, which travel apart.
//!
//! It refuses to decode operators. Invariant: a closure is never written, and what is read holds no operator's object.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Edge, Failure, Kernel, Layer, LayerId, OpRef, Origin, Payload, Registry, Source, Step, Wiring};

use super::value::{open, read_value, write_value};
use super::{Reader, Writer};

/// In the place of whether a layer is fixed: it stands for one that the scheduler has.
const KNOWN: u8 = 2;
/// Least bytes of an encoded edge.
const EDGE: usize = 9;

/// What is written of a layer's edges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edges {
    /// Producers and wiring.
    Wired,
    /// Producers only: assignments list the inputs, and tables can be long.
    Producers,
}

fn write_origin(out: &mut Writer, origin: Option<&Origin>) {
    out.byte(origin.is_some().into());
    if let Some(Origin { file, line, column, step }) = origin {
        out.text(file);
        out.number((*line).into());
        out.number((*column).into());
        out.text(step);
    }
}

fn read_origin(reader: &mut Reader<'_>) -> Result<Option<Origin>, Failure> {
    if !reader.flag()? {
        return Ok(None);
    }
    let file = reader.text()?.into();
    let (line, column) = (reader.small()?, reader.small()?);
    Ok(Some(Origin { file, line, column, step: reader.text()?.into() }))
}

fn closure(layer: &Layer, op: &OpRef) -> Failure {
    Failure::new(Code::ClosureOnCluster, format!("`{}` is a closure, and closures cannot be sent to other processes", op.label))
        .detail("in", layer.name.to_string())
        .origin(op.origin.as_deref().or(layer.origin.as_ref()))
        .help(
            "make it a named function with #[task], which workers of the same program contain: methods that take one end in `_task`, and \
             `delayed` takes one; or run it on the local engine",
        )
}

/// Writes a layer without its arguments.
pub(super) fn write_layer(out: &mut Writer, layer: &Layer, edges: Edges) -> Result<(), Failure> {
    out.fixed(layer.id.0);
    out.text(&layer.name);
    out.number(layer.len.into());
    out.byte(if layer.known { KNOWN } else { layer.fixed.into() });
    write_origin(out, layer.origin.as_ref());
    out.byte(layer.annotations.is_some().into());
    if let Some(annotations) = &layer.annotations {
        out.plain(&**annotations);
    }
    out.number(layer.kernel.steps.len() as u64);
    for step in &layer.kernel.steps {
        if !step.op.portable {
            return Err(closure(layer, &step.op));
        }
        out.text(&step.op.payload.name);
        out.bytes(&step.op.payload.body);
        out.text(&step.op.label);
        // Most steps have the layer's own line.
        let same = step.op.origin.as_deref() == layer.origin.as_ref();
        out.byte(same.into());
        if !same {
            write_origin(out, step.op.origin.as_deref());
        }
        out.number(step.inputs.len() as u64);
        for source in &step.inputs {
            let (number, tag) = match source {
                Source::Edge(edge) => (edge, 0),
                Source::Step(step) => (step, 1),
            };
            out.number(u64::from(*number) << 1 | tag);
        }
        out.number(step.arg.map_or(0, |column| u64::from(column) + 1));
    }
    out.number(layer.edges.len() as u64);
    for edge in &layer.edges {
        out.fixed(edge.layer.0);
        match edges {
            Edges::Wired => out.plain(&edge.wiring),
            Edges::Producers => out.number(0),
        }
    }
    Ok(())
}

/// Reads a layer; it has no arguments yet.
pub(super) fn read_layer(reader: &mut Reader<'_>, edges: Edges) -> Result<Layer, Failure> {
    let id = LayerId(reader.fixed()?);
    let name = reader.text()?.into();
    let len = reader.small()?;
    let (fixed, known) = match reader.byte()? {
        0 => (false, false),
        1 => (true, false),
        // Workers are given whole layers.
        KNOWN if edges == Edges::Wired => (true, true),
        _ => return reader.unknown(),
    };
    let origin = read_origin(reader)?;
    let annotations = if reader.flag()? { Some(Arc::new(reader.plain()?)) } else { None };
    let shared = origin.clone().map(Arc::new);
    let count = reader.count(6)?;
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        steps.push(read_step(reader, shared.as_ref())?);
    }
    let count = reader.count(EDGE)?;
    let mut read = Vec::with_capacity(count);
    for _ in 0..count {
        let layer = LayerId(reader.fixed()?);
        let wiring = match edges {
            Edges::Wired => reader.plain()?,
            // Nobody expands the wiring of a layer that came with assignments.
            Edges::Producers if reader.number()? == 0 => Wiring::Every,
            Edges::Producers => return reader.unknown(),
        };
        read.push(Edge { layer, wiring });
    }
    Ok(Layer { id, name, len, kernel: Arc::new(Kernel { steps }), args: Vec::new(), edges: read, origin, fixed, known, annotations })
}

fn read_step(reader: &mut Reader<'_>, shared: Option<&Arc<Origin>>) -> Result<Step, Failure> {
    let payload = Payload { name: reader.text()?.into(), body: reader.bytes()?.into() };
    let label = reader.text()?.into();
    let origin = if reader.flag()? { shared.cloned() } else { read_origin(reader)?.map(Arc::new) };
    let count = reader.count(1)?;
    let mut inputs = Vec::with_capacity(count);
    for _ in 0..count {
        let number = reader.small()?;
        let Ok(at) = u16::try_from(number >> 1) else { return reader.unknown() };
        inputs.push(if number & 1 == 0 { Source::Edge(at) } else { Source::Step(at) });
    }
    let arg = match reader.small()? {
        0 => None,
        column => match u16::try_from(column - 1) {
            Ok(column) => Some(column),
            Err(_) => return reader.unknown(),
        },
    };
    Ok(Step { op: OpRef { payload, operator: None, portable: true, label, origin }, inputs, arg })
}

/// Writes one argument.
pub(super) fn write_arg(out: &mut Writer, arg: &Arg) -> Result<(), Failure> {
    match arg {
        Arg::Bytes(bytes) => {
            out.byte(0);
            out.bytes(bytes);
        }
        Arg::Chunk { token, chunk } => {
            out.byte(1);
            out.fixed(*token);
            write_value(out, chunk)?;
        }
    }
    Ok(())
}

/// Least bytes of an encoded argument.
pub(super) const ARG: usize = 2;

/// Reads one argument. Chunks in it are decoded only where there is a registry.
pub(super) fn read_arg(reader: &mut Reader<'_>, registry: Option<&Registry>) -> Result<Arg, Failure> {
    match reader.byte()? {
        0 => Ok(Arg::Bytes(reader.bytes()?.into())),
        1 => {
            let token = reader.fixed()?;
            let chunk: Chunk = open(read_value(reader)?, registry);
            Ok(Arg::Chunk { token, chunk })
        }
        _ => reader.unknown(),
    }
}
