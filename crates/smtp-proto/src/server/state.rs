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
#[non_exhaustive]
pub enum State {
    /// The greeting is out, or TLS was just established: the client has no name yet.
    Connected,
    /// EHLO or HELO was accepted, and no transaction is open.
    Greeted,
    /// MAIL was accepted, and no recipient yet.
    Mail,
    /// At least one recipient was accepted.
    Rcpt,
    /// The message has begun with BDAT, and its last chunk did not come yet (RFC 3030).
    Chunks,
}

impl State {
    /// All states, in the order in which a transaction walks through them.
    pub const ALL: [Self; 5] =
        [Self::Connected, Self::Greeted, Self::Mail, Self::Rcpt, Self::Chunks];

    /// Whether MAIL opened a transaction that has not ended.
    #[must_use]
    pub const fn in_transaction(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt | Self::Chunks)
    }

    /// Where the end of a transaction leads, if there is one.
    #[must_use]
    pub const fn without_transaction(self) -> Self {
        match self {
            Self::Connected => Self::Connected,
            Self::Greeted | Self::Mail | Self::Rcpt | Self::Chunks => Self::Greeted,
        }
    }
}

/// Everything beside state and verb that decides a transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)]
pub struct Facts {
    /// The session speaks LMTP.
    pub lmtp: bool,
    /// The session runs inside TLS.
    pub under_tls: bool,
    /// STARTTLS can be had.
    pub starttls_available: bool,
    /// The session does little else before TLS.
    pub tls_required: bool,
    /// The session does little else before AUTH.
    pub auth_required: bool,
    /// The client is authenticated.
    pub authenticated: bool,
    /// How AUTH stands to the session.
    pub auth: AuthOffer,
    /// The mechanism of AUTH is one of those offered.
    pub mechanism_known: bool,
    /// AUTH carries all that its mechanism is known to say.
    pub auth_completes: bool,
    /// BDAT was offered.
    pub chunking: bool,
    /// The octets behind BDAT are more than may be read for nobody.
    pub chunk_too_costly: bool,
    /// No octets are behind BDAT, and it is not the last chunk.
    pub chunk_empty: bool,
    /// The handler answers this command.
    pub requested: bool,
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
    /// The size declared with MAIL, or that of the message with this chunk, is over the limit.
    pub declared_too_big: bool,
    /// The transaction has as many recipients as it may.
    pub recipients_full: bool,
    /// A recipient of the transaction was refused.
    pub recipient_refused: bool,
    /// RCPT is outside ASCII, in its address or a parameter, and MAIL did not say SMTPUTF8.
    pub recipient_needs_utf8: bool,
    /// MAIL said BODY=BINARYMIME.
    pub binary: bool,
    /// The session sent as many commands that move no message as it may.
    pub junk_full: bool,
    /// The session sent as many MAIL commands as it may.
    pub messages_full: bool,
}

/// How AUTH stands to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthOffer {
    /// There is none.
    #[default]
    None,
    /// It is offered under TLS, and the session is in clear.
    UnderTls,
    /// It is offered now.
    Now,
}

/// A question that a command puts to whoever drives the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asked {
    /// May this reverse-path begin a transaction?
    Mail,
    /// Is this recipient taken?
    Rcpt,
    /// May the message come?
    Data,
    /// May the message come, whose first chunk follows at once?
    Chunks,
    /// What does the mechanism say to AUTH, or to the client's answer?
    Auth,
    /// What is the reply to this command?
    Request,
}

