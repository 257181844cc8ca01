//! The local executor from outside: its results, its handles, its disk.

mod each;
mod equal;
mod graphs;
mod inside;
mod layers;
mod runs;
mod spill;
