//! The one place where a socket meets a client session.
//!
//! Does: write what the session sends while it reads what the server says, so that a server which
//! answers early or stops reading is heard and neither side waits for the other; keep each phase's
//! time; shake hands where policy and session agree on it. Does not: choose hosts or group
//! recipients. Fails: [`OpenError`] before the first message; afterwards every recipient of a
//! message has its outcome, whatever happens to the connection.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use smtp_proto::client::{
    self, AfterHello, AfterRefusal, AuthResponse, Cause, Envelope, Failure, Output, Phase,
    ServerMisbehaved, Session,
};
use smtp_proto::wire::{Extension, Reply};
use smtp_tls::{AfterEhlo, AfterFailure, ClientPolicy, Connector, HandshakeError, TlsRefusal};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::{Config, Timeouts, deadline};
use crate::error::{OpenError, Reason};
use crate::message::{Message, Reader};
use crate::report::{Outcome, TlsRecord, WhyClear};
use crate::transport::Transport;

/// Octets that wait to be written before more of a message is asked for.
const HIGH_WATER: usize = 64 * 1024;

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
    /// A message is being sent, or was given up on its way.
    busy: bool,
}

/// The socket's side: what waits to be written, and since when nothing has moved.
#[derive(Debug)]
struct Link {
    transport: Transport,
    timeouts: Timeouts,
    pending: Vec<u8>,
    unflushed: bool,
    /// Writing has failed. The server may still have said why, so reading goes on.
    broken: bool,
    since: Instant,
    waiting: Option<(Phase, u64)>,
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
    ) -> Result<Self, Attempt> {
        let mut connection = Self::new(stream, config, policy);
        loop {
            match connection.advance().await {
                Stop::Ready => return Ok(connection),
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
            busy: false,
            policy,
        }
    }

    /// What protects the connection, or why nothing does.
    pub const fn tls(&self) -> &TlsRecord {
        &self.tls
    }

    /// Whether another message can be sent.
    pub fn is_open(&self) -> bool {
        !self.busy && self.session.is_ready()
    }

    /// Sends one message; gives one outcome per recipient of the envelope, in its order.
    ///
    /// When the connection is lost on the way, or was lost before, the outcomes say so.
    ///
    /// Not to be cancelled: where the future is dropped before it is done, part of the message may
    /// be with the server. The connection is then of no more use: [`is_open`](Self::is_open) says
    /// no, every further message is deferred with [`Reason::Abandoned`], and the connection is to be
    /// dropped. What became of the message that was given up is not known.
    pub async fn send(&mut self, envelope: Envelope, message: &Message) -> Vec<Outcome> {
        let recipients = envelope.recipients();
        if self.busy {
            return deferred(recipients, Reason::Abandoned);
        }
        let mut reader = match message.reader().await {
            Ok(reader) => reader,
            Err(error) => return deferred(recipients, Reason::Message(error)),
        };
        if self.session.begin(envelope, message.facts()).is_err() {
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
        if !self.busy && self.session.quit().is_ok() {
            while !matches!(self.advance().await, Stop::Close) {}
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
                // No authentication is begun here.
                Output::AuthChallenge(ask, _) => {
                    let _ = self.session.answer(ask, AuthResponse::Cancel);
                }
                Output::StartTls => return Stop::StartTls,
                Output::Ready => return Stop::Ready,
                Output::Body => return Stop::Body,
                Output::Outcomes(outcomes) => return Stop::Outcomes(outcomes),
                Output::Note(event) => tracing::debug!(?event, "session"),
                Output::Wait(phase) => self.exchange(phase).await,
                Output::Close => return Stop::Close,
            }
        }
    }

    async fn exchange(&mut self, phase: Phase) {
        match self.link.exchange(&mut self.session, phase).await {
            Ok(Moved::Read(octets)) => {
                // The octets were read into the room that the session gave.
                let _ = self.session.received(octets);
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

/// What an exchange with the socket brought.
enum Moved {
    Read(usize),
    Written,
    End,
}

/// Nothing moved for as long as the phase allows.
struct Stalled;

impl Link {
    fn new(stream: TcpStream, timeouts: Timeouts) -> Self {
        Self {
            transport: Transport::Clear(stream),
            timeouts,
            pending: Vec::new(),
            unflushed: false,
            broken: false,
            since: Instant::now(),
            waiting: None,
        }
    }

    /// Whether all that was to be written has left.
    fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.unflushed && !self.broken
    }

    /// Writes what is pending and reads into the session, at once; returns when either moved.
    ///
    /// The phase's time begins with the phase, with each reply, and with each octet that is
    /// written: a server that reads slowly is slow, and one that sends half a reply is stalled.
    async fn exchange(&mut self, session: &mut Session, phase: Phase) -> Result<Moved, Stalled> {
        let waiting = Some((phase, session.replies()));
        if self.waiting != waiting {
            self.waiting = waiting;
            self.since = Instant::now();
        }
        let moved = timeout_at(
            deadline(self.since, self.timeouts.of(phase)),
            poll_fn(|cx| {
                let written = self.poll_write(cx);
                let mut into = ReadBuf::new(session.input());
                match Pin::new(&mut self.transport).poll_read(cx, &mut into) {
                    Poll::Ready(Ok(())) if into.filled().is_empty() => Poll::Ready(Moved::End),
                    Poll::Ready(Ok(())) => Poll::Ready(Moved::Read(into.filled().len())),
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "reading failed");
                        Poll::Ready(Moved::End)
                    }
                    Poll::Pending if written => Poll::Ready(Moved::Written),
                    Poll::Pending => Poll::Pending,
                }
            }),
        )
        .await;
        if let Ok(Moved::Written) = moved {
            self.since = Instant::now();
        }
        moved.map_err(|_| Stalled)
    }

    /// Writes what the socket takes; says whether it took anything.
    fn poll_write(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let mut written = 0;
        while !self.broken && written < self.pending.len() {
            match Pin::new(&mut self.transport).poll_write(cx, &self.pending[written..]) {
                Poll::Ready(Ok(0)) => self.break_off(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => {
                    written += octets;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => self.break_off(&error),
                Poll::Pending => break,
            }
        }
        // More is put behind what is left for as long as a server reads slowly: what was written
        // must not be kept.
        self.pending.drain(..written.min(self.pending.len()));
        if self.unflushed && !self.broken {
            match Pin::new(&mut self.transport).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.break_off(&error),
                Poll::Pending => {}
            }
        }
        written > 0
    }

    fn break_off(&mut self, error: &io::Error) {
        tracing::debug!(%error, "writing failed");
        self.broken = true;
        self.pending.clear();
    }
}

fn injected() -> Failure {
    Failure {
        phase: Phase::StartTls,
        cause: Cause::Misbehaved(ServerMisbehaved::OctetsBehindStartTls),
        reply: None,
    }
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
