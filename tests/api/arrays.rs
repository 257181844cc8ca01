//! The one check that all cases of arrays go through, and what their tests make arrays of.

use partita::graph::{Executor, Failure};
use partita::ndarray::{ArrayD, IxDyn};
use partita::{Code, DArray, Element};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};

use super::check::executors;

/// The executor in other processes, which closures do not reach.
const CLUSTER: &str = "Cluster(2)";

/// What may be skipped there, and why: these take closures. Whatever else is refused there is a fault.
const TAKE_CLOSURES: &[&str] = &[
    "apply_along_axis",
    "apply_gufunc",
    "apply_gufunc_several",
    "apply_gufunc_with",
    "blockwise",
    "blockwise_with",
    "from_fn",
    "map_blocks",
    "map_blocks_to",
    "map_overlap",
    "mapv",
    "reduction",
];

/// Fails unless the step that was refused because of a closure is one that the test gave a closure to: its own line says so.
fn assert_given_a_closure(failure: &Failure) {
    let origin = failure.origin.as_ref().unwrap_or_else(|| panic!("a step of nobody's is a closure: {failure}"));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(&*origin.file)).unwrap_or_else(|e| panic!("{}: {e}", origin.file));
    let line = text.lines().nth(origin.line as usize - 1).unwrap_or_default();
    let written: String = line.chars().skip(origin.column as usize - 1).take_while(|c| *c != '(').collect();
    // A path or a method, perhaps with its types: `DArray::<f64>::from_fn`, `map_blocks_to::<f64, _>`.
    let mut depth = 0;
    let path: String = written
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '<') - i32::from(*c == '>');
            depth == 0 && !['<', '>', '.'].contains(c)
        })
        .collect();
    let name = path.trim_end_matches("::").rsplit("::").next().unwrap_or_default();
    assert!(TAKE_CLOSURES.contains(&name), "`{name}` takes no closure, and does not run on a cluster: {failure}");
}

/// Every element as text that tells bits apart: -0.0 from 0.0, and NaN equals itself.
pub fn bits<T: Element>(array: &ArrayD<T>) -> (Vec<usize>, Vec<String>) {
    (array.shape().to_vec(), array.iter().map(|element| format!("{element:?}")).collect())
}

/// What an array gives on an executor; `None` where a closure would have to be sent.
fn found<T: Element>(array: &DArray<T>, name: &str, executor: &dyn Executor) -> Option<Result<ArrayD<T>, Failure>> {
    match array.compute_on(executor) {
        Err(failure) if name == CLUSTER && failure.code == Code::ClosureOnCluster => {
            assert_given_a_closure(&failure);
            None
        }
        other => Some(other),
    }
}

/// Computes on every executor. All give the bits of the first, which `right` judges.
#[track_caller]
pub fn check_by<T: Element>(array: &DArray<T>, right: impl Fn(&ArrayD<T>) -> bool, expected: &str) {
    let mut oracle = None;
    for (name, executor) in executors() {
        let Some(outcome) = found(array, &name, &*executor) else { continue };
        let outcome = outcome.unwrap_or_else(|failure| panic!("{name}: {failure}\n{}", array.explain()));
        let announced = array.shape();
        assert!(announced.is_err() || announced.as_deref().ok() == Some(outcome.shape()), "{name}: another shape than announced");
        let oracle = oracle.get_or_insert_with(|| bits(&outcome));
        assert!(bits(&outcome) == *oracle, "{name}: not the bits of Serial\n{outcome}");
        assert!(right(&outcome), "{name}: found\n{outcome}\nexpected\n{expected}\n{}", array.explain());
    }
}

/// Computes on every executor and expects these elements, bit by bit.
#[track_caller]
pub fn check<T: Element, D: partita::ndarray::Dimension>(array: &DArray<T>, expected: partita::ndarray::Array<T, D>) {
    let expected = expected.into_dyn();
    check_by(array, |found| bits(found) == bits(&expected), &format!("{expected}"));
}

/// Computes on every executor and expects the same failure of this code everywhere; returns its text.
#[track_caller]
pub fn failure<T: Element>(array: &DArray<T>, code: Code) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (name, executor) in executors() {
        match found(array, &name, &*executor) {
            None => {}
            Some(Ok(array)) => panic!("{name}: expected {code}, got\n{array}"),
            Some(Err(failure)) => {
                assert_eq!(failure.code, code, "{name}: {failure}");
                texts.push(failure.to_string());
            }
        }
    }
    texts.swap_remove(0)
}

/// Numbers from 0 on, in row-major order.
pub fn counted(shape: &[usize]) -> ArrayD<f64> {
    let n = shape.iter().product::<usize>();
    ArrayD::from_shape_vec(IxDyn(shape), (0..n).map(|i| i as f64).collect()).expect("as many as the shape says")
}

/// Up to three axes of up to seven elements, also none.
pub fn shapes() -> impl Strategy<Value = Vec<usize>> {
    vec(0usize..8, 0..4)
}

/// A way to cut an axis of this length, also into chunks of nothing.
pub fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    vec(0..=len, 0..4).prop_map(move |mut ends| {
        ends.extend([0, len]);
        ends.sort_unstable();
        ends.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

/// A way to cut an array of this shape.
pub fn chunkings(shape: Vec<usize>) -> impl Strategy<Value = Vec<Vec<usize>>> {
    shape.into_iter().fold(Just(Vec::new()).boxed(), |axes, len| {
        (axes, cuts(len))
            .prop_map(|(mut axes, cuts)| {
                axes.push(cuts);
                axes
            })
            .boxed()
    })
}
