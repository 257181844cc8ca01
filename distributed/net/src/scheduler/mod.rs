//! The scheduler as a process: the machine, its links, its clients.
