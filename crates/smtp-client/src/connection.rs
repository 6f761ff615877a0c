//! The one place where a socket meets a client session.
//!
//! Does: write what the session sends while it reads what the server says, so that a server which
//! answers early or stops reading is heard and neither side waits for the other; keep each phase's
//! time; shake hands where policy and session agree on it. Does not: choose hosts or group
//! recipients. Fails: [`OpenError`] before the first message; afterwards every recipient of a
//! message has its outcome, whatever happens to the connection.

mod authenticate;
mod link;

use std::io;
use std::sync::Arc;

use smtp_proto::client::{
    self, AfterHello, AfterRefusal, Cause, Envelope, Event, Failure, Output, Phase, Rejection,
    ServerMisbehaved, Session,
};
use smtp_proto::wire::{BodyType, Extension, Extensions, MessagePolicy, Reply};
use smtp_tls::{AfterEhlo, AfterFailure, ClientPolicy, Connector, HandshakeError, TlsRefusal};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::authenticate::Exchange;
use self::link::{HIGH_WATER, Link, Moved, Stalled};
use crate::auth::Authentication;
use crate::config::Config;
use crate::error::{OpenError, Reason};
use crate::message::{Message, Reader};
use crate::report::{AuthRecord, Outcome, TlsRecord, WhyClear};

/// An open connection, ready for messages under one policy.
///
/// [`Client::open`](crate::Client::open) makes it. It is dropped without a goodbye when it goes out
/// of scope; [`quit`](Self::quit) says one.
#[derive(Debug)]
pub struct Connection {
    session: Session,
    link: Link,
    policy: ClientPolicy,
    tls: TlsRecord,
    refusal: Option<(TlsRefusal, Option<Reply>)>,
    auth: AuthRecord,
    exchange: Exchange,
    /// What every message must be.
    messages: MessagePolicy,
    left_out: Extensions,
    /// A message is being sent, or was given up on its way.
    busy: bool,
}

/// Where the session needs more than its socket.
#[derive(Debug)]
enum Stop {
    Ready,
    Body,
    Outcomes(Vec<client::Outcome>),
    StartTls,
    Close,
}

/// Why an attempt to open a connection ended.
pub(crate) enum Attempt {
    Failed(Box<OpenError>),
    /// The handshake failed, and the policy allows one connection in clear.
    RetryClear(HandshakeError),
}

impl Attempt {
    pub(crate) fn failed(reason: Reason) -> Self {
        Self::Failed(Box::new(OpenError { reason, tls: TlsRecord::Unsettled }))
    }
}

impl Connection {
    /// Speaks with the server until it is ready for a message. `policy` is the effective one: it
    /// says `implicit` where the port does.
    pub(crate) async fn open(
        stream: TcpStream,
        host: &str,
        config: &Config,
        policy: ClientPolicy,
        connector: Option<&Connector>,
        authentication: Option<&Authentication>,
    ) -> Result<Self, Attempt> {
        let mut connection = Self::new(stream, config, policy);
        loop {
            match connection.advance().await {
                Stop::Ready => return connection.ready(authentication).await,
                Stop::StartTls => connection.secure(host, connector).await?,
                Stop::Close => return Err(Attempt::Failed(Box::new(connection.why_closed()))),
                // Neither comes before a transaction was begun.
                Stop::Body | Stop::Outcomes(_) => connection.session.shut_down(),
            }
        }
    }

    fn new(stream: TcpStream, config: &Config, policy: ClientPolicy) -> Self {
        let mut session = config.session.clone();
        session.implicit_tls = policy.implicit;
        Self {
            session: Session::new(Arc::new(session)),
            link: Link::new(stream, config.timeouts),
            tls: TlsRecord::Unsettled,
            refusal: None,
            auth: AuthRecord::NotWanted,
            exchange: Exchange::default(),
            messages: config.session.message,
            left_out: Extensions::EMPTY,
            busy: false,
            policy,
        }
    }

