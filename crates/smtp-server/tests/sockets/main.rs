//! The server over real sockets.
#![allow(clippy::unwrap_used)]

mod apply;
mod apply_ends;
mod apply_load;
mod auth;
mod chunks;
mod common;
mod ends;
mod greeting;
mod limits;
mod live;
mod lmtp;
mod message;
mod open;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod peers;
mod requests;
mod stalls;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod tls;
