//! Graphs that are submitted, and graphs that are refused.
//!
//! It refuses to run them.

use std::sync::Arc;

use partita_core::protocol::Ending;
use partita_graph::{Annotations, AxisMap, Chunk, Code, Edge, Failure, Graph, Key, Layer, OpRef, Origin, Plain, Table, Wiring};
use partita_net::message::ClientToScheduler;
use partita_net::wire::*;

use crate::messages::{Add, layer, with_args};

pub fn graph() -> Graph {
    let mut graph = Graph::default();
    let numbers = graph.add(layer(12));
    let offsets = graph.add(with_args(3));
    let op = || OpRef::new(Add(0), "sum");
    let edge = |layer, wiring| vec![Edge { layer, wiring }];
    let grid = AxisMap { producer: [3, 4].into(), consumer: [3].into(), axes: [Some(0), None].into() };
    let rows = graph.add(Layer::single("rows", 3, op(), edge(numbers, Wiring::Block(grid))));
    let table = Table { offsets: [0, 2, 2].into(), indices: [1, 0].into() };
    let picked = graph.add(Layer::single("picked", 2, op(), edge(rows, Wiring::Table(table))));
    let mut last = Layer::single(
        "last",
        1,
        op(),
        vec![Edge { layer: picked, wiring: Wiring::Group(2) }, Edge { layer: offsets, wiring: Wiring::Every }],
    );
    last.fixed = true;
    last.annotations = Some(Arc::new(Annotations { priority: -3, retries: 2, workers: vec!["w".into()], ..Annotations::default() }));
    let last = graph.add(last);
    graph.want_all(last);
    graph.want_all(numbers);
    graph.wanted.extend([Key::new(rows, 2), Key::new(rows, 0), Key::new(rows, 0)]);
    graph
}

#[test]
fn a_graph_there_and_back() {
    let graph = graph();
    let bytes = encode_graph(&graph).unwrap();
    let back = decode_graph(&bytes).unwrap();
    assert_eq!(back.wanted, graph.wanted);
    assert_eq!(encode_graph(&back).unwrap(), bytes);
    for (back, layer) in back.layers.iter().zip(&graph.layers) {
        assert_eq!(
            (back.id, &back.name, back.len, &back.edges, &back.origin),
            (layer.id, &layer.name, layer.len, &layer.edges, &layer.origin)
        );
        assert_eq!((back.fixed, &back.annotations, back.args.len()), (layer.fixed, &layer.annotations, layer.args.len()));
        assert_eq!(back.kernel.steps[0].inputs, layer.kernel.steps[0].inputs);
        assert!(back.kernel.steps[0].op.operator.is_none(), "nobody decodes an operator on the way");
        // The identity is that of the content, so it is the same when it is computed again.
        let kernel = (*back.kernel).clone();
        assert_eq!(Layer::new("", back.len, kernel, back.args.clone(), back.edges.clone()).id, layer.id);
    }
}

#[test]
fn what_the_scheduler_has_is_named_and_not_repeated() {
    let whole = layer(12);
    let mut named = Graph::default();
    let id = named.add(whole.stand_in());
    let reader = Layer::single("reader", 12, OpRef::new(Add(0), "sum"), vec![Edge { layer: id, wiring: Wiring::Each }]);
    let reader = named.add(reader);
    named.want_all(reader);
    let back = decode_graph(&encode_graph(&named).unwrap()).unwrap();
    let found = &back.layers[0];
    assert_eq!((found.id, found.len, found.known, found.fixed), (id, 12, true, true));
    assert!(found.kernel.steps.is_empty() && !back.layers[1].known);
    // It stands for another layer, so it has no work of its own.
    let mut worked = Graph::default();
    worked.add(Layer { known: true, ..whole });
    assert!(worked.validate().is_err());
}

#[test]
fn a_million_tasks_are_as_small_as_ten() {
    let mut graph = Graph::default();
    let id = graph.add(layer(1_000_000));
    graph.want_all(id);
    let bytes = encode_graph(&graph).unwrap();
    assert!(bytes.len() < 150, "{} bytes", bytes.len());
    assert_eq!(decode_graph(&bytes).unwrap().wanted.len(), 1_000_000);
}

