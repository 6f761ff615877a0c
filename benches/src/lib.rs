//! What the benches share: sessions in memory, with everything that a peer would send.

pub mod client;
pub mod message;
pub mod server;
