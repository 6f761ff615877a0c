//! One connection: the one place where a socket meets a session.
//!
//! Does: carry out what the session asks for, in order, under the time that each phase allows.
//! Does not: know what a command means, or read ahead of a sink. Fails: whatever ends the
//! connection early drops the sink with it, and so the message.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use smtp_proto::server::{AuthVerdict, Commit, Event, Output, Phase, Session, Verdict};
use smtp_proto::wire::Refusal;
use smtp_tls::TlsInfo;
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::auth::Authentication;
use crate::config::ConnectionPolicy;
use crate::context::Known;
use crate::error::{ConnectionError, storage_refusal};
use crate::handler::{HandlerSession, Peer, Sink};
use crate::patience::{Patience, Wait};
use crate::transport::Transport;

/// How long the closing of a connection may take in all.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a peer may still send behind the last reply before the socket is simply dropped. Octets
/// that nobody reads would make the host reset the connection, and the peer lose that reply: so
/// much is under way where a peer sends a message as fast as the buffers of both hosts take it.
const CLOSE_OCTETS: usize = 16 * 1024 * 1024;

/// What is read at a time of it.
const CLOSE_READ: usize = 16 * 1024;

/// One accepted connection with everything that it needs.
///
/// Thousands of them wait at a time, and each takes as much memory as the largest of its states. So
/// what is large and short is boxed, and nothing is moved from one future into the next: each would
/// have room for it.
#[derive(Debug)]
pub(crate) struct Connection<'a, S> {
    pub(crate) peer: Peer<'a>,
    pub(crate) policy: Arc<ConnectionPolicy>,
    pub(crate) handler: S,
    pub(crate) stopping: watch::Receiver<bool>,
    /// None during a handshake, and behind one that failed.
    pub(crate) transport: Option<Transport>,
}

