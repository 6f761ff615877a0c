//! What became of each recipient, in words for a program and for a log.
//!
//! Does: hold one outcome per recipient with its TLS facts. Does not: decide, retry or print.
//! Fails: never.

use std::fmt;
use std::sync::Arc;

use smtp_proto::client::{self, Rejection};
use smtp_proto::wire::{Class, Extension, Extensions, Reply};
use smtp_tls::{OriginId, TlsInfo};

use crate::auth::AuthFailure;
use crate::error::Reason;

/// What became of a message: one entry per recipient, in the order in which they were given.
#[derive(Clone, Debug)]
#[must_use = "a report says which recipients must be tried again"]
pub struct Report {
    /// The recipients.
    pub recipients: Vec<RecipientReport>,
}

impl Report {
    /// Whether every recipient has the message.
    pub fn all_delivered(&self) -> bool {
        self.recipients.iter().all(|recipient| recipient.outcome.is_delivered())
    }

    /// Whether another attempt may help any recipient.
    pub fn any_deferred(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| matches!(recipient.outcome, Outcome::Deferred { .. }))
    }
}

/// What became of one recipient.
#[derive(Clone, Debug)]
pub struct RecipientReport {
    /// The address as it was given, without brackets.
    pub address: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What protected the connection, or why nothing did.
    pub tls: TlsRecord,
    /// Whether the server knew who sends.
    pub auth: AuthRecord,
    /// Extensions whose parameters were asked for and left out, for the sender or for any recipient
    /// of the same transaction, since the server does not offer them. With [`Extension::Dsn`] among
    /// them the server notifies as it likes (RFC 3461, 5.2.2).
    pub left_out: Extensions,
    /// The rule that asked for the TLS, where the policy knows one.
    pub origin: Option<OriginId>,
}

/// What became of a recipient.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The server took the message: it answered the final dot with 2yz.
    Delivered {
        /// That answer.
        reply: Reply,
    },
    /// Nothing is decided; a later attempt may succeed.
    Deferred {
        /// Why; shared by the recipients that it concerns together.
        reason: Arc<Reason>,
        /// Whether the server may hold the message already, so that another attempt may deliver it
        /// twice: the connection ended after the final dot may have been sent, before its reply.
        may_have_been_accepted: bool,
    },
    /// The message will not be taken for this recipient.
    Rejected(Rejection),
}

impl Outcome {
    pub(crate) fn deferred(reason: Arc<Reason>) -> Self {
        Self::Deferred { reason, may_have_been_accepted: false }
    }

    /// Whether the server took the message.
    pub const fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }

    /// `delivered`, `deferred` or `rejected`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Deferred { .. } => "deferred",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The server's reply that decided, where one did.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Delivered { reply } | Self::Rejected(Rejection::ByServer { reply, .. }) => {
                Some(reply)
            }
            Self::Deferred { reason, .. } => reason.reply(),
            Self::Rejected(
                Rejection::Incompatible(_) | Rejection::Message(_) | Rejection::EightBitNotDeclared,
            ) => None,
        }
    }

    /// The reply whose words are the outcome's: not one to STARTTLS, which the policy decides about,
    /// and not one that says yes where this was not to be said.
    fn words(&self) -> Option<&Reply> {
        match self {
            Self::Deferred { reason, .. } if matches!(**reason, Reason::Tls { .. }) => None,
            Self::Deferred { .. } => self.reply().filter(|reply| {
                matches!(reply.code().class(), Class::Transient | Class::Permanent)
            }),
            _ => self.reply(),
        }
    }

    /// The reply code: the server's, or one of class 4 or 5 for what this side found.
    pub fn code(&self) -> u16 {
        match (self.words(), self) {
            (Some(reply), _) => reply.code().get(),
            (None, Self::Deferred { reason, .. }) => reason.status().0,
            (None, Self::Rejected(_)) => self.local_status().0,
            (None, Self::Delivered { .. }) => 250,
        }
    }

    /// The text behind the code, in one line, with its enhanced status code where there is one. It
    /// says so where the server may hold the message already.
    pub fn text(&self) -> String {
        let mut text = self.why();
        if matches!(self, Self::Deferred { may_have_been_accepted: true, .. }) {
            text.push_str("; the server may already have accepted the message");
        }
        text
    }

    fn why(&self) -> String {
        match (self, self.words()) {
            (Self::Deferred { reason, .. }, None) => format!("{} {reason}", reason.status().1),
            (Self::Rejected(rejection), None) => format!("{} {rejection}", self.local_status().1),
            (_, Some(reply)) => one_line(reply),
            (Self::Delivered { .. }, None) => String::new(),
        }
    }

    fn local_status(&self) -> (u16, &'static str) {
        match self {
            Self::Rejected(Rejection::Incompatible(
                client::ServerIncompatible::MessageTooLarge { .. },
            )) => (552, "5.3.4"),
            Self::Rejected(Rejection::Incompatible(misfit)) => (
                554,
                match misfit {
                    client::ServerIncompatible::NotOffered(Extension::SmtpUtf8) => "5.6.7",
                    client::ServerIncompatible::NotOffered(Extension::RequireTls) => "5.7.30",
                    client::ServerIncompatible::NotOffered(Extension::BinaryMime)
                    | client::ServerIncompatible::EightBitNotOffered => "5.6.3",
                    _ => "5.3.3",
                },
            ),
            _ => (554, "5.6.0"),
        }
    }
}

