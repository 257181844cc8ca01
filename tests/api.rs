//! Operations on frames, as data: a table, an operation, what must come out. Each case runs for 1, 2 and 5 partitions on every
//! executor: the serial oracle, the local engine on 1 and 4 threads, and the simulator with faults under several seeds.

#[path = "api/check.rs"]
mod check;

#[path = "api/across.rs"]
mod across;
#[path = "api/arrays.rs"]
mod arrays;
#[path = "api/asof.rs"]
mod asof;

#[path = "api/array_elementwise.rs"]
mod array_elementwise;
#[path = "api/array_files.rs"]
mod array_files;
#[path = "api/array_linalg.rs"]
mod array_linalg;
#[path = "api/array_make.rs"]
mod array_make;
#[path = "api/array_order.rs"]
mod array_order;
#[path = "api/array_random.rs"]
mod array_random;
#[path = "api/array_reduce.rs"]
mod array_reduce;
#[path = "api/array_shape.rs"]
mod array_shape;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/client.rs"]
mod client;
#[path = "api/csv.rs"]
mod csv;
#[path = "api/files.rs"]
mod files;
#[path = "api/flights.rs"]
mod flights;
#[path = "api/groupby.rs"]
mod groupby;
#[path = "api/join.rs"]
mod join;
#[path = "api/memory.rs"]
mod memory;
#[path = "api/planner.rs"]
mod planner;
#[path = "api/plans.rs"]
mod plans;
#[path = "api/properties.rs"]
mod properties;
#[path = "api/pruning.rs"]
mod pruning;
#[path = "api/random_frames.rs"]
mod random_frames;
#[path = "api/reshape.rs"]
mod reshape;
#[path = "api/rows.rs"]
mod rows;
#[path = "api/shuffle.rs"]
mod shuffle;
#[path = "api/sort.rs"]
mod sort;
#[path = "api/statistics.rs"]
mod statistics;
#[path = "api/tpch.rs"]
mod tpch;
#[path = "api/writes.rs"]
mod writes;