impl<S: HandlerSession> Connection<'_, S> {
    /// Serves the connection to its end.
    pub(crate) async fn serve(&mut self) {
        if let Err(error) = self.run().await {
            match error {
                ConnectionError::Misuse(_) => warn!(peer = %self.peer.address, "{error}"),
                ConnectionError::Write(_) | ConnectionError::WriteTimedOut => {
                    debug!(peer = %self.peer.address, "{error}");
                }
            }
            return;
        }
        if let Some(transport) = &mut self.transport {
            // A peer that does not take its goodbye in time goes without one.
            let _ = timeout(CLOSE_TIMEOUT, close(transport)).await;
        }
    }

    async fn run(&mut self) -> Result<(), ConnectionError> {
        let mut session = Session::new(Arc::clone(&self.policy.smtp));
        let mut known = Known::new(self.policy.smtp.lmtp);
        let mut patience = Patience::new(&self.policy);
        // Boxed: few of those that wait have one.
        let mut sink: Option<Box<S::Sink>> = None;
        let mut storage_error: Option<io::Error> = None;
        let mut told_to_stop = false;
        loop {
            known.follow(&session);
            let output = session.poll_output();
            if !matches!(output, Output::Wait(_)) {
                patience.moved();
            }
            match output {
                Output::Transmit(octets) => {
                    let wait = Wait::begin(Phase::Command, false);
                    transmit(&self.policy, self.transport.as_mut(), octets).await?;
                    patience.spend(wait);
                }
                Output::Hello(hello) => known.set_name(hello),
                Output::Mail(ask, mail) => {
                    known.begin_transaction(mail.parameters.smtputf8, mail.parameters.body);
                    let context = known.context(self.peer);
                    let verdict = self.handler.mail(&context, mail).await;
                    session.answer(ask, verdict)?;
                }
                Output::Rcpt(ask, rcpt) => {
                    let context = known.context(self.peer);
                    let verdict = self.handler.rcpt(&context, rcpt).await;
                    session.answer(ask, verdict)?;
                }
                Output::Auth(ask, exchange) => {
                    let context = known.context(self.peer);
                    let verdict = self.handler.authenticate(&context, exchange).await;
                    session.answer(ask, self.authenticated(verdict, &mut known))?;
                }
                Output::Request(ask, command) => {
                    let context = known.context(self.peer);
                    let reply = self.handler.request(&context, command).await;
                    session.answer(ask, reply)?;
                }
                Output::Data(ask) => {
                    storage_error = None;
                    let context = known.context(self.peer);
                    let verdict = match self.handler.data(&context).await {
                        Ok(opened) => {
                            sink = Some(Box::new(opened));
                            Verdict::Accept
                        }
                        Err(refusal) => Verdict::Refuse(refusal),
                    };
                    session.answer(ask, verdict)?;
                }
                Output::Body(octets) => {
                    if let Some(open) = &mut sink
                        && let Err(error) = open.write(octets).await
                    {
                        sink = None;
                        storage_error = Some(error);
                    }
                }
                Output::EndOfMessage(ask) => {
                    let commit = match sink.take() {
                        Some(sink) => Box::pin((*sink).commit()).await,
                        None => Commit::Refused(not_kept(storage_error.take())),
                    };
                    known.end_transaction();
                    self.log_commit(&commit);
                    if accepts(&commit) {
                        patience.renew(&self.policy);
                    } else {
                        self.handler.reset();
                    }
                    session.answer(ask, commit)?;
                }
                Output::Abort => {
                    sink = None;
                    known.end_transaction();
                    self.handler.reset();
                }
                Output::StartTls => {
                    let handshake = handshake(self.peer, &self.policy, self.transport.take());
                    match Box::pin(handshake).await {
                        Some((secured, info)) => {
                            self.transport = Some(secured);
                            known.tls = Some(info);
                            session.tls_established()?;
                        }
                        None => session.tls_failed()?,
                    }
                }
                Output::Wait(phase) => {
                    let wait = Wait::begin(phase, sink.is_some());
                    let deadline = patience.deadline(&self.policy, phase, wait);
                    let octets = poll_fn(|cx| poll_input(cx, &mut self.transport, &mut session));
                    let input = tokio::select! {
                        biased;
                        () = stop(&mut self.stopping), if !told_to_stop => Input::Stop,
                        octets = timeout_at(deadline, octets) => Input::of(&octets),
                    };
                    patience.spend(wait);
                    match input {
                        Input::Octets(n) => session.received(n)?,
                        Input::End => session.end_of_input(),
                        Input::TimedOut => session.timed_out(),
                        Input::Stop => {
                            told_to_stop = true;
                            session.shut_down();
                        }
                    }
                }
                Output::Note(event) => self.log(event),
                Output::Close => return Ok(()),
            }
        }
    }

    fn authenticated(&self, verdict: Authentication, known: &mut Known) -> AuthVerdict {
        let (service, peer) = (self.peer.service, self.peer.address);
        match verdict {
            Authentication::Challenge(challenge) => AuthVerdict::Challenge(challenge),
            Authentication::Accept(identity) => {
                info!(service, %peer, identity, "authenticated");
                known.identity = Some(identity.into());
                AuthVerdict::Accept
            }
            // What a client gives as a name may be a password.
            Authentication::Refuse(refusal) => {
                info!(service, %peer, code = %refusal.reply().code(), "authentication failed");
                AuthVerdict::Refuse(refusal)
            }
        }
    }

    fn log(&self, event: Event) {
        debug!(service = self.peer.service, peer = %self.peer.address, ?event);
    }

    fn log_commit(&self, commit: &Commit) {
        let (service, peer) = (self.peer.service, self.peer.address);
        match commit {
            Commit::Accepted(_) => info!(service, %peer, "message accepted"),
            Commit::Refused(refusal) => {
                info!(service, %peer, code = %refusal.reply().code(), "message refused");
            }
            Commit::PerRecipient(commits) => {
                let accepted = commits.iter().filter(|commit| accepts(commit)).count();
                info!(service, %peer, accepted, of = commits.len(), "message answered");
            }
        }
    }
}

/// Whether somebody gets the message.
fn accepts(commit: &Commit) -> bool {
    match commit {
        Commit::Accepted(_) => true,
        Commit::Refused(_) => false,
        Commit::PerRecipient(commits) => commits.iter().any(accepts),
    }
}

