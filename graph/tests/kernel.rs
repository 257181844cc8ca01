//! Kernels, ids of layers and the registry: the small promises that everything above relies on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use partita_graph::{
    Arg, Chunk, Code, Edge, Encoded, Failure, Kernel, Key, Layer, LayerId, NamedOperator, OpRef, Operator, OperatorEntry, Payload, Plain,
    Registry, Source, Step, TaskContext, Value, Wiring, run_task,
};
use serde::{Deserialize, Serialize};

fn number(n: i64) -> Chunk {
    Chunk::new(Plain(n))
}

fn value(chunk: &Chunk) -> i64 {
    chunk.get::<Plain<i64>>().unwrap().0
}

fn run(layer: &Layer, inputs: &[Vec<Chunk>]) -> Result<Chunk, Failure> {
    run_task(layer, Key::new(layer.id, 0), 1, inputs, &AtomicBool::new(false), &Registry::default()).result
}

/// Writes its inputs as digits: lost, doubled or swapped ones show.
fn digits() -> OpRef {
    OpRef::closure("digits", 1, |_, inputs| Ok(number(inputs.iter().fold(0, |sum, chunk| sum * 10 + value(chunk)))))
}

#[test]
fn a_step_may_read_one_result_twice_and_a_later_step_again() {
    let step = |inputs: &[Source]| Step { op: digits(), inputs: inputs.into(), arg: None };
    let steps = vec![
        step(&[Source::Edge(0)]),
        step(&[Source::Step(0), Source::Step(0), Source::Edge(1)]),
        step(&[Source::Step(1), Source::Step(0), Source::Step(1)]),
    ];
    let edges = vec![Edge { layer: LayerId(1), wiring: Wiring::Every }, Edge { layer: LayerId(2), wiring: Wiring::Each }];
    let layer = Layer::new("layer", 1, Kernel { steps }, vec![], edges);
    // Step 0 gives 12, step 1 gives 12 12 3 = 1323, step 2 gives 1323 12 1323.
    let result = run(&layer, &[vec![number(1), number(2)], vec![number(3)]]).unwrap();
    assert_eq!(value(&result), (1323 * 10 + 12) * 10 + 1323);
}

/// Counts how many of its kind are alive.
struct Counted(Arc<AtomicU64>);

