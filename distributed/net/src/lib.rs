//! Sockets for a shell: the machines in separate processes.
#![warn(missing_docs)]
