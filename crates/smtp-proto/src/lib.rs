//! SMTP without IO: the grammar and both sessions.
#![no_std]

extern crate alloc;

pub mod ask;
pub mod client;
pub mod error;
pub mod limits;
pub mod server;
pub mod wire;