    /// What protects the connection, or why nothing does.
    pub const fn tls(&self) -> &TlsRecord {
        &self.tls
    }

    /// Whether the server knows who sends.
    pub const fn auth(&self) -> &AuthRecord {
        &self.auth
    }

    /// Extensions whose parameters the last envelope had and the server was not sent, since it does
    /// not offer them: [`Extension::Dsn`], [`Extension::MtPriority`] or [`Extension::Auth`].
    pub const fn left_out(&self) -> Extensions {
        self.left_out
    }

    /// The most recipients that the server takes in one transaction, where it says so (RFC 9422).
    pub fn recipients_per_transaction(&self) -> Option<u32> {
        self.session.recipients_per_transaction()
    }

    /// Whether the connection has ended because something failed; it is also not open where the
    /// server has taken as many messages as it takes in one session.
    pub(crate) fn has_failed(&self) -> bool {
        self.session.failure().is_some()
    }

    /// Whether another message can be sent.
    pub fn is_open(&self) -> bool {
        !self.busy && self.session.is_ready()
    }

    /// Sends one message; gives one outcome per recipient of the envelope, in its order.
    ///
    /// A recipient that is more than the server takes at once (RFC 9422) is deferred with
    /// [`Cause::LimitReached`] and was not sent: it is for another transaction, or another
    /// connection. [`Client::deliver`](crate::Client::deliver) sees to that by itself.
    ///
    /// When the connection is lost on the way, or was lost before, the outcomes say so.
    ///
    /// Not to be cancelled: where the future is dropped before it is done, part of the message may
    /// be with the server. The connection is then of no more use: [`is_open`](Self::is_open) says
    /// no, every further message is deferred with [`Reason::Abandoned`], and the connection is to be
    /// dropped. What became of the message that was given up is not known.
    pub async fn send(&mut self, envelope: Envelope, message: &Message) -> Vec<Outcome> {
        let recipients = envelope.recipients();
        self.left_out = Extensions::EMPTY;
        if self.busy {
            return deferred(recipients, Reason::Abandoned);
        }
        let body = envelope.body();
        if let Some(refused) = refused(message, body, &self.messages) {
            return vec![refused; recipients];
        }
        let mut reader = match message.reader().await {
            Ok(reader) => reader,
            Err(error) => return deferred(recipients, Reason::Message(error)),
        };
        if self.session.begin(envelope, message.facts(body, &self.messages)).is_err() {
            return deferred(recipients, Reason::Session(self.failure(Phase::Mail)));
        }
        self.busy = true;
        let outcomes = self.transact(recipients, &mut reader).await;
        self.busy = false;
        outcomes
    }

    /// Goes through the transaction that was begun.
    async fn transact(&mut self, recipients: usize, reader: &mut Reader) -> Vec<Outcome> {
        let mut unreadable = None;
        loop {
            match self.advance().await {
                Stop::Outcomes(outcomes) => return report(outcomes, unreadable),
                Stop::Body => {
                    if let Err(error) = self.give(reader).await {
                        unreadable = Some(error);
                        self.session.shut_down();
                    }
                }
                Stop::Ready | Stop::Close | Stop::StartTls => {
                    // A transaction that was begun has its outcomes first.
                    return deferred(recipients, Reason::Session(self.failure(Phase::Mail)));
                }
            }
        }
    }

    /// Says QUIT, waits briefly for the answer, and closes. Where a message was given up on its
    /// way, it just closes.
    pub async fn quit(mut self) {
        if !self.busy {
            // It is said already where the server takes no more messages.
            let _ = self.session.quit();
            while !matches!(self.advance().await, Stop::Close | Stop::Ready) {}
        }
        let time = self.link.timeouts.of(Phase::Quit);
        // The server has its QUIT: how the connection ends matters to nobody any more.
        let _ = timeout(time, self.link.transport.shutdown()).await;
    }

