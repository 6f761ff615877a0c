//! What a server offers is used, and what it does not offer is left out or refused, over sockets in
//! clear. One binary, so that it is linked once.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod auth;
mod chunks;
mod limits;
mod lmtp;
mod parameters;
