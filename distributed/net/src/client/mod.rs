//! Graphs for a scheduler in another process.
