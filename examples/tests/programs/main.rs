//! The programs, run as users run them. One binary, so that it is linked once.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod client_certificates;
mod hostile;
mod log;
mod no_loss;
mod peers;
mod reload;
mod spine;
mod support;
mod tls_tool;
