//! What the session does between two calls: replies to steps, commands to octets, and every way
//! in which it ends.
//!
//! Does: move the state on. Does not: hold it, or face the caller. Fails: what the server does
//! against the protocol, and what the caller interrupts, ends in [`Session::fail`], once.

use zeroize::Zeroize as _;

use super::error::ServerMisbehaved;
use super::event::{Event, Phase};
use super::outcome::{Cause, Failure};
use super::state::{Meaning, meaning};
use super::transaction::{Stage, Transaction};
use super::{Session, State, Step};
use crate::error::ApiMisuse;
use crate::limits::REPLY_TEXT_KEPT;
use crate::wire::{Capabilities, Code, Reply};

impl Session {
    pub(super) fn advance(&mut self) -> Step {
        match self.state {
            State::TlsFirst | State::Handshake { .. } => Step::StartTls,
            State::AskHello => Step::AskHello,
            State::AskRefusal => Step::AskRefusal,
            State::AskChallenge => Step::AskChallenge,
            State::Ready => Step::Ready,
            State::Asked(_) | State::Closed => Step::Close,
            _ if !self.outbox.is_empty() && !self.given => Step::Transmit,
            State::Await(phase) => match self.next_reply(phase) {
                Some(reply) => {
                    self.hear(phase, reply);
                    Step::Again
                }
                None if self.state == State::Closed => Step::Again,
                None => Step::Wait(phase),
            },
            State::Transaction => self.advance_transaction(),
        }
    }

    fn advance_transaction(&mut self) -> Step {
        let Some(transaction) = &mut self.transaction else {
            self.state = State::Ready;
            return Step::Again;
        };
        if transaction.stage() == Stage::Done {
            return self.finish_transaction();
        }
        let phase = transaction.phase();
        match transaction.awaited() {
            // What lies here was said before the command that goes out next.
            None if self.unsolicited(phase) => return Step::Again,
            None => {}
            // All that came is paired before more commands go out, so that no reply can answer a
            // command that was not sent yet.
            Some(phase) => {
                if let Some(reply) = self.next_reply(phase) {
                    let early = self.inbox.began_early();
                    if let Some(transaction) = &mut self.transaction
                        && let Err(failure) = transaction.reply(reply, early, &mut self.outbox)
                    {
                        self.fail(failure.phase, failure.cause, failure.reply);
                    }
                    return Step::Again;
                }
            }
        }
        self.pump();
        match &self.transaction {
            Some(transaction) if self.outbox.is_empty() => match transaction.stage() {
                Stage::Done => Step::Again,
                _ if transaction.wants_body() => Step::Body,
                _ => Step::Wait(transaction.phase()),
            },
            _ => Step::Again,
        }
    }

