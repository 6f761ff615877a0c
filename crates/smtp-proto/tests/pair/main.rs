//! Both sessions, joined in memory.
//!
//! - `modes`: every TLS mode and every wish of the client, at every cut.
//! - `orders`: whoever acts when, however much is read: the story is the same.
//! - `severed`: the connection ends anywhere, for both or for one, and nobody lies about the mail.
#![allow(clippy::unwrap_used)]

mod modes;
mod orders;
mod script;
mod severed;
mod world;
