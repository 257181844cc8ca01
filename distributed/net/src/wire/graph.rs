//! Graphs as bytes: layers, not tasks, so that a layer of a million tasks without arguments is as small as one of ten.
//!
//! It refuses to decode operators and values. Invariant: what is read is a valid graph of a bounded number of tasks, edges and
//! wanted chunks, whatever the bytes are.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::{Arg, AxisMap, Code, Failure, Graph, Key, LayerId, Wiring};

use super::layer::{ARG, Edges, read_arg, read_layer, write_arg, write_layer};
use super::{Reader, Writer};

/// A graph of more tasks is refused.
pub const MOST_TASKS: u64 = 1 << 25;
/// A graph is refused whose block edges and tables stand for more pairs of chunks and tasks: they are written out in the scheduler.
const MOST_PAIRS: u64 = 1 << 28;
/// Columns of arguments that a graph's layers without tasks may have together: such columns take no bytes.
const MOST_EMPTY: u64 = u16::MAX as u64;
/// Least bytes of an encoded layer, and of an encoded range of wanted keys.
const LAYER: usize = 16;
const RANGE: usize = 10;

/// A graph as bytes. Fails with `ClosureOnCluster` and `NotEncodable`.
pub fn encode_graph(graph: &Graph) -> Result<Vec<u8>, Failure> {
    let mut out = Writer::with_capacity(256);
    write_graph(&mut out, graph)?;
    Ok(out.into_vec())
}

/// And back, validated. Chunks in arguments stay opaque.
pub fn decode_graph(bytes: &[u8]) -> Result<Graph, Failure> {
    let mut reader = Reader::new(bytes);
    let graph = read_graph(&mut reader)?;
    reader.end().map(|()| graph)
}

pub(super) fn write_graph(out: &mut Writer, graph: &Graph) -> Result<(), Failure> {
    out.number(graph.layers.len() as u64);
    for layer in &graph.layers {
        write_layer(out, layer, Edges::Wired)?;
        out.number(layer.args.len() as u64);
        for arg in layer.args.iter().flat_map(|column| &**column) {
            write_arg(out, arg).map_err(|failure| failure.origin(layer.origin.as_ref()))?;
        }
    }
    let ranges = ranges(&graph.wanted);
    out.number(ranges.len() as u64);
    for (first, count) in ranges {
        out.fixed(first.layer.0);
        out.number(first.index.into());
        out.number(count.into());
    }
    Ok(())
}

/// Consecutive keys of one layer as the first and how many.
fn ranges(keys: &[Key]) -> Vec<(Key, u32)> {
    let mut ranges: Vec<(Key, u32)> = Vec::new();
    for key in keys {
        match ranges.last_mut() {
            Some((first, count)) if first.layer == key.layer && first.index.checked_add(*count) == Some(key.index) => *count += 1,
            _ => ranges.push((*key, 1)),
        }
    }
    ranges
}

pub(super) fn read_graph(reader: &mut Reader<'_>) -> Result<Graph, Failure> {
    let count = reader.count(LAYER)?;
    let mut layers = Vec::with_capacity(count);
    let (mut tasks, mut empty) = (0, 0);
    for _ in 0..count {
        let mut layer = read_layer(reader, Edges::Wired)?;
        tasks += u64::from(layer.len);
        if tasks > MOST_TASKS {
            return Err(too_large("tasks", tasks, MOST_TASKS));
        }
        layer.args = read_columns(reader, layer.len)?;
        if layer.len == 0 {
            empty += layer.args.len() as u64;
        }
        if empty > MOST_EMPTY {
            return Err(too_large("columns of arguments in layers without tasks", empty, MOST_EMPTY));
        }
        layers.push(Arc::new(layer));
    }
    let mut graph = Graph::new(layers, Vec::new());
    graph.validate()?;
    check_pairs(&graph)?;
    graph.wanted = read_wanted(reader, &graph, tasks)?;
    Ok(graph)
}

fn too_large(what: &str, found: u64, most: u64) -> Failure {
    Failure::new(Code::TooLarge, format!("the graph has {found} {what} or more; at most {most} are accepted"))
        .help("use larger chunks, or submit it in parts")
}

fn read_columns(reader: &mut Reader<'_>, len: u32) -> Result<Vec<Arc<[Arg]>>, Failure> {
    let columns = reader.number()?;
    let least = columns.saturating_mul(u64::from(len).max(1)).saturating_mul(ARG as u64);
    if columns > u64::from(u16::MAX) || (len > 0 && least > reader.left().len() as u64) {
        return reader.unknown();
    }
    if len == 0 {
        // They take no bytes here and no memory there: all of them are one. Their number is bounded by the graph.
        let none: Arc<[Arg]> = Arc::new([]);
        return Ok(vec![none; columns as usize]);
    }
    let mut read = Vec::with_capacity(columns as usize);
    for _ in 0..columns {
        let mut column = Vec::with_capacity(len as usize);
        for _ in 0..len {
            column.push(read_arg(reader, None)?);
        }
        read.push(column.into());
    }
    Ok(read)
}

/// Grids are small numbers that stand for many pairs. The graph is valid.
fn check_pairs(graph: &Graph) -> Result<(), Failure> {
    let lens: BTreeMap<LayerId, u32> = graph.layers.iter().map(|layer| (layer.id, layer.len)).collect();
    let mut pairs = 0u64;
    for layer in &graph.layers {
        for edge in &layer.edges {
            let of_edge = match &edge.wiring {
                Wiring::Block(AxisMap { producer, axes, .. }) => {
                    let read = producer.iter().zip(&**axes).filter(|(_, axis)| axis.is_none());
                    let read = read.fold(1u64, |product, (blocks, _)| product.saturating_mul(u64::from(*blocks).max(1)));
                    read.saturating_mul(layer.len.into())
                }
                Wiring::Table(table) => table.indices.len() as u64,
                Wiring::Each | Wiring::Group(_) | Wiring::Every | Wiring::Part => continue,
            };
            // What is written out has an entry for each chunk of the producer too, read or not.
            let least = layer.len.max(lens.get(&edge.layer).copied().unwrap_or(0));
            pairs = pairs.saturating_add(of_edge.max(least.into()));
        }
    }
    match pairs > MOST_PAIRS {
        true => Err(too_large("pairs of blocks along its edges", pairs, MOST_PAIRS)),
        false => Ok(()),
    }
}

fn read_wanted(reader: &mut Reader<'_>, graph: &Graph, tasks: u64) -> Result<Vec<Key>, Failure> {
    let lens: BTreeMap<LayerId, u32> = graph.layers.iter().map(|layer| (layer.id, layer.len)).collect();
    let count = reader.count(RANGE)?;
    // Each chunk once, and a few of them several times.
    let most = tasks + count as u64;
    let mut wanted = Vec::new();
    for _ in 0..count {
        let layer = LayerId(reader.fixed()?);
        let (first, count) = (reader.small()?, reader.small()?);
        let exists = lens.get(&layer).is_some_and(|len| first.checked_add(count).is_some_and(|end| end <= *len));
        if !exists {
            return Err(Failure::internal(format!("{} is wanted but not in the graph", Key::new(layer, first))));
        }
        if wanted.len() as u64 + u64::from(count) > most {
            return Err(too_large("wanted chunks", most + 1, most));
        }
        wanted.extend((first..first + count).map(|index| Key::new(layer, index)));
    }
    Ok(wanted)
}