    /// Gives the session one part of the message, or moves what waits to be written.
    async fn give(&mut self, reader: &mut Reader) -> io::Result<()> {
        if self.link.broken || self.link.pending.len() >= HIGH_WATER {
            self.exchange(Phase::Body).await;
            return Ok(());
        }
        let part = reader.part().await?;
        // The session has just asked for the message, so it takes this.
        let _ = match part.is_empty() {
            true => self.session.end_of_body(),
            false => self.session.body(part).map(drop),
        };
        Ok(())
    }

    /// Runs the session over the socket until it needs something else.
    async fn advance(&mut self) -> Stop {
        loop {
            match self.session.poll_output() {
                Output::Transmit(octets) => self.link.pending.extend_from_slice(octets),
                Output::Ehlo(ask, capabilities) => {
                    let verdict =
                        match self.policy.after_ehlo(capabilities.has(Extension::StartTls)) {
                            AfterEhlo::StartTls => AfterHello::StartTls,
                            AfterEhlo::Continue => {
                                self.tls = TlsRecord::Clear(match self.policy.uses_tls() {
                                    true => WhyClear::NotOffered,
                                    false => WhyClear::Policy,
                                });
                                AfterHello::Proceed
                            }
                            AfterEhlo::Stop(refusal) => {
                                self.refusal = Some((refusal, None));
                                AfterHello::Quit
                            }
                        };
                    // It was asked just now, by this session: it takes the answer.
                    let _ = self.session.answer(ask, verdict);
                }
                Output::StartTlsRefused(ask, reply) => {
                    let verdict = match self.policy.after_starttls_refused() {
                        smtp_tls::AfterRefusal::Continue => {
                            self.tls = TlsRecord::Clear(WhyClear::Refused(reply.clone()));
                            AfterRefusal::Proceed
                        }
                        smtp_tls::AfterRefusal::Stop(refusal) => {
                            self.refusal = Some((refusal, Some(reply.clone())));
                            AfterRefusal::Quit
                        }
                    };
                    let _ = self.session.answer(ask, verdict);
                }
                Output::AuthChallenge(ask, challenge) => {
                    let response = self.exchange.respond(challenge);
                    let _ = self.session.answer(ask, response);
                }
                Output::StartTls => return Stop::StartTls,
                Output::Ready => return Stop::Ready,
                Output::Body => return Stop::Body,
                Output::Outcomes(outcomes) => return Stop::Outcomes(outcomes),
                Output::Note(event) => {
                    tracing::debug!(?event, "session");
                    self.hear(event);
                }
                Output::Wait(phase) => self.exchange(phase).await,
                Output::Close => return Stop::Close,
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::LeftOut(extension) => self.left_out = self.left_out.with(extension),
            Event::Authenticated(_) | Event::AuthRefused(_) | Event::AuthCancelled(_) => {
                self.exchange.ended(event);
            }
            _ => {}
        }
    }

    async fn exchange(&mut self, phase: Phase) {
        match self.link.exchange(&mut self.session, phase).await {
            // The octets were read into the room that the session gave.
            Ok(Moved::Read(octets)) => {
                let _ = match self.link.is_settled() {
                    true => self.session.received(octets),
                    false => self.session.received_early(octets),
                };
            }
            Ok(Moved::Written) => {}
            Ok(Moved::End) => self.session.end_of_input(),
            Err(Stalled) => self.session.timed_out(),
        }
    }

    async fn secure(&mut self, host: &str, connector: Option<&Connector>) -> Result<(), Attempt> {
        let fail = |connection: &mut Self, reason| {
            let _ = connection.session.tls_failed();
            Err(Attempt::failed(reason))
        };
        // A 220 that came before STARTTLS left answers nothing; and what still waits was meant to go
        // in clear.
        if !self.link.is_settled() {
            return fail(self, Reason::Session(injected()));
        }
        // The client speaks first in TLS: what is here behind the 220 was put here for the client to
        // take as the beginning of the handshake, or as replies behind it. Before implicit TLS
        // nothing was said that it could stand behind: that server just speaks no TLS.
        if !self.policy.implicit && self.link.transport.has_octets() {
            return fail(self, Reason::Session(injected()));
        }
        let Some(connector) = connector else {
            let refusal = TlsRefusal::HandshakeFailed;
            return fail(self, Reason::Tls { refusal, reply: None });
        };
        let time = self.link.timeouts.handshake;
        let handshake = timeout(time, self.link.transport.secure(connector, host)).await;
        match handshake.unwrap_or_else(|_| Err(HandshakeError::Io(io::ErrorKind::TimedOut.into())))
        {
            Ok(info) => {
                self.tls = TlsRecord::Encrypted(info);
                // The session asked for the handshake.
                let _ = self.session.tls_established();
                Ok(())
            }
            // No TLS record behind 220: octets that came just too late to be seen above.
            Err(HandshakeError::NotTls) if !self.policy.implicit => {
                fail(self, Reason::Session(injected()))
            }
            Err(error) => match self.policy.after_handshake_failed(&error) {
                AfterFailure::RetryClear => {
                    let _ = self.session.tls_failed();
                    Err(Attempt::RetryClear(error))
                }
                AfterFailure::Stop(_) => fail(self, Reason::Handshake(error)),
            },
        }
    }

    /// Why the session ended; one that ended without a word was lost in `phase`.
    fn failure(&self, phase: Phase) -> Failure {
        let lost = || Failure { phase, cause: Cause::ConnectionLost, reply: None };
        self.session.failure().cloned().unwrap_or_else(lost)
    }

    fn why_closed(mut self) -> OpenError {
        let reason = match self.refusal.take() {
            Some((refusal, reply)) => Reason::Tls { refusal, reply },
            None => Reason::Session(self.failure(Phase::Greeting)),
        };
        OpenError { reason, tls: self.tls }
    }

    pub(crate) fn record(&mut self, tls: TlsRecord) {
        self.tls = tls;
    }
}

fn injected() -> Failure {
    Failure {
        phase: Phase::StartTls,
        cause: Cause::Misbehaved(ServerMisbehaved::OctetsBehindStartTls),
        reply: None,
    }
}

/// What becomes of a message that its policy refuses, as every server would find.
pub(crate) fn refused(
    message: &Message,
    body: Option<BodyType>,
    policy: &MessagePolicy,
) -> Option<Outcome> {
    // The octets of BINARYMIME are no lines (RFC 3030, 3).
    let fault = message.fault(policy).filter(|_| body != Some(BodyType::BinaryMime))?;
    Some(Outcome::Rejected(Rejection::Message(fault)))
}

fn deferred(recipients: usize, reason: Reason) -> Vec<Outcome> {
    vec![Outcome::deferred(Arc::new(reason)); recipients]
}

fn report(outcomes: Vec<client::Outcome>, unreadable: Option<io::Error>) -> Vec<Outcome> {
    let unreadable = unreadable.map(|error| Arc::new(Reason::Message(error)));
    let mut last: Option<Arc<Reason>> = None;
    // Recipients that follow each other mostly share one failure: they share one reason as well.
    let mut session = |failure: Failure| match &last {
        Some(reason) if matches!(&**reason, Reason::Session(same) if *same == failure) => {
            reason.clone()
        }
        _ => last.insert(Arc::new(Reason::Session(failure))).clone(),
    };
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            client::Outcome::Delivered { reply } => Outcome::Delivered { reply },
            client::Outcome::Deferred { failure, may_have_been_accepted } => Outcome::Deferred {
                reason: match &unreadable {
                    Some(unreadable) if failure.cause == Cause::Stopped => unreadable.clone(),
                    _ => session(failure),
                },
                may_have_been_accepted,
            },
            client::Outcome::Rejected(rejection) => Outcome::Rejected(rejection),
        })
        .collect()
}

#[cfg(test)]
mod tests;
