//! What a client session tells its caller besides octets: phases, questions and notes.
//!
//! Does: name them. Does not: hold the session's state. Fails: never.

use core::fmt;
use core::time::Duration;

use super::outcome::Failure;
use crate::limits;
use crate::wire::Reply;

/// What the session waits for: the reply to one command, or the time to write one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The greeting.
    Greeting,
    /// The reply to EHLO.
    Ehlo,
    /// The reply to HELO, sent where EHLO was refused.
    Helo,
    /// The reply to STARTTLS.
    StartTls,
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
    /// The reply to QUIT.
    Quit,
}

impl Phase {
    /// How long the peer may take, each time anew: for one reply, or to take one block of the
    /// message (RFC 5321, 4.5.3.2).
    ///
    /// The RFC names no time for EHLO, HELO, STARTTLS and RSET; they are given that of MAIL.
    /// QUIT changes no outcome any more, and is waited for briefly.
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Greeting => limits::WAIT_GREETING,
            Self::Ehlo | Self::Helo | Self::StartTls | Self::Rset | Self::Mail => limits::WAIT_MAIL,
            Self::Rcpt => limits::WAIT_RCPT,
            Self::Data => limits::WAIT_DATA_START,
            Self::Body => limits::WAIT_DATA_BLOCK,
            Self::FinalDot => limits::WAIT_DATA_END,
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
            Self::StartTls => "STARTTLS",
            Self::Rset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "message",
            Self::FinalDot => "final dot",
            Self::Quit => "QUIT",
        })
    }
}

/// The questions that a client session asks.
pub mod question {
    use crate::ask::Question;

    /// The server has said what it offers: what now?
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Hello {}

    impl Question for Hello {
        type Verdict = super::AfterHello;
        const NAME: &'static str = "EHLO";
    }

    /// The server has refused STARTTLS by a reply: what now?
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum StartTlsRefused {}

    impl Question for StartTlsRefused {
        type Verdict = super::AfterRefusal;
        const NAME: &'static str = "STARTTLS";
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

impl From<AfterRefusal> for AfterHello {
    fn from(verdict: AfterRefusal) -> Self {
        match verdict {
            AfterRefusal::Proceed => Self::Proceed,
            AfterRefusal::Quit => Self::Quit,
        }
    }
}

/// What happened, for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server's greeting.
    Greeted(Reply),
    /// EHLO was refused; HELO is tried.
    EhloRefused(Reply),
    /// The handshake succeeded; what was known of the server is forgotten.
    TlsEstablished,
    /// The session is over before its time.
    Failed(Failure),
}
