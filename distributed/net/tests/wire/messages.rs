//! Every message there and back.
//!
//! It refuses to compare what has no equality by anything less than its fields or its bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use partita_core::protocol::{About, Assignment, Ending, Input, ToScheduler, ToWorker, WorkerId};
use partita_graph::{
    Arg, Chunk, Code, Failure, Kernel, Key, Layer, LayerId, OpRef, OperatorEntry, Origin, Plain, Progress, Registry, TaskContext, Wiring,
};
use partita_graph::{Edge, NamedOperator, Operator};
use partita_net::message::*;
use partita_net::wire::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Add(pub i64);

impl Operator for Add {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let arg: i64 = ctx.arg.map_or(Ok(0), Arg::decode)?;
        let sum: i64 = inputs.iter().filter_map(|chunk| chunk.get::<Plain<i64>>()).map(|plain| plain.0).sum();
        Ok(Chunk::new(Plain(sum + self.0 + arg)))
    }
}

impl NamedOperator for Add {
    const NAME: &'static str = "add";
}

pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[OperatorEntry::of::<Add>()]);
    registry
}

pub fn layer(len: u32) -> Layer {
    Layer::single("numbers", len, OpRef::new(Add(1), "add 1"), vec![]).origin(Some(Origin {
        file: "src/main.rs".into(),
        line: 7,
        column: 31,
        step: ".add(…)".into(),
    }))
}

pub fn with_args(len: u32) -> Layer {
    Layer::with_args("offsets", OpRef::new(Add(2), "add 2"), (0..i64::from(len)).map(|n| Arg::encode(&(n * 1000))).collect(), vec![])
}

fn key(layer: u64, index: u32) -> Key {
    Key::new(LayerId(layer), index)
}

pub fn failures() -> Vec<Failure> {
    let simple = Failure::new(Code::Panicked, "a task panicked: no");
    let rich = Failure::new(Code::Parse, "a cell is no integer")
        .detail("column", "dep_delay")
        .help("declare it as text")
        .advice(vec![1, 2, 3])
        .origin(Some(&Origin { file: "f.rs".into(), line: 1, column: 2, step: "s".into() }))
        .data(partita_graph::DataPlace { file: "a.csv".into(), byte: Some(9), row: None, column: Some("c".into()), cell: None })
        .task(partita_graph::TaskPlace {
            task: "t".into(),
            operator: "o".into(),
            attempt: 3,
            worker: Some("w".into()),
            inputs: vec![Key::new(LayerId(1), 2), Key::new(LayerId(3), 4)],
            input_count: 1 << 40,
        })
        .cause(simple.clone().cause(Failure::internal("deep")));
    vec![simple, rich]
}

pub fn said() -> Vec<WorkerToScheduler> {
    let finished = |layer, index, value: Option<&[u8]>, notes: &[&str]| ToScheduler::Finished {
        key: key(layer, index),
        attempt: 1,
        nbytes: 1 << 40,
        micros: 300,
        notes: notes.iter().map(|note| note.to_string()).collect(),
        value: value.map(Into::into),
    };
    let mut items = vec![
        finished(u64::MAX, 0, None, &[]),
        finished(u64::MAX, u32::MAX, Some(b"value"), &["a remark", ""]),
        finished(3, 4, Some(b""), &[]),
        ToScheduler::Started { key: key(3, 5), attempt: 2 },
        ToScheduler::Waits(key(3, 5), 2),
        ToScheduler::Resumes(key(3, 5), u32::MAX),
        ToScheduler::Told { key: key(3, 5), attempt: 2, done: 0, total: u64::MAX },
        ToScheduler::MissingInput { key: key(3, 5), attempt: 2, input: key(9, 1), asked: vec![WorkerId(1), WorkerId(u32::MAX)] },
        ToScheduler::WhoHas(key(9, 8)),
        ToScheduler::Replicated(key(9, 9)),
        ToScheduler::Memory { managed: 1, spilled: u64::MAX, spilled_total: 9, paused: true, rss: 7 },
        ToScheduler::Retracted(key(9, 9), 1),
        ToScheduler::Kept(key(9, 10), 1),
        ToScheduler::Ended(key(9, 10), 1),
        ToScheduler::AcquireFailed { key: key(9, 11), asked: vec![] },
        ToScheduler::Lost(key(9, 12)),
    ];
    items.extend(failures().into_iter().map(|failure| ToScheduler::Failed { key: key(1, 1), attempt: 1, failure }));
    vec![
        WorkerToScheduler::Machine(items),
        WorkerToScheduler::Machine(vec![]),
        WorkerToScheduler::Paths { query: 4, missing: vec!["/data/a.csv".into(), String::new()] },
        WorkerToScheduler::Retire,
        WorkerToScheduler::Left,
    ]
}

