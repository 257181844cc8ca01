//! Pictures: every format shows every box, and no name of an operator can break out of its place.

use std::path::PathBuf;

use partita_graph::{Code, Edge, Graph, Layer, LayerId, OpRef, Wiring, optimize};

fn op(label: &str) -> OpRef {
    let mut op = OpRef::closure("op", 0, |_, inputs| Ok(inputs[0].clone()));
    op.label = label.into();
    op.payload.body = label.as_bytes().into();
    op
}

fn add(graph: &mut Graph, name: &str, len: u32, label: &str, reads: &[(LayerId, Wiring)]) -> LayerId {
    let edges = reads.iter().map(|(layer, wiring)| Edge { layer: *layer, wiring: wiring.clone() }).collect();
    graph.add(Layer::single(name, len, op(label), edges))
}

/// A join of two reads, a shuffle, a broadcast, a tree and a shared layer.
fn large() -> Graph {
    let mut g = Graph::default();
    let flights = add(&mut g, "read_csv", 320, "read_csv flights/*.csv, 48 files, 3 of 9 columns", &[]);
    let late = add(&mut g, "filter", 320, "filter dep_delay > 15 & carrier != \"AA\"", &[(flights, Wiring::Each)]);
    let planes = add(&mut g, "read_parquet", 12, "read_parquet planes.parquet, 2 of 9 columns", &[]);
    let left = add(&mut g, "split", 320, "split by hash(tail) into 64", &[(late, Wiring::Each)]);
    let right = add(&mut g, "split_planes", 12, "split by hash(tail) into 64", &[(planes, Wiring::Each)]);
    let join = add(&mut g, "join", 64, "join on tail", &[(left, Wiring::Part), (right, Wiring::Part)]);
    let partial = add(&mut g, "partial", 64, "partial mean(dep_delay) by model", &[(join, Wiring::Each)]);
    let combine = add(&mut g, "combine", 8, "combine mean(dep_delay)", &[(partial, Wiring::Group(8))]);
    let count = add(&mut g, "count", 1, "count rows", &[(join, Wiring::Every), (planes, Wiring::Every)]);
    let finish = add(&mut g, "finish", 1, "finish mean(dep_delay) by model", &[(combine, Wiring::Every)]);
    g.want_all(finish);
    g.want_all(count);
    g
}

/// Two arrays of nine blocks, their product, and a tree of sums.
fn small() -> Graph {
    let mut g = Graph::default();
    let x = add(&mut g, "random", 9, "random(3000, 3000)", &[]);
    let y = add(&mut g, "ones", 9, "ones(3000, 3000)", &[]);
    let sum = add(&mut g, "add", 9, "x + y", &[(x, Wiring::Each), (y, Wiring::Each)]);
    let part = add(&mut g, "sum_chunk", 9, "sum", &[(sum, Wiring::Each)]);
    let tree = add(&mut g, "sum_combine", 3, "sum", &[(part, Wiring::Group(3))]);
    let end = add(&mut g, "sum", 1, "sum", &[(tree, Wiring::Every)]);
    let max = add(&mut g, "max", 1, "max", &[(x, Wiring::Every)]);
    g.want_all(end);
    g.want_all(max);
    g
}

fn draw(graph: &Graph, name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    graph.visualize(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_format_shows_every_layer_of_a_large_graph() {
    let graph = optimize::optimize(&large());
    for file in ["large.svg", "large.html", "large.dot", "large.mmd"] {
        let text = draw(&graph, file);
        for name in ["read_parquet", "join", "combine", "count"] {
            assert!(text.contains(name), "{file} lacks {name}");
        }
        assert!(text.contains("64 tasks"), "{file}");
        assert!(text.contains("group of 8"), "{file}");
    }
    assert!(draw(&large(), "large-raw.svg").contains("320 tasks"));
}

#[test]
fn a_small_graph_is_drawn_task_by_task() {
    let text = draw(&small(), "small.svg");
    // 9 + 9 + 9 + 9 + 3 + 1 + 1 tasks, and 18 + 9 + 9 + 3 + 9 links.
    assert_eq!(text.matches("class=\"box\"").count(), 41);
    assert_eq!(text.matches("class=\"link\"").count(), 48);
    assert_eq!(draw(&small(), "small.dot").matches(" -> ").count(), 48);
    assert_eq!(draw(&small(), "small.mmd").matches(" --> ").count(), 48);
}

#[test]
fn only_needed_tasks_are_drawn() {
    let mut graph = Graph::default();
    let numbers = add(&mut graph, "numbers", 50, "numbers", &[]);
    let next = add(&mut graph, "next", 50, "next", &[(numbers, Wiring::Each)]);
    graph.want_all(next);
    graph.wanted.truncate(1);
    assert_eq!(draw(&graph, "needed.svg").matches("class=\"box\"").count(), 2);
}

#[test]
fn names_cannot_break_out() {
    let nasty = "a\"b<script>alert('x')</script>&amp;\\n]]>`#{};|\u{1}\u{7f}";
    let mut graph = Graph::default();
    let first = add(&mut graph, nasty, 300, nasty, &[]);
    let end = add(&mut graph, "end", 1, &format!("{nasty}\n{nasty}"), &[(first, Wiring::Every)]);
    graph.want_all(end);
    let svg = draw(&graph, "nasty.svg");
    assert!(!svg.contains("<script") && !svg.contains('\u{1}'));
    assert!(svg.contains("a&quot;b&lt;script&gt;"));
    assert!(!draw(&graph, "nasty.html").contains("<script"));
    let dot = draw(&graph, "nasty.dot");
    assert!(dot.contains("a\\\"b<script>") && dot.contains("&amp;amp;\\\\n"));
    // Every quote that is not escaped opens or closes a string, so each line has an even number of them.
    for line in dot.lines() {
        let bare = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(bare.matches('"').count() % 2, 0, "{line}");
    }
    let mermaid = draw(&graph, "nasty.mmd");
    assert!(mermaid.contains("a#34;b#60;script#62;"));
    for line in mermaid.lines().filter(|line| line.contains(":::")) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
}

#[test]
fn an_unknown_extension_names_the_four() {
    for path in ["plan.bmp", "plan", ".svg"] {
        let failure = small().visualize(path).unwrap_err();
        assert_eq!(failure.code, Code::InvalidOption);
        assert!([".svg", ".html", ".dot", ".mmd"].iter().all(|e| failure.to_string().contains(e)), "{failure}");
    }
    let failure = small().visualize("/no/such/folder/plan.SVG").unwrap_err();
    assert_eq!(failure.code, Code::Unreadable);
}

#[test]
fn graphs_without_layers_or_with_very_many_are_drawn() {
    assert!(draw(&Graph::default(), "empty.svg").contains("</svg>"));
    let mut graph = Graph::default();
    let root = add(&mut graph, "root", 300, "root", &[]);
    let mut last = root;
    for step in 0..600 {
        last = add(&mut graph, "step", 1, &format!("step {step}"), &[(last, Wiring::Every), (root, Wiring::Every)]);
    }
    graph.want_all(last);
    assert_eq!(draw(&graph, "many.svg").matches("class=\"box\"").count(), 601);
}