/// A reply that changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum Admit {
    /// Reply, and stay.
    Courtesy(Courtesy),
    /// Refuse, count an error, and stay.
    Refuse(PeerMisbehaved),
    /// Refuse, and end the session.
    Expel(PeerMisbehaved),
    /// Read the chunk for nobody, end any transaction, refuse, count an error.
    Discard(PeerMisbehaved),
    /// Read the next chunk of the message.
    Chunk,
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
    // Nobody knows how many octets follow.
    if let (Verb::Bdat, Some(fault)) = (verb, facts.malformed) {
        return Admit::Expel(fault);
    }
    if facts.tls_required && !facts.under_tls && !comes_before_tls(verb) {
        return refuse(verb, facts, Fault::TlsRequired);
    }
    if facts.auth_required && !facts.authenticated && !comes_before_auth(verb) {
        return refuse(verb, facts, Fault::AuthRequired);
    }
    match verb {
        Verb::Mail => mail(state, facts),
        Verb::Rcpt => rcpt(state, facts),
        Verb::Data => data(state, facts),
        Verb::Bdat => bdat(state, facts),
        Verb::Auth => auth(state, facts),
        Verb::StartTls => starttls(facts),
        Verb::Ehlo | Verb::Helo if facts.lmtp => Admit::Refuse(Fault::Unrecognised),
        Verb::Lhlo if !facts.lmtp => Admit::Refuse(Fault::NotImplemented),
        Verb::Ehlo | Verb::Helo | Verb::Lhlo => junk(facts, Admit::Hello(State::Greeted)),
        Verb::Rset => junk(facts, Admit::Reset(state.without_transaction())),
        Verb::Quit => match facts.malformed {
            Some(fault) => Admit::Refuse(fault),
            None => Admit::Quit,
        },
        Verb::Noop => junk(facts, Admit::Courtesy(Courtesy::Noop)),
        Verb::Help if !facts.requested => junk(facts, Admit::Courtesy(Courtesy::Help)),
        Verb::Vrfy if !facts.requested => junk(facts, Admit::Courtesy(Courtesy::Vrfy)),
        Verb::Help | Verb::Vrfy | Verb::Expn | Verb::Etrn if facts.requested => {
            junk(facts, Admit::Ask(Asked::Request))
        }
        Verb::Xclient | Verb::Xforward if facts.requested => {
            if state.in_transaction() {
                return Admit::Refuse(Fault::InTransaction);
            }
            junk(facts, Admit::Ask(Asked::Request))
        }
        Verb::Help
        | Verb::Vrfy
        | Verb::Expn
        | Verb::Etrn
        | Verb::Atrn
        | Verb::Xclient
        | Verb::Xforward
        | Verb::Turn
        | Verb::Send
        | Verb::Soml
        | Verb::Saml => Admit::Refuse(Fault::NotImplemented),
    }
}

const fn hello_first(facts: Facts) -> PeerMisbehaved {
    if facts.lmtp { PeerMisbehaved::LhloFirst } else { PeerMisbehaved::HelloFirst }
}

/// In LMTP it is 503 in any case (RFC 2033 section 4.2).
const fn no_recipient(facts: Facts) -> PeerMisbehaved {
    match facts.recipient_refused && !facts.lmtp {
        true => PeerMisbehaved::NoValidRecipients,
        false => PeerMisbehaved::RcptFirst,
    }
}

const fn mail(state: State, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    if facts.messages_full {
        return Admit::Expel(Fault::TooManyMessages);
    }
    match state {
        State::Connected => Admit::Refuse(hello_first(facts)),
        State::Mail | State::Rcpt => Admit::Refuse(Fault::NestedMail),
        State::Chunks => Admit::Refuse(Fault::ChunksBegun),
        State::Greeted => match facts.malformed {
            Some(fault) => Admit::Refuse(fault),
            None if facts.declared_too_big => Admit::Refuse(Fault::MessageTooBig),
            None => Admit::Ask(Asked::Mail),
        },
    }
}

const fn rcpt(state: State, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    match state {
        State::Connected => Admit::Refuse(hello_first(facts)),
        State::Greeted => Admit::Refuse(Fault::MailFirst),
        State::Chunks => Admit::Refuse(Fault::ChunksBegun),
        State::Mail | State::Rcpt => match facts.malformed {
            Some(fault) => Admit::Refuse(fault),
            None if facts.recipients_full => Admit::Refuse(Fault::TooManyRecipients),
            None if facts.recipient_needs_utf8 => Admit::Refuse(Fault::AddressNeedsUtf8),
            None => Admit::Ask(Asked::Rcpt),
        },
    }
}

const fn data(state: State, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    match (facts.malformed, state) {
        (Some(fault), _) => Admit::Refuse(fault),
        (None, State::Connected) => Admit::Refuse(hello_first(facts)),
        (None, State::Greeted) => Admit::Refuse(Fault::MailFirst),
        (None, State::Mail) => Admit::Refuse(no_recipient(facts)),
        (None, State::Rcpt) if facts.binary => Admit::Refuse(Fault::BinaryNeedsBdat),
        (None, State::Rcpt) => Admit::Ask(Asked::Data),
        (None, State::Chunks) => Admit::Refuse(Fault::ChunksBegun),
    }
}

