//! SMTP without IO: the grammar and both sessions.
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod ask;
pub mod client;
pub mod error;
pub mod limits;
pub mod server;
pub mod wire;
