//! Chunks between processes, as Arrow Flight.
