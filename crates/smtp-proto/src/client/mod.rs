//! The client's side of a session, without IO.
//!
//! Does: turn a server's octets into questions and outcomes, and envelopes and messages into
//! octets. Does not: open a connection, shake hands, keep time, or decide about TLS. Fails: a
//! server that breaks the protocol, an input that ends and a phase that takes too long end the
//! session; the recipients of a transaction under way get their outcomes first, then comes
//! [`Output::Close`], and it stays.
//!
//! # The loop
//!
//! ```text
//! loop {
//!     match session.poll_output() {
//!         Transmit(octets)        => write them all
//!         Ehlo(ask, capabilities) => session.answer(ask, AfterHello::…)
//!         StartTlsRefused(ask, …) => session.answer(ask, AfterRefusal::…)
//!         StartTls                => shake hands, then session.tls_established() or tls_failed()
//!         Ready                   => session.authenticate(mechanism, first message),
//!                                    session.begin(envelope, facts) or session.quit()
//!         AuthChallenge(ask, …)   => session.answer(ask, AuthResponse::…)
//!         Body                    => session.body(octets) or session.end_of_body()
//!         Outcomes(outcomes)      => one for each recipient of the envelope, in its order
//!         Note(event)             => log it
//!         Wait(phase)             => read into session.input(), then session.received(n), or
//!                                    received_early(n) where not all was sent yet;
//!                                    or end_of_input(), timed_out(), shut_down()
//!         Close                   => close the connection
//!     }
//! }
//! ```
//!
//! Drain, then feed: input is taken where the session waits, and while it asks for the message,
//! where a caller that writes slowly should read as well: a server may answer early.
//!
//! # STARTTLS
//!
//! The session sends STARTTLS alone. An octet behind the server's 220 was not sent by whom the
//! handshake will name: the session ends with [`ServerMisbehaved::OctetsBehindStartTls`]
//! (RFC 3207, 6), and that is never a reason to try again in clear. What was known of the
//! server is forgotten at the handshake, and EHLO is sent again (RFC 3207, 4.2).
//!
//! # The message
//!
//! It goes behind DATA, or in chunks where the server offers CHUNKING ([`Chunking`]). What breaks
//! [`Config::message`] on its way ends it before anybody has it: behind DATA the connection is
//! dropped without the final dot, between chunks RSET follows. A recipient is
//! [`Delivered`](Outcome::Delivered) by a positive reply to the end of the message alone, read
//! after the end was sent; under LMTP, by its own.
//!
//! What the server's limits leave out is deferred without being sent, and when it takes no further
//! MAIL the session says QUIT by itself (RFC 9422): see [`Session::is_ready`].

mod advance;
mod auth;
mod config;
mod envelope;
mod error;
mod event;
mod inbox;
mod message;
mod outcome;
mod pipeline;
mod sending;
mod state;
mod terms;
mod transaction;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

pub use config::{Chunking, Config, EightBit, Utf8Header};
pub use envelope::{Envelope, MessageFacts};
pub use error::{AuthError, ServerIncompatible, ServerMisbehaved};
pub use event::{AfterHello, AfterRefusal, AuthResponse, Event, Phase, question};
pub use outcome::{Cause, Failure, Outcome, Rejection};

use zeroize::Zeroize as _;

use crate::ask::{Ask, Desk, Question};
use crate::error::ApiMisuse;
use crate::limits::CLIENT_IDLE_OUTPUT;
use crate::wire::{Capabilities, Reply};
use inbox::Inbox;
use transaction::Transaction;

