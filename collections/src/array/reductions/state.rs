//! The states of lanes as tasks hand them to each other: how many elements went into each lane, and a block for each number that a
//! state has. Here states of several blocks are brought together and become results.
//!
//! It refuses to know tiles. The invariant: states are brought together in the order of their blocks, so that results depend on how
//! the array is cut and on nothing else.

use partita_graph::{Chunk, Code, Encoded, Failure, Registry, Value};
use serde::{Deserialize, Serialize};

use super::fold::Fold;
use super::moments::combine;
use super::numbers::{add, total};
use super::order::{NOWHERE, Wanted, better_of_rows, take};
use crate::array::block::{Block, decoded};
use crate::array::element::{C128, DType, Held, with_dtype, with_ordered};
use crate::array::tile::{Convert, Rank};

/// The kind of value that states are.
const KIND: &str = "array_state";

/// The states of the lanes of some blocks. Axes that are reduced have length 1.
pub struct State {
    /// Elements that went into each lane.
    pub count: u64,
    /// One block for each number.
    pub numbers: Vec<Block>,
}

/// Header of an encoded state: the count, and the headers of its blocks.
type Header = (u64, Vec<Vec<u8>>);

impl Value for State {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn nbytes(&self) -> u64 {
        8 + self.numbers.iter().map(Value::nbytes).sum::<u64>()
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        let mut headers = Vec::with_capacity(self.numbers.len());
        let mut buffers = Vec::with_capacity(self.numbers.len());
        for block in &self.numbers {
            let encoded = block.encode()?;
            headers.push(encoded.header);
            buffers.extend(encoded.buffers);
        }
        let header: Header = (self.count, headers);
        Ok(Encoded { header: postcard::to_stdvec(&header).expect("plain data"), buffers })
    }
}

fn decode(encoded: &Encoded) -> Result<State, Failure> {
    let damaged = || Failure::internal("an encoded state of a reduction is damaged");
    let (count, headers): Header = postcard::from_bytes(&encoded.header).map_err(|_| damaged())?;
    if headers.len() != encoded.buffers.len() {
        return Err(damaged());
    }
    let parts = headers.into_iter().zip(&encoded.buffers);
    let numbers = parts.map(|(header, buffer)| decoded(&Encoded { header, buffers: vec![buffer.clone()] }));
    Ok(State { count, numbers: numbers.collect::<Result<_, _>>()? })
}

/// Lets a registry decode states.
pub fn register(registry: &mut Registry) {
    registry.add_value(KIND, |encoded| Ok(Chunk::new(decode(&encoded)?)));
}

/// The state in a chunk.
pub fn state_of(chunk: &Chunk) -> Result<&State, Failure> {
    chunk.get::<State>().ok_or_else(|| Failure::internal(format!("a state of a reduction was expected, and {chunk:?} came")))
}

impl State {
    /// The shape of its blocks.
    pub fn shape(&self) -> &[usize] {
        self.numbers.first().map_or(&[][..], Block::shape)
    }

    fn column<T: Held>(&self, at: usize) -> Result<Vec<T>, Failure> {
        self.numbers.get(at).ok_or_else(|| Failure::internal("a state without one of its numbers"))?.to_vec()
    }
}

