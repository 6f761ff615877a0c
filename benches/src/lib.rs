//! What the benches share: sessions and whole connections in memory, with everything that a peer would
//! send, and a large control directory.

pub mod client;
pub mod control;
#[cfg(feature = "rustls")]
pub mod handshake;
pub mod message;
pub mod server;
