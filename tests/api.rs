//! Operations on frames, as data: a table, an operation, what must come out. Each case runs for 1, 2 and 5 partitions on every
//! executor: the serial oracle, the local engine on 1 and 4 threads, and the simulator with faults under several seeds.

#[path = "api/bits.rs"]
mod bits;
#[path = "api/check.rs"]
mod check;

#[path = "api/across.rs"]
mod across;
#[path = "api/arrays.rs"]
mod arrays;
#[path = "api/asof.rs"]
mod asof;

#[path = "api/array_any.rs"]
mod array_any;
#[path = "api/array_any_elementwise.rs"]
mod array_any_elementwise;
#[path = "api/array_any_reduce.rs"]
mod array_any_reduce;
#[path = "api/array_any_shape.rs"]
mod array_any_shape;
#[path = "api/array_around.rs"]
mod array_around;
#[path = "api/array_classes.rs"]
mod array_classes;
#[path = "api/array_complex.rs"]
mod array_complex;
#[path = "api/array_elementwise.rs"]
mod array_elementwise;
#[path = "api/array_factors.rs"]
mod array_factors;
#[path = "api/array_fft.rs"]
mod array_fft;
#[path = "api/array_files.rs"]
mod array_files;
#[path = "api/array_images.rs"]
mod array_images;
#[path = "api/array_kinds.rs"]
mod array_kinds;
#[path = "api/array_linalg.rs"]
mod array_linalg;
#[path = "api/array_make.rs"]
mod array_make;
#[path = "api/array_memory.rs"]
mod array_memory;
#[path = "api/array_numpy.rs"]
mod array_numpy;
#[path = "api/array_numpy_kinds.rs"]
mod array_numpy_kinds;
#[path = "api/array_numpy_linalg.rs"]
mod array_numpy_linalg;
#[path = "api/array_order.rs"]
mod array_order;
#[path = "api/array_out_of_core.rs"]
mod array_out_of_core;
#[path = "api/array_places.rs"]
mod array_places;
#[path = "api/array_random.rs"]
mod array_random;
#[path = "api/array_reduce.rs"]
mod array_reduce;
#[path = "api/array_shape.rs"]
mod array_shape;
#[path = "api/array_unknown.rs"]
mod array_unknown;
#[path = "api/array_users.rs"]
mod array_users;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/client.rs"]
mod client;
#[path = "api/clocks.rs"]
mod clocks;
#[path = "api/clustered.rs"]
mod clustered;
#[path = "api/csv.rs"]
mod csv;
#[path = "api/decimals.rs"]
mod decimals;
#[path = "api/expressions.rs"]
mod expressions;
#[path = "api/files.rs"]
mod files;
#[path = "api/flights.rs"]
mod flights;
#[path = "api/group_order.rs"]
mod group_order;
#[path = "api/group_pairs.rs"]
mod group_pairs;
#[path = "api/group_top.rs"]
mod group_top;
#[path = "api/groupby.rs"]
mod groupby;
#[path = "api/join.rs"]
mod join;
#[path = "api/join_few.rs"]
mod join_few;
#[path = "api/join_order.rs"]
mod join_order;
#[path = "api/kinds.rs"]
mod kinds;
#[path = "api/kinds_in_order.rs"]
mod kinds_in_order;
#[path = "api/limits.rs"]
mod limits;
#[path = "api/listed_text.rs"]
mod listed_text;
#[path = "api/memory.rs"]
mod memory;
#[path = "api/out_of_core.rs"]
mod out_of_core;
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
#[path = "api/random_operations.rs"]
mod random_operations;
#[path = "api/reshape.rs"]
mod reshape;
#[path = "api/rewrites.rs"]
mod rewrites;
#[path = "api/rows.rs"]
mod rows;
#[path = "api/s3.rs"]
mod s3;
#[path = "api/same_bits.rs"]
mod same_bits;
#[path = "api/shuffle.rs"]
mod shuffle;
#[path = "api/sizes.rs"]
mod sizes;
#[path = "api/skew.rs"]
mod skew;
#[path = "api/skew_outer.rs"]
mod skew_outer;
#[path = "api/sort.rs"]
mod sort;
#[path = "api/sorted.rs"]
mod sorted;
#[path = "api/split_once.rs"]
mod split_once;
#[path = "api/statistics.rs"]
mod statistics;
#[path = "api/tpch.rs"]
mod tpch;
#[path = "api/tpch_queries/mod.rs"]
mod tpch_queries;
#[path = "api/writes.rs"]
mod writes;