/// States of blocks, in order, as one.
pub fn joined(fold: Fold, dtype: DType, states: &[&State]) -> Result<State, Failure> {
    let first = states.first().ok_or_else(|| Failure::internal("a reduction of no states"))?;
    if states.iter().any(|state| state.shape() != first.shape()) {
        return Err(Failure::new(Code::ShapeMismatch, "chunks beside each other have different lengths along an axis that is kept")
            .help("where sizes were not known before: .compute_chunk_sizes()?"));
    }
    let count = states.iter().map(|state| state.count).sum();
    if let [one] = states {
        return Ok(State { count, numbers: one.numbers.clone() });
    }
    let numbers = match fold {
        Fold::Sum if dtype.is_float() => sums(states, 0)?,
        Fold::Sum if dtype.is_complex() => [sums(states, 0)?, sums(states, 2)?].concat(),
        Fold::Sum => lanes::<i64>(states, 0, |sum, other| *sum = sum.wrapping_add(other))?,
        Fold::Product if dtype.is_float() => lanes::<f64>(states, 0, |product, other| *product *= other)?,
        Fold::Product if dtype.is_complex() => lanes::<C128>(states, 0, |product, other| *product *= other)?,
        Fold::Product => lanes::<i64>(states, 0, |product, other| *product = product.wrapping_mul(other))?,
        Fold::Moments { .. } if dtype.is_complex() => [moments(states, 0)?, moments(states, 3)?].concat(),
        Fold::Moments { .. } => moments(states, 0)?,
        Fold::Extreme { greatest, skip_nan } => with_ordered!(dtype, T => extremes::<T>(states, Wanted { greatest, skip_nan })?),
        Fold::Place { greatest, skip_nan } => with_ordered!(dtype, T => places::<T>(states, Wanted { greatest, skip_nan })?),
        Fold::Any => lanes::<bool>(states, 0, |truth, other| *truth |= other)?,
        Fold::All => lanes::<bool>(states, 0, |truth, other| *truth &= other)?,
    };
    Ok(State { count, numbers })
}

/// A block of the shape of the states.
fn block<T: Held>(states: &[&State], values: Vec<T>) -> Block {
    Block::from_vec(states.first().map_or_else(Vec::new, |state| state.shape().to_vec()), values)
}

/// One number of all states, lane by lane.
fn lanes<T: Held>(states: &[&State], at: usize, together: impl Fn(&mut T, T)) -> Result<Vec<Block>, Failure> {
    let mut found: Vec<T> = states[0].column(at)?;
    for state in &states[1..] {
        found.iter_mut().zip(state.column::<T>(at)?).for_each(|(found, other)| together(found, other));
    }
    Ok(vec![block(states, found)])
}

/// The sum of which two numbers from this one on are the parts.
fn sums(states: &[&State], at: usize) -> Result<Vec<Block>, Failure> {
    let (mut high, mut low) = (states[0].column::<f64>(at)?, states[0].column::<f64>(at + 1)?);
    for state in &states[1..] {
        let other = state.column::<f64>(at)?.into_iter().zip(state.column::<f64>(at + 1)?);
        for ((high, low), (other_high, other_low)) in high.iter_mut().zip(&mut low).zip(other) {
            add(high, low, other_high);
            *low += other_low;
        }
    }
    Ok(vec![block(states, high), block(states, low)])
}

/// The moments whose three numbers begin with this one.
fn moments(states: &[&State], at: usize) -> Result<Vec<Block>, Failure> {
    let [mut counts, mut means, mut squares] = [states[0].column::<f64>(at)?, states[0].column(at + 1)?, states[0].column(at + 2)?];
    for state in &states[1..] {
        let other = state.column::<f64>(at)?.into_iter().zip(state.column::<f64>(at + 1)?).zip(state.column::<f64>(at + 2)?);
        let lanes = counts.iter_mut().zip(&mut means).zip(&mut squares);
        for (((count, mean), square), ((other_count, other_mean), other_square)) in lanes.zip(other) {
            combine((count, mean, square), (other_count, other_mean, other_square));
        }
    }
    Ok(vec![block(states, counts), block(states, means), block(states, squares)])
}

fn extremes<T: Rank>(states: &[&State], wanted: Wanted) -> Result<Vec<Block>, Failure> {
    let mut best = states[0].column::<T>(0)?;
    for state in &states[1..] {
        better_of_rows(&mut best, &state.column::<T>(0)?, wanted);
    }
    Ok(vec![block(states, best)])
}

fn places<T: Rank>(states: &[&State], wanted: Wanted) -> Result<Vec<Block>, Failure> {
    let (mut best, mut names) = (states[0].column::<T>(0)?, states[0].column::<i64>(1)?);
    for state in &states[1..] {
        let other = state.column::<T>(0)?.into_iter().zip(state.column::<i64>(1)?);
        for ((best, name), other) in best.iter_mut().zip(&mut names).zip(other) {
            if other.1 != NOWHERE {
                take(best, name, other, wanted);
            }
        }
    }
    Ok(vec![block(states, best), block(states, names)])
}

