//! Guesses that were wrong. A reader guesses types from a sample and cuts files without reading them whole; when a task finds
//! such a guess wrong it fails with advice, and the client plans again. So a schema never changes under a running graph.

use partita_graph::Failure;
use partita_io::Wider;
use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use super::DFrame;

/// What to plan otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// Columns that need a wider type, each with the type that it needs.
    Widen(Vec<(String, DataType)>),
    /// Cut the files exactly.
    ExactCuts,
}

/// Advice in a failure: which reader, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Advice {
    pub source: u64,
    pub change: Change,
}

impl Advice {
    /// As a failure carries it.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("advice is plain data")
    }

    /// The advice in a failure or in one of its causes.
    pub fn of(failure: &Failure) -> Option<Self> {
        let own = failure.advice.as_deref().and_then(|bytes| postcard::from_bytes(bytes).ok());
        own.or_else(|| failure.cause.as_deref().and_then(Self::of))
    }
}

/// The type on the ladder integer -> float -> text.
pub(crate) fn dtype_of(wider: Wider) -> DataType {
    match wider {
        Wider::Float64 => DataType::Float64,
        Wider::String => DataType::String,
    }
}

impl DFrame {
    /// The frame planned by all of the advice.
    pub(crate) fn advised(&self, advice: &[Advice]) -> DFrame {
        advice.iter().fold(self.clone(), |frame, advice| frame.replan(advice).unwrap_or(frame))
    }

    /// The frame planned by the advice, or `None` when it changes nothing here.
    pub(crate) fn replan(&self, advice: &Advice) -> Option<DFrame> {
        let node = self.node();
        let inputs: Vec<Option<DFrame>> = node.inputs.iter().map(|input| input.replan(advice)).collect();
        let step = node.step.replan(advice.source, &advice.change);
        if step.is_none() && inputs.iter().all(Option::is_none) {
            return None;
        }
        let inputs = inputs.into_iter().zip(&node.inputs).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
        Some(self.rebuilt(step.unwrap_or_else(|| node.step.clone()), inputs.collect()))
    }
}
