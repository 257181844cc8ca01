//! The model: how it is loaded, and how a partition is scored with it.
//!
//! It refuses to know where it runs. Invariant: a row's probabilities do not depend on the batch in which it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use partita::polars::prelude::*;
use partita::{Code, Error};
use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

use crate::columns;
use crate::data::COLUMNS;

/// The exported classifier.
pub const FILE: &[u8] = include_bytes!("model.onnx");
/// Classes that it tells apart.
pub const CLASSES: usize = 4;

/// A model ready to run with one size of batch.
pub type Plan = Arc<TypedRunnableModel>;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::UserFunction, format!("the model: {error:#}"))
}

/// Loads and optimizes the model for batches of so many rows: about a millisecond.
pub fn load(bytes: &[u8], batch: usize) -> Result<Plan, Error> {
    let turned = typed(bytes, batch).and_then(columns::turned);
    turned.and_then(|model| model.into_optimized()?.into_runnable()).map_err(failed)
}

/// The model as its file has it, for batches of so many rows.
pub fn typed(mut bytes: &[u8], batch: usize) -> TractResult<TypedModel> {
    let shape = InferenceFact::dt_shape(f32::datum_type(), [batch, COLUMNS as usize]);
    let model = tract_onnx::onnx().model_for_read(&mut bytes)?;
    model.with_input_fact(0, shape)?.into_typed()?.into_decluttered()
}

/// A model as a value that travels once: its bytes, and in each process the plans that were made of them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Model {
    bytes: Vec<u8>,
    #[serde(skip)]
    plans: Arc<Mutex<BTreeMap<usize, Plan>>>,
}

impl Model {
    /// Of an ONNX file's bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, plans: Arc::default() }
    }

    /// The plan for a size of batch; made once in a process.
    pub fn plan(&self, batch: usize) -> Result<Plan, Error> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&batch) {
            return Ok(plan.clone());
        }
        let plan = load(&self.bytes, batch)?;
        plans.insert(batch, plan.clone());
        Ok(plan)
    }
}

/// What comes out of scoring.
pub fn schema() -> Schema {
    let probability = |class| (format!("p{class}").into(), DataType::Float32);
    (0..CLASSES).map(probability).chain([("label".into(), DataType::Int32)]).collect()
}

/// The numbers of a column, as its file has them: a wider copy of every column would cost as much as reading it.
enum Numbers<'a> {
    Narrow(&'a [f32]),
    Wide(&'a [f64]),
}

impl<'a> Numbers<'a> {
    fn of(column: &'a Column) -> PolarsResult<Self> {
        match column.f32() {
            Ok(narrow) => narrow.cont_slice().map(Self::Narrow),
            Err(_) => column.f64()?.cont_slice().map(Self::Wide),
        }
    }

    /// Copies as many numbers as there are cells.
    fn copy_from(&self, row: usize, cells: &mut [f32]) {
        match self {
            Self::Narrow(values) => cells.copy_from_slice(&values[row..row + cells.len()]),
            Self::Wide(values) => cells.iter_mut().zip(&values[row..]).for_each(|(cell, value)| *cell = *value as f32),
        }
    }
}

fn number_column(frame: &DataFrame, at: usize) -> PolarsResult<Column> {
    let column = frame.column(&format!("f{at}"))?;
    let column = if column.dtype() == &DataType::Float32 { column.clone() } else { column.cast(&DataType::Float64)? };
    Ok(column.rechunk())
}

/// Scores a partition in batches; the last one is filled up with zeros.
pub fn score(plan: &Plan, frame: &DataFrame, batch: usize) -> Result<DataFrame, Error> {
    let (rows, width) = (frame.height(), COLUMNS as usize);
    let columns: Vec<Column> = (0..width).map(|at| number_column(frame, at)).collect::<PolarsResult<_>>().map_err(failed)?;
    let columns: Vec<Numbers> = columns.iter().map(Numbers::of).collect::<PolarsResult<_>>().map_err(failed)?;
    let mut probabilities: [Vec<f32>; CLASSES] = std::array::from_fn(|_| Vec::with_capacity(rows));
    let mut labels: Vec<i32> = Vec::with_capacity(rows);
    for from in (0..rows).step_by(batch) {
        let count = batch.min(rows - from);
        let mut input = Tensor::zero::<f32>(&[width, batch]).map_err(failed)?;
        let mut plain = input.try_as_plain_ram_mut().map_err(failed)?;
        let cells = plain.as_slice_mut::<f32>().map_err(failed)?;
        for (cells, column) in cells.chunks_exact_mut(batch).zip(&columns) {
            column.copy_from(from, &mut cells[..count]);
        }
        let result = plan.run(tvec!(input.into_tvalue())).map_err(failed)?;
        let view = result[0].try_as_plain_ram().map_err(failed)?;
        let scored = view.as_slice::<f32>().map_err(failed)?.chunks_exact(batch).map(|column| &column[..count]);
        let scored: Vec<&[f32]> = scored.collect();
        for (all, column) in probabilities.iter_mut().zip(&scored) {
            all.extend_from_slice(column);
        }
        let better = |row: usize, best: usize, class: usize| if scored[class][row] > scored[best][row] { class } else { best };
        labels.extend((0..count).map(|row| (1..CLASSES).fold(0, |best, class| better(row, best, class)) as i32));
    }
    let probabilities = probabilities.into_iter().enumerate();
    let mut out: Vec<Column> = probabilities.map(|(class, values)| Column::new(format!("p{class}").into(), values)).collect();
    out.push(Column::new("label".into(), labels));
    DataFrame::new(rows, out).map_err(failed)
}