#[test]
fn a_list_is_cut_and_what_is_too_large_changes_nothing() {
    let large = Layer::with_args("large", OpRef::new(Add(0), "add"), vec![Arg::Bytes([7; 100].as_slice().into()); 5], vec![]);
    let large = Arc::new(large);
    let assign = |index| ToWorker::Assign(Assignment::new(Key::new(large.id, index), large.clone(), vec![]));
    let list: Vec<ToWorker> = (0..5).map(assign).collect();
    let (mut encoder, mut decoder) = (WorkerEncoder::default(), WorkerDecoder::new(registry()));
    let failure = encoder.encode_some(&list, 1 << 20, 500).unwrap_err();
    assert_eq!(failure.code, Code::TooLarge);
    assert_eq!(encoder.encode_some(&list[..1], 1, 100).unwrap_err().code, Code::TooLarge, "a single one is refused too");
    assert!(!encoder.knows(large.id), "nothing was sent");
    let (mut sent, mut keys, mut counts) = (0, Vec::new(), Vec::new());
    while sent < list.len() {
        let (bytes, count) = encoder.encode_some(&list[sent..], 400, 800).unwrap();
        assert!(bytes.len() < 600);
        let SchedulerToWorker::Machine(heard) = decoder.decode(&bytes).unwrap() else { panic!("another message") };
        assert_eq!(heard.len(), count);
        keys.extend(heard.iter().map(|message| match message {
            ToWorker::Assign(assignment) => assignment.key,
            other => panic!("{other:?}"),
        }));
        counts.push(count);
        sent += count;
    }
    assert_eq!(keys, (0..5).map(|index| Key::new(large.id, index)).collect::<Vec<_>>());
    assert!(counts.len() > 1 && counts[0] > 1, "{counts:?}");
}

#[test]
fn what_workers_say() {
    for message in said() {
        assert_eq!(decode_said(&encode_said(&message)).unwrap(), message);
    }
}

