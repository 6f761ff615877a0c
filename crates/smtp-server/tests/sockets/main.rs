//! The server over real sockets.
#![allow(clippy::unwrap_used)]

mod common;
mod ends;
mod limits;
mod message;
mod stalls;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod tls;
