//! Links and security, tested over real sockets on loopback, and the session's logic by random cuts.
//!
//! It refuses to look inside: everything goes through what other modules use, and through bytes that a stranger could send.

mod cuts;
mod port;
mod security;
mod session;
mod strangers;
