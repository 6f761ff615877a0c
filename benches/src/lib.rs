//! What the benches share: sessions and whole connections in memory, with everything that a peer would
//! send.

pub mod client;
#[cfg(feature = "rustls")]
pub mod handshake;
pub mod message;
pub mod server;