pub fn told() -> Vec<SchedulerToClient> {
    let worker = WorkerInfo {
        id: WorkerId(4),
        about: About { resources: BTreeMap::from([("gpu".into(), 500)]), ..About::plain("w", 2) },
        data: PeerAddress { host: "h".into(), port: 1 },
        pid: 9,
        nanny: true,
        connected: true,
        paused: false,
        retiring: false,
        assigned: 3,
        managed: 4,
        spilled: 5,
        rss: 6,
    };
    let located = Located {
        chunks: vec![(key(1, 2), 3, vec![WorkerId(4)])],
        peers: vec![(WorkerId(4), PeerAddress { host: "::1".into(), port: 65535 })],
    };
    let client = ClientInfo { id: 1, name: "c".into(), connected: true, runs: 2 };
    let info = ClusterInfo { cluster: "x".into(), workers: vec![worker], clients: vec![client], ..ClusterInfo::default() };
    let answers = [
        Answer::Done,
        Answer::Located(located.clone()),
        Answer::WhoHas(vec![(key(1, 2), vec!["w".into()])]),
        Answer::HasWhat(vec![("w".into(), vec![(key(1, 2), 3)])]),
        Answer::Nbytes(vec![(LayerId(1), "l".into(), 9)]),
        Answer::Info(info),
        Answer::Text(vec!["line".into()]),
        Answer::Names(vec![]),
        Answer::Dataset { meta: vec![1], graph: vec![2], located },
        Answer::Missing { missing: vec![("/p".into(), vec!["w".into()])], asked: 2 },
        Answer::Bytes(u64::MAX),
    ];
    let progress = Progress { layers: vec![("l".into(), 1, 2)], memory: 3, spilled: 4, running: 5 };
    let mut told = vec![
        SchedulerToClient::Done(1),
        SchedulerToClient::Keys(u64::MAX, KeyNews { values: vec![(key(5, 6), Bytes::from_static(b"value"))], ..KeyNews::default() }),
        SchedulerToClient::Note(1, "a remark".into()),
        SchedulerToClient::Progress(1, progress),
        SchedulerToClient::Closing("bye".into()),
    ];
    told.extend(failures().into_iter().map(|failure| SchedulerToClient::Failed(3, failure)));
    told.extend(failures().into_iter().map(|failure| SchedulerToClient::Answer { query: 4, answer: Err(failure) }));
    told.extend(answers.map(|answer| SchedulerToClient::Answer { query: 5, answer: Ok(answer) }));
    let [simple, rich]: [Failure; 2] = failures().try_into().expect("two of them");
    let news = KeyNews {
        values: vec![(key(5, 0), Bytes::from_static(b"")), (key(5, u32::MAX), Bytes::from_static(b"value")), (key(6, 1), Bytes::new())],
        done: vec![key(5, 0), key(5, 1), key(6, 70_000), key(5, 2)],
        failed: vec![(vec![key(5, 2), key(7, 0)], simple), (vec![key(5, 3)], rich)],
    };
    told.push(SchedulerToClient::Keys(3, news));
    told
}

#[test]
fn what_clients_are_told() {
    for message in told() {
        assert_eq!(decode_told(encode_told(&message)).unwrap(), [message]);
    }
}

#[test]
fn what_clients_are_told_in_one_message_and_in_several() {
    let told = told();
    let (bytes, count) = encode_told_some(&told, usize::MAX);
    assert_eq!((count, decode_told(bytes).unwrap()), (told.len(), told.clone()));
    let (mut rest, mut heard, mut messages) = (&told[..], Vec::new(), 0);
    while !rest.is_empty() {
        let (bytes, count) = encode_told_some(rest, 60);
        heard.extend(decode_told(bytes).unwrap());
        rest = &rest[count..];
        messages += 1;
    }
    assert_eq!(heard, told);
    assert!(messages > 2 && messages < told.len(), "{messages} messages");
    assert!(decode_told(Bytes::new()).is_err());
}

#[test]
fn ends_of_keys_take_few_bytes() {
    let done: Vec<Key> = (500_000..600_000).map(|index| key(1, index)).collect();
    let ends = SchedulerToClient::Keys(1, KeyNews { done: done.clone(), ..KeyNews::default() });
    assert!(encode_told(&ends).len() <= 3 * 100_000 + 20);
    let forget = ClientToScheduler::Forget { run: 1, keys: done };
    assert!(encode_asked(&forget).unwrap().len() <= 3 * 100_000 + 20);
}

pub fn questions() -> Vec<Question> {
    vec![
        Question::Locate { run: 1 },
        Question::WhoHas(vec![key(1, 2)]),
        Question::HasWhat(Some("w".into())),
        Question::Nbytes,
        Question::Info,
        Question::Story(key(1, 2)),
        Question::ExplainWait(key(1, 2)),
        Question::Retire { names: vec!["w".into()], within: 7 },
        Question::Restart,
        Question::Rebalance,
        Question::Replicate { run: 1, copies: 2 },
        Question::Publish { name: "n".into(), run: 1, meta: vec![1, 2] },
        Question::Unpublish("n".into()),
        Question::Datasets,
        Question::Dataset("n".into()),
        Question::CheckPaths(vec!["/p".into()]),
        Question::Shutdown,
        Question::LocateKeys(vec![key(1, 2), key(1, 3)]),
        Question::SpilledTotal,
        Question::Share { name: "n".into(), body: Sealed(vec![3]) },
    ]
}

