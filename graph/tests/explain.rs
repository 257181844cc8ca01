//! Plans as people read them.

use partita_graph::{Edge, Graph, Layer, LayerId, OpRef, Wiring, optimize};

fn add(graph: &mut Graph, name: &str, len: u32, label: &str, reads: &[(LayerId, Wiring)]) -> LayerId {
    let mut op = OpRef::closure(name, 0, |_, inputs| Ok(inputs[0].clone()));
    op.label = label.into();
    let edges = reads.iter().map(|(layer, wiring)| Edge { layer: *layer, wiring: wiring.clone() }).collect();
    graph.add(Layer::single(name, len, op, edges))
}

#[test]
fn a_mean() {
    let mut g = Graph::default();
    let read = add(&mut g, "read_csv", 32, "read_csv 12 files, 2 of 9 columns", &[]);
    let partial = add(&mut g, "partial", 32, "partial mean(v3) by id1", &[(read, Wiring::Each)]);
    let combine = add(&mut g, "combine", 1, "combine mean(v3) by id1", &[(partial, Wiring::Every)]);
    let finish = add(&mut g, "finish", 1, "finish mean(v3)", &[(combine, Wiring::Each)]);
    g.want_all(finish);
    let expected = "\
combine+finish  1 task
│  combine mean(v3) by id1
│  finish mean(v3)
└─ every of read_csv+partial  32 tasks
      read_csv 12 files, 2 of 9 columns
      partial mean(v3) by id1
";
    assert_eq!(optimize::optimize(&g).explain(), expected);
}

#[test]
fn a_shared_layer_is_printed_once() {
    let mut g = Graph::default();
    let read = add(&mut g, "read", 8, "read 8 files\nsorted by day", &[]);
    let left = add(&mut g, "left", 8, "split left", &[(read, Wiring::Each)]);
    let right = add(&mut g, "right", 8, "split right", &[(read, Wiring::Each)]);
    let join = add(&mut g, "join", 4, "join", &[(left, Wiring::Part), (right, Wiring::Part)]);
    let tree = add(&mut g, "tree", 2, "tree", &[(join, Wiring::Group(2))]);
    g.want_all(tree);
    g.want_all(read);
    g.wanted.pop();
    let expected = "\
tree  2 tasks
└─ groups of 2 of join  4 tasks
   ├─ part of left  8 tasks
   │  │  split left
   │  └─ each of [1] read  8 tasks, 7 wanted
   │        read 8 files
   │        sorted by day
   └─ part of right  8 tasks
      │  split right
      └─ each of [1] read
[1] read
";
    assert_eq!(g.explain(), expected);
}

#[test]
fn what_an_earlier_run_made_is_not_taken_apart() {
    let mut g = Graph::default();
    let read = add(&mut g, "read", 8, "read", &[]);
    let kept = add(&mut g, "kept", 8, "filter a > 1", &[(read, Wiring::Each)]);
    let fixed = Layer { fixed: true, ..(**g.get(kept).unwrap()).clone() };
    g.layers[1] = fixed.into();
    let next = add(&mut g, "count", 1, "count", &[(kept, Wiring::Every)]);
    g.want_all(next);
    let expected = "\
count  1 task
└─ every of kept  8 tasks  kept from an earlier run
      filter a > 1
";
    assert_eq!(g.explain(), expected);
}

#[test]
fn nothing_is_nothing_and_a_deep_chain_ends_somewhere() {
    assert_eq!(Graph::default().explain(), "");
    let mut g = Graph::default();
    let mut last = add(&mut g, "l", 1, "0", &[]);
    for step in 1..5000 {
        last = add(&mut g, "l", 1, &step.to_string(), &[(last, Wiring::Every)]);
    }
    g.want_all(last);
    let text = g.explain();
    assert!(text.lines().count() < 300 && text.trim_end().ends_with("… and what that reads"), "{text}");
}
