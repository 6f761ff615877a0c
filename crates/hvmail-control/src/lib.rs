//! GreenArrow and qmail control directories as typed TLS policies.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod conf;
pub mod diagnostic;
pub mod error;
pub mod limits;
pub mod read;
pub mod snapshot;
pub mod source;
