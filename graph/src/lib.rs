//! What a task is: keys, chunks, operators, kernels, wiring, layers and graphs.
//!
//! This crate knows no data format, no thread, no clock and no socket. Everything above it speaks in these types.
//!
//! A layer is *one kernel × n tasks × a wiring rule*; a task is a layer and an index:
//!
//! ```
//! use partita_graph::{Chunk, Edge, Executor, Graph, Layer, OpRef, Plain, Serial, Wiring};
//!
//! let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
//! let sum = OpRef::closure("sum", 2, |_, inputs| {
//!     Ok(Chunk::new(Plain(inputs.iter().filter_map(|c| c.get::<Plain<i64>>()).map(|n| n.0).sum::<i64>())))
//! });
//! let mut graph = Graph::default();
//! let numbers = graph.add(Layer::single("numbers", 10, number, vec![]));
//! let total = graph.add(Layer::single("total", 1, sum, vec![Edge { layer: numbers, wiring: Wiring::Every }]));
//! graph.want_all(total);
//! let results = Serial::default().submit(graph)?.wait()?;
//! assert_eq!(results[0].get::<Plain<i64>>().map(|n| n.0), Some(45));
//! # Ok::<(), partita_graph::Failure>(())
//! ```
#![warn(missing_docs)]

mod annotations;
mod chunk;
mod each;
mod error;
mod executor;
mod explain;
mod graph;
mod kernel;
mod key;
mod layer;
mod nesting;
mod operator;
pub mod optimize;
mod place;
mod registry;
mod visualize;
mod wiring;

pub use annotations::{Annotations, Milli};
pub use chunk::{Buffer, Chunk, Encoded, Parts, Plain, Value};
pub use each::{EndedEach, KeyStatus, OnKeyEnd, RunEach, RunningEach};
pub use error::{Code, DataPlace, Facts, Failure, Origin};
pub use executor::{Ended, Executor, Progress, Run, Running, Serial, pick};
pub use graph::Graph;
pub use kernel::{Kernel, Outcome, Source, Step, run_task, run_task_telling};
pub use key::{Key, LayerId};
pub use layer::{Edge, Layer};
pub use operator::{Arg, NamedOperator, OpRef, Operator, Payload, TaskContext, TaskProgress};
pub use place::TaskPlace;
pub use registry::{OperatorEntry, Registry};
pub use wiring::{AxisMap, Indices, Table, Wiring};
