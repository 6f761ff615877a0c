//! What each command may do in each state: the whole of it, as one pure function.
//!
//! Does: decide every transition that a command makes ([`admit`]) and every transition that the
//! answer to a question makes ([`settle`]). Does not: see bytes, buffers or replies; it knows
//! verbs and facts. Fails: nothing here fails; what is not allowed is a [`PeerMisbehaved`].
//!
//! `docs/states.md` is printed from this file by its test.

use crate::error::PeerMisbehaved;
use crate::wire::Verb;

/// Where a session stands while it reads commands (RFC 5321 section 4.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The greeting is out, or TLS was just established: the client has no name yet.
    Connected,
    /// EHLO or HELO was accepted, and no transaction is open.
    Greeted,
    /// MAIL was accepted, and no recipient yet.
    Mail,
    /// At least one recipient was accepted.
    Rcpt,
}

impl State {
    /// All states, in the order in which a transaction walks through them.
    pub const ALL: [Self; 4] = [Self::Connected, Self::Greeted, Self::Mail, Self::Rcpt];

    /// Whether MAIL opened a transaction that has not ended.
    #[must_use]
    pub const fn in_transaction(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt)
    }

    const fn without_transaction(self) -> Self {
        match self {
            Self::Connected => Self::Connected,
            Self::Greeted | Self::Mail | Self::Rcpt => Self::Greeted,
        }
    }
}

/// Everything beside state and verb that decides a transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The session runs inside TLS.
    pub under_tls: bool,
    /// STARTTLS can be had.
    pub starttls_available: bool,
    /// The session does little else before TLS.
    pub tls_required: bool,
    /// Octets stand behind the command's line already.
    pub input_behind: bool,
    /// The client was offered PIPELINING.
    pub pipelining: bool,
    /// Octets behind a command that must be waited for end the session.
    pub waiting_enforced: bool,
    /// What is wrong with the command's argument.
    pub malformed: Option<PeerMisbehaved>,
    /// No command was recognised yet, and this is a line of another protocol.
    pub foreign: Option<PeerMisbehaved>,
    /// The size declared with MAIL is over the limit.
    pub declared_too_big: bool,
    /// The transaction has as many recipients as it may.
    pub recipients_full: bool,
    /// A recipient of the transaction was refused.
    pub recipient_refused: bool,
    /// The session sent as many commands that move no message as it may.
    pub junk_full: bool,
    /// The session sent as many MAIL commands as it may.
    pub messages_full: bool,
}

/// A question that a command puts to whoever drives the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// May this reverse-path begin a transaction?
    Mail,
    /// Is this recipient taken?
    Rcpt,
    /// May the message come?
    Data,
}

/// A reply that changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Courtesy {
    /// To NOOP.
    Noop,
    /// To HELP.
    Help,
    /// To VRFY: neither yes nor no (RFC 5321 section 7.3).
    Vrfy,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admit {
    /// Reply, and stay.
    Courtesy(Courtesy),
    /// Refuse, count an error, and stay.
    Refuse(PeerMisbehaved),
    /// Refuse, and end the session.
    Expel(PeerMisbehaved),
    /// Take the client's name, end any transaction, and go to the state.
    Hello(State),
    /// End any transaction, reply, and go to the state.
    Reset(State),
    /// Put the question; [`settle`] says what its answer does.
    Ask(Asked),
    /// End any transaction, say 220, and read nothing more before TLS is established.
    StartTls,
    /// End any transaction, say goodbye, and end the session.
    Quit,
}