/// What a state becomes in the end.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Finish {
    /// The number itself: a sum, a product, the best, a truth.
    Value,
    /// A sum of floats by the number of elements.
    MeanOfSum,
    /// The mean of moments.
    Mean,
    /// The variance; `ddof` is taken from the number of elements by which is divided.
    Variance {
        /// Degrees of freedom that are used up.
        ddof: f64,
        /// Whether its square root is wanted.
        root: bool,
    },
    /// The place.
    Name,
}

/// The results of a state, as elements of `out`, in row-major order.
pub fn finished(state: &State, fold: Fold, finish: Finish, dtype: DType, out: DType) -> Result<Block, Failure> {
    let shape = state.shape().to_vec();
    if state.count == 0 && matches!(fold, Fold::Extreme { .. } | Fold::Place { .. }) && !shape.contains(&0) {
        return Err(nothing());
    }
    let floats: Vec<f64> = match (fold, finish) {
        (Fold::Sum, _) if dtype.is_float() => totals(state, 0, finish)?,
        (Fold::Sum, _) if dtype.is_complex() => {
            let parts = totals(state, 0, finish)?.into_iter().zip(totals(state, 2, finish)?);
            return complex(shape, parts.map(|(re, im)| C128::new(re, im)).collect(), out);
        }
        (Fold::Product, _) if dtype.is_complex() => return complex(shape, state.column(0)?, out),
        (Fold::Product, _) if dtype.is_float() => state.column(0)?,
        (Fold::Moments { .. }, Finish::Variance { ddof, root }) => {
            let mut squares = state.column::<f64>(2)?;
            if dtype.is_complex() {
                // Distances in the plane: those along both of its axes.
                squares.iter_mut().zip(state.column::<f64>(5)?).for_each(|(squares, others)| *squares += others);
            }
            let parts = squares.into_iter().zip(state.column::<f64>(0)?);
            // Where NaN is left out, too few elements have no variance; elsewhere NumPy divides by zero.
            let none = if matches!(fold, Fold::Moments { skip_nan: true }) { f64::NAN } else { 0.0 };
            let variance = |(squares, count): (f64, f64)| squares / if count > ddof { count - ddof } else { none };
            parts.map(variance).map(|variance| if root { variance.sqrt() } else { variance }).collect()
        }
        (Fold::Moments { .. }, _) if dtype.is_complex() => {
            let parts = means(state, 0)?.into_iter().zip(means(state, 3)?);
            return complex(shape, parts.map(|(re, im)| C128::new(re, im)).collect(), out);
        }
        (Fold::Moments { .. }, _) => means(state, 0)?,
        (Fold::Place { .. }, _) => {
            let names = state.column::<i64>(1)?;
            if names.contains(&NOWHERE) {
                return Err(nothing().detail("found", "only NaN"));
            }
            return Ok(Block::from_vec(shape, names));
        }
        (Fold::Sum | Fold::Product, _) => {
            let whole = state.column::<i64>(0)?;
            return with_dtype!(out, T => Ok(Block::from_vec(shape, whole.into_iter().map(T::of_i64).collect())));
        }
        (Fold::Extreme { .. } | Fold::Any | Fold::All, _) => {
            let first = state.numbers.first().cloned();
            return first.ok_or_else(|| Failure::internal("a state without its number"));
        }
    };
    with_dtype!(out, T => Ok(Block::from_vec(shape, floats.into_iter().map(T::of_f64).collect())))
}

/// The totals of sums, or of these by the number of elements.
fn totals(state: &State, at: usize, finish: Finish) -> Result<Vec<f64>, Failure> {
    let parts = state.column::<f64>(at)?.into_iter().zip(state.column::<f64>(at + 1)?);
    let count = if finish == Finish::MeanOfSum { state.count as f64 } else { 1.0 };
    Ok(parts.map(|(high, low)| total(high, low) / count).collect())
}

/// The means of the moments whose three numbers begin with this one; NaN of nothing.
fn means(state: &State, at: usize) -> Result<Vec<f64>, Failure> {
    let parts = state.column::<f64>(at + 1)?.into_iter().zip(state.column::<f64>(at)?);
    Ok(parts.map(|(mean, count)| if count == 0.0 { f64::NAN } else { mean }).collect())
}

