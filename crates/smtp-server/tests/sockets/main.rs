//! The server over real sockets.
#![allow(clippy::unwrap_used)]

mod auth;
mod chunks;
mod common;
mod ends;
mod greeting;
mod limits;
mod lmtp;
mod message;
mod open;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod peers;
mod requests;
mod stalls;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod tls;
