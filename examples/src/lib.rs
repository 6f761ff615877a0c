//! What the hvmail programs share: exit codes, diagnostics on the terminal, the choice of a TLS library.
//!
//! Does: parse arguments, call the crates, print. Does not: decide anything about SMTP, TLS or control files.
//! Fails: with an exit code of [`exit`] and one line on stderr that says what and where.

mod acceptors;
pub mod exit;
mod judges;
pub mod log;
pub mod print;
pub mod send;
pub mod smtpd;
pub mod tls;
pub mod tls_tool;
