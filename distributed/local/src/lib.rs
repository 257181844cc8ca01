//! Threads for a shell: runs the scheduler's and the worker's machine inside the user's program ([`Local`]), or a worker's
//! machine alone, whose scheduler and peers are elsewhere ([`Host`]).
//!
//! This crate knows no data format: chunks are opaque values, and where tasks run is the caller's [`Pool`]. It decides
//! nothing that the machines decide; it performs their actions and tells them what happened. Results are those of
//! [`partita_graph::Serial`], whatever the number of threads and the limit of memory. Tasks may submit graphs themselves and wait for
//! them; while they wait their slot is another's ([`while_waiting`]).
//!
//! ```
//! use std::sync::Arc;
//! use partita_graph::{Chunk, Executor, Graph, Layer, OpRef, Plain, Registry};
//! use partita_local::{Local, Options, ThreadPool};
//!
//! let local = Local::new(Options::default(), Arc::new(ThreadPool::new(2)), Registry::default())?;
//! let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
//! let mut graph = Graph::default();
//! let numbers = graph.add(Layer::single("numbers", 10, number, vec![]));
//! graph.want_all(numbers);
//! let results = local.submit(graph)?.wait()?;
//! assert_eq!(results[7].get::<Plain<i64>>().map(|n| n.0), Some(7));
//! # Ok::<(), partita_graph::Failure>(())
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod aside;
mod awaiting;
mod brief;
mod desk;
mod disk;
mod each;
mod ends;
mod engine;
mod host;
mod listeners;
mod local;
mod memory;
mod outside;
mod packed;
mod perform;
mod place;
mod pool;
mod run;
mod serve;
mod signal;
mod slots;
mod spill;
mod store;
mod ticker;
mod waiting;

pub use awaiting::{awaits_inside, driven_inside};
pub use brief::look_briefly;
pub use desk::Desk;
pub use ends::Ends;
pub use host::{Held, Host};
pub use listeners::{Listener, Listeners};
pub use local::{Local, Options, Snapshot};
pub use memory::{memory_of_machine, resident};
pub use outside::Outside;
pub use packed::Packed;
pub use pool::{Job, Pool, ThreadPool};
pub use signal::{Cancelled, OnCancel};
pub use store::Usage;
pub use waiting::{MOST_WAITING, current_cancelled, hurry_inside, try_while_waiting, wait_inside, while_waiting};