/// What `verb` does in `state`. `None` is a line that begins with no known verb.
#[must_use]
pub const fn admit(state: State, verb: Option<Verb>, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    let Some(verb) = verb else {
        return match (facts.foreign, facts.malformed) {
            (Some(fault), _) => Admit::Expel(fault),
            (None, Some(fault)) => Admit::Refuse(fault),
            (None, None) => Admit::Refuse(Fault::Unrecognised),
        };
    };
    if matches!(verb, Verb::StartTls) {
        return starttls(facts);
    }
    if facts.waiting_enforced && does_not_wait(verb, facts) {
        return Admit::Expel(Fault::ImproperPipelining);
    }
    if facts.tls_required && !facts.under_tls && !comes_before_tls(verb) {
        return Admit::Refuse(Fault::TlsRequired);
    }
    match verb {
        Verb::StartTls => starttls(facts),
        Verb::Mail if facts.messages_full => Admit::Expel(Fault::TooManyMessages),
        Verb::Mail => match state {
            State::Connected => Admit::Refuse(Fault::HelloFirst),
            State::Mail | State::Rcpt => Admit::Refuse(Fault::NestedMail),
            State::Greeted => match facts.malformed {
                Some(fault) => Admit::Refuse(fault),
                None if facts.declared_too_big => Admit::Refuse(Fault::MessageTooBig),
                None => Admit::Ask(Asked::Mail),
            },
        },
        Verb::Rcpt => match state {
            State::Connected => Admit::Refuse(Fault::HelloFirst),
            State::Greeted => Admit::Refuse(Fault::MailFirst),
            State::Mail | State::Rcpt => match facts.malformed {
                Some(fault) => Admit::Refuse(fault),
                None if facts.recipients_full => Admit::Refuse(Fault::TooManyRecipients),
                None => Admit::Ask(Asked::Rcpt),
            },
        },
        Verb::Data => match (facts.malformed, state) {
            (Some(fault), _) => Admit::Refuse(fault),
            (None, State::Connected) => Admit::Refuse(Fault::HelloFirst),
            (None, State::Greeted) => Admit::Refuse(Fault::MailFirst),
            (None, State::Mail) if facts.recipient_refused => {
                Admit::Refuse(Fault::NoValidRecipients)
            }
            (None, State::Mail) => Admit::Refuse(Fault::RcptFirst),
            (None, State::Rcpt) => Admit::Ask(Asked::Data),
        },
        Verb::Ehlo | Verb::Helo => junk(facts, Admit::Hello(State::Greeted)),
        Verb::Rset => junk(facts, Admit::Reset(state.without_transaction())),
        Verb::Quit => match facts.malformed {
            Some(fault) => Admit::Refuse(fault),
            None => Admit::Quit,
        },
        Verb::Noop => junk(facts, Admit::Courtesy(Courtesy::Noop)),
        Verb::Help => junk(facts, Admit::Courtesy(Courtesy::Help)),
        Verb::Vrfy => junk(facts, Admit::Courtesy(Courtesy::Vrfy)),
        Verb::Expn
        | Verb::Auth
        | Verb::Bdat
        | Verb::Etrn
        | Verb::Atrn
        | Verb::Lhlo
        | Verb::Xclient
        | Verb::Xforward
        | Verb::Turn
        | Verb::Send
        | Verb::Soml
        | Verb::Saml => Admit::Refuse(Fault::NotImplemented),
    }
}

/// The order of the checks is qmail's (502, 501), with the refusal of input behind the command
/// where qmail empties its buffer.
const fn starttls(facts: Facts) -> Admit {
    if facts.under_tls || !facts.starttls_available {
        return Admit::Refuse(PeerMisbehaved::NotImplemented);
    }
    if let Some(fault) = facts.malformed {
        return Admit::Refuse(fault);
    }
    if facts.input_behind {
        return Admit::Expel(PeerMisbehaved::InputBehindStartTls);
    }
    Admit::StartTls
}

/// What moves no message is answered so often, and no more.
const fn junk(facts: Facts, admit: Admit) -> Admit {
    match facts.malformed {
        Some(fault) => Admit::Refuse(fault),
        None if facts.junk_full => Admit::Expel(PeerMisbehaved::TooMuchJunk),
        None => admit,
    }
}

/// Whether the client sent more behind a command whose reply it must wait for: one that may only
/// end a group (RFC 2920 section 3.1; whatever else is not said to stand within a group), or any
/// where PIPELINING was not offered.
#[must_use]
pub const fn does_not_wait(verb: Verb, facts: Facts) -> bool {
    let stands_in_a_group = matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Rset);
    facts.input_behind && !(stands_in_a_group && facts.pipelining)
}

/// RFC 3207 section 4 names NOOP, EHLO, STARTTLS and QUIT; HELO tells no more than EHLO.
const fn comes_before_tls(verb: Verb) -> bool {
    matches!(verb, Verb::Noop | Verb::Ehlo | Verb::Helo | Verb::StartTls | Verb::Quit)
}

/// What the answer to a question does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Go on reading commands, in this state.
    Commands(State),
    /// Read the message (RFC 5321 section 4.1.1.4).
    Message,
}

/// Where the answer to `asked`, put in `state`, leads.
///
/// A refused DATA leaves the transaction open: the client may add recipients, or reset it.
#[must_use]
pub const fn settle(state: State, asked: Asked, accepted: bool) -> Settled {
    match (asked, accepted) {
        (Asked::Mail, true) => Settled::Commands(State::Mail),
        (Asked::Rcpt, true) => Settled::Commands(State::Rcpt),
        (Asked::Data, true) => Settled::Message,
        (Asked::Mail | Asked::Rcpt | Asked::Data, false) => Settled::Commands(state),
    }
}

#[cfg(test)]
mod tests;