#[test]
fn what_clients_ask() {
    for (query, what) in questions().into_iter().enumerate() {
        let message = ClientToScheduler::Ask { query: query as u64, what };
        let back = decode_asked(&encode_asked(&message).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{message:?}"));
    }
    for message in asked() {
        let back = decode_asked(&encode_asked(&message).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{message:?}"));
    }
}

/// What clients say beside questions and graphs.
pub fn asked() -> Vec<ClientToScheduler> {
    vec![
        ClientToScheduler::Cancel(7),
        ClientToScheduler::Release(u64::MAX),
        ClientToScheduler::Goodbye,
        ClientToScheduler::Forget { run: 4, keys: vec![key(1, 2), key(1, 3), key(2, u32::MAX), key(1, 0)] },
        ClientToScheduler::Forget { run: 4, keys: vec![] },
    ]
}

#[test]
fn how_the_keys_of_a_graph_end_travels_with_it() {
    for ending in [Ending::Together, Ending::Each] {
        let mut graph = partita_graph::Graph::default();
        let id = graph.add(layer(3));
        graph.want_all(id);
        let bytes = encode_asked(&ClientToScheduler::Submit { run: 300, graph, ending }).unwrap();
        assert_eq!(submitted_run(&bytes), Some(300));
        let ClientToScheduler::Submit { run: 300, graph, ending: back } = decode_asked(&bytes).unwrap() else { panic!("another message") };
        assert_eq!((back, graph.wanted.len()), (ending, 3));
    }
}

pub fn nannies() -> (Vec<NannyToScheduler>, Vec<SchedulerToNanny>) {
    let died = NannyToScheduler::Died { incarnation: u128::MAX, why: "signal 9".into(), executing: Some(vec![(key(1, 2), 3)]) };
    let said = vec![died, NannyToScheduler::GivenUp { why: "5 deaths in a minute".into() }];
    (said, vec![SchedulerToNanny::Restart { incarnation: 5 }, SchedulerToNanny::Close { reason: "bye".into() }])
}

#[test]
fn what_nannies_say_and_hear() {
    let (said, heard) = nannies();
    for message in said {
        assert_eq!(decode_nanny(&encode_nanny(&message)).unwrap(), message);
    }
    for message in heard {
        assert_eq!(decode_to_nanny(&encode_to_nanny(&message)).unwrap(), message);
    }
}

fn input(layer: u64, index: u32, part: Option<u32>, holders: &[u32]) -> Input {
    Input { key: key(layer, index), part, nbytes: 1000 + u64::from(index), holders: holders.iter().map(|id| WorkerId(*id)).collect() }
}

/// A layer that reads two others.
pub fn sum(len: u32) -> Layer {
    let edges = [11, 12].map(|id| Edge { layer: LayerId(id), wiring: Wiring::Every });
    Layer::single("sum", len, OpRef::new(Add(0), "sum"), edges.into())
}

pub fn to_worker() -> Vec<SchedulerToWorker> {
    let (numbers, offsets, sum) = (Arc::new(layer(10)), Arc::new(with_args(5)), Arc::new(sum(4)));
    let inputs = vec![
        vec![input(11, 0, None, &[1]), input(11, 1, None, &[]), input(11, 7, None, &[2, 3]), input(11, 3, None, &[])],
        vec![input(12, 0, Some(2), &[1]), input(13, 1, None, &[4])],
    ];
    let assign = |layer: &Arc<Layer>, index, inputs| Assignment::new(Key::new(layer.id, index), layer.clone(), inputs);
    let wishes = Assignment { attempt: 3, priority: u64::MAX, expected: 5, inline: true, timeout: Some(9), ..assign(&numbers, 9, vec![]) };
    let peers = vec![(WorkerId(1), PeerAddress { host: "10.0.0.1".into(), port: 4000 })];
    let free = (0..4).map(|index| Key::new(numbers.id, index)).chain([key(77, 1)]).collect();
    vec![
        SchedulerToWorker::Peers(peers),
        SchedulerToWorker::Machine(vec![
            ToWorker::Assign(assign(&numbers, 0, vec![])),
            ToWorker::Assign(wishes),
            ToWorker::Assign(assign(&offsets, 4, vec![])),
            ToWorker::Assign(assign(&sum, 3, inputs)),
            ToWorker::Free(free),
            ToWorker::Abandon(key(78, 1), 2),
            ToWorker::Retract(Key::new(sum.id, 1), 1),
            ToWorker::Acquire { key: key(79, 3), nbytes: 8, holders: vec![WorkerId(1), WorkerId(2)] },
            ToWorker::PeerGone(WorkerId(1)),
            ToWorker::Holders { key: key(79, 4), holders: vec![WorkerId(2), WorkerId(u32::MAX)] },
        ]),
        SchedulerToWorker::ForgetLayers(vec![numbers.id, LayerId(79)]),
        // Known again, under a number that was given back.
        SchedulerToWorker::Machine(vec![ToWorker::Assign(assign(&numbers, 1, vec![])), ToWorker::Assign(assign(&offsets, 0, vec![]))]),
        SchedulerToWorker::CheckPaths { query: 1, paths: vec!["/a".into()] },
        SchedulerToWorker::Shared { name: "n".into(), body: Sealed(vec![1, 2]) },
        SchedulerToWorker::Close { reason: "bye".into(), restart: true },
    ]
}

#[test]
fn what_workers_are_told() {
    let (mut encoder, mut decoder) = (WorkerEncoder::default(), WorkerDecoder::new(registry()));
    for message in to_worker() {
        let back = decoder.decode(&encoder.encode(&message).unwrap()).unwrap();
        let (SchedulerToWorker::Machine(sent), SchedulerToWorker::Machine(heard)) = (&message, &back) else {
            assert_eq!(format!("{back:?}"), format!("{message:?}"));
            continue;
        };
        assert_eq!(sent.len(), heard.len());
        for (sent, heard) in sent.iter().zip(heard) {
            let (ToWorker::Assign(sent), ToWorker::Assign(heard)) = (sent, heard) else {
                assert_eq!(format!("{heard:?}"), format!("{sent:?}"));
                continue;
            };
            let plain = |a: &Assignment| format!("{:?}", (a.key, a.attempt, &a.inputs, a.priority, a.expected, a.inline, a.timeout));
            assert_eq!(plain(heard), plain(sent));
            let shown = |l: &Layer| format!("{:?}", (l.id, &l.name, l.len, &l.origin, &l.annotations, l.edges.len(), &l.kernel));
            assert_eq!(shown(&heard.layer), shown(&sent.layer));
            assert_eq!(heard.layer.kernel.steps[0].op.payload.body, sent.layer.kernel.steps[0].op.payload.body);
            assert!(heard.layer.kernel.steps[0].op.operator.is_some(), "decoded once, here");
        }
    }
}

#[test]
fn a_worker_gets_the_arguments_of_its_own_tasks_and_runs_them() {
    let (mut encoder, mut decoder) = (WorkerEncoder::default(), WorkerDecoder::new(registry()));
    let layer = Arc::new(with_args(100_000));
    let mut sizes = Vec::new();
    for index in [0, 1, 99_999] {
        let assign = ToWorker::Assign(Assignment::new(Key::new(layer.id, index), layer.clone(), vec![]));
        let bytes = encoder.encode(&SchedulerToWorker::Machine(vec![assign])).unwrap();
        sizes.push(bytes.len());
        let Ok(SchedulerToWorker::Machine(heard)) = decoder.decode(&bytes) else { panic!("no message for the machine") };
        let ToWorker::Assign(Assignment { layer, key, .. }) = &heard[0] else { panic!("no assignment") };
        let outcome = partita_graph::run_task(layer, *key, 1, &[], &std::sync::atomic::AtomicBool::new(false), &registry());
        let expected = 2 + i64::from(index) * 1000;
        assert_eq!(outcome.result.unwrap().get::<Plain<i64>>().unwrap().0, expected);
    }
    assert!(sizes[0] < 150 && sizes[1] < 30 && sizes[2] < 30, "{sizes:?}");
}

#[test]
fn chunks_in_arguments_arrive_at_the_worker_and_pass_the_scheduler_unopened() {
    let arg = Arg::Chunk { token: 4, chunk: Chunk::new(Plain(41i64)) };
    let layer = Layer::with_args("chunks", OpRef::new(Add(0), "add"), vec![arg], vec![]);
    let mut graph = partita_graph::Graph::default();
    graph.add(layer);
    let at_scheduler = decode_graph(&encode_graph(&graph).unwrap()).unwrap();
    let Arg::Chunk { token: 4, chunk } = &at_scheduler.layers[0].args[0][0] else { panic!("no chunk") };
    assert_eq!(chunk.get::<Opaque>().unwrap().of_kind(), "i64");
    let layer = at_scheduler.layers[0].clone();
    let assign = ToWorker::Assign(Assignment::new(Key::new(layer.id, 0), layer, vec![]));
    let bytes = WorkerEncoder::default().encode(&SchedulerToWorker::Machine(vec![assign])).unwrap();
    let heard = WorkerDecoder::new(registry()).decode(&bytes).unwrap();
    let SchedulerToWorker::Machine(items) = heard else { panic!("no message for the machine") };
    let ToWorker::Assign(Assignment { layer, .. }) = &items[0] else { panic!("no assignment") };
    let Arg::Chunk { token: 4, chunk } = &layer.args[0][0] else { panic!("no chunk") };
    assert_eq!(chunk.get::<Plain<i64>>().unwrap().0, 41);
}

#[test]
fn a_message_that_fails_leaves_no_trace() {
    let good = |layer: &Arc<Layer>, index| ToWorker::Assign(Assignment::new(Key::new(layer.id, index), layer.clone(), vec![]));
    let (mut encoder, mut decoder) = (WorkerEncoder::default(), WorkerDecoder::new(registry()));
    let (numbers, offsets) = (Arc::new(layer(10)), Arc::new(with_args(5)));
    let arg = Arg::Chunk { token: 1, chunk: Chunk::new(partita_graph::Parts(vec![])) };
    let bad = Arc::new(Layer::with_args("bad", OpRef::new(Add(0), "add"), vec![arg], vec![]));
    let named = ToWorker::Acquire { key: Key::new(offsets.id, 1), nbytes: 8, holders: vec![] };
    let first = encoder.encode(&SchedulerToWorker::Machine(vec![good(&numbers, 0), named])).unwrap();
    decoder.decode(&first).unwrap();
    decoder.decode(&encoder.encode(&SchedulerToWorker::ForgetLayers(vec![numbers.id])).unwrap()).unwrap();
    let batch = SchedulerToWorker::Machine(vec![good(&numbers, 0), good(&offsets, 1), ToWorker::Free(vec![key(5, 5)]), good(&bad, 0)]);
    assert_eq!(encoder.encode(&batch).unwrap_err().code, Code::NotEncodable);
    for (layer, index) in [(&offsets, 2), (&numbers, 3), (&Arc::new(sum(1)), 0)] {
        let inputs = if layer.edges.is_empty() { vec![] } else { vec![vec![], vec![]] };
        let assignment = Assignment::new(Key::new(layer.id, index), layer.clone(), inputs);
        let bytes = encoder.encode(&SchedulerToWorker::Machine(vec![ToWorker::Assign(assignment)])).unwrap();
        let SchedulerToWorker::Machine(heard) = decoder.decode(&bytes).unwrap() else { panic!("no message for the machine") };
        assert!(matches!(&heard[0], ToWorker::Assign(heard) if heard.key == Key::new(layer.id, index) && heard.layer.name == layer.name));
    }
}

#[test]
fn values_there_and_back() {
    let bytes = encode_value(&Chunk::new(Plain(vec![1u8, 2, 3]))).unwrap();
    assert_eq!(decode_value(&bytes, &registry()).unwrap().get::<Plain<Vec<u8>>>().unwrap().0, [1, 2, 3]);
    let parts = Chunk::new(partita_graph::Parts(vec![]));
    assert_eq!(encode_value(&parts).unwrap_err().code, Code::NotEncodable);
}

#[test]
fn an_assignment_and_an_answer_take_few_bytes() {
    let layer = Arc::new(layer(1_000_000));
    let mut encoder = WorkerEncoder::default();
    let batch = |from: u32| {
        let assign =
            |index| ToWorker::Assign(Assignment { priority: 900_000, ..Assignment::new(Key::new(layer.id, index), layer.clone(), vec![]) });
        SchedulerToWorker::Machine((from..from + 1000).map(assign).collect())
    };
    encoder.encode(&batch(0)).unwrap();
    let assigned = encoder.encode(&batch(500_000)).unwrap().len();
    assert!(assigned <= 12 * 1000, "{assigned} bytes for a thousand assignments");
    let finished = |index| ToScheduler::Finished { key: key(1, index), attempt: 1, nbytes: 8, micros: 40, notes: vec![], value: None };
    let finished = encode_said(&WorkerToScheduler::Machine((500_000..501_000).map(finished).collect())).len();
    assert!(finished <= 8 * 1000, "{finished} bytes for a thousand answers");
}

#[test]
fn a_layer_is_known_until_it_is_forgotten() {
    let mut encoder = WorkerEncoder::default();
    let layer = Arc::new(layer(3));
    let assign = || SchedulerToWorker::Machine(vec![ToWorker::Assign(Assignment::new(Key::new(layer.id, 0), layer.clone(), vec![]))]);
    assert!(!encoder.knows(layer.id));
    let (first, second) = (encoder.encode(&assign()).unwrap().len(), encoder.encode(&assign()).unwrap().len());
    assert!(encoder.knows(layer.id) && second < first);
    encoder.encode(&SchedulerToWorker::ForgetLayers(vec![layer.id])).unwrap();
    assert!(!encoder.knows(layer.id));
    assert_eq!(encoder.encode(&assign()).unwrap().len(), first);
}

#[test]
fn unknown_operators_fail_their_task_and_no_message() {
    let layer = Arc::new(Layer::new("x", 1, Kernel::single(OpRef::new(Add(1), "add"), 0), vec![], vec![]));
    let assign = ToWorker::Assign(Assignment::new(Key::new(layer.id, 0), layer, vec![]));
    let bytes = WorkerEncoder::default().encode(&SchedulerToWorker::Machine(vec![assign])).unwrap();
    let heard = WorkerDecoder::new(Registry::default()).decode(&bytes).unwrap();
    let SchedulerToWorker::Machine(items) = heard else { panic!("no message for the machine") };
    let ToWorker::Assign(Assignment { layer, key, .. }) = &items[0] else { panic!("no assignment") };
    let outcome = partita_graph::run_task(layer, *key, 1, &[], &std::sync::atomic::AtomicBool::new(false), &Registry::default());
    assert_eq!(outcome.result.unwrap_err().code, Code::UnknownOperator);
}

proptest! {
    #[test]
    fn numbers_of_any_size(values in proptest::collection::vec(any::<u64>().prop_flat_map(|v| (0u32..64).prop_map(move |s| v >> s)), 0..50)) {
        let mut out = Writer::default();
        for value in &values {
            out.number(*value);
            out.signed(*value as i64);
            out.fixed(*value);
        }
        let bytes = out.finish();
        let mut reader = Reader::new(&bytes);
        for value in &values {
            prop_assert_eq!(reader.number().unwrap(), *value);
            prop_assert_eq!(reader.signed().unwrap(), *value as i64);
            prop_assert_eq!(reader.fixed().unwrap(), *value);
        }
        reader.end().unwrap();
    }
}