#[test]
fn closures_are_refused_with_name_place_and_fix() {
    let closure = OpRef::closure("double", 1, |_, _| Ok(Chunk::new(Plain(1i64))));
    let origin = Origin { file: "src/main.rs".into(), line: 3, column: 9, step: "map".into() };
    let mut graph = Graph::default();
    graph.add(Layer::single("doubled", 1, closure, vec![]).origin(Some(origin)));
    let failure = encode_asked(&ClientToScheduler::Submit { run: 1, graph, ending: Ending::Together }).unwrap_err();
    assert_eq!(failure.code, Code::ClosureOnCluster);
    for words in ["`double` is a closure", "src/main.rs:3:9", "#[task]", "local engine"] {
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

#[test]
fn arguments_without_a_form_as_bytes_are_refused() {
    let arg = partita_graph::Arg::Chunk { token: 1, chunk: Chunk::new(partita_graph::Parts(vec![])) };
    let mut graph = Graph::default();
    graph.add(Layer::with_args("parts", OpRef::new(Add(0), "add"), vec![arg], vec![]));
    assert_eq!(encode_graph(&graph).unwrap_err().code, Code::NotEncodable);
}

#[track_caller]
fn refused(graph: &Graph) -> Failure {
    decode_graph(&encode_graph(graph).unwrap()).unwrap_err()
}

#[test]
fn graphs_that_cannot_run_are_refused() {
    let mut missing = Graph::default();
    missing.add(crate::messages::sum(2));
    assert!(refused(&missing).what.contains("does not come before it"));
    let mut unwanted = Graph::default();
    let id = unwanted.add(layer(3));
    unwanted.wanted.push(Key::new(id, 3));
    assert!(refused(&unwanted).what.contains("wanted but not in the graph"));
    let twice = Graph::new(vec![Arc::new(layer(3)), Arc::new(layer(3))], Vec::new());
    assert!(refused(&twice).what.contains("twice"));
}

#[test]
fn graphs_that_stand_for_too_much_are_refused_before_they_are_expanded() {
    let mut many = Graph::default();
    many.add(layer(u32::MAX));
    assert_eq!(refused(&many).code, Code::TooLarge);
    let mut grids = Graph::default();
    let numbers = grids.add(layer(1 << 20));
    let grid = AxisMap { producer: [1 << 20].into(), consumer: [1 << 20].into(), axes: [None].into() };
    grids.add(Layer::single("all", 1 << 20, OpRef::new(Add(0), "sum"), vec![Edge { layer: numbers, wiring: Wiring::Block(grid) }]));
    assert_eq!(refused(&grids).code, Code::TooLarge);
    let mut wanted = Graph::default();
    let id = wanted.add(layer(1 << 20));
    (0..40).for_each(|_| wanted.want_all(id));
    assert_eq!(refused(&wanted).code, Code::TooLarge);
}

#[test]
fn a_grid_with_an_empty_axis_reads_nothing_and_is_not_written_out() {
    let (mut graph, op) = (Graph::default(), || OpRef::new(Add(0), "sum"));
    let nothing = graph.add(layer(0));
    let grid = AxisMap { producer: [1 << 14, 0].into(), consumer: [].into(), axes: [None, None].into() };
    let sum = graph.add(Layer::single("sum", 1, op(), vec![Edge { layer: nothing, wiring: Wiring::Block(grid) }]));
    graph.want_all(sum);
    let back = decode_graph(&encode_graph(&graph).unwrap()).unwrap();
    let Wiring::Block(grid) = &back.get(sum).unwrap().edges[0].wiring else { panic!("another wiring") };
    assert!(Wiring::Block(grid.clone()).inputs(0, 0).is_empty());
    // Four thousand million blocks along an axis of nothing: refused, and if they were not they would read nothing at once.
    let axes = AxisMap { producer: [u32::MAX, 0].into(), ..grid.clone() };
    let start = std::time::Instant::now();
    assert!(Wiring::Block(axes.clone()).inputs(0, 0).is_empty());
    assert!(start.elapsed() < std::time::Duration::from_secs(1), "it was written out");
    assert_eq!(refused(&huge_and_empty()).code, Code::TooLarge);
}

/// One task that reads a grid of which one axis is as long as can be and the other empty.
pub fn huge_and_empty() -> Graph {
    let mut graph = Graph::default();
    let nothing = graph.add(layer(0));
    let grid = AxisMap { producer: [u32::MAX, 0].into(), consumer: [].into(), axes: [None, None].into() };
    graph.add(Layer::single("sum", 1, OpRef::new(Add(0), "sum"), vec![Edge { layer: nothing, wiring: Wiring::Block(grid) }]));
    graph
}

#[test]
fn pairs_are_counted_over_the_whole_graph() {
    let graph = |edges: u32| {
        let mut graph = Graph::default();
        let blocks = graph.add(layer(1 << 13));
        for at in 0..edges {
            let grid = AxisMap { producer: [1 << 13].into(), consumer: [1 << 13].into(), axes: [None].into() };
            let op = OpRef::new(Add(i64::from(at)), "sum");
            graph.add(Layer::single("all", 1 << 13, op, vec![Edge { layer: blocks, wiring: Wiring::Block(grid) }]));
        }
        graph
    };
    decode_graph(&encode_graph(&graph(4)).unwrap()).unwrap();
    assert_eq!(refused(&graph(5)).code, Code::TooLarge);
}

#[test]
fn columns_of_layers_without_tasks_are_bounded_over_the_graph() {
    let back = decode_graph(&encode_graph(&empty_columns(3)).unwrap()).unwrap();
    assert!(back.layers.iter().all(|layer| layer.args.len() == 1 << 14));
    assert_eq!(refused(&empty_columns(4)).code, Code::TooLarge);
}

/// Layers without tasks that have many columns of arguments.
pub fn empty_columns(layers: u32) -> Graph {
    let mut graph = Graph::default();
    for at in 0..layers {
        let mut empty = Layer::single("empty", 0, OpRef::new(Add(at.into()), "add"), vec![]);
        empty.args = (0..1 << 14).map(|_| Arc::from([])).collect();
        graph.add(empty);
    }
    graph
}
