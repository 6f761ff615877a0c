//! What the benches share: sessions in memory, with everything that a peer would send, and a large
//! control directory.

pub mod client;
pub mod control;
pub mod message;
pub mod server;
