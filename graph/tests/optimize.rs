//! Optimized graphs compute the same chunks, bit by bit; and what is fused is what should be.

use std::sync::Arc;

use partita_graph::optimize::{PASSES, cull, fuse, optimize, order};
use partita_graph::{
    Annotations, Arg, Chunk, Edge, Executor, Failure, Graph, Kernel, Key, Layer, LayerId, OpRef, Origin, Parts, Plain, Serial, Source,
    Step, Table, TaskContext, Wiring,
};
use proptest::prelude::*;

fn mixed(seed: u64, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<i64, Failure> {
    // Not commutative, so inputs in another order, a lost one or a doubled one change the number.
    let mut sum = (seed as i64).wrapping_mul(31).wrapping_add(i64::from(ctx.key.index));
    if let Some(arg) = ctx.arg {
        sum = sum.wrapping_mul(17).wrapping_add(arg.decode::<i64>()?);
    }
    for input in inputs {
        let input = input.get::<Plain<i64>>().ok_or_else(|| Failure::internal("not a number"))?;
        sum = sum.wrapping_mul(1_000_003).wrapping_add(input.0);
    }
    Ok(sum)
}

fn mix(name: &str, seed: u64) -> OpRef {
    OpRef::closure(name, seed, move |ctx, inputs| Ok(Chunk::new(Plain(mixed(seed, ctx, inputs)?))))
}

/// The same, in `parts` pieces.
fn split(name: &str, seed: u64, parts: u32) -> OpRef {
    OpRef::closure(name, seed, move |ctx, inputs| {
        let base = mixed(seed, ctx, inputs)?;
        Ok(Chunk::new(Parts((0..parts).map(|part| Chunk::new(Plain(base.wrapping_add(i64::from(part))))).collect())))
    })
}

fn results(graph: &Graph) -> Vec<i64> {
    let chunks = Serial::default().submit(graph.clone()).unwrap().wait().unwrap();
    chunks.iter().map(|chunk| chunk.get::<Plain<i64>>().unwrap().0).collect()
}

/// How one layer of a random graph is made; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
struct Recipe {
    len: u32,
    /// Producer, kind of wiring and its parameter.
    reads: Vec<(usize, u8, u32)>,
    args: bool,
    steps: u8,
    fixed: bool,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let reads = prop::collection::vec((any::<usize>(), prop_oneof![6 => Just(0u8), 4 => 1..5u8], 1..5u32), 0..4);
    (1..7u32, reads, any::<bool>(), 1..4u8, prop::bool::weighted(0.1)).prop_map(|(len, reads, args, steps, fixed)| Recipe {
        len,
        reads,
        args,
        steps,
        fixed,
    })
}

/// A few steps: the first reads all edges, the others the one before, twice, and the first edge again.
fn kernel(seed: u64, steps: u8, edges: u16, args: bool) -> Kernel {
    let step = |at: u16| {
        let mut inputs: Vec<Source> = (0..edges).map(Source::Edge).collect();
        if at > 0 {
            inputs.truncate(1);
            inputs.extend([Source::Step(at - 1), Source::Step(at - 1)]);
        }
        Step { op: mix(&format!("s{seed}.{at}"), seed * 10 + u64::from(at)), inputs, arg: args.then_some(0) }
    };
    Kernel { steps: (0..u16::from(steps)).map(step).collect() }
}

fn built(recipes: &[Recipe], wanted: &[(usize, u32)]) -> Graph {
    let mut graph = Graph::default();
    // Producers that others may read: id and length, newest last, so that small numbers modulo give recent ones.
    let mut made: Vec<(LayerId, u32)> = Vec::new();
    for (at, recipe) in recipes.iter().enumerate() {
        let mut len = recipe.len;
        let mut edges = Vec::new();
        let reads = recipe.reads.iter().filter(|_| !made.is_empty());
        for (nth, (which, kind, parameter)) in reads.enumerate() {
            let (layer, producer_len) = made[made.len() - 1 - (which % made.len().min(4))];
            let reachable = producer_len.div_ceil(*parameter);
            let wiring = match kind {
                0 if nth == 0 || len == producer_len => {
                    len = producer_len;
                    Wiring::Each
                }
                1 if nth == 0 || len == reachable => {
                    len = reachable;
                    Wiring::Group(*parameter)
                }
                2 => {
                    let offsets: Vec<u32> = (0..=len).collect();
                    let indices: Vec<u32> = (0..len).map(|task| (task * parameter) % producer_len).collect();
                    Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() })
                }
                3 => {
                    // A shuffle in between.
                    let split = split("split", at as u64 * 100 + nth as u64, 64);
                    let each = Edge { layer, wiring: Wiring::Each };
                    let split = graph.add(Layer::single("split", producer_len, split, vec![each]));
                    edges.push(Edge { layer: split, wiring: Wiring::Part });
                    continue;
                }
                _ => Wiring::Every,
            };
            edges.push(Edge { layer, wiring });
        }
        // A table was written for the length that the layer had then.
        edges.retain(|edge| !matches!(&edge.wiring, Wiring::Table(table) if table.offsets.len() as u32 != len + 1));
        let args: Vec<Arg> = (0..len).map(|task| Arg::encode(&i64::from(task * 7 + at as u32))).collect();
        let columns = if recipe.args { vec![args.into()] } else { Vec::new() };
        let kernel = kernel(at as u64, recipe.steps, edges.len() as u16, recipe.args);
        let mut layer = Layer::new(format!("l{at}"), len, kernel, columns, edges);
        layer.fixed = recipe.fixed;
        made.push((graph.add(layer), len));
    }
    for (which, index) in wanted {
        let (layer, len) = made[made.len() - 1 - which % made.len()];
        graph.wanted.push(Key::new(layer, index % len));
    }
    graph
}

