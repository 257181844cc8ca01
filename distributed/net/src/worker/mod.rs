//! The worker as a process: the local engine, with messages and fetches over the network.