const fn bdat(state: State, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    let fault = match state {
        _ if !facts.chunking => Fault::NotImplemented,
        State::Connected => hello_first(facts),
        State::Greeted => Fault::MailFirst,
        State::Mail => no_recipient(facts),
        State::Rcpt | State::Chunks if facts.chunk_empty && facts.junk_full => {
            return Admit::Expel(Fault::TooMuchJunk);
        }
        State::Rcpt | State::Chunks if facts.declared_too_big => Fault::MessageTooBig,
        State::Rcpt => return Admit::Ask(Asked::Chunks),
        State::Chunks => return Admit::Chunk,
    };
    refuse(Verb::Bdat, facts, fault)
}

/// Refuses a command with what comes behind it.
const fn refuse(verb: Verb, facts: Facts, fault: PeerMisbehaved) -> Admit {
    match verb {
        Verb::Bdat if facts.chunk_too_costly => Admit::Expel(fault),
        Verb::Bdat => Admit::Discard(fault),
        _ => Admit::Refuse(fault),
    }
}

const fn auth(state: State, facts: Facts) -> Admit {
    use PeerMisbehaved as Fault;
    let fault = match (facts.auth, facts.malformed) {
        (AuthOffer::None, _) => Fault::NotImplemented,
        (AuthOffer::UnderTls, _) => Fault::AuthNeedsTls,
        (AuthOffer::Now, _) if facts.authenticated => Fault::AlreadyAuthenticated,
        (AuthOffer::Now, _) if state.in_transaction() => Fault::InTransaction,
        (AuthOffer::Now, _) if matches!(state, State::Connected) => hello_first(facts),
        (AuthOffer::Now, Some(fault)) => fault,
        (AuthOffer::Now, None) if !facts.mechanism_known => Fault::MechanismUnknown,
        (AuthOffer::Now, None) => return Admit::Ask(Asked::Auth),
    };
    Admit::Refuse(fault)
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
/// where PIPELINING was not offered. What stands behind BDAT is its chunk. AUTH ends a group, except
/// where it is known to be over with its first reply (RFC 4954 section 4).
#[must_use]
pub const fn does_not_wait(verb: Verb, facts: Facts) -> bool {
    let stands_in_a_group = match verb {
        Verb::Mail | Verb::Rcpt | Verb::Rset => true,
        Verb::Auth => facts.auth_completes,
        _ => false,
    };
    let waits_for_its_reply = !(stands_in_a_group && facts.pipelining);
    facts.input_behind && waits_for_its_reply && !matches!(verb, Verb::Bdat)
}

/// RFC 3207 section 4 names NOOP, EHLO, STARTTLS and QUIT; HELO and LHLO tell no more than EHLO.
const fn comes_before_tls(verb: Verb) -> bool {
    let hello = matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo);
    hello || matches!(verb, Verb::Noop | Verb::StartTls | Verb::Quit)
}

/// RFC 4954 section 6 names AUTH, EHLO, HELO, NOOP, RSET and QUIT; without STARTTLS there might be
/// no AUTH, and what a proxy says of its client is no action of that client.
const fn comes_before_auth(verb: Verb) -> bool {
    comes_before_tls(verb) || matches!(verb, Verb::Auth | Verb::Rset | Verb::Xclient)
}

/// What the answer to a question does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Settled {
    /// Go on reading commands, in this state.
    Commands(State),
    /// Read the message (RFC 5321 section 4.1.1.4).
    Message,
    /// Read the chunk for the message (RFC 3030 section 2).
    Chunk,
    /// Read the chunk for nobody, end the transaction, and then say no.
    Discard,
}

/// Where the answer to `asked`, put in `state`, leads.
///
/// A refused DATA leaves the transaction open: the client may add recipients, or reset it. A
/// refused BDAT does not: the chunks behind it are no message. XCLIENT that was accepted begins
/// the session anew, which is for the session to do: only it knows the verb.
#[must_use]
pub const fn settle(state: State, asked: Asked, accepted: bool) -> Settled {
    match (asked, accepted) {
        (Asked::Mail, true) => Settled::Commands(State::Mail),
        (Asked::Rcpt, true) => Settled::Commands(State::Rcpt),
        (Asked::Data, true) => Settled::Message,
        (Asked::Chunks, true) => Settled::Chunk,
        (Asked::Chunks, false) => Settled::Discard,
        (Asked::Mail | Asked::Rcpt | Asked::Data, false) | (Asked::Auth | Asked::Request, _) => {
            Settled::Commands(state)
        }
    }
}

#[cfg(test)]
mod tests;
