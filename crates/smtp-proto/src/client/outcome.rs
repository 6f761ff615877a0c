//! What became of a recipient, and why a session ended.
//!
//! Does: say it in types, with the reply that decided it: at most
//! [`REPLY_TEXT_KEPT`](crate::limits::REPLY_TEXT_KEPT) octets of its text, shared by all whom it
//! concerns. Does not: decide. Fails: never.

use core::fmt;

use thiserror::Error;

use super::error::{ServerIncompatible, ServerMisbehaved};
use super::event::Phase;
use crate::wire::{MessageFault, Reply};

/// What became of one recipient of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took the message for this recipient: it answered the final dot, or the last
    /// chunk, with 2yz.
    Delivered {
        /// The reply to the end of the message.
        reply: Reply,
    },
    /// Nothing is decided; a later attempt may succeed.
    Deferred {
        /// Where, why, and by which reply.
        failure: Failure,
        /// Whether the end of the message may have reached the server. The server may then hold the
        /// message already, and another attempt may deliver it twice
        /// (RFC 5321, 6.1; RFC 1047).
        may_have_been_accepted: bool,
    },
    /// The server, or this client, will not take this message for this recipient.
    Rejected(Rejection),
}

/// Why a recipient is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The server said so.
    #[error("{phase} refused: {reply}")]
    ByServer {
        /// What it refused.
        phase: Phase,
        /// Its 5yz reply.
        reply: Reply,
    },
    /// The message does not fit what the server offers; nothing of it was sent.
    #[error(transparent)]
    Incompatible(#[from] ServerIncompatible),
    /// The message has octets above 127, and
    /// [`MessageFacts::eight_bit`](super::MessageFacts::eight_bit) had said that it has none. Its
    /// end was not sent.
    #[error("the message has octets above 127, which was not declared")]
    EightBitNotDeclared,
    /// The message breaks a rule of [`Config::message`](super::Config::message). Its end was not
    /// sent, so nobody has it.
    #[error(transparent)]
    Message(#[from] MessageFault),
}

/// Where, why and by which reply a session or a transaction came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was waited for.
    pub phase: Phase,
    /// What went wrong.
    pub cause: Cause,
    /// The reply that said so, where one did.
    pub reply: Option<Reply>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.cause)?;
        match &self.reply {
            Some(reply) => write!(f, ": {reply}"),
            None => Ok(()),
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// The server refused by a reply: 4yz, or 5yz to the session as a whole.
    #[error("refused")]
    Refused,
    /// The recipient is one more than the server takes (RFC 9422); it was not sent.
    #[error("the server takes fewer recipients at once")]
    LimitReached,
    /// The server closes the service (421).
    #[error("the server closes the connection")]
    ServiceClosing,
    /// The connection ended.
    #[error("the connection was lost")]
    ConnectionLost,
    /// The phase's time was over.
    #[error("timed out")]
    TimedOut,
    /// The caller ended the session, or the message broke a rule on its way, so that its end is not
    /// sent.
    #[error("stopped")]
    Stopped,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    TlsFailed,
    /// The server broke the protocol. Never a reason to try again in clear.
    #[error(transparent)]
    Misbehaved(#[from] ServerMisbehaved),
}
