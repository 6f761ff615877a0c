//! What a session hands out, what it asks, and what it is answered.
//!
//! Does: give every output and every question a type of its own. Does not: hold state. Fails:
//! nothing here fails.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::ask::Ask;
use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::sasl::Exchange;
use crate::wire::{Command, Mail, Rcpt, Refusal, Reply, Verb};

/// The next thing to do for a session, in order.
///
/// There will be no other without a new major version: a driver that passes over one that it does
/// not know would stall its session, or lose a message, and the compiler is to say so.
///
/// A slice or a borrowed value is good until the next call on the session.
#[derive(Debug)]
#[must_use = "an output that is not carried out is lost"]
pub enum Output<'s> {
    /// Write all of these octets to the peer.
    Transmit(&'s [u8]),
    /// The client gave its name; it stands until the next one, or until [`Output::StartTls`].
    Hello(Hello<'s>),
    /// MAIL: may a transaction begin?
    Mail(Ask<question::Mail>, Mail<'s>),
    /// RCPT: is this recipient taken?
    Rcpt(Ask<question::Rcpt>, Rcpt<'s>),
    /// AUTH, or the client's answer to a challenge: what does the mechanism say?
    Auth(Ask<question::Auth>, Exchange<'s>),
    /// A command that [`Config::requests`](super::Config::requests) names. The reply is the
    /// handler's; 421 ends the session behind it, and in the place of one of class 3, which asks for
    /// more than commands, the client is told 451.
    Request(Ask<question::Request>, Command<'s>),
    /// DATA, or the first BDAT: may the message come?
    Data(Ask<question::Data>),
    /// A piece of the message: dots removed, line ends CRLF, never empty.
    Body(&'s [u8]),
    /// The message is whole: is it taken? An acceptance must come after it is safe.
    EndOfMessage(Ask<question::EndOfMessage>),
    /// The transaction that MAIL opened ended without a message: drop what it began.
    Abort,
    /// Make the TLS handshake as a server, then report it. Everything before it was transmitted.
    StartTls,
    /// Read into `input()`; nothing else is left to do.
    Wait(Phase),
    /// Something worth a line in the log.
    Note(Event),
    /// Close the connection. The session is over and says nothing else from now on.
    Close,
}

/// The client's name as EHLO or HELO gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'s> {
    /// The argument, as written: a name or an address literal, unverified.
    pub name: &'s str,
    /// EHLO, not HELO.
    pub extended: bool,
}

/// The kinds of question.
pub mod question {
    use super::{AuthVerdict, Commit, Reply, Verdict};
    use crate::ask::questions;

    questions! {
        /// Asked at MAIL.
        Mail(Verdict) = "MAIL";
        /// Asked at RCPT.
        Rcpt(Verdict) = "RCPT";
        /// Asked at AUTH, and behind every challenge.
        Auth(AuthVerdict) = "AUTH";
        /// Asked at a command that the handler answers.
        Request(Reply) = "request";
        /// Asked at DATA, and at the first BDAT.
        Data(Verdict) = "DATA";
        /// Asked once the message is whole.
        EndOfMessage(Commit) = "end of message";
    }
}

/// The answer to MAIL, RCPT and DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Accept,
    /// No; the session goes on, unless the code is 421.
    Refuse(Refusal),
    /// No; the session ends behind the reply.
    RefuseAndClose(Refusal),
}

/// What a SASL mechanism says to the client's last message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthVerdict {
    /// It goes on: this is sent in base64 behind 334.
    Challenge(Vec<u8>),
    /// The client is authenticated, until the session ends or STARTTLS begins anew.
    Accept,
    /// It failed: `535 5.7.8`, as a rule (RFC 4954 section 6). It counts as an error.
    Refuse(Refusal),
}

impl fmt::Debug for AuthVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(..)"),
            Self::Accept => f.write_str("Accept"),
            Self::Refuse(refusal) => f.debug_tuple("Refuse").field(refusal).finish(),
        }
    }
}

/// The answer at the end of a message. Who looks at one has to know them all: to take an
/// acceptance for a refusal, or a refusal for an acceptance, duplicates or loses a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The message is safe; responsibility for it has moved here (RFC 5321 section 4.2.5). The
    /// reply is the caller's if it gives one of class 2, else `250 2.0.0 ok`.
    Accepted(Option<Reply>),
    /// The message was not taken and nothing of it is left.
    Refused(Refusal),
    /// LMTP: the answer for each recipient that was accepted, in their order. For one that is
    /// missing the peer is told 451; none holds another list.
    ///
    /// SMTP has one answer for all: the first acceptance there is, else the first refusal. Who
    /// refuses for some of the recipients only owes their senders a notification.
    PerRecipient(Vec<Self>),
}

/// What a session waits for. A driver needs no more of it than [`Phase::timeout`] and
/// [`Phase::restarts_with_input`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The end of the time for which the greeting is held back, which is the variant's: then
    /// [`timed_out`](super::Session::timed_out) says so, and the greeting follows. Input before
    /// it is given to the session as always, and ends it.
    Greeting(Duration),
    /// A command line. The time runs from the moment that the session began to wait for it, not
    /// from the last octet: a line that trickles in gets no more than a line that does not come.
    Command,
    /// The message. The time runs anew with every read.
    Body,
}

impl Phase {
    /// How long RFC 5321 section 4.5.3.2.7 lets a server wait, or the greeting is held back.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Greeting(delay) => delay,
            Self::Command | Self::Body => limits::WAIT_COMMAND,
        }
    }

    /// Whether each read starts the time anew.
    #[must_use]
    pub const fn restarts_with_input(self) -> bool {
        match self {
            Self::Greeting(_) | Self::Command => false,
            Self::Body => true,
        }
    }
}

/// What happened, for the log. None of it holds what the peer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The peer broke a rule or met a limit; `verb` is the command's, where there is one.
    Refused {
        /// The command that was refused.
        verb: Option<Verb>,
        /// What was wrong.
        fault: PeerMisbehaved,
    },
    /// Octets stood behind a command that must be waited for; they were read all the same. It is
    /// said once in a session.
    ImproperPipelining {
        /// The command.
        verb: Verb,
    },
    /// Octets stood behind STARTTLS when it was read; none of them was used.
    InputBehindStartTls {
        /// How many were there.
        octets: usize,
    },
    /// The TLS handshake failed; the session ends without a word in clear.
    TlsFailed,
    /// A message was answered for fewer or more recipients than it has.
    WrongNumberOfVerdicts {
        /// How many recipients were accepted.
        recipients: usize,
        /// How many verdicts there were.
        verdicts: usize,
    },
    /// A question was dropped unanswered; the peer was told 451.
    QuestionDropped {
        /// The question's name.
        question: &'static str,
    },
    /// The peer went away.
    PeerClosed {
        /// Inside a command line, a transaction or a message.
        midway: bool,
    },
    /// The peer was silent for too long.
    TimedOut(Phase),
    /// The session was told to shut down.
    ShutDown,
}
