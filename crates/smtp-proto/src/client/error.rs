//! What a server does against the protocol, and what it does not offer.
//!
//! Does: name it. Does not: decide what follows for a recipient; that is the session. Fails: never.

use thiserror::Error;

use crate::error::ApiMisuse;
use crate::wire::{Extension, ReplyError};

/// The server broke the protocol. The connection cannot be used any more, and none of these is a
/// reason to try again in clear.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerMisbehaved {
    /// Octets stood behind the 220 to STARTTLS: somebody put them there for the client to take as
    /// replies under TLS (RFC 3207, 6).
    #[error("octets came behind the reply to STARTTLS, before the handshake")]
    OctetsBehindStartTls,
    /// A reply came that no command awaits.
    #[error("a reply came that no command asked for")]
    UnsolicitedReply,
    /// A reply has a code that says nothing about its command.
    #[error("the reply does not fit the command")]
    MisplacedReply,
    /// The message was said to be taken before its end was sent, the final dot or the last chunk.
    #[error("the message was answered before its end was sent")]
    PrematureReply,
    /// What came is no reply (RFC 5321, 4.2).
    #[error("malformed reply: {0}")]
    MalformedReply(ReplyError),
}

/// The message does not fit what the server offers.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerIncompatible {
    /// The message is larger than the server takes (RFC 1870, 7).
    #[error("the message has {size} octets, the server takes {limit}")]
    MessageTooLarge {
        /// The message's size.
        size: u64,
        /// The server's limit.
        limit: u64,
    },
    /// The message has octets above 127, and 8BITMIME is not offered (RFC 6152, 3).
    #[error("the message has octets above 127, and the server does not offer 8BITMIME")]
    EightBitNotOffered,
    /// What was asked for needs this extension: BINARYMIME with CHUNKING, SMTPUTF8, REQUIRETLS
    /// under TLS, FUTURERELEASE, DELIVERBY or RRVS.
    #[error("the server does not offer {0}")]
    NotOffered(Extension),
    /// A parameter that this crate does not know: it cannot tell whether the server offers it.
    #[error("a parameter is not known, so it cannot be told whether the server offers it")]
    UnknownParameter,
}

/// AUTH was not begun; nothing was sent, and the session goes on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// The session is not [`Ready`](super::Output::Ready).
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
    /// The connection is in clear, and
    /// [`Config::auth_in_clear`](super::Config::auth_in_clear) does not allow it (RFC 4954, 4).
    #[error("credentials are not sent in clear")]
    InClear,
    /// The server does not offer the mechanism.
    #[error("the server does not offer this mechanism")]
    NotOffered,
    /// AUTH has succeeded in this session already (RFC 4954, 4).
    #[error("the session is authenticated already")]
    AlreadyAuthenticated,
}