async fn transmit(
    policy: &ConnectionPolicy,
    transport: Option<&mut Transport>,
    octets: &[u8],
) -> Result<(), ConnectionError> {
    let gone = || ConnectionError::Write(io::ErrorKind::NotConnected.into());
    let write = transport.ok_or_else(gone)?.write(octets);
    match timeout(policy.timeout(Phase::Command), write).await {
        Ok(written) => written.map_err(ConnectionError::Write),
        Err(_) => Err(ConnectionError::WriteTimedOut),
    }
}

/// `None` when there is no TLS now. Then the socket is gone too: nothing may follow in clear.
async fn handshake(
    peer: Peer<'_>,
    policy: &ConnectionPolicy,
    transport: Option<Transport>,
) -> Option<(Transport, TlsInfo)> {
    let Some(Transport::Clear(socket)) = transport else { return None };
    let Some(acceptor) = &policy.acceptor else {
        warn!(service = peer.service, "TLS is offered, and nobody can make the handshake");
        return None;
    };
    match timeout(policy.handshake_timeout, acceptor.accept(socket)).await {
        Ok(Ok((stream, info))) => {
            debug!(peer = %peer.address, version = ?info.version, suite = info.suite, "TLS");
            Some((Transport::Tls(stream), info))
        }
        Ok(Err(error)) => {
            info!(peer = %peer.address, "TLS handshake failed: {error}");
            None
        }
        Err(_) => {
            info!(peer = %peer.address, "TLS handshake took too long");
            None
        }
    }
}

enum Input {
    Octets(usize),
    End,
    TimedOut,
    Stop,
}

impl Input {
    /// An error of the socket, and a TLS stream cut short, are an end like any other: what the
    /// session makes of it depends on whether it came where a message was whole.
    fn of(read: &Result<io::Result<usize>, Elapsed>) -> Self {
        match read {
            Ok(Ok(0) | Err(_)) => Self::End,
            Ok(Ok(n)) => Self::Octets(*n),
            Err(_) => Self::TimedOut,
        }
    }
}

fn poll_input(
    cx: &mut task::Context<'_>,
    transport: &mut Option<Transport>,
    session: &mut Session,
) -> Poll<io::Result<usize>> {
    let Some(transport) = transport else { return Poll::Ready(Ok(0)) };
    let read = transport.poll_read(cx, session.input());
    if read.is_pending() {
        session.idle();
    }
    read
}

/// Ends once the server is told to stop; a server that is gone has stopped too.
pub(crate) async fn stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn not_kept(error: Option<io::Error>) -> Refusal {
    storage_refusal(&error.unwrap_or_else(|| io::ErrorKind::Other.into()))
}

async fn close(transport: &mut Transport) {
    if transport.shutdown().await.is_err() {
        return;
    }
    let mut rest = vec![0; CLOSE_READ];
    let mut octets = 0;
    while octets < CLOSE_OCTETS {
        match transport.read(&mut rest).await {
            Ok(0) | Err(_) => return,
            Ok(n) => octets += n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::discard::{Discard, DiscardSink};
    use smtp_proto::server::Config;
    use smtp_proto::wire::Rcpt;
    use tokio::net::{TcpListener, TcpStream};

    struct Anybody(Discard);

    impl HandlerSession for Anybody {
        type Sink = DiscardSink;

        async fn rcpt(&mut self, _: &Context<'_>, _: Rcpt<'_>) -> Verdict {
            Verdict::Accept
        }

        async fn data(&mut self, _: &Context<'_>) -> Result<DiscardSink, Refusal> {
            Ok(self.0.sink())
        }
    }

    /// Thousands of connections wait at a time, and all of them have the size of the largest state.
    #[tokio::test]
    async fn a_connection_is_not_as_large_as_a_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let (_stop, stopping) = watch::channel(false);
        let mut connection = Connection {
            peer: Peer::new("smtp", address, address),
            policy: Arc::new(ConnectionPolicy::new(Arc::new(Config::new("mx.example.org")))),
            handler: Anybody(Discard::default()),
            stopping,
            transport: Some(Transport::Clear(socket)),
        };
        let size = size_of_val(&connection) + size_of_val(&connection.serve());
        assert!(size < 1152, "{size} octets");
    }
}