    fn pump(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.pump(&mut self.outbox);
        }
    }

    fn finish_transaction(&mut self) -> Step {
        if let Some(transaction) = self.transaction.take() {
            self.reset_first = transaction.open_at_server();
            self.inbox.keep_utf8(false);
            // Every recipient is decided here; the failure is given to none.
            let none = Failure { phase: Phase::FinalDot, cause: Cause::Stopped, reply: None };
            self.outcomes = Some(transaction.conclude(&none));
            self.state = State::Ready;
            let most = self.capabilities.limits().mail_max;
            if !self.unsolicited(Phase::FinalDot) && most.is_some_and(|most| self.mails >= most) {
                // Another MAIL is more than the server takes (RFC 9422, 4.1).
                self.say(Phase::Quit, b"QUIT\r\n");
            }
        }
        Step::Again
    }

    /// A reply to a command that stands alone.
    fn hear(&mut self, phase: Phase, reply: Reply) {
        match (phase, meaning(phase, &reply)) {
            (Phase::Quit, _) => self.state = State::Closed,
            (_, Meaning::Closing) => self.fail(phase, Cause::ServiceClosing, Some(reply)),
            (_, Meaning::Misplaced) => {
                self.fail(phase, ServerMisbehaved::MisplacedReply.into(), Some(reply));
            }
            (Phase::StartTls, Meaning::GoOn) if !self.inbox.is_empty() => {
                self.fail(phase, ServerMisbehaved::OctetsBehindStartTls.into(), None);
            }
            (Phase::StartTls, Meaning::GoOn) => {
                self.capabilities = Capabilities::default();
                self.state = State::Handshake { asked: false };
            }
            _ if self.unsolicited(phase) => {}
            (Phase::Auth, meaning) => self.hear_auth(meaning, reply),
            (Phase::StartTls, _) => {
                self.refusal = Some(reply);
                self.state = State::AskRefusal;
            }
            (Phase::Greeting, Meaning::GoOn) => {
                self.notes.push_back(Event::Greeted(reply));
                self.say_hello();
            }
            (Phase::Ehlo | Phase::Lhlo, Meaning::GoOn) => {
                self.capabilities = Capabilities::from_reply(&reply);
                self.know();
            }
            (Phase::Helo, Meaning::GoOn) => self.know(),
            (Phase::Ehlo, Meaning::TryHelo) => {
                self.notes.push_back(Event::EhloRefused(reply));
                self.capabilities = Capabilities::default();
                self.say_name(Phase::Helo, "HELO");
            }
            _ => self.part(phase, Cause::Refused, Some(reply)),
        }
    }

    /// What the server offers is known. Under TLS there is nothing left to decide.
    fn know(&mut self) {
        self.state = match self.under_tls {
            true => State::Ready,
            false => State::AskHello,
        };
    }

    pub(super) fn say_hello(&mut self) {
        match self.config.lmtp {
            true => self.say_name(Phase::Lhlo, "LHLO"),
            false => self.say_name(Phase::Ehlo, "EHLO"),
        }
    }

    fn say_name(&mut self, phase: Phase, verb: &str) {
        let parts = [verb, " ", self.config.host_name(), "\r\n"];
        self.outbox.reserve(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| self.outbox.extend_from_slice(part.as_bytes()));
        self.state = State::Await(phase);
    }

    pub(super) fn say(&mut self, phase: Phase, line: &[u8]) {
        self.outbox.extend_from_slice(line);
        self.state = State::Await(phase);
    }

    /// The next whole reply. A malformed one ends the session.
    fn next_reply(&mut self, phase: Phase) -> Option<Reply> {
        match self.inbox.reply()? {
            Ok(reply) => {
                self.replies += 1;
                // The answers to EHLO and LHLO are read for what is offered, first.
                Some(match phase {
                    // A challenge is read to its end as well.
                    Phase::Ehlo | Phase::Lhlo | Phase::Auth => reply,
                    _ => reply.abridged(REPLY_TEXT_KEPT),
                })
            }
            // Whatever stands there in place of an answer to QUIT, the session is over.
            Err(_) if phase == Phase::Quit => {
                self.state = State::Closed;
                None
            }
            Err(error) => {
                self.fail(phase, ServerMisbehaved::MalformedReply(error).into(), None);
                None
            }
        }
    }

    /// Whether octets lie here that no command asked for; if so, the session is over.
    pub(super) fn unsolicited(&mut self, phase: Phase) -> bool {
        if self.inbox.is_empty() {
            return false;
        }
        match self.inbox.reply() {
            Some(Ok(reply)) if reply.code() == Code::SERVICE_NOT_AVAILABLE => {
                self.fail(phase, Cause::ServiceClosing, Some(reply));
            }
            Some(Ok(reply)) => {
                self.fail(phase, ServerMisbehaved::UnsolicitedReply.into(), Some(reply));
            }
            Some(Err(_)) | None => {
                self.fail(phase, ServerMisbehaved::UnsolicitedReply.into(), None);
            }
        }
        true
    }

    /// Input ends, time is over, or the caller stops: in whatever state.
    pub(super) fn interrupt(&mut self, cause: Cause) {
        match self.state {
            State::Closed => {}
            // The outcomes are out already: how the goodbye goes changes nothing.
            State::Await(Phase::Quit) => {
                self.outbox.clear();
                self.state = State::Closed;
            }
            state => {
                let phase = match state {
                    State::Await(phase) => phase,
                    State::TlsFirst | State::Handshake { .. } | State::AskRefusal => {
                        Phase::StartTls
                    }
                    State::Transaction => {
                        self.transaction.as_deref().map_or(Phase::Mail, Transaction::phase)
                    }
                    State::Asked(phase) => phase,
                    State::AskChallenge => Phase::Auth,
                    State::AskHello | State::Closed => Phase::Ehlo,
                    // What would come next.
                    State::Ready => Phase::Mail,
                };
                self.fail(phase, cause, None);
            }
        }
    }

    /// Ends the session, politely.
    pub(super) fn part(&mut self, phase: Phase, cause: Cause, reply: Option<Reply>) {
        self.fail(phase, cause, reply);
        self.say(Phase::Quit, b"QUIT\r\n");
    }

    /// Ends the session: the recipients of a transaction under way get their outcomes, nothing
    /// more is sent.
    pub(super) fn fail(&mut self, phase: Phase, cause: Cause, reply: Option<Reply>) {
        let reply = reply.map(|reply| reply.abridged(REPLY_TEXT_KEPT));
        let failure = Failure { phase, cause, reply };
        if let Some(transaction) = self.transaction.take() {
            self.outcomes = Some(transaction.conclude(&failure));
        }
        self.notes.push_back(Event::Failed(failure.clone()));
        self.failure.get_or_insert(failure);
        self.desk.abandon();
        self.outbox.zeroize();
        self.given = false;
        self.inbox.clear();
        self.state = State::Closed;
    }

    pub(super) fn takes_input(&self) -> bool {
        let drained = self.outbox.is_empty() || self.given;
        match self.state {
            State::Await(_) | State::Transaction => drained,
            State::Ready => true,
            _ => false,
        }
    }

    pub(super) fn expect(&self, state: State, otherwise: ApiMisuse) -> Result<(), ApiMisuse> {
        if self.state == state && self.outcomes.is_none() { Ok(()) } else { Err(otherwise) }
    }
}
