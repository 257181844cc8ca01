//! Workers as they are: a scheduler, workers and a client in one process, over loopback with and without encryption.

#[path = "../../../local/tests/local/graphs.rs"]
mod graphs;

mod cluster;
mod data_port;
mod equal;
mod life;
mod loss;
mod operators;
