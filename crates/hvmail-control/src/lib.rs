//! GreenArrow and qmail control directories as typed TLS policies.

pub mod diagnostic;
pub mod error;
pub mod limits;
pub mod snapshot;
pub mod source;