/// Complex results.
fn complex(shape: Vec<usize>, values: Vec<C128>, out: DType) -> Result<Block, Failure> {
    with_dtype!(out, T => Ok(Block::from_vec(shape, values.into_iter().map(Convert::<T>::convert).collect::<Vec<T>>())))
}

fn nothing() -> Failure {
    Failure::new(Code::EmptyReduction, "the least or the greatest of no elements does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(count: u64, numbers: &[&[f64]]) -> State {
        State { count, numbers: numbers.iter().map(|values| Block::from_vec(vec![values.len()], values.to_vec())).collect() }
    }

    #[test]
    fn states_survive_the_way_through_bytes() {
        let given = State { count: 7, numbers: vec![Block::full(vec![2, 3], 1.5), Block::from_vec(vec![2], vec![1i64, 2])] };
        let back = decode(&given.encode().expect("plain data")).expect("whole");
        assert_eq!((back.count, back.numbers.len(), back.shape()), (7, 2, &[2, 3][..]));
        assert_eq!(back.numbers[1].to_vec::<i64>().expect("i64"), [1, 2]);
        let mut short = given.encode().expect("plain data");
        short.buffers.pop();
        assert!(decode(&short).is_err());
        assert!(decode(&Encoded::of(vec![1, 2, 3])).is_err());
    }

    #[test]
    fn sums_keep_what_rounding_takes_away() {
        let states =
            [state(1, &[&[1.0], &[0.0]]), state(1, &[&[1e100], &[0.0]]), state(1, &[&[1.0], &[0.5]]), state(1, &[&[-1e100], &[0.0]])];
        let states: Vec<&State> = states.iter().collect();
        let sum = joined(Fold::Sum, DType::F64, &states).expect("they fit");
        let found = |finish| finished(&sum, Fold::Sum, finish, DType::F64, DType::F64).expect("a sum").to_vec::<f64>().expect("f64");
        assert_eq!((found(Finish::Value), found(Finish::MeanOfSum)), (vec![2.5], vec![0.625]));
    }

    #[test]
    fn moments_come_together_from_any_number_of_parts() {
        let states = [state(2, &[&[2.0], &[1.5], &[0.5]]), state(1, &[&[0.0], &[0.0], &[0.0]]), state(2, &[&[2.0], &[3.5], &[0.5]])];
        let states: Vec<&State> = states.iter().collect();
        let fold = Fold::Moments { skip_nan: true };
        let all = joined(fold, DType::F64, &states).expect("they fit");
        let found = |finish| finished(&all, fold, finish, DType::F64, DType::F64).expect("moments").to_vec::<f64>().expect("f64")[0];
        assert_eq!((found(Finish::Mean), found(Finish::Variance { ddof: 0.0, root: false })), (2.5, 1.25));
        assert!((found(Finish::Variance { ddof: 1.0, root: true }) - (5.0f64 / 3.0).sqrt()).abs() < 1e-15);
        let none = state(0, &[&[0.0], &[0.0], &[0.0]]);
        let found = |finish| finished(&none, fold, finish, DType::F64, DType::F64).expect("moments").to_vec::<f64>().expect("f64")[0];
        assert!(found(Finish::Mean).is_nan() && found(Finish::Variance { ddof: 0.0, root: false }).is_nan());
    }

    #[test]
    fn the_best_of_nothing_is_refused() {
        let fold = Fold::Extreme { greatest: true, skip_nan: false };
        let none = state(0, &[&[f64::NEG_INFINITY]]);
        let failure = finished(&none, fold, Finish::Value, DType::F64, DType::F64).map(|_| ()).expect_err("nothing");
        assert_eq!(failure.code, Code::EmptyReduction);
        let differ = [&state(1, &[&[1.0]]), &state(1, &[&[1.0, 2.0]])];
        assert_eq!(joined(fold, DType::F64, &differ).map(|_| ()).expect_err("misfit").code, Code::ShapeMismatch);
    }
}
