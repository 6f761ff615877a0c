//! What a client session tells its caller besides octets: phases, questions and notes.
//!
//! Does: name them. Does not: hold the session's state. Fails: never.

use core::fmt;
use core::time::Duration;

use super::outcome::Failure;
use crate::limits;
use crate::wire::sasl::Secret;
use crate::wire::{Extension, Reply};

/// What the session waits for: the reply to one command, or the time to write one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The greeting.
    Greeting,
    /// The reply to EHLO.
    Ehlo,
    /// The reply to HELO, sent where EHLO was refused.
    Helo,
    /// The reply to LHLO, which takes the place of EHLO under LMTP.
    Lhlo,
    /// The reply to STARTTLS.
    StartTls,
    /// The reply to AUTH, or to a response within its exchange.
    Auth,
    /// The reply to RSET.
    Rset,
    /// The reply to MAIL.
    Mail,
    /// The reply to a RCPT.
    Rcpt,
    /// The reply to DATA.
    Data,
    /// A block of the message goes out. The session waits in it only where the peer has begun to
    /// speak before the message was over.
    Body,
    /// The reply to the final dot.
    FinalDot,
    /// The reply to a chunk that is not the last.
    Bdat,
    /// The reply to the last chunk.
    BdatLast,
    /// The reply to QUIT.
    Quit,
}

impl Phase {
    /// How long the peer may take, each time anew: for one reply, or to take one block of the
    /// message (RFC 5321, 4.5.3.2).
    ///
    /// The RFC names no time for EHLO, HELO, LHLO, STARTTLS, AUTH and RSET; they are given that of
    /// MAIL. A chunk is a block of the message, and the last chunk ends it as the dot does.
    /// QUIT changes no outcome any more, and is waited for briefly.
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Greeting => limits::WAIT_GREETING,
            Self::Ehlo
            | Self::Helo
            | Self::Lhlo
            | Self::StartTls
            | Self::Auth
            | Self::Rset
            | Self::Mail => limits::WAIT_MAIL,
            Self::Rcpt => limits::WAIT_RCPT,
            Self::Data => limits::WAIT_DATA_START,
            Self::Body | Self::Bdat => limits::WAIT_DATA_BLOCK,
            Self::FinalDot | Self::BdatLast => limits::WAIT_DATA_END,
            Self::Quit => limits::WAIT_QUIT,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Rset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "message",
            Self::FinalDot => "final dot",
            Self::Bdat => "BDAT",
            Self::BdatLast => "BDAT LAST",
            Self::Quit => "QUIT",
        })
    }
}

/// The questions that a client session asks.
pub mod question {
    use super::{AfterHello, AfterRefusal, AuthResponse};
    use crate::ask::questions;

    questions! {
        /// The server has said what it offers: what now?
        Hello(AfterHello) = "EHLO";
        /// The server has refused STARTTLS by a reply: what now?
        StartTlsRefused(AfterRefusal) = "STARTTLS";
        /// The server wants something of the authentication mechanism: what does it say?
        Challenge(AuthResponse) = "AUTH";
    }
}

/// What follows the reply to EHLO or HELO in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterHello {
    /// Send STARTTLS.
    StartTls,
    /// Go on with the connection as it is.
    Proceed,
    /// Say QUIT and close.
    Quit,
}

/// What follows a refused STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Go on in clear.
    Proceed,
    /// Say QUIT and close.
    Quit,
}

/// The answer to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthResponse {
    /// What the mechanism says, before base64.
    Response(Secret),
    /// The exchange is given up: `*` (RFC 4954, 4).
    Cancel,
}

/// What happened, for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server's greeting.
    Greeted(Reply),
    /// EHLO was refused; HELO is tried.
    EhloRefused(Reply),
    /// Parameters of this extension, which the server does not offer, are left out.
    LeftOut(Extension),
    /// AUTH succeeded.
    Authenticated(Reply),
    /// AUTH was refused; the session goes on without it.
    AuthRefused(Reply),
    /// AUTH was given up, by the caller, because what the server asked is no base64 (RFC 4954, 4),
    /// or because it asked more than [`AUTH_CHALLENGES`](crate::limits::AUTH_CHALLENGES) times; the
    /// session goes on without it.
    AuthCancelled(Reply),
    /// The handshake succeeded; what was known of the server is forgotten.
    TlsEstablished,
    /// The session is over before its time.
    Failed(Failure),
}
