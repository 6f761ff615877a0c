//! Why a recipient is deferred, by whose fault.
//!
//! Does: name it, and give it the code that a log shows where no reply of the server has one.
//! Does not: decide what is deferred and what is rejected. Fails: never.

use std::io;

use smtp_proto::client::{Cause, Failure, ServerMisbehaved};
use smtp_proto::wire::Reply;
use smtp_tls::{ConfigError, HandshakeError, TlsRefusal};
use thiserror::Error;

use crate::auth::AuthFailure;
use crate::report::TlsRecord;

/// Why nothing is decided for a recipient.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Reason {
    /// The host's addresses could not be found.
    #[error("cannot resolve {host}: {error}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// No address of the host took the connection; this is what the last one said.
    #[error("cannot connect to {to}: {error}")]
    Connect {
        /// The host, with its port.
        to: String,
        /// What the last address said.
        error: io::Error,
    },
    /// The policy keeps the message from this host.
    #[error("{refusal}{}", detail(.reply.as_ref()))]
    Tls {
        /// Which rule of the policy.
        refusal: TlsRefusal,
        /// The reply that refused STARTTLS, where one did.
        reply: Option<Reply>,
    },
    /// The handshake failed, and the policy does not go on in clear.
    #[error("{0}")]
    Handshake(HandshakeError),
    /// The policy cannot be put to work here.
    #[error("TLS policy: {0}")]
    Policy(#[from] ConfigError),
    /// The route's [`Authentication`](crate::Authentication) is required, and failed.
    #[error("{0}")]
    Auth(AuthFailure),
    /// The session or the transaction came to nothing.
    #[error("{0}")]
    Session(Failure),
    /// An earlier message was given up while it was sent over the same connection, which is of no
    /// use since.
    #[error("an earlier message was given up while it was sent")]
    Abandoned,
    /// The message could not be read to its end.
    #[error("cannot read the message: {0}")]
    Message(io::Error),
}

impl Reason {
    /// The server's reply, where one decided.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Session(failure) => failure.reply.as_ref(),
            Self::Tls { reply, .. } => reply.as_ref(),
            Self::Auth(AuthFailure::Refused(reply)) => Some(reply),
            _ => None,
        }
    }

    /// The reply code and the enhanced status code (RFC 3463) of what this side found; a reply of
    /// the server has its own.
    pub(crate) fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Resolve { .. } => (451, "4.4.3"),
            Self::Connect { .. } => (451, "4.4.1"),
            Self::Tls { refusal: TlsRefusal::NotOffered | TlsRefusal::Refused, .. } => {
                (451, "4.7.4")
            }
            Self::Tls { .. } | Self::Handshake(_) | Self::Policy(_) => (451, "4.7.5"),
            // X.7.11 asks for encryption, X.7.4 is a feature that is not there, X.7.0 any other.
            Self::Auth(AuthFailure::InClear) => (451, "4.7.11"),
            Self::Auth(AuthFailure::NotOffered) => (451, "4.7.4"),
            Self::Auth(_) => (451, "4.7.0"),
            Self::Message(_) | Self::Abandoned => (451, "4.3.0"),
            Self::Session(failure) => match failure.cause {
                Cause::Misbehaved(ServerMisbehaved::OctetsBehindStartTls) => (451, "4.7.5"),
                Cause::Misbehaved(_) => (451, "4.5.0"),
                Cause::TlsFailed => (451, "4.7.5"),
                Cause::Stopped => (451, "4.3.2"),
                Cause::LimitReached => (452, "4.5.3"),
                Cause::Refused
                | Cause::ServiceClosing
                | Cause::ConnectionLost
                | Cause::TimedOut => (451, "4.4.2"),
            },
        }
    }
}

fn detail(reply: Option<&Reply>) -> String {
    reply.map(|reply| format!(": {reply}")).unwrap_or_default()
}

/// A connection that could not be opened.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct OpenError {
    /// Why.
    pub reason: Reason,
    /// How far TLS came.
    pub tls: TlsRecord,
}
