//! Wanted keys that end one by one: what `Serial` gives for a key among others is what it gives for that key alone.

use partita_graph::{
    Chunk, Code, Edge, EndedEach, Executor, Failure, Graph, Key, KeyStatus, Layer, LayerId, OpRef, Plain, Progress, RunningEach, Serial,
    Wiring,
};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// A layer: its tasks, which of the layers before it reads and how, and which of its tasks fails.
type Shape = (u32, u8, u8, Option<u32>);

fn graph(shapes: &[Shape]) -> Graph {
    let mut graph = Graph::default();
    let mut made: Vec<(LayerId, u32)> = Vec::new();
    for (token, (tasks, from, rule, bad)) in shapes.iter().enumerate() {
        let producer = made.get(usize::from(*from) % made.len().max(1)).copied();
        let (edges, len) = match (producer, rule % 4) {
            (None, _) | (_, 3) => (vec![], *tasks),
            (Some((layer, len)), 0) => (vec![Edge { layer, wiring: Wiring::Each }], len),
            (Some((layer, len)), 1) => (vec![Edge { layer, wiring: Wiring::Group(2) }], len.div_ceil(2)),
            (Some((layer, _)), _) => (vec![Edge { layer, wiring: Wiring::Every }], *tasks),
        };
        let bad = bad.map(|bad| bad % len);
        let sum = OpRef::closure("sum", token as u64, move |ctx, inputs| {
            if bad == Some(ctx.key.index) {
                return Err(Failure::new(Code::UserFunction, format!("task {} of layer {token} fails", ctx.key.index)));
            }
            let inputs = inputs.iter().filter_map(|chunk| chunk.get::<Plain<i64>>());
            Ok(Chunk::new(Plain(inputs.fold(i64::from(ctx.key.index), |sum, n| sum.wrapping_mul(31).wrapping_add(n.0)))))
        });
        made.push((graph.add(Layer::single("layer", len, sum, edges)), len));
    }
    for (layer, _) in made {
        graph.want_all(layer);
    }
    graph
}

fn plain(result: &Result<Chunk, Failure>) -> Result<i64, Failure> {
    result.clone().map(|chunk| chunk.get::<Plain<i64>>().expect("a number").0)
}

proptest! {
    #[test]
    fn a_key_among_others_is_what_it_is_alone(
        shapes in prop::collection::vec((1u32..6, any::<u8>(), any::<u8>(), prop::option::weighted(0.3, 0u32..6)), 1..7),
    ) {
        let graph = graph(&shapes);
        let together = Serial::default().run_each(&graph);
        prop_assert_eq!(together.len(), graph.wanted.len());
        for (key, found) in graph.wanted.iter().zip(&together) {
            let (alone, _) = Serial::default().run(&Graph::new(graph.layers.clone(), vec![*key]));
            prop_assert_eq!(plain(found), plain(&alone.map(|mut chunks| chunks.remove(0))), "{}", key);
        }
    }
}

#[test]
fn the_serial_executor_gives_each_its_end() {
    // Three numbers of which the second fails, and a copy of each.
    let run = Serial::default().submit_each(graph(&[(3, 0, 0, Some(1)), (3, 0, 0, None)])).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    run.on_key_end(Box::new(move |index, end| told.lock().unwrap().push((index, end.is_ok()))));
    assert_eq!(*seen.lock().unwrap(), [(0, true), (1, false), (2, true), (3, true), (4, false), (5, true)]);
    assert_eq!(run.wait_any(&[4, 2]).unwrap(), 4);
    assert_eq!(run.wait_key(4).map(drop).unwrap_err().what, "task 1 of layer 0 fails");
    run.wait_all().unwrap();
    run.cancel();
    run.forget(&[0, 99]);
    assert_eq!((run.status(0), run.status(2)), (KeyStatus::Cancelled, KeyStatus::Done));
    assert_eq!(run.wait_key(0).map(drop).unwrap_err().code, Code::Cancelled);
    let results = run.wait_keys(&[3, 5, 6]);
    assert_eq!([plain(&results[0]).unwrap(), plain(&results[1]).unwrap()], [0, 2 * 31 + 2]);
    assert_eq!(results[2].as_ref().map(|_| ()).unwrap_err().code, Code::Internal);
}

#[test]
fn a_graph_that_is_not_sound_is_refused_or_fails_for_every_key() {
    let mut unsound = graph(&[(2, 0, 0, None)]);
    unsound.wanted.push(Key::new(LayerId(7), 0));
    assert!(Serial::default().run_each(&unsound).iter().all(Result::is_err));
    assert!(Serial::default().submit_each(unsound).is_err());
    let none = EndedEach::new(vec![], vec![], Progress::default());
    assert_eq!((none.keys(), none.wait_any(&[]).is_err(), none.wait_all().is_ok()), (0, true, true));
}