impl Value for Counted {
    fn kind(&self) -> &'static str {
        "counted"
    }

    fn nbytes(&self) -> u64 {
        0
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Err(Failure::internal("it is not sent"))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_chain_holds_two_chunks_at_most() {
    let alive = Arc::new(AtomicU64::new(0));
    let most = Arc::new(Mutex::new(0));
    let step = |at: u16| {
        let (alive, most) = (alive.clone(), most.clone());
        let op = OpRef::closure("step", 1, move |_, _| {
            let now = alive.fetch_add(1, Ordering::Relaxed) + 1;
            let mut most = most.lock().unwrap();
            *most = now.max(*most);
            Ok(Chunk::new(Counted(alive.clone())))
        });
        let inputs = if at == 0 { vec![] } else { vec![Source::Step(at - 1)] };
        Step { op, inputs, arg: None }
    };
    let layer = Layer::new("chain", 1, Kernel { steps: (0..20).map(step).collect() }, vec![], vec![]);
    let result = run(&layer, &[]).unwrap();
    assert_eq!((*most.lock().unwrap(), alive.load(Ordering::Relaxed)), (2, 1));
    drop(result);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn the_same_work_has_the_same_id_and_other_work_another() {
    let edge = |id, wiring| vec![Edge { layer: LayerId(id), wiring }];
    let op = |name: &str, body: &[u8]| OpRef { payload: Payload { name: name.into(), body: body.into() }, ..digits() };
    let bytes = |text: &[u8]| Arg::Bytes(text.into());
    let layers = [
        Layer::single("a", 3, op("ab", b"c"), vec![]),
        Layer::single("a", 4, op("ab", b"c"), vec![]),
        Layer::single("a", 3, op("a", b"bc"), vec![]),
        Layer::single("a", 3, op("ab", b"c"), edge(1, Wiring::Each)),
        Layer::single("a", 3, op("ab", b"c"), edge(2, Wiring::Each)),
        Layer::single("a", 3, op("ab", b"c"), edge(1, Wiring::Every)),
        Layer::with_args("a", op("ab", b"c"), vec![bytes(b"x"), bytes(b"yz"), bytes(b"")], vec![]),
        Layer::with_args("a", op("ab", b"c"), vec![bytes(b"xy"), bytes(b"z"), bytes(b"")], vec![]),
        Layer::with_args("a", op("ab", b"c"), vec![Arg::Chunk { token: 1, chunk: number(1) }], vec![]),
        Layer::with_args("a", op("ab", b"c"), vec![Arg::Chunk { token: 2, chunk: number(1) }], vec![]),
    ];
    for (at, layer) in layers.iter().enumerate() {
        assert!(layers[..at].iter().all(|other| other.id != layer.id), "layer {at} has another's id");
    }
    assert_eq!(Layer::single("another name", 3, op("ab", b"c"), vec![]).id, layers[0].id);
    // An argument column beyond 255 is not the same as none.
    let with_column = |arg| {
        let step = Step { op: digits(), inputs: vec![], arg };
        Layer::new("a", 0, Kernel { steps: vec![step] }, vec![Arc::from([]); 300], vec![]).id
    };
    assert_ne!(with_column(Some(255)), with_column(None));
    assert_ne!(with_column(Some(256)), with_column(Some(0)));
}

#[test]
#[should_panic(expected = "at most 65,535 layers")]
fn too_many_edges_are_refused_and_not_cut_off() {
    let edges = (0..65_536).map(|id| Edge { layer: LayerId(id), wiring: Wiring::Each }).collect();
    Layer::single("wide", 1, digits(), edges);
}

#[derive(Serialize, Deserialize)]
struct Plus(i64);

impl Operator for Plus {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(number(self.0 + value(&inputs[0])))
    }
}

impl NamedOperator for Plus {
    const NAME: &'static str = "test.plus";
}

/// Has taken a name that is taken.
#[derive(Serialize, Deserialize)]
struct Thief;

impl Operator for Thief {
    fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(number(0))
    }
}

impl NamedOperator for Thief {
    const NAME: &'static str = "test.plus";
}

#[test]
fn a_registered_operator_runs_from_its_payload() {
    let mut registry = Registry::default();
    registry.add_operators(&[OperatorEntry::of::<Plus>()]);
    registry.add_operators(&[OperatorEntry::of::<Plus>()]);
    assert_eq!(registry.operator_names().collect::<Vec<_>>(), ["test.plus"]);
    let mut op = OpRef::new(Plus(40), "plus 40");
    op.operator = None;
    let layer = Layer::single("plus", 1, op.clone(), vec![Edge { layer: LayerId(1), wiring: Wiring::Each }]);
    let run =
        |registry: &Registry| run_task(&layer, Key::new(layer.id, 0), 1, &[vec![number(2)]], &AtomicBool::new(false), registry).result;
    assert_eq!(value(&run(&registry).unwrap()), 42);
    assert_eq!(run(&Registry::default()).unwrap_err().code, Code::UnknownOperator);
    op.payload.body = [].into();
    assert!(registry.resolve(&op).is_err_and(|failure| failure.what.contains("`test.plus` does not decode")));
}

#[test]
#[should_panic(expected = "two operators are called `test.plus`")]
fn two_operators_of_one_name_are_refused() {
    Registry::default().add_operators(&[OperatorEntry::of::<Plus>(), OperatorEntry::of::<Thief>()]);
}

#[test]
fn plain_values_come_back_from_their_bytes() {
    let registry = Registry::default();
    let back = |chunk: &Chunk| registry.decode_value(chunk.0.kind(), chunk.0.encode().unwrap()).unwrap();
    assert_eq!(value(&back(&number(-7))), -7);
    let bytes = back(&Chunk::new(Plain(vec![1u8, 2, 3])));
    assert_eq!(bytes.get::<Plain<Vec<u8>>>().unwrap().0, [1, 2, 3]);
    assert!(registry.decode_value("nothing", Encoded::of(vec![])).is_err());
    assert!(registry.decode_value("i64", Encoded::of(vec![1])).is_err());
    assert!(registry.decode_value("i64", Encoded { header: vec![], buffers: vec![] }).is_err());
}