fn ids(graph: &Graph) -> Vec<LayerId> {
    graph.layers.iter().map(|layer| layer.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn results_stay_the_same(
        recipes in prop::collection::vec(recipe(), 1..14),
        wanted in prop::collection::vec((0..5usize, 0..9u32), 1..5),
    ) {
        let graph = built(&recipes, &wanted);
        prop_assert!(graph.validate().is_ok(), "{:?}", graph.validate());
        let expected = results(&graph);
        for pass in PASSES {
            let once = (pass.run)(&graph);
            prop_assert!(once.validate().is_ok(), "{}: {:?}", pass.name, once.validate());
            prop_assert_eq!(&results(&once), &expected, "{}", pass.name);
            let twice = (pass.run)(&once);
            prop_assert_eq!(ids(&twice), ids(&once), "{} is idempotent", pass.name);
            prop_assert_eq!(&twice.wanted, &once.wanted);
        }
        let optimized = optimize(&graph);
        prop_assert!(optimized.validate().is_ok());
        prop_assert_eq!(results(&optimized), expected);
        prop_assert_eq!(ids(&optimize(&optimized)), ids(&optimized));
        // What an earlier run made is still there under its id.
        for layer in cull(&graph).layers.iter().filter(|layer| layer.fixed) {
            prop_assert!(optimized.get(layer.id).is_some());
        }
        // The explanation of anything names each layer that is left.
        let text = optimized.explain();
        prop_assert!(optimized.wanted.iter().all(|key| text.contains(&*optimized.get(key.layer).unwrap().name)));
    }
}

fn add(graph: &mut Graph, name: &str, len: u32, reads: &[(LayerId, Wiring)]) -> LayerId {
    let edges = reads.iter().map(|(layer, wiring)| Edge { layer: *layer, wiring: wiring.clone() }).collect();
    let seed = name.bytes().fold(7, |hash, byte| hash * 31 + u64::from(byte));
    graph.add(Layer::single(name, len, mix(name, seed), edges))
}

fn names(graph: &Graph) -> Vec<&str> {
    graph.layers.iter().map(|layer| &*layer.name).collect()
}

fn fused(graph: &Graph) -> Graph {
    let fused = fuse(graph);
    fused.validate().unwrap();
    assert_eq!(results(&fused), results(graph));
    fused
}

#[test]
fn a_chain_becomes_one_layer_with_all_arguments() {
    let mut graph = Graph::default();
    let args = |base: i64| (0..5).map(|task| Arg::encode(&(base + task))).collect::<Vec<_>>();
    let read = graph.add(Layer::with_args("read", mix("read", 1), args(100), vec![]));
    let each = |layer| vec![Edge { layer, wiring: Wiring::Each }];
    let shift = graph.add(Layer::with_args("shift", mix("shift", 2), args(200), each(read)).origin(Some(Origin::here("shift"))));
    let last = graph.add(Layer::single("last", 5, mix("last", 3), each(shift)));
    graph.want_all(last);
    let fused = fused(&graph);
    assert_eq!(names(&fused), ["read+shift+last"]);
    let layer = &fused.layers[0];
    assert_eq!((layer.kernel.steps.len(), layer.args.len(), layer.edges.len()), (3, 2, 0));
    assert_eq!(layer.origin.as_ref().map(|origin| origin.step.as_str()), Some("shift"));
    assert_ne!(layer.id, last);
    assert_eq!(fused.wanted, (0..5).map(|index| Key::new(layer.id, index)).collect::<Vec<_>>());
}

#[test]
fn a_diamond_is_folded_once() {
    let mut graph = Graph::default();
    let x = add(&mut graph, "x", 6, &[]);
    let left = add(&mut graph, "left", 6, &[(x, Wiring::Each)]);
    let right = add(&mut graph, "right", 6, &[(x, Wiring::Each)]);
    let end = add(&mut graph, "end", 6, &[(left, Wiring::Each), (right, Wiring::Each), (left, Wiring::Each)]);
    graph.want_all(end);
    let fused = fused(&graph);
    assert_eq!(names(&fused), ["x+left+right+end"]);
    assert_eq!(fused.layers[0].kernel.steps.len(), 4, "no step is there twice");
}

#[test]
fn what_is_read_twice_wanted_fixed_or_not_chunk_by_chunk_stays() {
    let mut graph = Graph::default();
    let x = add(&mut graph, "x", 6, &[]);
    let a = add(&mut graph, "a", 6, &[(x, Wiring::Each)]);
    let b = add(&mut graph, "b", 6, &[(x, Wiring::Each)]);
    let sum = add(&mut graph, "sum", 6, &[(a, Wiring::Each), (a, Wiring::Every)]);
    let next = add(&mut graph, "next", 6, &[(sum, Wiring::Group(1))]);
    let fixed = Layer { fixed: true, ..(**graph.get(b).unwrap()).clone() };
    *graph.layers.iter_mut().find(|layer| layer.id == b).unwrap() = fixed.into();
    let tail = add(&mut graph, "tail", 6, &[(b, Wiring::Each)]);
    let wanted = add(&mut graph, "wanted", 6, &[(tail, Wiring::Each)]);
    let beyond = add(&mut graph, "beyond", 6, &[(wanted, Wiring::Each)]);
    [next, wanted, beyond].into_iter().for_each(|layer| graph.want_all(layer));
    assert_eq!(names(&fused(&graph)), ["x", "a", "b", "sum", "next", "tail+wanted", "beyond"]);
}

#[test]
fn layers_with_different_wishes_stay_apart_and_a_fused_layer_keeps_them() {
    let wishing = |graph: &mut Graph, id: LayerId, retries: u32| {
        let wishes = Annotations { retries, ..Annotations::default() };
        let layer = graph.layers.iter_mut().find(|layer| layer.id == id).unwrap();
        Arc::make_mut(layer).annotations = Some(Arc::new(wishes));
    };
    let mut graph = Graph::default();
    let read = add(&mut graph, "read", 6, &[]);
    let a = add(&mut graph, "a", 6, &[(read, Wiring::Each)]);
    let b = add(&mut graph, "b", 6, &[(a, Wiring::Each)]);
    let end = add(&mut graph, "end", 6, &[(b, Wiring::Each)]);
    graph.want_all(end);
    // No wish, an empty wish, and twice the same.
    wishing(&mut graph, a, 0);
    wishing(&mut graph, b, 2);
    wishing(&mut graph, end, 2);
    let fused = fused(&graph);
    assert_eq!(names(&fused), ["read+a", "b+end"]);
    let retries: Vec<Option<u32>> = fused.layers.iter().map(|layer| layer.annotations.as_ref().map(|wishes| wishes.retries)).collect();
    assert_eq!(retries, [None, Some(2)]);
}

#[test]
fn a_graph_of_many_layers_is_built_in_reasonable_time_however_they_come() {
    let mut graph = Graph::default();
    let layers: Vec<Arc<Layer>> = (0..50_000).map(|at| Arc::new(Layer::single("call", 1, mix("call", at), vec![]))).collect();
    for (at, layer) in layers.iter().enumerate() {
        match at % 2 {
            0 => graph.add_shared(layer.clone()),
            _ => graph.layers.push(layer.clone()),
        }
        graph.add_shared(layer.clone());
    }
    assert_eq!(graph.layers.len(), layers.len());
    assert!(layers.iter().all(|layer| graph.get(layer.id).is_some_and(|found| Arc::ptr_eq(found, layer))));
    assert!(graph.validate().is_ok());
}

#[test]
fn single_tasks_are_chained_but_branches_stay_beside_each_other() {
    let mut graph = Graph::default();
    let a = add(&mut graph, "a", 1, &[]);
    let a2 = add(&mut graph, "a2", 1, &[(a, Wiring::Each)]);
    let b = add(&mut graph, "b", 1, &[]);
    let both = add(&mut graph, "both", 1, &[(a2, Wiring::Each), (b, Wiring::Each)]);
    let end = add(&mut graph, "end", 1, &[(both, Wiring::Each)]);
    graph.want_all(end);
    assert_eq!(names(&fused(&graph)), ["a+a2", "b", "both+end"]);
}

#[test]
fn other_edges_keep_their_places_and_a_shared_chunk_is_fetched_once() {
    let mut graph = Graph::default();
    let table = add(&mut graph, "table", 3, &[]);
    let x = add(&mut graph, "x", 6, &[]);
    let left = add(&mut graph, "left", 6, &[(table, Wiring::Every), (x, Wiring::Each)]);
    let end = add(&mut graph, "end", 6, &[(table, Wiring::Every), (left, Wiring::Each), (x, Wiring::Each)]);
    graph.want_all(end);
    graph.want_all(x);
    let fused = fused(&graph);
    assert_eq!(names(&fused), ["table", "x", "left+end"]);
    let edges: Vec<LayerId> = fused.layers[2].edges.iter().map(|edge| edge.layer).collect();
    assert_eq!(edges, [table, x]);
}

#[test]
fn long_chains_are_fused_in_reasonable_time_under_a_short_name() {
    let mut graph = Graph::default();
    let mut last = Vec::new();
    for step in 0..5_000 {
        let edges = last.iter().map(|&layer| Edge { layer, wiring: Wiring::Each }).collect();
        let layer = Layer::single(format!("a_step_with_a_name_{step}"), 1, mix("step", step), edges);
        last = vec![layer.id];
        graph.layers.push(layer.into());
    }
    graph.want_all(last[0]);
    let fused = optimize(&graph);
    assert_eq!(fused.layers.len(), 1);
    assert_eq!(fused.layers[0].kernel.steps.len(), 5_000);
    let name = &fused.layers[0].name;
    assert!(name.chars().count() <= 48 && name.starts_with("a_step_with_a_name_0+…+"), "{name}");
    assert_eq!(results(&fused), results(&graph));
}

#[test]
fn cull_drops_layers_that_nothing_wanted_reads() {
    let mut graph = Graph::default();
    let a = add(&mut graph, "a", 2, &[]);
    let b = add(&mut graph, "b", 2, &[(a, Wiring::Each)]);
    add(&mut graph, "unread", 2, &[(a, Wiring::Each)]);
    graph.want_all(b);
    assert_eq!(names(&cull(&graph)), ["a", "b"]);
    graph.wanted.clear();
    assert!(cull(&graph).layers.is_empty());
}

#[test]
fn a_broken_graph_stays_broken_and_does_not_panic() {
    let mut graph = Graph::default();
    let nowhere = LayerId(7);
    let end = add(&mut graph, "end", 2, &[(nowhere, Wiring::Each)]);
    graph.want_all(end);
    for run in [cull, fuse, order, optimize] {
        assert!(run(&graph).validate().is_err());
    }
    assert_eq!(graph.explain(), "end  2 tasks\n└─ each of 0000000000000007 (not in the graph)\n");
}

#[test]
fn kernels_that_cannot_run_are_refused() {
    let with = |inputs: Vec<Source>, arg| {
        let kernel = Kernel { steps: vec![Step { op: mix("a", 1), inputs, arg }] };
        let mut graph = Graph::default();
        graph.add(Layer::new("bad", 1, kernel, vec![], vec![]));
        graph.validate()
    };
    assert!(with(vec![], None).is_ok());
    assert!(with(vec![Source::Edge(0)], None).is_err());
    assert!(with(vec![Source::Step(0)], None).is_err());
    assert!(with(vec![], Some(0)).is_err());
    let mut graph = Graph::default();
    graph.add(Layer::new("empty", 1, Kernel::default(), vec![], vec![]));
    assert!(graph.validate().unwrap_err().what.contains("no steps"));
}