/// What the session wants of its caller.
#[derive(Debug)]
pub enum Output<'s> {
    /// Send these octets, all of them, before anything that comes later.
    Transmit(&'s [u8]),
    /// The server has answered EHLO in clear, or HELO with no capability at all. Under TLS the
    /// session goes on by itself, and [`Session::capabilities`] says what is offered.
    Ehlo(Ask<question::Hello>, &'s Capabilities),
    /// The server has refused STARTTLS by this reply; the connection is still in clear.
    StartTlsRefused(Ask<question::StartTlsRefused>, &'s Reply),
    /// Shake hands, then report [`Session::tls_established`] or [`Session::tls_failed`].
    StartTls,
    /// A transaction may begin: [`Session::begin`], or [`Session::quit`]; or an authentication
    /// before it: [`Session::authenticate`].
    Ready,
    /// The server asks this of the mechanism, decoded; empty where it only waits for its turn.
    AuthChallenge(Ask<question::Challenge>, &'s [u8]),
    /// The message is wanted: [`Session::body`], or [`Session::end_of_body`].
    Body,
    /// What became of the recipients of the transaction: one each, in the envelope's order.
    Outcomes(Vec<Outcome>),
    /// Read into [`Session::input`], for as long as the phase allows.
    Wait(Phase),
    /// What happened.
    Note(Event),
    /// Close the connection. It stays the last word.
    Close,
}

/// The client's side of one connection.
pub struct Session {
    config: Arc<Config>,
    desk: Desk,
    state: State,
    under_tls: bool,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// The outbox was handed out and is emptied at the next poll.
    given: bool,
    notes: VecDeque<Event>,
    outcomes: Option<Vec<Outcome>>,
    capabilities: Capabilities,
    refusal: Option<Reply>,
    /// Apart, so that a session that is idle is small.
    transaction: Option<Box<Transaction>>,
    /// The last output asked for the message.
    body_asked: bool,
    reset_first: bool,
    exchange: auth::Exchange,
    authenticated: bool,
    /// How many times MAIL was sent.
    mails: u32,
    /// The domains of all recipients that were sent, where the server counts them.
    domains: Vec<String>,
    replies: u64,
    failure: Option<Failure>,
}

/// Shows no octets that are sent or came, which may hold secrets; what the server offers it does.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("under_tls", &self.under_tls)
            .field("capabilities", &self.capabilities)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// TLS comes before the greeting.
    TlsFirst,
    /// One command, or the greeting, awaits its reply.
    Await(Phase),
    /// Capabilities are known: the caller is to be asked.
    AskHello,
    /// STARTTLS was refused: the caller is to be asked.
    AskRefusal,
    /// A challenge was read: the caller is to be asked.
    AskChallenge,
    /// A question is open, about the reply to this.
    Asked(Phase),
    /// The handshake is due, or (`asked`) under way.
    Handshake {
        asked: bool,
    },
    Ready,
    Transaction,
    Closed,
}

/// What [`Session::advance`] found to do; [`Output`] without its borrows.
enum Step {
    Again,
    Transmit,
    AskHello,
    AskRefusal,
    AskChallenge,
    StartTls,
    Ready,
    Body,
    Wait(Phase),
    Close,
}

impl Session {
    /// A session on a fresh connection.
    pub fn new(config: Arc<Config>) -> Self {
        let inbox = Inbox::new(config.bare_lf);
        let state = match config.implicit_tls {
            true => State::TlsFirst,
            false => State::Await(Phase::Greeting),
        };
        Self {
            config,
            desk: Desk::new(),
            state,
            under_tls: false,
            inbox,
            outbox: Vec::new(),
            given: false,
            notes: VecDeque::new(),
            outcomes: None,
            capabilities: Capabilities::default(),
            refusal: None,
            transaction: None,
            body_asked: false,
            reset_first: false,
            exchange: auth::Exchange::default(),
            authenticated: false,
            mails: 0,
            domains: Vec::new(),
            replies: 0,
            failure: None,
        }
    }

    /// Whether the handshake has succeeded.
    pub fn under_tls(&self) -> bool {
        self.under_tls
    }

    /// What the server offered in its last answer to EHLO; nothing before one, and nothing of what
    /// it offered in clear once STARTTLS is sent.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether a transaction may begin: the session is [`Ready`](Output::Ready), or will be once
    /// its notes are taken.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready && self.outcomes.is_none()
    }

    /// How many whole replies have come. A phase's time begins anew with each one.
    pub fn replies(&self) -> u64 {
        self.replies
    }

    /// Why the session ended before its time; `None` while it has not.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What the session wants next. Until it is [`Wait`](Output::Wait), [`Body`](Output::Body) or
    /// [`Ready`](Output::Ready) no input is taken.
    ///
    /// An unanswered question, and a handshake whose result was not reported, end the session.
    pub fn poll_output(&mut self) -> Output<'_> {
        if mem::take(&mut self.given) {
            // Zeroes first: a line of AUTH holds a secret.
            match self.state {
                State::Await(Phase::Auth) => self.outbox.zeroize(),
                _ => self.outbox.clear(),
            }
        }
        self.body_asked = false;
        match self.state {
            State::Asked(phase) => {
                self.desk.abandon();
                self.fail(phase, Cause::Stopped, None);
            }
            State::Handshake { asked: true } => self.fail(Phase::StartTls, Cause::TlsFailed, None),
            _ => {}
        }
        loop {
            if let Some(event) = self.notes.pop_front() {
                return Output::Note(event);
            }
            if let Some(outcomes) = self.outcomes.take() {
                return Output::Outcomes(outcomes);
            }
            match self.advance() {
                Step::Again => {}
                Step::Transmit => {
                    self.given = true;
                    if let Some(transaction) = &mut self.transaction {
                        transaction.given();
                    }
                    return Output::Transmit(&self.outbox);
                }
                Step::AskHello => {
                    self.state = State::Asked(Phase::Ehlo);
                    return Output::Ehlo(self.desk.ask(), &self.capabilities);
                }
                Step::AskRefusal => match self.refusal {
                    Some(ref reply) => {
                        self.state = State::Asked(Phase::StartTls);
                        return Output::StartTlsRefused(self.desk.ask(), reply);
                    }
                    // It cannot be told whether the caller goes on without TLS: so it does not.
                    None => self.fail(Phase::StartTls, Cause::Stopped, None),
                },
                Step::AskChallenge => match self.exchange.challenge {
                    Some(ref challenge) => {
                        self.state = State::Asked(Phase::Auth);
                        return Output::AuthChallenge(self.desk.ask(), challenge.as_octets());
                    }
                    // There is nothing to ask.
                    None => self.fail(Phase::Auth, Cause::Stopped, None),
                },
                Step::StartTls => {
                    self.state = State::Handshake { asked: true };
                    return Output::StartTls;
                }
                Step::Ready => {
                    self.outbox.shrink_to(CLIENT_IDLE_OUTPUT);
                    return Output::Ready;
                }
                Step::Body => {
                    self.body_asked = true;
                    return Output::Body;
                }
                Step::Wait(phase) => return Output::Wait(phase),
                Step::Close => return Output::Close,
            }
        }
    }

    /// Where the next octets of input go; empty where the session takes none.
    pub fn input(&mut self) -> &mut [u8] {
        match self.takes_input() {
            true => self.inbox.space(),
            false => &mut [],
        }
    }

    /// `octets` were read into [`input`](Self::input).
    pub fn received(&mut self, octets: usize) -> Result<(), ApiMisuse> {
        if octets > 0 && !self.takes_input() {
            return Err(ApiMisuse::InputBeforeDrain);
        }
        self.inbox.received(octets)
    }

    /// `octets` were read into [`input`](Self::input) while some of what [`Output::Transmit`] gave
    /// was not sent yet.
    ///
    /// A reply that began there is no positive answer to the end of the message, which had not left:
    /// that server misbehaves ([`ServerMisbehaved::PrematureReply`]). Replies to what was sent before
    /// the end count as ever, and so does a refusal; one that comes before the final dot ends the
    /// connection as well. A caller that sends all before it reads has no use for
    /// this.
    pub fn received_early(&mut self, octets: usize) -> Result<(), ApiMisuse> {
        self.received(octets)?;
        self.inbox.came_early();
        Ok(())
    }

    /// The server sends nothing more.
    pub fn end_of_input(&mut self) {
        self.interrupt(Cause::ConnectionLost);
    }

    /// The server took longer than the phase allows.
    pub fn timed_out(&mut self) {
        self.interrupt(Cause::TimedOut);
    }

    /// The session is to end now. The final dot of a message under way is not sent.
    pub fn shut_down(&mut self) {
        self.interrupt(Cause::Stopped);
    }

    /// The handshake that [`Output::StartTls`] asked for succeeded.
    pub fn tls_established(&mut self) -> Result<(), ApiMisuse> {
        self.expect(State::Handshake { asked: true }, ApiMisuse::TlsNotAsked)?;
        self.under_tls = true;
        self.inbox.clear();
        self.capabilities = Capabilities::default();
        self.notes.push_back(Event::TlsEstablished);
        if self.config.implicit_tls {
            self.state = State::Await(Phase::Greeting);
        } else {
            self.say_hello();
        }
        Ok(())
    }

    /// The handshake that [`Output::StartTls`] asked for failed.
    pub fn tls_failed(&mut self) -> Result<(), ApiMisuse> {
        self.expect(State::Handshake { asked: true }, ApiMisuse::TlsNotAsked)?;
        self.fail(Phase::StartTls, Cause::TlsFailed, None);
        Ok(())
    }

    /// Answers a question.
    ///
    /// # Errors
    /// The question is not this session's, or no longer open.
    pub fn answer<Q: Answerable>(
        &mut self,
        ask: Ask<Q>,
        verdict: Q::Verdict,
    ) -> Result<(), ApiMisuse> {
        self.desk.take(ask)?;
        Q::settle(self, verdict);
        Ok(())
    }

    /// Says QUIT; [`Output::Close`] follows when the server has answered.
    ///
    /// # Errors
    /// The session is not [`Ready`](Output::Ready).
    pub fn quit(&mut self) -> Result<(), ApiMisuse> {
        self.expect(State::Ready, ApiMisuse::NotReady)?;
        self.say(Phase::Quit, b"QUIT\r\n");
        Ok(())
    }
}

