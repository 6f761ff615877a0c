//! What a reply means where it comes: one pure, exhaustive table.
//!
//! Does: `(phase, code) → meaning`. Does not: hold state, pair replies with commands, or send.
//! Fails: never; a code that has no place is [`Meaning::Misplaced`].

use super::event::Phase;
use crate::wire::{Class, Code, Reply};

/// What a reply means to the command that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The next step may be taken.
    GoOn,
    /// EHLO is not known: HELO may be.
    TryHelo,
    /// Refused for now.
    Defer,
    /// Refused for good.
    Reject,
    /// The server closes, whatever was asked.
    Closing,
    /// No such reply is allowed here.
    Misplaced,
}

/// The table.
///
/// - 421 closes the service wherever it comes (RFC 5321, 4.2.3), and counts as an answer to
///   QUIT as any other reply does.
/// - STARTTLS goes on at 220 alone, DATA at 354 alone (RFC 3207, 4; RFC 5321,
///   4.1.1.4): what else is positive there says nothing.
/// - The service as a whole is never refused for good: a greeting, HELO or RSET that is refused
///   defers, as another connection may be met differently.
/// - 552 to RCPT means too many recipients, and is temporary (RFC 5321, 4.5.3.1.10), unless
///   its enhanced code says something else.
/// - A refusal before the message is over decides it: a server should wait for the final dot, and
///   some do not. Success there answers nothing.
pub(super) fn meaning(phase: Phase, reply: &Reply) -> Meaning {
    let code = reply.code();
    let class = code.class();
    match phase {
        Phase::Quit => Meaning::GoOn,
        _ if code == Code::SERVICE_NOT_AVAILABLE => Meaning::Closing,
        Phase::Greeting | Phase::Helo | Phase::Rset => match class {
            Class::Positive => Meaning::GoOn,
            Class::Transient | Class::Permanent => Meaning::Defer,
            Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Ehlo => match class {
            Class::Positive => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::TryHelo,
            Class::Intermediate => Meaning::Misplaced,
        },
        Phase::StartTls => match class {
            Class::Positive if code == Code::READY => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Rcpt if code == Code::EXCEEDED_STORAGE && !names_another_limit(reply) => {
            Meaning::Defer
        }
        Phase::Mail | Phase::Rcpt | Phase::FinalDot => match class {
            Class::Positive => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Data => match class {
            Class::Intermediate if code == Code::START_MAIL_INPUT => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Body => match class {
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
    }
}

/// Whether an enhanced code says that it is not the number of recipients (X.5.3, RFC 3463
///, 3.6) that was exceeded.
fn names_another_limit(reply: &Reply) -> bool {
    reply.enhanced().is_some_and(|enhanced| (enhanced.subject, enhanced.detail) != (5, 3))
}
