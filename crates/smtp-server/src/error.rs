//! Errors of the server, and what it tells a peer of its own.
//!
//! Does: give each failure a type by whose fault it is. Does not: log. Fails: nothing here fails.

use std::io;
use std::net::SocketAddr;

use smtp_proto::error::ApiMisuse;
use smtp_proto::wire::{Code, Detail, Refusal, Reply};
use thiserror::Error;

/// A service could not listen: the host's or the configuration's fault.
#[derive(Debug, Error)]
#[error("service {service} cannot listen on {address}: {source}")]
pub struct BindError {
    /// The service.
    pub service: String,
    /// The address that could not be had.
    pub address: SocketAddr,
    /// What the host said.
    pub source: io::Error,
}

/// A running server was not changed; it goes on as it was.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// An address could not be had: the host's or the configuration's fault.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server was told to stop, or is gone.
    #[error("the server has stopped")]
    Stopped,
}

/// Why a connection ended otherwise than by the session's close.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("the peer could not be written to: {0}")]
    Write(#[source] io::Error),
    #[error("the peer took no output in time")]
    WriteTimedOut,
    #[error("the session was driven against its contract: {0}")]
    Misuse(#[from] ApiMisuse),
}

/// What the peer is told when a message could not be kept: 452 where there is no space, 451 for
/// everything else. Either way it keeps the message and tries again.
#[must_use]
pub fn storage_refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => refusal(
            Code::INSUFFICIENT_STORAGE,
            (3, 1),
            "mail system full, try again later (#4.3.1)",
        ),
        _ => refusal(Code::LOCAL_ERROR, (3, 0), "mail system error, try again later (#4.3.0)"),
    }
}

/// RFC 4954 section 6: nobody here knows the mechanism, whatever was offered.
pub(crate) fn no_mechanism() -> Refusal {
    refusal(Code::TLS_NOT_AVAILABLE, (7, 0), "temporary authentication failure (#4.7.0)")
}

pub(crate) fn credentials_invalid() -> Refusal {
    refusal(Code::CREDENTIALS_INVALID, (7, 8), "authentication failed (#5.7.8)")
}

pub(crate) fn malformed_exchange() -> Refusal {
    refusal(Code::ARGUMENT_SYNTAX, (5, 2), "malformed auth input (#5.5.2)")
}

/// RFC 3463 section 3.7: the message would have to be converted.
pub(crate) fn binary_message() -> Refusal {
    refusal(Code::TRANSACTION_FAILED, (6, 3), "cannot keep a binary message (#5.6.3)")
}

fn refusal(code: Code, (subject, detail): (u8, u8), text: &'static str) -> Refusal {
    Refusal::new(Reply::new_static(code, Some(Detail::new(subject, detail)), text))
        .expect("the code is 4yz or 5yz")
}
