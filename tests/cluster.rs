//! Clusters of real processes: the program's workers, killed with signal 9, asked by other languages, started from shells.

#[path = "api/bits.rs"]
mod bits;
#[path = "cluster/datasets.rs"]
mod datasets;
#[path = "cluster/deaths.rs"]
mod deaths;
#[path = "cluster/decoders.rs"]
mod decoders;
#[path = "cluster/doors.rs"]
mod doors;
#[path = "cluster/orders.rs"]
mod orders;
#[path = "cluster/shells.rs"]
mod shells;
#[path = "cluster/spilled.rs"]
mod spilled;
#[path = "cluster/start.rs"]
mod start;