/// `delivered 250 2.0.0 ok`
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.word(), self.code(), self.text())
    }
}

fn one_line(reply: &Reply) -> String {
    let mut text = reply.enhanced().map(|code| code.to_string()).unwrap_or_default();
    for line in reply.lines() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    text
}

/// Whether a server knew who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthRecord {
    /// The route has no [`Authentication`](crate::Authentication).
    NotWanted,
    /// AUTH succeeded with this mechanism.
    Authenticated {
        /// Its name, in capitals.
        mechanism: String,
    },
    /// The message went without, as the route allows.
    Without(AuthFailure),
    /// No message could be sent: the connection ended before that was settled.
    Unsettled,
}

/// What protected a connection, or why nothing did.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsRecord {
    /// TLS, with these parameters.
    Encrypted(TlsInfo),
    /// Nothing; the message went in clear.
    Clear(WhyClear),
    /// No message could be sent: the connection ended before that was settled.
    Unsettled,
}

/// Why a connection stayed in clear.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyClear {
    /// The policy asks for no TLS.
    Policy,
    /// The server does not offer STARTTLS.
    NotOffered,
    /// The server refused STARTTLS by this reply.
    Refused(Reply),
    /// The handshake failed on an earlier connection, and the policy then allows clear text.
    HandshakeFailed(String),
}

/// One word, for a log line: `TLSv1.3/TLS_AES_256_GCM_SHA384`, `none/not-offered`, `unsettled`.
impl fmt::Display for TlsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted(info) => write!(f, "{}/{}", info.version, info.suite),
            Self::Clear(WhyClear::Policy) => f.write_str("none/policy"),
            Self::Clear(WhyClear::NotOffered) => f.write_str("none/not-offered"),
            Self::Clear(WhyClear::Refused(_)) => f.write_str("none/refused"),
            Self::Clear(WhyClear::HandshakeFailed(_)) => f.write_str("none/handshake-failed"),
            Self::Unsettled => f.write_str("unsettled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::client::{Cause, Failure, Phase, ServerMisbehaved};
    use smtp_proto::wire::Code;

    #[test]
    fn a_reply_that_says_yes_out_of_place_lends_no_code_to_a_deferral() {
        for (code, shown) in [
            (Code::OK, "deferred 451 4.5.0 STARTTLS: the reply does not fit the command: 250 x"),
            (
                Code::START_MAIL_INPUT,
                "deferred 451 4.5.0 STARTTLS: the reply does not fit the command: 354 x",
            ),
            (Code::LOCAL_ERROR, "deferred 451 x"),
            (Code::TRANSACTION_FAILED, "deferred 554 x"),
        ] {
            let failure = Failure {
                phase: Phase::StartTls,
                cause: Cause::Misbehaved(ServerMisbehaved::MisplacedReply),
                reply: Some(Reply::new_static(code, None, "x")),
            };
            let outcome = Outcome::deferred(Arc::new(Reason::Session(failure)));
            assert_eq!(outcome.to_string(), shown);
        }
    }
}
