//! Errors of the server, and what the peer is told of a failing sink.
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
    let reply = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Reply::new_static(
            Code::INSUFFICIENT_STORAGE,
            Some(Detail::new(3, 1)),
            "mail system full, try again later (#4.3.1)",
        ),
        _ => Reply::new_static(
            Code::LOCAL_ERROR,
            Some(Detail::new(3, 0)),
            "mail system error, try again later (#4.3.0)",
        ),
    };
    Refusal::new(reply).expect("both codes are 4yz")
}