/// A question of this session, settled by what answers it.
pub trait Answerable: Question + sealed::Settle {}

impl<Q: Question + sealed::Settle> Answerable for Q {}

mod sealed {
    use super::{AfterHello, AfterRefusal, AuthResponse, Cause, Phase, Session, State, question};
    use crate::ask::Question;

    pub trait Settle: Question {
        fn settle(session: &mut Session, verdict: Self::Verdict);
    }

    impl Settle for question::Hello {
        fn settle(session: &mut Session, verdict: AfterHello) {
            match verdict {
                AfterHello::StartTls => session.say(Phase::StartTls, b"STARTTLS\r\n"),
                AfterHello::Proceed => session.state = State::Ready,
                AfterHello::Quit => session.part(Phase::Ehlo, Cause::Stopped, None),
            }
        }
    }

    impl Settle for question::Challenge {
        fn settle(session: &mut Session, response: AuthResponse) {
            session.answer_challenge(response);
        }
    }

    impl Settle for question::StartTlsRefused {
        fn settle(session: &mut Session, verdict: AfterRefusal) {
            match verdict {
                AfterRefusal::Proceed => session.state = State::Ready,
                AfterRefusal::Quit => session.part(Phase::StartTls, Cause::Stopped, None),
            }
        }
    }
}
